//! Burn rates: how fast a budget may burn over which windows before somebody is told.
//!
//! A budget of share `B` of all events, spent evenly over the period `P`, burns at rate 1. At rate
//! `b` a window `W` takes the share `b × W / P` of it; so the rate at which a window takes the share
//! `x` is `x × P / W`. The long window says that it matters, the short one that it still goes on.
//!
//! *Sources*: SRE workbook, chapter 5; Sloth, for the third pair of windows.

use firebell_model::{Duration, Labels};

use crate::text::tidy;

/// How much a person is bothered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Somebody is called, at any hour.
    Page,
    /// It can wait for the next working day.
    Ticket,
}

impl Severity {
    /// `page`, `ticket`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

/// One alert of an objective: fires while the budget burns faster than `factor` over both windows.
#[derive(Clone, PartialEq, Debug)]
pub struct Tier {
    /// `page-fast` and the like; unique within the objective.
    pub name: String,
    /// How much it bothers.
    pub severity: Severity,
    /// Says that it matters.
    pub long: Duration,
    /// Says that it still goes on.
    pub short: Duration,
    /// The burn rate, at least 1.
    pub factor: f64,
    /// `for` of the alert; zero in the standard tiers.
    pub hold_for: Duration,
    /// Labels that win over all others; none in the standard tiers.
    pub labels: Labels,
}

/// Why windows cannot alert.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum TierError {
    /// `increase` needs two samples.
    #[error(
        "the window {window} is shorter than {WINDOW_SCRAPES_MIN} scrapes, which take {shortest}: \
         it would often be empty"
    )]
    Short {
        /// The window.
        window: Duration,
        /// The shortest that is possible.
        shortest: Duration,
    },
    /// The windows are the wrong way round, or beyond the period.
    #[error("the windows have to be `short` <= `long` <= {period}, not {short} and {long}")]
    Order {
        /// The short one.
        short: Duration,
        /// The long one.
        long: Duration,
        /// The objective's own.
        period: Duration,
    },
    /// It would fire while the objective is kept.
    #[error("a burn rate of {0} would alert while the objective is kept")]
    Slow(f64),
    /// It can never fire.
    #[error(
        "a burn rate of {factor} is {ratio} of all events, which never fail: the alert could not fire"
    )]
    Unreachable {
        /// The rate.
        factor: f64,
        /// As a share, in percent.
        ratio: String,
    },
}

/// A window has at least so many scrapes.
pub const WINDOW_SCRAPES_MIN: i64 = 2;

impl Tier {
    /// The share of bad events above which it fires.
    #[must_use]
    pub fn threshold(&self, budget: f64) -> f64 {
        tidy(self.factor * budget)
    }

    /// The share of the whole budget that is gone when it fires.
    #[must_use]
    pub fn share(&self, period: Duration) -> f64 {
        tidy(self.factor * self.long.as_secs_f64() / period.as_secs_f64())
    }

    /// Checks a tier that somebody wrote.
    ///
    /// # Errors
    /// When it could never fire, or would fire for nothing.
    pub fn check(
        &self,
        period: Duration,
        shortest: Duration,
        budget: f64,
    ) -> Result<(), TierError> {
        let Self { long, short, .. } = *self;
        if short < shortest {
            let window = short;
            return Err(TierError::Short { window, shortest });
        }
        if short > long || long > period {
            return Err(TierError::Order {
                short,
                long,
                period,
            });
        }
        let factor = self.factor;
        if factor < 1.0 || factor.is_nan() {
            return Err(TierError::Slow(factor));
        }
        if self.threshold(budget) >= 1.0 {
            let ratio = crate::text::exact_percent(self.threshold(budget));
            return Err(TierError::Unreachable { factor, ratio });
        }
        Ok(())
    }
}

/// The four tiers that objectives have unless they say otherwise. Windows shrink with periods under
/// [`SCALED_BELOW`], to whole minutes and not below `shortest`; rates are never below 1, nor so high
/// that a complete outage could not reach them.
#[must_use]
pub fn standard_tiers(period: Duration, shortest: Duration, budget: f64) -> Vec<Tier> {
    let scale = match period < SCALED_BELOW {
        true => period.as_secs_f64() / STANDARD_PERIOD.as_secs_f64(),
        false => 1.0,
    };
    let tier = |(name, severity, long, short, share): &(&str, _, Duration, Duration, f64)| {
        let short = scaled(*short, scale).max(shortest);
        let long = scaled(*long, scale).max(short).min(period.max(short));
        let wanted = share * period.as_secs_f64() / long.as_secs_f64();
        let reachable = (OUTAGE_SHARE / budget).max(1.0);
        Tier {
            name: (*name).to_owned(),
            severity: *severity,
            long,
            short,
            factor: tidy(wanted.min(reachable).max(1.0)),
            hold_for: Duration::ZERO,
            labels: Labels::empty(),
        }
    };
    STANDARD.iter().map(tier).collect()
}

/// Up to whole minutes, where there are some.
fn scaled(window: Duration, scale: f64) -> Duration {
    if scale >= 1.0 {
        return window;
    }
    let minutes = window.as_secs_f64() * scale / 60.0;
    match minutes < 1.0 {
        true => Duration::from_secs((minutes * 60.0).ceil() as i64),
        false => Duration::from_mins(minutes.ceil() as i64),
    }
}

/// Name, severity, long and short window, and the share of the budget of 30 days.
const STANDARD: [(&str, Severity, Duration, Duration, f64); 4] = [
    (
        "page-fast",
        Severity::Page,
        Duration::from_hours(1),
        Duration::from_mins(5),
        0.02,
    ),
    (
        "page-slow",
        Severity::Page,
        Duration::from_hours(6),
        Duration::from_mins(30),
        0.05,
    ),
    (
        "ticket-fast",
        Severity::Ticket,
        Duration::from_hours(24),
        Duration::from_hours(2),
        0.1,
    ),
    (
        "ticket-slow",
        Severity::Ticket,
        Duration::from_hours(72),
        Duration::from_hours(6),
        0.1,
    ),
];
const STANDARD_PERIOD: Duration = Duration::from_hours(30 * 24);
/// Shorter periods have shorter windows; longer ones keep them, and alert at higher rates.
const SCALED_BELOW: Duration = Duration::from_hours(28 * 24);
/// A standard tier fires at the latest when this share of all events fails.
const OUTAGE_SHARE: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(days: i64, percent: f64, expected: &[(&str, &str, f64)]) {
        let period = Duration::from_hours(24 * days);
        let tiers = standard_tiers(period, Duration::from_mins(2), 1.0 - percent / 100.0);
        let found: Vec<_> = tiers
            .iter()
            .map(|it| (it.long.to_string(), it.short.to_string(), it.factor))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(long, short, factor)| ((*long).to_owned(), (*short).to_owned(), *factor))
            .collect();
        assert_eq!(found, expected, "{days} days at {percent} %");
    }

    #[test]
    fn factors_are_the_share_times_the_period_over_the_long_window() {
        check(
            30,
            99.9,
            &[
                ("1h", "5m", 14.4),
                ("6h", "30m", 6.0),
                ("1d", "2h", 3.0),
                ("3d", "6h", 1.0),
            ],
        );
        // Never below 1: 0.933 would tell off who keeps the objective.
        check(
            28,
            99.9,
            &[
                ("1h", "5m", 13.44),
                ("6h", "30m", 5.6),
                ("1d", "2h", 2.8),
                ("3d", "6h", 1.0),
            ],
        );
        check(
            90,
            99.9,
            &[
                ("1h", "5m", 43.2),
                ("6h", "30m", 18.0),
                ("1d", "2h", 9.0),
                ("3d", "6h", 3.0),
            ],
        );
    }

    #[test]
    fn windows_shrink_with_short_periods_but_not_below_two_scrapes() {
        check(
            7,
            99.9,
            &[
                ("14m", "2m", 14.4),
                ("1h24m", "7m", 6.0),
                ("5h36m", "28m", 3.0),
                ("16h48m", "1h24m", 1.0),
            ],
        );
        check(
            1,
            99.9,
            &[
                ("2m", "2m", 14.4),
                ("12m", "2m", 6.0),
                ("48m", "4m", 3.0),
                ("2h24m", "12m", 1.0),
            ],
        );
    }

    #[test]
    fn a_complete_outage_reaches_every_tier() {
        check(
            30,
            80.0,
            &[
                ("1h", "5m", 4.5),
                ("6h", "30m", 4.5),
                ("1d", "2h", 3.0),
                ("3d", "6h", 1.0),
            ],
        );
    }

    #[test]
    fn a_tier_that_cannot_work_is_refused() {
        let (period, shortest) = (Duration::from_hours(720), Duration::from_mins(2));
        let tier = |long: &str, short: &str, factor| Tier {
            name: "t".to_owned(),
            severity: Severity::Page,
            long: long.parse().unwrap(),
            short: short.parse().unwrap(),
            factor,
            hold_for: Duration::ZERO,
            labels: Labels::empty(),
        };
        for (tier, expected) in [
            (tier("1h", "1m", 14.4), "the window 1m is shorter than 2"),
            (tier("5m", "1h", 14.4), "the windows have to be"),
            (tier("31d", "1h", 14.4), "the windows have to be"),
            (tier("1h", "5m", 0.9), "a burn rate of 0.9 would alert"),
            (tier("1h", "5m", 1000.0), "a burn rate of 1000 is 100% of"),
        ] {
            let error = tier.check(period, shortest, 0.001).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        }
        assert_eq!(
            tier("1h", "5m", 14.4).check(period, shortest, 0.001),
            Ok(())
        );
    }
}
