//! The values that templates handle.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{Histogram, Labels, Regex, SampleValue, Timestamp};
use jiff::tz::TimeZone;

/// A value of a run. Clones are cheap.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    /// A text that was compiled as a regular expression when the template was.
    Pattern(Arc<Regex>),
    List(Arc<List>),
    /// `map[string]string`: what is missing reads as the empty string.
    Labels(Labels),
    /// Alertmanager's `KV`: labels with methods.
    Kv(Labels),
    /// `map[string]any`: what is missing reads as nil.
    Map(Arc<Map>),
    Struct(Arc<Struct>),
    Time(Arc<Moment>),
    /// Nanoseconds.
    Duration(i64),
    /// A native histogram; in Go a pointer to it.
    Histogram(Arc<Histogram>),
}

/// Items in order, and which Go type they stand for.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) kind: ListKind,
    pub(crate) items: Vec<Value>,
    depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ListKind {
    /// `[]any` and other plain slices.
    Plain,
    /// `[]string`.
    Texts,
    /// Alertmanager's `Pairs`.
    Pairs,
    /// Alertmanager's `Alerts`.
    Alerts,
    /// The result of a query.
    Samples,
}

#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) entries: BTreeMap<Arc<str>, Value>,
    depth: usize,
}

/// A Go struct: fields in order of declaration.
#[derive(Debug)]
pub(crate) struct Struct {
    pub(crate) type_name: &'static str,
    pub(crate) fields: Vec<(&'static str, Value)>,
}

/// A moment as seen in a time zone.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) zone: TimeZone,
}

impl Value {
    pub(crate) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a Arc<str>>) -> Self {
        let items = texts.into_iter().map(|text| Self::Text(text.clone()));
        Self::shallow(ListKind::Texts, items.collect())
    }

    /// A list of values that hold no lists of a template's own making.
    pub(crate) fn shallow(kind: ListKind, items: Vec<Self>) -> Self {
        let depth = 1;
        Self::List(Arc::new(List { kind, items, depth }))
    }

    /// A list of any values.
    ///
    /// # Errors
    /// When lists would be nested deeper than [`DEPTH_MAX`]: printing and dropping recurse.
    pub(crate) fn list(items: Vec<Self>) -> Result<Self, String> {
        let depth = depth_above(items.iter())?;
        let kind = ListKind::Plain;
        Ok(Self::List(Arc::new(List { kind, items, depth })))
    }

    /// A map of any values.
    ///
    /// # Errors
    /// As [`Value::list`].
    pub(crate) fn map(entries: BTreeMap<Arc<str>, Self>) -> Result<Self, String> {
        let depth = depth_above(entries.values())?;
        Ok(Self::Map(Arc::new(Map { entries, depth })))
    }

    pub(crate) fn structure(type_name: &'static str, fields: Vec<(&'static str, Self)>) -> Self {
        Self::Struct(Arc::new(Struct { type_name, fields }))
    }

    pub(crate) fn utc(at: Timestamp) -> Self {
        let zone = TimeZone::UTC;
        Self::Time(Arc::new(Moment { at, zone }))
    }

    /// The text of a string, or nothing.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Pattern(regex) => Some(regex.text()),
            _ => None,
        }
    }

    /// Go's name of the type, for messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) | Self::Pattern(_) => "string",
            Self::List(list) => match list.kind {
                ListKind::Plain => "[]interface {}",
                ListKind::Texts => "[]string",
                ListKind::Pairs => "template.Pairs",
                ListKind::Alerts => "template.Alerts",
                ListKind::Samples => "template.queryResult",
            },
            Self::Labels(_) => "map[string]string",
            Self::Kv(_) => "template.KV",
            Self::Map(_) => "map[string]interface {}",
            Self::Struct(structure) => structure.type_name,
            Self::Time(_) => "time.Time",
            Self::Duration(_) => "time.Duration",
            Self::Histogram(_) => "*histogram.FloatHistogram",
        }
    }

    /// The same of what a pointer points to.
    pub(crate) fn pointee_name(&self) -> &'static str {
        self.type_name().trim_start_matches('*')
    }

    /// Whether `if` takes it for true: anything but nil, false, zero and the empty.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) | Self::Duration(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(_) | Self::Pattern(_) => self.as_text().is_some_and(|it| !it.is_empty()),
            Self::List(list) => !list.items.is_empty(),
            Self::Labels(labels) | Self::Kv(labels) => !labels.is_empty(),
            Self::Map(map) => !map.entries.is_empty(),
            Self::Struct(_) | Self::Time(_) | Self::Histogram(_) => true,
        }
    }

    /// How many items, entries or bytes; nothing for what has no length.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::Text(_) | Self::Pattern(_) => self.as_text().map(str::len),
            Self::List(list) => Some(list.items.len()),
            Self::Labels(labels) | Self::Kv(labels) => Some(labels.len()),
            Self::Map(map) => Some(map.entries.len()),
            _ => None,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            _ => 0,
        }
    }
}

impl From<SampleValue> for Value {
    fn from(value: SampleValue) -> Self {
        match value {
            SampleValue::Float(value) => Self::Float(value),
            SampleValue::Histogram(histogram) => Self::Histogram(histogram),
        }
    }
}

impl Struct {
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        let (_, value) = self.fields.iter().find(|(known, _)| *known == name)?;
        Some(value)
    }
}

fn depth_above<'a>(values: impl Iterator<Item = &'a Value>) -> Result<usize, String> {
    let depth = values.map(Value::depth).max().unwrap_or(0) + 1;
    if depth > DEPTH_MAX {
        return Err(format!("values are nested deeper than {DEPTH_MAX}"));
    }
    Ok(depth)
}

/// How deep lists and maps may be nested.
pub(crate) const DEPTH_MAX: usize = 100;
