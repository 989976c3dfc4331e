//! OpenSLO: `apiVersion: openslo/v1`, whose objects stand in any number of documents and files and
//! name each other.
//!
//! *Sources*: the OpenSLO specification, v1.

mod length;
mod policy;

use std::collections::BTreeMap;

use firebell_model::{Duration, Labels, is_valid_label_name};
use firebell_slo::{
    Budgeting, Comparison, Count, Counted, Indicator, LowTraffic, Member, Objective, Severity,
    Target, Window, WindowQuery, counter, zone,
};

use self::length::Length;
use self::policy::{Policies, tier};
use super::Reader;
use super::parts::{decimal, expression, name, place, query};
use crate::fields::{Doc, Fields};
use crate::yaml::{Node, Value};

/// A document that other documents may name.
struct Object<'d> {
    doc: &'d Doc<'d>,
    node: Node,
}

/// All documents of all files, by kind and name.
type Objects<'d> = BTreeMap<(String, String), Object<'d>>;

/// Reads all documents of all files together.
pub(super) fn read(reader: &mut Reader<'_>, files: &[(Doc<'_>, Vec<Node>)]) {
    let mut objects = Objects::new();
    let mut slos = Vec::new();
    for (doc, nodes) in files {
        for node in nodes {
            let Some((kind, name)) = head(doc, node) else {
                continue;
            };
            let object = Object {
                doc,
                node: node.clone(),
            };
            match (&*kind, objects.contains_key(&(kind.clone(), name.clone()))) {
                ("SLO", _) => slos.push(object),
                (_, false) => drop(objects.insert((kind, name), object)),
                (_, true) => {
                    let message = format!("there are two objects {kind} `{name}`");
                    doc.problem(node.at, message, None);
                }
            }
        }
    }
    for Object { doc, node } in &slos {
        Slo {
            doc,
            node,
            objects: &objects,
        }
        .read(reader);
    }
}

/// Kind and name; what has none is noted.
fn head(doc: &Doc<'_>, node: &Node) -> Option<(String, String)> {
    let fields = doc.fields(node, "an object of OpenSLO");
    let version = fields.text("apiVersion").unwrap_or_default();
    if version != "openslo/v1" {
        let message = format!("`{version}` is not supported: only openslo/v1 is");
        doc.problem(fields.at("apiVersion"), message, None);
        return None;
    }
    let kind = fields.needed_text("kind")?;
    if !KINDS.contains(&&*kind) {
        let message = format!("`{kind}` is no kind of OpenSLO");
        doc.problem(fields.at("kind"), message, None);
        return None;
    }
    let Some(metadata) = fields.get("metadata") else {
        fields.missing("metadata");
        return None;
    };
    let metadata = doc.fields(metadata, "`metadata`");
    let name = name(&metadata, "name")?;
    fields.ignore(&["spec"]);
    fields.finish();
    Some((kind, name))
}

const KINDS: [&str; 7] = [
    "SLO",
    "SLI",
    "Service",
    "DataSource",
    "AlertPolicy",
    "AlertCondition",
    "AlertNotificationTarget",
];

/// One SLO, and what it may name.
struct Slo<'a> {
    doc: &'a Doc<'a>,
    node: &'a Node,
    objects: &'a Objects<'a>,
}

/// What holds for all objectives of an SLO.
struct Common {
    name: String,
    labels: Labels,
    service: String,
    description: String,
    window: Window,
    method: String,
    low_traffic: LowTraffic,
}

impl Slo<'_> {
    fn read(&self, reader: &mut Reader<'_>) {
        let doc = self.doc;
        let root = doc.fields(self.node, "an SLO");
        let (Some(metadata), Some(spec)) = (root.get("metadata"), root.get("spec")) else {
            root.missing("spec");
            return;
        };
        let (id, labels) = self.metadata(metadata);
        let fields = doc.fields(spec, "`spec`");
        // A name of one, whether it stands somewhere or not.
        let service = name(&fields, "service");
        let window = self.window(&fields);
        let mut method = fields
            .text("budgetingMethod")
            .unwrap_or_else(|| "Occurrences".to_owned());
        if !["Occurrences", "Timeslices", "RatioTimeslices"].contains(&&*method) {
            let message = format!("`{method}` is none of Occurrences, Timeslices, RatioTimeslices");
            doc.problem(fields.at("budgetingMethod"), message, None);
            method.clear();
        }
        let common = Common {
            name: id,
            labels,
            service: service.unwrap_or_default(),
            description: fields.text("description").unwrap_or_default(),
            window: window.clone().unwrap_or(Window::Rolling(PERIOD)),
            low_traffic: match &*method {
                "Occurrences" => LowTraffic::default(),
                _ => LowTraffic::off(),
            },
            method,
        };
        let policies = self.policies(&fields);
        let is_whole = window.is_some() && !common.service.is_empty();
        self.objectives(reader, &fields, &common, &policies, is_whole);
        fields.finish();
    }

    fn metadata(&self, node: &Node) -> (String, Labels) {
        let fields = self.doc.fields(node, "`metadata`");
        let name = fields.text("name").unwrap_or_default();
        fields.ignore(&["displayName", "annotations"]);
        let mut labels = Labels::empty().to_builder();
        if let Some(node) = fields.get("labels") {
            for (name, value) in self.doc.entries(node, "labels") {
                // Lists of values have no counterpart in the labels of an alert.
                if let (Value::Scalar(text), true) = (&value.value, is_valid_label_name(name)) {
                    labels.set(name, text.text.replace("{{", "{ {"));
                }
            }
        }
        fields.finish();
        (name, labels.build())
    }

    /// `timeWindow`, a list of one.
    fn window(&self, parent: &Fields<'_, '_>) -> Option<Window> {
        let [node] = parent.list("timeWindow") else {
            let message = "`timeWindow` has to have one item";
            self.doc.problem(parent.at("timeWindow"), message, None);
            return None;
        };
        let fields = self.doc.fields(node, "a time window");
        fields.needed_text("duration");
        let length = fields.parsed("duration", Length::parse);
        let is_rolling = fields.bool("isRolling");
        let calendar = fields.get("calendar");
        let window = match (length, calendar) {
            (None, _) => None,
            (Some(length), None) => {
                if is_rolling == Some(false) {
                    fields.missing("calendar");
                }
                Some(Window::Rolling(length.average()))
            }
            (Some(length), Some(node)) => {
                if is_rolling == Some(true) {
                    let message = "a rolling window has no `calendar`";
                    self.doc.problem(fields.at("calendar"), message, None);
                }
                self.calendar(node, length)
            }
        };
        fields.finish();
        window
    }

    fn calendar(&self, node: &Node, length: Length) -> Option<Window> {
        let fields = self.doc.fields(node, "`calendar`");
        fields.needed_text("startTime");
        let zone = fields.parsed("timeZone", zone);
        let Some(periods) = length.of_calendar() else {
            let message =
                "a window of a calendar is counted in days, weeks, months, quarters or years";
            self.doc.problem(node.at, message, None);
            return None;
        };
        let window = fields.parsed("startTime", |text| Window::from_start(text, periods, zone));
        fields.finish();
        window
    }

    fn objectives(
        &self,
        reader: &mut Reader<'_>,
        spec: &Fields<'_, '_>,
        common: &Common,
        policies: &Policies,
        is_whole: bool,
    ) {
        let doc = self.doc;
        let nodes = spec.list("objectives");
        if nodes.is_empty() {
            spec.missing("objectives");
        }
        let is_composite = spec.get("indicator").is_none() && spec.get("indicatorRef").is_none();
        let mut members = Vec::new();
        for (idx, node) in nodes.iter().enumerate() {
            let fields = doc.fields(node, "an objective");
            let named = fields.text("displayName").filter(|it| !it.is_empty());
            let weight = decimal(&fields, "compositeWeight").filter(|it| *it > 0.0);
            fields.ignore(&["op", "value"]);
            let target = self.target(&fields);
            let budgeting = self.budgeting(&fields, &common.method);
            let owner = if is_composite { &fields } else { spec };
            let indicator = self.indicator(owner, &fields);
            let suffix = named.unwrap_or_else(|| (idx + 1).to_string());
            let name = match nodes.len() {
                1 => common.name.clone(),
                _ => format!("{}-{}", common.name, id_part(&suffix)),
            };
            let indicator_at = owner.at("indicator");
            fields.finish();
            let (Some(target), Some(indicator), Some(budgeting), true) =
                (target, indicator, budgeting, is_whole)
            else {
                continue;
            };
            let mut objective = self.objective(common, (name, target, indicator, budgeting));
            let is_member = is_composite && nodes.len() > 1;
            if !is_member {
                policies.put(reader, &mut objective);
            }
            let at = |part: &str| match part {
                "window" => spec.at("timeWindow"),
                "indicator" => indicator_at,
                _ => node.at,
            };
            let taken = reader.take(doc, objective, &at);
            members.extend(taken.map(|taken| (taken, weight.unwrap_or(1.0))));
        }
        if is_composite && nodes.len() > 1 && members.len() == nodes.len() {
            self.composite(reader, spec, common, policies, members);
        }
    }

    /// Each member spends by how much of its own budget burns; the whole's budget is their mean.
    fn composite(
        &self,
        reader: &mut Reader<'_>,
        spec: &Fields<'_, '_>,
        common: &Common,
        policies: &Policies,
        members: Vec<(std::sync::Arc<Objective>, f64)>,
    ) {
        let weights: f64 = members.iter().map(|(_, weight)| weight).sum();
        let budget: f64 = members
            .iter()
            .map(|(objective, weight)| objective.target.budget() * weight / weights)
            .sum();
        let members = members.into_iter().map(|(objective, weight)| Member {
            factor: weight / weights * budget / objective.target.budget(),
            objective,
        });
        let indicator = Indicator::Composite(members.collect());
        let Ok(target) = Target::from_percent((1.0 - budget) * 100.0) else {
            return;
        };
        let parts = (common.name.clone(), target, indicator, Budgeting::Events);
        let mut objective = self.objective(common, parts);
        policies.put(reader, &mut objective);
        reader.take(self.doc, objective, &|_| spec.at("objectives"));
    }

    fn objective(
        &self,
        common: &Common,
        (name, target, indicator, budgeting): (String, Target, Indicator, Budgeting),
    ) -> Objective {
        let owner = common
            .labels
            .get("owner")
            .or_else(|| common.labels.get("team"));
        let severity = |severity: Severity| {
            let labels = Labels::from_pairs([("severity", severity.name())]);
            (labels, Labels::empty())
        };
        Objective {
            id: format!("{}/{name}", common.service),
            service: common.service.clone(),
            name,
            flow: String::new(),
            description: common.description.clone(),
            target,
            window: common.window.clone(),
            indicator,
            budgeting,
            by: Vec::new(),
            owner: owner.unwrap_or_default().to_owned(),
            runbook: String::new(),
            alert: "ErrorBudgetBurn".to_owned(),
            tiers: Vec::new(),
            low_traffic: common.low_traffic.clone(),
            on_arrival: false,
            no_data: None,
            labels: common.labels.clone(),
            annotations: Labels::empty(),
            page: severity(Severity::Page),
            ticket: severity(Severity::Ticket),
            file: self.doc.file.to_string(),
            place: place(self.node.at),
        }
    }

    /// `target` of 1 or `targetPercent` of 100.
    fn target(&self, fields: &Fields<'_, '_>) -> Option<Target> {
        let (share, percent) = (decimal(fields, "target"), decimal(fields, "targetPercent"));
        let (name, percent) = match (share, percent) {
            (Some(_), Some(_)) => {
                let message = "only one of `target` and `targetPercent` may be there";
                self.doc.problem(fields.at("targetPercent"), message, None);
                return None;
            }
            (Some(share), None) => ("target", format!("{:.9}", share * 100.0).parse().ok()?),
            (None, Some(percent)) => ("targetPercent", percent),
            (None, None) => {
                if fields.get("target").is_none() && fields.get("targetPercent").is_none() {
                    fields.missing("target");
                }
                return None;
            }
        };
        let target = Target::from_percent(percent);
        let noted = target.map_err(|error| {
            self.doc
                .problem(fields.at(name), format!("`{name}`: {error}"), None);
        });
        noted.ok()
    }

    fn budgeting(&self, fields: &Fields<'_, '_>, method: &str) -> Option<Budgeting> {
        let every = fields.parsed("timeSliceWindow", |text| match text.parse::<i64>() {
            // A bare number is minutes.
            Ok(minutes) if (1..=MINUTES_MAX).contains(&minutes) => Ok(Duration::from_mins(minutes)),
            _ => Length::parse(text).map(Length::average),
        });
        let good = decimal(fields, "timeSliceTarget");
        if !method.ends_with("imeslices") {
            return Some(Budgeting::Events);
        }
        if fields.get("timeSliceWindow").is_none() {
            fields.missing("timeSliceWindow");
        }
        if method == "RatioTimeslices" {
            return Some(Budgeting::SliceRatios { every: every? });
        }
        if fields.get("timeSliceTarget").is_none() {
            fields.missing("timeSliceTarget");
        }
        let is_share = |good: &f64| *good > 0.0 && *good <= 1.0;
        if good.is_some_and(|good| !is_share(&good)) {
            let message = "`timeSliceTarget` has to be more than 0, up to 1";
            self.doc
                .problem(fields.at("timeSliceTarget"), message, None);
        }
        Some(Budgeting::Slices {
            every: every?,
            good: good.filter(is_share)?,
        })
    }

    /// `indicator`, or that which `indicatorRef` names.
    fn indicator(&self, owner: &Fields<'_, '_>, objective: &Fields<'_, '_>) -> Option<Indicator> {
        if let Some(name) = owner.text("indicatorRef") {
            let Some(object) = self.object("SLI", &name) else {
                let message = format!("there is no SLI `{name}`");
                owner.doc.problem(owner.at("indicatorRef"), message, None);
                return None;
            };
            return self.sli(object.doc, &object.node, objective);
        }
        match owner.get("indicator") {
            Some(node) => self.sli(owner.doc, node, objective),
            None => {
                owner.missing("indicator");
                None
            }
        }
    }

    fn object(&self, kind: &str, name: &str) -> Option<&Object<'_>> {
        self.objects.get(&(kind.to_owned(), name.to_owned()))
    }

    fn sli(&self, doc: &Doc<'_>, node: &Node, objective: &Fields<'_, '_>) -> Option<Indicator> {
        let root = doc.fields(node, "an SLI");
        let Some(spec) = root.get("spec") else {
            root.missing("spec");
            return None;
        };
        let fields = doc.fields(spec, "`spec`");
        fields.ignore(&["description"]);
        let (op, bound) = (comparison(objective), decimal(objective, "value"));
        let indicator = match (fields.get("ratioMetric"), fields.get("thresholdMetric")) {
            (Some(node), None) => self.ratio(&doc.fields(node, "`ratioMetric`")),
            (None, Some(node)) => {
                if op.is_none() || bound.is_none() {
                    let message = "an objective of a `thresholdMetric` needs `op` and `value`";
                    objective.doc.problem(objective.at, message, None);
                }
                let metric = doc.fields(node, "`thresholdMetric`");
                self.threshold(&metric, op?, bound?)
            }
            _ => {
                let message = "an SLI needs one of `ratioMetric` and `thresholdMetric`";
                doc.problem(spec.at, message, None);
                None
            }
        };
        fields.finish();
        indicator
    }

    fn threshold(
        &self,
        metric: &Fields<'_, '_>,
        comparison: Comparison,
        value: f64,
    ) -> Option<Indicator> {
        let spec = self.source(metric)?;
        let expr = expression(&spec, "query")?;
        let step = SAMPLED_EVERY;
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

    fn ratio(&self, fields: &Fields<'_, '_>) -> Option<Indicator> {
        let is_counter = fields.bool("counter").unwrap_or(true);
        let of = |name| self.metric(fields, name, is_counter);
        let given = |name| fields.get(name).is_some();
        let indicator = match (given("good"), given("bad"), given("raw")) {
            (true, false, false) => of("good").map(Counted::Good),
            (false, true, false) => of("bad").map(Counted::Bad),
            (false, false, true) => return self.raw(fields),
            _ => {
                let message = "`ratioMetric` needs one of `good`, `bad` and `raw`";
                fields.doc.problem(fields.at, message, None);
                None
            }
        };
        if !given("total") {
            fields.missing("total");
        }
        fields.ignore(&["rawType"]);
        let total = of("total");
        Some(Indicator::Events {
            counted: indicator?,
            total: total?,
        })
    }

    /// A stored ratio: its mean over the window is all there is.
    fn raw(&self, fields: &Fields<'_, '_>) -> Option<Indicator> {
        fields.needed_text("rawType");
        let is_success = fields.parsed("rawType", |text| match text {
            "success" => Ok(true),
            "failure" => Ok(false),
            _ => Err(format!("`{text}` is neither success nor failure")),
        });
        let node = fields.get("raw")?;
        let metric = fields.doc.fields(node, "`raw`");
        let spec = self.source(&metric)?;
        let is_success = is_success?;
        let ratio = |text: &str| {
            let over = match text.contains("{{") {
                true => text.to_owned(),
                false => format!("avg_over_time({}[{{{{.window}}}}])", counter(text)?),
            };
            WindowQuery::new(&match is_success {
                true => format!("1 - ({over})"),
                false => over,
            })
        };
        spec.needed_text("query")?;
        query(spec.doc, spec.scalar("query")?, ratio).map(Indicator::Ratio)
    }

    fn metric(
        &self,
        parent: &Fields<'_, '_>,
        name: &'static str,
        is_counter: bool,
    ) -> Option<Count> {
        let node = parent.get(name)?;
        let metric = parent.doc.fields(node, "a metric");
        let spec = self.source(&metric)?;
        let text = spec.needed_text("query")?;
        let scalar = spec.scalar("query")?;
        match (text.contains("{{"), is_counter) {
            (true, _) => query(spec.doc, scalar, WindowQuery::new).map(Count::Query),
            (false, true) => query(spec.doc, scalar, counter).map(Count::Increase),
            (false, false) => query(spec.doc, scalar, counter).map(Count::Ones),
        }
    }

    /// The `spec` of a `metricSource`, when it is one that Firebell can ask: Prometheus.
    fn source<'d, 'n>(&self, metric: &Fields<'d, 'n>) -> Option<Fields<'d, 'n>> {
        let Some(node) = metric.get("metricSource") else {
            metric.missing("metricSource");
            return None;
        };
        let fields = metric.doc.fields(node, "`metricSource`");
        let named = fields.text("metricSourceRef");
        let kind = fields.text("type").or_else(|| self.kind_of_source(&named?));
        if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case("prometheus")) {
            let message = format!("metrics of `{kind}` cannot be asked for: only Prometheus's can");
            metric.doc.problem(node.at, message, None);
            return None;
        }
        let Some(spec) = fields.get("spec") else {
            fields.missing("spec");
            return None;
        };
        fields.finish();
        Some(metric.doc.fields(spec, "`spec`"))
    }

    fn kind_of_source(&self, name: &str) -> Option<String> {
        let object = self.object("DataSource", name)?;
        let root = object.doc.fields(&object.node, "a DataSource");
        object.doc.fields(root.get("spec")?, "`spec`").text("type")
    }

    fn policies(&self, spec: &Fields<'_, '_>) -> Policies {
        let mut policies = Policies {
            are_given: spec.get("alertPolicies").is_some(),
            ..Policies::default()
        };
        for node in spec.list("alertPolicies") {
            let fields = self.doc.fields(node, "an alert policy");
            match fields.text("alertPolicyRef") {
                None => self.policy(self.doc, node, &mut policies),
                Some(name) => match self.object("AlertPolicy", &name) {
                    Some(object) => self.policy(object.doc, &object.node, &mut policies),
                    None => {
                        let message = format!("there is no AlertPolicy `{name}`");
                        self.doc.problem(node.at, message, None);
                    }
                },
            }
        }
        policies
    }

    fn policy(&self, doc: &Doc<'_>, node: &Node, policies: &mut Policies) {
        let root = doc.fields(node, "an alert policy");
        let Some(spec) = root.get("spec") else {
            root.missing("spec");
            return;
        };
        let fields = doc.fields(spec, "`spec`");
        // Who is told is said by routes; that an alert has ended is always told.
        fields.ignore(&["description", "notificationTargets", "alertWhenResolved"]);
        let is_breaching = fields.bool("alertWhenBreaching").unwrap_or(true);
        policies.wants_no_data |= fields.bool("alertWhenNoData").unwrap_or(false);
        let [condition] = fields.list("conditions") else {
            let message = "`conditions` has to have one item";
            doc.problem(fields.at("conditions"), message, None);
            return;
        };
        let reference = doc.fields(condition, "a condition");
        let tier = match reference.text("conditionRef") {
            None => tier(doc, condition),
            Some(name) => match self.object("AlertCondition", &name) {
                Some(object) => tier(object.doc, &object.node),
                None => {
                    let message = format!("there is no AlertCondition `{name}`");
                    doc.problem(condition.at, message, None);
                    None
                }
            },
        };
        policies.tiers.extend(tier.filter(|_| is_breaching));
        fields.finish();
    }
}

fn comparison(fields: &Fields<'_, '_>) -> Option<Comparison> {
    fields.parsed("op", |text| match text {
        "lt" => Ok(Comparison::Less),
        "lte" => Ok(Comparison::AtMost),
        "gt" => Ok(Comparison::Greater),
        "gte" => Ok(Comparison::AtLeast),
        _ => Err(format!("`{text}` is none of lt, lte, gt, gte")),
    })
}

/// A display name as part of an id.
fn id_part(text: &str) -> String {
    let fits = |c: char| if c.is_alphanumeric() { c } else { '-' };
    text.to_lowercase().chars().map(fits).collect()
}

/// Stands in for a window that is missing.
const PERIOD: Duration = Duration::from_hours(28 * 24);
/// How often a threshold metric is looked at.
const SAMPLED_EVERY: Duration = Duration::from_mins(1);
/// Longest slice that is given as a bare number.
const MINUTES_MAX: i64 = 60 * 24 * 366;
