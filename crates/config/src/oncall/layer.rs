//! A layer: whose turn it is when, in which hours.

use std::sync::Arc;

use firebell_oncall::{
    Counting, Every, HandOver, Hours, Layer, OnHolidays, PersonId, Rotation, WeekHours,
    parse_civil, parse_moment, parse_weekday,
};
use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;

use super::Reader;
use super::parts::{items, people, read as read_item, zone};
use crate::fields::{Doc, Fields};
use crate::problem::did_you_mean;
use crate::yaml::{Node, Value};

/// What holds for a layer unless it says otherwise.
pub(super) struct Place<'p> {
    /// Whose clock.
    pub(super) zone: &'p TimeZone,
    /// When its rotation starts.
    pub(super) start: Option<DateTime>,
}

type Slots = Vec<Arc<[PersonId]>>;

/// A layer in a list.
pub(super) fn read(
    reader: &Reader,
    doc: &Doc<'_>,
    node: &Node,
    place: &Place<'_>,
    name: Arc<str>,
) -> Option<Layer> {
    let fields = doc.fields(node, "a layer");
    let name = fields.text("name").map_or(name, Into::into);
    let own_zone = zone(&fields);
    let until_zone = own_zone.as_ref().unwrap_or(place.zone);
    let until = fields.parsed("until", |text| parse_moment(until_zone, text));
    let place = Place {
        zone: until_zone,
        start: place.start,
    };
    if fields.get("people").is_none() && fields.get("by_weekday").is_none() {
        fields.missing("people");
    }
    let layer = of_fields(reader, &fields, &place, name);
    fields.finish();
    layer.map(|layer| Layer { until, ..layer })
}

/// A layer whose fields stand among others.
pub(super) fn of_fields(
    reader: &Reader,
    fields: &Fields<'_, '_>,
    place: &Place<'_>,
    name: Arc<str>,
) -> Option<Layer> {
    let hours = hours(reader, fields);
    let counting = fields.parsed("count", |text| match text {
        "time" => Ok(Counting::Time),
        "covered" => Ok(Counting::Covered),
        _ => Err(format!(
            "`{text}` is neither `time` nor `covered` (hours only)"
        )),
    });
    let turns = turns(reader, fields, place)?;
    let rotation = Rotation::new(turns.start, &turns.every, counting.unwrap_or_default());
    match rotation {
        Ok(rotation) => Some(Layer {
            name,
            zone: place.zone.clone(),
            rotation,
            slots: turns.slots,
            hours,
            until: None,
        }),
        Err(why) => {
            fields
                .doc
                .problem(fields.at("every"), why.to_string(), None);
            None
        }
    }
}

/// Who follows whom, how fast, and since when.
struct Turns {
    start: DateTime,
    every: Every,
    slots: Slots,
}

fn turns(reader: &Reader, fields: &Fields<'_, '_>, place: &Place<'_>) -> Option<Turns> {
    let start = fields.parsed("start", parse_civil).or(place.start);
    let every = fields.parsed("every", str::parse::<Every>);
    let hand_overs = hand_overs(fields);
    if let Some(node) = fields.get("by_weekday") {
        if let Some(other) = ["people", "every", "count"]
            .into_iter()
            .find(|it| fields.get(it).is_some())
        {
            let message = format!("`by_weekday` says who is on call: `{other}` has no place here");
            fields.doc.problem(fields.at(other), message, None);
        }
        return by_weekday(reader, fields.doc, node, start, &hand_overs);
    }
    let slots = slots(reader, fields);
    // Whoever is alone has all turns, whenever they began.
    let is_alone = slots.len() <= 1;
    let start = match start {
        Some(start) => start,
        None if is_alone => DEFAULT_START,
        None => {
            let message = "a rotation needs `start`: without it nobody knows whose turn it is";
            let hint = "such as `start: 2026-01-05`, the day on which the first has it".to_owned();
            fields.doc.problem(fields.at, message, Some(hint));
            return None;
        }
    };
    let every = match every {
        Some(every) => every,
        None if is_alone || !hand_overs.is_empty() => Every::Weeks(1),
        None => {
            if fields.get("every").is_none() {
                fields.missing("every");
            }
            return None;
        }
    };
    let (start, every) = handed_over(fields, start, every, &hand_overs)?;
    (!slots.is_empty()).then_some(Turns {
        start,
        every,
        slots,
    })
}

/// A Monday, before anybody asks.
const DEFAULT_START: DateTime = date(2000, 1, 3).at(0, 0, 0, 0);

fn slots(reader: &Reader, fields: &Fields<'_, '_>) -> Slots {
    let Some(node) = fields.get("people") else {
        return Vec::new();
    };
    let slots = items(node).iter();
    let slots: Slots = slots
        .map(|item| people(reader, fields.doc, item, "people"))
        .collect();
    if slots.is_empty() {
        let message = "`people` names nobody: the layer would never have anybody on call";
        fields.doc.problem(fields.at("people"), message, None);
    }
    slots
}

/// `hand_over`: one time or a list of them.
fn hand_overs(fields: &Fields<'_, '_>) -> Vec<HandOver> {
    let Some(node) = fields.get("hand_over") else {
        return Vec::new();
    };
    let all = items(node).iter();
    let read = |item| read_item(fields.doc, item, "hand_over", str::parse::<HandOver>);
    all.filter_map(read).collect()
}

/// Start and turns with hand-overs at the times that are said.
fn handed_over(
    fields: &Fields<'_, '_>,
    start: DateTime,
    every: Every,
    hand_overs: &[HandOver],
) -> Option<(DateTime, Every)> {
    let said = |message: &str| {
        fields.doc.problem(fields.at("hand_over"), message, None);
        None
    };
    match (hand_overs, every) {
        ([], every) => Some((start, every)),
        ([HandOver::Day(minute)], every) => Some((at_minute(start, *minute), every)),
        ([HandOver::Week(_)], Every::Weeks(n)) => Some(from_hand_over(start, n, hand_overs)),
        (_, Every::Weeks(1)) if hand_overs.iter().all(|it| matches!(it, HandOver::Week(_))) => {
            Some(from_hand_over(start, 1, hand_overs))
        }
        ([_], _) => said("`hand_over` on a day of the week needs turns of weeks"),
        (_, Every::Weeks(1)) => said("of several `hand_over`, each has a day: `mon 09:00`"),
        _ => said("with several `hand_over` each begins a turn: leave `every` out"),
    }
}

/// Turns between hand-overs of the week. What starts on a day, at no time, starts at the first
/// hand-over of that day, if it has one: whoever is first has a whole turn.
fn from_hand_over(start: DateTime, n: u32, hand_overs: &[HandOver]) -> (DateTime, Every) {
    let minutes = of_week(hand_overs);
    let midnight = i64::from(start.weekday().to_monday_zero_offset()) * DAY_MINUTES;
    let of_day = minutes.iter().map(|it| it - midnight);
    let first = of_day.filter(|it| (0..DAY_MINUTES).contains(it)).min();
    let is_day = start == start.date().at(0, 0, 0, 0);
    let start = match first.filter(|_| is_day) {
        Some(minute) => at_minute(start, minute),
        None => start,
    };
    (start, Every::HandOvers(n, minutes))
}

const DAY_MINUTES: i64 = 24 * 60;

fn of_week(hand_overs: &[HandOver]) -> Vec<i64> {
    let minutes = hand_overs.iter().filter_map(|it| match it {
        HandOver::Week(minute) => Some(*minute),
        HandOver::Day(_) => None,
    });
    minutes.collect()
}

/// The same day at another minute.
fn at_minute(start: DateTime, minute: i64) -> DateTime {
    let hour = i8::try_from(minute / 60).unwrap_or_default();
    start
        .date()
        .at(hour, i8::try_from(minute % 60).unwrap_or_default(), 0, 0)
}

/// `by_weekday`: who has which day of every week, from one hand-over to the next day's.
fn by_weekday(
    reader: &Reader,
    doc: &Doc<'_>,
    node: &Node,
    start: Option<DateTime>,
    hand_overs: &[HandOver],
) -> Option<Turns> {
    let minute = match hand_overs {
        [] => 0,
        [HandOver::Day(minute)] => *minute,
        _ => {
            let message = "with `by_weekday`, `hand_over` is one time of day";
            doc.problem(node.at, message, None);
            return None;
        }
    };
    let nobody: Arc<[PersonId]> = Arc::new([]);
    let mut days: Slots = vec![nobody; 7];
    let Value::Map(entries) = &node.value else {
        doc.wrong_kind(node, "by_weekday", "a map of days");
        return None;
    };
    for entry in entries.iter() {
        match parse_weekday(&entry.key) {
            Some(day) => days[day as usize] = people(reader, doc, &entry.value, "by_weekday"),
            None => {
                let message = format!("`{}` is no day of the week", entry.key);
                let hint = did_you_mean(&entry.key, WEEKDAYS.iter().copied());
                doc.problem(entry.at, message, hint);
            }
        }
    }
    let start = at_minute(start.unwrap_or(DEFAULT_START), minute);
    let first = start.weekday().to_monday_zero_offset();
    days.rotate_left(usize::try_from(first).unwrap_or_default());
    Some(Turns {
        start,
        every: Every::Days(1),
        slots: days,
    })
}

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// `hours`, and `except` and `only`, which name holidays.
fn hours(reader: &Reader, fields: &Fields<'_, '_>) -> Hours {
    let week = fields.get("hours").map(|node| {
        let parts = items(node).iter();
        let read = |item| read_item(fields.doc, item, "hours", str::parse::<WeekHours>);
        WeekHours::union(parts.filter_map(read))
    });
    let mut holidays = None;
    for (name, on) in [
        ("except", OnHolidays::Except as fn(_) -> _),
        ("only", OnHolidays::Only as fn(_) -> _),
    ] {
        let Some((at, scalar)) = fields.scalar(name) else {
            continue;
        };
        match reader.holidays.get(&*scalar.text) {
            Some(_) if holidays.is_some() => {
                let message = "a layer has `except` or `only`, not both";
                fields.doc.problem(at, message, None);
            }
            Some(days) => holidays = Some(on(Arc::clone(days))),
            None => {
                let known = reader.holidays.keys().map(String::as_str);
                let message = format!("there are no `holidays` called `{}`", scalar.text);
                fields
                    .doc
                    .problem(at, message, did_you_mean(&scalar.text, known));
            }
        }
    }
    Hours { week, holidays }
}
