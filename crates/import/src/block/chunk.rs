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
        ENCODING_HISTOGRAM => histogram_chunk::<Dod>(bytes, histograms),
        ENCODING_FLOAT_HISTOGRAM => histogram_chunk::<XorFloat>(bytes, histograms),
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

/// A count, as histograms of a chunk change it one after the other.
trait Count: Copy + Default {
    fn first(bits: &mut Bits<'_>) -> Option<Self>;
    fn first_bucket(bits: &mut Bits<'_>) -> Option<Self>;
    fn next(&mut self, bits: &mut Bits<'_>) -> Option<()>;
    fn value(self) -> f64;
    /// What neighbouring buckets hold.
    fn values(buckets: &[Self]) -> Vec<f64>;
}

/// The counts of the histogram that is being read.
#[derive(Default)]
struct Counts<C> {
    count: C,
    zero_count: C,
    sum: XorFloat,
    buckets: [Vec<C>; 2],
}

impl<C: Count> Counts<C> {
    fn first(&mut self, bits: &mut Bits<'_>, n_buckets: [usize; 2]) -> Option<()> {
        self.count = C::first(bits)?;
        self.zero_count = C::first(bits)?;
        self.sum = XorFloat::first(bits.float()?);
        for (buckets, n) in self.buckets.iter_mut().zip(n_buckets) {
            for _ in 0..n {
                buckets.push(C::first_bucket(bits)?);
            }
        }
        Some(())
    }

    /// The buckets of a stale marker are not written.
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
}

fn histogram_chunk<C: Count>(bytes: &[u8], histograms: &mut Vec<HistogramSample>) -> Option<()> {
    let mut counts = Counts::<C>::default();
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
        let histogram = if is_stale(counts.sum.value) {
            Histogram::stale()
        } else {
            layout.histogram(&counts, reset_hint)
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
    fn histogram<C: Count>(&self, counts: &Counts<C>, reset_hint: ResetHint) -> Histogram {
        let [positive, negative] = &counts.buckets;
        let buckets = |spans: &[BucketSpan], counts: &[C]| Buckets {
            spans: spans.to_vec(),
            counts: C::values(counts),
        };
        Histogram {
            reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: counts.zero_count.value(),
            count: counts.count.value(),
            sum: counts.sum.value,
            positive: buckets(&self.positive, positive),
            negative: buckets(&self.negative, negative),
            custom_bounds: Arc::clone(&self.custom_bounds),
        }
    }
}

/// A whole number, of which the change of its change is written.
#[derive(Clone, Copy, Default)]
struct Dod {
    value: i64,
    step: i64,
}

impl Dod {
    fn of(value: i64) -> Self {
        Self { value, step: 0 }
    }
}

impl Count for Dod {
    fn first(bits: &mut Bits<'_>) -> Option<Self> {
        Some(Self::of(bits.varbit_uint()? as i64))
    }

    fn first_bucket(bits: &mut Bits<'_>) -> Option<Self> {
        Some(Self::of(bits.varbit_int()?))
    }

    #[inline]
    fn next(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.step = self.step.wrapping_add(bits.varbit_int()?);
        self.value = self.value.wrapping_add(self.step);
        Some(())
    }

    fn value(self) -> f64 {
        self.value as u64 as f64
    }

    /// Each is the distance from the one before it.
    fn values(buckets: &[Self]) -> Vec<f64> {
        let mut count = 0_i64;
        let counts = buckets.iter().map(|bucket| {
            count = count.wrapping_add(bucket.value);
            count as f64
        });
        counts.collect()
    }
}

impl Count for XorFloat {
    fn first(bits: &mut Bits<'_>) -> Option<Self> {
        Some(Self::first(bits.float()?))
    }

    fn first_bucket(bits: &mut Bits<'_>) -> Option<Self> {
        Some(Self::first(bits.float()?))
    }

    #[inline]
    fn next(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        Self::next(self, bits)
    }

    fn value(self) -> f64 {
        self.value
    }

    fn values(buckets: &[Self]) -> Vec<f64> {
        buckets.iter().map(|bucket| bucket.value).collect()
    }
}

const ENCODING_XOR: u8 = 1;
const ENCODING_HISTOGRAM: u8 = 2;
const ENCODING_FLOAT_HISTOGRAM: u8 = 3;
/// Of the distance of distances between timestamps, by the number of ones before.
const STEP_WIDTHS: [u32; 5] = [0, 14, 17, 20, 64];
