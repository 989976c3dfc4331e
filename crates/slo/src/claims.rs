//! Which incident a part of an episode belongs to.
//!
//! An incident *claims* a budget when one of its alerts is of the budget, or is at least of the
//! objective's service. Of an episode that several claim, each has the part from its opening to that
//! of the next one, and the first also what came before: that is how it began.
//!
//! *Invariants*: every part belongs to at most one incident, so that no event is told twice. One with
//! an alert of the budget goes before one that only shares the service, and one that was declined
//! comes last.

use firebell_model::{Duration, IncidentSpan, Labels, Timestamp};

use crate::objective::Objective;

/// The incidents that claim a budget.
pub(crate) struct Claims<'a>(Vec<Claim<'a>>);

struct Claim<'a> {
    strength: Strength,
    of: &'a IncidentSpan,
}

/// The strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Budget,
    Service,
    Declined,
}

/// A part of an episode.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// Whose it is, if it is anybody's.
    pub(crate) of: Option<&'a IncidentSpan>,
}

impl<'a> Claims<'a> {
    pub(crate) fn new(
        incidents: &'a [IncidentSpan],
        objective: &Objective,
        budget: &Labels,
    ) -> Self {
        let identity = objective.identity();
        let claims = incidents.iter().filter_map(|of| {
            let strength = strength(of, objective, &identity, budget)?;
            Some(Claim { strength, of })
        });
        let mut claims: Vec<Claim<'_>> = claims.collect();
        claims.sort_by_key(|it| (it.of.from, &it.of.name));
        Self(claims)
    }

    /// The parts of an episode, in order; an incident that was opened less than `late` after its end
    /// was opened for it.
    pub(crate) fn parts(&self, from: Timestamp, until: Timestamp, late: Duration) -> Vec<Part<'a>> {
        let is_of =
            |of: &IncidentSpan| of.from <= until + late && of.until.is_none_or(|it| it > from);
        let claims = self.0.iter().filter(|it| is_of(it.of));
        let strongest = claims.clone().map(|it| it.strength).min();
        let mut parts: Vec<Part<'_>> = Vec::new();
        for Claim { of, .. } in claims.filter(|it| Some(it.strength) == strongest) {
            let has_room = parts.len() < PARTS_MAX;
            match parts.last_mut() {
                Some(last) if last.of.is_some_and(|it| it.name == of.name) => {}
                Some(last) if of.from < until && has_room => {
                    last.until = of.from.max(last.from);
                    let (from, of) = (last.until, Some(*of));
                    parts.push(Part { from, until, of });
                }
                Some(_) => {}
                None => parts.push(Part {
                    from,
                    until,
                    of: Some(of),
                }),
            }
        }
        // Two that were open when it began: it is that of the later one.
        parts.retain(|it| it.from < it.until);
        if parts.is_empty() {
            let of = None;
            parts.push(Part { from, until, of });
        }
        parts
    }
}

fn strength(
    of: &IncidentSpan,
    objective: &Objective,
    identity: &Labels,
    budget: &Labels,
) -> Option<Strength> {
    let is_its_own = |labels: &Labels| {
        let mut wanted = identity.iter().chain(budget.iter());
        wanted.all(|it| labels.get(&it.name) == Some(&*it.value))
    };
    let is_of_service = |labels: &Labels| labels.get(SERVICE) == Some(objective.service.as_str());
    let strength = if of.alerts.iter().any(is_its_own) {
        Strength::Budget
    } else if is_of_service(&of.key) || of.alerts.iter().any(is_of_service) {
        Strength::Service
    } else {
        return None;
    };
    Some(match of.is_declined {
        true => Strength::Declined,
        false => strength,
    })
}

/// An episode has at most so many parts; the last incident has the rest.
const PARTS_MAX: usize = 20;
const SERVICE: &str = "service";
