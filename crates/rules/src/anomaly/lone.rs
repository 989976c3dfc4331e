//! One series without a rule: whoever has the values hands them in, one after the other.
//!
//! *Invariants*: judged and learned as the series of a rule; only the journal is left out.

use firebell_model::{Duration, Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::anomaly::watch::{Observed, Series};
use crate::anomaly::{AnomalyOptions, WINDOW_MAX, WINDOW_MIN, WatchedSeries};

/// A detector for one series of values.
#[derive(Debug)]
pub struct LoneDetector {
    options: AnomalyOptions,
    min_duration: Duration,
    series: Series,
    odd_since: Option<Timestamp>,
}

/// What a value is held against.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Judgement {
    /// How far off it is, from 0 to 1: 0.5 where it begins to be an anomaly.
    pub score: f64,
    /// Whether it is one, and has been for as long as was wanted.
    pub is_anomaly: bool,
    /// What was expected.
    pub expected: f64,
    /// Values from here to `upper` are as expected.
    pub lower: f64,
    /// See `lower`.
    pub upper: f64,
    /// Whether too little was learned yet to judge.
    pub is_warming_up: bool,
}

/// What [`LoneDetector::restore`] takes.
#[derive(Serialize, Deserialize)]
pub struct SavedDetector {
    series: WatchedSeries,
    odd_since: Option<Timestamp>,
}

impl LoneDetector {
    /// A detector that has learned nothing yet; the window is brought into its limits.
    #[must_use]
    pub fn new(mut options: AnomalyOptions, min_duration: Duration) -> Self {
        options.window = options.window.clamp(WINDOW_MIN, WINDOW_MAX);
        options.warm_up = options.warm_up.clamp(1, options.window);
        Self {
            options,
            min_duration,
            series: Series::new(Labels::empty(), Timestamp(i64::MIN), f64::NAN, &options),
            odd_since: None,
        }
    }

    /// Judges a value as if it were the next, and learns nothing.
    #[must_use]
    pub fn judge(&self, value: f64, at: Timestamp) -> Judgement {
        let verdict = match value.is_finite() {
            true => self.series.judge(value, 1.0, &self.options),
            false => None,
        };
        let Some(verdict) = verdict else {
            return Judgement {
                score: 0.0,
                is_anomaly: false,
                expected: f64::NAN,
                lower: f64::NAN,
                upper: f64::NAN,
                is_warming_up: true,
            };
        };
        let tolerance = verdict.upper - verdict.expected;
        let off = (value - verdict.expected).abs();
        let score = match off > 0.0 {
            true => off / (off + tolerance),
            false => 0.0,
        };
        let has_lasted = at - self.odd_since.unwrap_or(at) >= self.min_duration;
        Judgement {
            score,
            is_anomaly: verdict.is_odd && has_lasted,
            expected: verdict.expected,
            lower: verdict.lower,
            upper: verdict.upper,
            is_warming_up: false,
        }
    }

    /// Judges a value and learns it. NaN and infinities are not learned.
    pub fn update(&mut self, value: f64, at: Timestamp) -> Judgement {
        if !value.is_finite() {
            return self.judge(value, at);
        }
        let verdict = self.series.judge(value, 1.0, &self.options);
        let is_odd = verdict.is_some_and(|it| it.is_odd);
        self.odd_since = is_odd.then(|| self.odd_since.unwrap_or(at));
        let judgement = self.judge(value, at);
        let seen = Observed {
            series: Labels::empty(),
            value,
            is_odd,
        };
        self.series.observe(&seen, at, &self.options);
        judgement
    }

    /// What it has learned.
    #[must_use]
    pub fn saved(&self) -> SavedDetector {
        SavedDetector {
            series: self.series.record(0),
            odd_since: self.odd_since,
        }
    }

    /// Goes on with what another detector has learned, by the options of this one. Whether it could
    /// be read.
    #[must_use]
    pub fn restore(&mut self, saved: &SavedDetector) -> bool {
        let Some(past) = saved.series.values() else {
            return false;
        };
        let mut series = Series::new(Labels::empty(), saved.series.at, f64::NAN, &self.options);
        series.relearn(past, saved.series.n_odd, &self.options);
        self.series = series;
        self.odd_since = saved.odd_since;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::{DetectorKind, Direction};

    fn detector(min_duration: Duration) -> LoneDetector {
        let options = AnomalyOptions {
            detector: DetectorKind::Robust,
            window: 50,
            warm_up: 20,
            direction: Direction::Up,
            ..AnomalyOptions::default()
        };
        LoneDetector::new(options, min_duration)
    }

    fn second(nth: usize) -> Timestamp {
        Timestamp(0) + Duration::from_secs(nth as i64)
    }

    /// Ten, give or take one.
    fn usual(nth: usize) -> f64 {
        9.0 + (nth * 7 % 5) as f64 / 2.0
    }

    #[test]
    fn a_value_is_judged_by_those_before_it() {
        let mut detector = detector(Duration::ZERO);
        assert!(detector.update(900.0, second(0)).is_warming_up);
        for nth in 1..40 {
            assert!(
                !detector.update(usual(nth), second(nth)).is_anomaly,
                "{nth}"
            );
        }
        let high = detector.update(60.0, second(40));
        assert!(high.is_anomaly && high.score > 0.9, "{high:?}");
        let edge = detector.judge(high.upper, second(41));
        assert!(!edge.is_anomaly && (edge.score - 0.5).abs() < 1e-9);
        assert!(!detector.update(-60.0, second(41)).is_anomaly);
        assert!(detector.update(f64::NAN, second(42)).is_warming_up);
    }

    #[test]
    fn an_anomaly_has_to_last_where_that_is_wanted() {
        let mut detector = detector(Duration::from_secs(2));
        for nth in 0..40 {
            let _ = detector.update(usual(nth), second(nth));
        }
        let told: Vec<bool> = [60.0, 60.0, 60.0, 10.0, 60.0]
            .into_iter()
            .zip(40..)
            .map(|(value, nth)| detector.update(value, second(nth)).is_anomaly)
            .collect();
        assert_eq!(told, [false, false, true, false, false]);
    }

    #[test]
    fn what_was_learned_can_be_saved_and_goes_on() {
        let mut lived = detector(Duration::ZERO);
        for nth in 0..70 {
            let _ = lived.update(usual(nth), second(nth));
        }
        let saved = serde_json::to_vec(&lived.saved()).unwrap();
        let mut restored = detector(Duration::ZERO);
        assert!(restored.restore(&serde_json::from_slice(&saved).unwrap()));
        for nth in 70..90 {
            let value = if nth == 80 { 60.0 } else { usual(nth) };
            let (a, b) = (
                lived.update(value, second(nth)),
                restored.update(value, second(nth)),
            );
            assert_eq!(a.is_anomaly, b.is_anomaly, "{nth}");
            assert!((a.expected - b.expected).abs() < 1e-3, "{nth}: {a:?} {b:?}");
        }
    }
}
