//! Text forms of times and turns, as people write them.

use std::str::FromStr;

use firebell_model::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::civil::moment_of;
use crate::hours::{parse_time_of_day, parse_time_of_week};
use crate::rotation::Every;

/// A text that is none of what it should be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{text}` is not {what}")]
pub struct ParseTextError {
    text: String,
    what: &'static str,
}

/// When hand-overs are, as somebody writes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandOver {
    /// At a minute of the day.
    Day(i64),
    /// At a minute of the week, from Monday.
    Week(i64),
}

fn failed(text: &str, what: &'static str) -> ParseTextError {
    ParseTextError {
        text: text.to_owned(),
        what,
    }
}

/// A day such as `2026-01-05`.
///
/// # Errors
/// When it is none.
pub fn parse_date(text: &str) -> Result<Date, ParseTextError> {
    let is_plain = text.len() == 10;
    let date = text.parse().ok().filter(|_| is_plain);
    date.ok_or_else(|| failed(text, "a day such as `2026-01-05`"))
}

/// A time by some clock, such as `2026-01-05T09:00` or `2026-01-05 09:00`; a day is its beginning.
///
/// # Errors
/// When it is none.
pub fn parse_civil(text: &str) -> Result<DateTime, ParseTextError> {
    let what = "a time such as `2026-01-05T09:00`";
    if let Ok(date) = parse_date(text) {
        return Ok(date.at(0, 0, 0, 0));
    }
    let is_plain = matches!(text.len(), 16 | 19) && matches!(text.as_bytes()[10], b'T' | b' ');
    let civil = text.replacen(' ', "T", 1).parse().ok().filter(|_| is_plain);
    civil.ok_or_else(|| failed(text, what))
}

/// A moment: a time by the clock of the zone, or with an offset of its own as RFC 3339 has it.
///
/// # Errors
/// When it is none.
pub fn parse_moment(zone: &TimeZone, text: &str) -> Result<Timestamp, ParseTextError> {
    match text.parse::<Timestamp>() {
        Ok(at) => Ok(at),
        Err(_) => parse_civil(text).map(|civil| moment_of(zone, civil)),
    }
}

/// What a clock of a zone shows at a moment, such as `Mon 2026-01-05 09:00`; of UTC when there is no
/// zone of that name.
#[must_use]
pub fn by_clock_of(zone: &str, at: Timestamp) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let shown = at.to_jiff().to_zoned(zone);
    shown.strftime("%a %Y-%m-%d %H:%M").to_string()
}

/// `hourly`, `daily`, `weekly`, `monthly`, or a number with a unit: `12h`, `2 days`, `1w`, `1 month`.
impl FromStr for Every {
    type Err = ParseTextError;

    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        let what = "how long a turn is, such as `12h`, `1 day`, `2 weeks` or `1 month`";
        let trimmed = text.trim();
        let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = trimmed.split_at(digits);
        let number = match number {
            "" => Ok(1),
            number => number.parse::<u32>().map_err(|_| failed(text, what)),
        };
        let number = number?;
        match (digits, unit.trim()) {
            (0, "hourly") => Ok(Self::Hours(1)),
            (0, "daily") => Ok(Self::Days(1)),
            (0, "weekly") => Ok(Self::Weeks(1)),
            (0, "monthly") => Ok(Self::Months(1)),
            (1.., "h" | "hour" | "hours") => Ok(Self::Hours(number)),
            (1.., "d" | "day" | "days") => Ok(Self::Days(number)),
            (1.., "w" | "week" | "weeks") => Ok(Self::Weeks(number)),
            (1.., "month" | "months") => Ok(Self::Months(number)),
            _ => Err(failed(text, what)),
        }
    }
}

/// `09:00`, or `mon 09:00`.
impl FromStr for HandOver {
    type Err = ParseTextError;

    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        let of_week = parse_time_of_week(text).map(Self::Week);
        let of_day = || {
            parse_time_of_day(text)
                .filter(|it| *it < 24 * 60)
                .map(Self::Day)
        };
        let what = "a time of day or week such as `09:00` or `mon 09:00`";
        of_week.or_else(of_day).ok_or_else(|| failed(text, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_and_hand_overs_are_read_and_nothing_else_is() {
        for (text, expected) in [
            ("12h", Some(Every::Hours(12))),
            ("1 day", Some(Every::Days(1))),
            ("weekly", Some(Every::Weeks(1))),
            ("2w", Some(Every::Weeks(2))),
            ("3 months", Some(Every::Months(3))),
            ("1m", None),
            ("day", None),
            ("2 weekly", None),
            ("99999999999h", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Every>().ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("09:00", Some(HandOver::Day(540))),
            ("Monday 00:00", Some(HandOver::Week(0))),
            ("sun 23:59", Some(HandOver::Week(7 * 1440 - 1))),
            ("24:00", None),
            ("mon", None),
            ("9", None),
        ] {
            assert_eq!(text.parse::<HandOver>().ok(), expected, "{text}");
        }
    }

    #[test]
    fn times_are_by_the_clock_of_the_zone_unless_they_say_otherwise() {
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        for (text, expected) in [
            ("2026-01-05", Some("2026-01-04T23:00:00Z")),
            ("2026-01-05 09:00", Some("2026-01-05T08:00:00Z")),
            ("2026-07-05T09:00:30", Some("2026-07-05T07:00:30Z")),
            ("2026-07-05T09:00:00Z", Some("2026-07-05T09:00:00Z")),
            ("2026-13-05", None),
            ("09:00", None),
            ("2026-07-05T25:00", None),
            ("2026-01-05é09:00", None),
        ] {
            let at = parse_moment(&berlin, text).ok().map(|at| at.to_string());
            assert_eq!(at.as_deref(), expected, "{text}");
        }
    }
}
