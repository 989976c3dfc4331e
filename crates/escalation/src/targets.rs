//! What the names of a step mean at a moment.

use std::sync::Arc;

use firebell_model::Timestamp;
use firebell_oncall::{Oncall, PersonId};

use crate::policy::Target;

/// The people whom targets mean at a moment: each once, in the order of the targets, without those
/// who cannot be reached. Names that are gone mean nobody.
pub(crate) fn people_at(targets: &[Target], oncall: &Oncall, at: Timestamp) -> Vec<Arc<str>> {
    let mut people: Vec<Arc<str>> = Vec::new();
    for id in targets.iter().flat_map(|it| members_at(it, oncall, at)) {
        let Some(person) = oncall.directory.people.get(id.0 as usize) else {
            continue;
        };
        if !person.contacts.is_empty()
            && !people.contains(&person.name)
            && people.len() < PEOPLE_MAX
        {
            people.push(Arc::clone(&person.name));
        }
    }
    people
}

/// The channels among targets.
pub(crate) fn receivers(targets: &[Target]) -> impl Iterator<Item = &Arc<str>> {
    targets.iter().filter_map(|it| match it {
        Target::Receiver(name) => Some(name),
        Target::Person(_) | Target::Schedule(_) | Target::Team(_) => None,
    })
}

/// The schedules among targets, and those of teams among them.
pub(crate) fn schedules_of<'a>(
    targets: &'a [Target],
    oncall: &'a Oncall,
) -> impl Iterator<Item = &'a Arc<str>> {
    targets.iter().filter_map(|it| match it {
        Target::Schedule(name) => Some(name),
        Target::Team(name) => {
            let team = oncall.directory.team(oncall.directory.find_team(name)?);
            Some(&oncall.schedule(team.schedule?).name)
        }
        Target::Person(_) | Target::Receiver(_) => None,
    })
}

fn members_at(target: &Target, oncall: &Oncall, at: Timestamp) -> Vec<PersonId> {
    let of_schedule = |schedule| {
        let schedule: Option<&firebell_oncall::Schedule> = schedule;
        let shift = schedule.and_then(|it| it.on_call_at(at));
        shift.map_or_else(Vec::new, |it| it.people.to_vec())
    };
    match target {
        Target::Person(name) => oncall.directory.find_person(name).into_iter().collect(),
        Target::Schedule(name) => {
            of_schedule(oncall.find_schedule(name).map(|id| oncall.schedule(id)))
        }
        Target::Team(name) => {
            let Some(id) = oncall.directory.find_team(name) else {
                return Vec::new();
            };
            let team = oncall.directory.team(id);
            match team.schedule {
                Some(schedule) => of_schedule(Some(oncall.schedule(schedule))),
                None => team.members.clone(),
            }
        }
        Target::Receiver(_) => Vec::new(),
    }
}

/// The most people whom one step tells.
pub(crate) const PEOPLE_MAX: usize = 100;
