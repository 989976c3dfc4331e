//! Functions that only rules have.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use firebell_model::{Duration, Labels, Quoted};

use super::humanize::{
    humanize, humanize_1024, humanize_percentage, humanize_timestamp, to_duration, to_time,
};
use super::title::title;
use super::{Call, Function, query_escape, wrong_type};
use crate::value::{ListKind, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("query", 1, query),
    Function::new("first", 1, first),
    Function::new("label", 2, label),
    Function::new("value", 1, value),
    Function::new("strvalue", 1, strvalue),
    Function::new("sortByLabel", 2, sort_by_label),
    Function::variadic("args", 0, args),
    Function::new("title", 1, title),
    Function::new("graphLink", 1, |call| link(call, 0)),
    Function::new("tableLink", 1, |call| link(call, 1)),
    Function::new("stripPort", 1, strip_port),
    Function::new("stripDomain", 1, strip_domain),
    Function::new("humanize", 1, humanize),
    Function::new("humanize1024", 1, humanize_1024),
    Function::new("humanizePercentage", 1, humanize_percentage),
    Function::new("humanizeTimestamp", 1, humanize_timestamp),
    Function::new("toTime", 1, to_time),
    Function::new("toDuration", 1, to_duration),
    Function::new("now", 0, |call| {
        Ok(Value::Float(call.context.now.as_secs_f64()))
    }),
    Function::new("pathPrefix", 0, path_prefix),
    Function::new("externalURL", 0, |call| {
        Ok(Value::text(call.context.external_url))
    }),
    Function::new("parseDuration", 1, parse_duration),
    Function::new("urlQueryEscape", 1, |call| {
        Ok(Value::text(query_escape(call.text(0)?)))
    }),
];

fn query(call: &mut Call<'_>) -> Result<Value, String> {
    let ask = call.context.query.ok_or("no queries can be made here")?;
    let answer = ask(call.text(0)?, call.context.now)?;
    call.budget.spend(answer.len())?;
    let samples = answer.into_iter().map(|sample| {
        let fields = vec![
            ("Labels", Value::Labels(sample.labels)),
            ("Value", sample.value.into()),
        ];
        Value::structure(SAMPLE, fields)
    });
    Ok(Value::shallow(ListKind::Samples, samples.collect()))
}

fn samples<'a>(call: &'a Call<'_>, idx: usize) -> Result<&'a [Value], String> {
    match call.arg(idx) {
        Value::List(list) if list.kind == ListKind::Samples => Ok(&list.items),
        other => Err(wrong_type("template.queryResult", other)),
    }
}

fn first(call: &mut Call<'_>) -> Result<Value, String> {
    let found = samples(call, 0)?.first().cloned();
    found.ok_or_else(|| "first() called on vector with no elements".to_owned())
}

fn sample<'a>(call: &'a Call<'_>, idx: usize) -> Result<(&'a Labels, &'a Value), String> {
    let arg = call.arg(idx);
    if let Value::Struct(sample) = arg
        && let (Some(Value::Labels(labels)), Some(value)) =
            (sample.field("Labels"), sample.field("Value"))
        && sample.type_name == SAMPLE
    {
        return Ok((labels, value));
    }
    Err(wrong_type(SAMPLE, arg))
}

fn label(call: &mut Call<'_>) -> Result<Value, String> {
    let (labels, _) = sample(call, 1)?;
    Ok(Value::text(labels.value(call.text(0)?)))
}

fn value(call: &mut Call<'_>) -> Result<Value, String> {
    Ok(sample(call, 0)?.1.clone())
}

fn strvalue(call: &mut Call<'_>) -> Result<Value, String> {
    Ok(Value::text(sample(call, 0)?.0.value("__value__")))
}

fn sort_by_label(call: &mut Call<'_>) -> Result<Value, String> {
    let name = call.text(0)?;
    let mut sorted = samples(call, 1)?.to_vec();
    let key = |sample: &Value| match sample {
        Value::Struct(sample) => match sample.field("Labels") {
            Some(Value::Labels(labels)) => labels.value(name).to_owned(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    sorted.sort_by_cached_key(key);
    call.budget.spend(sorted.len())?;
    Ok(Value::shallow(ListKind::Samples, sorted))
}

fn args(call: &mut Call<'_>) -> Result<Value, String> {
    let entries: BTreeMap<Arc<str>, Value> = std::mem::take(&mut call.args)
        .into_iter()
        .enumerate()
        .map(|(idx, arg)| (format!("arg{idx}").into(), arg))
        .collect();
    Value::map(entries)
}

fn link(call: &Call<'_>, tab: u8) -> Result<Value, String> {
    let expr = query_escape(call.text(0)?);
    Ok(Value::text(format!("/graph?g0.expr={expr}&g0.tab={tab}")))
}

/// `host:port` in two, as Go's `net.SplitHostPort`; nothing when it is no such thing.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once("]:")?;
        let is_clean = !host.contains(['[', ']']) && !port.contains(['[', ']', ':']);
        return is_clean.then_some((host, port));
    }
    let (host, port) = text.rsplit_once(':')?;
    let is_clean = !host.contains([':', '[', ']']) && !port.contains(['[', ']']);
    is_clean.then_some((host, port))
}

fn strip_port(call: &mut Call<'_>) -> Result<Value, String> {
    let text = call.text(0)?;
    let host = split_host_port(text).map_or(text, |(host, _)| host);
    Ok(Value::text(host))
}

fn strip_domain(call: &mut Call<'_>) -> Result<Value, String> {
    let text = call.text(0)?;
    let (host, port) = split_host_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return Ok(Value::text(text));
    }
    let name = host.split('.').next().unwrap_or(host);
    if port.is_empty() {
        return Ok(Value::text(name));
    }
    Ok(Value::text(format!("{name}:{port}")))
}

/// The path of the external URL.
fn path_prefix(call: &mut Call<'_>) -> Result<Value, String> {
    let url = call.context.external_url;
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = match after_scheme.find('/') {
        Some(idx) => &after_scheme[idx..],
        None => "",
    };
    let path = path.split(['?', '#']).next().unwrap_or("");
    Ok(Value::text(path))
}

fn parse_duration(call: &mut Call<'_>) -> Result<Value, String> {
    let text = call.text(0)?;
    let (sign, positive) = match text.strip_prefix('-') {
        Some(positive) => (-1.0, positive),
        None => (1.0, text),
    };
    match positive.parse::<Duration>() {
        Ok(duration) if duration <= DURATION_MAX => Ok(Value::Float(sign * duration.as_secs_f64())),
        _ => Err(duration_fault(positive)),
    }
}

/// What upstream says of a text that is no duration, or one of more than 292 years.
fn duration_fault(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut rest = text;
    if text.is_empty() {
        return "empty duration string".to_owned();
    }
    let (mut last_unit, mut total) = (0, 0_u64);
    while !rest.is_empty() {
        let (digits, behind) = rest.split_at(rest.find(|c| !is_digit(c)).unwrap_or(rest.len()));
        let (unit, behind) = behind.split_at(behind.find(is_digit).unwrap_or(behind.len()));
        rest = behind;
        let Some(n) = digits.parse::<u64>().ok().filter(|_| !unit.is_empty()) else {
            return format!("not a valid duration string: {}", Quoted(text));
        };
        let Some(idx) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return format!("unknown unit {} in duration {}", Quoted(unit), Quoted(text));
        };
        if idx < last_unit {
            return format!("not a valid duration string: {}", Quoted(text));
        }
        last_unit = idx + 1;
        let ms = n.checked_mul(UNITS[idx].1);
        match ms.and_then(|ms| total.checked_add(ms)) {
            Some(sum) if sum <= DURATION_MAX.0 as u64 => total = sum,
            _ => break,
        }
    }
    "duration out of range".to_owned()
}

/// What upstream's nanoseconds can hold.
const DURATION_MAX: Duration = Duration(i64::MAX / 1_000_000);
/// In the order in which they have to come, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];
const SAMPLE: &str = "*template.sample";
