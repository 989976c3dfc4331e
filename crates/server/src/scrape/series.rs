//! What a scrape's body becomes: samples of series that are looked up by the target's own text.
//!
//! *Invariants*: a body counts whole or not at all. A series that was there at the last scrape and
//! is not at this one gets a stale marker; when a scrape fails, all of them do. A store that is full
//! refuses new series only: those that it has go on.
//!
//! *Sources*: Prometheus, `scrape/scrape.go`, as behaviour.

mod types;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use firebell_config::ScrapeJob;
use firebell_model::{
    Exemplar, HistogramSample, Labels, METRIC_NAME, Metadata, STALE_NAN, Sample, SeriesId,
    Timestamp, relabel,
};
use firebell_tsdb::{Batch, Store, TooManySeries};
use firebell_wire::exposition::{BodyFormat, Point};
use firebell_wire::histogram::empty_of;

use super::body;
use super::families::Families;
use super::{limits, lock};

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

/// A series as the target spells it.
struct Known {
    /// `None` when relabelling drops it.
    id: Option<SeriesId>,
    /// The scrape that last had it.
    seen: u64,
    /// Whether it ends by being absent: not when it has ended, or its timestamps are its own.
    is_live: bool,
    /// When it began, as far as it is stored.
    created: Option<Timestamp>,
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
            said: Metadata::default(),
            said_of_histogram: Metadata::default(),
        };
        let read = body::read(body, format, &mut taking);
        let mut taken = taking.taken;
        let is_within = |()| limits::series(self.known.len(), &treatment.job.limits, body, format);
        taken.refused = taken.refused.or(read.and_then(is_within).err());
        if taken.refused.is_none() {
            let round = self.round;
            self.mark_gone(at, &mut taken.batch, |seen| seen != round);
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

    /// Ends all series: the scrape failed, or the target is gone.
    pub(super) fn end(&mut self, at: Timestamp) -> Batch {
        let mut batch = Batch::default();
        self.mark_gone(at, &mut batch, |_| true);
        self.tell(&mut batch);
        batch
    }

    /// Forgets what spellings stand for: the treatment has changed, or the store dropped series.
    /// What is live now and not there at the next scrape still gets its stale marker then.
    pub(super) fn forget(&mut self) {
        let leftover = &mut self.leftover;
        self.known.retain(|_, known| {
            leftover.extend(known.id.filter(|_| known.is_live));
            false
        });
    }

    fn mark_gone(&mut self, at: Timestamp, batch: &mut Batch, is_gone: impl Fn(u64) -> bool) {
        // What a target no longer says is forgotten in time: some never repeat themselves.
        let oldest = self.round.saturating_sub(ROUNDS_KEPT);
        lock(&self.families).forget_before(oldest);
        let mut leftover = std::mem::take(&mut self.leftover);
        self.known.retain(|_, known| {
            if let Some(id) = known.id {
                leftover.remove(&id);
            }
            if known.is_live && is_gone(known.seen) {
                known.is_live = false;
                let stale = Sample {
                    at,
                    value: STALE_NAN,
                };
                if let Some(id) = known.id {
                    batch.add(id, &[stale]);
                }
            }
            known.seen >= oldest
        });
        let stale = Sample {
            at,
            value: STALE_NAN,
        };
        leftover.into_iter().for_each(|id| batch.add(id, &[stale]));
    }
}

impl Taking<'_> {
    /// Takes one value, and its examples; those without a time are of the same moment. Labels are
    /// only asked for when the series was not seen before.
    pub(super) fn take(
        &mut self,
        spelled: Spelled<'_>,
        labels: impl FnOnce() -> Result<Labels, String>,
        exemplars: impl IntoIterator<Item = (Exemplar, bool)>,
    ) -> Result<(), String> {
        let job = &self.treatment.job;
        let own_time = spelled.at.filter(|_| job.honor_timestamps);
        let is_live = own_time.is_none() || job.track_timestamps_staleness;
        self.taken.n_scraped += 1;
        if self.taken.refused.is_some() {
            return self.count(spelled.key, labels);
        }
        let n_added = self.taken.n_added;
        let Some(id) = self.series_of(spelled.key, is_live, labels)? else {
            return Ok(());
        };
        self.taken.n_kept += 1;
        let n_kept = self.taken.n_kept as u64;
        if job.limits.samples.is_some_and(|limit| n_kept > limit) {
            self.taken.n_added = n_added;
            self.taken.refused = Some(limits::SAMPLES.to_owned());
            return Ok(());
        }
        let at = own_time.unwrap_or(self.at);
        let created = spelled.created.filter(|_| self.treatment.zero_at_creation);
        if let Some(created) = created.filter(|created| created.0 > 0 && *created < at) {
            self.begin(spelled.key, id, created, &spelled.point);
        }
        match spelled.point {
            Point::Float(value) => self.taken.batch.add(id, &[Sample { at, value }]),
            Point::Histogram(histogram) => {
                let limited = match limits::histogram(*histogram, &job.limits) {
                    Ok(limited) => limited,
                    Err(why) => {
                        self.taken.n_added = n_added;
                        self.taken.refused = Some(why);
                        return Ok(());
                    }
                };
                let histogram = Arc::new(limited);
                let sample = HistogramSample { at, histogram };
                self.taken.batch.add_histograms(id, [sample]);
            }
        }
        for (mut exemplar, has_time) in exemplars {
            if !has_time {
                exemplar.at = at;
            }
            self.taken.batch.add_exemplar(id, exemplar);
        }
        Ok(())
    }

    /// Counts a sample of a body that is refused already, as upstream: the figures tell how many it
    /// has, and what it says of metrics is noted.
    fn count(
        &mut self,
        key: &str,
        labels: impl FnOnce() -> Result<Labels, String>,
    ) -> Result<(), String> {
        let is_kept = match self.series.known.get(key) {
            Some(known) => known.id.is_some(),
            None => {
                let labels = labels().map_err(|name| twice(&name))?;
                self.treatment.labels_of(self.typed(labels))?.is_some()
            }
        };
        self.taken.n_kept += usize::from(is_kept);
        Ok(())
    }

    /// A series was zero when it began, which is stored when nothing newer is known of it.
    fn begin(&mut self, key: &str, id: SeriesId, at: Timestamp, point: &Point) {
        let known = self.series.known.get_mut(key);
        let before = known.and_then(|known| known.created.replace(at));
        let is_newer = |newest| newest >= at;
        if before == Some(at) || self.store.newest(&id.into()).is_some_and(is_newer) {
            return;
        }
        match point {
            Point::Float(_) => self.taken.batch.add(id, &[Sample { at, value: 0.0 }]),
            Point::Histogram(histogram) => {
                let histogram = Arc::new(empty_of(histogram));
                let zero = HistogramSample { at, histogram };
                self.taken.batch.add_histograms(id, [zero]);
            }
        }
    }

    /// The id of a series, `None` when relabelling drops it.
    fn series_of(
        &mut self,
        key: &str,
        is_live: bool,
        labels: impl FnOnce() -> Result<Labels, String>,
    ) -> Result<Option<SeriesId>, String> {
        let seen = self.series.round;
        if let Some(known) = self.series.known.get_mut(key) {
            let is_back = is_live && !known.is_live;
            (known.seen, known.is_live) = (seen, is_live);
            self.taken.n_added += usize::from(is_back && known.id.is_some());
            return Ok(known.id);
        }
        let labels = labels().map_err(|name| twice(&name))?;
        let labels = self.treatment.labels_of(self.typed(labels))?;
        let id = match labels.map(|labels| self.store.resolve(&labels)).transpose() {
            Ok(id) => id,
            // Those that were there before go on; at the next scrape there may be room again.
            Err(error) => {
                self.taken.over_limit.get_or_insert((0, error)).0 += 1;
                return Ok(None);
            }
        };
        let created = None;
        let known = Known {
            id,
            seen,
            is_live,
            created,
        };
        self.series.known.insert(key.into(), known);
        self.taken.n_added += usize::from(id.is_some());
        Ok(id)
    }

    /// Takes what the body says of a metric.
    pub(super) fn describe(&mut self, metric: &str, metadata: Metadata) {
        let is_news = lock(&self.series.families).note(metric, &metadata, self.series.round);
        if is_news {
            self.series.untold.push((metric.into(), metadata));
        }
    }
}

fn twice(name: &str) -> String {
    format!("label name `{name}` occurs twice")
}

impl Treatment {
    /// The labels under which a scraped series is stored; `None` when relabelling drops it.
    fn labels_of(&self, scraped: Labels) -> Result<Option<Labels>, String> {
        let mut labels = scraped.to_builder();
        for own in self.labels.iter() {
            let theirs = scraped.value(&own.name);
            if theirs.is_empty() {
                labels.set(own.name.clone(), own.value.clone());
            } else if !self.job.honor_labels {
                let exported = exported_name(&own.name, &scraped, &self.labels);
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
        limits::check_labels(&labels, &self.job.limits)?;
        Ok(Some(labels))
    }
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
mod tests {
    use std::path::Path;

    use expect_test::{Expect, expect};
    use firebell_config::{ExternalUrl, Files, load};
    use firebell_disk::MemoryDisk;
    use firebell_model::{Source, TimeRange, format_float, is_stale};
    use firebell_wire::exposition::Format;

    use super::*;

    const TEXT: BodyFormat = BodyFormat::Text(Format::Text);

    /// One file, in memory.
    struct OneFile(String);

    impl Files for OneFile {
        fn read(&self, _path: &Path) -> std::io::Result<String> {
            Ok(self.0.clone())
        }

        fn glob(&self, _pattern: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
            Ok(Vec::new())
        }
    }

    /// Scrapes bodies one after the other, a second apart; prints what is then stored. An empty
    /// body is a scrape that failed.
    fn check(options: &str, bodies: &[&str], expected: &Expect) {
        let store = firebell_tsdb::Options::default();
        check_on(store, (options, TEXT), bodies, expected);
    }

    fn check_on(
        store: firebell_tsdb::Options,
        (options, format): (&str, BodyFormat),
        bodies: &[&str],
        expected: &Expect,
    ) {
        let text = format!("scrape_configs: [{{job_name: shop, {options}}}]");
        let file = Some(Path::new("firebell.yml"));
        let config = load(file, &ExternalUrl::default(), &OneFile(text)).unwrap();
        let treatment = Treatment {
            labels: Labels::from_pairs([("instance", "a:80"), ("job", "shop")]),
            job: Arc::new(config.scrape[0].clone()),
            zero_at_creation: format != TEXT,
            has_type_labels: false,
        };
        let disk = Arc::new(MemoryDisk::default());
        let (store, _) = Store::open(disk, store).unwrap();
        let mut series = TargetSeries::default();
        let mut problems = String::new();
        for (idx, body) in bodies.iter().enumerate() {
            let at = Timestamp(1000 * (idx as i64 + 1));
            let body = body.replace("; ", "\n") + "\n";
            let taken = series.take(body.as_bytes(), format, at, &treatment, &store);
            let batch = match taken.refused {
                None if body.len() > 1 => {
                    if let Some((n, why)) = taken.over_limit {
                        problems += &format!("{n} samples refused: {why}\n");
                    }
                    taken.batch
                }
                None => series.end(at),
                Some(why) => {
                    let (n_scraped, n_kept) = (taken.n_scraped, taken.n_kept);
                    problems += &format!("{why}: {n_scraped} scraped, {n_kept} kept\n");
                    series.end(at)
                }
            };
            store.append(&batch).unwrap();
        }
        expected.assert_eq(&(problems + &dump(&store)));
    }

    fn dump(store: &Store) -> String {
        let all = TimeRange {
            after: Timestamp(0),
            until: Timestamp::MAX,
        };
        let mut text = String::new();
        for series in store.view().select(&[], all).unwrap() {
            let mut samples = Vec::new();
            series.samples(all, &mut samples).unwrap();
            let value = |sample: &Sample| match is_stale(sample.value) {
                true => format!("stale@{}", sample.at.0),
                false => format!("{}@{}", format_float(sample.value), sample.at.0),
            };
            let mut values: Vec<String> = samples.iter().map(value).collect();
            let mut histograms = Vec::new();
            series.histograms(all, &mut histograms).unwrap();
            values.extend(histograms.iter().map(|HistogramSample { at, histogram }| {
                let (bounds, buckets) = (&histogram.custom_bounds, &histogram.positive.counts);
                format!("{bounds:?}: {buckets:?}@{}", at.0)
            }));
            text += &format!("{} {}\n", series.labels(), values.join(" "));
        }
        text
    }

    #[test]
    fn a_series_that_goes_away_ends_with_a_stale_marker_and_may_come_back() {
        check(
            "",
            &["up1 1; gone 2", "up1 3", "up1 4; gone 5", ""],
            &expect![[r#"
                gone{instance="a:80", job="shop"} 2@1000 stale@2000 5@3000
                up1{instance="a:80", job="shop"} 1@1000 3@2000 4@3000
            "#]],
        );
    }

    #[test]
    fn labels_of_the_target_win_unless_the_job_honors_those_of_the_body() {
        let bodies = &[r#"x{job="theirs",exported_job="e"} 1"#];
        check(
            "",
            bodies,
            &expect![[r#"
            x{exported_exported_job="theirs", exported_job="e", instance="a:80", job="shop"} 1@1000
        "#]],
        );
        check(
            "honor_labels: true",
            bodies,
            &expect![[r#"
            x{exported_job="e", instance="a:80", job="theirs"} 1@1000
        "#]],
        );
    }

    #[test]
    fn timestamps_of_the_body_are_taken_and_then_nothing_is_marked_stale() {
        let bodies = &["x 1 500", "y 1"];
        check(
            "",
            bodies,
            &expect![[r#"
            x{instance="a:80", job="shop"} 1@500
            y{instance="a:80", job="shop"} 1@2000
        "#]],
        );
        check(
            "honor_timestamps: false",
            bodies,
            &expect![[r#"
            x{instance="a:80", job="shop"} 1@1000 stale@2000
            y{instance="a:80", job="shop"} 1@2000
        "#]],
        );
    }

    #[test]
    fn classic_histograms_become_native_ones_where_the_job_says_so() {
        let bodies = &[
            "# TYPE h histogram; h_bucket{le=\"1\"} 2; h_bucket{le=\"5\"} 2; h_bucket{le=\"+Inf\"} 3; \
             h_sum 9; h_count 3; # TYPE g gauge; g_count 1",
        ];
        check(
            "convert_classic_histograms_to_nhcb: true",
            bodies,
            &expect![[r#"
                g_count{instance="a:80", job="shop"} 1@1000
                h{instance="a:80", job="shop"} [1.0, 5.0]: [2.0, 1.0]@1000
            "#]],
        );
        check(
            "convert_classic_histograms_to_nhcb: true, always_scrape_classic_histograms: true",
            bodies,
            &expect![[r#"
                g_count{instance="a:80", job="shop"} 1@1000
                h{instance="a:80", job="shop"} [1.0, 5.0]: [2.0, 1.0]@1000
                h_bucket{instance="a:80", job="shop", le="+Inf"} 3@1000
                h_bucket{instance="a:80", job="shop", le="1.0"} 2@1000
                h_bucket{instance="a:80", job="shop", le="5.0"} 2@1000
                h_count{instance="a:80", job="shop"} 3@1000
                h_sum{instance="a:80", job="shop"} 9@1000
            "#]],
        );
    }

    #[test]
    fn relabelling_drops_series_before_they_count_against_the_limit() {
        let drop = "sample_limit: 1, metric_relabel_configs: \
                    [{source_labels: [__name__], regex: go_.*, action: drop}]";
        check(
            drop,
            &["go_a 1; x 1; go_b 1"],
            &expect![[r#"
            x{instance="a:80", job="shop"} 1@1000
        "#]],
        );
        check(
            drop,
            &["x 1", "x 1; y 1", "x 2"],
            &expect![[r#"
            sample limit exceeded: 2 scraped, 2 kept
            x{instance="a:80", job="shop"} 1@1000 stale@2000 2@3000
            y{instance="a:80", job="shop"} stale@2000
        "#]],
        );
    }

    #[test]
    fn a_refused_scrape_tells_what_metrics_are_all_the_same() {
        let disk = Arc::new(MemoryDisk::default());
        let (store, _) = Store::open(disk, firebell_tsdb::Options::default()).unwrap();
        let text = "scrape_configs: [{job_name: shop, sample_limit: 1}]".to_owned();
        let file = Some(Path::new("firebell.yml"));
        let config = load(file, &ExternalUrl::default(), &OneFile(text)).unwrap();
        let treatment = Treatment {
            labels: Labels::default(),
            job: Arc::new(config.scrape[0].clone()),
            zero_at_creation: false,
            has_type_labels: false,
        };
        let mut series = TargetSeries::default();
        let body = b"# TYPE a counter\na 1\na{x=\"1\"} 2\n# TYPE b gauge\nb 1\n";
        let taken = series.take(body, TEXT, Timestamp(1000), &treatment, &store);
        assert_eq!(taken.refused.as_deref(), Some(limits::SAMPLES));
        assert_eq!((taken.n_scraped, taken.n_kept, taken.n_added), (3, 3, 1));
        store.append(&series.end(Timestamp(1000))).unwrap();
        let kinds = ["a", "b"].map(|name| store.metadata(name).unwrap().kind.name());
        assert_eq!(kinds, ["counter", "gauge"]);
    }

    #[test]
    fn a_body_with_one_bad_line_counts_for_nothing() {
        check(
            "",
            &["x 1", "x 2; x{ 3", "x 4"],
            &expect![[r#"
            line 2: expected a label name or `}`, found `3`: 1 scraped, 1 kept
            x{instance="a:80", job="shop"} 1@1000 stale@2000 4@3000
        "#]],
        );
        check(
            "label_limit: 3",
            &["x{a=\"1\",b=\"2\"} 1"],
            &expect![[r#"
            label_limit exceeded (metric: x, number of labels: 5, limit: 3): 1 scraped, 0 kept
        "#]],
        );
    }

    #[test]
    fn a_full_store_refuses_new_series_and_goes_on_with_those_it_has() {
        let options = firebell_tsdb::Options {
            series_max: 2,
            ..firebell_tsdb::Options::default()
        };
        check_on(
            options,
            ("", TEXT),
            &["x 1; y 1", "x 2; z 1; w 1; y 2", "x 3; z 2"],
            &expect![[r#"
                2 samples refused: the store has 2 series, and more are not allowed: label `__name__` has 2 values
                1 samples refused: the store has 2 series, and more are not allowed: label `__name__` has 2 values
                x{instance="a:80", job="shop"} 1@1000 2@2000 3@3000
                y{instance="a:80", job="shop"} 1@1000 2@2000 stale@3000
            "#]],
        );
    }

    #[test]
    fn a_counter_was_zero_when_it_began_where_that_is_asked_for() {
        let body = |value: &str, created: &str| {
            format!(
                "# TYPE c counter; c_total{{a=\"b\"}} {value}; c_created{{a=\"b\"}} {created}; \
                 # TYPE h histogram; h_bucket{{le=\"+Inf\"}} 1; h_sum 2; h_count 1; \
                 h_created 0.5; # TYPE g gauge; g_created 7; # EOF"
            )
        };
        let bodies = [
            body("5", "0.25"),
            body("6", "0.25"),
            body("1", "2.5"),
            // It began before what is known of it, or later than now.
            body("2", "1.5"),
            body("3", "77"),
        ];
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        check_on(
            firebell_tsdb::Options {
                out_of_order_window: firebell_model::Duration::from_hours(1),
                ..firebell_tsdb::Options::default()
            },
            ("", BodyFormat::Text(Format::OpenMetrics)),
            &bodies,
            &expect![[r#"
                c_total{a="b", instance="a:80", job="shop"} 0@250 5@1000 6@2000 0@2500 1@3000 2@4000 3@5000
                g_created{instance="a:80", job="shop"} 7@1000 7@2000 7@3000 7@4000 7@5000
                h_bucket{instance="a:80", job="shop", le="+Inf"} 0@500 1@1000 1@2000 1@3000 1@4000 1@5000
                h_count{instance="a:80", job="shop"} 0@500 1@1000 1@2000 1@3000 1@4000 1@5000
                h_sum{instance="a:80", job="shop"} 0@500 2@1000 2@2000 2@3000 2@4000 2@5000
            "#]],
        );
    }

    #[test]
    fn a_target_whose_series_explode_is_refused_and_the_label_named() {
        check(
            "series_limit: 2",
            &[
                "x{id=\"1\",le=\"1\"} 1; x{id=\"2\",le=\"1\"} 1",
                "x{id=\"3\",le=\"1\"} 1",
            ],
            &expect![[r#"
                series_limit exceeded (number of series: 3, limit: 2, label with the most values: le, values: 1): 1 scraped, 1 kept
                x{id="1", instance="a:80", job="shop", le="1"} 1@1000 stale@2000
                x{id="2", instance="a:80", job="shop", le="1"} 1@1000 stale@2000
                x{id="3", instance="a:80", job="shop", le="1"} stale@2000
            "#]],
        );
    }
}
