//! Functions that only notifications have.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::DecodeError;
use base64::alphabet::STANDARD;
use base64::engine::{Engine as _, GeneralPurpose, GeneralPurposeConfig};
use jiff::tz::TimeZone;

use super::escape::query_unescape;
use super::json::to_json;
use super::title::title_and_lower;
use super::{Call, Function, wrong_type};
use crate::exec::OUTPUT_BYTES_MAX;
use crate::time::{NANOS_PER_MS, format_moment, parse_moment};
use crate::value::{ListKind, Moment, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("title", 1, title_and_lower),
    Function::new("trimSpace", 1, |call| Ok(Value::text(call.text(0)?.trim()))),
    Function::new("join", 2, join),
    Function::new("safeUrl", 1, |call| Ok(Value::text(call.text(0)?))),
    Function::new("urlUnescape", 1, |call| {
        Ok(Value::text(query_unescape(call.text(0)?)?))
    }),
    Function::variadic("stringSlice", 0, string_slice),
    Function::new("routeLabels", 1, |call| match call.context.route_label {
        Some(value_of) => Ok(Value::text(value_of(call.text(0)?)?)),
        None => Ok(Value::text("")),
    }),
    Function::new("date", 2, date),
    Function::new("tz", 2, tz),
    Function::new("now", 0, |call| Ok(Value::utc(call.context.now))),
    Function::new("since", 1, since),
    Function::new("toDate", 2, |call| {
        Ok(to_date(call).unwrap_or_else(|_| zero_time()))
    }),
    Function::new("mustToDate", 2, |call| to_date(call)),
    Function::new("toJson", 1, |call| Ok(Value::text(to_json(call.arg(0))?))),
    Function::new("base64encode", 1, |call| {
        Ok(Value::text(BASE64.encode(call.text(0)?)))
    }),
    Function::new("base64decode", 1, base64_decode),
    Function::variadic("list", 0, |call| {
        Value::list(std::mem::take(&mut call.args))
    }),
    Function::variadic("append", 1, append),
    Function::variadic("dict", 0, dict),
];

fn join(call: &mut Call<'_>) -> Result<Value, String> {
    let separator = call.text(0)?;
    let texts = call.texts(1)?;
    let n_bytes = texts
        .iter()
        .map(|text| text.len() + separator.len())
        .sum::<usize>();
    if n_bytes > OUTPUT_BYTES_MAX {
        return Err(format!("result is longer than {OUTPUT_BYTES_MAX} bytes"));
    }
    Ok(Value::text(texts.join(separator)))
}

fn string_slice(call: &mut Call<'_>) -> Result<Value, String> {
    let args = std::mem::take(&mut call.args);
    match args.iter().find(|arg| arg.as_text().is_none()) {
        Some(other) => Err(wrong_type("string", other)),
        None => Ok(Value::shallow(ListKind::Texts, args)),
    }
}

fn moment<'a>(call: &'a Call<'_>, idx: usize) -> Result<&'a Moment, String> {
    match call.arg(idx) {
        Value::Time(moment) => Ok(moment),
        other => Err(wrong_type("time.Time", other)),
    }
}

fn date(call: &mut Call<'_>) -> Result<Value, String> {
    Ok(Value::text(format_moment(moment(call, 1)?, call.text(0)?)))
}

fn tz(call: &mut Call<'_>) -> Result<Value, String> {
    let name = call.text(0)?;
    let at = moment(call, 1)?.at;
    let zone = match name {
        "" | "UTC" | "Local" => TimeZone::UTC,
        name => TimeZone::get(name).map_err(|_| format!("unknown time zone {name}"))?,
    };
    Ok(Value::Time(Arc::new(Moment { at, zone })))
}

fn since(call: &mut Call<'_>) -> Result<Value, String> {
    let elapsed = call.context.now - moment(call, 0)?.at;
    Ok(Value::Duration(elapsed.0.saturating_mul(NANOS_PER_MS)))
}

fn to_date(call: &Call<'_>) -> Result<Value, String> {
    let (layout, text) = (call.text(0)?, call.text(1)?);
    let at = parse_moment(layout, text);
    let at = at.ok_or_else(|| format!("parsing time {text:?} as {layout:?}: cannot parse"))?;
    Ok(Value::utc(at))
}

fn zero_time() -> Value {
    Value::utc(crate::time::ZERO_TIME)
}

fn append(call: &mut Call<'_>) -> Result<Value, String> {
    let mut items = match call.arg(0) {
        Value::Nil => Vec::new(),
        _ => call.list(0)?.items.clone(),
    };
    items.extend_from_slice(&call.args[1..]);
    call.budget.spend(items.len() / ITEMS_PER_STEP)?;
    Value::list(items)
}

fn dict(call: &mut Call<'_>) -> Result<Value, String> {
    if !call.args.len().is_multiple_of(2) {
        return Err("dict expects an even number of arguments".to_owned());
    }
    let mut entries = BTreeMap::new();
    for pair in call.args.chunks_exact(2) {
        let name = pair[0]
            .as_text()
            .ok_or_else(|| wrong_type("string", &pair[0]))?;
        entries.insert(Arc::from(name), pair[1].clone());
    }
    Value::map(entries)
}

fn base64_decode(call: &mut Call<'_>) -> Result<Value, String> {
    // Go passes over ends of lines.
    let text: String = call.text(0)?.replace(['\r', '\n'], "");
    let bytes = BASE64.decode(&text).map_err(|error| {
        let offset = match error {
            DecodeError::InvalidByte(offset, _) => offset,
            _ => text.len(),
        };
        format!("illegal base64 data at input byte {offset}")
    })?;
    Ok(Value::text(String::from_utf8_lossy(&bytes)))
}

/// As Go reads it: bits after the last byte may be anything.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
/// How many items of a list are copied for one step of a run.
const ITEMS_PER_STEP: usize = 16;
