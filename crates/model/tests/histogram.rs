//! The laws of histogram arithmetic, and that nothing makes it panic.

use std::sync::Arc;

use firebell_model::{
    BucketSpan, Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram, HistogramSum, ResetHint, Trim,
};
use proptest::prelude::*;

/// Buckets with any gaps between their spans, empty spans and empty buckets among them.
fn buckets(first: std::ops::Range<i32>) -> impl Strategy<Value = Buckets> {
    let count = prop_oneof![1 => Just(0), 4 => 0..1000_u32].prop_map(f64::from);
    let span = (0..4_i32, prop::collection::vec(count, 0..5));
    (first, prop::collection::vec(span, 0..4)).prop_map(|(first, spans)| {
        let mut buckets = Buckets::default();
        for (idx, (gap, counts)) in spans.into_iter().enumerate() {
            let offset = if idx == 0 { first } else { gap };
            let length = counts.len() as u32;
            buckets.spans.push(BucketSpan { offset, length });
            buckets.counts.extend(counts);
        }
        buckets
    })
}

fn hint() -> impl Strategy<Value = ResetHint> {
    prop::sample::select(vec![
        ResetHint::Unknown,
        ResetHint::Reset,
        ResetHint::NotReset,
        ResetHint::Gauge,
    ])
}

/// Histograms with whole counts, whose total fits to their buckets.
fn exponential() -> impl Strategy<Value = Histogram> {
    let thresholds = vec![0.0, 1e-128, 0.001, 0.3, 1.0, 2.5, 100.0];
    let zero = (prop::sample::select(thresholds), 0..100_u32);
    let sides = (buckets(-20..20), buckets(-20..20));
    (-4..=8_i8, zero, sides, -100..100_i32, hint()).prop_map(
        |(schema, (zero_threshold, zero_count), (positive, negative), sum, reset_hint)| {
            let counts = positive.counts.iter().chain(&negative.counts);
            let mut histogram = Histogram {
                count: counts.sum::<f64>() + f64::from(zero_count),
                sum: f64::from(sum),
                reset_hint,
                schema,
                zero_threshold,
                zero_count: f64::from(zero_count),
                positive,
                negative,
                custom_bounds: Arc::default(),
            };
            // Nobody fills buckets that lie within the zero bucket.
            let is_within = histogram
                .positive_buckets()
                .map(|bucket| bucket.lower)
                .chain(histogram.negative_buckets().map(|bucket| -bucket.upper))
                .any(|begin| begin < zero_threshold);
            if is_within {
                histogram.zero_threshold = 0.0;
            }
            histogram
        },
    )
}

fn custom() -> impl Strategy<Value = Histogram> {
    let bounds = prop::collection::btree_set(-5..20_i32, 0..6);
    (bounds, prop::collection::vec(0..50_u32, 7), hint()).prop_map(
        |(bounds, counts, reset_hint)| {
            let counts = counts[..=bounds.len()]
                .iter()
                .map(|&count| f64::from(count));
            let positive: Buckets = (0..).zip(counts).collect();
            Histogram {
                reset_hint,
                schema: CUSTOM_BUCKETS_SCHEMA,
                count: positive.counts.iter().sum(),
                sum: 1.0,
                positive,
                custom_bounds: bounds.into_iter().map(f64::from).collect(),
                ..Histogram::default()
            }
        },
    )
}

fn histogram() -> impl Strategy<Value = Histogram> {
    prop_oneof![3 => exponential(), 1 => custom()]
}

/// How many observations the buckets hold, whatever `count` says.
fn held(histogram: &Histogram) -> f64 {
    let sides = histogram.positive.counts.iter();
    sides.chain(&histogram.negative.counts).sum::<f64>() + histogram.zero_count
}

fn compacted(mut histogram: Histogram) -> Histogram {
    histogram.compact();
    histogram.reset_hint = ResetHint::Unknown;
    histogram
}

proptest! {
    #[test]
    fn adding_and_taking_away_again_leaves_what_was(a in histogram(), b in histogram()) {
        let mut sum = a.clone();
        let Ok(_) = sum.add(&b) else {
            prop_assert_ne!(a.has_custom_buckets(), b.has_custom_buckets());
            prop_assert_eq!(sum, a);
            return Ok(());
        };
        prop_assert_eq!(held(&sum), held(&a) + held(&b));
        let mut back = sum.clone();
        back.sub(&b).unwrap();
        // The layout is that of the sum, with what is in `a`.
        let mut wanted = a.clone();
        let mut nothing = b.clone();
        nothing.scale(0.0);
        wanted.add(&nothing).unwrap();
        if back.zero_threshold == wanted.zero_threshold {
            prop_assert!(compacted(back).is_same(&compacted(wanted)));
        }
    }

    #[test]
    fn the_order_of_summands_changes_nothing(a in exponential(), b in exponential()) {
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.add(&b).unwrap();
        ba.add(&a).unwrap();
        prop_assert!(compacted(ab).is_same(&compacted(ba)));
    }

    #[test]
    fn reducing_before_or_after_adding_is_the_same(a in exponential(), b in exponential(), to in -4..=8_i8) {
        let (mut late, mut early) = (a.clone(), a);
        // A zero bucket that ends within a bucket takes in more of a coarser one.
        let mut b = b;
        b.zero_threshold = late.zero_threshold;
        late.add(&b).unwrap();
        late.reduce_resolution(to);
        let mut other = b.clone();
        early.reduce_resolution(to);
        other.reduce_resolution(to);
        early.add(&other).unwrap();
        // Buckets within the zero bucket are not added: they may have been merged with others.
        if late.zero_threshold == 0.0 {
            prop_assert!(compacted(late).is_same(&compacted(early)));
        }
    }

    #[test]
    fn a_compensated_sum_of_whole_counts_is_the_plain_one(all in prop::collection::vec(exponential(), 1..6)) {
        let mut sum = HistogramSum::of(&all[0]);
        let mut plain = all[0].clone();
        for histogram in &all[1..] {
            sum.add(histogram).unwrap();
            plain.add(histogram).unwrap();
        }
        prop_assert!(compacted(sum.total()).is_same(&compacted(plain)));
    }

    #[test]
    fn a_counter_that_grows_is_not_reset(a in exponential(), b in exponential()) {
        let (mut a, mut b) = (a, b);
        // As upstream, a coarser bucket that reaches into a wider zero bucket looks like a reset.
        (a.zero_threshold, b.zero_threshold) = (0.0, 0.0);
        let mut before = compacted(a);
        before.reset_hint = ResetHint::Unknown;
        let mut after = before.clone();
        after.add(&b).unwrap();
        after.reset_hint = ResetHint::Unknown;
        prop_assert!(!after.is_reset_since(&before));
        if held(&b) > 0.0 && b.count > 0.0 {
            prop_assert!(before.is_reset_since(&after));
        }
        before.reset_hint = ResetHint::Reset;
        prop_assert!(before.is_reset_since(&before));
    }

    #[test]
    fn trimming_keeps_a_part(histogram in histogram(), at in -50.0..50.0_f64) {
        for trim in [Trim::Below, Trim::Above] {
            let mut part = histogram.clone();
            part.trim(trim, at);
            prop_assert!(part.count <= histogram.count * (1.0 + 1e-12));
            prop_assert!((held(&part) - part.count).abs() <= 1e-9 * histogram.count);
        }
    }

    #[test]
    fn no_spans_and_numbers_make_it_panic(
        spans in prop::collection::vec((any::<i32>(), any::<u32>()), 0..4),
        counts in prop::collection::vec(any::<f64>(), 0..6),
        schema in any::<i8>(),
        (zero_threshold, sum, at) in any::<(f64, f64, f64)>(),
        other in histogram(),
    ) {
        let spans = spans.iter().map(|&(offset, length)| BucketSpan { offset, length });
        let positive = Buckets { spans: spans.collect(), counts };
        let wild = Histogram {
            schema,
            zero_threshold,
            sum,
            count: at,
            negative: positive.clone(),
            positive,
            ..Histogram::default()
        };
        for (a, b) in [(&wild, &other), (&other, &wild), (&wild, &wild)] {
            let mut joined = a.clone();
            let _ = joined.add(b);
            let _ = joined.sub(b);
            joined.compact();
            joined.reduce_resolution(-4);
            joined.trim(Trim::Below, at);
            joined.trim(Trim::Above, at);
            let _ = (joined.is_reset_since(b), joined.is_same(b), joined.to_string());
            let _ = joined.all_buckets();
        }
    }
}
