//! Who is told of what, when, why and in which words: a test's rules and series with routes and
//! templates.

mod told;

use firebell_config::{ExpectedNotification, NotificationParts, NotificationTest};
use firebell_model::{Duration, Labels, Quoted, label_set_text};

use self::told::{Listener, Told, line};
use super::Options;
use super::sides::{ANYTHING, Came, Expected, Sides, spaced, time_of_line};
use super::stage::{Run, Stage};

/// What was told otherwise than expected. What debugging shows goes to `notes`.
pub(super) fn compare(
    stage: &Stage<'_>,
    options: &Options<'_>,
    notes: &mut Vec<String>,
) -> Option<String> {
    let expected = stage.test.notifications.as_ref()?;
    let head = stage.head("notifications", expected.until);
    let told = match told(stage, expected) {
        Ok(told) => told,
        Err(error) => return Some(format!("{head} err: {error}")),
    };
    if options.is_debug {
        notes.push(format!("DEBUG: Notifications until {}:", expected.until));
        notes.extend(told.iter().flat_map(Told::everything));
    }
    Sides::of(&expected.exp_notifications, &told).show(&head, options.is_diff)
}

/// The notifications, in order.
fn told(stage: &Stage<'_>, expected: &NotificationTest) -> Result<Vec<Told>, String> {
    let config = stage.config(&expected.config)?;
    let run = Run {
        until: expected.until,
        timeline: Vec::new(),
        has_pages: false,
        key: "notification_test",
    };
    let listener = stage.play(&config, run, Listener::new)?;
    Ok(listener.told(&config))
}

impl Came for Told {
    fn at(&self) -> Duration {
        self.at
    }

    fn rows(&self) -> Vec<String> {
        std::iter::once(self.line()).chain(self.failure()).collect()
    }
}

impl Expected for ExpectedNotification {
    type Came = Told;

    fn at(&self) -> Option<Duration> {
        match self {
            Self::Line(line) => time_of_line(line),
            Self::Parts(parts) => parts.at,
        }
    }

    fn is_near(&self, told: &Told) -> bool {
        match self {
            Self::Line(_) => false,
            Self::Parts(parts) => {
                parts.at.is_none_or(|at| at == told.at)
                    && parts.to.as_ref().is_none_or(|to| told.is_to(to))
            }
        }
    }

    fn is_met(&self, told: &Told) -> bool {
        match self {
            Self::Line(text) => spaced(text) == told.line(),
            Self::Parts(parts) => {
                let group = parts.group.as_ref();
                self.is_near(told)
                    && parts.reason.as_ref().is_none_or(|it| *it == told.reason)
                    && group.is_none_or(|it| labels(it) == told.group)
                    && parts.alerts.as_ref().is_none_or(|it| told.has_alerts(it))
            }
        }
    }

    fn rows(&self, told: Option<&Told>) -> Vec<String> {
        match self {
            Self::Line(line) => vec![spaced(line)],
            Self::Parts(parts) => expected_rows(parts, told),
        }
    }

    fn rows_of(&self, told: &Told) -> Vec<String> {
        let mut rows = vec![told.line()];
        if let Self::Parts(NotificationParts { group, texts, .. }) = self {
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
}

/// An expectation as it would be shown if it came; what was not said of it is taken from what came.
fn expected_rows(parts: &NotificationParts, told: Option<&Told>) -> Vec<String> {
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
