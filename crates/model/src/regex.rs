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
        Self::compile(text, &format!("^(?s:{text})$"))
    }

    /// Compiles an expression that may match any part of a string, as templates use them; `.` does
    /// not match a line feed.
    ///
    /// # Errors
    /// As [`Regex::anchored`].
    pub fn unanchored(text: &str) -> Result<Self, RegexError> {
        Self::compile(text, text)
    }

    fn compile(text: &str, whole: &str) -> Result<Self, RegexError> {
        match regex::Regex::new(whole) {
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

    /// Whether the whole of `value` (any part, when compiled unanchored) matches.
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

    /// `value` with every match replaced as in [`Regex::expand`]; `None` when the result could
    /// become longer than `bytes_max`.
    #[must_use]
    pub fn replace_all(&self, value: &str, replacement: &str, bytes_max: usize) -> Option<String> {
        let n_references = replacement.bytes().filter(|&byte| byte == b'$').count();
        let (mut replaced, mut copied_to) = (String::new(), 0);
        for caught in self.compiled.captures_iter(value) {
            let whole = caught.get_match();
            // A reference catches at most the whole match.
            let grown = replacement.len() + n_references.saturating_mul(whole.len());
            if replaced.len().saturating_add(grown) > bytes_max {
                return None;
            }
            replaced.push_str(&value[copied_to..whole.start()]);
            caught.expand(replacement, &mut replaced);
            copied_to = whole.end();
        }
        replaced.push_str(&value[copied_to..]);
        (replaced.len() <= bytes_max).then_some(replaced)
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.compiled.as_str() == other.compiled.as_str()
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
    fn an_unanchored_expression_replaces_every_match_within_bounds() {
        let regex = Regex::unanchored("([a-z])[0-9]").unwrap();
        assert!(regex.is_match("-a1-") && !regex.is_match("-a-"));
        assert_eq!(
            regex.replace_all("a1 b2 c", "<$1>", 100).as_deref(),
            Some("<a> <b> c")
        );
        assert_eq!(regex.replace_all("a1 b2 c", "<$1>", 8), None);
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
