//! The JSON document: `docs/check.md` describes it. New fields may come; what is there stays.

use firebell_config::RuleFigures;
use serde_json::{Value, json};

use super::Outcome;

/// The whole outcome.
pub(super) fn document(outcome: &Outcome) -> Value {
    let report = &outcome.report;
    let findings = report.findings.iter().map(|found| {
        let problem = &found.problem;
        json!({
            "id": found.lint.id,
            "severity": found.severity.name(),
            "file": &*problem.file,
            "line": problem.at.map(|it| it.line),
            "column": problem.at.map(|it| it.column),
            "message": problem.message,
            "hint": problem.hint,
            "excerpt": problem.excerpt,
        })
    });
    let files = report.files.iter().map(|file| {
        json!({
            "file": file.name,
            "kind": file.kind.name(),
            "given": file.is_given,
            "rules": file.n_rules,
            "passed": !outcome.has_failed(file),
            "unreadable": file.unreadable,
            "notes": file.notes,
        })
    });
    let count = |severity| outcome.count(severity);
    let mut document = json!({
        "version": VERSION,
        "tool": {"name": "firebell", "version": env!("CARGO_PKG_VERSION")},
        "fail_on": outcome.fail_on.name(),
        "passed": outcome.n_failed() == 0,
        "counts": {
            "error": count(firebell_lint::Severity::Error),
            "warning": count(firebell_lint::Severity::Warning),
            "info": count(firebell_lint::Severity::Info),
        },
        "files": files.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
    });
    if let Some(n_asked) = outcome.n_asked {
        let rules = report.figures.iter().map(figures);
        document["server"] = json!({
            "questions": n_asked,
            "rules": rules.collect::<Vec<_>>(),
        });
    }
    document
}

/// What a server says of one rule; durations in seconds.
fn figures(rule: &RuleFigures) -> Value {
    let figures = &rule.figures;
    let fired = figures.fired.as_ref().map(|fired| {
        json!({
            "window": fired.window.as_secs_f64(),
            "step": fired.step.as_secs_f64(),
            "times": fired.times,
            "total": fired.total.as_secs_f64(),
            "longest": fired.longest.as_secs_f64(),
            "at_once": fired.at_once,
        })
    });
    json!({
        "file": rule.file,
        "group": rule.group,
        "name": rule.name,
        "kind": if rule.is_alerting { "alerting" } else { "recording" },
        "series": figures.series,
        "samples": figures.samples,
        "seconds": figures.seconds,
        "fired": fired,
    })
}

/// Changes when a field goes or means something else.
const VERSION: u32 = 1;
