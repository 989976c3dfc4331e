//! Numbers, durations and strings as they are written.
//!
//! *Sources*: Go, `strconv.ParseInt(…, 0, 64)`, `strconv.ParseFloat`; Prometheus,
//! `util/strutil/quote.go`; prometheus/common, `model.ParseDuration`.

use firebell_model::{Duration, Quoted, do_underscores_separate};

use crate::ast::StringLiteral;
use crate::duration::SECS_MAX;

/// Reads a number; `0x1f`, `0755` and `1_000` as in Go.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    let failed = |why: &str| {
        let text = Quoted(text);
        Err(format!(
            "error parsing number: strconv.ParseFloat: parsing {text}: {why}"
        ))
    };
    let lower = text.to_ascii_lowercase();
    if !do_underscores_separate(&lower) {
        return failed("invalid syntax");
    }
    let lower = lower.replace('_', "");
    let integer = if let Some(digits) = lower.strip_prefix("0x") {
        i64::from_str_radix(digits, 16).ok()
    } else if lower.len() > 1 && lower.starts_with('0') {
        i64::from_str_radix(&lower, 8).ok()
    } else {
        lower.parse().ok()
    };
    if let Some(integer) = integer {
        return Ok(integer as f64);
    }
    match lower.parse::<f64>() {
        Ok(value) if value.is_infinite() && !lower.starts_with("inf") => {
            failed("value out of range")
        }
        Ok(value) => Ok(value),
        Err(_) => failed("invalid syntax"),
    }
}

/// Reads a duration such as `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration: Duration = text.parse().map_err(|_| unreadable(text))?;
    if duration.as_secs_f64() > SECS_MAX {
        return Err("duration out of range".to_owned());
    }
    Ok(duration)
}

/// Why a text is no duration.
fn unreadable(text: &str) -> String {
    let unit = text
        .split(|c: char| c.is_ascii_digit())
        .filter(|_| text.starts_with(|c: char| c.is_ascii_digit()))
        .find(|unit| !matches!(*unit, "" | "y" | "w" | "d" | "h" | "m" | "s" | "ms"));
    let text = Quoted(text);
    match unit {
        Some(unit) => format!("unknown unit {} in duration {text}", Quoted(unit)),
        None => format!("not a valid duration string: {text}"),
    }
}

/// The text of a quoted string that the lexer has let through.
pub(crate) fn unquote(quoted: &str) -> Option<StringLiteral> {
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    if quoted.starts_with('`') || !inner.contains('\\') {
        return Some(StringLiteral {
            value: inner.to_owned(),
            broken: None,
        });
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        let escaped = chars.next()?;
        let (n_digits, base) = match escaped {
            'a' => push(&mut bytes, 7),
            'b' => push(&mut bytes, 8),
            'f' => push(&mut bytes, 12),
            'n' => push(&mut bytes, b'\n'),
            'r' => push(&mut bytes, b'\r'),
            't' => push(&mut bytes, b'\t'),
            'v' => push(&mut bytes, 11),
            '0'..='7' => (2, 8),
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            c => push(&mut bytes, u8::try_from(c).ok()?),
        };
        if n_digits == 0 {
            continue;
        }
        let first = if base == 8 { escaped.to_digit(8)? } else { 0 };
        let value = (0..n_digits).try_fold(first, |value, _| {
            Some(value.wrapping_mul(base) + chars.next()?.to_digit(base)?)
        })?;
        match u8::try_from(value) {
            Ok(byte) if matches!(escaped, '0'..='7' | 'x') => bytes.push(byte),
            _ => bytes.extend(char::from_u32(value)?.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Some(match String::from_utf8(bytes) {
        Ok(value) => StringLiteral {
            value,
            broken: None,
        },
        Err(error) => StringLiteral {
            value: String::from_utf8_lossy(error.as_bytes()).into_owned(),
            broken: Some(error.into_bytes()),
        },
    })
}

/// Adds a byte; no digits follow.
fn push(bytes: &mut Vec<u8>, byte: u8) -> (u32, u32) {
    bytes.push(byte);
    (0, 0)
}

/// In double quotes, as `strconv.Quote` prints it.
impl std::fmt::Display for StringLiteral {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::fmt::Write as _;
        let Some(bytes) = &self.broken else {
            return write!(f, "{}", Quoted(&self.value));
        };
        f.write_char('"')?;
        for chunk in bytes.utf8_chunks() {
            let quoted = Quoted(chunk.valid()).to_string();
            f.write_str(&quoted[1..quoted.len() - 1])?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_char('"')
    }
}
