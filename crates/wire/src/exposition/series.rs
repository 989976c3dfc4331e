//! The part of a sample line that names its series.

use std::borrow::Cow;

use firebell_model::{Labels, METRIC_NAME, MetricKind};

use super::number::normalize;

/// A series as a target spells it. Labels are made on demand.
#[derive(Clone, Copy, Debug)]
pub struct SeriesText<'p, 'a> {
    pub(super) text: &'a str,
    pub(super) metric: &'a str,
    pub(super) pairs: &'p [Pair<'a>],
    pub(super) kind: MetricKind,
    /// The metric of which `kind` was said.
    pub(super) family: &'p str,
}

/// Name and value between their quotes, escapes not yet undone.
pub(super) type Pair<'a> = (&'a str, &'a str);

impl<'a> SeriesText<'_, 'a> {
    /// The bytes of the line up to the value: the same text is the same series, as long as the
    /// target's `TYPE` lines stay.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The metric name.
    #[must_use]
    pub fn metric(&self) -> Cow<'a, str> {
        unescape(self.metric)
    }

    /// The labels, metric name included, with `le` and `quantile` in their one spelling.
    ///
    /// # Errors
    /// The name of a label that occurs twice.
    pub fn labels(&self) -> Result<Labels, String> {
        let pairs = self.pairs.iter().map(|&(name, value)| {
            let (name, value) = (unescape(name), unescape(value));
            let value = self.normalized(&name, value);
            (name, value)
        });
        let metric = (Cow::Borrowed(METRIC_NAME), unescape(self.metric));
        unique_labels(std::iter::once(metric).chain(pairs))
    }

    /// The names that are spelled with an empty value: they are no labels.
    #[must_use]
    pub fn empty_names(&self) -> Vec<String> {
        let empty = self.pairs.iter().filter(|(_, value)| value.is_empty());
        empty.map(|(name, _)| unescape(name).into_owned()).collect()
    }

    fn normalized<'v>(&self, name: &str, value: Cow<'v, str>) -> Cow<'v, str> {
        let is_bound = match self.kind {
            MetricKind::Histogram => name == "le",
            MetricKind::Summary => name == "quantile",
            _ => false,
        };
        match normalize(&value).filter(|_| is_bound) {
            Some(normalized) => Cow::Owned(normalized),
            None => value,
        }
    }
}

/// Labels from pairs in any order; the name that occurs twice is the error.
pub(super) fn unique_labels<'v>(pairs: impl Iterator<Item = Pair2<'v>>) -> Result<Labels, String> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    if let Some(twice) = pairs.windows(2).find(|two| two[0].0 == two[1].0) {
        return Err(twice[0].0.clone().into_owned());
    }
    Ok(Labels::from_pairs(pairs))
}

/// Name and value with escapes undone.
type Pair2<'v> = (Cow<'v, str>, Cow<'v, str>);

/// Undoes `\"`, `\\` and `\n`; a backslash before anything else stays.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    replace_escapes(text, true)
}

/// As [`unescape`], but `\"` stays when `has_quotes` is false (help in the text format).
pub(super) fn replace_escapes(text: &str, has_quotes: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('\\') => plain.push('\\'),
            Some('"') if has_quotes => plain.push('"'),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    Cow::Owned(plain)
}
