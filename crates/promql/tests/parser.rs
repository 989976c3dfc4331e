//! The parser against upstream's expressions, and against nonsense.

use std::path::PathBuf;

use firebell_promql::{ParseError, parse};

fn corpus(name: &str) -> Option<String> {
    let root = std::env::var_os("FIREBELL_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(root.join(name)).ok();
    if text.is_none() {
        eprintln!("skipped: no {name} in {}", root.display());
    }
    text
}

#[test]
fn mistakes_are_named_where_upstream_names_them() {
    for (text, expected) in [
        ("up)", "1:4: parse error: unexpected right parenthesis ')'"),
        (
            "up[:5m]",
            "1:5: parse error: unexpected colon before duration in duration expression",
        ),
        ("up[5m/0s]", "1:6: parse error: division by zero"),
        ("up[0", "1:5: parse error: unclosed left bracket"),
        (
            "up[5m+x]",
            "1:7: parse error: unexpected character: 'x', expected ':'",
        ),
        (
            "up[(5m]",
            "1:7: parse error: unexpected \"]\" in subquery or range selector, expected number, \
             duration, step(), or range()",
        ),
        (
            "sum(-)",
            "1:6: parse error: unexpected \")\" in aggregation",
        ),
        (
            "sum(rate(@",
            "1:10: parse error: unexpected <op:@> in aggregation",
        ),
        ("sum(a) b", "1:8: parse error: unexpected identifier \"b\""),
        (
            "sum())",
            "1:7: parse error: unexpected right parenthesis ')'",
        ),
        (
            "round(a, *)",
            "1:8: parse error: trailing commas not allowed in function call args",
        ),
        (
            "a - on(b) group_left = c",
            "1:22: parse error: unexpected \"=\" in grouping opts, expected \"(\"",
        ),
        (
            "a + fill(b) c",
            "1:10: parse error: unexpected identifier \"b\"",
        ),
        ("fill(1)", "1:5: parse error: unexpected \"(\""),
        ("min_of", ""),
        ("sum by (a:b) (c)", ""),
        ("a offset (1m) * 2", ""),
        (
            "a offset (1m) * b",
            "1:17: parse error: unexpected identifier \"b\" in offset, expected number, duration, \
             step(), or range()",
        ),
        ("a offset - -(1m)", ""),
        (
            "(1_)",
            "1:2: parse error: error parsing number: strconv.ParseFloat: parsing \"1_\": invalid \
             syntax",
        ),
    ] {
        let found = parse(text).map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn names_and_characters_that_are_none_are_shown_as_go_shows_them() {
    for (text, expected) in [
        (
            "sum by (\"\" ~) (up)",
            "1:9: parse error: invalid label name for grouping: \"\"",
        ),
        (
            "up * on(job) group_left(a, \"\\xff\") up",
            "1:28: parse error: invalid label name for grouping: \"\\xff\"",
        ),
        (
            "up\u{a0}",
            "1:3: parse error: unexpected character: '\\u00a0'",
        ),
        (
            "up{a!\0",
            "1:5: parse error: unexpected character after '!' inside braces: '\\x00'",
        ),
        (
            "up[']",
            "1:4: parse error: unexpected character in duration expression: '\\''",
        ),
        (
            "\"\\'\"",
            "1:1: parse error: unknown escape sequence U+0027 '''",
        ),
        (
            "\"\\x\u{a0}\"",
            "1:1: parse error: illegal character U+00A0 in escape sequence",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn upstreams_expressions_parse_and_fail_as_upstream_has_it() {
    let Some(text) = corpus("promql-expressions.jsonl") else {
        return;
    };
    let (mut n, mut n_same_message, mut wrong) = (0, 0, Vec::new());
    let mut other_words = Vec::new();
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let query = case["q"].as_str().unwrap();
        // Upstream's text is broken UTF-8 here, which no Rust string holds.
        let message = case["msg"].as_str();
        if message == Some("invalid UTF-8 rune") {
            continue;
        }
        n += 1;
        match (case["exp"].as_str().unwrap(), parse(query)) {
            ("ok", Ok(expr)) => {
                let printed = expr.to_string();
                match parse(&printed) {
                    Ok(again) if again.to_string() == printed => {}
                    other => wrong.push(format!("{query}\n  prints as {printed}\n  {other:?}")),
                }
            }
            ("ok", Err(error)) => wrong.push(format!("{query}\n  {error}")),
            ("fail", Ok(_)) => wrong.push(format!("{query}\n  is accepted: {message:?}")),
            ("fail", Err(ParseError { message: ours, .. })) => {
                if message.is_some_and(|theirs| ours.contains(theirs)) {
                    n_same_message += 1;
                } else {
                    other_words.push(format!("{query}\n  {ours}\n  {message:?}"));
                }
            }
            // These parse and fail when evaluated.
            (_, Ok(_)) => {}
            (_, Err(error)) => wrong.push(format!("{query}\n  {error}")),
        }
    }
    for line in &other_words {
        println!("other words: {line}");
    }
    println!(
        "{n} expressions, {} wrong; {n_same_message} messages as upstream's",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn long_chains_take_linear_time_and_deep_nests_are_refused() {
    let chain = vec!["a"; 50_000].join(" + ");
    let expr = parse(&chain).unwrap();
    assert_eq!(expr.to_string(), chain);
    assert_eq!(expr.selectors().len(), 50_000);
    assert_eq!(expr.value_type(), firebell_promql::ValueType::Vector);
    for (open, close) in [
        ("(", ")"),
        ("abs(", ")"),
        ("-", ""),
        ("1^", ""),
        ("sum(", ")"),
        ("", "[1h:]"),
    ] {
        for n in [190, 100_000] {
            let text = format!("{}a{}", open.repeat(n), close.repeat(n));
            if let Ok(expr) = parse(&text) {
                assert_eq!(
                    parse(&expr.to_string()).unwrap().to_string(),
                    expr.to_string()
                );
            }
        }
    }
}

/// Pieces of the language, so that random sequences get past the first token.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "x", "up", "sum", "rate", "topk", "by", "without", "on", "ignoring", "group_left", "bool",
    "(", ")", "{", "}", "[", "]", ",", ":", "@", "offset", "start()", "end()", "5m", "1h30m", "1",
    "0x1f", "1e3", "NaN", "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<=", "</",
    "and", "or", "unless", "=", "=~", "!~", "\"a\"", "'b'", "`c`", "\"\\xff\"", "l", "step()",
    "range()", "min_of(", "fill(", "anchored", "#c\n", " ", "é", "label_replace", "absent",
    "vector(1)", "[5m:]", "[5m]", "{a=\"b\"}", "by (a)", "on (a)", "time()",
];

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn what_parses_prints_and_parses_again_to_the_same(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..14),
    ) {
        let text = pieces.join(" ");
        if let Ok(expr) = parse(&text) {
            let printed = expr.to_string();
            let again = parse(&printed);
            proptest::prop_assert!(again.is_ok(), "{} prints as {}: {:?}", text, printed, again);
            proptest::prop_assert_eq!(again.unwrap().to_string(), printed);
            for (_, span) in expr.selectors() {
                proptest::prop_assert!(text.get(span.start..span.end).is_some());
            }
        }
    }
}
