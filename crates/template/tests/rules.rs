//! Templates of rules. What is expected was compared with promtool, text by text.

use expect_test::{Expect, expect};
use firebell_model::{Labels, SampleValue, Timestamp};
use firebell_template::{AlertData, QuerySample, Template, TemplateError};
use proptest::prelude::*;

fn answer(query: &str, at: Timestamp) -> Result<Vec<QuerySample>, String> {
    assert_eq!(at, NOW);
    let sample = |instance: &str, value: f64| QuerySample {
        labels: Labels::from_pairs([("__name__", "q"), ("instance", instance)]),
        value: SampleValue::Float(value),
    };
    match query {
        "q" => Ok(vec![sample("b", 2.0), sample("a", 1.0)]),
        "none" => Ok(Vec::new()),
        _ => Err("no such query".to_owned()),
    }
}

fn expand(text: &str) -> Result<String, TemplateError> {
    let labels = Labels::from_pairs([
        ("__name__", "m"),
        ("instance", "db.example.org:9100"),
        ("job", "node"),
    ]);
    let external_labels = Labels::from_pairs([("region", "eu")]);
    let data = AlertData {
        labels: &labels,
        external_labels: &external_labels,
        external_url: "http://firebell.example:9494/prom",
        value: &SampleValue::Float(1_234_567.0),
        now: NOW,
    };
    Template::compile(text)?.expand(&data, &answer)
}

const NOW: Timestamp = Timestamp(1_353_755_652_000);

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let expanded = expand(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!(expanded, *expected, "{text}");
    }
}

fn check_errors(texts: &[&str], expected: &Expect) {
    let lines = texts.iter().map(|text| match expand(text) {
        Ok(expanded) => panic!("{text} gave {expanded}"),
        Err(error) => format!("{text}\n    {error}\n"),
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn a_template_sees_the_sample_and_where_it_runs() {
    check(&[
        ("no action", "no action"),
        ("", ""),
        ("{{ $value }}", "1.234567e+06"),
        (
            "{{ $labels.instance }} of {{ .Labels.job }}",
            "db.example.org:9100 of node",
        ),
        (
            "[{{ $labels.missing }}{{ index $labels \"missing\" }}]",
            "[]",
        ),
        (
            "{{ $labels.__name__ }} {{ $externalLabels.region }}",
            "m eu",
        ),
        (
            "{{ $externalURL }} {{ externalURL }}",
            &format!("{URL} {URL}"),
        ),
        ("{{ pathPrefix }}", "/prom"),
        (
            "{{ $labels }}",
            "map[__name__:m instance:db.example.org:9100 job:node]",
        ),
        (
            "{{ $.Labels.job }} {{ .Value }} {{ .ExternalLabels.region }}",
            "node 1.234567e+06 eu",
        ),
        (
            "{{ now }} {{ (now | toTime).Unix }}",
            "1.353755652e+09 1353755652",
        ),
    ]);
}

const URL: &str = "http://firebell.example:9494/prom";

#[test]
fn the_compliance_suite_s_strings_come_out() {
    check(&[
        (
            "{{ 1048576.0 | humanize }} {{ 1048576.0 | humanize1024 }} \
             {{ 135.3563 | humanizeDuration }} {{ 0.959 | humanizePercentage }} \
             {{ 1643114203 | humanizeTimestamp }}",
            "1.049M 1Mi 2m 15s 95.9% 2022-01-25 12:36:43 +0000 UTC",
        ),
        (
            "{{ \"this part\" | title }} {{ \"is testing\" | toUpper }} the \
             {{ \"STRINGS\" | toLower }}. {{ \"[::1]:9100\" | stripPort }} \
             {{ \"127.0.0.1:80\" | stripPort }}. {{ 7815.0 }}. \
             {{ reReplaceAll \"(.*) this\" \"$1 text\" \"replaced this\" }}. \
             {{ $labels.missing }}.",
            "This Part IS TESTING the strings. ::1 127.0.0.1. 7815. replaced text. .",
        ),
    ]);
}

#[test]
fn numbers_are_made_for_people() {
    check(&[
        (
            "{{ range $i := args 0.0 1.0 1234567.0 0.12 1e-9 }}{{ humanize . }} {{ end }}",
            "0 1 1.235M 120m 1n ",
        ),
        (
            "{{ humanize 999.96 }} {{ humanize 1e30 }} {{ humanize -1234 }}",
            "1000 1e+06Y -1.234k",
        ),
        (
            "{{ humanize \"12345\" }} {{ humanize \"+Inf\" }} {{ humanize \"NaN\" }}",
            "12.35k +Inf NaN",
        ),
        (
            "{{ humanize1024 0.0 }} {{ humanize1024 123456789 }} {{ humanize1024 0.5 }}",
            "0 117.7Mi 0.5",
        ),
        (
            "{{ humanizeDuration 0 }} {{ humanizeDuration 60 }} {{ humanizeDuration 3600 }}",
            "0s 1m 0s 1h 0m 0s",
        ),
        (
            "{{ humanizeDuration 899.87 }} {{ humanizeDuration -100.1 }}",
            "14m 59s -1m 40s",
        ),
        (
            "{{ humanizeDuration 0.0001 }} {{ humanizeDuration 12345678 }}",
            "100us 142d 21h 21m 18s",
        ),
        (
            "{{ humanizeDuration 59.9999 }} {{ humanizeDuration \"1.5\" }}",
            "60s 1.5s",
        ),
        (
            "{{ humanizePercentage -0.22222 }} {{ humanizePercentage 123.456 }}",
            "-22.22% 1.235e+04%",
        ),
        (
            "{{ humanizeTimestamp 0.0 }}",
            "1970-01-01 00:00:00 +0000 UTC",
        ),
        (
            "{{ humanizeTimestamp 1435065584.128 }}",
            "2015-06-23 13:19:44.128 +0000 UTC",
        ),
        (
            "{{ toTime 1643114203.5 }} {{ toDuration 90 }}",
            "2022-01-25 12:36:43.5 +0000 UTC 1m30s",
        ),
        (
            "{{ (toDuration 90).Minutes }} {{ (toTime 0).Format \"15:04\" }}",
            "1.5 00:00",
        ),
        (
            "{{ parseDuration \"1h30m\" }} {{ parseDuration \"-1d2ms\" }}",
            "5400 -86400.002",
        ),
    ]);
}

#[test]
fn queries_answer_with_samples() {
    check(&[
        ("{{ query \"q\" | first | value }}", "2"),
        (
            "{{ query \"q\" | sortByLabel \"instance\" | first | label \"instance\" }}",
            "a",
        ),
        (
            "{{ range query \"q\" }}{{ .Labels.instance }}={{ .Value }};{{ end }}",
            "b=2;a=1;",
        ),
        (
            "{{ range $i, $s := query \"q\" }}{{ $i }}{{ $s.Value }} {{ end }}",
            "02 11 ",
        ),
        (
            "{{ with query \"none\" }}x{{ else }}nothing{{ end }}",
            "nothing",
        ),
        (
            "{{ (index (query \"q\") 1).Value }} {{ len (query \"q\") }}",
            "1 2",
        ),
        ("{{ strvalue (query \"q\" | first) }}", ""),
    ]);
}

#[test]
fn hosts_links_and_expressions_are_cut_to_size() {
    check(&[
        (
            "{{ stripPort \"2001:db8::1\" }} {{ stripPort \"[::1]\" }}",
            "2001:db8::1 [::1]",
        ),
        (
            "{{ stripDomain \"host.example.org:80\" }} {{ stripDomain \"host.a\" }}",
            "host:80 host",
        ),
        (
            "{{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain \"[2001:db8::1]:80\" }}",
            "10.0.0.1:80 [2001:db8::1]:80",
        ),
        (
            "{{ tableLink \"up == 0\" }}",
            "/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        ),
        (
            "{{ graphLink \"up{a=\\\"b\\\"}\" }}",
            "/graph?g0.expr=up%7Ba%3D%22b%22%7D&g0.tab=0",
        ),
        (
            "{{ urlQueryEscape \"x y&z=1\" }} {{ urlquery \"a b/c\" }}",
            "x+y%26z%3D1 a+b%2Fc",
        ),
        (
            "{{ match \"a.c\" \"xabcx\" }} {{ match \"^b\" \"abc\" }}",
            "true false",
        ),
        (
            "{{ $p := \"a+\" }}{{ reReplaceAll $p \"<$0>\" \"baab\" }}",
            "b<aa>b",
        ),
        (
            "{{ html \"<a&\\\"'>\" }} {{ js \"a'b<c>\" }} {{ safeHtml \"<b>\" }}",
            "&lt;a&amp;&#34;&#39;&gt; a\\'b\\u003Cc\\u003E <b>",
        ),
        (
            "{{ title \"o'neil mc-donald a_b\" }}",
            "O'neil Mc-Donald A_b",
        ),
    ]);
}

/// What promtool makes of them; a differential test asks it for more.
#[test]
fn odd_arguments_come_out_as_upstream_s() {
    check(&[
        (
            "{{ title \"a.b a:b 1a a1.b2 x..y f\\\"b\" }}",
            "A.b A:b 1A A1.b2 X..Y F\"B",
        ),
        (
            "{{ title \"ß ﬁx ŉ ǆ 日本a a\u{200d}b\" }}",
            "Ss Fix ʼN ǅ 日本A A\u{200d}b",
        ),
        (
            "{{ humanizeDuration 1e21 }}",
            "-106751991167300d -15h -30m -8s",
        ),
    ]);
    let fails = |text: &str, expected: &str| {
        let error = expand(text).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{text}: {error}");
    };
    for (text, expected) in [
        (
            "{{ humanize \"0x10\" }}",
            "parsing \"0x10\": invalid syntax",
        ),
        (
            "{{ humanize \"1e400\" }}",
            "parsing \"1e400\": value out of range",
        ),
        (
            "{{ humanize \"1__0\" }}",
            "parsing \"1__0\": invalid syntax",
        ),
        ("{{ humanize nil }}", "can't convert <nil> to float"),
        ("{{ parseDuration \"\" }}", "empty duration string"),
        (
            "{{ parseDuration \"1e3\" }}",
            "unknown unit \"e\" in duration \"1e3\"",
        ),
        (
            "{{ parseDuration \"1m1h\" }}",
            "not a valid duration string: \"1m1h\"",
        ),
        ("{{ parseDuration \"300y\" }}", "duration out of range"),
    ] {
        fails(text, expected);
    }
}

#[test]
fn values_print_as_in_go() {
    check(&[
        (
            "{{ 1.0 }} {{ 1e6 }} {{ 123456.0 }} {{ 0.0001 }} {{ 0.00001 }}",
            "1 1e+06 123456 0.0001 1e-05",
        ),
        (
            "{{ 0x10 }} {{ 'a' }} {{ -3 }} {{ 1_000 }} {{ 0b11 }} {{ 017 }} {{ .5 }}",
            "16 97 -3 1000 3 15 0.5",
        ),
        (
            "{{ print 1 2 \"a\" \"b\" 3 }} {{ println 1 \"a\" }}",
            "1 2ab3 1 a\n",
        ),
        (
            "{{ args 1 \"a\" }} {{ (args 1).arg0 }} {{ (args 1).arg9 }}",
            "map[arg0:1 arg1:a] 1 <no value>",
        ),
        (
            "{{ \"\\u00e9\\x41\\101\" }} {{ `raw\\n` }} {{ true }}",
            "éAA raw\\n true",
        ),
        (
            "{{ printf \"%.2f|%d|%s|%v|%q\" 3.14159 5 \"x\" 1e6 \"q\\\"\" }}",
            "3.14|5|x|1e+06|\"q\\\"\"",
        ),
        (
            "{{ printf \"%05d|%+d|%x|%X|%#x|%o|%b|%c|%U\" 42 5 255 255 255 8 5 65 65 }}",
            "00042|+5|ff|FF|0xff|10|101|A|U+0041",
        ),
        (
            "{{ printf \"%e|%G|%08.3f|%+.2e|%6t|%T\" 12345.678 1e-7 3.14159 12345.678 true 1.5 }}",
            "1.234568e+04|1E-07|0003.142|+1.23e+04|  true|float64",
        ),
        (
            "{{ printf \"%[2]d %[1]d\" 1 2 }} {{ printf \"%*d|%-*d|\" 5 3 5 3 }}",
            "2 1     3|3    |",
        ),
        (
            "{{ printf \"%d%s%t\" 5.5 3 1 }}",
            "%!d(float64=5.5)%!s(int=3)%!t(int=1)",
        ),
        (
            "{{ printf \"%d\" }} {{ printf \"x\" 1 \"a\" }} {{ printf \"%\" }}",
            "%!d(MISSING) x%!(EXTRA int=1, string=a) %!(NOVERB)",
        ),
        (
            "{{ printf \"%q %d\" .ExternalLabels (args 1 \"a\") }}",
            "map[\"region\":\"eu\"] map[%!d(string=arg0):1 %!d(string=arg1):%!d(string=a)]",
        ),
        (
            "{{ printf \"%6.3v|%.4g|% x\" 3.14159 1234567.0 \"ab\" }}",
            "  3.14|1.235e+06|61 62",
        ),
    ]);
}

/// Go makes `gt` of `le` and `ge` of `lt`, turned around.
#[test]
fn nan_is_greater_than_everything_and_everything_than_it() {
    let labels = Labels::empty();
    let data = AlertData {
        labels: &labels,
        external_labels: &labels,
        external_url: "",
        value: &SampleValue::Float(f64::NAN),
        now: NOW,
    };
    let text = "{{ gt $value 3.0 }} {{ ge $value 3.0 }} {{ gt 3.0 $value }} {{ lt $value 3.0 }} \
                {{ le $value 3.0 }}";
    let expanded = Template::compile(text).unwrap().expand(&data, &answer);
    assert_eq!(expanded.unwrap(), "true true true false false");
}

#[test]
fn the_language_is_go_s() {
    check(&[
        (
            "{{- \"trim\" -}}   x  {{- /* why */ -}}  y {{/* why */}} z",
            "trimxy  z",
        ),
        ("{{ if gt $value 10.0 }}big{{ else }}small{{ end }}", "big"),
        (
            "{{ if and true 0 }}a{{ else if or 0 \"x\" }}b{{ else }}c{{ end }}",
            "b",
        ),
        (
            "{{ or 1 (index $labels 5) }} {{ and 0 (index $labels 5) }}",
            "1 0",
        ),
        (
            "{{ with $x := 5 }}{{ $x }}{{ end }} {{ $y := 1 }}{{ if true }}{{ $y = 2 }}{{ end }}{{ $y }}",
            "5 2",
        ),
        ("{{ $x := 1 }}{{ $x := print $x \"!\" }}{{ $x }}", "1!"),
        ("{{ with 0 }}x{{ else with 7 }}{{ . }}{{ end }}", "7"),
        (
            "{{ range $k, $v := $labels }}{{ $k }},{{ end }}",
            "__name__,instance,job,",
        ),
        (
            "{{ range 3 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}",
            "02",
        ),
        (
            "{{ range 5 }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ else }}x{{ end }}",
            "01",
        ),
        (
            "{{ define \"x\" }}[{{ .arg0 }}]{{ end }}{{ template \"x\" (args 5) }}",
            "[5]",
        ),
        ("{{ block \"b\" 5 }}<{{ . }}>{{ end }}", "<5>"),
        (
            "{{ $labels.job | toUpper | printf \"%s-%s\" \"x\" }}",
            "x-NODE",
        ),
        (
            "{{ lt 1 2 }} {{ le 2 2 }} {{ ge \"b\" \"a\" }} {{ ne 1 2 }} {{ eq \"a\" \"b\" \"a\" }}",
            "true true true true true",
        ),
        (
            "{{ index \"abc\" 1 }} {{ slice \"abcdef\" 1 3 }} {{ len \"abc\" }}",
            "98 bc 3",
        ),
    ]);
}

#[test]
fn a_mistake_in_the_text_is_found_when_it_is_compiled() {
    let texts = [
        "{{ nope }}",
        "line\n  {{ $nope }}",
        "{{ if true }}x",
        "{{ end }}",
        "{{ \"unclosed }}",
        "{{ 5 | 6 }}",
        "{{ (1 }}",
        "{{ $labels.a-b }}",
        "{{ 08 }}",
        "{{ define \"e\" }}a{{ end }}{{ define \"e\" }}b{{ end }}",
        "{{ break }}",
        "{{ if true }}{{ define \"q\" }}{{ end }}{{ end }}",
        "{{ /* open",
        "{{ trimSpace \"only in notifications\" }}",
    ];
    for text in texts {
        assert!(Template::compile(text).is_err(), "{text}");
    }
    check_errors(
        &texts,
        &expect![[r#"
        {{ nope }}
            1:4: function "nope" not defined
        line
          {{ $nope }}
            2:6: undefined variable "$nope"
        {{ if true }}x
            1:15: unexpected EOF
        {{ end }}
            1:1: unexpected {{end}}
        {{ "unclosed }}
            1:4: unterminated quoted string
        {{ 5 | 6 }}
            1:8: non executable command in pipeline stage 2
        {{ (1 }}
            1:7: unclosed left paren
        {{ $labels.a-b }}
            1:13: bad character '-'
        {{ 08 }}
            1:4: bad number syntax: "08"
        {{ define "e" }}a{{ end }}{{ define "e" }}b{{ end }}
            1:30: multiple definition of template "e"
        {{ break }}
            1:4: {{break}} outside {{range}}
        {{ if true }}{{ define "q" }}{{ end }}{{ end }}
            1:17: unexpected `define` in command
        {{ /* open
            1:4: unexpected '/' in command
        {{ trimSpace "only in notifications" }}
            1:4: function "trimSpace" not defined
    "#]],
    );
}

#[test]
fn a_failure_of_a_run_says_where() {
    check_errors(
        &[
            "{{ first (query \"none\") }}",
            "{{ query \"bad\" }}",
            "{{ if gt $value 10 }}x{{ end }}",
            "{{ eq $labels $labels }}",
            "{{ .Nope }}",
            "é {{ $labels.job.x }}",
            "{{ template \"nope\" }}",
            "{{ humanize 1 2 }}",
            "{{ toUpper 5 }}",
            "{{ 5 6 }}",
            "{{ nil }}",
            "{{ range 1.5 }}{{ end }}",
            "{{ humanizeTimestamp 1e20 }}",
            "{{ reReplaceAll \"a(\" \"\" \"x\" }}",
        ],
        &expect![[r#"
            {{ first (query "none") }}
                1:4: at <first (query "none")>: error calling first: first() called on vector with no elements
            {{ query "bad" }}
                1:4: at <query "bad">: error calling query: no such query
            {{ if gt $value 10 }}x{{ end }}
                1:7: at <gt $value 10>: error calling gt: incompatible types for comparison: float64 and int
            {{ eq $labels $labels }}
                1:4: at <eq $labels $labels>: error calling eq: non-comparable type map[string]string
            {{ .Nope }}
                1:4: at <.Nope>: can't evaluate field Nope in type struct
            é {{ $labels.job.x }}
                1:6: at <$labels.job.x>: can't evaluate field x in type string
            {{ template "nope" }}
                1:4: at <template "nope">: template "nope" not defined
            {{ humanize 1 2 }}
                1:4: at <humanize 1 2>: wrong number of args for humanize: want 1 got 2
            {{ toUpper 5 }}
                1:4: at <toUpper 5>: error calling toUpper: wrong type for value; expected string; got int
            {{ 5 6 }}
                1:4: at <5>: can't give argument to non-function
            {{ nil }}
                1:4: at <nil>: nil is not a command
            {{ range 1.5 }}{{ end }}
                1:10: at <1.5>: range can't iterate over 1.5
            {{ humanizeTimestamp 1e20 }}
                1:4: at <humanizeTimestamp 1e20>: error calling humanizeTimestamp: 1e+20 cannot be represented as a nanoseconds timestamp since it overflows int64
            {{ reReplaceAll "a(" "" "x" }}
                1:4: at <reReplaceAll "a(" "" "x">: error calling reReplaceAll: regexp: Compile(`a(`): error parsing regexp: missing closing ): `a(`
        "#]],
    );
}

#[test]
fn a_hostile_template_is_stopped() {
    check_errors(
        &[
            "{{ range 2000000000 }}{{ end }}",
            "{{ range 1000000 }}0123456789{{ end }}",
            "{{ $x := \"xxxxxxxxxxxxxxxx\" }}{{ range 64 }}{{ $x = print $x $x }}{{ end }}",
            "{{ $x := \"xxxxxxxxxx\" }}{{ range 9 }}{{ $x = print $x $x $x $x }}{{ end }}{{ reReplaceAll \"\" $x $x }}",
            "{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
            "{{ define \"a\" }}{{ template \"b\" }}{{ template \"b\" }}{{ end }}{{ define \"b\" }}{{ range 5000 }}{{ range 5000 }}{{ end }}{{ end }}{{ end }}{{ template \"a\" }}",
            "{{ $x := 1 }}{{ range 1000000 }}{{ $x = args $x $x }}{{ end }}",
            "{{ printf \"%1000000d%1000000d\" 1 2 }}",
        ],
        &expect![[r#"
            {{ range 2000000000 }}{{ end }}
                1:10: at <2000000000>: template takes more than 1000000 steps
            {{ range 1000000 }}0123456789{{ end }}
                1:1: text grows longer than 1048576 bytes
            {{ $x := "xxxxxxxxxxxxxxxx" }}{{ range 64 }}{{ $x = print $x $x }}{{ end }}
                1:53: at <print $x $x>: error calling print: text grows longer than 1048576 bytes
            {{ $x := "xxxxxxxxxx" }}{{ range 9 }}{{ $x = print $x $x $x $x }}{{ end }}{{ reReplaceAll "" $x $x }}
                1:46: at <print $x $x $x $x>: error calling print: text grows longer than 1048576 bytes
            {{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}
                1:20: at <template "a">: templates, blocks and parentheses are deeper than 200
            {{ define "a" }}{{ template "b" }}{{ template "b" }}{{ end }}{{ define "b" }}{{ range 5000 }}{{ range 5000 }}{{ end }}{{ end }}{{ end }}{{ template "a" }}
                1:103: at <5000>: template takes more than 1000000 steps
            {{ $x := 1 }}{{ range 1000000 }}{{ $x = args $x $x }}{{ end }}
                1:41: at <args $x $x>: error calling args: values are nested deeper than 100
            {{ printf "%1000000d%1000000d" 1 2 }}
                1:4: at <printf "%1000000d%1000000d" 1 2>: error calling printf: text grows longer than 1048576 bytes
        "#]],
    );
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(5000), close.repeat(5000));
    for text in [
        format!("{{{{ {} }}}}", deep("(", ")")),
        deep("{{ if true }}", "{{ end }}"),
        deep("{{ with 1 }}{{ else with 2 }}", "{{ end }}"),
    ] {
        assert!(expand(&text).unwrap_err().to_string().contains("deeper"));
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        _ = expand(&text);
        _ = expand(&format!("{{{{{text}}}}}"));
    }

    #[test]
    fn no_sequence_of_pieces_makes_it_panic(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24),
        joint in prop::sample::select(vec!["", " "]),
    ) {
        _ = expand(&pieces.join(joint));
    }
}

const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "/*",
    "*/",
    "(",
    ")",
    "|",
    ",",
    ":=",
    "=",
    ".",
    ".a",
    "$",
    "$x",
    "$labels",
    "$labels.job",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "\"a\"",
    "`b`",
    "'c'",
    "1",
    "-2.5e3",
    "0x",
    "nil",
    "true",
    "print",
    "printf",
    "\"%d%s%*v\"",
    "humanize",
    "index",
    "slice",
    "args",
    "query",
    "\"q\"",
    "first",
    "é",
    "\n",
    "toTime",
    "humanizeTimestamp",
    "1e300",
    "and",
    "or",
    "len",
    "eq",
    "text",
];
