//! Which incident is paged by which policy, and the messages that come of it.

use std::fmt;
use std::sync::Arc;

use firebell_escalation::{
    BudgetLeft, Method, Page, PageKey, PagingRules, Policy, SendId, Severity,
};
use firebell_incident::{Incident, alert_text};
use firebell_model::{Labels, Timestamp};
use firebell_oncall::{Contact, Oncall, OwnedBy, Person, TeamId};

use crate::pages::{key_of, severity_of};

/// Who is told of incidents until somebody looks into them.
#[derive(Clone, Default)]
pub struct Paging {
    /// By which steps; nobody is paged without any.
    pub policies: Arc<[Policy]>,
    /// How people want to be told.
    pub rules: PagingRules,
    /// People, and who of them is on call when.
    pub oncall: Arc<Oncall>,
    /// The policy of incidents whose owner names none.
    pub default: Option<Arc<str>>,
}

impl Paging {
    /// The policy by which an incident is paged: that of the rule by which its first alert is
    /// owned, else that of the team that owns it, else the one for all; `None` pages nobody.
    #[must_use]
    pub fn policy_of(&self, incident: &Incident) -> Option<&Arc<str>> {
        if self.policies.is_empty() {
            return None;
        }
        let named = self.policy_of_labels(labels_of(incident));
        named.filter(|name| self.policies.iter().any(|it| it.name == **name))
    }

    /// The team that owns an incident, by its first alert.
    #[must_use]
    pub fn owner_of(&self, incident: &Incident) -> Option<TeamId> {
        let (ownership, directory) = (&self.oncall.ownership, &self.oncall.directory);
        let owner = ownership.owner(labels_of(incident), directory);
        owner.map(|(team, _)| team)
    }

    fn policy_of_labels(&self, labels: &Labels) -> Option<&Arc<str>> {
        let (ownership, directory) = (&self.oncall.ownership, &self.oncall.directory);
        let owner = ownership.owner(labels, directory);
        let of_rule = owner.and_then(|(_, by)| match by {
            OwnedBy::Rule(idx) => ownership.rules.get(idx)?.escalation.as_ref(),
            OwnedBy::TeamLabel | OwnedBy::ServiceLabel | OwnedBy::FlowLabel | OwnedBy::Rest => None,
        });
        let of_team = || {
            let (team, _) = owner?;
            directory.team(team).escalation.as_ref()
        };
        of_rule.or_else(of_team).or(self.default.as_ref())
    }
}

/// The labels of an incident's first alert.
fn labels_of(incident: &Incident) -> &Labels {
    let mut members = incident.alerts.iter();
    let first = members.next();
    let first = members.fold(first, |first, it| match first {
        Some(first) if first.1.joined_at <= it.1.joined_at => Some(first),
        _ => Some(it),
    });
    // An incident that a person opened about a service has the labels that name it.
    first.map_or(&incident.key, |(_, member)| &member.labels)
}

/// A message to a person or a channel. It has everything that a text about it needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageMessage {
    /// Its outcome comes back with this, as [`crate::Input::PageOutcome`]; nobody waits for the
    /// outcome of one without.
    pub id: Option<SendId>,
    /// To whom.
    pub to: PageRecipient,
    /// Why.
    pub why: PageWhy,
    /// About what; one at least, unless somebody is told of a shift in which nothing is open.
    pub pages: Vec<PageBrief>,
}

/// To whom a message goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageRecipient {
    /// To a person.
    Person {
        /// As configuration calls them.
        name: Arc<str>,
        /// By this.
        contact: Contact,
    },
    /// To the receiver of this name.
    Channel(Arc<str>),
}

/// Why somebody is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageWhy {
    /// They have to act.
    Page,
    /// They have acknowledged it, and are asked whether they still look into it.
    Remind,
    /// They are to know: nobody waits for their answer.
    Tell,
    /// They begin or end a shift: this is open.
    HandOff(HandOffBrief),
}

/// What is said of a hand-over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandOffBrief {
    /// The shifts that they begin.
    pub begins: Vec<ShiftBrief>,
    /// The schedules on which their shift is over.
    pub ends: Vec<Arc<str>>,
    /// How many incidents are open, of which the first are named.
    pub n_open: usize,
}

/// A shift that begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShiftBrief {
    /// On which schedule.
    pub schedule: Arc<str>,
    /// Until when, by the clock of whoever has it; `None` when that is far away.
    pub until: Option<String>,
}

impl HandOffBrief {
    /// The most incidents that are named.
    pub const NAMED_MAX: usize = 20;
}

impl fmt::Display for HandOffBrief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begins = self.begins.iter().map(|it| {
            let until = it.until.as_ref();
            let until = until.map_or_else(String::new, |until| format!(" until {until}"));
            format!("you are on call on {}{until}", it.schedule)
        });
        let ends = self.ends.iter();
        let ends = ends.map(|it| format!("your shift on {it} is over"));
        let all: Vec<String> = begins.chain(ends).collect();
        f.write_str(&all.join("; "))
    }
}

impl PageRecipient {
    /// A person, by one of their contacts; `None` when they do not have it.
    pub(crate) fn of(person: &Person, method: Method) -> Option<Self> {
        let of_kind = |it: &&Contact| it.kind == method.kind;
        let contact = person.contacts.iter().filter(of_kind).nth(method.nth)?;
        Some(Self::Person {
            name: Arc::clone(&person.name),
            contact: contact.clone(),
        })
    }
}

/// What is said of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageBrief {
    /// Of which: the number of its incident.
    pub key: PageKey,
    /// What the incident is called.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The service that it is about.
    pub service: Option<String>,
    /// What is left of the error budget behind it, if that is known.
    pub budget: Option<BudgetLeft>,
    /// When the incident was opened.
    pub opened_at: Timestamp,
    /// The policy by which it climbs; empty when nobody is paged.
    pub policy: Arc<str>,
    /// Runs of policies so far: what is signed for one run says nothing in the next.
    pub run: u32,
    /// The step of the policy that was taken last, from 1; 0 before the first.
    pub step: usize,
    /// The round, from 1.
    pub round: u32,
    /// Alerts that fire, the first of them in words.
    pub firing: Vec<String>,
    /// How many alerts fire.
    pub n_firing: usize,
}

impl PageBrief {
    /// The most alerts that are named.
    pub const FIRING_MAX: usize = 5;

    /// What is said of an incident and its page, if it has one.
    pub(crate) fn of(incident: &Incident, page: Option<&Page>) -> Self {
        let service = incident.key.value("service");
        let members = incident.alerts.values();
        let firing: Vec<_> = members.filter(|it| it.ended_at.is_none()).collect();
        let named = firing.iter().take(Self::FIRING_MAX);
        Self {
            key: key_of(incident.id),
            title: incident.title.clone(),
            severity: page.map_or_else(|| severity_of(incident), |it| it.severity),
            service: (!service.is_empty()).then(|| service.to_owned()),
            budget: page.and_then(|it| it.budget),
            opened_at: incident.opened_at,
            policy: page.map_or_else(|| "".into(), |it| Arc::clone(&it.policy)),
            run: page.map_or(0, |it| it.run),
            step: page.map_or(0, |it| it.step),
            round: page.map_or(0, |it| it.round.saturating_add(1)),
            firing: named.map(|it| alert_text(&it.labels)).collect(),
            n_firing: firing.len(),
        }
    }
}
