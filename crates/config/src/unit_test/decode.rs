//! A tree of YAML read into types, with the complaints of Go's yaml.v2 about what does not fit.

use std::collections::BTreeMap;

use firebell_model::{Duration, Quoted, Timestamp, parse_float};

use super::own::note_unknown;
use crate::fields::Doc;
use crate::yaml::{Node, Scalar, Value};

/// Collects what does not fit.
pub(super) struct Decoder<'d> {
    /// The file, for keys that upstream does not know.
    pub(super) doc: &'d Doc<'d>,
    errors: Vec<String>,
    /// A complaint that ends the reading upstream, and is said alone.
    fatal: Option<String>,
}

impl<'d> Decoder<'d> {
    pub(super) fn new(doc: &'d Doc<'d>) -> Self {
        Self {
            doc,
            errors: Vec::new(),
            fatal: None,
        }
    }

    /// Gives each field of a map to `set`, which says whether there is such a field.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        type_name: &str,
        mut set: impl FnMut(&mut Self, &str, &'n Node) -> bool,
    ) {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return,
            Value::Scalar(_) | Value::List(_) => return self.misfit(node, type_name),
        };
        for entry in entries.iter() {
            let is_known = set(self, &entry.key, &entry.value)
                || (type_name == TEST && note_unknown(self.doc, entry));
            if !is_known {
                self.errors.push(format!(
                    "line {}: field {} not found in type {type_name}",
                    entry.at.line, entry.key
                ));
            }
        }
    }

    /// The items of a list, each read by `read`.
    pub(super) fn list<T>(
        &mut self,
        node: &Node,
        type_name: &str,
        mut read: impl FnMut(&mut Self, &Node) -> T,
    ) -> Vec<T> {
        match &node.value {
            Value::List(items) => items.iter().map(|item| read(self, item)).collect(),
            Value::Null => Vec::new(),
            Value::Scalar(_) | Value::Map(_) => {
                self.misfit(node, type_name);
                Vec::new()
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, node: &Node) -> Vec<String> {
        self.list(node, "[]string", |decoder, item| {
            let mut text = String::new();
            decoder.text(item, &mut text);
            text
        })
    }

    /// A map of texts.
    pub(super) fn text_map(&mut self, node: &Node) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        match &node.value {
            Value::Map(entries) => {
                for entry in entries.iter() {
                    let mut text = String::new();
                    self.text(&entry.value, &mut text);
                    texts.insert(entry.key.clone(), text);
                }
            }
            Value::Null => {}
            Value::Scalar(_) | Value::List(_) => self.misfit(node, "map[string]string"),
        }
        texts
    }

    /// A single value as it is written; nothing at all leaves `out` alone.
    pub(super) fn text(&mut self, node: &Node, out: &mut String) {
        match &node.value {
            Value::Scalar(scalar) => *out = scalar.text.to_string(),
            Value::Null => {}
            Value::List(_) | Value::Map(_) => self.misfit(node, "string"),
        }
    }

    pub(super) fn duration(&mut self, node: &Node, out: &mut Duration) {
        let mut text = String::new();
        self.text(node, &mut text);
        match text.parse() {
            Ok(duration) => *out = duration,
            Err(_) if !matches!(node.value, Value::Scalar(_)) => {}
            Err(_) if text.is_empty() => self.fail("empty duration string".to_owned()),
            Err(_) => self.fail(format!("not a valid duration string: {}", Quoted(&text))),
        }
    }

    pub(super) fn timestamp(&mut self, node: &Node) -> Option<Timestamp> {
        let mut text = String::new();
        self.text(node, &mut text);
        if let Some(secs) = parse_float(&text).filter(|secs| secs.is_finite()) {
            return Some(Timestamp((secs * 1000.0).round() as i64));
        }
        let parsed = text.parse().ok();
        if parsed.is_none() && matches!(node.value, Value::Scalar(_)) {
            let quoted = Quoted(&text);
            self.fail(format!("cannot parse {quoted} to a valid timestamp"));
        }
        parsed
    }

    pub(super) fn float(&mut self, node: &Node, out: &mut f64) {
        match &node.value {
            Value::Scalar(scalar) => match number(scalar) {
                Some(value) => *out = value,
                None => self.misfit(node, "float64"),
            },
            Value::Null => {}
            Value::List(_) | Value::Map(_) => self.misfit(node, "float64"),
        }
    }

    pub(super) fn bool(&mut self, node: &Node, out: &mut bool) {
        match &node.value {
            Value::Scalar(scalar) => match truth(scalar) {
                Some(value) => *out = value,
                None => self.misfit(node, "bool"),
            },
            Value::Null => {}
            Value::List(_) | Value::Map(_) => self.misfit(node, "bool"),
        }
    }

    /// Notes something that upstream does not know.
    pub(super) fn wrong(&mut self, node: &Node, message: &str) {
        self.errors
            .push(format!("line {}: {message}", node.at.line));
    }

    /// What was wrong, if anything was.
    pub(super) fn finish(self) -> Result<(), String> {
        if let Some(fatal) = self.fatal {
            return Err(fatal);
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(format!(
            "yaml: unmarshal errors:\n  {}",
            self.errors.join("\n  ")
        ))
    }

    fn fail(&mut self, message: String) {
        self.fatal.get_or_insert(message);
    }

    fn misfit(&mut self, node: &Node, type_name: &str) {
        let found = match &node.value {
            Value::Null => "!!null".to_owned(),
            Value::List(_) => "!!seq".to_owned(),
            Value::Map(_) => "!!map".to_owned(),
            Value::Scalar(scalar) => {
                let text = &*scalar.text;
                let shown = match text.char_indices().nth(SHOWN_MAX) {
                    Some(_) => format!(
                        "{}...",
                        text.chars().take(SHOWN_MAX - 3).collect::<String>()
                    ),
                    None => text.to_owned(),
                };
                format!("{} `{shown}`", tag(scalar))
            }
        };
        let line = node.at.line;
        self.errors.push(format!(
            "line {line}: cannot unmarshal {found} into {type_name}"
        ));
    }
}

/// What yaml.v2 takes a single value for.
fn tag(scalar: &Scalar) -> &'static str {
    if !scalar.is_plain() {
        "!!str"
    } else if truth(scalar).is_some() {
        "!!bool"
    } else if whole(&scalar.text.replace('_', "")).is_some() {
        "!!int"
    } else if number(scalar).is_some() {
        "!!float"
    } else {
        "!!str"
    }
}

/// A number in YAML 1.1's forms.
fn number(scalar: &Scalar) -> Option<f64> {
    if !scalar.is_plain() {
        return None;
    }
    let text = scalar.text.replace('_', "");
    match &*text {
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    if let Some(whole) = whole(&text) {
        return Some(whole as f64);
    }
    let is_float = text.contains(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    text.parse().ok().filter(|_| is_float)
}

/// A whole number as Go reads one whose base its prefix tells.
fn whole(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some(_) if lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, &*lower),
    };
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let value = i128::from_str_radix(digits, base)
        .ok()
        .filter(|_| is_plain)?;
    Some(sign * value)
}

/// Yes or no in YAML 1.1's words.
fn truth(scalar: &Scalar) -> Option<bool> {
    if !scalar.is_plain() {
        return None;
    }
    match &*scalar.text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            Some(true)
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            Some(false)
        }
        _ => None,
    }
}

/// What upstream calls a test.
pub(super) const TEST: &str = "main.testGroup";
/// A longer text is cut in complaints.
const SHOWN_MAX: usize = 10;
