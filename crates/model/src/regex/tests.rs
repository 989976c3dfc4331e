//! What Go says of each expression was asked of Go 1.26.

use proptest::prelude::*;

use super::*;

/// Which of `values` a matcher takes.
fn matching<'a>(text: &str, values: &[&'a str]) -> Vec<&'a str> {
    let regex = Regex::matcher(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let matches = values.iter().filter(|value| regex.is_match(value));
    matches.copied().collect()
}

#[test]
fn classes_are_those_of_ascii_unless_they_are_unicodes() {
    let values = [
        "a", "Z", "7", "_", "é", "٣", " ", "\u{b}", "\n", "Ω", "\u{212A}", "ſ",
    ];
    for (text, expected) in [
        (r"\d", &["7"][..]),
        (r"\w", &["a", "Z", "7", "_"]),
        (r"\W", &["é", "٣", " ", "\u{b}", "\n", "Ω", "\u{212A}", "ſ"]),
        (r"(?i)\w", &["a", "Z", "7", "_", "\u{212A}", "ſ"]),
        (r"(?i)[^\W]", &["a", "Z", "7", "_", "\u{212A}", "ſ"]),
        (r"\s", &[" ", "\n"]),
        (r"[[:space:]]", &[" ", "\u{b}", "\n"]),
        (
            r"[[:^alpha:]7]",
            &["7", "_", "é", "٣", " ", "\u{b}", "\n", "Ω", "\u{212A}", "ſ"],
        ),
        (r"\pN", &["7", "٣"]),
        (r"\p{^L}", &["7", "_", "٣", " ", "\u{b}", "\n"]),
        (r"\P{^Lu}", &["Z", "Ω", "\u{212A}"]),
        (r"\p{greek}|\p{Letter_Number}", &["Ω"]),
        (r"(?i)[k-k]", &["\u{212A}"]),
        (r"(?i)\x{53}|z", &["Z", "ſ"]),
        (r"[a&&7]", &["a", "7"]),
        (
            r"[^[a]",
            &[
                "Z", "7", "_", "é", "٣", " ", "\u{b}", "\n", "Ω", "\u{212A}", "ſ",
            ],
        ),
        (r"[]a]", &["a"]),
        (r"[a\]-]", &["a"]),
    ] {
        assert_eq!(matching(text, &values), expected, "{text}");
    }
}

#[test]
fn what_only_go_reads_is_read() {
    for (text, value) in [
        (r"\Qa.b\E+", "a.bb"),
        (r"\Q(", "("),
        (r"\123\0\07", "S\0\u{7}"),
        (r"a{,2}", "a{,2}"),
        (r"a{2", "a{2"),
        (r"{{.x}}", "{{ax}}"),
        (r"a{01}", "a{01}"),
        (r"\_\-\<x\>", "_-<x>"),
        (r"\x{1F600}\x41\a", "😀A\u{7}"),
        (r"(?P<n>a)(?<n>b)(?P<1>c)", "abc"),
        (r"a*(?i)*B", "aab"),
        (r"(?U)a+?b(?-U:c)", "aabc"),
        (r"(?m)^a$\n^b$", "a\nb"),
        (r".+", "\n"),
        (r"\bfoo\bé\Bé", "fooéé"),
        (r"^^a$$", "a"),
        (r"", ""),
        (r"|a", "a"),
        (r"(a|b)?c{0}[x-y]", "ax"),
    ] {
        assert_eq!(matching(text, &[value]), [value], "{text}");
    }
}

#[test]
fn what_go_refuses_is_refused_in_its_words() {
    for (text, expected) in [
        ("a(", "missing closing ): `a(`"),
        ("a)b(", "unexpected ): `a)b(`"),
        ("a[b", "missing closing ]: `[b`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a*+?b", "invalid nested repetition operator: `*+?`"),
        (
            "a{1,2}{3}",
            "invalid nested repetition operator: `{1,2}{3}`",
        ),
        ("(?i)*", "missing argument to repetition operator: `*`"),
        ("a|+?", "missing argument to repetition operator: `+?`"),
        ("x{1001}y", "invalid repeat count: `{1001}`"),
        ("x{3,2}?", "invalid repeat count: `{3,2}`"),
        ("(x{100}){11}", "invalid repeat count: `{11}`"),
        (r"\", "trailing backslash at end of expression: ``"),
        (r"\u0041", r"invalid escape sequence: `\u`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        (r"[a-\d]", r"invalid escape sequence: `\d`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        ("[a--b]", "invalid character class range: `a--`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (
            r"\p{Alphabetic}",
            r"invalid character class range: `\p{Alphabetic}`",
        ),
        (
            r"\p{sc=Greek",
            r"invalid character class range: `\p{sc=Greek`",
        ),
        ("(?P<a.b>a)", "invalid named capture: `(?P<a.b>`"),
        ("(?P<a", "invalid named capture: `(?P<a`"),
        ("(?x)", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("a(?=b)", "invalid or unsupported Perl syntax: `(?=`"),
    ] {
        let error = Regex::matcher(text).expect_err(text).to_string();
        assert_eq!(error, format!("error parsing regexp: {expected}"));
    }
    let error = |text| Regex::anchored(text).unwrap_err().to_string();
    assert_eq!(
        error("("),
        "error parsing regexp: missing closing ): `^(?s:()$`"
    );
    assert!(Regex::anchored("a)(b").is_ok(), "Go reads the whole only");
}

#[test]
fn the_use_says_what_a_dot_matches() {
    let of_line_feed = [
        Regex::matcher,
        Regex::anchored,
        Regex::alertmanager,
        Regex::unanchored,
    ]
    .map(|compile| compile("a.b").unwrap().is_match("a\nb"));
    assert_eq!(of_line_feed, [true, true, false, false]);
    assert!(!Regex::matcher("a|bc").unwrap().is_match("abc"));
    assert!(Regex::unanchored("b|x").unwrap().is_match("abc"));
}

#[test]
fn groups_expand_into_the_replacement() {
    let regex = Regex::anchored("(.*):(?P<port>[0-9]+)(?P<none>x)?(?P<none>)").unwrap();
    for (replacement, expected) in [
        ("${1}/$port/$x", "db/5432/"),
        ("$1x$$1$$$0", "$1$db:5432"),
        ("${1", "${1"),
        ("$ ${} ${a-b} $", "$ ${} ${a-b} $"),
        ("<$none$4$9$01>", "<>"),
        ("$1é-$2日本", "-"),
    ] {
        assert_eq!(
            regex.expand("db:5432", replacement).as_deref(),
            Some(expected)
        );
    }
    assert_eq!(regex.expand("db", "$1"), None);
    assert_eq!(
        Regex::anchored("a|b")
            .unwrap()
            .expand("b", "<$0>")
            .as_deref(),
        Some("<b>")
    );
}

#[test]
fn an_unanchored_expression_replaces_every_match_within_bounds() {
    let regex = Regex::unanchored("([a-z])[0-9]").unwrap();
    assert!(regex.is_match("-a1-") && !regex.is_match("-a-"));
    let replace = |bytes_max| regex.replace_all("a1 b2 c", "<$1>", bytes_max);
    assert_eq!(replace(100).as_deref(), Some("<a> <b> c"));
    assert_eq!(replace(8), None);
    let empty = Regex::unanchored("b*").unwrap();
    assert_eq!(empty.replace_all("abé", "-", 100).as_deref(), Some("-a-é-"));
}

#[test]
fn simple_expressions_are_answered_without_an_engine() {
    for (text, values) in [
        ("b|a|b", Some(&["a", "b"][..])),
        (
            "(foo|bar)-?[12]",
            Some(&[
                "bar-1", "bar-2", "bar1", "bar2", "foo-1", "foo-2", "foo1", "foo2",
            ]),
        ),
        ("^(?i:a)$", Some(&["A", "a"])),
        ("", Some(&[""])),
        ("foo.*", None),
        ("a.+b.*c", None),
    ] {
        let regex = Regex::matcher(text).unwrap();
        assert!(regex.0.engine.is_none(), "{text}");
        let found: Option<Vec<&str>> = regex.values().map(|it| it.iter().map(|it| &**it).collect());
        assert_eq!(found.as_deref(), values, "{text}");
    }
    assert_eq!(Regex::matcher("(foo|x)y").unwrap().prefix(), "");
    assert_eq!(Regex::matcher("(foo).*(bar)").unwrap().prefix(), "foo");
    // A dot that stops at line feeds is no gap.
    assert!(Regex::alertmanager("a.*").unwrap().0.shape.is_none());
}

#[test]
fn what_would_take_too_much_room_is_refused() {
    for text in [
        r"\pL".repeat(300_000),
        r"\pL|".repeat(100_000),
        format!("[{}]", r"\pL".repeat(300_000)),
        "(x{1000}|y{1000})".repeat(1_500),
        "(".repeat(500_000),
        "a".repeat(2_000_000),
    ] {
        assert!(Regex::matcher(&text).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn shapes_answer_as_the_engine_does(
        text in "((a|ab|b\\?|\\.\\*|\\.\\+|\\(a\\|b\\)|\\[ab\\]|é)\\|?){0,6}",
        values in prop::collection::vec("[abé\n]{0,6}", 8),
    ) {
        let regex = Regex::matcher(&text).unwrap();
        // The engine alone: an empty look at the beginning hides the shape.
        let engine = Regex::unanchored(&format!("^(?s:{text})\\z|x\\by")).unwrap();
        prop_assert!(engine.0.shape.is_none());
        for value in values {
            prop_assert_eq!(regex.is_match(&value), engine.is_match(&value), "{:?}", value);
        }
    }

    #[test]
    fn no_text_panics(text in "[a-c(){}\\[\\]^$.*+?|\\\\:<>,0-9PpQEdix-]{0,24}", value in "\\PC{0,8}") {
        for compile in [Regex::matcher, Regex::anchored, Regex::alertmanager, Regex::unanchored] {
            if let Ok(regex) = compile(&text) {
                let is_match = regex.is_match(&value);
                prop_assert_eq!(regex.expand(&value, &text).is_some(), is_match);
                let replaced = regex.replace_all(&value, &text, 1_000);
                prop_assert!(is_match || replaced.is_none_or(|it| it == value));
            }
        }
    }
}
