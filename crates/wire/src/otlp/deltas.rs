//! Deltas, added up: what each series came to so far.
//!
//! *Invariants*: at most [`DELTA_SERIES_MAX`] series of [`BYTES_MAX`] together are kept; those that
//! are silent longest make room, once they are silent for [`SILENT_NANOS`].

use std::collections::BTreeMap;

use firebell_model::{Labels, Timestamp};

use super::points::{Classic, Data, Dense, Exponential};

/// What deltas of earlier requests added up to.
#[derive(Debug)]
pub struct Deltas {
    series: BTreeMap<Labels, Total>,
    newest_nanos: u64,
    /// Later ones are refused.
    latest_nanos: Option<u64>,
    /// No series is older: it is the oldest one of the last look at all, or of those that came since.
    oldest_nanos: u64,
    /// What all of them take, about.
    bytes: usize,
}

impl Default for Deltas {
    fn default() -> Self {
        Self {
            series: BTreeMap::new(),
            newest_nanos: 0,
            latest_nanos: None,
            oldest_nanos: u64::MAX,
            bytes: 0,
        }
    }
}

#[derive(Debug)]
struct Total {
    nanos: u64,
    data: Data,
}

impl Deltas {
    /// From now on deltas that are later than this are refused: one from the future would keep right
    /// ones of its series out, and make all others silent.
    pub fn refuse_after(&mut self, latest: Timestamp) {
        let millis = u64::try_from(latest.0).unwrap_or(0);
        self.latest_nanos = Some(millis.saturating_mul(1_000_000));
    }

    /// Adds a delta to its series; gives what it comes to, or why it cannot be added.
    pub(super) fn add(&mut self, key: Labels, nanos: u64, delta: Data) -> Result<Data, String> {
        if self.latest_nanos.is_some_and(|latest| nanos > latest) {
            return Err(format!("{key}: a delta is too far in the future"));
        }
        let n_buckets = delta.n_buckets();
        if n_buckets > BUCKETS_MAX {
            return Err(format!("{key}: a delta of more than {BUCKETS_MAX} buckets"));
        }
        self.newest_nanos = self.newest_nanos.max(nanos);
        let Some(total) = self.series.get_mut(&key) else {
            return self.begin(key, nanos, delta);
        };
        if nanos <= total.nanos {
            return Err(format!("{key}: a delta came out of order"));
        }
        total.nanos = nanos;
        self.bytes -= total.data.bytes();
        let both = sum(std::mem::take(&mut total.data), delta);
        if self.bytes + both.bytes() > BYTES_MAX {
            return self.keep_grown(&key, both);
        }
        self.bytes += both.bytes();
        total.data = both.clone();
        Ok(both)
    }

    /// Keeps a sum that is too much unless others are forgotten.
    fn keep_grown(&mut self, key: &Labels, both: Data) -> Result<Data, String> {
        self.make_room();
        let bytes = self.bytes + both.bytes();
        match self.series.get_mut(key) {
            Some(total) if bytes <= BYTES_MAX => {
                self.bytes = bytes;
                total.data = both.clone();
                Ok(both)
            }
            // What a sum has more than its delta it has for good: the counter starts anew.
            known => {
                if known.is_some() {
                    self.series.remove(key);
                    self.bytes -= bytes_of(key);
                }
                Err(format!("{key}: {TOO_MANY_BYTES}"))
            }
        }
    }

    fn begin(&mut self, key: Labels, nanos: u64, delta: Data) -> Result<Data, String> {
        let bytes = bytes_of(&key) + delta.bytes();
        let why_full = |it: &Self| {
            if it.series.len() >= DELTA_SERIES_MAX {
                return Some(format!("more than {DELTA_SERIES_MAX} series with deltas"));
            }
            (it.bytes + bytes > BYTES_MAX).then(|| format!("{key}: {TOO_MANY_BYTES}"))
        };
        if why_full(self).is_some() && nanos >= self.silent_before() {
            self.make_room();
        }
        if let Some(why) = why_full(self) {
            return Err(why);
        }
        self.bytes += bytes;
        self.oldest_nanos = self.oldest_nanos.min(nanos);
        let data = delta.clone();
        self.series.insert(key, Total { nanos, data });
        Ok(delta)
    }

    fn silent_before(&self) -> u64 {
        self.newest_nanos.saturating_sub(SILENT_NANOS)
    }

    /// Forgets series that are silent. Looks at all of them only when one may be: every point of a
    /// new series asks for this where there are too many.
    fn make_room(&mut self) {
        let silent_before = self.silent_before();
        if self.oldest_nanos >= silent_before {
            return;
        }
        let (bytes, oldest) = (&mut self.bytes, &mut self.oldest_nanos);
        *oldest = u64::MAX;
        self.series.retain(|key, total| {
            let is_kept = total.nanos >= silent_before;
            if is_kept {
                *oldest = total.nanos.min(*oldest);
            } else {
                *bytes -= bytes_of(key) + total.data.bytes();
            }
            is_kept
        });
    }
}

/// What the labels of a series take, about.
fn bytes_of(key: &Labels) -> usize {
    let texts = key.iter().map(|it| it.name.len() + it.value.len());
    SERIES_BYTES + texts.sum::<usize>()
}

impl Data {
    fn n_buckets(&self) -> usize {
        match self {
            Self::Classic(classic) => classic.counts.len().max(classic.bounds.len()),
            Self::Exponential(it) => it.positive.counts.len() + it.negative.counts.len(),
            _ => 0,
        }
    }

    fn bytes(&self) -> usize {
        2 * size_of::<u64>() * self.n_buckets()
    }
}

/// Both together; only the later one when they do not fit to each other: the counter starts anew.
fn sum(before: Data, delta: Data) -> Data {
    match (before, delta) {
        (Data::Number(before), Data::Number(delta)) => Data::Number(before + delta),
        (Data::Classic(before), Data::Classic(delta)) if before.bounds == delta.bounds => {
            Data::Classic(Classic {
                count: before.count.saturating_add(delta.count),
                sum: before
                    .sum
                    .zip(delta.sum)
                    .map(|(before, delta)| before + delta),
                counts: sum_counts(&before.counts, &delta.counts),
                bounds: delta.bounds,
            })
        }
        (Data::Exponential(before), Data::Exponential(delta)) => add_exponential(before, delta),
        (_, delta) => delta,
    }
}

fn sum_counts(a: &[u64], b: &[u64]) -> Vec<u64> {
    let at = |counts: &[u64], idx: usize| counts.get(idx).copied().unwrap_or(0);
    let len = a.len().max(b.len());
    (0..len)
        .map(|idx| at(a, idx).saturating_add(at(b, idx)))
        .collect()
}

fn add_exponential(before: Exponential, delta: Exponential) -> Data {
    let scale = before.scale.min(delta.scale);
    let threshold = before.zero_threshold.max(delta.zero_threshold);
    let (one, other) = (before.at_scale(scale), delta.at_scale(scale));
    let sides = [
        (&one.positive, &other.positive),
        (&one.negative, &other.negative),
    ];
    let [Some(positive), Some(negative)] = sides.map(|(one, other)| one.plus(other)) else {
        return Data::Exponential(delta);
    };
    Data::Exponential(Exponential {
        count: before.count.saturating_add(delta.count),
        sum: before
            .sum
            .zip(delta.sum)
            .map(|(before, delta)| before + delta),
        scale,
        zero_count: before.zero_count.saturating_add(delta.zero_count),
        zero_threshold: threshold,
        positive,
        negative,
    })
}

impl Exponential {
    fn at_scale(&self, scale: i64) -> Self {
        let steps = (self.scale - scale).clamp(0, STEPS_MAX);
        Self {
            positive: self.positive.coarser(steps),
            negative: self.negative.coarser(steps),
            ..self.clone()
        }
    }
}

impl Dense {
    fn coarser(&self, steps: i64) -> Self {
        let offset = self.offset >> steps;
        let mut counts: Vec<u64> = Vec::new();
        for (idx, count) in self.counts.iter().enumerate() {
            let place = (((self.offset + idx as i64) >> steps) - offset) as usize;
            if place == counts.len() {
                counts.push(0);
            }
            counts[place] = counts[place].saturating_add(*count);
        }
        Self { offset, counts }
    }

    /// Both sides together; `None` when they lie too far from each other.
    fn plus(&self, other: &Self) -> Option<Self> {
        if self.counts.is_empty() || other.counts.is_empty() {
            let full = if self.counts.is_empty() { other } else { self };
            return Some(full.clone());
        }
        let offset = self.offset.min(other.offset);
        let end = |dense: &Self| dense.offset + dense.counts.len() as i64;
        let len = usize::try_from(end(self).max(end(other)) - offset).ok()?;
        if len > BUCKETS_MAX {
            return None;
        }
        let mut counts = vec![0_u64; len];
        for dense in [self, other] {
            for (idx, count) in dense.counts.iter().enumerate() {
                let place = (dense.offset - offset) as usize + idx;
                counts[place] = counts[place].saturating_add(*count);
            }
        }
        Some(Self { offset, counts })
    }
}

/// Series whose deltas are added up; deltas of more are refused.
pub(super) const DELTA_SERIES_MAX: usize = 100_000;
/// A series that is silent for five minutes may be forgotten: it starts anew then.
const SILENT_NANOS: u64 = 300_000_000_000;
/// What all series may take together.
const BYTES_MAX: usize = 256 << 20;
const TOO_MANY_BYTES: &str = "the series with deltas take more than 256 MiB";
/// What a series takes without its texts and buckets, about.
const SERIES_BYTES: usize = 300;
/// Buckets of a delta, or of a histogram that deltas add up to; with more it starts anew.
const BUCKETS_MAX: usize = 20_000;
/// More steps than this leave one bucket.
const STEPS_MAX: i64 = 62;

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(scale: i64, offset: i64, counts: &[u64]) -> Data {
        Data::Exponential(Exponential {
            count: counts.iter().sum(),
            scale,
            positive: Dense {
                offset,
                counts: counts.to_vec(),
            },
            ..Exponential::default()
        })
    }

    #[test]
    fn deltas_add_up_and_late_ones_are_refused() {
        let key = || Labels::from_pairs([("__name__", "x")]);
        let mut deltas = Deltas::default();
        assert_eq!(
            deltas.add(key(), 1, Data::Number(2.0)),
            Ok(Data::Number(2.0))
        );
        assert_eq!(
            deltas.add(key(), 2, Data::Number(3.0)),
            Ok(Data::Number(5.0))
        );
        assert!(deltas.add(key(), 2, Data::Number(3.0)).is_err());
    }

    #[test]
    fn deltas_are_bounded_by_what_they_take() {
        let key = |n: usize| Labels::from_pairs([("n", n.to_string())]);
        let wide = || exponential(0, 0, &vec![1; BUCKETS_MAX]);
        let mut deltas = Deltas::default();
        let too_wide = exponential(0, 0, &vec![1; BUCKETS_MAX + 1]);
        let refused = deltas.add(key(0), 1, too_wide).unwrap_err();
        assert_eq!(refused, "{n=\"0\"}: a delta of more than 20000 buckets");
        let taken = (0..1_000).take_while(|n| deltas.add(key(*n), 1, wide()).is_ok());
        let n_taken = taken.count();
        assert!((830..840).contains(&n_taken), "{n_taken}");
        let refused = deltas.add(key(n_taken), 1, wide()).unwrap_err();
        let expected = "the series with deltas take more than 256 MiB";
        assert_eq!(refused, format!("{{n=\"{n_taken}\"}}: {expected}"));
        // Those that are there go on, and leave room when they are silent.
        assert!(deltas.add(key(0), 2, wide()).is_ok());
        assert!(deltas.add(key(n_taken), 2 + SILENT_NANOS, wide()).is_ok());
        assert_eq!(deltas.series.len(), 2);
        let all = deltas.series.iter();
        let bytes: usize = all.map(|(key, it)| bytes_of(key) + it.data.bytes()).sum();
        assert_eq!(deltas.bytes, bytes);
    }

    #[test]
    fn a_delta_of_the_future_moves_nothing() {
        let key = |n: usize| Labels::from_pairs([("n", n.to_string())]);
        let mut deltas = Deltas::default();
        deltas.refuse_after(Timestamp(1_000));
        let (last, future) = (1_000_000_000, 1_000_000_001);
        assert!(deltas.add(key(0), last - 1, Data::Number(1.0)).is_ok());
        let refused = deltas.add(key(0), future, Data::Number(5.0)).unwrap_err();
        assert_eq!(refused, "{n=\"0\"}: a delta is too far in the future");
        let both = deltas.add(key(0), last, Data::Number(2.0));
        assert_eq!(both, Ok(Data::Number(3.0)));
    }

    /// Otherwise every point of them would look at all series.
    #[test]
    fn where_there_are_too_many_series_old_ones_do_not_come_in() {
        let key = |n: usize| Labels::from_pairs([("n", n.to_string())]);
        let mut deltas = Deltas::default();
        let begun = SILENT_NANOS + 10;
        let add = |deltas: &mut Deltas, n, nanos| deltas.add(key(n), nanos, Data::Number(1.0));
        for n in 0..DELTA_SERIES_MAX {
            add(&mut deltas, n, begun + n as u64 % 2).unwrap();
        }
        let refused = Err(format!("more than {DELTA_SERIES_MAX} series with deltas"));
        assert_eq!(add(&mut deltas, DELTA_SERIES_MAX, 5), refused);
        assert_eq!(add(&mut deltas, DELTA_SERIES_MAX, begun + 1), refused);
        // Half of them are silent now.
        let later = begun + 1 + SILENT_NANOS;
        assert!(add(&mut deltas, DELTA_SERIES_MAX, later).is_ok());
        assert_eq!(deltas.series.len(), DELTA_SERIES_MAX / 2 + 1);
    }

    #[test]
    fn exponential_histograms_add_up_in_the_coarser_scale() {
        let before = exponential(1, -1, &[1, 2, 3]);
        let both = sum(before, exponential(0, 1, &[4]));
        // Buckets -1, 0 and 1 of scale 1 are -1, 0 and 0 of scale 0.
        assert_eq!(both, exponential(0, -1, &[1, 5, 4]));
    }
}
