//! What became of notifications and of the requests that they took, under Alertmanager's names.
//!
//! *Sources*: Alertmanager, `notify/notify.go`: `NewMetrics`, `RetryStage`.

use std::sync::Arc;

use firebell_dispatch::{FailureCause, HistoryEntry, HistoryEvent, NotifiedStatus};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::clock::Stopwatch;

/// Counted for each kind of integration.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct KindLabel {
    /// Such as `webhook`.
    integration: String,
}

/// Counted for each kind of integration and of failure.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct CauseLabels {
    integration: String,
    /// [`FailureCause::as_str`].
    reason: &'static str,
}

/// The counters; shared.
pub(crate) struct NotificationMetrics {
    notifications: Family<KindLabel, Counter>,
    notifications_failed: Family<CauseLabels, Counter>,
    requests: Family<KindLabel, Counter>,
    requests_failed: Family<KindLabel, Counter>,
    latency: Family<KindLabel, Histogram, fn() -> Histogram>,
}

impl Default for NotificationMetrics {
    fn default() -> Self {
        let metrics = Self {
            notifications: Family::default(),
            notifications_failed: Family::default(),
            requests: Family::default(),
            requests_failed: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(LATENCY_BOUNDS)),
        };
        UPSTREAM_KINDS.iter().for_each(|kind| metrics.show(kind));
        metrics
    }
}

impl NotificationMetrics {
    /// Shows a kind of integration, with zeros if nothing came of it yet: a rate over a counter that
    /// begins with the first failure would miss that failure.
    pub(crate) fn show(&self, kind: &str) {
        let label = KindLabel::of(kind);
        for family in [&self.notifications, &self.requests, &self.requests_failed] {
            drop(family.get_or_create(&label));
        }
        drop(self.latency.get_or_create(&label));
        for cause in FailureCause::ALL {
            drop(self.failed(kind, cause));
        }
    }

    /// A notification is to be told; not each time that it is tried.
    pub(crate) fn begin(&self, kind: &str) {
        self.notifications.get_or_create(&KindLabel::of(kind)).inc();
    }

    /// Counts the notifications that were given up.
    pub(crate) fn count(&self, happened: &[HistoryEntry]) {
        for entry in happened {
            if let HistoryEvent::Notification(notified) = &entry.event
                && notified.status == NotifiedStatus::Failed
                && let Some(integration) = &notified.integration
            {
                let kind = integration.split('[').next().unwrap_or(integration);
                self.failed(kind, notified.cause.unwrap_or_default()).inc();
            }
        }
    }

    fn failed(&self, kind: &str, cause: FailureCause) -> Counter {
        let labels = CauseLabels {
            integration: kind.to_owned(),
            reason: cause.as_str(),
        };
        self.notifications_failed.get_or_create(&labels).clone()
    }

    /// An attempt begins; it is counted when it ends, however it does.
    pub(crate) fn attempt(self: &Arc<Self>, kind: &str) -> Attempt {
        Attempt {
            metrics: Arc::clone(self),
            label: KindLabel::of(kind),
            watch: Stopwatch::start(),
            has_succeeded: false,
        }
    }

    #[rustfmt::skip]
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("alertmanager_notifications", "Notifications that were to be told", self.notifications.clone());
        registry.register("alertmanager_notifications_failed", "Notifications that were given up, by what kind of failure came last", self.notifications_failed.clone());
        registry.register("alertmanager_notification_requests", "Attempts to tell a notification", self.requests.clone());
        registry.register("alertmanager_notification_requests_failed", "Attempts to tell a notification that failed", self.requests_failed.clone());
        registry.register_with_unit("alertmanager_notification_latency", "How long attempts to tell a notification took", Unit::Seconds, self.latency.clone());
    }
}

/// An attempt under way. One that is dropped before it has succeeded has failed.
pub(crate) struct Attempt {
    metrics: Arc<NotificationMetrics>,
    label: KindLabel,
    watch: Stopwatch,
    has_succeeded: bool,
}

impl Attempt {
    pub(crate) fn succeed(mut self) {
        self.has_succeeded = true;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let (metrics, label) = (&self.metrics, &self.label);
        let took = self.watch.elapsed().as_secs_f64();
        metrics.latency.get_or_create(label).observe(took);
        metrics.requests.get_or_create(label).inc();
        if !self.has_succeeded {
            metrics.requests_failed.get_or_create(label).inc();
        }
    }
}

impl KindLabel {
    fn of(kind: &str) -> Self {
        let integration = kind.to_owned();
        Self { integration }
    }
}

/// Upper bounds of buckets, in seconds: upstream's.
const LATENCY_BOUNDS: [f64; 5] = [1.0, 5.0, 10.0, 15.0, 20.0];
/// What upstream shows from the start, whether it is configured or not.
const UPSTREAM_KINDS: [&str; 18] = [
    "discord",
    "email",
    "incidentio",
    "jira",
    "mattermost",
    "msteams",
    "msteamsv2",
    "opsgenie",
    "pagerduty",
    "pushover",
    "rocketchat",
    "slack",
    "sns",
    "telegram",
    "victorops",
    "webex",
    "webhook",
    "wechat",
];

#[cfg(test)]
mod tests {
    use firebell_dispatch::Notified;
    use firebell_model::{Labels, Timestamp};
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn given_up(integration: &str, cause: FailureCause) -> HistoryEntry {
        let notified = Notified {
            receiver: "all".into(),
            integration: Some(integration.to_owned()),
            group: "{}:{}".into(),
            status: NotifiedStatus::Failed,
            reason: None,
            alerts: Vec::new(),
            n_alerts: 0,
            attempts: 3,
            took_ms: 0,
            error: None,
            cause: Some(cause),
            by: Vec::new(),
        };
        HistoryEntry {
            at: Timestamp(0),
            labels: Labels::empty(),
            event: HistoryEvent::Notification(Box::new(notified)),
        }
    }

    #[test]
    fn a_notification_counts_once_and_each_of_its_requests_does() {
        let metrics = Arc::new(NotificationMetrics::default());
        metrics.begin("webhook");
        for _ in 0..3 {
            drop(metrics.attempt("webhook"));
        }
        metrics.count(&[given_up("webhook[1]", FailureCause::ServerError)]);
        metrics.begin("exec");
        metrics.attempt("exec").succeed();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let value = |name: &str| {
            let line = text.lines().find(|it| it.starts_with(name));
            line.and_then(|it| it.rsplit(' ').next()).unwrap_or("none")
        };
        for (name, expected) in [
            ("notifications_total{integration=\"webhook\"}", "1"),
            ("notification_requests_total{integration=\"webhook\"}", "3"),
            (
                "notification_requests_failed_total{integration=\"webhook\"}",
                "3",
            ),
            (
                "notification_latency_seconds_count{integration=\"webhook\"}",
                "3",
            ),
            (
                "notifications_failed_total{integration=\"webhook\",reason=\"serverError\"}",
                "1",
            ),
            (
                "notifications_failed_total{integration=\"webhook\",reason=\"other\"}",
                "0",
            ),
            ("notifications_total{integration=\"exec\"}", "1"),
            (
                "notification_requests_failed_total{integration=\"exec\"}",
                "none",
            ),
            ("notifications_total{integration=\"wechat\"}", "0"),
            (
                "notification_latency_seconds_bucket{le=\"20.0\",integration=\"wechat\"}",
                "0",
            ),
        ] {
            assert_eq!(value(&format!("alertmanager_{name}")), expected, "{name}");
        }
    }
}
