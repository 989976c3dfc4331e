//! Totals of metrics as OTLP has them, for collectors that do not add deltas up.

use crate::cells::{BIAS, Exemplar, Kind, SCALE, split};
use crate::proto::Message;
use crate::sums::{Sum, Totals};

/// An encoded `Metric` for each series; `since` and `until` are nanoseconds since 1970.
pub(crate) fn encode(totals: &Totals, since: u64, until: u64) -> Vec<Vec<u8>> {
    let encode = |((kind, definition), sum): (&(Kind, Vec<u8>), &Sum)| {
        let (head, labels) = split(definition)?;
        let mut metric = Message::with_capacity(definition.len() + 64);
        metric.append(head);
        let point = |it: &mut Message| {
            it.append(labels);
            it.fixed64(2, since);
            it.fixed64(3, until);
        };
        let total = &sum.total;
        match kind {
            Kind::Counter => metric.message(7, |it| {
                it.message(1, |it| {
                    point(it);
                    it.double(4, total.value);
                    exemplar(it, 5, sum.exemplar.as_ref());
                });
                it.varint(2, CUMULATIVE);
                it.varint(3, 1);
            }),
            Kind::Gauge => metric.message(5, |it| {
                it.message(1, |it| {
                    point(it);
                    it.double(4, total.value);
                });
            }),
            Kind::Histogram => metric.message(10, |it| {
                it.message(1, |it| {
                    point(it);
                    histogram(it, sum);
                });
                it.varint(2, CUMULATIVE);
            }),
        }
        Some(metric.into_bytes())
    };
    totals.iter().filter_map(encode).collect()
}

fn histogram(it: &mut Message, sum: &Sum) {
    let total = &sum.total;
    let count: u64 = total.buckets.values().sum();
    it.fixed64(4, count + total.n_zeros);
    it.double(5, total.value);
    it.sint(6, SCALE);
    it.fixed64(7, total.n_zeros);
    if let (Some((first, _)), Some((last, _))) = (
        total.buckets.first_key_value(),
        total.buckets.last_key_value(),
    ) {
        let count_of = |bucket| total.buckets.get(&bucket).copied().unwrap_or(0);
        let counts: Vec<u64> = (*first..=*last).map(count_of).collect();
        it.message(8, |it| {
            it.sint(1, *first as i64 - BIAS);
            it.packed(2, &counts);
        });
    }
    exemplar(it, 11, sum.exemplar.as_ref());
}

fn exemplar(it: &mut Message, field: u32, exemplar: Option<&Exemplar>) {
    if let Some(exemplar) = exemplar {
        it.message(field, |it| exemplar.write(it));
    }
}

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u64 = 2;
