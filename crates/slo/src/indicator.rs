//! Indicators: what counts as an event, and which events are bad, as expressions over any window.

use std::sync::Arc;

use firebell_model::{Duration, MatchOp, Matcher, format_float};
use firebell_promql::Selector;

use crate::objective::Objective;
use crate::query::{Unit, WindowQuery, renamed};
use crate::text::{number, sum};

/// How good or bad a service was, as something that can be asked over any window.
#[derive(Clone, Debug)]
pub enum Indicator {
    /// Events, some of them bad.
    Events {
        /// The bad ones, or the good ones.
        counted: Counted,
        /// All of them.
        total: Count,
    },
    /// A query that gives the share of bad events itself.
    Ratio(WindowQuery),
    /// The weighted mean of other objectives' shares of bad events.
    Composite(Vec<Member>),
}

/// Which events are counted besides all of them.
#[derive(Clone, Debug)]
pub enum Counted {
    /// The bad ones.
    Bad(Count),
    /// The good ones; the others are bad.
    Good(Count),
}

/// One objective within a composite one.
#[derive(Clone, Debug)]
pub struct Member {
    /// Whose share of bad events.
    pub objective: Arc<Objective>,
    /// By how much it counts.
    pub factor: f64,
}

/// A number of events in a window.
#[derive(Clone, Debug)]
pub enum Count {
    /// By how much a counter grew.
    Increase(Selector),
    /// What a query says.
    Query(WindowQuery),
    /// The samples of a gauge.
    Samples(Selector),
    /// The samples of a gauge of 0 and 1 that are 1.
    Ones(Selector),
    /// The observations of a native histogram.
    Observations(Selector),
    /// Those of at most so many seconds, or whatever its unit is.
    Under {
        /// The native histogram.
        histogram: Selector,
        /// The bound.
        bound: f64,
    },
    /// How often an expression had a value, looked at in steps.
    Sampled {
        /// The expression.
        expr: String,
        /// Between two looks.
        step: Duration,
    },
    /// How often that value was right.
    Holding {
        /// The expression.
        expr: String,
        /// Between two looks.
        step: Duration,
        /// How the value has to compare.
        comparison: Comparison,
        /// With what.
        value: f64,
    },
}

/// How a value has to compare with a bound to be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Comparison {
    fn text(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// The indicator of a latency: events of a histogram, good when they took at most `bound`, in the
/// histogram's unit. A classic histogram has to have that bucket.
#[must_use]
pub fn latency(histogram: &Selector, bound: f64, is_native: bool) -> Indicator {
    let (good, total) = match is_native {
        true => (
            Count::Under {
                histogram: histogram.clone(),
                bound,
            },
            Count::Observations(histogram.clone()),
        ),
        false => (
            Count::Increase(renamed(histogram, "_bucket", Some(bucket(bound)))),
            Count::Increase(renamed(histogram, "_count", None)),
        ),
    };
    Indicator::Events {
        counted: Counted::Good(good),
        total,
    }
}

/// The bucket of a bound, however its exporter writes whole numbers.
fn bucket(bound: f64) -> Matcher {
    let text = format_float(bound);
    let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
    let either = Matcher::new("le", MatchOp::Regex, format!("{text}(\\.0)?"));
    match either {
        Ok(either) if is_whole => either,
        _ => Matcher::equal("le", text),
    }
}

/// Numbers of events in a window, as expressions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    pub(crate) bad: String,
    pub(crate) total: String,
}

impl Count {
    /// The number in a window by label set; `None` when it cannot be told in events.
    fn text(&self, window: Duration, by: &[String]) -> Option<String> {
        let over = |function: &str, selector: &dyn std::fmt::Display| {
            sum(by, &format!("{function}({selector}[{window}])"))
        };
        Some(match self {
            Self::Query(query) => return query.count(window),
            Self::Increase(selector) => over("increase", selector),
            Self::Samples(selector) => over("count_over_time", selector),
            Self::Ones(selector) => over("sum_over_time", selector),
            Self::Observations(histogram) => {
                format!("histogram_count({})", over("increase", histogram))
            }
            Self::Under { histogram, bound } => {
                let all = over("increase", histogram);
                let bound = number(*bound);
                format!("(histogram_fraction(-Inf, {bound}, {all}) * histogram_count({all}))")
            }
            Self::Sampled { expr, step } => {
                sum(by, &format!("count_over_time(({expr})[{window}:{step}])"))
            }
            Self::Holding {
                expr,
                step,
                comparison,
                value,
            } => {
                let (op, value) = (comparison.text(), number(*value));
                let holds = format!("(({expr}) {op} bool {value})[{window}:{step}]");
                sum(by, &format!("sum_over_time({holds})"))
            }
        })
    }
}

impl Indicator {
    /// The numbers of events in a window, when they can be told.
    pub(crate) fn counts(&self, window: Duration, by: &[String]) -> Option<Counts> {
        let Self::Events { counted, total } = self else {
            return None;
        };
        let total = total.text(window, by)?;
        let bad = match counted {
            Counted::Bad(bad) => bad.text(window, by)?,
            Counted::Good(good) => rest(&total, &good.text(window, by)?),
        };
        Some(Counts { bad, total })
    }

    /// The share of bad events in a window.
    pub(crate) fn ratio(&self, window: Duration, by: &[String]) -> String {
        match self {
            Self::Ratio(query) => query.over(window),
            Self::Composite(members) => composite(members, window),
            Self::Events {
                counted: Counted::Bad(Count::Query(bad)),
                total: Count::Query(total),
            } => format!("({} / {})", bad.over(window), total.over(window)),
            Self::Events {
                counted: Counted::Good(Count::Query(good)),
                total: Count::Query(total),
            } => {
                let total = total.over(window);
                format!("({} / {total})", rest(&total, &good.over(window)))
            }
            Self::Events { .. } => match self.counts(window, by) {
                Some(Counts { bad, total }) => format!("({bad} / {total})"),
                // A query beside a selector, in units that do not fit; `Objective::faults` refuses it.
                None => "vector(NaN)".to_owned(),
            },
        }
    }

    /// Whether bad and all events are counted in the same way.
    pub(crate) fn is_even(&self) -> bool {
        let Self::Events { counted, total } = self else {
            return true;
        };
        let (Counted::Bad(part) | Counted::Good(part)) = counted;
        match (part, total) {
            (Count::Query(part), Count::Query(total)) => {
                part.unit() == total.unit() || [part.unit(), total.unit()].contains(&Unit::Unknown)
            }
            (Count::Query(query), _) | (_, Count::Query(query)) => query.unit() != Unit::Unknown,
            _ => true,
        }
    }
}

/// What is not good. Good events that were never seen are none: a service whose every request fails
/// from its start has no series of them.
fn rest(total: &str, good: &str) -> String {
    format!("({total} - ({good} or {total} * 0))")
}

/// A member without traffic spends nothing.
fn composite(members: &[Member], window: Duration) -> String {
    let terms = members.iter().map(|member| {
        let ratio = member.objective.ratio(window);
        format!(
            "(max({ratio} >= 0) or vector(0)) * {}",
            number(member.factor)
        )
    });
    format!("({})", terms.collect::<Vec<_>>().join(" + "))
}
