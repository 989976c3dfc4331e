//! What parts of `oncall` share: names of people, days, moments, zones.

use std::fmt::Display;
use std::sync::Arc;

use firebell_model::Timestamp;
use firebell_oncall::{PersonId, Span, parse_date, parse_moment};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Reader;
use crate::fields::{Doc, Fields};
use crate::yaml::{Node, Value};

/// The items of a list, or the one thing that is no list.
pub(super) fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        Value::Null => &[],
        Value::Scalar(_) | Value::Map(_) => std::slice::from_ref(node),
    }
}

/// One name or a list of them; `nobody` alone is nobody.
pub(super) fn people(reader: &Reader, doc: &Doc<'_>, node: &Node, name: &str) -> Arc<[PersonId]> {
    let mut people = Vec::new();
    let items = items(node);
    for item in items {
        let Some(text) = doc.text(item, name) else {
            continue;
        };
        if text == NOBODY && items.len() == 1 {
            break;
        }
        match reader.find_person(doc, item, &text) {
            Some(id) if people.contains(&id) => {
                doc.problem(item.at, format!("`{text}` is named twice"), None);
            }
            found => people.extend(found),
        }
    }
    people.into()
}

/// The name of a slot that is nobody's.
pub(super) const NOBODY: &str = "nobody";

/// A person that a field names.
pub(super) fn person(
    reader: &Reader,
    fields: &Fields<'_, '_>,
    name: &'static str,
) -> Option<PersonId> {
    let node = fields.get(name)?;
    let text = fields.doc.text(node, name)?;
    reader.find_person(fields.doc, node, &text)
}

/// A day.
pub(super) fn date(doc: &Doc<'_>, node: &Node, name: &str) -> Option<Date> {
    read(doc, node, name, parse_date)
}

/// A value of a list, read by `parse`.
pub(super) fn read<T, E: Display>(
    doc: &Doc<'_>,
    node: &Node,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let text = doc.text(node, name)?;
    match parse(&text) {
        Ok(value) => Some(value),
        Err(why) => {
            doc.problem(node.at, format!("`{name}`: {why}"), None);
            None
        }
    }
}

/// The field `zone`.
pub(super) fn zone(fields: &Fields<'_, '_>) -> Option<TimeZone> {
    fields.parsed("zone", firebell_dispatch::zone)
}

/// `from` and `until`, by the clock of a zone; both are needed.
pub(super) fn span(fields: &Fields<'_, '_>, zone: &TimeZone) -> Option<Span> {
    let moment = |name: &'static str| -> Option<Timestamp> {
        if fields.get(name).is_none() {
            fields.missing(name);
        }
        fields.parsed(name, |text| parse_moment(zone, text))
    };
    let (from, until) = (moment("from"), moment("until"));
    let span = Span::new(from?, until?);
    if span.is_empty() {
        let message = "`until` has to come after `from`";
        fields.doc.problem(fields.at("until"), message, None);
        return None;
    }
    Some(span)
}
