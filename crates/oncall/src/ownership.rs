//! Ownership: which team an alert belongs to follows from its labels.

use std::sync::Arc;

use firebell_model::{Labels, Matcher};

use crate::people::{Directory, Service, TeamId};

/// Alerts with these labels belong to a team.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnerRule {
    /// All have to match.
    pub matchers: Vec<Matcher>,
    /// Whose they are.
    pub team: TeamId,
    /// The policy by which these are paged; that of the team when it is not said.
    pub escalation: Option<Arc<str>>,
}

/// Who owns what: the first rule that matches, else the team that the label `team` names, else the
/// one that owns the service that the label `service` names, else the one that owns the flow that the
/// label `flow` names, else the team that owns the rest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ownership {
    /// In order; the first that matches decides.
    pub rules: Vec<OwnerRule>,
    /// Who owns what nothing else says.
    pub rest: Option<TeamId>,
}

/// Why an alert belongs to a team.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OwnedBy {
    /// The rule of this index matches.
    Rule(usize),
    /// Its label `team` names it.
    TeamLabel,
    /// Its label `service` names a service of it.
    ServiceLabel,
    /// Its label `flow` names a flow of it.
    FlowLabel,
    /// It owns the rest.
    Rest,
}

/// The label that names a team.
pub const TEAM_LABEL: &str = "team";
/// The label that names a service.
pub const SERVICE_LABEL: &str = "service";
/// The label that names a flow: what users do, such as to pay.
pub const FLOW_LABEL: &str = "flow";

impl Ownership {
    /// Whose an alert is, and why.
    #[must_use]
    pub fn owner(&self, labels: &Labels, directory: &Directory) -> Option<(TeamId, OwnedBy)> {
        let matches = |rule: &OwnerRule| rule.matchers.iter().all(|it| it.matches(labels));
        if let Some(idx) = self.rules.iter().position(matches) {
            return Some((self.rules[idx].team, OwnedBy::Rule(idx)));
        }
        let by_team = directory.find_team(labels.value(TEAM_LABEL));
        let named = |all: &[Service], label| {
            let name = labels.value(label);
            all.iter().find(|it| *it.name == *name).map(|it| it.team)
        };
        let by_service = || named(&directory.services, SERVICE_LABEL);
        let by_flow = || named(&directory.flows, FLOW_LABEL);
        by_team
            .map(|team| (team, OwnedBy::TeamLabel))
            .or_else(|| by_service().map(|team| (team, OwnedBy::ServiceLabel)))
            .or_else(|| by_flow().map(|team| (team, OwnedBy::FlowLabel)))
            .or_else(|| self.rest.map(|team| (team, OwnedBy::Rest)))
    }

    /// The conditions on labels that give alerts an owner, each a list of which all have to hold:
    /// alerts that satisfy none of them have no owner.
    #[must_use]
    pub fn conditions(&self, directory: &Directory) -> Vec<Vec<Matcher>> {
        let teams = directory.teams.iter().map(|it| &*it.name);
        let services = directory
            .services
            .iter()
            .map(|it| (SERVICE_LABEL, &*it.name));
        let flows = directory.flows.iter().map(|it| (FLOW_LABEL, &*it.name));
        let rules = self.rules.iter().map(|it| it.matchers.clone());
        let rest = self.rest.map(|_| Vec::new());
        let teams = teams.map(|name| vec![Matcher::equal(TEAM_LABEL, name)]);
        let named = services.chain(flows);
        let named = named.map(|(label, name)| vec![Matcher::equal(label, name)]);
        rules.chain(teams).chain(named).chain(rest).collect()
    }
}
