//! What the command line says besides the configuration, and over it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use firebell_config::Config;
use firebell_model::{Duration, Regex};
use firebell_promql::Features;

use crate::alertmanagers::QueueLimits;

/// Settings of the command line that are no part of the configuration; the defaults change nothing.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// Whether series may be deleted and snapshots made over HTTP.
    pub has_admin_api: bool,
    /// Whether the program may be ended over HTTP.
    pub has_lifecycle: bool,
    /// Pages of which other origins may ask; `None` is none.
    pub cors_origin: Option<Regex>,
    /// What all paths begin with, such as `/bell`; empty for nothing.
    pub route_prefix: String,
    /// Features that are turned on, in upstream's words.
    pub features: BTreeSet<String>,
    /// Where to listen besides.
    pub listen_also: Vec<SocketAddr>,
    /// What it does as Alertmanager does it; `None` when it is more than that.
    pub alertmanager: Option<AsAlertmanager>,
    /// Limits and times of dispatch.
    pub dispatch: firebell_dispatch::Options,
    /// How the rules work.
    pub rules: firebell_rules::Options,
    /// What waits for Alertmanagers elsewhere.
    pub queues: QueueLimits,
    /// What wins over the configuration.
    pub overrides: Overrides,
    /// All flags with their values, by upstream's names: what `/api/v1/status/flags` shows.
    pub shown: BTreeMap<String, String>,
}

/// What `firebell alertmanager` does otherwise than `firebell serve`.
#[derive(Clone, Debug, Default)]
pub struct AsAlertmanager {
    /// So many GET requests are answered at the same time; 0 is a number for this machine.
    pub gets_max: usize,
    /// A request that takes longer is given up.
    pub timeout: Option<Duration>,
    /// Where peers are told to find it; `None` without a cluster.
    pub cluster_address: Option<SocketAddr>,
    /// Its name among peers; made up when it is empty.
    pub peer_name: String,
}

/// What wins over the configuration; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "named as what they win over")]
pub struct Overrides {
    pub retention: Option<Duration>,
    pub retention_bytes: Option<u64>,
    pub query_timeout: Option<Duration>,
    pub query_lookback: Option<Duration>,
    pub query_concurrency_max: Option<usize>,
    pub query_samples_max: Option<usize>,
    pub query_series_max: Option<usize>,
}

/// The feature that stores zeros for the times at which series began.
pub(crate) const ZERO_AT_CREATION: &str = "created-timestamp-zero-ingestion";

/// The feature that makes kind and unit of a metric labels of its series.
pub(crate) const TYPE_LABELS: &str = "type-and-unit-labels";

/// The feature that tells limits of scrapes and the size of their bodies as series.
pub(crate) const EXTRA_METRICS: &str = "extra-scrape-metrics";

impl Flags {
    /// The experimental parts of PromQL that are turned on.
    pub(crate) fn promql(&self) -> Features {
        Features::named(self.features.iter().map(String::as_str))
    }

    /// Whether a feature is turned on.
    pub(crate) fn has_feature(&self, name: &str) -> bool {
        self.features.contains(name)
    }
}

impl Overrides {
    /// Puts itself over a configuration.
    pub(crate) fn apply(&self, config: &mut Config) {
        fn set<T: Clone>(value: &mut T, over: Option<&T>) {
            if let Some(over) = over {
                *value = over.clone();
            }
        }
        let Config { storage, query, .. } = config;
        set(&mut storage.retention, self.retention.as_ref());
        if self.retention_bytes.is_some() {
            storage.retention_bytes = self.retention_bytes.filter(|bytes| *bytes > 0);
        }
        set(&mut query.timeout, self.query_timeout.as_ref());
        set(&mut query.lookback, self.query_lookback.as_ref());
        set(
            &mut query.concurrency_max,
            self.query_concurrency_max.as_ref(),
        );
        set(&mut query.samples_max, self.query_samples_max.as_ref());
        if self.query_series_max.is_some() {
            query.series_max = self.query_series_max.filter(|max| *max > 0);
        }
    }
}
