//! What `/metrics` says of the configuration and of what dispatch holds, under Alertmanager's names:
//! what its dashboards and alerts ask for.
//!
//! *Sources*: Alertmanager, `cmd/alertmanager/main.go`, `config/coordinator.go`, `silence/silence.go`.

use std::fmt::Write as _;

use firebell_config::Config;
use firebell_dispatch::SilenceState;
use firebell_engine::Engine;
use firebell_model::{Timestamp, format_float};
use sha2::{Digest as _, Sha256};

use crate::metrics::Metrics;

/// Figures of dispatch at one moment.
#[derive(Default)]
pub(crate) struct DispatchFigures {
    n_groups: usize,
    active: usize,
    pending: usize,
    expired: usize,
}

impl DispatchFigures {
    /// The figures as they are now. Costs as much as there are silences.
    pub(crate) fn of(engine: &Engine, now: Timestamp) -> Self {
        let mut figures = Self {
            n_groups: engine.dispatch().stats().n_groups,
            ..Self::default()
        };
        for (state, _) in engine.dispatch().silences(now) {
            *match state {
                SilenceState::Active => &mut figures.active,
                SilenceState::Pending => &mut figures.pending,
                SilenceState::Expired => &mut figures.expired,
            } += 1;
        }
        figures
    }

    /// Adds them, and what the configuration says, to a page of metrics; before its end, if it has
    /// one.
    pub(crate) fn write(&self, config: &Config, metrics: &Metrics, out: &mut String) {
        let end = "# EOF\n";
        let has_end = out.ends_with(end);
        out.truncate(out.len() - if has_end { end.len() } else { 0 });
        let version = env!("CARGO_PKG_VERSION");
        let build = format!("{{branch=\"firebell\",revision=\"firebell\",version=\"{version}\"}}");
        let (routing, reloaded) = (&config.routing, &metrics.config_reload_success_seconds);
        let mut last = "";
        for (name, labels, value) in [
            ("build_info", build.as_str(), 1.0),
            ("cluster_enabled", "", 0.0),
            ("config_hash", "", hash(&config.alertmanager_text)),
            (
                "config_last_reload_successful",
                "",
                metrics.config_reload_successful.get() as f64,
            ),
            (
                "config_last_reload_success_timestamp_seconds",
                "",
                reloaded.get(),
            ),
            ("dispatcher_aggregation_groups", "", self.n_groups as f64),
            ("inhibition_rules", "", routing.inhibit_rules().len() as f64),
            ("integrations", "", config.integrations.len() as f64),
            ("receivers", "", routing.receivers().iter().len() as f64),
            ("silences", "{state=\"active\"}", self.active as f64),
            ("silences", "{state=\"expired\"}", self.expired as f64),
            ("silences", "{state=\"pending\"}", self.pending as f64),
        ] {
            // Writing to a string does not fail. A family of several lines has one head.
            if std::mem::replace(&mut last, name) != name {
                let _ = writeln!(out, "# TYPE alertmanager_{name} gauge");
            }
            let value = format_float(value);
            let _ = writeln!(out, "alertmanager_{name}{labels} {value}");
        }
        if has_end {
            out.push_str(end);
        }
    }
}

/// A number that differs between configurations; 48 bits, which a float holds exactly.
fn hash(text: &str) -> f64 {
    let digest = Sha256::digest(text);
    let number = digest
        .iter()
        .take(6)
        .fold(0u64, |n, byte| (n << 8) | u64::from(*byte));
    number as f64
}
