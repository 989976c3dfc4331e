//! Scraping: a task per target, on a grid of its own, as configured and discovered.
//!
//! *Invariants*: a target keeps its task as long as its job and labels stay, also over reloads. A
//! target that goes away ends its series with stale markers; a process that stops does not.
//!
//! *Sources*: Prometheus, `scrape/manager.go` and `scrape/scrape.go`, as behaviour.

mod discover;
mod series;
mod target;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration as StdDuration;

use firebell_config::{Config, ScrapeJob, ScrapeTarget};
use firebell_model::Labels;
use firebell_tsdb::Store;
use firebell_wire::prometheus_json::{ActiveTarget, DroppedTarget, Targets};
use tokio::sync::Notify;

use self::discover::TargetFiles;
use self::target::{Health, Target, TargetState};
use crate::clock::Clock;
use crate::driver::Handle;
use crate::http_client::Clients;
use crate::metrics::Metrics;

/// Keeps one task per target; cheap to clone.
#[derive(Clone)]
pub(crate) struct Scraper(Arc<Shared>);

/// What the tasks share.
struct Shared {
    store: Arc<Store>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    handle: Handle,
    clients: Clients,
    jobs: RwLock<Vec<Arc<ScrapeJob>>>,
    running: Mutex<BTreeMap<TargetKey, Running>>,
    dropped: Mutex<Vec<DroppedTarget>>,
    files: Mutex<TargetFiles>,
}

/// Identity of a target over reloads: its job, its labels and where it is.
type TargetKey = (String, Labels, String);

/// A target that has a task.
struct Running {
    spec: Arc<RwLock<Spec>>,
    state: Arc<Mutex<TargetState>>,
    stop: Arc<Notify>,
}

/// What a task works on; a reload may swap it.
#[derive(Clone)]
struct Spec {
    job: Arc<ScrapeJob>,
    target: ScrapeTarget,
}

impl Scraper {
    /// A scraper without targets; looks for changed discovery files from now on.
    pub(crate) fn start(
        store: Arc<Store>,
        clock: Arc<Clock>,
        metrics: Arc<Metrics>,
        handle: Handle,
    ) -> Self {
        let scraper = Self(Arc::new(Shared {
            store,
            clock,
            metrics,
            handle,
            clients: Clients::default(),
            jobs: RwLock::default(),
            running: Mutex::default(),
            dropped: Mutex::default(),
            files: Mutex::default(),
        }));
        tokio::spawn(watch_files(scraper.clone()));
        scraper
    }

    /// Puts the scrape jobs of a configuration in force.
    pub(crate) fn configure(&self, config: &Config) {
        *write(&self.0.jobs) = config.scrape.iter().cloned().map(Arc::new).collect();
        self.discover();
    }

    /// Finds the targets of all jobs; starts, changes and stops tasks.
    fn discover(&self) {
        let (mut wanted, mut dropped) = (BTreeMap::new(), Vec::new());
        let mut files = lock(&self.0.files);
        for job in read(&self.0.jobs).iter() {
            let found = files.discover(job);
            for target in found.active {
                let key = (job.name.clone(), target.labels.clone(), target.url.clone());
                wanted.insert(
                    key,
                    Spec {
                        job: Arc::clone(job),
                        target,
                    },
                );
            }
            dropped.extend(found.dropped.into_iter().map(|target| DroppedTarget {
                discovered_labels: target.discovered,
                scrape_pool: job.name.clone(),
            }));
        }
        *lock(&self.0.dropped) = dropped;
        if self.apply(wanted) {
            self.0.handle.status_changed();
        }
    }

    /// Makes the running targets those that are wanted; says whether any came or went.
    fn apply(&self, wanted: BTreeMap<TargetKey, Spec>) -> bool {
        let mut running = lock(&self.0.running);
        let gone: Vec<TargetKey> = running
            .keys()
            .filter(|key| !wanted.contains_key(key))
            .cloned()
            .collect();
        let mut is_changed = !gone.is_empty();
        for key in gone {
            if let Some(target) = running.remove(&key) {
                target.stop.notify_one();
            }
        }
        for (key, spec) in wanted {
            match running.get(&key) {
                Some(target) => *write(&target.spec) = spec,
                None => {
                    is_changed = true;
                    running.insert(key, self.run(spec));
                }
            }
        }
        is_changed
    }

    fn run(&self, spec: Spec) -> Running {
        let state = Arc::new(Mutex::new(TargetState::default()));
        let (spec, stop) = (Arc::new(RwLock::new(spec)), Arc::new(Notify::new()));
        let target = Target::new(Arc::clone(&self.0), Arc::clone(&spec), Arc::clone(&state));
        tokio::spawn(target.run(Arc::clone(&stop)));
        Running { spec, state, stop }
    }

    /// How many targets there are, and how many of them are up.
    pub(crate) fn count_up(&self) -> (usize, usize) {
        let running = lock(&self.0.running);
        let is_up = |target: &&Running| lock(&target.state).health == Health::Up;
        (running.len(), running.values().filter(is_up).count())
    }

    /// The targets as Prometheus's API shows them; `state` is `active`, `dropped` or any.
    pub(crate) fn targets(&self, state: &str, job: Option<&str>) -> Targets {
        let is_wanted = |name: &str| job.is_none_or(|job| job == name);
        let running = lock(&self.0.running);
        let active = running.iter().filter(|((name, ..), _)| is_wanted(name));
        let dropped = lock(&self.0.dropped);
        let mut counts = BTreeMap::new();
        for target in dropped.iter() {
            *counts.entry(target.scrape_pool.clone()).or_default() += 1;
        }
        let dropped = dropped
            .iter()
            .filter(|target| is_wanted(&target.scrape_pool))
            .cloned();
        Targets {
            active_targets: match state {
                "dropped" => Vec::new(),
                _ => active.map(|(_, target)| target.to_json()).collect(),
            },
            dropped_targets: match state {
                "active" => Vec::new(),
                _ => dropped.collect(),
            },
            dropped_target_counts: counts,
        }
    }
}

impl Running {
    fn to_json(&self) -> ActiveTarget {
        let Spec { job, target } = read(&self.spec).clone();
        let state = lock(&self.state).clone();
        ActiveTarget {
            discovered_labels: target.discovered,
            labels: target.labels,
            scrape_pool: job.name.clone(),
            global_url: target.url.clone(),
            scrape_url: target.url,
            last_error: state.last_error,
            last_scrape: state.last_scrape,
            last_scrape_duration: state.took.as_secs_f64(),
            health: state.health.name(),
            scrape_interval: target.interval,
            scrape_timeout: target.timeout,
        }
    }
}

/// Looks for targets that came or went in discovery files.
async fn watch_files(scraper: Scraper) {
    loop {
        tokio::time::sleep(FILES_EVERY).await;
        let has_files = read(&scraper.0.jobs)
            .iter()
            .any(|job| !job.file_discoveries.is_empty());
        if has_files {
            let scraper = scraper.clone();
            let _ = tokio::task::spawn_blocking(move || scraper.discover()).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Discovery files are looked at so often.
const FILES_EVERY: StdDuration = StdDuration::from_secs(5);
