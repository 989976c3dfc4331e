//! What a lint is, and what it finds.

use std::borrow::Cow;
use std::fmt;

/// How bad it is. The order is that of weight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Advice.
    Info,
    /// Will not do what was meant, or will be noise.
    Warning,
    /// Cannot be loaded, or what a team's own policy forbids.
    Error,
}

impl Severity {
    /// All of them, the lightest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Error];

    /// `info`, `warning`, `error`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The severity of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One kind of finding: its name for ever, and what people have to know of it.
#[derive(Debug)]
pub struct Lint {
    /// `area/name`; never changes.
    pub id: &'static str,
    /// How bad its findings are, unless a setting or the finding itself says otherwise.
    pub severity: Severity,
    /// Whether it is looked for unless a setting says otherwise.
    pub is_on: bool,
    /// What it finds, in one line.
    pub what: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// How it is mended.
    pub mend: &'static str,
    /// Files in which it finds something, as [`Lint::example_files`] splits them.
    pub bad: &'static str,
    /// The same, mended.
    pub good: &'static str,
}

impl Lint {
    /// The files of an example: what follows a line `#= NAME`; a `rules.yml` before the first. A
    /// `server.txt` is what a server has, of a lint that asks one: series and their values each
    /// minute, as in unit tests, the last of them now; `silence` and its matchers; or `is down`.
    pub fn example_files(
        example: &'static str,
    ) -> impl Iterator<Item = (&'static str, &'static str)> {
        let parts = example.split("#= ").enumerate();
        parts.filter_map(|(idx, part)| match idx {
            0 if part.trim().is_empty() => None,
            0 => Some(("rules.yml", part)),
            _ => part.split_once('\n'),
        })
    }
}

/// Something that a lint found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The lint.
    pub lint: &'static Lint,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub place: Place,
    /// What was found, in one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A value of a file, by its path from the root, and perhaps a byte of its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    /// From the root down.
    pub path: Vec<Step>,
    /// Byte of the value's text.
    pub offset: Option<usize>,
}

/// One step down a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    /// The entry of a map.
    Key(Cow<'static, str>),
    /// The item of a list.
    Item(usize),
    /// A line of the file, from 1, whatever stands in it.
    Line(u32),
}

impl Place {
    /// A group of a rule file.
    #[must_use]
    pub fn group(idx: usize) -> Self {
        Self::default().field("groups").item(idx)
    }

    /// A line of the file, from 1.
    #[must_use]
    pub fn line(line: u32) -> Self {
        Self {
            path: vec![Step::Line(line)],
            offset: None,
        }
    }

    /// The entry of a map below.
    #[must_use]
    pub fn field(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.path.push(Step::Key(name.into()));
        self
    }

    /// The item of a list below.
    #[must_use]
    pub fn item(mut self, idx: usize) -> Self {
        self.path.push(Step::Item(idx));
        self
    }

    /// A byte of the text there.
    #[must_use]
    pub fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset);
        self
    }
}
