//! Expressions that compare what series come to with a number, asked many at once.
//!
//! Most alerting rules are of this kind, and find nothing most of the time. To learn that, their
//! series are read in one go; what finds something, or might, is evaluated by itself.
//!
//! *Invariants*: what is called quiet has neither a result nor an error. In doubt it is not quiet.
//! Nothing is bound here: expressions are noted after an evaluation has bound them.

use std::ops::Range;

use firebell_model::{Column, Growth, Sample, SeriesId, Source, TimeRange, Timestamp};

use super::frame::is_absent;
use super::select::{CANCEL_CHECK_EVERY, Selection, Wanted, value_of};
use super::window::rate;
use super::{Options, Prepared, State};
use crate::arithmetic::compare;
use crate::ast::{BinaryOp, threshold};
use crate::duration::QueryShape;
use crate::functions::Window;
use crate::plan::{OpKind, Reader, WindowSource};

/// Comparisons of one store, by the place that whoever keeps them has for each.
#[derive(Default)]
pub struct Comparisons {
    /// Of the series that are known.
    generation: u64,
    /// Those of one expression after those of another, in the order in which they were noted.
    ids: Vec<SeriesId>,
    places: Vec<Place>,
}

/// What is known of an expression.
#[derive(Clone, Default)]
enum Place {
    /// Nothing, or of series as they were.
    #[default]
    Unknown,
    /// It is not of this kind.
    Other,
    Known(Comparison),
}

#[derive(Clone)]
struct Comparison {
    reading: Reading,
    op: BinaryOp,
    number: f64,
    /// Which of the ids.
    ids: Range<usize>,
    /// They hold for ranges that begin no earlier.
    after: Timestamp,
}

/// What is read of series: of those that agree in it, in one go.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Reading {
    /// None for the value at the moment.
    window: Option<Window>,
    /// Zero without a window: then it is the lookback.
    length: firebell_model::Duration,
    offset: firebell_model::Duration,
}

impl Comparisons {
    /// Notes an expression that was evaluated at one moment just now, if it is of this kind. The
    /// expression of a place must not change.
    pub fn note(&mut self, place: usize, prepared: &Prepared) {
        if self.places.len() <= place {
            self.places.resize(place + 1, Place::Unknown);
        }
        if matches!(self.places[place], Place::Other) {
            return;
        }
        let Some(found) = Found::of(prepared) else {
            self.places[place] = Place::Other;
            return;
        };
        let Some(selection) = found.bound else {
            return;
        };
        if selection.generation != self.generation {
            self.forget();
            self.generation = selection.generation;
        }
        if matches!(self.places[place], Place::Known(_)) {
            return;
        }
        let start = self.ids.len();
        self.ids.extend(selection.ids.iter());
        self.places[place] = Place::Known(Comparison {
            reading: found.reading,
            op: found.op,
            number: found.number,
            ids: start..self.ids.len(),
            after: selection.after,
        });
    }

    /// Series have come or gone.
    fn forget(&mut self) {
        self.ids.clear();
        let known = self.places.iter_mut();
        let known = known.filter(|place| matches!(place, Place::Known(_)));
        known.for_each(|place| *place = Place::Unknown);
    }

    /// Of each of these places whether its expression certainly has no result at a moment. Of those
    /// that were not read when nobody waits any longer ([`Options::is_cancelled`]) it is not said.
    #[must_use]
    pub fn quiet(
        &self,
        places: impl IntoIterator<Item = usize>,
        source: &dyn Source,
        at: Timestamp,
        options: &Options<'_>,
    ) -> Vec<bool> {
        // Since when samples count is not read here.
        let is_known = source.generation() == self.generation && !options.uses_starts;
        let known = |place: usize| match self.places.get(place) {
            Some(Place::Known(known)) if is_known => {
                let is_bound = known.after <= known.reading.range(at, options).after;
                is_bound.then_some(known)
            }
            _ => None,
        };
        let known: Vec<Option<&Comparison>> = places.into_iter().map(known).collect();
        let mut quiet = vec![false; known.len()];
        let asked = known.iter().zip(&mut quiet);
        let mut asked = asked.filter_map(|(known, quiet)| Some(((*known)?, quiet)));
        let mut run: Vec<(&Comparison, &mut bool)> = Vec::new();
        loop {
            let next = asked.next();
            let goes_on = |(next, _): &(&Comparison, &mut bool)| {
                let (first, last) = (run.first()?.0, run.last()?.0);
                let fits = next.ids.end <= first.ids.start + CANCEL_CHECK_EVERY;
                (fits && next.reading == last.reading && next.ids.start == last.ids.end)
                    .then_some(())
            };
            if next.as_ref().and_then(goes_on).is_none() {
                if !run.is_empty() && options.is_cancelled.is_some_and(|it| it()) {
                    return quiet;
                }
                self.read(&mut run, source, at, options);
                run.clear();
            }
            match next {
                Some(next) => run.push(next),
                None => return quiet,
            }
        }
    }

    /// Judges comparisons that agree in what they read, of ids that follow each other.
    fn read(
        &self,
        run: &mut [(&Comparison, &mut bool)],
        source: &dyn Source,
        at: Timestamp,
        options: &Options<'_>,
    ) {
        let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else {
            return;
        };
        let (reading, start) = (first.reading, first.ids.start);
        let ids = &self.ids[start..last.ids.end];
        let range = reading.range(at, options);
        match reading.window {
            None => {
                let mut latest = Column::<Option<Sample>>::default();
                if source.latest(ids, range, &mut latest).is_ok() {
                    let value = |it: &Option<Sample>| Some(value_of(*it, Wanted::Value));
                    judge(run, start, &latest, value);
                }
            }
            Some(window) => {
                let mut growths = Column::<Option<Growth>>::default();
                if source.growths(ids, range, &mut growths).is_ok() {
                    let value = |it: &Option<Growth>| rate::of_read(window, it.as_ref(), range);
                    judge(run, start, &growths, value);
                }
            }
        }
    }
}

/// `value` gives what a series comes to, or none when that is not known.
fn judge<T>(
    run: &mut [(&Comparison, &mut bool)],
    start: usize,
    column: &Column<T>,
    value: impl Fn(&T) -> Option<f64>,
) {
    let mut with_histograms = column.with_histograms.iter().peekable();
    for (comparison, quiet) in run {
        let rows = comparison.ids.start - start..comparison.ids.end - start;
        let mut has_histograms = false;
        while with_histograms
            .next_if(|&&row| (row as usize) < rows.end)
            .is_some()
        {
            has_histograms = true;
        }
        let is_out = |it: &T| value(it).is_some_and(|it| is_absent(it) || !comparison.holds(it));
        **quiet = !has_histograms && column.values[rows].iter().all(is_out);
    }
}

impl Comparison {
    fn holds(&self, value: f64) -> bool {
        compare(self.op, value, self.number) != Some(false)
    }
}

impl Reading {
    fn range(&self, at: Timestamp, options: &Options<'_>) -> TimeRange {
        let until = at - self.offset;
        let length = match self.window {
            Some(_) => self.length,
            None => options.lookback,
        };
        TimeRange {
            after: until - length,
            until,
        }
    }
}

/// An expression of this kind.
struct Found<'a> {
    reading: Reading,
    op: BinaryOp,
    number: f64,
    /// None when nothing is bound yet.
    bound: Option<&'a Selection>,
}

impl<'a> Found<'a> {
    fn of(prepared: &'a Prepared) -> Option<Self> {
        let threshold = threshold(prepared.plan.expr())?;
        let ops = &prepared.plan.program().ops;
        let OpKind::Binary(operation) = &ops.last()?.kind else {
            return None;
        };
        if operation.returns_bool {
            return None;
        }
        let sides = [operation.left, operation.right].into_iter();
        let mut sides = sides.map(|side| (&ops[side].kind, &prepared.states[side]));
        let (reading, bound) = sides.find_map(|(op, state)| vector(op, state))?;
        Some(Self {
            reading,
            op: threshold.op,
            number: threshold.value,
            bound,
        })
    }
}

/// How an operation reads its series, and those that it has bound.
fn vector<'a>(op: &OpKind, state: &'a State) -> Option<(Reading, Option<&'a Selection>)> {
    // At one moment, neither has a length.
    let shape = QueryShape::default();
    let reading = |window, length, reader: &Reader| {
        let offset = reader.shift.offset.as_ref();
        let offset = offset.map_or(Some(firebell_model::Duration::ZERO), |it| {
            it.resolve(shape).ok()
        });
        let is_plain = reader.shift.at.is_none() && reader.borders.is_none();
        Some(Reading {
            window,
            length,
            offset: offset.filter(|_| is_plain)?,
        })
    };
    let (reading, bound, is_unique) = match (op, state) {
        (OpKind::Select(reader), state) => {
            let reading = reading(None, firebell_model::Duration::ZERO, reader)?;
            let bound = match state {
                State::Selection(bound) => Some(bound),
                _ => None,
            };
            (reading, bound, true)
        }
        (OpKind::Window { window, source, .. }, State::Window(bound, labels)) => {
            let WindowSource::Series { reader, range } = source else {
                return None;
            };
            let length = range.resolve_range(shape).ok()?;
            let reading = reading(Some(*window), length, reader)?;
            // Of two series with the same labels an evaluation has to complain.
            let are_labels_unique = |it: &super::window::labels::WindowLabels| it.are_unique();
            (
                rate::has_summary(*window).then_some(reading)?,
                bound.as_ref(),
                labels.as_ref().is_none_or(are_labels_unique),
            )
        }
        _ => return None,
    };
    // So many are read with questions in between whether anybody still waits.
    let is_small = |it: &&Selection| it.ids.len() <= CANCEL_CHECK_EVERY;
    Some((reading, bound.filter(|it| is_small(it) && is_unique)))
}

#[cfg(test)]
mod tests {
    use firebell_model::{Histogram, HistogramSample, Labels, STALE_NAN};
    use proptest::prelude::*;

    use super::*;
    use crate::{MemorySource, Plan, Value};

    fn is_empty(value: &Value) -> bool {
        matches!(value, Value::Vector(samples) if samples.is_empty())
    }

    /// What the third evaluation is told of an expression: the first has bound it.
    fn quiet(expr: &str, source: &MemorySource, at: Timestamp) -> bool {
        let options = Options::default();
        let mut prepared = Prepared::new(Plan::new(expr).unwrap());
        let mut comparisons = Comparisons::default();
        assert_eq!(comparisons.quiet([3], source, at, &options), [false]);
        let evaluated = prepared.instant(source, at, &options);
        comparisons.note(3, &prepared);
        let quiet = comparisons.quiet([3, 4], source, at, &options);
        assert!(!quiet[1]);
        if quiet[0] {
            assert!(evaluated.is_ok_and(|it| is_empty(&it)), "{expr}");
        }
        quiet[0]
    }

    fn source(series: &[(&str, &[f64])]) -> MemorySource {
        let mut source = MemorySource::new();
        for (name, values) in series {
            let labels = Labels::from_pairs([("__name__", *name), ("job", "a")]);
            let samples = (0..).map(|n| Timestamp(n * 15_000)).zip(*values);
            source.append(&labels, samples.map(|(at, &value)| Sample { at, value }));
        }
        source
    }

    #[test]
    fn what_is_quiet_finds_nothing_and_most_of_what_finds_nothing_is_quiet() {
        let source = source(&[
            ("a", &[1.0, 2.0, 4.0, 7.0]),
            ("b", &[3.0, 3.0, 3.0, STALE_NAN]),
            ("c", &[f64::NAN, f64::INFINITY, 1.0, 1.0]),
        ]);
        for (expr, expected) in [
            ("a > 8", true),
            ("8 < a", true),
            ("a > 6", false),
            ("a != 7", true),
            ("a > 2 * 4", true),
            ("a offset 15s > 5", true),
            ("a offset 15s > 3", false),
            ("b > 0", true),
            ("b offset 15s > 0", false),
            ("nothing > 0", true),
            ("rate(a[1m]) > 1", true),
            ("rate(a[1m]) > 0.01", false),
            ("-1 > increase(a[1m])", true),
            ("delta(b[1m]) < 0", true),
            ("delta(b[1m]) <= 0", false),
            // Who is to say what infinities come to: an evaluation.
            ("rate(c[1m]) > 1e300", false),
            // Not of the kind.
            ("a > bool 8", false),
            ("a", false),
            ("a > b", false),
            ("a + 1 > 9", false),
            ("a @ 0 > 8", false),
            ("sum(a) > 100", false),
            ("max_over_time(a[1m]) > 100", false),
            ("rate(a[1m:15s]) > 100", false),
            ("1 > bool 2", false),
            // An evaluation complains of two series with the same labels.
            ("rate({job=\"a\"}[1m]) > 1e9", false),
        ] {
            assert_eq!(quiet(expr, &source, Timestamp(45_000)), expected, "{expr}");
        }
    }

    #[test]
    fn what_nobody_waits_for_is_not_read_and_not_called_quiet() {
        let source = source(&[("a", &[1.0])]);
        let (at, mut comparisons) = (Timestamp(0), Comparisons::default());
        for (place, expr) in ["a > 1", "rate(a[1m]) > 1", "a >= 2"].iter().enumerate() {
            let mut prepared = Prepared::new(Plan::new(expr).unwrap());
            let evaluated = prepared.instant(&source, at, &Options::default());
            assert!(is_empty(&evaluated.unwrap()));
            comparisons.note(place, &prepared);
        }
        let n_asked = std::sync::atomic::AtomicUsize::new(0);
        for (n_waited_for, expected) in [(0, [false; 3]), (1, [true, false, false]), (9, [true; 3])]
        {
            n_asked.store(0, std::sync::atomic::Ordering::Relaxed);
            let is_cancelled =
                || n_asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= n_waited_for;
            let options = Options {
                is_cancelled: Some(&is_cancelled),
                ..Options::default()
            };
            let quiet = comparisons.quiet(0..3, &source, at, &options);
            assert_eq!(quiet, expected, "{n_waited_for}");
        }
    }

    #[test]
    fn histograms_are_left_to_an_evaluation_and_do_not_wake_their_neighbours() {
        let mut source = source(&[("a", &[1.0]), ("z", &[1.0])]);
        let labels = Labels::from_pairs([("__name__", "h")]);
        let histogram = std::sync::Arc::new(Histogram::default());
        let at = Timestamp(0);
        source.append_histograms(&labels, [HistogramSample { at, histogram }]);
        let (options, mut comparisons) = (Options::default(), Comparisons::default());
        for (place, expr) in ["a > 1", "h > 1", "z > 1", "a >= 1"].iter().enumerate() {
            let mut prepared = Prepared::new(Plan::new(expr).unwrap());
            prepared.instant(&source, at, &options).unwrap();
            comparisons.note(place, &prepared);
        }
        let quiet = comparisons.quiet(0..4, &source, at, &options);
        assert_eq!(quiet, [true, false, true, false]);
        let some = comparisons.quiet([3, 2, 0], &source, at, &options);
        assert_eq!(some, [false, true, true]);
    }

    #[test]
    fn series_that_come_are_seen_once_an_evaluation_has_bound_them() {
        let mut source = source(&[("a", &[1.0])]);
        let (options, mut comparisons) = (Options::default(), Comparisons::default());
        let mut prepared = Prepared::new(Plan::new("{job=\"a\"} > 5").unwrap());
        let mut round = |source: &MemorySource| {
            let quiet = comparisons.quiet([0], source, Timestamp(0), &options)[0];
            let value = prepared.instant(source, Timestamp(0), &options).unwrap();
            comparisons.note(0, &prepared);
            (quiet, is_empty(&value))
        };
        assert_eq!(round(&source), (false, true));
        assert_eq!(round(&source), (true, true));
        let labels = Labels::from_pairs([("__name__", "b"), ("job", "a")]);
        let (at, value) = (Timestamp(0), 9.0);
        source.append(&labels, [Sample { at, value }]);
        assert_eq!(round(&source), (false, false));
        assert_eq!(round(&source), (false, false));
        source.remove(&labels);
        assert_eq!(round(&source), (false, true));
        assert_eq!(round(&source), (true, true));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_quiet_has_no_result(
            rows in prop::collection::vec(
                prop::collection::vec(
                    prop_oneof![
                        4 => (-3..9_i32).prop_map(f64::from),
                        1 => Just(STALE_NAN),
                        1 => Just(f64::NAN),
                        1 => Just(f64::INFINITY),
                        1 => Just(1e308),
                        1 => Just(-0.0),
                    ],
                    0..8,
                ),
                0..4,
            ),
            function in prop_oneof![
                Just("x"), Just("rate(x[1m])"), Just("increase(x[45s])"), Just("delta(x[2m])")
            ],
            op in prop_oneof![
                Just(">"), Just("<"), Just(">="), Just("<="), Just("=="), Just("!=")
            ],
            number in prop_oneof![Just("0"), Just("2"), Just("-1"), Just("NaN"), Just("Inf")],
            at in -1..20_i64,
        ) {
            let mut source = MemorySource::new();
            for (row, values) in rows.iter().enumerate() {
                let labels = Labels::from_pairs([
                    ("__name__", "x".to_owned()),
                    ("row", row.to_string()),
                ]);
                let samples = (0..).map(|n| Timestamp(n * 15_000)).zip(values);
                source.append(&labels, samples.map(|(at, &value)| Sample { at, value }));
            }
            let at = Timestamp(at * 7_500);
            quiet(&format!("{function} {op} {number}"), &source, at);
            quiet(&format!("{number} {op} {function}"), &source, at);
        }
    }
}
