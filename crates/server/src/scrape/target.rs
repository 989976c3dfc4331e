//! One target: fetched on its grid of time, its samples appended.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration as StdDuration;

use firebell_config::{ScrapeJob, ScrapeProtocol};
use firebell_model::{Duration, Labels, METRIC_NAME, Sample, Timestamp};
use firebell_tsdb::{AppendReport, Batch};
use firebell_wire::exposition::{BodyFormat, Protocol, accept};
use tokio::sync::Notify;

use super::families::Families;
use super::series::{Taken, TargetSeries, Treatment, add_end};
use super::{Shared, Spec, limits, lock, read};
use crate::clock::Stopwatch;
use crate::http_client::{self, BodyError};

/// How a target fared last.
#[derive(Clone, Debug, Default)]
pub(super) struct TargetState {
    pub health: Health,
    pub last_error: String,
    pub last_scrape: Option<Timestamp>,
    pub took: StdDuration,
}

/// Whether a target answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Health {
    /// Not asked yet.
    #[default]
    Unknown,
    /// The last scrape was fine.
    Up,
    /// The last scrape failed.
    Down,
}

impl Health {
    /// Its name in the API.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A target's task.
pub(super) struct Target {
    shared: Arc<Shared>,
    spec: Arc<RwLock<Spec>>,
    state: Arc<Mutex<TargetState>>,
    series: TargetSeries,
    /// The job as which the series were read: another one may treat them differently.
    read_as: Option<Arc<ScrapeJob>>,
}

impl Target {
    /// A target that was not asked yet.
    pub(super) fn new(
        shared: Arc<Shared>,
        spec: Arc<RwLock<Spec>>,
        state: Arc<Mutex<TargetState>>,
    ) -> Self {
        Self {
            shared,
            spec,
            state,
            series: TargetSeries::default(),
            read_as: None,
        }
    }

    /// What it says of its metrics, to be looked at while it runs.
    pub(super) fn families(&self) -> Arc<Mutex<Families>> {
        self.series.families()
    }

    /// Scrapes until told to stop, then ends the target's series in time.
    pub(super) async fn run(mut self, stop: Arc<Notify>) {
        loop {
            let (spec, slot) = tokio::select! {
                () = stop.notified() => break,
                next = self.next_scrape() => next,
            };
            tokio::select! {
                () = stop.notified() => break,
                () = self.scrape(&spec, slot) => {}
            }
        }
        let last_scrape = lock(&self.state).last_scrape;
        if let Some(last) = last_scrape {
            self.end(last).await;
        }
    }

    /// Ends the series as of the next slot. Before that, another target gets the time to go on with
    /// them, an interval and its answer: one that a reload or a gap in discovery has put in the place
    /// of this one.
    async fn end(&mut self, last: Timestamp) {
        let (spec, slot) = self.next_scrape().await;
        let (Duration(interval), Duration(timeout)) = (spec.target.interval, spec.target.timeout);
        let later = slot + Duration(interval + timeout.max(interval / 10));
        self.wait(|| ((), later)).await;
        let store = &self.shared.store;
        let mut batch = self.series.end_left((last, slot), store);
        for name in REPORTS {
            add_end(&mut batch, report_labels(&spec, name), (last, slot), store);
        }
        self.append(&mut batch);
    }

    /// Waits for the next slot.
    async fn next_scrape(&self) -> (Spec, Timestamp) {
        let begun_at = self.shared.clock.now();
        self.wait(|| {
            let spec = read(&self.spec).clone();
            let slot = next_slot(&spec, begun_at);
            (spec, slot)
        })
        .await
    }

    /// Waits until the time has come that `next` gives.
    async fn wait<T>(&self, next: impl Fn() -> (T, Timestamp)) -> (T, Timestamp) {
        loop {
            let (what, at) = next();
            let left = at - self.shared.clock.now();
            if left <= Duration::ZERO {
                return (what, at);
            }
            // Never long: the system's clock may be set meanwhile, and a reload may move the slot.
            tokio::time::sleep(left.to_std().min(SLEEP_MAX)).await;
        }
    }

    async fn scrape(&mut self, spec: &Spec, slot: Timestamp) {
        let now = self.shared.clock.now();
        // Timers are late by a little; series compress well when their times are regular.
        let at = if now - slot <= SLOT_TOLERANCE {
            slot
        } else {
            now
        };
        if self
            .read_as
            .as_ref()
            .is_some_and(|job| !Arc::ptr_eq(job, &spec.job))
        {
            self.series.forget();
        }
        self.read_as = Some(Arc::clone(&spec.job));
        let watch = Stopwatch::start();
        let fetched = match &spec.refused {
            Some(why) => Err(why.clone()),
            None => self.fetch(spec).await,
        };
        let body_bytes = body_bytes(&fetched);
        let treatment = treatment(spec, &self.shared);
        let (series, store) = (&mut self.series, &self.shared.store);
        let mut taken = match fetched {
            Ok((body, format)) => aside(body.len(), || {
                series.take(&body, format, at, &treatment, store)
            }),
            Err(why) => Taken {
                refused: Some(why),
                ..Taken::default()
            },
        };
        let took = watch.elapsed();
        self.note(at, took, taken.refused.as_ref());
        let is_up = taken.refused.is_none();
        if !is_up {
            taken.batch = self.series.end(at);
        }
        let figures = [
            f64::from(u8::from(is_up)),
            took.as_secs_f64(),
            taken.n_scraped as f64,
            taken.n_kept as f64,
            taken.n_added as f64,
            spec.target.timeout.as_secs_f64(),
            spec.job.limits.samples.unwrap_or(0) as f64,
            body_bytes,
        ];
        if let Some((n, error)) = &taken.over_limit {
            let url = &spec.target.url;
            tracing::warn!(url, n, %error, "samples of new series are refused");
            self.shared.metrics.count_append(&AppendReport {
                over_limit: *n,
                ..AppendReport::default()
            });
        }
        let mut batch = taken.batch;
        for (name, value) in self.reports(spec).iter().zip(figures) {
            batch.add(report_labels(spec, name), &[Sample { at, value }]);
        }
        self.append(&mut batch);
    }

    /// The series about a scrape.
    fn reports(&self, spec: &Spec) -> &'static [&'static str] {
        match spec.job.extra_metrics {
            Some(true) => &REPORTS,
            None if self.shared.has_extra_metrics => &REPORTS,
            _ => &REPORTS[..REPORTS_USUAL],
        }
    }

    async fn fetch(&self, spec: &Spec) -> Result<(Vec<u8>, BodyFormat), String> {
        let Spec { job, target, .. } = spec;
        let secs = target.timeout.as_secs_f64().to_string();
        let mut protocols: Vec<Protocol> = job.protocols.iter().copied().map(protocol).collect();
        if self.shared.zero_at_creation && job.has_usual_protocols {
            // Protobuf says when metrics began.
            protocols.retain(|it| *it != Protocol::Protobuf);
            protocols.insert(0, Protocol::Protobuf);
        }
        let request = self
            .shared
            .clients
            .request(reqwest::Method::GET, &target.url, &job.http)?
            .header("accept", accept(&protocols, job.names.escaping.name()))
            .header("x-prometheus-scrape-timeout-seconds", secs)
            .timeout(target.timeout.to_std());
        let request = match job.takes_compressed {
            true => request,
            false => request.header("accept-encoding", "identity"),
        };
        let response = request
            .send()
            .await
            .map_err(|error| http_client::why(&error.without_url()))?;
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            return Err(format!("server returned HTTP status {status}"));
        }
        let kind = response.headers().get("content-type");
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let format = match (BodyFormat::of_content_type(kind), job.fallback) {
            (Ok(format), _) => format,
            (Err(_), Some(fallback)) => protocol(fallback).format(),
            (Err(error), None) => return Err(error.to_string()),
        };
        let configured = job.limits.body_bytes.unwrap_or(u64::MAX);
        let bytes_max = usize::try_from(configured).unwrap_or(usize::MAX);
        // As upstream, a body of just that size is over it.
        let bytes_max = bytes_max.saturating_sub(1).min(BODY_BYTES_MAX);
        Ok((body(response, bytes_max).await?, format))
    }

    /// Notes how a scrape went, for people.
    fn note(&self, at: Timestamp, took: StdDuration, error: Option<&String>) {
        let health = if error.is_some() {
            Health::Down
        } else {
            Health::Up
        };
        let metrics = &self.shared.metrics;
        metrics.scrapes.inc();
        metrics.scrapes_failed.inc_by(u64::from(error.is_some()));
        if let Some(limit) = error.and_then(|why| limits::exceeded(why)) {
            metrics.count_exceeded(limit);
        }
        let mut state = lock(&self.state);
        let is_changed = state.health != health;
        if is_changed && let Some(error) = error {
            let url = &read(&self.spec).target.url;
            tracing::warn!(url, error, "a target is down");
        }
        let last_error = error.cloned().unwrap_or_default();
        *state = TargetState {
            health,
            last_error,
            last_scrape: Some(at),
            took,
        };
        drop(state);
        if is_changed {
            self.shared.handle.status_changed();
        }
    }

    fn append(&mut self, batch: &mut Batch) {
        batch.arrive(self.shared.clock.now());
        match aside(batch.len() * SAMPLE_BYTES, || {
            self.shared.store.append(batch)
        }) {
            Ok(report) => {
                self.shared.metrics.count_append(&report);
                if report.unknown_series > 0 {
                    self.series.forget();
                }
            }
            Err(error) => {
                let url = &read(&self.spec).target.url;
                tracing::error!(url, %error, "failed to store a scrape");
            }
        }
    }
}

/// The size of a body as upstream tells it.
fn body_bytes(fetched: &Result<(Vec<u8>, BodyFormat), String>) -> f64 {
    match fetched {
        Ok((body, _)) => body.len() as f64,
        Err(why) if why == limits::BODY => -1.0,
        Err(_) => 0.0,
    }
}

/// The body of an answer.
async fn body(response: reqwest::Response, bytes_max: usize) -> Result<Vec<u8>, String> {
    let body = http_client::body(response, bytes_max).await;
    body.map_err(|error| match error {
        BodyError::TooLong(_) => limits::BODY.to_owned(),
        error @ BodyError::NoRoom => error.to_string(),
        BodyError::Late(why) | BodyError::Broken(why) => why,
    })
}

/// Does work that is proportional to so many bytes; when it is long, other tasks find another thread
/// meanwhile.
fn aside<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes > ASIDE_BYTES {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

fn protocol(configured: ScrapeProtocol) -> Protocol {
    match configured {
        ScrapeProtocol::PrometheusProto => Protocol::Protobuf,
        ScrapeProtocol::PrometheusText004 => Protocol::Text004,
        ScrapeProtocol::PrometheusText100 => Protocol::Text100,
        ScrapeProtocol::OpenMetricsText001 => Protocol::OpenMetrics001,
        ScrapeProtocol::OpenMetricsText100 => Protocol::OpenMetrics100,
    }
}

fn treatment(spec: &Spec, shared: &Shared) -> Treatment {
    let Spec { job, target, .. } = spec;
    Treatment {
        labels: target.labels.clone(),
        job: Arc::clone(job),
        zero_at_creation: shared.zero_at_creation,
        has_type_labels: shared.has_type_labels,
    }
}

/// The next slot of a target's grid: targets are spread over the interval by their identity.
fn next_slot(spec: &Spec, now: Timestamp) -> Timestamp {
    let mut hasher = DefaultHasher::new();
    (&spec.job.name, &spec.target.url, &spec.target.labels).hash(&mut hasher);
    let interval = spec.target.interval.0.max(1);
    let offset = (hasher.finish() % interval as u64) as i64;
    let slot = (now.0 - offset).div_euclid(interval) * interval + offset;
    Timestamp(slot + interval)
}

/// The labels of a series about the scrape itself.
fn report_labels(spec: &Spec, name: &'static str) -> Labels {
    let mut labels = spec.target.labels.to_builder();
    labels.set(METRIC_NAME, name);
    labels.build()
}

/// The series about each scrape, the usual ones first, in the order of their figures in `scrape`.
const REPORTS: [&str; 8] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "scrape_timeout_seconds",
    "scrape_sample_limit",
    "scrape_body_size_bytes",
];
/// So many are always there, the others where they are asked for.
const REPORTS_USUAL: usize = 5;
/// About a millisecond of reading.
const ASIDE_BYTES: usize = 128 << 10;
/// What a sample takes in a body, about.
const SAMPLE_BYTES: usize = 64;
/// The longest body that a target may send, whatever its job says.
const BODY_BYTES_MAX: usize = 1 << 30;
/// A scrape that begins this little after its slot carries the slot's time.
const SLOT_TOLERANCE: Duration = Duration(2);
const SLEEP_MAX: StdDuration = StdDuration::from_secs(1);
