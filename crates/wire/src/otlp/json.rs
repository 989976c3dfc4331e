//! OTLP in JSON: the same messages, translated into protobuf by a table of their fields, so that
//! there is one reader.
//!
//! *Sources*: the OTLP specification, "JSON Protobuf Encoding"; `opentelemetry-proto`.

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use firebell_model::from_hex;
use serde_json::{Map, Value as Json};

use super::Signal;
use crate::protobuf::Writer;

/// A request in JSON, as protobuf.
///
/// # Errors
/// What is wrong with the text, and where.
pub(super) fn to_protobuf(body: &[u8], signal: Signal) -> Result<Vec<u8>, String> {
    let json: Json = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let Json::Object(request) = json else {
        return Err("the body is no JSON object".to_owned());
    };
    let mut out = Writer::default();
    let fields = match signal {
        Signal::Metrics => &METRICS_REQUEST,
        Signal::Traces => &TRACES_REQUEST,
        Signal::Logs => &LOGS_REQUEST,
    };
    write_message(&request, fields, &mut out)?;
    Ok(out.bytes)
}

/// A field: its name in JSON, its number in protobuf, what it holds.
type Field = (&'static str, u32, Kind);

/// What a field holds.
enum Kind {
    Text,
    /// Bytes, in JSON as base64.
    Base64,
    /// The id of a trace or a span: bytes, in JSON as hexadecimal digits.
    Hex,
    Bool,
    /// `int32`, `int64`, `uint32` and enumerations.
    Int,
    /// `sint32`
    Sint,
    Fixed,
    /// `fixed64`, packed.
    Fixeds,
    /// `uint64`, packed.
    Ints,
    Double,
    /// `double`, packed.
    Doubles,
    One(&'static [Field]),
    Many(&'static [Field]),
}

fn write_message(
    json: &Map<String, Json>,
    fields: &[Field],
    out: &mut Writer,
) -> Result<(), String> {
    for (name, json) in json {
        // What is not known is passed over, as the specification says; so is null.
        let known = fields.iter().find(|(known, ..)| is_spelled(name, known));
        if let Some((name, number, kind)) = known
            && !json.is_null()
        {
            write_field(json, *number, kind, out).map_err(|why| format!("`{name}`: {why}"))?;
        }
    }
    Ok(())
}

/// Whether a name is that of a field: as JSON has it, or, which readers of protobuf take as well, with
/// `_` before what is a capital letter there.
fn is_spelled(name: &str, field: &str) -> bool {
    if !name.contains('_') {
        return name == field;
    }
    let mut rest = name.chars();
    field.chars().all(|c| match c.is_ascii_uppercase() {
        true => rest.next() == Some('_') && rest.next() == Some(c.to_ascii_lowercase()),
        false => rest.next() == Some(c),
    }) && rest.next().is_none()
}

fn write_field(json: &Json, number: u32, kind: &Kind, out: &mut Writer) -> Result<(), String> {
    match kind {
        Kind::Text => out.text(number, text(json)?),
        Kind::Base64 => out.blob(number, &base64(text(json)?)?),
        Kind::Hex => out.blob(number, &hexadecimal(text(json)?)?),
        Kind::Bool => out.varint(number, json.as_bool().ok_or("it is no boolean")?.into()),
        Kind::Int => out.varint(number, integer(json)?),
        Kind::Sint => out.sint(number, integer(json)?.cast_signed()),
        Kind::Fixed => out.fixed(number, integer(json)?),
        Kind::Double => out.double(number, double(json)?),
        Kind::Fixeds => {
            for item in list(json)? {
                out.fixed(number, integer(item)?);
            }
        }
        Kind::Ints => {
            for item in list(json)? {
                out.varint(number, integer(item)?);
            }
        }
        Kind::Doubles => {
            for item in list(json)? {
                out.double(number, double(item)?);
            }
        }
        Kind::One(fields) => write_one(json, number, fields, out)?,
        Kind::Many(fields) => {
            for item in list(json)? {
                write_one(item, number, fields, out)?;
            }
        }
    }
    Ok(())
}

fn write_one(json: &Json, number: u32, fields: &[Field], out: &mut Writer) -> Result<(), String> {
    let object = json.as_object().ok_or("it is no object")?;
    let mut message = Writer::default();
    write_message(object, fields, &mut message)?;
    out.blob(number, &message.bytes);
    Ok(())
}

fn text(json: &Json) -> Result<&str, String> {
    json.as_str().ok_or_else(|| "it is no text".to_owned())
}

fn list(json: &Json) -> Result<&Vec<Json>, String> {
    json.as_array().ok_or_else(|| "it is no list".to_owned())
}

/// A whole number, which may stand in quotes; the bits of it when it is negative.
fn integer(json: &Json) -> Result<u64, String> {
    let wrong = || format!("{json} is no whole number");
    let signed = |number: i64| number.cast_unsigned();
    match json {
        Json::Number(number) => {
            let whole = || {
                let float = number.as_f64().filter(|it| it.fract() == 0.0)?;
                (float.abs() < 9e15).then_some(signed(float as i64))
            };
            let number = number.as_u64().or_else(|| number.as_i64().map(signed));
            number.or_else(whole).ok_or_else(wrong)
        }
        Json::String(text) => {
            let number = text.parse::<u64>();
            let number = number.or_else(|_| text.parse::<i64>().map(signed));
            number.ok().or_else(|| enumerated(text)).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

/// Names of enumerations, which the specification forbids and some senders write.
fn enumerated(text: &str) -> Option<u64> {
    match text {
        "AGGREGATION_TEMPORALITY_UNSPECIFIED" | "STATUS_CODE_UNSET" => Some(0),
        "AGGREGATION_TEMPORALITY_DELTA" | "SPAN_KIND_INTERNAL" | "STATUS_CODE_OK" => Some(1),
        "AGGREGATION_TEMPORALITY_CUMULATIVE" | "SPAN_KIND_SERVER" | "STATUS_CODE_ERROR" => Some(2),
        "SPAN_KIND_CLIENT" => Some(3),
        "SPAN_KIND_PRODUCER" => Some(4),
        "SPAN_KIND_CONSUMER" => Some(5),
        _ => None,
    }
}

fn double(json: &Json) -> Result<f64, String> {
    let wrong = || format!("{json} is no number");
    match json {
        Json::Number(number) => number.as_f64().ok_or_else(wrong),
        Json::String(text) if text == "NaN" => Ok(f64::NAN),
        Json::String(text) if text == "Infinity" => Ok(f64::INFINITY),
        Json::String(text) if text == "-Infinity" => Ok(f64::NEG_INFINITY),
        Json::String(text) => text.parse().map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

fn hexadecimal(text: &str) -> Result<Vec<u8>, String> {
    from_hex(text).ok_or_else(|| "it is not hexadecimal".to_owned())
}

fn base64(text: &str) -> Result<Vec<u8>, String> {
    let bytes = BASE64.decode(text);
    bytes.map_err(|error| format!("it is not base64: {error}"))
}

/// Base64 of either kind of padding: writers differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

// The messages of OTLP, as far as they are read.
static METRICS_REQUEST: [Field; 1] = [("resourceMetrics", 1, Kind::Many(&RESOURCE_METRICS))];
static TRACES_REQUEST: [Field; 1] = [("resourceSpans", 1, Kind::Many(&RESOURCE_SPANS))];
static LOGS_REQUEST: [Field; 1] = [("resourceLogs", 1, Kind::Many(&RESOURCE_LOGS))];
static RESOURCE_METRICS: [Field; 3] = [
    ("resource", 1, Kind::One(&RESOURCE)),
    ("scopeMetrics", 2, Kind::Many(&SCOPE_METRICS)),
    ("schemaUrl", 3, Kind::Text),
];
static RESOURCE: [Field; 1] = [("attributes", 1, Kind::Many(&KEY_VALUE))];
static SCOPE_METRICS: [Field; 3] = [
    ("scope", 1, Kind::One(&SCOPE)),
    ("metrics", 2, Kind::Many(&METRIC)),
    ("schemaUrl", 3, Kind::Text),
];
static SCOPE: [Field; 3] = [
    ("name", 1, Kind::Text),
    ("version", 2, Kind::Text),
    ("attributes", 3, Kind::Many(&KEY_VALUE)),
];
static METRIC: [Field; 8] = [
    ("name", 1, Kind::Text),
    ("description", 2, Kind::Text),
    ("unit", 3, Kind::Text),
    ("gauge", 5, Kind::One(&NUMBERS)),
    ("sum", 7, Kind::One(&NUMBERS)),
    ("histogram", 9, Kind::One(&HISTOGRAMS)),
    (
        "exponentialHistogram",
        10,
        Kind::One(&EXPONENTIAL_HISTOGRAMS),
    ),
    ("summary", 11, Kind::One(&SUMMARIES)),
];
static NUMBERS: [Field; 3] = [
    ("dataPoints", 1, Kind::Many(&NUMBER)),
    ("aggregationTemporality", 2, Kind::Int),
    ("isMonotonic", 3, Kind::Bool),
];
static NUMBER: [Field; 7] = [
    ("attributes", 7, Kind::Many(&KEY_VALUE)),
    ("startTimeUnixNano", 2, Kind::Fixed),
    ("timeUnixNano", 3, Kind::Fixed),
    ("asDouble", 4, Kind::Double),
    ("asInt", 6, Kind::Fixed),
    ("exemplars", 5, Kind::Many(&EXEMPLAR)),
    ("flags", 8, Kind::Int),
];
static HISTOGRAMS: [Field; 2] = [
    ("dataPoints", 1, Kind::Many(&HISTOGRAM)),
    ("aggregationTemporality", 2, Kind::Int),
];
static HISTOGRAM: [Field; 9] = [
    ("attributes", 9, Kind::Many(&KEY_VALUE)),
    ("startTimeUnixNano", 2, Kind::Fixed),
    ("timeUnixNano", 3, Kind::Fixed),
    ("count", 4, Kind::Fixed),
    ("sum", 5, Kind::Double),
    ("bucketCounts", 6, Kind::Fixeds),
    ("explicitBounds", 7, Kind::Doubles),
    ("exemplars", 8, Kind::Many(&EXEMPLAR)),
    ("flags", 10, Kind::Int),
];
static EXPONENTIAL_HISTOGRAMS: [Field; 2] = [
    ("dataPoints", 1, Kind::Many(&EXPONENTIAL_HISTOGRAM)),
    ("aggregationTemporality", 2, Kind::Int),
];
static EXPONENTIAL_HISTOGRAM: [Field; 12] = [
    ("attributes", 1, Kind::Many(&KEY_VALUE)),
    ("startTimeUnixNano", 2, Kind::Fixed),
    ("timeUnixNano", 3, Kind::Fixed),
    ("count", 4, Kind::Fixed),
    ("sum", 5, Kind::Double),
    ("scale", 6, Kind::Sint),
    ("zeroCount", 7, Kind::Fixed),
    ("positive", 8, Kind::One(&EXPONENTIAL_BUCKETS)),
    ("negative", 9, Kind::One(&EXPONENTIAL_BUCKETS)),
    ("flags", 10, Kind::Int),
    ("exemplars", 11, Kind::Many(&EXEMPLAR)),
    ("zeroThreshold", 14, Kind::Double),
];
static EXPONENTIAL_BUCKETS: [Field; 2] =
    [("offset", 1, Kind::Sint), ("bucketCounts", 2, Kind::Ints)];
static SUMMARIES: [Field; 1] = [("dataPoints", 1, Kind::Many(&SUMMARY))];
static SUMMARY: [Field; 7] = [
    ("attributes", 7, Kind::Many(&KEY_VALUE)),
    ("startTimeUnixNano", 2, Kind::Fixed),
    ("timeUnixNano", 3, Kind::Fixed),
    ("count", 4, Kind::Fixed),
    ("sum", 5, Kind::Double),
    ("quantileValues", 6, Kind::Many(&QUANTILE)),
    ("flags", 8, Kind::Int),
];
static QUANTILE: [Field; 2] = [("quantile", 1, Kind::Double), ("value", 2, Kind::Double)];
static EXEMPLAR: [Field; 6] = [
    ("filteredAttributes", 7, Kind::Many(&KEY_VALUE)),
    ("timeUnixNano", 2, Kind::Fixed),
    ("asDouble", 3, Kind::Double),
    ("asInt", 6, Kind::Fixed),
    ("spanId", 4, Kind::Hex),
    ("traceId", 5, Kind::Hex),
];
static KEY_VALUE: [Field; 2] = [("key", 1, Kind::Text), ("value", 2, Kind::One(&ANY_VALUE))];
static ANY_VALUE: [Field; 7] = [
    ("stringValue", 1, Kind::Text),
    ("boolValue", 2, Kind::Bool),
    ("intValue", 3, Kind::Int),
    ("doubleValue", 4, Kind::Double),
    ("arrayValue", 5, Kind::One(&ANY_VALUES)),
    ("kvlistValue", 6, Kind::One(&KEY_VALUES)),
    ("bytesValue", 7, Kind::Base64),
];
static ANY_VALUES: [Field; 1] = [("values", 1, Kind::Many(&ANY_VALUE))];
static KEY_VALUES: [Field; 1] = [("values", 1, Kind::Many(&KEY_VALUE))];
static RESOURCE_SPANS: [Field; 2] = [
    ("resource", 1, Kind::One(&RESOURCE)),
    ("scopeSpans", 2, Kind::Many(&SCOPE_SPANS)),
];
static SCOPE_SPANS: [Field; 1] = [("spans", 2, Kind::Many(&SPAN))];
static SPAN: [Field; 11] = [
    ("traceId", 1, Kind::Hex),
    ("spanId", 2, Kind::Hex),
    ("parentSpanId", 4, Kind::Hex),
    ("name", 5, Kind::Text),
    ("kind", 6, Kind::Int),
    ("startTimeUnixNano", 7, Kind::Fixed),
    ("endTimeUnixNano", 8, Kind::Fixed),
    ("attributes", 9, Kind::Many(&KEY_VALUE)),
    ("events", 11, Kind::Many(&SPAN_EVENT)),
    ("links", 13, Kind::Many(&SPAN_LINK)),
    ("status", 15, Kind::One(&STATUS)),
];
static SPAN_EVENT: [Field; 3] = [
    ("timeUnixNano", 1, Kind::Fixed),
    ("name", 2, Kind::Text),
    ("attributes", 3, Kind::Many(&KEY_VALUE)),
];
static SPAN_LINK: [Field; 2] = [("traceId", 1, Kind::Hex), ("spanId", 2, Kind::Hex)];
static STATUS: [Field; 2] = [("message", 2, Kind::Text), ("code", 3, Kind::Int)];
static RESOURCE_LOGS: [Field; 2] = [
    ("resource", 1, Kind::One(&RESOURCE)),
    ("scopeLogs", 2, Kind::Many(&SCOPE_LOGS)),
];
static SCOPE_LOGS: [Field; 1] = [("logRecords", 2, Kind::Many(&LOG_RECORD))];
static LOG_RECORD: [Field; 9] = [
    ("timeUnixNano", 1, Kind::Fixed),
    ("severityNumber", 2, Kind::Int),
    ("severityText", 3, Kind::Text),
    ("body", 5, Kind::One(&ANY_VALUE)),
    ("attributes", 6, Kind::Many(&KEY_VALUE)),
    ("traceId", 9, Kind::Hex),
    ("spanId", 10, Kind::Hex),
    ("observedTimeUnixNano", 11, Kind::Fixed),
    ("eventName", 12, Kind::Text),
];
