//! Merging: chunks of a few hours become chunks of a day, a little at a time. Cleaning: what is deleted
//! leaves a file.
//!
//! A chunk costs bytes for its place, its labels and its summary, in files and in memory, and each
//! takes part in the sums of long windows. So when enough files stand side by side, their
//! chunks are written to one file, neighbours of one series as one chunk, and the file takes their
//! place, as that of a backfill does: until its index is there nothing has changed, and once it is
//! the older files, which it names, are but waste, which goes when no living view can read from it any
//! more.
//!
//! *Invariants*: not one sample is changed. A chunk that cannot be read stays in its file, and the file
//! stays with it.

use std::sync::Arc;

use firebell_disk::Disk;
use firebell_model::Summary;

use crate::chunk::CHUNK_SAMPLES_MAX;
use crate::options::StoreError;
use crate::page::Columns;
use crate::part::join;
use crate::segment::{self, ChunkRef, Segment};
use crate::series::{Cell, State};
use crate::store::Shared;
use crate::tombstones::Deleted;

/// A file in the making, of floats or of histograms.
pub(crate) trait Kind: Sized {
    /// A chunk in a file.
    type Chunk;

    /// A file whose chunks take the place of others.
    fn create(shared: &Shared, number: u64) -> Result<Self, StoreError>;

    /// Bytes in the file so far.
    fn bytes(&self) -> u64;

    /// Writes the chunks of a series again that some files have. `None` when they have none.
    fn rewrite(
        &mut self,
        disk: &dyn Disk,
        cell: &Cell,
        job: &mut Job,
    ) -> Result<Option<Vec<Self::Chunk>>, StoreError>;

    /// Makes the file durable, and then part of the store, in the place of others.
    fn finish(self, replaces: &[u64]) -> Result<Segment, StoreError>;

    /// Puts chunks in the place of those that the files `waste` have.
    fn place(state: &mut State, chunks: Vec<Self::Chunk>, waste: &[u64]);

    fn remove(disk: &dyn Disk, number: u64) -> Result<(), StoreError>;
}

/// What a merge does.
pub(crate) struct Job {
    /// Numbers of the files whose chunks it takes.
    pub(crate) from: Vec<u64>,
    /// Those of them that have a chunk that cannot be read.
    pub(crate) damaged: Vec<u64>,
    drops_deleted: bool,
}

impl Job {
    /// What of a series is to be left out.
    pub(crate) fn deleted(&self, cell: &Cell) -> Option<Box<Deleted>> {
        let deleted = || cell.state().deleted.clone();
        self.drops_deleted.then(deleted).flatten()
    }
}

/// A file that takes the place of several, in the making; dropped, it goes.
pub(crate) struct Merge<K: Kind> {
    file: K,
    job: Job,
    /// Series still to come, the next one last.
    cells: Vec<Arc<Cell>>,
    placed: Vec<(Arc<Cell>, Vec<K::Chunk>)>,
}

/// A merge that is done.
pub(crate) struct Merged {
    pub(crate) file: Segment,
    /// Files that nobody needs any more but views that live now.
    pub(crate) waste: Vec<u64>,
    /// Files that are not to be merged again.
    pub(crate) damaged: Vec<u64>,
}

impl<K: Kind> Merge<K> {
    /// Begins to merge chunks of some files.
    pub(crate) fn begin(
        shared: &Shared,
        number: u64,
        from: Vec<u64>,
        drops_deleted: bool,
    ) -> Result<Self, StoreError> {
        let mut cells: Vec<Arc<Cell>> = shared.index().cells().cloned().collect();
        cells.reverse();
        Ok(Self {
            file: K::create(shared, number)?,
            job: Job {
                from,
                damaged: Vec::new(),
                drops_deleted,
            },
            cells,
            placed: Vec::new(),
        })
    }

    /// Goes on for about [`ROUND_BYTES`]; true when all chunks are written.
    pub(crate) fn go_on(&mut self, shared: &Shared) -> Result<bool, StoreError> {
        let until = self.file.bytes() + ROUND_BYTES;
        while let Some(cell) = self.cells.pop() {
            let written = self.file.rewrite(shared.disk(), &cell, &mut self.job)?;
            self.placed.extend(written.map(|written| (cell, written)));
            if self.file.bytes() >= until {
                break;
            }
        }
        Ok(self.cells.is_empty())
    }

    /// Publishes the file.
    pub(crate) fn finish(self, shared: &Shared) -> Result<Merged, StoreError> {
        let mut damaged = self.job.damaged;
        damaged.sort_unstable();
        damaged.dedup();
        let is_whole = |number: &u64| damaged.binary_search(number).is_err();
        let waste: Vec<u64> = self.job.from.into_iter().filter(is_whole).collect();
        let file = self.file.finish(&waste)?;
        for (cell, chunks) in self.placed {
            let mut state = cell.state();
            K::place(&mut state, chunks, &waste);
            if self.job.drops_deleted {
                state.forget(&shared.room);
            }
        }
        Ok(Merged {
            file,
            waste,
            damaged,
        })
    }
}

impl Kind for segment::Writer {
    type Chunk = ChunkRef;

    fn create(shared: &Shared, number: u64) -> Result<Self, StoreError> {
        Self::create_over(Arc::clone(&shared.disk), number)
    }

    fn bytes(&self) -> u64 {
        self.bytes()
    }

    fn rewrite(
        &mut self,
        disk: &dyn Disk,
        cell: &Cell,
        job: &mut Job,
    ) -> Result<Option<Vec<ChunkRef>>, StoreError> {
        let runs = cell.state().chunks_of(&job.from);
        if runs.is_empty() {
            return Ok(None);
        }
        let deleted = job.deleted(cell);
        let mut written = Vec::new();
        for run in runs {
            let (mut columns, mut summary) = (Columns::default(), None);
            for chunk in run {
                let len = columns.len();
                let read = read(&chunk, disk, deleted.as_deref(), &mut columns);
                let is_full = columns.len() > CHUNK_SAMPLES_MAX;
                if let Ok(own) = read
                    && !is_full
                {
                    summary = join(summary, own);
                    continue;
                }
                // A chunk that cannot be read parts those before from those after.
                let next = columns.split_off(len);
                self.push(cell.id, &cell.labels, &columns, summary, &mut written)?;
                if let Ok(own) = read {
                    (columns, summary) = (next, own);
                } else {
                    job.damaged.push(chunk.segment);
                    columns.clear();
                    summary = None;
                }
            }
            self.push(cell.id, &cell.labels, &columns, summary, &mut written)?;
        }
        Ok(Some(written))
    }

    fn finish(self, replaces: &[u64]) -> Result<Segment, StoreError> {
        self.finish(replaces)
    }

    fn place(state: &mut State, chunks: Vec<ChunkRef>, waste: &[u64]) {
        // Retention may have taken the oldest meanwhile.
        let oldest = state.oldest_at().unwrap_or(i64::MAX);
        state.drop_chunks(waste);
        for chunk in chunks {
            if chunk.last_at >= oldest {
                state.place_chunk(chunk);
            }
        }
        state.settle();
    }

    fn remove(disk: &dyn Disk, number: u64) -> Result<(), StoreError> {
        segment::remove(disk, number)
    }
}

/// A chunk cannot be read.
#[derive(Clone, Copy)]
struct Unreadable;

/// Appends what a chunk has, but for what is deleted; returns what that adds up to, if that is known.
fn read(
    chunk: &ChunkRef,
    disk: &dyn Disk,
    deleted: Option<&Deleted>,
    out: &mut Columns,
) -> Result<Option<Summary>, Unreadable> {
    let len = out.len();
    if chunk.columns(disk, out).is_err() {
        return Err(Unreadable);
    }
    let deleted = deleted.filter(|it| it.touches((chunk.first_at, chunk.last_at)));
    let Some(deleted) = deleted else {
        return Ok(chunk.summary());
    };
    let mut own = out.split_off(len);
    own.retain(|at| !deleted.hides(firebell_model::Timestamp(at), u64::MAX));
    let summary = own.summary();
    out.append(&mut own);
    Ok(summary)
}

/// So much is written in one round of upkeep.
const ROUND_BYTES: u64 = 4 << 20;
