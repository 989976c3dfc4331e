//! One request with every kind of point and attribute, under every strategy. What is expected was
//! compared with what the translator of Prometheus 3.5 makes of the same request.

use std::collections::BTreeSet;

use expect_test::{expect, expect_file};
use firebell_model::Labels;
use firebell_wire::otlp::{Deltas, Encoding, Item, Naming, Options, Promotion, read};

const BODY: &str = include_str!("otlp/body.json");

fn dump(body: &str, options: &Options, deltas: &mut Deltas) -> String {
    let mut lines = Vec::new();
    let mut refused = Vec::new();
    read(body.as_bytes(), Encoding::Json, options, deltas, |item| match item {
        Item::Sample(labels, sample) => lines.push(format!("{} {}", text(&labels), sample.value)),
        Item::Histogram(labels, sample) => {
            let histogram = &sample.histogram;
            let labels = text(&labels);
            lines.push(format!(
                "{labels} count {} sum {} schema {} zero {}@{} positive {:?} negative {:?} bounds {:?}",
                histogram.count,
                histogram.sum,
                histogram.schema,
                histogram.zero_count,
                histogram.zero_threshold,
                histogram.positive.iter().collect::<Vec<_>>(),
                histogram.negative.iter().collect::<Vec<_>>(),
                histogram.custom_bounds
            ));
        }
        Item::Exemplar(labels, exemplar) => {
            lines.push(format!("{} # {} {}", text(&labels), exemplar.labels, exemplar.value));
        }
        Item::Beginning(labels, at, _) => lines.push(format!("{} began {}", text(&labels), at.0)),
        Item::Metadata(..) => {}
        Item::Refused { points, why } => refused.push(format!("refused {points}: {why}")),
    })
    .unwrap();
    lines.sort();
    lines.extend(refused);
    lines.join("\n") + "\n"
}

fn text(labels: &Labels) -> String {
    let mut pairs: Vec<_> = labels
        .iter()
        .map(|label| format!("{}={:?}", label.name, label.value))
        .collect();
    pairs.sort();
    format!("{{{}}}", pairs.join(", "))
}

fn options(is_utf8: bool, has_suffixes: bool) -> Options {
    let promoted = ["cloud.region", "0digit", "service.name"].map(str::to_owned);
    Options {
        naming: Naming {
            is_utf8,
            has_suffixes,
            ..Options::default().naming
        },
        promotion: Promotion::Only(BTreeSet::from(promoted)),
        ..Options::default()
    }
}

#[test]
fn every_strategy_gives_the_series_that_upstreams_translator_gives() {
    for (is_utf8, has_suffixes, expected) in [
        (
            false,
            true,
            expect_file!["./otlp/escaped_with_suffixes.txt"],
        ),
        (
            false,
            false,
            expect_file!["./otlp/escaped_without_suffixes.txt"],
        ),
        (true, true, expect_file!["./otlp/utf8_with_suffixes.txt"]),
        (true, false, expect_file!["./otlp/untranslated.txt"]),
    ] {
        let options = options(is_utf8, has_suffixes);
        expected.assert_eq(&dump(BODY, &options, &mut Deltas::default()));
    }
}

#[test]
fn deltas_are_refused_unless_they_are_to_be_added_up() {
    let point = |secs: u32, value: u32| {
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"a","sum":{{
            "aggregationTemporality":1,"isMonotonic":true,
            "dataPoints":[{{"timeUnixNano":"{secs}000000000","asInt":"{value}"}}]}}}}]}}]}}]}}"#
        )
    };
    let mut deltas = Deltas::default();
    let refusing = Options::default();
    expect![[r#"
        refused 1: invalid temporality and type combination for metric "a"
    "#]]
    .assert_eq(&dump(&point(1, 5), &refusing, &mut deltas));
    let adding = Options {
        adds_deltas: true,
        ..Options::default()
    };
    let mut text = String::new();
    for (secs, value) in [(1, 5), (2, 3), (2, 4)] {
        text += &dump(&point(secs, value), &adding, &mut deltas);
    }
    expect![[r#"
        {__name__="a_total"} 5
        {__name__="a_total"} 8
        refused 1: a_total: a delta came out of order
    "#]]
    .assert_eq(&text);
}

#[test]
fn options_of_the_section_change_the_labels() {
    let options = Options {
        promotion: Promotion::AllBut(BTreeSet::from(["0digit".to_owned()])),
        keep_identifying: true,
        promote_scope: true,
        to_custom: true,
        ..Options::default()
    };
    let dumped = dump(BODY, &options, &mut Deltas::default());
    let is_wanted = |line: &&str| line.contains("\"target_info\"") || line.contains("latency");
    let wanted: Vec<&str> = dumped.lines().filter(is_wanted).collect();
    expect![[r#"
        {__name__="latency_seconds", cloud_region="north", instance="i-1", job="eu/shop", otel_scope_name="lib", otel_scope_version="1", service_instance_id="i-1", service_name="shop", service_namespace="eu"} count 6 sum 9.5 schema -53 zero 0@0 positive [(0, 1.0), (1, 2.0), (2, 3.0)] negative [] bounds [0.005, 10.0]
        {__name__="target_info", cloud_region="north", instance="i-1", job="eu/shop", key_0digit="zero", service_instance_id="i-1", service_name="shop", service_namespace="eu"} 1
    "#]].assert_eq(&(wanted.join("\n") + "\n"));
}

#[test]
fn an_attribute_without_a_name_is_no_label() {
    let body = r#"{"resourceMetrics":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"s"}},{"key":"","value":{"stringValue":"r"}}]},
        "scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[{"timeUnixNano":"1000000",
        "asInt":"1","attributes":[{"key":"","value":{"stringValue":"p"}}]}]}}]}]}]}"#;
    expect![[r#"
        {__name__="a", job="s"} 1
        {__name__="target_info", job="s"} 1
    "#]]
    .assert_eq(&dump(body, &Options::default(), &mut Deltas::default()));
}

#[test]
fn attributes_that_are_numbers_are_written_as_the_collector_does() {
    let list = "[1e-7, 0.000001, 1.5, -0.0, 3.0, 1e15, 123456789012345680000, 1e21, 2.5e300]";
    let values = list.trim_matches(['[', ']']).split(", ");
    let double = |value: &str| format!(r#"{{"doubleValue":{value}}}"#);
    let attributes = values
        .clone()
        .enumerate()
        .map(|(idx, value)| format!(r#"{{"key":"a{idx}","value":{}}}"#, double(value)));
    let attributes: Vec<String> = attributes.collect();
    let list: Vec<String> = values.map(double).collect();
    // Names as protobuf has them are read, too.
    let body = format!(
        r#"{{"resource_metrics":[{{"scope_metrics":[{{"metrics":[{{"name":"a","gauge":{{"data_points":[
        {{"time_unix_nano":"1000000","as_int":"1","attributes":[{},
        {{"key":"list","value":{{"array_value":{{"values":[{}]}}}}}}]}}]}}}}]}}]}}]}}"#,
        attributes.join(","),
        list.join(",")
    );
    expect![[r#"
        {__name__="a", a0="1e-7", a1="0.000001", a2="1.5", a3="-0", a4="3", a5="1000000000000000", a6="123456789012345680000", a7="1e+21", a8="2.5e+300", list="[1e-7,0.000001,1.5,-0,3,1000000000000000,123456789012345680000,1e+21,2.5e+300]"} 1
    "#]]
    .assert_eq(&dump(&body, &Options::default(), &mut Deltas::default()));
}

#[test]
fn values_in_json_are_read_to_the_last_bit() {
    let body = |value: &str| {
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"a","gauge":{{"dataPoints":[
            {{"timeUnixNano":"1000000","asDouble":{value}}}]}}}}]}}]}}]}}"#
        )
    };
    for value in ["0.19844004278856286", "-3.597847523160892e-242"] {
        let value: f64 = value.parse().unwrap();
        let stored = dump(
            &body(&format!("{value:e}")),
            &Options::default(),
            &mut Deltas::default(),
        );
        assert_eq!(stored, format!("{{__name__=\"a\"}} {value}\n"));
    }
}

/// A bound without end makes no second bucket of that name, and takes no count from it.
#[test]
fn a_last_bound_without_end_is_the_bucket_that_is_there_in_any_case() {
    let body = |bounds: &str, counts: &str| {
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"h","histogram":{{
            "aggregationTemporality":2,"dataPoints":[{{"timeUnixNano":"1000000","count":"6","sum":4,
            "bucketCounts":{counts},"explicitBounds":{bounds}}}]}}}}]}}]}}]}}"#
        )
    };
    for to_custom in [false, true] {
        let options = Options {
            to_custom,
            ..Options::default()
        };
        let of = |bounds, counts| dump(&body(bounds, counts), &options, &mut Deltas::default());
        let plain = of("[1]", "[1,5]");
        assert_eq!(of(r#"[1,"Infinity"]"#, "[1,2,3]"), plain, "{to_custom}");
        assert_eq!(of(r#"[1,"Infinity"]"#, "[1,5]"), plain, "{to_custom}");
    }
}

/// A store takes none that is older than the last one of its series.
#[test]
fn exemplars_of_a_point_come_in_order_of_time_with_the_trace_of_their_context() {
    let exemplar = |nanos: u32, value: u32| {
        format!(
            r#"{{"timeUnixNano":"{nanos}","asInt":"{value}","traceId":"0af7651916cd43dd8448eb211c80319c",
            "filteredAttributes":[{{"key":"trace_id","value":{{"stringValue":"{}"}}}},
            {{"key":"user","value":{{"stringValue":"ana"}}}}]}}"#,
            "x".repeat(100)
        )
    };
    let body = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"a","gauge":{{"dataPoints":[
        {{"timeUnixNano":"9000000","asDouble":1,"exemplars":[{},{}]}}]}}}}]}}]}}]}}"#,
        exemplar(5_000_000, 2),
        exemplar(1_000_000, 1),
    );
    let (mut found, mut deltas) = (Vec::new(), Deltas::default());
    let options = Options::default();
    read(
        body.as_bytes(),
        Encoding::Json,
        &options,
        &mut deltas,
        |item| {
            if let Item::Exemplar(_, exemplar) = item {
                found.push((exemplar.at.0, exemplar.labels.to_string()));
            }
        },
    )
    .unwrap();
    let labels = r#"{trace_id="0af7651916cd43dd8448eb211c80319c", user="ana"}"#;
    assert_eq!(found, [1, 5].map(|at| (at, labels.to_owned())));
}

#[test]
fn labels_may_have_fewer_underscores() {
    let body = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[
        {"timeUnixNano":"1000000","asInt":"1","attributes":[
        {"key":"_one","value":{"stringValue":"1"}},{"key":"__two","value":{"stringValue":"2"}},
        {"key":"a..b__c","value":{"stringValue":"3"}},{"key":"__d.__e__","value":{"stringValue":"4"}},
        {"key":"1.f","value":{"stringValue":"5"}}]}]}}]}]}]}"#;
    let dumped = |prefixes_underscores, keeps_underscores| {
        let options = Options {
            naming: Naming {
                prefixes_underscores,
                keeps_underscores,
                ..Options::default().naming
            },
            ..Options::default()
        };
        dump(body, &options, &mut Deltas::default())
    };
    expect![[r#"
        {__d___e__="4", __name__="a", __two="2", a__b__c="3", key_1_f="5", key_one="1"} 1
        {__d___e__="4", __name__="a", __two="2", _one="1", a__b__c="3", key_1_f="5"} 1
        {__d_e__="4", __name__="a", a_b_c="3", key_1_f="5", key_one="1", key_two="2"} 1
        {__d_e__="4", __name__="a", _one="1", _two="2", a_b_c="3", key_1_f="5"} 1
    "#]]
    .assert_eq(
        &[(true, true), (false, true), (true, false), (false, false)]
            .map(|it| dumped(it.0, it.1))
            .concat(),
    );
}

#[test]
fn beginnings_are_told_where_they_are_asked_for() {
    let body = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","sum":{
        "aggregationTemporality":2,"isMonotonic":true,"dataPoints":[
        {"startTimeUnixNano":"5000000","timeUnixNano":"9000000","asInt":"3"},
        {"timeUnixNano":"10000000","asInt":"4"},
        {"startTimeUnixNano":"11000000","timeUnixNano":"11000000","asInt":"5"}]}}]}]}]}"#;
    let options = Options {
        tells_beginnings: true,
        ..Options::default()
    };
    expect![[r#"
        {__name__="a_total"} 3
        {__name__="a_total"} 4
        {__name__="a_total"} 5
        {__name__="a_total"} began 5
    "#]]
    .assert_eq(&dump(body, &options, &mut Deltas::default()));
}
