//! Pyrra's objectives: `apiVersion: pyrra.dev/v1alpha1`.
//!
//! *Sources*: Pyrra, `kubernetes/api/v1alpha1` and `slo/rules.go`, as behaviour.

use firebell_model::{Duration, Labels, MatchOp, is_valid_label_name};
use firebell_promql::Selector;
use firebell_slo::{
    Budgeting, Count, Counted, Indicator, LowTraffic, NoData, Objective, Severity, Target, Window,
    latency, standard_tiers,
};

use super::Reader;
use super::parts::{name, place, selector, span, target};
use crate::fields::{Doc, Fields};
use crate::yaml::Node;

/// One objective, or a list of them.
pub(super) fn read(reader: &mut Reader<'_>, doc: &Doc<'_>, root: &Node) {
    let fields = doc.fields(root, "a ServiceLevelObjective");
    fields.ignore(&["apiVersion", "kind", "status"]);
    match fields.text("kind").as_deref() {
        Some("ServiceLevelObjectiveList") => {
            fields.ignore(&["metadata"]);
            for item in fields.list("items") {
                read(reader, doc, item);
            }
        }
        _ => slo(reader, &fields),
    }
    fields.finish();
}

/// What `metadata` says.
#[derive(Default)]
struct Metadata {
    name: Option<String>,
    namespace: String,
    labels: Labels,
}

fn metadata(parent: &Fields<'_, '_>) -> Metadata {
    let Some(node) = parent.get("metadata") else {
        parent.missing("metadata");
        return Metadata::default();
    };
    let fields = parent.doc.fields(node, "`metadata`");
    let mut labels = Labels::empty().to_builder();
    for label in fields.labels("labels").iter() {
        let own = label.name.strip_prefix("pyrra.dev/");
        if let Some(name) = own.filter(|name| is_valid_label_name(name)) {
            labels.set(name, label.value.replace("{{", "{ {"));
        }
    }
    // Kubernetes writes much more there.
    let metadata = Metadata {
        name: name(&fields, "name"),
        namespace: fields.text("namespace").unwrap_or_default(),
        labels: labels.build(),
    };
    drop(fields);
    metadata
}

fn slo(reader: &mut Reader<'_>, root: &Fields<'_, '_>) {
    let doc = root.doc;
    let metadata = metadata(root);
    let Some(node) = root.get("spec") else {
        root.missing("spec");
        return;
    };
    let fields = doc.fields(node, "`spec`");
    let target = target(&fields, "target");
    fields.needed_text("window");
    let window = span(&fields, "window");
    let read = indicator(&fields);
    fields.ignore(&[
        "partial_response_strategy",
        "performanceOverAccuracy",
        "ruleOutput",
    ]);
    let name = metadata.name.clone().unwrap_or_default();
    let service = metadata
        .labels
        .get("service")
        .unwrap_or(&metadata.namespace);
    let service = if service.is_empty() {
        "default"
    } else {
        service
    };
    let is_whole = metadata.name.is_some() && target.is_some() && window.is_some();
    let (indicator, by) = read
        .clone()
        .unwrap_or((Indicator::Composite(Vec::new()), Vec::new()));
    let mut objective = Objective {
        id: format!("{service}/{name}"),
        service: service.to_owned(),
        name,
        flow: String::new(),
        description: fields.text("description").unwrap_or_default(),
        target: target.unwrap_or(Target::STAND_IN),
        window: Window::Rolling(window.unwrap_or(PERIOD)),
        indicator,
        budgeting: Budgeting::Events,
        by,
        owner: metadata.labels.get("team").unwrap_or_default().to_owned(),
        runbook: String::new(),
        alert: "ErrorBudgetBurn".to_owned(),
        tiers: Vec::new(),
        low_traffic: LowTraffic::default(),
        on_arrival: false,
        no_data: None,
        labels: metadata.labels.clone(),
        annotations: Labels::empty(),
        page: severity("critical"),
        ticket: severity("warning"),
        file: doc.file.to_string(),
        place: place(node.at),
    };
    alerting(reader, &fields, &mut objective);
    if is_whole && read.is_some() {
        let at = |part: &str| match part {
            "window" => fields.at("window"),
            "indicator" => fields.at("indicator"),
            _ => node.at,
        };
        reader.take(doc, objective, &at);
    }
    fields.finish();
}

/// Pyrra's words.
fn severity(name: &str) -> (Labels, Labels) {
    (Labels::from_pairs([("severity", name)]), Labels::empty())
}

/// An indicator, and the labels by which it is told apart.
fn indicator(parent: &Fields<'_, '_>) -> Option<(Indicator, Vec<String>)> {
    let Some(node) = parent.get("indicator") else {
        parent.missing("indicator");
        return None;
    };
    let fields = parent.doc.fields(node, "`indicator`");
    let kinds = ["ratio", "latency", "latencyNative", "bool_gauge"];
    let mut given = kinds.into_iter().filter(|kind| fields.get(kind).is_some());
    let (kind, other) = (given.next(), given.next());
    let Some((kind, node)) = kind.and_then(|kind| Some((kind, fields.get(kind)?))) else {
        let message = "`indicator` needs one of `ratio`, `latency`, `latencyNative`, `bool_gauge`";
        parent.doc.problem(node.at, message, None);
        fields.finish();
        return None;
    };
    if let Some(other) = other {
        let message = format!("only one of `{kind}` and `{other}` may be there");
        parent.doc.problem(fields.at(other), message, None);
    }
    fields.finish();
    let of = parent.doc.fields(node, "it");
    let by = of.texts("grouping");
    let indicator = match kind {
        "ratio" => metric(&of, "errors")
            .zip(metric(&of, "total"))
            .map(|(bad, total)| {
                let counted = Counted::Bad(Count::Increase(bad));
                let total = Count::Increase(total);
                Indicator::Events { counted, total }
            }),
        "latency" => buckets(&of),
        "latencyNative" => {
            of.needed_text("latency");
            let bound = span(&of, "latency");
            let histogram = metric(&of, "total");
            bound
                .zip(histogram)
                .map(|(bound, it)| latency(&it, bound.as_secs_f64(), true))
        }
        _ => selector(&of, "metric").map(|gauge| Indicator::Events {
            counted: Counted::Good(Count::Ones(gauge.clone())),
            total: Count::Samples(gauge),
        }),
    };
    of.finish();
    indicator.map(|indicator| (indicator, by))
}

/// `success` has to be one bucket of a histogram, `total` its count.
fn buckets(fields: &Fields<'_, '_>) -> Option<Indicator> {
    let (good, total) = (metric(fields, "success"), metric(fields, "total"));
    let good = good?;
    let le = good.matchers.iter().find(|it| it.name() == "le");
    let is_bound = |value: &str| value.parse::<f64>().is_ok();
    let is_one = le.is_some_and(|le| match le.op() {
        MatchOp::Equal => is_bound(le.value()),
        MatchOp::Regex => le
            .regex_values()
            .is_some_and(|all| all.iter().all(|it| is_bound(it))),
        _ => false,
    });
    if !is_one {
        let message = "`success` has to name one bucket with `le`, such as `le=\"0.5\"`";
        fields.doc.problem(fields.at("success"), message, None);
        return None;
    }
    Some(Indicator::Events {
        counted: Counted::Good(Count::Increase(good)),
        total: Count::Increase(total?),
    })
}

/// `errors: {metric: …}`.
fn metric(parent: &Fields<'_, '_>, name: &'static str) -> Option<Selector> {
    let Some(node) = parent.get(name) else {
        parent.missing(name);
        return None;
    };
    let fields = parent.doc.fields(node, "a query");
    let metric = selector(&fields, "metric");
    fields.finish();
    metric
}

fn alerting(reader: &Reader<'_>, parent: &Fields<'_, '_>, objective: &mut Objective) {
    let shortest = objective.shortest(reader.scrape_interval);
    let (period, budget) = (objective.window.period(), objective.target.budget());
    let tiers = standard_tiers(period, shortest, budget);
    let absent = |alert: Option<String>| NoData {
        alert: alert.unwrap_or_else(|| "SLOMetricAbsent".to_owned()),
        severity: Severity::Page,
        hold_for: ABSENT_FOR,
    };
    let Some(node) = parent.get("alerting") else {
        objective.tiers = tiers;
        objective.no_data = Some(absent(None));
        return;
    };
    let fields = parent.doc.fields(node, "`alerting`");
    let is_off = fields.bool("disabled").unwrap_or(false);
    if !is_off && fields.bool("burnrates").unwrap_or(true) {
        objective.tiers = tiers;
    }
    let absent = absent(fields.text("absentName").filter(|it| !it.is_empty()));
    let wants_absent = fields.bool("absent").unwrap_or(true);
    objective.no_data = (!is_off && wants_absent).then_some(absent);
    if let Some(alert) = fields.text("name").filter(|it| !it.is_empty()) {
        objective.alert = alert;
    }
    if fields.get("severities").is_some() {
        let file = &parent.doc.file;
        reader.loader.note(format!(
            "{file}: `severities` is not used: pages are critical, tickets a warning"
        ));
    }
    fields.finish();
}

/// How long a metric has to be away until somebody is told.
const ABSENT_FOR: Duration = Duration::from_mins(10);
/// Stands in for a window that is missing.
const PERIOD: Duration = Duration::from_hours(28 * 24);
