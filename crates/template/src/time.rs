//! Times and durations in Go's forms and layouts.
//!
//! *Sources*: Go, `time/format.go`, `time/time.go`.

use std::fmt::Write;

use firebell_model::Timestamp;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;

use crate::value::Moment;

/// Go's zero time, 0001-01-01T00:00:00Z.
pub(crate) const ZERO_TIME: Timestamp = Timestamp(-62_135_596_800_000);
pub(crate) const NANOS_PER_MS: i64 = 1_000_000;

/// The date and time of day in the moment's zone.
pub(crate) fn civil(moment: &Moment) -> DateTime {
    moment.zone.to_datetime(moment.at.to_jiff())
}

/// How Go prints a time: `2022-01-25 12:36:43.5 +0000 UTC`.
pub(crate) fn moment_text(moment: &Moment) -> String {
    format_moment(moment, "2006-01-02 15:04:05.999999999 -0700 MST")
}

/// RFC 3339 with as many digits of a second as needed.
pub(crate) fn rfc3339_nano(moment: &Moment) -> String {
    format_moment(moment, "2006-01-02T15:04:05.999999999Z07:00")
}

/// A time in a Go layout, such as `15:04`.
pub(crate) fn format_moment(moment: &Moment, layout: &str) -> String {
    let civil = civil(moment);
    let mut text = String::new();
    let mut rest = layout;
    while !rest.is_empty() {
        match piece_at(rest, layout.len() - rest.len(), layout) {
            Some((piece, len)) => {
                write_piece(&mut text, piece, &rest[..len], &civil, moment);
                rest = &rest[len..];
            }
            None => {
                let len = rest.chars().next().map_or(1, char::len_utf8);
                text.push_str(&rest[..len]);
                rest = &rest[len..];
            }
        }
    }
    text
}

/// What a piece of a layout stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    LongMonth,
    ShortMonth,
    Month,
    LongWeekday,
    ShortWeekday,
    Day,
    PaddedDay,
    YearDay,
    Hour24,
    Hour12,
    Minute,
    Second,
    LongYear,
    ShortYear,
    UpperNoon,
    LowerNoon,
    ZoneName,
    Offset,
    Fraction,
}

/// Longest first where one begins with another. Offsets are told apart by their text.
const PIECES: &[(&str, Piece)] = &[
    ("January", Piece::LongMonth),
    ("Jan", Piece::ShortMonth),
    ("Monday", Piece::LongWeekday),
    ("Mon", Piece::ShortWeekday),
    ("MST", Piece::ZoneName),
    ("2006", Piece::LongYear),
    ("01", Piece::Month),
    ("002", Piece::YearDay),
    ("02", Piece::Day),
    ("03", Piece::Hour12),
    ("04", Piece::Minute),
    ("05", Piece::Second),
    ("06", Piece::ShortYear),
    ("15", Piece::Hour24),
    ("1", Piece::Month),
    ("__2", Piece::YearDay),
    ("_2", Piece::PaddedDay),
    ("2", Piece::Day),
    ("3", Piece::Hour12),
    ("4", Piece::Minute),
    ("5", Piece::Second),
    ("PM", Piece::UpperNoon),
    ("pm", Piece::LowerNoon),
    ("-07:00:00", Piece::Offset),
    ("-070000", Piece::Offset),
    ("-07:00", Piece::Offset),
    ("-0700", Piece::Offset),
    ("-07", Piece::Offset),
    ("Z07:00:00", Piece::Offset),
    ("Z070000", Piece::Offset),
    ("Z07:00", Piece::Offset),
    ("Z0700", Piece::Offset),
    ("Z07", Piece::Offset),
];

/// The piece at the start of `rest`, which begins at `at` in the layout, and its length.
fn piece_at(rest: &str, at: usize, layout: &str) -> Option<(Piece, usize)> {
    if rest.starts_with(['.', ',']) {
        return fraction_at(rest);
    }
    // `_2006` is an underscore and a year.
    if rest.starts_with("_2006") {
        return None;
    }
    let (text, piece) = PIECES.iter().find(|(text, _)| rest.starts_with(text))?;
    // `Month` is a word, not a weekday.
    let is_inside_word = matches!(piece, Piece::ShortMonth | Piece::ShortWeekday)
        && layout[at + text.len()..].starts_with(|c: char| c.is_ascii_lowercase());
    (!is_inside_word).then_some((*piece, text.len()))
}

/// `.000` or `.999`, when no further digit follows.
fn fraction_at(rest: &str) -> Option<(Piece, usize)> {
    let digit = rest[1..]
        .chars()
        .next()
        .filter(|c| matches!(c, '0' | '9'))?;
    let n_digits = rest[1..].chars().take_while(|c| *c == digit).count();
    let is_followed = rest[1 + n_digits..].starts_with(|c: char| c.is_ascii_digit());
    (!is_followed).then_some((Piece::Fraction, 1 + n_digits))
}

fn write_piece(out: &mut String, piece: Piece, text: &str, at: &DateTime, moment: &Moment) {
    let hour_12 = match at.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let noon = if at.hour() >= 12 { "PM" } else { "AM" };
    let padded = |value: i8| {
        if text.starts_with('0') {
            format!("{value:02}")
        } else {
            value.to_string()
        }
    };
    let piece_text = match piece {
        Piece::LongMonth => month_name(at.month()).to_owned(),
        Piece::ShortMonth => month_name(at.month())[..3].to_owned(),
        Piece::Month => padded(at.month()),
        Piece::LongWeekday => weekday_name(at.date().weekday()).to_owned(),
        Piece::ShortWeekday => weekday_name(at.date().weekday())[..3].to_owned(),
        Piece::Day => padded(at.day()),
        Piece::PaddedDay => format!("{:2}", at.day()),
        Piece::YearDay if text.starts_with('_') => format!("{:3}", at.date().day_of_year()),
        Piece::YearDay => format!("{:03}", at.date().day_of_year()),
        Piece::Hour24 => format!("{:02}", at.hour()),
        Piece::Hour12 => padded(hour_12),
        Piece::Minute => padded(at.minute()),
        Piece::Second => padded(at.second()),
        Piece::LongYear => format!("{:04}", at.year()),
        Piece::ShortYear => format!("{:02}", at.year().rem_euclid(100)),
        Piece::UpperNoon => noon.to_owned(),
        Piece::LowerNoon => noon.to_lowercase(),
        Piece::ZoneName => zone_name(moment),
        Piece::Offset => offset_text(text, moment),
        Piece::Fraction => fraction_text(text, at.subsec_nanosecond()),
    };
    out.push_str(&piece_text);
}

fn offset_secs(moment: &Moment) -> i32 {
    moment.zone.to_offset(moment.at.to_jiff()).seconds()
}

fn zone_name(moment: &Moment) -> String {
    if moment.zone == TimeZone::UTC {
        return "UTC".to_owned();
    }
    let info = moment.zone.to_offset_info(moment.at.to_jiff());
    info.abbreviation().to_owned()
}

fn offset_text(layout: &str, moment: &Moment) -> String {
    let secs = offset_secs(moment);
    if layout.starts_with('Z') && secs == 0 {
        return "Z".to_owned();
    }
    let (sign, size) = (if secs < 0 { '-' } else { '+' }, secs.abs());
    let colon = if layout.contains(':') { ":" } else { "" };
    let mut text = format!("{sign}{:02}", size / 3600);
    let n_digits = layout.bytes().filter(u8::is_ascii_digit).count();
    for unit in [60, 1].into_iter().take((n_digits / 2).saturating_sub(1)) {
        // Writing to a string cannot fail.
        _ = write!(text, "{colon}{:02}", size / unit % 60);
    }
    text
}

fn fraction_text(layout: &str, nanos: i32) -> String {
    let n_digits = layout.len() - 1;
    let digits: String = format!("{nanos:09}").chars().take(n_digits).collect();
    if !layout.ends_with('9') {
        return format!("{}{digits:0<n_digits$}", &layout[..1]);
    }
    match digits.trim_end_matches('0') {
        "" => String::new(),
        digits => format!("{}{digits}", &layout[..1]),
    }
}

/// Reads a time in a Go layout, as far as it is made of numbers, month names and offsets; nothing
/// when it does not fit.
pub(crate) fn parse_moment(layout: &str, text: &str) -> Option<Timestamp> {
    let mut read = Read::default();
    let (mut left, mut rest) = (layout, text);
    while !left.is_empty() {
        if let Some((piece, len)) = piece_at(left, layout.len() - left.len(), layout) {
            rest = read.piece(piece, &left[..len], rest)?;
            left = &left[len..];
            // A fraction may follow the seconds even where the layout has none.
            if piece == Piece::Second && !left.starts_with(['.', ',']) {
                rest = read.fraction(rest)?;
            }
        } else {
            let c = left.chars().next()?;
            rest = rest.strip_prefix(c)?;
            left = &left[c.len_utf8()..];
        }
    }
    rest.is_empty().then(|| read.moment())?
}

/// What was read of a time so far.
#[derive(Default)]
struct Read {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    hour: i8,
    is_afternoon: Option<bool>,
    minute: i8,
    second: i8,
    nanos: i32,
    offset_secs: i64,
}

impl Read {
    fn piece<'t>(&mut self, piece: Piece, layout: &str, text: &'t str) -> Option<&'t str> {
        let digits = |n_max: usize| {
            let text = text.trim_start_matches(' ');
            let n = text
                .bytes()
                .take(n_max)
                .take_while(u8::is_ascii_digit)
                .count();
            let is_fixed = layout.starts_with('0') || piece == Piece::LongYear;
            let value: i16 = text[..n].parse().ok()?;
            (n == n_max || !is_fixed).then_some((value, &text[n..]))
        };
        let two = |text: Option<(i16, &'t str)>| {
            text.and_then(|(value, rest)| Some((i8::try_from(value).ok()?, rest)))
        };
        let rest = match piece {
            Piece::LongYear | Piece::ShortYear => {
                let (value, rest) = digits(layout.len())?;
                let century = if value >= 69 { 1900 } else { 2000 };
                let is_short = piece == Piece::ShortYear;
                self.year = Some(if is_short { value + century } else { value });
                rest
            }
            Piece::Month => {
                two(digits(2))
                    .map(|(it, rest)| (self.month = Some(it), rest))?
                    .1
            }
            Piece::Day | Piece::PaddedDay => {
                two(digits(2))
                    .map(|(it, rest)| (self.day = Some(it), rest))?
                    .1
            }
            Piece::Hour24 | Piece::Hour12 => {
                two(digits(2)).map(|(it, rest)| (self.hour = it, rest))?.1
            }
            Piece::Minute => two(digits(2)).map(|(it, rest)| (self.minute = it, rest))?.1,
            Piece::Second => two(digits(2)).map(|(it, rest)| (self.second = it, rest))?.1,
            Piece::Fraction => {
                let rest = self.fraction(text)?;
                let is_exact = text.len() - rest.len() == layout.len();
                (is_exact || layout.ends_with('9')).then_some(rest)?
            }
            Piece::UpperNoon | Piece::LowerNoon => {
                let noon = text.get(..2)?;
                self.is_afternoon = Some(noon.eq_ignore_ascii_case("pm"));
                &text[2..]
            }
            Piece::LongMonth | Piece::ShortMonth => {
                let n = if piece == Piece::ShortMonth {
                    3
                } else {
                    usize::MAX
                };
                let is_here = |it: &str| text.starts_with(&it[..n.min(it.len())]);
                let idx = MONTHS.iter().position(|it| is_here(it))?;
                self.month = i8::try_from(idx + 1).ok();
                &text[n.min(MONTHS[idx].len())..]
            }
            Piece::LongWeekday | Piece::ShortWeekday => {
                text.trim_start_matches(|c: char| c.is_ascii_alphabetic())
            }
            Piece::ZoneName => text
                .strip_prefix("UTC")
                .or_else(|| text.strip_prefix("GMT"))?,
            Piece::Offset => self.offset(layout, text)?,
            Piece::YearDay => return None,
        };
        Some(rest)
    }

    /// Takes a fraction of a second, if there is one.
    fn fraction<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let Some(after) = text.strip_prefix(['.', ',']) else {
            return Some(text);
        };
        let n = after.bytes().take_while(u8::is_ascii_digit).count();
        let digits: String = after[..n].chars().take(9).collect();
        self.nanos = format!("{digits:0<9}").parse().ok()?;
        (n > 0).then_some(&after[n..])
    }

    fn offset<'t>(&mut self, layout: &str, text: &'t str) -> Option<&'t str> {
        if layout.starts_with('Z')
            && let Some(rest) = text.strip_prefix('Z')
        {
            return Some(rest);
        }
        let piece = text.get(..layout.len())?;
        let sign = match piece.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let digits = piece[1..].replace(':', "");
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let unit = |at: usize| {
            digits
                .get(at..at + 2)
                .map_or(Some(0), |it| it.parse::<i64>().ok())
        };
        self.offset_secs = sign * (unit(0)? * 3600 + unit(2)? * 60 + unit(4)?);
        is_number.then_some(&text[layout.len()..])
    }

    fn moment(&self) -> Option<Timestamp> {
        let hour = match self.is_afternoon {
            Some(is_afternoon) => self.hour % 12 + if is_afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let (year, month) = (self.year.unwrap_or(0), self.month.unwrap_or(1));
        let day = self.day.unwrap_or(1);
        let civil = DateTime::new(year, month, day, hour, self.minute, self.second, self.nanos);
        let at = TimeZone::UTC.to_timestamp(civil.ok()?).ok()?;
        Some(Timestamp(at.as_millisecond() - self.offset_secs * 1000))
    }
}

/// How Go prints a duration: `1h0m5.5s`, `1.5µs`.
pub(crate) fn duration_text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.unsigned_abs();
    for (unit, ns) in [("ns", 1_u64), ("µs", 1_000), ("ms", 1_000_000)] {
        if size < ns * 1000 && size > 0 {
            return format!("{sign}{}{unit}", decimal(size, ns));
        }
    }
    let secs = size / 1_000_000_000;
    let (h, m) = (secs / 3600, secs / 60 % 60);
    let s = decimal(size % 60_000_000_000, 1_000_000_000);
    if h > 0 {
        format!("{sign}{h}h{m}m{s}s")
    } else if m > 0 {
        format!("{sign}{m}m{s}s")
    } else {
        format!("{sign}{s}s")
    }
}

/// `value / unit` with all its decimals.
fn decimal(value: u64, unit: u64) -> String {
    let width = unit.ilog10() as usize;
    let fraction = format!("{:0width$}", value % unit);
    match fraction.trim_end_matches('0') {
        "" => (value / unit).to_string(),
        fraction => format!("{}.{fraction}", value / unit),
    }
}

pub(crate) fn month_name(month: i8) -> &'static str {
    let idx = usize::try_from(month - 1).unwrap_or(0);
    MONTHS.get(idx).copied().unwrap_or("January")
}

pub(crate) fn weekday_name(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
