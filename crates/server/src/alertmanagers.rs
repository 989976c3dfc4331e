//! Alertmanagers elsewhere: each has a queue of its own, and is tried until it has taken everything.
//!
//! *Invariants*: an alert waits in a queue once, as it stands now: what it was before is of no use
//! to anybody. An Alertmanager that is down or slow holds up no other.
//!
//! *Limits*: as many alerts wait for each as `--alertmanager.notification-queue-capacity` says; then
//! the oldest make room, are counted in `prometheus_notifications_dropped_total`, and the log says
//! so. A restart forgets the queues: the rules send what still holds anew. A reload keeps the queue of
//! each address that it still names, however its job has changed: what waits is sent as the job of
//! now says.
//!
//! *Sources*: Prometheus, `notifier/`, as behaviour; it gives a batch up that was not taken at once.

mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use firebell_config::AlertmanagerJob;
use firebell_model::{Alert, RelabelRule, relabel};
use firebell_wire::alertmanager_json::alerts_body;
use reqwest::{Method, StatusCode};
use tokio::sync::Notify;

use self::queue::Queue;
use crate::clock::Stopwatch;
use crate::http_client::{self, Clients};
use crate::live::Live;
use crate::metrics::{AlertmanagerLabel, Metrics};
use crate::target_files::TargetFiles;

/// How much may wait, and how much goes at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueLimits {
    /// Alerts that wait for one Alertmanager.
    pub capacity: usize,
    /// Alerts of one request.
    pub batch: usize,
    /// Whether what waits is sent before the program ends.
    pub drains: bool,
}

impl Default for QueueLimits {
    /// Upstream's.
    fn default() -> Self {
        Self {
            capacity: 10_000,
            batch: 256,
            drains: true,
        }
    }
}

/// Sends alerts to all Alertmanagers that the configuration names.
pub(crate) struct Alertmanagers {
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    limits: QueueLimits,
    clients: Clients,
    files: Mutex<TargetFiles>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    peers: BTreeMap<PeerKey, Arc<Peer>>,
    dropped: BTreeSet<String>,
    errors: BTreeSet<String>,
}

/// The place of its job in the configuration, and its address.
type PeerKey = (usize, String);

/// One Alertmanager.
struct Peer {
    url: String,
    job: AlertmanagerJob,
    /// Handed on to whoever takes its place.
    waiting: Arc<Waiting>,
    end: OnceLock<End>,
}

/// What waits for one address.
#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    has_more: Notify,
    /// Held by the sender that has a batch under way: one that is replaced ends its own first, so
    /// that nothing older is sent after something newer.
    turn: tokio::sync::Mutex<()>,
}

/// Why a sender ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Another sends what waits from now on.
    Replaced,
    /// The configuration no longer names it.
    Unwanted,
}

/// What became of a request.
enum Outcome {
    Taken,
    /// It makes no sense to try again.
    Refused(String),
    /// It may be taken later; the Alertmanager may say when.
    Failed(String, Option<Duration>),
}

impl Alertmanagers {
    /// Finds the Alertmanagers, and looks for changed discovery files from now on.
    pub(crate) fn start(live: Arc<Live>, metrics: Arc<Metrics>, limits: QueueLimits) -> Arc<Self> {
        metrics.alerts_queue_capacity.set(limits.capacity as i64);
        let all = Arc::new(Self {
            live,
            metrics,
            limits,
            clients: Clients::default(),
            files: Mutex::default(),
            known: Mutex::default(),
        });
        all.discover();
        tokio::spawn(watch_files(Arc::clone(&all)));
        all
    }

    /// Queues alerts for every Alertmanager, after its own relabelling.
    pub(crate) fn send(&self, alerts: &[Alert]) {
        for peer in lock(&self.known).peers.values() {
            let alerts = alerts.iter();
            let wanted = alerts.filter_map(|alert| relabelled(alert, &peer.job.alert_relabel));
            let mut queue = lock(&peer.waiting.queue);
            wanted.for_each(|alert| queue.push(alert));
            let n_dropped = queue.make_room(self.limits.capacity);
            self.note_length(peer, &queue);
            drop(queue);
            self.note_dropped(peer, n_dropped, "its queue is full");
            peer.waiting.has_more.notify_one();
        }
    }

    /// Finds the Alertmanagers of the configuration in force; starts and stops senders. An
    /// address that stays keeps its queue, though its job may change.
    pub(crate) fn discover(self: &Arc<Self>) {
        let config = self.live.config();
        let mut wanted = BTreeMap::new();
        let (mut dropped, mut errors) = (BTreeSet::new(), BTreeSet::new());
        let mut files = lock(&self.files);
        for (idx, job) in config.alertmanagers.iter().enumerate() {
            let found = job.targets(&files.groups(&job.discovery));
            wanted.extend(found.active.into_iter().map(|url| ((idx, url), job)));
            dropped.extend(found.dropped);
            errors.extend(found.errors);
        }
        drop(files);
        let mut known = lock(&self.known);
        for error in errors.difference(&known.errors) {
            tracing::error!(error, "an Alertmanager cannot be reached like that");
        }
        (known.dropped, known.errors) = (dropped, errors);
        let (stay, mut left) = std::mem::take(&mut known.peers)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(key, peer)| {
                wanted.get(key).is_some_and(|job| **job == peer.job)
            });
        known.peers = stay;
        for ((idx, url), job) in wanted {
            let entry = known.peers.entry((idx, url));
            entry.or_insert_with_key(|(_, url)| {
                // Its job has changed, or stands elsewhere: what waits, waits on.
                let key = left.keys().find(|(_, known)| known == url).cloned();
                let before = key.and_then(|key| left.remove(&key));
                let waiting = before.map(|peer| peer.retire(End::Replaced));
                self.start_peer(url.clone(), job.clone(), waiting.unwrap_or_default())
            });
        }
        for peer in left.values() {
            self.forget(peer);
        }
        self.metrics
            .alertmanagers_discovered
            .set(known.peers.len() as i64);
    }

    /// The addresses of those that get alerts, and of those that relabelling dropped.
    pub(crate) fn addresses(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let known = lock(&self.known);
        let active = known.peers.values().map(|peer| peer.url.clone());
        (active.collect(), known.dropped.clone())
    }

    /// Waits until everything is sent, or the time is over.
    pub(crate) async fn drain(&self, within: Duration) {
        let n_waiting = || {
            let known = lock(&self.known);
            let lengths = known
                .peers
                .values()
                .map(|peer| lock(&peer.waiting.queue).len());
            lengths.sum::<usize>()
        };
        let empty = async {
            while n_waiting() > 0 {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        if self.limits.drains && tokio::time::timeout(within, empty).await.is_err() {
            let alerts = n_waiting();
            tracing::error!(alerts, "stopping before Alertmanagers took all alerts");
        }
    }

    fn start_peer(
        self: &Arc<Self>,
        url: String,
        job: AlertmanagerJob,
        waiting: Arc<Waiting>,
    ) -> Arc<Peer> {
        let peer = Arc::new(Peer {
            url,
            job,
            waiting,
            end: OnceLock::new(),
        });
        let sender = Sender {
            peer: Arc::clone(&peer),
            all: Arc::clone(self),
        };
        tokio::spawn(sender.run());
        peer
    }

    fn forget(&self, peer: &Peer) {
        let waiting = peer.retire(End::Unwanted);
        let n_left = lock(&waiting.queue).clear();
        self.note_dropped(peer, n_left, UNWANTED);
        self.metrics.alerts_queue_length.remove(&label(peer));
    }

    fn note_length(&self, peer: &Peer, queue: &Queue) {
        let length = self.metrics.alerts_queue_length.get_or_create(&label(peer));
        length.set(queue.len() as i64);
    }

    fn note_dropped(&self, peer: &Peer, alerts: usize, why: &str) {
        if alerts > 0 {
            let dropped = &self.metrics.alerts_dropped;
            dropped.get_or_create(&label(peer)).inc_by(alerts as u64);
            tracing::error!(alertmanager = peer.url, alerts, why, "alerts were not sent");
        }
    }
}

impl Peer {
    /// Ends its sender, once what is under way has come to its end.
    fn retire(&self, end: End) -> Arc<Waiting> {
        // It is retired once.
        let _ = self.end.set(end);
        self.waiting.has_more.notify_one();
        Arc::clone(&self.waiting)
    }
}

/// The alert as one Alertmanager gets it; `None` when relabelling drops it.
fn relabelled(alert: &Alert, rules: &[RelabelRule]) -> Option<Alert> {
    if rules.is_empty() {
        return Some(alert.clone());
    }
    let mut labels = alert.labels.to_builder();
    let is_kept = relabel(rules, &mut labels);
    let labels = labels.build();
    (is_kept && !labels.is_empty()).then(|| Alert {
        labels,
        ..alert.clone()
    })
}

/// Empties the queue of one Alertmanager.
struct Sender {
    peer: Arc<Peer>,
    all: Arc<Alertmanagers>,
}

impl Sender {
    async fn run(self) {
        self.work().await;
        // The call that woke this one may have been meant for its successor.
        self.peer.waiting.has_more.notify_one();
    }

    async fn work(&self) {
        let mut backoff = BACKOFF_MIN;
        loop {
            let turn = self.peer.waiting.turn.lock().await;
            if self.peer.end.get().is_some() {
                return;
            }
            let batch = lock(&self.peer.waiting.queue).take(self.all.limits.batch);
            if batch.is_empty() {
                drop(turn);
                self.peer.waiting.has_more.notified().await;
                continue;
            }
            match self.attempt(&batch).await {
                Outcome::Failed(why, after) => {
                    self.note_failure(batch.len());
                    if backoff == BACKOFF_MIN {
                        tracing::warn!(alertmanager = self.peer.url, why, "alerts wait");
                    }
                    if self.give_back(batch) {
                        return;
                    }
                    drop(turn);
                    let wait = after.unwrap_or(backoff);
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                    tokio::time::sleep(wait).await;
                }
                outcome => {
                    backoff = BACKOFF_MIN;
                    let n = batch.len();
                    let mut queue = lock(&self.peer.waiting.queue);
                    queue.settle(n);
                    self.all.note_length(&self.peer, &queue);
                    drop(queue);
                    match outcome {
                        Outcome::Refused(why) => {
                            self.note_failure(n);
                            self.all.note_dropped(&self.peer, n, &why);
                        }
                        _ => self.note_sent(n),
                    }
                }
            }
        }
    }

    /// Puts back what could not be sent; true when it is another's from now on, or nobody's.
    fn give_back(&self, batch: Vec<Alert>) -> bool {
        let waiting = &self.peer.waiting;
        let n = batch.len();
        let mut queue = lock(&waiting.queue);
        match self.peer.end.get() {
            Some(End::Unwanted) => {
                queue.settle(n);
                drop(queue);
                self.all.note_dropped(&self.peer, n, UNWANTED);
            }
            _ => {
                queue.give_back(batch);
                drop(queue);
            }
        }
        // Whoever took its place may be waiting for more.
        waiting.has_more.notify_one();
        self.peer.end.get().is_some()
    }

    fn note_sent(&self, alerts: usize) {
        let sent = &self.all.metrics.alerts_sent;
        sent.get_or_create(&label(&self.peer)).inc_by(alerts as u64);
    }

    fn note_failure(&self, alerts: usize) {
        let errors = &self.all.metrics.alerts_send_errors;
        errors
            .get_or_create(&label(&self.peer))
            .inc_by(alerts as u64);
    }

    async fn attempt(&self, batch: &[Alert]) -> Outcome {
        let request = match self.request() {
            Ok(request) => request.body(alerts_body(batch)),
            Err(why) => return Outcome::Failed(why, None),
        };
        let watch = Stopwatch::start();
        let response = request.send().await;
        let latency = &self.all.metrics.alerts_latency;
        let seconds = watch.elapsed().as_secs_f64();
        latency.0.get_or_create(&label(&self.peer)).observe(seconds);
        let response = match response {
            Ok(response) => response,
            Err(error) => return Outcome::Failed(http_client::why(&error.without_url()), None),
        };
        let status = response.status();
        if status.is_success() {
            return Outcome::Taken;
        }
        let after = http_client::retry_after(&response);
        let said = http_client::body(response, SAID_BYTES_MAX)
            .await
            .unwrap_or_default();
        let why = format!("status {status}: {}", String::from_utf8_lossy(&said).trim());
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            Outcome::Failed(why, after)
        } else {
            Outcome::Refused(why)
        }
    }

    fn request(&self) -> Result<reqwest::RequestBuilder, String> {
        let Peer { url, job, .. } = &*self.peer;
        let request = self.all.clients.request(Method::POST, url, &job.http)?;
        Ok(request
            .header("Content-Type", "application/json")
            .timeout(job.timeout.to_std()))
    }
}

fn label(peer: &Peer) -> AlertmanagerLabel {
    AlertmanagerLabel {
        alertmanager: peer.url.clone(),
    }
}

/// Looks for Alertmanagers that came or went in discovery files.
async fn watch_files(all: Arc<Alertmanagers>) {
    loop {
        tokio::time::sleep(FILES_EVERY).await;
        let config = all.live.config();
        if config
            .alertmanagers
            .iter()
            .any(|job| !job.discovery.files.is_empty())
        {
            let all = Arc::clone(&all);
            let _ = tokio::task::spawn_blocking(move || all.discover()).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const UNWANTED: &str = "the configuration no longer names it";
const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
const DRAIN_POLL: Duration = Duration::from_millis(20);
const FILES_EVERY: Duration = Duration::from_secs(5);
/// What is read of a refusal.
const SAID_BYTES_MAX: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use axum::extract::State;
    use axum::routing::post;
    use firebell_config::{ExternalUrl, OsFiles, load_with};
    use firebell_model::{Labels, Timestamp};
    use firebell_promql::Features;

    use super::*;
    use crate::managed::Texts;

    fn write(file: &Path, address: &str, timeout: &str) {
        let text = format!(
            "alerting: {{alertmanagers: [{{timeout: {timeout}, static_configs: [{{targets: ['{address}']}}]}}]}}"
        );
        std::fs::write(file, text).unwrap();
    }

    fn alert(name: &str) -> Alert {
        Alert {
            labels: Labels::from_pairs([("alertname", name)]),
            annotations: Labels::empty(),
            starts_at: Timestamp(1),
            ends_at: None,
            generator_url: String::new(),
            updated_at: Timestamp(1),
            is_timeout: false,
        }
    }

    #[tokio::test]
    async fn what_waits_for_an_address_outlives_the_change_of_its_job() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("firebell.yml");
        write(&file, &address.to_string(), "1s");
        let none = ExternalUrl::default();
        let config = load_with(Some(&file), &none, &OsFiles, Features::default()).unwrap();
        let live = Live::new(
            Some(file.clone()),
            none,
            crate::flags::Overrides::default(),
            Features::default(),
            config,
            Timestamp(0),
        );
        let live = Arc::new(live);
        let metrics = Arc::new(Metrics::default());
        let all = Alertmanagers::start(
            Arc::clone(&live),
            Arc::clone(&metrics),
            QueueLimits::default(),
        );
        all.send(&[alert("A")]);
        // Nobody listens there, whatever the job says.
        for timeout in ["2s", "3s"] {
            write(&file, &address.to_string(), timeout);
            live.reload(Timestamp(1), &Texts::default()).unwrap();
            all.discover();
        }
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let take = async |State(told): State<tokio::sync::mpsc::UnboundedSender<String>>,
                          body: String| drop(told.send(body));
        let app = axum::Router::new()
            .route("/api/v2/alerts", post(take))
            .with_state(told);
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let server = tokio::spawn(async { axum::serve(listener, app).await });
        let body = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await;
        let body = body.unwrap().unwrap();
        assert!(body.contains("\"alertname\":\"A\""), "{body}");
        server.abort();

        // Another address: what waits for this one is dropped, and counted.
        all.send(&[alert("B"), alert("C")]);
        write(&file, "127.0.0.1:1", "1s");
        live.reload(Timestamp(2), &Texts::default()).unwrap();
        all.discover();
        let url = format!("http://{address}/api/v2/alerts");
        let dropped = || {
            let label = AlertmanagerLabel {
                alertmanager: url.clone(),
            };
            metrics.alerts_dropped.get_or_create(&label).get()
        };
        // One batch may have been under way.
        let dropped = async {
            while dropped() < 2 {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), dropped)
            .await
            .unwrap();
    }
}
