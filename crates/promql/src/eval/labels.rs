//! Functions that change or look at labels.

use std::cmp::Ordering;
use std::sync::Arc;

use firebell_model::{Labels, METRIC_NAME, Regex};

use super::frame::{Block, Frame, SeriesSet};
use super::{Frames, Renamed, State};
use crate::ast::StringLiteral;
use crate::error::{EvalError, execution};
use crate::plan::OpIdx;

/// `label_replace(v, dst, replacement, src, regex)`.
pub(crate) fn replace(
    args: &[OpIdx],
    state: &mut State,
    frames: &mut Frames<'_>,
    n: usize,
) -> Result<Frame, EvalError> {
    let block = frames.vector(args[0], n)?;
    let texts: Vec<_> = args[1..].iter().map(|&arg| frames.string(arg)).collect();
    let [to, replacement, from, regex] = texts.as_slice() else {
        unreachable!("the checker has counted the arguments");
    };
    relabel(block, to, state, "label_replace", || {
        let regex = Regex::anchored(&regex.value).map_err(|_| {
            let text = &regex.value;
            EvalError::Execution(format!(
                "invalid regular expression in label_replace(): {text}"
            ))
        })?;
        Ok(move |labels: &Labels| regex.expand(labels.value(&from.value), &replacement.value))
    })
}

/// `label_join(v, dst, separator, src…)`.
pub(crate) fn join(
    args: &[OpIdx],
    state: &mut State,
    frames: &mut Frames<'_>,
    n: usize,
) -> Result<Frame, EvalError> {
    let block = frames.vector(args[0], n)?;
    let texts: Vec<_> = args[1..].iter().map(|&arg| frames.string(arg)).collect();
    let [to, separator, from @ ..] = texts.as_slice() else {
        unreachable!("the checker has counted the arguments");
    };
    if let Some(bad) = from.iter().find(|name| !name.is_label_name()) {
        let name = &bad.value;
        return execution(format!("invalid source label name in label_join(): {name}"));
    }
    relabel(block, to, state, "label_join", || {
        Ok(|labels: &Labels| {
            let values: Vec<&str> = from.iter().map(|it| labels.value(&it.value)).collect();
            Some(values.join(&separator.value))
        })
    })
}

/// Sets the label `to` wherever the function that `make` makes gives a value.
fn relabel<F: Fn(&Labels) -> Option<String>>(
    mut block: Block,
    to: &StringLiteral,
    state: &mut State,
    function: &str,
    make: impl FnOnce() -> Result<F, EvalError>,
) -> Result<Frame, EvalError> {
    let renamed = match std::mem::replace(state, State::Unbound) {
        State::Renamed(renamed) if Arc::ptr_eq(&renamed.from, &block.set) => renamed,
        _ => {
            if !to.is_label_name() {
                let name = &to.value;
                return execution(format!(
                    "invalid destination label name in {function}(): {name}"
                ));
            }
            let value_of = make()?;
            let mut all = Vec::with_capacity(block.set.len());
            let mut drops_name = Vec::with_capacity(block.set.len());
            for (idx, labels) in block.set.labels.iter().enumerate() {
                let value = value_of(labels);
                let names_anew = value.is_some() && to.value == METRIC_NAME;
                drops_name.push(block.set.drops_name(idx) && !names_anew);
                all.push(match value {
                    Some(value) => {
                        let mut builder = labels.to_builder();
                        builder.set(to.value.as_str(), value);
                        builder.build()
                    }
                    None => labels.clone(),
                });
            }
            Renamed {
                from: Arc::clone(&block.set),
                to: SeriesSet::new(all, drops_name),
            }
        }
    };
    block.set = Arc::clone(&renamed.to);
    *state = State::Renamed(renamed);
    Ok(Frame::Vector(block))
}

/// Orders an instant vector by some labels, then by all of them.
pub(crate) fn sort(block: &mut Block, names: &[&str], is_descending: bool) {
    let mut order = block.present(0);
    let labels = &block.set.labels;
    order.sort_by(|&a, &b| {
        let (a, b) = (&labels[a as usize], &labels[b as usize]);
        let by_names = names
            .iter()
            .map(|name| natural(a.value(name), b.value(name)));
        let ordering = by_names
            .into_iter()
            .find(|ordering| ordering.is_ne())
            .unwrap_or_else(|| a.cmp(b));
        if is_descending {
            ordering.reverse()
        } else {
            ordering
        }
    });
    block.order = Some(order);
}

/// Compares runs of digits and of others one by one: digits as numbers as long as these fit into 64
/// bits, all else as text, `cpu2` before `cpu10` and `pod1` before `pod-a`.
///
/// Numbers of more bits come after the others; upstream compares them with these as text, by which
/// 5 is less than 10, 10 less than 100000000000000000000, and that less than 5.
fn natural(a: &str, b: &str) -> Ordering {
    let by_runs = runs(a).map(rank_of).cmp(runs(b).map(rank_of));
    // `1` and `01` are the same number.
    by_runs.then_with(|| a.cmp(b))
}

/// A text cut where digits begin or end.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    text.as_bytes()
        .chunk_by(move |a, b| is_digit(a) == is_digit(b))
        .scan(0, |at, run| {
            let start = std::mem::replace(at, *at + run.len());
            Some(&text[start..*at])
        })
}

/// Where a run stands among others: on which side of the digits, as which number, as which text.
fn rank_of(run: &str) -> (Ordering, u64, &str) {
    let first = run.as_bytes()[0];
    if !first.is_ascii_digit() {
        return (first.cmp(&b'0'), 0, run);
    }
    match run.parse::<i64>() {
        Ok(number) => (Ordering::Equal, number.cast_unsigned(), ""),
        Err(_) => (Ordering::Equal, u64::MAX, run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_in_natural_order() {
        let sorted = [
            "",
            " 1",
            "-2",
            "01",
            "1",
            "2",
            "10",
            "x",
            "x1",
            "x1 a",
            "x1a2",
            "x01a10",
            "x9",
            "x9223372036854775807",
            "x100000000000000000000",
            "x99999999999999999999",
            "x b",
            "x-1",
            "ü1",
        ];
        let mut sorted_by_it = sorted;
        sorted_by_it.reverse();
        sorted_by_it.sort_by(|a, b| natural(a, b));
        assert_eq!(sorted_by_it, sorted);
    }
}
