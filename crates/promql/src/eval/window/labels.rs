//! The labels of what functions over windows give, bound once.

use std::sync::Arc;

use firebell_model::{Labels, METRIC_TYPE};

use crate::eval::frame::{SeriesSet, without_names};
use crate::eval::note::Note;
use crate::eval::{Context, State};
use crate::functions::Window;

/// The labels of the results, and what else only depends on those of the series.
pub(crate) struct WindowLabels {
    from: Arc<SeriesSet>,
    pub(super) to: Arc<SeriesSet>,
    /// Series that do not look like counters, for functions that want one.
    pub(super) doubtful: Vec<(u32, Note)>,
}

impl WindowLabels {
    fn of(window: Window, set: &Arc<SeriesSet>, context: &Context<'_>) -> Self {
        let to = match window {
            Window::First | Window::Last => Arc::clone(set),
            _ => without_names(set, context.options.delays_name_removal),
        };
        let mut doubtful = Vec::new();
        if matches!(window, Window::Rate | Window::Increase) {
            let has_type_labels = context.options.has_type_labels;
            let doubts = set.labels.iter().map(|it| doubt(it, has_type_labels));
            let rows = (0_u32..).zip(doubts);
            doubtful = rows
                .filter_map(|(row, doubt)| Some((row, doubt?)))
                .collect();
        }
        Self {
            from: Arc::clone(set),
            to,
            doubtful,
        }
    }

    /// Whether all results have labels of their own.
    pub(crate) fn are_unique(&self) -> bool {
        self.to.is_unique()
    }
}

/// Why a series may be no counter.
fn doubt(labels: &Labels, has_type_labels: bool) -> Option<Note> {
    let name = labels.metric_name();
    let kind = labels.get(METRIC_TYPE).unwrap_or_default();
    if name.is_empty() {
        None
    } else if has_type_labels {
        let is_counter = matches!(kind, "counter" | "histogram");
        (!is_counter).then(|| Note::TypeOfNoCounter(name.to_owned(), kind.to_owned()))
    } else {
        let is_counter = COUNTER_SUFFIXES.iter().any(|it| name.ends_with(it));
        (!is_counter).then(|| Note::PossiblyNoCounter(name.to_owned()))
    }
}

const COUNTER_SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// The labels of the results, bound once.
pub(super) fn bind_labels<'a>(
    window: Window,
    set: &Arc<SeriesSet>,
    state: &'a mut State,
    context: &Context<'_>,
) -> &'a WindowLabels {
    let (State::Window(_, bound) | State::Subquery(_, bound)) = state else {
        unreachable!("states are made from the program");
    };
    if !matches!(bound, Some(bound) if Arc::ptr_eq(&bound.from, set)) {
        *bound = None;
    }
    bound.get_or_insert_with(|| WindowLabels::of(window, set, context))
}
