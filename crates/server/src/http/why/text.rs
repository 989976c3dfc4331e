//! Why, for people at a terminal: what `firebell explain alert` prints.

use std::fmt::Write as _;

use firebell_model::{Duration, Timestamp, format_float};
use firebell_rules::{AlertPhase, GroupView, Mode, RuleView};

use super::json::fires_at;
use super::{Found, OwnAlert};

/// All of it; alerts are set apart by an empty line.
pub(super) fn found(now: Timestamp, found: &Found<'_>) -> String {
    let say = |at: Timestamp| moment(now, at);
    let mut parts: Vec<String> = Vec::new();
    for explained in &found.explained {
        let mut text = explained.why.text(&say);
        if let Some(own) = &explained.own {
            let line = own_line(own, &say);
            // Behind the labels and the fingerprint.
            let second = text.match_indices('\n').nth(1);
            text.insert_str(second.map_or(text.len(), |(idx, _)| idx + 1), &line);
        }
        parts.push(text);
    }
    if found.n_more > 0 {
        parts.push(format!(
            "and {} more: give matchers in braces\n",
            found.n_more
        ));
    }
    for (group, rule) in &found.rules {
        let has_alerts = rule.alerts().iter().chain(rule.reports()).next().is_some();
        if !has_alerts {
            parts.push(rule_text(*group, *rule, &say));
        }
    }
    parts.join("\n")
}

fn own_line(own: &OwnAlert<'_>, say: &dyn Fn(Timestamp) -> String) -> String {
    let alert = own.alert;
    let value = format_float(alert.value);
    let state = match alert.phase {
        AlertPhase::Pending => {
            let fires_at = fires_at(own).map(say).unwrap_or_default();
            let since = say(alert.active_at);
            format!("pending since {since}, value {value}: it fires {fires_at} if that lasts")
        }
        AlertPhase::Firing { fired_at, held, .. } => {
            let held = held.map_or(String::new(), |it| format!(", held by {}", it.name()));
            format!("fires since {}, value {value}{held}", say(fired_at))
        }
        AlertPhase::Resolved { resolved_at, .. } => {
            format!("resolved {}, last value {value}", say(resolved_at))
        }
    };
    let shadow = match own.rule.rule.mode() {
        Mode::Shadow => ", in shadow mode: nobody is told",
        _ => "",
    };
    let place = place(own.group, own.rule);
    format!("rule {place}: {state}{shadow}\n")
}

fn place(group: GroupView<'_>, rule: RuleView<'_>) -> String {
    let (name, group_name, file) = (&rule.rule.name, &group.group.name, &group.group.file);
    format!("{name} of group {group_name} in {file}")
}

/// A rule without alerts.
fn rule_text(
    group: GroupView<'_>,
    rule: RuleView<'_>,
    say: &dyn Fn(Timestamp) -> String,
) -> String {
    let state = match (rule.last_error(), rule.last_evaluation()) {
        (Some(error), _) => format!("fails: {error}"),
        (None, None) => "was not evaluated yet".to_owned(),
        (None, Some(at)) => format!("inactive: evaluated {}, it finds nothing", say(at)),
    };
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "rule {} {state}", place(group, rule));
    let _ = writeln!(text, "  expr: {}", rule.rule.expr.text());
    let hold_for = rule.rule.as_alerting().map(|it| it.hold_for);
    if let Some(hold_for) = hold_for.filter(|it| *it > Duration::ZERO) {
        let _ = writeln!(text, "  for: {hold_for}");
    }
    text
}

/// A moment in UTC, to the second, and how far away it is.
fn moment(now: Timestamp, at: Timestamp) -> String {
    let second = Timestamp(at.0.div_euclid(1000) * 1000);
    let away = at - now;
    match away.0 {
        0 => format!("{second} (now)"),
        ms if ms > 0 => format!("{second} (in {})", rough(away)),
        _ => format!("{second} ({} ago)", rough(Duration(-away.0))),
    }
}

/// Whole seconds, from one on.
fn rough(duration: Duration) -> Duration {
    match duration.0 {
        ms if ms < 1000 => duration,
        ms => Duration(ms / 1000 * 1000),
    }
}
