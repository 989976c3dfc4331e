//! `paging` of firebell.yml: what a page becomes for a person.
//!
//! ```yaml
//! paging:
//!   ana:
//!     urgent: [{by: ntfy}, {after: 3m, by: phone}]
//!     others: [{by: email}]
//!     quiet: "22:00-07:00"
//!     limits: [{by: phone, at_most: 3, within: 15m}]
//! ```

use firebell_escalation::{Limit, PagingRules, PersonRules, Way, Window};
use firebell_model::Duration;
use firebell_oncall::{ContactKind, Oncall, Person};

use crate::fields::{Doc, Fields};
use crate::problem::did_you_mean;
use crate::yaml::{Entry, Value};

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
    let read = entries.iter().filter_map(|entry| {
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
    let read = PersonRules {
        urgent: ways(&fields, "urgent", person),
        others: ways(&fields, "others", person),
        quiet: fields.parsed("quiet", |text| Window::new(text, zone)),
        limits: limits.unwrap_or(default.limits),
        bundle: fields.duration("bundle").unwrap_or(default.bundle),
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
    fields.parsed("by", |text| {
        let mut all = ContactKind::ALL.iter();
        let found = all.find(|(name, _)| *name == text);
        let failed = || format!("`{text}` is no kind of contact such as `email` or `phone`");
        found.map(|(_, kind)| *kind).ok_or_else(failed)
    })
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
