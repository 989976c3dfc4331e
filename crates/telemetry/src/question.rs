//! What people ask of spans and log records.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_disk::{Disk, LogError};

use crate::kept::{Kept, Scanned, Visitor, Wanted, scan_wanted};
use crate::record::{Attributes, LogRecord, Origin, Record, Span, TraceId};

/// A record with who sent it.
pub type OfTrace<R> = (Arc<Origin>, R);

/// Some of what was looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found<T> {
    /// In the order that the question says.
    pub all: Vec<T>,
    /// Whether all that is kept was looked at, as far as the limit asks for it.
    pub is_whole: bool,
}

/// All of one trace that is kept.
#[derive(Clone, Copy, Debug)]
pub struct OfOneTrace;

/// Which traces somebody looks for; all conditions hold together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceQuestion {
    /// With a span of this service.
    pub service: Option<String>,
    /// Not before, in nanoseconds since 1970.
    pub from_nanos: u64,
    /// Not after, in nanoseconds since 1970.
    pub to_nanos: u64,
    /// Only such as have a span that failed.
    pub only_failed: bool,
    /// Only such as took so many nanoseconds.
    pub lasted_nanos_min: u64,
    /// Somewhere in one of its spans, in any case of letters; empty is anything.
    pub text: String,
    /// At most so many.
    pub limit: usize,
}

/// A trace in a list: what its spans that were looked at say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceFound {
    /// Its id.
    pub id: TraceId,
    /// The name of its first span.
    pub name: String,
    /// The service of its first span.
    pub service: String,
    /// Nanoseconds since 1970.
    pub start_nanos: u64,
    /// Nanoseconds since 1970.
    pub end_nanos: u64,
    /// How many spans it has.
    pub n_spans: usize,
    /// How many of them failed.
    pub n_failed: usize,
    has_root: bool,
    has_service: bool,
    has_text: bool,
}

/// Which log records somebody looks for; all conditions hold together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogQuestion {
    /// Of this trace.
    pub trace: Option<TraceId>,
    /// Of this service.
    pub service: Option<String>,
    /// Not before, in nanoseconds since 1970.
    pub from_nanos: u64,
    /// Not after, in nanoseconds since 1970.
    pub to_nanos: u64,
    /// At least so severe: 1 to 24.
    pub severity_min: u8,
    /// Somewhere in what is said, in any case of letters; empty is anything.
    pub text: String,
    /// At most so many.
    pub limit: usize,
}

/// A question with where to look, which is found out with the [`Kept`] at hand; it is read without.
#[derive(Debug)]
pub struct Looking<Q> {
    question: Q,
    wanted: Wanted,
    scanned: Scanned,
}

impl<Q> Looking<Q> {
    fn new<R: Record>(kept: &Kept<R>, question: Q, wanted: Wanted) -> Self {
        let scanned = kept.wanted(&wanted);
        Self {
            question,
            wanted,
            scanned,
        }
    }
}

/// Looks for what is kept of a trace.
#[must_use]
pub fn trace<R: Record>(kept: &Kept<R>, id: TraceId) -> Looking<OfOneTrace> {
    let wanted = Wanted {
        from_nanos: 0,
        to_nanos: u64::MAX,
        trace: Some(id),
        service: None,
    };
    Looking::new(kept, OfOneTrace, wanted)
}

impl Looking<OfOneTrace> {
    /// Reads them, while others may be written: at most 5,000, in order of time.
    ///
    /// # Errors
    /// When the disk fails, or another version wrote a part.
    pub fn read<R: Record>(&self, disk: &dyn Disk) -> Result<Found<OfTrace<R>>, LogError> {
        let mut all = Collected::<R>::default();
        let is_whole = scan_wanted(disk, &self.scanned, &self.wanted, &mut all)?;
        all.0.sort_by_key(|(_, record)| record.nanos());
        let is_whole = is_whole && all.0.len() <= OF_TRACE_MAX;
        all.0.truncate(OF_TRACE_MAX);
        Ok(Found {
            all: all.0,
            is_whole,
        })
    }
}

struct Collected<R>(Vec<OfTrace<R>>);

impl<R> Default for Collected<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R> Visitor<R> for Collected<R> {
    fn visit(&mut self, origin: &Arc<Origin>, record: R) {
        if self.0.len() <= OF_TRACE_MAX {
            self.0.push((Arc::clone(origin), record));
        }
    }
}

/// Looks for traces.
#[must_use]
pub fn traces(kept: &Kept<Span>, question: TraceQuestion) -> Looking<TraceQuestion> {
    let wanted = Wanted {
        from_nanos: question.from_nanos,
        to_nanos: question.to_nanos,
        trace: None,
        // Spans of other services belong to the traces, too.
        service: None,
    };
    let mut looking = Looking::new(kept, question, wanted);
    if looking.question.service.is_some() {
        let with_service = Wanted {
            service: looking.question.service.clone(),
            ..looking.wanted.clone()
        };
        looking.scanned = kept.wanted(&with_service);
    }
    looking
}

impl Looking<TraceQuestion> {
    /// Reads them, while others may be written: the newest first, by what is kept together with the
    /// spans of the service that is asked for.
    ///
    /// # Errors
    /// When the disk fails, or another version wrote a part.
    pub fn read(&self, disk: &dyn Disk) -> Result<Found<TraceFound>, LogError> {
        let mut listed = Listed {
            question: &self.question,
            text: self.question.text.to_lowercase(),
            traces: BTreeMap::new(),
            n_wanted: 0,
        };
        let is_whole = scan_wanted(disk, &self.scanned, &self.wanted, &mut listed)?;
        let wanted = |it: &TraceFound| it.is_wanted(&self.question);
        let mut all: Vec<TraceFound> = listed.traces.into_values().filter(wanted).collect();
        all.sort_by_key(|it| std::cmp::Reverse(it.start_nanos));
        all.truncate(self.question.limit);
        Ok(Found { all, is_whole })
    }
}

struct Listed<'q> {
    question: &'q TraceQuestion,
    /// In small letters.
    text: String,
    traces: BTreeMap<TraceId, TraceFound>,
    n_wanted: usize,
}

impl Visitor<Span> for Listed<'_> {
    fn visit(&mut self, origin: &Arc<Origin>, span: Span) {
        if self.traces.len() >= TRACES_MAX && !self.traces.contains_key(&span.trace) {
            return;
        }
        let found = self.traces.entry(span.trace);
        let found = found.or_insert_with(|| TraceFound::of(span.trace));
        let was_wanted = found.is_wanted(self.question);
        found.has_text = found.has_text || span.says(&self.text);
        found.add(self.question, origin, span);
        match (was_wanted, found.is_wanted(self.question)) {
            (false, true) => self.n_wanted += 1,
            (true, false) => self.n_wanted -= 1,
            _ => {}
        }
    }

    fn is_enough(&self) -> bool {
        self.n_wanted >= self.question.limit
    }
}

impl TraceFound {
    fn of(id: TraceId) -> Self {
        Self {
            id,
            name: String::new(),
            service: String::new(),
            start_nanos: u64::MAX,
            end_nanos: 0,
            n_spans: 0,
            n_failed: 0,
            has_root: false,
            has_service: false,
            has_text: false,
        }
    }

    fn add(&mut self, question: &TraceQuestion, origin: &Origin, span: Span) {
        let service = question.service.as_deref();
        self.has_service |= service.is_none_or(|name| name == origin.service);
        self.n_spans += 1;
        self.n_failed += usize::from(span.failure.is_some());
        let is_root = span.parent.is_none();
        let is_earlier = span.start_nanos < self.start_nanos;
        if (is_root && !self.has_root) || (is_earlier && is_root == self.has_root) {
            self.name = span.name;
            self.service.clone_from(&origin.service);
        }
        self.has_root |= is_root;
        self.start_nanos = self.start_nanos.min(span.start_nanos);
        self.end_nanos = self.end_nanos.max(span.end_nanos);
    }

    fn is_wanted(&self, question: &TraceQuestion) -> bool {
        let lasted = self.end_nanos.saturating_sub(self.start_nanos);
        self.has_service
            && self.has_text
            && (!question.only_failed || self.n_failed > 0)
            && lasted >= question.lasted_nanos_min
    }
}

/// Looks for log records.
#[must_use]
pub fn logs(kept: &Kept<LogRecord>, question: LogQuestion) -> Looking<LogQuestion> {
    let wanted = Wanted {
        from_nanos: question.from_nanos,
        to_nanos: question.to_nanos,
        trace: question.trace,
        service: question.service.clone(),
    };
    Looking::new(kept, question, wanted)
}

impl Looking<LogQuestion> {
    /// Reads them, while others may be written: the newest first.
    ///
    /// # Errors
    /// When the disk fails, or another version wrote a part.
    pub fn read(&self, disk: &dyn Disk) -> Result<Found<OfTrace<LogRecord>>, LogError> {
        let mut lines = Lines {
            question: &self.question,
            text: self.question.text.to_lowercase(),
            all: Vec::new(),
        };
        let is_whole = scan_wanted(disk, &self.scanned, &self.wanted, &mut lines)?;
        lines.keep_newest();
        Ok(Found {
            all: lines.all,
            is_whole,
        })
    }
}

struct Lines<'q> {
    question: &'q LogQuestion,
    /// In small letters.
    text: String,
    all: Vec<OfTrace<LogRecord>>,
}

impl Visitor<LogRecord> for Lines<'_> {
    fn visit(&mut self, origin: &Arc<Origin>, record: LogRecord) {
        let is_wanted = record.severity >= self.question.severity_min && record.says(&self.text);
        if is_wanted {
            self.all.push((Arc::clone(origin), record));
        }
        if self.all.len() > 2 * self.question.limit {
            self.keep_newest();
        }
    }

    fn is_enough(&self) -> bool {
        self.all.len() >= self.question.limit
    }
}

impl Lines<'_> {
    fn keep_newest(&mut self) {
        self.all
            .sort_by_key(|(_, record)| std::cmp::Reverse(record.nanos));
        self.all.truncate(self.question.limit);
    }
}

impl Span {
    /// Whether a text in small letters stands somewhere in it.
    fn says(&self, text: &str) -> bool {
        let said = [&self.name, self.failure.as_deref().unwrap_or_default()];
        stands_in(text, said, &self.attributes)
    }
}

impl LogRecord {
    /// Whether a text in small letters stands somewhere in it.
    fn says(&self, text: &str) -> bool {
        stands_in(text, [&self.body, &self.event], &self.attributes)
    }
}

fn stands_in(text: &str, said: [&str; 2], attributes: &Attributes) -> bool {
    let values = attributes.iter().map(|(_, value)| &**value);
    text.is_empty()
        || said
            .into_iter()
            .chain(values)
            .any(|it| it.to_lowercase().contains(text))
}

/// Spans or log records of one trace that are told.
const OF_TRACE_MAX: usize = 5_000;
/// Traces that are put together for a list.
const TRACES_MAX: usize = 100_000;
