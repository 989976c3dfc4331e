//! What came of spans and log records, and what had to go.

use firebell_telemetry::Dropped;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct SignalLabel {
    /// `traces` or `logs`.
    signal: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct DroppedLabels {
    signal: &'static str,
    /// `age` or `bytes`.
    reason: &'static str,
}

/// By signal.
#[derive(Default)]
pub(crate) struct TelemetryMetrics {
    kept: Family<SignalLabel, Counter>,
    dropped: Family<DroppedLabels, Counter>,
    bytes: Family<SignalLabel, Gauge>,
    /// Events among log records, such as heartbeats, that were refused.
    pub events_refused: Counter,
}

impl TelemetryMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let name = "firebell_telemetry_records";
        registry.register(name, "Spans and log records taken in", self.kept.clone());
        let name = "firebell_telemetry_records_dropped";
        let help = "Spans and log records that went, by what they had to go for";
        registry.register(name, help, self.dropped.clone());
        let name = "firebell_telemetry_events_refused";
        let help = "Heartbeats and deploys among log records that were refused";
        registry.register(name, help, self.events_refused.clone());
        let (name, help) = ("firebell_telemetry_disk", "What spans and log records take");
        registry.register_with_unit(name, help, Unit::Bytes, self.bytes.clone());
    }

    /// Counts what was taken in, and what made room for it.
    pub(crate) fn count(&self, signal: &'static str, n_kept: u64, dropped: &Dropped) {
        self.kept
            .get_or_create(&SignalLabel { signal })
            .inc_by(n_kept);
        for (reason, n_dropped) in [("age", dropped.by_age), ("bytes", dropped.by_bytes)] {
            let labels = DroppedLabels { signal, reason };
            self.dropped.get_or_create(&labels).inc_by(n_dropped);
        }
    }

    /// Notes what a signal takes on disk.
    pub(crate) fn note_bytes(&self, signal: &'static str, bytes: u64) {
        let gauge = self.bytes.get_or_create(&SignalLabel { signal });
        gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
