//! One chunk of a Prometheus block: samples or native histograms of a series, decoded.
//!
//! *Sources*: Prometheus, `tsdb/chunkenc/{xor,histogram,float_histogram,histogram_meta}.go` (formats).

use std::sync::Arc;

use firebell_model::{
    BucketSpan, Buckets, CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMAS, Histogram, HistogramSample,
    ResetHint, Sample, Timestamp, is_stale,
};

use super::bits::{Bits, XorFloat};

/// Appends what a chunk holds. `None` when the bytes say what cannot be; some samples before the
/// damage may have been appended then.
pub(super) fn decode(
    encoding: u8,
    bytes: &[u8],
    samples: &mut Vec<Sample>,
    histograms: &mut Vec<HistogramSample>,
) -> Option<()> {
    match encoding {
        ENCODING_XOR => xor(bytes, samples),
        ENCODING_HISTOGRAM => histogram_chunk(bytes, histograms, &mut WholeCounts::default()),
        ENCODING_FLOAT_HISTOGRAM => histogram_chunk(bytes, histograms, &mut FloatCounts::default()),
        _ => None,
    }
}

/// Whether [`decode`] knows the encoding.
pub(super) fn is_known(encoding: u8) -> bool {
    matches!(
        encoding,
        ENCODING_XOR | ENCODING_HISTOGRAM | ENCODING_FLOAT_HISTOGRAM
    )
}

fn xor(bytes: &[u8], samples: &mut Vec<Sample>) -> Option<()> {
    let (head, stream) = bytes.split_first_chunk::<2>()?;
    let n = usize::from(u16::from_be_bytes(*head));
    if n == 0 {
        return Some(());
    }
    // No sample takes less than two bits.
    samples.reserve(n.min(stream.len() * 4));
    let mut bits = Bits::new(stream);
    let mut at = bits.varint()?;
    let mut value = XorFloat::first(bits.float()?);
    let mut push = |at: i64, value: f64| {
        let at = Timestamp(at);
        samples.push(Sample { at, value });
    };
    push(at, value.value);
    if n == 1 {
        return Some(());
    }
    let mut step = bits.uvarint()? as i64;
    for idx in 1..n {
        if idx > 1 {
            let width = STEP_WIDTHS[bits.ones(4)? as usize];
            if width > 0 {
                step = step.wrapping_add(bits.signed(width)?);
            }
        }
        at = at.wrapping_add(step);
        value.next(&mut bits)?;
        push(at, value.value);
    }
    Some(())
}

/// What all histograms of a chunk share.
struct Layout {
    schema: i8,
    zero_threshold: f64,
    positive: Vec<BucketSpan>,
    negative: Vec<BucketSpan>,
    custom_bounds: Arc<[f64]>,
}

/// How the counts of a chunk are written.
trait Counts {
    fn first(&mut self, bits: &mut Bits<'_>, n_buckets: [usize; 2]) -> Option<()>;
    /// The buckets of a stale marker are not written.
    fn next(&mut self, bits: &mut Bits<'_>) -> Option<()>;
    fn put(&self, histogram: &mut Histogram);
    fn sum(&self) -> f64;
}

fn histogram_chunk(
    bytes: &[u8],
    histograms: &mut Vec<HistogramSample>,
    counts: &mut dyn Counts,
) -> Option<()> {
    let (head, stream) = bytes.split_first_chunk::<3>()?;
    let n = u16::from_be_bytes([head[0], head[1]]);
    if n == 0 {
        return Some(());
    }
    let mut bits = Bits::new(stream);
    let layout = layout(&mut bits)?;
    let n_buckets = [n_of(&layout.positive)?, n_of(&layout.negative)?];
    // Each bucket takes a bit at least in each histogram.
    if n_buckets[0] + n_buckets[1] > stream.len() * 8 {
        return None;
    }
    let mut at = bits.varbit_int()?;
    let mut step = 0_i64;
    for idx in 0..n {
        if idx == 0 {
            counts.first(&mut bits, n_buckets)?;
        } else {
            step = step.wrapping_add(bits.varbit_int()?);
            at = at.wrapping_add(step);
            counts.next(&mut bits)?;
        }
        let reset_hint = reset_hint(head[2], idx);
        let histogram = if is_stale(counts.sum()) {
            Histogram::stale()
        } else {
            layout.histogram(counts, reset_hint)
        };
        histograms.push(HistogramSample {
            at: Timestamp(at),
            histogram: Arc::new(histogram),
        });
    }
    Some(())
}

/// Only what one chunk knows alone: the first histogram of a chunk may follow anything.
fn reset_hint(flags: u8, idx: u16) -> ResetHint {
    match (flags & 0b1100_0000, idx) {
        (0b1100_0000, _) => ResetHint::Gauge,
        (_, 1..) => ResetHint::NotReset,
        (0b1000_0000, 0) => ResetHint::Reset,
        (_, 0) => ResetHint::Unknown,
    }
}

fn layout(bits: &mut Bits<'_>) -> Option<Layout> {
    let zero_threshold = zero_threshold(bits)?;
    let schema = i8::try_from(bits.varbit_int()?).ok()?;
    let positive = spans(bits)?;
    let negative = spans(bits)?;
    let mut custom_bounds = Vec::new();
    if schema == CUSTOM_BUCKETS_SCHEMA {
        for _ in 0..bits.varbit_uint()? {
            custom_bounds.push(match bits.varbit_uint()? {
                0 => bits.float()?,
                thousandths => (thousandths - 1) as f64 / 1000.0,
            });
        }
    } else if !EXPONENTIAL_SCHEMAS.contains(&schema) {
        return None;
    }
    Some(Layout {
        schema,
        zero_threshold,
        positive,
        negative,
        custom_bounds: custom_bounds.into(),
    })
}

fn zero_threshold(bits: &mut Bits<'_>) -> Option<f64> {
    match bits.take(8)? {
        0 => Some(0.0),
        255 => bits.float(),
        exponent => Some(0.5 * f64::powi(2.0, exponent as i32 - 243)),
    }
}

fn spans(bits: &mut Bits<'_>) -> Option<Vec<BucketSpan>> {
    let mut spans = Vec::new();
    for _ in 0..bits.varbit_uint()? {
        let length = u32::try_from(bits.varbit_uint()?).ok()?;
        let offset = i32::try_from(bits.varbit_int()?).ok()?;
        spans.push(BucketSpan { offset, length });
    }
    Some(spans)
}

fn n_of(spans: &[BucketSpan]) -> Option<usize> {
    spans
        .iter()
        .try_fold(0_usize, |n, span| n.checked_add(span.length as usize))
}

impl Layout {
    fn histogram(&self, counts: &dyn Counts, reset_hint: ResetHint) -> Histogram {
        let buckets = |spans: &[BucketSpan]| Buckets {
            spans: spans.to_vec(),
            counts: Vec::new(),
        };
        let mut histogram = Histogram {
            reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            positive: buckets(&self.positive),
            negative: buckets(&self.negative),
            custom_bounds: Arc::clone(&self.custom_bounds),
            ..Histogram::default()
        };
        counts.put(&mut histogram);
        histogram
    }
}

/// Counts as whole numbers: each bucket as the distance from the one before it, and of that the
/// distance of distances from histogram to histogram.
#[derive(Default)]
struct WholeCounts {
    count: Dod,
    zero_count: Dod,
    sum: XorFloat,
    buckets: [Vec<Dod>; 2],
}

/// A number of which the change of its change is written.
#[derive(Clone, Copy, Default)]
struct Dod {
    value: i64,
    step: i64,
}

impl Dod {
    fn first(value: i64) -> Self {
        Self { value, step: 0 }
    }

    #[inline]
    fn next(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.step = self.step.wrapping_add(bits.varbit_int()?);
        self.value = self.value.wrapping_add(self.step);
        Some(())
    }
}

impl Counts for WholeCounts {
    fn first(&mut self, bits: &mut Bits<'_>, n_buckets: [usize; 2]) -> Option<()> {
        self.count = Dod::first(bits.varbit_uint()? as i64);
        self.zero_count = Dod::first(bits.varbit_uint()? as i64);
        self.sum = XorFloat::first(bits.float()?);
        for (buckets, n) in self.buckets.iter_mut().zip(n_buckets) {
            for _ in 0..n {
                buckets.push(Dod::first(bits.varbit_int()?));
            }
        }
        Some(())
    }

    fn next(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.count.next(bits)?;
        self.zero_count.next(bits)?;
        self.sum.next(bits)?;
        if is_stale(self.sum.value) {
            return Some(());
        }
        for bucket in self.buckets.iter_mut().flatten() {
            bucket.next(bits)?;
        }
        Some(())
    }

    fn put(&self, histogram: &mut Histogram) {
        histogram.count = self.count.value as u64 as f64;
        histogram.zero_count = self.zero_count.value as u64 as f64;
        histogram.sum = self.sum.value;
        let absolute = |buckets: &[Dod]| {
            let mut count = 0_i64;
            let counts = buckets.iter().map(|bucket| {
                count = count.wrapping_add(bucket.value);
                count as f64
            });
            counts.collect()
        };
        histogram.positive.counts = absolute(&self.buckets[0]);
        histogram.negative.counts = absolute(&self.buckets[1]);
    }

    fn sum(&self) -> f64 {
        self.sum.value
    }
}

/// Counts as floats, each by itself.
#[derive(Default)]
struct FloatCounts {
    count: XorFloat,
    zero_count: XorFloat,
    sum: XorFloat,
    buckets: [Vec<XorFloat>; 2],
}

impl Counts for FloatCounts {
    fn first(&mut self, bits: &mut Bits<'_>, n_buckets: [usize; 2]) -> Option<()> {
        self.count = XorFloat::first(bits.float()?);
        self.zero_count = XorFloat::first(bits.float()?);
        self.sum = XorFloat::first(bits.float()?);
        for (buckets, n) in self.buckets.iter_mut().zip(n_buckets) {
            for _ in 0..n {
                buckets.push(XorFloat::first(bits.float()?));
            }
        }
        Some(())
    }

    fn next(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.count.next(bits)?;
        self.zero_count.next(bits)?;
        self.sum.next(bits)?;
        if is_stale(self.sum.value) {
            return Some(());
        }
        for bucket in self.buckets.iter_mut().flatten() {
            bucket.next(bits)?;
        }
        Some(())
    }

    fn put(&self, histogram: &mut Histogram) {
        histogram.count = self.count.value;
        histogram.zero_count = self.zero_count.value;
        histogram.sum = self.sum.value;
        let values = |buckets: &[XorFloat]| buckets.iter().map(|bucket| bucket.value).collect();
        histogram.positive.counts = values(&self.buckets[0]);
        histogram.negative.counts = values(&self.buckets[1]);
    }

    fn sum(&self) -> f64 {
        self.sum.value
    }
}

const ENCODING_XOR: u8 = 1;
const ENCODING_HISTOGRAM: u8 = 2;
const ENCODING_FLOAT_HISTOGRAM: u8 = 3;
/// Of the distance of distances between timestamps, by the number of ones before.
const STEP_WIDTHS: [u32; 5] = [0, 14, 17, 20, 64];
