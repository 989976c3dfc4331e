//! Which series `topk` and `bottomk` keep.
//!
//! Among equal values upstream's heap decides, and it does so by the order of the series alone; so
//! that the same series stay here, this is the same heap.
//!
//! *Sources*: Prometheus, `promql/engine.go`, `aggregationK`; Go, `container/heap`.

use super::other::compare_values;

/// Leaves the `count` rows with the largest values, or the smallest, best first.
pub(crate) fn keep_top(
    rows: &mut Vec<u32>,
    count: usize,
    is_largest: bool,
    value: impl Fn(u32) -> f64,
) {
    let is_worse = |a: u32, b: u32| {
        let (a, b) = (value(a), value(b));
        a.is_nan() || if is_largest { a < b } else { a > b }
    };
    // The worst of those that stay is at the root.
    let mut heap: Vec<u32> = Vec::with_capacity(count.min(rows.len()));
    for &row in rows.iter() {
        if heap.len() < count {
            heap.push(row);
            sift_up(&mut heap, is_worse);
        } else if let Some(root) = heap.first_mut() {
            // A NaN is worse than anything, but does not take the place of another.
            if is_worse(*root, row) && !(value(*root).is_nan() && value(row).is_nan()) {
                *root = row;
                sift_down(&mut heap, is_worse);
            }
        }
    }
    heap.sort_by(|&a, &b| compare_values(value(a), value(b), is_largest));
    *rows = heap;
}

fn sift_up(heap: &mut [u32], is_worse: impl Fn(u32, u32) -> bool) {
    let mut at = heap.len() - 1;
    while at > 0 {
        let parent = (at - 1) / 2;
        if !is_worse(heap[at], heap[parent]) {
            return;
        }
        heap.swap(at, parent);
        at = parent;
    }
}

fn sift_down(heap: &mut [u32], is_worse: impl Fn(u32, u32) -> bool) {
    let mut at = 0;
    loop {
        let (left, right) = (2 * at + 1, 2 * at + 2);
        if left >= heap.len() {
            return;
        }
        let is_right = right < heap.len() && is_worse(heap[right], heap[left]);
        let child = if is_right { right } else { left };
        if !is_worse(heap[child], heap[at]) {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], count: usize, largest: &[u32], smallest: &[u32]) {
        let kept = |is_largest| {
            let mut rows: Vec<u32> = (0..values.len() as u32).collect();
            keep_top(&mut rows, count, is_largest, |row| values[row as usize]);
            rows.sort_unstable();
            rows
        };
        assert_eq!(kept(true), largest, "topk({count}, {values:?})");
        assert_eq!(kept(false), smallest, "bottomk({count}, {values:?})");
    }

    #[test]
    fn among_equal_values_those_stay_that_stay_upstream() {
        check(&[1.0, 1.0, 1.0], 2, &[0, 1], &[0, 1]);
        // The root is the first of the two zeros, and what comes takes the place of the root.
        check(&[0.0, 0.0, 1.0], 2, &[1, 2], &[0, 1]);
        check(&[2.0, 1.0, 1.0, 3.0, 1.0], 3, &[0, 2, 3], &[1, 2, 4]);
    }

    #[test]
    fn what_is_no_number_goes_first_and_comes_last() {
        let nan = f64::NAN;
        check(&[nan, 1.0, nan, 2.0], 2, &[1, 3], &[1, 3]);
        check(&[nan, nan, nan], 2, &[0, 1], &[0, 1]);
        check(&[1.0, nan], 5, &[0, 1], &[0, 1]);
        check(&[], 3, &[], &[]);
    }
}
