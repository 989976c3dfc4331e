//! Unit tests of rules: whether they can be run, and which alerts they ask for. Running them is
//! `firebell test`, which reads them in the same way.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::source::Source;
use super::{CheckRequest, PARSE_ERROR};
use crate::problem::{Pos, Problem};
use crate::unit_test::{UnitTests, parse_unit_tests};
use crate::yaml::{Node, Value};

/// What a test file says.
#[derive(Default)]
pub(super) struct Tests {
    pub(super) rule_files: BTreeSet<PathBuf>,
    pub(super) alerts: BTreeSet<String>,
    pub(super) notes: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

/// Reads a file.
pub(super) fn read(source: &Source, request: &CheckRequest<'_>) -> Tests {
    let mut tests = Tests::default();
    match parse_unit_tests(&source.path, &source.text) {
        Ok(read) => named(&read, source, request, &mut tests),
        Err(errors) => {
            let upstream = errors.upstream.iter();
            tests
                .problems
                .extend(upstream.flat_map(|text| of_text(source, text)));
            let own = errors.own.iter().flat_map(|problems| problems.iter());
            tests.problems.extend(own.cloned());
        }
    }
    expressions(source, &mut tests.problems);
    tests
}

fn named(read: &UnitTests, source: &Source, request: &CheckRequest<'_>, tests: &mut Tests) {
    let mut find = |key: &str, pattern: &String| {
        let path = source.relative(pattern);
        let found = request.source.glob(&path).unwrap_or_default();
        if found.is_empty() {
            let (file, path) = (&source.name, path.display());
            tests
                .notes
                .push(format!("{file}: `{key}`: no file matches `{path}`"));
        }
        found
    };
    for pattern in &read.slo_files {
        find("slo_files", pattern);
    }
    let rule_files = read.rule_files.iter();
    let rule_files = rule_files.flat_map(|it| find("rule_files", it)).collect();
    tests.rule_files = rule_files;
    let alerts = read.tests.iter().flat_map(|test| &test.alert_rule_tests);
    tests.alerts.extend(alerts.map(|it| it.alertname.clone()));
}

/// Upstream's text has a line for each problem, such as `line 7: field x not found in type …`.
fn of_text(source: &Source, text: &str) -> Vec<Problem> {
    let lines: Vec<&str> = source.text.lines().collect();
    let placed = text.lines().filter_map(|line| {
        let (number, message) = line.split_once("line ")?.1.split_once(": ")?;
        let number: u32 = number.parse().ok()?;
        let written = lines
            .get((number as usize).saturating_sub(1))
            .copied()
            .unwrap_or("");
        let indent = written.len() - written.trim_start().len();
        let at = Pos {
            line: number,
            column: u32::try_from(indent + 1).unwrap_or(1),
        };
        Some(problem(source, Some((at, written)), message.to_owned()))
    });
    let placed: Vec<Problem> = placed.collect();
    if placed.is_empty() {
        return vec![problem(source, None, text.replace('\n', "; "))];
    }
    placed
}

/// What upstream finds only when it runs the tests.
fn expressions(source: &Source, out: &mut Vec<Problem>) {
    let Some(root) = &source.root else {
        return;
    };
    let lines: Vec<&str> = source.text.lines().collect();
    for node in root
        .items("tests")
        .iter()
        .flat_map(|test| test.items("promql_expr_test"))
    {
        let Some(Value::Scalar(expr)) = node.get("expr").map(|it: &Node| &it.value) else {
            continue;
        };
        if let Err(error) = firebell_promql::parse(&expr.text) {
            let at = expr.position_of(&source.text, error.span.start);
            let written = lines.get((at.line as usize).saturating_sub(1)).copied();
            let message = format!("{PARSE_ERROR}{}", error.message);
            out.push(problem(source, written.map(|it| (at, it)), message));
        }
    }
}

fn problem(source: &Source, place: Option<(Pos, &str)>, message: String) -> Problem {
    Problem {
        file: Arc::clone(&source.name),
        at: place.map(|(at, _)| at),
        message,
        hint: None,
        excerpt: place.map(|(_, written)| written.to_owned()),
    }
}
