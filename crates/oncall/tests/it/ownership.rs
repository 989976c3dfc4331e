//! Whose an alert is.

use firebell_model::{Labels, parse_matchers};
use firebell_oncall::{Directory, OwnerRule, Ownership, Service, Team, TeamId};

fn written() -> (Ownership, Directory) {
    let team = |name: &str| Team {
        name: name.into(),
        members: Vec::new(),
        schedule: None,
        escalation: None,
    };
    let directory = Directory {
        people: Vec::new(),
        teams: vec![team("payments"), team("shop"), team("platform")],
        services: vec![Service {
            name: "cart".into(),
            team: TeamId(1),
        }],
        flows: vec![Service {
            name: "pay".into(),
            team: TeamId(2),
        }],
    };
    let matchers = parse_matchers(r#"{job=~"node.*",env!="dev"}"#).expect("matchers");
    let rules = vec![OwnerRule {
        matchers,
        team: TeamId(2),
        escalation: None,
    }];
    (Ownership { rules, rest: None }, directory)
}

#[test]
fn a_rule_decides_first_then_the_team_then_the_service_then_who_owns_the_rest() {
    let (mut ownership, directory) = written();
    for (labels, expected, with_rest) in [
        (
            &[("job", "node_exporter"), ("team", "shop")][..],
            Some(2),
            Some(2),
        ),
        (
            &[("job", "node"), ("env", "dev"), ("team", "payments")],
            Some(0),
            Some(0),
        ),
        (&[("service", "cart")], Some(1), Some(1)),
        (
            &[("service", "unknown"), ("team", "unknown")],
            None,
            Some(0),
        ),
        (&[("service", "unknown"), ("flow", "pay")], Some(2), Some(2)),
        (&[("service", "cart"), ("flow", "pay")], Some(1), Some(1)),
        (&[], None, Some(0)),
    ] {
        let labels = Labels::from_pairs(labels.iter().copied());
        ownership.rest = None;
        let owner = ownership.owner(&labels, &directory).map(|(team, _)| team.0);
        assert_eq!(owner, expected, "{labels}");
        ownership.rest = Some(TeamId(0));
        let owner = ownership.owner(&labels, &directory).map(|(team, _)| team.0);
        assert_eq!(owner, with_rest, "{labels}");
    }
}

#[test]
fn the_conditions_of_ownership_hold_for_the_alerts_that_have_an_owner() {
    let (mut ownership, directory) = written();
    for rest in [None, Some(TeamId(0))] {
        ownership.rest = rest;
        let conditions = ownership.conditions(&directory);
        for labels in [
            &[("job", "node"), ("env", "prod")][..],
            &[("job", "node"), ("env", "dev")],
            &[("team", "shop")],
            &[("team", "nobody")],
            &[("service", "cart")],
            &[],
        ] {
            let labels = Labels::from_pairs(labels.iter().copied());
            let holds = conditions
                .iter()
                .any(|all| all.iter().all(|it| it.matches(&labels)));
            assert_eq!(
                ownership.owner(&labels, &directory).is_some(),
                holds,
                "{labels}"
            );
        }
    }
}
