//! `paging` of firebell.yml: what a page becomes for a person, and which receivers carry it.
//!
//! ```yaml
//! paging:
//!   via: {phone: calls, email: mail}
//!   ana:
//!     urgent: [{by: ntfy}, {after: 3m, by: phone}]
//!     others: [{by: email}]
//!     quiet: "22:00-07:00"
//!     limits: [{by: phone, at_most: 3, within: 15m}]
//! ```

use std::collections::BTreeMap;

use firebell_escalation::{HandOffNotices, Limit, PagingRules, PersonRules, Way, Window};
use firebell_model::{Duration, Secret};
use firebell_notify::{Aim, HttpConfig, Integration, SecretText, WebhookConfig};
use firebell_oncall::{Contact, ContactKind, Oncall, Person};

use crate::alertmanager::{IntegrationKey, Notifications};
use crate::fields::{Doc, Fields};
use crate::problem::did_you_mean;
use crate::yaml::{Entry, Value};

/// What tells people of their pages: for each kind of contact the account by which it is reached.
#[derive(Clone, Debug, Default)]
pub struct PagingWays(BTreeMap<ContactKind, Integration>);

impl PagingWays {
    /// The integration by which a contact is told, and which shows nothing of `hidden`; `None` when
    /// nothing reaches it.
    #[must_use]
    pub fn to(&self, contact: &Contact, hidden: Vec<Secret>) -> Option<Integration> {
        let integration = self.0.get(&contact.kind)?;
        integration.aimed(&aim(contact.kind, &contact.address), hidden)
    }

    /// The kinds of contact that are reached, and by which kind of integration.
    pub fn iter(&self) -> impl Iterator<Item = (ContactKind, &'static str)> {
        self.0.iter().map(|(kind, it)| (*kind, it.kind()))
    }

    /// What `via` names; of other kinds the first account among all receivers, by name.
    pub(crate) fn read(parent: &Fields<'_, '_>, notifications: Option<&Notifications>) -> Self {
        let none = BTreeMap::new();
        let all = notifications.map_or(&none, |it| &it.integrations);
        let mut ways = BTreeMap::new();
        for (_, kind) in ContactKind::ALL {
            // These pass everything on to whoever listens there, which has to be meant.
            let is_meant = |key: &IntegrationKey| !["exec", "webhook"].contains(&key.1.as_str());
            let mut fitting = all
                .iter()
                .filter(|(key, it)| is_meant(key) && reaches(it, kind));
            if let Some((_, found)) = fitting.next() {
                ways.insert(kind, found.clone());
            }
        }
        if let Ok(unused) = SecretText::compile("") {
            let posts = Integration::new(WebhookConfig::new(unused), true, HttpConfig::default());
            ways.insert(ContactKind::Webhook, posts);
        }
        let via = parent.get("paging").and_then(|node| match &node.value {
            Value::Map(entries) => entries.iter().find(|it| it.key == VIA),
            _ => None,
        });
        let named = via.map_or_else(Vec::new, |it| parent.doc.text_map(&it.value, VIA));
        for (entry, receiver) in named {
            match named_way(entry, &receiver, all) {
                Ok((kind, integration)) => {
                    ways.insert(kind, integration);
                }
                Err((message, hint)) => parent.doc.problem(entry.at, message, hint),
            }
        }
        Self(ways)
    }
}

/// The account of a receiver that reaches a kind of contact; else what is wrong and what may help.
fn named_way(
    entry: &Entry,
    receiver: &str,
    all: &BTreeMap<IntegrationKey, Integration>,
) -> Result<(ContactKind, Integration), (String, Option<String>)> {
    let kind = parse_kind(&entry.key).map_err(|message| (message, None))?;
    let mut of_receiver = all.iter().filter(|((name, ..), _)| name == receiver);
    if of_receiver.clone().next().is_none() {
        let names = all.keys().map(|(name, ..)| name.as_str());
        let hint = did_you_mean(receiver, names);
        let message = format!("there is no receiver `{receiver}` that tells anybody");
        return Err((message, hint));
    }
    let found = of_receiver.find(|(_, it)| reaches(it, kind));
    found.map(|(_, it)| (kind, it.clone())).ok_or_else(|| {
        let message = format!(
            "the receiver `{receiver}` cannot reach anybody by `{}`",
            kind.name()
        );
        (message, Some(senders_of(kind).to_owned()))
    })
}

/// What a receiver needs to reach a kind of contact.
pub(crate) fn senders_of(kind: ContactKind) -> &'static str {
    match kind {
        ContactKind::Email => "a receiver with `email_configs` can",
        ContactKind::Sms => "a receiver with `twilio_configs` or `sns_configs` can",
        ContactKind::Phone => "a receiver with `twilio_configs` can",
        ContactKind::Slack => "a receiver with `slack_configs` of an app (`app_token`) can",
        ContactKind::Telegram => {
            "a receiver with `telegram_configs` can, where the address is the number of a chat"
        }
        ContactKind::Ntfy => "a receiver with `ntfy_configs` can",
        ContactKind::Pushover => "a receiver with `pushover_configs` can",
        ContactKind::Webhook => "no receiver is needed for it",
    }
}

fn reaches(integration: &Integration, kind: ContactKind) -> bool {
    // Such an address is right for every kind.
    let somewhere = aim(kind, "1");
    integration.aimed(&somewhere, Vec::new()).is_some()
}

fn aim(kind: ContactKind, address: &str) -> Aim<'_> {
    Aim {
        by: kind.name(),
        address,
    }
}

/// The key of the section that is no person.
const VIA: &str = "via";

/// Reads the section.
pub(crate) fn read(parent: &Fields<'_, '_>, oncall: &Oncall) -> PagingRules {
    let doc = parent.doc;
    let entries: &[Entry] = match parent.get("paging").map(|node| (node, &node.value)) {
        None => &[],
        Some((_, Value::Map(entries))) => entries,
        Some((node, _)) => {
            doc.wrong_kind(node, "paging", "a map of people");
            &[]
        }
    };
    let people = entries.iter().filter(|it| it.key != VIA);
    let read = people.filter_map(|entry| {
        let Some(id) = oncall.directory.find_person(&entry.key) else {
            let names = oncall.directory.people.iter().map(|it| &*it.name);
            let hint = did_you_mean(&entry.key, names);
            let message = format!("there is nobody called `{}`", entry.key);
            doc.problem(entry.at, message, hint);
            return None;
        };
        let person = oncall.directory.person(id);
        Some((entry.key.as_str().into(), rules(doc, entry, person)))
    });
    read.collect()
}

fn rules(doc: &Doc<'_>, entry: &Entry, person: &Person) -> PersonRules {
    let default = PersonRules::default();
    let fields = doc.fields(&entry.value, "a person's rules");
    let zone = person.zone.iana_name().unwrap_or("UTC");
    let limits = fields.get("limits").map(|_| {
        let limits = fields.list("limits").iter();
        let limits = limits.filter_map(|node| limit(doc.fields(node, "a limit")));
        limits.collect()
    });
    let hand_offs = fields.parsed("hand_offs", |text| match text {
        "open" => Ok(HandOffNotices::Open),
        "always" => Ok(HandOffNotices::Always),
        "none" => Ok(HandOffNotices::None),
        _ => Err(format!("`{text}` is none of `open`, `always`, `none`")),
    });
    let read = PersonRules {
        urgent: ways(&fields, "urgent", person),
        others: ways(&fields, "others", person),
        quiet: fields.parsed("quiet", |text| Window::new(text, zone)),
        limits: limits.unwrap_or(default.limits),
        bundle: fields.duration("bundle").unwrap_or(default.bundle),
        hand_offs: hand_offs.unwrap_or(default.hand_offs),
    };
    fields.finish();
    read
}

fn ways(fields: &Fields<'_, '_>, name: &'static str, person: &Person) -> Vec<Way> {
    let ways = fields.list(name).iter().filter_map(|node| {
        let way = fields.doc.fields(node, "a way");
        let after = way.duration("after").unwrap_or(Duration::ZERO);
        let kind = kind(&way);
        way.finish();
        let kind = kind?;
        if !person.contacts.iter().any(|it| it.kind == kind) {
            let message = format!("`{}` has no `{}`", person.name, kind.name());
            let hint = "contacts stand in `people`".to_owned();
            fields.doc.problem(node.at, message, Some(hint));
        }
        Some(Way { after, kind })
    });
    ways.collect()
}

fn kind(fields: &Fields<'_, '_>) -> Option<ContactKind> {
    if fields.get("by").is_none() {
        fields.missing("by");
    }
    fields.parsed("by", parse_kind)
}

fn parse_kind(text: &str) -> Result<ContactKind, String> {
    let mut all = ContactKind::ALL.iter();
    let found = all.find(|(name, _)| *name == text);
    let failed = || format!("`{text}` is no kind of contact such as `email` or `phone`");
    found.map(|(_, kind)| *kind).ok_or_else(failed)
}

fn limit(fields: Fields<'_, '_>) -> Option<Limit> {
    let kind = kind(&fields);
    for name in ["at_most", "within"] {
        if fields.get(name).is_none() {
            fields.missing(name);
        }
    }
    let n = fields.parsed("at_most", |text| match text.parse::<usize>() {
        Ok(n @ 1..=Limit::N_MAX) => Ok(n),
        _ => Err(format!("`{text}` is no number from 1 to {}", Limit::N_MAX)),
    });
    let within = fields.duration("within");
    fields.finish();
    Some(Limit {
        kind: kind?,
        n: n?,
        within: within?,
    })
}
