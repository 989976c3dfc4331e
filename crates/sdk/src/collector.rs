//! The thread that sends to a second destination, any collector that speaks OTLP over HTTP: spans,
//! logs, and totals of metrics. It and the server do not wait for one another.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, Process};
use crate::clock::now_nanos;
use crate::cumulative;
use crate::exporter::{BACKOFF_MAX, BACKOFF_MIN, BATCH_BYTES, PROTOBUF, RETRY_AFTER_MAX};
use crate::http::{Endpoint, Poster};
use crate::proto;
use crate::ring::{Field, Lane, Reader};
use crate::settings::{Otlp, Settings};
use crate::sys;

/// Has everything sent until the deadline, and says whether it was.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) deadline: Instant,
    pub(crate) reply: SyncSender<bool>,
}

#[derive(Debug)]
struct Collector {
    client: &'static Client,
    process: &'static Process,
    poster: Poster,
    not_before: Instant,
    backoff: Duration,
    metrics_at: Instant,
}

/// It should be tried again later.
struct Later;

/// Begins; `None`: no thread could be started, which was said.
pub(crate) fn start(client: &'static Client, process: &'static Process) -> Option<Sender<Ask>> {
    let (sender, asks) = channel();
    process.ring.begin_reading(Reader::Collector);
    let spawned = thread::Builder::new()
        .name("firebell-otlp".into())
        .spawn(move || {
            sys::block_signals();
            let now = Instant::now();
            let collector = Collector {
                client,
                process,
                poster: Poster::default(),
                not_before: now,
                backoff: BACKOFF_MIN,
                metrics_at: now,
            };
            collector.run(&asks);
        });
    match spawned {
        Ok(_) => Some(sender),
        Err(error) => {
            process.stats.fail(format!(
                "nothing is sent to OTEL_EXPORTER_OTLP_ENDPOINT, no thread could be started: {error}"
            ));
            None
        }
    }
}

impl Collector {
    fn run(mut self, asks: &Receiver<Ask>) {
        loop {
            match asks.recv_timeout(self.settings().flush_interval) {
                Ok(ask) => {
                    let is_all = self.round(Some(ask.deadline)).is_ok();
                    let _ = ask.reply.send(is_all);
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() >= self.not_before => {
                    let _ = self.round(None);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn settings(&self) -> &'static Settings {
        self.client.settings()
    }

    fn round(&mut self, deadline: Option<Instant>) -> Result<(), Later> {
        let Some(otlp) = &self.settings().otlp else {
            return Ok(());
        };
        let attributes = self.settings().attributes(&self.process.instance_id);
        let pairs = attributes.iter().map(|(key, value)| (&**key, &**value));
        let resource = proto::resource(pairs);
        let until = |otlp: &Otlp| deadline.unwrap_or_else(|| Instant::now() + otlp.timeout);
        if let Some(endpoint) = &otlp.metrics
            && (deadline.is_some() || Instant::now() >= self.metrics_at)
        {
            self.metrics_at = Instant::now() + otlp.metrics_every;
            let since = self.process.ring.field(Field::StartedNanos);
            let records = cumulative::encode(&self.client.metrics.totals(), since, now_nanos());
            for batch in records.chunks(METRICS_AT_ONCE) {
                self.send(endpoint, &resource, batch, until(otlp))?;
            }
        }
        for (lane, endpoint) in [(Lane::Logs, &otlp.logs), (Lane::Traces, &otlp.traces)] {
            loop {
                let taken = self.process.peek(Reader::Collector, lane, BATCH_BYTES);
                if let Some(endpoint) = endpoint
                    && !taken.records.is_empty()
                {
                    self.send(endpoint, &resource, &taken.records, until(otlp))?;
                }
                self.process.commit(Reader::Collector, lane, taken.until);
                if taken.records.is_empty() {
                    break;
                }
            }
        }
        for lane in [Lane::Alerts, Lane::Metrics] {
            self.process.skip(Reader::Collector, lane);
        }
        Ok(())
    }

    fn send(
        &mut self,
        endpoint: &Endpoint,
        resource: &[u8],
        records: &[Vec<u8>],
        deadline: Instant,
    ) -> Result<(), Later> {
        let stats = &self.process.stats;
        let body = proto::request(resource, records);
        let answer = match self.poster.post(endpoint, "", PROTOBUF, &body, deadline) {
            Ok(answer) => answer,
            Err(error) => {
                stats.fail(format!("{} cannot be reached: {error}", endpoint.address()));
                return Err(self.back_off(None));
            }
        };
        if (200..300).contains(&answer.status) {
            self.backoff = BACKOFF_MIN;
            return Ok(());
        }
        stats.fail(format!(
            "{} answered {}: {}",
            endpoint.address(),
            answer.status,
            answer.text()
        ));
        match answer.status {
            // As the protocol has it: these may be tried again, the others may not.
            429 | 502..=504 => Err(self.back_off(answer.retry_after)),
            _ => Ok(()),
        }
    }

    fn back_off(&mut self, retry_after: Option<Duration>) -> Later {
        let wait = retry_after.map_or(self.backoff, |it| it.min(RETRY_AFTER_MAX));
        self.not_before = Instant::now() + wait;
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        Later
    }
}

const METRICS_AT_ONCE: usize = 1000;
