//! The embedded metric store: head, write-ahead log, chunk files with summaries, label index.
//!
//! - An append is a frame in the log (`wal`), then raw samples at the tail of their series
//!   (`series`), under an epoch that views know (`store`, `view`).
//! - Tails are sealed into compressed pages (`page`, `codec`) with a summary; upkeep (`upkeep`)
//!   moves pages to chunk files (`segment`; `numbered` says how files come and go). Checkpoints (`checkpoint`) copy sealed pages to a log of
//!   their own (`page_log`) and cut the other one, so that a restart is quick whenever it comes.
//! - Native histograms (`histogram`) go the same way, in pages and files of their own.
//! - Older samples come by `backfill`, behind and between what is there.
//! - Files of a few hours are merged to days, and what is deleted leaves them (`shelf`, `merge`).
//! - Summaries of chunks add up by runs (`ladder`), so a window costs O(log n) of its length; what
//!   evaluations read again and again is kept (`edges`).
//!
//! *Invariants*: samples of a series are in order of time, each time once. What `Store::sync` has
//! confirmed survives a loss of power at any byte written later. A view never changes.
//!
//! *Not here*: threads and clocks; whoever owns the store calls `maintain` and `sync`.
//!
//! *Formats*, documented in `bytes`, `codec`, `coder`, `page`, `tail`, `chunk`, `catalog`, `segment`,
//! `page_log` and `wal`: every file begins with eight bytes that name it and its version, and
//! everything behind them is under CRC-32. `tests/format.rs` keeps a folder of each version, which
//! every later one has to read.

mod backfill;
mod batch;
mod by_slot;
mod bytes;
mod catalog;
mod checkpoint;
mod chunk;
mod chunks;
mod codec;
mod coder;
mod edges;
mod exemplars;
mod figures;
mod histogram;
mod index;
mod ladder;
mod merge;
mod metadata;
mod numbered;
mod open;
mod options;
mod packed;
mod page;
mod page_log;
mod part;
mod read;
mod replaced;
mod salvage;
mod segment;
mod series;
mod shelf;
mod slots;
mod snapshot;
mod store;
mod tail;
mod tombstones;
mod upkeep;
mod view;
mod visible;
mod wal;
mod watch;
mod windows;
mod writer;

pub use crate::backfill::{Backfill, Backfilled};
pub use crate::batch::{Batch, SeriesKey};
pub use crate::options::{
    AHEAD_MAX, AppendReport, OpenReport, Options, Stats, StoreError, TooManySeries,
};
pub use crate::salvage::Salvaged;
pub use crate::store::Store;
pub use crate::view::View;
