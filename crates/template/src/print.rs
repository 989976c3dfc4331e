//! Values as Go's `fmt.Print` shows them, into bounded text.
//!
//! *Sources*: Go, `fmt/print.go`, `fmt/format.go`, `strconv/ftoa.go`.

use std::fmt::{self, Write};

use firebell_model::{format_float, format_float_exponent};

use crate::exec::OUTPUT_BYTES_MAX;
use crate::methods::pairs_text;
use crate::time::{duration_text, moment_text};
use crate::value::{ListKind, Value};

/// Text that refuses to grow past a bound.
pub(crate) struct Bounded {
    text: String,
    bytes_max: usize,
}

/// The bound was hit.
#[derive(Debug)]
pub(crate) struct Full;

impl From<Full> for String {
    fn from(Full: Full) -> Self {
        format!("text grows longer than {OUTPUT_BYTES_MAX} bytes")
    }
}

impl From<fmt::Error> for Full {
    fn from(_: fmt::Error) -> Self {
        Self
    }
}

impl Bounded {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let text = String::new();
        Self { text, bytes_max }
    }

    pub(crate) fn push(&mut self, piece: &str) -> Result<(), Full> {
        if self.text.len() + piece.len() > self.bytes_max {
            return Err(Full);
        }
        self.text.push_str(piece);
        Ok(())
    }

    pub(crate) fn push_times(&mut self, c: char, n: usize) -> Result<(), Full> {
        let n_bytes = n.saturating_mul(c.len_utf8());
        if self.text.len().saturating_add(n_bytes) > self.bytes_max {
            return Err(Full);
        }
        self.text.extend(std::iter::repeat_n(c, n));
        Ok(())
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

impl Write for Bounded {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.push(piece).map_err(|Full| fmt::Error)
    }
}

/// The text of a value in its default form.
pub(crate) fn printed(value: &Value) -> Result<String, Full> {
    let mut text = Bounded::new(OUTPUT_BYTES_MAX);
    print_value(&mut text, value)?;
    Ok(text.into_text())
}

/// A value in its default form, `%v`.
pub(crate) fn print_value(out: &mut Bounded, value: &Value) -> Result<(), Full> {
    match value {
        Value::Nil => out.push("<nil>"),
        Value::Bool(value) => Ok(write!(out, "{value}")?),
        Value::Int(value) => Ok(write!(out, "{value}")?),
        Value::Float(value) => out.push(&float_text(*value)),
        Value::Text(text) => out.push(text),
        Value::Pattern(regex) => out.push(regex.text()),
        Value::List(list) if list.kind == ListKind::Pairs => out.push(&pairs_text(value)),
        Value::Kv(_) => out.push(&pairs_text(value)),
        Value::List(list) => print_between(out, '[', ']', list.items.iter()),
        Value::Labels(labels) => {
            out.push("map[")?;
            for (idx, label) in labels.iter().enumerate() {
                let space = if idx == 0 { "" } else { " " };
                write!(out, "{space}{}:{}", label.name, label.value)?;
            }
            out.push("]")
        }
        Value::Map(map) => {
            out.push("map[")?;
            for (idx, (name, value)) in map.entries.iter().enumerate() {
                let space = if idx == 0 { "" } else { " " };
                write!(out, "{space}{name}:")?;
                print_value(out, value)?;
            }
            out.push("]")
        }
        Value::Struct(structure) => {
            let values = structure.fields.iter().map(|(_, value)| value);
            print_between(out, '{', '}', values)
        }
        Value::Time(moment) => out.push(&moment_text(moment)),
        Value::Duration(nanos) => out.push(&duration_text(*nanos)),
        Value::Histogram(histogram) => Ok(write!(out, "{histogram}")?),
    }
}

fn print_between<'a>(
    out: &mut Bounded,
    open: char,
    close: char,
    values: impl Iterator<Item = &'a Value>,
) -> Result<(), Full> {
    out.write_char(open)?;
    for (idx, value) in values.enumerate() {
        if idx > 0 {
            out.push(" ")?;
        }
        print_value(out, value)?;
    }
    Ok(out.write_char(close)?)
}

/// `%v` of a float: shortest digits, with an exponent below 1e-4 and from 1e6 on.
pub(crate) fn float_text(value: f64) -> String {
    let magnitude = value.abs();
    let is_plain = magnitude == 0.0 || (1e-4..1e6).contains(&magnitude) || !value.is_finite();
    if is_plain {
        format_float(value)
    } else {
        format_float_exponent(value)
    }
}
