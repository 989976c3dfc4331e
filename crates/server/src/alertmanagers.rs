//! Alertmanagers elsewhere: each has a queue of its own, and is tried until it has taken everything.
//!
//! *Invariants*: an alert waits in a queue once, as it stands now: what it was before is of no use
//! to anybody. An Alertmanager that is down or slow holds up no other.
//!
//! *Limits*: as many alerts wait for each as `--alertmanager.notification-queue-capacity` says; then
//! the oldest make room, are counted in `prometheus_notifications_dropped_total`, and the log says
//! so. A restart forgets the queues: the rules send what still holds anew.
//!
//! *Sources*: Prometheus, `notifier/`, as behaviour; it gives a batch up that was not taken at once.

mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    queue: Mutex<Queue>,
    has_more: Notify,
    /// It is no longer wanted.
    is_gone: std::sync::atomic::AtomicBool,
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
            let mut queue = lock(&peer.queue);
            wanted.for_each(|alert| queue.push(alert));
            let n_dropped = queue.make_room(self.limits.capacity);
            self.note_length(peer, &queue);
            drop(queue);
            self.note_dropped(peer, n_dropped, "its queue is full");
            peer.has_more.notify_one();
        }
    }

    /// Finds the Alertmanagers of the configuration in force; starts and stops senders. One whose
    /// job and address stay keeps its queue.
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
        known.peers.retain(|key, peer| {
            let stays = wanted.get(key).is_some_and(|job| **job == peer.job);
            if !stays {
                self.forget(peer);
            }
            stays
        });
        for ((idx, url), job) in wanted {
            let start = || self.start_peer(url.clone(), job.clone());
            known.peers.entry((idx, url.clone())).or_insert_with(start);
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
            let lengths = known.peers.values().map(|peer| lock(&peer.queue).len());
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

    fn start_peer(self: &Arc<Self>, url: String, job: AlertmanagerJob) -> Arc<Peer> {
        let peer = Arc::new(Peer {
            url,
            job,
            queue: Mutex::default(),
            has_more: Notify::new(),
            is_gone: false.into(),
        });
        let sender = Sender {
            peer: Arc::clone(&peer),
            all: Arc::clone(self),
        };
        tokio::spawn(sender.run());
        peer
    }

    fn forget(&self, peer: &Peer) {
        peer.is_gone
            .store(true, std::sync::atomic::Ordering::Relaxed);
        peer.has_more.notify_one();
        let n_left = lock(&peer.queue).len();
        self.note_dropped(peer, n_left, "the configuration no longer names it");
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
        let mut backoff = BACKOFF_MIN;
        while !self.is_gone() {
            let batch = lock(&self.peer.queue).take(self.all.limits.batch);
            if batch.is_empty() {
                self.peer.has_more.notified().await;
                continue;
            }
            match self.attempt(&batch).await {
                Outcome::Failed(why, after) => {
                    self.note_failure(batch.len());
                    if backoff == BACKOFF_MIN {
                        tracing::warn!(alertmanager = self.peer.url, why, "alerts wait");
                    }
                    lock(&self.peer.queue).give_back(batch);
                    let wait = after.unwrap_or(backoff);
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                    tokio::time::sleep(wait).await;
                }
                outcome => {
                    backoff = BACKOFF_MIN;
                    let n = batch.len();
                    let mut queue = lock(&self.peer.queue);
                    queue.settle();
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

    fn is_gone(&self) -> bool {
        self.peer.is_gone.load(std::sync::atomic::Ordering::Relaxed)
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

const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
const DRAIN_POLL: Duration = Duration::from_millis(20);
const FILES_EVERY: Duration = Duration::from_secs(5);
/// What is read of a refusal.
const SAID_BYTES_MAX: usize = 4 << 10;
