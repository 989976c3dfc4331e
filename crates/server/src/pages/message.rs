//! What people are told of pages: a notification whose alerts are pages, with links that answer.

use std::collections::BTreeMap;

use firebell_config::Replies;
use firebell_engine::{HandOffBrief, PageBrief, PageMessage, PageRecipient, PageWhy};
use firebell_incident::IncidentId;
use firebell_model::{
    ALERT_NAME, Alert, Labels, Notification, NotificationReason, Secret, Timestamp,
};

use firebell_oncall::{Contact, Person};

use super::links::{LinkAct, Links};

/// A message, and what of it nobody but its reader may see.
pub(super) struct Told {
    /// What is told.
    pub notification: Notification,
    /// Where the person is reached, and what signs their links.
    pub hidden: Vec<Secret>,
}

/// Writes a message; `url` is where people reach this Firebell.
pub(super) fn write(
    now: Timestamp,
    message: &PageMessage,
    links: &Links,
    (url, replies): (&str, &Replies),
) -> Told {
    let mut hidden = Vec::new();
    let (receiver, group_labels) = match &message.to {
        PageRecipient::Person { name, contact } => {
            hidden.push(Secret::new(&*contact.address));
            let labels = Labels::from_pairs([
                ("person", &**name),
                ("by", contact.kind.name()),
                ("to", &contact.address),
                ("why", why(&message.why)),
            ]);
            (name, labels)
        }
        PageRecipient::Channel(name) => (name, Labels::from_pairs([("why", why(&message.why))])),
    };
    let mut alert = |brief: &PageBrief| {
        let mut annotations = facts(brief, url);
        if let PageRecipient::Person { name, contact } = &message.to {
            if replies.have_buttons(contact.kind) {
                let reply = format!("{}.{}", brief.key.0, brief.run);
                annotations.push(("reply".to_owned(), reply));
            }
            for (act, field) in LINKS {
                let link = links.make(now, (brief.key, brief.run), name, act);
                let text = format!("{url}{PATH}/{}", link.reveal());
                annotations.push((field.to_owned(), text));
                hidden.push(link);
            }
        }
        page(now, brief, annotations, url)
    };
    let alerts: Vec<Alert> = match &message.why {
        PageWhy::HandOff(brief) => vec![hand_off(now, brief, &message.pages, url)],
        _ => message.pages.iter().map(&mut alert).collect(),
    };
    let keys = message.pages.iter().map(|it| id(it).to_string());
    let notification = Notification {
        at: now,
        receiver: receiver.to_string(),
        group_key: format!("page:{receiver}:{}", keys.collect::<Vec<_>>().join(",")),
        group_labels,
        route_labels: Labels::default(),
        reason: match message.why {
            PageWhy::Remind => NotificationReason::Repeat,
            PageWhy::Page | PageWhy::Tell | PageWhy::HandOff(_) => NotificationReason::First,
        },
        alerts,
        measured: BTreeMap::new(),
    };
    Told {
        notification,
        hidden,
    }
}

/// A message that asks a person to confirm that it reaches them; `link` is where they do.
pub(super) fn test(
    now: Timestamp,
    (person, contact): (&Person, &Contact),
    link: Secret,
    url: &str,
) -> Told {
    let confirm = format!("{url}{CONTACT_PATH}/{}", link.reveal());
    let said = "Please confirm that this reaches you";
    let description = format!(
        "Firebell pages {} by {}: open the link and press the button. Until then it is used all the \
         same.",
        person.full_name,
        contact.kind.name(),
    );
    let alert = Alert {
        labels: Labels::from_pairs([(ALERT_NAME, said), ("severity", "test")]),
        annotations: Labels::from_pairs([
            ("summary", said),
            ("description", &description),
            ("confirm", &confirm),
        ]),
        starts_at: now,
        ends_at: None,
        generator_url: confirm.clone(),
        updated_at: now,
        is_timeout: false,
    };
    let group_labels = Labels::from_pairs([
        ("person", &*person.name),
        ("by", contact.kind.name()),
        ("to", &contact.address),
        ("why", "test"),
    ]);
    Told {
        notification: Notification {
            at: now,
            receiver: person.name.to_string(),
            group_key: format!("contact:{}:{}", person.name, contact.kind.name()),
            group_labels,
            route_labels: Labels::default(),
            reason: NotificationReason::First,
            alerts: vec![alert],
            measured: BTreeMap::new(),
        },
        hidden: vec![Secret::new(&*contact.address), link],
    }
}

fn page(now: Timestamp, brief: &PageBrief, annotations: Vec<(String, String)>, url: &str) -> Alert {
    let severity = brief.severity.to_string();
    let id = id(brief).to_string();
    let service = brief.service.as_deref();
    let mut labels = vec![
        (ALERT_NAME, without_service(&brief.title, service)),
        ("severity", &severity),
        ("incident", &id),
    ];
    labels.extend(service.map(|it| ("service", it)));
    Alert {
        labels: Labels::from_pairs(labels),
        annotations: Labels::from_pairs(annotations),
        starts_at: brief.opened_at,
        ends_at: None,
        generator_url: incident_url(brief, url),
        updated_at: now,
        is_timeout: false,
    }
}

/// Shifts that begin and end, and what is open; nothing to press: whoever reads it may not be meant.
fn hand_off(now: Timestamp, brief: &HandOffBrief, open: &[PageBrief], url: &str) -> Alert {
    let named = open.iter().map(|it| {
        let (id, severity) = (id(it), it.severity);
        format!("{id} {severity} {}", it.title)
    });
    let named = named.collect::<Vec<_>>().join("; ");
    let description = match brief.n_open.saturating_sub(open.len()) {
        _ if open.is_empty() => "nothing is open".to_owned(),
        0 => format!("open: {named}"),
        n_more => format!("open: {named}; and {n_more} more"),
    };
    let said = brief.to_string();
    let page = format!("{url}/#/incidents");
    let labels = [(ALERT_NAME, said.as_str()), ("severity", "hand-over")];
    let annotations = [
        ("summary", said.as_str()),
        ("description", &description),
        ("incident", &page),
    ];
    Alert {
        labels: Labels::from_pairs(labels),
        annotations: Labels::from_pairs(annotations),
        starts_at: now,
        ends_at: None,
        generator_url: page.clone(),
        updated_at: now,
        is_timeout: false,
    }
}

/// A title without the service behind it, which texts add themselves: an incident that opened by
/// itself is called `Down (pay)`.
pub(crate) fn without_service<'t>(title: &'t str, service: Option<&str>) -> &'t str {
    let suffix = service.map(|it| format!(" ({it})"));
    let stripped = suffix.and_then(|it| title.strip_suffix(it.as_str()));
    stripped.filter(|it| !it.is_empty()).unwrap_or(title)
}

fn facts(brief: &PageBrief, url: &str) -> Vec<(String, String)> {
    let opened = brief.opened_at.to_jiff().strftime("%H:%M UTC");
    let mut description = format!("open since {opened}");
    match brief.budget {
        Some(left) if left.0 > 0 => {
            // Hundredths of a percent.
            let percent = f64::from(left.0) / 100.0;
            description.push_str(&format!(", {percent}% of the error budget is left"));
        }
        Some(_) => description.push_str(", the error budget is gone"),
        None => {}
    }
    if brief.n_firing > 0 {
        let n_more = brief.n_firing.saturating_sub(brief.firing.len());
        let named = brief.firing.join("; ");
        description.push_str(&format!(", fires: {named}"));
        if n_more > 0 {
            description.push_str(&format!("; and {n_more} more"));
        }
    }
    vec![
        ("summary".to_owned(), brief.title.clone()),
        ("description".to_owned(), description),
        ("incident".to_owned(), incident_url(brief, url)),
    ]
}

fn why(why: &PageWhy) -> &'static str {
    match why {
        PageWhy::Page => "page",
        PageWhy::Remind => "remind",
        PageWhy::Tell => "tell",
        PageWhy::HandOff(_) => "hand-over",
    }
}

fn id(brief: &PageBrief) -> IncidentId {
    IncidentId(brief.key.0)
}

fn incident_url(brief: &PageBrief, url: &str) -> String {
    format!("{url}/#/incidents/{}", id(brief))
}

/// Which annotation has which link, as the built-in texts of pages read them.
const LINKS: [(LinkAct, &str); 4] = [
    (LinkAct::Acknowledge, "acknowledge"),
    (LinkAct::Resolve, "resolve"),
    (LinkAct::Snooze, "snooze"),
    (LinkAct::HandOver, "hand_over"),
];
/// Where links lead, below the external URL.
pub(crate) const PATH: &str = "/a";
/// Where links that confirm contacts lead.
pub(crate) const CONTACT_PATH: &str = "/c";

#[cfg(test)]
mod tests {
    use firebell_escalation::{BudgetLeft, PageKey, Severity};

    use super::*;

    #[test]
    fn a_page_says_what_is_left_of_the_error_budget() {
        let mut brief = PageBrief {
            key: PageKey(4),
            title: "Down (pay)".to_owned(),
            severity: Severity::new(1).unwrap(),
            service: Some("pay".to_owned()),
            budget: None,
            opened_at: Timestamp(1_790_000_000_000),
            policy: "all".into(),
            run: 1,
            step: 1,
            round: 1,
            firing: vec!["Down{}".to_owned()],
            n_firing: 1,
        };
        for (left, expected) in [
            (None, ""),
            (Some(833), ", 8.33% of the error budget is left"),
            (Some(10_000), ", 100% of the error budget is left"),
            (Some(0), ", the error budget is gone"),
            (Some(-1_200), ", the error budget is gone"),
        ] {
            brief.budget = left.map(BudgetLeft);
            let facts = facts(&brief, "https://fb.example");
            let expected = format!("open since 14:13 UTC{expected}, fires: Down{{}}");
            assert_eq!(facts[1], ("description".to_owned(), expected));
        }
    }
}
