//! What is said of histograms that are not as they should be.

use firebell_promql::script;

fn check(text: &str) {
    let report = script::run(text);
    let failed = report.failed.iter();
    let failed: Vec<String> = failed
        .map(|it| format!("{}: {}", it.command, it.message))
        .collect();
    assert_eq!(failed, Vec::<String>::new());
    assert!(report.passed > 0);
}

/// The message of the one command that fails.
fn failure(text: &str) -> String {
    let report = script::run(text);
    assert_eq!(report.failed.len(), 1);
    report.failed[0].message.clone()
}

#[test]
fn one_note_tells_what_was_lifted_in_all_samples() {
    check(
        r#"
load 1m
  x_bucket{le="1"} 2 20 20
  x_bucket{le="2"} 1 20 19.25
  x_bucket{le="4"} 9 7 20
  x_bucket{le="+Inf"} 9 30 20

eval range from 0 to 2m step 1m histogram_quantile(0.1, x_bucket)
  expect info msg: PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) for metric name "x_bucket", from buckets 2 to 4, with a max diff of 13, over 3 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:02:00Z (1:25)
  {} 0.45 0.15 0.1

eval instant at 2m histogram_quantile(0.1, x_bucket)
  expect info regex: "x_bucket", from buckets 2 to 2, with a max diff of 0.75, over 1 samples from 1970-01-01T00:02:00Z to
  {} 0.1
"#,
    );
}

#[test]
fn classic_histograms_that_contradict_themselves_do_not_convert() {
    for (series, expected) in [
        (
            "x_bucket{le=\"1\"} 2\n  x_bucket{le=\"+Inf\"} 1",
            "count is not cumulative: 1 < 2",
        ),
        (
            "x_bucket{le=\"1\"} -2",
            "bucket count must be non-negative: le=1, count=-2",
        ),
        ("x_count -1", "count must be non-negative: count=-1"),
        (
            "x_sum 1",
            "count must be provided when no buckets are present",
        ),
        (
            "x_count 3\n  x_bucket{le=\"+Inf\"} 4",
            "count mismatch: count=3 != le=+Inf count=4",
        ),
    ] {
        assert_eq!(
            failure(&format!("load_with_nhcb 1m\n  {series}\n")),
            expected
        );
    }
    // What bounds nothing is passed over.
    check(
        r#"
load_with_nhcb 1m
  x_bucket{le="huge"} 7
  x_bucket{le="1"} 2
  x_count 3

eval instant at 0 histogram_count(x)
  {} 3
"#,
    );
}

#[test]
fn hints_that_contradict_each_other_are_told_of() {
    // What only asks for counts sees resets between samples, which others leave unknown.
    check(
        r#"
load 1m
  {__name__="c", i="1"} {{count:5 buckets:[5]}} {{count:1 buckets:[1]}}
  {__name__="c", i="2"} {{count:1 buckets:[1]}} {{count:2 buckets:[2]}}

eval instant at 1m histogram_count(sum(c))
  expect warn msg: PromQL warning: conflicting counter resets during histogram aggregation (1:21)
  {} 3

eval instant at 1m sum(c)
  expect no_warn
  {} {{count:3 buckets:[3]}}
"#,
    );
}

#[test]
fn each_quantile_has_a_series_of_its_own() {
    check(
        r#"
load 1m
  x_bucket{le="1", q="old"} 2 2 2
  x_bucket{le="+Inf", q="old"} 4 4 4

# A label that is there is overwritten.
eval range from 0 to 2m step 1m histogram_quantiles(x_bucket, "q", scalar(vector(time() % 120 / 240)), 1)
  {q="0.0"} 0 _ 0
  {q="0.25"} _ 0.5 _
  {q="1.0"} 1 1 1

eval range from 0 to 2m step 1m histogram_quantiles(x_bucket, "q", scalar(vector(time() % 120 / 240)), 0.25)
  expect fail msg: vector cannot contain metrics with the same labelset

eval instant at 0 histogram_quantiles(x_bucket, "q", 0.00001, 0.0000001, -0)
  {q="1e-05"} 0.00002
  {q="1e-07"} 0.0000002
  {q="0.0"} 0
"#,
    );
}

#[test]
fn bounds_of_custom_buckets_may_be_negative() {
    check(
        r#"
load 1m
  x {{schema:-53 sum:1 count:115 custom_values:[-2 -1 0 3] buckets:[21 22 23 24 25]}}

eval instant at 0 count_values("text", x)
  {text="{count:115, sum:1, [-Inf,-2]:21, (-2,-1]:22, (-1,0]:23, (0,3]:24, (3,+Inf]:25}"} 1

# As upstream: the bucket that ends at zero begins there, too.
eval instant at 0 histogram_fraction(-Inf, 0, x) * 115
  {} 43

eval instant at 0 histogram_fraction(-0.5, 0, x) * 115
  {} 0

eval instant at 0 histogram_fraction(-2, 1.5, x) * 115
  {} 57

clear
load 1m
  x {{schema:-53 sum:1 count:6 custom_values:[-1 3 5] buckets:[1 4 0 1]}}
  y {{schema:-53 sum:1 count:4 custom_values:[2] buckets:[4]}}

# And that around zero lies above it.
eval instant at 0 histogram_fraction(-Inf, 0, x) * 6
  {} 1

eval instant at 0 histogram_fraction(0, 1, y)
  {} 0.5
"#,
    );
}

#[test]
fn a_bucket_may_hold_infinitely_many() {
    check(
        r#"
load 1m
  y_bucket{le="1"} 1
  y_bucket{le="2"} Inf
  y_bucket{le="+Inf"} Inf

# As upstream: no count is at least zero times infinity.
eval instant at 0 histogram_quantile(0, y_bucket)
  {} 2
"#,
    );
}

#[test]
fn bounds_are_read_as_go_reads_numbers() {
    check(
        r#"
load 1m
  x_bucket{le="0x10"} 1
  x_bucket{le="1_0"} 2
  x_bucket{le="0x1p5"} 4
  x_bucket{le="+Inf"} 4

eval instant at 0 histogram_quantile(0.5, x_bucket)
  expect warn msg: PromQL warning: bucket label "le" is missing or has a malformed value of "0x10" for metric name "x_bucket" (1:25)
  {} 10

eval instant at 0 histogram_quantile(1, x_bucket)
  expect warn
  {} 32
"#,
    );
}

#[test]
fn a_note_of_a_quantile_over_time_points_to_the_quantile() {
    check(
        r#"
load 1m
  mix 1 {{count:1 sum:1 buckets:[1]}} 3

eval instant at 2m quantile_over_time(0.5, mix[5m])
  expect info msg: PromQL info: ignored histograms in a range containing both floats and histograms for metric name "mix" (1:20)
  {} 2

eval instant at 2m max_over_time(mix[5m])
  expect info msg: PromQL info: ignored histograms in a range containing both floats and histograms for metric name "mix" (1:15)
  {} 3
"#,
    );
}
