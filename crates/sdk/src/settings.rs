//! What a client is set to.

use std::path::PathBuf;
use std::time::Duration;

use crate::http::Endpoint;
use crate::redact::Redactor;
use crate::ring::{BUFFER_BYTES_MAX, BUFFER_BYTES_MIN};

/// See the fields; `Default` sends nothing.
#[derive(Debug)]
pub struct Settings {
    /// `service.name`.
    pub service: String,
    /// The Firebell that it is sent to; `None`: none.
    pub endpoint: Option<Endpoint>,
    /// A second destination, which gets no alerts; `None`: none.
    pub otlp: Option<Otlp>,
    /// `deployment.environment.name`.
    pub environment: Option<String>,
    /// `service.version`.
    pub release: Option<String>,
    /// Further attributes of the resource.
    pub resource: Vec<(String, String)>,
    /// The part of traces that is kept whatever comes of them, from 0 to 1.
    pub sample_rate: f64,
    /// Keeps traces with a failure whatever the rate.
    pub keep_errors: bool,
    /// Keeps traces that last longer whatever the rate.
    pub keep_slower_than: Option<Duration>,
    /// What must not leave the process.
    pub redactor: Redactor,
    /// How many breadcrumbs a scope keeps.
    pub max_breadcrumbs: usize,
    /// How many series there may be.
    pub max_series: usize,
    /// How many a single metric may have.
    pub max_labels_per_metric: usize,
    /// How much is kept while nothing can be sent.
    pub buffer_bytes: usize,
    /// Where rings are; `None`: a folder of the user's.
    pub run_dir: Option<PathBuf>,
    /// How often is sent.
    pub flush_interval: Duration,
    /// Off: nothing is recorded.
    pub is_enabled: bool,
    /// Whether requests say of which trace they are, and are believed.
    pub propagates_trace: bool,
    /// Whether the baggage of requests is handed on.
    pub propagates_baggage: bool,
}

/// A collector that speaks OTLP over HTTP: where it takes which signal, with the whole path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Otlp {
    /// `None`: they are not sent there.
    pub metrics: Option<Endpoint>,
    /// `None`: they are not sent there.
    pub logs: Option<Endpoint>,
    /// `None`: they are not sent there.
    pub traces: Option<Endpoint>,
    /// How long an attempt may last.
    pub timeout: Duration,
    /// How often metrics are sent.
    pub metrics_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            service: "unknown_service".into(),
            endpoint: None,
            otlp: None,
            environment: None,
            release: None,
            resource: Vec::new(),
            sample_rate: 1.0,
            keep_errors: true,
            keep_slower_than: Some(Duration::from_secs(2)),
            redactor: Redactor::default(),
            max_breadcrumbs: 50,
            max_series: 10_000,
            max_labels_per_metric: 2_000,
            buffer_bytes: 8 << 20,
            run_dir: None,
            flush_interval: Duration::from_secs(1),
            is_enabled: true,
            propagates_trace: true,
            propagates_baggage: true,
        }
    }
}

impl Settings {
    /// What is wrong with the numbers, a sentence each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(0.0..=1.0).contains(&self.sample_rate) {
            problems.push(format!(
                "sample_rate: from 0 to 1, not {}",
                self.sample_rate
            ));
        }
        if !(BUFFER_BYTES_MIN..=BUFFER_BYTES_MAX).contains(&self.buffer_bytes) {
            problems.push(format!(
                "buffer_bytes: from {BUFFER_BYTES_MIN} to {BUFFER_BYTES_MAX}, not {}",
                self.buffer_bytes
            ));
        }
        if self.flush_interval < Duration::from_millis(10) {
            problems.push("flush_interval: at least 0.01 seconds".into());
        }
        if self.service.is_empty() {
            problems.push("service: a name is missing".into());
        }
        problems
    }

    pub(crate) fn is_sending(&self) -> bool {
        self.is_enabled && (self.endpoint.is_some() || self.otlp.is_some())
    }

    /// Who this process is, as attributes of a resource.
    pub(crate) fn attributes(&self, instance_id: &str) -> Vec<(String, String)> {
        let uname = rustix::system::uname();
        let host = uname.nodename().to_string_lossy().into_owned();
        let mut attributes = vec![
            ("service.name".to_owned(), self.service.clone()),
            ("service.instance.id".to_owned(), instance_id.to_owned()),
            ("host.name".to_owned(), host),
            ("process.pid".to_owned(), std::process::id().to_string()),
            ("telemetry.sdk.name".to_owned(), "firebell".to_owned()),
            ("telemetry.sdk.language".to_owned(), "python".to_owned()),
            (
                "telemetry.sdk.version".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
        ];
        let named = [
            ("service.version", &self.release),
            ("deployment.environment.name", &self.environment),
        ];
        for (key, value) in named {
            attributes.extend(value.clone().map(|value| (key.to_owned(), value)));
        }
        for (key, value) in &self.resource {
            if !attributes.iter().any(|(known, _)| known == key) {
                attributes.push((key.clone(), value.clone()));
            }
        }
        attributes
    }

    /// The same as a text, for the ring.
    pub(crate) fn identity(&self, instance_id: &str) -> String {
        let attributes = self.attributes(instance_id);
        let lines = attributes
            .iter()
            .map(|(key, value)| format!("{key}\u{1f}{value}"));
        lines.collect::<Vec<_>>().join("\u{1e}")
    }
}

/// Reads what [`Settings::identity`] wrote.
pub(crate) fn attributes_of(identity: &str) -> Vec<(&str, &str)> {
    identity
        .split('\u{1e}')
        .filter_map(|it| it.split_once('\u{1f}'))
        .collect()
}
