//! The one who appends: judges samples, writes the log, changes memory.

use std::collections::{HashSet, VecDeque};

use firebell_disk::{Log, LogError};
use firebell_model::{HistogramSample, Sample, Timestamp};

use crate::batch::{SeriesKey, SeriesRun};
use crate::by_slot::BySlot;
use crate::figures::Brought;
use crate::histogram::{is_storable, mark};
use crate::index::Index;
use crate::options::{AHEAD_MAX, AppendReport, Options, StoreError};
use crate::series::Late;
use crate::wal::RunsFrame;

/// What appends need of the past; one at a time has it.
pub(crate) struct Writer {
    pub(crate) log: Log,
    /// Bytes in the log, and how many there were after it was last rewritten.
    pub(crate) log_bytes: u64,
    pub(crate) log_bytes_rewritten: u64,
    /// Frames written since the start, and one for all that were there.
    pub(crate) n_frames: u64,
    /// A series that came to the log in an earlier segment has to come again.
    pub(crate) first_segment: u64,
    /// By slot.
    tips: BySlot<Tip>,
    /// The newest timestamp of all series.
    pub(crate) newest: i64,
    pub(crate) brought: Brought,
    /// Whose memory goes to files: what is late would find no place between what these have.
    pub(crate) flushing: Flushing,
    pub(crate) frame: Vec<u8>,
    unlogged: Unlogged,
}

/// Frames that the disk has not taken, oldest first; memory has their samples.
#[derive(Default)]
struct Unlogged {
    frames: VecDeque<Vec<u8>>,
    bytes: u64,
    /// Why the oldest was not taken.
    error: Option<StoreError>,
}

/// The newest sample of a series, and where the series came to the log.
#[derive(Clone, Copy)]
pub(crate) struct Tip {
    at: i64,
    bits: u64,
    pub(crate) segment: u64,
}

/// What of a batch will be appended: samples that are accepted and next to each other stay together.
#[derive(Default)]
pub(crate) struct Checked<'a> {
    runs: Vec<(u32, &'a [Sample])>,
    late: Vec<(u32, &'a Sample)>,
    histograms: Vec<(u32, &'a [HistogramSample])>,
    late_histograms: Vec<(u32, &'a HistogramSample)>,
    /// Series that are not in the log yet.
    comers: Vec<u32>,
    /// Tips before the batch, to go back to when the log fails.
    undo: Vec<(u32, Tip)>,
}

/// Series of which all that memory has is on its way to a chunk file.
pub(crate) enum Flushing {
    Nobody,
    All,
    Only(HashSet<u32>),
}

impl Flushing {
    fn has(&self, slot: u32) -> bool {
        match self {
            Self::Nobody => false,
            Self::All => true,
            Self::Only(slots) => slots.contains(&slot),
        }
    }
}

/// Which times are taken.
pub(crate) struct Bounds {
    /// Only later ones.
    floor: i64,
    /// Late ones from here on; `None` when samples of a series come in order.
    late_since: Option<i64>,
    /// None that is later.
    latest: i64,
}

/// Who judges the samples of a batch.
///
/// Sources: Prometheus, `tsdb/head_append.go`, `appendable`.
pub(crate) struct Judge<'a, 'b> {
    writer: &'b mut Writer,
    index: &'b Index,
    bounds: Bounds,
    pub(crate) report: &'b mut AppendReport,
    pub(crate) checked: Checked<'a>,
}

impl Writer {
    pub(crate) fn new(log: Log, log_bytes: u64, log_bytes_rewritten: u64) -> Self {
        Self {
            log,
            log_bytes,
            log_bytes_rewritten,
            n_frames: u64::from(log_bytes > 0),
            first_segment: 0,
            tips: BySlot::default(),
            newest: i64::MIN,
            brought: Brought::default(),
            flushing: Flushing::Nobody,
            frame: Vec::new(),
            unlogged: Unlogged::default(),
        }
    }

    pub(crate) fn tip_mut(&mut self, slot: u32) -> &mut Tip {
        self.tips.make(slot)
    }

    /// Notes the newest sample of a series that a restart brought back.
    /// `is_named` when the log names it.
    pub(crate) fn set_tip(&mut self, slot: u32, at: i64, value: f64, is_named: bool) {
        // Whichever segment it was: the next checkpoint removes it.
        let segment = if is_named { 0 } else { Tip::NOWHERE };
        let bits = value.to_bits();
        *self.tip_mut(slot) = Tip { at, bits, segment };
        self.newest = self.newest.max(at);
    }

    /// Notes a sample that may be newer than all that was appended.
    pub(crate) fn raise_tip(&mut self, slot: u32, at: i64, value: f64) {
        let tip = self.tip_mut(slot);
        if tip.at < at {
            (tip.at, tip.bits) = (at, value.to_bits());
            self.newest = self.newest.max(at);
        }
    }

    /// The newest timestamp of all series, as far as clocks are right: one that is from the future is
    /// not to end the out-of-order window of all.
    pub(crate) fn newest_by(&self, now: Timestamp) -> i64 {
        if self.newest > (now + AHEAD_MAX).0 {
            now.0
        } else {
            self.newest
        }
    }

    /// Forgets a series that is gone.
    pub(crate) fn clear_tip(&mut self, slot: u32) {
        *self.tip_mut(slot) = Tip::NONE;
    }

    /// What the log lacks.
    pub(crate) fn unlogged_bytes(&self) -> u64 {
        self.unlogged.bytes
    }

    /// Why the log lacks something.
    pub(crate) fn trouble(&self) -> Option<&StoreError> {
        self.unlogged.error.as_ref()
    }

    /// Appends `frame` to the log, behind what the log lacks.
    pub(crate) fn write_frame(&mut self) -> Result<(), StoreError> {
        self.write_unlogged()?;
        self.log.append(&self.frame)?;
        self.n_frames += 1;
        self.log_bytes += self.frame.len() as u64 + FRAME_EXTRA;
        Ok(())
    }

    /// Writes what the log lacks, as far as the disk takes it.
    pub(crate) fn write_unlogged(&mut self) -> Result<(), StoreError> {
        while let Some(frame) = self.unlogged.frames.front() {
            self.log.append(frame)?;
            self.n_frames += 1;
            let len = frame.len() as u64;
            self.log_bytes += len + FRAME_EXTRA;
            self.unlogged.bytes -= len;
            self.unlogged.frames.pop_front();
        }
        self.unlogged.error = None;
        Ok(())
    }

    /// Keeps `frame`, which the disk has not taken, for later. False when that cannot help, or too
    /// much waits already.
    pub(crate) fn put_off(&mut self, error: &StoreError, bytes_max: u64) -> bool {
        let len = self.frame.len() as u64;
        let is_of_disk = matches!(error, StoreError::Log(LogError::Disk(_)));
        if !is_of_disk || self.unlogged.bytes + len > bytes_max {
            return false;
        }
        self.unlogged.frames.push_back(self.frame.clone());
        self.unlogged.bytes += len;
        self.unlogged.error = Some(error.clone());
        true
    }

    /// Writes checked samples to the log.
    pub(crate) fn write_samples(
        &mut self,
        index: &Index,
        checked: &Checked<'_>,
    ) -> Result<(), StoreError> {
        let comers = checked.comers.iter();
        let comers: Vec<_> = comers.filter_map(|&slot| index.at(slot)).collect();
        let comers = comers.iter().map(|cell| (cell.id, &cell.labels));
        let mut histograms = checked.histograms.clone();
        let late = checked.late_histograms.iter();
        histograms.extend(late.map(|&(slot, it)| (slot, std::slice::from_ref(it))));
        let mut frame = RunsFrame::begin(&mut self.frame, comers, &histograms);
        for (slot, samples) in &checked.runs {
            frame.push(*slot, samples);
        }
        for (slot, sample) in &checked.late {
            frame.push(*slot, std::slice::from_ref(sample));
        }
        self.write_frame()
    }

    /// Puts checked samples into memory. True when series come.
    pub(crate) fn apply(
        &mut self,
        index: &Index,
        checked: &Checked<'_>,
        epoch: u64,
        live: &[u64],
    ) -> bool {
        let mut comes = false;
        for &(slot, samples) in &checked.runs {
            let newest = samples.last().map_or(i64::MIN, |it| it.at.0);
            self.newest = self.newest.max(newest);
            self.bring(samples.len(), samples.first().map(|it| it.at));
            if let Some(cell) = index.at(slot) {
                comes |= cell.state().append(epoch, samples, live);
            }
        }
        for &(slot, sample) in &checked.late {
            self.bring(1, Some(sample.at));
            if let Some(cell) = index.at(slot) {
                let (at, value) = (sample.at.0, sample.value);
                comes |= cell.state().append_late(Late { epoch, at, value });
            }
        }
        for &(slot, histograms) in &checked.histograms {
            let newest = histograms.last().map_or(i64::MIN, |it| it.at.0);
            self.newest = self.newest.max(newest);
            self.bring(histograms.len(), histograms.first().map(|it| it.at));
            if let Some(cell) = index.at(slot) {
                comes |= cell.state().append_histograms(epoch, histograms, live);
            }
        }
        for &(slot, histogram) in &checked.late_histograms {
            self.bring(1, Some(histogram.at));
            if let Some(cell) = index.at(slot) {
                let late = histogram.clone();
                comes |= cell.state().append_late_histogram(epoch, late);
            }
        }
        comes
    }

    /// Counts what comes into memory.
    fn bring(&mut self, n_samples: usize, oldest: Option<Timestamp>) {
        self.brought.samples += n_samples as u64;
        let oldest = oldest.map_or(i64::MAX, |at| at.0);
        self.brought.oldest = self.brought.oldest.min(oldest);
    }

    /// Forgets what [`Judge`] has noted of samples that were not appended after all.
    pub(crate) fn undo(&mut self, checked: Checked<'_>) {
        for (slot, tip) in checked.undo.into_iter().rev() {
            *self.tip_mut(slot) = tip;
        }
    }
}

/// What becomes of a histogram.
enum Verdict {
    Take,
    TakeLate,
    /// It is there already.
    Known,
    /// Another one is there for its time.
    Different,
    OutOfOrder,
    TooOld,
    TooFarAhead,
    /// It is none that can be kept.
    Refuse,
}

impl Verdict {
    fn same_time(is_same: bool) -> Self {
        if is_same {
            Self::Known
        } else {
            Self::Different
        }
    }
}

impl Bounds {
    /// For a batch that arrived then, if it came from elsewhere.
    pub(crate) fn new(
        writer: &Writer,
        options: &Options,
        floor: i64,
        arrived_at: Option<Timestamp>,
    ) -> Self {
        let newest = arrived_at.map_or(writer.newest, |now| writer.newest_by(now));
        let window = options.out_of_order_window.0;
        Self {
            floor,
            late_since: (window > 0).then(|| newest.saturating_sub(window)),
            latest: arrived_at.map_or(i64::MAX, |now| (now + AHEAD_MAX).0),
        }
    }
}

impl<'a, 'b> Judge<'a, 'b> {
    pub(crate) fn new(
        writer: &'b mut Writer,
        index: &'b Index,
        bounds: Bounds,
        report: &'b mut AppendReport,
    ) -> Self {
        Self {
            writer,
            index,
            bounds,
            report,
            checked: Checked::default(),
        }
    }

    /// Judges the samples of a series.
    pub(crate) fn judge(&mut self, slot: u32, samples: &'a [Sample]) {
        let after = self.writer.tip_mut(slot).at.max(self.bounds.floor);
        let n_old = samples.iter().take_while(|it| it.at.0 <= after).count();
        let (old, new) = samples.split_at(n_old);
        old.iter().for_each(|sample| self.judge_one(slot, sample));
        let is_due = new.last().is_none_or(|it| it.at.0 <= self.bounds.latest);
        if is_due && new.is_sorted_by(|a, b| a.at < b.at) {
            self.take(slot, new);
        } else {
            new.iter().for_each(|sample| self.judge_one(slot, sample));
        }
    }

    /// Counts the samples of a series that is not there.
    pub(crate) fn refuse(&mut self, run: &SeriesRun<'_>) {
        self.report.histograms_refused += run.histograms.len() as u64;
        let refused = run.len() as u64;
        match run.key {
            SeriesKey::Labels(_) => self.report.over_limit += refused,
            SeriesKey::Id(_) => self.report.unknown_series += refused,
        }
    }

    fn judge_one(&mut self, slot: u32, sample: &'a Sample) {
        let (at, bits) = (sample.at.0, sample.value.to_bits());
        let tip = *self.writer.tip_mut(slot);
        if at <= self.bounds.floor {
            self.report.too_old += 1;
        } else if at > self.bounds.latest {
            self.report.too_far_ahead += 1;
        } else if at > tip.at {
            self.take(slot, std::slice::from_ref(sample));
        } else if at == tip.at {
            self.report.duplicate_different_value += u64::from(bits != tip.bits);
        } else if let Some(since) = self.bounds.late_since {
            self.judge_late(slot, sample, since);
        } else {
            self.report.out_of_order += 1;
        }
    }

    /// Takes samples that are later than all of their series.
    fn take(&mut self, slot: u32, samples: &'a [Sample]) {
        let Some(last) = samples.last() else {
            return;
        };
        let segment = self.come(slot);
        let (at, bits) = (last.at.0, last.value.to_bits());
        *self.writer.tip_mut(slot) = Tip { at, bits, segment };
        self.checked.runs.push((slot, samples));
    }

    /// Judges a sample that is older than the newest of its series.
    fn judge_late(&mut self, slot: u32, sample: &'a Sample, since: i64) {
        let (at, bits) = (sample.at.0, sample.value.to_bits());
        let Some(cell) = self.index.at(slot) else {
            return;
        };
        let known = {
            let state = cell.state();
            let is_filed = state.all_filed_until().is_some_and(|until| at <= until);
            if at < since || is_filed || self.writer.flushing.has(slot) {
                self.report.too_old += 1;
                return;
            }
            let track = state.histograms.as_ref();
            let histogram = track.and_then(|track| track.mark_at(at));
            state.value_at(at).or(histogram)
        };
        if let Some(known) = known.or_else(|| self.checked.value_at(slot, at)) {
            self.report.duplicate_different_value += u64::from(known.to_bits() != bits);
        } else {
            let segment = self.come(slot);
            self.writer.tip_mut(slot).segment = segment;
            self.checked.late.push((slot, sample));
        }
    }

    /// Judges the histograms of a series.
    pub(crate) fn judge_histograms(&mut self, slot: u32, histograms: &'a [HistogramSample]) {
        for it in histograms {
            let tip = *self.writer.tip_mut(slot);
            let verdict = match it.at.0 {
                _ if !is_storable(&it.histogram) => Verdict::Refuse,
                at if at <= self.bounds.floor => Verdict::TooOld,
                at if at > self.bounds.latest => Verdict::TooFarAhead,
                at if at > tip.at => Verdict::Take,
                at if at == tip.at => Verdict::same_time(mark(it).value.to_bits() == tip.bits),
                _ => match self.bounds.late_since {
                    Some(since) => self.judge_late_histogram(slot, it, since),
                    None => Verdict::OutOfOrder,
                },
            };
            self.carry_out(verdict, slot, it);
        }
    }

    fn judge_late_histogram(&self, slot: u32, it: &HistogramSample, since: i64) -> Verdict {
        let at = it.at.0;
        let Some(cell) = self.index.at(slot) else {
            return Verdict::Refuse;
        };
        let state = cell.state();
        let track = state.histograms.as_ref();
        let is_filed = state.all_filed_until().is_some_and(|until| at <= until);
        if at < since || is_filed || self.writer.flushing.has(slot) {
            return Verdict::TooOld;
        }
        let in_batch = self.checked.late_histograms.iter();
        let mut in_batch = in_batch.filter(|late| late.0 == slot && late.1.at.0 == at);
        let known = track.and_then(|track| track.mark_at(at));
        let known = known.or_else(|| in_batch.next().map(|late| mark(late.1).value));
        let known = known.or_else(|| state.value_at(at));
        let known = known.or_else(|| self.checked.value_at(slot, at));
        known.map_or(Verdict::TakeLate, |known| {
            Verdict::same_time(known.to_bits() == mark(it).value.to_bits())
        })
    }

    fn carry_out(&mut self, verdict: Verdict, slot: u32, it: &'a HistogramSample) {
        let report = &mut *self.report;
        let reason = match verdict {
            Verdict::Known => return,
            Verdict::Take => {
                let segment = self.come(slot);
                let (at, bits) = (it.at.0, mark(it).value.to_bits());
                *self.writer.tip_mut(slot) = Tip { at, bits, segment };
                let run = std::slice::from_ref(it);
                self.checked.histograms.push((slot, run));
                return;
            }
            Verdict::TakeLate => {
                let segment = self.come(slot);
                self.writer.tip_mut(slot).segment = segment;
                self.checked.late_histograms.push((slot, it));
                return;
            }
            Verdict::TooOld => Some(&mut report.too_old),
            Verdict::TooFarAhead => Some(&mut report.too_far_ahead),
            Verdict::OutOfOrder => Some(&mut report.out_of_order),
            Verdict::Different => Some(&mut report.duplicate_different_value),
            Verdict::Refuse => None,
        };
        if let Some(count) = reason {
            *count += 1;
        }
        report.histograms_refused += 1;
    }

    /// Sees to it that the series is named in the log; returns in which segment.
    fn come(&mut self, slot: u32) -> u64 {
        let tip = *self.writer.tip_mut(slot);
        self.checked.undo.push((slot, tip));
        if tip.segment != Tip::NOWHERE && tip.segment >= self.writer.first_segment {
            return tip.segment;
        }
        self.checked.comers.push(slot);
        self.writer.log.segment()
    }
}

impl Checked<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
            && self.late.is_empty()
            && self.histograms.is_empty()
            && self.late_histograms.is_empty()
    }

    /// How many samples there are, and how many histograms.
    pub(crate) fn count(&self) -> (u64, u64) {
        let n_samples: usize = self.runs.iter().map(|run| run.1.len()).sum();
        let n_histograms: usize = self.histograms.iter().map(|run| run.1.len()).sum();
        (
            (n_samples + self.late.len()) as u64,
            (n_histograms + self.late_histograms.len()) as u64,
        )
    }

    /// The series that get something, perhaps several times.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> {
        let runs = self.runs.iter().map(|run| run.0);
        let late = self.late.iter().map(|late| late.0);
        let histograms = self.histograms.iter().map(|run| run.0);
        let late_histograms = self.late_histograms.iter().map(|late| late.0);
        runs.chain(late).chain(histograms).chain(late_histograms)
    }

    /// The value that the batch has given a series at one moment.
    fn value_at(&self, slot: u32, at: i64) -> Option<f64> {
        let in_order = self.runs.iter().filter(|run| run.0 == slot);
        let late = self.late.iter().filter(|late| late.0 == slot);
        let mut samples = in_order
            .flat_map(|run| run.1)
            .chain(late.map(|late| late.1));
        samples.find(|it| it.at.0 == at).map(|it| it.value)
    }
}

impl Default for Tip {
    fn default() -> Self {
        Self::NONE
    }
}

impl Tip {
    const NOWHERE: u64 = u64::MAX;
    const NONE: Self = Self {
        at: i64::MIN,
        bits: 0,
        segment: Self::NOWHERE,
    };
}

/// The head of a frame in the log.
const FRAME_EXTRA: u64 = 8;
