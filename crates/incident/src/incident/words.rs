//! What an entry of a timeline says to people. The page, the command line, transcripts and the
//! review all read it from here.

use firebell_model::{ALERT_NAME, Labels, label_set_text};

use super::{Audience, Entry, What, Who};
use crate::postmortem::day;

impl Entry {
    /// What happened, in words; who did it stands before them.
    ///
    /// ```
    /// use firebell_incident::{Entry, Phase, What, Who};
    /// use firebell_model::Timestamp;
    ///
    /// let what = What::Moved { from: Phase::Triage, to: Phase::Active };
    /// let entry = Entry { at: Timestamp(0), by: Who::Firebell, what };
    /// assert_eq!(entry.words(), "moved it from triage to active");
    /// ```
    #[must_use]
    pub fn words(&self) -> String {
        words(&self.what, &self.by)
    }
}

fn words(what: &What, by: &Who) -> String {
    match what {
        What::Opened => "opened it".to_owned(),
        What::Joined(labels) => format!("joined {}", alert_text(labels)),
        What::Returned(labels) => format!("{} fires again", alert_text(labels)),
        What::Ended(labels) => format!("{} has ended", alert_text(labels)),
        What::LeftOut(n) => format!("left out {n} alerts: there are too many"),
        What::Notified {
            receiver,
            integration,
            error: None,
        } => format!("told {receiver} by {integration}"),
        What::Notified {
            receiver,
            integration,
            error: Some(error),
        } => format!("failed to tell {receiver} by {integration}: {error}"),
        What::Page(what) => what.to_string(),
        What::Acknowledged => "acknowledged it".to_owned(),
        What::AcknowledgementEnded => {
            "ended the acknowledgement: somebody has to look again".to_owned()
        }
        What::Moved { from, to } if from == to => format!("moved it to {to}"),
        What::Moved { from, to } => format!("moved it from {from} to {to}"),
        What::Severity { from, to } => format!("changed its severity from {from} to {to}"),
        What::SeverityKept(of_alert) => {
            format!("kept the severity that a person set, though an alert is {of_alert}")
        }
        What::Titled(title) => format!("called it {title}"),
        What::Role(role, Some(person)) if *by == Who::Person(person.clone()) => {
            format!("took the role of {role}")
        }
        What::Role(role, Some(person)) => format!("made {person} {role}"),
        What::Role(role, None) => format!("gave the role of {role} back"),
        What::Note(text, Audience::Team) => format!("noted: {text}"),
        What::Note(text, Audience::Stakeholders) => format!("told stakeholders: {text}"),
        What::Linked(link) if link.title.is_empty() => format!("linked {}", link.url),
        What::Linked(link) => format!("linked {}: {}", link.title, link.url),
        What::Pictured(..) | What::PictureGone(..) | What::TookBack(_) => pictured(what),
        What::Task(n, text, None) => format!("added task {n}: {text}"),
        What::Task(n, text, Some(owner)) => format!("added task {n} for {owner}: {text}"),
        What::TaskDone(n) => format!("did task {n}"),
        What::Step(runbook, n, step) => format!("did step {n} of {runbook}: {step}"),
        What::Impact(impact) => match impact.users {
            Some(users) => format!("said what users notice: {} ({users} users)", impact.text),
            None => format!("said what users notice: {}", impact.text),
        },
        What::Components(names) => format!("said what is hit: {}", names.join(", ")),
        What::Data(data) if data.text.is_empty() => format!("said that data is {}", data.state),
        What::Data(data) => format!("said that data is {}: {}", data.state, data.text),
        What::Judged(verdict) if *by == Who::Firebell => {
            format!("guessed the verdict: {}", verdict.words())
        }
        What::Judged(verdict) => format!("gave the verdict: {}", verdict.words()),
        What::MergedInto(id) => format!("merged it into {id}"),
        What::Absorbed(id) => format!("merged {id} into it"),
        What::Detached(labels) => format!("took {} out", alert_text(labels)),
        What::Follows(id) => format!("opened it after {id}, which was closed when it came back"),
        What::Drafted(1) => "drafted the postmortem, with a graph".to_owned(),
        What::Drafted(n) => format!("drafted the postmortem, with {n} graphs"),
        What::Wrote(part) => format!("wrote of the postmortem: {}", part.title()),
        What::FollowUp(n, text, owner, due) => {
            format!(
                "added follow-up {n} for {owner} until {}: {text}",
                day(*due)
            )
        }
        What::Proven(n, proof) => format!("proved follow-up {n} done: {proof}"),
        What::Again(what) => format!("{}, as it was already", words(what, by)),
    }
}

fn pictured(what: &What) -> String {
    let (state, text, audience) = match what {
        What::Pictured(_, text, audience) => ("", text, audience),
        What::PictureGone(text, audience) => (", which was taken back", text, audience),
        _ => return "took a picture back".to_owned(),
    };
    let to_whom = match audience {
        Audience::Team => "",
        Audience::Stakeholders => " stakeholders",
    };
    match text.as_str() {
        "" => format!("showed{to_whom} a picture{state}"),
        text => format!("showed{to_whom} a picture{state}: {text}"),
    }
}

/// `Down{job="a"}`: an alert by its name and its other labels.
#[must_use]
pub fn alert_text(labels: &Labels) -> String {
    let name = labels.value(ALERT_NAME);
    let rest = labels.filter(|label| label != ALERT_NAME);
    match rest.is_empty() {
        true => name.to_owned(),
        false => format!("{name}{}", label_set_text(&rest)),
    }
}
