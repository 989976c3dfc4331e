//! An incident as others see it who know nothing of its life: when it was, and of what.

use crate::labels::Labels;
use crate::time::Timestamp;

/// When an incident was, and of what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncidentSpan {
    /// As people write it, such as `INC-3`; that of the incident as which it goes on, when it was
    /// merged.
    pub name: String,
    /// What that one is called.
    pub title: String,
    /// When it was opened.
    pub from: Timestamp,
    /// When it was over; `None` while it is open.
    pub until: Option<Timestamp>,
    /// Whether people said that it was none.
    pub is_declined: bool,
    /// What its alerts share, such as their service.
    pub key: Labels,
    /// The labels of its alerts.
    pub alerts: Vec<Labels>,
}
