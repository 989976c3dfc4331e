//! Rule files for lints: whatever can be read of them.

use firebell_lint::{Group, Rule, RuleFile, RuleKind, Suppressions, Text};
use firebell_model::Duration;
use firebell_promql::{Features, parse_with};
use firebell_template::Template;

use super::source::Source;
use crate::yaml::{Node, Value};

/// The groups of a file; what cannot be read is left out, its place kept.
pub(super) fn rule_file(source: &Source) -> RuleFile {
    let lines: Vec<&str> = source.text.lines().collect();
    let groups = source
        .root
        .as_ref()
        .map_or(&[][..], |root| root.items("groups"));
    // Where rules begin, to know where the one before ends.
    let mut starts: Vec<u32> = groups.iter().map(|it| it.at.line).collect();
    starts.extend(
        groups
            .iter()
            .flat_map(|group| group.items("rules"))
            .map(|rule| rule.at.line),
    );
    starts.push(u32::try_from(lines.len() + 1).unwrap_or(u32::MAX));
    for start in &mut starts {
        *start = with_comments(&lines, *start);
    }
    starts.sort_unstable();
    let groups = groups.iter().map(|node| group(node, &lines, &starts));
    RuleFile {
        name: source.name.to_string(),
        groups: groups.collect(),
        suppressions: Suppressions::read(&source.text),
    }
}

/// The first line of the comments right above a line.
fn with_comments(lines: &[&str], line: u32) -> u32 {
    let above = lines
        .get(..(line as usize).saturating_sub(1))
        .unwrap_or(&[]);
    let is_comment = |line: &&&str| line.trim_start().starts_with('#');
    let n_comments = above.iter().rev().take_while(is_comment).count();
    line - u32::try_from(n_comments).unwrap_or(0)
}

fn group(node: &Node, lines: &[&str], starts: &[u32]) -> Group {
    let rules = node.items("rules").iter();
    Group {
        name: node.text_of("name").unwrap_or_default(),
        interval: duration(node, "interval").filter(|it| *it > Duration::ZERO),
        query_offset: duration(node, "query_offset"),
        labels: texts(node, "labels", true),
        rules: rules.map(|node| rule(node, lines, starts)).collect(),
    }
}

fn rule(node: &Node, lines: &[&str], starts: &[u32]) -> Option<Rule> {
    let filled = |name| node.text_of(name).filter(|it: &String| !it.is_empty());
    let (kind, name) = match (filled("alert"), filled("record")) {
        (Some(name), None) => (RuleKind::Alerting, name),
        (None, Some(name)) => (RuleKind::Recording, name),
        _ => return None,
    };
    let expr_text = node.text_of("expr")?;
    // Few rules use what is behind a flag; only those are read twice.
    let (expr, experimental) = match parse_with(&expr_text, Features::default()) {
        Ok(expr) => (expr, None),
        Err(error) => (parse_with(&expr_text, Features::ALL).ok()?, Some(error)),
    };
    let first = with_comments(lines, node.at.line);
    let next = starts.iter().copied().find(|it| *it > node.at.line);
    let is_alerting = kind == RuleKind::Alerting;
    Some(Rule {
        kind,
        name,
        expr,
        experimental,
        expr_text,
        hold_for: duration(node, "for"),
        keep_firing_for: duration(node, "keep_firing_for"),
        labels: texts(node, "labels", is_alerting),
        annotations: texts(node, "annotations", true),
        lines: first..=next.map_or(u32::MAX, |it| it - 1),
    })
}

fn duration(node: &Node, name: &str) -> Option<Duration> {
    node.text_of(name)?.parse().ok()
}

fn texts(node: &Node, name: &str, are_templates: bool) -> Vec<Text> {
    let Some(Value::Map(entries)) = node.get(name).map(|it| &it.value) else {
        return Vec::new();
    };
    let texts = entries.iter().map(|entry| {
        let text = entry.value.as_text().unwrap_or("").to_owned();
        let template = are_templates
            .then(|| Template::compile(&text).ok())
            .flatten();
        Text {
            name: entry.key.clone(),
            text,
            template,
        }
    });
    texts.collect()
}
