//! `toJson`: values as Go's `json.Marshal` writes them.

use std::fmt::Write;

use crate::exec::OUTPUT_BYTES_MAX;
use crate::histogram;
use crate::print::{Bounded, Full};
use crate::time::rfc3339_nano;
use crate::value::Value;

pub(super) fn to_json(value: &Value) -> Result<String, String> {
    let mut out = Bounded::new(OUTPUT_BYTES_MAX);
    write_json(&mut out, value)?;
    Ok(out.into_text())
}

fn write_json(out: &mut Bounded, value: &Value) -> Result<(), String> {
    match value {
        Value::Nil => out.push("null")?,
        Value::Bool(value) => out.push(if *value { "true" } else { "false" })?,
        Value::Int(value) | Value::Duration(value) => out.push(&value.to_string())?,
        Value::Float(value) if !value.is_finite() => {
            let value = crate::print::float_text(*value);
            return Err(format!("json: unsupported value: {value}"));
        }
        Value::Float(value) => out.push(&float_json(*value))?,
        Value::Text(_) | Value::Pattern(_) => quote(out, value.as_text().unwrap_or(""))?,
        Value::Time(moment) => {
            out.push("\"")?;
            out.push(&rfc3339_nano(moment))?;
            out.push("\"")?;
        }
        Value::List(list) => {
            out.push("[")?;
            for (idx, item) in list.items.iter().enumerate() {
                out.push(if idx == 0 { "" } else { "," })?;
                write_json(out, item)?;
            }
            out.push("]")?;
        }
        Value::Labels(labels) | Value::Kv(labels) => {
            let entries = labels.iter().map(|label| (&*label.name, label));
            write_object(out, entries, |out, label| Ok(quote(out, &label.value)?))?;
        }
        Value::Map(map) => {
            let entries = map.entries.iter().map(|(name, value)| (&**name, value));
            write_object(out, entries, write_json)?;
        }
        Value::Struct(structure) => {
            let entries = structure.fields.iter().map(|(name, value)| (*name, value));
            let named = entries.map(|(name, value)| (json_name(name), value));
            let named: Vec<_> = named.collect();
            let entries = named.iter().map(|(name, value)| (&**name, *value));
            write_object(out, entries, write_json)?;
        }
        Value::Histogram(it) => write_json(out, &histogram::structure(it))?,
    }
    Ok(())
}

fn write_object<'a, T>(
    out: &mut Bounded,
    entries: impl Iterator<Item = (&'a str, T)>,
    write: impl Fn(&mut Bounded, T) -> Result<(), String>,
) -> Result<(), String> {
    out.push("{")?;
    for (idx, (name, value)) in entries.enumerate() {
        out.push(if idx == 0 { "" } else { "," })?;
        quote(out, name)?;
        out.push(":")?;
        write(out, value)?;
    }
    Ok(out.push("}")?)
}

/// The JSON name of a field of upstream's template data: `GroupLabels` is `groupLabels`.
fn json_name(field: &str) -> String {
    if field == "NotificationReason" {
        return "notification_reason".to_owned();
    }
    match field.strip_suffix("URL") {
        Some(start) => format!("{}URL", lower_first(start)),
        None => lower_first(field),
    }
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// Floats as `encoding/json`: an exponent below 1e-6 and from 1e21.
fn float_json(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        // `e-09` is written `e-9`.
        let text = firebell_model::format_float_exponent(value);
        return match text.split_once("e-0") {
            Some((mantissa, digit)) => format!("{mantissa}e-{digit}"),
            None => text,
        };
    }
    firebell_model::format_float(value)
}

/// A JSON string with HTML's characters escaped, as `json.Marshal` does.
fn quote(out: &mut Bounded, text: &str) -> Result<(), Full> {
    out.push("\"")?;
    for c in text.chars() {
        match c {
            '"' => out.push("\\\"")?,
            '\\' => out.push("\\\\")?,
            '\n' => out.push("\\n")?,
            '\r' => out.push("\\r")?,
            '\t' => out.push("\\t")?,
            '\u{8}' => out.push("\\b")?,
            '\u{c}' => out.push("\\f")?,
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => write!(out, "\\u{:04x}", u32::from(c))?,
            c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.write_char(c)?,
        }
    }
    out.push("\"")
}
