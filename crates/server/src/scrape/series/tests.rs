//! Bodies one after the other, and what is then stored of them.

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

/// A job with these options.
fn job_with(options: &str) -> Arc<ScrapeJob> {
    let text = format!("scrape_configs: [{{job_name: shop, {options}}}]");
    let file = Some(Path::new("firebell.yml"));
    let config = load(file, &ExternalUrl::default(), &OneFile(text)).unwrap();
    Arc::new(config.scrape[0].clone())
}

/// An empty store, and a target without labels of a job with these options.
fn opened(options: &str) -> (Store, Treatment) {
    let disk = Arc::new(MemoryDisk::default());
    let (store, _) = Store::open(disk, firebell_tsdb::Options::default()).unwrap();
    let treatment = Treatment {
        labels: Labels::default(),
        job: job_with(options),
        zero_at_creation: false,
        has_type_labels: false,
    };
    (store, treatment)
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
    let treatment = Treatment {
        labels: Labels::from_pairs([("instance", "a:80"), ("job", "shop")]),
        job: job_with(options),
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
    let n_series = store.stats().series;
    let n_dumped = store.view().select(&[], all).unwrap().len() as u64;
    assert_eq!(n_series, n_dumped, "a series without samples");
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
fn labels_that_the_body_gives_as_empty_are_honored() {
    // A histogram that is put together has lost them, as upstream.
    let bodies = &[
        "push{instance=\"\"} 1; # TYPE h histogram; h_bucket{instance=\"\",le=\"+Inf\"} 1; \
         h_sum{instance=\"\"} 2; h_count{instance=\"\"} 1",
    ];
    let to_native = "convert_classic_histograms_to_nhcb: true";
    check(
        to_native,
        bodies,
        &expect![[r#"
            h{instance="a:80", job="shop"} []: [1.0]@1000
            push{instance="a:80", job="shop"} 1@1000
        "#]],
    );
    let honored = expect![[r#"
        h{instance="a:80", job="shop"} []: [1.0]@1000
        push{job="shop"} 1@1000
    "#]];
    check(
        &format!("{to_native}, honor_labels: true"),
        bodies,
        &honored,
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
fn what_is_called_as_parts_of_another_histogram_stays_as_it_is() {
    check(
        "convert_classic_histograms_to_nhcb: true",
        &[
            "# TYPE h histogram; h_bucket{le=\"+Inf\"} 3; h_count 3; h_sum 3; other_count 4; \
             other_sum 5; other_bucket{le=\"1\"} 6",
        ],
        &expect![[r#"
            h{instance="a:80", job="shop"} []: [3.0]@1000
            other_bucket{instance="a:80", job="shop", le="1.0"} 6@1000
            other_count{instance="a:80", job="shop"} 4@1000
            other_sum{instance="a:80", job="shop"} 5@1000
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
    "#]],
    );
}

#[test]
fn a_refused_scrape_tells_what_metrics_are_all_the_same() {
    let (store, treatment) = opened("sample_limit: 1");
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
fn other_than_classic_names_are_taken_unless_the_job_refuses_them() {
    let bodies = &["{\"a.b\"} 1"];
    check(
        "",
        bodies,
        &expect![[r#"
            a.b{instance="a:80", job="shop"} 1@1000
        "#]],
    );
    check(
        "metric_name_validation_scheme: legacy, metric_name_escaping_scheme: dots",
        bodies,
        &expect![[r#"
            invalid metric name or label names: a.b{instance="a:80", job="shop"}: 1 scraped, 0 kept
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
        "#]],
    );
}

#[test]
fn refused_scrapes_leave_nothing_of_their_series_in_the_store() {
    for (options, body) in [
        (
            "series_limit: 2",
            "a{id=\"1\"} 1; a{id=\"2\"} 1; a{id=\"3\"} 1",
        ),
        (
            "sample_limit: 2",
            "a{id=\"1\"} 1; a{id=\"2\"} 1; a{id=\"3\"} 1",
        ),
        ("label_limit: 2", "a{id=\"1\"} 1; a{id=\"2\",more=\"x\"} 1"),
        (
            "label_value_length_limit: 5",
            "a{id=\"1\"} 1; a{id=\"long text\"} 1",
        ),
        ("", "a{id=\"1\"} 1; a{id"),
    ] {
        let (store, treatment) = opened(options);
        let mut series = TargetSeries::default();
        for at in [1000, 2000, 3000].map(Timestamp) {
            let body = body.replace("; ", "\n").replace("1", &at.0.to_string()) + "\n";
            let taken = series.take(body.as_bytes(), TEXT, at, &treatment, &store);
            assert!(taken.refused.is_some(), "{options}");
            store.append(&series.end(at)).unwrap();
            assert_eq!(store.stats().series, 0, "{options}");
        }
    }
}

#[test]
fn an_explosion_of_series_stays_refused_while_it_lasts() {
    let (store, treatment) = opened("series_limit: 5");
    let mut series = TargetSeries::default();
    for n in 0..40_i64 {
        let at = Timestamp(1000 * (n + 1));
        let body = format!("x{{id=\"{n}\"}} 1\ny{{id=\"{n}\"}} 1\n");
        let taken = series.take(body.as_bytes(), TEXT, at, &treatment, &store);
        assert_eq!(taken.refused.is_some(), n >= 2, "{n}");
        let batch = match taken.refused {
            None => taken.batch,
            Some(_) => series.end(at),
        };
        store.append(&batch).unwrap();
    }
    assert_eq!(store.stats().series, 4);
    // What it was refused for is forgotten after a while.
    for n in 40..60_i64 {
        let at = Timestamp(1000 * (n + 1));
        let taken = series.take(b"x{id=\"calm\"} 1\n", TEXT, at, &treatment, &store);
        let is_refused = taken.refused.is_some();
        assert_eq!(is_refused, n < 49, "{n}");
        let batch = if is_refused {
            series.end(at)
        } else {
            taken.batch
        };
        store.append(&batch).unwrap();
    }
    assert_eq!(store.stats().series, 5);
}

#[test]
fn a_refused_scrape_ends_what_was_live_and_no_more() {
    // `gone` had ended, and the first `x` of the second body would make it end by itself.
    check(
        "sample_limit: 3",
        &["gone 1; x 1", "x 1", "gone 1; x 1 2500; y 1; z 1", "gone 1"],
        &expect![[r#"
            sample limit exceeded: 4 scraped, 4 kept
            gone{instance="a:80", job="shop"} 1@1000 stale@2000 1@4000
            x{instance="a:80", job="shop"} 1@1000 1@2000 stale@3000
        "#]],
    );
}

#[test]
fn a_beginning_in_a_refused_scrape_is_stored_with_the_next_one() {
    let body = |value: &str, created: &str, more: &str| {
        format!(
            "# TYPE c counter; c_total {value}; c_created {created}; # TYPE g gauge{more}; # EOF"
        )
    };
    let refused = body("1", "2.5", "; g{a=\"1\"} 1; g{a=\"2\"} 1");
    let bodies = [body("5", "0.25", ""), refused, body("2", "2.5", "")];
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    check_on(
        firebell_tsdb::Options {
            out_of_order_window: firebell_model::Duration::from_hours(1),
            ..firebell_tsdb::Options::default()
        },
        ("sample_limit: 2", BodyFormat::Text(Format::OpenMetrics)),
        &bodies,
        &expect![[r#"
            sample limit exceeded: 3 scraped, 3 kept
            c_total{instance="a:80", job="shop"} 0@250 5@1000 stale@2000 0@2500 2@3000
        "#]],
    );
}
