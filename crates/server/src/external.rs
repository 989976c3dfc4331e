//! A cluster that holds the series: rules ask it, what they record is written to it.
//!
//! *Invariants*: an expression goes to the cluster whole. What is to be written waits, in order and
//! in memory, and leaves only when the cluster has taken it or refused it for good; what there is
//! no room for is counted and said.
//!
//! *Not here*: people's queries, which are passed on as they are (`http/external.rs`).

mod client;
mod warned;
mod write;

use std::sync::{Arc, OnceLock, mpsc};

use firebell_config::ExternalSource;
use firebell_model::{Labels, Sample, SampleValue, Timestamp};
use firebell_promql::{Prepared, VectorSample};
use firebell_rules::{NO_VECTOR, Querier};
use firebell_wire::source::{Answered, read_instant};

pub(crate) use self::client::{Client, address, foreign, is_json, params};
use self::warned::Warned;
use self::write::Writer;
use crate::evaluate::Pool;
use crate::live::Live;
use crate::metrics::Metrics;

/// What there is to reach a cluster with. Made always, idle without a `source`.
pub(crate) struct External {
    live: Arc<Live>,
    client: Arc<Client>,
    writer: Writer,
    warned: Arc<Warned>,
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
            warned: Arc::default(),
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
            warned: Arc::clone(&self.warned),
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
    warned: Arc<Warned>,
    runtime: tokio::runtime::Handle,
}

impl ClusterQuerier {
    /// Asks on the runtime's threads, and waits on this one, which outlives the runtime: when the
    /// server stops, the question is dropped there, where to go on with it here would be a panic.
    fn ask(&self, expr: &str, at: Timestamp) -> Result<Vec<u8>, String> {
        let (client, source) = (Arc::clone(&self.client), Arc::clone(&self.source));
        let expr = expr.to_owned();
        let (answer, answered) = mpsc::sync_channel(1);
        self.runtime.spawn(async move {
            // Whoever asked waits for it.
            let _ = answer.send(client.query(&source, &expr, at).await);
        });
        let stopped = |_| "failed to query the source: the server is stopping".to_owned();
        answered.recv().map_err(stopped)?
    }
}

impl Querier for ClusterQuerier {
    fn vector(&self, expr: &mut Prepared, at: Timestamp) -> Result<Vec<VectorSample>, String> {
        let body = self.ask(expr.plan().text(), at)?;
        let sample = |(labels, value)| VectorSample {
            labels,
            at,
            value: SampleValue::Float(value),
        };
        let instant = read_instant(&body).map_err(|error| error.to_string())?;
        for warning in self.warned.begins(instant.warnings) {
            let expr = expr.plan().text();
            tracing::warn!(
                warning,
                expr,
                "the source warns: what rules find may be incomplete"
            );
        }
        match instant.answered {
            Answered::Vector(samples) => Ok(samples.into_iter().map(sample).collect()),
            Answered::Scalar(value) => Ok(vec![sample((Labels::empty(), value))]),
            Answered::Other => Err(NO_VECTOR.to_owned()),
        }
    }
}

/// Rules that wait for the cluster at the same time, of all groups together.
const EVALUATIONS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firebell_config::{ExternalUrl, OsFiles, load_with};
    use firebell_promql::{Features, Plan};

    use super::*;

    /// The source of a configuration whose cluster is at `address`.
    fn source_at(address: std::net::SocketAddr) -> Arc<ExternalSource> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("firebell.yml");
        let text = format!("source: {{prometheus: {{url: 'http://{address}'}}}}");
        std::fs::write(&file, text).unwrap();
        let url = ExternalUrl::default();
        let config = load_with(Some(&file), &url, &OsFiles, Features::default()).unwrap();
        config.source.unwrap()
    }

    #[test]
    fn a_question_to_a_cluster_that_hangs_ends_with_the_runtime() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let source = source_at(listener.local_addr().unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let querier = ClusterQuerier {
            source,
            client: Arc::default(),
            warned: Arc::default(),
            runtime: runtime.handle().clone(),
        };
        let ask = move || {
            let mut expr = Prepared::new(Plan::new("up").unwrap());
            let first = querier.vector(&mut expr, Timestamp(0));
            // What begins later ends as well.
            (first, querier.vector(&mut expr, Timestamp(0)))
        };
        let asking = std::thread::spawn(ask);
        let (_asked, _) = listener.accept().unwrap();
        runtime.shutdown_timeout(Duration::from_secs(1));
        let stopped = Err("failed to query the source: the server is stopping".to_owned());
        assert_eq!(asking.join().unwrap(), (stopped.clone(), stopped));
    }
}
