//! The finished files of one kind, floats or histograms: retention, merging, cleaning.
//!
//! *Invariants*: a file leaves the disk only when nothing is in it that another one lacks, or that is
//! past retention, and no living view can read from it.

use std::collections::BTreeSet;

use firebell_disk::Disk;

use crate::merge::{Kind, Merge, Merged};
use crate::options::StoreError;
use crate::segment::Segment;
use crate::store::Shared;

/// Finished files, in the order in which their newest samples pass retention.
pub(crate) struct Shelf<K: Kind> {
    files: Vec<Segment>,
    /// The number of the next file.
    pub(crate) next: u64,
    merge: Option<Merge<K>>,
    /// Files that nobody needs but views of this epoch and older ones.
    waste: Vec<(u64, u64)>,
    /// Files that are not merged: they have chunks that cannot be read.
    damaged: BTreeSet<u64>,
    /// A merge failed when this was the next file; the next comes with the next file.
    failed_at: Option<u64>,
}

impl<K: Kind> Shelf<K> {
    pub(crate) fn new(files: Vec<Segment>, next: u64) -> Self {
        let mut shelf = Self {
            files: Vec::with_capacity(files.len()),
            next,
            merge: None,
            waste: Vec::new(),
            damaged: BTreeSet::new(),
            failed_at: None,
        };
        files.into_iter().for_each(|file| shelf.add(file));
        shelf
    }

    /// Takes note of a finished file.
    pub(crate) fn add(&mut self, file: Segment) {
        let place = self.files.partition_point(|it| it.last_at <= file.last_at);
        self.next = self.next.max(file.number + 1);
        if !file.is_whole {
            self.damaged.insert(file.number);
        }
        self.files.insert(place, file);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Another one whenever files have come or gone.
    pub(crate) fn edition(&self) -> (u64, usize) {
        (self.next, self.files.len())
    }

    /// Newest time and bytes of each file.
    pub(crate) fn ages(&self) -> impl Iterator<Item = (i64, u64)> {
        self.files.iter().map(|file| (file.last_at, file.bytes))
    }

    /// Whether a file has chunks that could not be read.
    pub(crate) fn is_damaged(&self, number: u64) -> bool {
        self.damaged.contains(&number)
    }

    /// Removes files of which nothing is later than `floor`. A file that has taken the place of
    /// others stays until they are gone: a restart in between would bring them back.
    pub(crate) fn drop_until(&mut self, disk: &dyn Disk, floor: i64) -> Result<(), StoreError> {
        if !self.waste.is_empty() {
            return Ok(());
        }
        while self.files.first().is_some_and(|file| file.last_at <= floor) {
            K::remove(disk, self.files[0].number)?;
            self.files.remove(0);
        }
        Ok(())
    }

    /// Removes files that were merged, when no view can read from them any more.
    pub(crate) fn remove_waste(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let oldest = shared.registry().oldest_live().unwrap_or(u64::MAX);
        while let Some(&(number, epoch)) = self.waste.first()
            && epoch < oldest
        {
            K::remove(shared.disk(), number)?;
            self.waste.remove(0);
        }
        Ok(())
    }

    /// Begins a merge when there is something to merge, or goes on with one.
    pub(crate) fn merge(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let mut merge = match self.merge.take() {
            Some(merge) => merge,
            None => match self.begin_merge(shared)? {
                Some(merge) => merge,
                None => return Ok(()),
            },
        };
        let done = match merge.go_on(shared) {
            Ok(false) => {
                self.merge = Some(merge);
                return Ok(());
            }
            Ok(true) => self.publish(shared, merge),
            Err(error) => Err(error),
        };
        if done.is_err() {
            self.failed_at = Some(self.next);
        }
        done?;
        self.remove_waste(shared)
    }

    fn begin_merge(&mut self, shared: &Shared) -> Result<Option<Merge<K>>, StoreError> {
        if self.failed_at == Some(self.next) {
            return Ok(None);
        }
        // A file that was cleaned or backfilled is merged as others are, one that was merged is not.
        let day = shared
            .options()
            .head_span
            .0
            .saturating_mul(MERGED_FILES as i64)
            / 2;
        let is_short = |it: &Segment| !it.is_over || it.last_at.saturating_sub(it.first_at) < day;
        let is_small = |it: &&Segment| is_short(it) && !self.damaged.contains(&it.number);
        let small: Vec<&Segment> = self.files.iter().filter(is_small).collect();
        // A file goes whole: of a short retention it must not be a large part.
        let longest = shared.options().retention.0 / 10;
        let fits = |run: &&[&Segment]| {
            let (first, last) = (run[0].last_at, run[MERGED_FILES - 1].last_at);
            last.saturating_sub(first) <= longest
        };
        // A file of long ago stands alone, and does not hold up those of today.
        let Some(from) = small.windows(MERGED_FILES).find(fits) else {
            return Ok(None);
        };
        let from = from.iter().map(|it| it.number).collect();
        let number = self.next;
        self.next += 1;
        Merge::begin(shared, number, from, false).map(Some)
    }

    /// Gives up a merge that goes on: chunks are about to change.
    pub(crate) fn abort_merge(&mut self) {
        self.merge = None;
    }

    /// Writes files anew, one by one, without what is deleted.
    pub(crate) fn clean(
        &mut self,
        shared: &Shared,
        numbers: &BTreeSet<u64>,
    ) -> Result<(), StoreError> {
        for &number in numbers.difference(&self.damaged.clone()) {
            let new = self.next;
            self.next += 1;
            let mut merge = Merge::begin(shared, new, vec![number], true)?;
            while !merge.go_on(shared)? {}
            self.publish(shared, merge)?;
        }
        Ok(())
    }

    fn publish(&mut self, shared: &Shared, merge: Merge<K>) -> Result<(), StoreError> {
        let Merged {
            file,
            waste,
            damaged,
        } = merge.finish(shared)?;
        self.files.retain(|it| !waste.contains(&it.number));
        self.add(file);
        let epoch = shared.registry().epoch();
        let waste = waste.into_iter().map(|number| (number, epoch));
        self.waste.extend(waste);
        self.damaged.extend(damaged);
        Ok(())
    }
}

/// So many files are merged into one: of two hours each, a day.
const MERGED_FILES: usize = 12;
