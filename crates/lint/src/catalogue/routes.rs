//! Alerts and the routes they take.

use crate::lint::{Lint, Severity};

pub(crate) const ALL: &[&Lint] = &[&ROOT_ONLY, &SEVERITY, &UNREACHABLE, &INHIBIT_NEVER];

pub(crate) const ROOT_ONLY: Lint = Lint {
    id: "routes/root",
    severity: Severity::Info,
    is_on: true,
    what: "an alert that no route but the root takes",
    why: "Nobody has said who is to be told; the default receiver is where alerts are overlooked.",
    mend: "Add a route for it, or the label that a route asks for.",
    bad: concat!(
        alert!("up == 0", "for: 5m", "labels: {severity: info}"),
        "#= alertmanager.yml\nroute:\n  receiver: a\n  routes:\n    - {receiver: b, matchers: [severity=page]}\nreceivers: [{name: a}, {name: b}]\n"
    ),
    good: concat!(
        alert!("up == 0", "for: 5m", "labels: {severity: page}"),
        "#= alertmanager.yml\nroute:\n  receiver: a\n  routes:\n    - {receiver: b, matchers: [severity=page]}\nreceivers: [{name: a}, {name: b}]\n"
    ),
};

pub(crate) const SEVERITY: Lint = Lint {
    id: "routes/severity",
    severity: Severity::Warning,
    is_on: true,
    what: "a severity that no route asks for, though routes ask for others",
    why: "It is most likely misspelt, and takes another way than was meant.",
    mend: "Use a severity that a route asks for, or add a route.",
    bad: concat!(
        alert!("up == 0", "for: 5m", "labels: {severity: paige}"),
        "#= alertmanager.yml\nroute:\n  receiver: a\n  routes:\n    - {receiver: b, matchers: [severity=page]}\nreceivers: [{name: a}, {name: b}]\n"
    ),
    good: concat!(
        alert!("up == 0", "for: 5m", "labels: {severity: page}"),
        "#= alertmanager.yml\nroute:\n  receiver: a\n  routes:\n    - {receiver: b, matchers: [severity=page]}\nreceivers: [{name: a}, {name: b}]\n"
    ),
};

pub(crate) const UNREACHABLE: Lint = Lint {
    id: "routes/unreachable",
    severity: Severity::Warning,
    is_on: true,
    what: "a route that no alert can reach",
    why: "What it was written for goes elsewhere.",
    mend: "Move it up, give the route before it `continue: true`, or correct its matchers.",
    bad: "#= alertmanager.yml\nroute:\n  receiver: a\n  routes:\n    - {matchers: [team=x]}\n    - {matchers: [team=x, severity=page]}\nreceivers: [{name: a}]\n",
    good: "#= alertmanager.yml\nroute:\n  receiver: a\n  routes:\n    - {matchers: [team=x, severity=page]}\n    - {matchers: [team=x]}\nreceivers: [{name: a}]\n",
};

pub(crate) const INHIBIT_NEVER: Lint = Lint {
    id: "routes/inhibit",
    severity: Severity::Warning,
    is_on: true,
    what: "an inhibition rule that mutes nothing, or too much",
    why: "One whose sides no alert matches does nothing; one without `equal` mutes the whole world for one alert.",
    mend: "Correct the matchers; name in `equal` what both alerts have to share.",
    bad: "#= alertmanager.yml\nroute: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules:\n  - {source_matchers: [severity=critical], target_matchers: [severity=warning]}\n",
    good: "#= alertmanager.yml\nroute: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules:\n  - {source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [service]}\n",
};
