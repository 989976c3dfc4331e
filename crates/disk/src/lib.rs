//! The disk as the cores see it, and the append-only log that journal and store share.
//!
//! *Invariants*: no `std::fs` here; the driver brings real files, the simulator a disk that can be
//! cut at any write. Paths are relative, with `/`, below the data folder.
//!
//! *Not here*: what the frames of a log mean.

mod disk;
mod log;
mod overlay;

pub use crate::disk::{Disk, DiskError, MemoryDisk};
pub use crate::log::{Frames, Log, LogError, LogOptions, Unsynced, read_log, read_segment};
pub use crate::overlay::Overlay;
