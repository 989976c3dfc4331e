//! What whoever begins or ends a shift is told: the incidents that are open and theirs.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_escalation::{HandOff, HandOffNotices, Page};
use firebell_incident::{Incident, Incidents, Phase, State};
use firebell_model::Timestamp;
use firebell_oncall::{Oncall, Person, by_clock_of};

use crate::pages::{Pages, key_of};
use crate::paging::{HandOffBrief, PageBrief, PageMessage, PageRecipient, PageWhy, ShiftBrief};

impl Pages {
    /// The message to whoever begins or ends a shift, by what is open at its moment; `None` when
    /// there is nothing to say, and they did not ask to be told that.
    pub(crate) fn hand_off(
        &self,
        now: Timestamp,
        notice: &HandOff,
        incidents: &Incidents,
    ) -> Option<PageMessage> {
        let oncall = &self.paging().oncall;
        let id = oncall.directory.find_person(&notice.person)?;
        let person = oncall.directory.person(id);
        let to = PageRecipient::of(person, notice.method)?;
        let is_theirs = |it: &&Incident| {
            let page = self.escalation().page(key_of(it.id));
            let schedules = notice.begins.union(&notice.ends).cloned().collect();
            it.opened_at < notice.since
                && is_open(it)
                && self.is_theirs(it, page, (person, &schedules))
        };
        let open: Vec<&Incident> = incidents.iter().filter(is_theirs).collect();
        let rules = self.paging().rules.get(&notice.person);
        let always = rules.is_some_and(|it| it.hand_offs == HandOffNotices::Always);
        if open.is_empty() && (notice.begins.is_empty() || !always) {
            return None;
        }
        let begins = notice.begins.iter().map(|it| ShiftBrief {
            schedule: Arc::clone(it),
            until: until(now, it, oncall, person),
        });
        let brief = HandOffBrief {
            begins: begins.collect(),
            ends: notice.ends.iter().cloned().collect(),
            n_open: open.len(),
        };
        let named = open.into_iter().take(HandOffBrief::NAMED_MAX);
        Some(PageMessage {
            id: Some(notice.id),
            to,
            why: PageWhy::HandOff(brief),
            pages: named.map(|it| self.brief_of(it)).collect(),
        })
    }

    /// Whether an incident is of somebody who begins or ends a shift on these schedules: its team's,
    /// its page's, or theirs because they look into it.
    fn is_theirs(
        &self,
        incident: &Incident,
        page: Option<&Page>,
        (person, schedules): (&Person, &BTreeSet<Arc<str>>),
    ) -> bool {
        let oncall = &self.paging().oncall;
        let owner = self.paging().owner_of(incident);
        let of_team = owner.and_then(|team| oncall.directory.team(team).schedule);
        let by = incident.acknowledged.as_ref().map(|it| it.by.name());
        by == Some(&*person.name)
            || of_team.is_some_and(|id| schedules.contains(&oncall.schedule(id).name))
            || page
                .is_some_and(|it| it.is_open() && self.escalation().tells_of(it, schedules, oncall))
    }

    fn brief_of(&self, incident: &Incident) -> PageBrief {
        PageBrief::of(incident, self.escalation().page(key_of(incident.id)))
    }
}

fn is_open(incident: &Incident) -> bool {
    matches!(
        incident.state,
        State::In(Phase::Triage | Phase::Active | Phase::Mitigated)
    )
}

/// Until when a shift that has begun goes on, by the person's clock.
fn until(now: Timestamp, schedule: &str, oncall: &Oncall, person: &Person) -> Option<String> {
    let id = oncall.find_schedule(schedule)?;
    let until = oncall.schedule(id).watch(now).until?;
    let zone = person.zone.iana_name().unwrap_or("UTC");
    Some(by_clock_of(zone, until))
}
