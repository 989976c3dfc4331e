//! What incidents and their pages are to each other.

use firebell_escalation::What as OfPage;
use firebell_model::Timestamp;

use super::Incidents;
use crate::incident::{IncidentId, Person, What, Who};

impl Incidents {
    /// The incidents that have changed since the last [`Incidents::take_changes`].
    pub fn changed(&self) -> impl Iterator<Item = IncidentId> {
        self.changes.heads()
    }

    /// Something happened to the page of an incident.
    pub fn handle_paged(&mut self, now: Timestamp, id: IncidentId, what: OfPage) {
        // What the page does from now on, it does because nobody looks into it.
        if matches!(
            what,
            OfPage::Began(_) | OfPage::Snoozed(..) | OfPage::AcknowledgementEnded
        ) {
            self.end_acknowledgement(now, id);
        }
        if let OfPage::Renewed(by) = &what {
            self.pass_acknowledgement(id, by);
        }
        let by = what.by().and_then(|by| Person::new(by).ok());
        let by = by.map_or(Who::Firebell, Who::Person);
        if !is_said_by_incident(&what) {
            self.note(now, id, by, What::Page(what));
        }
    }

    /// Somebody else may have gone on with it.
    fn pass_acknowledgement(&mut self, id: IncidentId, by: &str) {
        let incident = self.all.get_mut(&id);
        let known = incident.and_then(|it| it.acknowledged.as_mut());
        if let (Some(known), Ok(by)) = (known, Person::new(by)) {
            known.by = by;
        }
    }

    fn end_acknowledgement(&mut self, now: Timestamp, id: IncidentId) {
        let incident = self.all.get_mut(&id);
        if incident.is_some_and(|it| it.acknowledged.take().is_some()) {
            self.note(now, id, Who::Firebell, What::AcknowledgementEnded);
        }
    }
}

/// Whether the timeline says it already, in the incident's own words.
fn is_said_by_incident(what: &OfPage) -> bool {
    use firebell_escalation::End;
    matches!(
        what,
        OfPage::Severity(_)
            | OfPage::AcknowledgementEnded
            | OfPage::Ended(End::Acknowledged | End::Resolved | End::Cancelled)
    )
}
