//! What to do in an incident by its runbooks, and what of it was done.

use std::sync::Arc;

use firebell_model::Timestamp;

use super::Incidents;
use crate::act::{Outcome, Refusal};
use crate::incident::{Incident, IncidentId, Person, What, Who};
use crate::life::listed;
use crate::runbook::{Runbook, TICKS_MAX, Tick};

impl Incidents {
    /// The runbooks for an incident, in the order of configuration: those that are for it now, and
    /// those of which something was ticked.
    pub fn runbooks<'a>(&'a self, incident: &'a Incident) -> impl Iterator<Item = &'a Runbook> {
        let was_used = |it: &Runbook| incident.ticks.iter().any(|tick| tick.runbook == it.name);
        let all = self.policy.runbooks.iter();
        all.filter(move |it| it.is_for(incident) || was_used(it))
    }

    pub(super) fn tick(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        (name, number): (&str, usize),
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get(&id).ok_or(Refusal::Unknown(id))?;
        let runbook = self.runbook(incident, name)?;
        let Some(step) = runbook.steps().nth(number.wrapping_sub(1)) else {
            let n_steps = runbook.steps().count();
            let why = format!("`{name}` has no step {number}: it has {n_steps}");
            return Err(Refusal::Invalid(why));
        };
        let (name, step): (Arc<str>, Arc<str>) = (Arc::clone(&runbook.name), step.into());
        let before = runbook.tick(incident, &step).map(|it| it.by.clone());
        let what = What::Step(Arc::clone(&name), number, Arc::clone(&step));
        if let Some(before) = before {
            if before != by {
                self.again(now, id, by, what);
            }
            return Ok(Outcome::Already);
        }
        let incident = self.all.get_mut(&id).ok_or(Refusal::Unknown(id))?;
        if incident.ticks.len() >= TICKS_MAX {
            let why = format!("an incident has at most {TICKS_MAX} steps that are ticked");
            return Err(Refusal::Full(why));
        }
        incident.ticks.push(Tick {
            runbook: name,
            step,
            by: by.clone(),
            at: now,
        });
        self.note(now, id, Who::Person(by), what);
        Ok(Outcome::Changed)
    }

    fn runbook<'a>(&'a self, incident: &'a Incident, name: &str) -> Result<&'a Runbook, Refusal> {
        let names: Vec<&str> = self.runbooks(incident).map(|it| &*it.name).collect();
        let mut all = self.runbooks(incident);
        all.find(|it| *it.name == *name).ok_or_else(|| {
            let id = incident.id;
            Refusal::Invalid(match names.is_empty() {
                true => format!("{id} has no runbook"),
                false => format!("{id} has no runbook `{name}`, only {}", listed(&names)),
            })
        })
    }
}
