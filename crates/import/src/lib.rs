//! History from elsewhere, read into a store: blocks of Prometheus's TSDB, text files, and exports of Firebell.
//!
//! - [`Importer`] puts one source after the other into a store, remembers in a journal how far it
//!   came, and names what could not be read.
//! - [`block`] reads blocks; text is read by `firebell_wire`.
//!
//! *Invariants*: an import that is killed goes on where it was, and what is imported twice is there
//! once. What is damaged is named and left out, the rest is taken; a source of which anything was left
//! out is read again the next time.
//!
//! *Not here*: files and clocks. Bytes come through [`firebell_disk::Disk`].

pub mod block;
mod content;
mod export;
mod importer;
mod journal;
mod series;
mod text;

pub use crate::export::is_export;
pub use crate::importer::{Importer, Progress, Report};
pub use crate::journal::{Journal, JournalError};
pub use crate::text::TextFormat;
