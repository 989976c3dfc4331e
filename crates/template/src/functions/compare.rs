//! `eq`, `lt` and the like: values of one kind only.
//!
//! *Sources*: Go, `text/template/funcs.go`, `eq`, `lt`.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::value::Value;

pub(super) fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    if let (Some(a), Some(b)) = (a.as_text(), b.as_text()) {
        return Ok(a == b);
    }
    match (a, b) {
        (Value::Nil, other) | (other, Value::Nil) => Ok(matches!(other, Value::Nil)),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Int(a) | Value::Duration(a), Value::Int(b) | Value::Duration(b)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Time(a), Value::Time(b)) => Ok(a.at == b.at),
        // A pointer equals itself alone.
        (Value::Histogram(a), Value::Histogram(b)) => Ok(Arc::ptr_eq(a, b)),
        _ if is_basic(a) || is_basic(b) => Err(incompatible(a, b)),
        _ => Err(format!("non-comparable type {}", b.type_name())),
    }
}

pub(super) fn less(a: &Value, b: &Value) -> Result<bool, String> {
    if let (Some(a), Some(b)) = (a.as_text(), b.as_text()) {
        return Ok(a.cmp(b) == Ordering::Less);
    }
    match (a, b) {
        (Value::Int(a) | Value::Duration(a), Value::Int(b) | Value::Duration(b)) => Ok(a < b),
        (Value::Float(a), Value::Float(b)) => Ok(a < b),
        (Value::Bool(_), Value::Bool(_)) => Err("invalid type for comparison".to_owned()),
        _ if !is_basic(a) || !is_basic(b) => Err("invalid type for comparison".to_owned()),
        _ => Err(incompatible(a, b)),
    }
}

fn incompatible(a: &Value, b: &Value) -> String {
    let (a, b) = (a.type_name(), b.type_name());
    format!("incompatible types for comparison: {a} and {b}")
}

fn is_basic(value: &Value) -> bool {
    value.as_text().is_some()
        || matches!(
            value,
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Duration(_)
        )
}
