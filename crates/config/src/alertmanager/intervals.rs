//! `time_intervals`: when routes are mute or active.
//!
//! *Sources*: Alertmanager, `config/config.go` and `timeinterval/timeinterval.go`; error texts are
//! upstream's.

use std::sync::Arc;

use firebell_dispatch::{ParseTimeError, Span, TimeInterval, TimeOfDay, TimeSpec, zone};

use super::Part;
use crate::fields::{Doc, Fields};
use crate::yaml::Node;

/// Sections, and what upstream calls their items.
const SECTIONS: [(&str, &str); 2] = [
    ("mute_time_intervals", "mute time interval"),
    ("time_intervals", "time interval"),
];

/// Reads both sections of every file, each interval with the number of its file; the first section
/// is upstream's older name for the second.
pub(super) fn read(parts: &[Part<'_>]) -> Vec<(usize, Arc<TimeInterval>)> {
    let mut intervals: Vec<(usize, Arc<TimeInterval>)> = Vec::new();
    for (idx, part) in parts.iter().enumerate() {
        for (section, kind) in SECTIONS {
            for node in part.fields.list(section) {
                let doc = part.fields.doc;
                let interval = interval(doc, node, kind);
                let is_known = |(_, known): &(_, Arc<TimeInterval>)| known.name == interval.name;
                if interval.name.is_empty() {
                    doc.problem(node.at, format!("missing name in {kind}"), None);
                } else if let Some((owner, _)) = intervals.iter().find(|it| is_known(it)) {
                    let message = format!("{kind} {:?} is not unique", interval.name);
                    let other = parts.get(*owner).filter(|_| *owner != idx);
                    let hint =
                        other.map(|part| format!("the other is in {}", part.fields.doc.file));
                    doc.problem(node.at, message, hint);
                }
                intervals.push((idx, Arc::new(interval)));
            }
        }
    }
    intervals
}

fn interval(doc: &Doc<'_>, node: &Node, kind: &'static str) -> TimeInterval {
    let fields = doc.fields(node, kind);
    let name = fields.text("name").unwrap_or_default().into();
    let parts = fields.list("time_intervals").iter();
    let parts = parts.map(|node| spec(doc, node)).collect();
    fields.finish();
    TimeInterval { name, parts }
}

fn spec(doc: &Doc<'_>, node: &Node) -> TimeSpec {
    let fields = doc.fields(node, "a part of a time interval");
    let times = fields.get("times").map(|node| {
        let items = doc.items(node, "times").iter();
        items.filter_map(|node| time_of_day(doc, node)).collect()
    });
    let spec = TimeSpec {
        times,
        weekdays: spans(&fields, "weekdays", Span::weekdays),
        days_of_month: spans(&fields, "days_of_month", Span::days_of_month),
        months: spans(&fields, "months", Span::months),
        years: spans(&fields, "years", Span::years),
        zone: fields.get("location").and_then(|node| {
            let name = doc.text(node, "location")?;
            zone(&name)
                .map_err(|error| doc.problem(node.at, error.to_string(), None))
                .ok()
        }),
    };
    fields.finish();
    spec
}

fn time_of_day(doc: &Doc<'_>, node: &Node) -> Option<TimeOfDay> {
    let fields = doc.fields(node, "a range of times");
    let text = |name| fields.text(name).unwrap_or_default();
    let time = TimeOfDay::parse(&text("start_time"), &text("end_time"));
    fields.finish();
    time.map_err(|error| doc.problem(node.at, error.to_string(), None))
        .ok()
}

fn spans(
    fields: &Fields<'_, '_>,
    name: &'static str,
    read: fn(&str) -> Result<Span, ParseTimeError>,
) -> Option<Vec<Span>> {
    let doc = fields.doc;
    let span = |node: &Node| {
        read(&doc.text(node, name)?)
            .map_err(|error| doc.problem(node.at, error.to_string(), None))
            .ok()
    };
    let node = fields.get(name)?;
    Some(doc.items(node, name).iter().filter_map(span).collect())
}
