//! The thread that sends: metrics, then what the lanes hold, then what dead processes left.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::cells::Point;
use crate::client::{Client, Process, Wishes};
use crate::clock::now_nanos;
use crate::collector::{self, Ask};
use crate::files::Locked;
use crate::http::{Answer, Endpoint, Poster, SAID_CHARS_MAX};
use crate::ids::random;
use crate::proto;
use crate::recovery;
use crate::ring::{Field, Lane, Reader};
use crate::settings::Settings;
use crate::sys;

/// Begins to send. Without a thread all stays in the ring.
pub(crate) fn start(client: &'static Client, process: &'static Process) {
    let spawned = thread::Builder::new()
        .name("firebell".into())
        .spawn(move || {
            sys::block_signals();
            Exporter::new(client, process).run();
        });
    if let Err(error) = spawned {
        process.stats.fail(format!(
            "nothing can be sent, no thread could be started: {error}"
        ));
    }
}

/// What it knows between two rounds.
#[derive(Debug)]
pub(crate) struct Exporter {
    client: &'static Client,
    pub(crate) process: &'static Process,
    poster: Poster,
    /// Nothing is tried before.
    not_before: Instant,
    backoff: Duration,
    /// Paths that the server does not have, and until when that is taken for granted.
    absent: Vec<(Lane, Instant)>,
    /// Whose partial successes were said.
    said: Vec<Lane>,
    everything_at: Instant,
    dead_at: Instant,
    /// What was found when it was looked for; held for one round.
    dead: Vec<Locked>,
    /// Whoever sends to the second destination.
    collector: Option<Sender<Ask>>,
    /// While the process ends there is little time.
    deadline: Option<Instant>,
}

/// Sending came to an end for now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stuck;

impl Exporter {
    fn new(client: &'static Client, process: &'static Process) -> Self {
        let now = Instant::now();
        Self {
            client,
            process,
            poster: Poster::default(),
            not_before: now,
            backoff: BACKOFF_MIN,
            absent: Vec::new(),
            said: Vec::new(),
            everything_at: now + EVERYTHING_EVERY,
            dead_at: now,
            dead: Vec::new(),
            collector: None,
            deadline: None,
        }
    }

    fn run(mut self) {
        loop {
            let next = Instant::now() + self.settings().flush_interval;
            let wishes = self.process.wait_for_wishes(next);
            let is_asked = wishes.is_closing || wishes.n_flushes > wishes.n_flushed;
            if wishes.is_closing {
                self.deadline = Some(Instant::now() + LAST_ATTEMPT);
            } else {
                self.look_for_dead();
            }
            let others = self.ask_collector(is_asked);
            let is_sent = (is_asked || Instant::now() >= self.not_before) && self.round(wishes);
            let is_taken = others.is_none_or(|it| self.is_answered(&it));
            let is_drained = is_sent && is_taken;
            if wishes.is_closing && is_drained {
                self.leave_nothing();
            }
            // Who cannot send them now does not keep others from it.
            self.dead.clear();
            self.process.tell_done(wishes, is_drained);
            if wishes.is_closing {
                return;
            }
        }
    }

    /// Has the second destination sent to at the same time, if there is one.
    fn ask_collector(&mut self, is_asked: bool) -> Option<Receiver<bool>> {
        self.settings().otlp.as_ref()?;
        if self.collector.is_none() {
            self.collector = collector::start(self.client, self.process);
        }
        let sender = self.collector.as_ref().filter(|_| is_asked)?;
        let (reply, answer) = sync_channel(1);
        let deadline = self.until();
        sender.send(Ask { deadline, reply }).ok()?;
        Some(answer)
    }

    fn is_answered(&self, answer: &Receiver<bool>) -> bool {
        let left = self.until().saturating_duration_since(Instant::now());
        answer.recv_timeout(left).unwrap_or(false)
    }

    /// When what is begun now has to be over.
    fn until(&self) -> Instant {
        self.deadline.unwrap_or_else(|| Instant::now() + ATTEMPT)
    }

    pub(crate) fn settings(&self) -> &'static Settings {
        self.client.settings()
    }

    /// Sends all there is; whether it was all.
    fn round(&mut self, wishes: Wishes) -> bool {
        let Some(endpoint) = self
            .settings()
            .endpoint
            .as_ref()
            .filter(|_| self.settings().is_sending())
        else {
            return self.send_nothing();
        };
        if self.process.stats.is_stopped.load(Ordering::Relaxed) {
            return false;
        }
        let ring = self.process.ring;
        ring.set_field(Field::ActiveNanos, now_nanos());
        let sent = self.send_metrics(endpoint).and_then(|()| {
            Lane::ALL
                .into_iter()
                .try_for_each(|lane| self.send_lane(endpoint, lane))
        });
        if sent.is_ok() && !wishes.is_closing {
            let dead = std::mem::take(&mut self.dead);
            recovery::send_dead(self, endpoint, dead);
        }
        sent.is_ok()
    }

    /// There is no Firebell: if there is another destination nothing waits for one.
    fn send_nothing(&self) -> bool {
        let is_wanted_elsewhere = self.settings().is_sending();
        if is_wanted_elsewhere {
            for lane in Lane::ALL {
                self.process.skip(Reader::Server, lane);
            }
        }
        is_wanted_elsewhere
    }

    /// Collects only what can go at once: what is in the cells is added up, what is in the lane is not.
    fn send_metrics(&mut self, endpoint: &Endpoint) -> Result<(), Stuck> {
        let ring = self.process.ring;
        self.send_lane(endpoint, Lane::Metrics)?;
        let point = Point {
            since: ring.field(Field::CountedSinceNanos),
            until: now_nanos().max(ring.field(Field::CountedSinceNanos) + 1),
        };
        let all = Instant::now() >= self.everything_at;
        let mut from = Some(0);
        while let Some(idx) = from {
            let (records, next) = self.client.metrics.collect(idx, BATCH_BYTES, all, point);
            for record in records {
                self.process.push(Lane::Metrics, &record);
            }
            from = next;
            if from.is_some() {
                self.send_lane(endpoint, Lane::Metrics)?;
            }
        }
        ring.set_field(Field::CountedSinceNanos, point.until);
        if all {
            self.everything_at = Instant::now() + EVERYTHING_EVERY;
        }
        Ok(())
    }

    fn send_lane(&mut self, endpoint: &Endpoint, lane: Lane) -> Result<(), Stuck> {
        let identity = self.settings().attributes(&self.process.instance_id);
        let attributes: Vec<_> = identity
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect();
        loop {
            let taken = self.process.peek(Reader::Server, lane, BATCH_BYTES);
            if taken.records.is_empty() {
                self.process.commit(Reader::Server, lane, taken.until);
                return Ok(());
            }
            self.send(endpoint, lane, &attributes, &taken.records)?;
            self.process.commit(Reader::Server, lane, taken.until);
        }
    }

    /// Sends records of a lane. `Err`: they should come again, or sending has stopped.
    pub(crate) fn send(
        &mut self,
        endpoint: &Endpoint,
        lane: Lane,
        resource: &[(&str, &str)],
        records: &[Vec<u8>],
    ) -> Result<(), Stuck> {
        let stats = &self.process.stats;
        let n_records = records.len() as u64;
        let now = Instant::now();
        self.absent.retain(|(_, until)| *until > now);
        if self.absent.iter().any(|(absent, _)| *absent == lane) {
            stats.n_rejected.fetch_add(n_records, Ordering::Relaxed);
            return Ok(());
        }
        let (path, kind, body) = match lane {
            Lane::Alerts => ("/api/v2/alerts", JSON, json_array(records)),
            _ => {
                let resource = proto::resource(resource.iter().copied());
                (
                    otlp_path(lane),
                    PROTOBUF,
                    proto::request(&resource, records),
                )
            }
        };
        let deadline = self.until();
        let said = self.poster.post(endpoint, path, kind, &body, deadline);
        match said {
            Ok(Answer {
                status: 200..300,
                body,
                ..
            }) => {
                let n_refused = self.partly_refused(endpoint, lane, path, &body, n_records);
                let n_exported = n_records - n_refused;
                stats.n_exported.fetch_add(n_exported, Ordering::Relaxed);
                stats.is_backing_off.store(false, Ordering::Relaxed);
                self.backoff = BACKOFF_MIN;
                Ok(())
            }
            Ok(answer) => self.refused(endpoint, lane, path, &answer, n_records),
            Err(error) => {
                stats.fail(format!(
                    "{}{path} cannot be reached: {error}",
                    endpoint.address()
                ));
                Err(self.back_off(None))
            }
        }
    }

    /// How many records the server did not take, though it answered well; said once per signal.
    fn partly_refused(
        &mut self,
        endpoint: &Endpoint,
        lane: Lane,
        path: &str,
        body: &[u8],
        n_records: u64,
    ) -> u64 {
        let Some((n_refused, why)) = proto::refused(body).filter(|_| lane != Lane::Alerts) else {
            return 0;
        };
        let why: String = why.chars().take(SAID_CHARS_MAX).collect();
        let why = format!(
            "{}{path} did not take {n_refused}: {why}",
            endpoint.address()
        );
        let is_new = !self.said.contains(&lane);
        self.process.stats.note(why, is_new);
        if is_new {
            self.said.push(lane);
        }
        // A record of metrics may have many points.
        let n_refused = n_refused.min(n_records);
        let n_rejected = &self.process.stats.n_rejected;
        n_rejected.fetch_add(n_refused, Ordering::Relaxed);
        n_refused
    }

    fn refused(
        &mut self,
        endpoint: &Endpoint,
        lane: Lane,
        path: &str,
        answer: &Answer,
        n_records: u64,
    ) -> Result<(), Stuck> {
        let stats = &self.process.stats;
        let Answer {
            status,
            retry_after,
            ..
        } = answer;
        let why = format!(
            "{}{path} answered {status}: {}",
            endpoint.address(),
            answer.text()
        );
        match status {
            401 | 403 => {
                stats.fail(format!("{why}; nothing more is sent, check the token"));
                stats.is_stopped.store(true, Ordering::Relaxed);
                Err(Stuck)
            }
            408 | 429 | 500..600 => {
                stats.fail(why);
                Err(self.back_off(*retry_after))
            }
            _ => {
                stats.fail(why);
                stats.n_rejected.fetch_add(n_records, Ordering::Relaxed);
                if matches!(status, 404 | 405) {
                    self.absent.push((lane, Instant::now() + ABSENT_FOR));
                }
                Ok(())
            }
        }
    }

    fn back_off(&mut self, retry_after: Option<Duration>) -> Stuck {
        self.process
            .stats
            .is_backing_off
            .store(true, Ordering::Relaxed);
        // From half to the whole, so that workers that failed together do not come again together.
        let jittered = self
            .backoff
            .mul_f64(0.5 + (random() >> 11) as f64 / (1u64 << 54) as f64);
        let wait = retry_after.map_or(jittered, |it| it.min(RETRY_AFTER_MAX));
        self.not_before = Instant::now() + wait;
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        Stuck
    }

    /// Also while the server is away: files would heap up, and totals would go down. Not where nothing
    /// is to be sent: what lies there is of those who send it.
    fn look_for_dead(&mut self) {
        if Instant::now() < self.dead_at || !self.settings().is_sending() {
            return;
        }
        self.dead_at = Instant::now() + LOOK_FOR_DEAD_EVERY;
        if let Some(path) = self.process.path.get() {
            // Its own ring stays where it was first, others' are where they are put by now.
            let set_to = self.settings().run_dir.as_deref();
            if let Some(folder) = set_to.or_else(|| path.parent()) {
                self.dead = recovery::look(&self.process.stats, folder);
            }
        }
    }

    /// All was sent: no file is left behind, unless somebody still wants to know what it counted.
    fn leave_nothing(&self) {
        let path = self.process.path.get();
        if let Some(path) = path.filter(|_| !self.client.keeps_totals()) {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn otlp_path(lane: Lane) -> &'static str {
    match lane {
        Lane::Alerts => "/api/v2/alerts",
        Lane::Metrics => "/v1/metrics",
        Lane::Logs => "/v1/logs",
        Lane::Traces => "/v1/traces",
    }
}

fn json_array(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut array = vec![b'['];
    array.extend_from_slice(&objects.join(&b','));
    array.push(b']');
    array
}

const JSON: &str = "application/json";
pub(crate) const PROTOBUF: &str = "application/x-protobuf";
pub(crate) const BATCH_BYTES: usize = 256 << 10;
pub(crate) const BACKOFF_MIN: Duration = Duration::from_secs(1);
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(60);
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
const ATTEMPT: Duration = Duration::from_secs(10);
/// The last attempt, when the process ends.
const LAST_ATTEMPT: Duration = Duration::from_millis(300);
/// What a server does not have it may have after an upgrade.
const ABSENT_FOR: Duration = Duration::from_secs(300);
/// A series that is silent is taken for gone after five minutes.
const EVERYTHING_EVERY: Duration = Duration::from_secs(60);
const LOOK_FOR_DEAD_EVERY: Duration = Duration::from_secs(5);
