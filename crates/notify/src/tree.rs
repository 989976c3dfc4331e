//! Values of any nesting whose texts may be templates: what people write where a receiver takes any
//! JSON.
//!
//! A text that was rendered is read once more, as YAML: `{{ .Alerts | toJson }}` becomes a list, and
//! `{{ len .Alerts }}` a number. So are texts inside of what came out of that.
//!
//! *Sources*: Alertmanager, `template.DeepCopyWithTemplate`.

use std::collections::BTreeMap;

use firebell_template::NotificationText;
use serde::{Serialize, Serializer};

use crate::error::RenderError;
use crate::telling::Telling;

/// A value; its texts are templates before and plain after it is rendered.
#[derive(Clone, PartialEq, Debug)]
pub enum Tree<T> {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A text.
    Text(T),
    /// A list.
    List(Vec<Tree<T>>),
    /// Values by name.
    Map(BTreeMap<String, Tree<T>>),
}

impl Tree<NotificationText> {
    pub(crate) fn render(
        &self,
        telling: &Telling<'_>,
        field: &'static str,
    ) -> Result<Tree<String>, RenderError> {
        Ok(match self {
            Self::Text(text) => reread(telling.text(field, text)?, telling, LEVELS_MAX),
            Self::Null => Tree::Null,
            Self::Bool(value) => Tree::Bool(*value),
            Self::Int(value) => Tree::Int(*value),
            Self::Float(value) => Tree::Float(*value),
            Self::List(items) => {
                let items = items.iter().map(|item| item.render(telling, field));
                Tree::List(items.collect::<Result<_, _>>()?)
            }
            Self::Map(entries) => {
                let entries = entries.iter().map(|(name, value)| {
                    Ok((
                        rendered_name(name, telling, field)?,
                        value.render(telling, field)?,
                    ))
                });
                Tree::Map(entries.collect::<Result<_, _>>()?)
            }
        })
    }
}

/// A name in a map may be a template too; what is none stays as it is.
fn rendered_name(
    name: &str,
    telling: &Telling<'_>,
    field: &'static str,
) -> Result<String, RenderError> {
    match NotificationText::compile(name) {
        Ok(text) => telling.text(field, &text),
        Err(_) => Ok(name.to_owned()),
    }
}

/// What a text says as YAML, and every text in that, through so many levels of lists, maps and texts;
/// the text itself when it says a text, or nothing that can be read.
fn reread(text: String, telling: &Telling<'_>, levels: usize) -> Tree<String> {
    let Some(levels) = levels.checked_sub(1) else {
        return Tree::Text(text);
    };
    match telling.read_yaml(&text) {
        None | Some(Tree::Text(_)) => Tree::Text(text),
        Some(value) => reread_inside(value, telling, levels),
    }
}

fn reread_inside(value: Tree<String>, telling: &Telling<'_>, levels: usize) -> Tree<String> {
    let Some(below) = levels.checked_sub(1) else {
        return value;
    };
    match value {
        Tree::Text(text) => reread(text, telling, levels),
        Tree::List(items) => {
            let items = items.into_iter();
            Tree::List(items.map(|it| reread_inside(it, telling, below)).collect())
        }
        Tree::Map(entries) => {
            let entries = entries.into_iter();
            let entries = entries.map(|(name, it)| (name, reread_inside(it, telling, below)));
            Tree::Map(entries.collect())
        }
        plain => plain,
    }
}

impl Serialize for Tree<String> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            // As Go writes it: without a fraction when there is none.
            Self::Float(value) if value.fract() == 0.0 && value.abs() < WHOLE_MAX => {
                serializer.serialize_i128(*value as i128)
            }
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => serializer.collect_map(entries),
        }
    }
}

/// Levels of lists, maps and texts within texts that are read again; deeper texts stay texts. Alerts
/// may come from anywhere, and what they say must not exhaust the stack.
const LEVELS_MAX: usize = 64;
/// From here on Go writes an exponent.
const WHOLE_MAX: f64 = 1e21;
