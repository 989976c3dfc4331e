//! A native histogram as templates see it: the fields of Go's struct.
//!
//! *Sources*: Prometheus, `model/histogram/float_histogram.go`.

use firebell_model::{BucketSpan, Histogram, ResetHint};

use crate::value::{ListKind, Value};

pub(crate) fn field(histogram: &Histogram, name: &str) -> Option<Value> {
    let Histogram {
        positive, negative, ..
    } = histogram;
    Some(match name {
        "CounterResetHint" => Value::Int(match histogram.reset_hint {
            ResetHint::Unknown => 0,
            ResetHint::Reset => 1,
            ResetHint::NotReset => 2,
            ResetHint::Gauge => 3,
        }),
        "Schema" => Value::Int(histogram.schema.into()),
        "ZeroThreshold" => Value::Float(histogram.zero_threshold),
        "ZeroCount" => Value::Float(histogram.zero_count),
        "Count" => Value::Float(histogram.count),
        "Sum" => Value::Float(histogram.sum),
        "PositiveSpans" => spans(&positive.spans),
        "NegativeSpans" => spans(&negative.spans),
        "PositiveBuckets" => floats(&positive.counts),
        "NegativeBuckets" => floats(&negative.counts),
        "CustomValues" => floats(&histogram.custom_bounds),
        _ => return None,
    })
}

/// What the pointer points to: all fields, in order of declaration.
pub(crate) fn structure(histogram: &Histogram) -> Value {
    let fields = FIELDS.map(|name| (name, field(histogram, name).unwrap_or(Value::Nil)));
    Value::structure("histogram.FloatHistogram", fields.into())
}

fn spans(spans: &[BucketSpan]) -> Value {
    let span = |span: &BucketSpan| {
        let fields = vec![
            ("Offset", Value::Int(span.offset.into())),
            ("Length", Value::Int(span.length.into())),
        ];
        Value::structure("histogram.Span", fields)
    };
    Value::shallow(ListKind::Plain, spans.iter().map(span).collect())
}

fn floats(values: &[f64]) -> Value {
    let values = values.iter().copied().map(Value::Float);
    Value::shallow(ListKind::Plain, values.collect())
}

const FIELDS: [&str; 11] = [
    "CounterResetHint",
    "Schema",
    "ZeroThreshold",
    "ZeroCount",
    "Count",
    "Sum",
    "PositiveSpans",
    "NegativeSpans",
    "PositiveBuckets",
    "NegativeBuckets",
    "CustomValues",
];
