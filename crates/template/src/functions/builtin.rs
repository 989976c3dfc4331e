//! The functions of every Go template.
//!
//! *Sources*: Go, `text/template/funcs.go`.

use std::sync::Arc;

use super::compare::{equal, less};
use super::escape::{html_escape, js_escape};
use super::{Call, Function, query_escape, wrong_type};
use crate::exec::OUTPUT_BYTES_MAX;
use crate::print::{Bounded, print_value};
use crate::printf::printf;
use crate::value::{ListKind, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    // These two are run argument by argument.
    Function::variadic("and", 1, |_| Ok(Value::Nil)).stopping_at(false),
    Function::variadic("or", 1, |_| Ok(Value::Nil)).stopping_at(true),
    Function::new("not", 1, |call| Ok(Value::Bool(!call.arg(0).is_true()))),
    Function::new("len", 1, len),
    Function::variadic("index", 1, index),
    Function::variadic("slice", 1, slice),
    Function::variadic("print", 0, |call| text_of(call, print)),
    Function::variadic("println", 0, |call| text_of(call, println)),
    Function::variadic("printf", 1, |call| text_of(call, print_format)),
    Function::variadic("html", 0, |call| escaped(call, html_escape)),
    Function::variadic("js", 0, |call| escaped(call, js_escape)),
    Function::variadic("urlquery", 0, |call| escaped(call, query_escape)),
    Function::variadic("eq", 2, eq),
    Function::new("ne", 2, |call| {
        truth(equal(call.arg(0), call.arg(1))?, false)
    }),
    Function::new("lt", 2, |call| truth(less(call.arg(0), call.arg(1))?, true)),
    // As in Go the inverse of `le` and `lt`, so that NaN is above everything.
    Function::new("gt", 2, |call| {
        truth(at_most(call.arg(0), call.arg(1))?, false)
    }),
    Function::new("le", 2, |call| {
        truth(at_most(call.arg(0), call.arg(1))?, true)
    }),
    Function::new("ge", 2, |call| {
        truth(less(call.arg(0), call.arg(1))?, false)
    }),
    Function::variadic("call", 1, |_| Err("no value here is a function".to_owned())),
];

fn truth(is_so: bool, wanted: bool) -> Result<Value, String> {
    Ok(Value::Bool(is_so == wanted))
}

fn at_most(a: &Value, b: &Value) -> Result<bool, String> {
    // Not `!(b < a)`: with NaN both are false.
    Ok(less(a, b)? || equal(a, b)?)
}

fn eq(call: &mut Call<'_>) -> Result<Value, String> {
    let first = call.arg(0);
    for other in &call.args[1..] {
        if equal(first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn len(call: &mut Call<'_>) -> Result<Value, String> {
    match call.arg(0).len() {
        Some(len) => Ok(Value::Int(i64::try_from(len).unwrap_or(i64::MAX))),
        None => Err(format!("len of type {}", call.arg(0).pointee_name())),
    }
}

fn index(call: &mut Call<'_>) -> Result<Value, String> {
    let mut value = call.arg(0).clone();
    for key in &call.args[1..] {
        value = match &value {
            Value::List(list) => list.items[position(key, list.items.len())?].clone(),
            Value::Text(text) => {
                let byte = text.as_bytes()[position(key, text.len())?];
                Value::Int(byte.into())
            }
            Value::Labels(_) | Value::Kv(_) | Value::Map(_) => entry(&value, key)?,
            Value::Nil => return Err("index of untyped nil".to_owned()),
            other => return Err(format!("can't index item of type {}", other.pointee_name())),
        };
    }
    Ok(value)
}

fn entry(map: &Value, key: &Value) -> Result<Value, String> {
    let name = key.as_text().ok_or_else(|| wrong_type("string", key))?;
    Ok(match map {
        Value::Labels(labels) | Value::Kv(labels) => Value::text(labels.value(name)),
        Value::Map(map) => map.entries.get(name).cloned().unwrap_or(Value::Nil),
        _ => Value::Nil,
    })
}

/// An index below `len`.
fn position(key: &Value, len: usize) -> Result<usize, String> {
    match key {
        Value::Int(at) => match usize::try_from(*at) {
            Ok(at) if at < len => Ok(at),
            _ => Err(format!("index out of range: {at}")),
        },
        other => Err(format!(
            "cannot index slice/array with type {}",
            other.type_name()
        )),
    }
}

fn slice(call: &mut Call<'_>) -> Result<Value, String> {
    let value = call.arg(0);
    let len = match value {
        Value::List(_) | Value::Text(_) => value.len().unwrap_or(0),
        other => return Err(format!("can't slice item of type {}", other.pointee_name())),
    };
    let bounds = &call.args[1..];
    if bounds.len() > 3 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let start = bounds.first().map_or(Ok(0), |it| position(it, len + 1))?;
    let end = bounds.get(1).map_or(Ok(len), |it| position(it, len + 1))?;
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}"));
    }
    match value {
        Value::List(list) => {
            let items = list.items[start..end].to_vec();
            match list.kind {
                ListKind::Plain => Value::list(items),
                kind => Ok(Value::shallow(kind, items)),
            }
        }
        other => {
            // Go cuts bytes; what is no longer text becomes replacement characters.
            let bytes = &other.as_text().unwrap_or("").as_bytes()[start..end];
            Ok(Value::text(String::from_utf8_lossy(bytes)))
        }
    }
}

/// The text that `write` makes of the arguments, within the bound.
fn text_of(
    call: &Call<'_>,
    write: fn(&mut Bounded, &Call<'_>) -> Result<(), String>,
) -> Result<Value, String> {
    let mut out = Bounded::new(OUTPUT_BYTES_MAX);
    write(&mut out, call)?;
    Ok(Value::text(out.into_text()))
}

/// Go's `Sprint`: a space between two operands when neither is a string.
fn print(out: &mut Bounded, call: &Call<'_>) -> Result<(), String> {
    let mut was_text = true;
    for arg in &call.args {
        let is_text = arg.as_text().is_some();
        if !was_text && !is_text {
            out.push(" ")?;
        }
        print_value(out, arg)?;
        was_text = is_text;
    }
    Ok(())
}

fn println(out: &mut Bounded, call: &Call<'_>) -> Result<(), String> {
    for (idx, arg) in call.args.iter().enumerate() {
        if idx > 0 {
            out.push(" ")?;
        }
        print_value(out, arg)?;
    }
    Ok(out.push("\n")?)
}

fn print_format(out: &mut Bounded, call: &Call<'_>) -> Result<(), String> {
    Ok(printf(out, call.text(0)?, &call.args[1..])?)
}

fn escaped(call: &mut Call<'_>, escape: fn(&str) -> String) -> Result<Value, String> {
    for arg in &mut call.args {
        if matches!(arg, Value::Nil) {
            *arg = Value::text("<no value>");
        }
    }
    let printed = match call.args.as_slice() {
        [Value::Text(text)] => text.clone(),
        _ => Arc::from(text_of(call, print)?.as_text().unwrap_or("")),
    };
    Ok(Value::text(escape(&printed)))
}
