//! Who is told of what, when and why: a test's rules and series with routes, played by the live
//! engine on simulated time, as scenarios are.

use std::path::Path;

use firebell_config::{ExternalUrl, Files, NotificationTest, UnitTest, UnitTests, load};
use firebell_engine::Configuration;
use firebell_model::Duration;
use firebell_promql::description;
use firebell_rules::{Context, RuleGroup, RuleSet};

use super::{input, text};
use crate::scenario::{Document, Line, Narrator, Options, What, play};

/// What was told otherwise than expected.
pub(super) fn compare(
    test: &UnitTest,
    tests: &UnitTests,
    groups: &[RuleGroup],
    folder: &Path,
    files: &dyn Files,
) -> Option<String> {
    let expected = test.notifications.as_ref()?;
    let name = match &*test.name {
        "" => String::new(),
        name => format!("    name: {name},\n"),
    };
    let head = format!("{name}    notifications until: {},", expected.until);
    let told = match told(
        test,
        tests,
        groups,
        &folder.join(&expected.config),
        expected,
        files,
    ) {
        Ok(told) => told,
        Err(error) => return Some(format!("{head} err: {error}")),
    };
    let wanted = expected.exp_notifications.iter();
    let wanted: Vec<String> = wanted.map(spaced).collect();
    if told == wanted {
        return None;
    }
    let show = |lines: &[String]| match lines {
        [] => "nothing".to_owned(),
        lines => text::indented(&format!("\n{}", lines.join("\n")), "            "),
    };
    Some(format!(
        "{head}\n        exp:{}\n        got:{}",
        show(&wanted),
        show(&told)
    ))
}

/// The notifications, a line each: when, to whom, why and of which alerts.
fn told(
    test: &UnitTest,
    tests: &UnitTests,
    groups: &[RuleGroup],
    config: &Path,
    expected: &NotificationTest,
    files: &dyn Files,
) -> Result<Vec<String>, String> {
    let external_url = ExternalUrl {
        given: Some(test.external_url.clone()),
        fallback: String::new(),
    };
    let routing = load(Some(config), &external_url, files).map_err(|error| error.to_string())?;
    // Tests have one interval, whatever groups say.
    let groups = groups.iter().cloned().map(|group| RuleGroup {
        interval: tests.evaluation_interval,
        ..group
    });
    let context = Context {
        external_labels: test.external_labels.clone(),
        external_url: test.external_url.clone(),
        subquery_step: tests.evaluation_interval,
        ..Context::default()
    };
    let rules = RuleSet::new(groups.collect(), context).map_err(|errors| {
        let errors = errors.iter().map(ToString::to_string);
        errors.collect::<Vec<_>>().join("; ")
    })?;
    let document = Document {
        configurations: vec![Configuration {
            rules,
            rule_options: firebell_rules::Options::default(),
            routing: routing.routing,
            dispatch_options: firebell_dispatch::Options::default(),
        }],
        timeline: timeline(test, expected.until)?,
        transcript: None,
    };
    let played = play(&document, Options::default(), Narrator::new);
    let lines = played.watch.transcript.lines().map(spaced);
    Ok(lines.filter(|line| is_notification(line)).collect())
}

/// The input series, and the end.
fn timeline(test: &UnitTest, until: Duration) -> Result<Vec<Line>, String> {
    let mut timeline = Vec::new();
    for (idx, line) in input::lines(test).iter().enumerate() {
        let (labels, values) = description::series_description(line)?;
        timeline.push(Line {
            at: Duration::ZERO,
            line: idx as u32 + 1,
            what: What::Series {
                labels,
                values,
                every: test.interval,
            },
        });
    }
    timeline.push(Line {
        at: until,
        line: 0,
        what: What::End,
    });
    Ok(timeline)
}

/// A line with single blanks.
fn spaced(line: impl AsRef<str>) -> String {
    line.as_ref()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn is_notification(line: &str) -> bool {
    let what = line.split_once(' ').map_or("", |(_, what)| what);
    ["notify ", "inbox: "]
        .iter()
        .any(|word| what.starts_with(word))
}
