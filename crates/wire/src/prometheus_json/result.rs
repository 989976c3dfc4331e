//! Results of queries.

use firebell_model::{
    Bucket, Histogram, HistogramSample, Labels, Sample, SampleValue, Timestamp, format_float,
};
use serde::ser::{SerializeMap, SerializeTuple};
use serde::{Serialize, Serializer};

use super::QueryStats;
use super::number::{seconds, value_text};

/// Data of a query: what it gives, and what it cost when that was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct QueryAnswer {
    /// What it gives.
    #[serde(flatten)]
    pub data: QueryData,
    /// What it cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<QueryStats>,
}

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

/// `{"metric":{…},"value":[1435781451.781,"1"]}`, or `"histogram"` in place of `"value"`.
#[derive(Clone, Debug)]
pub struct VectorSample {
    /// The series.
    pub metric: Labels,
    /// When.
    pub at: Timestamp,
    /// Its value.
    pub value: SampleValue,
}

/// `{"metric":{…},"values":[[1435781451.781,"1"]]}`, with `"histograms"` as well or instead.
#[derive(Clone, Debug, Serialize)]
pub struct MatrixSeries {
    /// The series.
    pub metric: Labels,
    /// Its values in order of time.
    #[serde(serialize_with = "points", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Sample>,
    /// Its native histograms in order of time.
    #[serde(
        serialize_with = "histogram_points",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub histograms: Vec<HistogramSample>,
}

impl Serialize for VectorSample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("metric", &self.metric)?;
        match &self.value {
            SampleValue::Float(value) => {
                map.serialize_entry("value", &(Seconds(self.at), value_text(*value)))?;
            }
            SampleValue::Histogram(histogram) => {
                map.serialize_entry("histogram", &(Seconds(self.at), Shown(histogram)))?;
            }
        }
        map.end()
    }
}

/// `{"count":"4","sum":"8","buckets":[[3,"-0.5","0.5","4"]]}`, empty buckets left out.
struct Shown<'a>(&'a Histogram);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let histogram = self.0;
        let bucket = |it: &Bucket| {
            let bounds = match (it.is_lower_in, it.is_upper_in) {
                (false, true) => 0,
                (true, false) => 1,
                (false, false) => 2,
                (true, true) => 3,
            };
            let [lower, upper, count] = [it.lower, it.upper, it.count].map(value_text);
            (bounds, lower, upper, count)
        };
        let all = histogram.all_buckets();
        let filled = all.iter().filter(|bucket| bucket.count != 0.0);
        let filled: Vec<_> = filled.map(bucket).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("count", &value_text(histogram.count))?;
        map.serialize_entry("sum", &value_text(histogram.sum))?;
        if !filled.is_empty() {
            map.serialize_entry("buckets", &filled)?;
        }
        map.end()
    }
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

/// `[1435781451.781,"1"]`.
pub(super) struct Point<'a>(pub(super) &'a Sample);

impl Serialize for Point<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        point(self.0, serializer)
    }
}

/// `[1435781451.781,{…}]`.
pub(super) struct HistogramPoint<'a>(pub(super) &'a HistogramSample);

impl Serialize for HistogramPoint<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Seconds(self.0.at), Shown(&self.0.histogram)).serialize(serializer)
    }
}

fn points<S: Serializer>(samples: &[Sample], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(samples.iter().map(Point))
}

fn histogram_points<S: Serializer>(
    samples: &[HistogramSample],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(samples.iter().map(HistogramPoint))
}

fn scalar<S: Serializer>(sample: &Sample, serializer: S) -> Result<S::Ok, S::Error> {
    pair(sample.at, &format_float(sample.value), serializer)
}

fn string<S: Serializer>(at: &Timestamp, text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    pair(*at, text, serializer)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn check(data: &QueryData, expected: &str) {
        assert_eq!(serde_json::to_string(data).unwrap(), expected);
    }

    #[test]
    fn histograms_are_written_with_their_filled_buckets() {
        let histogram = Arc::new(Histogram {
            count: 7.0,
            sum: 1e-7,
            zero_count: 3.0,
            zero_threshold: 0.25,
            positive: [(0, 1.0), (1, 0.0), (2, 2.0)].into_iter().collect(),
            negative: [(1, 1.0)].into_iter().collect(),
            ..Histogram::default()
        });
        let shown = r#"{"count":"7","sum":"1e-07","buckets":[[1,"-2","-1","1"],[3,"-0.25","0.25","3"],[0,"0.5","1","1"],[0,"2","4","2"]]}"#;
        check(
            &QueryData::Vector(vec![VectorSample {
                metric: Labels::empty(),
                at: Timestamp(1500),
                value: SampleValue::Histogram(Arc::clone(&histogram)),
            }]),
            &format!(
                r#"{{"resultType":"vector","result":[{{"metric":{{}},"histogram":[1.5,{shown}]}}]}}"#
            ),
        );
        let at = Timestamp(1500);
        check(
            &QueryData::Matrix(vec![MatrixSeries {
                metric: Labels::empty(),
                values: Vec::new(),
                histograms: vec![HistogramSample { at, histogram }],
            }]),
            &format!(
                r#"{{"resultType":"matrix","result":[{{"metric":{{}},"histograms":[[1.5,{shown}]]}}]}}"#
            ),
        );
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
                at: Timestamp(1_435_781_451_781),
                value: SampleValue::Float(1.0),
            }]),
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a\"b"},"value":[1435781451.781,"1"]}]}"#,
        );
        check(
            &QueryData::Matrix(vec![MatrixSeries {
                metric: Labels::empty(),
                values: vec![sample(0, f64::NAN), sample(1500, 1e21), sample(-1, 1e-7)],
                histograms: Vec::new(),
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
