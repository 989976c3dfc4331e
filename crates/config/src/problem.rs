//! What is wrong with what people wrote: all of it, each with its place and what to do.

use std::fmt;
use std::sync::Arc;

pub(crate) use firebell_lint::did_you_mean;

/// A place in a file, both numbers from 1; the column counts characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pos {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// Where in the file; `None` when it cannot be read at all.
    pub at: Option<Pos>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line of the file.
    pub excerpt: Option<String>,
}

/// Everything that is wrong, by file and place; never nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problems(Vec<Problem>);

impl Problem {
    /// A problem of a whole file.
    pub(crate) fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            at: None,
            message: message.into(),
            hint: None,
            excerpt: None,
        }
    }
}

impl Problems {
    /// What has no place: a mistake of this crate.
    pub(crate) fn internal(message: &str) -> Self {
        Self(vec![Problem::of_file("configuration", message)])
    }

    /// `None` when there are none. What is said twice of one place is kept once.
    #[must_use]
    pub fn new(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort();
        problems.dedup();
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// In order of file and place.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// How many; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl std::error::Error for Problems {}

/// For a terminal: each problem with the line it is in.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, problem) in self.0.iter().enumerate() {
            let separator = if idx == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
            let Some((at, excerpt)) = problem.at.zip(problem.excerpt.as_deref()) else {
                continue;
            };
            let number = at.line.to_string();
            let margin = " ".repeat(number.len());
            // Tabs are one column each, here and below.
            let line: String = excerpt.replace('\t', " ");
            let before = " ".repeat(at.column.saturating_sub(1) as usize);
            write!(f, "\n  {number} | {line}\n  {margin} | {before}^")?;
            if let Some(hint) = &problem.hint {
                write!(f, "\n  {margin} = {hint}")?;
            }
        }
        Ok(())
    }
}

/// `rules.yml:7:15: unknown field …`, in one line; the hint follows in brackets when there is no
/// line of the file to show.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Pos { line, column }) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) if self.excerpt.is_none() => write!(f, " ({hint})"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_given_only_for_what_is_close() {
        let known = ["expr", "alert", "annotations", "for"];
        for (written, expected) in [
            ("exprr", Some("did you mean `expr`?")),
            ("epxr", Some("did you mean `expr`?")),
            ("anotation", Some("did you mean `annotations`?")),
            ("x", None),
            ("something", None),
        ] {
            assert_eq!(did_you_mean(written, known).as_deref(), expected);
        }
    }

    #[test]
    fn problems_print_with_their_line() {
        let problem = |line, message: &str| Problem {
            file: "a.yml".into(),
            at: Some(Pos { line, column: 3 }),
            message: message.to_owned(),
            hint: Some("do this".to_owned()),
            excerpt: Some("\tkey: 1".to_owned()),
        };
        let whole = Problem {
            at: None,
            excerpt: None,
            ..problem(1, "cannot be read")
        };
        let all = [problem(10, "b"), problem(9, "a"), problem(10, "b"), whole];
        let problems = Problems::new(all.to_vec()).unwrap();
        expect_test::expect![[r#"
            a.yml: cannot be read (do this)
            a.yml:9:3: a
              9 |  key: 1
                |   ^
                = do this
            a.yml:10:3: b
              10 |  key: 1
                 |   ^
                 = do this
        "#]]
        .assert_eq(&format!("{problems}\n"));
    }
}
