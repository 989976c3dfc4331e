//! Why an alert is told of, or not: found by its fingerprint, its name or matchers, also when its
//! rule has not handed it over yet.
//!
//! *Not here*: finding out what dispatch knows ([`Dispatch::why`]).

mod json;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use firebell_config::did_you_mean;
use firebell_dispatch::Why;
use firebell_engine::Engine;
use firebell_model::{ALERT_NAME, Fingerprint, Labels, Matcher, Timestamp, parse_matchers};
use firebell_rules::{AlertInstance, GroupView, RuleView};
use firebell_wire::prometheus_json::ErrorKind;
use serde_json::json;

use super::own::{outgoing, stopped};
use super::{App, PART_ALERTS, may_wait, params, refused, written};
use crate::driver::Unrecorded;

/// What somebody asks about.
enum Wanted {
    Fingerprint(Fingerprint),
    Name(String),
    Matchers(Vec<Matcher>),
}

/// An alert of an own rule.
#[derive(Clone, Copy)]
struct OwnAlert<'a> {
    group: GroupView<'a>,
    rule: RuleView<'a>,
    alert: &'a AlertInstance,
}

/// An alert that was found.
struct Explained<'a> {
    why: Why<'a>,
    own: Option<OwnAlert<'a>>,
}

/// A rule, by the indexes of its group and in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(usize, usize);

/// What somebody means by what they ask about.
#[derive(Default)]
struct Meant {
    /// By the fingerprints of what is sent.
    labels: BTreeMap<Fingerprint, Labels>,
    /// Those of own rules: where, and under which labels there.
    own: BTreeMap<Fingerprint, (Place, Labels)>,
    /// All names that were seen, to say what was meant instead.
    names: BTreeSet<String>,
}

/// Everything that was found.
struct Found<'a> {
    explained: Vec<Explained<'a>>,
    /// How many more there are.
    n_more: usize,
    /// The rules of that name, to say why there is no alert of it.
    rules: Vec<(GroupView<'a>, RuleView<'a>)>,
}

/// `GET /api/firebell/v1/alerts/{fingerprint}/why`.
pub(super) async fn one(
    State(app): State<App>,
    Path(fingerprint): Path<String>,
    uri: Uri,
) -> Response {
    let Some(wanted) = parse_fingerprint(&fingerprint) else {
        let why = format!("`{fingerprint}` is no fingerprint: that is 16 hexadecimal digits");
        return refused(ErrorKind::BadData, why);
    };
    answer(
        &app,
        Wanted::Fingerprint(wanted),
        fingerprint,
        wants_text(&uri),
        |found| {
            let first = found.explained.first();
            first.map_or_else(|| json!(null), json::explained)
        },
    )
    .await
}

/// `GET /api/firebell/v1/why?alert=NAME|FINGERPRINT|{matchers}`.
pub(super) async fn find(State(app): State<App>, uri: Uri) -> Response {
    let asked = params(&uri, &Bytes::new()).get("alert").map(str::to_owned);
    let Some(asked) = asked.filter(|it| !it.is_empty()) else {
        let why = "`alert` is missing: a name, a fingerprint, or matchers in braces";
        return refused(ErrorKind::BadData, why.to_owned());
    };
    let wanted = match parse_fingerprint(&asked) {
        Some(fingerprint) => Wanted::Fingerprint(fingerprint),
        None if asked.starts_with('{') => match parse_matchers(&asked) {
            Ok(matchers) => Wanted::Matchers(matchers),
            Err(error) => return refused(ErrorKind::BadData, error.to_string()),
        },
        None => Wanted::Name(asked.clone()),
    };
    answer(&app, wanted, asked, wants_text(&uri), |found| {
        let explained: Vec<_> = found.explained.iter().map(json::explained).collect();
        let rules = found.rules.iter();
        let rules: Vec<_> = rules
            .map(|(group, rule)| json::rule(*group, *rule))
            .collect();
        json!({ "alerts": explained, "more": found.n_more, "rules": rules })
    })
    .await
}

fn wants_text(uri: &Uri) -> bool {
    params(uri, &Bytes::new()).get("format") == Some("text")
}

pub(super) fn parse_fingerprint(text: &str) -> Option<Fingerprint> {
    let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = u64::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
    Some(Fingerprint(value))
}

async fn answer(
    app: &App,
    wanted: Wanted,
    asked: String,
    is_text: bool,
    as_json: fn(&Found<'_>) -> serde_json::Value,
) -> Response {
    let wanted = Arc::new(wanted);
    let mut meant = match meant_of_dispatch(app, &wanted).await {
        Ok(meant) => meant,
        Err(_) => return stopped(),
    };
    if add_own(app, &wanted, &mut meant).await.is_err() {
        return stopped();
    }
    let names = std::mem::take(&mut meant.names);
    let looked = app.handle.read(move |engine, now| {
        let found = look(engine, now, &wanted, &meant);
        if found.explained.is_empty() && found.rules.is_empty() {
            let rules = engine.rules().groups().flat_map(|group| group.rules());
            return Err(rules.map(|it| Arc::clone(it.rule)).collect::<Vec<_>>());
        }
        match is_text {
            true => Ok((Some(text::found(now, &found)), json!(null))),
            false => Ok((None, as_json(&found))),
        }
    });
    match looked.await {
        Ok(Ok((Some(text), _))) => text.into_response(),
        Ok(Ok((None, value))) => written(move || value).await,
        Ok(Err(rules)) => {
            let refused = may_wait(move || {
                let rules = rules.iter().map(|it| it.name.as_str());
                let known = rules.chain(names.iter().map(String::as_str));
                refused(ErrorKind::NotFound, unknown(&asked, known))
            });
            refused.await.unwrap_or_else(stopped)
        }
        Err(_) => stopped(),
    }
}

impl Wanted {
    fn means(&self, labels: &Labels) -> bool {
        match self {
            Self::Fingerprint(fingerprint) => labels.fingerprint() == *fingerprint,
            Self::Name(name) => labels.value(ALERT_NAME) == name,
            Self::Matchers(matchers) => matchers.iter().all(|it| it.matches(labels)),
        }
    }
}

impl Meant {
    fn note_name(&mut self, labels: &Labels) {
        let name = labels.value(ALERT_NAME);
        if !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
    }

    fn note_own(&mut self, engine: &Engine, wanted: &Wanted, place: Place, alert: &AlertInstance) {
        let labels = outgoing(engine, alert);
        self.note_name(&labels);
        if wanted.means(&labels) {
            let fingerprint = labels.fingerprint();
            self.labels.insert(fingerprint, labels);
            self.own.insert(fingerprint, (place, alert.labels.clone()));
        }
    }
}

/// The label sets that are meant, of those that dispatch knows. In parts, so that a look at many
/// holds up nobody.
async fn meant_of_dispatch(app: &App, wanted: &Arc<Wanted>) -> Result<Meant, Unrecorded> {
    let (mut meant, mut after) = (Meant::default(), None);
    if let Wanted::Fingerprint(fingerprint) = **wanted {
        let known = app.handle.read(move |engine, now| {
            let view = engine.dispatch().alert(now, fingerprint);
            view.map(|view| view.alert.labels.clone())
        });
        let known = known.await?.map(|labels| (fingerprint, labels));
        meant.labels.extend(known);
        return Ok(meant);
    }
    loop {
        let wanted = Arc::clone(wanted);
        let part = app.handle.read(move |engine, _| {
            let (mut part, mut last, mut n_seen) = (Meant::default(), None, 0);
            for (fingerprint, labels) in engine.dispatch().known_after(after).take(PART_ALERTS) {
                part.note_name(labels);
                if wanted.means(labels) {
                    part.labels.insert(fingerprint, labels.clone());
                }
                last = Some(fingerprint);
                n_seen += 1;
            }
            (part, last.filter(|_| n_seen == PART_ALERTS))
        });
        let (part, next) = part.await?;
        meant.labels.extend(part.labels);
        meant.names.extend(part.names);
        after = next;
        if after.is_none() {
            return Ok(meant);
        }
    }
}

/// Adds those of own rules, under which dispatch knows them or would, and where their alerts are.
/// In parts, too: the next one begins behind the last alert of this one, whatever came or went.
async fn add_own(app: &App, wanted: &Arc<Wanted>, meant: &mut Meant) -> Result<(), Unrecorded> {
    let mut from = Some((Place(0, 0), None));
    while let Some(begin) = from {
        let wanted = Arc::clone(wanted);
        let part = app
            .handle
            .read(move |engine, _| own_part(engine, &wanted, begin));
        let (part, next) = part.await?;
        meant.labels.extend(part.labels);
        meant.own.extend(part.own);
        meant.names.extend(part.names);
        from = next;
    }
    Ok(())
}

/// So many of the alerts of own rules, from a place on, or behind an alert of the rule there; and
/// where the next part begins, if there is one.
fn own_part(
    engine: &Engine,
    wanted: &Wanted,
    (begin, after): (Place, Option<Labels>),
) -> (Meant, Option<(Place, Option<Labels>)>) {
    let (mut part, mut n_left) = (Meant::default(), PART_ALERTS);
    let rules = all_rules(engine).skip_while(|(place, ..)| *place < begin);
    for (place, _, rule) in rules {
        let after = after.as_ref().filter(|_| place == begin);
        let alerts = behind(rule.alerts(), |it| &it.labels, after);
        if alerts.len() > n_left {
            let alerts = alerts.get(..n_left).unwrap_or_default();
            for alert in alerts {
                part.note_own(engine, wanted, place, alert);
            }
            let last = alerts.last().map(|it| &it.labels).or(after);
            return (part, Some((place, last.cloned())));
        }
        n_left -= alerts.len();
        for alert in alerts.iter().chain(rule.reports()) {
            part.note_own(engine, wanted, place, alert);
        }
    }
    (part, None)
}

/// Those behind one, which may be gone by now; they are in order of labels.
fn behind<'a, T>(all: &'a [T], of: fn(&T) -> &Labels, after: Option<&Labels>) -> &'a [T] {
    let n_before = after.map_or(0, |after| all.partition_point(|it| of(it) <= after));
    all.get(n_before..).unwrap_or_default()
}

fn all_rules(engine: &Engine) -> impl Iterator<Item = (Place, GroupView<'_>, RuleView<'_>)> {
    let groups = engine.rules().groups().enumerate();
    groups.flat_map(|(group_idx, group)| {
        let rules = group.rules().enumerate();
        rules.map(move |(rule_idx, rule)| (Place(group_idx, rule_idx), group, rule))
    })
}

/// The alert of an own rule that was at a place, if it still is.
fn own_at<'a>(engine: &'a Engine, place: Place, labels: &Labels) -> Option<OwnAlert<'a>> {
    let Place(group_idx, rule_idx) = place;
    let group = engine.rules().groups().nth(group_idx)?;
    let rule = group.rules().nth(rule_idx)?;
    let mut alerts = rule.alerts().iter().chain(rule.reports());
    let alert = alerts.find(|alert| alert.labels == *labels)?;
    Some(OwnAlert { group, rule, alert })
}

fn look<'a>(engine: &'a Engine, now: Timestamp, wanted: &Wanted, meant: &'a Meant) -> Found<'a> {
    let explained = meant.labels.iter().take(EXPLAINED_MAX);
    let explained: Vec<_> = explained
        .map(|(fingerprint, labels)| Explained {
            why: engine.dispatch().why(now, labels),
            own: meant
                .own
                .get(fingerprint)
                .and_then(|(place, labels)| own_at(engine, *place, labels)),
        })
        .collect();
    let rules = engine.rules().groups();
    let rules = rules.flat_map(|group| group.rules().map(move |rule| (group, rule)));
    let is_named = |rule: &RuleView<'_>| match wanted {
        Wanted::Name(name) => rule.rule.name == *name && rule.rule.as_alerting().is_some(),
        Wanted::Fingerprint(_) | Wanted::Matchers(_) => false,
    };
    Found {
        n_more: meant.labels.len() - explained.len(),
        explained,
        rules: rules.filter(|(_, rule)| is_named(rule)).collect(),
    }
}

/// That there is none, with the nearest name that there is.
fn unknown<'a>(asked: &str, known: impl Iterator<Item = &'a str>) -> String {
    let hint = did_you_mean(asked, known);
    let hint = hint.unwrap_or_else(|| {
        "`/api/firebell/v1/alerts` lists all that there are; one that resolved is forgotten after \
         half an hour"
            .to_owned()
    });
    format!("there is no alert `{asked}`, and no rule of that name: {hint}")
}

/// The most alerts that are explained at once.
const EXPLAINED_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_part_begins_behind_an_alert_also_when_it_is_gone() {
        let named = |name: &str| Labels::from_pairs([(ALERT_NAME, name)]);
        let alerts = ["B", "D", "E"].map(named);
        for (after, n_behind) in [
            (None, 3),
            (Some("A"), 3),
            (Some("B"), 2),
            (Some("C"), 2),
            (Some("E"), 0),
        ] {
            let left = behind(&alerts, |it| it, after.map(named).as_ref());
            assert_eq!(left.len(), n_behind, "{after:?}");
        }
    }
}
