//! What the logs have of a series, and what a restart makes of it.
//!
//! The log of pages has pages that are not filled up any more; what comes behind them is *open*, and
//! stands in the write-ahead log. Each checkpoint writes the pages that have come since the one
//! before, and then all that is open, under one number.

use firebell_model::{Sample, Timestamp};

use super::{Late, State};
use crate::page::{Columns, Page};
use crate::tail::Tail;

/// What is behind the logged pages of a series.
pub(crate) struct Open {
    /// Where the logged pages end, if there were any.
    pub(crate) logged_until: Option<i64>,
    pub(crate) pages: Vec<Page>,
    pub(crate) tail: Tail,
    pub(crate) late: Vec<Late>,
}

/// For a checkpoint.
impl State {
    /// Pages that the log of pages lacks and that are not filled up any more.
    pub(crate) fn pages_to_log(&self) -> &[Page] {
        let n = self.pages.len().saturating_sub(1);
        self.pages
            .get(self.n_logged as usize..n)
            .unwrap_or_default()
    }

    /// The log of pages has the first pages, all but the last.
    pub(crate) fn pages_logged(&mut self) {
        let n = self.pages.len().saturating_sub(1) as u32;
        self.n_logged = self.n_logged.max(n);
    }

    /// A new log of pages has nothing of the series yet.
    pub(crate) fn begin_log(&mut self) {
        (self.n_logged, self.is_listed) = (0, false);
    }

    /// Bytes of the pages that the log of pages has.
    pub(crate) fn logged_bytes(&self) -> usize {
        let (logged, _) = self.pages.split_at(self.n_logged as usize);
        logged.iter().map(|page| page.bytes.len()).sum()
    }

    /// Where the logged pages end, and the pages, raw samples and late ones behind them.
    pub(crate) fn open_part(&self) -> (Option<i64>, &[Page], &Tail, &[Late]) {
        let (logged, open) = self.pages.split_at(self.n_logged as usize);
        let logged_until = logged.last().map(|page| page.last_at);
        (logged_until, open, &self.tail, &self.late)
    }
}

/// At a restart.
impl State {
    /// Takes pages of one checkpoint, in order of time. They take the place of what earlier ones
    /// said of their time and of what is later, but for samples behind their end: late samples may
    /// have moved the borders of pages, and the rest stood open then, which may be lost.
    pub(crate) fn add_logged(&mut self, pages: Vec<Page>) {
        let Some((first_at, until)) = pages
            .first()
            .zip(pages.last())
            .map(|(first, last)| (first.first_at, last.last_at))
        else {
            return;
        };
        let keep = self.pages.partition_point(|page| page.last_at < first_at);
        let replaced = self.pages.split_off(keep);
        self.push_pages(pages);
        self.push_pages(replaced.into_iter().filter(|page| page.last_at > until));
        self.n_logged = self.pages.len() as u32;
    }

    /// Takes what was open at a checkpoint in place of what was replayed since the logged pages.
    /// Unless `is_newest`, there may be logged pages of a later checkpoint, which know better.
    pub(crate) fn add_open(&mut self, open: Open, is_newest: bool) {
        let Open {
            logged_until,
            pages,
            tail,
            mut late,
        } = open;
        self.pages.truncate(self.n_logged as usize);
        if is_newest {
            let until = logged_until.unwrap_or(i64::MIN);
            let n = self.pages.partition_point(|page| page.last_at <= until);
            self.pages.truncate(n);
            self.n_logged = n as u32;
        }
        self.tail = Tail::default();
        let filed = self.filed_until().unwrap_or(i64::MIN);
        late.retain(|late| late.at > filed);
        self.late = late;
        self.push_pages(pages);
        self.push_tail(tail);
    }

    /// Takes what a log of an older version remembers of the series' memory in place of what is
    /// there; what files hold by now is left out. Logged pages are of a later checkpoint: they stay.
    pub(crate) fn restore(&mut self, pages: Vec<Page>, tail: &Columns, mut late: Vec<Late>) {
        let filed = self.filed_until().unwrap_or(i64::MIN);
        late.retain(|late| late.at > filed);
        self.pages.truncate(self.n_logged as usize);
        self.tail = Tail::default();
        self.late = late;
        self.push_pages(pages);
        self.replay_columns(tail);
    }

    /// Adds pages, or what of them is later than all that is in place.
    fn push_pages(&mut self, pages: impl IntoIterator<Item = Page>) {
        for page in pages {
            let newest = self.newest_float_at().unwrap_or(i64::MIN);
            if page.first_at > newest {
                self.advance(0, page.last_at, &[]);
                self.make_room_for_page();
                self.pages.push(page);
            } else if page.last_at > newest {
                let mut columns = Columns::default();
                // What is damaged is left out: nothing of it can be read.
                let _ = page.as_bytes().columns(&mut columns);
                let n_known = columns.at.partition_point(|&at| at <= newest);
                let rest = columns.split_off(n_known);
                if rest.len() > 0 {
                    self.advance(0, page.last_at, &[]);
                    self.push_page(&rest);
                }
            }
        }
    }

    fn push_tail(&mut self, tail: Tail) {
        let newest = self.newest_float_at().unwrap_or(i64::MIN);
        let Some((first_at, last)) = tail.first_at().zip(tail.last()) else {
            return;
        };
        if first_at > newest {
            self.tail = tail;
            self.advance(0, last.at.0, &[]);
        } else {
            let mut columns = Columns::default();
            let mut tail = tail;
            tail.take(tail.len(), &mut columns);
            self.replay_columns(&columns);
        }
    }

    /// Appends what is later than all that is in place.
    fn replay_columns(&mut self, columns: &Columns) {
        let newest = self.newest_float_at().unwrap_or(i64::MIN);
        let samples = columns.at.iter().zip(&columns.value);
        let samples = samples.filter(|(at, _)| **at > newest);
        let sample = |(&at, &value)| Sample {
            at: Timestamp(at),
            value,
        };
        let samples: Vec<Sample> = samples.map(sample).collect();
        self.append(0, &samples, &[]);
    }
}

#[cfg(test)]
mod tests {
    use firebell_model::{Labels, SeriesId, TimeRange};

    use super::*;
    use crate::series::Cell;

    /// The first checkpoint over a log of an older version may stop before that log is removed.
    #[test]
    fn what_an_older_log_remembers_hides_no_logged_pages() {
        let cell = Cell::new(SeriesId(0), Labels::empty());
        let mut before = cell.state();
        for n in 0..1000_i64 {
            let value = (n * n % 77) as f64;
            let at = Timestamp(n * 15_000);
            before.append(0, &[Sample { at, value }], &[]);
        }
        let n_logged = before.pages.len() - 1;
        let logged: Vec<Page> = before.pages.drain(..n_logged).collect();
        let open = Open {
            logged_until: logged.last().map(|page| page.last_at),
            pages: std::mem::take(&mut before.pages),
            tail: std::mem::take(&mut before.tail),
            late: Vec::new(),
        };
        let cell = Cell::new(SeriesId(0), Labels::empty());
        let mut after = cell.state();
        after.add_logged(logged);
        after.restore(Vec::new(), &Columns::default(), Vec::new());
        after.add_open(open, true);
        let all = TimeRange {
            after: Timestamp::MIN,
            until: Timestamp::MAX,
        };
        let mut found = Vec::new();
        after.memory_samples(all, &mut found).unwrap();
        assert_eq!(found.len(), 1000);
    }
}
