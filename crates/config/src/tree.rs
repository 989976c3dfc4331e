//! YAML as values: what plain words mean where no field says of which kind it is.
//!
//! *Sources*: YAML 1.1, "Tag repository", as `yaml.v2` for Go resolves it.

use std::collections::BTreeMap;

use firebell_notify::Tree;

use crate::yaml::{Node, Scalar, Value, parse_foreign};

/// What a text says as YAML; `None` when it is none, or has aliases.
#[must_use]
pub fn read_yaml(text: &str) -> Option<Tree<String>> {
    let Some(root) = parse_foreign(text).ok()? else {
        return Some(Tree::Null);
    };
    of_node(&root, &mut |scalar| Some(scalar.text.to_string()))
}

/// A node as a value, its texts made by `text`; `None` as soon as that says so.
pub(crate) fn of_node<T>(
    node: &Node,
    text: &mut impl FnMut(&Scalar) -> Option<T>,
) -> Option<Tree<T>> {
    Some(match &node.value {
        Value::Null => Tree::Null,
        Value::Scalar(scalar) => match plain(scalar) {
            Some(value) => value,
            None => Tree::Text(text(scalar)?),
        },
        Value::List(items) => {
            let items = items.iter().map(|item| of_node(item, text));
            Tree::List(items.collect::<Option<_>>()?)
        }
        Value::Map(entries) => {
            let entries = entries
                .iter()
                .map(|entry| Some((entry.key.clone(), of_node(&entry.value, text)?)));
            Tree::Map(entries.collect::<Option<BTreeMap<_, _>>>()?)
        }
    })
}

/// What a scalar without quotes is besides a text.
fn plain<T>(scalar: &Scalar) -> Option<Tree<T>> {
    if !scalar.is_plain() {
        return None;
    }
    let text = &*scalar.text;
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Tree::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Some(Tree::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Some(Tree::Bool(false));
        }
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    let digits = text.replace('_', "");
    whole(&digits).map(Tree::Int).or_else(|| {
        let is_number = digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        let value: f64 = digits.parse().ok().filter(|_| is_number)?;
        value.is_finite().then_some(Tree::Float(value))
    })
}

fn whole(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let based = [("0x", 16), ("0b", 2), ("0o", 8)];
    let found = based
        .iter()
        .find_map(|(prefix, base)| Some((digits.strip_prefix(prefix)?, *base)));
    let (digits, base) = match found {
        Some(found) => found,
        // As Go reads it: an octal number, if it can be one.
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    i64::from_str_radix(digits, base)
        .ok()
        .map(|value| sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_mean_what_they_mean_to_upstream() {
        let mut shown = String::new();
        for text in [
            "",
            "~",
            "yes",
            "'yes'",
            "1",
            "-17",
            "0x1f",
            "017",
            "089",
            "1_000",
            "1.50",
            "1e3",
            "12:30",
            "1.2.3",
            "-",
            "some text",
            "a: [b, 2]",
            "{\"a\": \"1\"}",
            "a: 1\nb",
            "2026-01-02",
            "0",
            "[&a [1], 2]",
            "[&a [1], *a]",
        ] {
            shown += &format!("{text:?} {:?}\n", read_yaml(text));
        }
        expect_test::expect![[r#"
            "" Some(Null)
            "~" Some(Null)
            "yes" Some(Bool(true))
            "'yes'" Some(Text("yes"))
            "1" Some(Int(1))
            "-17" Some(Int(-17))
            "0x1f" Some(Int(31))
            "017" Some(Int(15))
            "089" Some(Float(89.0))
            "1_000" Some(Int(1000))
            "1.50" Some(Float(1.5))
            "1e3" Some(Float(1000.0))
            "12:30" Some(Text("12:30"))
            "1.2.3" Some(Text("1.2.3"))
            "-" Some(List([Null]))
            "some text" Some(Text("some text"))
            "a: [b, 2]" Some(Map({"a": List([Text("b"), Int(2)])}))
            "{\"a\": \"1\"}" Some(Map({"a": Text("1")}))
            "a: 1\nb" None
            "2026-01-02" Some(Text("2026-01-02"))
            "0" Some(Int(0))
            "[&a [1], 2]" Some(List([List([Int(1)]), Int(2)]))
            "[&a [1], *a]" None
        "#]]
        .assert_eq(&shown);
    }
}
