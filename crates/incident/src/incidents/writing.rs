//! What people write for a postmortem, and what is frozen for it.

use firebell_model::Timestamp;

use super::{Incidents, people};
use crate::act::{Act, Outcome, Refusal};
use crate::incident::{Incident, IncidentId, Person, What, Who};
use crate::life::State;
use crate::postmortem::{
    FOLLOW_UPS_MAX, FollowUp, GRAPH_POINTS_MAX, GRAPH_SERIES_MAX, GRAPHS_MAX, Graph, Postmortem,
    Proof, parse_day,
};

impl Incidents {
    /// Freezes samples for a postmortem; what was frozen before goes. Twice the same is once.
    ///
    /// # Errors
    /// When there is no such incident, it was merged, or its timeline is full.
    pub fn draft(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        mut graphs: Vec<Graph>,
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get_mut(&id).ok_or(Refusal::Unknown(id))?;
        if !matches!(incident.state, State::In(_)) {
            return Err(people::merged(incident));
        }
        people::check_room(incident)?;
        graphs.truncate(GRAPHS_MAX);
        for graph in &mut graphs {
            let n_more = graph.series.len().saturating_sub(GRAPH_SERIES_MAX);
            graph.n_left_out += n_more;
            graph.series.truncate(GRAPH_SERIES_MAX);
            for series in &mut graph.series {
                series.values.truncate(GRAPH_POINTS_MAX);
            }
        }
        let known = incident.postmortem.as_ref();
        if incident.graphs == graphs && known.is_some_and(|it| it.drafted.is_some()) {
            return Ok(Outcome::Already);
        }
        let before = incident.postmortem_bytes();
        let n_graphs = graphs.len();
        incident.graphs = graphs;
        written(incident).drafted = Some((by.clone(), now));
        let after = incident.postmortem_bytes();
        self.text_bytes = self.text_bytes + after - before;
        self.changes.graphs(id);
        self.note(now, id, Who::Person(by), What::Drafted(n_graphs));
        self.forget_oldest(id);
        Ok(Outcome::Changed)
    }

    /// Writes a part or a follow-up, or what proves one.
    pub(super) fn write(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        act: Act,
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get_mut(&id).ok_or(Refusal::Unknown(id))?;
        let before = incident.postmortem_bytes();
        let Some(what) = wrote(now, incident, &by, act)? else {
            return Ok(Outcome::Already);
        };
        let after = incident.postmortem_bytes();
        self.text_bytes = self.text_bytes + after - before;
        self.note(now, id, Who::Person(by), what);
        Ok(Outcome::Changed)
    }
}

fn written(incident: &mut Incident) -> &mut Postmortem {
    incident
        .postmortem
        .get_or_insert_with(|| Box::new(Postmortem::new()))
}

/// What is new; `None` when it stands there already.
fn wrote(
    now: Timestamp,
    incident: &mut Incident,
    by: &Person,
    act: Act,
) -> Result<Option<What>, Refusal> {
    match act {
        Act::Part { part, text } => {
            let text = people::checked_text("the part", &text)?;
            let before = written(incident).parts.insert(part, text.clone());
            Ok((before != Some(text)).then_some(What::Wrote(part)))
        }
        Act::FollowUp { text, owner, due } => {
            let text = people::checked_text("the follow-up", &text)?;
            let named = |why: String| Refusal::Invalid(why.replace("`by`", "`owner`"));
            let owner = Person::new(&owner).map_err(named)?;
            let due = parse_day(&due).map_err(Refusal::Invalid)?;
            let all = &mut written(incident).follow_ups;
            let is_same = |it: &FollowUp| it.text == text && it.owner == owner && it.due == due;
            if all.iter().any(is_same) {
                return Ok(None);
            }
            if all.len() >= FOLLOW_UPS_MAX {
                let why = format!("an incident has at most {FOLLOW_UPS_MAX} follow-ups");
                return Err(Refusal::Full(why));
            }
            all.push(FollowUp {
                text: text.clone(),
                owner: owner.clone(),
                due,
                proof: None,
            });
            Ok(Some(What::FollowUp(all.len(), text, owner, due)))
        }
        Act::Proven {
            follow_up: n,
            proof,
        } => {
            let text = people::checked_text("the proof", &proof)?;
            let id = incident.id;
            let known = incident.postmortem.as_mut();
            let all = known.map(|it| &mut it.follow_ups);
            let place = n.checked_sub(1);
            let known = all.zip(place).and_then(|(all, idx)| all.get_mut(idx));
            let known = known.ok_or_else(|| {
                Refusal::Invalid(format!("{id} has no follow-up {n}: they count from 1"))
            })?;
            if known.proof.is_some() {
                return Ok(None);
            }
            known.proof = Some(Proof {
                text: text.clone(),
                by: by.clone(),
                at: now,
            });
            Ok(Some(What::Proven(n, text)))
        }
        // The others do not write.
        _ => Ok(None),
    }
}
