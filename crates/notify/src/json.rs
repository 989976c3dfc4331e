//! JSON bodies as Go's `json.Encoder` writes them.

use serde::Serialize;

use crate::error::RenderError;

/// The value as JSON: compact, a line feed at the end, and HTML's characters escaped.
pub(crate) fn encode<T: Serialize>(
    integration: &'static str,
    value: &T,
) -> Result<String, RenderError> {
    let json = serde_json::to_string(value).map_err(|error| RenderError::Json {
        integration,
        why: error.to_string(),
    })?;
    let mut escaped = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        // None of these occurs outside of strings.
        match c {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            c => escaped.push(c),
        }
    }
    escaped.push('\n');
    Ok(escaped)
}
