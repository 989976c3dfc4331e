//! Families of each kind, and histograms under each option.

use expect_test::{Expect, expect};

use super::*;
use crate::protobuf::Writer;

fn family(name: &str, kind: u64, metric: impl Fn(&mut Writer)) -> Vec<u8> {
    let family = Writer::of(|family| {
        family.message(4, |it| {
            it.message(1, |label| {
                label.text(1, "path");
                label.text(2, "/");
            });
            metric(it);
        });
        family.text(1, name);
        family.text(2, "Help.");
        family.varint(3, kind);
    });
    let mut delimited = Writer::default();
    delimited.raw(family.len() as u64);
    delimited.bytes.extend(family);
    delimited.bytes
}

fn check(body: &[u8], options: HistogramOptions, expected: &Expect) {
    let mut text = String::new();
    let read = read_families(body, options, |scraped| {
        match scraped {
            Scraped::Metadata(metric, metadata) => {
                text += &format!("{metric}: {} {}\n", metadata.kind.name(), metadata.help);
            }
            Scraped::Point(point) => {
                let labels = point.labels()?;
                text += &format!("{labels} {:?} {:?}\n", point.point, point.at);
                for (exemplar, has_time) in point.exemplars {
                    text += &format!("  # {exemplar:?} {has_time}\n");
                }
            }
        }
        Ok(())
    });
    if let Err(why) = read {
        text += &format!("{why}\n");
    }
    expected.assert_eq(&text);
}

fn bucket(histogram: &mut Writer, bound: f64, count: u64) {
    histogram.message(3, |bucket| {
        bucket.varint(1, count);
        bucket.double(2, bound);
        bucket.message(3, |exemplar| {
            exemplar.double(2, bound - 0.5);
            exemplar.message(3, |time| {
                time.varint(1, 5);
                time.varint(2, 7_000_000);
            });
        });
    });
}

fn histogram(metric: &mut Writer) {
    metric.message(7, |histogram| {
        histogram.varint(1, 4);
        histogram.double(2, 9.5);
        bucket(histogram, 1.0, 1);
        bucket(histogram, 4.0, 3);
        histogram.sint(5, 0);
        histogram.double(6, 0.25);
        histogram.varint(7, 1);
        histogram.message(12, |span| {
            span.sint(1, 1);
            span.varint(2, 2);
        });
        // Not packed, as proto2 writes them.
        histogram.sint(13, 1);
        histogram.sint(13, 1);
    });
}

#[test]
fn names_of_labels_are_not_empty_and_occur_once() {
    let labelled = |name: &'static str| {
        let metric = |metric: &mut Writer| {
            metric.message(1, |label| {
                label.text(1, name);
                label.text(2, "");
            });
        };
        family("g", GAUGE, metric)
    };
    let options = HistogramOptions::default();
    check(
        &labelled(""),
        options,
        &expect![[r#"
            g: gauge Help.
            a label has an empty name
        "#]],
    );
    check(
        &labelled("path"),
        options,
        &expect![[r#"
            g: gauge Help.
            label name `path` occurs twice
        "#]],
    );
}

#[test]
fn a_histogram_is_native_classic_or_both() {
    let body = family("h", HISTOGRAM, histogram);
    let native = HistogramOptions {
        native: true,
        ..HistogramOptions::default()
    };
    check(
        &body,
        native,
        &expect![[r#"
        h: histogram Help.
        h{path="/"} Histogram(Histogram { reset_hint: Unknown, schema: 0, zero_threshold: 0.25, zero_count: 1.0, count: 4.0, sum: 9.5, positive: Buckets { spans: [BucketSpan { offset: 1, length: 2 }], counts: [1.0, 2.0] }, negative: Buckets { spans: [], counts: [] }, custom_bounds: [] }) None
          # Exemplar { labels: {}, value: 0.5, at: Timestamp(5007) } true
          # Exemplar { labels: {}, value: 3.5, at: Timestamp(5007) } true
    "#]],
    );
    check(
        &body,
        HistogramOptions::default(),
        &expect![[r#"
        h: histogram Help.
        h_count{path="/"} Float(4.0) None
        h_sum{path="/"} Float(9.5) None
        h_bucket{le="1.0", path="/"} Float(1.0) None
          # Exemplar { labels: {}, value: 0.5, at: Timestamp(5007) } true
        h_bucket{le="4.0", path="/"} Float(3.0) None
          # Exemplar { labels: {}, value: 3.5, at: Timestamp(5007) } true
        h_bucket{le="+Inf", path="/"} Float(4.0) None
    "#]],
    );
    let both = HistogramOptions {
        classic: true,
        to_custom: true,
        native: false,
    };
    check(
        &body,
        both,
        &expect![[r#"
        h: histogram Help.
        h{path="/"} Histogram(Histogram { reset_hint: Unknown, schema: -53, zero_threshold: 0.0, zero_count: 0.0, count: 4.0, sum: 9.5, positive: Buckets { spans: [BucketSpan { offset: 0, length: 3 }], counts: [1.0, 2.0, 1.0] }, negative: Buckets { spans: [], counts: [] }, custom_bounds: [1.0, 4.0] }) None
          # Exemplar { labels: {}, value: 0.5, at: Timestamp(5007) } true
          # Exemplar { labels: {}, value: 3.5, at: Timestamp(5007) } true
        h_count{path="/"} Float(4.0) None
        h_sum{path="/"} Float(9.5) None
        h_bucket{le="1.0", path="/"} Float(1.0) None
          # Exemplar { labels: {}, value: 0.5, at: Timestamp(5007) } true
        h_bucket{le="4.0", path="/"} Float(3.0) None
          # Exemplar { labels: {}, value: 3.5, at: Timestamp(5007) } true
        h_bucket{le="+Inf", path="/"} Float(4.0) None
    "#]],
    );
}

#[test]
fn the_other_kinds_are_series() {
    let mut body = family("c_total", COUNTER, |metric| {
        metric.message(3, |counter| {
            counter.double(1, 5.0);
            counter.message(2, |exemplar| exemplar.double(2, 1.0));
        });
        metric.varint(6, 1500);
    });
    body.extend(family("s", SUMMARY, |metric| {
        metric.message(4, |summary| {
            summary.varint(1, 2);
            summary.double(2, 3.5);
            summary.message(3, |quantile| {
                quantile.double(1, 0.5);
                quantile.double(2, 1.5);
            });
        });
    }));
    body.extend(family("g", GAUGE, |metric| {
        metric.message(1, |label| label.text(1, "path"));
        metric.message(2, |gauge| gauge.double(1, -1.0));
    }));
    check(
        &body,
        HistogramOptions::default(),
        &expect![[r#"
            c_total: counter Help.
            c_total{path="/"} Float(5.0) Some(Timestamp(1500))
              # Exemplar { labels: {}, value: 1.0, at: Timestamp(0) } false
            s: summary Help.
            s_count{path="/"} Float(2.0) None
            s_sum{path="/"} Float(3.5) None
            s{path="/", quantile="0.5"} Float(1.5) None
            g: gauge Help.
            label name `path` occurs twice
        "#]],
    );
    body.truncate(20);
    check(
        &body,
        HistogramOptions::default(),
        &expect![[r#"
        malformed protobuf: it ends in the middle of a field
    "#]],
    );
}
