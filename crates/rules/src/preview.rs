//! When an alert would have fired: one alert's life over the moments at which its condition held.

use firebell_model::{Duration, Labels, SampleValue, Timestamp};

use crate::alert::{AlertInstance, AlertPhase, Cause, Timing};
use crate::evaluate::RuleSample;

/// A time during which an alert would have fired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Firing {
    /// The evaluation at which it began to fire.
    pub from: Timestamp,
    /// The evaluation at which it was resolved; `None` when it fires at the end.
    pub to: Option<Timestamp>,
}

/// The evaluations that a preview makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PreviewGrid {
    /// The first one.
    pub start: Timestamp,
    /// None is later.
    pub end: Timestamp,
    /// Between two; longer than zero.
    pub interval: Duration,
    /// `for` of the rule.
    pub hold_for: Duration,
    /// `keep_firing_for` of the rule.
    pub keep_firing_for: Duration,
}

/// When one alert would have fired whose condition held at `held`: moments of the grid, in order.
#[must_use]
pub fn firings(grid: PreviewGrid, held: &[Timestamp]) -> Vec<Firing> {
    let mut firings: Vec<Firing> = Vec::new();
    let mut alert: Option<AlertInstance> = None;
    let mut held = held.iter().copied().peekable();
    let mut at = grid.start;
    while at <= grid.end {
        if alert.is_none() {
            // Nothing changes until the condition holds again.
            let Some(next) = held.peek() else { break };
            at = at.max(*next);
        }
        let timing = Timing {
            at,
            hold_for: grid.hold_for,
            keep_firing_for: grid.keep_firing_for,
        };
        alert = match (alert.take(), held.next_if_eq(&at)) {
            (None, Some(_)) => Some(AlertInstance::begin(sample(), timing, Cause::default())),
            (Some(mut alert), Some(_)) => {
                alert.seen(sample(), timing);
                Some(alert)
            }
            (Some(mut alert), None) => alert.missed(timing, None).then_some(alert),
            (None, None) => None,
        };
        let is_open = firings.last().is_some_and(|firing| firing.to.is_none());
        match alert.as_ref().map(|alert| alert.phase) {
            Some(AlertPhase::Firing { .. }) if !is_open => {
                firings.push(Firing { from: at, to: None });
            }
            Some(AlertPhase::Resolved { .. }) => {
                if let Some(firing) = firings.last_mut() {
                    firing.to = Some(at);
                }
                // What comes next is another alert.
                alert = None;
            }
            _ => {}
        }
        at += grid.interval;
    }
    firings
}

/// Of an alert only its times are looked at.
fn sample() -> RuleSample {
    RuleSample {
        labels: Labels::empty(),
        annotations: Labels::empty(),
        value: SampleValue::Float(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `held` has a letter for each minute; the answer is told in minutes.
    fn check(held: &str, hold_for: i64, keep_firing_for: i64, expected: &str) {
        let minute = |n: usize| Timestamp(0) + Duration::from_mins(n as i64);
        let grid = PreviewGrid {
            start: minute(0),
            end: minute(held.len() - 1),
            interval: Duration::from_mins(1),
            hold_for: Duration::from_mins(hold_for),
            keep_firing_for: Duration::from_mins(keep_firing_for),
        };
        let marks = held.bytes().enumerate().filter(|(_, mark)| *mark == b'x');
        let moments: Vec<Timestamp> = marks.map(|(n, _)| minute(n)).collect();
        let minutes = |at: Timestamp| at.0 / 60_000;
        let told = firings(grid, &moments).into_iter().map(|firing| {
            let to = firing.to.map(|to| minutes(to).to_string());
            format!("{}-{}", minutes(firing.from), to.unwrap_or_default())
        });
        let told: Vec<String> = told.collect();
        assert_eq!(
            told.join(" "),
            expected,
            "{held} for {hold_for} keep {keep_firing_for}"
        );
    }

    #[test]
    fn an_alert_fires_when_its_rule_says_so() {
        check("....", 0, 0, "");
        check(".xx.", 0, 0, "1-3");
        check(".xxx", 0, 0, "1-");
        check("xxxxx.xxx", 3, 0, "3-5");
        check("xx.xx.xx.", 2, 0, "");
        check("x..x.....x", 0, 3, "0-7 9-");
        check("xxx.....xxxx..", 1, 0, "1-3 9-12");
    }
}
