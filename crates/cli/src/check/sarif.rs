//! SARIF 2.1.0, as code hosts and editors read findings.
//!
//! *Sources*: OASIS, *Static Analysis Results Interchange Format 2.1.0*, sections 3.13 to 3.30.

use std::collections::BTreeMap;

use firebell_config::Found;
use firebell_lint::{Lint, Severity};
use serde_json::{Value, json};

use super::Outcome;

/// One run with the lints that found something.
pub(super) fn document(outcome: &Outcome) -> Value {
    let findings = &outcome.report.findings;
    let rules: BTreeMap<&str, &Lint> = findings.iter().map(|it| (it.lint.id, it.lint)).collect();
    let position = |id: &str| rules.keys().position(|it| *it == id).unwrap_or(0);
    let results = findings
        .iter()
        .map(|found| result(found, position(found.lint.id)));
    let is_readable = outcome
        .report
        .files
        .iter()
        .all(|it| it.unreadable.is_none());
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "firebell",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.values().map(|lint| rule(lint)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": is_readable}],
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn rule(lint: &Lint) -> Value {
    json!({
        "id": lint.id,
        "shortDescription": {"text": lint.what},
        "fullDescription": {"text": lint.why},
        "help": {"text": lint.mend},
        "defaultConfiguration": {"level": level(lint.severity), "enabled": lint.is_on},
    })
}

fn result(found: &Found, rule_idx: usize) -> Value {
    let problem = &found.problem;
    let text = match &problem.hint {
        Some(hint) => format!("{} ({hint})", problem.message),
        None => problem.message.clone(),
    };
    let mut place = json!({"artifactLocation": {"uri": uri(&problem.file)}});
    if let Some(at) = problem.at {
        place["region"] = json!({"startLine": at.line, "startColumn": at.column});
    }
    json!({
        "ruleId": found.lint.id,
        "ruleIndex": rule_idx,
        "level": level(found.severity),
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// A path as a relative reference, or as a `file:` URI. Source: RFC 3986, `path`.
fn uri(path: &str) -> String {
    use std::fmt::Write as _;
    let mut uri = String::new();
    // A server has an address of its own.
    if path.starts_with("http://") || path.starts_with("https://") {
        return path.to_owned();
    }
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.strip_prefix("./").unwrap_or(path).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            // Writing to a string does not fail.
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn a_path_is_a_reference() {
        for (path, expected) in [
            ("rules/a.yml", "rules/a.yml"),
            ("./a b:c.yml", "a%20b%3Ac.yml"),
            ("/etc/ü.yml", "file:///etc/%C3%BC.yml"),
            ("http://127.0.0.1:9090", "http://127.0.0.1:9090"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
