//! Low traffic: when a few bad events say too little to wake somebody.
//!
//! One error in the hour of a service with 60 requests an hour is a ratio of 1.7 %, which would page
//! at an objective of 99.9 %. Three guards stand before that, and each says when it holds an alert
//! back. They work on counts, so an indicator that has only ratios goes without them.

use crate::burn::Tier;
use crate::indicator::Counts;
use crate::text::{number, tidy};

/// What has to be true of counts before an alert of an objective may fire.
#[derive(Clone, PartialEq, Debug)]
pub struct LowTraffic {
    /// Bad events in the long window, at least. 0 asks for none.
    pub bad_min: f64,
    /// Whether the bad events have to be the share of the *period's* budget that the tier stands for,
    /// not only of the long window's: at night a few errors are a high ratio and a small loss.
    pub has_budget_floor: bool,
    /// How unlikely so many bad events must be at a rate that would just not alert, such as 0.01;
    /// asked up to [`SPEAKS_FOR_ITSELF`] bad events. `None` asks nothing.
    pub chance_max: Option<f64>,
}

impl Default for LowTraffic {
    fn default() -> Self {
        Self {
            bad_min: 3.0,
            has_budget_floor: true,
            chance_max: Some(0.01),
        }
    }
}

/// With so many bad events the ratio speaks for itself, and no test is made.
pub(crate) const SPEAKS_FOR_ITSELF: f64 = 10.0;

/// Which guard holds an alert back whose ratios are over the threshold.
#[derive(Clone, PartialEq, Debug)]
pub enum Held {
    /// Too few bad events.
    Bad {
        /// How many there are.
        bad: f64,
        /// How many are wanted.
        min: f64,
    },
    /// Too small a share of the period's budget.
    Floor {
        /// How many there are.
        bad: f64,
        /// How many would be the share.
        min: f64,
    },
    /// It may be chance.
    Chance {
        /// How many there are.
        bad: f64,
        /// Of how many.
        total: f64,
        /// How likely that is at most at a rate that would just not alert.
        chance: f64,
    },
}

/// A sentence for people.
impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bad { bad, min } => {
                write!(f, "only {bad:.0} bad events, at least {min:.0} are wanted")
            }
            Self::Floor { bad, min } => write!(
                f,
                "{bad:.0} bad events are little of the period's budget, at least {min:.0} are wanted"
            ),
            Self::Chance { bad, total, chance } => write!(
                f,
                "{bad:.0} bad of {total:.0} events may be chance (up to {:.0} %)",
                chance * 100.0
            ),
        }
    }
}

impl LowTraffic {
    /// No guards.
    #[must_use]
    pub fn off() -> Self {
        Self {
            bad_min: 0.0,
            has_budget_floor: false,
            chance_max: None,
        }
    }

    /// What is joined to an alert's expression with `and`, each in brackets.
    ///
    /// `share` of the period's budget is what the tier stands for; `of_period` is the number of all
    /// events in the period, as an expression.
    pub(crate) fn conditions(
        &self,
        tier: &Tier,
        budget: f64,
        share: f64,
        counts: &Counts,
        of_period: &str,
    ) -> Vec<String> {
        let Counts { bad, total } = counts;
        let mut conditions = Vec::new();
        if self.bad_min > 0.0 {
            conditions.push(format!("({bad} >= {})", number(self.bad_min)));
        }
        if self.has_budget_floor {
            let events = number(share * budget);
            conditions.push(format!("({bad} >= {of_period} * {events})"));
        }
        if let Some(chance) = self.chance_max {
            let p = tier.threshold(budget);
            let (enough, wanted) = (number(SPEAKS_FOR_ITSELF), number(-chance.ln()));
            let (p, q) = (number(p), number(1.0 - p));
            let good = format!("clamp_min({total} - {bad}, 1e-9)");
            conditions.push(format!(
                "({bad} >= {enough} or {bad} * ln({bad} / ({total} * {p})) + {good} * \
                 ln({good} / ({total} * {q})) >= {wanted})"
            ));
        }
        conditions
    }

    /// The first guard that holds an alert back; the same as [`LowTraffic::conditions`] asks.
    pub(crate) fn holds(
        &self,
        tier: &Tier,
        budget: f64,
        share: f64,
        (bad, total): (f64, f64),
        of_period: f64,
    ) -> Option<Held> {
        if bad < self.bad_min {
            let min = self.bad_min;
            return Some(Held::Bad { bad, min });
        }
        let min = of_period * tidy(share * budget);
        if self.has_budget_floor && bad < min {
            return Some(Held::Floor { bad, min });
        }
        let chance_max = self.chance_max?;
        let chance = chance_at_most(bad, total, tier.threshold(budget));
        let is_chance = bad < SPEAKS_FOR_ITSELF && chance > chance_max;
        is_chance.then_some(Held::Chance { bad, total, chance })
    }
}

/// At most how likely it is that `bad` or more of `total` events are bad when each is with
/// probability `p`: Chernoff's bound of the binomial tail, which PromQL can compute as well.
fn chance_at_most(bad: f64, total: f64, p: f64) -> f64 {
    if bad <= p * total {
        return 1.0;
    }
    let good = (total - bad).max(1e-9);
    let exponent = bad * (bad / (total * p)).ln() + good * (good / (total * tidy(1.0 - p))).ln();
    (-exponent).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exact tail, term by term.
    fn tail(bad: u32, total: u32, p: f64) -> f64 {
        let mut term = (1.0 - p).powi(total as i32);
        let mut below = 0.0;
        for k in 0..bad {
            below += term;
            term *= f64::from(total - k) / f64::from(k + 1) * p / (1.0 - p);
        }
        1.0 - below
    }

    #[test]
    fn the_bound_is_never_below_the_binomial_tail() {
        for total in [10, 69, 167, 1000] {
            for p in [0.001, 0.0144, 0.1] {
                for bad in 1..10 {
                    let (exact, bound) = (
                        tail(bad, total, p),
                        chance_at_most(f64::from(bad), f64::from(total), p),
                    );
                    assert!(bound >= exact - 1e-12, "{bad} of {total} at {p}");
                }
            }
        }
    }

    #[test]
    fn each_guard_says_why_it_holds_an_alert_back() {
        let tier = crate::burn::standard_tiers(
            firebell_model::Duration::from_hours(720),
            firebell_model::Duration::from_mins(2),
            0.001,
        )
        .remove(0);
        for (bad, total, of_period, expected) in [
            (
                1.0,
                60.0,
                43_200.0,
                "only 1 bad events, at least 3 are wanted",
            ),
            (
                5.0,
                60.0,
                500_000.0,
                "5 bad events are little of the period's budget, at least 10 are wanted",
            ),
            (
                3.0,
                60.0,
                43_200.0,
                "3 bad of 60 events may be chance (up to 19 %)",
            ),
            (6.0, 60.0, 43_200.0, ""),
            (12.0, 800.0, 43_200.0, ""),
        ] {
            let held = LowTraffic::default().holds(&tier, 0.001, 0.02, (bad, total), of_period);
            let text = held.map(|it| it.to_string()).unwrap_or_default();
            assert_eq!(text, expected, "{bad} of {total}");
        }
    }
}
