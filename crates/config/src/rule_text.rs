//! Single rule groups as texts: what an API for rules takes, keeps and gives.
//!
//! A group that was posted is kept in one plain form of YAML, so that groups can be put together to
//! files and read by anything that reads rule files.

use std::fmt::Write as _;
use std::path::Path;

use firebell_promql::Features;

use crate::files::OsFiles;
use crate::load::Loader;
use crate::problem::Problems;
use crate::rule_files::{self, Defaults};
use crate::rule_policy::RuleDefaults;
use crate::scrape::Global;
use crate::yaml::{Node, Value};

/// A rule group that could stand in a rule file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleGroupText {
    /// Its name.
    pub name: String,
    /// Its fields as block YAML, a line each, not indented.
    pub text: String,
}

/// Reads one group, as it would stand under `groups:` of a rule file, in YAML or JSON. `place` is
/// what problems call the text.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_rule_group(place: &str, text: &str) -> Result<RuleGroupText, Problems> {
    // Which parts of PromQL may be used is known when it is put in force.
    let loader = Loader::new(&OsFiles, Features::ALL);
    let doc = loader.doc(Path::new(place), text);
    let root = doc.parse();
    if root.is_none() && loader.problems.borrow().is_empty() {
        return Err(Problems::internal("there is no rule group"));
    }
    let defaults = Defaults::of(&Global::default(), &RuleDefaults::default());
    let group = root
        .as_ref()
        .and_then(|root| rule_files::group(&doc, root, defaults));
    let name = group.map(|group| group.name);
    drop(doc);
    if let Some(problems) = Problems::new(loader.problems.into_inner()) {
        return Err(problems);
    }
    let (Some(root), Some(name)) = (root, name) else {
        return Err(Problems::internal("there is no rule group"));
    };
    let mut text = String::new();
    write_node(&root, 0, &mut text);
    Ok(RuleGroupText { name, text })
}

/// A rule file of some groups.
#[must_use]
pub fn rule_file_text<'t>(groups: impl IntoIterator<Item = &'t str>) -> String {
    rule_list_text("groups", groups)
}

/// The groups of a namespace, under its name.
#[must_use]
pub fn rule_list_text<'t>(name: &str, groups: impl IntoIterator<Item = &'t str>) -> String {
    let mut file = String::new();
    write_key(name, &mut file);
    file.push_str(":\n");
    for group in groups {
        write_item(group, 2, &mut file);
    }
    file
}

/// A value at an indentation, each line of it with its end.
fn write_node(node: &Node, indent: usize, out: &mut String) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for entry in entries.iter() {
                push_blanks(indent, out);
                write_key(&entry.key, out);
                out.push(':');
                write_value(&entry.value, indent, out);
            }
        }
        Value::List(items) if !items.is_empty() => {
            for item in items.iter() {
                let mut text = String::new();
                write_node(item, 0, &mut text);
                write_item(&text, indent, out);
            }
        }
        _ => {
            push_blanks(indent, out);
            write_flat(node, out);
            out.push('\n');
        }
    }
}

/// What stands behind the colon of a key.
fn write_value(node: &Node, indent: usize, out: &mut String) {
    let is_nested = match &node.value {
        Value::Map(entries) => !entries.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Null | Value::Scalar(_) => false,
    };
    if is_nested {
        out.push('\n');
        write_node(node, indent + 2, out);
    } else {
        out.push(' ');
        write_flat(node, out);
        out.push('\n');
    }
}

/// A value that needs one line.
fn write_flat(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Map(_) => out.push_str("{}"),
        Value::List(_) => out.push_str("[]"),
        Value::Scalar(scalar) if scalar.is_plain() && is_one_line(&scalar.text) => {
            out.push_str(&scalar.text);
        }
        Value::Scalar(scalar) => write_quoted(&scalar.text, out),
    }
}

/// Lines as an item of a list.
fn write_item(lines: &str, indent: usize, out: &mut String) {
    for (idx, line) in lines.lines().enumerate() {
        push_blanks(indent, out);
        out.push_str(if idx == 0 { "- " } else { "  " });
        out.push_str(line);
        out.push('\n');
    }
}

fn write_key(key: &str, out: &mut String) {
    let is_plain = key
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte))
        && key
            .bytes()
            .next()
            .is_some_and(|it| it.is_ascii_alphabetic())
        && !WORDS.contains(&&*key.to_ascii_lowercase());
    if is_plain {
        out.push_str(key);
    } else {
        write_quoted(key, out);
    }
}

/// Source: YAML 1.2, double-quoted style; JSON's escapes are a part of it.
fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // Unicode's own ends of lines, and what YAML does not let stand.
            '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => push_escaped(c, out),
            c if c.is_control() => push_escaped(c, out),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn push_escaped(c: char, out: &mut String) {
    // Writing to a string does not fail.
    let _ = write!(out, "\\U{:08X}", u32::from(c));
}

fn push_blanks(n: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', n));
}

fn is_one_line(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// What YAML 1.1 takes for something else than a text.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::yaml::parse;

    #[test]
    fn a_group_is_kept_in_a_plain_form() {
        let text = r#"{"name": "g: 1", interval: 1m, "rules": [
          {"alert": "A", "expr": "up == 0\n  or vector(1)", "for": "5m", labels: {on: 'x', é: y},
           annotations: {summary: "a\tb # \u2028"}}, {record: r, expr: 'up{a="b"}', labels: {}}]}"#;
        let group = parse_rule_group("space", text).unwrap();
        assert_eq!(group.name, "g: 1");
        assert_eq!(
            rule_file_text([&*group.text]),
            r#"groups:
  - name: "g: 1"
    interval: 1m
    rules:
      - alert: "A"
        expr: "up == 0\n  or vector(1)"
        for: "5m"
        labels:
          "on": "x"
          "é": y
        annotations:
          summary: "a\tb # \U00002028"
      - record: r
        expr: "up{a=\"b\"}"
        labels: {}
"#
        );
        let again = parse_rule_group("space", &group.text).unwrap();
        assert_eq!(again, group);
    }

    #[test]
    fn all_that_is_wrong_is_named_with_its_place() {
        let text = "name: g\nintervall: 1m\nrules:\n  - alert: A\n    expr: up ==\n";
        let problems = parse_rule_group("shop", text).unwrap_err();
        let problems = problems.to_string();
        assert!(problems.contains("shop:2:1: "), "{problems}");
        assert!(problems.contains("shop:5:"), "{problems}");
        for text in ["", "[]", "name: ''", "x"] {
            assert!(parse_rule_group("shop", text).is_err(), "{text}");
        }
    }

    fn tree() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(serde_json::Value::from),
            any::<i32>().prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(".{1,9}", inner, 0..4)
                    .prop_map(serde_json::Value::from_iter),
            ]
        })
    }

    fn shape(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".to_owned(),
            Value::Scalar(scalar) => format!("{:?}", scalar.text),
            Value::List(items) => format!("{:?}", items.iter().map(shape).collect::<Vec<_>>()),
            Value::Map(entries) => {
                let pairs = entries.iter().map(|it| (it.key.clone(), shape(&it.value)));
                format!("{:?}", pairs.collect::<Vec<_>>())
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same(value in tree()) {
            let json = value.to_string();
            let (Some(root), mistakes) = parse(&json) else { return Ok(()) };
            prop_assume!(mistakes.is_empty());
            let mut text = String::new();
            write_node(&root, 0, &mut text);
            let (again, mistakes) = parse(&text);
            prop_assert!(mistakes.is_empty(), "{}\n{:?}", text, mistakes);
            prop_assert_eq!(again.as_ref().map(shape), Some(shape(&root)), "{}", text);
        }
    }
}
