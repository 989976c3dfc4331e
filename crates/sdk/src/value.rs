//! Values of attributes, and their JSON.

use std::fmt::Write as _;

/// What an app may attach to a record.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// Text, cut at a bound by whoever made it.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number; JSON has `null` for what is not finite.
    Float(f64),
    /// Values in a row.
    List(Vec<Value>),
    /// Values by name, in the order in which they came.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// Appends it as JSON.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Text(text) => write_json_text(text, out),
            Self::Bool(is) => out.push_str(if *is { "true" } else { "false" }),
            Self::Int(number) => push(out, format_args!("{number}")),
            Self::Float(number) if number.is_finite() => push(out, format_args!("{number:?}")),
            Self::Float(_) => out.push_str("null"),
            Self::List(values) => {
                out.push('[');
                for (idx, value) in values.iter().enumerate() {
                    if idx > 0 {
                        out.push(',');
                    }
                    value.write_json(out);
                }
                out.push(']');
            }
            Self::Map(pairs) => {
                out.push('{');
                for (idx, (key, value)) in pairs.iter().enumerate() {
                    if idx > 0 {
                        out.push(',');
                    }
                    write_json_text(key, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// The text that a label has of it.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Null => String::new(),
            _ => {
                let mut text = String::new();
                self.write_json(&mut text);
                text
            }
        }
    }
}

/// Appends a JSON string.
pub fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(text.get(clean_from..at).unwrap_or_default());
        clean_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => push(out, format_args!("\\u{byte:04x}")),
        }
    }
    out.push_str(text.get(clean_from..).unwrap_or_default());
    out.push('"');
}

/// Writing to a `String` does not fail.
fn push(out: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_json_that_others_read() {
        let value = Value::Map(vec![
            ("a\"b\\\n\u{1}é".into(), Value::Text("x\ty".into())),
            (
                "n".into(),
                Value::List(vec![
                    Value::Int(-3),
                    Value::Float(1.5),
                    Value::Float(f64::NAN),
                ]),
            ),
            ("t".into(), Value::Bool(true)),
            ("z".into(), Value::Null),
        ]);
        let mut json = String::new();
        value.write_json(&mut json);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            read,
            serde_json::json!({"a\"b\\\n\u{1}é": "x\ty", "n": [-3, 1.5, null], "t": true, "z": null})
        );
    }
}
