//! Rules as a file that Prometheus reads.

use std::fmt::Write as _;

use firebell_model::{Duration, Labels};
use firebell_rules::{Rule, RuleGroup, RuleKind};

/// The text of a rule file with these groups. Templates and expressions are as they are here, so
/// Prometheus gives the same alerts of the same samples.
#[must_use]
pub fn prometheus_rules(groups: &[RuleGroup]) -> String {
    let mut text = "groups:\n".to_owned();
    for group in groups {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  - name: {}", quoted(&group.name));
        let _ = writeln!(text, "    interval: {}", group.interval);
        if group.query_offset > Duration::ZERO {
            let _ = writeln!(text, "    query_offset: {}", group.query_offset);
        }
        if let Some(limit) = group.limit {
            let _ = writeln!(text, "    limit: {limit}");
        }
        text.push_str("    rules:\n");
        for rule in &group.rules {
            write_rule(rule, &mut text);
        }
    }
    text
}

fn write_rule(rule: &Rule, text: &mut String) {
    let kind = match &rule.kind {
        RuleKind::Alerting(_) => "alert",
        RuleKind::Recording => "record",
    };
    let _ = writeln!(text, "      - {kind}: {}", quoted(&rule.name));
    // Two deeper than the key: the first line may be indented more than the others.
    text.push_str("        expr: |2-\n");
    for line in firebell_promql::pretty(rule.expr.expr()).lines() {
        let _ = writeln!(text, "          {line}");
    }
    if let Some(alerting) = rule.as_alerting() {
        for (name, span) in [
            ("for", alerting.hold_for),
            ("keep_firing_for", alerting.keep_firing_for),
        ] {
            if span > Duration::ZERO {
                let _ = writeln!(text, "        {name}: {span}");
            }
        }
    }
    write_texts("labels", &rule.label_texts, text);
    write_texts("annotations", &rule.annotation_texts, text);
}

fn write_texts(name: &str, texts: &Labels, text: &mut String) {
    if texts.is_empty() {
        return;
    }
    let _ = writeln!(text, "        {name}:");
    for label in texts.iter() {
        let (name, value) = (quoted(&label.name), quoted(&label.value));
        let _ = writeln!(text, "          {name}: {value}");
    }
}

/// In double quotes, as YAML has them.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
