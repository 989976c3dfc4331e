//! What `/metrics` says of whether alerts are any good, and of incidents: counted since the start, as
//! Prometheus counts. What a month was like is added up from the history instead.
//!
//! *Limits*: at most [`NAMES_MAX`] pairs of an alert's name and severity are counted apart, and
//! [`SEVERITIES_MAX`] severities; the rest is counted under [`OTHER`]. Of at most [`FIRING_MAX`]
//! alerts that fire it is known since when.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use firebell_dispatch::{HistoryEntry, HistoryEvent};
use firebell_engine::{Engine, Record, Step};
use firebell_incident::{
    Entry, Incident, IncidentId, IncidentRecord, Phase, Severity, Verdict, What, Who,
};
use firebell_model::{ALERT_NAME, AlertStatus, Duration, Fingerprint, Labels, Timestamp};
use firebell_rules::{RuleKind, RuleSet};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Counted for each name of an alert and its severity.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, EncodeLabelSet)]
struct AlertLabels {
    name: String,
    severity: String,
}

/// Counted for each severity, of alerts or of incidents.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, EncodeLabelSet)]
struct SeverityLabel {
    severity: String,
}

/// Counted for each verdict, and whether it was guessed.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct VerdictLabels {
    /// Such as `acted`.
    verdict: &'static str,
    /// Whether nobody said so: `true` or `false`.
    guessed: &'static str,
}

type Times = Family<SeverityLabel, Histogram, fn() -> Histogram>;

/// The counters; shared.
pub(crate) struct QualityMetrics {
    alerts: Family<AlertLabels, Counter>,
    actionable: Family<AlertLabels, Counter>,
    ack: Times,
    resolve: Times,
    incidents_open: Family<SeverityLabel, Gauge>,
    incidents_opened: Family<SeverityLabel, Counter>,
    incident_ack: Times,
    incident_mitigate: Times,
    incident_resolve: Times,
    verdicts: Family<VerdictLabels, Counter>,
    not_opened: Counter,
    waiting: Gauge,
    picture_bytes: Gauge,
    known: Mutex<Known>,
}

/// How many incidents there are now.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct IncidentFigures {
    /// Those that are open, by severity, the worst first.
    open: [usize; Severity::ALL.len()],
    /// Alerts that wait to open one.
    n_waiting: usize,
    /// Of the pictures that timelines show.
    picture_bytes: usize,
}

impl IncidentFigures {
    /// The figures as they are now. Costs as much as there are incidents.
    pub(crate) fn of(engine: &Engine) -> Self {
        let n_open = |severity: Severity| {
            let all = engine.incidents().iter();
            all.filter(|it| it.severity == severity && it.state.is_open())
                .count()
        };
        Self {
            open: Severity::ALL.map(n_open),
            n_waiting: engine.incidents().waiting().count(),
            picture_bytes: engine.incidents().picture_bytes(),
        }
    }
}

/// What is remembered to count right.
#[derive(Default)]
struct Known {
    /// Where in `counters` a severity and a name have theirs; found without making anything.
    pairs: BTreeMap<String, BTreeMap<String, usize>>,
    counters: Vec<OfName>,
    severities: BTreeSet<String>,
    firing: HashMap<Fingerprint, Firing>,
    /// Incidents not opened when it was last looked.
    not_opened: u64,
}

/// The counters of alerts of one name and severity.
#[derive(Default)]
struct OfName {
    alerts: Counter,
    actionable: Counter,
}

/// An alert that fires.
struct Firing {
    since: Timestamp,
    is_acknowledged: bool,
}

impl Default for QualityMetrics {
    fn default() -> Self {
        let times = || Times::new_with_constructor(|| Histogram::new(BOUNDS));
        let metrics = Self {
            alerts: Family::default(),
            actionable: Family::default(),
            ack: times(),
            resolve: times(),
            incidents_open: Family::default(),
            incidents_opened: Family::default(),
            incident_ack: times(),
            incident_mitigate: times(),
            incident_resolve: times(),
            verdicts: Family::default(),
            not_opened: Counter::default(),
            waiting: Gauge::default(),
            picture_bytes: Gauge::default(),
            known: Mutex::default(),
        };
        metrics.show();
        metrics
    }
}

impl QualityMetrics {
    /// Shows what there can be, with zeros: a rate over a counter that begins with the first one
    /// would miss that one.
    fn show(&self) {
        for severity in Severity::ALL {
            let label = SeverityLabel::of(severity);
            drop(self.incidents_open.get_or_create(&label));
            drop(self.incidents_opened.get_or_create(&label));
            for times in [
                &self.incident_ack,
                &self.incident_mitigate,
                &self.incident_resolve,
            ] {
                drop(times.get_or_create(&label));
            }
        }
        for verdict in Verdict::ALL {
            for guessed in [false, true] {
                drop(
                    self.verdicts
                        .get_or_create(&VerdictLabels::of(verdict, guessed)),
                );
            }
        }
    }

    /// Shows the alerts of rules, with zeros.
    pub(crate) fn show_rules(&self, rules: &RuleSet) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let all = rules.groups().iter().flat_map(|group| &group.rules);
        for rule in all.filter(|it| matches!(it.kind, RuleKind::Alerting(_))) {
            let severity = rule.label_texts.value(SEVERITY);
            // What a template makes of it is known when it fires.
            if !severity.contains("{{") {
                self.of_name(&mut known, &rule.name, severity);
            }
        }
    }

    /// After a restart: what fires already is known, and counts no second time.
    pub(crate) fn resume(&self, now: Timestamp, engine: &Engine) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (alert, _) in engine.dispatch().known_after(None) {
            let Some(view) = engine.dispatch().alert(now, alert) else {
                continue;
            };
            if view.alert.status_at(now) == AlertStatus::Firing {
                let incident = engine.incidents().of_alert(alert);
                let is_acknowledged = incident.is_some_and(|it| it.acknowledged.is_some());
                let since = view.alert.starts_at;
                known.fires(alert, since, is_acknowledged);
            }
        }
        known.not_opened = engine.incidents().n_not_opened();
    }

    /// Counts what a step has brought.
    pub(crate) fn count(&self, engine: &Engine, step: &Step) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in &step.history {
            self.count_alert(&mut known, engine, entry);
        }
        for record in &step.records {
            if let Record::Incident(IncidentRecord::Entry { id, value, .. }) = record {
                self.count_entry(engine, *id, value);
            }
        }
        let not_opened = engine.incidents().n_not_opened();
        let before = std::mem::replace(&mut known.not_opened, not_opened);
        self.not_opened.inc_by(not_opened.saturating_sub(before));
    }

    /// Takes what is open now; when somebody asks.
    pub(crate) fn read(&self, figures: &IncidentFigures) {
        let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        for (severity, n_open) in Severity::ALL.into_iter().zip(figures.open) {
            let label = SeverityLabel::of(severity);
            self.incidents_open.get_or_create(&label).set(whole(n_open));
        }
        self.waiting.set(whole(figures.n_waiting));
        self.picture_bytes.set(whole(figures.picture_bytes));
    }

    /// The counters of alerts of a name and severity, both of them from the first alert on, so that
    /// their quotient is there.
    fn of_name<'k>(&self, known: &'k mut Known, name: &str, severity: &str) -> &'k OfName {
        known.pair(name, severity, |name, severity| {
            let (name, severity) = (name.to_owned(), severity.to_owned());
            let labels = AlertLabels { name, severity };
            OfName {
                alerts: self.alerts.get_or_create(&labels).clone(),
                actionable: self.actionable.get_or_create(&labels).clone(),
            }
        })
    }

    fn of_labels<'k>(&self, known: &'k mut Known, labels: &Labels) -> &'k OfName {
        self.of_name(known, labels.value(ALERT_NAME), labels.value(SEVERITY))
    }

    // Thousands may begin to fire in one step: that costs little.
    fn count_alert(&self, known: &mut Known, engine: &Engine, entry: &HistoryEntry) {
        let alert = || entry.labels.fingerprint();
        match &entry.event {
            HistoryEvent::Firing => {
                self.of_labels(known, &entry.labels).alerts.inc();
                known.fires(alert(), entry.at, false);
            }
            HistoryEvent::Resolved => {
                if let Some(fired) = known.firing.remove(&alert()) {
                    let severity = known.severity(entry.labels.value(SEVERITY));
                    observe(&self.resolve, severity, entry.at - fired.since);
                }
            }
            HistoryEvent::Acknowledged { .. } => {
                if let Some(since) = known.acknowledge(alert()) {
                    let severity = known.severity(entry.labels.value(SEVERITY));
                    observe(&self.ack, severity, entry.at - since);
                }
            }
            HistoryEvent::Judged {
                verdict, incident, ..
            } => {
                let of = incident.and_then(|it| engine.incidents().get(IncidentId(it)));
                let is_actionable = verdict.parse().is_ok_and(Verdict::is_actionable);
                if is_actionable && of.is_none_or(|it| !was_actionable(it)) {
                    self.of_labels(known, &entry.labels).actionable.inc();
                }
            }
            HistoryEvent::Pending
            | HistoryEvent::Notification(_)
            | HistoryEvent::Suppressed { .. }
            | HistoryEvent::Unsuppressed { .. } => {}
        }
    }

    fn count_entry(&self, engine: &Engine, id: IncidentId, entry: &Entry) {
        let Some(incident) = engine.incidents().get(id) else {
            return;
        };
        let (label, took) = (
            SeverityLabel::of(incident.severity),
            entry.at - incident.opened_at,
        );
        match &entry.what {
            What::Opened => {
                self.incidents_opened.get_or_create(&label).inc();
            }
            What::Acknowledged if is_first(incident, entry, |it| *it == What::Acknowledged) => {
                observe(&self.incident_ack, label.severity, took);
            }
            What::Moved { to, .. } => {
                let is_over = |to: &Phase| matches!(to, Phase::Mitigated | Phase::Resolved);
                let mitigates = |it: &What| matches!(it, What::Moved { to, .. } if is_over(to));
                let resolves =
                    |it: &What| matches!(it, What::Moved { to, .. } if *to == Phase::Resolved);
                // What is resolved at once is mitigated by that.
                if mitigates(&entry.what) && is_first(incident, entry, mitigates) {
                    observe(&self.incident_mitigate, label.severity.clone(), took);
                }
                if *to == Phase::Resolved && is_first(incident, entry, resolves) {
                    observe(&self.incident_resolve, label.severity, took);
                }
            }
            What::Judged(verdict) => {
                let labels = VerdictLabels::of(*verdict, entry.by == Who::Firebell);
                self.verdicts.get_or_create(&labels).inc();
            }
            _ => {}
        }
    }

    #[rustfmt::skip]
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("alerts", "Alerts that began to fire, by name and severity", self.alerts.clone());
        registry.register("alerts_actionable", "Alerts that turned out to be actionable: something was to be done, there or elsewhere, then or later", self.actionable.clone());
        registry.register_with_unit("alert_ack", "From firing until somebody looked into it", Unit::Seconds, self.ack.clone());
        registry.register_with_unit("alert_resolve", "From firing to the end", Unit::Seconds, self.resolve.clone());
        registry.register("firebell_incidents_open", "Incidents that are open", self.incidents_open.clone());
        registry.register("firebell_incidents_opened", "Incidents that were opened, by alerts or by people", self.incidents_opened.clone());
        registry.register("firebell_incidents_not_opened", "Alerts that should have opened an incident while too many were open", self.not_opened.clone());
        registry.register("firebell_incidents_waiting", "Alerts that open an incident as soon as they are no longer muted, or there is room", self.waiting.clone());
        registry.register_with_unit("firebell_incident_pictures", "Pictures that timelines of incidents show, of 1 GiB at most", Unit::Bytes, self.picture_bytes.clone());
        registry.register_with_unit("firebell_incident_ack", "From opening an incident until somebody first looked into it", Unit::Seconds, self.incident_ack.clone());
        registry.register_with_unit("firebell_incident_mitigate", "From opening an incident until it was first mitigated or resolved", Unit::Seconds, self.incident_mitigate.clone());
        registry.register_with_unit("firebell_incident_resolve", "From opening an incident until it was first resolved", Unit::Seconds, self.incident_resolve.clone());
        registry.register("firebell_incident_verdicts", "What incidents turned out to be; a word that is taken back stays counted", self.verdicts.clone());
    }
}

impl Known {
    fn fires(&mut self, alert: Fingerprint, since: Timestamp, is_acknowledged: bool) {
        if self.firing.len() < FIRING_MAX {
            let firing = Firing {
                since,
                is_acknowledged,
            };
            self.firing.entry(alert).or_insert(firing);
        }
    }

    /// Since when it fires, for whoever looks into it first.
    fn acknowledge(&mut self, alert: Fingerprint) -> Option<Timestamp> {
        let firing = self.firing.get_mut(&alert)?;
        let was_before = std::mem::replace(&mut firing.is_acknowledged, true);
        (!was_before).then_some(firing.since)
    }

    fn pair(
        &mut self,
        name: &str,
        severity: &str,
        make: impl FnOnce(&str, &str) -> OfName,
    ) -> &OfName {
        let idx = self.find(name, severity);
        let idx = idx.unwrap_or_else(|| self.add(name, severity, make));
        &self.counters[idx]
    }

    fn find(&self, name: &str, severity: &str) -> Option<usize> {
        self.pairs.get(severity)?.get(name).copied()
    }

    // What is too long or too much is one of those that are already there.
    fn add(
        &mut self,
        name: &str,
        severity: &str,
        make: impl FnOnce(&str, &str) -> OfName,
    ) -> usize {
        let severity = self.severity(severity);
        let is_counted = name.len() <= NAME_BYTES_MAX && self.counters.len() < NAMES_MAX;
        let name = if is_counted { name } else { OTHER };
        self.find(name, &severity).unwrap_or_else(|| {
            self.counters.push(make(name, &severity));
            let (names, idx) = (
                self.pairs.entry(severity).or_default(),
                self.counters.len() - 1,
            );
            names.insert(name.to_owned(), idx);
            idx
        })
    }

    fn severity(&mut self, severity: &str) -> String {
        if self.severities.contains(severity) {
            return severity.to_owned();
        }
        if severity.len() > NAME_BYTES_MAX || self.severities.len() >= SEVERITIES_MAX {
            return OTHER.to_owned();
        }
        self.severities.insert(severity.to_owned());
        severity.to_owned()
    }
}

impl SeverityLabel {
    fn of(severity: Severity) -> Self {
        let severity = severity.to_string();
        Self { severity }
    }
}

impl VerdictLabels {
    fn of(verdict: Verdict, is_guessed: bool) -> Self {
        Self {
            verdict: verdict.name(),
            guessed: if is_guessed { "true" } else { "false" },
        }
    }
}

fn observe(times: &Times, severity: String, took: Duration) {
    let label = SeverityLabel { severity };
    times.get_or_create(&label).observe(took.as_secs_f64());
}

/// Whether nothing of the kind stands in the timeline before an entry.
fn is_first(incident: &Incident, entry: &Entry, is_kind: impl Fn(&What) -> bool) -> bool {
    let of_kind = incident.timeline.iter().find(|it| is_kind(&it.what));
    of_kind.is_none_or(|it| it == entry)
}

/// Whether it had been called actionable before it was judged last: then its alerts are counted.
fn was_actionable(incident: &Incident) -> bool {
    let mut judged = incident
        .timeline
        .iter()
        .rev()
        .filter_map(|it| match &it.what {
            What::Judged(verdict) => Some(verdict),
            _ => None,
        });
    judged.next();
    judged.any(|it| it.is_actionable())
}

/// Upper bounds of buckets, in seconds: those of targets are among them (5 min, 30 min, 1 h).
const BOUNDS: [f64; 11] = [
    30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 14_400.0, 28_800.0, 86_400.0,
];
const SEVERITY: &str = "severity";
/// The name under which the rest is counted.
const OTHER: &str = "(other)";
const NAMES_MAX: usize = 1_000;
const SEVERITIES_MAX: usize = 20;
const NAME_BYTES_MAX: usize = 200;
const FIRING_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firebell_dispatch::{
        DEFAULT_RESOLVE_TIMEOUT, PostedAlert, PostedAlerts, Receiver, Receivers, RouteSpec, Routing,
    };
    use firebell_engine::Configuration;
    use firebell_incident::{Person, Policy};
    use firebell_model::Matcher;
    use prometheus_client::encoding::text::encode;

    use super::*;

    /// An engine whose critical alerts open incidents, with what is counted of it.
    struct World {
        engine: Engine,
        metrics: QualityMetrics,
    }

    impl World {
        fn new() -> Self {
            let receivers = Receivers::new(vec![Receiver::new("all", [("inbox", true)])]).unwrap();
            let root = RouteSpec {
                receiver: receivers.resolve("all"),
                ..RouteSpec::default()
            };
            let routing = Routing::new(receivers, root, Vec::new(), DEFAULT_RESOLVE_TIMEOUT);
            let incidents = Policy {
                open_when: vec![vec![Matcher::equal(SEVERITY, "critical")]],
                ..Policy::default()
            };
            let engine = Engine::new(Configuration {
                rules: RuleSet::empty(),
                rule_options: firebell_rules::Options::default(),
                routing: Arc::new(routing.unwrap()),
                dispatch_options: firebell_dispatch::Options::default(),
                delivery_alert: None,
                incidents,
                paging: Default::default(),
                heartbeats: Default::default(),
            });
            Self {
                engine,
                metrics: QualityMetrics::default(),
            }
        }

        fn post(&mut self, at: i64, name: &str, ends_at: Option<i64>) {
            let labels = [
                (ALERT_NAME, name),
                ("service", "cart"),
                (SEVERITY, "critical"),
            ];
            let posted = PostedAlerts::from_iter([PostedAlert {
                labels: Labels::from_pairs(labels),
                annotations: Labels::empty(),
                starts_at: Some(Timestamp(0)),
                ends_at: ends_at.map(secs),
                generator_url: String::new(),
            }]);
            let mut step = Step::default();
            self.engine.post_alerts(secs(at), &posted, &mut step);
            self.metrics.count(&self.engine, &step);
        }

        fn act(&mut self, at: i64, wish: &str) {
            let (mut step, ana) = (Step::default(), Person::new("ana").unwrap());
            let act = wish.parse().unwrap();
            let done = self
                .engine
                .act_on_incident(secs(at), IncidentId(1), ana, act, &mut step);
            done.unwrap();
            self.metrics.count(&self.engine, &step);
        }

        fn value(&self, name: &str) -> String {
            let mut registry = Registry::default();
            self.metrics.read(&IncidentFigures::of(&self.engine));
            self.metrics.register(&mut registry);
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            let line = text.lines().find(|it| it.starts_with(name));
            let value = line.and_then(|it| it.rsplit(' ').next());
            value.unwrap_or("none").to_owned()
        }
    }

    fn secs(n: i64) -> Timestamp {
        Timestamp(n * 1_000)
    }

    #[test]
    fn an_alert_counts_once_in_each_figure_and_so_does_its_incident() {
        let mut world = World::new();
        world.post(0, "Down", None);
        world.post(1, "Down", None);
        world.post(2, "Slow", None);
        let open = "firebell_incidents_open{severity=\"sev1\"}";
        assert_eq!(world.value(open), "1");
        world.act(90, "ack");
        // A restart in between: what fires is known, and counts no second time.
        world.metrics.resume(secs(95), &world.engine);
        world.act(100, "ack");
        world.act(200, "state mitigated");
        world.post(300, "Down", Some(300));
        world.post(300, "Slow", Some(300));
        world.act(400, "state resolved");
        world.act(410, "state closed verdict false");
        world.act(420, "verdict acted");
        world.act(430, "verdict threshold");
        world.act(440, "verdict elsewhere");
        let down = "{name=\"Down\",severity=\"critical\"}";
        for (name, expected) in [
            (format!("alerts_total{down}"), "1"),
            (format!("alerts_actionable_total{down}"), "1"),
            ("alert_ack_seconds_count".to_owned(), "2"),
            ("alert_ack_seconds_sum".to_owned(), "178.0"),
            ("alert_resolve_seconds_count".to_owned(), "2"),
            ("alert_resolve_seconds_bucket{le=\"300.0\"".to_owned(), "2"),
            (open.to_owned(), "0"),
            (
                "firebell_incidents_opened_total{severity=\"sev1\"}".to_owned(),
                "1",
            ),
            (
                "firebell_incident_ack_seconds_sum{severity=\"sev1\"}".to_owned(),
                "90.0",
            ),
            (
                "firebell_incident_mitigate_seconds_sum{severity=\"sev1\"}".to_owned(),
                "200.0",
            ),
            (
                "firebell_incident_mitigate_seconds_count{severity=\"sev1\"}".to_owned(),
                "1",
            ),
            (
                "firebell_incident_resolve_seconds_sum{severity=\"sev1\"}".to_owned(),
                "400.0",
            ),
            (
                "firebell_incident_verdicts_total{verdict=\"acted\",guessed=\"false\"}".to_owned(),
                "1",
            ),
            (
                "firebell_incident_verdicts_total{verdict=\"duplicate\",guessed=\"true\"}"
                    .to_owned(),
                "0",
            ),
        ] {
            assert_eq!(world.value(&name), expected, "{name}");
        }
    }

    #[test]
    fn names_without_end_are_counted_as_others() {
        let mut known = Known::default();
        let mut named = |name: &str| {
            known.pair(name, "page", |_, _| OfName::default());
            known.pairs["page"].clone()
        };
        for n in 0..NAMES_MAX + 10 {
            named(&format!("n{n}"));
        }
        named(&"n".repeat(201));
        let names = named("one more");
        assert_eq!(names.len(), NAMES_MAX + 1);
        assert!(names.contains_key("n5") && names.contains_key(OTHER));
        assert!(!names.contains_key("one more"));
        for n in 0..SEVERITIES_MAX {
            known.severity(&format!("s{n}"));
        }
        assert_eq!(known.severity("one more"), OTHER);
        assert_eq!(known.severity("page"), "page");
    }
}
