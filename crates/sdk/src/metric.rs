//! Metrics that cost an observation a few atomic operations, and give out what was added since.
//!
//! *Invariants*: series are never removed; there are at most `max_series` of them and at most
//! `max_per_metric` of a metric, and what comes beyond is counted in one series of the metric with
//! `otel.metric.overflow`. Whoever collects takes no lock that an observation takes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::cells::{
    self, CHUNK_WORDS, Cells, Exemplar, HISTOGRAM_CELLS, Kind, N_BUCKETS, Point, bucket_of,
};
use crate::proto::Message;
use crate::ring::write_bytes;
use crate::sums::{self, Totals};
use crate::value::Value;

/// All metrics of a process.
#[derive(Debug)]
pub struct Metrics {
    arena: &'static [AtomicU64],
    /// How much of the arena is given away; kept here too, since a fork empties the arena.
    used: AtomicUsize,
    /// The same, where it is found after a kill.
    used_word: &'static AtomicU64,
    names: Mutex<HashMap<String, &'static Metric>>,
    series: Table,
    max_series: AtomicUsize,
    max_per_metric: AtomicUsize,
    n_overflowed: AtomicU64,
}

/// One metric: its series by their labels.
#[derive(Debug)]
pub struct Metric {
    owner: OnceLock<&'static Metrics>,
    /// As given.
    pub name: String,
    /// As given.
    pub unit: String,
    description: String,
    kind: Kind,
    by_key: Mutex<HashMap<Box<[u8]>, &'static Series>>,
    n_series: AtomicUsize,
    overflow: OnceLock<&'static Series>,
}

/// One series: a metric with its labels.
#[derive(Debug)]
pub struct Series {
    metric: &'static Metric,
    labels: Vec<(String, String)>,
    /// What of its definition a record repeats.
    definition: Vec<u8>,
    definition_at: Option<usize>,
    cells: &'static [AtomicU64],
    /// Buckets of a histogram for which the arena had no room.
    spill: OnceLock<Box<[AtomicU64]>>,
}

/// Why a metric cannot be had.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetricError {
    /// Something else has its name.
    #[error("`{name}` is a {is} in `{unit}` already")]
    Taken {
        /// The name.
        name: String,
        /// What it is.
        is: &'static str,
        /// Its unit.
        unit: String,
    },
    /// A name is from 1 to 255 characters.
    #[error("a metric's name has from 1 to 255 characters, this one {0}")]
    BadName(usize),
}

impl Metrics {
    pub(crate) fn new(arena: &'static [AtomicU64], used_word: &'static AtomicU64) -> Self {
        Self {
            arena,
            used: AtomicUsize::new(0),
            used_word,
            names: Mutex::default(),
            series: Table::default(),
            max_series: AtomicUsize::new(10_000),
            max_per_metric: AtomicUsize::new(2_000),
            n_overflowed: AtomicU64::new(0),
        }
    }

    /// Bounds of what may come; what is there already stays.
    pub fn set_limits(&self, max_series: usize, max_per_metric: usize) {
        self.max_series.store(max_series, Ordering::Relaxed);
        self.max_per_metric.store(max_per_metric, Ordering::Relaxed);
    }

    /// Observations that went to a series of overflow.
    pub fn n_overflowed(&self) -> u64 {
        self.n_overflowed.load(Ordering::Relaxed)
    }

    /// The metric of this name, made when it is new. The first description stays.
    ///
    /// # Errors
    /// The name is taken by one of another kind or unit, or cannot be one.
    pub fn metric(
        &'static self,
        kind: Kind,
        name: &str,
        description: &str,
        unit: &str,
    ) -> Result<&'static Metric, MetricError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(MetricError::BadName(name.chars().count()));
        }
        let mut names = lock(&self.names);
        if let Some(metric) = names.get(name) {
            if metric.kind == kind && metric.unit == unit {
                return Ok(metric);
            }
            return Err(MetricError::Taken {
                name: name.to_owned(),
                is: metric.kind.name(),
                unit: metric.unit.clone(),
            });
        }
        let metric: &'static Metric = Box::leak(Box::new(Metric {
            owner: OnceLock::new(),
            name: name.to_owned(),
            unit: unit.to_owned(),
            description: description.chars().take(DESCRIPTION_CHARS_MAX).collect(),
            kind,
            by_key: Mutex::default(),
            n_series: AtomicUsize::new(0),
            overflow: OnceLock::new(),
        }));
        let _ = metric.owner.set(self);
        names.insert(name.to_owned(), metric);
        Ok(metric)
    }

    /// Words of the arena, if there are as many left.
    fn reserve(&self, n_words: usize) -> Option<(usize, &'static [AtomicU64])> {
        let at = self.used.load(Ordering::Relaxed);
        let words = self.arena.get(at..at + n_words)?;
        self.used.store(at + n_words, Ordering::Release);
        self.used_word
            .store((at + n_words) as u64, Ordering::Release);
        Some((at, words))
    }

    /// How much of the arena is given away, in words.
    pub(crate) fn arena_used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    /// All start from zero: this is a forked child, what was counted is the parent's.
    pub(crate) fn reset(&self) {
        let used = self.arena_used();
        self.used_word.store(used as u64, Ordering::Release);
        for word in self.arena.iter().take(used) {
            word.store(0, Ordering::Relaxed);
        }
        for series in self.series.iter_from(0) {
            series
                .cells
                .iter()
                .for_each(|it| it.store(0, Ordering::Relaxed));
            let spilled = series.spill.get().into_iter().flatten();
            spilled.for_each(|it| it.store(0, Ordering::Relaxed));
            series.define(self.arena);
        }
    }

    /// What was added since the last time, as encoded `Metric`s, beginning with the series number
    /// `from`, up to about `bytes_max`; and where to go on. `all`: also what did not change.
    pub(crate) fn collect(
        &self,
        from: usize,
        bytes_max: usize,
        all: bool,
        point: Point,
    ) -> (Vec<Vec<u8>>, Option<usize>) {
        let mut records = Vec::new();
        let mut n_bytes = 0;
        for (idx, series) in (from..).zip(self.series.iter_from(from)) {
            if n_bytes >= bytes_max {
                return (records, Some(idx));
            }
            let cells = series.cells(self.arena);
            if let Some(record) = cells.collect(series.metric.kind, &series.definition, all, point)
            {
                n_bytes += record.len();
                records.push(record);
            }
        }
        (records, None)
    }

    /// What every series came to since the process began. A gauge that was never set is none.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::new();
        for series in self.series.iter_from(0) {
            let kind = series.metric.kind;
            let cells = series.cells(self.arena);
            if cells.has_value(kind) {
                sums::add(
                    &mut totals,
                    (kind, series.definition.clone()),
                    cells.sum(kind),
                );
            }
        }
        totals
    }
}

impl Metric {
    /// What kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it says of itself.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The series that was found by this key before. Whoever asks makes keys from labels in the
    /// order in which they come: several keys may lead to one series.
    pub fn find(&self, key: &[u8]) -> Option<&'static Series> {
        lock(&self.by_key).get(key).copied()
    }

    /// The series of these labels, made when it is new, and remembered by `key`.
    pub fn series(&'static self, key: &[u8], mut labels: Vec<(String, String)>) -> &'static Series {
        labels.sort();
        labels.dedup_by(|a, b| a.0 == b.0);
        let canonical = key_of(&labels);
        let mut by_key = lock(&self.by_key);
        let found = by_key.get(&*canonical).copied();
        let series = match found.or_else(|| self.make(labels)) {
            Some(series) => series,
            None => {
                if let Some(owner) = self.owner.get() {
                    owner.n_overflowed.fetch_add(1, Ordering::Relaxed);
                }
                return self.overflow();
            }
        };
        if found.is_none() {
            by_key.insert(canonical.into(), series);
        }
        if by_key.len() < KEYS_PER_SERIES * self.n_series.load(Ordering::Relaxed) {
            by_key.insert(key.into(), series);
        }
        series
    }

    fn make(&'static self, labels: Vec<(String, String)>) -> Option<&'static Series> {
        let owner = self.owner.get()?;
        let is_full = self.n_series.load(Ordering::Relaxed)
            >= owner.max_per_metric.load(Ordering::Relaxed)
            || owner.series.len() >= owner.max_series.load(Ordering::Relaxed);
        if is_full && !labels.is_empty() {
            return None;
        }
        self.n_series.fetch_add(1, Ordering::Relaxed);
        self.add(owner, labels)
    }

    fn overflow(&'static self) -> &'static Series {
        self.overflow.get_or_init(|| {
            let label = (OVERFLOW.to_owned(), "true".to_owned());
            let added = self
                .owner
                .get()
                .and_then(|owner| self.add(owner, vec![label.clone()]));
            // Beyond the last place of the table: it counts, but nobody collects it.
            added.unwrap_or_else(|| Box::leak(Box::new(Series::new(self, vec![label], &[], None))))
        })
    }

    fn add(
        &'static self,
        owner: &'static Metrics,
        labels: Vec<(String, String)>,
    ) -> Option<&'static Series> {
        let definition = self.definition(&labels);
        let n_text = definition.len().div_ceil(8);
        let n_cells = self.kind.n_cells();
        let place = owner.reserve(1 + n_text + n_cells);
        let (at, cells) = match place {
            Some((at, words)) => (Some(at), words.get(1 + n_text..)?),
            None => (None, leak_zeros(n_cells)),
        };
        let mut series = Series::new(self, labels, cells, at);
        series.definition = definition;
        series.define(owner.arena);
        let series: &'static Series = Box::leak(Box::new(series));
        owner.series.push(series).then_some(series)
    }

    /// Name, description and unit as a `Metric` has them, then the labels as its points have them.
    fn definition(&self, labels: &[(String, String)]) -> Vec<u8> {
        let mut head = Message::default();
        head.text(1, &self.name);
        head.text(2, &self.description);
        head.text(3, &self.unit);
        let mut points = Message::default();
        for (key, value) in labels {
            let value = match value.as_str() {
                "true" if key == OVERFLOW => Value::Bool(true),
                _ => Value::Text(value.clone()),
            };
            points.attribute(self.kind.attributes_field(), key, &value);
        }
        cells::join(head.as_bytes(), points.as_bytes())
    }
}

impl Series {
    fn new(
        metric: &'static Metric,
        labels: Vec<(String, String)>,
        cells: &'static [AtomicU64],
        definition_at: Option<usize>,
    ) -> Self {
        Self {
            metric,
            labels,
            definition: Vec::new(),
            definition_at,
            cells,
            spill: OnceLock::new(),
        }
    }

    /// The metric.
    pub fn metric(&self) -> &'static Metric {
        self.metric
    }

    /// Sorted by name.
    pub fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    fn cells<'a>(&'a self, arena: &'a [AtomicU64]) -> Cells<'a> {
        Cells {
            words: self.cells,
            arena,
            spill: self.spill.get().map(|it| &**it),
        }
    }

    /// Writes what it is before its cells, for whoever reads them after a kill.
    fn define(&self, arena: &[AtomicU64]) {
        let Some(at) = self.definition_at else { return };
        write_bytes(arena, at + 1, &self.definition);
        if let Some(word) = arena.get(at) {
            word.store(
                cells::tag(self.metric.kind, self.definition.len()),
                Ordering::Release,
            );
        }
    }

    /// Adds to a counter, or to a gauge. What is negative or no number is left out of a counter:
    /// `false`.
    #[inline]
    pub fn add(&self, n: f64) -> bool {
        let is_gauge = self.metric.kind == Kind::Gauge;
        if !(n >= 0.0 || is_gauge && n < 0.0) {
            return false;
        }
        if let [value, second, ..] = self.cells {
            cells::add(value, n);
            if is_gauge {
                second.fetch_add(1, Ordering::Relaxed);
            }
        }
        true
    }

    /// Sets a gauge.
    #[inline]
    pub fn set(&self, to: f64) {
        if let [value, n_changes, ..] = self.cells {
            value.store(to.to_bits(), Ordering::Relaxed);
            n_changes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a value in a histogram. `false`: it is no number, and left out.
    #[inline]
    pub fn observe(&self, value: f64) -> bool {
        if value.is_nan() {
            return false;
        }
        if let [sum, zeros, ..] = self.cells {
            cells::add(sum, value);
            match bucket_of(value) {
                None => _ = zeros.fetch_add(1, Ordering::Relaxed),
                Some(bucket) => self.count(bucket),
            }
        }
        true
    }

    #[inline]
    fn count(&self, bucket: usize) {
        let Some(owner) = self.metric.owner.get() else {
            return;
        };
        match self.cells(owner.arena).bucket(bucket) {
            Some(count) => _ = count.fetch_add(1, Ordering::Relaxed),
            None => self.count_in_new_chunk(owner, bucket),
        }
    }

    #[cold]
    fn count_in_new_chunk(&self, owner: &'static Metrics, bucket: usize) {
        // The lock of names: whoever makes series has one of a metric, whoever comes here none.
        let _guard = lock(&owner.names);
        let cells = self.cells(owner.arena);
        let has_place = cells.bucket(bucket).is_some()
            || match owner.reserve(CHUNK_WORDS + 1) {
                Some((at, words)) => {
                    if let Some(first) = words.first() {
                        first.store(cells::CHUNK_TAG, Ordering::Release);
                    }
                    cells.set_chunk(bucket, at + 1);
                    true
                }
                None => false,
            };
        if !has_place {
            self.spill
                .get_or_init(|| zeros(2 * N_BUCKETS).into_boxed_slice());
        }
        if let Some(count) = self.cells(owner.arena).bucket(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether it counts what found no place of its own: there may be room for that later.
    pub fn is_overflow(&self) -> bool {
        let overflow = self.metric.overflow.get();
        overflow.is_some_and(|it| std::ptr::eq(*it, self))
    }

    /// Whether an exemplar of this value is wanted: the first and the largest of a collection are.
    #[inline]
    pub fn wants_exemplar(&self, value: f64) -> bool {
        Exemplar::wanted(self.metric.kind, self.cells, value)
    }

    /// There was no span: none is looked for until the next collection, or a larger value comes.
    pub fn look_for_exemplar_later(&self) {
        Exemplar::put_off(self.metric.kind, self.cells);
    }

    /// Keeps an exemplar: this value was observed within this span.
    pub fn set_exemplar(&self, value: f64, nanos: u64, trace_id: u128, span_id: u64) {
        let exemplar = Exemplar {
            value,
            nanos,
            trace_id,
            span_id,
        };
        exemplar.keep(self.metric.kind, self.cells);
    }
}

/// Series in the order in which they came; it only grows, and reading takes no lock.
#[derive(Debug)]
struct Table {
    blocks: Box<[OnceLock<Block>]>,
    len: AtomicUsize,
}

type Block = Box<[OnceLock<&'static Series>]>;

impl Default for Table {
    fn default() -> Self {
        Self {
            blocks: (0..BLOCKS_MAX).map(|_| OnceLock::new()).collect(),
            len: AtomicUsize::new(0),
        }
    }
}

impl Table {
    fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    fn push(&self, series: &'static Series) -> bool {
        loop {
            let idx = self.len();
            let Some(block) = self.blocks.get(idx / BLOCK_LEN) else {
                return false;
            };
            let block = block.get_or_init(|| (0..BLOCK_LEN).map(|_| OnceLock::new()).collect());
            let is_set = block
                .get(idx % BLOCK_LEN)
                .is_some_and(|it| it.set(series).is_ok());
            let _ = self
                .len
                .compare_exchange(idx, idx + 1, Ordering::AcqRel, Ordering::Relaxed);
            if is_set {
                return true;
            }
        }
    }

    fn iter_from(&self, from: usize) -> impl Iterator<Item = &'static Series> + '_ {
        (from..self.len()).filter_map(|idx| {
            let block = self.blocks.get(idx / BLOCK_LEN)?.get()?;
            block.get(idx % BLOCK_LEN)?.get().copied()
        })
    }
}

/// The key of labels in their order.
pub fn key_of<S: AsRef<str>>(labels: &[(S, S)]) -> Vec<u8> {
    let mut key = Vec::new();
    for (name, value) in labels {
        push_key(&mut key, name.as_ref());
        push_key(&mut key, value.as_ref());
    }
    key
}

/// Adds a name or a value to a key.
#[inline]
pub fn push_key(key: &mut Vec<u8>, part: &str) {
    key.extend_from_slice(part.as_bytes());
    key.push(0xff); // No text has this byte.
}

fn zeros(n_words: usize) -> Vec<AtomicU64> {
    (0..n_words).map(|_| AtomicU64::new(0)).collect()
}

fn leak_zeros(n_words: usize) -> &'static [AtomicU64] {
    Vec::leak(zeros(n_words))
}

/// What a panic of another thread left is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const NAME_BYTES_MAX: usize = 255;
const DESCRIPTION_CHARS_MAX: usize = 500;
/// The same labels come in a few orders at most.
const KEYS_PER_SERIES: usize = 4;
const OVERFLOW: &str = "otel.metric.overflow";
const BLOCK_LEN: usize = 1024;
const BLOCKS_MAX: usize = 1024;
const _: () = assert!(HISTOGRAM_CELLS < 64);
