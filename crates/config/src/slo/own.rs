//! Firebell's own format of objectives.
//!
//! ```yaml
//! service: checkout
//! owner: payments
//! flows:
//!   - name: pay
//!     description: A customer pays the basket.
//! slos:
//!   - name: pay-works
//!     flow: pay
//!     objective: 99.9%
//!     window: 30d
//!     indicator:
//!       bad: http_requests_total{route="/pay", code=~"5.."}
//!       total: http_requests_total{route="/pay"}
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{Duration, Labels};
use firebell_slo::{
    Budgeting, Comparison, Count, Counted, Flow, Indicator, LowTraffic, Member, NoData, Objective,
    Severity, Target, Tier, Window, latency, standard_tiers, zone,
};

use super::Reader;
use super::parts::{
    annotations, count, decimal, expression, labels, merged, name, percent, place, selector, span,
    target, window_query,
};
use crate::fields::{Doc, Fields};
use crate::problem::{Pos, did_you_mean};
use crate::rule_files::on_arrival;
use crate::yaml::{Node, Value};

/// What a file says of all its objectives.
struct Common {
    service: String,
    owner: String,
    runbook: String,
    notify: [Option<String>; 2],
    labels: Labels,
    annotations: Labels,
    flows: Vec<String>,
}

pub(super) fn read(reader: &mut Reader<'_>, doc: &Doc<'_>, root: &Node) {
    let fields = doc.fields(root, "a file of objectives");
    // Without the service everything else is read all the same, to name all problems at once.
    let service = name(&fields, "service").unwrap_or_default();
    let mut common = Common {
        owner: fields.text("owner").unwrap_or_default(),
        runbook: fields.text("runbook").unwrap_or_default(),
        notify: [fields.text("pages"), fields.text("tickets")],
        labels: labels(&fields, "labels"),
        annotations: annotations(&fields, "annotations"),
        flows: Vec::new(),
        service,
    };
    for node in fields.list("flows") {
        if let Some(flow) = flow(doc, node, &common) {
            if common.flows.contains(&flow.name) {
                let message = format!("there are two flows `{}`", flow.name);
                doc.problem(node.at, message, None);
                continue;
            }
            common.flows.push(flow.name.clone());
            reader.take_flow(flow);
        }
    }
    let mut made: BTreeMap<String, Arc<Objective>> = BTreeMap::new();
    // Those that are made of others come after them, wherever they stand.
    let (parts, wholes): (Vec<&Node>, Vec<&Node>) = fields
        .list("slos")
        .iter()
        .partition(|node| !is_composite(node));
    for node in parts.into_iter().chain(wholes) {
        let objective = Slo {
            doc,
            common: &common,
            fields: &fields,
            made: &made,
        }
        .read(reader, node);
        if let Some(objective) = objective {
            made.insert(objective.name.clone(), objective);
        }
    }
    fields.finish();
}

fn flow(doc: &Doc<'_>, node: &Node, common: &Common) -> Option<Flow> {
    let fields = doc.fields(node, "a flow");
    let flow = Flow {
        name: name(&fields, "name").unwrap_or_default(),
        service: common.service.clone(),
        description: fields.text("description").unwrap_or_default(),
        owner: fields.text("owner").unwrap_or_else(|| common.owner.clone()),
        is_critical: fields.bool("critical").unwrap_or(true),
    };
    fields.finish();
    (!flow.name.is_empty()).then_some(flow)
}

/// Whether `indicator` has `of`.
fn is_composite(node: &Node) -> bool {
    entry(node, "indicator").is_some_and(|indicator| entry(indicator, "of").is_some())
}

fn entry<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else {
        return None;
    };
    entries.iter().find(|it| it.key == name).map(|it| &it.value)
}

/// One objective of a file.
struct Slo<'a> {
    doc: &'a Doc<'a>,
    common: &'a Common,
    /// Those of the file: they say what an objective does not.
    fields: &'a Fields<'a, 'a>,
    made: &'a BTreeMap<String, Arc<Objective>>,
}

impl Slo<'_> {
    fn read(&self, reader: &mut Reader<'_>, node: &Node) -> Option<Arc<Objective>> {
        let (doc, common) = (self.doc, self.common);
        let fields = doc.fields(node, "an objective");
        let name = name(&fields, "name");
        let target = target(&fields, "objective");
        let window = self.window(&fields);
        let indicator = self.indicator(&fields);
        let budgeting = slices(&fields);
        let flow = self.flow(&fields);
        let by = fields.texts("by");
        let mut objective = Objective {
            id: format!("{}/{}", common.service, name.as_deref().unwrap_or_default()),
            service: common.service.clone(),
            name: name.clone().unwrap_or_default(),
            flow,
            description: fields.text("description").unwrap_or_default(),
            // Here and below something stands in for what is missing, until all problems are known.
            target: target.unwrap_or(Target::STAND_IN),
            window: window.clone().unwrap_or(Window::Rolling(STANDARD_PERIOD)),
            indicator: indicator
                .clone()
                .unwrap_or(Indicator::Composite(Vec::new())),
            budgeting,
            owner: fields.text("owner").unwrap_or_else(|| common.owner.clone()),
            runbook: fields
                .text("runbook")
                .unwrap_or_else(|| common.runbook.clone()),
            alert: fields.text("alert").unwrap_or_else(|| ALERT.to_owned()),
            tiers: Vec::new(),
            low_traffic: low_traffic(&fields, budgeting),
            on_arrival: on_arrival(&fields),
            no_data: no_data(&fields),
            labels: merged(&common.labels, &labels(&fields, "labels")),
            annotations: merged(&common.annotations, &annotations(&fields, "annotations")),
            page: self.severity(&fields, Severity::Page),
            ticket: self.severity(&fields, Severity::Ticket),
            file: doc.file.to_string(),
            place: place(node.at),
            by,
        };
        objective.labels = merged(&self.own_labels(&objective), &objective.labels);
        let shortest = objective.shortest(reader.scrape_interval);
        let (tiers, places) = tiers(&fields, &objective, shortest);
        objective.tiers = tiers;
        let at = |part: &str| match part {
            "window" | "slices" | "indicator" | "name" => fields.at(part),
            tier => places
                .iter()
                .find(|(name, _)| name == tier)
                .map_or(node.at, |it| it.1),
        };
        // What is missing has been noted, and would only be noted again.
        let is_whole =
            name.is_some() && target.is_some() && indicator.is_some() && window.is_some();
        let taken = match is_whole {
            true => reader.take(doc, objective, &at),
            false => None,
        };
        fields.finish();
        taken
    }

    fn flow(&self, fields: &Fields<'_, '_>) -> String {
        let flow = fields.text("flow").unwrap_or_default();
        let known = &self.common.flows;
        if !flow.is_empty() && !known.contains(&flow) {
            let message = format!("`{flow}` is not among the `flows` of this file");
            let hint = did_you_mean(&flow, known.iter().map(String::as_str));
            self.doc.problem(fields.at("flow"), message, hint);
        }
        flow
    }

    /// `30d`, or `month` with a `zone`; else as the file says, else 30 days.
    fn window(&self, fields: &Fields<'_, '_>) -> Option<Window> {
        let fields = match (fields.get("window"), self.fields.get("window")) {
            (None, Some(_)) => {
                fields.ignore(&["zone"]);
                self.fields
            }
            _ => fields,
        };
        let zoned = |name: &str| zone(name).map_err(|error| error.to_string());
        let own = fields.parsed("zone", zoned);
        let zone = own.or_else(|| self.fields.parsed("zone", zoned));
        if fields.get("window").is_none() {
            return Some(Window::Rolling(STANDARD_PERIOD));
        }
        let has_zone = zone.is_some();
        let window = fields.parsed("window", |text| match text.parse::<Duration>() {
            Ok(period) if period > Duration::ZERO => Ok(Window::Rolling(period)),
            Ok(_) => Err("a window has to be longer than nothing".to_owned()),
            Err(_) => Window::calendar(text, zone).map_err(|error| error.to_string()),
        })?;
        if has_zone && window.is_rolling() && fields.get("zone").is_some() {
            let message = "a rolling window has no `zone`: it is the same everywhere";
            self.doc.problem(fields.at("zone"), message, None);
        }
        Some(window)
    }

    fn indicator(&self, parent: &Fields<'_, '_>) -> Option<Indicator> {
        let Some(node) = parent.get("indicator") else {
            parent.missing("indicator");
            return None;
        };
        let fields = self.doc.fields(node, "`indicator`");
        let kinds = ["total", "latency", "up", "value", "bad_ratio", "of"];
        let mut given = kinds.into_iter().filter(|kind| fields.get(kind).is_some());
        let indicator = match (given.next(), given.next()) {
            (Some("total"), None) => events(&fields),
            (Some("latency"), None) => latency_of(&fields),
            (Some("up"), None) => selector(&fields, "up").map(|up| Indicator::Events {
                counted: Counted::Good(Count::Ones(up.clone())),
                total: Count::Samples(up),
            }),
            (Some("value"), None) => value(&fields),
            (Some("bad_ratio"), None) => window_query(&fields, "bad_ratio").map(Indicator::Ratio),
            (Some("of"), None) => self.composite(&fields),
            (Some(one), Some(other)) => {
                let message = format!("only one of `{one}` and `{other}` may be there");
                self.doc.problem(fields.at(other), message, None);
                return None;
            }
            (_, _) => {
                let message = "an indicator needs `total` with `bad` or `good`, or one of \
                               `latency`, `up`, `value`, `bad_ratio`, `of`";
                self.doc.problem(node.at, message, None);
                None
            }
        };
        fields.finish();
        indicator
    }

    /// `of: [a, b]`, or with weights: `of: {a: 2, b: 1}`.
    fn composite(&self, fields: &Fields<'_, '_>) -> Option<Indicator> {
        let node = fields.get("of")?;
        let weighted: Vec<(Pos, String, f64)> = match &node.value {
            Value::List(items) => {
                let names = items.iter();
                names
                    .filter_map(|item| Some((item.at, self.doc.text(item, "of")?, 1.0)))
                    .collect()
            }
            _ => {
                let pairs = self.doc.text_map(node, "of").into_iter();
                pairs
                    .filter_map(|(entry, text)| {
                        let weight = text
                            .parse()
                            .ok()
                            .filter(|it: &f64| *it > 0.0 && it.is_finite());
                        if weight.is_none() {
                            let message = format!("`{text}` is not a weight such as 2");
                            self.doc.problem(entry.value.at, message, None);
                        }
                        Some((entry.at, entry.key.clone(), weight?))
                    })
                    .collect()
            }
        };
        let sum: f64 = weighted.iter().map(|(_, _, weight)| weight).sum();
        let n_weighted = weighted.len();
        let members = weighted.into_iter().filter_map(|(at, name, weight)| {
            let objective = self.member(at, &name)?;
            let factor = weight / sum;
            Some(Member { objective, factor })
        });
        let members: Vec<Member> = members.collect();
        if n_weighted == 0 {
            let message = "`of` needs the names of other objectives of this file";
            self.doc.problem(node.at, message, None);
        }
        (!members.is_empty() && members.len() == n_weighted)
            .then_some(Indicator::Composite(members))
    }

    fn member(&self, at: Pos, name: &str) -> Option<Arc<Objective>> {
        let Some(objective) = self.made.get(name) else {
            let message = format!("`{name}` is no objective of this file that could be a part");
            let hint = did_you_mean(name, self.made.keys().map(String::as_str));
            self.doc.problem(at, message, hint);
            return None;
        };
        if !objective.by.is_empty() {
            let message = format!("`{name}` has several budgets (`by`), so it cannot be a part");
            self.doc.problem(at, message, None);
            return None;
        }
        Some(Arc::clone(objective))
    }

    /// What routes and people tell alerts apart by.
    fn own_labels(&self, objective: &Objective) -> Labels {
        let labels = [("flow", &objective.flow), ("owner", &objective.owner)];
        let labels = labels.into_iter().filter(|(_, text)| !text.is_empty());
        Labels::from_pairs(labels.map(|(name, text)| (name, text.replace("{{", "{ {"))))
    }

    /// `severity`, and `notify` when somebody is named.
    fn severity(&self, fields: &Fields<'_, '_>, severity: Severity) -> (Labels, Labels) {
        let (field, common) = match severity {
            Severity::Page => ("pages", &self.common.notify[0]),
            Severity::Ticket => ("tickets", &self.common.notify[1]),
        };
        let notify = fields.text(field).or_else(|| common.clone());
        let mut labels = Labels::empty().to_builder();
        labels.set("severity", severity.name());
        if let Some(notify) = notify {
            labels.set("notify", notify.replace("{{", "{ {"));
        }
        (labels.build(), Labels::empty())
    }
}

fn events(fields: &Fields<'_, '_>) -> Option<Indicator> {
    let total = count(fields, "total");
    let counted = match (fields.get("bad").is_some(), fields.get("good").is_some()) {
        (true, false) => count(fields, "bad").map(Counted::Bad),
        (false, true) => count(fields, "good").map(Counted::Good),
        (false, false) => {
            fields.missing("bad");
            None
        }
        (true, true) => {
            let message = "only one of `bad` and `good` may be there";
            fields.doc.problem(fields.at("good"), message, None);
            None
        }
    };
    Some(Indicator::Events {
        counted: counted?,
        total: total?,
    })
}

/// `latency: http_request_duration_seconds{…}`, `within: 300ms`.
fn latency_of(fields: &Fields<'_, '_>) -> Option<Indicator> {
    let histogram = selector(fields, "latency");
    fields.needed_text("within");
    let bound = fields.parsed("within", |text| {
        let secs = text.parse::<Duration>().ok().map(Duration::as_secs_f64);
        let bound = secs.or_else(|| text.parse().ok()).filter(|it| *it > 0.0);
        bound.ok_or_else(|| format!("`{text}` is not a time such as 300ms"))
    });
    let is_native = fields.bool("native").unwrap_or(false);
    Some(latency(&histogram?, bound?, is_native))
}

/// `value: time() - last_success_seconds`, `at_most: 3600`.
fn value(fields: &Fields<'_, '_>) -> Option<Indicator> {
    let expr = expression(fields, "value");
    let step = span(fields, "every").unwrap_or(Duration::from_mins(1));
    let comparisons = [
        ("below", Comparison::Less),
        ("at_most", Comparison::AtMost),
        ("above", Comparison::Greater),
        ("at_least", Comparison::AtLeast),
    ];
    let mut given = comparisons
        .into_iter()
        .filter(|it| fields.get(it.0).is_some());
    let bound = match (given.next(), given.next()) {
        (Some((name, comparison)), None) => decimal(fields, name).map(|bound| (comparison, bound)),
        _ => {
            let message = "`value` needs one of `below`, `at_most`, `above`, `at_least`";
            fields.doc.problem(fields.at("value"), message, None);
            None
        }
    };
    let (expr, (comparison, value)) = (expr?, bound?);
    Some(Indicator::Events {
        counted: Counted::Good(Count::Holding {
            expr: expr.clone(),
            step,
            comparison,
            value,
        }),
        total: Count::Sampled { expr, step },
    })
}

/// `slices: {every: 1m, good: 95%}`; without `good` each slice counts with its share.
fn slices(parent: &Fields<'_, '_>) -> Budgeting {
    let Some(node) = parent.get("slices") else {
        return Budgeting::Events;
    };
    let fields = parent.doc.fields(node, "`slices`");
    fields.needed_text("every");
    let every = span(&fields, "every").unwrap_or(Duration::from_mins(5));
    let good = fields.parsed("good", |text| match percent(text)? {
        good if good > 0.0 && good <= 100.0 => Ok(good / 100.0),
        _ => Err(format!(
            "`{text}` is not a share of more than nothing, up to 100%"
        )),
    });
    let budgeting = match good {
        Some(good) => Budgeting::Slices { every, good },
        None => Budgeting::SliceRatios { every },
    };
    fields.finish();
    budgeting
}

/// Guards are for events: a slice of time always weighs the same.
fn low_traffic(parent: &Fields<'_, '_>, budgeting: Budgeting) -> LowTraffic {
    let default = match budgeting {
        Budgeting::Events => LowTraffic::default(),
        _ => LowTraffic::off(),
    };
    let Some(node) = parent.get("low_traffic") else {
        return default;
    };
    if let Value::Scalar(scalar) = &node.value {
        return match &*scalar.text {
            "off" | "false" => LowTraffic::off(),
            "on" | "true" => LowTraffic::default(),
            text => {
                let message = format!("`low_traffic` has to be on, off or a map, not `{text}`");
                parent.doc.problem(node.at, message, None);
                default
            }
        };
    }
    let fields = parent.doc.fields(node, "`low_traffic`");
    let chance = fields.parsed("chance", |text| match percent(text)? {
        chance if chance > 0.0 && chance < 100.0 => Ok(chance / 100.0),
        _ => Err(format!("`{text}` is not a chance such as 1%")),
    });
    let guards = LowTraffic {
        bad_min: fields
            .number("min_bad")
            .map_or(default.bad_min, |it| it as f64),
        has_budget_floor: fields
            .bool("budget_floor")
            .unwrap_or(default.has_budget_floor),
        chance_max: chance.or(default.chance_max),
    };
    fields.finish();
    guards
}

/// A ticket after an hour, unless `no_data` says otherwise.
fn no_data(fields: &Fields<'_, '_>) -> Option<NoData> {
    let severity = fields.parsed("no_data", |text| match text {
        "page" => Ok(Some(Severity::Page)),
        "ticket" => Ok(Some(Severity::Ticket)),
        "off" | "ignore" => Ok(None),
        _ => Err(format!("`{text}` is none of page, ticket, off")),
    });
    severity
        .unwrap_or(Some(Severity::Ticket))
        .map(|severity| NoData {
            alert: NO_DATA_ALERT.to_owned(),
            severity,
            hold_for: Duration::from_hours(1),
        })
}

/// The standard ones, or those of `alerts`; with the places of the latter.
fn tiers(
    parent: &Fields<'_, '_>,
    objective: &Objective,
    shortest: Duration,
) -> (Vec<Tier>, Vec<(String, Pos)>) {
    let period = objective.window.period();
    let budget = objective.target.budget();
    if parent.get("alerts").is_none() {
        return (standard_tiers(period, shortest, budget), Vec::new());
    }
    let (mut tiers, mut places) = (Vec::new(), Vec::new());
    for (idx, node) in parent.list("alerts").iter().enumerate() {
        let fields = parent.doc.fields(node, "an alert");
        if let Some(tier) = tier(&fields, period, idx) {
            places.push((tier.name.clone(), node.at));
            tiers.push(tier);
        }
        fields.finish();
    }
    (tiers, places)
}

/// `{severity: page, long: 1h, short: 5m, budget: 2%}`, or with the burn rate itself as `factor`.
fn tier(fields: &Fields<'_, '_>, period: Duration, idx: usize) -> Option<Tier> {
    fields.needed_text("severity");
    let severity = fields.parsed("severity", |text| match text {
        "page" => Ok(Severity::Page),
        "ticket" => Ok(Severity::Ticket),
        _ => Err(format!("`{text}` is neither page nor ticket")),
    });
    fields.needed_text("long");
    let long = span(fields, "long");
    let short = span(fields, "short");
    let share = fields.parsed("budget", percent);
    let factor = decimal(fields, "factor");
    if share.is_some() == factor.is_some() {
        let message = "an alert needs `budget`, the share of it that is gone when it fires, or \
                       `factor`, the burn rate; not both";
        fields.doc.problem(fields.at, message, None);
    }
    let hold_for = fields.duration("for").unwrap_or_default();
    let (severity, long) = (severity?, long?);
    let of_share = |share: f64| share / 100.0 * period.as_secs_f64() / long.as_secs_f64();
    Some(Tier {
        name: format!("{}-{}", severity.name(), idx + 1),
        severity,
        long,
        short: short.unwrap_or(Duration(long.0 / SHORT_PART)),
        factor: factor.or(share.map(of_share))?,
        hold_for,
        labels: Labels::empty(),
    })
}

/// The alerts' name unless an objective gives another.
const ALERT: &str = "ErrorBudgetBurn";
/// The alert that an indicator gives nothing.
const NO_DATA_ALERT: &str = "ObjectiveWithoutData";
/// Objectives are over 30 days unless they say otherwise.
const STANDARD_PERIOD: Duration = Duration::from_hours(30 * 24);
/// A short window is this part of the long one, unless it is given.
const SHORT_PART: i64 = 12;
