//! Why an evaluation gives nothing.

use firebell_model::SourceError;

/// Why an evaluation failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EvalError {
    /// The expression asks for something that the series do not allow; Prometheus's words.
    #[error("{0}")]
    Execution(String),
    /// More samples at once than [`crate::Options::samples_max`].
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// A selector gives more series than [`crate::Options::series_max`].
    #[error("the query selects too many series: {n} match {selector}, and {max} are allowed")]
    TooManySeries {
        /// How many there are.
        n: usize,
        /// The selector.
        selector: String,
        /// The limit.
        max: usize,
    },
    /// More steps than [`crate::Options::steps_max`], or none.
    #[error("{0}")]
    Steps(String),
    /// The caller's check said so: time is over, or nobody waits for the result any more.
    #[error("query was canceled")]
    Cancelled,
    /// The store failed.
    #[error(transparent)]
    Source(#[from] SourceError),
}

pub(crate) fn execution<T>(message: impl Into<String>) -> Result<T, EvalError> {
    Err(EvalError::Execution(message.into()))
}
