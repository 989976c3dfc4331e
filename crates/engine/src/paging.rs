//! Which incident is paged by which policy, and the messages that come of it.

use std::sync::Arc;

use firebell_escalation::{PageKey, PagingRules, Policy, SendId, Severity};
use firebell_incident::Incident;
use firebell_model::{Labels, Timestamp};
use firebell_oncall::{Contact, Oncall, OwnedBy};

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
        let mut members = incident.alerts.iter();
        let first = members.next();
        let first = members.fold(first, |first, it| match first {
            Some(first) if first.1.joined_at <= it.1.joined_at => Some(first),
            _ => Some(it),
        });
        // An incident that a person opened about a service has the labels that name it.
        let labels = first.map_or(&incident.key, |(_, member)| &member.labels);
        let named = self.policy_of_labels(labels);
        named.filter(|name| self.policies.iter().any(|it| it.name == **name))
    }

    fn policy_of_labels(&self, labels: &Labels) -> Option<&Arc<str>> {
        let (ownership, directory) = (&self.oncall.ownership, &self.oncall.directory);
        let owner = ownership.owner(labels, directory);
        let of_rule = owner.and_then(|(_, by)| match by {
            OwnedBy::Rule(idx) => ownership.rules.get(idx)?.escalation.as_ref(),
            OwnedBy::TeamLabel | OwnedBy::ServiceLabel | OwnedBy::Rest => None,
        });
        let of_team = || {
            let (team, _) = owner?;
            directory.team(team).escalation.as_ref()
        };
        of_rule.or_else(of_team).or(self.default.as_ref())
    }
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
    /// About what; one at least.
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageWhy {
    /// They have to act.
    Page,
    /// They have acknowledged it, and are asked whether they still look into it.
    Remind,
    /// They are to know: nobody waits for their answer.
    Tell,
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
    /// When the incident was opened.
    pub opened_at: Timestamp,
    /// The policy by which it climbs.
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
}
