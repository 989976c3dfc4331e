//! One source after the other into a store.

use std::sync::Arc;

use firebell_disk::Disk;
use firebell_model::Timestamp;
use firebell_tsdb::{AHEAD_MAX, Backfill, Backfilled, Store, StoreError};

use crate::block::{Block, BlockSeries};
use crate::journal::{Journal, Place};

/// Puts sources into a store.
pub struct Importer<'a> {
    pub(crate) store: &'a Store,
    pub(crate) journal: Journal,
    /// The latest time that a sample may have.
    pub(crate) latest: Timestamp,
    pub(crate) report: Report,
    /// Those that were there before the source that is being read.
    n_problems_before: u64,
    pub(crate) tell: &'a mut dyn FnMut(&Progress<'_>),
}

/// How far an import is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The file or folder that is being read.
    pub source: &'a str,
    /// How much of it was read.
    pub done: u64,
    /// How much there is; only the ratio means something.
    pub total: u64,
    /// What has become of all so far.
    pub report: &'a Report,
}

/// What has become of all that was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Sources that were read to their end.
    pub sources: u64,
    /// Sources that were imported before.
    pub sources_known: u64,
    /// Sources that could not be read at all.
    pub sources_bad: u64,
    /// Series, or parts of one where a file was read in parts.
    pub series: u64,
    /// Samples and histograms that are new.
    pub added: u64,
    /// Those for whose time the store had one already, which stays.
    pub known: u64,
    /// Those that found no place; a problem says why.
    pub refused: u64,
    /// The earliest and the latest time of what was read.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What could not be read, where and why: the first [`PROBLEMS_MAX`].
    pub problems: Vec<String>,
    /// How many there are in truth.
    pub n_problems: u64,
}

impl Report {
    pub(crate) fn problem(&mut self, source: &str, what: &str) {
        self.n_problems += 1;
        if self.problems.len() < PROBLEMS_MAX {
            // A carriage return would hide the line that it stands in.
            let mut shown = format!("{source}: ");
            for c in what.chars() {
                match c.is_control() {
                    true => shown.extend(c.escape_default()),
                    false => shown.push(c),
                }
            }
            self.problems.push(shown);
        }
    }

    pub(crate) fn add(&mut self, source: &str, series: &dyn std::fmt::Display, part: Backfilled) {
        let Backfilled {
            added,
            known,
            too_new,
            unplaced,
            over_limit,
        } = part;
        self.added += added;
        self.known += known;
        self.refused += too_new + unplaced + over_limit;
        for (n, why) in [
            (too_new, "the series got newer samples meanwhile"),
            (
                unplaced,
                "they fall into a chunk of the store that cannot be read",
            ),
            (over_limit, "the store may not have more series"),
        ] {
            if n > 0 {
                self.problem(
                    source,
                    &format!("{n} samples of {series} are left out: {why}"),
                );
            }
        }
    }

    /// Leaves out what is later than `latest`, of samples in order of time.
    pub(crate) fn cut_ahead<T>(
        &mut self,
        source: &str,
        series: &dyn std::fmt::Display,
        samples: &mut Vec<T>,
        at: impl Fn(&T) -> Timestamp,
        latest: Timestamp,
    ) {
        let n_left = samples.partition_point(|it| at(it) <= latest);
        if let Some(last) = samples[n_left..].last() {
            let (n, last) = (samples.len() - n_left, shown(at(last)));
            self.refused += n as u64;
            let what = format!(
                "{n} samples of {series} are left out: they are more than {AHEAD_MAX} ahead of now, \
                 up to {last}"
            );
            self.problem(source, &what);
            samples.truncate(n_left);
        }
    }

    pub(crate) fn stretch(&mut self, times: impl IntoIterator<Item = Timestamp>) {
        for at in times {
            let (first, last) = self.span.unwrap_or((at, at));
            self.span = Some((first.min(at), last.max(at)));
        }
    }
}

impl<'a> Importer<'a> {
    /// An importer at the moment `now` that tells every now and then how far it is. Samples that are
    /// further ahead than [`AHEAD_MAX`] are left out: a series takes none before its last one.
    pub fn new(
        store: &'a Store,
        journal: Journal,
        now: Timestamp,
        tell: &'a mut dyn FnMut(&Progress<'_>),
    ) -> Self {
        Self {
            store,
            journal,
            latest: now + AHEAD_MAX,
            report: Report::default(),
            n_problems_before: 0,
            tell,
        }
    }

    /// What has become of all.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Imports the block in the root folder of `disk`; `source` is what messages call it.
    ///
    /// # Errors
    /// When the store fails. What is wrong with the block is in the report.
    pub fn block(&mut self, disk: Arc<dyn Disk>, source: &str) -> Result<(), StoreError> {
        let mut block = match Block::open(disk) {
            Ok(block) => block,
            Err(error) => {
                self.report.sources_bad += 1;
                self.report.problem(source, &error.to_string());
                return Ok(());
            }
        };
        let key = format!("block {} {:016x}", block.meta().ulid, block.index_hash());
        let Some(place) = self.begin(&key, source) else {
            return Ok(());
        };
        block.skip_to(place.at);
        let mut series = BlockSeries::default();
        loop {
            let mut file = self.store.backfill()?;
            let has_more = self.fill(&mut block, &mut file, &mut series, source)?;
            file.finish()?;
            let place = Place {
                at: block.progress().0,
                is_done: !has_more,
                ..Place::default()
            };
            self.note(&key, place)?;
            if !has_more {
                self.report.sources += 1;
                return Ok(());
            }
        }
    }

    /// Where a source is to be gone on with; `None` when it was imported before.
    pub(crate) fn begin(&mut self, key: &str, source: &str) -> Option<Place> {
        self.n_problems_before = self.report.n_problems;
        let place = self.journal.place(key);
        if place.is_done {
            self.report.sources_known += 1;
            return None;
        }
        if place.had_problems {
            let what = "what was read of it before the import was interrupted had problems: \
                        import it once more, and they are named";
            self.report.problem(source, what);
        }
        Some(place)
    }

    /// Notes how far a source is read, durably. One that is read to its end and had problems is
    /// forgotten: whoever mends it, or makes room for it, imports it again.
    pub(crate) fn note(&mut self, key: &str, mut place: Place) -> Result<(), StoreError> {
        place.had_problems = self.report.n_problems > self.n_problems_before;
        let noted = match place.is_done && place.had_problems {
            true => self.journal.forget_source(key),
            false => self.journal.note(key, place),
        };
        Ok(noted?)
    }

    /// Fills a chunk file. False when the block ends.
    fn fill(
        &mut self,
        block: &mut Block,
        file: &mut Backfill<'_>,
        series: &mut BlockSeries,
        source: &str,
    ) -> Result<bool, StoreError> {
        let mut n_until_tell = 0;
        while file.bytes() < FILE_BYTES_MAX {
            let has_more = block.next_series(series);
            if n_until_tell == 0 || !has_more {
                self.tell(source, block.progress());
                n_until_tell = SERIES_PER_TELL;
            }
            if !has_more {
                return Ok(false);
            }
            n_until_tell -= 1;
            let report = &mut self.report;
            let BlockSeries {
                labels,
                samples,
                histograms,
                problems,
            } = &mut *series;
            report.cut_ahead(source, labels, samples, |it| it.at, self.latest);
            report.cut_ahead(source, labels, histograms, |it| it.at, self.latest);
            let labels = &*labels;
            for problem in &*problems {
                report.problem(source, problem);
            }
            report.series += u64::from(samples.len() + histograms.len() > 0);
            let ends = [samples.first(), samples.last()];
            report.stretch(ends.into_iter().flatten().map(|sample| sample.at));
            let ends = [histograms.first(), histograms.last()];
            report.stretch(ends.into_iter().flatten().map(|sample| sample.at));
            report.add(source, labels, file.push(labels, samples)?);
            if !histograms.is_empty() {
                report.add(source, labels, file.push_histograms(labels, histograms)?);
            }
        }
        Ok(true)
    }

    pub(crate) fn tell(&mut self, source: &str, (done, total): (u64, u64)) {
        (self.tell)(&Progress {
            source,
            done,
            total,
            report: &self.report,
        });
    }
}

/// A time, however far: years of more than four digits have no date.
pub(crate) fn shown(at: Timestamp) -> String {
    let year = 1970 + at.0 / YEAR_MS;
    match year {
        -9998..=9998 => at.to_string(),
        _ => format!("the year {year}"),
    }
}

const YEAR_MS: i64 = 31_556_952_000;
/// Problems beyond so many are only counted.
const PROBLEMS_MAX: usize = 1000;
/// A chunk file of the store: what a killed import has to do again.
const FILE_BYTES_MAX: u64 = 128 << 20;
const SERIES_PER_TELL: u32 = 256;
