//! What people do with incidents.
//!
//! *Invariants*: a wish that is refused changes nothing. A wish that is fulfilled already changes
//! nothing either, but stands in the timeline when somebody else had it: two people may press the
//! same button.

use std::collections::BTreeSet;

use firebell_model::{Duration, Fingerprint, Timestamp};

use super::{HappenedKind, Incidents};
use crate::act::{Act, Outcome, Refusal};
use crate::incident::{
    Acknowledged, DataStatement, Impact, Incident, IncidentId, Link, Member, Person, Role,
    Severity, Task, What, Who,
};
use crate::life::{Phase, State, listed};
use crate::verdict::Verdict;

impl Incidents {
    /// Does what a person wishes.
    ///
    /// # Errors
    /// When there is no such incident, the wish is wrong, or it does not fit to where it stands.
    pub fn act(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        act: Act,
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get(&id).ok_or(Refusal::Unknown(id))?;
        if !matches!(
            act,
            Act::Merge { .. } | Act::Verdict { .. } | Act::TakeBack { .. }
        ) {
            check_fits(incident, &act)?;
        }
        let is_work = act.is_work();
        let before = self.text_bytes;
        let outcome = self.fulfil(now, id, by, act)?;
        if outcome == Outcome::Changed
            && is_work
            && let Some(incident) = self.all.get_mut(&id)
        {
            incident.is_attended = true;
        }
        self.queue(id);
        if self.text_bytes > before {
            self.forget_oldest(id);
        }
        self.admit(now);
        Ok(outcome)
    }

    fn fulfil(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        act: Act,
    ) -> Result<Outcome, Refusal> {
        match act {
            Act::Ack => return self.acknowledge(now, id, by),
            Act::State { to, from, verdict } => {
                return self.move_to(now, id, by, (to, from, verdict));
            }
            Act::Severity { to } => return self.set_severity(now, id, by, to),
            Act::Role { role, person } => return self.set_role(now, id, by, role, person),
            Act::TaskDone { task } => return self.finish_task(now, id, by, task),
            Act::Step { runbook, step } => return self.tick(now, id, by, (&runbook, step)),
            Act::Verdict { verdict } => return self.give_verdict(now, id, by, verdict),
            Act::Merge { into } => return self.merge(now, id, by, into),
            Act::Detach { alert } => return self.detach(now, id, by, &alert),
            Act::Picture { .. } => return self.show_picture(now, id, by, act),
            Act::TakeBack { picture } => return self.take_back(now, id, by, picture),
            Act::Part { .. } | Act::FollowUp { .. } | Act::Proven { .. } => {
                return self.write(now, id, by, act);
            }
            _ => {}
        }
        let incident = self.all.get_mut(&id).ok_or(Refusal::Unknown(id))?;
        if is_repeated(now, incident, &by, &act) {
            return Ok(Outcome::Already);
        }
        let Some(what) = state(incident, act)? else {
            return Ok(Outcome::Already);
        };
        self.note(now, id, Who::Person(by), what);
        Ok(Outcome::Changed)
    }

    fn acknowledge(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get_mut(&id).ok_or(Refusal::Unknown(id))?;
        if let Some(known) = &incident.acknowledged {
            if known.by != by {
                self.again(now, id, by, What::Acknowledged);
            }
            return Ok(Outcome::Already);
        }
        incident.acknowledged = Some(Acknowledged {
            by: by.clone(),
            at: now,
        });
        incident.first_acknowledged_at.get_or_insert(now);
        let who = Who::Person(by);
        self.tell(now, id, &who, HappenedKind::Acknowledged);
        self.note(now, id, who, What::Acknowledged);
        Ok(Outcome::Changed)
    }

    fn move_to(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        (to, from, verdict): (Phase, Option<Phase>, Option<Verdict>),
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get(&id).ok_or(Refusal::Unknown(id))?;
        let State::In(phase) = incident.state else {
            return Err(merged(incident));
        };
        if phase == to {
            // What it was may be said of one that is closed, above all when it was guessed.
            if let Some(verdict) = verdict {
                return self.give_verdict(now, id, by, verdict);
            }
            let last = incident.timeline.iter().rev();
            let mut moves = last.filter(|it| matches!(it.what, What::Moved { .. }));
            let is_same = moves
                .next()
                .is_some_and(|it| it.by == Who::Person(by.clone()));
            if !is_same {
                let from = from.unwrap_or(phase);
                self.again(now, id, by, What::Moved { from, to });
            }
            return Ok(Outcome::Already);
        }
        if let Some(from) = from.filter(|from| *from != phase) {
            return Err(Refusal::Conflict(format!(
                "{id} is {phase} since {}, no longer {from}: look again",
                incident.moved_at
            )));
        }
        if !phase.next().contains(&to) {
            return Err(Refusal::Conflict(format!(
                "{id} is {phase}; from there it goes to {}, not to {to}",
                listed(phase.next())
            )));
        }
        let judged = incident.verdict.as_ref().is_some_and(|it| !it.is_guessed());
        if to == Phase::Closed && verdict.is_none() && !judged {
            return Err(Refusal::Invalid(format!(
                "closing asks what it was: give `verdict` as {}",
                listed(&Verdict::ALL)
            )));
        }
        let who = Who::Person(by);
        match verdict {
            Some(verdict) => self.judge(now, id, who.clone(), verdict),
            None if to == Phase::Declined && !judged => {
                self.judge(now, id, Who::Firebell, Verdict::False)
            }
            None => {}
        }
        self.shift(now, id, who, to);
        Ok(Outcome::Changed)
    }

    pub(super) fn set_severity(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        to: Severity,
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get_mut(&id).ok_or(Refusal::Unknown(id))?;
        let from = std::mem::replace(&mut incident.severity, to);
        let before = incident.severity_by.replace(by.clone());
        // Whoever says it anew has seen what was worse so far.
        if from != to || before.as_ref() != Some(&by) {
            incident.kept_before = None;
        }
        let what = What::Severity { from, to };
        if from != to {
            self.note(now, id, Who::Person(by), what);
            return Ok(Outcome::Changed);
        }
        // It stays as it is, but from now on a person says so.
        if before.as_ref() != Some(&by) {
            self.again(now, id, by, what);
        }
        Ok(Outcome::Already)
    }

    fn set_role(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        role: Role,
        person: Option<String>,
    ) -> Result<Outcome, Refusal> {
        let person = person.map(|it| Person::new(&it)).transpose();
        let person = person.map_err(|why| Refusal::Invalid(why.replace("`by`", "`person`")))?;
        let incident = self.all.get_mut(&id).ok_or(Refusal::Unknown(id))?;
        if incident.roles.get(&role) == person.as_ref() {
            return Ok(Outcome::Already);
        }
        match &person {
            Some(person) => incident.roles.insert(role, person.clone()),
            None => incident.roles.remove(&role),
        };
        self.note(now, id, Who::Person(by), What::Role(role, person));
        Ok(Outcome::Changed)
    }

    fn finish_task(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        number: usize,
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get_mut(&id).ok_or(Refusal::Unknown(id))?;
        let n_tasks = incident.tasks.len();
        let task = incident.tasks.get_mut(number.wrapping_sub(1));
        let task = task.ok_or_else(|| {
            Refusal::Invalid(format!("{id} has no task {number}: it has {n_tasks}"))
        })?;
        if let Some((before, _)) = &task.done {
            if *before != by {
                self.again(now, id, by, What::TaskDone(number));
            }
            return Ok(Outcome::Already);
        }
        task.done = Some((by.clone(), now));
        self.note(now, id, Who::Person(by), What::TaskDone(number));
        Ok(Outcome::Changed)
    }

    fn give_verdict(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        verdict: Verdict,
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get(&id).ok_or(Refusal::Unknown(id))?;
        let who = Who::Person(by.clone());
        if let Some(known) = incident.verdict.as_ref().filter(|it| it.verdict == verdict)
            && !known.is_guessed()
        {
            if known.by != who {
                self.again(now, id, by, What::Judged(verdict));
            }
            return Ok(Outcome::Already);
        }
        self.judge(now, id, who, verdict);
        Ok(Outcome::Changed)
    }

    fn merge(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        into: IncidentId,
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get(&id).ok_or(Refusal::Unknown(id))?;
        let target = self.all.get(&into).ok_or(Refusal::Unknown(into))?;
        if id == into {
            let why = format!("{id} cannot be merged into itself");
            return Err(Refusal::Invalid(why));
        }
        match (incident.state, target.state) {
            (State::Merged(to), _) if to == into => {
                return Ok(Outcome::Already);
            }
            (State::Merged(_), _) => return Err(merged(incident)),
            (_, State::Merged(_)) => return Err(merged(target)),
            (_, State::In(phase)) if !phase.is_open() => {
                return Err(Refusal::Conflict(format!(
                    "{into} is {phase}: only an open incident can take another one in"
                )));
            }
            _ => {}
        }
        let severity = incident.severity;
        self.move_alerts(now, id, into);
        let who = Who::Person(by);
        if let Some(incident) = self.all.get_mut(&id) {
            incident.state = State::Merged(into);
            incident.moved_at = now;
            incident.verdict.get_or_insert(crate::Judgement {
                verdict: Verdict::Duplicate,
                by: Who::Firebell,
                at: now,
            });
        }
        // Whoever put the two together has looked at both.
        if let Some(target) = self.all.get_mut(&into) {
            target.is_attended = true;
        }
        self.note(now, id, who.clone(), What::MergedInto(into));
        self.note(now, into, who, What::Absorbed(id));
        self.worsen(now, into, severity);
        self.queue(into);
        Ok(Outcome::Changed)
    }

    /// Gives the alerts of one incident to another. An alert that has fired elsewhere since stays
    /// there: what is left of it here is its past.
    fn move_alerts(&mut self, now: Timestamp, id: IncidentId, into: IncidentId) {
        let source = self.all.get_mut(&id);
        let alerts = source.map(|it| std::mem::take(&mut it.alerts));
        for (fingerprint, member) in alerts.unwrap_or_default() {
            self.changes.alert(id, fingerprint);
            let is_latest = self.of_alert.get(&fingerprint) == Some(&id);
            let Some(target) = self.all.get_mut(&into) else {
                return;
            };
            let is_known = target.alerts.contains_key(&fingerprint);
            if is_known && !is_latest {
                continue;
            }
            if !is_known && target.alerts.len() >= super::ALERTS_MAX {
                target.n_left_out += 1;
                self.leave(id, fingerprint);
                continue;
            }
            // After a restart it belongs to where it came last.
            let joined_at = if is_latest { now } else { member.joined_at };
            let member = Member {
                joined_at,
                ..member
            };
            target.alerts.insert(fingerprint, member);
            self.changes.alert(into, fingerprint);
            if is_latest {
                self.of_alert.insert(fingerprint, into);
            }
        }
    }

    /// An alert no longer belongs to an incident, if it did.
    fn leave(&mut self, id: IncidentId, alert: Fingerprint) {
        if self.of_alert.get(&alert) == Some(&id) {
            self.of_alert.remove(&alert);
        }
    }

    fn detach(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        alert: &str,
    ) -> Result<Outcome, Refusal> {
        let parsed = u64::from_str_radix(alert, 16).ok();
        let fingerprint = parsed.filter(|_| alert.len() == 16).map(Fingerprint);
        let fingerprint = fingerprint.ok_or_else(|| {
            Refusal::Invalid(format!(
                "`{alert}` is no fingerprint: 16 hexadecimal digits"
            ))
        })?;
        let incident = self.all.get_mut(&id).ok_or(Refusal::Unknown(id))?;
        let Some(member) = incident.alerts.remove(&fingerprint) else {
            if incident.detached.contains(&fingerprint) {
                return Ok(Outcome::Already);
            }
            let why = format!("{id} has no alert {alert}");
            return Err(Refusal::Invalid(why));
        };
        incident.detached.insert(fingerprint);
        self.leave(id, fingerprint);
        self.changes.alert(id, fingerprint);
        self.note(now, id, Who::Person(by), What::Detached(member.labels));
        Ok(Outcome::Changed)
    }

    /// Somebody wished what was so already; who insists is not told of twice.
    pub(super) fn again(&mut self, now: Timestamp, id: IncidentId, by: Person, what: What) {
        let (by, what) = (Who::Person(by), What::Again(Box::new(what)));
        let last = self.all.get(&id).and_then(|it| it.timeline.last());
        if last.is_none_or(|it| it.by != by || it.what != what) {
            self.note(now, id, by, what);
        }
    }
}

/// Whether the same person has said the same a moment ago: a button pressed twice, or a request sent
/// again because its answer was lost.
pub(super) fn is_repeated(now: Timestamp, incident: &Incident, by: &Person, act: &Act) -> bool {
    let latest = incident.timeline.iter().rev();
    let mut latest = latest.take_while(|it| now - it.at <= REPEATED_WITHIN);
    latest.any(|it| {
        let is_same = match (act, &it.what) {
            (Act::Note { text, audience }, What::Note(told, whom)) => {
                text.trim() == told && audience == whom
            }
            (Act::Link { url, title }, What::Linked(link)) => {
                url.trim() == link.url && title.trim() == link.title
            }
            (
                Act::Picture {
                    picture,
                    text,
                    audience,
                },
                What::Pictured(shown, told, whom),
            ) => picture.id == shown.id && text.trim() == told && audience == whom,
            (Act::Task { text, owner }, What::Task(_, known, whose)) => {
                let whose = whose.as_ref().map(Person::name);
                text.trim() == known && owner.as_deref().map(str::trim) == whose
            }
            _ => false,
        };
        is_same && matches!(&it.by, Who::Person(person) if person == by)
    })
}

/// Those wishes that only state something; `None` when that is known already.
fn state(incident: &mut Incident, act: Act) -> Result<Option<What>, Refusal> {
    let what = match act {
        Act::Title { to } => {
            let title = checked_name("the title", &to)?;
            let is_new = std::mem::replace(&mut incident.title, title.clone()) != title;
            is_new.then_some(What::Titled(title))
        }
        Act::Note { text, audience } => {
            Some(What::Note(checked_text("the note", &text)?, audience))
        }
        Act::Link { url, title } => Some(What::Linked(checked_link(&url, &title)?)),
        Act::Task { text, owner } => {
            let text = checked_text("the task", &text)?;
            let owner = owner.map(|it| Person::new(&it)).transpose();
            let owner = owner.map_err(|why| Refusal::Invalid(why.replace("`by`", "`owner`")))?;
            if incident.tasks.len() >= TASKS_MAX {
                let why = format!("an incident has at most {TASKS_MAX} tasks");
                return Err(Refusal::Full(why));
            }
            incident.tasks.push(Task {
                text: text.clone(),
                owner: owner.clone(),
                done: None,
            });
            Some(What::Task(incident.tasks.len(), text, owner))
        }
        Act::Impact { text, users } => {
            let text = checked_text("the impact", &text)?;
            let impact = Impact { text, users };
            let before = incident.impact.replace(impact.clone());
            (before.as_ref() != Some(&impact)).then_some(What::Impact(impact))
        }
        Act::Components { names } => {
            let checked = names.iter().map(|it| checked_name("a component", it));
            let names: Vec<String> = checked
                .collect::<Result<BTreeSet<_>, _>>()?
                .into_iter()
                .collect();
            if names.len() > COMPONENTS_MAX {
                let why = format!("an incident has at most {COMPONENTS_MAX} components");
                return Err(Refusal::Full(why));
            }
            let before = std::mem::replace(&mut incident.components, names.clone());
            (before != names).then_some(What::Components(names))
        }
        Act::Data { state, text } => {
            let text = match text.trim() {
                "" => String::new(),
                text => checked_text("the statement", text)?,
            };
            let data = DataStatement { state, text };
            let before = incident.data.replace(data.clone());
            (before.as_ref() != Some(&data)).then_some(What::Data(data))
        }
        // The others do more than state something.
        _ => None,
    };
    Ok(what)
}

pub(super) fn check_fits(incident: &Incident, act: &Act) -> Result<(), Refusal> {
    let State::In(phase) = incident.state else {
        return Err(merged(incident));
    };
    let is_talk = !matches!(act, Act::State { .. });
    if is_talk {
        check_room(incident)?;
    }
    if is_talk && incident.text_bytes() + act.text_bytes() > TEXT_BYTES_MAX {
        let why = format!(
            "the texts of {} take {} KiB, and may take {}: link to what is longer",
            incident.id,
            incident.text_bytes() >> 10,
            TEXT_BYTES_MAX >> 10
        );
        return Err(Refusal::Full(why));
    }
    if matches!(phase, Phase::Closed | Phase::Declined) && !act.is_for_later() {
        return Err(Refusal::Conflict(format!(
            "{} is {phase} since {}: move it to {} first; notes, links, tasks, what is known of \
             impact and data, and verdicts are taken all the same",
            incident.id,
            incident.moved_at,
            listed(phase.next()),
        )));
    }
    Ok(())
}

pub(super) fn check_room(incident: &Incident) -> Result<(), Refusal> {
    match incident.timeline.len() >= ENTRIES_OF_ALL_MAX {
        true => Err(Refusal::Full(format!(
            "the timeline has {ENTRIES_OF_ALL_MAX} entries, and takes no more"
        ))),
        false => Ok(()),
    }
}

pub(super) fn merged(incident: &Incident) -> Refusal {
    let (id, into) = (incident.id, incident.state);
    match into {
        State::Merged(into) => Refusal::Conflict(format!(
            "{id} was merged into {into} at {}: it goes on there",
            incident.moved_at
        )),
        State::In(phase) => Refusal::Conflict(format!("{id} is {phase}")),
    }
}

/// A text of a person: not empty, of at most [`TEXT_CHARS_MAX`] characters, without control
/// characters but the end of a line and a tab.
pub(super) fn checked_text(what: &str, text: &str) -> Result<String, Refusal> {
    checked(what, text, TEXT_CHARS_MAX)
}

/// What a picture shows: nothing, or as [`checked_text`], but at most [`CAPTION_CHARS_MAX`].
pub(super) fn checked_caption(text: &str) -> Result<String, Refusal> {
    match text.trim() {
        "" => Ok(String::new()),
        text => checked("the text of the picture", text, CAPTION_CHARS_MAX),
    }
}

/// What something is called, as [`checked_text`], but a line of at most [`TITLE_CHARS_MAX`].
pub(super) fn checked_name(what: &str, text: &str) -> Result<String, Refusal> {
    let text = checked(what, text, TITLE_CHARS_MAX)?;
    match text.contains(char::is_control) {
        true => Err(Refusal::Invalid(format!("{what} has more than one line"))),
        false => Ok(text),
    }
}

fn checked(what: &str, text: &str, n_max: usize) -> Result<String, Refusal> {
    let text = text.trim();
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let why = match text.chars().count() {
        0 => format!("{what} is empty"),
        n if n > n_max => format!("{what} has {n} characters, and may have {n_max}"),
        _ if text.chars().any(is_odd) => format!("{what} has control characters"),
        _ => return Ok(text.to_owned()),
    };
    Err(Refusal::Invalid(why))
}

/// A title out of labels, as long as one may be.
pub(super) fn shortened(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(TITLE_CHARS_MAX).map(shown).collect()
}

fn checked_link(url: &str, title: &str) -> Result<Link, Refusal> {
    let url = checked_text("the link", url)?;
    let lower = url.to_ascii_lowercase();
    let is_web = lower.starts_with("https://") || lower.starts_with("http://");
    if !is_web || url.contains(char::is_whitespace) {
        let why = format!("`{url}` is no address that begins with http:// or https://");
        return Err(Refusal::Invalid(why));
    }
    let title = match title.trim() {
        "" => String::new(),
        title => checked_text("the title of the link", title)?,
    };
    Ok(Link { url, title })
}

/// Who says the same again within this time says it once.
pub(super) const REPEATED_WITHIN: Duration = Duration::from_mins(1);
const TEXT_CHARS_MAX: usize = 10_000;
const CAPTION_CHARS_MAX: usize = 1_000;
const TITLE_CHARS_MAX: usize = 200;
/// The most bytes that the texts of people take in a timeline.
const TEXT_BYTES_MAX: usize = 1 << 20;
const TASKS_MAX: usize = 200;
const COMPONENTS_MAX: usize = 100;
/// The most entries of a timeline that Firebell or talk adds to; then people may only move it and
/// say what it was.
pub(super) const ENTRIES_OF_ALL_MAX: usize = 5_000;
