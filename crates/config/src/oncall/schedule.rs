//! A schedule: layers, and what is put over them.

use std::sync::Arc;

use firebell_oncall::Schedule;
use jiff::tz::TimeZone;

use super::Reader;
use super::changes;
use super::layer::{self, Place};
use super::parts::zone;
use crate::fields::Doc;
use crate::yaml::Entry;

/// More layers, overrides or shadows of one schedule are refused.
pub(super) const PARTS_MAX: usize = 1000;

/// A schedule of which only the name is known.
pub(super) fn empty(name: &str) -> Schedule {
    Schedule {
        name: name.into(),
        zone: TimeZone::UTC,
        layers: Vec::new(),
        temporary: Vec::new(),
        overrides: Vec::new(),
        n_under_temporary: 0,
        shadows: Vec::new(),
        may_have_gaps: false,
    }
}

pub(super) fn read(reader: &Reader, doc: &Doc<'_>, entry: &Entry) -> Schedule {
    let fields = doc.fields(&entry.value, "a schedule");
    let mut schedule = empty(&entry.key);
    schedule.zone = zone(&fields).unwrap_or(TimeZone::UTC);
    let gaps = fields.parsed("gaps", |text| match text {
        "allowed" => Ok(true),
        "reported" => Ok(false),
        _ => Err(format!("`{text}` is neither `allowed` nor `reported`")),
    });
    schedule.may_have_gaps = gaps.unwrap_or(false);
    let place = Place {
        zone: &schedule.zone,
        start: None,
    };
    // A schedule of one layer may say it in place.
    if fields.get("people").is_some() || fields.get("by_weekday").is_some() {
        let layer = layer::of_fields(reader, &fields, &place, Arc::clone(&schedule.name));
        schedule.layers.extend(layer);
    }
    for (idx, node) in fields.list("layers").iter().enumerate() {
        let name = format!("{} {}", schedule.name, idx + 1).into();
        schedule
            .layers
            .extend(layer::read(reader, doc, node, &place, name));
    }
    if fields.get("people").is_some() && fields.get("layers").is_some() {
        let message = "a schedule has `people` of its own or `layers`, not both";
        doc.problem(
            fields.at("people"),
            message,
            Some("make the former a layer".to_owned()),
        );
    }
    let has_rotation = ["people", "by_weekday", "layers"]
        .iter()
        .any(|it| fields.get(it).is_some());
    if !has_rotation {
        let message = format!(
            "the schedule `{}` has neither `layers` nor `people`",
            entry.key
        );
        doc.problem(
            entry.at,
            message,
            Some("nobody would ever be on call".to_owned()),
        );
    }
    schedule.overrides = changes::overrides(reader, &fields, &schedule.zone);
    schedule.temporary = changes::temporary(reader, &fields, &schedule.zone);
    schedule.shadows = changes::shadows(reader, &fields, &schedule.zone);
    fields.finish();
    schedule
}
