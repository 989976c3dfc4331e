//! `escalation` of firebell.yml: who is told next while nobody answers.
//!
//! ```yaml
//! escalation:
//!   payments:
//!     - {notify: schedule:payments}
//!     - {after: 15m, notify: schedule:payments-backup}
//!     - {after: 1h, notify: person:eva}
//! ```
//!
//! A policy that has more to say than its steps is a map: `steps`, `repeat`, `repeat_after`,
//! `acknowledged_for`, `remind_after`, `zone`.

use std::sync::Arc;

use firebell_dispatch::{Receivers, zone};
use firebell_escalation::{
    AckMode, Act, Condition, Fault, FaultKind, Level, POLICIES_MAX, PagingRules, Policy, Step,
    Target, Who, Window, check,
};
use firebell_model::Duration;
use firebell_oncall::Oncall;

use crate::fields::{Doc, Fields};
use crate::paging;
use crate::problem::{Pos, Problem, did_you_mean};
use crate::yaml::{Entry, Node, Value};

/// What `escalation` says.
#[derive(Clone, Debug, Default)]
pub struct EscalationSection {
    /// In the order of configuration.
    pub policies: Arc<[Policy]>,
    /// Where each stands: problems that say nothing yet.
    pub places: Vec<Problem>,
    /// How people want to be told: `paging` of firebell.yml.
    pub rules: PagingRules,
    /// The policy of incidents whose owner names none: `escalation` of `incidents`.
    pub default: Option<Arc<str>>,
}

/// Where a policy and its steps stand.
struct Place {
    at: Pos,
    steps: Vec<Pos>,
}

/// Reads the section, and checks what it says against people and receivers; those are `None` when
/// something is wrong with them.
pub(crate) fn read(
    parent: &Fields<'_, '_>,
    oncall: &Oncall,
    receivers: Option<&Receivers>,
) -> EscalationSection {
    let entries: &[Entry] = match parent.get("escalation").map(|node| (node, &node.value)) {
        None => &[],
        Some((_, Value::Map(entries))) => entries,
        Some((node, _)) => {
            let expected = "a map of policies";
            parent.doc.wrong_kind(node, "escalation", expected);
            &[]
        }
    };
    if entries.len() > POLICIES_MAX {
        let message = format!("`escalation` has more than {POLICIES_MAX} policies");
        parent.doc.problem(parent.at("escalation"), message, None);
        return EscalationSection::default();
    }
    let n_before = parent.doc.n_problems();
    let read = entries.iter().map(|entry| policy(parent.doc, entry));
    let (policies, places): (Vec<Policy>, Vec<Place>) = read.unzip();
    // What was not understood is missing, and would be complained of a second time.
    if parent.doc.n_problems() == n_before {
        let is_receiver = |name: &str| receivers.is_none_or(|it| it.resolve(name).is_some());
        for fault in check(&policies, oncall, &is_receiver) {
            let receivers = receivers.into_iter().flat_map(Receivers::iter);
            let hint = meant(
                &fault.kind,
                &policies,
                oncall,
                receivers.map(|it| &**it.name()),
            );
            say(parent.doc, &places, &fault, hint);
        }
    }
    EscalationSection {
        policies: policies.into(),
        places: places.iter().map(|it| parent.doc.place(it.at)).collect(),
        rules: paging::read(parent, oncall),
        default: None,
    }
}

/// What is wrong with the names by which teams, owners and incidents call policies.
pub(crate) fn unknown_names<'n>(
    policies: &[Policy],
    named: impl IntoIterator<Item = &'n (Arc<str>, Problem)>,
) -> Vec<Problem> {
    let is_unknown = |(name, _): &&(Arc<str>, Problem)| policies.iter().all(|it| it.name != *name);
    let unknown = named.into_iter().filter(is_unknown);
    let problems = unknown.map(|(name, place)| Problem {
        message: format!("there is no policy `{name}`"),
        hint: did_you_mean(name, policies.iter().map(|it| &*it.name))
            .or_else(|| Some("policies stand in `escalation`".to_owned())),
        ..place.clone()
    });
    problems.collect()
}

fn say(doc: &Doc<'_>, places: &[Place], fault: &Fault, hint: Option<String>) {
    let Some(place) = places.get(fault.policy) else {
        return;
    };
    let step = fault.step.and_then(|idx| place.steps.get(idx));
    let hint = hint.unwrap_or_else(|| fault.kind.hint().to_owned());
    doc.problem(
        *step.unwrap_or(&place.at),
        fault.kind.to_string(),
        Some(hint),
    );
}

/// What a name that nobody has may be instead.
fn meant<'n>(
    fault: &FaultKind,
    policies: &'n [Policy],
    oncall: &'n Oncall,
    receivers: impl Iterator<Item = &'n str>,
) -> Option<String> {
    let directory = &oncall.directory;
    match fault {
        FaultKind::UnknownPolicy(name) => did_you_mean(name, policies.iter().map(|it| &*it.name)),
        FaultKind::Unknown(Target::Person(name)) => {
            did_you_mean(name, directory.people.iter().map(|it| &*it.name))
        }
        FaultKind::Unknown(Target::Team(name)) => {
            did_you_mean(name, directory.teams.iter().map(|it| &*it.name))
        }
        FaultKind::Unknown(Target::Schedule(name)) => {
            did_you_mean(name, oncall.schedules.iter().map(|it| &*it.name))
        }
        FaultKind::Unknown(Target::Receiver(name)) => did_you_mean(name, receivers),
        _ => None,
    }
}

fn policy(doc: &Doc<'_>, entry: &Entry) -> (Policy, Place) {
    let mut policy = Policy::new(&entry.key, Vec::new());
    let mut place = Place {
        at: entry.at,
        steps: Vec::new(),
    };
    let is_list = matches!(entry.value.value, Value::List(_));
    if is_list {
        let nodes = doc.items(&entry.value, "steps");
        policy.steps = nodes.iter().map(|node| step(doc, node, UTC)).collect();
        place.steps = nodes.iter().map(|node| node.at).collect();
        return (policy, place);
    }
    let fields = doc.fields(&entry.value, "a policy");
    let known = fields.parsed("zone", |text| zone(text).map(|_| text.to_owned()));
    let zone = known.unwrap_or_else(|| UTC.to_owned());
    let nodes = fields.list("steps");
    policy.steps = nodes.iter().map(|node| step(doc, node, &zone)).collect();
    place.steps = nodes.iter().map(|node| node.at).collect();
    if let Some(repeat) = fields.number("repeat") {
        policy.repeat = u32::try_from(repeat).unwrap_or(u32::MAX);
    }
    if let Some(after) = longer(&fields, "repeat_after") {
        policy.repeat_after = after;
    }
    let acknowledged_for = fields.duration("acknowledged_for");
    if let Some(time) = acknowledged_for {
        policy.acknowledged_for = time;
        // Two thirds of it, as twenty minutes are of thirty.
        policy.remind_after = Duration(time.0 / 3 * 2);
    }
    if let Some(after) = longer(&fields, "remind_after") {
        policy.remind_after = after;
    }
    fields.finish();
    (policy, place)
}

const UTC: &str = "UTC";

fn longer(fields: &Fields<'_, '_>, name: &'static str) -> Option<Duration> {
    let read = fields.duration(name)?;
    if read > Duration::ZERO {
        return Some(read);
    }
    let message = format!("`{name}` has to be longer than zero");
    fields.doc.problem(fields.at(name), message, None);
    None
}

// A step; hours are by the clock of the zone.
fn step(doc: &Doc<'_>, node: &Node, zone: &str) -> Step {
    let fields = doc.fields(node, "a step");
    let condition = |name: &'static str| {
        let node = fields.get(name)?;
        Some(condition(doc, node, zone))
    };
    let (when, unless) = (condition("when"), condition("unless"));
    let read = Step {
        after: fields.duration("after").unwrap_or(Duration::ZERO),
        when,
        unless,
        act: act(&fields, zone),
    };
    fields.finish();
    read
}

/// The one thing that a step does.
fn act(fields: &Fields<'_, '_>, zone: &str) -> Act {
    let level = fields.get("notify").map(|node| level(fields, node));
    let hand_over = fields.text("hand_over").map(|it| Act::HandOver(it.into()));
    let until = fields.parsed("defer_until", |text| Window::new(text, zone));
    let has_window = fields.get("defer_until").is_some();
    for name in ["acknowledge", "who"] {
        if level.is_none() && fields.get(name).is_some() {
            let message = format!("`{name}` belongs to `notify`");
            fields.doc.problem(fields.at(name), message, None);
        }
    }
    let said = [level.is_some(), hand_over.is_some(), has_window];
    if said.iter().filter(|it| **it).count() != 1 {
        let message = "a step has one of `notify`, `hand_over` and `defer_until`";
        fields.doc.problem(fields.at, message, None);
    }
    let nobody = || {
        Act::Notify(Level {
            targets: Vec::new(),
            acknowledge: AckMode::default(),
            who: Who::default(),
        })
    };
    let of_level = level.map(Act::Notify);
    of_level
        .or(hand_over)
        .or(until.map(Act::Defer))
        .unwrap_or_else(nobody)
}

fn level(fields: &Fields<'_, '_>, node: &Node) -> Level {
    let doc = fields.doc;
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut targets: Vec<Target> = Vec::new();
    for item in items {
        let Some(text) = doc.text(item, "notify") else {
            continue;
        };
        match text.parse() {
            Ok(target) if targets.contains(&target) => {
                doc.problem(item.at, format!("`{target}` is named twice"), None);
            }
            Ok(target) => targets.push(target),
            Err(why) => doc.problem(item.at, format!("`notify`: {why}"), None),
        }
    }
    let acknowledge = fields.parsed("acknowledge", |text| match text {
        "first" => Ok(AckMode::First),
        "all" => Ok(AckMode::All),
        _ => Err(format!("`{text}` is neither `first` nor `all`")),
    });
    let who = fields.parsed("who", |text| match text {
        "all" => Ok(Who::All),
        "round_robin" => Ok(Who::RoundRobin),
        _ => Err(format!("`{text}` is neither `all` nor `round_robin`")),
    });
    Level {
        targets,
        acknowledge: acknowledge.unwrap_or_default(),
        who: who.unwrap_or_default(),
    }
}

fn condition(doc: &Doc<'_>, node: &Node, zone: &str) -> Condition {
    let fields = doc.fields(node, "a condition");
    let read = Condition {
        severity: fields.parsed("severity", str::parse),
        hours: fields.parsed("hours", |text| Window::new(text, zone)),
        budget_below: fields.parsed("budget_below", str::parse),
    };
    let names = ["severity", "hours", "budget_below"];
    if names.iter().all(|name| fields.get(name).is_none()) {
        let message = "a condition has `severity`, `hours` or `budget_below`";
        doc.problem(node.at, message, None);
    }
    fields.finish();
    read
}
