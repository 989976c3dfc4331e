//! Pages as JSON: `Page` of `docs/openapi.json`.

use firebell_engine::Engine;
use firebell_escalation::{BudgetLeft, End, Next, NextWhat, Page, Phase, Send, SendState, Wait};
use firebell_incident::IncidentId;
use firebell_oncall::Oncall;
use serde_json::{Value, json};

/// All of one.
pub(in crate::http) fn page(page: &Page, engine: &Engine, oncall: &Oncall) -> Value {
    let incident = engine.incidents().get(IncidentId(page.key.0));
    let service = incident.map(|it| it.key.value("service"));
    let acknowledged = page.acknowledgement.as_ref();
    let snoozed_until = page.next_at.filter(|_| page.wait == Some(Wait::Snooze));
    json!({
        "id": super::id(page.key),
        "title": incident.map(|it| &it.title),
        "severity": page.severity.to_string(),
        "service": service,
        "budgetLeft": page.budget.map(BudgetLeft::share),
        "openedAt": incident.map(|it| it.opened_at.to_string()),
        "isOpen": page.is_open(),
        "state": state(page),
        "policy": page.policy,
        "run": page.run,
        "round": page.round.saturating_add(1),
        "step": page.step,
        "acknowledged": acknowledged.map(|it| json!({
            "by": it.by,
            "at": it.at.to_string(),
            "remindAt": it.remind_at.map(|it| it.to_string()),
            "endsAt": it.ends_at.map(|it| it.to_string()),
        })),
        "snoozedUntil": snoozed_until.map(|it| it.to_string()),
        "next": engine.escalation().next(page, oncall).map(|it| next(&it)),
        "messages": page.sends.iter().map(message).collect::<Vec<_>>(),
        "asked": page.asked,
        "answered": page.answered,
    })
}

fn next(next: &Next) -> Value {
    let (what, who) = match &next.what {
        NextWhat::Tell(who) => ("tell", who.iter().map(|it| &**it).collect::<Vec<_>>()),
        NextWhat::HandOver(to) => ("hand_over", vec![&**to]),
        NextWhat::Hours => ("hours", Vec::new()),
        NextWhat::Anew => ("anew", Vec::new()),
        NextWhat::RoundEnds => ("round_ends", Vec::new()),
    };
    json!({ "at": next.at.to_string(), "what": what, "who": who })
}

fn message(send: &Send) -> Value {
    json!({
        "person": send.person,
        "by": send.method.kind.name(),
        "at": send.at.to_string(),
        "state": match send.state {
            SendState::Planned => "planned",
            SendState::Sent(_) => "sent",
            SendState::Delivered => "delivered",
            SendState::Failed => "failed",
        },
    })
}

/// Where a page is, in a word.
pub(in crate::http) fn state(page: &Page) -> &'static str {
    match page.phase {
        Phase::Waiting if page.wait == Some(Wait::Snooze) => "snoozed",
        Phase::Waiting => "waiting",
        Phase::Notifying => "notifying",
        Phase::AwaitingAcknowledgement => "awaiting_acknowledgement",
        Phase::Done(End::Acknowledged) => "acknowledged",
        Phase::Done(End::Resolved) => "resolved",
        Phase::Done(End::Exhausted) => "exhausted",
        Phase::Done(End::HandedOff) => "handed_off",
        Phase::Done(End::Cancelled) => "cancelled",
        Phase::Done(End::Failed) => "failed",
    }
}
