//! Overrides and swaps, temporary schedules, shadows.

use std::sync::Arc;

use firebell_oncall::{Change, Override, Shadow, Span, Temporary};
use jiff::tz::TimeZone;

use super::Reader;
use super::layer::{self, Place};
use super::parts::{people, person, span};
use super::schedule::PARTS_MAX;
use crate::fields::{Doc, Fields};
use crate::yaml::Node;

/// `overrides`, then `swaps`: what two people agreed on is the last word.
pub(super) fn overrides(
    reader: &Reader,
    fields: &Fields<'_, '_>,
    zone: &TimeZone,
) -> Vec<Override> {
    let mut overrides = Vec::new();
    for node in limited(fields, "overrides") {
        let fields = fields.doc.fields(node, "an override");
        overrides.extend(override_of(reader, &fields, zone));
        fields.finish();
    }
    for node in limited(fields, "swaps") {
        let sides = fields.doc.entries(node, "swaps");
        let swap = swap(reader, fields.doc, (node, &sides), zone);
        overrides.extend(swap.into_iter().flatten());
    }
    overrides
}

/// One override; what else stands there is for others to read.
pub(super) fn override_of(
    reader: &Reader,
    fields: &Fields<'_, '_>,
    zone: &TimeZone,
) -> Option<Override> {
    let span = span(fields, zone);
    let change = change(reader, fields);
    let reason = reason(fields);
    let (span, change) = span.zip(change)?;
    Some(Override {
        span,
        change,
        reason,
    })
}

/// The items of a list, as far as there may be so many.
fn limited<'n>(fields: &Fields<'_, 'n>, name: &'static str) -> &'n [Node] {
    let items = fields.list(name);
    if items.len() > PARTS_MAX {
        let message = format!("`{name}` has more than {PARTS_MAX} entries");
        let hint = "those that are over may go".to_owned();
        fields.doc.problem(fields.at(name), message, Some(hint));
    }
    &items[..items.len().min(PARTS_MAX)]
}

fn reason(fields: &Fields<'_, '_>) -> Arc<str> {
    fields.text("reason").unwrap_or_default().into()
}

/// One of `take`, `replace` with `by`, `add` and `remove`.
fn change(reader: &Reader, fields: &Fields<'_, '_>) -> Option<Change> {
    const WAYS: [&str; 4] = ["take", "replace", "add", "remove"];
    let said: Vec<&str> = WAYS
        .iter()
        .copied()
        .filter(|it| fields.get(it).is_some())
        .collect();
    let (by, given_by) = (fields.get("by").is_some(), person(reader, fields, "by"));
    let take = fields
        .get("take")
        .map(|node| people(reader, fields.doc, node, "take"));
    let [replace, add, remove] =
        ["replace", "add", "remove"].map(|name| person(reader, fields, name));
    match said[..] {
        ["replace"] if !by => {
            fields.missing("by");
            None
        }
        ["replace"] => replace
            .zip(given_by)
            .map(|(who, by)| Change::Replace { who, by }),
        ["take"] => match take {
            Some(people) if people.is_empty() => {
                let message = "`take` needs somebody; who is to be taken off is named by `remove`";
                fields.doc.problem(fields.at("take"), message, None);
                None
            }
            take => take.map(Change::Take),
        },
        ["add"] => add.map(Change::Add),
        ["remove"] => remove.map(Change::Remove),
        _ => {
            let message = "an override says one of `take`, `replace`, `add` and `remove`";
            fields.doc.problem(fields.at, message, None);
            None
        }
    }
}

/// `{ana: {from, until}, ben: {from, until}}`: each has the other's shifts in these times.
pub(super) fn swap(
    reader: &Reader,
    doc: &Doc<'_>,
    (node, sides): (&Node, &[(&str, &Node)]),
    zone: &TimeZone,
) -> Option<[Override; 2]> {
    let [(a, a_node), (b, b_node)] = *sides else {
        let message = "a swap has two people, each with `from` and `until` of what they give away";
        doc.problem(node.at, message, None);
        return None;
    };
    let read = |name: &str, node: &Node| -> (Option<_>, Option<Span>, Arc<str>) {
        let who = reader.find_person(doc, node, name);
        let fields = doc.fields(node, "a side of a swap");
        let (span, reason) = (span(&fields, zone), reason(&fields));
        fields.finish();
        (who, span, reason)
    };
    let (a, a_span, a_reason) = read(a, a_node);
    let (b, b_span, b_reason) = read(b, b_node);
    let (a, b, a_span, b_span) = (a?, b?, a_span?, b_span?);
    if !a_span.within(b_span).is_empty() {
        let message = "the two times of a swap overlap: nobody could tell who has them";
        doc.problem(node.at, message, None);
        return None;
    }
    let stands_in = |span, who, by, reason| {
        let change = Change::Replace { who, by };
        Override {
            span,
            change,
            reason,
        }
    };
    Some([
        stands_in(a_span, a, b, a_reason),
        stands_in(b_span, b, a, b_reason),
    ])
}

pub(super) fn temporary(
    reader: &Reader,
    fields: &Fields<'_, '_>,
    zone: &TimeZone,
) -> Vec<Temporary> {
    let mut all = Vec::new();
    for node in limited(fields, "temporary") {
        let fields = fields.doc.fields(node, "a temporary schedule");
        all.extend(temporary_of(reader, &fields, zone));
        fields.finish();
    }
    all
}

/// One temporary schedule; what else stands there is for others to read.
pub(super) fn temporary_of(
    reader: &Reader,
    fields: &Fields<'_, '_>,
    zone: &TimeZone,
) -> Option<Temporary> {
    let span = span(fields, zone);
    let start = span.map(|span| zone.to_datetime(span.from.to_jiff()));
    let place = Place { zone, start };
    let mut layers = Vec::new();
    if fields.get("people").is_some() || fields.get("by_weekday").is_some() {
        let name = "temporary".into();
        layers.extend(layer::of_fields(reader, fields, &place, name));
    }
    for node in limited(fields, "layers") {
        let name = "temporary".into();
        layers.extend(layer::read(reader, fields.doc, node, &place, name));
    }
    let reason = reason(fields);
    Some(Temporary {
        span: span?,
        layers,
        reason,
    })
}

pub(super) fn shadows(reader: &Reader, fields: &Fields<'_, '_>, zone: &TimeZone) -> Vec<Shadow> {
    let mut shadows = Vec::new();
    for node in limited(fields, "shadows") {
        let fields = fields.doc.fields(node, "a shadow");
        let span = span(&fields, zone);
        if fields.get("who").is_none() {
            fields.missing("who");
        }
        let who = person(reader, &fields, "who");
        let of = person(reader, &fields, "of");
        fields.finish();
        shadows.extend(span.zip(who).map(|(span, who)| Shadow { span, who, of }));
    }
    shadows
}
