//! What goes to and comes from a Prometheus-compatible cluster that is asked and written to.
//!
//! *Sources*: Prometheus, `web/api/v1/api.go`; the remote write 1.0 specification.

use std::borrow::Cow;
use std::collections::BTreeMap;

use firebell_model::{Labels, METRIC_NAME, Sample, parse_float};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::row::{RequestWriter, Row};

/// The answer to an instant query.
#[derive(Clone, PartialEq, Debug)]
pub struct Instant {
    /// What was found.
    pub answered: Answered,
    /// What the cluster says of it, such as that a part of it did not answer.
    pub warnings: Vec<String>,
}

/// What an instant query found.
#[derive(Clone, PartialEq, Debug)]
pub enum Answered {
    /// Labels and values.
    Vector(Vec<(Labels, f64)>),
    /// A number.
    Scalar(f64),
    /// What is no result of a rule: a text or a range vector.
    Other,
}

/// An answer without a result.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AnswerError {
    /// The cluster says why; the text is its own.
    #[error("{0}")]
    Refused(String),
    /// It is no answer of a Prometheus.
    #[error("the answer is none of a Prometheus API: {0}")]
    Foreign(String),
    /// Native histograms lose their buckets' layout in JSON.
    #[error("the result has native histograms, which cannot be read from a cluster's API")]
    Histograms,
}

/// Reads the body of an answer to `/api/v1/query`, whatever its status was.
///
/// # Errors
/// See [`AnswerError`].
pub fn read_instant(body: &[u8]) -> Result<Instant, AnswerError> {
    let foreign = |error: serde_json::Error| AnswerError::Foreign(error.to_string());
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(foreign)?;
    let kind = match (envelope.status.as_ref(), envelope.data) {
        ("success", Some(Kind { kind })) => kind,
        ("error", _) => return Err(AnswerError::Refused(envelope.error.into_owned())),
        _ => return Err(AnswerError::Foreign("it has no data".to_owned())),
    };
    let mut warnings = envelope.warnings.unwrap_or_default();
    if envelope.is_partial == Some(true) {
        warnings.push("the answer is partial".to_owned());
    }
    // The kind may stand after the result, and decides what that is: the body is read again.
    let answered = match kind.as_ref() {
        "scalar" => {
            let full: Full<Point<'_>> = serde_json::from_slice(body).map_err(foreign)?;
            Answered::Scalar(number(&full.data.result.1)?)
        }
        "vector" => {
            let full: Full<Vec<Element<'_>>> = serde_json::from_slice(body).map_err(foreign)?;
            let samples: Result<_, _> = full.data.result.into_iter().map(sample).collect();
            Answered::Vector(samples?)
        }
        _ => Answered::Other,
    };
    Ok(Instant { answered, warnings })
}

/// Looks whether a body, whatever it answers, is one JSON object to its end, as all answers of the API
/// are. Keeps nothing of it.
///
/// # Errors
/// [`AnswerError::Foreign`].
pub fn check_answer(body: &[u8]) -> Result<(), AnswerError> {
    let foreign = |why: String| AnswerError::Foreign(why);
    let text = std::str::from_utf8(body).map_err(|error| foreign(error.to_string()))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| foreign(error.to_string()))?;
    match text.trim_start().starts_with('{') {
        true => Ok(()),
        false => Err(foreign("it is no JSON object".to_owned())),
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<Kind<'a>>,
    warnings: Option<Vec<String>>,
    /// VictoriaMetrics's word.
    #[serde(rename = "isPartial")]
    is_partial: Option<bool>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "resultType")]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Full<T> {
    data: Data<T>,
}

#[derive(Deserialize)]
struct Data<T> {
    result: T,
}

#[derive(Deserialize)]
struct Element<'a> {
    #[serde(borrow)]
    metric: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    value: Option<Point<'a>>,
}

/// A moment in seconds, and a value.
type Point<'a> = (IgnoredAny, Cow<'a, str>);

fn sample(element: Element<'_>) -> Result<(Labels, f64), AnswerError> {
    let Some((_, value)) = element.value else {
        return Err(AnswerError::Histograms);
    };
    let pairs = element
        .metric
        .iter()
        .map(|(name, value)| (&**name, &**value));
    Ok((Labels::from_pairs(pairs), number(&value)?))
}

fn number(text: &str) -> Result<f64, AnswerError> {
    let foreign = || AnswerError::Foreign(format!("`{text}` is no number"));
    parse_float(text).ok_or_else(foreign)
}

/// The body of a remote write (version 1): a snappy block, a series for each sample, in order.
#[must_use]
pub fn write_request(samples: &[(Labels, Sample)]) -> Vec<u8> {
    let mut request = RequestWriter::default();
    for (labels, sample) in samples {
        request.series(&Row {
            samples: std::slice::from_ref(sample),
            ..Row::of(labels)
        });
    }
    request.finish()
}

/// A sample with labels that all of a Firebell's series have, where it lacks them.
#[must_use]
pub fn with_external(labels: &Labels, external: &Labels) -> Labels {
    let mut all = labels.to_builder();
    for label in external.iter() {
        if labels.get(&label.name).is_none() && &*label.name != METRIC_NAME {
            all.set(label.name.clone(), label.value.clone());
        }
    }
    all.build()
}

#[cfg(test)]
mod tests {
    use firebell_model::{STALE_NAN, Timestamp};

    use super::*;
    use crate::remote_write::{DECODED_BYTES_MAX, WriteRequest};

    fn check(body: &str, expected: &str) {
        let answered = read_instant(body.as_bytes()).map(|it| it.answered);
        let shown = match answered {
            Ok(Answered::Vector(samples)) => {
                let samples = samples.iter();
                let samples: Vec<_> = samples
                    .map(|(labels, it)| format!("{labels} {it}"))
                    .collect();
                samples.join(", ")
            }
            Ok(other) => format!("{other:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{body}");
    }

    #[test]
    fn answers_of_clusters_are_read() {
        let vector = r#"{"status":"success","data":{"resultType":"vector","result":["#;
        let element = |value: &str| {
            format!(
                r#"{vector}{{"metric":{{"__name__":"up","a\"b":"c"}},"value":[1.5,"{value}"]}}]}}}}"#
            )
        };
        check(&element("2.5"), "up{\"a\\\"b\"=\"c\"} 2.5");
        check(&element("+Inf"), "up{\"a\\\"b\"=\"c\"} inf");
        check(&format!("{vector}]}},\"stats\":{{}}}}"), "");
        check(
            &element("x"),
            "the answer is none of a Prometheus API: `x` is no number",
        );
        check(
            r#"{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}"#,
            "Scalar(3.0)",
        );
        check(
            r#"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#,
            "Other",
        );
        check(
            r#"{"status":"error","errorType":"execution","error":"too \"many\""}"#,
            "too \"many\"",
        );
        check(
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}"#,
            "the result has native histograms, which cannot be read from a cluster's API",
        );
        check(
            "<html>",
            "the answer is none of a Prometheus API: expected value at line 1 column 1",
        );
    }

    #[test]
    fn warnings_are_read_whoever_gives_them() {
        let warnings = |more: &str| {
            let data = r#""data":{"resultType":"vector","result":[]}"#;
            let body = format!(r#"{{"status":"success",{data}{more}}}"#);
            read_instant(body.as_bytes()).unwrap().warnings
        };
        assert!(warnings("").is_empty());
        assert!(warnings(r#","warnings":null,"isPartial":false"#).is_empty());
        assert_eq!(
            warnings(r#","warnings":["store b: down"]"#),
            ["store b: down"]
        );
        assert_eq!(warnings(r#","isPartial":true"#), ["the answer is partial"]);
    }

    #[test]
    fn whole_objects_are_told_from_what_is_none() {
        for body in ["{}", " {\"status\":\"error\",\"error\":\"é\"}\n"] {
            assert_eq!(check_answer(body.as_bytes()), Ok(()), "{body}");
        }
        for (body, why) in [
            (&b""[..], "EOF while parsing a value at line 1 column 0"),
            (b"<html>", "expected value at line 1 column 1"),
            (b"[]", "it is no JSON object"),
            (
                b"{\"a\":[1,",
                "EOF while parsing a value at line 1 column 8",
            ),
            (b"{}{}", "trailing characters at line 1 column 3"),
            (
                b"{\"a\":\"\xff\"}",
                "invalid utf-8 sequence of 1 bytes from index 6",
            ),
        ] {
            let expected = AnswerError::Foreign(why.to_owned());
            assert_eq!(check_answer(body), Err(expected), "{body:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let series = |name: &str| Labels::from_pairs([("__name__", name), ("a", "b")]);
        let stale = Sample {
            at: Timestamp(-5),
            value: STALE_NAN,
        };
        let plain = Sample {
            at: Timestamp(1_700_000_000_000),
            value: 0.5,
        };
        let body = write_request(&[(series("x"), plain), (series("y"), stale)]);
        let request = WriteRequest::decode(&body, DECODED_BYTES_MAX).unwrap();
        let mut reader = request.series();
        for (name, expected) in [("x", plain), ("y", stale)] {
            let read = reader.next_series().unwrap().unwrap();
            assert_eq!(read.labels(), Ok(series(name)));
            let [sample] = read.samples[..] else {
                panic!("one sample each");
            };
            assert_eq!(sample.at, expected.at);
            assert_eq!(sample.value.to_bits(), expected.value.to_bits());
        }
    }

    #[test]
    fn external_labels_win_over_nothing_that_is_there() {
        let own = Labels::from_pairs([("a", "own")]);
        let external = Labels::from_pairs([("a", "external"), ("b", "external")]);
        let expected = Labels::from_pairs([("a", "own"), ("b", "external")]);
        assert_eq!(with_external(&own, &external), expected);
    }
}
