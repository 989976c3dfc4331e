//! Regular expressions as people write them in matchers, relabelling and templates.
//!
//! *Invariants*: one facade for the whole project, so that the language is the same everywhere.
//! Fully anchored, and `.` matches a line feed, as in Prometheus (`^(?s:…)$`).
//!
//! *Sources*: Prometheus, `model/labels/regexp.go`. COMPAT.md lists how the language differs from
//! Go's RE2 today.

use std::fmt;

/// A compiled, fully anchored regular expression. Equal when its text is equal.
#[derive(Clone)]
pub struct Regex {
    text: Box<str>,
    compiled: regex::Regex,
}

/// A regular expression that does not compile.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("error parsing regexp `{text}`: {why}")]
pub struct RegexError {
    /// The expression as it was written.
    pub text: String,
    /// What is wrong with it, in one line.
    pub why: String,
}

impl Regex {
    /// Compiles an expression that has to match the whole of a string.
    ///
    /// # Errors
    /// When the text is no regular expression, or compiles to more than 10 MiB.
    pub fn anchored(text: &str) -> Result<Self, RegexError> {
        match regex::Regex::new(&format!("^(?s:{text})$")) {
            Ok(compiled) => Ok(Self {
                text: text.into(),
                compiled,
            }),
            Err(error) => {
                let why = error.to_string();
                let why = why
                    .lines()
                    .last()
                    .unwrap_or("")
                    .trim_start_matches("error: ")
                    .to_owned();
                Err(RegexError {
                    text: text.to_owned(),
                    why,
                })
            }
        }
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the whole of `value` matches.
    #[must_use]
    pub fn is_match(&self, value: &str) -> bool {
        self.compiled.is_match(value)
    }

    /// When the whole of `value` matches: `replacement` with `$1`, `${name}` replaced by what the
    /// groups caught, a group that caught nothing by the empty string.
    #[must_use]
    pub fn expand(&self, value: &str, replacement: &str) -> Option<String> {
        let caught = self.compiled.captures(value)?;
        let mut expanded = String::new();
        caught.expand(replacement, &mut expanded);
        Some(expanded)
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Regex {}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_has_to_match_the_whole_value() {
        let regex = Regex::anchored("a|bc").unwrap();
        assert!(regex.is_match("a") && regex.is_match("bc"));
        assert!(!regex.is_match("abc") && !regex.is_match("xa"));
        assert!(Regex::anchored("a.b").unwrap().is_match("a\nb"));
    }

    #[test]
    fn groups_expand_into_the_replacement() {
        let regex = Regex::anchored("(.*):(?P<port>[0-9]+)").unwrap();
        assert_eq!(
            regex.expand("db:5432", "${1}/$port/$x").as_deref(),
            Some("db/5432/")
        );
        assert_eq!(regex.expand("db", "$1"), None);
    }

    #[test]
    fn a_bad_expression_says_what_is_wrong() {
        let error = Regex::anchored("a(").unwrap_err();
        assert_eq!(
            error.to_string(),
            "error parsing regexp `a(`: unclosed group"
        );
    }
}
