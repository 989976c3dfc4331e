//! Remote write to a cluster: one queue, one sender, so that samples arrive in order.
//!
//! *Limits*: [`QUEUE_MAX`] samples wait; then the oldest make room, since the cluster wants the
//! newest when it is back. `firebell_source_samples_dropped_total` counts them, and the log says when
//! it begins. A restart forgets the queue: the state of alerts is in the journal, not there.
//!
//! *Sources*: the remote write 1.0 specification, section on retries and backoff.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use firebell_config::ExternalSource;
use firebell_model::{Labels, Sample};
use firebell_wire::source::{with_external, write_request};
use reqwest::{Method, StatusCode};
use tokio::sync::Notify;

use super::client::{Client, foreign};
use crate::http_client;
use crate::live::Live;
use crate::metrics::Metrics;

/// Takes samples, and sends them in the background.
pub(crate) struct Writer {
    queue: Arc<Queue>,
}

struct Queue {
    waiting: Mutex<Waiting>,
    has_more: Notify,
    /// What waits for another attempt is tried at once: later there is no time any more.
    is_last: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Waiting {
    samples: VecDeque<(Labels, Sample)>,
    /// Of them, so many are under way.
    n_sending: usize,
    is_full: bool,
}

struct Sender {
    queue: Arc<Queue>,
    live: Arc<Live>,
    client: Arc<Client>,
    metrics: Arc<Metrics>,
}

/// What became of an attempt.
enum Outcome {
    Taken,
    /// It makes no sense to try again.
    Refused(String),
    /// It may be taken later; the cluster may say when.
    Failed(String, Option<Duration>),
}

impl Writer {
    /// Starts the sender.
    pub(crate) fn start(live: Arc<Live>, client: Arc<Client>, metrics: Arc<Metrics>) -> Self {
        let queue = Arc::new(Queue {
            waiting: Mutex::default(),
            has_more: Notify::new(),
            is_last: Notify::new(),
            metrics: Arc::clone(&metrics),
        });
        let sender = Sender {
            queue: Arc::clone(&queue),
            live,
            client,
            metrics,
        };
        tokio::spawn(sender.run());
        Self { queue }
    }

    /// Queues samples.
    pub(crate) fn push(&self, samples: Vec<(Labels, Sample)>) {
        let mut waiting = self.queue.lock();
        waiting.samples.extend(samples);
        self.queue.make_room(&mut waiting);
        drop(waiting);
        self.queue.has_more.notify_one();
    }

    /// Waits until the queue is empty, or the time is over. Whatever the cluster said of when to come
    /// again, it is asked once more.
    pub(crate) async fn drain(&self, within: Duration) {
        self.queue.is_last.notify_one();
        let empty = async {
            while !self.queue.lock().samples.is_empty() {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        if tokio::time::timeout(within, empty).await.is_err() {
            let n = self.queue.lock().samples.len();
            tracing::error!(
                samples = n,
                "stopping before the source took what rules recorded"
            );
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the oldest samples that nobody is sending, down to the limit.
    fn make_room(&self, waiting: &mut Waiting) {
        let n = waiting.samples.len().saturating_sub(QUEUE_MAX);
        let n = n.min(waiting.samples.len() - waiting.n_sending);
        let first = waiting.n_sending;
        waiting.samples.drain(first..first + n);
        self.metrics.source_samples_dropped.inc_by(n as u64);
        if n > 0 && !waiting.is_full {
            tracing::error!(
                limit = QUEUE_MAX,
                "the source does not take what rules record: the oldest samples are dropped"
            );
        }
        waiting.is_full = n > 0;
        let pending = waiting.samples.len();
        self.metrics.source_samples_pending.set(pending as i64);
    }

    /// Forgets what was under way.
    fn sent(&self) {
        let mut waiting = self.lock();
        let n = std::mem::take(&mut waiting.n_sending);
        waiting.samples.drain(..n);
        let pending = waiting.samples.len();
        self.metrics.source_samples_pending.set(pending as i64);
    }
}

impl Sender {
    async fn run(self) {
        loop {
            self.queue.has_more.notified().await;
            // Rules of one group come within moments: they share a request.
            tokio::time::sleep(GATHER_FOR).await;
            while let Some(batch) = self.next_batch() {
                self.send(&batch).await;
                self.queue.sent();
            }
        }
    }

    /// The oldest samples; they stay in the queue until it is known what became of them.
    fn next_batch(&self) -> Option<Vec<(Labels, Sample)>> {
        let mut waiting = self.queue.lock();
        waiting.n_sending = waiting.samples.len().min(BATCH_MAX);
        let external = self.live.config().external_labels.clone();
        let batch = waiting.samples.iter().take(waiting.n_sending);
        let batch: Vec<_> = batch
            .map(|(labels, sample)| (with_external(labels, &external), *sample))
            .collect();
        (!batch.is_empty()).then_some(batch)
    }

    /// Sends a batch until it is taken or refused.
    async fn send(&self, batch: &[(Labels, Sample)]) {
        let (body, n) = (write_request(batch), batch.len() as u64);
        let mut backoff = BACKOFF_MIN;
        let mut has_failed = false;
        let mut changes = self.live.changes();
        loop {
            let source = self.live.config().source.clone();
            let outcome = match source.as_deref() {
                Some(source) => self.attempt(source, body.clone()).await,
                None => Outcome::Refused("the configuration names no `source` any more".to_owned()),
            };
            match outcome {
                Outcome::Taken => {
                    self.metrics.source_samples_sent.inc_by(n);
                    if has_failed {
                        tracing::info!("the source takes samples again");
                    }
                    return;
                }
                Outcome::Refused(why) => {
                    self.metrics.source_samples_dropped.inc_by(n);
                    tracing::error!(why, samples = n, "the source refused what rules recorded");
                    return;
                }
                Outcome::Failed(why, after) => {
                    self.metrics.source_writes_retried.inc();
                    if !has_failed {
                        tracing::warn!(why, "the source takes no samples; they wait");
                    }
                    has_failed = true;
                    tokio::select! {
                        () = tokio::time::sleep(after.unwrap_or(backoff)) => {}
                        // Another address, perhaps.
                        _ = changes.changed() => {}
                        () = self.queue.is_last.notified() => {}
                    }
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    async fn attempt(&self, source: &ExternalSource, body: Vec<u8>) -> Outcome {
        let Some(url) = &source.write_url else {
            return Outcome::Taken;
        };
        let request = match self.client.request(source, Method::POST, url.reveal()) {
            Ok(request) => request,
            Err(why) => return Outcome::Failed(why, None),
        };
        let request = request
            .header("Content-Type", "application/x-protobuf")
            .header("Content-Encoding", "snappy")
            .header("X-Prometheus-Remote-Write-Version", "0.1.0");
        let response = match request.body(body).send().await {
            Ok(response) => response,
            Err(error) => return Outcome::Failed(http_client::why(&error.without_url()), None),
        };
        let status = response.status();
        if status.is_success() {
            return Outcome::Taken;
        }
        let after = http_client::retry_after(&response);
        let said = http_client::body(response, SAID_BYTES_MAX).await;
        let why = foreign(status, &said.unwrap_or_default());
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            Outcome::Failed(why, after)
        } else {
            Outcome::Refused(why)
        }
    }
}

/// An hour of a thousand rules that run every fifteen seconds; some fifty megabytes.
const QUEUE_MAX: usize = 250_000;
/// As upstream's `max_samples_per_send`.
const BATCH_MAX: usize = 2_000;
const GATHER_FOR: Duration = Duration::from_millis(100);
/// As upstream's `min_backoff` and `max_backoff`.
const BACKOFF_MIN: Duration = Duration::from_millis(30);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
const DRAIN_POLL: Duration = Duration::from_millis(20);
/// What is read of a refusal.
const SAID_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use firebell_config::{Config, ExternalUrl, OsFiles, load_with};
    use firebell_model::Timestamp;
    use firebell_promql::Features;
    use tokio::net::TcpListener;

    use super::*;

    fn config_of(address: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("firebell.yml");
        let text = format!("source: {{prometheus: {{url: 'http://{address}'}}}}");
        std::fs::write(&file, text).unwrap();
        let url = ExternalUrl::default();
        load_with(Some(&file), &url, &OsFiles, Features::default()).unwrap()
    }

    #[tokio::test]
    async fn a_reload_and_a_stop_do_not_wait_for_as_long_as_the_cluster_wants() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let n_asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&n_asked);
        // Takes the third attempt.
        let router =
            Router::new().fallback(
                async move || match counter.fetch_add(1, Ordering::Relaxed) {
                    0 | 1 => (StatusCode::SERVICE_UNAVAILABLE, [("Retry-After", "60")]),
                    _ => (StatusCode::OK, [("Retry-After", "0")]),
                },
            );
        tokio::spawn(async move { axum::serve(listener, router).await });
        let asked = async |n: usize| {
            while n_asked.load(Ordering::Relaxed) < n {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let (url, features) = (ExternalUrl::default(), Features::default());
        let (config, zero) = (config_of(&address), Timestamp(0));
        let live = Live::new(None, url, Default::default(), features, config, zero);
        let (live, metrics) = (Arc::new(live), Arc::new(Metrics::default()));
        let client = Arc::new(Client::default());
        let writer = Writer::start(Arc::clone(&live), client, Arc::clone(&metrics));
        let labels = Labels::from_pairs([("__name__", "up")]);
        let (at, value) = (Timestamp(1), 1.0);
        writer.push(vec![(labels, Sample { at, value })]);
        let all = async {
            asked(1).await;
            live.put(config_of(&address), Timestamp(1));
            asked(2).await;
            writer.drain(Duration::from_secs(10)).await;
        };
        tokio::time::timeout(Duration::from_secs(20), all)
            .await
            .unwrap();
        assert_eq!(n_asked.load(Ordering::Relaxed), 3);
        assert_eq!(metrics.source_samples_sent.get(), 1);
    }
}
