//! Firebell's own metrics, at `/metrics`.
//!
//! *Sources*: names that users of Prometheus and Alertmanager already graph are kept
//! (`prometheus_rule_…`, `alertmanager_…`); what is new is called `firebell_…`.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use firebell_dispatch::DispatchStats;
use firebell_model::{Duration, Timestamp};
use firebell_tsdb::AppendReport;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The label of metrics that are counted for each kind of integration.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct IntegrationLabel {
    /// Such as `webhook`.
    pub integration: String,
}

/// The label of metrics that are counted for each Alertmanager elsewhere.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct AlertmanagerLabel {
    /// Where alerts are posted to.
    pub alertmanager: String,
}

/// Why samples were refused.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct ReasonLabel {
    /// Such as `out_of_order`.
    pub reason: &'static str,
}

/// Whether alerts are muted.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct StateLabel {
    /// Such as `active`.
    state: &'static str,
}

/// The limit that a scrape exceeded.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct LimitLabel {
    /// Such as `sample_limit`.
    pub limit: &'static str,
}

type FloatCounter = Counter<f64, std::sync::atomic::AtomicU64>;

/// All counters and gauges; shared.
#[derive(Default)]
pub(crate) struct Metrics {
    pub rule_evaluations: Counter,
    pub rule_evaluation_seconds: FloatCounter,
    pub notifications: Family<IntegrationLabel, Counter>,
    pub notifications_failed: Family<IntegrationLabel, Counter>,
    pub alerts_sent: Family<AlertmanagerLabel, Counter>,
    pub alerts_dropped: Family<AlertmanagerLabel, Counter>,
    pub alerts_send_errors: Family<AlertmanagerLabel, Counter>,
    pub alerts_queue_length: Family<AlertmanagerLabel, Gauge>,
    pub alerts_queue_capacity: Gauge,
    pub alerts_latency: Latencies,
    pub alertmanagers_discovered: Gauge,
    pub alerts_received: Counter,
    pub alerts_invalid: Counter,
    pub gets_refused: Counter,
    pub journal_records: Counter,
    pub journal_failures: Counter,
    /// Why the journal is behind; `None` when it is not.
    pub journal_trouble: Mutex<Option<String>>,
    pub driver_queue: Gauge,
    pub deliveries_under_way: Gauge,
    pub scrapes: Counter,
    pub scrapes_failed: Counter,
    pub scrapes_exceeded: Family<LimitLabel, Counter>,
    pub samples_appended: Counter,
    pub source_samples_sent: Counter,
    pub source_samples_dropped: Counter,
    pub source_samples_pending: Gauge,
    pub source_writes_retried: Counter,
    pub samples_rate: Rate,
    pub samples_refused: Family<ReasonLabel, Counter>,
    pub remote_write_requests: Counter,
    pub otlp_requests: Counter,
    pub config_reload_successful: Gauge,
    pub config_reload_success_seconds: Gauge<f64, std::sync::atomic::AtomicU64>,
}

/// How long each Alertmanager elsewhere takes to answer.
pub(crate) struct Latencies(pub Family<AlertmanagerLabel, Histogram, fn() -> Histogram>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| {
            Histogram::new(LATENCY_BOUNDS)
        }))
    }
}

/// Upper bounds of buckets, in seconds.
const LATENCY_BOUNDS: [f64; 7] = [0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

/// How fast a counter grew over the last minute.
#[derive(Default)]
pub(crate) struct Rate(Mutex<VecDeque<(Timestamp, u64)>>);

impl Rate {
    /// Notes the counter; to be called every few seconds.
    pub(crate) fn note(&self, now: Timestamp, count: u64) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push_back((now, count));
        while notes.front().is_some_and(|(at, _)| now - *at > RATE_WINDOW) {
            notes.pop_front();
        }
    }

    /// Growth per second; 0 until there are two notes.
    pub(crate) fn per_second(&self) -> f64 {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some((from, before)), Some((to, after))) = (notes.front(), notes.back()) else {
            return 0.0;
        };
        let secs = (*to - *from).as_secs_f64();
        if secs > 0.0 {
            (after - before) as f64 / secs
        } else {
            0.0
        }
    }
}

const RATE_WINDOW: Duration = Duration::from_mins(1);

/// Figures that are read when somebody asks.
#[derive(Default)]
pub(crate) struct Readings {
    /// Series in the store.
    pub series: u64,
    /// Samples in the store.
    pub samples: u64,
    /// Bytes of the store on disk.
    pub disk_bytes: u64,
    /// Bytes of the store in memory.
    pub memory_bytes: u64,
    /// Bytes that the store's log lacks.
    pub unlogged_bytes: u64,
    /// Alerts that fire, of own rules and from outside.
    pub firing: u64,
    /// Alerts that wait for their `for`.
    pub pending: u64,
    /// Alerts that begin and end too often.
    pub flapping: u64,
    /// Rules whose last evaluation failed.
    pub rules_failing: u64,
    /// Alerts of rules in shadow mode that began to fire.
    pub shadow_fired: u64,
    /// Alerts that fire, by whether they are muted: active, suppressed.
    pub marked: [u64; 2],
    /// What dispatch holds, and what it left out.
    pub dispatch: DispatchStats,
}

impl Metrics {
    /// Counts what became of a batch of samples.
    pub(crate) fn count_append(&self, report: &AppendReport) {
        self.samples_appended.inc_by(report.appended);
        let refused = [
            ("out_of_order", report.out_of_order),
            (
                "duplicate_different_value",
                report.duplicate_different_value,
            ),
            ("too_old", report.too_old),
            ("unknown_series", report.unknown_series),
            ("too_many_series", report.over_limit),
        ];
        for (reason, n) in refused.into_iter().filter(|(_, n)| *n > 0) {
            self.samples_refused
                .get_or_create(&ReasonLabel { reason })
                .inc_by(n);
        }
    }

    /// Counts a scrape that failed because it exceeded a limit.
    pub(crate) fn count_exceeded(&self, limit: &'static str) {
        let label = LimitLabel { limit };
        self.scrapes_exceeded.get_or_create(&label).inc();
    }

    /// Notes that a configuration came into force.
    pub(crate) fn note_reload(&self, at: Timestamp) {
        self.config_reload_successful.set(1);
        self.config_reload_success_seconds.set(at.as_secs_f64());
    }

    /// How often a rule was evaluated, and what that took, in seconds.
    pub(crate) fn rules(&self) -> (u64, f64) {
        (
            self.rule_evaluations.get(),
            self.rule_evaluation_seconds.get(),
        )
    }

    /// The metrics in OpenMetrics text.
    pub(crate) fn render(&self, readings: &Readings) -> String {
        let mut registry = Registry::default();
        self.register_counters(&mut registry);
        register_readings(&mut registry, readings);
        register_dispatch(&mut registry, readings);
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &registry);
        text
    }

    #[rustfmt::skip]
    fn register_counters(&self, registry: &mut Registry) {
        let mut count = |name: &str, help: &str, counter: &Counter| {
            registry.register(name, help, counter.clone());
        };
        count("alertmanager_alerts_received", "Alerts that came over the API", &self.alerts_received);
        count("alertmanager_alerts_invalid", "Alerts over the API that were refused", &self.alerts_invalid);
        count("alertmanager_http_concurrency_limit_exceeded", "GET requests that were refused because there were too many", &self.gets_refused);
        count("firebell_journal_records", "Records written to the journal", &self.journal_records);
        count("firebell_journal_failures", "Steps that could not be written to the journal", &self.journal_failures);
        count("firebell_scrapes", "Scrapes done", &self.scrapes);
        count("firebell_scrapes_failed", "Scrapes that failed", &self.scrapes_failed);
        count("firebell_samples_appended", "Samples taken in", &self.samples_appended);
        count("firebell_remote_write_requests", "Remote-write requests", &self.remote_write_requests);
        count("firebell_otlp_requests", "Requests with OpenTelemetry metrics", &self.otlp_requests);
        count("firebell_source_samples_sent", "Samples of rules that `source` has taken", &self.source_samples_sent);
        count("firebell_source_samples_dropped", "Samples of rules that `source` refused, or that found no room while it took none", &self.source_samples_dropped);
        count("firebell_source_writes_retried", "Remote writes to `source` that have to be made again", &self.source_writes_retried);
        registry.register("prometheus_notifications_sent", "Alerts that an Alertmanager elsewhere has taken", self.alerts_sent.clone());
        registry.register("prometheus_notifications_dropped", "Alerts that an Alertmanager elsewhere refused, or that found no room in its queue", self.alerts_dropped.clone());
        registry.register("prometheus_notifications_errors", "Alerts in requests that an Alertmanager elsewhere did not take", self.alerts_send_errors.clone());
        registry.register("prometheus_notifications_queue_length", "Alerts that wait for an Alertmanager elsewhere", self.alerts_queue_length.clone());
        registry.register("prometheus_notifications_queue_capacity", "Alerts that may wait for an Alertmanager elsewhere", self.alerts_queue_capacity.clone());
        registry.register("prometheus_notifications_alertmanagers_discovered", "Alertmanagers elsewhere that get alerts", self.alertmanagers_discovered.clone());
        registry.register_with_unit("prometheus_notifications_latency", "Time until an Alertmanager elsewhere answers", Unit::Seconds, self.alerts_latency.0.clone());
        registry.register("firebell_source_samples_pending", "Samples of rules that wait for `source`", self.source_samples_pending.clone());
        registry.register_with_unit("firebell_rule_evaluation", "Time spent on evaluating rules", Unit::Seconds, self.rule_evaluation_seconds.clone());
        registry.register("firebell_driver_queue", "Events that wait for the driver", self.driver_queue.clone());
        registry.register("firebell_deliveries_under_way", "Notifications that are being delivered or wait for their turn", self.deliveries_under_way.clone());
        registry.register("alertmanager_notifications", "Attempts to deliver a notification", self.notifications.clone());
        registry.register("alertmanager_notifications_failed", "Attempts to deliver a notification that failed", self.notifications_failed.clone());
        registry.register("firebell_scrapes_exceeded_limit", "Scrapes that failed because they exceeded a limit of their job", self.scrapes_exceeded.clone());
        registry.register("firebell_samples_refused", "Samples that were not taken in", self.samples_refused.clone());
        registry.register("firebell_config_last_reload_successful", "Whether the last reload was fine", self.config_reload_successful.clone());
        registry.register_with_unit("firebell_config_last_reload_success_timestamp", "When the last good configuration was loaded", Unit::Seconds, self.config_reload_success_seconds.clone());
    }
}

/// Which of the text formats a page of metrics is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// The one with an end.
    OpenMetrics,
    /// Prometheus's older one.
    Text,
}

/// OpenMetrics as Prometheus's older text format: there the name of a counter has `_total` in all
/// lines, and units and the end are not told.
pub(crate) fn as_text(open_metrics: &str) -> String {
    let lines = open_metrics.lines();
    let counters = lines
        .clone()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"));
    let counters: BTreeSet<&str> = counters.collect();
    let mut text = String::new();
    for line in lines.filter(|line| !line.starts_with("# UNIT ") && *line != "# EOF") {
        let name = line.split(' ').nth(2).unwrap_or_default();
        if line.starts_with("# ") && counters.contains(name) {
            text.push_str(&line.replacen(name, &format!("{name}_total"), 1));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

#[rustfmt::skip]
fn register_readings(registry: &mut Registry, readings: &Readings) {
    let mut read = |name: &str, help: &str, value: u64| {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    read("firebell_series", "Series in the store", readings.series);
    read("firebell_samples", "Samples in the store", readings.samples);
    read("firebell_store_disk_bytes", "Bytes of the store on disk", readings.disk_bytes);
    read("firebell_store_memory_bytes", "Bytes of the store in memory", readings.memory_bytes);
    read("firebell_store_unlogged_bytes", "Bytes that a full or failing disk has not taken; a restart would forget them", readings.unlogged_bytes);
    read("firebell_alerts_firing", "Alerts that fire, of own rules and from outside", readings.firing);
    read("firebell_alerts_flapping", "Alerts of own rules that begin and end more often than they may, held firing", readings.flapping);
    read("firebell_rules_failing", "Rules whose last evaluation failed", readings.rules_failing);
    read("firebell_shadow_alerts_fired", "Alerts of rules in shadow mode that began to fire since the start, or the last reload of their rule", readings.shadow_fired);
    read("firebell_alert_groups", "Groups of alerts", readings.dispatch.n_groups as u64);
    read("firebell_alerts_pending", "Alerts of own rules that wait for their `for`", readings.pending);
}

// What Alertmanager says of its alerts, under its names.
fn register_dispatch(registry: &mut Registry, readings: &Readings) {
    let marked = Family::<StateLabel, Gauge>::default();
    let [active, suppressed] = readings.marked;
    for (state, n_alerts) in [
        ("active", active),
        ("suppressed", suppressed),
        ("unprocessed", 0),
    ] {
        let gauge = marked.get_or_create(&StateLabel { state });
        gauge.set(i64::try_from(n_alerts).unwrap_or(i64::MAX));
    }
    for name in ["alertmanager_alerts", "alertmanager_marked_alerts"] {
        registry.register(
            name,
            "Alerts that fire, by whether they are muted",
            marked.clone(),
        );
    }
    let left_out = Family::<ReasonLabel, Counter>::default();
    for (reason, n_alerts) in readings.dispatch.suppressed.by_reason() {
        let counter = left_out.get_or_create(&ReasonLabel { reason });
        counter.inc_by(n_alerts);
    }
    let help = "Alerts that were left out of notifications, by what left them out first";
    registry.register("alertmanager_notifications_suppressed", help, left_out);
}
