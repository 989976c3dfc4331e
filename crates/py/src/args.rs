//! What Python gives, as values of our own. Nothing is refused: what is foreign becomes its text.

use std::sync::atomic::{AtomicBool, Ordering};

use firebell_sdk::{Value, client, push_key};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};

static IS_DEBUG: AtomicBool = AtomicBool::new(false);
static IS_ENABLED: AtomicBool = AtomicBool::new(true);

pub(crate) fn set_debug(is: bool) {
    IS_DEBUG.store(is, Ordering::Relaxed);
}

pub(crate) fn set_enabled(is: bool) {
    IS_ENABLED.store(is, Ordering::Relaxed);
}

#[inline]
pub(crate) fn is_enabled() -> bool {
    IS_ENABLED.load(Ordering::Relaxed)
}

/// An argument that cannot be taken: an error under `debug`, else one more in the statistics.
#[cold]
pub(crate) fn bad(why: impl FnOnce() -> String) -> PyResult<()> {
    client().count_bad_argument();
    if IS_DEBUG.load(Ordering::Relaxed) {
        return Err(PyTypeError::new_err(why()));
    }
    Ok(())
}

/// A number, if it is one.
#[inline]
pub(crate) fn number(value: &Bound<'_, PyAny>) -> Option<f64> {
    value.extract::<f64>().ok()
}

/// A value with all that it contains, as deep and as long as is sensible.
pub(crate) fn value(any: &Bound<'_, PyAny>) -> Value {
    nested(any, DEPTH_MAX)
}

fn nested(any: &Bound<'_, PyAny>, depth: usize) -> Value {
    if let Ok(text) = any.cast::<PyString>() {
        return Value::Text(cut(&text.to_string_lossy(), TEXT_BYTES_MAX).to_owned());
    }
    if any.is_none() {
        return Value::Null;
    }
    if let Ok(is) = any.cast::<PyBool>() {
        return Value::Bool(is.is_true());
    }
    if any.is_instance_of::<PyInt>() {
        return any.extract::<i64>().map_or_else(|_| shown(any), Value::Int);
    }
    if any.is_instance_of::<PyFloat>() {
        return any.extract::<f64>().map_or(Value::Null, Value::Float);
    }
    if depth == 0 {
        return shown(any);
    }
    if let Ok(dict) = any.cast::<PyDict>() {
        return Value::Map(
            entries(dict)
                .into_iter()
                .map(|(key, it)| (key_text(&key), nested(&it, depth - 1)))
                .collect(),
        );
    }
    if let Ok(list) = any.cast::<PyList>() {
        return Value::List(
            list.iter()
                .take(ITEMS_MAX)
                .map(|it| nested(&it, depth - 1))
                .collect(),
        );
    }
    if let Ok(tuple) = any.cast::<PyTuple>() {
        return Value::List(
            tuple
                .iter()
                .take(ITEMS_MAX)
                .map(|it| nested(&it, depth - 1))
                .collect(),
        );
    }
    shown(any)
}

/// Taken out before anything is made of them: the text of a value may come from code that changes
/// the dictionary.
fn entries<'py>(dict: &Bound<'py, PyDict>) -> Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    dict.iter().take(ITEMS_MAX).collect()
}

/// What Python has of a value.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Bool(is) => PyBool::new(py, *is).to_owned().into_any(),
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::Float(number) => number.into_pyobject(py)?.into_any(),
        Value::List(values) => {
            let values = values.iter().map(|it| to_python(py, it));
            PyList::new(py, values.collect::<PyResult<Vec<_>>>()?)?.into_any()
        }
        Value::Map(pairs) => {
            let dict = PyDict::new(py);
            for (key, it) in pairs {
                dict.set_item(key, to_python(py, it)?)?;
            }
            dict.into_any()
        }
    })
}

/// `str(value)`, or what it is when even that fails.
fn shown(any: &Bound<'_, PyAny>) -> Value {
    let text = any.str().map(|it| it.to_string_lossy().into_owned());
    let text = text.unwrap_or_else(|_| format!("<{}>", type_name(any)));
    Value::Text(cut(&text, SHOWN_BYTES_MAX).to_owned())
}

pub(crate) fn type_name(any: &Bound<'_, PyAny>) -> String {
    any.get_type()
        .name()
        .map_or_else(|_| "object".into(), |it| it.to_string_lossy().into_owned())
}

pub(crate) fn key_text(any: &Bound<'_, PyAny>) -> String {
    match nested(any, 0) {
        Value::Text(text) => cut(&text, SHOWN_BYTES_MAX).to_owned(),
        other => other.to_text(),
    }
}

/// The pairs of any mapping.
pub(crate) fn pairs(mapping: &Bound<'_, PyAny>) -> Vec<(String, Value)> {
    if let Ok(dict) = mapping.cast::<PyDict>() {
        return entries(dict)
            .into_iter()
            .map(|(key, it)| (key_text(&key), value(&it)))
            .collect();
    }
    let Some(items) = mapping
        .cast::<PyMapping>()
        .ok()
        .and_then(|it| it.items().ok())
    else {
        return Vec::new();
    };
    let of_item = |item: Bound<'_, PyAny>| {
        let (key, it): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract().ok()?;
        Some((key_text(&key), value(&it)))
    };
    items.iter().take(ITEMS_MAX).filter_map(of_item).collect()
}

/// Labels given as keywords, as a key to look their series up with.
#[inline]
pub(crate) fn labels_key(labels: &Bound<'_, PyDict>, key: &mut Vec<u8>) {
    for (name, value) in labels.iter() {
        push_text(&name, key);
        push_text(&value, key);
    }
}

#[inline]
fn push_text(any: &Bound<'_, PyAny>, key: &mut Vec<u8>) {
    match any.cast::<PyString>().ok().and_then(|it| it.to_str().ok()) {
        Some(text) => push_key(key, text),
        None => push_key(key, &nested(any, 0).to_text()),
    }
}

/// The same labels as texts.
pub(crate) fn labels(labels: &Bound<'_, PyDict>) -> Vec<(String, String)> {
    let pairs = labels.iter().take(LABELS_MAX);
    pairs
        .map(|(name, value)| {
            let text = nested(&value, 0).to_text();
            (key_text(&name), cut(&text, LABEL_BYTES_MAX).to_owned())
        })
        .collect()
}

/// The beginning of a text that is too long.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max).rev().find(|it| text.is_char_boundary(*it));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

const DEPTH_MAX: usize = 8;
const ITEMS_MAX: usize = 256;
const LABELS_MAX: usize = 32;
const LABEL_BYTES_MAX: usize = 1024;
pub(crate) const SHOWN_BYTES_MAX: usize = 1024;
pub(crate) const TEXT_BYTES_MAX: usize = 32 << 10;
