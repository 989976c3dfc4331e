//! Native histograms as Prometheus's protobuf formats write them, and the rules for them.
//!
//! *Sources*: Prometheus, `prompb/types.proto` (whose fields remote write 1, remote write 2 and
//! remote read share) and `model/histogram` (`Validate`, with its texts).

use firebell_model::{
    BucketSpan, Buckets, CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMAS, Histogram, HistogramSample,
    ResetHint, Timestamp,
};

use crate::protobuf::{Malformed, Message, push, zigzag};

/// A histogram on its way in, fields as they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawHistogram {
    /// Counts are `counts`, rather than `deltas` to the bucket before.
    pub(crate) is_float: bool,
    pub(crate) schema: i64,
    pub(crate) zero_threshold: f64,
    pub(crate) zero_count: f64,
    pub(crate) count: f64,
    pub(crate) sum: f64,
    pub(crate) positive: RawBuckets,
    pub(crate) negative: RawBuckets,
    pub(crate) custom_bounds: Vec<f64>,
    pub(crate) hint: ResetHint,
}

/// One side of a [`RawHistogram`].
#[derive(Clone, Debug, Default)]
pub(crate) struct RawBuckets {
    pub(crate) spans: Vec<BucketSpan>,
    pub(crate) deltas: Vec<i64>,
    pub(crate) counts: Vec<f64>,
}

/// Reads `prompb.Histogram`; the inner error says why it must not be stored.
pub(crate) fn read_histogram(bytes: &[u8]) -> Result<Result<HistogramSample, String>, Malformed> {
    let mut raw = RawHistogram::default();
    let mut at = Timestamp(0);
    let mut message = Message::new(bytes);
    while let Some((number, value)) = message.next_field()? {
        match number {
            1 => (raw.is_float, raw.count) = (false, value.varint()? as f64),
            2 => (raw.is_float, raw.count) = (true, value.double()?),
            3 => raw.sum = value.double()?,
            4 => raw.schema = value.sint()?,
            5 => raw.zero_threshold = value.double()?,
            6 => raw.zero_count = value.varint()? as f64,
            7 => raw.zero_count = value.double()?,
            8 => push(read_span(value.bytes()?)?, &mut raw.negative.spans)?,
            9 => value.varints(zigzag, &mut raw.negative.deltas)?,
            10 => value.fixeds(f64::from_bits, &mut raw.negative.counts)?,
            11 => push(read_span(value.bytes()?)?, &mut raw.positive.spans)?,
            12 => value.varints(zigzag, &mut raw.positive.deltas)?,
            13 => value.fixeds(f64::from_bits, &mut raw.positive.counts)?,
            14 => raw.hint = reset_hint(value.varint()?),
            15 => at = Timestamp(value.int()?),
            16 => value.fixeds(f64::from_bits, &mut raw.custom_bounds)?,
            _ => {}
        }
    }
    let sample = |histogram: Histogram| HistogramSample {
        at,
        histogram: histogram.into(),
    };
    Ok(raw.check().map(sample))
}

/// Reads a `BucketSpan`, the same in all formats.
pub(crate) fn read_span(bytes: &[u8]) -> Result<BucketSpan, Malformed> {
    let mut span = BucketSpan::default();
    let mut message = Message::new(bytes);
    while let Some((number, value)) = message.next_field()? {
        match number {
            1 => span.offset = i32::try_from(value.sint()?).map_err(|_| TOO_LARGE)?,
            2 => span.length = u32::try_from(value.varint()?).map_err(|_| TOO_LARGE)?,
            _ => {}
        }
    }
    Ok(span)
}

fn reset_hint(number: u64) -> ResetHint {
    match number {
        1 => ResetHint::Reset,
        2 => ResetHint::NotReset,
        3 => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    }
}

impl RawHistogram {
    /// The histogram; or why it is none, in upstream's words. A finer schema than the finest is made
    /// as coarse as that, as upstream.
    pub(crate) fn check(self) -> Result<Histogram, String> {
        let custom = self.schema == i64::from(CUSTOM_BUCKETS_SCHEMA);
        if custom {
            self.check_custom()?;
        } else if !self.custom_bounds.is_empty() {
            return Err("histogram with exponential schema must not have custom bounds".to_owned());
        }
        let finest = i64::from(*EXPONENTIAL_SCHEMAS.end());
        let coarsest = i64::from(*EXPONENTIAL_SCHEMAS.start());
        if !custom && !(coarsest..=RESERVED_SCHEMA_MAX).contains(&self.schema) {
            return Err(format!("histogram has an invalid schema {}", self.schema));
        }
        if let Some(n) = first_negative(&[self.zero_count, self.count]) {
            return Err(format!("histogram has a negative count {n}"));
        }
        let mut positive = self.positive.check("positive", self.is_float)?;
        let mut negative = self.negative.check("negative", self.is_float)?;
        if !self.is_float {
            let counts = positive.counts.iter().chain(&negative.counts);
            check_count(counts.sum::<f64>() + self.zero_count, self.count, self.sum)?;
        }
        let reduce_by = self.schema - finest;
        if !custom && reduce_by > 0 {
            positive = coarser(&positive, reduce_by as u32);
            negative = coarser(&negative, reduce_by as u32);
        }
        Ok(Histogram {
            reset_hint: self.hint,
            // Checked above: in the range of `i8` from both sides.
            schema: self.schema.min(finest) as i8,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            count: self.count,
            sum: self.sum,
            positive,
            negative,
            custom_bounds: self.custom_bounds.into(),
        })
    }

    fn check_custom(&self) -> Result<(), String> {
        let bounds = &self.custom_bounds;
        let rules = [
            (
                bounds.windows(2).any(|two| two[0] >= two[1])
                    || bounds.iter().any(|bound| bound.is_nan()),
                "histogram custom bounds must be in strictly increasing order",
            ),
            (
                bounds.iter().any(|bound| bound.is_infinite()),
                "histogram custom bounds must be finite",
            ),
            (
                last_bucket(&self.positive.spans).is_some_and(|last| last > bounds.len() as i64),
                "histogram custom bounds are too few",
            ),
            (
                self.zero_count != 0.0,
                "custom buckets: must have zero count of 0",
            ),
            (
                self.zero_threshold != 0.0,
                "custom buckets: must have zero threshold of 0",
            ),
            (
                !self.negative.spans.is_empty(),
                "custom buckets: must not have negative spans",
            ),
            (
                !self.negative.deltas.is_empty() || !self.negative.counts.is_empty(),
                "custom buckets: must not have negative buckets",
            ),
        ];
        match rules.iter().find(|(is_broken, _)| *is_broken) {
            Some((_, why)) => Err((*why).to_owned()),
            None => Ok(()),
        }
    }
}

impl RawBuckets {
    /// Spans and absolute counts that fit together; no count is negative.
    fn check(self, side: &str, is_float: bool) -> Result<Buckets, String> {
        let counts = if is_float {
            self.counts
        } else {
            absolute(&self.deltas).map_err(|why| format!("{side} side: {why}"))?
        };
        for (idx, span) in self.spans.iter().enumerate().skip(1) {
            if span.offset < 0 {
                let number = idx + 1;
                return Err(format!(
                    "{side} side: span number {number} with offset {}: histogram has a span whose \
                     offset is negative",
                    span.offset
                ));
            }
        }
        let wanted: u64 = self.spans.iter().map(|span| u64::from(span.length)).sum();
        if wanted != counts.len() as u64 {
            return Err(format!(
                "{side} side: spans need {wanted} buckets, have {} buckets: histogram spans specify \
                 different number of buckets than provided",
                counts.len()
            ));
        }
        let first = self.spans.first().map_or(0, |span| i64::from(span.offset));
        let last = last_bucket(&self.spans).unwrap_or(0);
        if first < -BUCKET_INDEX_MAX || last > BUCKET_INDEX_MAX {
            return Err(format!(
                "{side} side: histogram has a bucket beyond all bounds"
            ));
        }
        if let Some(idx) = counts.iter().position(|count| *count < 0.0) {
            return Err(format!(
                "{side} side: bucket number {} has observation count of {}: histogram has a bucket \
                 whose observation count is negative",
                idx + 1,
                counts[idx]
            ));
        }
        Ok(Buckets {
            spans: self.spans,
            counts,
        })
    }
}

fn first_negative(counts: &[f64]) -> Option<f64> {
    counts.iter().copied().find(|count| *count < 0.0)
}

fn check_count(in_buckets: f64, count: f64, sum: f64) -> Result<(), String> {
    let why = if !sum.is_nan() && in_buckets != count {
        "histogram's observation count should equal the number of observations found in the \
         buckets (in absence of NaN)"
    } else if in_buckets > count {
        "histogram's observation count should be at least the number of observations found in the \
         buckets"
    } else {
        return Ok(());
    };
    Err(format!(
        "{in_buckets} observations found in buckets, but the Count field is {count}: {why}"
    ))
}

fn absolute(deltas: &[i64]) -> Result<Vec<f64>, &'static str> {
    let mut count = 0_i64;
    let counts = deltas.iter().map(|delta| {
        count = count
            .checked_add(*delta)
            .ok_or("a bucket's count does not fit into 64 bits")?;
        Ok(count as f64)
    });
    counts.collect()
}

/// The index of the last bucket that spans name.
fn last_bucket(spans: &[BucketSpan]) -> Option<i64> {
    let end = spans
        .iter()
        .map(|span| i64::from(span.offset) + i64::from(span.length));
    spans.last().map(|_| end.sum::<i64>() - 1)
}

/// A histogram without observations, with the layout of another: what that one was when its series
/// began.
#[must_use]
pub fn empty_of(histogram: &Histogram) -> Histogram {
    Histogram {
        reset_hint: ResetHint::Reset,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        custom_bounds: histogram.custom_bounds.clone(),
        ..Histogram::default()
    }
}

/// The histogram in an exponential schema no finer than `schema_max`.
#[must_use]
pub fn reduce(histogram: Histogram, schema_max: i8) -> Histogram {
    let steps = i32::from(histogram.schema) - i32::from(schema_max);
    if histogram.has_custom_buckets() || steps <= 0 {
        return histogram;
    }
    let steps = steps.unsigned_abs();
    Histogram {
        schema: schema_max,
        positive: coarser(&histogram.positive, steps),
        negative: coarser(&histogram.negative, steps),
        ..histogram
    }
}

/// The histogram in a schema in which it has at most so many buckets; `None` when there is none.
#[must_use]
pub fn limit_buckets(mut histogram: Histogram, buckets_max: u64) -> Option<Histogram> {
    loop {
        let n_buckets = histogram.positive.counts.len() + histogram.negative.counts.len();
        if n_buckets as u64 <= buckets_max {
            return Some(histogram);
        }
        if histogram.schema <= *EXPONENTIAL_SCHEMAS.start() {
            return None;
        }
        let schema = histogram.schema - 1;
        histogram = reduce(histogram, schema);
    }
}

/// Buckets of a schema that is coarser by so many steps: each step joins two neighbours.
pub(crate) fn coarser(buckets: &Buckets, steps: u32) -> Buckets {
    let mut joined = Buckets::default();
    // Bucket `i` ends at `base^i`, so the one that holds it ends at the next power of the new base.
    let merged = |idx: i32| {
        let wide = (i64::from(idx) - 1) >> steps.min(MOST_STEPS);
        (wide + 1) as i32
    };
    let mut last = None;
    for (idx, count) in buckets.iter() {
        let idx = merged(idx);
        match (last, joined.counts.last_mut()) {
            (Some(known), Some(sum)) if known == idx => *sum += count,
            _ => push_bucket(&mut joined, last, idx, count),
        }
        last = Some(idx);
    }
    joined
}

/// Appends a bucket behind the last one, whose index is `last`.
pub(crate) fn push_bucket(buckets: &mut Buckets, last: Option<i32>, idx: i32, count: f64) {
    let gap = match last {
        Some(last) => idx - last - 1,
        None => idx,
    };
    match buckets.spans.last_mut() {
        Some(span) if gap == 0 => span.length += 1,
        _ => buckets.spans.push(BucketSpan {
            offset: gap,
            length: 1,
        }),
    }
    buckets.counts.push(count);
}

/// Beyond all buckets that a float can fall into, of any schema, and so small that differences of
/// indexes fit into 32 bits.
const BUCKET_INDEX_MAX: i64 = 1 << 30;
const TOO_LARGE: Malformed = Malformed("a span's offset or length does not fit into 32 bits");
/// The finest schema that senders may use; what is finer than 8 is made coarser.
const RESERVED_SCHEMA_MAX: i64 = 52;
/// More steps than this leave one bucket on each side of 1 as well.
const MOST_STEPS: u32 = 62;
