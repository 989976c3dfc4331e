//! Windows of many moments over the same samples: what they add up to, without adding up anew.
//!
//! The samples of a window are a run that has been added up from its end, of which any rest is
//! known, and a run that is added up from its start as samples come. When the first is used up, the
//! second takes its place. So a sample is added twice, however many windows it is in.

use firebell_model::{Growth, Sample, Summary};

use super::{Slice, Steps, WindowCall, Windows, over_time, rate, value_of};
use crate::eval::frame::ABSENT;

/// What adds up along a series.
trait Part: Copy {
    fn of(sample: Sample) -> Self;
    fn then(self, later: &Self) -> Self;
    /// The value of a function; `None` when the samples themselves have to be looked at.
    fn value(&self, call: &WindowCall<'_>, slice: &Slice<'_>) -> Option<f64>;
}

impl Part for Growth {
    fn of(sample: Sample) -> Self {
        Self::of(sample)
    }

    fn then(self, later: &Self) -> Self {
        Self::then(self, later)
    }

    fn value(&self, call: &WindowCall<'_>, slice: &Slice<'_>) -> Option<f64> {
        // What overflows depends on the order.
        let value = || rate::of_growth(call.window, self, slice.range).unwrap_or(ABSENT);
        self.resets_lost.is_finite().then(value)
    }
}

impl Part for Summary {
    fn of(sample: Sample) -> Self {
        Self::of(sample)
    }

    fn then(self, later: &Self) -> Self {
        Self::then(self, later)
    }

    fn value(&self, call: &WindowCall<'_>, _slice: &Slice<'_>) -> Option<f64> {
        // Infinities and overflows depend on the order of the samples.
        let is_plain = self.sum.is_finite() && self.squares.is_finite();
        is_plain.then(|| over_time::of_summary(call.window, self).unwrap_or(ABSENT))
    }
}

/// A run of samples that moves forward.
struct Run<'a, P> {
    samples: &'a [Sample],
    start: usize,
    end: usize,
    /// `rests[i]` is what the samples from `first + i` up to `middle` add up to.
    rests: Vec<P>,
    first: usize,
    middle: usize,
    /// What those from there to the end do.
    later: Option<P>,
}

impl<'a, P: Part> Run<'a, P> {
    fn new(samples: &'a [Sample]) -> Self {
        Self {
            samples,
            start: 0,
            end: 0,
            rests: Vec::new(),
            first: 0,
            middle: 0,
            later: None,
        }
    }

    /// Moves on to the samples of a window.
    fn move_to(&mut self, start: usize, end: usize) {
        for &sample in &self.samples[self.end..end] {
            let next = P::of(sample);
            self.later = Some(self.later.map_or(next, |sum| sum.then(&next)));
        }
        (self.start, self.end) = (start, end);
        if start < self.middle || start == end {
            return;
        }
        self.rests.clear();
        for &sample in self.samples[start..end].iter().rev() {
            let before = P::of(sample);
            let rest = self.rests.last().map_or(before, |rest| before.then(rest));
            self.rests.push(rest);
        }
        self.rests.reverse();
        (self.first, self.middle, self.later) = (start, end, None);
    }

    fn sum(&self) -> Option<P> {
        if self.start == self.end {
            return None;
        }
        let rest = self.rests[self.start - self.first];
        Some(self.later.map_or(rest, |later| rest.then(&later)))
    }
}

/// Whether windows overlap so much that this is worth it; the function has to have a summary.
pub(super) fn suits(call: &WindowCall<'_>, windows: &Windows) -> bool {
    let has_summary = rate::has_summary(call.window) || over_time::has_summary(call.window);
    has_summary && windows.n > 1 && windows.length.0 > OVERLAP_MIN * windows.stride.0
}

/// The values of all steps.
pub(super) fn evaluate(
    call: &WindowCall<'_>,
    samples: &[Sample],
    windows: &Windows,
    steps: Steps,
    values: &mut Vec<f64>,
) {
    if rate::has_summary(call.window) {
        run::<Growth>(call, samples, windows, steps, values);
    } else {
        run::<Summary>(call, samples, windows, steps, values);
    }
}

fn run<P: Part>(
    call: &WindowCall<'_>,
    samples: &[Sample],
    windows: &Windows,
    steps: Steps,
    values: &mut Vec<f64>,
) {
    let mut run = Run::<P>::new(samples);
    let (mut start, mut end) = (0, 0);
    for step in 0..steps.n {
        let range = windows.range(step);
        while samples.get(end).is_some_and(|it| it.at <= range.until) {
            end += 1;
        }
        while start < end && samples[start].at <= range.after {
            start += 1;
        }
        run.move_to(start, end);
        let Some(sum) = run.sum() else {
            values.push(ABSENT);
            continue;
        };
        let slice = Slice {
            samples: &samples[start..end],
            range,
            at: steps.at(step),
            args: [0.0; 2],
        };
        let value = sum.value(call, &slice);
        values.push(value.unwrap_or_else(|| value_of(call.window, &slice)));
    }
}

/// A window has to be so many steps long.
const OVERLAP_MIN: i64 = 4;

#[cfg(test)]
mod tests {
    use firebell_model::Timestamp;

    use super::*;

    #[test]
    fn a_run_that_moves_adds_up_as_one_that_is_added_up_anew() {
        let value = |n: i64| ((n * 37) % 101) as f64;
        let samples: Vec<Sample> = (0..200)
            .map(|n| Sample {
                at: Timestamp(n),
                value: value(n),
            })
            .collect();
        let mut run = Run::<Growth>::new(&samples);
        for (start, end) in [
            (0, 0),
            (0, 7),
            (3, 9),
            (9, 9),
            (9, 40),
            (38, 41),
            (41, 41),
            (60, 90),
            (89, 90),
            (89, 200),
            (150, 200),
        ] {
            run.move_to(start, end);
            let slow = samples[start..end].iter().map(|&it| Growth::of(it));
            let slow = slow.reduce(|sum, next| sum.then(&next));
            assert_eq!(run.sum(), slow, "{start}..{end}");
        }
    }
}
