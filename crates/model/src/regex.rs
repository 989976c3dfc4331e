//! Regular expressions as people write them in matchers, relabelling and templates: Go's RE2.
//!
//! *Invariants*: one facade for the whole project, so that the language is the same everywhere.
//! What Go's `regexp` accepts is accepted and means the same; what it refuses is refused in its
//! words. Matching takes time linear in the text.
//!
//! *Not here*: the engine. This module reads the language, `regex-automata` runs it.
//!
//! *Sources*: Go, `regexp` and `regexp/syntax`; Prometheus, `model/labels/regexp.go`.

mod class;
mod error;
mod parse;
mod piece;
mod shape;
mod template;
mod unicode;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;

pub use self::error::RegexError;

use self::error::Problem;
use self::parse::{Flags, Parsed};
use self::shape::Shape;
use self::template::Caught;

/// Bytes that a compiled expression may take; what needs more is refused as too large.
const PROGRAM_BYTES_MAX: usize = 32 << 20;

/// How an expression is put around with anchors, and whether `.` matches a line feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    Matcher,
    Anchored,
    Alertmanager,
    Search,
}

/// A compiled regular expression. Equal when it was made the same way from the same text. Clones
/// share what was compiled.
#[derive(Clone)]
pub struct Regex(Arc<Inner>);

struct Inner {
    text: Box<str>,
    made_for: Use,
    /// Answers without the engine, when the expression is simple.
    shape: Option<Shape>,
    /// Absent when `shape` answers everything.
    engine: Option<meta::Regex>,
    /// Names of the groups; the whole match is number 0.
    names: Vec<Option<Box<str>>>,
}

impl Regex {
    /// Compiles what a PromQL matcher compares the whole of a value with; `.` matches a line feed.
    /// Its groups catch nothing.
    ///
    /// # Errors
    /// When Go refuses the text, or it compiles to more than 32 MiB.
    pub fn matcher(text: &str) -> Result<Self, RegexError> {
        let flags = Flags {
            dot_takes_line_feed: true,
            ..Flags::default()
        };
        let mut parsed = parse::parse(text, flags)?.anchored(text)?;
        parsed.names.truncate(1);
        Self::compile(text, Use::Matcher, text, parsed)
    }

    /// Compiles what has to match the whole of a value, as `^(?s:…)$`: in relabelling and in
    /// `label_replace`.
    ///
    /// # Errors
    /// As [`Regex::matcher`].
    pub fn anchored(text: &str) -> Result<Self, RegexError> {
        Self::wrapped(text, Use::Anchored, &format!("^(?s:{text})$"))
    }

    /// Compiles what Alertmanager compares the whole of a value with, as `^(?:…)$`: `.` does not
    /// match a line feed.
    ///
    /// # Errors
    /// As [`Regex::matcher`].
    pub fn alertmanager(text: &str) -> Result<Self, RegexError> {
        Self::wrapped(text, Use::Alertmanager, &format!("^(?:{text})$"))
    }

    /// Compiles an expression that may match any part of a string, as templates use them; `.` does
    /// not match a line feed.
    ///
    /// # Errors
    /// As [`Regex::matcher`].
    pub fn unanchored(text: &str) -> Result<Self, RegexError> {
        Self::wrapped(text, Use::Search, text)
    }

    fn wrapped(text: &str, made_for: Use, whole: &str) -> Result<Self, RegexError> {
        let parsed = parse::parse(whole, Flags::default())?;
        Self::compile(text, made_for, whole, parsed)
    }

    fn compile(
        text: &str,
        made_for: Use,
        whole: &str,
        Parsed {
            whole: piece,
            names,
        }: Parsed,
    ) -> Result<Self, RegexError> {
        let hir = piece.into_hir();
        let shape = Shape::of(&hir);
        let engine = if shape.is_some() && names.len() == 1 {
            None
        } else {
            let captures = if made_for == Use::Matcher {
                WhichCaptures::Implicit
            } else {
                WhichCaptures::All
            };
            let config = meta::Config::new()
                .which_captures(captures)
                .nfa_size_limit(Some(PROGRAM_BYTES_MAX));
            let built = meta::Builder::new().configure(config).build_from_hir(&hir);
            // With the syntax read, only the size is left to fail.
            Some(built.or_else(|_| RegexError::at(Problem::TooLarge, whole))?)
        };
        Ok(Self(Arc::new(Inner {
            text: text.into(),
            made_for,
            shape,
            engine,
            names,
        })))
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether the whole of `value` (any part, when compiled unanchored) matches.
    #[must_use]
    pub fn is_match(&self, value: &str) -> bool {
        match (&self.0.shape, &self.0.engine) {
            (Some(shape), _) => shape.is_match(value),
            (None, Some(engine)) => engine.is_match(value),
            (None, None) => false,
        }
    }

    /// Whether it was made by [`Regex::alertmanager`].
    pub(crate) fn is_alertmanager(&self) -> bool {
        self.0.made_for == Use::Alertmanager
    }

    /// All values that match, sorted, when they are few enough to be listed: `a|b|c`.
    #[must_use]
    pub fn values(&self) -> Option<&[Box<str>]> {
        match &self.0.shape {
            Some(Shape::Set(values)) => Some(values),
            _ => None,
        }
    }

    /// What every value that matches begins with, as far as that is plain to see.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.0.shape.as_ref().map_or("", Shape::prefix)
    }

    /// When `value` matches: `replacement` with `$1`, `${name}` replaced by what the groups caught,
    /// a group that caught nothing by the empty string, and `$$` by a dollar.
    #[must_use]
    pub fn expand(&self, value: &str, replacement: &str) -> Option<String> {
        let groups = self.caught(value, 0)?;
        let mut expanded = String::new();
        self.push_expanded(value, &groups, replacement, &mut expanded);
        Some(expanded)
    }

    /// `value` with every match replaced as in [`Regex::expand`]; `None` when the result could
    /// become longer than `bytes_max`.
    #[must_use]
    pub fn replace_all(&self, value: &str, replacement: &str, bytes_max: usize) -> Option<String> {
        let n_references = replacement.bytes().filter(|&byte| byte == b'$').count();
        let (mut replaced, mut copied_to, mut from) = (String::new(), 0, 0);
        while from <= value.len() {
            let Some(groups) = self.caught(value, from) else {
                break;
            };
            let Some(Some(whole)) = groups.first().cloned() else {
                break;
            };
            // A reference catches at most the whole match.
            let grown = replacement.len() + n_references.saturating_mul(whole.len());
            if replaced.len().saturating_add(grown) > bytes_max {
                return None;
            }
            replaced.push_str(&value[copied_to..whole.start]);
            // Nothing right after a match is not a second match.
            if whole.end > copied_to || whole.start == 0 {
                self.push_expanded(value, &groups, replacement, &mut replaced);
            }
            copied_to = whole.end;
            let width = value[from..].chars().next().map_or(1, char::len_utf8);
            from = whole.end.max(from + width);
        }
        replaced.push_str(&value[copied_to..]);
        (replaced.len() <= bytes_max).then_some(replaced)
    }

    /// What the groups caught in the first match at or after byte `from`.
    fn caught(&self, value: &str, from: usize) -> Option<Vec<Option<Range<usize>>>> {
        let Some(engine) = &self.0.engine else {
            // Anchored at both ends: the match is the whole.
            return (from == 0 && self.is_match(value)).then(|| vec![Some(0..value.len())]);
        };
        let mut captures = engine.create_captures();
        let input = regex_automata::Input::new(value).range(from..);
        engine.search_captures(&input, &mut captures);
        captures.is_match().then(|| {
            let group = |number| captures.get_group(number).map(|span| span.range());
            (0..self.0.names.len()).map(group).collect()
        })
    }

    fn push_expanded(
        &self,
        value: &str,
        groups: &[Option<Range<usize>>],
        replacement: &str,
        expanded: &mut String,
    ) {
        let names = &self.0.names;
        Caught {
            value,
            names,
            groups,
        }
        .expand(replacement, expanded);
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text && self.0.made_for == other.0.made_for
    }
}

impl Eq for Regex {}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.0.text)
    }
}

#[cfg(test)]
mod tests;
