//! Native histograms in templates of rules. What is expected was compared with promtool, text by
//! text.

use std::sync::Arc;

use firebell_model::{BucketSpan, Buckets, Histogram, Labels, ResetHint, SampleValue, Timestamp};
use firebell_template::{AlertData, QuerySample, Template, TemplateError};

fn buckets(offset: i32, counts: &[f64]) -> Buckets {
    let length = u32::try_from(counts.len()).unwrap();
    Buckets {
        spans: vec![BucketSpan { offset, length }],
        counts: counts.to_vec(),
    }
}

/// Delays, or how far clocks were off.
fn delays() -> SampleValue {
    SampleValue::Histogram(Arc::new(Histogram {
        reset_hint: ResetHint::Gauge,
        schema: 0,
        zero_threshold: 0.5,
        zero_count: 1.0,
        count: 17.0,
        sum: 10.5,
        positive: buckets(1, &[3.0, 0.0, 4.0]),
        negative: buckets(0, &[7.0, 2.0]),
        custom_bounds: [].into(),
    }))
}

const DELAYS: &str = "{count:17, sum:10.5, [-2,-1):2, [-1,-0.5):7, [-0.5,0.5]:1, (1,2]:3, (4,8]:4}";

fn answer(query: &str, _: Timestamp) -> Result<Vec<QuerySample>, String> {
    let sample = |instance: &str, value| QuerySample {
        labels: Labels::from_pairs([("instance", instance)]),
        value,
    };
    match query {
        "delays" => Ok(vec![sample("b", delays())]),
        "mixed" => Ok(vec![
            sample("b", delays()),
            sample("a", SampleValue::Float(4.0)),
        ]),
        _ => Err("no such query".to_owned()),
    }
}

fn expand(text: &str) -> Result<String, TemplateError> {
    let labels = Labels::empty();
    let data = AlertData {
        labels: &labels,
        external_labels: &labels,
        external_url: "",
        value: &delays(),
        now: Timestamp(0),
    };
    Template::compile(text)?.expand(&data, &answer)
}

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let expanded = expand(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!(expanded, *expected, "{text}");
    }
}

#[test]
fn a_histogram_shows_as_its_text() {
    let quoted = format!("{DELAYS:?}");
    check(&[
        ("{{ $value }}", DELAYS),
        ("{{ .Value }}", DELAYS),
        ("{{ $value.String }}", DELAYS),
        ("{{ query \"delays\" | first | value }}", DELAYS),
        ("{{ (query \"delays\" | first).Value }}", DELAYS),
        ("{{ range query \"delays\" }}{{ .Value }}{{ end }}", DELAYS),
        ("{{ with $value }}{{ . }}{{ end }}", DELAYS),
        ("{{ (args $value).arg0 }}", DELAYS),
        ("{{ . }}", &format!("{{map[] map[]  {DELAYS}}}")),
        ("{{ print $value 1 }}", &format!("{DELAYS} 1")),
        (
            "{{ printf \"%s|%.6v\" $value $value }}",
            &format!("{DELAYS}|{{count"),
        ),
        ("{{ printf \"%q\" $value }}", &quoted),
        ("{{ printf \"%T\" $value }}", "*histogram.FloatHistogram"),
        (
            "{{ printf \"\" $value }}",
            &format!("%!(EXTRA *histogram.FloatHistogram={DELAYS})"),
        ),
    ]);
}

#[test]
fn samples_of_a_query_may_be_of_both_kinds() {
    check(&[
        (
            "{{ range query \"mixed\" | sortByLabel \"instance\" }}{{ value . }};{{ end }}",
            &format!("4;{DELAYS};"),
        ),
        ("{{ query \"delays\" | first | label \"instance\" }}", "b"),
        ("[{{ query \"delays\" | first | strvalue }}]", "[]"),
    ]);
}

#[test]
fn a_histogram_has_the_fields_of_go_s_struct() {
    check(&[
        (
            "{{ $value.Count }} {{ $value.Sum | humanizeDuration }}",
            "17 10.5s",
        ),
        ("{{ $value.ZeroCount }} {{ $value.ZeroThreshold }}", "1 0.5"),
        ("{{ $value.Schema }} {{ $value.CounterResetHint }}", "0 3"),
        (
            "{{ $value.PositiveBuckets }} {{ $value.NegativeBuckets }}",
            "[3 0 4] [7 2]",
        ),
        (
            "{{ $value.PositiveSpans }} {{ $value.NegativeSpans }}",
            "[{1 3}] [{0 2}]",
        ),
        (
            "{{ len $value.CustomValues }} {{ $value.CustomValues }}",
            "0 []",
        ),
        ("{{ if gt $value.Count 16.0 }}many{{ end }}", "many"),
        (
            "{{ with query \"delays\" | first | value }}{{ index .NegativeBuckets 1 }}{{ end }}",
            "2",
        ),
    ]);
}

fn check_fails(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let error = expand(text).unwrap_err().message;
        assert!(
            error.ends_with(&format!(">: {expected}")),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_histogram_is_no_number() {
    for function in [
        "humanize",
        "humanize1024",
        "humanizeDuration",
        "humanizePercentage",
        "humanizeTimestamp",
        "toTime",
        "toDuration",
    ] {
        let error = expand(&format!("{{{{ $value | {function} }}}}")).unwrap_err();
        let expected = format!(
            "at <{function}>: error calling {function}: \
             can't convert *histogram.FloatHistogram to float"
        );
        assert_eq!(error.message, expected);
    }
}

#[test]
fn a_histogram_equals_itself_alone_and_has_no_order() {
    check(&[
        ("{{ if $value }}yes{{ end }} {{ not $value }}", "yes false"),
        ("{{ eq $value .Value }} {{ eq $value nil }}", "true false"),
        (
            "{{ eq $value (query \"delays\" | first | value) }}",
            "false",
        ),
    ]);
    let no_order = "invalid type for comparison";
    check_fails(&[
        (
            "{{ gt $value 1.0 }}",
            &format!("error calling gt: {no_order}"),
        ),
        (
            "{{ le 1.0 $value }}",
            &format!("error calling le: {no_order}"),
        ),
        (
            "{{ lt $value $value }}",
            &format!("error calling lt: {no_order}"),
        ),
        (
            "{{ eq $value 1.0 }}",
            "error calling eq: incompatible types for comparison: \
             *histogram.FloatHistogram and float64",
        ),
        (
            "{{ ne \"x\" $value }}",
            "error calling ne: incompatible types for comparison: \
             string and *histogram.FloatHistogram",
        ),
    ]);
}

#[test]
fn a_histogram_is_no_list() {
    check_fails(&[
        (
            "{{ len $value }}",
            "error calling len: len of type histogram.FloatHistogram",
        ),
        (
            "{{ index $value 0 }}",
            "error calling index: can't index item of type histogram.FloatHistogram",
        ),
        (
            "{{ slice $value 0 }}",
            "error calling slice: can't slice item of type histogram.FloatHistogram",
        ),
        (
            "{{ range $value }}{{ end }}",
            "range can't iterate over {3 0 0.5 1 17 10.5 [{1 3}] [{0 2}] [3 0 4] [7 2] []}",
        ),
        (
            "{{ $value.Nope }}",
            "can't evaluate field Nope in type *histogram.FloatHistogram",
        ),
    ]);
}

/// Custom buckets have no zero bucket, and what is empty is left out.
#[test]
fn custom_buckets_show_with_their_bounds() {
    let sizes = SampleValue::Histogram(Arc::new(Histogram {
        schema: firebell_model::CUSTOM_BUCKETS_SCHEMA,
        count: 5.0,
        sum: 20.0,
        positive: buckets(0, &[1.0, 4.0]),
        custom_bounds: [5.0, 10.0].into(),
        ..Histogram::default()
    }));
    let labels = Labels::empty();
    let data = AlertData {
        labels: &labels,
        external_labels: &labels,
        external_url: "",
        value: &sizes,
        now: Timestamp(0),
    };
    let template = Template::compile("{{ $value }} {{ $value.CustomValues }}").unwrap();
    assert_eq!(
        template.expand(&data, &answer).unwrap(),
        "{count:5, sum:20, [-Inf,5]:1, (5,10]:4} [5 10]"
    );
}
