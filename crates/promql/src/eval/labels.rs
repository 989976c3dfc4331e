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
    if let Some(bad) = from.iter().find(|name| !is_label_name(name)) {
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
            if !is_label_name(to) {
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

/// Any text is the name of a label, as long as it is UTF-8 and not empty.
pub(crate) fn is_label_name(name: &StringLiteral) -> bool {
    !name.value.is_empty() && name.broken.is_none()
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

/// Digits compare as numbers: `cpu2` before `cpu10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (n_a, n_b) = (digits(a), digits(b));
        if n_a > 0 && n_b > 0 {
            let number = |text: &[u8], n: usize| {
                let zeros = text[..n].iter().take_while(|&&byte| byte == b'0').count();
                text[zeros..n].to_vec()
            };
            let (x, y) = (number(a, n_a), number(b, n_b));
            let ordering = x.len().cmp(&y.len()).then_with(|| x.cmp(&y));
            if ordering.is_ne() {
                return ordering;
            }
            (a, b) = (&a[n_a..], &b[n_b..]);
            continue;
        }
        match (a.split_first(), b.split_first()) {
            (None, None) => return Ordering::Equal,
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some((x, rest_a)), Some((y, rest_b))) if x == y => (a, b) = (rest_a, rest_b),
            (Some((x, _)), Some((y, _))) => return x.cmp(y),
        }
    }
}
