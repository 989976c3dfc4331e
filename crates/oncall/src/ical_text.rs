//! The parts of iCalendar text: lines, properties, times.
//!
//! *Sources*: RFC 5545: lines and how they are folded (3.1), properties and their parameters (3.2),
//! dates and durations (3.3.4 to 3.3.6), texts (3.3.11).

use jiff::civil::{Date, DateTime, Time};

use crate::civil::{DAY, HOUR, minute_of};

/// A line as it was before it was folded.
pub(crate) struct Line {
    /// From 1 on; the first of its parts.
    pub number: usize,
    pub text: String,
}

/// Lines, put together again where they continue.
pub(crate) fn unfolded(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (idx, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => last.text.push_str(rest),
            _ => lines.push(Line {
                number: idx + 1,
                text: line.to_owned(),
            }),
        }
    }
    lines
}

/// A property: `NAME;PARAM=VALUE:value`.
pub(crate) struct Property<'t> {
    /// In capitals.
    pub name: String,
    pub value: &'t str,
    params: &'t str,
}

impl<'t> Property<'t> {
    /// Parameters may have `:` and `;` within quotes.
    pub(crate) fn read(text: &'t str) -> Option<Self> {
        let (head, value) = text.split_at(unquoted(text, ':')?);
        let (name, params) = match unquoted(head, ';') {
            Some(at) => head.split_at(at),
            None => (head, ""),
        };
        Some(Self {
            name: name.trim().to_ascii_uppercase(),
            value: value.get(1..)?.trim(),
            params,
        })
    }

    /// A parameter, without quotes.
    pub(crate) fn param(&self, name: &str) -> Option<&'t str> {
        let mut rest = self.params.strip_prefix(';')?;
        loop {
            let end = unquoted(rest, ';').unwrap_or(rest.len());
            let (param, more) = rest.split_at(end);
            let (key, value) = param.split_once('=').unwrap_or((param, ""));
            if key.trim().eq_ignore_ascii_case(name) {
                return Some(value.trim().trim_matches('"'));
            }
            rest = more.strip_prefix(';')?;
        }
    }
}

/// Where a character first stands outside of quotes.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut is_quoted = false;
    text.find(|c: char| {
        is_quoted ^= c == '"';
        c == wanted && !is_quoted
    })
}

/// A text without what escapes it.
pub(crate) fn unescaped(text: &str) -> String {
    let (mut plain, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => '\n',
                Some(c) => c,
                None => '\\',
            },
            c => c,
        });
    }
    plain
}

/// Texts between commas, without what escapes them.
pub(crate) fn texts(list: &str) -> Vec<String> {
    let (mut parts, mut from, mut is_escaped) = (Vec::new(), 0, false);
    for (at, c) in list.char_indices() {
        if c == ',' && !is_escaped {
            parts.push(unescaped(&list[from..at]));
            from = at + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    parts.push(unescaped(&list[from..]));
    parts
}

/// `20260105`, `20260105T090000` or the same with `Z`, as a minute of the calendar.
pub(crate) fn moment(text: &str) -> Option<i64> {
    Some(minute_of(civil(text)?))
}

/// The same as what a clock shows.
pub(crate) fn civil(text: &str) -> Option<DateTime> {
    let text = text.trim();
    let (date, time) = text.split_once('T').unwrap_or((text, "000000"));
    let time = time.strip_suffix('Z').unwrap_or(time);
    let is_digits = |text: &str, n| text.len() == n && text.bytes().all(|it| it.is_ascii_digit());
    if !is_digits(date, 8) || !is_digits(time, 6) {
        return None;
    }
    let part = |text: &str, from, to| text.get(from..to)?.parse::<i8>().ok();
    let year = date.get(..4)?.parse::<i16>().ok()?;
    if year > LAST_DAY.year() {
        return None;
    }
    let date = Date::new(year, part(date, 4, 6)?, part(date, 6, 8)?).ok()?;
    // A leap second is the one before it.
    let second = part(time, 4, 6)?.min(59);
    let time = Time::new(part(time, 0, 2)?, part(time, 2, 4)?, second, 0).ok()?;
    Some(DateTime::from_parts(date, time))
}

/// `P1D`, `P2W`, `PT8H30M`, `P1DT12H` in minutes.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let text = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (mut minutes, mut number, mut is_time) = (0_i64, String::new(), false);
    for c in text.chars() {
        let unit = match (c, is_time) {
            ('0'..='9', _) if number.len() < 6 => {
                number.push(c);
                continue;
            }
            ('T', false) if number.is_empty() => {
                is_time = true;
                continue;
            }
            ('W', false) => 7 * DAY,
            ('D', false) => DAY,
            ('H', true) => HOUR,
            ('M', true) => 1,
            ('S', true) => 0,
            _ => return None,
        };
        minutes += number.parse::<i64>().ok()? * unit;
        number.clear();
    }
    (number.is_empty() && !text.is_empty()).then_some(minutes)
}

/// Later ones have no moments everywhere.
pub(crate) const LAST_DAY: Date = Date::constant(9998, 12, 31);
/// A longer list of times is not read.
pub(crate) const LIST_BYTES_MAX: usize = 100_000;
/// Characters of a value, where it is named as not understood.
pub(crate) const VALUE_SHOWN_MAX: usize = 40;
