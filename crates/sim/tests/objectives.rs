//! A fleet of 200 services with an objective each, of which one breaks: the alerts that fire, and
//! when, are those of the arithmetic, and nobody else is told of anything.
//!
//! With a budget `B` of all events, an alert of burn rate `b` over a long window `W` fires after
//! `b × B × W / e`, when a share `e` of events fails from a clean start. It is seen by the next
//! scrape and judged at the next slot of the rules' group, to the second; `evaluate: on_arrival`
//! saves the wait for the slot. About 25 s of CPU, for 200,000 evaluations of rules over three days
//! of samples.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use firebell_config::{Config, ExternalUrl, Files, load};
use firebell_engine::Configuration;
use firebell_model::{Duration, Labels, Sample, Timestamp};
use firebell_rules::{AlertPhase, Options, RuleSet};
use firebell_sim::{Happening, Scene, Sim, Watch};

const SERVICES: usize = 200;
/// The one that breaks.
const BROKEN: usize = 77;
/// Requests a second to each service.
const RATE: f64 = 10.0;

/// When rules are evaluated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judged {
    AtSlots,
    OnArrival,
}

/// Files that are only here.
struct Here(BTreeMap<&'static str, String>);

impl Files for Here {
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = path.to_str().and_then(|path| self.0.get(path));
        text.cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(vec![pattern.to_owned()])
    }
}

/// A document of objectives for each service.
fn fleet(every: Duration, judged: Judged) -> Config {
    let evaluate = match judged {
        Judged::AtSlots => "",
        Judged::OnArrival => "    evaluate: on_arrival\n",
    };
    let service = |idx: usize| {
        format!(
            "service: s{idx}\nslos:\n  - name: works\n    objective: 99.9%\n{evaluate}    \
             indicator:\n      bad: requests_total{{service=\"s{idx}\",code=\"500\"}}\n      \
             total: requests_total{{service=\"s{idx}\"}}\n"
        )
    };
    let documents: Vec<String> = (0..SERVICES).map(service).collect();
    let root = format!(
        "global: {{scrape_interval: {every}, evaluation_interval: {every}}}\nslo_files: [fleet.yml]\n"
    );
    let files = Here(BTreeMap::from([
        ("firebell.yml", root),
        ("fleet.yml", documents.join("---\n")),
    ]));
    let url = ExternalUrl::default();
    load(Some(Path::new("firebell.yml")), &url, &files).unwrap_or_else(|it| panic!("{it}"))
}

/// Nobody watches.
struct Blind;

impl Watch for Blind {
    fn see(&mut self, _: &Scene<'_>, _: &Happening<'_>) {}
}

/// The counters of the fleet at a moment; since `broke_at` the share `errors` fails at one service,
/// until `mended_at`.
fn counters(
    now: Timestamp,
    start: Timestamp,
    (broke_at, mended_at): (Timestamp, Timestamp),
    errors: f64,
) -> Vec<(Labels, Sample)> {
    let mut samples = Vec::with_capacity(2 * SERVICES);
    let all = (now - start).as_secs_f64() * RATE;
    let failing = (now.min(mended_at) - broke_at).as_secs_f64().max(0.0) * RATE * errors;
    for idx in 0..SERVICES {
        let bad = if idx == BROKEN { failing } else { 0.0 };
        for (code, value) in [("200", all - bad), ("500", bad)] {
            let service = format!("s{idx}");
            let labels = Labels::from_pairs([
                ("__name__", "requests_total"),
                ("service", &*service),
                ("code", code),
            ]);
            samples.push((labels, Sample { at: now, value }));
        }
    }
    samples
}

/// Since when each alert fires, by service and long window.
fn firing(sim: &Sim<Blind>, found: &mut BTreeMap<(String, String), Timestamp>) {
    let engine = sim.engine().expect("it runs");
    for rule in engine.rules().groups().flat_map(|group| group.rules()) {
        assert_eq!(rule.last_error(), None);
        for alert in rule.alerts() {
            let label = |name| alert.labels.get(name).unwrap_or("").to_owned();
            if let AlertPhase::Firing { fired_at, .. } = alert.phase {
                let key = (label("service"), label("long"));
                found.entry(key).or_insert(fired_at);
            }
        }
    }
}

/// The first moment of a grid that is not earlier than another.
fn at_or_after(moment: Timestamp, on_grid: Timestamp, step: Duration) -> Timestamp {
    let past = (moment - on_grid).0.rem_euclid(step.0);
    moment + Duration((step.0 - past) % step.0)
}

/// A slot of the group of the one that breaks.
fn slot(sim: &Sim<Blind>) -> Timestamp {
    let engine = sim.engine().expect("it runs");
    let name = format!("slo:s{BROKEN}/works");
    let mut groups = engine.rules().groups();
    let group = groups
        .find(|it| it.group.name == name)
        .expect("it is there");
    group.last_evaluation().expect("it was evaluated")
}

/// A share of requests fails for a while: `expected` are the long windows of the alerts that fire,
/// each with the seconds after which enough has failed.
fn check(errors: f64, lasts: Duration, every: Duration, expected: &[(&str, f64)]) {
    check_judged(errors, lasts, every, expected, Judged::AtSlots);
}

fn check_judged(
    errors: f64,
    lasts: Duration,
    every: Duration,
    expected: &[(&str, f64)],
    judged: Judged,
) {
    let config = fleet(every, judged);
    let n_rules: usize = config.rules.groups().iter().map(|it| it.rules.len()).sum();
    // Four that a budget burns, and one that there is nothing to see.
    assert_eq!(n_rules, SERVICES * 5);
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let broke_at = start + Duration::from_hours(73);
    let mended_at = broke_at + lasts;
    let configuration = |rules: RuleSet| Configuration {
        rules,
        rule_options: Options::default(),
        routing: config.routing.clone(),
        dispatch_options: firebell_dispatch::Options::default(),
        delivery_alert: None,
        incidents: Default::default(),
        paging: Default::default(),
        heartbeats: Default::default(),
    };
    let mut sim = Sim::new(start, configuration(RuleSet::empty()), 1, Blind);
    sim.start().unwrap();
    let append = |sim: &mut Sim<Blind>| {
        let now = sim.now();
        sim.append(counters(now, start, (broke_at, mended_at), errors));
    };
    while sim.now() < broke_at - Duration::from_mins(10) {
        append(&mut sim);
        sim.run_until(sim.now() + Duration::from_mins(5));
    }
    // The objectives are new, and have the history of their metrics at once.
    sim.configure(configuration(config.rules.clone()));
    let mut found = BTreeMap::new();
    while sim.now() < mended_at + every * 2 {
        append(&mut sim);
        sim.run_until(sim.now() + every);
        firing(&sim, &mut found);
    }
    let fired: Vec<(&str, &str)> = found
        .keys()
        .map(|(service, long)| (&**service, &**long))
        .collect();
    let broken = format!("s{BROKEN}");
    let mut wanted: Vec<_> = expected.iter().map(|(long, _)| (&*broken, *long)).collect();
    wanted.sort();
    assert_eq!(fired, wanted, "{errors} fail for {lasts}");
    let slot = slot(&sim);
    for (long, after) in expected {
        let enough_at = broke_at + Duration::from_secs_f64(*after);
        let scraped_at = at_or_after(enough_at, broke_at, every);
        let judged_at = match judged {
            Judged::AtSlots => at_or_after(scraped_at, slot, every),
            Judged::OnArrival => scraped_at,
        };
        let fired_at = found[&(broken.clone(), (*long).to_owned())];
        let secs = |until: Timestamp| (until - broke_at).as_secs_f64();
        let told = (secs(scraped_at), secs(judged_at));
        println!(
            "{:>4} % for {lasts}: {long} enough after {after} s, scraped and judged after {told:?} s",
            errors * 100.0
        );
        assert_eq!(
            secs(fired_at),
            secs(judged_at),
            "{long}, enough after {after} s"
        );
    }
}

#[test]
fn a_short_outage_pages_twice_and_opens_no_ticket() {
    let (lasts, every) = (Duration::from_mins(3), Duration::from_secs(15));
    check(1.0, lasts, every, &[("1h", 51.84), ("6h", 129.6)]);
}

#[test]
fn what_is_judged_on_arrival_pages_with_the_scrape_that_shows_it() {
    let (lasts, every) = (Duration::from_mins(3), Duration::from_secs(15));
    let expected = [("1h", 51.84), ("6h", 129.6)];
    check_judged(1.0, lasts, every, &expected, Judged::OnArrival);
}

#[test]
fn a_tenth_of_errors_pages_twice_before_there_is_a_ticket() {
    let (lasts, every) = (Duration::from_mins(30), Duration::from_mins(1));
    check(0.1, lasts, every, &[("1h", 518.4), ("6h", 1296.0)]);
}

#[test]
fn one_percent_of_errors_pages_once_and_becomes_a_ticket_but_never_a_quick_page() {
    let (lasts, every) = (Duration::from_hours(8), Duration::from_mins(5));
    let expected = [("6h", 12_960.0), ("1d", 25_920.0), ("3d", 25_920.0)];
    // Two scrapes of five minutes are longer than the short window of the quick page.
    check(0.01, lasts, every, &expected);
}

#[test]
fn an_outage_that_lasts_fires_all_four() {
    let (lasts, every) = (Duration::from_mins(5), Duration::from_secs(15));
    let expected = [("1h", 51.84), ("6h", 129.6), ("1d", 259.2), ("3d", 259.2)];
    check(1.0, lasts, every, &expected);
}
