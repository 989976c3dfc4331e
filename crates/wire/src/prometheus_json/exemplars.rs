//! Exemplars, in `/api/v1/query_exemplars`.

use firebell_model::{Exemplar, Labels};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::number::{seconds, value_text};

/// `{"seriesLabels":{…},"exemplars":[{"labels":{…},"value":"6","timestamp":1600096945.479}]}`
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SeriesExemplars {
    /// The series.
    #[serde(rename = "seriesLabels")]
    pub labels: Labels,
    /// Its exemplars in order of time.
    #[serde(serialize_with = "list")]
    pub exemplars: Vec<Exemplar>,
}

fn list<S: Serializer>(exemplars: &[Exemplar], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(exemplars.iter().map(Shown))
}

struct Shown<'a>(&'a Exemplar);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct At<'a>(&'a Exemplar);
        impl Serialize for At<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                seconds(&self.0.at, serializer)
            }
        }
        let mut shown = serializer.serialize_struct("Exemplar", 3)?;
        shown.serialize_field("labels", &self.0.labels)?;
        shown.serialize_field("value", &value_text(self.0.value))?;
        shown.serialize_field("timestamp", &At(self.0))?;
        shown.end()
    }
}

#[cfg(test)]
mod tests {
    use firebell_model::Timestamp;

    use super::*;

    #[test]
    fn exemplars_are_written_as_upstream_writes_them() {
        let series = SeriesExemplars {
            labels: Labels::from_pairs([("__name__", "x")]),
            exemplars: vec![Exemplar {
                labels: Labels::from_pairs([("trace_id", "a")]),
                value: 6.0,
                at: Timestamp(1500),
            }],
        };
        assert_eq!(
            serde_json::to_string(&series).unwrap(),
            r#"{"seriesLabels":{"__name__":"x"},"exemplars":[{"labels":{"trace_id":"a"},"value":"6","timestamp":1.5}]}"#
        );
    }
}
