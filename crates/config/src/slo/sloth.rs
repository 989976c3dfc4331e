//! Sloth's objectives: `version: prometheus/v1`, and its Kubernetes form.
//!
//! *Sources*: Sloth, `pkg/prometheus/api/v1` and `pkg/kubernetes/api/sloth/v1`, as behaviour: names
//! and labels of the alerts are Sloth's, so that routes go on to find them.

use firebell_model::{Duration, Labels};
use firebell_slo::{
    Budgeting, Count, Counted, Indicator, LowTraffic, Objective, Severity, Target, Window,
    standard_tiers,
};

mod plugins;

use super::Reader;
use super::parts::{annotations, labels, merged, name, place, target, window_query};
use crate::fields::{Doc, Fields};
use crate::yaml::Node;

/// The names of fields, which Kubernetes writes otherwise.
struct Names {
    error_query: &'static str,
    total_query: &'static str,
    error_ratio_query: &'static str,
    page_alert: &'static str,
    ticket_alert: &'static str,
    slo_plugins: &'static str,
}

const OF_FILES: Names = Names {
    error_query: "error_query",
    total_query: "total_query",
    error_ratio_query: "error_ratio_query",
    page_alert: "page_alert",
    ticket_alert: "ticket_alert",
    slo_plugins: "slo_plugins",
};
const OF_KUBERNETES: Names = Names {
    error_query: "errorQuery",
    total_query: "totalQuery",
    error_ratio_query: "errorRatioQuery",
    page_alert: "pageAlert",
    ticket_alert: "ticketAlert",
    slo_plugins: "sloPlugins",
};

/// A file of Sloth's own form.
pub(super) fn read(reader: &mut Reader<'_>, doc: &Doc<'_>, root: &Node) {
    let fields = doc.fields(root, "a file of Sloth");
    fields.ignore(&["version"]);
    service(reader, &fields, &OF_FILES);
    fields.finish();
}

/// Its Kubernetes form.
pub(super) fn read_kubernetes(reader: &mut Reader<'_>, doc: &Doc<'_>, root: &Node) {
    let fields = doc.fields(root, "a PrometheusServiceLevel");
    fields.ignore(&["apiVersion", "kind", "metadata", "status"]);
    match fields.get("spec") {
        Some(spec) => {
            let spec = doc.fields(spec, "`spec`");
            service(reader, &spec, &OF_KUBERNETES);
            spec.finish();
        }
        None => fields.missing("spec"),
    }
    fields.finish();
}

fn service(reader: &mut Reader<'_>, fields: &Fields<'_, '_>, names: &Names) {
    let service = name(fields, "service").unwrap_or_default();
    let common = labels(fields, "labels");
    note_plugins(reader, fields, names.slo_plugins);
    for node in fields.list("slos") {
        slo(reader, fields.doc, node, (&service, &common, names));
    }
}

/// They are programs in Go, which cannot run here.
fn note_plugins(reader: &Reader<'_>, fields: &Fields<'_, '_>, name: &'static str) {
    if fields.get(name).is_some() {
        let file = &fields.doc.file;
        reader.loader.note(format!("{file}: `{name}` is not used"));
    }
}

fn slo(
    reader: &mut Reader<'_>,
    doc: &Doc<'_>,
    node: &Node,
    (service, common, names): (&str, &Labels, &Names),
) {
    let fields = doc.fields(node, "an objective of Sloth");
    let name = name(&fields, "name");
    let target = target(&fields, "objective");
    let indicator = indicator(&fields, names, target);
    for field in ["plugins", "interval"] {
        note_plugins(reader, &fields, field);
    }
    let own = merged(common, &labels(&fields, "labels"));
    let slo = name.clone().unwrap_or_default();
    let mut objective = Objective {
        id: format!("{service}/{slo}"),
        service: service.to_owned(),
        description: fields.text("description").unwrap_or_default(),
        target: target.unwrap_or(Target::STAND_IN),
        window: Window::Rolling(PERIOD),
        indicator: indicator
            .clone()
            .unwrap_or(Indicator::Composite(Vec::new())),
        owner: own.get("owner").unwrap_or_default().to_owned(),
        labels: identity(service, &slo, &own),
        file: doc.file.to_string(),
        place: place(node.at),
        name: slo,
        flow: String::new(),
        budgeting: Budgeting::Events,
        by: Vec::new(),
        runbook: String::new(),
        alert: String::new(),
        tiers: Vec::new(),
        low_traffic: LowTraffic::default(),
        on_arrival: false,
        no_data: None,
        annotations: Labels::empty(),
        page: (Labels::empty(), Labels::empty()),
        ticket: (Labels::empty(), Labels::empty()),
    };
    alerting(reader, &fields, &mut objective, names);
    let is_whole = name.is_some() && target.is_some() && indicator.is_some();
    if is_whole {
        let at = |part: &str| match part {
            "indicator" => fields.at("sli"),
            "name" => fields.at("name"),
            _ => node.at,
        };
        reader.take(doc, objective, &at);
    }
    fields.finish();
}

/// What Sloth tells its alerts apart by.
fn identity(service: &str, slo: &str, own: &Labels) -> Labels {
    let sloth = Labels::from_pairs([
        ("sloth_id", format!("{service}-{slo}")),
        ("sloth_service", service.to_owned()),
        ("sloth_slo", slo.to_owned()),
    ]);
    merged(own, &sloth)
}

fn indicator(parent: &Fields<'_, '_>, names: &Names, target: Option<Target>) -> Option<Indicator> {
    let Some(node) = parent.get("sli") else {
        parent.missing("sli");
        return None;
    };
    let fields = parent.doc.fields(node, "`sli`");
    let kinds = ["events", "raw", "plugin"];
    let mut given = kinds.into_iter().filter(|kind| fields.get(kind).is_some());
    let (kind, other) = (given.next(), given.next());
    if let Some(other) = other {
        let message = "only one of `events`, `raw` and `plugin` may be there";
        parent.doc.problem(fields.at(other), message, None);
    }
    let kind = kind.and_then(|kind| Some((kind, fields.get(kind)?)));
    let indicator = match kind {
        Some(("events", events)) => {
            let events = parent.doc.fields(events, "it");
            let bad = window_query(&events, names.error_query);
            let total = window_query(&events, names.total_query);
            events.finish();
            bad.zip(total).map(|(bad, total)| Indicator::Events {
                counted: Counted::Bad(Count::Query(bad)),
                total: Count::Query(total),
            })
        }
        Some(("raw", raw)) => {
            let raw = parent.doc.fields(raw, "it");
            let ratio = window_query(&raw, names.error_ratio_query);
            raw.finish();
            ratio.map(Indicator::Ratio)
        }
        Some((_, plugin)) => plugins::read(parent.doc, plugin, target),
        None => {
            let message = "`sli` needs `events`, `raw` or `plugin`";
            parent.doc.problem(node.at, message, None);
            None
        }
    };
    fields.finish();
    indicator
}

fn alerting(
    reader: &Reader<'_>,
    parent: &Fields<'_, '_>,
    objective: &mut Objective,
    names: &Names,
) {
    let Some(node) = parent.get("alerting") else {
        parent.missing("alerting");
        return;
    };
    let fields = parent.doc.fields(node, "`alerting`");
    objective.labels = merged(&objective.labels, &labels(&fields, "labels"));
    objective.annotations = annotations(&fields, "annotations");
    objective.runbook = ["runbook", "runbook_url"]
        .iter()
        .find_map(|name| objective.annotations.get(name))
        .unwrap_or_default()
        .to_owned();
    let page = alert(&fields, names.page_alert, Severity::Page);
    let ticket = alert(&fields, names.ticket_alert, Severity::Ticket);
    let is_on = |severity| match severity {
        Severity::Page => page.is_some(),
        Severity::Ticket => ticket.is_some(),
    };
    let period = objective.window.period();
    let shortest = objective.shortest(reader.scrape_interval);
    objective.tiers = standard_tiers(period, shortest, objective.target.budget());
    objective.tiers.retain(|tier| is_on(tier.severity));
    objective.alert = match objective.tiers.is_empty() {
        true => fields.text("name").unwrap_or_default(),
        false => fields.needed_text("name").unwrap_or_default(),
    };
    objective.page = page.unwrap_or_default();
    objective.ticket = ticket.unwrap_or_default();
    fields.finish();
}

/// Labels and annotations of one of the alerts; `None` when it is switched off.
fn alert(
    parent: &Fields<'_, '_>,
    name: &'static str,
    severity: Severity,
) -> Option<(Labels, Labels)> {
    let sloth = Labels::from_pairs([("sloth_severity", severity.name())]);
    let Some(node) = parent.get(name) else {
        return Some((sloth, Labels::empty()));
    };
    let fields = parent.doc.fields(node, "an alert");
    let is_off = fields.bool("disable").unwrap_or(false);
    let own = labels(&fields, "labels");
    let texts = annotations(&fields, "annotations");
    fields.finish();
    (!is_off).then(|| (merged(&sloth, &own), texts))
}

/// Sloth's default.
const PERIOD: Duration = Duration::from_hours(30 * 24);
