//! Firebell's own metrics, at `/metrics`.
//!
//! *Sources*: names that users of Prometheus and Alertmanager already graph are kept
//! (`prometheus_rule_…`, `alertmanager_…`); what is new is called `firebell_…`.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use firebell_dispatch::DispatchStats;
use firebell_heartbeat::HeartbeatState;
use firebell_model::{Duration, Timestamp};
use firebell_tsdb::AppendReport;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::notification_metrics::NotificationMetrics;
use crate::pages::metrics::PageMetrics;
use crate::quality_metrics::QualityMetrics;
use crate::telemetry_metrics::TelemetryMetrics;

/// The label of metrics that are counted for each Alertmanager elsewhere.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct AlertmanagerLabel {
    /// Where alerts are posted to.
    pub alertmanager: String,
}

/// Why something was refused or left out.
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
    pub notifications: Arc<NotificationMetrics>,
    pub pages: Arc<PageMetrics>,
    pub quality: QualityMetrics,
    pub telemetry: TelemetryMetrics,
    /// Entries of the history that nobody can read any more, before their time.
    pub history_lost: Family<ReasonLabel, Counter>,
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
    page: OnceLock<Page>,
}

/// What the page is made of. Made once: it is asked for every few seconds.
#[derive(Default)]
struct Page {
    registry: Registry,
    readings: [Gauge; READINGS.len()],
    marked: Family<StateLabel, Gauge>,
    left_out: Family<ReasonLabel, Counter>,
    heartbeats: Family<StateLabel, Gauge>,
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
    /// Jobs that are awaited, by how they fare: as [`HeartbeatState::ALL`] has it.
    pub heartbeats: [u64; HeartbeatState::ALL.len()],
    /// Leases of checks that hosts hold.
    pub leases: u64,
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
            ("too_far_ahead", report.too_far_ahead),
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

    /// Counts entries of the history that are lost.
    pub(crate) fn count_lost(&self, reason: &'static str, n_entries: u64) {
        let counter = self.history_lost.get_or_create(&ReasonLabel { reason });
        counter.inc_by(n_entries);
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
        let page = self.page.get_or_init(|| {
            let mut page = Page::default();
            self.register_counters(&mut page.registry);
            page.register();
            page
        });
        // Of two who ask at once both may be told what the later one has read.
        page.read(readings);
        let mut text = String::with_capacity(PAGE_BYTES);
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &page.registry);
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
        count("firebell_otlp_requests", "Requests with metrics, spans or log records of OpenTelemetry", &self.otlp_requests);
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
        registry.register("firebell_history_entries_lost", "Entries of the history that were lost: too many waited to be written, the disk failed, or its bytes ran out before its time", self.history_lost.clone());
        self.notifications.register(registry);
        self.pages.register(registry);
        self.quality.register(registry);
        self.telemetry.register(registry);
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
    let mut text = String::with_capacity(open_metrics.len());
    for line in lines.filter(|line| !line.starts_with("# UNIT ") && *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(name) => {
                for part in ["# ", kind, " ", name, "_total ", rest] {
                    text.push_str(part);
                }
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

impl Page {
    fn register(&mut self) {
        for ((name, help, _), gauge) in READINGS.iter().zip(&self.readings) {
            self.registry.register(*name, *help, gauge.clone());
        }
        // What Alertmanager says of its alerts, under its names.
        for name in ["alertmanager_alerts", "alertmanager_marked_alerts"] {
            let help = "Alerts that fire, by whether they are muted";
            self.registry.register(name, help, self.marked.clone());
        }
        let (name, help) = (
            "firebell_heartbeats",
            "Jobs that are awaited, by how they fare",
        );
        self.registry.register(name, help, self.heartbeats.clone());
        let name = "alertmanager_notifications_suppressed";
        let help = "Alerts that were left out of notifications, by what left them out first";
        self.registry.register(name, help, self.left_out.clone());
    }

    fn read(&self, readings: &Readings) {
        let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for ((_, _, value), gauge) in READINGS.iter().zip(&self.readings) {
            gauge.set(whole(value(readings)));
        }
        let [active, suppressed] = readings.marked;
        for (state, n_alerts) in [
            ("active", active),
            ("suppressed", suppressed),
            ("unprocessed", 0),
        ] {
            let gauge = self.marked.get_or_create(&StateLabel { state });
            gauge.set(whole(n_alerts));
        }
        for (state, n_jobs) in HeartbeatState::ALL.into_iter().zip(readings.heartbeats) {
            let state = state.name();
            let gauge = self.heartbeats.get_or_create(&StateLabel { state });
            gauge.set(whole(n_jobs));
        }
        for (reason, n_alerts) in readings.dispatch.suppressed.by_reason() {
            let counter = self.left_out.get_or_create(&ReasonLabel { reason });
            counter.inner().store(n_alerts, Relaxed);
        }
    }
}

type Read = fn(&Readings) -> u64;

#[rustfmt::skip]
const READINGS: [(&str, &str, Read); 12] = [
    ("firebell_series", "Series in the store", |it| it.series),
    ("firebell_samples", "Samples in the store", |it| it.samples),
    ("firebell_store_disk_bytes", "Bytes of the store on disk", |it| it.disk_bytes),
    ("firebell_store_memory_bytes", "Bytes of the store in memory", |it| it.memory_bytes),
    ("firebell_store_unlogged_bytes", "Bytes that a full or failing disk has not taken; a restart would forget them", |it| it.unlogged_bytes),
    ("firebell_alerts_firing", "Alerts that fire, of own rules and from outside", |it| it.firing),
    ("firebell_alerts_flapping", "Alerts of own rules that begin and end more often than they may, held firing", |it| it.flapping),
    ("firebell_rules_failing", "Rules whose last evaluation failed", |it| it.rules_failing),
    ("firebell_shadow_alerts_fired", "Alerts of rules in shadow mode that began to fire since the start, or the last reload of their rule", |it| it.shadow_fired),
    ("firebell_alert_groups", "Groups of alerts", |it| it.dispatch.n_groups as u64),
    ("firebell_leases", "Leases of checks that hosts hold", |it| it.leases),
    ("firebell_alerts_pending", "Alerts of own rules that wait for their `for`", |it| it.pending),
];

/// About what the page takes without rules.
const PAGE_BYTES: usize = 1 << 14;
