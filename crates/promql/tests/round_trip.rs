//! Every expression prints to a text that reads as the same expression.

mod outline;

use firebell_promql::{ValueType, Variadic, functions, parse};
use outline::check_round_trip;
use proptest::prelude::*;
use proptest::sample::select;

/// Words that are keywords somewhere, and names that are awkward elsewhere.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "x", "a:b", "sum", "by", "offset", "start", "step", "range", "min_of", "fill", "fill_left",
    "anchored", "smoothed", "and", "without", "infinite", "_", "__name__",
];
#[rustfmt::skip]
const LABELS: &[&str] = &[
    "job", "on", "by", "bool", "sum", "fill", "atan2", "or", "inf", "start", "group_left",
    "\"without\"", "\"inf\"", "\"NaN\"", "\"\"", "\"a b\"", "\"a:b\"", "'é'", "`\\`", "\"\\n\"",
    "\"0\"", "\"atan2\"",
];
#[rustfmt::skip]
const STRINGS: &[&str] = &[
    "\"\"", "'\"'", "`\\\n\"`", "\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"", "'\\''", "\"\\x00\\177\"",
    "\"\\xff\\xc3\"", "\"\\u00e9\\U0001F600\"", "\"\u{200b}\u{feff}\"", "'#'", "\"{{$x}}\"",
    "\".+\"", "\"a|b\"",
];
#[rustfmt::skip]
const NUMBERS: &[&str] = &[
    "0", "1", ".5", "0x1F", "0755", "1_000", "1e300", "1e-300", "0.0004", "1.0015", "inf", "NaN",
    "5m", "1h30m", "1y", "400d", "1ms", "0s", "9007199254740993",
];
#[rustfmt::skip]
const TERMS: &[&str] = &[
    "5m", "1h30m", "90", "0.0004", "1.0015", "1e3", "0x10", "1w3d", "200y", "0", "step()",
    "range()", "RANGE()",
];
#[rustfmt::skip]
const MOMENTS: &[&str] = &[
    "0", "1.5", "-1.0004", "5m", "1e15", "9e18", "-9e18", "start()", "end()", "+1_000",
];
const SIGNS: &[&str] = &["-", "+", "- -", "-+"];
#[rustfmt::skip]
const FILLS: &[&str] = &[
    "", "fill(0)", "fill (-inf)", "fill_left(NaN) fill_right(1)", "fill(nan)", "fill_right(5m)",
    "fill_left(1)\nfill_right(1)",
];
#[rustfmt::skip]
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<=", "== bool", "< bool",
    "</", ">/",
];
#[rustfmt::skip]
const AGGREGATIONS: &[&str] = &[
    "sum", "AVG", "count", "min", "max", "group", "stddev", "stdvar",
];

/// One of some texts.
fn one(texts: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    select(texts).prop_map(str::to_owned)
}

/// A selector's label matchers, braces included.
fn matchers() -> impl Strategy<Value = String> {
    let name = prop_oneof![one(LABELS), one(NAMES)].prop_filter("no metric name", |name| {
        !name.contains(':') || name.starts_with('"')
    });
    let matcher = (name, select(&["=", "!=", "=~", "!~"][..]), one(STRINGS))
        .prop_map(|(name, op, value)| format!("{name} {op} {value}"));
    let metric = one(STRINGS);
    proptest::collection::vec(prop_oneof![4 => matcher, 1 => metric], 0..3)
        .prop_map(|all| format!("{{{}}}", all.join(",")))
}

/// What may stand in brackets and behind `offset`.
fn duration() -> BoxedStrategy<String> {
    let two = |(left, op, right)| format!("{left} {op} {right}");
    one(TERMS)
        .prop_recursive(4, 8, 2, move |inner| {
            prop_oneof![
                2 => (one(&["-", "+", "- -", "+-", "-+", "++"]), inner.clone())
                    .prop_map(|(sign, inner)| sign + &inner),
                1 => inner.clone().prop_map(|inner| format!("({inner})")),
                3 => (inner.clone(), select(&["+", "-", "*", "/", "%", "^"][..]), inner.clone())
                    .prop_map(two),
                1 => (one(&["min_of", "MAX_OF"]), inner.clone(), inner)
                    .prop_map(|(name, left, right)| format!("{name}({left}, {right})")),
            ]
        })
        .boxed()
}

/// `offset`, `@`, `anchored`, in any order and number.
fn suffixes() -> impl Strategy<Value = String> {
    let suffix = prop_oneof![
        duration().prop_map(|it| format!(" offset {it}")),
        one(MOMENTS).prop_map(|it| format!(" @ {it}")),
        one(&[" anchored", " smoothed"]),
    ];
    proptest::collection::vec(suffix, 0..3).prop_map(|all| all.concat())
}

fn labels() -> impl Strategy<Value = String> {
    proptest::collection::vec(one(LABELS), 0..3).prop_map(|all| format!("({})", all.join(",")))
}

/// How the series of two operands find each other.
fn matching() -> impl Strategy<Value = String> {
    let group = (one(&["group_left", "group_right"]), labels(), any::<bool>()).prop_map(
        |(side, include, is_bare)| match is_bare {
            true => side,
            false => side + &include,
        },
    );
    let on = (
        one(&["on", "ignoring"]),
        labels(),
        proptest::option::of(group),
    )
        .prop_map(|(word, labels, group)| format!("{word} {labels} {}", group.unwrap_or_default()));
    (proptest::option::of(on), one(FILLS))
        .prop_map(|(on, fill)| format!("{} {fill}", on.unwrap_or_default()))
}

/// A selector of instants.
fn selector() -> BoxedStrategy<String> {
    let series = prop_oneof![
        one(NAMES),
        matchers(),
        (one(NAMES), matchers()).prop_map(|(name, inner)| name + &inner),
    ];
    (series, suffixes())
        .prop_map(|(series, suffixes)| series + &suffixes)
        .boxed()
}

/// A call of any function, with arguments of the types that it takes.
fn call(scalar: BoxedStrategy<String>, vector: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let ranges = range(vector.clone());
    (0..functions().len())
        .prop_flat_map(move |idx| {
            let function = &functions()[idx];
            let n_types = function.args.len();
            let n_args = match function.variadic {
                Variadic::No => n_types..=n_types,
                Variadic::UpTo(_) | Variadic::Any => n_types.saturating_sub(1)..=n_types + 1,
            };
            let (scalar, vector, ranges) = (scalar.clone(), vector.clone(), ranges.clone());
            n_args.prop_flat_map(move |n_args| {
                let args: Vec<_> = (0..n_args)
                    .map(|idx| match function.args[idx.min(n_types - 1)] {
                        ValueType::Scalar => scalar.clone(),
                        ValueType::String => one(STRINGS).boxed(),
                        ValueType::Vector => vector.clone(),
                        ValueType::Matrix => ranges.clone(),
                    })
                    .collect();
                args.prop_map(|args| format!("{}({})", function.name, args.join(", ")))
            })
        })
        .boxed()
}

fn range(vector: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let step = proptest::option::of(duration());
    let brackets = (duration(), step).prop_map(|(length, step)| match step {
        Some(step) => format!("[{length}:{step}]"),
        None => format!("[{length}:]"),
    });
    let plain = (one(NAMES), matchers(), duration())
        .prop_map(|(name, matchers, length)| format!("{name}{matchers}[{length}]"));
    let subquery = (vector, brackets).prop_map(|(inner, brackets)| inner + &brackets);
    (prop_oneof![plain, subquery], suffixes())
        .prop_map(|(range, suffixes)| range + &suffixes)
        .boxed()
}

fn aggregation(
    scalar: BoxedStrategy<String>,
    vector: BoxedStrategy<String>,
) -> BoxedStrategy<String> {
    let grouping =
        (one(&["by", "without"]), labels()).prop_map(|(word, it)| format!("{word} {it}"));
    let grouping = proptest::option::of(grouping)
        .prop_map(Option::unwrap_or_default)
        .boxed();
    let numbered = one(&["topk", "bottomk", "quantile", "limitk", "limit_ratio"]);
    let head = prop_oneof![
        one(AGGREGATIONS).prop_map(|op| (op, String::new())),
        (numbered, scalar).prop_map(|(op, param)| (op, param + ",")),
        one(STRINGS).prop_map(|param| ("count_values".to_owned(), param + ",")),
    ];
    (head, grouping, vector, any::<bool>())
        .prop_map(
            |((op, param), grouping, inner, is_before)| match is_before {
                true => format!("{op} {grouping} ({param} {inner})"),
                false => format!("{op}({param}{inner}) {grouping}"),
            },
        )
        .boxed()
}

/// An expression of any type, as text; not all of them are well-typed.
fn expression() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        one(NUMBERS),
        (one(SIGNS), one(NUMBERS)).prop_map(|(s, n)| s + &n)
    ];
    let leaf = prop_oneof![4 => selector(), 1 => scalar.clone()].boxed();
    let any = leaf.prop_recursive(5, 40, 4, move |inner| {
        let scalar = prop_oneof![3 => scalar.clone(), 1 => inner.clone()].boxed();
        prop_oneof![
            inner.clone().prop_map(|it| format!("({it})")),
            (one(SIGNS), inner.clone()).prop_map(|(sign, it)| sign + &it),
            (inner.clone(), one(OPERATORS), matching(), inner.clone())
                .prop_map(|(left, op, matching, right)| format!("{left} {op} {matching} {right}")),
            (inner.clone(), one(&["and", "OR", "unless"]), inner.clone())
                .prop_map(|(left, op, right)| format!("{left} {op} # why\n {right}")),
            call(scalar.clone(), inner.clone()),
            aggregation(scalar, inner.clone()),
            range(inner),
        ]
    });
    prop_oneof![20 => any, 1 => one(STRINGS)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_prints_reads_as_the_same_expression(text in expression()) {
        if let Ok(expr) = parse(&text) {
            check_round_trip(&expr);
        }
    }

    #[test]
    fn durations_end_where_they_ended(
        (range, step, offset) in (duration(), duration(), duration()),
        (at, sign, op) in (one(&["", " @ 1", " smoothed"]), one(&["", "-", "++"]), one(OPERATORS)),
    ) {
        for series in ["x".to_owned(), format!("x[{range}]"), format!("x[{range}:{step}]")] {
            for text in [
                format!("{series} offset {sign}{offset}{at}"),
                format!("{series}{at} offset {sign}{offset} {op} y"),
            ] {
                if let Ok(expr) = parse(&text) {
                    check_round_trip(&expr);
                }
            }
        }
    }
}

#[test]
fn what_upstream_prints_unreadably_is_printed_readably() {
    for (text, printed) in [
        // Upstream prints these names bare, and then takes them for what they are elsewhere.
        ("sum by (\"without\") (x)", "sum by (\"without\") (x)"),
        (
            "x + on ('inf', \"NaN\", fill) y",
            "x + on (\"inf\", \"NaN\", fill) y",
        ),
        // Upstream prints `0s`, which no range may be.
        ("rate(x[0.0004])", "rate(x[0.0004])"),
        ("rate(x[5m:0.0004])", "rate(x[5m:0.0004])"),
        // Whole milliseconds count, as upstream.
        ("rate(x[1.0015])", "rate(x[1s1ms])"),
        ("inf ^ x and (x)", "+Inf ^ x and (x)"),
        ("1s1ms + 292y", "1s1ms + 292y"),
        ("x{without=\"a\"}", "x{without=\"a\"}"),
        // Upstream's offset goes on behind the parenthesis.
        ("x offset +(1m) * y", "x offset +(1m) * y"),
        ("x offset (1m) > y", "x offset (1m) > y"),
        ("a - -x offset +(1m) + y", "a - -x offset +(1m) + y"),
        ("(x offset - -(1m)) * y", "(x offset --(1m)) * y"),
        // Upstream's offset is a sum only behind a parenthesis or two signs.
        ("x offset --5m + 1", "x offset ++5m + 1"),
        ("x[5m:] offset +-step() * 2", "x[5m:] offset +-step() * 2"),
        ("x[5m:] offset +-2 ^ 3", "x[5m:] offset +-2 ^ 3"),
        ("x[5m:] offset -+2 ^ 3 @ 1", "x[5m:] offset +-2 ^ 3 @ 1.000"),
        ("x offset (5m) + 1", "x offset (5m) + 1"),
        // And ends at what stands behind it.
        ("x offset --5m + 1 @ 2 + y", "x offset ++5m + 1 @ 2.000 + y"),
        ("x offset --(5m) @ 2 * y", "x offset --(5m) @ 2.000 * y"),
        ("x offset (5m) smoothed - 1", "x offset (5m) smoothed - 1"),
    ] {
        let expr = parse(text).unwrap();
        assert_eq!(expr.to_string(), printed);
        check_round_trip(&expr);
    }
}

#[test]
fn a_duration_that_upstreams_64_bits_do_not_hold_is_refused() {
    for text in [
        "333333333333s",
        "x[293y]",
        "x offset 9223372037",
        "x[5m:293y]",
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.message, "duration out of range", "{text}");
    }
}
