//! What an alert says of the request, job or process in which it arose: annotations that the Python
//! package writes, for messages. What is not as it writes it says nothing.

use firebell_model::{Duration, Labels};
use serde_json::{Map, Value as Json};

use crate::glance::span;

/// Names and texts, of the annotations that alerts share and of those of each.
pub(crate) fn facts(shared: &Labels, each: &[&Labels]) -> [(&'static str, String); 4] {
    let user = map(shared, "user").map_or_else(String::new, |it| user(&it));
    [
        ("Request", request(shared)),
        ("User", first_chars(&user)),
        ("Deploy", first_chars(&deploys(each))),
        ("Trace", trace(shared)),
    ]
}

/// `POST /orders/{order}/pay`; empty when the alert arose in none.
pub(crate) fn request(annotations: &Labels) -> String {
    let plain = |name| annotations.value(name).trim();
    let place = [plain("route"), plain("path")];
    let place = place.into_iter().find(|it| !it.is_empty());
    let request = place.map(|it| format!("{} {it}", plain("method")));
    first_chars(request.unwrap_or_default().trim())
}

/// The id of the trace in which the alert arose; empty when it arose in none.
pub(crate) fn trace(annotations: &Labels) -> String {
    first_chars(annotations.value("trace_id").trim())
}

fn first_chars(text: &str) -> String {
    text.chars().take(CHARS_MAX).collect()
}

/// The last things that happened before: time, who says it, what.
pub(crate) fn breadcrumbs(annotations: &Labels) -> Vec<[String; 3]> {
    let list: Vec<Json> =
        serde_json::from_str(annotations.value("breadcrumbs")).unwrap_or_default();
    let last = list.len().saturating_sub(CRUMBS_MAX);
    let crumbs = list.iter().skip(last).filter_map(Json::as_object);
    let row = |crumb: &Map<String, Json>| {
        let of = |name: &str| crumb.get(name).map_or_else(String::new, said);
        let at = of("timestamp");
        // The clock's part of RFC 3339.
        let clock = at.get(11..19).unwrap_or_default().to_owned();
        [clock, of("category"), of("message")]
    };
    crumbs.map(row).collect()
}

fn map(annotations: &Labels, name: &str) -> Option<Map<String, Json>> {
    serde_json::from_str(annotations.value(name)).ok()
}

/// `v42, 6m before`; of several alerts `v42, 6m before the first`, or the versions where these differ.
fn deploys(each: &[&Labels]) -> String {
    let known: Vec<_> = each.iter().filter_map(|it| map(it, "deploy")).collect();
    let mut versions: Vec<String> = Vec::new();
    for version in known.iter().filter_map(|it| it.get("version")).map(said) {
        if !versions.contains(&version) && versions.len() < VERSIONS_MAX {
            versions.push(version);
        }
    }
    let ages = known
        .iter()
        .filter_map(|it| it.get("age_s").and_then(Json::as_i64));
    let ages = ages.filter(|secs| (0..=AGE_SECS_MAX).contains(secs));
    let first = if each.len() > 1 { " the first" } else { "" };
    if versions.len() < 2
        && let Some(secs) = ages.min()
    {
        versions.push(format!("{} before{first}", span(Duration::from_secs(secs))));
    }
    versions.join(", ")
}

/// `7, plan=gold`: the id stands without its name.
fn user(user: &Map<String, Json>) -> String {
    let pair = |(name, value): (&String, &Json)| match name == "id" {
        true => said(value),
        false => format!("{name}={}", said(value)),
    };
    user.iter().map(pair).collect::<Vec<_>>().join(", ")
}

fn said(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Longer ago no deploy explains anything, and no clock is right.
const AGE_SECS_MAX: i64 = 10 * 365 * 86_400;
/// What is read at a glance.
const VERSIONS_MAX: usize = 3;
const CRUMBS_MAX: usize = 5;
const CHARS_MAX: usize = 200;
