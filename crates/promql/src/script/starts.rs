//! `@st` lines of `load`: since when the samples of the next line count.
//!
//! *Sources*: Prometheus, `promql/promqltest/test.go`, `parseSTLine` and `parseSTItem`.

use firebell_model::{Duration, Labels, Start, Timestamp};

use crate::description::{self, Described};

/// How far before or after each sample of a series its start lies; `None` where nothing is said.
pub(super) struct Offsets {
    labels: Labels,
    offsets: Vec<Option<Duration>>,
}

impl Offsets {
    /// Reads a line such as `metric{a="b"}@st _ -1m -30s-1mx2`; `None` when it is of another kind.
    pub(super) fn read(line: &str) -> Option<Result<Self, String>> {
        let (series, items) = line.split_once([' ', '\t'])?;
        let series = series.strip_suffix("@st")?;
        Some(read(series, items))
    }

    /// Since when the samples of a series count, of which there is one each `interval`.
    pub(super) fn starts(
        self,
        labels: &Labels,
        values: &[Described],
        interval: Duration,
    ) -> Result<Vec<Start>, String> {
        if self.labels != *labels {
            return Err("@st metric does not match the following sample line metric".to_owned());
        }
        let (n, n_values) = (self.offsets.len(), values.len());
        if n != n_values {
            return Err(format!(
                "@st line has {n} values but sample line has {n_values}"
            ));
        }
        let start = |(idx, (offset, value)): (usize, (Option<Duration>, &Described))| {
            let at = Timestamp(0) + interval * idx as i64;
            let since = at + offset.filter(|_| *value != Described::Nothing)?;
            (since != Timestamp(0)).then_some(Start { at, since })
        };
        let all = self.offsets.into_iter().zip(values).enumerate();
        Ok(all.filter_map(start).collect())
    }
}

fn read(series: &str, items: &str) -> Result<Offsets, String> {
    let labels = description::labels(series)
        .map_err(|error| format!("invalid @st line metric {series:?}: {error}"))?;
    let mut offsets = Vec::new();
    for text in items.split_whitespace() {
        item(text, &mut offsets)
            .map_err(|error| format!("invalid @st sequence: invalid ST item {text:?}: {error}"))?;
    }
    Ok(Offsets { labels, offsets })
}

/// Reads `_`, `_x3`, `-1m`, `-1mx3` or `-30s-1mx3`.
fn item(text: &str, all: &mut Vec<Option<Duration>>) -> Result<(), String> {
    if let Some(times) = text.strip_prefix('_') {
        let n = match times.strip_prefix('x') {
            _ if times.is_empty() => 1,
            Some(times) => repeat(times)?,
            None => 0,
        };
        if n == 0 {
            return Err("invalid repeat count".to_owned());
        }
        all.extend(std::iter::repeat_n(None, n));
        return Ok(());
    }
    let (mut offset, rest) = duration(text)?;
    let (step, rest) = match rest.chars().next() {
        None | Some('x') => (Duration::ZERO, rest),
        Some('+' | '-') => {
            let step = duration(rest).map_err(|error| format!("invalid step duration: {error}"))?;
            if !step.1.starts_with('x') {
                return Err("expected 'x<count>' after step duration".to_owned());
            }
            step
        }
        Some(other) => return Err(format!("unexpected character {other:?} after duration")),
    };
    let n = rest.strip_prefix('x').map_or(Ok(0), repeat)?;
    for _ in 0..=n {
        all.push(Some(offset));
        offset = offset + step;
    }
    Ok(())
}

fn repeat(times: &str) -> Result<usize, String> {
    let times = times.parse().ok();
    times
        .filter(|n| *n <= description::REPEAT_MAX)
        .ok_or_else(|| "invalid repeat count".to_owned())
}

/// Takes a duration with a sign from the front of a text.
fn duration(text: &str) -> Result<(Duration, &str), String> {
    let unsigned = text.trim_start_matches(['-', '+']);
    if text.len() - unsigned.len() > 1 {
        return Err(format!("expected digits in duration {text:?}"));
    }
    let n_digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if n_digits == 0 {
        return Err(format!("expected digits in duration {text:?}"));
    }
    // `x` says how often, and is in no unit.
    let unit = unsigned[n_digits..].bytes();
    let unit = unit.take_while(|byte| byte.is_ascii_alphabetic() && *byte != b'x');
    let (number, rest) = unsigned.split_at(n_digits + unit.count());
    let length =
        super::duration(number).map_err(|error| format!("invalid duration {number:?}: {error}"))?;
    Ok((
        if text.starts_with('-') {
            -length
        } else {
            length
        },
        rest,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_lines_read_as_upstream_reads_them() {
        let shown = |text: &str| {
            let mut all = Vec::new();
            match text
                .split_whitespace()
                .try_for_each(|it| item(it, &mut all))
            {
                Err(error) => error,
                Ok(()) => {
                    let all = all.iter().map(|it| match it {
                        None => "_".to_owned(),
                        Some(offset) => offset.0.to_string(),
                    });
                    all.collect::<Vec<_>>().join(" ")
                }
            }
        };
        for (text, expected) in [
            ("_ _x2 0 1ms +1m -2s", "_ _ _ 0 1 60000 -2000"),
            ("-1mx2", "-60000 -60000 -60000"),
            ("-30s-1mx2", "-30000 -90000 -150000"),
            ("1ms+1sx1", "1 1001"),
            ("_x0", "invalid repeat count"),
            ("_y", "invalid repeat count"),
            ("1m+1s", "expected 'x<count>' after step duration"),
            ("1m*2", "unexpected character '*' after duration"),
            ("--1m", "expected digits in duration \"--1m\""),
            ("m", "expected digits in duration \"m\""),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
