//! Walks a tree of YAML and notes everything that does not fit.
//!
//! A reader asks [`Fields`] for the names it knows; what nobody asked for is unknown. A value that
//! does not fit is noted and taken as absent, so that the walk goes on.

use std::cell::{OnceCell, RefCell};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firebell_model::{Duration, Labels};
use firebell_promql::Features;

use crate::problem::{Pos, Problem, did_you_mean};
use crate::secrets::{blackened, may_be_secret, secret_places, text_without_secrets};
use crate::yaml::{Entry, Mistake, Node, Scalar, Value, parse, parse_all, unread};

/// One file that is being read.
pub(crate) struct Doc<'d> {
    pub(crate) file: Arc<str>,
    pub(crate) source: &'d str,
    // The source as problems may show it; empty until there is a tree that tells of secrets.
    shown: RefCell<String>,
    // What no reader of the file heeds, once it was asked for.
    unread: OnceCell<Vec<(usize, usize)>>,
    // Where it has secrets.
    secrets: RefCell<Vec<(usize, usize)>>,
    problems: &'d RefCell<Vec<Problem>>,
    /// Which experimental parts of PromQL expressions may use.
    pub(crate) features: Features,
    /// Whether fields that nobody knows are passed over.
    pub(crate) ignores_unknown: bool,
}

/// A map of a file that is being read.
pub(crate) struct Fields<'d, 'n> {
    pub(crate) doc: &'d Doc<'d>,
    pub(crate) at: Pos,
    entries: &'n [Entry],
    what: &'static str,
    // What is no map has been noted, and cannot lack anything.
    is_map: bool,
    asked: RefCell<Vec<&'static str>>,
}

impl<'d> Doc<'d> {
    pub(crate) fn new(path: &Path, source: &'d str, problems: &'d RefCell<Vec<Problem>>) -> Self {
        let file = path.display().to_string().into();
        Self {
            file,
            source,
            shown: RefCell::default(),
            unread: OnceCell::new(),
            secrets: RefCell::default(),
            problems,
            features: Features::ALL,
            ignores_unknown: false,
        }
    }

    /// The tree of the file; `None` when it holds nothing.
    pub(crate) fn parse(&self) -> Option<Node> {
        let (root, mistakes) = parse(self.source);
        if let Some(root) = &root {
            *self.shown.borrow_mut() = blackened(self.source, root);
            *self.secrets.borrow_mut() = secret_places(self.source, root);
        }
        self.note_all(mistakes);
        root.filter(|root| !matches!(root.value, Value::Null))
    }

    /// The part of the file that a map takes, as it may be shown to anybody.
    pub(crate) fn text_without_secrets(&self, map: &Node) -> String {
        let unread = self.unread.get_or_init(|| unread(self.source));
        text_without_secrets(self.source, unread, &self.secrets.borrow(), map)
    }

    /// The trees of all documents of the file. Meant for files that hold no secrets.
    pub(crate) fn parse_all(&self) -> Vec<Node> {
        let (roots, mistakes) = parse_all(self.source);
        self.note_all(mistakes);
        roots
    }

    fn note_all(&self, mistakes: Vec<Mistake>) {
        for mistake in mistakes {
            self.problem(mistake.at, mistake.message, None);
        }
    }

    /// Notes a problem.
    pub(crate) fn problem(&self, at: Pos, message: impl Into<String>, hint: Option<String>) {
        let message = message.into();
        let problem = Problem {
            message,
            hint,
            ..self.place(at)
        };
        self.problems.borrow_mut().push(problem);
    }

    /// How many problems there are by now, of all files.
    pub(crate) fn n_problems(&self) -> usize {
        self.problems.borrow().len()
    }

    /// A problem of a place that says nothing yet.
    pub(crate) fn place(&self, at: Pos) -> Problem {
        let (shown, line) = (self.shown.borrow(), (at.line as usize).saturating_sub(1));
        let excerpt = if shown.is_empty() {
            let mut lines = self.source.lines();
            lines.nth(line).filter(|line| !may_be_secret(line))
        } else {
            shown.lines().nth(line)
        };
        Problem {
            file: Arc::clone(&self.file),
            at: Some(at),
            message: String::new(),
            hint: None,
            excerpt: excerpt.map(str::to_owned),
        }
    }

    /// Notes problems that were found of places of this file or of others.
    pub(crate) fn note_found(&self, found: Vec<Problem>) {
        self.problems.borrow_mut().extend(found);
    }

    /// A path of the file, relative to its folder.
    pub(crate) fn path(&self, text: &str) -> PathBuf {
        let folder = Path::new(&*self.file).parent().unwrap_or(Path::new(""));
        folder.join(text)
    }

    /// The fields of a map; none of a value that is something else, which is noted.
    pub(crate) fn fields<'n>(&'d self, node: &'n Node, what: &'static str) -> Fields<'d, 'n> {
        let entries: &[Entry] = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            Value::Scalar(_) | Value::List(_) => {
                let message = format!("{what} has to be a map of fields, not {}", node.kind());
                self.problem(node.at, message, None);
                &[]
            }
        };
        Fields {
            doc: self,
            at: node.at,
            entries,
            what,
            is_map: matches!(node.value, Value::Map(_) | Value::Null),
            asked: RefCell::default(),
        }
    }

    /// The items of a list.
    pub(crate) fn items<'n>(&self, node: &'n Node, name: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items,
            Value::Null => &[],
            Value::Scalar(_) | Value::Map(_) => {
                self.wrong_kind(node, name, "a list");
                &[]
            }
        }
    }

    /// A single value; empty for nothing at all, as upstream reads it.
    pub(crate) fn text(&self, node: &Node, name: &str) -> Option<String> {
        match &node.value {
            Value::Scalar(scalar) => Some(scalar.text.to_string()),
            Value::Null => Some(String::new()),
            Value::List(_) | Value::Map(_) => {
                self.wrong_kind(node, name, "a text");
                None
            }
        }
    }

    /// A map of texts, in the order of the file.
    pub(crate) fn text_map<'n>(&self, node: &'n Node, name: &str) -> Vec<(&'n Entry, String)> {
        match &node.value {
            Value::Map(entries) => {
                let pairs = entries.iter();
                pairs
                    .filter_map(|it| Some((it, self.text(&it.value, &it.key)?)))
                    .collect()
            }
            Value::Null => Vec::new(),
            Value::Scalar(_) | Value::List(_) => {
                self.wrong_kind(node, name, "a map of texts");
                Vec::new()
            }
        }
    }

    /// The entries of a map whose keys are free.
    pub(crate) fn entries<'n>(&self, node: &'n Node, name: &str) -> Vec<(&'n str, &'n Node)> {
        match &node.value {
            Value::Map(entries) => entries.iter().map(|it| (&*it.key, &it.value)).collect(),
            Value::Null => Vec::new(),
            Value::Scalar(_) | Value::List(_) => {
                self.wrong_kind(node, name, "a map");
                Vec::new()
            }
        }
    }

    pub(crate) fn wrong_kind(&self, node: &Node, name: &str, expected: &str) {
        let message = format!("`{name}` has to be {expected}, not {}", node.kind());
        self.problem(node.at, message, None);
    }
}

impl<'d, 'n> Fields<'d, 'n> {
    /// The value of a field, unless it is absent or nothing.
    pub(crate) fn get(&self, name: &'static str) -> Option<&'n Node> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// A field with its key, unless it is absent or nothing.
    pub(crate) fn entry(&self, name: &'static str) -> Option<&'n Entry> {
        self.asked.borrow_mut().push(name);
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        (!matches!(entry.value.value, Value::Null)).then_some(entry)
    }

    /// Where the field's key stands; where the map begins when it is absent.
    pub(crate) fn at(&self, name: &str) -> Pos {
        let entry = self.entries.iter().find(|entry| entry.key == name);
        entry.map_or(self.at, |entry| entry.at)
    }

    /// A single value with its style.
    pub(crate) fn scalar(&self, name: &'static str) -> Option<(Pos, &'n Scalar)> {
        let node = self.get(name)?;
        if let Value::Scalar(scalar) = &node.value {
            return Some((node.at, scalar));
        }
        self.doc.wrong_kind(node, name, "a text");
        None
    }

    /// A text.
    pub(crate) fn text(&self, name: &'static str) -> Option<String> {
        self.scalar(name).map(|(_, scalar)| scalar.text.to_string())
    }

    /// A text that must be there and not empty.
    pub(crate) fn needed_text(&self, name: &'static str) -> Option<String> {
        let text = self.text(name).filter(|text| !text.is_empty());
        if text.is_none()
            && !self
                .entries
                .iter()
                .any(|it| it.key == name && it.value.is_wrong())
        {
            self.missing(name);
        }
        text
    }

    /// What the map is called in a problem.
    pub(crate) fn what(&self) -> &'static str {
        self.what
    }

    /// Notes that a field is missing.
    pub(crate) fn missing(&self, name: &str) {
        if !self.is_map {
            return;
        }
        self.doc
            .problem(self.at, format!("{} needs `{name}`", self.what), None);
    }

    /// A single value, read by `read`.
    pub(crate) fn parsed<T, E: Display>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let (at, scalar) = self.scalar(name)?;
        match read(&scalar.text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.doc.problem(at, format!("`{name}`: {why}"), None);
                None
            }
        }
    }

    /// A duration such as `1h30m`.
    pub(crate) fn duration(&self, name: &'static str) -> Option<Duration> {
        self.parsed(name, str::parse)
    }

    /// A whole number, not negative.
    pub(crate) fn number(&self, name: &'static str) -> Option<u64> {
        let read = |text: &str| {
            let failed = |_| format!("`{text}` is not a whole number");
            text.parse().map_err(failed)
        };
        self.parsed(name, read)
    }

    /// Yes or no, in YAML 1.1's words.
    pub(crate) fn bool(&self, name: &'static str) -> Option<bool> {
        let (at, scalar) = self.scalar(name)?;
        match &*scalar.text {
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y"
                if scalar.is_plain() =>
            {
                Some(true)
            }
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n"
            | "N"
                if scalar.is_plain() =>
            {
                Some(false)
            }
            text => {
                let message = format!("`{name}` has to be true or false, not `{text}`");
                self.doc.problem(at, message, None);
                None
            }
        }
    }

    /// The items of a list.
    pub(crate) fn list(&self, name: &'static str) -> &'n [Node] {
        self.get(name)
            .map_or(&[], |node| self.doc.items(node, name))
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &'static str) -> Vec<String> {
        let items = self.list(name).iter();
        items.filter_map(|item| self.doc.text(item, name)).collect()
    }

    /// A map of label names and values.
    pub(crate) fn labels(&self, name: &'static str) -> Labels {
        let Some(node) = self.get(name) else {
            return Labels::empty();
        };
        let pairs = self.doc.text_map(node, name);
        for (entry, _) in pairs.iter().filter(|(entry, _)| entry.key.is_empty()) {
            self.doc
                .problem(entry.at, "a label has an empty name", None);
        }
        Labels::from_pairs(pairs.into_iter().map(|(entry, value)| (&*entry.key, value)))
    }

    /// Notes that a field that upstream has is not supported.
    pub(crate) fn refuse(&self, name: &'static str) {
        if self.get(name).is_some() {
            let message = format!("`{name}` is not supported yet");
            self.doc.problem(self.at(name), message, None);
        }
    }

    /// Fields that upstream has and that change nothing here.
    pub(crate) fn ignore(&self, names: &[&'static str]) {
        self.asked.borrow_mut().extend(names);
    }

    /// Notes every field that nobody asked for.
    pub(crate) fn finish(self) {
        let asked = self.asked.into_inner();
        if self.doc.ignores_unknown {
            return;
        }
        for entry in self.entries {
            if asked.contains(&&*entry.key) {
                continue;
            }
            let message = format!("{} has no field `{}`", self.what, entry.key);
            let hint = did_you_mean(&entry.key, asked.iter().copied());
            self.doc.problem(entry.at, message, hint);
        }
    }
}

impl Node {
    /// Whether a problem was noted when a text was wanted.
    fn is_wrong(&self) -> bool {
        matches!(self.value, Value::List(_) | Value::Map(_))
    }
}
