//! The words in which people are told why.

use std::fmt::Write as _;

use firebell_model::{AlertStatus, NotificationReason, Timestamp, label_set_text, matchers_text};

use super::{GroupWhy, IntegrationWhy, IntervalMute, Mute, Next, Nothing, Timer, Why};
use crate::{Outcome, RouteVerdict, TriedRoute};

/// Says a moment: live with how far away it is, in a test after its beginning.
type Say<'s> = &'s dyn Fn(Timestamp) -> String;

impl Why<'_> {
    /// All of it, line by line.
    #[must_use]
    pub fn text(&self, say: Say<'_>) -> String {
        let mut text = String::new();
        self.head(say, &mut text);
        self.mutes(say, &mut text);
        line(&mut text, 0, "routes:");
        for routes in self.walk.tried.chunk_by(are_not_tried) {
            let what = match routes {
                [tried] => route_line(tried, self),
                many => format!(
                    "{} more: not tried, a route before them matched",
                    many.len()
                ),
            };
            line(&mut text, 2 + 2 * routes[0].depth, &what);
        }
        if self.walk.n_left_out > 0 {
            let more = format!("and {} more that do not take it", self.walk.n_left_out);
            line(&mut text, 2, &more);
        }
        for group in &self.groups {
            group.push(say, &mut text);
        }
        text
    }

    fn head(&self, say: Say<'_>, text: &mut String) {
        let state = match self.alert {
            None => "is not handed over to be told of".to_owned(),
            Some(alert) => match (alert.status_at(self.now), alert.ends_at) {
                (AlertStatus::Resolved, Some(end)) => format!("resolved {}", say(end)),
                _ => format!("fires since {}", say(alert.starts_at)),
            },
        };
        let labels = label_set_text(self.labels);
        line(text, 0, &format!("{labels} {state}"));
        line(text, 0, &format!("fingerprint {}", self.fingerprint));
    }

    fn mutes(&self, say: Say<'_>, text: &mut String) {
        for silence in &self.silences {
            let what = format!(
                "silenced by {} of {} until {}: {}",
                silence.id,
                silence.created_by,
                say(silence.ends_at),
                silence.comment
            );
            line(text, 0, what.trim_end_matches(": "));
        }
        if let Some(by) = &self.inhibited_by {
            let source = label_set_text(&by.alert.labels);
            let mut what = format!("inhibited by {source} ({})", by.source);
            if let Some((idx, rule)) = by.rule {
                let (source, target) = (matchers_text(&rule.source), matchers_text(&rule.target));
                let _ = write!(what, ", rule {} ({source} mutes {target}", idx + 1);
                if !rule.equal.is_empty() {
                    let _ = write!(what, " with equal {}", rule.equal.join(", "));
                }
                what.push(')');
            }
            line(text, 0, &what);
        }
    }
}

// In a row, below the same route: they are told as one.
fn are_not_tried(a: &TriedRoute<'_>, b: &TriedRoute<'_>) -> bool {
    let not_tried = RouteVerdict::NotTried;
    a.verdict == not_tried && b.verdict == not_tried && a.depth == b.depth
}

fn route_line(tried: &TriedRoute<'_>, why: &Why<'_>) -> String {
    let matchers = matchers_text(&tried.route.matchers);
    let receiver = tried.receiver;
    match tried.verdict {
        RouteVerdict::Takes => format!("{matchers} takes it, tells {receiver}"),
        RouteVerdict::Leads => format!("{matchers} matches, a route below takes it"),
        RouteVerdict::Refuses(matcher) => {
            let has = match why.labels.get(matcher.name()) {
                Some(value) => format!("{} is {value:?}", matcher.name()),
                None => format!("it has no label {}", matcher.name()),
            };
            format!("{matchers} -> {receiver}: no, {has}")
        }
        RouteVerdict::NotTried => {
            format!("{matchers} -> {receiver}: not tried, a route before it matched")
        }
    }
}

impl GroupWhy<'_> {
    fn push(&self, say: Say<'_>, text: &mut String) {
        let n = self.n_alerts;
        let alerts = if n == 1 { "alert" } else { "alerts" };
        let receiver = self.receiver.name();
        let head = format!("group {} of {n} {alerts}, tells {receiver}", self.key);
        line(text, 0, &head);
        if let Some(mute) = &self.muted_by {
            line(text, 2, &mute.text(say));
        }
        if self.integrations.is_empty() {
            line(text, 2, "the receiver has no integrations: nobody is told");
        }
        for it in &self.integrations {
            it.push(say, text);
        }
    }
}

impl IntervalMute {
    /// What mutes, and until when.
    #[must_use]
    pub fn text(&self, say: Say<'_>) -> String {
        let names: Vec<&str> = self.names.iter().map(|it| &**it).collect();
        let names = names.join(", ");
        let what = match self.is_inactive {
            true => format!("muted outside of {names}"),
            false => format!("muted by {names}"),
        };
        match self.until {
            Some(until) => format!("{what} until {}", say(until)),
            None => format!("{what} for more than a year"),
        }
    }
}

impl IntegrationWhy<'_> {
    fn push(&self, say: Say<'_>, text: &mut String) {
        let next = self.next.text(say);
        line(text, 2, &format!("{}: {next}", self.integration));
        if let Some(error) = self.under_way.as_ref().and_then(|it| it.last_error) {
            line(text, 4, &format!("last attempt: {error}"));
        }
        for outcome in &self.outcomes {
            line(text, 4, &outcome_line(outcome, say));
        }
        if let (Some(told), true) = (&self.told, self.outcomes.is_empty()) {
            let reason = reason_text(told.reason);
            line(text, 4, &format!("told {}: {reason}", say(told.at)));
        }
    }
}

fn outcome_line(outcome: &Outcome, say: Say<'_>) -> String {
    let attempts = match outcome.attempts {
        1 => "1 attempt".to_owned(),
        n => format!("{n} attempts"),
    };
    let (at, reason) = (say(outcome.at), reason_text(outcome.reason));
    let took = format!("{attempts}, {}ms", outcome.took.0);
    match &outcome.error {
        None => format!("told {at}: {reason} ({took})"),
        Some(error) => format!("failed {at}: {reason} ({took}): {error}"),
    }
}

impl Next {
    /// When and why.
    #[must_use]
    pub fn text(&self, say: Say<'_>) -> String {
        match self.at() {
            Some(at) => format!("next {}: {}", say(at), self.because()),
            None => self.because(),
        }
    }

    /// Why.
    #[must_use]
    pub fn because(&self) -> String {
        match self {
            Self::UnderWay { attempt } => format!("attempt {attempt} is under way"),
            Self::Retry { attempt, .. } => {
                format!("attempt {attempt} failed, it is tried again")
            }
            Self::At {
                reason,
                timer,
                after,
                ..
            } => {
                let reason = reason_text(*reason);
                match after {
                    None => format!("{reason}, by {}", timer_text(*timer)),
                    Some(mute) => format!("{reason}, when {} ends", mute_text(mute)),
                }
            }
            Self::Nothing(nothing) => format!("nothing is sent: {}", nothing_text(nothing)),
        }
    }
}

fn timer_text(timer: Timer) -> String {
    match timer {
        Timer::GroupWait(it) => format!("group_wait {it}"),
        Timer::GroupInterval(it) => format!("group_interval {it}"),
        Timer::RepeatInterval(it) => format!("repeat_interval {it}"),
    }
}

fn mute_text(mute: &Mute) -> &'static str {
    match mute {
        Mute::Inhibition => "the alert that inhibits it",
        Mute::Interval => "the time interval that mutes its route",
        Mute::Silence => "its silence",
    }
}

fn nothing_text(nothing: &Nothing) -> String {
    match nothing {
        Nothing::Muted(mute) => format!("until {} ends", mute_text(mute)),
        Nothing::Resolved => "it resolved, and that was told or never fired here".to_owned(),
        Nothing::ResolvedUnwanted => {
            "it resolved, and the integration wants no resolved alerts".to_owned()
        }
        Nothing::TooFar => "not as far as can be foreseen".to_owned(),
    }
}

fn reason_text(reason: NotificationReason) -> &'static str {
    match reason {
        NotificationReason::First => "first notification",
        NotificationReason::NewAlerts => "new alerts",
        NotificationReason::AllResolved => "all resolved",
        NotificationReason::NewResolved => "some resolved",
        NotificationReason::Repeat => "a repetition",
    }
}

fn line(text: &mut String, indent: usize, what: &str) {
    // Writing to a string cannot fail. A label or an error may hold line ends.
    let what = what.replace('\n', " ");
    let _ = writeln!(text, "{:indent$}{what}", "");
}
