//! Merging: chunks of a few hours become chunks of a day, a little at a time.
//!
//! A chunk costs bytes for its place, its labels and its summary, in files and in memory, and each
//! takes part in the sums of long windows. So when enough chunk files stand side by side, their
//! chunks are written to one file, neighbours of one series as one chunk, and the file takes their
//! place, as that of a backfill does: until its index is there nothing has changed, and once it is
//! the older files are but waste, which goes when no living view can read from it any more.
//!
//! *Invariants*: not one sample is changed. A chunk that cannot be read stays in its file, and the file
//! stays with it.

use std::sync::Arc;

use firebell_model::Summary;

use crate::chunk::CHUNK_SAMPLES_MAX;
use crate::options::StoreError;
use crate::page::Columns;
use crate::part::join;
use crate::segment::{self, ChunkRef, Segment};
use crate::series::Cell;
use crate::store::Shared;

/// A file that takes the place of several, in the making.
pub(crate) struct Merge {
    file: segment::Writer,
    /// Numbers of the files whose chunks it takes.
    from: Vec<u64>,
    /// Those of them that have a chunk that cannot be read.
    damaged: Vec<u64>,
    /// Series still to come, the next one last.
    cells: Vec<Arc<Cell>>,
    placed: Vec<(Arc<Cell>, Vec<ChunkRef>)>,
}

/// A merge that is done.
pub(crate) struct Merged {
    pub(crate) segment: Segment,
    /// Files that nobody needs any more but views that live now.
    pub(crate) waste: Vec<u64>,
    /// Files that are not to be merged again.
    pub(crate) damaged: Vec<u64>,
}

impl Merge {
    /// Begins to merge chunks of some files.
    pub(crate) fn begin(shared: &Shared, number: u64, from: Vec<u64>) -> Result<Self, StoreError> {
        let file = segment::Writer::create_over(Arc::clone(&shared.disk), number)?;
        let mut cells: Vec<Arc<Cell>> = shared.index().cells().cloned().collect();
        cells.reverse();
        Ok(Self {
            file,
            from,
            damaged: Vec::new(),
            cells,
            placed: Vec::new(),
        })
    }

    /// Goes on for about [`ROUND_BYTES`]; true when all chunks are written.
    pub(crate) fn go_on(&mut self, shared: &Shared) -> Result<bool, StoreError> {
        let until = self.file.bytes() + ROUND_BYTES;
        while let Some(cell) = self.cells.pop() {
            let chunks = cell.state().chunks_of(&self.from);
            let mut written = Vec::new();
            for run in chunks {
                self.merge_run(shared, &cell, run, &mut written)?;
            }
            if !written.is_empty() {
                self.placed.push((cell, written));
            }
            if self.file.bytes() >= until {
                break;
            }
        }
        Ok(self.cells.is_empty())
    }

    /// Merges neighbouring chunks of a series.
    fn merge_run(
        &mut self,
        shared: &Shared,
        cell: &Cell,
        run: Vec<ChunkRef>,
        written: &mut Vec<ChunkRef>,
    ) -> Result<(), StoreError> {
        let (mut columns, mut summary) = (Columns::default(), None);
        for chunk in run {
            let len = columns.len();
            let is_read = chunk.columns(shared.disk(), &mut columns).is_ok();
            let is_full = columns.len() > CHUNK_SAMPLES_MAX;
            if is_read && !is_full {
                summary = join(summary, chunk.summary);
                continue;
            }
            // A chunk that cannot be read parts those before from those after.
            let next = columns.split_off(len);
            self.write(cell, &mut columns, summary, written)?;
            if is_read {
                (columns, summary) = (next, chunk.summary);
            } else {
                self.damaged.push(chunk.segment);
                summary = None;
            }
        }
        self.write(cell, &mut columns, summary, written)
    }

    fn write(
        &mut self,
        cell: &Cell,
        columns: &mut Columns,
        summary: Option<Summary>,
        written: &mut Vec<ChunkRef>,
    ) -> Result<(), StoreError> {
        if columns.len() > 0 {
            self.file
                .push(cell.id, &cell.labels, columns, summary, written)?;
            columns.clear();
        }
        Ok(())
    }

    /// Publishes the file.
    pub(crate) fn finish(mut self) -> Result<Merged, StoreError> {
        self.damaged.sort_unstable();
        self.damaged.dedup();
        let damaged = self.damaged;
        let is_whole = |number: &u64| damaged.binary_search(number).is_err();
        let waste = self.from.iter().copied().filter(is_whole).collect();
        let segment = self.file.finish()?;
        for (cell, chunks) in self.placed {
            let mut state = cell.state();
            // Retention may have taken the oldest meanwhile.
            let oldest = state.oldest_at().unwrap_or(i64::MAX);
            for chunk in chunks {
                if chunk.last_at >= oldest {
                    state.place_chunk(chunk);
                }
            }
            state.settle();
        }
        Ok(Merged {
            segment,
            waste,
            damaged,
        })
    }

    /// Gives up: the file goes.
    pub(crate) fn abort(self, shared: &Shared) -> Result<(), StoreError> {
        segment::remove(shared.disk(), self.file.number())
    }
}

/// So much is written in one round of upkeep.
const ROUND_BYTES: u64 = 4 << 20;
