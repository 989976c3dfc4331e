//! Regular expressions mean what they mean in Go, whose own package is asked where there is one.
//!
//! Without a `go` command the tests say so and pass; the tables in `src/regex` hold what matters.
//! `FIREBELL_SEED` and `FIREBELL_CASES` set the seed and the number of random expressions.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use firebell_model::{Regex, RegexError};
use serde_json::{Value, json};

const USES: [&str; 4] = ["matcher", "anchored", "alertmanager", "search"];
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// One expression, used in one way.
struct Question {
    usage: &'static str,
    text: String,
    values: Vec<String>,
    replacement: String,
}

impl Question {
    fn to_json(&self) -> Value {
        json!({
            "Use": self.usage,
            "Text": self.text,
            "Values": self.values,
            "Replacement": self.replacement,
        })
    }

    fn compile(&self) -> Result<Regex, RegexError> {
        let compile = match self.usage {
            "matcher" => Regex::matcher,
            "anchored" => Regex::anchored,
            "alertmanager" => Regex::alertmanager,
            _ => Regex::unanchored,
        };
        compile(&self.text)
    }

    /// What this project answers, in the form of the Go program. A matcher's groups are not
    /// looked at.
    fn answer(&self) -> Value {
        let regex = match self.compile() {
            Ok(regex) => regex,
            Err(error) => return json!({"Error": error.to_string()}),
        };
        let expanded = self.values.iter().map(|value| {
            let expanded = regex.expand(value, &self.replacement);
            assert_eq!(
                regex.is_match(value),
                expanded.is_some(),
                "{regex:?} {value:?}"
            );
            expanded
        });
        let expanded: Vec<Option<String>> = expanded.collect();
        let replaced = self.values.iter().filter(|_| self.usage == "search");
        let replaced: Vec<Option<String>> = replaced
            .map(|value| regex.replace_all(value, &self.replacement, OUTPUT_BYTES_MAX))
            .collect();
        let replaced = if replaced.is_empty() {
            Value::Null
        } else {
            json!(replaced)
        };
        json!({"Error": "", "Expanded": expanded, "Replaced": replaced})
    }
}

/// What Go says to each; `None` without Go.
fn ask_go(questions: &[Question]) -> Option<Vec<Value>> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/go_regex/main.go");
    let mut go = Command::new("go")
        .args(["run", program])
        .env("GO111MODULE", "off")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = String::new();
    for question in questions {
        writeln!(input, "{}", question.to_json()).unwrap();
    }
    let mut stdin = go.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = go.wait_with_output().unwrap();
    writer.join().unwrap().ok()?;
    assert!(output.status.success(), "the Go program failed");
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    Some(
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

fn compare(questions: &[Question]) {
    let Some(answers) = ask_go(questions) else {
        eprintln!("there is no `go` to ask: nothing was compared");
        return;
    };
    assert_eq!(answers.len(), questions.len());
    let (mut differing, mut n_accepted, mut n_matches) = (Vec::new(), 0, 0);
    for (question, mut expected) in questions.iter().zip(answers) {
        let found = question.answer();
        let matches = found["Expanded"].as_array();
        n_accepted += usize::from(matches.is_some());
        n_matches += matches.map_or(0, |it| it.iter().filter(|it| !it.is_null()).count());
        if let Some(error) = found.get("Error").filter(|error| **error != "") {
            expected = json!({"Error": expected["Error"]});
            assert!(error.is_string());
        }
        if found != expected {
            differing.push(format!(
                "{}\n  ours {found}\n  Go's {expected}",
                question.to_json()
            ));
        }
    }
    let n_questions = questions.len();
    println!("{n_questions} expressions, {n_accepted} accepted, {n_matches} matches");
    assert!(
        differing.is_empty(),
        "{} of {n_questions} differ:\n{}",
        differing.len(),
        differing[..differing.len().min(20)].join("\n")
    );
}

/// A sequence without any hidden source of chance.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len())]
    }

    fn text(&mut self, words: &[&str], len_max: usize) -> String {
        let len = self.roll(len_max + 1);
        (0..len).map(|_| self.pick(words)).collect()
    }
}

const TOKENS: &[&str] = &[
    "a",
    "b",
    "c",
    "A",
    "k",
    "s",
    "1",
    "7",
    "_",
    "-",
    " ",
    "\n",
    "é",
    "ſ",
    "日",
    "(",
    ")",
    "(",
    ")",
    "(?:",
    "(?i)",
    "(?i:",
    "(?s:",
    "(?m)",
    "(?U)",
    "(?-s)",
    "(?-i:",
    "(?im-s:",
    "(?P<n>",
    "(?<m>",
    "(?P<n",
    "(?",
    "(?x)",
    "(?=",
    "[",
    "]",
    "[^",
    "-",
    "^",
    "$",
    ".",
    ".*",
    ".+",
    "*",
    "+",
    "?",
    "*?",
    "+?",
    "??",
    "{2}",
    "{1,3}",
    "{0,2}?",
    "{,2}",
    "{2,}",
    "{3,1}",
    "{1001}",
    "{0}",
    "{",
    "}",
    "{{",
    "}}",
    "|",
    "|",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "\\b",
    "\\B",
    "\\A",
    "\\z",
    "\\Z",
    "\\Q",
    "\\E",
    "\\C",
    "\\pL",
    "\\PL",
    "\\pN",
    "\\p{Greek}",
    "\\p{^Greek}",
    "\\P{^Lu}",
    "\\p{Lu}",
    "\\p{greek}",
    "\\p{Letter}",
    "\\p{Foo}",
    "\\p{",
    "\\p",
    "\\x41",
    "\\x{e9}",
    "\\x{110000}",
    "\\x{d800}",
    "\\x4",
    "\\x",
    "\\0",
    "\\101",
    "\\12",
    "\\1",
    "\\8",
    "\\n",
    "\\t",
    "\\v",
    "\\_",
    "\\-",
    "\\.",
    "\\<",
    "\\\\",
    "\\/",
    "\\é",
    "\\u0041",
    "\\",
    "[:alpha:]",
    "[[:^word:]]",
    "[:foo:]",
    "[[:space:]]",
    "&&",
    "~~",
    "--",
    "[a-c]",
    "[c-a]",
    "[^a]",
    "[a-\\d]",
    "[]a]",
    "[^]a]",
    "(a|b)*",
    "(a*)*",
    "(|a)+",
    "(a|ab)(c|bcd)",
    "abc",
    "#",
    "/",
    "\t",
    "\u{b}",
    "$1",
    "<",
];
const VALUES: &[&str] = &[
    "a", "b", "c", "A", "B", "k", "K", "s", "S", "ſ", "\u{212A}", "1", "7", "_", "-", " ", "\n",
    "\t", "\u{b}", "é", "É", "α", "日", "{", "}", "]", "[", "^", "$", "\\", ".", "abc", "ab", "٣",
    "<", "x",
];
const REPLACEMENTS: &[&str] = &[
    "$0",
    "$1",
    "<${1}|${2}>",
    "$n",
    "${n}-${m}",
    "$1x",
    "$$",
    "$",
    "${",
    "${1",
    "${}",
    "$-",
    "$$1",
    "${01}",
    "$é",
    "x",
    "",
    "$3$2$1",
    "$10",
    "${n}${n}",
    "$ ",
    "${a-b}",
    "$日本",
    "$_",
];

#[test]
fn random_expressions_mean_what_they_mean_in_go() {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let seed = number("FIREBELL_SEED").unwrap_or(20_261_121);
    let n_cases = number("FIREBELL_CASES").unwrap_or(20_000);
    println!("seed {seed}, {n_cases} expressions");
    let mut dice = Dice(seed | 1);
    let questions: Vec<Question> = (0..n_cases)
        .map(|_| {
            let text = match dice.roll(3) {
                // Most long texts are refused.
                0 => dice.text(TOKENS, 3),
                1 => dice.text(TOKENS, 6),
                _ => dice.text(&TOKENS[..22], 8) + &dice.text(TOKENS, 3),
            };
            Question {
                usage: USES[dice.roll(USES.len())],
                text,
                values: (0..8).map(|_| dice.text(VALUES, 4)).collect(),
                replacement: dice.pick(REPLACEMENTS).to_owned(),
            }
        })
        .map(without_groups)
        .collect();
    compare(&questions);
}

/// A matcher's groups catch nothing here, so only whether it matches is compared.
fn without_groups(mut question: Question) -> Question {
    if question.usage == "matcher" {
        "x".clone_into(&mut question.replacement);
    }
    question
}

#[test]
fn what_is_too_much_for_go_is_refused_in_the_same_words() {
    let nested = |n: usize, open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(n), close.repeat(n))
    };
    let mut texts = vec![
        "((((((((((x{2}){2}){2}){2}){2}){2}){2}){2}){2}){2})".to_owned(),
        "(((((((((x{2}){2}){2}){2}){2}){2}){2}){2}){2})".to_owned(),
        "x{1000}".to_owned(),
        "x{1001}".to_owned(),
        "x{0,1001}".to_owned(),
        "x{1001,}".to_owned(),
        "x{99999999999}".to_owned(),
        "x{3,2}".to_owned(),
        "x{01}".to_owned(),
        "(x{100}){11}".to_owned(),
        "(x{0}){1000}{2}".to_owned(),
        "((x{500}){2}){0}".to_owned(),
        "((x{1000}){0}){1000}".to_owned(),
        "((x{1000}){0,}){2}".to_owned(),
        "((x{1000}){0,1}){2}".to_owned(),
        "((x{1000})*){1}".to_owned(),
        "((x{1000})?)*".to_owned(),
        "(?:x{1000}y{1000}){2}".to_owned(),
        "(xx?){1000}".repeat(1_000),
        "(x{1000}|y{1000})".repeat(100),
        "(xyz{1000}){1}".repeat(400),
        format!("(?:{}){{500}}", "xy".repeat(5_000)),
        format!("(?:{}){{500}}", "xy".repeat(300)),
        format!("(?:{}*){{500}}", "x".repeat(6_709)),
        format!("(?:{}*){{500}}", "x".repeat(709)),
    ];
    for n in [998, 999, 1_000, 1_001] {
        texts.push(nested(n, "(", "", ")"));
        texts.push(nested(n, "(", "a", ")"));
        texts.push(nested(n, "(", "ab", ")"));
        texts.push(nested(n, "(", "a|b", ")"));
        texts.push(nested(n, "(", "a*", ")"));
        texts.push(nested(n, "(?:", "", ")*"));
        texts.push(nested(n, "(?:", "a", "b)"));
        texts.push(nested(n, "(", "a", "|b)"));
        texts.push(nested(n, "(", "a", "*"));
    }
    let questions = texts.into_iter().map(|text| Question {
        usage: "matcher",
        text,
        values: Vec::new(),
        replacement: String::new(),
    });
    let questions: Vec<_> = questions.collect();
    let Some(answers) = ask_go(&questions) else {
        eprintln!("there is no `go` to ask: nothing was compared");
        return;
    };
    let head = |text: &str| text.chars().take(60).collect::<String>();
    for (question, answer) in questions.iter().zip(answers) {
        let found = question
            .compile()
            .err()
            .map_or(String::new(), |it| it.to_string());
        let expected = answer["Error"].as_str().unwrap();
        assert_eq!(head(&found), head(expected), "{}", head(&question.text));
    }
}
