//! Comments of rule files that switch lints off: ours, and pint's as they are.
//!
//! Ours: `# firebell check: disable ID, ID`, `disable-file ID`, `snooze DAY ID`, `owner NAME`, each
//! for the rule it stands in or above, or the file. pint's: `# pint disable`, `snooze`,
//! `file/disable`, `file/snooze`, `rule/set`, `rule/owner`, `file/owner` and `ignore/…`. After
//! `promql/series` a selector in brackets says which series are meant.
//!
//! *Sources*: cloudflare/pint, its documentation of ignoring checks.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use firebell_model::{Duration, Matcher, Timestamp};
use firebell_promql::{Selector, parse_selector};

use crate::catalogue;
use crate::input::Rule;

/// What the comments of a file switch off.
#[derive(Clone, Debug, Default)]
pub struct Suppressions {
    comments: Vec<Comment>,
    ignored_lines: Vec<RangeInclusive<u32>>,
    /// Comments of ours that say nothing: line, and what is wrong.
    pub mistakes: Vec<(u32, String)>,
}

/// One comment that says something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comment {
    /// Its line, from 1.
    pub line: u32,
    /// Whether it is about the whole file.
    pub is_for_file: bool,
    what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    /// The lint is off, perhaps until a moment.
    Off {
        id: String,
        until: Option<Timestamp>,
    },
    /// Something about series, or only those that a selector is about.
    Series(Option<About>, SeriesWish),
    Owner,
}

/// What stands in brackets after `promql/series`.
#[derive(Clone, PartialEq, Eq, Debug)]
struct About {
    matchers: Vec<String>,
    /// A word that may be a metric, or pint's name of a server.
    word: Option<String>,
}

/// What is wanted of the lint about series that are not there.
#[derive(Clone, PartialEq, Eq, Debug)]
enum SeriesWish {
    Off { until: Option<Timestamp> },
    MinAge(Duration),
    IgnoreValue(String),
}

/// How series of one selector are searched.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct SeriesOptions {
    /// Not at all.
    pub(crate) is_off: bool,
    /// How long they may be gone before that is said.
    pub(crate) min_age: Option<Duration>,
    /// Labels whose values need not be there.
    pub(crate) ignored_values: BTreeSet<String>,
}

impl Suppressions {
    /// Reads the comments of a file.
    #[must_use]
    pub fn read(source: &str) -> Self {
        let mut found = Self::default();
        let mut begun = None;
        let mut n_lines = 0;
        for (line, text) in (1..).zip(source.lines()) {
            n_lines = line;
            let Some((tool, words)) = directive(text) else {
                continue;
            };
            match tool {
                Tool::Firebell => found.own(line, words),
                Tool::Pint => found.pint(line, words, &mut begun),
            }
        }
        if let Some(first) = begun {
            found.ignored_lines.push(first..=n_lines);
        }
        found
    }

    /// Whether a lint is off for a rule of these lines; `None` is what no rule contains.
    #[must_use]
    pub fn is_off(&self, id: &str, lines: Option<&RangeInclusive<u32>>, now: Timestamp) -> bool {
        self.about(lines).any(|comment| match &comment.what {
            What::Off { id: off, until } => {
                (off == id || off == "all") && until.is_none_or(|until| now < until)
            }
            What::Series(None, SeriesWish::Off { until }) => {
                id == SERIES && until.is_none_or(|until| now < until)
            }
            What::Series(..) | What::Owner => false,
        })
    }

    /// What comments say of searching the series of a selector of a rule.
    pub(crate) fn series(&self, selector: &Selector, rule: &Rule, now: Timestamp) -> SeriesOptions {
        let mut options = SeriesOptions::default();
        for comment in self.about(Some(&rule.lines)) {
            let What::Series(about, wish) = &comment.what else {
                continue;
            };
            if about
                .as_ref()
                .is_some_and(|it| !it.is_meant(selector, rule))
            {
                continue;
            }
            match wish {
                SeriesWish::Off { until } => {
                    options.is_off |= until.is_none_or(|until| now < until);
                }
                SeriesWish::MinAge(age) => options.min_age = options.min_age.max(Some(*age)),
                SeriesWish::IgnoreValue(label) => {
                    options.ignored_values.insert(label.clone());
                }
            }
        }
        options
    }

    /// Whether a comment names the owner of a rule.
    #[must_use]
    pub fn has_owner(&self, lines: &RangeInclusive<u32>) -> bool {
        self.about(Some(lines)).any(|it| it.what == What::Owner)
    }

    /// Whether nothing is to be said of a line.
    #[must_use]
    pub fn ignores_line(&self, line: u32) -> bool {
        self.ignored_lines.iter().any(|lines| lines.contains(&line))
    }

    fn about(&self, lines: Option<&RangeInclusive<u32>>) -> impl Iterator<Item = &Comment> {
        let is_about = move |comment: &&Comment| {
            comment.is_for_file || lines.is_some_and(|lines| lines.contains(&comment.line))
        };
        self.comments.iter().filter(is_about)
    }

    /// Lints by their ids, or some of what `promql/series` finds.
    fn off(&mut self, line: u32, is_for_file: bool, ids: &str, until: Option<Timestamp>) {
        if let Some(about) = ids.strip_prefix(SERIES).filter(|it| !it.starts_with(',')) {
            let what = What::Series(About::read(about), SeriesWish::Off { until });
            self.comments.push(Comment {
                line,
                is_for_file,
                what,
            });
            return;
        }
        for id in ids.split(',').map(str::trim).filter(|id| !id.is_empty()) {
            let what = What::Off {
                id: id.to_owned(),
                until,
            };
            self.comments.push(Comment {
                line,
                is_for_file,
                what,
            });
        }
    }

    fn owner(&mut self, line: u32, is_for_file: bool) {
        self.comments.push(Comment {
            line,
            is_for_file,
            what: What::Owner,
        });
    }

    fn own(&mut self, line: u32, words: &str) {
        let (verb, rest) = split(words);
        match verb {
            "disable" | "disable-file" if !rest.is_empty() => {
                self.check_ids(line, rest);
                self.off(line, verb == "disable-file", rest, None);
            }
            "snooze" | "snooze-file" => match moment(split(rest).0) {
                Some(until) => {
                    let ids = split(rest).1;
                    self.check_ids(line, ids);
                    self.off(line, verb == "snooze-file", ids, Some(until));
                }
                None => self.mistake(line, "`snooze` takes a day such as 2026-12-31 and an id"),
            },
            "owner" if !rest.is_empty() => self.owner(line, false),
            _ => self.mistake(
                line,
                "a comment for `firebell check` is `disable ID`, `disable-file ID`, \
                 `snooze DAY ID`, `snooze-file DAY ID` or `owner NAME`",
            ),
        }
    }

    /// `promql/series(SELECTOR) min-age 1d`, `promql/series ignore/label-value code`.
    fn set(&mut self, line: u32, words: &str) {
        let Some(rest) = words.strip_prefix(SERIES) else {
            return;
        };
        let end = rest.rfind(')').map_or(0, |at| at + 1);
        let (about, rest) = rest.split_at(end);
        let (name, value) = split(rest.trim_start());
        let wish = match name {
            "min-age" => value.parse().ok().map(SeriesWish::MinAge),
            "ignore/label-value" => Some(SeriesWish::IgnoreValue(value.to_owned())),
            _ => None,
        };
        self.comments.extend(wish.map(|wish| Comment {
            line,
            is_for_file: false,
            what: What::Series(About::read(about), wish),
        }));
    }

    fn check_ids(&mut self, line: u32, ids: &str) {
        if ids.starts_with(SERIES) {
            return;
        }
        for id in ids.split(',').map(str::trim) {
            if id != "all" && catalogue::lint(id).is_none() {
                self.mistake(line, format!("there is no lint `{id}`"));
            }
        }
    }

    fn mistake(&mut self, line: u32, message: impl Into<String>) {
        self.mistakes.push((line, message.into()));
    }

    /// pint knows checks that are none here, and takes a selector in brackets after a name.
    fn pint(&mut self, line: u32, words: &str, begun: &mut Option<u32>) {
        let (verb, rest) = split(words);
        let id = |text: &str| match text.strip_prefix(SERIES) {
            Some(_) => text.to_owned(),
            None => text.split('(').next().unwrap_or("").trim().to_owned(),
        };
        match verb {
            "disable" | "file/disable" => {
                self.off(line, verb == "file/disable", &id(rest), None);
            }
            "snooze" | "file/snooze" => {
                if let Some(until) = moment(split(rest).0) {
                    self.off(line, verb == "file/snooze", &id(split(rest).1), Some(until));
                }
            }
            "rule/set" => self.set(line, rest),
            "rule/owner" | "file/owner" => self.owner(line, verb == "file/owner"),
            "ignore/file" => self.ignored_lines.push(0..=u32::MAX),
            "ignore/line" => self.ignored_lines.push(line..=line),
            "ignore/next-line" => self.ignored_lines.push(line + 1..=line + 1),
            "ignore/begin" => *begun = Some(line),
            "ignore/end" => {
                if let Some(first) = begun.take() {
                    self.ignored_lines.push(first..=line);
                }
            }
            _ => {}
        }
    }
}

impl About {
    /// What stands in brackets; `None` when there is nothing.
    fn read(brackets: &str) -> Option<Self> {
        let text = brackets.trim().strip_prefix('(')?.strip_suffix(')')?.trim();
        let matchers: Vec<String> = match parse_selector(text) {
            Ok(selector) => selector.matchers.iter().map(Matcher::to_string).collect(),
            Err(_) => Vec::new(),
        };
        let is_word = !text.contains(['{', '"']);
        Some(Self {
            matchers,
            word: is_word.then(|| text.to_owned()),
        })
    }

    /// Whether a selector asks for all that is said here, and perhaps more. A word that is no metric
    /// of the rule is pint's name of a server, of which there is one here.
    fn is_meant(&self, selector: &Selector, rule: &Rule) -> bool {
        if let Some(word) = &self.word {
            let metrics = rule.expr.selectors();
            let mut metrics = metrics.iter().filter_map(|(it, _)| it.metric_name());
            if !metrics.any(|it| it == word) {
                return true;
            }
        }
        let asked: Vec<String> = selector.matchers.iter().map(Matcher::to_string).collect();
        !self.matchers.is_empty() && self.matchers.iter().all(|it| asked.contains(it))
    }
}

const SERIES: &str = "promql/series";

#[derive(Clone, Copy)]
enum Tool {
    Firebell,
    Pint,
}

/// What a line's comment tells a tool.
fn directive(line: &str) -> Option<(Tool, &str)> {
    let mut rest = line;
    while let Some(at) = rest.find('#') {
        let is_comment = rest[..at].ends_with(char::is_whitespace) || rest[..at].is_empty();
        let text = rest[at + 1..].trim_start();
        if is_comment {
            let ours = text.strip_prefix("firebell check:");
            let pints = || text.strip_prefix("pint ");
            let told = ours.map(|it| (Tool::Firebell, it));
            if let Some((tool, words)) = told.or_else(|| pints().map(|it| (Tool::Pint, it))) {
                return Some((tool, words.trim()));
            }
        }
        rest = &rest[at + 1..];
    }
    None
}

/// The first word and the rest.
fn split(words: &str) -> (&str, &str) {
    let (first, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    (first, rest.trim())
}

/// A day, or a moment of RFC 3339.
fn moment(text: &str) -> Option<Timestamp> {
    let day = || format!("{text}T00:00:00Z").parse().ok();
    text.parse().ok().or_else(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, id: &str, lines: RangeInclusive<u32>, expected: bool) {
        let now = "2026-11-21T00:00:00Z".parse().unwrap();
        let found = Suppressions::read(source).is_off(id, Some(&lines), now);
        assert_eq!(found, expected, "{source:?} {id}");
    }

    #[test]
    fn a_comment_switches_a_lint_off_where_it_stands() {
        for (source, id, expected) in [
            ("# firebell check: disable alerts/for", "alerts/for", true),
            (
                "a: 1 # firebell check: disable x/y, alerts/for",
                "alerts/for",
                true,
            ),
            ("# firebell check: disable alerts/for", "promql/rate", false),
            ("# firebell check: disable all", "promql/rate", true),
            (
                "\n\n\n# firebell check: disable alerts/for",
                "alerts/for",
                false,
            ),
            (
                "\n\n\n# firebell check: disable-file alerts/for",
                "alerts/for",
                true,
            ),
            ("# pint disable promql/series", "promql/series", true),
            ("# pint disable promql/series(up)", "promql/series", false),
            (
                "# firebell check: disable promql/series(up)",
                "promql/series",
                false,
            ),
            ("\n\n\n# pint file/disable promql/rate", "promql/rate", true),
            ("# pint snooze 2026-12-01 promql/rate", "promql/rate", true),
            (
                "# pint snooze 2026-11-01T00:00:00Z promql/rate",
                "promql/rate",
                false,
            ),
            (
                "# firebell check: snooze 2027-01-01 alerts/for",
                "alerts/for",
                true,
            ),
            ("x# pint disable promql/rate", "promql/rate", false),
        ] {
            check(source, id, 1..=3, expected);
        }
    }

    #[test]
    fn lines_can_be_ignored_and_owners_named() {
        let source = "a\n# pint ignore/begin\nb\n# pint ignore/end\nc # pint ignore/line\n\
                      # pint ignore/next-line\nd\ne\n# pint rule/owner x";
        let found = Suppressions::read(source);
        let ignored: Vec<u32> = (1..=9).filter(|line| found.ignores_line(*line)).collect();
        assert_eq!(ignored, [2, 3, 4, 5, 7]);
        assert!(found.has_owner(&(8..=9)) && !found.has_owner(&(1..=8)));
    }

    #[test]
    fn a_comment_that_says_nothing_is_a_mistake() {
        let source = "# firebell check: disable\n# firebell check: disable promql/rat\n\
                      # firebell check: snooze soon promql/rate\n# pint disable what/ever";
        let lines: Vec<u32> = Suppressions::read(source)
            .mistakes
            .iter()
            .map(|it| it.0)
            .collect();
        assert_eq!(lines, [1, 2, 3]);
    }

    #[test]
    fn series_can_be_meant_one_by_one() {
        let rule = |source: &str| Rule {
            kind: crate::input::RuleKind::Recording,
            name: "a:b".to_owned(),
            expr: firebell_promql::parse(source).unwrap(),
            expr_text: source.to_owned(),
            experimental: None,
            hold_for: None,
            keep_firing_for: None,
            labels: Vec::new(),
            annotations: Vec::new(),
            lines: 1..=9,
        };
        let rule = rule(r#"foo{job="dev",code="500"} / bar"#);
        for (source, expected) in [
            ("# pint disable promql/series", "foo off, bar off"),
            ("# pint disable promql/series(foo)", "foo off"),
            ("# pint disable promql/series(foo{job=\"dev\"})", "foo off"),
            (
                "# pint disable promql/series({job=\"dev\", code=\"500\"})",
                "foo off",
            ),
            ("# pint disable promql/series({job=\"prod\"})", ""),
            ("# pint disable promql/series(prod)", "foo off, bar off"),
            ("# pint snooze 2000-01-01 promql/series(foo)", ""),
            ("# pint snooze 2100-01-01 promql/series(foo)", "foo off"),
            ("# pint file/disable promql/series(bar)", "bar off"),
            ("# pint rule/set promql/series min-age 3d", "foo 3d, bar 3d"),
            ("# pint rule/set promql/series(bar) min-age 4h", "bar 4h"),
            (
                "# pint rule/set promql/series ignore/label-value code",
                "foo code, bar code",
            ),
            (
                "# pint rule/set promql/series(foo{job=\"dev\"}) ignore/label-value code",
                "foo code",
            ),
            ("# firebell check: disable promql/series(bar)", "bar off"),
        ] {
            let found = Suppressions::read(source);
            assert_eq!(found.mistakes, [], "{source}");
            let now = "2026-11-21T00:00:00Z".parse().unwrap();
            let mut told = Vec::new();
            for (selector, _) in rule.expr.selectors() {
                let options = found.series(selector, &rule, now);
                let age = options.min_age.map(|it| it.to_string());
                let off = options.is_off.then(|| "off".to_owned());
                for what in off.into_iter().chain(age).chain(options.ignored_values) {
                    told.push(format!("{} {what}", selector.name));
                }
            }
            assert_eq!(told.join(", "), expected, "{source}");
        }
    }
}
