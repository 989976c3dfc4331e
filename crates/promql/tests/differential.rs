//! What the differential test (`scripts/e2e/promql_differential`) found, as scripts.

use firebell_promql::script;

#[test]
fn what_once_differed_from_a_real_prometheus_no_longer_does() {
    let report = script::run(
        r#"
load 1m
  h{job="a", code="x"} 2
  h{job="b", code="x"} 2
  h{job="c", code="y"} 3
  big 1e308

# A label that `without` names goes, even when it is the one with the values.
eval instant at 0 count_values without (job) ("job", h)
  {code="x"} 2
  {code="y"} 1

eval instant at 0 count_values without (code) ("job", h)
  {job="2"} 2
  {job="3"} 1

eval instant at 0 acosh(big)
  {} 709.889355822726

eval instant at 0 asinh(-big)
  {} -709.889355822726

# One series in two halves: what `or` takes from the other side.
clear
load 1m
  a{l="x"} 1 _ 1
  b{l="x"} _ 2 _

eval instant at 2m count_over_time((label_replace(a, "__name__", "", "", "") or label_replace(b, "__name__", "", "", ""))[3m:1m])
  {l="x"} 3

clear
load 1m
  h{job="a", code="x"} 2
  h{job="b", code="x"} 2
  h{job="c", code="y"} 3

# The last two of the equal ones come too late.
eval instant at 0 topk(1, h offset 0s < 3)
  h{job="a", code="x"} 2

load 1m
  native {{count:3 sum:2 buckets:[1 2]}}

# Annotations of topk point to the whole aggregation; with none to keep there are none.
eval instant at 0 -(topk(1, native))
  expect info msg: PromQL info: ignored histogram in topk aggregation (1:3)

eval instant at 0 bottomk(0, native)
  expect no_info
"#,
    );
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    assert_eq!(report.passed, 8);
}

#[test]
fn labels_are_sorted_and_computed_ranges_read_as_newer_versions_of_upstream_do() {
    let report = script::run(
        r#"
load 1m
  x 1
  node{host="n10"} 1
  node{host="n9"} 2
  node{host="n-1"} 3

eval instant at 0 sort_by_label(node, "host")
  expect ordered
  node{host="n9"} 2
  node{host="n10"} 1
  node{host="n-1"} 3

eval instant at 0 sort_by_label_desc(node, "host")
  expect ordered
  node{host="n-1"} 3
  node{host="n10"} 1
  node{host="n9"} 2

# A computed range is one before a colon, too.
eval range from 0 to 2m step 1m count_over_time(x[range():1s])
  {} 1 61 120

eval range from 0 to 2m step 1m count_over_time(x[step():])
  {} 1 1 1
"#,
    );
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    assert_eq!(report.passed, 4);
}
