//! Alert policies and conditions of OpenSLO, as alerts of an objective.

use firebell_model::{Duration, Labels};
use firebell_slo::{NoData, Objective, Severity, Tier, standard_tiers};

use super::length::Length;
use crate::fields::Doc;
use crate::slo::Reader;
use crate::slo::parts::decimal;
use crate::yaml::Node;

/// What the alert policies of an SLO come to.
#[derive(Default)]
pub(super) struct Policies {
    pub(super) are_given: bool,
    pub(super) tiers: Vec<Tier>,
    pub(super) wants_no_data: bool,
}

impl Policies {
    /// Gives an objective its alerts: the standard ones when there is no policy.
    pub(super) fn put(&self, reader: &Reader<'_>, objective: &mut Objective) {
        let shortest = objective.shortest(reader.scrape_interval);
        let (period, budget) = (objective.window.period(), objective.target.budget());
        objective.tiers = match self.are_given {
            false => standard_tiers(period, shortest, budget),
            true => {
                let tiers = self.tiers.iter().enumerate().map(|(idx, tier)| Tier {
                    name: format!("{}-{}", tier.severity.name(), idx + 1),
                    short: tier.short.max(shortest).min(tier.long),
                    ..tier.clone()
                });
                tiers.collect()
            }
        };
        objective.no_data = self.wants_no_data.then(|| NoData {
            alert: "ObjectiveWithoutData".to_owned(),
            severity: Severity::Ticket,
            hold_for: Duration::from_mins(10),
        });
    }
}

/// An alert condition: a burn rate over one window, to which a short one is added so that the alert
/// ends when the fault does.
pub(super) fn tier(doc: &Doc<'_>, node: &Node) -> Option<Tier> {
    let root = doc.fields(node, "an alert condition");
    let Some(spec) = root.get("spec") else {
        root.missing("spec");
        return None;
    };
    let fields = doc.fields(spec, "`spec`");
    fields.ignore(&["description"]);
    let severity = fields.needed_text("severity");
    let Some(node) = fields.get("condition") else {
        fields.missing("condition");
        return None;
    };
    let condition = doc.fields(node, "`condition`");
    if let Some(kind) = condition.text("kind").filter(|kind| kind != "burnrate") {
        let message = format!("a condition of kind `{kind}` is not known: only burnrate is");
        doc.problem(condition.at("kind"), message, None);
    }
    if let Some(op) = condition
        .text("op")
        .filter(|op| !["gt", "gte"].contains(&&**op))
    {
        let message = format!("a burn rate alerts when it is too high, not `{op}`");
        doc.problem(condition.at("op"), message, None);
    }
    condition.needed_text("threshold");
    let factor = decimal(&condition, "threshold");
    condition.needed_text("lookbackWindow");
    let long = condition
        .parsed("lookbackWindow", Length::parse)
        .map(Length::average);
    let hold_for = condition.parsed("alertAfter", |text| match text {
        "0" | "0m" | "0s" => Ok(Duration::ZERO),
        text => Length::parse(text).map(Length::average),
    });
    condition.finish();
    fields.finish();
    let (severity, factor, long) = (severity?, factor?, long?);
    Some(Tier {
        name: String::new(),
        severity: match is_page(&severity) {
            true => Severity::Page,
            false => Severity::Ticket,
        },
        long,
        short: Duration(long.0 / SHORT_PART),
        factor,
        hold_for: hold_for.unwrap_or_default(),
        labels: Labels::from_pairs([("severity", severity.replace("{{", "{ {"))]),
    })
}

/// Words for what cannot wait.
fn is_page(severity: &str) -> bool {
    let severity = severity.to_ascii_lowercase();
    let urgent = [
        "page", "critical", "high", "urgent", "sev0", "sev1", "p0", "p1",
    ];
    urgent.iter().any(|word| severity.contains(word))
}

/// The short window is this part of the long one.
const SHORT_PART: i64 = 12;
