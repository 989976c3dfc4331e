//! Exemplars: the newest of all series, up to a number of them.
//!
//! They are in memory; the log has those that come, and a checkpoint writes all of them to a file, so
//! that a restart brings them back.
//!
//! `exemplars`: magic and CRC-32 (see `bytes`), then exemplars up to the end as in the log (see `wal`),
//! in the order in which they came.
//!
//! *Sources*: Prometheus, `tsdb/exemplar.go`: what is refused, and that the oldest go first whichever
//! series they are of.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{MutexGuard, PoisonError};

use firebell_disk::Disk;
use firebell_model::{Exemplar, Labels, Matcher, TimeRange};

use crate::Store;
use crate::batch::{Batch, SeriesKey};
use crate::bytes::{checked, with_checksum};
use crate::options::{AHEAD_MAX, StoreError};
use crate::store::Shared;
use crate::wal;

/// The exemplars of a store.
#[derive(Default)]
pub(crate) struct Exemplars {
    by_series: BTreeMap<Labels, VecDeque<Exemplar>>,
    /// Whose exemplar came when, oldest first.
    order: VecDeque<Labels>,
    /// Changes are not in the file.
    is_dirty: bool,
}

impl Exemplars {
    /// Reads the file. What is damaged is named.
    pub(crate) fn open(
        disk: &dyn Disk,
        n_max: usize,
        damage: &mut Vec<String>,
    ) -> Result<Self, StoreError> {
        let mut all = Self::default();
        let content = match disk.read(PATH) {
            Ok(content) => content,
            Err(error) if error.is_not_found => return Ok(all),
            Err(error) => return Err(error.into()),
        };
        let mut read = || {
            let mut reader = checked(MAGIC, &content)?;
            while !reader.is_empty() {
                let (series, exemplar) = wal::read_exemplar(&mut reader)?;
                all.push(&series, &exemplar, n_max);
            }
            Some(())
        };
        if read().is_none() {
            damage.push(format!("`{PATH}` is damaged: exemplars are forgotten"));
        }
        all.is_dirty = false;
        Ok(all)
    }

    /// False when it is refused: its labels are too long, or it does not come after the newest one
    /// of its series. A repeated one is taken and not kept twice.
    pub(crate) fn push(&mut self, series: &Labels, exemplar: &Exemplar, n_max: usize) -> bool {
        let chars = |text: &str| text.chars().count();
        let labels = exemplar.labels.iter();
        let n_chars: usize = labels.map(|it| chars(&it.name) + chars(&it.value)).sum();
        if n_max == 0 || n_chars > LABELS_CHARS_MAX {
            return false;
        }
        if let Some(newest) = self.by_series.get(series).and_then(VecDeque::back) {
            if newest == exemplar {
                return true;
            }
            let is_before = (exemplar.at, exemplar.value) < (newest.at, newest.value);
            if is_before || exemplar.value.is_nan() && exemplar.at <= newest.at {
                return false;
            }
        }
        while self.order.len() >= n_max {
            self.drop_oldest();
        }
        self.is_dirty = true;
        self.order.push_back(series.clone());
        let own = self.by_series.entry(series.clone()).or_default();
        own.push_back(exemplar.clone());
        true
    }

    /// All, with their series, in the order in which they came.
    fn in_order(&self) -> Vec<(Labels, Exemplar)> {
        let mut own: BTreeMap<&Labels, _> = BTreeMap::new();
        let next = |series| {
            let known = self.by_series.get(series).into_iter().flatten();
            let left = own.entry(series).or_insert(known);
            Some((series.clone(), left.next()?.clone()))
        };
        self.order.iter().filter_map(next).collect()
    }

    fn drop_oldest(&mut self) {
        let Some(series) = self.order.pop_front() else {
            return;
        };
        if let Some(own) = self.by_series.get_mut(&series) {
            own.pop_front();
            if own.is_empty() {
                self.by_series.remove(&series);
            }
        }
    }

    fn select(&self, selectors: &[Vec<Matcher>], range: TimeRange) -> Vec<(Labels, Vec<Exemplar>)> {
        let matches = |labels: &Labels| {
            let all = |matchers: &Vec<Matcher>| matchers.iter().all(|it| it.matches(labels));
            selectors.iter().any(all)
        };
        let found = self.by_series.iter().filter(|(labels, _)| matches(labels));
        let found = found.map(|(labels, own)| {
            let own = own.iter().filter(|it| range.contains(it.at));
            (labels.clone(), own.cloned().collect::<Vec<_>>())
        });
        found.filter(|(_, own)| !own.is_empty()).collect()
    }
}

impl Store {
    /// The exemplars in the range of all series that satisfy all matchers of one of the selectors, in
    /// order of labels and then of time.
    #[must_use]
    pub fn exemplars(
        &self,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
    ) -> Vec<(Labels, Vec<Exemplar>)> {
        self.shared.exemplars().select(selectors, range)
    }

    /// How many exemplars there are.
    #[must_use]
    pub fn n_exemplars(&self) -> u64 {
        self.shared.exemplars().order.len() as u64
    }

    /// Takes the exemplars of a batch; returns how many were taken and how many refused.
    pub(crate) fn append_exemplars(&self, batch: &Batch) -> (u64, u64) {
        if batch.exemplars().is_empty() {
            return (0, 0);
        }
        let mut taken = Vec::new();
        {
            let index = self.shared.index();
            let mut exemplars = self.shared.exemplars();
            let n_max = self.shared.options().exemplars_max;
            // As with samples: one from the future would keep right ones of its series out.
            let latest = batch.arrived_at().map(|now| now + AHEAD_MAX);
            let is_early = |it: &Exemplar| latest.is_none_or(|latest| it.at <= latest);
            for (key, exemplar) in batch.exemplars().iter().filter(|it| is_early(&it.1)) {
                let labels = match key {
                    SeriesKey::Labels(labels) => Some(labels),
                    SeriesKey::Id(id) => index.get(*id).map(|cell| &cell.labels),
                };
                let is_taken = |labels: &&Labels| exemplars.push(labels, exemplar, n_max);
                taken.extend(
                    labels
                        .filter(is_taken)
                        .map(|labels| (labels.clone(), exemplar)),
                );
            }
        }
        let taken: Vec<_> = taken.iter().map(|(labels, it)| (labels, *it)).collect();
        self.shared.log_exemplars(&taken);
        let n_refused = batch.exemplars().len() - taken.len();
        (taken.len() as u64, n_refused as u64)
    }
}

impl Shared {
    fn exemplars(&self) -> MutexGuard<'_, Exemplars> {
        let exemplars = self.exemplars.lock();
        exemplars.unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes exemplars that memory has to the log. One that the disk does not take, now or later,
    /// is in memory only: samples are not refused for its sake.
    fn log_exemplars(&self, taken: &[(&Labels, &Exemplar)]) {
        for frame in taken.chunks(EXEMPLARS_PER_FRAME) {
            let mut writer = self.writer();
            wal::put_exemplars(frame, &mut writer.frame);
            if let Err(error) = writer.write_frame() {
                writer.put_off(&error, self.options().unlogged_bytes_max);
            }
        }
    }

    /// Writes what has changed: the log is about to lose what is older.
    pub(crate) fn file_exemplars(&self) -> Result<(), StoreError> {
        let all = {
            let mut exemplars = self.exemplars();
            if !std::mem::take(&mut exemplars.is_dirty) {
                return Ok(());
            }
            exemplars.in_order()
        };
        let mut body = Vec::new();
        for (series, exemplar) in &all {
            wal::put_exemplar((series, exemplar), &mut body);
        }
        let written = self.disk.replace(PATH, &with_checksum(MAGIC, &body));
        if written.is_err() {
            self.exemplars().is_dirty = true;
        }
        Ok(written?)
    }
}

const PATH: &str = "exemplars";
const MAGIC: [u8; 8] = *b"FBEXEM 1";
/// With labels of up to 2 KiB each they fit into a frame of the log.
const EXEMPLARS_PER_FRAME: usize = 1 << 12;
/// Names and values of an exemplar's labels together, as OpenMetrics has it.
const LABELS_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use firebell_model::Timestamp;

    use super::*;

    fn series(name: &str) -> Labels {
        Labels::from_pairs([("__name__", name)])
    }

    fn exemplar(at: i64, value: f64) -> Exemplar {
        Exemplar {
            labels: Labels::from_pairs([("trace_id", format!("t{at}"))]),
            value,
            at: Timestamp(at),
        }
    }

    #[test]
    fn the_oldest_go_and_what_is_late_is_refused() {
        let mut all = Exemplars::default();
        for (name, at, value, expected) in [
            ("a", 10, 1.0, true),
            ("b", 5, 1.0, true),
            ("a", 10, 1.0, true),
            ("a", 9, 1.0, false),
            ("a", 10, 0.5, false),
            ("a", 10, 2.0, true),
            ("b", 20, f64::NAN, true),
            ("b", 20, f64::NAN, false),
            ("b", 30, 3.0, true),
        ] {
            let taken = all.push(&series(name), &exemplar(at, value), 4);
            assert_eq!(taken, expected, "{name} {at} {value}");
        }
        let mut long = exemplar(99, 1.0);
        long.labels = Labels::from_pairs([("trace_id", "x".repeat(121))]);
        assert!(!all.push(&series("a"), &long, 4));
        let select = |matchers: Vec<Matcher>, after, until| {
            let (after, until) = (Timestamp(after), Timestamp(until));
            let found = all.select(&[matchers], TimeRange { after, until });
            let times = |own: Vec<Exemplar>| own.iter().map(|it| it.at.0).collect::<Vec<_>>();
            found
                .into_iter()
                .map(|(labels, own)| (labels.metric_name().to_owned(), times(own)))
                .collect::<Vec<_>>()
        };
        let both = vec![
            ("a".to_owned(), vec![10]),
            ("b".to_owned(), vec![5, 20, 30]),
        ];
        assert_eq!(select(vec![], 0, 99), both);
        let only_b = vec![("b".to_owned(), vec![20])];
        assert_eq!(select(vec![Matcher::equal("__name__", "b")], 5, 29), only_b);
    }
}
