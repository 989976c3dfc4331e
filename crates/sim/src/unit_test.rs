//! Unit tests of rules: input series, rules, and what is expected of them, as promtool runs them.
//!
//! A test is played on the ticks of `evaluation_interval` from its start on. Only rules are
//! evaluated that an expectation reads, directly or through other rules, and those whose
//! evaluation might fail, because one failure fails the test. Where no rule reads what a later
//! one writes, each is evaluated over all ticks at once (`columns`); otherwise, and whenever
//! something is odd, tick by tick as upstream does (`ticks`), which decides.
//!
//! *Invariants*: verdicts and texts are upstream's. Phases and intervals of rule groups have no
//! meaning here. Expressions are compared after the last tick and see everything.
//!
//! *Sources*: Prometheus, `cmd/promtool/unittest.go`, `promql/promqltest`, `LazyLoader`; a real
//! promtool beside it decides (`scripts/e2e/promtool_differential`).

mod budgets;
mod columns;
mod compare;
mod dump;
mod failure;
mod input;
mod needed;
mod notifications;
mod pages;
mod play;
mod reading;
mod sides;
mod stage;
mod strict;
mod text;
mod ticks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use firebell_config::{
    Files, Problem, UnitTest, UnitTests, load_objectives, load_rule_files, parse_unit_tests,
};
use firebell_model::{Duration, Regex, Timestamp};
use firebell_promql::Features;
use firebell_rules::RuleGroup;
use firebell_slo::Objectives;

use self::play::Scene;
pub(crate) use self::play::{query_options, vector};
use self::stage::Stage;
use self::strict::RuleKey;
pub use self::strict::judge_together;
pub(crate) use self::ticks::write;

/// How tests are run.
pub struct Options<'a> {
    /// Experimental parts of PromQL that expressions may use.
    pub features: Features,
    /// Upstream's `promql-delayed-name-removal`.
    pub delays_name_removal: bool,
    /// Only tests whose name one of these matches are run; all when there is none.
    pub run: Vec<Regex>,
    /// Whether everything that was evaluated is shown.
    pub is_debug: bool,
    /// Whether alerts that differ are shown as a difference.
    pub is_diff: bool,
    /// Whether unknown fields of rule files are passed over.
    pub ignores_unknown: bool,
    /// Whether what passes without testing anything fails.
    pub is_strict: bool,
    /// Time since some moment, for [`Options::is_debug`] only.
    pub elapsed: &'a (dyn Fn() -> std::time::Duration + Sync),
}

/// How a file went. It has failed when there are errors.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileReport {
    /// What was odd before anything ran, in upstream's form; and what debugging shows.
    pub notes: Vec<String>,
    /// Each of the failures, of several lines.
    pub errors: Vec<String>,
    /// Why no test was run, if so; it is among the errors.
    pub abort: Option<String>,
    /// The tests that were run.
    pub cases: Vec<CaseReport>,
    /// The rules that the file names, and whether a test asks for them; only known where silent
    /// passes are failures.
    rules: BTreeMap<RuleKey, bool>,
}

/// How a test went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseReport {
    /// `unnamed#0` when it has no name.
    pub name: String,
    /// Its failures.
    pub failures: Vec<String>,
}

/// Runs the tests of a file. Rule files are found from its folder.
#[must_use]
pub fn run_file(path: &Path, files: &dyn Files, options: &Options<'_>) -> FileReport {
    let mut report = FileReport::default();
    if let Err(error) = run_tests(path, files, options, &mut report) {
        report.errors.push(error.clone());
        report.abort = Some(error);
    }
    report
}

fn run_tests(
    path: &Path,
    files: &dyn Files,
    options: &Options<'_>,
    report: &mut FileReport,
) -> Result<(), String> {
    let source = files
        .read(path)
        .map_err(|error| format!("open {}: {error}", path.display()))?;
    let tests = parse_unit_tests(path, &source).map_err(|error| error.to_string())?;
    let mut timelines = pages::read_timelines(path, &source, &tests)?.into_iter();
    let subject = load(path, &tests, files, options, report)?;
    if options.is_strict {
        report.errors.append(&mut report.notes.clone());
        let groups = subject.as_ref().ok().map(|it| &*it.groups);
        report.errors.extend(strict::of_file(&tests, groups));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    for (idx, test) in tests.tests.iter().enumerate() {
        let timeline = timelines.next().unwrap_or_default();
        let is_meant = |regex: &Regex| regex.is_match(&test.name);
        if !options.run.is_empty() && !options.run.iter().any(is_meant) {
            continue;
        }
        let name = match &*test.name {
            "" => format!("unnamed#{idx}"),
            name => name.to_owned(),
        };
        let started = (options.elapsed)();
        if options.is_debug {
            report.notes.push(format!("DEBUG: Starting test {name}"));
        }
        let failures = match &subject {
            Ok(subject) => {
                let mut failures = run_test(test, &tests, subject, options, report);
                let stage = Stage {
                    test,
                    tests: &tests,
                    groups: &subject.groups,
                    folder,
                    files,
                };
                if failures.is_empty() {
                    let notes = &mut report.notes;
                    failures.extend(notifications::compare(&stage, options, notes));
                    failures.extend(pages::compare(&stage, timeline, options, notes));
                }
                failures
            }
            Err(problems) => match input::read(test) {
                Ok(_) => problems.iter().map(ToString::to_string).collect(),
                Err(error) => vec![error],
            },
        };
        if options.is_debug {
            let took = (options.elapsed)().saturating_sub(started);
            report
                .notes
                .push(format!("DEBUG: Test {name} finished, took {took:?}"));
        }
        report.errors.extend(failures.iter().cloned());
        report.cases.push(CaseReport { name, failures });
    }
    Ok(())
}

/// What is tested: rules in the order of their evaluation, those of objectives among them.
struct Subject {
    groups: Vec<RuleGroup>,
    objectives: Objectives,
}

/// Reads what a test file names.
///
/// # Errors
/// When nothing can be run at all. What is wrong with rules or objectives is told of each test, as
/// upstream does.
fn load(
    path: &Path,
    tests: &UnitTests,
    files: &dyn Files,
    options: &Options<'_>,
    report: &mut FileReport,
) -> Result<Result<Subject, Vec<Problem>>, String> {
    let rule_files = named_files(path, &tests.rule_files, files, report)?;
    let slo_files = named_files(path, &tests.slo_files, files, report)?;
    for (idx, name) in tests.group_eval_order.iter().enumerate() {
        if tests.group_eval_order[..idx].contains(name) {
            return Err(format!("group name repeated in evaluation order: {name}"));
        }
    }
    let groups = load_rule_files(
        &rule_files,
        files,
        options.features,
        options.ignores_unknown,
    );
    Ok(groups.and_then(|mut groups| {
        let (objectives, of_objectives) =
            load_objectives(&slo_files, files, tests.evaluation_interval)?;
        groups.extend(of_objectives);
        Ok(Subject {
            groups: in_order(groups, &tests.group_eval_order),
            objectives,
        })
    }))
}

/// The files that patterns of a test file name.
fn named_files(
    path: &Path,
    patterns: &[String],
    files: &dyn Files,
    report: &mut FileReport,
) -> Result<Vec<PathBuf>, String> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut paths = Vec::new();
    for pattern in patterns {
        let pattern = text::clean(&folder.join(pattern));
        let found = files.glob(&pattern).map_err(|error| error.to_string())?;
        if found.is_empty() {
            let pattern = pattern.display();
            report
                .notes
                .push(format!("  WARNING: no file match pattern {pattern}"));
        }
        paths.extend(found);
    }
    Ok(paths)
}

/// Groups in the order of their evaluation. Those that nobody named come with the first one named;
/// among equals, where upstream leaves it to chance, files and names decide.
fn in_order(mut groups: Vec<RuleGroup>, order: &[String]) -> Vec<RuleGroup> {
    groups.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
    let rank = |group: &RuleGroup| order.iter().position(|name| *name == group.name);
    groups.sort_by_key(|group| rank(group).unwrap_or(0));
    groups
}

fn run_test(
    test: &UnitTest,
    tests: &UnitTests,
    subject: &Subject,
    options: &Options<'_>,
    report: &mut FileReport,
) -> Vec<String> {
    let inputs = match input::read(test) {
        Ok(inputs) => inputs,
        Err(error) => return vec![error],
    };
    if let Some(error) = refuse(test) {
        return vec![error];
    }
    let scene = Scene::new(test, tests, &subject.groups, &inputs, options);
    let scene = match scene {
        Ok(scene) => scene,
        Err(error) => return vec![error],
    };
    let mut played = play::play(&scene);
    let mut errors = compare::alerts(test, &played, options.is_diff);
    if !played.errors.is_empty() {
        errors.append(&mut played.errors);
        return errors;
    }
    errors.extend(compare::expressions(test, tests, &played, options));
    if options.is_debug {
        report.notes.extend(dump::dump(test, &played));
    }
    errors.extend(budgets::compare(
        (test, tests),
        &subject.objectives,
        &played,
        options,
        &mut report.notes,
    ));
    if options.is_strict {
        let groups = &subject.groups;
        strict::note_rules(test, groups, &scene.needs, &mut report.rules);
        errors.extend(strict::silent_passes(
            test,
            groups,
            &inputs,
            options.features,
        ));
    }
    errors
}

/// What cannot be run at all.
fn refuse(test: &UnitTest) -> Option<String> {
    let mut alerts = test.alert_rule_tests.iter();
    let alert = alerts.find(|it| it.alertname.is_empty())?;
    let group = match &*test.name {
        "" => String::new(),
        name => format!(" (in TestGroup {name})"),
    };
    let time = alert.eval_time;
    Some(format!(
        "an item under alert_rule_test misses required attribute alertname at eval_time {time}{group}"
    ))
}

/// The last moment that anything is expected of, after the start.
fn last_eval_time(test: &UnitTest) -> Duration {
    let expressions = test.promql_expr_tests.iter().map(|it| it.eval_time);
    let all = alert_times(test).chain(expressions);
    all.max().unwrap_or(Duration::ZERO)
}

/// The moments at which alerts are compared, after the start.
fn alert_times(test: &UnitTest) -> impl Iterator<Item = Duration> {
    let alerts = test.alert_rule_tests.iter().map(|it| it.eval_time);
    alerts.chain(test.slo_tests.iter().map(|it| it.eval_time))
}

/// When a test begins.
fn start_of(test: &UnitTest) -> Timestamp {
    test.start.unwrap_or(Timestamp(0))
}

#[cfg(test)]
mod tests;
