//! Numbers for people: `humanize` and its kin.
//!
//! *Sources*: Prometheus, `template/template.go`; `common/helpers/templates`.

use firebell_model::Timestamp;

use super::Call;
use crate::printf::significant;
use crate::time::moment_text;
use crate::value::{Moment, Value};

pub(super) fn humanize(call: &mut Call<'_>) -> Result<Value, String> {
    let value = call.number(0)?;
    if value == 0.0 || !value.is_finite() {
        return Ok(Value::text(significant(value, DIGITS)));
    }
    let (value, prefix) = if value.abs() >= 1.0 {
        scaled_down(value, 1000.0, &METRIC)
    } else {
        scaled_up(value)
    };
    Ok(Value::text(significant(value, DIGITS) + prefix))
}

pub(super) fn humanize_1024(call: &mut Call<'_>) -> Result<Value, String> {
    let value = call.number(0)?;
    if value.abs() <= 1.0 || !value.is_finite() {
        return Ok(Value::text(significant(value, DIGITS)));
    }
    let (value, prefix) = scaled_down(value, 1024.0, &BINARY);
    Ok(Value::text(significant(value, DIGITS) + prefix))
}

pub(super) fn humanize_percentage(call: &mut Call<'_>) -> Result<Value, String> {
    let value = call.number(0)?;
    Ok(Value::text(significant(value * 100.0, DIGITS) + "%"))
}

pub(super) fn humanize_duration(call: &mut Call<'_>) -> Result<Value, String> {
    let value = call.number(0)?;
    Ok(Value::text(duration(value)))
}

fn duration(secs: f64) -> String {
    if !secs.is_finite() {
        return significant(secs, DIGITS);
    }
    if secs == 0.0 {
        return significant(secs, DIGITS) + "s";
    }
    if secs.abs() < 1.0 {
        let (value, prefix) = scaled_up(secs);
        return format!("{}{prefix}s", significant(value, DIGITS));
    }
    let sign = if secs < 0.0 { "-" } else { "" };
    // Beyond that Go's conversion gives this, on most machines.
    let whole = match secs.abs() < i64::MAX as f64 {
        true => secs.abs() as i64,
        false => i64::MIN,
    };
    let (s, m) = (whole % 60, whole / 60 % 60);
    let (h, d) = (whole / 3600 % 24, whole / 86400);
    if d != 0 {
        format!("{sign}{d}d {h}h {m}m {s}s")
    } else if h != 0 {
        format!("{sign}{h}h {m}m {s}s")
    } else if m != 0 {
        format!("{sign}{m}m {s}s")
    } else {
        format!("{sign}{}s", significant(secs.abs(), DIGITS))
    }
}

pub(super) fn humanize_timestamp(call: &mut Call<'_>) -> Result<Value, String> {
    let secs = call.number(0)?;
    if !secs.is_finite() {
        return Ok(Value::text(significant(secs, DIGITS)));
    }
    let at = to_moment(secs)?;
    Ok(Value::text(moment_text(&at)))
}

pub(super) fn to_time(call: &mut Call<'_>) -> Result<Value, String> {
    let secs = call.number(0)?;
    Ok(Value::Time(to_moment(secs)?.into()))
}

pub(super) fn to_duration(call: &mut Call<'_>) -> Result<Value, String> {
    let secs = call.number(0)?;
    let nanos = to_nanos(secs, "nanoseconds duration")?;
    Ok(Value::Duration(nanos))
}

fn to_moment(secs: f64) -> Result<Moment, String> {
    let nanos = to_nanos(secs, "nanoseconds timestamp")?;
    // Cut to milliseconds, towards zero, as upstream's time type is.
    Ok(Moment {
        at: Timestamp(nanos / 1_000_000),
        zone: jiff::tz::TimeZone::UTC,
    })
}

fn to_nanos(secs: f64, what: &str) -> Result<i64, String> {
    if !secs.is_finite() {
        return Err("value is NaN or Inf".to_owned());
    }
    let nanos = secs * 1e9;
    if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
        let value = crate::print::float_text(secs);
        return Err(format!(
            "{value} cannot be represented as a {what} since it overflows int64"
        ));
    }
    Ok(nanos as i64)
}

fn scaled_down(mut value: f64, step: f64, prefixes: &[&'static str]) -> (f64, &'static str) {
    let mut prefix = "";
    for next in prefixes {
        if value.abs() < step {
            break;
        }
        prefix = next;
        value /= step;
    }
    (value, prefix)
}

fn scaled_up(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

const METRIC: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
/// Significant digits: `%.4g`.
const DIGITS: usize = 4;
