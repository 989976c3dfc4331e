//! Matchers: one condition on one label, as in PromQL selectors, routes and silences.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::labels::is_valid_metric_name;
use crate::quoted::Quoted;
use crate::{Labels, Regex, RegexError};

/// How a matcher compares.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

/// One condition on one label. A label that is absent counts as the empty string.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "MatcherParts", into = "MatcherParts")]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    regex: Option<Regex>,
}

impl Matcher {
    /// Makes a matcher as PromQL has it; a regular expression is compiled here, once.
    ///
    /// # Errors
    /// When `op` takes a regular expression and `value` is none.
    pub fn new(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
    ) -> Result<Self, RegexError> {
        Self::with_regex(name.into(), op, value.into(), Regex::matcher)
    }

    /// Makes a matcher as Alertmanager has it, in whose expressions `.` does not match a line feed.
    ///
    /// # Errors
    /// As [`Matcher::new`].
    pub fn alertmanager(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
    ) -> Result<Self, RegexError> {
        Self::with_regex(name.into(), op, value.into(), Regex::alertmanager)
    }

    fn with_regex(
        name: String,
        op: MatchOp,
        value: String,
        compile: impl FnOnce(&str) -> Result<Regex, RegexError>,
    ) -> Result<Self, RegexError> {
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(compile(&value)?),
        };
        Ok(Self {
            name,
            op,
            value,
            regex,
        })
    }

    /// Makes a `name="value"` matcher.
    #[must_use]
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            op: MatchOp::Equal,
            value: value.into(),
            regex: None,
        }
    }

    /// The label that is looked at.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    #[must_use]
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// What it compares with, as it was written.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The values that satisfy `=~`, sorted, when they are few enough to be listed, as in `a|b`.
    #[must_use]
    pub fn regex_values(&self) -> Option<&[Box<str>]> {
        self.regex.as_ref()?.values()
    }

    /// What every value that the regular expression matches begins with, as far as is plain.
    #[must_use]
    pub fn regex_prefix(&self) -> &str {
        self.regex.as_ref().map_or("", Regex::prefix)
    }

    /// Whether a label's value (empty when absent) satisfies the condition.
    #[must_use]
    pub fn matches_value(&self, value: &str) -> bool {
        let hit = self
            .regex
            .as_ref()
            .map_or(self.value == value, |regex| regex.is_match(value));
        hit != matches!(self.op, MatchOp::NotEqual | MatchOp::NotRegex)
    }

    /// Whether a label set satisfies the condition.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_value(labels.value(&self.name))
    }
}

/// `name="value"`, Alertmanager's and PromQL's form.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_valid_metric_name(&self.name) {
            write!(f, "{}{}{}", self.name, self.op, Quoted(&self.value))
        } else {
            write!(
                f,
                "{}{}{}",
                Quoted(&self.name),
                self.op,
                Quoted(&self.value)
            )
        }
    }
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        })
    }
}

/// What of a matcher is stored; the compiled expression is made anew.
#[derive(Serialize, Deserialize)]
struct MatcherParts {
    name: String,
    op: MatchOp,
    value: String,
    /// Made by [`Matcher::alertmanager`], and has an expression.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_alertmanager: bool,
}

impl TryFrom<MatcherParts> for Matcher {
    type Error = RegexError;

    fn try_from(parts: MatcherParts) -> Result<Self, RegexError> {
        let make = if parts.is_alertmanager {
            Self::alertmanager
        } else {
            Self::new
        };
        make(parts.name, parts.op, parts.value)
    }
}

impl From<Matcher> for MatcherParts {
    fn from(matcher: Matcher) -> Self {
        Self {
            is_alertmanager: matcher.regex.is_some_and(|it| it.is_alertmanager()),
            name: matcher.name,
            op: matcher.op,
            value: matcher.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_label_counts_as_the_empty_string() {
        let labels = Labels::from_pairs([("a", "1")]);
        let matches =
            |name: &str, op, value: &str| Matcher::new(name, op, value).unwrap().matches(&labels);
        assert!(matches("a", MatchOp::Equal, "1"));
        assert!(matches("b", MatchOp::Equal, ""));
        assert!(matches("b", MatchOp::NotRegex, ".+"));
        assert!(!matches("b", MatchOp::NotEqual, ""));
        assert!(!matches("a", MatchOp::Regex, ""));
    }

    #[test]
    fn a_matcher_survives_json() {
        let matcher = Matcher::new("a", MatchOp::Regex, "x|y").unwrap();
        let json = serde_json::to_string(&matcher).unwrap();
        assert_eq!(serde_json::from_str::<Matcher>(&json).unwrap(), matcher);
        let other = Matcher::alertmanager("a", MatchOp::Regex, "x|y").unwrap();
        assert_ne!(other, matcher);
        let json = serde_json::to_string(&other).unwrap();
        assert_eq!(serde_json::from_str::<Matcher>(&json).unwrap(), other);
    }
}
