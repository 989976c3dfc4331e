//! Attributes: texts out of values of any type.
//!
//! *Sources*: `opentelemetry-proto`, `common.proto`; the collector's `pcommon.Value.AsString`.

use std::borrow::Cow;
use std::io;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Serialize as _;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Map, Number, Value as Json};

use crate::protobuf::{Malformed, Message};

/// Attributes by name, in order of names; of two with the same name the later one counts.
pub(super) type Attributes<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// Reads a `KeyValue` into attributes.
pub(super) fn push_attribute<'a>(
    mut message: Message<'a>,
    out: &mut Attributes<'a>,
) -> Result<(), Malformed> {
    let (mut name, mut text) = ("", Cow::Borrowed(""));
    while let Some((number, value)) = message.next_field()? {
        match number {
            1 => name = value.text()?,
            2 => text = text_of(value.message()?)?,
            _ => {}
        }
    }
    out.push((name, text));
    Ok(())
}

/// The value of an attribute.
pub(super) fn get<'v>(attributes: &'v Attributes<'_>, name: &str) -> Option<&'v str> {
    let found = attributes.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| &**text)
}

/// An `AnyValue` as text: lists and maps are JSON.
pub(super) fn text_of(message: Message<'_>) -> Result<Cow<'_, str>, Malformed> {
    let mut fields = message;
    let mut text = Cow::Borrowed("");
    while let Some((number, value)) = fields.next_field()? {
        text = match number {
            1 => Cow::Borrowed(value.text()?),
            2..=7 => Cow::Owned(match json_of(message, NESTING_MAX)? {
                Json::String(text) => text,
                json => escaped(&json_text(&json)),
            }),
            _ => continue,
        };
    }
    Ok(text)
}

/// An `AnyValue` as JSON.
fn json_of(mut message: Message<'_>, levels: usize) -> Result<Json, Malformed> {
    let deeper = levels.checked_sub(1);
    let deeper = deeper.ok_or(Malformed("a value is nested too deeply"))?;
    let mut json = Json::Null;
    while let Some((number, value)) = message.next_field()? {
        json = match number {
            1 => value.text()?.into(),
            2 => (value.varint()? != 0).into(),
            3 => value.int()?.into(),
            4 => number_of(value.double()?),
            5 => list_of(value.message()?, deeper)?,
            6 => map_of(value.message()?, deeper)?,
            7 => BASE64_STANDARD.encode(value.bytes()?).into(),
            _ => continue,
        };
    }
    Ok(json)
}

/// Writes numbers as the collector does.
struct AsGo;

impl Formatter for AsGo {
    fn write_f64<W: ?Sized + io::Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        let size = value.abs();
        if size == 0.0 || (EXPONENT_BELOW..EXPONENT_FROM).contains(&size) {
            return write!(out, "{value}");
        }
        let sign = if size < 1.0 { "" } else { "+" };
        let text = format!("{value:e}").replace('e', &format!("e{sign}"));
        out.write_all(text.as_bytes())
    }
}

fn json_text(json: &Json) -> String {
    let mut text = Vec::new();
    let mut writer = Serializer::with_formatter(&mut text, AsGo);
    // Memory takes all, and the keys are texts.
    let _ = json.serialize(&mut writer);
    String::from_utf8(text).unwrap_or_default()
}

fn number_of(value: f64) -> Json {
    match Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None => format!("json: unsupported value: {}", special(value)).into(),
    }
}

fn special(value: f64) -> &'static str {
    match value {
        _ if value.is_nan() => "NaN",
        _ if value > 0.0 => "+Inf",
        _ => "-Inf",
    }
}

fn list_of(mut message: Message<'_>, levels: usize) -> Result<Json, Malformed> {
    let mut list = Vec::new();
    while let Some((number, value)) = message.next_field()? {
        if number == 1 {
            list.push(json_of(value.message()?, levels)?);
        }
    }
    Ok(list.into())
}

fn map_of(mut message: Message<'_>, levels: usize) -> Result<Json, Malformed> {
    let mut map = Map::new();
    while let Some((number, value)) = message.next_field()? {
        if number != 1 {
            continue;
        }
        let (mut name, mut json) = ("", Json::Null);
        let mut pair = value.message()?;
        while let Some((number, value)) = pair.next_field()? {
            match number {
                1 => name = value.text()?,
                2 => json = json_of(value.message()?, levels)?,
                _ => {}
            }
        }
        map.insert(name.to_owned(), json);
    }
    Ok(map.into())
}

/// Go's JSON escapes what HTML would read.
fn escaped(json: &str) -> String {
    let mut text = json.replace('&', "\\u0026");
    text = text.replace('<', "\\u003c").replace('>', "\\u003e");
    text
}

/// Lists and maps within each other, at most.
const NESTING_MAX: usize = 32;
/// Go's JSON has exponents below and from here on.
const EXPONENT_BELOW: f64 = 1e-6;
const EXPONENT_FROM: f64 = 1e21;
