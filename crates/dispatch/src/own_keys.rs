//! What routes and receivers may say that upstream does not know. All of it is off unless it is said.

use firebell_model::{Duration, Timestamp};

/// Own keys of a route; a child inherits what it does not say itself.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct OwnKeys {
    /// Whether the end of an alert is told although it is muted, if its beginning was.
    pub resolve_through_mute: Option<bool>,
    /// How repetitions become rarer while nothing changes.
    pub repeat_backoff: Option<RepeatBackoff>,
    /// When an alert fires anew too often to be told each time.
    pub flap_damping: Option<FlapDamping>,
}

/// Each repetition that nothing came before makes the pause to the next one longer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RepeatBackoff {
    /// By how much; never below 1.
    pub factor: f64,
    /// The longest pause; one that is shorter than `repeat_interval` changes nothing.
    pub max: Duration,
}

/// An alert that fires anew more often than this is told of when that begins and when it is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlapDamping {
    /// So many firings within `window` are told; never 0.
    pub firings_max: usize,
    /// Over which time firings count, and how long it has to be calm afterwards.
    pub window: Duration,
}

/// A receiver is told so many notifications in a period; what is more is told in one summary when
/// the period is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Never 0. What one flush of a group tells to all integrations of the receiver counts once.
    pub notifications_max: u32,
    /// From the first notification; never zero.
    pub period: Duration,
}

/// The most firings that [`FlapDamping`] may let pass: so many moments are kept for an alert.
pub const FIRINGS_MAX: usize = 100;

impl OwnKeys {
    pub(crate) fn or(self, above: Self) -> Self {
        Self {
            resolve_through_mute: self.resolve_through_mute.or(above.resolve_through_mute),
            repeat_backoff: self.repeat_backoff.or(above.repeat_backoff),
            flap_damping: self.flap_damping.or(above.flap_damping),
        }
    }
}

impl RepeatBackoff {
    /// The pause after so many repetitions in a row.
    pub(crate) fn pause(&self, repeat_interval: Duration, n_repeats: u32) -> Duration {
        let exponent = i32::try_from(n_repeats).unwrap_or(i32::MAX);
        let grown = repeat_interval.as_secs_f64() * self.factor.powi(exponent);
        let longest = self.max.max(repeat_interval);
        Duration::from_secs_f64(grown.min(longest.as_secs_f64()))
    }
}

impl FlapDamping {
    /// Until when an alert with these moments of firing, in order, is damped; `None` if it never
    /// was, as far as is known.
    pub(crate) fn damped_until(&self, firings: &[Timestamp]) -> Option<Timestamp> {
        let mut pairs = firings.iter().zip(firings.iter().skip(self.firings_max));
        let is_over = |&(first, last): &(&Timestamp, &Timestamp)| *last - *first < self.window;
        let (_, last) = pairs.rfind(is_over)?;
        Some(*last + self.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_by_the_factor_up_to_the_longest() {
        let pauses = |factor, max_mins| {
            let backoff = RepeatBackoff {
                factor,
                max: Duration::from_mins(max_mins),
            };
            let pause = |n| backoff.pause(Duration::from_mins(60), n).0 / 60_000;
            [0, 1, 2, 3, u32::MAX].map(pause)
        };
        assert_eq!(pauses(2.0, 300), [60, 120, 240, 300, 300]);
        assert_eq!(pauses(1.5, 600), [60, 90, 135, 202, 600]);
        assert_eq!(pauses(1.0, 600), [60, 60, 60, 60, 60]);
        assert_eq!(pauses(2.0, 30), [60, 60, 60, 60, 60]);
    }

    #[test]
    fn an_alert_is_damped_from_one_firing_too_many_until_a_calm_window() {
        let check = |firings: &[i64], expected: Option<i64>| {
            let damping = FlapDamping {
                firings_max: 2,
                window: Duration(100),
            };
            let firings: Vec<Timestamp> = firings.iter().map(|at| Timestamp(*at)).collect();
            let until = damping.damped_until(&firings).map(|at| at.0);
            assert_eq!(until, expected, "{firings:?}");
        };
        check(&[], None);
        check(&[0, 10], None);
        check(&[0, 10, 99], Some(199));
        check(&[0, 10, 100], None);
        check(&[0, 10, 20, 110, 150], Some(120));
        check(&[0, 10, 20, 90, 105], Some(205));
    }
}
