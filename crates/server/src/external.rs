//! A cluster that holds the series: rules ask it, what they record is written to it.
//!
//! *Invariants*: an expression goes to the cluster whole. What is to be written waits, in order and
//! in memory, and leaves only when the cluster has taken it or refused it for good; what there is
//! no room for is counted and said.
//!
//! *Not here*: people's queries, which are passed on as they are (`http/external.rs`).

mod client;
mod write;

use std::sync::{Arc, OnceLock};

use firebell_config::ExternalSource;
use firebell_model::{Labels, Sample, SampleValue, Timestamp};
use firebell_promql::{Prepared, VectorSample};
use firebell_rules::{NO_VECTOR, Querier};
use firebell_wire::source::{Answered, read_instant};

pub(crate) use self::client::{Client, address, foreign, is_json, params};
use self::write::Writer;
use crate::evaluate::Pool;
use crate::live::Live;
use crate::metrics::Metrics;

/// What there is to reach a cluster with. Made always, idle without a `source`.
pub(crate) struct External {
    live: Arc<Live>,
    client: Arc<Client>,
    writer: Writer,
    /// Whoever evaluates waits for the network most of the time: many may.
    pool: OnceLock<Option<Pool>>,
    runtime: tokio::runtime::Handle,
}

impl External {
    /// Starts the task that writes.
    pub(crate) fn start(live: Arc<Live>, metrics: Arc<Metrics>) -> Self {
        let client = Arc::new(Client::default());
        Self {
            writer: Writer::start(Arc::clone(&live), Arc::clone(&client), metrics),
            live,
            client,
            pool: OnceLock::new(),
            runtime: tokio::runtime::Handle::current(),
        }
    }

    /// Connections to it.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The cluster, if there is one in the configuration in force.
    pub(crate) fn source(&self) -> Option<Arc<ExternalSource>> {
        self.live.config().source.clone()
    }

    /// Threads for evaluations, or `None` when the system gives none.
    pub(crate) fn pool(&self) -> Option<&Pool> {
        let start = || match Pool::start(EVALUATIONS_MAX) {
            Ok(pool) => Some(pool),
            Err(error) => {
                tracing::error!(%error, "failed to start threads for the rules of `source`");
                None
            }
        };
        self.pool.get_or_init(start).as_ref()
    }

    /// Who answers rules from now on.
    pub(crate) fn querier(&self, source: Arc<ExternalSource>) -> ClusterQuerier {
        ClusterQuerier {
            source,
            client: Arc::clone(&self.client),
            runtime: self.runtime.clone(),
        }
    }

    /// Queues samples of rules.
    pub(crate) fn write(&self, samples: Vec<(Labels, Sample)>) {
        self.writer.push(samples);
    }

    /// Waits until everything is written, or the time is over.
    pub(crate) async fn drain(&self, within: std::time::Duration) {
        self.writer.drain(within).await;
    }
}

/// Evaluates on a thread of its own, by asking.
pub(crate) struct ClusterQuerier {
    source: Arc<ExternalSource>,
    client: Arc<Client>,
    runtime: tokio::runtime::Handle,
}

impl Querier for ClusterQuerier {
    fn vector(&self, expr: &mut Prepared, at: Timestamp) -> Result<Vec<VectorSample>, String> {
        let asked = self.client.query(&self.source, expr.plan().text(), at);
        let body = self.runtime.block_on(asked)?;
        let sample = |(labels, value)| VectorSample {
            labels,
            at,
            value: SampleValue::Float(value),
        };
        match read_instant(&body).map_err(|error| error.to_string())? {
            Answered::Vector(samples) => Ok(samples.into_iter().map(sample).collect()),
            Answered::Scalar(value) => Ok(vec![sample((Labels::empty(), value))]),
            Answered::Other => Err(NO_VECTOR.to_owned()),
        }
    }
}

/// Rules that wait for the cluster at the same time, of all groups together.
const EVALUATIONS_MAX: usize = 16;
