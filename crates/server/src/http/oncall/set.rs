//! What of on-call was set over HTTP and is in force, as lists.
//!
//! *Invariants*: pages follow each other in one order, whatever is set or removed meanwhile: nothing
//! that stays is listed twice, or left out.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use firebell_model::Timestamp;
use firebell_oncall::{Oncall, ParseTextError, Span, parse_moment};
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::ErrorKind;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::changes::shown;
use crate::http::{App, limit_param, params, refused, written};
use crate::managed::{Change, Namespaces, OVERRIDES, SCHEDULES, SHIFTS, SWAPS, TEMPORARY};

/// `GET /api/firebell/v1/oncall/overrides`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Response {
    let wanted = match Wanted::read(&params(&uri, &Bytes::new())) {
        Ok(wanted) => wanted,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    written(move || {
        let config = app.live.config();
        let found = wanted.find(&app.oncall.namespaces(), &config.oncall.oncall);
        listed(&found, wanted.limit, &app.oncall.changes())
    })
    .await
}

/// What somebody wants to see.
struct Wanted {
    /// Any of these; none means all.
    kinds: Vec<String>,
    schedule: Option<String>,
    /// What holds after that, by the clock of its schedule, if that is said.
    from: Option<String>,
    /// What holds before that, in the same way.
    to: Option<String>,
    limit: usize,
    /// Only what comes behind it.
    behind: Option<Place>,
}

/// Where something stands in the list: its kind, when it begins, its name. In the order in which they
/// hold, but for shifts, whose names have none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    kind: usize,
    at: Timestamp,
    name: String,
}

/// Something that is listed.
struct Found {
    place: Place,
    object: Value,
}

impl Wanted {
    fn read(params: &Params) -> Result<Self, String> {
        let given = |name| params.get(name).filter(|it| !it.is_empty());
        let kinds = params.all("kind").filter(|it| !it.is_empty());
        let kinds: Vec<String> = kinds.map(str::to_owned).collect();
        if let Some(unknown) = kinds.iter().find(|it| !KINDS.contains(&it.as_str())) {
            return Err(format!(
                "there is no kind `{unknown}`, only {}",
                KINDS.join(", ")
            ));
        }
        let moment = |name| {
            let text = given(name);
            // By any clock it is a time, or none.
            match text.map(|it| parse_moment(&TimeZone::UTC, it)) {
                Some(Err(error)) => Err(format!("`{name}` is no time: {error}")),
                _ => Ok(text.map(str::to_owned)),
            }
        };
        Ok(Self {
            kinds,
            schedule: given("schedule").map(str::to_owned),
            from: moment("from")?,
            to: moment("to")?,
            limit: limit_param(params, LIMIT_DEFAULT, LIMIT_MAX)?,
            behind: given("page").map(Place::read).transpose()?,
        })
    }

    /// All that is wanted, in order.
    fn find(&self, namespaces: &Namespaces, oncall: &Oncall) -> Vec<Found> {
        let (utc, mut found) = (TimeZone::UTC, Vec::new());
        for (idx, kind) in KINDS.iter().enumerate() {
            if !self.kinds.is_empty() && !self.kinds.iter().any(|it| it == kind) {
                continue;
            }
            for (name, text) in namespaces.get(*kind).into_iter().flatten() {
                let object: Value = serde_json::from_str(text).unwrap_or_default();
                let schedule = match *kind {
                    SCHEDULES => name,
                    _ => object["schedule"].as_str().unwrap_or_default(),
                };
                let zone = oncall.find_schedule(schedule);
                // Of one that is gone, any clock is as good.
                let zone = zone.map_or(&utc, |it| &oncall.schedule(it).zone);
                let spans = spans(kind, &object, zone);
                let begin = spans.first().map(|it| it.from);
                let place = Place {
                    kind: idx,
                    at: begin.filter(|_| *kind == SHIFTS).unwrap_or_default(),
                    name: name.clone(),
                };
                let is_of_it = self.schedule.as_deref().is_none_or(|it| it == schedule);
                let is_behind = self.behind.as_ref().is_none_or(|it| place > *it);
                if is_of_it && is_behind && self.wants_time(&spans, zone) {
                    found.push(Found { place, object });
                }
            }
        }
        found.sort_by(|a, b| a.place.cmp(&b.place));
        found
    }

    /// Whether something holds at a time that is wanted; what says no times always does.
    fn wants_time(&self, spans: &[Span], zone: &TimeZone) -> bool {
        let moment = |text: &Option<String>| {
            let text = text.as_deref()?;
            parse_moment(zone, text).ok()
        };
        let within = Span::new(
            moment(&self.from).unwrap_or(Timestamp::MIN),
            moment(&self.to).unwrap_or(Timestamp::MAX),
        );
        spans.is_empty() || spans.iter().any(|it| !it.within(within).is_empty())
    }
}

impl Place {
    /// Reads `next` of an earlier page.
    fn read(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.splitn(3, ':');
            let kind = parts.next()?;
            Some(Self {
                kind: KINDS.iter().position(|it| *it == kind)?,
                at: Timestamp(parts.next()?.parse().ok()?),
                name: parts.next()?.to_owned(),
            })
        };
        read().ok_or_else(|| format!("`{text}` is no `next` of an earlier page"))
    }

    fn kind(&self) -> &'static str {
        KINDS[self.kind]
    }

    fn text(&self) -> String {
        format!("{}:{}:{}", self.kind(), self.at.0, self.name)
    }
}

/// When an object holds: of a swap, what either side gives away.
fn spans(kind: &str, object: &Value, zone: &TimeZone) -> Vec<Span> {
    let span = |object: &Value| -> Option<Span> {
        let moment = |name: &str| -> Option<Timestamp> {
            let read: Result<_, ParseTextError> = parse_moment(zone, object[name].as_str()?);
            read.ok()
        };
        Some(Span::new(moment("from")?, moment("until")?))
    };
    match kind {
        SWAPS => {
            let sides = object.as_object().into_iter().flatten();
            sides.filter_map(|(_, side)| span(side)).collect()
        }
        _ => span(object).into_iter().collect(),
    }
}

/// `OncallSet` of `docs/openapi.json`: the first of what was found.
fn listed(found: &[Found], limit: usize, changes: &[Change]) -> Value {
    let page = &found[..found.len().min(limit)];
    let mut made_by: BTreeMap<(&str, &str), Option<&Change>> = BTreeMap::new();
    for it in page {
        made_by.insert((it.place.kind(), &it.place.name), None);
    }
    // The newest comes first.
    for change in changes {
        for group in &change.groups {
            if let Some(by) = made_by.get_mut(&(&*change.namespace, &*group.name)) {
                by.get_or_insert(change);
            }
        }
    }
    let mut lists: Map<String, Value> = KINDS
        .iter()
        .map(|kind| ((*kind).to_owned(), json!([])))
        .collect();
    for it in page {
        let (kind, name) = (it.place.kind(), &*it.place.name);
        let change = made_by.get(&(kind, name)).copied().flatten();
        let object = json!({
            "id": shown(name),
            "by": change.map(|it| &it.who),
            "at": change.map(|it| it.at.to_string()),
            "object": it.object,
        });
        if let Some(Value::Array(list)) = lists.get_mut(kind) {
            list.push(object);
        }
    }
    let has_more = page.len() < found.len();
    let last = page.last().filter(|_| has_more);
    lists.insert("next".to_owned(), json!(last.map(|it| it.place.text())));
    Value::Object(lists)
}

/// In the order in which they are listed.
const KINDS: [&str; 5] = [OVERRIDES, SWAPS, TEMPORARY, SHIFTS, SCHEDULES];
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;
