//! How OpenSLO writes lengths of time.

use firebell_model::Duration;

/// OpenSLO's short form of durations: a number and one letter.
#[derive(Clone, Copy)]
pub(super) struct Length {
    n: i32,
    unit: char,
}

impl Length {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let failed = || format!("`{text}` is not a duration such as 28d, 1M or 5m");
        let unit = text.chars().last().ok_or_else(failed)?;
        let n = text.strip_suffix(unit).and_then(|n| n.parse::<i32>().ok());
        match n.filter(|n| (1..=1_000_000).contains(n)) {
            Some(n) if "mhdwMQY".contains(unit) => Ok(Self { n, unit }),
            _ => Err(failed()),
        }
    }

    /// Months of 30 days.
    pub(super) fn average(self) -> Duration {
        let hours = match self.unit {
            'm' => return Duration::from_mins(i64::from(self.n)),
            'h' => 1,
            'd' => 24,
            'w' => 7 * 24,
            'M' => 30 * 24,
            'Q' => 90 * 24,
            _ => 365 * 24,
        };
        Duration::from_hours(hours) * i64::from(self.n)
    }

    /// As months and days.
    pub(super) fn of_calendar(self) -> Option<(i32, i32)> {
        let n = self.n;
        match self.unit {
            'd' => Some((0, n)),
            'w' => Some((0, n.checked_mul(7)?)),
            'M' => Some((n, 0)),
            'Q' => Some((n.checked_mul(3)?, 0)),
            'Y' => Some((n.checked_mul(12)?, 0)),
            _ => None,
        }
    }
}
