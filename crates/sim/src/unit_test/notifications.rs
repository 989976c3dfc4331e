//! Who is told of what, when, why and in which words: a test's rules and series with routes and
//! templates, played by the live engine on simulated time, as scenarios are.
//!
//! *Invariants*: every receiver takes what it is told at once. Times are told from the first
//! evaluation on, which counts as the test's start.

mod told;

use std::path::Path;

use firebell_config::{
    Config, ExpectedNotification, ExternalUrl, Files, NotificationParts, NotificationTest,
    UnitTest, UnitTests, load,
};
use firebell_engine::Configuration;
use firebell_model::{Duration, Labels, Quoted, label_set_text};
use firebell_promql::description::{self, Described};
use firebell_rules::{Context, RuleGroup, RuleSet};

use self::told::{Listener, Told, line};
use super::sides::Sides;
use super::{Options, input, start_of};
use crate::scenario::{self, Document, Line, What, play};

/// What notifications of a test are made from.
pub(super) struct Stage<'a> {
    pub(super) test: &'a UnitTest,
    pub(super) tests: &'a UnitTests,
    pub(super) groups: &'a [RuleGroup],
    /// Of the test file.
    pub(super) folder: &'a Path,
    pub(super) files: &'a dyn Files,
}

/// What was told otherwise than expected. What debugging shows goes to `notes`.
pub(super) fn compare(
    stage: &Stage<'_>,
    options: &Options<'_>,
    notes: &mut Vec<String>,
) -> Option<String> {
    let expected = stage.test.notifications.as_ref()?;
    let name = match &*stage.test.name {
        "" => String::new(),
        name => format!("    name: {name},\n"),
    };
    let head = format!("{name}    notifications until: {},", expected.until);
    let told = match stage.told(expected) {
        Ok(told) => told,
        Err(error) => return Some(format!("{head} err: {error}")),
    };
    if options.is_debug {
        notes.push(format!("DEBUG: Notifications until {}:", expected.until));
        notes.extend(told.iter().flat_map(Told::everything));
    }
    sides(&expected.exp_notifications, &told).show(&head, options.is_diff)
}

impl Stage<'_> {
    /// The notifications, in order.
    fn told(&self, expected: &NotificationTest) -> Result<Vec<Told>, String> {
        let test = self.test;
        let external_url = ExternalUrl {
            given: Some(test.external_url.clone()),
            fallback: String::new(),
        };
        let config = self.folder.join(&expected.config);
        let config = load(Some(&config), &external_url, self.files);
        let config = config.map_err(|problems| problems.to_string())?;
        let document = Document {
            configurations: vec![self.configuration(&config)?],
            timeline: timeline(test, expected.until)?,
            transcript: None,
        };
        let options = scenario::Options {
            beginning: start_of(test),
            ..scenario::Options::default()
        };
        let played = play(&document, options, Listener::new);
        Ok(played.watch.told(&config, start_of(test)))
    }

    /// The test's rules with the routes of a configuration.
    fn configuration(&self, config: &Config) -> Result<Configuration, String> {
        // Tests have one interval, whatever groups say.
        let groups = self.groups.iter().cloned().map(|group| RuleGroup {
            interval: self.tests.evaluation_interval,
            ..group
        });
        let context = Context {
            external_labels: self.test.external_labels.clone(),
            external_url: self.test.external_url.clone(),
            subquery_step: self.tests.evaluation_interval,
            ..Context::default()
        };
        let rules = RuleSet::new(groups.collect(), context).map_err(|errors| {
            let errors = errors.iter().map(ToString::to_string);
            errors.collect::<Vec<_>>().join("; ")
        })?;
        Ok(Configuration {
            rules,
            rule_options: firebell_rules::Options::default(),
            routing: config.routing.clone(),
            dispatch_options: firebell_dispatch::Options::default(),
            delivery_alert: None,
            incidents: Default::default(),
            paging: Default::default(),
        })
    }
}

/// The input series, and the end.
fn timeline(test: &UnitTest, until: Duration) -> Result<Vec<Line>, String> {
    let mut timeline = Vec::new();
    for (idx, line) in input::lines(test).iter().enumerate() {
        let (labels, values) = description::series_description(line)?;
        let is_histogram = |value: &Described| matches!(value, Described::Histogram { .. });
        if values.iter().any(is_histogram) {
            return Err(format!(
                "the series {labels} has native histograms, which notification_test cannot play yet"
            ));
        }
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

/// Both sides, in the order in which people were told. What nobody was told stands where its time
/// says.
fn sides(expected: &[ExpectedNotification], told: &[Told]) -> Sides {
    let pairs = pairs(expected, told);
    let mut rows: Vec<(Duration, usize, Vec<String>, Vec<String>)> = Vec::new();
    for (idx, (expected, twin)) in expected.iter().zip(&pairs).enumerate() {
        let twin_told = twin.map(|twin| &told[twin]);
        let at = twin_told.map(|it| it.at).or_else(|| time_of(expected));
        let place = twin.unwrap_or(told.len() + idx);
        let got = twin_told.map_or_else(Vec::new, |it| got_rows(expected, it));
        rows.push((
            at.unwrap_or(Duration(i64::MAX)),
            place,
            expected_rows(expected, twin_told),
            got,
        ));
    }
    for (idx, told) in told.iter().enumerate() {
        if !pairs.contains(&Some(idx)) {
            rows.push((told.at, idx, Vec::new(), told.rows()));
        }
    }
    rows.sort_by_key(|(at, place, ..)| (*at, *place));
    let mut sides = Sides::default();
    for (_, _, expected, got) in rows {
        sides.expected.extend(expected);
        sides.got.extend(got);
    }
    sides
}

/// Which notification is meant by each expectation: one in which all is as expected but the texts,
/// else one at its time to its receiver.
fn pairs(expected: &[ExpectedNotification], told: &[Told]) -> Vec<Option<usize>> {
    let mut pairs = vec![None; expected.len()];
    for is_meant in [is_as_expected, is_at_its_place] {
        for (idx, expected) in expected.iter().enumerate() {
            if pairs[idx].is_none() {
                pairs[idx] = (0..told.len())
                    .find(|it| !pairs.contains(&Some(*it)) && is_meant(expected, &told[*it]));
            }
        }
    }
    pairs
}

fn is_at_its_place(expected: &ExpectedNotification, told: &Told) -> bool {
    match expected {
        ExpectedNotification::Line(_) => false,
        ExpectedNotification::Parts(parts) => {
            parts.at.is_none_or(|at| at == told.at)
                && parts.to.as_ref().is_none_or(|to| told.is_to(to))
        }
    }
}

fn is_as_expected(expected: &ExpectedNotification, told: &Told) -> bool {
    match expected {
        ExpectedNotification::Line(text) => spaced(text) == told.line(),
        ExpectedNotification::Parts(parts) => {
            is_at_its_place(expected, told)
                && parts.reason.as_ref().is_none_or(|it| *it == told.reason)
                && parts
                    .group
                    .as_ref()
                    .is_none_or(|it| labels(it) == told.group)
                && parts.alerts.as_ref().is_none_or(|it| told.has_alerts(it))
        }
    }
}

fn time_of(expected: &ExpectedNotification) -> Option<Duration> {
    match expected {
        ExpectedNotification::Line(line) => line.split_whitespace().next()?.parse().ok(),
        ExpectedNotification::Parts(parts) => parts.at,
    }
}

/// An expectation as it would be shown if it came; what was not said of it is taken from what came.
fn expected_rows(expected: &ExpectedNotification, told: Option<&Told>) -> Vec<String> {
    let parts = match expected {
        ExpectedNotification::Line(line) => return vec![spaced(line)],
        ExpectedNotification::Parts(parts) => parts,
    };
    let any = || ANYTHING.to_owned();
    let at = parts.at.or(told.map(|it| it.at));
    let to = match (&parts.to, told) {
        (Some(to), Some(told)) if told.is_to(to) => told.to(),
        (Some(to), _) => to.clone(),
        (None, told) => told.map_or_else(any, Told::to),
    };
    let reason = parts.reason.clone();
    let reason = reason.or(told.map(|it| it.reason.to_owned()));
    let alerts = match (&parts.alerts, told) {
        (Some(alerts), Some(told)) if told.has_alerts(alerts) => told.alerts.clone(),
        (Some(alerts), _) => alerts.clone(),
        (None, told) => told.map_or_else(|| vec![any()], |it| it.alerts.clone()),
    };
    let at = at.map_or_else(any, |at| at.to_string());
    let is_inbox = told.is_some_and(Told::is_inbox);
    let mut rows = vec![line(
        &at,
        &to,
        is_inbox,
        &reason.unwrap_or_else(any),
        &alerts,
    )];
    if let Some(group) = &parts.group {
        rows.push(group_row(&labels(group)));
    }
    for (place, text) in &parts.texts {
        rows.extend(text_rows(place, text));
    }
    rows
}

/// What came, with all that was said of what was expected.
fn got_rows(expected: &ExpectedNotification, told: &Told) -> Vec<String> {
    let mut rows = vec![told.line()];
    if let ExpectedNotification::Parts(NotificationParts { group, texts, .. }) = expected {
        rows.extend(group.iter().map(|_| group_row(&told.group)));
        for place in texts.keys() {
            rows.extend(match told.text(place) {
                Ok(text) => text_rows(place, text),
                Err(why) => vec![format!("  {place}: ({why})")],
            });
        }
    }
    rows.extend(told.failure());
    rows
}

fn group_row(group: &Labels) -> String {
    format!("  group {}", label_set_text(group))
}

/// A text, its lines one by one.
fn text_rows(place: &str, text: &str) -> Vec<String> {
    let mut lines = text.split_inclusive('\n').map(Quoted);
    match (lines.next(), lines.next()) {
        (None, _) => vec![format!("  {place}: \"\"")],
        (Some(line), None) => vec![format!("  {place}: {line}")],
        (Some(first), Some(second)) => {
            let head = format!("  {place}:");
            let lines = [first, second].into_iter().chain(lines);
            let lines = lines.map(|line| format!("    {line}"));
            std::iter::once(head).chain(lines).collect()
        }
    }
}

fn labels(pairs: &std::collections::BTreeMap<String, String>) -> Labels {
    Labels::from_pairs(pairs.iter().map(|(name, value)| (&**name, &**value)))
}

/// A line with single blanks.
fn spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Stands for what was not said of something that nobody was told.
const ANYTHING: &str = "…";
