//! The embedded metric store: head, write-ahead log, chunk files with summaries, label index.

mod bytes;
mod codec;
mod ladder;
mod options;
mod page;
mod store;
mod view;

pub use crate::options::{AppendReport, Batch, OpenReport, Options, Stats, StoreError};
pub use crate::store::Store;
pub use crate::view::View;
