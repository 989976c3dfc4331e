//! Results of queries.

use firebell_model::{Labels, Sample, Timestamp, format_float};
use serde::ser::SerializeTuple;
use serde::{Serialize, Serializer};

use super::number::{seconds, value_text};

/// What an expression gives: `{"resultType":"vector","result":[…]}`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub enum QueryData {
    /// A value per series at one moment.
    Vector(Vec<VectorSample>),
    /// Values per series over a range.
    Matrix(Vec<MatrixSeries>),
    /// One number.
    #[serde(serialize_with = "scalar")]
    Scalar(Sample),
    /// A text, and when it was evaluated.
    #[serde(serialize_with = "string")]
    String(Timestamp, String),
}

/// `{"metric":{…},"value":[1435781451.781,"1"]}`
#[derive(Clone, Debug, Serialize)]
pub struct VectorSample {
    /// The series.
    pub metric: Labels,
    /// Its value.
    #[serde(serialize_with = "point")]
    pub value: Sample,
}

/// `{"metric":{…},"values":[[1435781451.781,"1"]]}`
#[derive(Clone, Debug, Serialize)]
pub struct MatrixSeries {
    /// The series.
    pub metric: Labels,
    /// Its values in order of time.
    #[serde(serialize_with = "points")]
    pub values: Vec<Sample>,
}

struct Seconds(Timestamp);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        seconds(&self.0, serializer)
    }
}

fn pair<S: Serializer>(at: Timestamp, text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let mut pair = serializer.serialize_tuple(2)?;
    pair.serialize_element(&Seconds(at))?;
    pair.serialize_element(text)?;
    pair.end()
}

fn point<S: Serializer>(sample: &Sample, serializer: S) -> Result<S::Ok, S::Error> {
    pair(sample.at, &value_text(sample.value), serializer)
}

fn points<S: Serializer>(samples: &[Sample], serializer: S) -> Result<S::Ok, S::Error> {
    struct Point<'a>(&'a Sample);
    impl Serialize for Point<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            point(self.0, serializer)
        }
    }
    serializer.collect_seq(samples.iter().map(Point))
}

fn scalar<S: Serializer>(sample: &Sample, serializer: S) -> Result<S::Ok, S::Error> {
    pair(sample.at, &format_float(sample.value), serializer)
}

fn string<S: Serializer>(at: &Timestamp, text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    pair(*at, text, serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data: &QueryData, expected: &str) {
        assert_eq!(serde_json::to_string(data).unwrap(), expected);
    }

    #[test]
    fn results_are_written_as_upstream_writes_them() {
        let sample = |at, value| Sample {
            at: Timestamp(at),
            value,
        };
        let metric = Labels::from_pairs([("__name__", "up"), ("job", "a\"b")]);
        check(
            &QueryData::Vector(vec![VectorSample {
                metric: metric.clone(),
                value: sample(1_435_781_451_781, 1.0),
            }]),
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a\"b"},"value":[1435781451.781,"1"]}]}"#,
        );
        check(
            &QueryData::Matrix(vec![MatrixSeries {
                metric: Labels::empty(),
                values: vec![sample(0, f64::NAN), sample(1500, 1e21), sample(-1, 1e-7)],
            }]),
            r#"{"resultType":"matrix","result":[{"metric":{},"values":[[0,"NaN"],[1.5,"1e+21"],[-0.001,"1e-07"]]}]}"#,
        );
        check(
            &QueryData::Scalar(sample(60_000, 1e21)),
            r#"{"resultType":"scalar","result":[60,"1000000000000000000000"]}"#,
        );
        check(
            &QueryData::String(Timestamp(60_000), "x".to_owned()),
            r#"{"resultType":"string","result":[60,"x"]}"#,
        );
        check(
            &QueryData::Vector(vec![]),
            r#"{"resultType":"vector","result":[]}"#,
        );
    }
}
