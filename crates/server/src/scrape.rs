//! Scraping: a task per target, on a grid of its own, as configured and discovered.
//!
//! *Invariants*: a target keeps its task as long as its job and labels stay, also over reloads. A
//! target that goes away ends its series with stale markers, once another one has had the time to go
//! on with them; a process that stops does not.
//!
//! *Sources*: Prometheus, `scrape/manager.go` and `scrape/scrape.go`, as behaviour.

mod body;
mod families;
mod limits;
mod series;
mod target;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration as StdDuration;

use firebell_config::{Config, ScrapeJob, ScrapeTarget, targets};
use firebell_model::Labels;
use firebell_tsdb::Store;
use firebell_wire::prometheus_json::{ActiveTarget, DroppedTarget, Targets};
use tokio::sync::Notify;

use self::families::{Families, Family};
use self::target::{Health, Target, TargetState};
use crate::clock::Clock;
use crate::driver::Handle;
use crate::flags::{EXTRA_METRICS, Flags, TYPE_LABELS, ZERO_AT_CREATION};
use crate::http_client::Clients;
use crate::metrics::Metrics;
use crate::target_files::TargetFiles;

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
    /// Whether series were zero when they began, and that is stored.
    zero_at_creation: bool,
    has_type_labels: bool,
    /// Whether limits and the size of the body are series, unless a job says otherwise.
    has_extra_metrics: bool,
}

/// Identity of a target over reloads: its job, its labels and where it is.
type TargetKey = (String, Labels, String);

/// A target that has a task.
struct Running {
    spec: Arc<RwLock<Spec>>,
    state: Arc<Mutex<TargetState>>,
    families: Arc<Mutex<Families>>,
    stop: Arc<Notify>,
}

/// What a task works on; a reload may swap it.
#[derive(Clone)]
struct Spec {
    job: Arc<ScrapeJob>,
    target: ScrapeTarget,
    /// Why it is not scraped: its job has too many targets.
    refused: Option<String>,
}

impl Scraper {
    /// A scraper without targets; looks for changed discovery files from now on.
    pub(crate) fn start(
        store: Arc<Store>,
        clock: Arc<Clock>,
        metrics: Arc<Metrics>,
        handle: Handle,
        flags: &Flags,
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
            zero_at_creation: flags.has_feature(ZERO_AT_CREATION),
            has_type_labels: flags.has_feature(TYPE_LABELS),
            has_extra_metrics: flags.has_feature(EXTRA_METRICS),
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
            let found = targets(job, &files.groups(&job.discovery));
            let refused = limits::targets(found.active.len(), &job.limits);
            for target in found.active {
                let key = (job.name.clone(), target.labels.clone(), target.url.clone());
                wanted.insert(
                    key,
                    Spec {
                        job: Arc::clone(job),
                        target,
                        refused: refused.clone(),
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
        let families = target.families();
        tokio::spawn(target.run(Arc::clone(&stop)));
        Running {
            spec,
            state,
            families,
            stop,
        }
    }

    /// How many targets there are, and how many of them are up.
    pub(crate) fn count_up(&self) -> (usize, usize) {
        let running = lock(&self.0.running);
        let is_up = |target: &&Running| lock(&target.state).health == Health::Up;
        (running.len(), running.values().filter(is_up).count())
    }

    /// The names of all jobs, sorted.
    pub(crate) fn pools(&self) -> Vec<String> {
        let jobs = read(&self.0.jobs);
        let mut names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// The job of a name.
    pub(crate) fn job(&self, name: &str) -> Option<Arc<ScrapeJob>> {
        let jobs = read(&self.0.jobs);
        jobs.iter().find(|job| job.name == name).cloned()
    }

    /// Tells what each target says of a metric, or of all of them when none is named.
    pub(crate) fn for_each_family(
        &self,
        metric: Option<&str>,
        mut tell: impl FnMut(&Labels, &str, &Family),
    ) {
        for ((_, labels, _), target) in lock(&self.0.running).iter() {
            let families = lock(&target.families);
            families.each(metric, |name, family| tell(labels, name, family));
        }
    }

    /// The targets as Prometheus's API shows them; `state` is `active`, `dropped`, or nothing or
    /// `any` for both.
    pub(crate) fn targets(&self, state: &str, job: Option<&str>, external_url: &str) -> Targets {
        let is_wanted = |name: &str| job.is_none_or(|job| job == name);
        let shows = |kind: &str| matches!(state, "" | "any") || state == kind;
        let running = lock(&self.0.running);
        let active = running.iter().filter(|((name, ..), _)| is_wanted(name));
        let active = active.filter(|_| shows("active"));
        let dropped = lock(&self.0.dropped);
        let counts = shows("dropped").then(|| {
            // Of all jobs, whichever is asked for, as upstream.
            let pools = self.pools().into_iter();
            let mut counts: BTreeMap<String, usize> = pools.map(|name| (name, 0)).collect();
            for target in dropped.iter() {
                if let Some(count) = counts.get_mut(&target.scrape_pool) {
                    *count += 1;
                }
            }
            counts
        });
        let dropped = dropped
            .iter()
            .filter(|target| shows("dropped") && is_wanted(&target.scrape_pool))
            .cloned();
        Targets {
            active_targets: active
                .map(|(_, target)| target.to_json(external_url))
                .collect(),
            dropped_targets: dropped.collect(),
            dropped_target_counts: counts,
        }
    }
}

impl Running {
    fn to_json(&self, external_url: &str) -> ActiveTarget {
        let Spec { job, target, .. } = read(&self.spec).clone();
        let state = lock(&self.state).clone();
        ActiveTarget {
            discovered_labels: target.discovered,
            labels: target.labels,
            scrape_pool: job.name.clone(),
            global_url: global_url(&target.url, external_url),
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

/// Where a target is for people on another machine: what is on this one has the host under which
/// they reach Firebell.
fn global_url(url: &str, external_url: &str) -> String {
    let (Ok(mut url), Ok(external)) = (reqwest::Url::parse(url), reqwest::Url::parse(external_url))
    else {
        return url.to_owned();
    };
    let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if is_here && url.set_host(external.host_str()).is_err() {
        tracing::debug!(%external, "has no host");
    }
    url.into()
}

/// Looks for targets that came or went in discovery files.
async fn watch_files(scraper: Scraper) {
    loop {
        tokio::time::sleep(FILES_EVERY).await;
        let has_files = read(&scraper.0.jobs)
            .iter()
            .any(|job| !job.discovery.files.is_empty());
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

#[cfg(test)]
mod tests;
