//! Judges rules by what a running server knows: whether their series are there, their joins find
//! partners, what they cost, and what they would have done lately.
//!
//! *Invariants*: all that is known of the world comes through [`Server`]. What the server does not
//! answer is no finding, unless the expression is to blame. What is asked of the past is bounded
//! ([`RANGE_SAMPLES_MAX`], [`STEPS_MAX`]): of a dear expression less of the past is looked at.
//!
//! *Not here*: sockets, and how many questions are asked at once.
//!
//! *Sources*: cloudflare/pint, its checks that ask a server, as behaviour.

mod alerts;
mod cost;
mod joins;
mod series;
mod server;
mod silences;

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::{Duration, Timestamp};
use firebell_promql::{Expr, threshold};

pub use self::alerts::Fired;
pub use self::server::{Question, Refused, Reply, Server, ServerRule, Silence, Track, Vector};
pub use self::silences::{judge_silences, server_rules};

use crate::checks::{self, Scope};
use crate::input::RuleFile;
use crate::lint::Finding;
use crate::project::Project;
use crate::settings::Settings;

/// A server, and how far is looked back.
#[derive(Clone, Copy)]
pub struct Online<'s> {
    /// Who is asked.
    pub server: &'s dyn Server,
    /// When it is.
    pub now: Timestamp,
    /// Over which time alerts are tried.
    pub window: Duration,
}

/// What a rule costs and does, in figures.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Figures {
    /// Series of its result, whatever the threshold says.
    pub series: Option<u64>,
    /// Samples that an evaluation looks at, when the server says.
    pub samples: Option<u64>,
    /// Seconds of an evaluation.
    pub seconds: Option<f64>,
    /// What the alert would have done.
    pub fired: Option<Fired>,
}

/// Judges one rule, by its place in the file; `None` where there is none.
#[must_use]
pub fn judge_online(
    file: &RuleFile,
    (group_idx, rule_idx): (usize, usize),
    project: &Project,
    settings: &Settings,
    online: &Online<'_>,
) -> Option<(Vec<Finding>, Figures)> {
    let mut scope = Scope::of(file, (group_idx, rule_idx), project, settings)?;
    series::judge(&mut scope, online);
    joins::judge(&mut scope, online);
    let (mut figures, result) = cost::judge(&mut scope, online);
    if scope.rule.is_alerting() {
        figures.fired = alerts::judge(&mut scope, online, result.as_deref());
    }
    Some((scope.out, figures))
}

/// Whether a rule, by its place in the file, is in a server already: in `loaded`, but in none of
/// `groups`, those of the files that are judged.
#[must_use]
pub fn judge_loaded(
    file: &RuleFile,
    place: (usize, usize),
    (project, settings): (&Project, &Settings),
    (loaded, groups): (&Project, &BTreeSet<&str>),
) -> Vec<Finding> {
    let Some(mut scope) = Scope::of(file, place, project, settings) else {
        return Vec::new();
    };
    checks::loaded(&mut scope, loaded, groups);
    scope.out
}

impl Online<'_> {
    /// The result of an expression now; `None` when there is no answer.
    fn vector(&self, expr: String) -> Option<Arc<Reply>> {
        self.server.ask(&Question::Instant(expr)).ok()
    }

    /// How many series an expression gives now.
    fn count(&self, expr: &str) -> Option<u64> {
        let reply = self.vector(format!("count({expr})"))?;
        let Reply::Vector(vector) = &*reply else {
            return None;
        };
        // Nothing is counted as nothing.
        Some(vector.series.first().map_or(0, |(_, n)| *n as u64))
    }

    /// When series were there, within [`LOOKBACK`].
    fn presence(&self, selector: &str) -> Option<Vec<Timestamp>> {
        let reply = self.server.ask(&Question::Range {
            expr: format!("count({selector})"),
            start: self.now - LOOKBACK,
            end: self.now,
            step: LOOKBACK_STEP,
        });
        let Reply::Matrix(tracks) = &*reply.ok()? else {
            return None;
        };
        let samples = tracks.first().map_or(&[][..], |it| &it.samples);
        Some(samples.iter().map(|(at, _)| *at).collect())
    }

    fn values(&self, label: &str, of: Option<&str>) -> Option<Vec<String>> {
        self.words(&Question::Values {
            label: label.to_owned(),
            of: of.map(str::to_owned),
            since: self.now - LOOKBACK,
        })
    }

    fn names(&self, of: &str) -> Option<Vec<String>> {
        self.words(&Question::Names {
            of: of.to_owned(),
            since: self.now - LOOKBACK,
        })
    }

    fn words(&self, question: &Question) -> Option<Vec<String>> {
        match &*self.server.ask(question).ok()? {
            Reply::Words(words) => Some(words.clone()),
            _ => None,
        }
    }
}

/// The expression without the thresholds around it.
fn unfiltered(expr: &Expr) -> &Expr {
    let mut expr = expr.unwrap_parens();
    while let Some(found) = threshold(expr) {
        expr = found.left.unwrap_parens();
    }
    expr
}

/// A share of a whole for people: `12.5%`.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A duration for people: its first two units.
fn rough(duration: Duration) -> String {
    let unit = [86_400_000, 3_600_000, 60_000, 1000]
        .into_iter()
        .find(|unit| duration.0 >= 10 * unit)
        .unwrap_or(1);
    Duration(duration.0 / unit * unit).to_string()
}

/// How far back series are searched.
const LOOKBACK: Duration = Duration::from_hours(7 * 24);
const LOOKBACK_STEP: Duration = Duration::from_mins(5);
/// Evaluations of one question about the past; upstream allows 11,000.
const STEPS_MAX: i64 = 10_000;
/// Samples that a question about the past may look at: some seconds of a server's time.
const RANGE_SAMPLES_MAX: u64 = 30_000_000;
