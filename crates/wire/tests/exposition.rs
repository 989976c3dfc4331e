//! What scrape targets answer, good and bad, and what is read of it.

use expect_test::{Expect, expect};
use firebell_wire::exposition::{Entry, Format, Parser};
use proptest::prelude::*;

/// Reads a body to its end: a line per entry, and the error, if any.
fn dump(body: &[u8], format: Format) -> String {
    let mut parser = match Parser::new(body, format) {
        Ok(parser) => parser,
        Err(error) => return format!("! {error}\n"),
    };
    let mut lines = String::new();
    loop {
        lines += &match parser.next_entry() {
            Ok(Some(entry)) => describe(&entry),
            Ok(None) => return lines,
            Err(error) => return format!("{lines}! {error}\n"),
        };
    }
}

fn describe(entry: &Entry<'_, '_>) -> String {
    match entry {
        Entry::Help { metric, help } => format!("help {metric}: {help:?}\n"),
        Entry::Type { metric, kind } => format!("type {metric}: {}\n", kind.name()),
        Entry::Unit { metric, unit } => format!("unit {metric}: {unit}\n"),
        Entry::Sample(sample) => {
            let labels = match sample.series.labels() {
                Ok(labels) => labels.to_string(),
                Err(twice) => format!("{twice} twice"),
            };
            let at = sample
                .at
                .map(|at| format!(" @{}", at.0))
                .unwrap_or_default();
            let exemplar = sample.exemplar.map(|exemplar| {
                let at = exemplar.at.map(|at| format!(" @{}", at.0));
                let labels = exemplar.labels().unwrap_or_default();
                format!(" # {labels} {}{}", exemplar.value, at.unwrap_or_default())
            });
            format!(
                "{labels} {}{at}{}\n",
                sample.value,
                exemplar.unwrap_or_default()
            )
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as in expect-test")]
fn check(format: Format, body: &str, expected: Expect) {
    expected.assert_eq(&dump(body.as_bytes(), format));
}

#[test]
fn the_text_format_is_read_as_prometheus_reads_it() {
    check(
        Format::Text,
        r#"# HELP go_gc_duration_seconds A summary\nof \\ "pauses".
# 	TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile="0"} 4.9351e-05
go_gc_duration_seconds{quantile="0.25",} 7.424100000000001e-05
  go_gc_duration_seconds { quantile = "1" , a = "b" c="d" } 8e-05
# Hrandom comment starting with prefix of HELP
#
wind_speed{A="2",c="3"} 12345
# comment with escaped \n newline

go_goroutines 33  	123123
metric{foo="\"bar\\\n",baz="raw
line feed"}1
# TYPE "http.status" gauge
{"http.status","the q"="a",q="b"} -Inf
{"http.status"} NaN 5
a:b_9 +Inf
no_line_feed 1"#,
        expect![[r#"
            help go_gc_duration_seconds: "A summary\nof \\ \"pauses\"."
            type go_gc_duration_seconds: summary
            go_gc_duration_seconds{quantile="0.0"} 0.000049351
            go_gc_duration_seconds{quantile="0.25"} 0.00007424100000000001
            go_gc_duration_seconds{a="b", c="d", quantile="1.0"} 0.00008
            wind_speed{A="2", c="3"} 12345
            go_goroutines 33 @123123
            metric{baz="raw\nline feed", foo="\"bar\\\n"} 1
            type http.status: gauge
            http.status{q="b", "the q"="a"} -inf
            http.status NaN @5
            a:b_9 inf
            no_line_feed 1
        "#]],
    );
}

#[test]
fn openmetrics_is_read_as_prometheus_reads_it() {
    check(
        Format::OpenMetrics,
        r#"# HELP foo_seconds help \"quoted\" text
# TYPE foo_seconds histogram
# UNIT foo_seconds seconds
foo_seconds_bucket{le="10"} 17 # {} 9.8
foo_seconds_bucket{le="+Inf"} 18 1520879607.789 # {trace_id="abc",b="c"} 11 1520879607.7
foo_seconds_count{} 17 1.520879607789e9
# TYPE "my.info" info
{"my.info",version="1"} 1
empty{a="",b="x"} 0
# EOF
"#,
        expect![[r#"
            help foo_seconds: "help \"quoted\" text"
            type foo_seconds: histogram
            unit foo_seconds: seconds
            foo_seconds_bucket{le="10.0"} 17 # {} 9.8
            foo_seconds_bucket{le="+Inf"} 18 @1520879607789 # {b="c", trace_id="abc"} 11 @1520879607700
            foo_seconds_count 17 @1520879607789
            type my.info: info
            my.info{version="1"} 1
            empty{b="x"} 0
        "#]],
    );
}

#[test]
fn a_bad_line_of_the_text_format_is_named() {
    let bodies = [
        "a",
        "a{b='c'} 1",
        "a{b=\n",
        "a{\u{394}=\"foo\"} 1",
        "a 1\nb 0 1 x",
        "a 0x1p-3",
        "a 1_1",
        "empty_label_name{=\"\"} 0",
        "foo 1_2",
        "foo 0 1_2",
        "# TYPE c counterfeit",
        "# TYPE c",
        "# HELP \n",
        "a{b=\"c\"} \"1\"",
        "a{\"b\"} 1",
        "{a=\"b\"} 1",
        "a{b=\"c\",,} 1",
        "a 1e999",
        "a 1 99999999999999999999",
        "a{b=\"c} 1",
        "{\"\"} 1",
        "a{\"\"=\"x\"} 1",
        "a\tx 1",
        "9a 1",
    ];
    let dumps: String = bodies
        .iter()
        .map(|body| dump(body.as_bytes(), Format::Text))
        .collect();
    expect![[r#"
        ! line 1: expected a value after the series, found the end
        ! line 1: expected a label value in quotes, found `'c'} 1`
        ! line 1: expected a label value in quotes, found the end of the line
        ! line 1: expected a label name or `}`, found `Δ="foo"} 1`
        a 1
        ! line 2: expected the end of the line, found `x`
        ! line 1: expected a value after the series, found `0x1p-3`
        ! line 1: expected a value after the series, found `1_1`
        ! line 1: expected a label name or `}`, found `=""} 0`
        ! line 1: expected a value after the series, found `1_2`
        ! line 1: expected the end of the line, found `_2`
        ! line 1: `counterfeit` is no metric type
        ! line 1: `` is no metric type
        ! line 1: expected a metric name after HELP, found the end of the line
        ! line 1: expected a value after the series, found `"1"`
        ! line 1: the series has two metric names
        ! line 1: the series has no metric name
        ! line 1: expected a label name or `}`, found `,} 1`
        ! line 1: expected a value after the series, found `1e999`
        ! line 1: expected a timestamp in milliseconds, found `99999999999999999999`
        ! line 1: expected a label value in quotes, found `"c} 1`
        ! line 1: the series has no metric name
        ! line 1: a label has an empty name
        ! line 1: expected a value after the series, found `x 1`
        ! line 1: expected a metric name, found `9a 1`
    "#]]
    .assert_eq(&dumps);
    assert_eq!(
        dump(b"a 1\n\xff 1", Format::Text),
        "! line 2: the body is not valid UTF-8\n"
    );
}

#[test]
fn a_bad_line_of_openmetrics_is_named() {
    let bodies = [
        "",
        "\n",
        "a 1\n",
        "a 1",
        "a 1\n# EOF\nb",
        "a  1\n# EOF",
        "a 1 \n# EOF",
        "a\t1\n# EOF",
        "# comment\n# EOF",
        "# HELP foo\n# EOF",
        "# TYPE foo untyped\n# EOF",
        "#TYPE a gauge\n# EOF",
        "# UNIT foo_seconds secs\n# EOF",
        "a{b=\"c\" d=\"e\"} 1\n# EOF",
        "a{b=\"c\", d=\"e\"} 1\n# EOF",
        "a 1 NaN\n# EOF",
        "a 1 1 1\n# EOF",
        "a 1 # {b=\"c\"\n# EOF",
        "a 1 # {b=\"c\"} \n# EOF",
        "a 1 # {\"b\"} 1\n# EOF",
        "a 1 # {} 1 2 3\n# EOF",
        "a{b=\"x\ny\"} 1\n# EOF",
    ];
    let dumps = bodies
        .iter()
        .map(|body| dump(body.as_bytes(), Format::OpenMetrics));
    expect![[r#"
        ! line 1: the data does not end with `# EOF`
        ! line 1: expected a metric name, found the end of the line
        a 1
        ! line 2: the data does not end with `# EOF`
        ! line 1: expected the end of the line, found the end
        a 1
        ! line 3: there is more after `# EOF`
        ! line 1: expected a value after the series, found ` 1`
        ! line 1: expected a timestamp in seconds, found the end of the line
        ! line 1: expected a space and a value after the series, found `	1`
        ! line 1: a comment of OpenMetrics is HELP, TYPE, UNIT or EOF
        ! line 1: expected a space and text in HELP, found the end of the line
        ! line 1: `untyped` is no metric type
        ! line 1: expected a space and `# HELP`, `# TYPE`, `# UNIT` or `# EOF`, found `TYPE a gauge`
        ! line 1: unit `secs` is not a suffix of metric `foo_seconds`
        ! line 1: expected `,` or `}`, found ` d="e"} 1`
        ! line 1: expected a label name or `}`, found ` d="e"} 1`
        ! line 1: expected a timestamp in seconds, found `NaN`
        ! line 1: expected the end of the line, found ` 1`
        ! line 1: expected `,` or `}`, found the end of the line
        ! line 1: expected a value after the exemplar, found the end of the line
        ! line 1: an exemplar has no metric name
        ! line 1: expected the end of the line, found ` 3`
        ! line 1: expected a label value in quotes, found `"x`
    "#]]
    .assert_eq(&dumps.collect::<String>());
}

#[test]
fn a_label_that_occurs_twice_is_named() {
    check(
        Format::Text,
        "a{b=\"1\",b=\"2\"} 1\nc{__name__=\"d\"} 1",
        expect![[r#"
        b twice 1
        __name__ twice 1
    "#]],
    );
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z_][a-zA-Z0-9_]{0,8}", "\\PC{1,6}"]
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9/]{0,8}", "\\PC{0,6}", "[\"\\\\\n a]{0,5}"]
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        samples in prop::collection::vec(
            (names(), prop::collection::btree_map(names(), values(), 0..4), any::<f64>(), any::<u32>()),
            0..6,
        ),
        is_open_metrics: bool,
    ) {
        let mut body = String::new();
        for (metric, labels, value, secs) in &samples {
            let pairs = labels.iter().map(|(name, value)| {
                format!(",\"{}\"=\"{}\"", escaped(name), escaped(value))
            });
            let value = firebell_model::format_float(*value);
            let at = if is_open_metrics { secs.to_string() } else { format!("{secs}000") };
            body += &format!("{{\"{}\"{}}} {value} {at}\n", escaped(metric), pairs.collect::<String>());
        }
        let format = if is_open_metrics { Format::OpenMetrics } else { Format::Text };
        body += if is_open_metrics { "# EOF\n" } else { "" };
        let mut parser = Parser::new(body.as_bytes(), format).unwrap();
        for (metric, labels, value, secs) in &samples {
            let Some(Entry::Sample(sample)) = parser.next_entry().unwrap() else {
                panic!("no sample");
            };
            let pairs = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let expected = firebell_model::Labels::from_pairs(
                pairs.chain([("__name__", metric.as_str())]),
            );
            prop_assert_eq!(sample.series.labels().unwrap(), expected);
            prop_assert!(sample.value == *value || value.is_nan());
            prop_assert_eq!(sample.at.unwrap().0, i64::from(*secs) * 1000);
        }
        prop_assert!(parser.next_entry().unwrap().is_none());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[a{}\"\\\\=, \n#\t19.éHELPTYEOF_:]{0,80}".prop_map(String::into_bytes),
        ],
    ) {
        dump(&body, Format::Text);
        dump(&body, Format::OpenMetrics);
    }

    #[test]
    fn a_good_body_with_changed_bytes_does_not_make_the_reader_panic(
        changes in prop::collection::vec((0_usize..170, any::<u8>()), 1..5),
    ) {
        let mut body = b"# HELP a help\n# TYPE a histogram\na_bucket{le=\"1\",b=\"\\\"c\\\\\"} 1 2 # \
            {d=\"e\"} 3 4\n{\"n.m\",\"x\"=\"y\"} NaN\n# UNIT a_s s\nfoo 1\n# EOF\n".to_vec();
        for (at, byte) in changes {
            let at = at % body.len();
            body[at] = byte;
        }
        dump(&body, Format::Text);
        dump(&body, Format::OpenMetrics);
    }
}
