//! What a query gives.

use firebell_model::{HistogramSample, Labels, Sample, SampleValue, Timestamp};

use crate::ast::ValueType;

/// The result of a query.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// A text.
    String(String),
    /// One value per series, in the order that the expression gives.
    Vector(Vec<VectorSample>),
    /// Samples per series, in order of labels.
    Matrix(Vec<MatrixSeries>),
}

/// One series of a vector.
#[derive(Clone, PartialEq, Debug)]
pub struct VectorSample {
    /// Its labels.
    pub labels: Labels,
    /// The moment of evaluation.
    pub at: Timestamp,
    /// Its value.
    pub value: SampleValue,
}

/// One series of a matrix; it has at least one sample or histogram, and never both at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct MatrixSeries {
    /// Its labels.
    pub labels: Labels,
    /// Its samples, in order of time.
    pub samples: Vec<Sample>,
    /// Its native histograms, in order of time.
    pub histograms: Vec<HistogramSample>,
}

impl Value {
    /// Which of the four it is.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Scalar(_) => ValueType::Scalar,
            Self::String(_) => ValueType::String,
            Self::Vector(_) => ValueType::Vector,
            Self::Matrix(_) => ValueType::Matrix,
        }
    }
}

/// Something about a result that its reader should know.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Annotation {
    /// Whether the result may be wrong (`warnings` of the HTTP API) or only the query (`infos`).
    pub is_warning: bool,
    /// In Prometheus's words, `PromQL warning: …` or `PromQL info: …`.
    pub message: String,
}
