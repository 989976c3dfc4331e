//! What a scrape's body becomes: samples of series that are looked up by the target's own text.
//!
//! *Invariants*: a body counts whole or not at all. A series that was there at the last scrape and
//! is not at this one gets a stale marker; when a scrape fails, all of them do, and nothing else of it
//! is left: the store hears of a new series when the whole body counts. A store that is full refuses
//! new series only: those that it has go on.
//!
//! *Sources*: Prometheus, `scrape/scrape.go`, as behaviour.

mod fresh;
mod types;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use firebell_config::{ScrapeJob, ScrapeLimits};
use firebell_model::{
    Exemplar, Histogram, HistogramSample, Labels, METRIC_NAME, Metadata, STALE_NAN, Sample,
    SeriesId, Timestamp, is_valid_label_name, is_valid_metric_name, relabel,
};
use firebell_tsdb::{Batch, SeriesKey, Store, TooManySeries};
use firebell_wire::exposition::{BodyFormat, Point};
use firebell_wire::histogram::empty_of;

use super::body;
use super::families::Families;
use super::{limits, lock};
use fresh::{Fresh, Waiting};

/// How the samples of a target are treated.
#[derive(Clone, Debug)]
pub(super) struct Treatment {
    /// Labels of the target.
    pub labels: Labels,
    /// Its job.
    pub job: Arc<ScrapeJob>,
    /// Whether a series was zero when it began, and that is stored.
    pub zero_at_creation: bool,
    /// Whether kind and unit of a metric are labels of its series.
    pub has_type_labels: bool,
}

/// The series of one target, over its scrapes.
#[derive(Default)]
pub(super) struct TargetSeries {
    known: HashMap<Box<str>, Known>,
    /// Series that were live when their spellings were forgotten.
    leftover: BTreeSet<SeriesId>,
    families: Arc<Mutex<Families>>,
    /// What was said of metrics and the store was not told yet, also by scrapes that are refused.
    untold: Vec<(Box<str>, Metadata)>,
    round: u64,
}

/// A scrape whose body is being read.
pub(super) struct Taking<'t> {
    series: &'t mut TargetSeries,
    at: Timestamp,
    pub(super) treatment: &'t Treatment,
    store: &'t Store,
    taken: Taken,
    fresh: Fresh,
    /// What the body has said last of a metric.
    said: Metadata,
    /// What it has said last of a histogram.
    said_of_histogram: Metadata,
}

/// A value of a series, as a body spells it.
pub(super) struct Spelled<'p> {
    /// The same for the same series.
    pub key: &'p str,
    /// When it was, if the target says so.
    pub at: Option<Timestamp>,
    /// When its metric began, if the target says so.
    pub created: Option<Timestamp>,
    /// The value.
    pub point: Point,
}

/// The labels of a series, as a body gives them.
pub(super) struct Given {
    pub labels: Labels,
    /// Names with an empty value.
    pub empty_names: Vec<String>,
}

/// A series as the target spells it.
struct Known {
    place: Place,
    /// The scrape that last had it.
    seen: u64,
    /// Whether it ends by being absent: not when it has ended, or its timestamps are its own.
    is_live: bool,
    /// When it began, as far as it is stored.
    created: Option<Timestamp>,
}

/// Where the samples of a series go.
#[derive(Clone, Copy)]
enum Place {
    /// Nowhere: relabelling drops it.
    Dropped,
    /// Nowhere yet: no body with it has counted so far. It counts against the limit of series.
    Refused,
    /// It is the so-many-th that the body being read has for the first time.
    New(usize),
    Stored(SeriesId),
}

impl Place {
    fn id(self) -> Option<SeriesId> {
        match self {
            Self::Stored(id) => Some(id),
            Self::Dropped | Self::Refused | Self::New(_) => None,
        }
    }
}

/// A value as it is stored.
struct Value {
    at: Timestamp,
    /// When its series was zero, if that is stored.
    created: Option<Timestamp>,
    what: What,
}

enum What {
    Float(f64),
    Histogram(Arc<Histogram>),
}

/// A body, read.
#[derive(Default)]
pub(super) struct Taken {
    /// Its samples, with stale markers of the series that went away.
    pub batch: Batch,
    /// Samples in the body.
    pub n_scraped: usize,
    /// Samples left after relabelling.
    pub n_kept: usize,
    /// Series that were not there at the last scrape.
    pub n_added: usize,
    /// Samples of series for which the store has no room, and what to say of them.
    pub over_limit: Option<(u64, TooManySeries)>,
    /// Why the scrape fails: nothing of the body counts but these figures.
    pub refused: Option<String>,
}

impl TargetSeries {
    /// What the target says of its metrics, to be looked at meanwhile.
    pub(super) fn families(&self) -> Arc<Mutex<Families>> {
        Arc::clone(&self.families)
    }

    /// Reads a body. When it is refused, [`TargetSeries::end`] has to follow.
    pub(super) fn take(
        &mut self,
        body: &[u8],
        format: BodyFormat,
        at: Timestamp,
        treatment: &Treatment,
        store: &Store,
    ) -> Taken {
        self.round += 1;
        let mut taking = Taking {
            series: self,
            at,
            treatment,
            store,
            taken: Taken::default(),
            fresh: Fresh::default(),
            said: Metadata::default(),
            said_of_histogram: Metadata::default(),
        };
        let read = body::read(body, format, &mut taking);
        let n_known = taking.series.known.len();
        let is_within = |()| limits::series(n_known, &treatment.job.limits, body, format);
        let refused = &mut taking.taken.refused;
        *refused = refused.take().or(read.and_then(is_within).err());
        match refused {
            None => taking.make(),
            Some(_) => taking.undo(),
        }
        let mut taken = taking.taken;
        if taken.refused.is_none() {
            let round = self.round;
            let batch = &mut taken.batch;
            self.mark_gone(|seen| seen != round, |id| batch.add(id, &[stale(at)]));
            self.tell(&mut taken.batch);
        }
        taken
    }

    /// Has the store told what was said of metrics.
    fn tell(&mut self, batch: &mut Batch) {
        for (metric, metadata) in self.untold.drain(..) {
            batch.set_metadata(&metric, metadata);
        }
    }

    /// Ends all series: the scrape failed.
    pub(super) fn end(&mut self, at: Timestamp) -> Batch {
        let mut batch = Batch::default();
        self.mark_gone(|_| true, |id| batch.add(id, &[stale(at)]));
        self.tell(&mut batch);
        batch
    }

    /// Ends the series of a target that is gone, except those that go on without it.
    pub(super) fn end_left(&mut self, times: (Timestamp, Timestamp), store: &Store) -> Batch {
        let mut batch = Batch::default();
        self.mark_gone(|_| true, |id| add_end(&mut batch, id, times, store));
        self.tell(&mut batch);
        batch
    }

    /// Forgets what spellings stand for: the treatment has changed, or the store dropped series.
    /// What is live now and not there at the next scrape still gets its stale marker then.
    pub(super) fn forget(&mut self) {
        let leftover = &mut self.leftover;
        self.known.retain(|_, known| {
            leftover.extend(known.place.id().filter(|_| known.is_live));
            false
        });
    }

    fn mark_gone(&mut self, is_gone: impl Fn(u64) -> bool, mut mark: impl FnMut(SeriesId)) {
        // What a target no longer says is forgotten in time: some never repeat themselves.
        let oldest = self.round.saturating_sub(ROUNDS_KEPT);
        lock(&self.families).forget_before(oldest);
        let mut leftover = std::mem::take(&mut self.leftover);
        self.known.retain(|_, known| {
            if let Some(id) = known.place.id() {
                leftover.remove(&id);
            }
            if known.is_live && is_gone(known.seen) {
                known.is_live = false;
                known.place.id().into_iter().for_each(&mut mark);
            }
            known.seen >= oldest
        });
        leftover.into_iter().for_each(mark);
    }
}

/// Ends a series unless it has gone on after its target's last scrape: a marker would tear a gap.
pub(super) fn add_end(
    batch: &mut Batch,
    series: impl Into<SeriesKey>,
    (last, at): (Timestamp, Timestamp),
    store: &Store,
) {
    let series = series.into();
    if store.newest(&series).is_some_and(|newest| newest <= last) {
        batch.add(series, &[stale(at)]);
    }
}

fn stale(at: Timestamp) -> Sample {
    let value = STALE_NAN;
    Sample { at, value }
}

impl Taking<'_> {
    /// Takes one value, and its examples; those without a time are of the same moment. Labels are
    /// only asked for when the series was not seen before.
    pub(super) fn take(
        &mut self,
        spelled: Spelled<'_>,
        given: impl FnOnce() -> Result<Given, String>,
        exemplars: impl IntoIterator<Item = (Exemplar, bool)>,
    ) -> Result<(), String> {
        let job = &self.treatment.job;
        let own_time = spelled.at.filter(|_| job.honor_timestamps);
        let is_live = own_time.is_none() || job.track_timestamps_staleness;
        self.taken.n_scraped += 1;
        if self.taken.refused.is_some() {
            return self.count(spelled.key, given);
        }
        let n_added = self.taken.n_added;
        let place = self.series_of(spelled.key, is_live, given)?;
        if matches!(place, Place::Dropped) {
            return Ok(());
        }
        self.taken.n_kept += 1;
        let n_kept = self.taken.n_kept as u64;
        let what = match limited(spelled.point, n_kept, &job.limits) {
            Ok(what) => what,
            Err(why) => {
                self.taken.n_added = n_added;
                self.taken.refused = Some(why);
                return Ok(());
            }
        };
        let at = own_time.unwrap_or(self.at);
        let created = spelled.created.filter(|_| self.treatment.zero_at_creation);
        let created = created.filter(|created| created.0 > 0 && *created < at);
        let value = Value { at, created, what };
        let exemplars = exemplars.into_iter().map(|(mut exemplar, has_time)| {
            if !has_time {
                exemplar.at = at;
            }
            exemplar
        });
        match place {
            Place::Stored(id) => self.add(spelled.key, id, value, exemplars),
            Place::New(series) => self.fresh.waiting.push(Waiting {
                series,
                value,
                exemplars: exemplars.collect(),
            }),
            Place::Dropped | Place::Refused => {}
        }
        Ok(())
    }

    /// Adds a value of a series to what is stored.
    fn add(
        &mut self,
        key: &str,
        id: SeriesId,
        value: Value,
        exemplars: impl IntoIterator<Item = Exemplar>,
    ) {
        let Value { at, created, what } = value;
        if let Some(created) = created {
            self.begin(key, id, created, &what);
        }
        match what {
            What::Float(value) => self.taken.batch.add(id, &[Sample { at, value }]),
            What::Histogram(histogram) => {
                let sample = HistogramSample { at, histogram };
                self.taken.batch.add_histograms(id, [sample]);
            }
        }
        for exemplar in exemplars {
            self.taken.batch.add_exemplar(id, exemplar);
        }
    }

    /// Counts a sample of a body that is refused already, as upstream: the figures tell how many it
    /// has, and what it says of metrics is noted.
    fn count(
        &mut self,
        key: &str,
        given: impl FnOnce() -> Result<Given, String>,
    ) -> Result<(), String> {
        let is_kept = match self.series.known.get(key).map(|known| known.place) {
            Some(Place::Stored(_) | Place::New(_)) => true,
            Some(Place::Dropped) => false,
            Some(Place::Refused) | None => {
                let given = self.typed(given()?);
                self.treatment.labels_of(&given)?.is_some()
            }
        };
        self.taken.n_kept += usize::from(is_kept);
        Ok(())
    }

    /// A series was zero when it began, which is stored when nothing newer is known of it.
    fn begin(&mut self, key: &str, id: SeriesId, at: Timestamp, what: &What) {
        if let Some(known) = self.series.known.get_mut(key) {
            if known.created == Some(at) {
                return;
            }
            self.fresh.note(key, known);
            known.created = Some(at);
        }
        let is_newer = |newest| newest >= at;
        if self.store.newest(&id.into()).is_some_and(is_newer) {
            return;
        }
        match what {
            What::Float(_) => self.taken.batch.add(id, &[Sample { at, value: 0.0 }]),
            What::Histogram(histogram) => {
                let histogram = Arc::new(empty_of(histogram));
                let zero = HistogramSample { at, histogram };
                self.taken.batch.add_histograms(id, [zero]);
            }
        }
    }

    /// Where the samples of a series go. One that is not known yet waits until the body counts.
    fn series_of(
        &mut self,
        key: &str,
        is_live: bool,
        given: impl FnOnce() -> Result<Given, String>,
    ) -> Result<Place, String> {
        let seen = self.series.round;
        if let Some(known) = self.series.known.get_mut(key)
            && !matches!(known.place, Place::Refused)
        {
            known.seen = seen;
            if known.is_live != is_live {
                self.fresh.note(key, known);
                known.is_live = is_live;
                let is_back = is_live && !matches!(known.place, Place::Dropped);
                self.taken.n_added += usize::from(is_back);
            }
            return Ok(known.place);
        }
        let given = self.typed(given()?);
        let labels = self.treatment.labels_of(&given)?;
        self.taken.n_added += usize::from(labels.is_some());
        let place = match labels {
            None => Place::Dropped,
            Some(labels) => self.fresh.series(key, labels),
        };
        let known = Known {
            place,
            seen,
            is_live,
            created: None,
        };
        self.series.known.insert(key.into(), known);
        Ok(place)
    }

    /// Takes what the body says of a metric.
    pub(super) fn describe(&mut self, metric: &str, metadata: Metadata) {
        let is_news = lock(&self.series.families).note(metric, &metadata, self.series.round);
        if is_news {
            self.series.untold.push((metric.into(), metadata));
        }
    }
}

impl Treatment {
    /// The labels under which a scraped series is stored; `None` when relabelling drops it.
    fn labels_of(&self, given: &Given) -> Result<Option<Labels>, String> {
        let scraped = &given.labels;
        let mut labels = scraped.to_builder();
        for own in self.labels.iter() {
            let theirs = scraped.value(&own.name);
            if self.job.honor_labels {
                // What is given as empty is honored, too: a group of the Pushgateway without it.
                if theirs.is_empty() && !given.empty_names.iter().any(|it| **it == *own.name) {
                    labels.set(own.name.clone(), own.value.clone());
                }
            } else if theirs.is_empty() {
                labels.set(own.name.clone(), own.value.clone());
            } else {
                let exported = exported_name(&own.name, scraped, &self.labels);
                labels.set(exported, theirs);
                labels.set(own.name.clone(), own.value.clone());
            }
        }
        if !relabel(&self.job.metric_relabel, &mut labels) {
            return Ok(None);
        }
        let labels = labels.build();
        if labels.get(METRIC_NAME).is_none() {
            return Err("a series has no metric name after relabelling".to_owned());
        }
        if self.job.names.are_classic && !has_classic_names(&labels) {
            return Err(format!("invalid metric name or label names: {labels}"));
        }
        limits::check_labels(&labels, &self.job.limits)?;
        Ok(Some(labels))
    }
}

/// A value within the limits of its job.
fn limited(point: Point, n_kept: u64, limits: &ScrapeLimits) -> Result<What, String> {
    if limits.samples.is_some_and(|limit| n_kept > limit) {
        return Err(limits::SAMPLES.to_owned());
    }
    Ok(match point {
        Point::Float(value) => What::Float(value),
        Point::Histogram(histogram) => {
            What::Histogram(Arc::new(limits::histogram(*histogram, limits)?))
        }
    })
}

fn has_classic_names(labels: &Labels) -> bool {
    is_valid_metric_name(labels.metric_name())
        && labels.iter().all(|label| is_valid_label_name(&label.name))
}

/// A name for a scraped label that the target has too: `exported_…`, as often as needed.
fn exported_name(name: &str, scraped: &Labels, own: &Labels) -> String {
    let mut exported = format!("exported_{name}");
    while scraped.get(&exported).is_some() || own.get(&exported).is_some() {
        exported.insert_str(0, "exported_");
    }
    exported
}

/// A spelling that a target has not used for about so many scrapes is forgotten.
const ROUNDS_KEPT: u64 = 10;

#[cfg(test)]
mod tests;
