//! What scrape targets answer: the text format 0.0.4, OpenMetrics 1.0, and protobuf.
//!
//! *Invariants*: strict as Prometheus: the first bad line fails the whole body, with its number.
//! Nothing is copied until labels are asked for, so that a scrape can look up what it has seen
//! before by [`SeriesText::text`] alone.
//!
//! *Sources*: Prometheus, `model/textparse`; the OpenMetrics 1.0 specification.

pub(crate) mod classic;
mod content;
mod created;
mod cursor;
mod families;
mod line;
pub(crate) mod number;
mod series;
mod write;
mod write_families;

pub use self::classic::{ClassicCollector, Converted};
pub use self::content::{BodyFormat, Format, Negotiated, Protocol, UnknownContentType, accept};
pub use self::created::CreatedTimes;
pub use self::families::{HistogramOptions, Point, Scraped, ScrapedPoint, read_families};
pub use self::line::{Entry, Exemplar, Parser, SampleLine};
pub use self::series::SeriesText;
pub use self::write::TextWriter;
pub use self::write_families::FamilyWriter;

/// A body that is not in the format it claims.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ExpositionError {
    /// Line number, from 1.
    pub line: usize,
    /// Character of the line, from 1.
    pub column: usize,
    /// What was expected and what was found.
    pub message: String,
}
