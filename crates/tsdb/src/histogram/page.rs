//! Sealed native histograms of one series: the layout of buckets once, counts in columns.
//!
//! A page: runs, up to the end. A run holds neighbouring histograms of one layout: their number
//! (varint), the layout, then columns as `codec` writes them: timestamps; what is known of resets, as
//! numbers; counts, counts of the zero bucket, sums; then one column for each positive and each negative
//! bucket. The layout: the schema (a byte), the zero threshold (*float*), the spans of positive and of
//! negative buckets (their number, then for each the offset, *signed*, and the length, varint) and the
//! custom bounds (their number, then *floats*).

use std::sync::Arc;

use firebell_model::{
    BucketSpan, Buckets, Histogram, HistogramSample, ResetHint, Sample, TimeRange, Timestamp,
};

use crate::bytes::{Put, Reader};
use crate::codec;

/// The most histograms in a page.
pub(crate) const PAGE_HISTOGRAMS_MAX: usize = 120;
/// A histogram with more buckets than this is refused.
pub(crate) const BUCKETS_MAX: usize = 1 << 16;

/// Sealed histograms.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) count: u32,
    pub(crate) bytes: Arc<[u8]>,
}

impl Page {
    /// Seals histograms, at least one, in order of time.
    pub(crate) fn seal(histograms: &[HistogramSample]) -> Self {
        let mut bytes = Vec::with_capacity(512);
        put(histograms, &mut bytes);
        Self {
            first_at: histograms.first().map_or(0, |it| it.at.0),
            last_at: histograms.last().map_or(0, |it| it.at.0),
            count: histograms.len() as u32,
            bytes: bytes.into(),
        }
    }

    pub(crate) fn touches(&self, range: TimeRange) -> bool {
        range.after.0 < self.last_at && self.first_at <= range.until.0
    }
}

/// Whether the store can hold the histogram: as many counts as its spans name, and not too many.
pub(crate) fn is_storable(histogram: &Histogram) -> bool {
    let fits = |buckets: &Buckets| {
        let n: u64 = buckets
            .spans
            .iter()
            .map(|span| u64::from(span.length))
            .sum();
        n == buckets.counts.len() as u64 && buckets.spans.len() <= BUCKETS_MAX
    };
    let n = histogram.positive.counts.len() + histogram.negative.counts.len();
    n.max(histogram.custom_bounds.len()) <= BUCKETS_MAX
        && fits(&histogram.positive)
        && fits(&histogram.negative)
}

/// Appends histograms in order of time.
pub(crate) fn put(histograms: &[HistogramSample], out: &mut Vec<u8>) {
    let is_same =
        |a: &HistogramSample, b: &HistogramSample| is_same_layout(&a.histogram, &b.histogram);
    for run in histograms.chunk_by(is_same) {
        let buckets = [&run[0].histogram.positive, &run[0].histogram.negative];
        let n_max = RUN_NUMBERS_MAX / numbers_of(buckets.map(|it| &it.spans[..]));
        for part in run.chunks(n_max.clamp(1, RUN_MAX)) {
            put_run(part, out);
        }
    }
}

fn is_same_layout(a: &Histogram, b: &Histogram) -> bool {
    let bits = |bounds: &[f64]| {
        bounds
            .iter()
            .map(|bound| bound.to_bits())
            .collect::<Vec<_>>()
    };
    let is_same_bounds = Arc::ptr_eq(&a.custom_bounds, &b.custom_bounds)
        || bits(&a.custom_bounds) == bits(&b.custom_bounds);
    a.schema == b.schema
        && a.zero_threshold.to_bits() == b.zero_threshold.to_bits()
        && a.positive.spans == b.positive.spans
        && a.negative.spans == b.negative.spans
        && is_same_bounds
}

fn put_run(run: &[HistogramSample], out: &mut Vec<u8>) {
    let layout = &run[0].histogram;
    out.put_varint(run.len() as u64);
    out.push(layout.schema as u8);
    out.put_float(layout.zero_threshold);
    for buckets in [&layout.positive, &layout.negative] {
        out.put_varint(buckets.spans.len() as u64);
        for span in &buckets.spans {
            out.put_signed(i64::from(span.offset));
            out.put_varint(u64::from(span.length));
        }
    }
    out.put_varint(layout.custom_bounds.len() as u64);
    layout
        .custom_bounds
        .iter()
        .for_each(|&bound| out.put_float(bound));
    let at: Vec<i64> = run.iter().map(|it| it.at.0).collect();
    codec::put_timestamps(&at, out);
    let hints: Vec<i64> = run
        .iter()
        .map(|it| hint_number(it.histogram.reset_hint))
        .collect();
    codec::put_timestamps(&hints, out);
    let mut column = Vec::with_capacity(run.len());
    let mut put_column = |value: &dyn Fn(&Histogram) -> f64| {
        column.clear();
        column.extend(run.iter().map(|it| value(&it.histogram)));
        codec::put_values(&column, out);
    };
    put_column(&|it| it.count);
    put_column(&|it| it.zero_count);
    put_column(&|it| it.sum);
    for idx in 0..layout.positive.counts.len() {
        put_column(&|it| it.positive.counts[idx]);
    }
    for idx in 0..layout.negative.counts.len() {
        put_column(&|it| it.negative.counts[idx]);
    }
}

/// Appends what lies in the range. `None` when the bytes are damaged.
pub(crate) fn read(bytes: &[u8], range: TimeRange, out: &mut Vec<HistogramSample>) -> Option<()> {
    let mut reader = Reader(bytes);
    while !reader.is_empty() {
        read_run(&mut reader, range, out)?;
    }
    Some(())
}

fn read_run(
    reader: &mut Reader<'_>,
    range: TimeRange,
    out: &mut Vec<HistogramSample>,
) -> Option<()> {
    let n = usize::try_from(reader.varint()?).ok()?;
    if n == 0 || n > RUN_MAX {
        return None;
    }
    let schema = reader.byte()? as i8;
    let zero_threshold = reader.float()?;
    let positive = read_spans(reader)?;
    let negative = read_spans(reader)?;
    if n > 1 && n.checked_mul(numbers_of([&positive, &negative]))? > RUN_NUMBERS_MAX {
        return None;
    }
    let mut bounds = Vec::new();
    for _ in 0..reader.count()? {
        bounds.push(reader.float()?);
    }
    let custom_bounds: Arc<[f64]> = bounds.into();
    let (mut at, mut hints) = (Vec::new(), Vec::new());
    codec::timestamps(reader, n, &mut at)?;
    codec::timestamps(reader, n, &mut hints)?;
    let mut numbers = Vec::with_capacity(n * 3);
    for _ in 0..3 {
        codec::values(reader, n, &mut numbers)?;
    }
    let mut counts = Vec::new();
    for spans in [&positive, &negative] {
        for _ in 0..n_of(spans) {
            codec::values(reader, n, &mut counts)?;
        }
    }
    let n_positive = n_of(&positive);
    let buckets = |spans: &[BucketSpan], from: usize, idx: usize| Buckets {
        spans: spans.to_vec(),
        counts: (from..from + n_of(spans))
            .map(|column| counts[column * n + idx])
            .collect(),
    };
    for idx in 0..n {
        let time = Timestamp(at[idx]);
        if !range.contains(time) {
            continue;
        }
        let histogram = Arc::new(Histogram {
            reset_hint: *HINTS.get(usize::try_from(hints[idx]).ok()?)?,
            schema,
            zero_threshold,
            zero_count: numbers[n + idx],
            count: numbers[idx],
            sum: numbers[2 * n + idx],
            positive: buckets(&positive, 0, idx),
            negative: buckets(&negative, n_positive, idx),
            custom_bounds: Arc::clone(&custom_bounds),
        });
        out.push(HistogramSample {
            at: time,
            histogram,
        });
    }
    Some(())
}

fn read_spans(reader: &mut Reader<'_>) -> Option<Vec<BucketSpan>> {
    let n = reader.count()?;
    let mut spans = Vec::with_capacity(n);
    let mut n_buckets = 0_u64;
    for _ in 0..n {
        let offset = i32::try_from(reader.signed()?).ok()?;
        let length = u32::try_from(reader.varint()?).ok()?;
        n_buckets += u64::from(length);
        spans.push(BucketSpan { offset, length });
    }
    // Each bucket has a column, of one byte at least.
    (n_buckets <= reader.0.len() as u64).then_some(spans)
}

/// About how many numbers one histogram with these spans takes in memory.
fn numbers_of(spans: [&[BucketSpan]; 2]) -> usize {
    let own = size_of::<Histogram>() / size_of::<f64>();
    let buckets = spans.iter().map(|spans| spans.len() + n_of(spans));
    own + buckets.sum::<usize>()
}

fn n_of(spans: &[BucketSpan]) -> usize {
    spans.iter().map(|span| span.length as usize).sum()
}

/// A number that two different histograms hardly share: what a repeated one is known by. What is known
/// of resets does not count: who sends a histogram again may know more or less.
fn fingerprint(histogram: &Histogram) -> f64 {
    let Histogram {
        reset_hint: _,
        schema,
        zero_threshold,
        zero_count,
        count,
        sum,
        positive,
        negative,
        custom_bounds,
    } = histogram;
    let mut hash = u64::from(*schema as u8);
    let mut mix =
        |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    for number in [zero_threshold, zero_count, count, sum] {
        mix(number.to_bits());
    }
    for buckets in [positive, negative] {
        for span in &buckets.spans {
            mix(u64::from(span.offset as u32) << 32 | u64::from(span.length));
        }
        buckets.counts.iter().for_each(|count| mix(count.to_bits()));
    }
    custom_bounds.iter().for_each(|bound| mix(bound.to_bits()));
    f64::from_bits(hash)
}

/// The newest of histograms as a sample that stands for it where only equality counts.
pub(crate) fn mark(histogram: &HistogramSample) -> Sample {
    Sample {
        at: histogram.at,
        value: fingerprint(&histogram.histogram),
    }
}

fn hint_number(hint: ResetHint) -> i64 {
    match hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    }
}

const HINTS: [ResetHint; 4] = [
    ResetHint::Unknown,
    ResetHint::Reset,
    ResetHint::NotReset,
    ResetHint::Gauge,
];
/// More in a run is damage: late histograms stand together in the log.
const RUN_MAX: usize = 1 << 20;
/// The most numbers that the histograms of a run take together: equal ones cost hardly a byte, so that
/// bytes which lie could ask for any amount. Longer runs are written as several.
const RUN_NUMBERS_MAX: usize = 1 << 23;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: TimeRange = TimeRange {
        after: Timestamp::MIN,
        until: Timestamp::MAX,
    };

    fn any_histogram() -> impl Strategy<Value = Histogram> {
        let buckets = || {
            prop::collection::vec((-5..9_i32, 0..4_u32), 0..4).prop_flat_map(|spans| {
                let n = spans.iter().map(|span| span.1 as usize).sum::<usize>();
                let spans: Vec<_> = spans
                    .into_iter()
                    .map(|(offset, length)| BucketSpan { offset, length })
                    .collect();
                let counts = prop::collection::vec((0..1000_u32).prop_map(f64::from), n);
                counts.prop_map(move |counts| Buckets {
                    spans: spans.clone(),
                    counts,
                })
            })
        };
        let numbers = (any::<f64>(), 0..9_u32, any::<bool>(), -4..9_i8, 0..4_usize);
        (
            numbers,
            buckets(),
            buckets(),
            prop::collection::vec(any::<f64>(), 0..4),
        )
            .prop_map(
                |((sum, count, is_stale, schema, hint), positive, negative, bounds)| {
                    if is_stale && count == 0 {
                        return Histogram::stale();
                    }
                    Histogram {
                        reset_hint: HINTS[hint],
                        schema,
                        zero_threshold: f64::from(count) / 8.0,
                        zero_count: f64::from(count) * 0.5,
                        count: f64::from(count),
                        sum,
                        positive,
                        negative,
                        custom_bounds: bounds.into(),
                    }
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_histograms_come_back(
            histograms in prop::collection::vec((any_histogram(), 1..4_usize), 1..9),
        ) {
            let repeated = histograms.iter().flat_map(|(it, n)| std::iter::repeat_n(it, *n));
            let samples: Vec<_> = repeated
                .enumerate()
                .map(|(idx, it)| HistogramSample {
                    at: Timestamp(1000 + idx as i64 * 15_000),
                    histogram: Arc::new(it.clone()),
                })
                .collect();
            prop_assert!(samples.iter().all(|it| is_storable(&it.histogram)));
            let page = Page::seal(&samples);
            let mut read_back = Vec::new();
            read(&page.bytes, ALL, &mut read_back).unwrap();
            // As text, for which NaN is NaN.
            prop_assert_eq!(format!("{read_back:?}"), format!("{samples:?}"));
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = read(&bytes, ALL, &mut Vec::new());
        }
    }

    fn equal_ones(n: usize, n_buckets: u32) -> Vec<HistogramSample> {
        let (offset, length) = (0, n_buckets);
        let buckets = Buckets {
            spans: vec![BucketSpan { offset, length }],
            counts: vec![1.0; n_buckets as usize],
        };
        let histogram = Arc::new(Histogram {
            positive: buckets,
            ..Histogram::default()
        });
        let sample = |idx| HistogramSample {
            at: Timestamp(idx * 15_000),
            histogram: Arc::clone(&histogram),
        };
        (0..n as i64).map(sample).collect()
    }

    /// Equal histograms at even steps take the same bytes, however many they are.
    #[test]
    fn a_forged_number_of_histograms_is_refused() {
        let mut bytes = Vec::new();
        put(&equal_ones(2, 20), &mut bytes);
        let mut forged = Vec::new();
        forged.put_varint(RUN_MAX as u64);
        forged.extend_from_slice(&bytes[1..]);
        assert_eq!(read(&forged, ALL, &mut Vec::new()), None);
    }

    #[test]
    fn a_long_run_is_written_as_several() {
        let samples = equal_ones(520, 1 << 14);
        let mut bytes = Vec::new();
        put(&samples, &mut bytes);
        let mut read_back = Vec::new();
        read(&bytes, ALL, &mut read_back).unwrap();
        assert!(read_back == samples);
    }

    #[test]
    fn steady_histograms_take_few_bytes() {
        let samples: Vec<_> = (0..120_i64)
            .map(|n| {
                let counts: Vec<f64> = (0..30).map(|bucket| (n * (bucket % 5)) as f64).collect();
                let histogram = Histogram {
                    schema: 3,
                    count: counts.iter().sum(),
                    sum: n as f64 * 0.5,
                    positive: Buckets {
                        spans: vec![BucketSpan {
                            offset: -20,
                            length: 30,
                        }],
                        counts,
                    },
                    ..Histogram::default()
                };
                HistogramSample {
                    at: Timestamp(n * 15_000),
                    histogram: Arc::new(histogram),
                }
            })
            .collect();
        let bytes = Page::seal(&samples).bytes.len();
        assert!(bytes <= 120 * 3, "{bytes} bytes");
    }
}
