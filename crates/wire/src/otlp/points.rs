//! Data points: one struct per kind, read from protobuf.
//!
//! *Sources*: `opentelemetry-proto`, `metrics.proto`.

use std::collections::BTreeMap;

use firebell_model::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMAS, Exemplar, Histogram, Labels, Timestamp,
    hex,
};

use super::attributes::{Attributes, push_attribute};
use crate::histogram::{RawHistogram, coarser, push_bucket};
use crate::protobuf::{Malformed, Message};

/// What all kinds of points have.
#[derive(Default)]
pub(super) struct Point<'a> {
    pub(super) attributes: Attributes<'a>,
    /// Nanoseconds since the epoch.
    pub(super) nanos: u64,
    /// When the series began, in nanoseconds since the epoch; 0 when it is not known.
    pub(super) start_nanos: u64,
    /// The flag "no recorded value": the series ends.
    pub(super) is_end: bool,
    pub(super) exemplars: Vec<Exemplar>,
    pub(super) data: Data,
}

/// What a point says.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) enum Data {
    #[default]
    Nothing,
    Number(f64),
    Classic(Classic),
    Exponential(Exponential),
    Summary {
        count: u64,
        sum: f64,
        quantiles: Vec<(f64, f64)>,
    },
}

/// A histogram with bounds.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Classic {
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    /// Of each bucket, the one behind the last bound included.
    pub(super) counts: Vec<u64>,
    pub(super) bounds: Vec<f64>,
}

/// An exponential histogram.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Exponential {
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    pub(super) scale: i64,
    pub(super) zero_count: u64,
    pub(super) zero_threshold: f64,
    pub(super) positive: Dense,
    pub(super) negative: Dense,
}

/// Counts of neighbouring buckets.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Dense {
    pub(super) offset: i64,
    pub(super) counts: Vec<u64>,
}

/// The kinds of metrics, by their field number in `Metric`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Gauge,
    Sum,
    Histogram,
    Exponential,
    Summary,
}

impl Kind {
    pub(super) fn of_field(number: u64) -> Option<Self> {
        Some(match number {
            5 => Self::Gauge,
            7 => Self::Sum,
            9 => Self::Histogram,
            10 => Self::Exponential,
            11 => Self::Summary,
            _ => return None,
        })
    }

    /// The field numbers of attributes, exemplars and flags.
    fn fields(self) -> (u64, u64, u64) {
        match self {
            Self::Gauge | Self::Sum => (7, 5, 8),
            Self::Histogram => (9, 8, 10),
            Self::Exponential => (1, 11, 10),
            Self::Summary => (7, 0, 8),
        }
    }
}

impl<'a> Point<'a> {
    pub(super) fn read(kind: Kind, mut message: Message<'a>) -> Result<Self, Malformed> {
        let (attributes, exemplars, flags) = kind.fields();
        let mut point = Self::default();
        let data = message;
        while let Some((number, value)) = message.next_field()? {
            if number == attributes {
                push_attribute(value.message()?, &mut point.attributes)?;
                if point.attributes.len() > ATTRIBUTES_MAX {
                    return Err(TOO_MANY_ATTRIBUTES);
                }
            } else if number == 2 {
                point.start_nanos = value.fixed()?;
            } else if number == 3 {
                point.nanos = value.fixed()?;
            } else if number == flags {
                point.is_end = value.varint()? & 1 == 1;
            } else if number == exemplars && point.exemplars.len() < EXEMPLARS_MAX {
                point.exemplars.push(read_exemplar(value.message()?)?);
            }
        }
        // They may come in any order; a store takes none that is older than its series' last.
        point.exemplars.sort_by_key(|exemplar| exemplar.at);
        point.data = match kind {
            Kind::Gauge | Kind::Sum => Data::Number(read_number(data)?),
            Kind::Histogram => Data::Classic(read_classic(data)?),
            Kind::Exponential => Data::Exponential(read_exponential(data)?),
            Kind::Summary => read_summary(data)?,
        };
        Ok(point)
    }

    /// The moment in milliseconds.
    pub(super) fn at(&self) -> Timestamp {
        millis(self.nanos)
    }
}

/// Nanoseconds as milliseconds.
pub(super) fn millis(nanos: u64) -> Timestamp {
    Timestamp(nanos.cast_signed() / 1_000_000)
}

fn read_number(mut message: Message<'_>) -> Result<f64, Malformed> {
    let mut number = 0.0;
    while let Some((field, value)) = message.next_field()? {
        match field {
            4 => number = value.double()?,
            6 => number = value.fixed()?.cast_signed() as f64,
            _ => {}
        }
    }
    Ok(number)
}

fn read_classic(mut message: Message<'_>) -> Result<Classic, Malformed> {
    let mut classic = Classic::default();
    while let Some((number, value)) = message.next_field()? {
        match number {
            4 => classic.count = value.fixed()?,
            5 => classic.sum = Some(value.double()?),
            6 => value.fixeds(|bits| bits, &mut classic.counts)?,
            7 => value.fixeds(f64::from_bits, &mut classic.bounds)?,
            _ => {}
        }
    }
    // A last bound without end says nothing: that bucket is there in any case.
    if classic
        .bounds
        .pop_if(|bound| *bound == f64::INFINITY)
        .is_some()
    {
        let last = classic.counts.len().saturating_sub(1);
        if last > classic.bounds.len() {
            let beyond = classic.counts.remove(last);
            classic.counts[last - 1] = classic.counts[last - 1].saturating_add(beyond);
        }
    }
    Ok(classic)
}

fn read_exponential(mut message: Message<'_>) -> Result<Exponential, Malformed> {
    let mut read = Exponential::default();
    while let Some((number, value)) = message.next_field()? {
        match number {
            4 => read.count = value.fixed()?,
            5 => read.sum = Some(value.double()?),
            6 => read.scale = value.sint()?,
            7 => read.zero_count = value.fixed()?,
            8 => read.positive = read_dense(value.message()?)?,
            9 => read.negative = read_dense(value.message()?)?,
            14 => read.zero_threshold = value.double()?,
            _ => {}
        }
    }
    Ok(read)
}

fn read_dense(mut message: Message<'_>) -> Result<Dense, Malformed> {
    let mut dense = Dense::default();
    while let Some((number, value)) = message.next_field()? {
        match number {
            1 => {
                let offset = i32::try_from(value.sint()?);
                dense.offset = offset
                    .map_err(|_| Malformed("an offset is too large"))?
                    .into();
            }
            2 => value.varints(|count| count, &mut dense.counts)?,
            _ => {}
        }
    }
    Ok(dense)
}

fn read_summary(mut message: Message<'_>) -> Result<Data, Malformed> {
    let (mut count, mut sum, mut quantiles) = (0, 0.0, Vec::new());
    while let Some((number, value)) = message.next_field()? {
        match number {
            4 => count = value.fixed()?,
            5 => sum = value.double()?,
            6 => {
                let mut pair = value.message()?;
                let mut read = (0.0, 0.0);
                while let Some((number, value)) = pair.next_field()? {
                    match number {
                        1 => read.0 = value.double()?,
                        2 => read.1 = value.double()?,
                        _ => {}
                    }
                }
                quantiles.push(read);
            }
            _ => {}
        }
    }
    Ok(Data::Summary {
        count,
        sum,
        quantiles,
    })
}

/// Ids come first; attributes are left out when the labels would be too long with them.
fn read_exemplar(mut message: Message<'_>) -> Result<Exemplar, Malformed> {
    let mut exemplar = Exemplar {
        labels: Labels::empty(),
        value: 0.0,
        at: Timestamp(0),
    };
    let mut attributes = Attributes::new();
    let mut ids = BTreeMap::new();
    while let Some((number, value)) = message.next_field()? {
        match number {
            2 => exemplar.at = millis(value.fixed()?),
            3 => exemplar.value = value.double()?,
            4 => drop(ids.insert("span_id", hex(value.bytes()?))),
            5 => drop(ids.insert("trace_id", hex(value.bytes()?))),
            6 => exemplar.value = value.fixed()?.cast_signed() as f64,
            7 => push_attribute(value.message()?, &mut attributes)?,
            _ => {}
        }
    }
    ids.retain(|_, id| id.bytes().any(|digit| digit != b'0'));
    // What the context says of the trace stands, whatever an attribute of that name says.
    attributes.retain(|(name, _)| !ids.contains_key(&**name));
    let length = |name: &str, value: &str| name.chars().count() + value.chars().count();
    let ids_length: usize = ids.iter().map(|(name, id)| length(name, id)).sum();
    let more: usize = attributes
        .iter()
        .map(|(name, value)| length(name, value))
        .sum();
    if ids_length + more > EXEMPLAR_CHARS_MAX {
        attributes.clear();
    }
    let mut labels = Labels::empty().to_builder();
    for (name, value) in &attributes {
        labels.set(*name, &**value);
    }
    for (name, id) in ids {
        labels.set(name, id);
    }
    exemplar.labels = labels.build();
    Ok(exemplar)
}

impl Classic {
    /// As a native histogram with custom buckets; or why it is none.
    pub(super) fn to_native(&self) -> Result<Histogram, String> {
        let mut raw = RawHistogram {
            is_float: true,
            schema: CUSTOM_BUCKETS_SCHEMA.into(),
            count: self.count as f64,
            sum: self.sum.unwrap_or(0.0),
            custom_bounds: self.bounds.clone(),
            ..RawHistogram::default()
        };
        let buckets = sparse(0, &self.counts)?;
        raw.positive.spans = buckets.spans;
        raw.positive.counts = buckets.counts;
        raw.check()
    }
}

impl Exponential {
    /// As a native histogram; or why it is none.
    pub(super) fn to_native(&self) -> Result<Histogram, String> {
        let (coarsest, finest) = EXPONENTIAL_SCHEMAS.into_inner();
        if self.scale < i64::from(coarsest) {
            return Err(format!(
                "cannot convert exponential to native histogram. Scale must be >= {coarsest}, was {}",
                self.scale
            ));
        }
        let scale = i64::from(finest).min(self.scale);
        let steps = u32::try_from(self.scale - scale).unwrap_or(u32::MAX);
        // OpenTelemetry's bucket 0 begins at 1, Prometheus's ends there.
        let side = |dense: &Dense| {
            let buckets = sparse(dense.offset + 1, &dense.counts)?;
            Ok::<_, String>(match steps {
                0 => buckets,
                _ => coarser(&buckets, steps),
            })
        };
        let (positive, negative) = (side(&self.positive)?, side(&self.negative)?);
        let threshold = self.zero_threshold;
        let mut raw = RawHistogram {
            is_float: true,
            schema: scale,
            zero_threshold: if threshold > 0.0 {
                threshold
            } else {
                ZERO_THRESHOLD
            },
            zero_count: self.zero_count as f64,
            count: self.count as f64,
            sum: self.sum.unwrap_or(0.0),
            ..RawHistogram::default()
        };
        (raw.positive.spans, raw.positive.counts) = (positive.spans, positive.counts);
        (raw.negative.spans, raw.negative.counts) = (negative.spans, negative.counts);
        raw.check()
    }
}

/// The buckets that are not empty; the first of `counts` has the index `first`.
fn sparse(first: i64, counts: &[u64]) -> Result<Buckets, String> {
    let mut buckets = Buckets::default();
    let mut last = None;
    for (idx, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let idx = i32::try_from(first + idx as i64);
        let idx = idx.map_err(|_| "a bucket's index does not fit into 32 bits".to_owned())?;
        // Differences of indexes have to fit as well.
        if idx.unsigned_abs() > BUCKET_INDEX_MAX {
            return Err("a bucket lies beyond all numbers".to_owned());
        }
        push_bucket(&mut buckets, last, idx, *count as f64);
        last = Some(idx);
    }
    Ok(buckets)
}

/// Attributes of a point, a scope or a resource; a request with more is refused.
pub(super) const ATTRIBUTES_MAX: usize = 1000;
pub(super) const TOO_MANY_ATTRIBUTES: Malformed = Malformed("a set of attributes is too large");
/// Exemplars of a point; more are passed over.
const EXEMPLARS_MAX: usize = 1000;
/// Characters in labels of an exemplar, as OpenMetrics.
const EXEMPLAR_CHARS_MAX: usize = 128;
/// What counts as zero where the sender does not say.
const ZERO_THRESHOLD: f64 = 1e-128;
const BUCKET_INDEX_MAX: u32 = 1 << 30;
