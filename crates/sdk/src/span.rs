//! Spans: how long something took, within what, and whether it failed.
//!
//! *Invariants*: whether a trace is kept is decided by its id first, so that all processes decide
//! alike; a trace that is not is still kept when it fails or is slow, as far as this process saw it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::client::{Client, lock};
use crate::clock::now_nanos;
use crate::context::Remote;
use crate::ids::{new_span_id, new_trace_id};
use crate::proto::Message;
use crate::ring::Lane;
use crate::value::Value;

/// What all spans of a trace in this process share.
#[derive(Debug)]
pub struct Trace {
    /// Never zero.
    pub id: u128,
    /// What came in with it, handed on.
    pub remote: Option<Remote>,
    fate: AtomicU8,
    /// Spans that wait for the decision.
    waiting: Mutex<Vec<Vec<u8>>>,
}

/// A span that has not ended.
#[derive(Debug)]
pub struct Span {
    /// Its trace.
    pub trace: Arc<Trace>,
    /// Never zero.
    pub id: u64,
    parent_id: u64,
    is_root: bool,
    /// May change until it ends.
    pub name: String,
    kind: SpanKind,
    started: Instant,
    start_nanos: u64,
    /// Attributes, events and links, encoded as they came.
    body: Message,
    failure: Option<String>,
}

/// Its part in a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the words of OpenTelemetry")]
pub enum SpanKind {
    #[default]
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl SpanKind {
    /// By its name, in small letters.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "internal" => Self::Internal,
            "server" => Self::Server,
            "client" => Self::Client,
            "producer" => Self::Producer,
            "consumer" => Self::Consumer,
            _ => return None,
        })
    }
}

impl Trace {
    /// A trace that begins here, or that came from elsewhere.
    #[must_use]
    pub fn new(remote: Option<Remote>, sample_rate: f64) -> Self {
        let id = remote.as_ref().map_or_else(new_trace_id, |it| it.trace_id);
        let is_sampled = match &remote {
            Some(remote) => remote.is_sampled,
            None => (id as u64) as f64 <= sample_rate * u64::MAX as f64 && sample_rate > 0.0,
        };
        Self {
            id,
            remote,
            fate: AtomicU8::new(if is_sampled { KEPT } else { OPEN }),
            waiting: Mutex::default(),
        }
    }

    /// Whether it is certain that it is kept.
    pub fn is_sampled(&self) -> bool {
        self.fate.load(Ordering::Relaxed) == KEPT
    }

    fn keep(&self, client: &'static Client) {
        self.fate.store(KEPT, Ordering::Relaxed);
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        for record in waiting {
            client.record(Lane::Traces, &record);
        }
    }

    fn give_up(&self, client: &'static Client) {
        self.fate.store(DROPPED, Ordering::Relaxed);
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        client.count_sampled_out(waiting.len() as u64);
    }

    fn take(&self, client: &'static Client, record: Vec<u8>) {
        match self.fate.load(Ordering::Relaxed) {
            KEPT => client.record(Lane::Traces, &record),
            OPEN => {
                let mut waiting = lock(&self.waiting);
                if waiting.len() < WAITING_MAX {
                    waiting.push(record);
                } else {
                    client.count_sampled_out(1);
                }
            }
            _ => client.count_sampled_out(1),
        }
    }
}

impl Span {
    /// A span within another one (or a remote one), or of a trace of its own.
    #[must_use]
    pub fn start(
        name: String,
        kind: SpanKind,
        trace: Arc<Trace>,
        parent_id: u64,
        is_root: bool,
    ) -> Self {
        Self {
            trace,
            id: new_span_id(),
            parent_id,
            is_root,
            name,
            kind,
            started: Instant::now(),
            start_nanos: now_nanos(),
            body: Message::with_capacity(192),
            failure: None,
        }
    }

    /// How long it lasts so far.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Sets an attribute, redacted by its caller; what would make the span too large is left out.
    pub fn set(&mut self, key: &str, value: &Value) {
        if self.has_room() {
            self.body.attribute(9, key, value);
        }
    }

    /// Sets an attribute that is a text.
    pub fn set_text(&mut self, key: &str, text: &str) {
        if self.has_room() {
            self.body.message(9, |it| {
                it.text(1, key);
                it.message(2, |it| it.text(1, text));
            });
        }
    }

    /// Something happened within it.
    pub fn event(&mut self, name: &str, attributes: &[(String, Value)]) {
        if self.has_room() {
            self.body.message(11, |it| {
                it.fixed64(1, now_nanos());
                it.text(2, name);
                for (key, value) in attributes {
                    it.attribute(3, key, value);
                }
            });
        }
    }

    /// It has to do with another span, in whose trace it is not.
    pub fn link(&mut self, to: &Remote) {
        if self.has_room() {
            self.body.message(13, |it| {
                it.bytes(1, &to.trace_id.to_be_bytes());
                it.bytes(2, &to.span_id.to_be_bytes());
            });
        }
    }

    /// It failed; the first reason stays.
    pub fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    fn has_room(&self) -> bool {
        self.body.as_bytes().len() < BODY_BYTES_MAX
    }

    /// Records it.
    pub fn end(mut self, client: &'static Client) {
        let lasted = self.started.elapsed();
        let mut it = std::mem::take(&mut self.body);
        it.bytes(1, &self.trace.id.to_be_bytes());
        it.bytes(2, &self.id.to_be_bytes());
        if let Some(state) = self
            .trace
            .remote
            .as_ref()
            .and_then(|it| it.tracestate.as_deref())
        {
            it.text(3, state);
        }
        if self.parent_id != 0 {
            it.bytes(4, &self.parent_id.to_be_bytes());
        }
        it.text(5, &self.name);
        it.varint(6, self.kind as u64 + 1);
        it.fixed64(7, self.start_nanos);
        let lasted_nanos = u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX);
        it.fixed64(8, self.start_nanos.saturating_add(lasted_nanos));
        if let Some(why) = &self.failure {
            it.message(15, |it| {
                it.text(2, why);
                it.varint(3, STATUS_ERROR);
            });
        }
        let settings = client.settings();
        if !self.trace.is_sampled() {
            let is_slow = self.is_root && settings.keep_slower_than.is_some_and(|it| lasted >= it);
            let is_failed = self.failure.is_some() && settings.keep_errors;
            if is_slow || is_failed {
                self.trace.keep(client);
            }
        }
        self.trace.take(client, it.into_bytes());
        if self.is_root && !self.trace.is_sampled() {
            self.trace.give_up(client);
        }
    }
}

const OPEN: u8 = 0;
const KEPT: u8 = 1;
const DROPPED: u8 = 2;
/// `STATUS_CODE_ERROR`.
const STATUS_ERROR: u64 = 2;
const WAITING_MAX: usize = 256;
const BODY_BYTES_MAX: usize = 32 << 10;
