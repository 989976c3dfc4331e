//! Fields and methods: what may follow a dot.
//!
//! *Sources*: Go, `text/template/exec.go`, `evalField`; `time`; Alertmanager, `template/template.go`.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::{ALERT_NAME, Duration, Label, Labels};
use jiff::tz::TimeZone;

use crate::histogram;
use crate::time::{
    NANOS_PER_MS, ZERO_TIME, civil, duration_text, format_moment, moment_text, month_name,
    weekday_name,
};
use crate::value::{ListKind, Moment, Value};

/// What `receiver.name` is, with the arguments of a method.
pub(crate) fn field(receiver: &Value, name: &str, args: &[Value]) -> Result<Value, String> {
    if let Some(value) = method(receiver, name, args)? {
        return Ok(value);
    }
    let found = match receiver {
        Value::Struct(structure) => structure.field(name).cloned(),
        Value::Labels(labels) | Value::Kv(labels) => Some(label_value(labels, name)),
        Value::Map(map) => Some(map.entries.get(name).cloned().unwrap_or(Value::Nil)),
        Value::Histogram(histogram) => histogram::field(histogram, name),
        Value::Nil => return Err(format!("nil data; no entry for key \"{name}\"")),
        _ => None,
    };
    let type_name = receiver.type_name();
    match found {
        None => Err(format!("can't evaluate field {name} in type {type_name}")),
        Some(_) if !args.is_empty() => Err(format!("{name} is not a method but has arguments")),
        Some(value) => Ok(value),
    }
}

/// A label's value, shared and not copied; the empty string when it is absent.
fn label_value(labels: &Labels, name: &str) -> Value {
    let found = labels.iter().find(|label| &*label.name == name);
    found.map_or_else(|| Value::text(""), |it| Value::Text(it.value.clone()))
}

/// Calls a method; nothing when the type has none of that name.
fn method(receiver: &Value, name: &str, args: &[Value]) -> Result<Option<Value>, String> {
    let value = match receiver {
        Value::Kv(labels) => kv_method(labels, name, args)?,
        Value::List(list) if list.kind == ListKind::Pairs => match name {
            "Names" => Some(pair_texts(&list.items, "Name")),
            "Values" => Some(pair_texts(&list.items, "Value")),
            "String" => Some(Value::text(pairs_text(receiver))),
            _ => None,
        },
        Value::List(list) if list.kind == ListKind::Alerts => match name {
            "Firing" => Some(alerts_with(&list.items, "firing")),
            "Resolved" => Some(alerts_with(&list.items, "resolved")),
            _ => None,
        },
        Value::List(list) if list.kind == ListKind::Texts && name == "Join" => {
            let separator = args.first().and_then(Value::as_text).unwrap_or("");
            let texts: Vec<_> = list.items.iter().filter_map(Value::as_text).collect();
            Some(Value::text(texts.join(separator)))
        }
        Value::Time(moment) => time_method(moment, name, args)?,
        Value::Duration(nanos) => duration_method(*nanos, name, args)?,
        Value::Histogram(histogram) if name == "String" && args.is_empty() => {
            Some(Value::text(histogram.to_string()))
        }
        _ => None,
    };
    Ok(value)
}

fn kv_method(labels: &Labels, name: &str, args: &[Value]) -> Result<Option<Value>, String> {
    let value = match name {
        "SortedPairs" => pairs(labels),
        "Names" => Value::texts(sorted_pairs(labels).iter().map(|label| &label.name)),
        "Values" => Value::texts(sorted_pairs(labels).iter().map(|label| &label.value)),
        "String" => Value::text(labels_text(labels)),
        "Remove" => {
            let Some(Value::List(names)) = args.first() else {
                return Err("wrong number of args for Remove: want 1 got 0".to_owned());
            };
            let removed: BTreeSet<_> = names.items.iter().filter_map(Value::as_text).collect();
            Value::Kv(labels.filter(|name| !removed.contains(name)))
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// Labels in order of name, but `alertname` first: Alertmanager's `SortedPairs`.
pub(crate) fn sorted_pairs(labels: &Labels) -> Vec<Label> {
    let (mut sorted, others): (Vec<_>, Vec<_>) = labels
        .iter()
        .cloned()
        .partition(|label| &*label.name == ALERT_NAME);
    sorted.extend(others);
    sorted
}

fn pairs(labels: &Labels) -> Value {
    let pair = |label: Label| {
        let fields = vec![
            ("Name", Value::Text(label.name)),
            ("Value", Value::Text(label.value)),
        ];
        Value::structure("template.Pair", fields)
    };
    let items = sorted_pairs(labels).into_iter().map(pair);
    Value::shallow(ListKind::Pairs, items.collect())
}

fn pair_texts(pairs: &[Value], field: &str) -> Value {
    let text = |pair: &Value| match pair {
        Value::Struct(pair) => pair.field(field).cloned(),
        _ => None,
    };
    Value::shallow(ListKind::Texts, pairs.iter().filter_map(text).collect())
}

fn alerts_with(alerts: &[Value], status: &str) -> Value {
    let has_status = |alert: &&Value| match alert {
        Value::Struct(alert) => alert.field("Status").and_then(Value::as_text) == Some(status),
        _ => false,
    };
    let kept = alerts.iter().filter(has_status).cloned().collect();
    Value::shallow(ListKind::Plain, kept)
}

/// `a=1, b=2`: how `KV` and `Pairs` print.
pub(crate) fn pairs_text(value: &Value) -> String {
    match value {
        Value::Kv(labels) => labels_text(labels),
        Value::List(list) => {
            let text = |pair: &Value, field| match pair {
                Value::Struct(pair) => pair
                    .field(field)
                    .and_then(Value::as_text)
                    .unwrap_or("")
                    .to_owned(),
                _ => String::new(),
            };
            let texts: Vec<_> = list
                .items
                .iter()
                .map(|pair| format!("{}={}", text(pair, "Name"), text(pair, "Value")))
                .collect();
            texts.join(", ")
        }
        _ => String::new(),
    }
}

fn labels_text(labels: &Labels) -> String {
    let pairs = sorted_pairs(labels);
    let texts: Vec<_> = pairs
        .iter()
        .map(|it| format!("{}={}", it.name, it.value))
        .collect();
    texts.join(", ")
}

fn time_method(moment: &Moment, name: &str, args: &[Value]) -> Result<Option<Value>, String> {
    let at_zone = |at, zone| Value::Time(Arc::new(Moment { at, zone }));
    let shifted = |ms: i64| at_zone(moment.at + Duration(ms), moment.zone.clone());
    let value = match (name, args) {
        ("Format", [layout]) => {
            let layout = layout.as_text().ok_or("Format wants a string")?;
            Value::text(format_moment(moment, layout))
        }
        ("Add", [Value::Duration(nanos) | Value::Int(nanos)]) => shifted(nanos / NANOS_PER_MS),
        ("Sub", [Value::Time(other)]) => {
            Value::Duration((moment.at - other.at).0.saturating_mul(NANOS_PER_MS))
        }
        ("Before", [Value::Time(other)]) => Value::Bool(moment.at < other.at),
        ("After", [Value::Time(other)]) => Value::Bool(moment.at > other.at),
        ("Equal", [Value::Time(other)]) => Value::Bool(moment.at == other.at),
        ("UTC" | "Local", []) => at_zone(moment.at, TimeZone::UTC),
        ("String", []) => Value::text(moment_text(moment)),
        ("IsZero", []) => Value::Bool(moment.at == ZERO_TIME),
        ("Unix", []) => Value::Int(moment.at.0.div_euclid(1000)),
        ("UnixMilli", []) => Value::Int(moment.at.0),
        ("UnixNano", []) => Value::Int(moment.at.0.saturating_mul(NANOS_PER_MS)),
        (_, []) => return Ok(calendar_method(moment, name)),
        ("Format" | "Add" | "Sub" | "Before" | "After" | "Equal", _) => {
            return Err(format!("wrong arguments for {name}"));
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn calendar_method(moment: &Moment, name: &str) -> Option<Value> {
    let civil = civil(moment);
    let int = |value: i64| Some(Value::Int(value));
    match name {
        "Year" => int(civil.year().into()),
        "Month" => Some(Value::text(month_name(civil.month()))),
        "Day" => int(civil.day().into()),
        "Hour" => int(civil.hour().into()),
        "Minute" => int(civil.minute().into()),
        "Second" => int(civil.second().into()),
        "Nanosecond" => int(civil.subsec_nanosecond().into()),
        "YearDay" => int(civil.date().day_of_year().into()),
        "Weekday" => Some(Value::text(weekday_name(civil.date().weekday()))),
        _ => None,
    }
}

fn duration_method(nanos: i64, name: &str, args: &[Value]) -> Result<Option<Value>, String> {
    let value = match (name, args) {
        ("Hours", []) => Value::Float(nanos as f64 / 3.6e12),
        ("Minutes", []) => Value::Float(nanos as f64 / 6e10),
        ("Seconds", []) => Value::Float(nanos as f64 / 1e9),
        ("Milliseconds", []) => Value::Int(nanos / NANOS_PER_MS),
        ("Microseconds", []) => Value::Int(nanos / 1000),
        ("Nanoseconds", []) => Value::Int(nanos),
        ("String", []) => Value::text(duration_text(nanos)),
        ("Abs", []) => Value::Duration(nanos.saturating_abs()),
        ("Truncate", [Value::Duration(unit) | Value::Int(unit)]) if *unit > 0 => {
            Value::Duration(nanos - nanos % unit)
        }
        ("Round", [Value::Duration(unit) | Value::Int(unit)]) if *unit > 0 => {
            let (half, rest) = (unit / 2 + unit % 2, nanos % unit);
            let up = if rest.abs() >= half {
                unit.saturating_mul(nanos.signum())
            } else {
                0
            };
            Value::Duration((nanos - rest).saturating_add(up))
        }
        ("Round" | "Truncate", [_]) => Value::Duration(nanos),
        _ => return Ok(None),
    };
    Ok(Some(value))
}
