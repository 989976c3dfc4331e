//! Silences that match nothing.

use firebell_model::{Labels, Matcher};
use firebell_promql::{Features, parse_with};
use firebell_template::Template;

use super::{Online, Question, Reply, ServerRule, Silence, rough};
use crate::catalogue::online as lints;
use crate::input::{Group, Rule, RuleFile, RuleKind, Text};
use crate::lint::{Finding, Place, Severity};
use crate::project::{Answer, Project};
use crate::settings::Settings;

/// The rules of a server, as if they stood in a file.
#[must_use]
pub fn server_rules(rules: &[ServerRule]) -> RuleFile {
    let made = |rule: &ServerRule| {
        let text = |(name, text): &(String, String)| Text {
            name: name.clone(),
            text: text.clone(),
            template: Template::compile(text).ok().filter(|_| rule.is_alerting),
        };
        Some(Rule {
            kind: if rule.is_alerting {
                RuleKind::Alerting
            } else {
                RuleKind::Recording
            },
            name: rule.name.clone(),
            expr: parse_with(&rule.query, Features::ALL).ok()?,
            expr_text: rule.query.clone(),
            experimental: None,
            hold_for: None,
            keep_firing_for: None,
            labels: rule.labels.iter().map(text).collect(),
            annotations: Vec::new(),
            lines: 1..=1,
        })
    };
    let groups = rules
        .chunk_by(|a, b| a.group == b.group)
        .map(|rules| Group {
            name: rules[0].group.clone(),
            rules: rules.iter().map(made).collect(),
            ..Group::default()
        });
    RuleFile {
        name: "the server".to_owned(),
        groups: groups.collect(),
        ..RuleFile::default()
    }
}

/// Judges the silences in force: by alerts that there were, and by what the rules of `projects` can
/// make. `external` are the labels that the server adds to what it tells of alerts, and not to
/// what it stores of them.
#[must_use]
pub fn judge_silences(
    online: &Online<'_>,
    projects: &[&Project],
    external: &Labels,
    settings: &Settings,
) -> Vec<Finding> {
    let lint = &lints::SILENCE;
    let Ok(reply) = online.server.ask(&Question::Silences) else {
        return Vec::new();
    };
    let (Reply::Silences(silences), true) = (&*reply, settings.is_on(lint)) else {
        return Vec::new();
    };
    if silences.is_empty() {
        return Vec::new();
    }
    let alerts = online.vector(format!("last_over_time(ALERTS[{}])", online.window));
    let alerts: Vec<Labels> = match alerts.as_deref() {
        Some(Reply::Vector(vector)) => {
            let labels = vector.series.iter().map(|(labels, _)| labels);
            labels.map(|it| as_told(it, external)).collect()
        }
        // Nothing is known of the alerts.
        _ => return Vec::new(),
    };
    let unmatched = silences.iter().filter(|silence| {
        let matches = |labels: &Labels| silence.matchers.iter().all(|it| it.matches(labels));
        !alerts.iter().any(matches)
    });
    let findings = unmatched.map(|silence| {
        let mut known = projects.iter().filter(|it| it.has_alerts()).peekable();
        let is_possible = known.peek().is_none()
            || known.any(|project| project.any_alert(&silence.matchers) != Answer::No);
        let (severity, message) = told(online, silence, is_possible);
        Finding {
            lint,
            severity: settings.severity(lint, severity),
            place: Place::default(),
            message,
            hint: Some(format!(
                "silence {}; expire it, or mend its matchers",
                silence.id
            )),
        }
    });
    findings.collect()
}

/// The labels of an alert that is told of, from those of its series.
fn as_told(series: &Labels, external: &Labels) -> Labels {
    let mut labels = series
        .filter(|name| name != "alertstate" && name != "__name__")
        .to_builder();
    for label in external.iter().filter(|it| series.get(&it.name).is_none()) {
        labels.set(label.name.clone(), label.value.clone());
    }
    labels.build()
}

fn told(online: &Online<'_>, silence: &Silence, is_possible: bool) -> (Severity, String) {
    let matchers: Vec<String> = silence.matchers.iter().map(Matcher::to_string).collect();
    let what = format!(
        "the silence of {} for {{{}}}",
        silence.created_by,
        matchers.join(",")
    );
    if is_possible {
        let window = rough(online.window);
        let message = format!("{what} matched no alert of the last {window}");
        return (Severity::Info, message);
    }
    (
        Severity::Warning,
        format!("{what} matches no alert that any rule can make"),
    )
}
