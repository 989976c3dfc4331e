//! Escapes: URLs, HTML, JavaScript.
//!
//! *Sources*: Go, `net/url`, `text/template/funcs.go`.

use std::fmt::Write;

/// Go's `url.QueryEscape`: a space is `+`.
pub(crate) fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            b' ' => escaped.push('+'),
            // Writing to a string cannot fail.
            _ => _ = write!(escaped, "%{byte:02X}"),
        }
    }
    escaped
}

/// Go's `url.QueryUnescape`.
pub(super) fn query_unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = after.get(..2).and_then(|it| std::str::from_utf8(it).ok());
                let value = digits
                    .filter(|it| !it.starts_with('+'))
                    .and_then(|it| u8::from_str_radix(it, 16).ok());
                let Some(value) = value else {
                    let bad = String::from_utf8_lossy(&after[..after.len().min(2)]);
                    return Err(format!("invalid URL escape \"%{bad}\""));
                };
                bytes.push(value);
                rest = &after[2..];
            }
            _ => bytes.push(byte),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Go's `HTMLEscapeString`.
pub(super) fn html_escape(text: &str) -> String {
    replace_chars(text, |c| match c {
        '"' => Some("&#34;"),
        '\'' => Some("&#39;"),
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\0' => Some("\u{fffd}"),
        _ => None,
    })
}

/// Go's `JSEscapeString`.
pub(super) fn js_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\'' => escaped.push_str("\\'"),
            '"' => escaped.push_str("\\\""),
            '<' | '>' | '&' | '=' => _ = write!(escaped, "\\u{:04X}", u32::from(c)),
            c if c < ' ' => _ = write!(escaped, "\\u{:04X}", u32::from(c)),
            c if c.is_control() => _ = write!(escaped, "\\u{:04X}", u32::from(c)),
            c => escaped.push(c),
        }
    }
    escaped
}

fn replace_chars(text: &str, replacement: impl Fn(char) -> Option<&'static str>) -> String {
    let mut replaced = String::with_capacity(text.len());
    for c in text.chars() {
        match replacement(c) {
            Some(piece) => replaced.push_str(piece),
            None => replaced.push(c),
        }
    }
    replaced
}
