//! An objective for the tests: 99 % of a shop's requests over a day.

use firebell_model::{Duration, Labels};
use firebell_rules::Place;
use firebell_slo::{
    Budgeting, Count, Counted, Indicator, LowTraffic, Objective, Target, Window, counter,
    standard_tiers,
};

pub(crate) fn objective() -> Objective {
    let selector = |text: &str| counter(text).unwrap();
    let target = Target::from_percent(99.0).unwrap();
    let window = Duration::from_hours(24);
    Objective {
        id: "shop/works".to_owned(),
        service: "shop".to_owned(),
        name: "works".to_owned(),
        flow: String::new(),
        description: String::new(),
        target,
        window: Window::Rolling(window),
        indicator: Indicator::Events {
            counted: Counted::Bad(Count::Increase(selector("requests_total{code=\"500\"}"))),
            total: Count::Increase(selector("requests_total")),
        },
        budgeting: Budgeting::Events,
        by: Vec::new(),
        owner: String::new(),
        runbook: String::new(),
        alert: "Burn".to_owned(),
        tiers: standard_tiers(window, Duration::from_mins(2), target.budget()),
        low_traffic: LowTraffic::default(),
        on_arrival: false,
        no_data: None,
        labels: Labels::empty(),
        annotations: Labels::empty(),
        page: (Labels::empty(), Labels::empty()),
        ticket: (Labels::empty(), Labels::empty()),
        file: String::new(),
        place: Place::default(),
    }
}
