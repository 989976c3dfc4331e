//! What lints say of people and schedules.

use std::collections::BTreeSet;

use firebell_escalation::unheard;
use firebell_lint::{Lint, Settings, oncall as lints};
use firebell_model::Timestamp;
use firebell_oncall::{Cause, ContactKind, Oncall, Person, PersonId, Schedule, Shift, Span, Team};
use jiff::tz::TimeZone;

use super::Found;
use crate::firebell::Config;
use crate::paging::{PagingWays, senders_of};
use crate::problem::Problem;

/// How far ahead schedules are looked at: a year and a day.
const AHEAD_MS: i64 = 366 * 86_400_000;
/// A schedule that begins no later than so is one that is about to.
const SOON_MS: i64 = 92 * 24 * 3_600_000;
/// More gaps than this are counted, not named.
const GAPS_SHOWN_MAX: usize = 3;

/// Judges people, teams and schedules for the year from `settings.now` on, and what tells people.
pub(super) fn judge(config: &Config, settings: &Settings) -> Vec<Found> {
    let oncall = &*config.oncall.oncall;
    let places = &config.oncall.places;
    let ways = may_page(config).then_some(&config.paging);
    let mut judge = Judge {
        settings,
        found: Vec::new(),
    };
    let mut on_call: BTreeSet<PersonId> = BTreeSet::new();
    for (schedule, place) in oncall.schedules.iter().zip(&places.schedules) {
        let shifts = schedule.shifts(year(schedule, settings.now));
        on_call.extend(shifts.iter().flat_map(|shift| shift.people.iter().copied()));
        judge.gaps(schedule, place);
        judge.layers(schedule, &shifts, place);
    }
    for (idx, (person, place)) in oncall
        .directory
        .people
        .iter()
        .zip(&places.people)
        .enumerate()
    {
        let id = PersonId(u32::try_from(idx).unwrap_or(u32::MAX));
        if person.contacts.is_empty() && on_call.contains(&id) {
            let message = format!("`{}` is on call and cannot be reached", person.name);
            let hint = "add `email`, `phone`, `slack` or another contact, or take them off";
            judge.say(&lints::UNREACHABLE, place, message, hint);
        }
        judge.ways(person, ways, place);
    }
    for (team, place) in oncall.directory.teams.iter().zip(&places.teams) {
        if !is_reachable(oncall, team, settings.now) {
            let message = format!("nobody of the team `{}` can be reached", team.name);
            let hint = "give it a `schedule` or `members`, and them contacts";
            judge.say(&lints::NOBODY_REACHABLE, place, message, hint);
        }
        if ways.is_some() && config.escalation.default.is_none() && team.escalation.is_none() {
            let message = format!("incidents of the team `{}` page nobody", team.name);
            let hint = "give it an `escalation`, or `incidents` one for all";
            judge.say(&lints::NO_POLICY, place, message, hint);
        }
    }
    judge.pages(config);
    judge.found
}

/// Without policies nobody is paged, and contacts are for people to read.
pub(super) fn may_page(config: &Config) -> bool {
    !config.escalation.policies.is_empty()
}

/// Says of whom contacts are not confirmed; of each, a server names person and kind.
pub(super) fn unconfirmed(
    config: &Config,
    contacts: &[(String, String)],
    settings: &Settings,
) -> Vec<Found> {
    let mut judge = Judge {
        settings,
        found: Vec::new(),
    };
    let people = config.oncall.oncall.directory.people.iter();
    for (person, place) in people.zip(&config.oncall.places.people) {
        let own = person.contacts.iter().map(|it| it.kind.name());
        let is_unconfirmed = |kind: &&str| {
            let mut named = contacts.iter();
            named.any(|(name, named)| **name == *person.name && named == kind)
        };
        let kinds: BTreeSet<&str> = own.filter(is_unconfirmed).collect();
        if kinds.is_empty() {
            continue;
        }
        let (name, kinds) = (&person.name, kinds.into_iter().collect::<Vec<_>>());
        let message = format!("`{name}` has not confirmed {}", kinds.join(", "));
        let hint = format!("`firebell oncall verify {name}` sends a test message");
        judge.say(&lints::UNCONFIRMED, place, message, &hint);
    }
    judge.found
}

/// From now on, or from when the schedule begins, if that is soon; else nobody is on call until then.
fn year(schedule: &Schedule, now: Timestamp) -> Span {
    let begins = schedule
        .layers
        .iter()
        .map(|layer| layer.limits().from)
        .min();
    let is_soon = |at: &Timestamp| at.0.saturating_sub(now.0) <= SOON_MS;
    let from = begins.filter(is_soon).unwrap_or(now).max(now);
    Span::new(from, Timestamp(from.0.saturating_add(AHEAD_MS)))
}

/// What a clock of a zone shows.
fn clock(zone: &TimeZone, at: Timestamp) -> String {
    let civil = at.to_jiff().to_zoned(zone.clone());
    civil.strftime("%Y-%m-%d %H:%M").to_string()
}

/// The same where the zone does not follow from what is talked of.
fn named_clock(zone: &TimeZone, at: Timestamp) -> String {
    let name = zone.iana_name().unwrap_or("UTC");
    format!("{} ({name})", clock(zone, at))
}

fn is_reachable(oncall: &Oncall, team: &Team, now: Timestamp) -> bool {
    let has_contact = |id: &PersonId| !oncall.directory.person(*id).contacts.is_empty();
    let by_schedule = team.schedule.is_some_and(|id| {
        let schedule = oncall.schedule(id);
        let shifts = schedule.shifts(year(schedule, now));
        shifts
            .iter()
            .any(|shift| shift.people.iter().any(has_contact))
    });
    by_schedule || team.members.iter().any(has_contact)
}

struct Judge<'s> {
    settings: &'s Settings,
    found: Vec<Found>,
}

impl Judge<'_> {
    fn say(&mut self, lint: &'static Lint, place: &Problem, message: String, hint: &str) {
        if !self.settings.is_on(lint) {
            return;
        }
        self.found.push(Found {
            lint,
            severity: self.settings.severity(lint, lint.severity),
            problem: Problem {
                message,
                hint: Some(hint.to_owned()),
                ..place.clone()
            },
        });
    }

    fn ways(&mut self, person: &Person, ways: Option<&PagingWays>, place: &Problem) {
        let Some(ways) = ways else { return };
        let mut kinds: Vec<ContactKind> = Vec::new();
        for contact in &person.contacts {
            if kinds.contains(&contact.kind) || ways.to(contact, Vec::new()).is_some() {
                continue;
            }
            kinds.push(contact.kind);
            let (name, kind) = (&person.name, contact.kind.name());
            let message = format!("nothing can tell `{name}` by `{kind}`");
            let hint = senders_of(contact.kind);
            self.say(&lints::NO_WAY, place, message, hint);
        }
    }

    /// Pages of which nobody would hear.
    fn pages(&mut self, config: &Config) {
        let (policies, oncall) = (&config.escalation.policies, &config.oncall.oncall);
        for found in unheard(policies, oncall, self.settings.now) {
            let place = config.escalation.places.get(found.policy);
            let (Some(policy), Some(place)) = (policies.get(found.policy), place) else {
                continue;
            };
            let message = format!(
                "a page of {} by `{}` reaches nobody when it opens at {}, as nobody is on call then",
                found.severity,
                policy.name,
                named_clock(&found.zone, found.at)
            );
            let hint = "add a step that tells a person, or a schedule without gaps";
            self.say(&lints::NOBODY_TOLD, place, message, hint);
        }
    }

    fn gaps(&mut self, schedule: &Schedule, place: &Problem) {
        if schedule.may_have_gaps {
            return;
        }
        let gaps = schedule.gaps(year(schedule, self.settings.now));
        if gaps.is_empty() {
            return;
        }
        let shown = gaps.iter().take(GAPS_SHOWN_MAX).map(|gap| {
            let (from, until) = (
                clock(&schedule.zone, gap.from),
                clock(&schedule.zone, gap.until),
            );
            format!("from {from} until {until}")
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = match gaps.len().saturating_sub(GAPS_SHOWN_MAX) {
            0 => String::new(),
            more => format!(", and {more} more times within a year"),
        };
        let name = &schedule.name;
        let message = format!("the schedule `{name}` has nobody on call {shown}{more}");
        let hint = "add a layer or an override, or say `gaps: allowed` where that is meant";
        self.say(&lints::GAP, place, message, hint);
    }

    fn layers(&mut self, schedule: &Schedule, shifts: &[Shift], place: &Problem) {
        let used: BTreeSet<usize> = shifts
            .iter()
            .filter_map(|shift| match shift.cause {
                Cause::Layer { idx, .. } => Some(idx),
                Cause::Temporary(_) | Cause::Override(_) => None,
            })
            .collect();
        for (idx, layer) in schedule.layers.iter().enumerate() {
            let is_over = layer.until.is_some_and(|until| until <= self.settings.now);
            if !used.contains(&idx) && !is_over {
                let (name, layer) = (&schedule.name, &layer.name);
                let message = format!("the layer `{layer}` of `{name}` never has anybody on call");
                let hint = "a later layer wins: move it below the one that covers it, or delete it";
                self.say(&lints::UNUSED_LAYER, place, message, hint);
            }
        }
    }
}
