//! Postmortems: what people write of an incident when it is over, the samples that were frozen for
//! it, and what is to be done so that it does not come back.
//!
//! *Invariants*: a follow-up is open until somebody says what proves that it is done. What was frozen
//! stays as it was, whatever the store forgets.

mod draft;
mod wording;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use firebell_model::{Duration, Labels, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::draft::Moments;
pub use self::wording::{Hint, hints};
use crate::incident::{Incident, Person};
use crate::life::listed;

/// What people have written of an incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Postmortem {
    /// Of this format: [`POSTMORTEM_VERSION`] when it was begun.
    pub version: u32,
    /// Who last had samples frozen for it, and when.
    #[serde(default)]
    pub drafted: Option<(Person, Timestamp)>,
    /// What was written, by part.
    #[serde(default)]
    pub parts: BTreeMap<Part, String>,
    /// What is to be done. Its number is its place, from 1.
    #[serde(default)]
    pub follow_ups: Vec<FollowUp>,
}

/// A part that people write.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What it was, in a paragraph.
    Summary,
    /// Why it could happen.
    Cause,
    /// What helped.
    WentWell,
    /// What made it longer or worse.
    WentBadly,
    /// What nobody could see: missing alerts, metrics, logs.
    Gaps,
}

/// Something to be done so that it does not come back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FollowUp {
    /// What.
    pub text: String,
    /// Who does it.
    pub owner: Person,
    /// Until the end of this day, which begins here.
    pub due: Timestamp,
    /// What proves that it is done; `None` while it is open.
    pub proof: Option<Proof>,
}

/// What proves that a follow-up is done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proof {
    /// Such as a test, a drill, a graph: in words, or its address.
    pub text: String,
    /// Who says so.
    pub by: Person,
    /// When.
    pub at: Timestamp,
}

/// What a query said over an incident's time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Graph {
    /// The rule whose expression it is.
    pub name: String,
    /// The expression.
    pub expr: String,
    /// Of the first value of each series.
    pub from: Timestamp,
    /// From one value to the next.
    pub step: Duration,
    /// At most [`GRAPH_SERIES_MAX`].
    pub series: Vec<GraphSeries>,
    /// Series that are not kept.
    pub n_left_out: usize,
    /// Why there is none.
    pub error: Option<String>,
}

/// One series of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GraphSeries {
    /// Its labels.
    pub labels: Labels,
    /// A value for each step, at most [`GRAPH_POINTS_MAX`]; `None` where there was no finite one.
    pub values: Vec<Option<f64>>,
}

impl Postmortem {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            version: POSTMORTEM_VERSION,
            drafted: None,
            parts: BTreeMap::new(),
            follow_ups: Vec::new(),
        }
    }

    /// Those follow-ups that nobody has proven, with their numbers.
    pub fn open_follow_ups(&self) -> impl Iterator<Item = (usize, &FollowUp)> {
        let numbered = self.follow_ups.iter().enumerate();
        let numbered = numbered.map(|(idx, it)| (idx + 1, it));
        numbered.filter(|(_, it)| it.proof.is_none())
    }

    fn bytes(&self) -> usize {
        let parts: usize = self.parts.values().map(String::len).sum();
        let of = |it: &FollowUp| it.text.len() + it.proof.as_ref().map_or(0, |it| it.text.len());
        parts + self.follow_ups.iter().map(of).sum::<usize>()
    }
}

impl Graph {
    fn bytes(&self) -> usize {
        let of = |it: &GraphSeries| {
            let labels = it.labels.iter().map(|it| it.name.len() + it.value.len());
            labels.sum::<usize>() + it.values.len() * size_of::<Option<f64>>()
        };
        self.expr.len() + self.series.iter().map(of).sum::<usize>()
    }

    /// When it began to be bad, at a moment at which it was, as far as was looked: the expression of a
    /// rule has values only while it is. Between two places the later one tells.
    fn bad_since(&self, moment: Timestamp) -> Option<Timestamp> {
        let step = self.step.0.max(1);
        let last = usize::try_from((moment - self.from).0.saturating_add(step - 1) / step).ok()?;
        let began = self.series.iter().filter_map(|series| {
            let until = series
                .values
                .get(..=last.min(series.values.len().checked_sub(1)?))?;
            let n_bad = until.iter().rev().take_while(|it| it.is_some()).count();
            let first = until.len() - n_bad;
            let since = self.from + Duration(step * i64::try_from(first).unwrap_or(0));
            (n_bad > 0).then_some(since.min(moment))
        });
        began.min()
    }
}

impl Incident {
    /// The bytes of what was written and frozen for its postmortem.
    pub(crate) fn postmortem_bytes(&self) -> usize {
        let written = self.postmortem.as_ref().map_or(0, |it| it.bytes());
        written + self.graphs.iter().map(Graph::bytes).sum::<usize>()
    }
}

impl Part {
    /// All of them, in the order in which they are read.
    pub const ALL: [Self; 5] = [
        Self::Summary,
        Self::Cause,
        Self::WentWell,
        Self::WentBadly,
        Self::Gaps,
    ];

    /// Its name in commands and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Cause => "cause",
            Self::WentWell => "went_well",
            Self::WentBadly => "went_badly",
            Self::Gaps => "gaps",
        }
    }

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Summary => "Summary",
            Self::Cause => "Cause",
            Self::WentWell => "What went well",
            Self::WentBadly => "What went badly",
            Self::Gaps => "Gaps in monitoring and instrumentation",
        }
    }

    /// What is asked for while nobody has written it.
    #[must_use]
    pub fn prompt(self) -> &'static str {
        match self {
            Self::Summary => {
                "What was it, for whom, for how long? A paragraph for those who were not there."
            }
            Self::Cause => "What made it possible, what set it off, and what let it through?",
            Self::WentWell => "What made it shorter or smaller, and should stay as it is?",
            Self::WentBadly => "What made it longer or larger? Where did people look in vain?",
            Self::Gaps => "What could nobody see: which alert, metric, log or trace was missing?",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|it| it.name() == text);
        found.ok_or_else(|| {
            format!(
                "`{text}` is no part of a postmortem, only {}",
                listed(&Self::ALL)
            )
        })
    }
}

/// A day as `2026-12-01`: its beginning, in UTC.
///
/// # Errors
/// When it is none.
pub(crate) fn parse_day(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("`{text}` is no day: write it as 2026-12-01");
    let is_day = text.len() == 10 && text.bytes().all(|it| it.is_ascii_digit() || it == b'-');
    let moment = format!("{text}T00:00:00Z").parse().ok();
    moment.filter(|_| is_day).ok_or_else(wrong)
}

/// The day of a moment, in UTC.
pub(crate) fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// The format that is written now.
pub const POSTMORTEM_VERSION: u32 = 1;
/// The most graphs that are frozen for an incident.
pub const GRAPHS_MAX: usize = 8;
/// The most series of a graph.
pub const GRAPH_SERIES_MAX: usize = 10;
/// The most values of a series.
pub const GRAPH_POINTS_MAX: usize = 240;
/// The most follow-ups of an incident.
pub(crate) const FOLLOW_UPS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_bad_is_found_also_between_two_places() {
        let graph = |values: &[u8]| Graph {
            name: "Down".to_owned(),
            expr: "up == 0".to_owned(),
            from: Timestamp(1_000),
            step: Duration(100),
            series: vec![GraphSeries {
                labels: Labels::empty(),
                values: values.iter().map(|it| (*it > 0).then_some(1.0)).collect(),
            }],
            n_left_out: 0,
            error: None,
        };
        for (values, moment, expected) in [
            (&[0, 1, 1, 1][..], 1_300, Some(1_100)),
            (&[0, 1, 1, 1], 1_150, Some(1_100)),
            // It fired just before the first place that knows.
            (&[0, 0, 1, 1], 1_150, Some(1_150)),
            // It was bad before, and over.
            (&[1, 0, 1, 1], 1_250, Some(1_200)),
            (&[1, 1, 0, 0], 1_250, None),
            (&[0, 1], 1_900, Some(1_100)),
            (&[], 1_100, None),
        ] {
            let since = graph(values).bad_since(Timestamp(moment));
            assert_eq!(since, expected.map(Timestamp), "{values:?} at {moment}");
        }
    }
}
