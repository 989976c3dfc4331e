//! Native histograms compressed by what changes: one layout of buckets for a chunk, and of each count
//! the bits that differ from the one before.
//!
//! *Sources*: Prometheus, `tsdb/chunkenc/float_histogram.go`, `histogram_meta.go` and `varbit.go`.

use firebell_model::{BucketSpan, Histogram, HistogramSample, ResetHint};

use super::bits::{Bits, Values};

/// How many of the first histograms fit into one chunk. A chunk has one layout, and none of its
/// counters is reset within.
pub(super) fn run_len(histograms: &[HistogramSample]) -> usize {
    let mut pairs = histograms.windows(2);
    let end = pairs.position(|pair| !goes_on(&pair[0].histogram, &pair[1].histogram));
    end.map_or(histograms.len(), |idx| idx + 1)
}

fn goes_on(before: &Histogram, after: &Histogram) -> bool {
    if before.is_stale() || after.is_stale() {
        return before.is_stale() == after.is_stale();
    }
    let has_same_layout = before.schema == after.schema
        && before.zero_threshold == after.zero_threshold
        && before.positive.spans == after.positive.spans
        && before.negative.spans == after.negative.spans
        && before.custom_bounds == after.custom_bounds;
    let is_gauge = |it: &Histogram| it.reset_hint == ResetHint::Gauge;
    has_same_layout
        && is_gauge(before) == is_gauge(after)
        && (is_gauge(after) || !after.is_reset_since(before))
}

/// A chunk of at most 65,535 histograms of one run.
pub(super) fn encode(histograms: &[HistogramSample]) -> Vec<u8> {
    let mut out = Bits::default();
    out.write(histograms.len() as u64, 16);
    let Some(first) = histograms.first() else {
        return out.bytes;
    };
    let hint = match first.histogram.reset_hint {
        ResetHint::Unknown => 0b0000_0000,
        ResetHint::NotReset => 0b0100_0000,
        ResetHint::Reset => 0b1000_0000,
        ResetHint::Gauge => 0b1100_0000,
    };
    out.write(hint, 8);
    write_layout(&first.histogram, &mut out);
    let mut known: Vec<Values> = numbers(&first.histogram).map(Values::of).collect();
    varbit(first.at.0, &mut out);
    for value in &known {
        out.write(value.last, 64);
    }
    let (mut last_at, mut last_delta) = (first.at.0, 0_i64);
    for sample in &histograms[1..] {
        let delta = sample.at.0.wrapping_sub(last_at);
        varbit(delta.wrapping_sub(last_delta), &mut out);
        (last_at, last_delta) = (sample.at.0, delta);
        for (known, number) in known.iter_mut().zip(numbers(&sample.histogram)) {
            known.write(number, &mut out);
        }
    }
    out.bytes
}

/// All numbers of a histogram, in the order in which they are written.
fn numbers(histogram: &Histogram) -> impl Iterator<Item = f64> {
    let Histogram {
        count,
        zero_count,
        sum,
        positive,
        negative,
        ..
    } = histogram;
    let buckets = positive.counts.iter().chain(&negative.counts).copied();
    [*count, *zero_count, *sum].into_iter().chain(buckets)
}

fn write_layout(histogram: &Histogram, out: &mut Bits) {
    write_zero_threshold(histogram.zero_threshold, out);
    varbit(histogram.schema.into(), out);
    write_spans(&histogram.positive.spans, out);
    write_spans(&histogram.negative.spans, out);
    if histogram.has_custom_buckets() {
        varbit_unsigned(histogram.custom_bounds.len() as u64, out);
        for bound in &*histogram.custom_bounds {
            write_bound(*bound, out);
        }
    }
}

fn write_spans(spans: &[BucketSpan], out: &mut Bits) {
    varbit_unsigned(spans.len() as u64, out);
    for span in spans {
        varbit_unsigned(span.length.into(), out);
        varbit(span.offset.into(), out);
    }
}

/// The usual powers of two take one byte.
fn write_zero_threshold(threshold: f64, out: &mut Bits) {
    let bits = threshold.to_bits();
    // A power of two is `0.5 * 2^exponent`.
    let exponent = (bits >> 52) as i64 - 1022;
    let is_power = bits << 12 == 0 && threshold > 0.0;
    if threshold == 0.0 {
        out.write(0, 8);
    } else if is_power && (-242..=11).contains(&exponent) {
        out.write((exponent + 243).cast_unsigned(), 8);
    } else {
        out.write(255, 8);
        out.write(bits, 64);
    }
}

/// Multiples of a thousandth take up to four bytes.
fn write_bound(bound: f64, out: &mut Bits) {
    let thousandths = bound * 1000.0;
    let whole = thousandths.round();
    if (0.0..=33_554_430.0).contains(&thousandths) && whole / 1000.0 == bound {
        varbit_unsigned(whole as u64 + 1, out);
    } else {
        out.write(0, 1);
        out.write(bound.to_bits(), 64);
    }
}

/// A signed number: a prefix says in how many bits.
fn varbit(number: i64, out: &mut Bits) {
    let fits = |bits: u32| (-(1_i64 << (bits - 1)) + 1..=1 << (bits - 1)).contains(&number);
    let size = match number {
        0 => 0,
        _ => SIZES
            .iter()
            .position(|bits| fits(*bits))
            .map_or(8, |idx| idx + 1),
    };
    write_sized(size, number.cast_unsigned(), out);
}

/// An unsigned number, with the same prefixes.
fn varbit_unsigned(number: u64, out: &mut Bits) {
    let size = match number {
        0 => 0,
        _ => SIZES
            .iter()
            .position(|bits| number >> bits == 0)
            .map_or(8, |idx| idx + 1),
    };
    write_sized(size, number, out);
}

/// As many ones as the size says, a zero unless there are eight, and the number.
fn write_sized(size: usize, number: u64, out: &mut Bits) {
    if size == 8 {
        out.write(0xff, 8);
        return out.write(number, 64);
    }
    out.write((1 << (size + 1)) - 2, size as u32 + 1);
    if let Some(bits) = size.checked_sub(1).map(|idx| SIZES[idx]) {
        out.write(number, bits);
    }
}

/// The bits of numbers by their prefixes; beyond these it is all of them.
const SIZES: [u32; 7] = [3, 6, 9, 12, 18, 25, 56];

#[cfg(test)]
mod tests {
    use firebell_model::{Buckets, CUSTOM_BUCKETS_SCHEMA, Timestamp};

    use super::*;

    fn buckets(spans: &[(i32, u32)], counts: &[f64]) -> Buckets {
        let span = |&(offset, length): &(i32, u32)| BucketSpan { offset, length };
        Buckets {
            spans: spans.iter().map(span).collect(),
            counts: counts.to_vec(),
        }
    }

    fn check(histograms: &[(i64, Histogram)], expected: &str) {
        let sample = |(at, histogram): &(i64, Histogram)| HistogramSample {
            at: Timestamp(*at),
            histogram: histogram.clone().into(),
        };
        let all: Vec<_> = histograms.iter().map(sample).collect();
        assert_eq!(run_len(&all), all.len());
        let bytes = encode(&all);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    /// The bytes are those that Prometheus 3.15's `FloatHistogramAppender` writes.
    #[test]
    fn chunks_are_upstreams_to_the_bit() {
        let exponential = |k: f64| Histogram {
            schema: 3,
            zero_threshold: (-20_f64).exp2(),
            zero_count: 2.0 * k,
            count: 10.0 * k,
            sum: 18.5 * k,
            positive: buckets(&[(-5, 2), (300, 1)], &[k, 2.0 * k, 3.0 * k]),
            negative: buckets(&[(0, 1)], &[2.0 * k]),
            ..Histogram::default()
        };
        check(
            &[
                (1_700_000_000_000, exponential(1.0)),
                (1_700_000_015_000, exponential(2.0)),
                (1_700_000_030_007, exponential(3.25)),
                (1_700_000_045_007, exponential(3.25)),
            ],
            "000400e09ca5bb8f84b2317f0000c5e7f2b400201200000000000020000000000000002019400000000000\
             1ff80000000000002000000000000000200400000000000020000000000000007c1d4c6b07ac1e90fe12ff\
             feb07ac1eb0787d24f47607761193b03bb03ba87efb03bb900",
        );
        let custom = |k: f64| Histogram {
            reset_hint: ResetHint::Gauge,
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 6.0 * k,
            sum: 1.5 * k,
            positive: buckets(&[(0, 3)], &[k, 2.0 * k, 3.0 * k]),
            custom_bounds: [0.005, 1.0 / 3.0, 40_000.0].into(),
            ..Histogram::default()
        };
        check(
            &[(-5, custom(2.0)), (60_000, custom(1.0))],
            "0002c000ee5c664ec3fd55555555555552071c400000000006ed00a0000000000000000000000000000100\
             20000000000001000000000000000100400000000000010060000000000003e3a997505b097fff097fff58\
             3d60c0",
        );
        let odd = Histogram {
            zero_threshold: 0.1,
            ..Histogram::default()
        };
        check(
            &[(0, odd)],
            "000100ff3fb999999999999a00000000000000000000000000000000000000000000000000",
        );
    }

    #[test]
    fn a_chunk_ends_where_a_reader_could_not_tell_what_follows() {
        let counted = |count: f64| Histogram {
            count,
            positive: buckets(&[(0, 1)], &[count]),
            ..Histogram::default()
        };
        let wider = Histogram {
            count: 9.0,
            positive: buckets(&[(0, 2)], &[8.0, 1.0]),
            ..Histogram::default()
        };
        let gauge = Histogram {
            reset_hint: ResetHint::Gauge,
            ..counted(9.0)
        };
        let all: Vec<_> = [
            counted(1.0),
            counted(2.0),
            counted(1.0),
            wider,
            Histogram::stale(),
            Histogram::stale(),
            gauge.clone(),
            gauge,
            counted(9.0),
        ]
        .into_iter()
        .enumerate()
        .map(|(at, histogram)| HistogramSample {
            at: Timestamp(at as i64),
            histogram: histogram.into(),
        })
        .collect();
        let (mut lengths, mut rest) = (Vec::new(), &all[..]);
        while !rest.is_empty() {
            let n = run_len(rest);
            lengths.push(n);
            rest = &rest[n..];
        }
        assert_eq!(lengths, [2, 1, 1, 2, 2, 1]);
    }
}
