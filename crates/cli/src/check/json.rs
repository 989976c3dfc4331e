//! The JSON document: `docs/check.md` describes it. New fields may come; what is there stays.

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
    json!({
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
    })
}

/// Changes when a field goes or means something else.
const VERSION: u32 = 1;
