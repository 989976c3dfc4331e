//! How times and ranges are written: `09:00`, `monday:friday`, `-7:-1`, `may:august`.

use super::{Span, TimeOfDay};

/// What is wrong with the text of a time interval, in upstream's words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ParseTimeError(pub(super) String);

/// The days of the week in English, Sunday first.
pub(crate) const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

// The shortest month: what is wrong in it is wrong in all.
const DAYS_OF_MONTH_MIN: i64 = 28;

impl TimeOfDay {
    /// Reads `start_time` and `end_time`, such as `09:00` and `24:00`.
    ///
    /// # Errors
    /// When one is missing or malformed, or the end is not after the start.
    pub fn parse(start: &str, end: &str) -> Result<Self, ParseTimeError> {
        if start.is_empty() || end.is_empty() {
            return Err(wrong("both start and end times must be provided"));
        }
        let (start_minute, end_minute) = (minute_of_day(start)?, minute_of_day(end)?);
        if start_minute >= end_minute {
            let what = "start time cannot be equal or greater than end time";
            return Err(wrong(what));
        }
        Ok(Self {
            start_minute,
            end_minute,
        })
    }
}

impl Span {
    /// Reads `saturday` or `monday:friday`, in any case.
    ///
    /// # Errors
    /// When a word is no day, or the last comes before the first.
    pub fn weekdays(text: &str) -> Result<Self, ParseTimeError> {
        let span = Self::read(text, |word| {
            let idx = WEEKDAYS.iter().position(|day| *day == word);
            let idx = idx.ok_or_else(|| wrong(format!("{word} is not a valid weekday")))?;
            Ok(idx as i64)
        })?;
        if span.first > span.last {
            return Err(wrong("start day cannot be before end day"));
        }
        Ok(span)
    }

    /// Reads `1`, `1:5` or `-3:-1`.
    ///
    /// # Errors
    /// When a day is none of a month, or the last always comes before the first.
    pub fn days_of_month(text: &str) -> Result<Self, ParseTimeError> {
        let span = Self::read(text, integer)?;
        for day in [span.first, span.last] {
            if day == 0 || day.abs() > 31 {
                let what = format!("{day} is not a valid day of the month: out of range");
                return Err(wrong(what));
            }
        }
        let Self { first, last } = span;
        if first < 0 && last > 0 {
            let what = "end day must be negative if start day is negative";
            return Err(wrong(what));
        }
        let in_shortest = |day: i64| match day < 0 {
            true => DAYS_OF_MONTH_MIN + day,
            false => day,
        };
        if in_shortest(first) > in_shortest(last) {
            let what = format!("end day {last} is always before start day {first}");
            return Err(wrong(what));
        }
        Ok(span)
    }

    /// Reads `may`, `5` or `may:august`, in any case. Numbers are not looked at, as upstream.
    ///
    /// # Errors
    /// When a word is no month, or the last comes before the first.
    pub fn months(text: &str) -> Result<Self, ParseTimeError> {
        let span = Self::read(text, |word| {
            let named = MONTHS.iter().position(|month| *month == word);
            let named = named.map(|idx| idx as i64 + 1);
            let month = named.or_else(|| integer(word).ok());
            month.ok_or_else(|| wrong(format!("{word} is not a valid month")))
        })?;
        if span.first > span.last {
            let name = |month: i64| {
                let idx = usize::try_from(month).ok().and_then(|it| it.checked_sub(1));
                idx.and_then(|idx| MONTHS.get(idx)).unwrap_or(&"")
            };
            let (first, last) = (name(span.first), name(span.last));
            let what = format!("end month {last} is before start month {first}");
            return Err(wrong(what));
        }
        Ok(span)
    }

    /// Reads `2026` or `2026:2028`.
    ///
    /// # Errors
    /// When it is no number, or the last comes before the first.
    pub fn years(text: &str) -> Result<Self, ParseTimeError> {
        let span = Self::read(text, integer)?;
        if span.first > span.last {
            let Self { first, last } = span;
            let what = format!("end year {last} is before start year {first}");
            return Err(wrong(what));
        }
        Ok(span)
    }

    fn read(
        text: &str,
        member: impl Fn(&str) -> Result<i64, ParseTimeError>,
    ) -> Result<Self, ParseTimeError> {
        let text = text.to_lowercase();
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [only] => member(only).map(|first| Self { first, last: first }),
            [first, last] => Ok(Self {
                first: member(first)?,
                last: member(last)?,
            }),
            _ => Err(wrong(format!(
                "couldn't parse range {text}, invalid format"
            ))),
        }
    }
}

fn wrong(what: impl Into<String>) -> ParseTimeError {
    ParseTimeError(what.into())
}

// Go's `strconv.Atoi`.
fn integer(text: &str) -> Result<i64, ParseTimeError> {
    text.parse().map_err(|error: std::num::ParseIntError| {
        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
        let why = match error.kind() {
            PosOverflow | NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        wrong(format!("strconv.Atoi: parsing {text:?}: {why}"))
    })
}

// `00:00` to `24:00`.
fn minute_of_day(text: &str) -> Result<i64, ParseTimeError> {
    let malformed = || wrong(format!("couldn't parse timestamp {text}, invalid format"));
    let two_digits = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i64>().ok()).flatten()
    };
    let (hour, minute) = text.split_once(':').ok_or_else(malformed)?;
    match (two_digits(hour), two_digits(minute)) {
        (Some(24), Some(0)) => Ok(24 * 60),
        (Some(hour @ 0..24), Some(minute @ 0..60)) => Ok(hour * 60 + minute),
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::time_interval::zone;

    fn check(read: fn(&str) -> Result<Span, ParseTimeError>, texts: &[&str], expected: Expect) {
        let shown = |text: &&str| match read(text) {
            Ok(Span { first, last }) => format!("{text}: {first} to {last}\n"),
            Err(error) => format!("{text}: {error}\n"),
        };
        expected.assert_eq(&texts.iter().map(shown).collect::<String>());
    }

    #[test]
    fn ranges_are_read_and_refused_as_upstream_does() {
        check(
            Span::weekdays,
            &[
                "Saturday",
                "monday:friday",
                "friday:monday",
                "mon",
                "1",
                "a:b:c",
            ],
            expect![[r#"
                Saturday: 6 to 6
                monday:friday: 1 to 5
                friday:monday: start day cannot be before end day
                mon: mon is not a valid weekday
                1: 1 is not a valid weekday
                a:b:c: couldn't parse range a:b:c, invalid format
            "#]],
        );
        check(
            Span::days_of_month,
            &[
                "1", "1:5", "-3:-1", "5:-1", "0", "32", "-1:1", "-1:-3", "10:5", "30:-3", "x",
            ],
            expect![[r#"
                1: 1 to 1
                1:5: 1 to 5
                -3:-1: -3 to -1
                5:-1: 5 to -1
                0: 0 is not a valid day of the month: out of range
                32: 32 is not a valid day of the month: out of range
                -1:1: end day must be negative if start day is negative
                -1:-3: end day -3 is always before start day -1
                10:5: end day 5 is always before start day 10
                30:-3: end day -3 is always before start day 30
                x: strconv.Atoi: parsing "x": invalid syntax
            "#]],
        );
        check(
            Span::months,
            &["May:August", "5", "december:may", "13", "13:1", "feb"],
            expect![[r#"
                May:August: 5 to 8
                5: 5 to 5
                december:may: end month may is before start month december
                13: 13 to 13
                13:1: end month january is before start month 
                feb: feb is not a valid month
            "#]],
        );
        check(
            Span::years,
            &["2026", "2026:2028", "2028:2026", "99999999999999999999"],
            expect![[r#"
                2026: 2026 to 2026
                2026:2028: 2026 to 2028
                2028:2026: end year 2026 is before start year 2028
                99999999999999999999: strconv.Atoi: parsing "99999999999999999999": value out of range
            "#]],
        );
    }

    #[test]
    fn times_of_day_are_read_and_refused_as_upstream_does() {
        let cases = [
            ("09:00", "17:30", "540 to 1050"),
            ("00:00", "24:00", "0 to 1440"),
            (
                "9:00",
                "17:00",
                "couldn't parse timestamp 9:00, invalid format",
            ),
            (
                "09:00",
                "24:01",
                "couldn't parse timestamp 24:01, invalid format",
            ),
            (
                "09:60",
                "24:00",
                "couldn't parse timestamp 09:60, invalid format",
            ),
            (
                "0900",
                "24:00",
                "couldn't parse timestamp 0900, invalid format",
            ),
            (
                "09:00",
                "09:00",
                "start time cannot be equal or greater than end time",
            ),
            ("09:00", "", "both start and end times must be provided"),
        ];
        for (start, end, expected) in cases {
            let read = TimeOfDay::parse(start, end);
            let shown = read.map(|it| format!("{} to {}", it.start_minute, it.end_minute));
            assert_eq!(shown.unwrap_or_else(|error| error.to_string()), expected);
        }
    }

    #[test]
    fn a_zone_is_found_by_its_name_as_it_is_written() {
        for (name, is_known) in [
            ("Europe/Berlin", true),
            ("", true),
            ("Local", true),
            ("Mars/Olympus", false),
            ("europe/berlin", false),
        ] {
            assert_eq!(zone(name).is_ok(), is_known, "{name}");
        }
        let error = zone("Mars/Olympus").map_err(|error| error.to_string());
        assert_eq!(
            error.err().as_deref(),
            Some("unknown time zone Mars/Olympus")
        );
    }
}
