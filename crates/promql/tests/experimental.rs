//! What upstream keeps behind feature flags.

use firebell_promql::{Features, parse, parse_with, script};

fn check(text: &str) {
    let report = script::run(text);
    for failure in &report.failed {
        println!(
            "{}: {}\n    {}",
            failure.line, failure.command, failure.message
        );
    }
    assert!(report.failed.is_empty());
    assert!(report.passed > 0);
}

#[test]
fn info_adds_the_labels_of_what_describes_a_series() {
    check(
        r#"
load 1m
  up{instance="a", job="1", l="x"} 0 1 2
  other{instance="b", job="1"} 5 6 7
  alone 1 1 1
  target_info{instance="a", job="1", data="info", more="m", l="ignored"} 1 1 1
  build_info{instance="a", job="1", version="v1"} 1 1 1
  build_info{instance="b", job="1", version="v1"} 1 1 _

eval range from 0m to 2m step 1m info(up)
  up{instance="a", job="1", l="x", data="info", more="m"} 0 1 2

eval range from 0m to 2m step 1m info(up, {data=~".+"})
  up{instance="a", job="1", l="x", data="info"} 0 1 2

# What nothing describes stays, unless a label is wanted of it.
eval instant at 1m info(other)
  other{instance="b", job="1"} 6

eval instant at 1m info(other, {data=~".+"})

eval instant at 1m info(alone, {data=~".*"})
  alone 1

eval instant at 1m info({__name__=~"up|other"}, {__name__=~".+_info", version="v1"})
  up{instance="a", job="1", l="x", version="v1"} 1
  other{instance="b", job="1", version="v1"} 6

# Info series are not described themselves.
eval instant at 1m info(build_info, {__name__="build_info"})
  build_info{instance="a", job="1", version="v1"} 1
  build_info{instance="b", job="1", version="v1"} 1

clear
load 5m
  up{instance="a", job="1"} 0 1 2
  target_info{instance="a", job="1", data="old"} 1 1 _
  target_info{instance="a", job="1", data="new"} _ _ 1

# The newer one counts while both are there.
eval range from 0m to 10m step 5m info(up)
  up{instance="a", job="1", data="old"} 0 1
  up{instance="a", job="1", data="new"} _ _ 2

clear
load 1m
  up{instance="a", job="1"} 0
  target_info{instance="a", job="1", data="x"} 1
  target_info{instance="a", job="1", data="y"} 1
  build_info{instance="a", job="1", data="z"} 1

eval_fail instant at 0 info(up)
  expected_fail_message found duplicate series for info metric: existing {__name__="target_info", data="x", instance="a", job="1"} @ 0, new {__name__="target_info", data="y", instance="a", job="1"} @ 0

eval_fail instant at 0 info(up, {__name__=~"target_info|build_info", data!="y"})
  expected_fail_message conflicting label: data

clear
load 1m
  up{instance="a", job="1"} 0x10
  up{instance="b", job="2"} 1x10
  target_info{instance="a", job="1", data="x"} 1 _x9 {{count:1 sum:1}}

eval instant at 0 info(up{instance="a"})
  up{instance="a", job="1", data="x"} 0

eval instant at 10m info(up)
  expect fail msg: info sample should be float

# It describes none of these.
eval instant at 10m info(up{instance="b"})
  up{instance="b", job="2"} 1
"#,
    );
}

#[test]
fn windows_look_beyond_their_borders_when_told_so() {
    check(
        r#"
load 10s
  m 1+1x10
  reset 10 20 30 5 15 25

# Samples at 20s (3) and at 30s (4) stand for 25s and 45s.
eval instant at 45s increase(m[20s] anchored)
  {} 2

eval instant at 45s increase(m[20s] smoothed)
  {} 2

eval instant at 45s rate(m[20s] smoothed)
  {} 0.1

eval instant at 20s delta(m[20s] anchored)
  {} 2

# From 15s (25) over 30 and the reset to 45s (20).
eval instant at 45s increase(reset[30s] smoothed)
  {} 25

# From 10s (20): the sample before 15s.
eval instant at 45s increase(reset[30s] anchored)
  {} 25

eval instant at 45s resets(reset[20s] anchored)
  {} 1

eval instant at 45s changes(reset[20s] anchored)
  {} 2

# Between samples on their line; after the last one it stays.
eval instant at 15s m smoothed
  m 2.5

eval instant at 20s m smoothed
  m 3

eval instant at 2m m smoothed
  m 11

eval range from 5s to 25s step 10s reset smoothed
  reset 15 25 17.5

# Nothing lies in the window.
eval instant at 3m increase(m[20s] anchored)

eval_fail instant at 1m avg_over_time(m[20s] anchored)
  expected_fail_message anchored modifier can only be used with: changes, delta, increase, rate, resets - not with avg_over_time

eval_fail instant at 1m changes(m[20s] smoothed)
  expected_fail_message smoothed modifier can only be used with: delta, increase, rate - not with changes
"#,
    );
}

#[test]
fn what_is_not_turned_on_is_refused_in_upstreams_words() {
    const FUNCTION: &str = "promql-experimental-functions";
    const DURATION: &str = "promql-duration-expr";
    const BORDERS: &str = "promql-extended-range-selectors";
    const FILL: &str = "promql-binop-fill-modifiers";
    for (text, feature, expected) in [
        (
            "sum(limitk(1, x))",
            FUNCTION,
            "1:5: parse error: limitk() is experimental and must be enabled with \
             --enable-feature=promql-experimental-functions",
        ),
        (
            "abs(info(x))",
            FUNCTION,
            "1:5: parse error: function \"info\" is not enabled",
        ),
        (
            "x[5m+1m]",
            DURATION,
            "1:3: parse error: experimental duration expression is not enabled",
        ),
        (
            "x offset -(5m)",
            DURATION,
            "1:12: parse error: experimental duration expression is not enabled",
        ),
        (
            "rate(x[5m] anchored)",
            BORDERS,
            "1:6: parse error: anchored modifier is experimental and not enabled",
        ),
        (
            "x + fill(0) y",
            FILL,
            "1:1: parse error: binop fill modifiers are experimental and not enabled",
        ),
    ] {
        let error = parse_with(text, Features::default()).err();
        assert_eq!(error.map(|it| it.to_string()).as_deref(), Some(expected));
        assert!(
            parse_with(text, Features::named([feature])).is_ok(),
            "{text}"
        );
        assert!(parse(text).is_ok());
    }
}

#[test]
fn ratios_out_of_bounds_are_warned_of_and_complement_each_other() {
    check(
        r#"
load 1m
  x{g="a"} 1
  x{g="b"} 2
  x{g="c"} 3

eval instant at 0 limit_ratio(1.5, x)
  expect warn msg: PromQL warning: ratio value should be between -1 and 1, got 1.5, capping to 1 (1:13)
  x{g="a"} 1
  x{g="b"} 2
  x{g="c"} 3

eval instant at 0 limit_ratio(-1.5, x)
  expect warn msg: PromQL warning: ratio value should be between -1 and 1, got -1.5, capping to -1 (1:13)
  x{g="a"} 1
  x{g="b"} 2
  x{g="c"} 3

eval range from 0 to 0 step 1m limit_ratio(0.3, x) or limit_ratio(-0.7, x)
  expect no_warn
  x{g="a"} 1
  x{g="b"} 2
  x{g="c"} 3

eval instant at 0 limit_ratio(0.3, x) and limit_ratio(-0.7, x)
"#,
    );
}

#[test]
fn type_and_unit_go_where_the_name_goes() {
    check(
        r#"
load 1m
  x_total{__type__="counter", __unit__="bytes", i="1"} 0+60x2
  y{__type__="gauge", i="1"} 1 2 3

eval instant at 2m x_total
  x_total{__type__="counter", __unit__="bytes", i="1"} 120

eval instant at 2m rate(x_total[2m])
  {i="1"} 1

# Matching looks at both, as at any label but the name.
eval instant at 2m x_total + y

eval instant at 2m x_total > ignoring () y

eval instant at 2m x_total + ignoring (__type__, __unit__) y
  {i="1"} 123

eval instant at 2m x_total * on (i) group_left (__type__) y
  {__type__="gauge", i="1"} 360

eval instant at 2m sum by (__type__) (x_total)
  {__type__="counter"} 120
"#,
    );
}

#[test]
fn borders_of_histograms_are_those_of_floats() {
    // What holds for the floats holds for the counts of the histograms beside them.
    check(
        r#"
load 15s
  f 1+1x4 9+1x4
  h {{schema:0 count:1 sum:1 buckets:[1]}}+{{schema:0 count:1 sum:1 buckets:[1]}}x4 {{schema:0 count:9 sum:9 buckets:[9]}}+{{schema:0 count:1 sum:1 buckets:[1]}}x4
  reset {{schema:0 count:9 sum:9 buckets:[9]}} {{schema:0 count:8 sum:8 buckets:[8]}} {{schema:0 count:5 sum:5 buckets:[5]}} {{schema:0 count:4 sum:4 buckets:[4]}}
  reset_f 9 8 5 4
  gauge {{schema:0 counter_reset_hint:gauge count:9 sum:9 buckets:[9]}} {{schema:0 counter_reset_hint:gauge count:5 sum:5 buckets:[5]}}

eval range from 20s to 125s step 15s histogram_count(increase(h[1m] anchored)) - increase(f[1m] anchored)
  {} 0x7

eval range from 5s to 125s step 15s round(histogram_count(increase(h[1m] smoothed)) - increase(f[1m] smoothed), 0.000001)
  {} 0x8

eval range from 5s to 65s step 5s round(histogram_sum(rate(reset[30s] smoothed)) - rate(reset_f[30s] smoothed), 0.000001)
  {} 0x12

eval range from 5s to 65s step 5s histogram_sum(increase(reset[30s] anchored)) - increase(reset_f[30s] anchored)
  {} 0x12

eval range from 5s to 65s step 5s resets(reset[30s] anchored) - resets(reset_f[30s] anchored)
  {} 0x12

eval instant at 30s delta(gauge[30s] anchored)
  expect no_warn
  {} {{schema:0 counter_reset_hint:gauge count:-4 sum:-4 buckets:[-4]}}

eval instant at 22s500ms delta(h[15s] smoothed)
  expect warn msg: PromQL warning: this native histogram metric is not a gauge: "h" (1:7)
  {} {{schema:0 counter_reset_hint:gauge count:1 sum:1 buckets:[1]}}

# An instant selector.
eval instant at 20s histogram_count(h smoothed)
  {} 2.3333333333333335
"#,
    );
}

#[test]
fn info_series_are_read_where_what_they_describe_is() {
    check(
        r#"
load 1m
  m{instance="a", job="j"} 0 1 2 3 4 5 6 7 8
  o{instance="b", job="j"} 0 1 2 3 4 5 6 7 8
  lone{instance="c"} 5x8
  target_info{instance="a", job="j", v="old"} 1 1 1 stale
  target_info{instance="a", job="j", v="new"} _ _ _ 1 1 1 1 1 1
  target_info{instance="c", only="instance"} 1x8
  target_info{instance="c", job="j", other="pair"} 1x8
  a_info{instance="b", job="j", a="1"} 1x8

eval range from 7m to 8m step 1m info(m @ 120)
  m{instance="a", job="j", v="old"} 2 2

eval range from 4m to 5m step 1m info(m offset 2m)
  m{instance="a", job="j", v="old"} 2 _
  m{instance="a", job="j", v="new"} _ 3

eval instant at 40m info(last_over_time((m offset 1m)[10m:1m] @ 180))
  m{instance="a", job="j", v="old"} 2

# The same moment in other words; what gives a scalar does not count.
eval instant at 8m info(m @ 180 offset 1m or m @ 120)
  m{instance="a", job="j", v="old"} 2

eval instant at 8m info(m * scalar(m @ 120))
  {instance="a", job="j", v="new"} 16

# Without a moment that all share, that of the evaluation.
eval instant at 8m info(m @ 120 or o)
  m{instance="a", job="j", v="new"} 2
  o{instance="b", job="j"} 8

# Only what is not wanted is said of names.
eval instant at 2m info(o, {__name__!="target_info"})
  o{instance="b", job="j", a="1"} 2

eval instant at 2m info({__name__=~"lone|m"})
  lone{instance="c", only="instance"} 5
  m{instance="a", job="j", v="old"} 2
"#,
    );
}

#[test]
fn a_group_loses_its_name_when_one_of_its_series_does() {
    check(
        r#"
load 1m
  m{i="1"} 0+1x10
  m{i="2"} 0+3x10

eval instant at 10m sum by (__name__) (m{i="1"} or rate(m{i="2"}[5m]))
  {} 10.05

eval instant at 10m sum by (__name__) (rate(m{i="2"}[5m]) or m{i="1"})
  {} 10.05
"#,
    );
}

#[test]
fn smoothing_factors_are_refused_where_there_is_something_to_smooth() {
    check(
        r#"
load 1m
  m 0+1x5

eval instant at 5m double_exponential_smoothing(m[5m], 1, 0.5)
  expect fail msg: invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000

eval instant at 5m double_exponential_smoothing(m[5m], 0.5, -Inf)
  expect fail msg: invalid trend factor. Expected: 0 < tf < 1, got: -Inf

eval instant at 50m double_exponential_smoothing(m[5m], 1, 0.5)

eval range from 4m to 6m step 1m double_exponential_smoothing(m[1m], 1, time() / 1000)
  expect fail
"#,
    );
}

#[test]
fn start_timestamps_tell_of_resets_that_values_do_not_show() {
    check(
        r#"
load 1m
  restarted_total{}@st   _ -1m _ -1s -61s
  restarted_total{}      _ 10 20 30 40
  delta_total@st         _ -59sx3
  delta_total            _ 5 5 5 5
  unknown_total@st       _ 0s -1m -2m -3m
  unknown_total          _ 5 5 5 5

# From 10 to 20; then 30 since two minutes and 59 seconds, and 40.
eval instant at 4m irate(restarted_total[4m])
  {} 0.16666666666666666

eval instant at 3m irate(restarted_total[4m])
  {} 0.5

eval instant at 4m resets(restarted_total[4m])
  {} 1

eval instant at 4m increase(delta_total[4m])
  {} 20

eval instant at 4m increase(unknown_total[4m])
  {} 0

# Subqueries do not pass it on.
eval instant at 4m increase(delta_total[4m:1m])
  {} 0

eval instant at 4m start_timestamp(restarted_total)
  {} 179

eval instant at 2m start_timestamp(restarted_total)
  {} 0

eval instant at 4m start_timestamp(restarted_total + 0)

# The borders of a window are those of its samples.
eval instant at 4m resets(delta_total[2m] anchored)
  {} 2

clear

load 1m
  h@st  _ -59sx2
  h     _ {{schema:0 count:2 sum:2 buckets:[2]}}x2
  one@st  _ _ -30s
  one     _ _ {{schema:0 count:4 sum:4 buckets:[4]}}

eval instant at 3m increase(h[3m])
  {} {{schema:0 count:6 sum:6 buckets:[6]}}

eval instant at 3m resets(h[3m])
  {} 2

eval instant at 2m increase(one[2m])
  {} {{schema:0 count:4 sum:4 buckets:[4]}}

clear

load 1m
  again_total@st  _ -1m -90s -150s
  again_total     _ 1 2 3

eval range from 3m to 4m step 1m increase(again_total[4m])
  expect warn msg: PromQL warning: sample has start time that overlaps with previous sample timestamp for metric "again_total" (2 occurrences) (1:10)
  {} 2.5 4
"#,
    );
}

#[test]
fn fills_stand_in_for_the_many_and_for_the_one_side() {
    check(
        r#"
load 1m
  many{host="a", cpu="0"} 10
  many{host="a", cpu="1"} 20
  many{host="b", cpu="0"} 30
  one{host="a"} 1
  one{host="c"} 3

eval instant at 0 many - on(host) group_left fill_right(5) one
  {host="a", cpu="0"} 9
  {host="a", cpu="1"} 19
  {host="b", cpu="0"} 25

eval instant at 0 many - on(host) group_left fill_left(5) one
  {host="a", cpu="0"} 9
  {host="a", cpu="1"} 19
  {host="c"} 2

# As upstream: the left fill is for the side of many, on whichever hand that is.
eval instant at 0 one - on(host) group_right fill_right(5) many
  {host="a", cpu="0"} -9
  {host="a", cpu="1"} -19
  {host="b", cpu="0"} -25

eval instant at 0 one - on(host) group_right fill_left(5) many
  {host="a", cpu="0"} -9
  {host="a", cpu="1"} -19
  {host="c"} -2

eval instant at 0 one - on(host) group_right fill_left(7) fill_right(5) many
  {host="a", cpu="0"} -9
  {host="a", cpu="1"} -19
  {host="b", cpu="0"} -25
  {host="c"} -4
"#,
    );
}
