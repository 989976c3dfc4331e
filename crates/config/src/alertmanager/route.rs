//! The route tree.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_dispatch::{GroupBy, ReceiverId, RouteSpec, TimeInterval};
use firebell_model::{Labels, MatchOp, Matcher, is_valid_label_name, parse_matchers};

use super::own_keys;
use super::receivers::Named;
use crate::fields::{Doc, Fields};
use crate::problem::{Pos, did_you_mean};
use crate::yaml::Node;

/// What routes may name.
pub(super) struct Names<'n> {
    pub(super) receivers: &'n Named,
    /// Which file it is: 0 is the main one.
    pub(super) of: usize,
    pub(super) intervals: &'n [Arc<TimeInterval>],
}

/// Where a route and its children stand.
pub(crate) struct RoutePlace<'d> {
    pub(crate) doc: &'d Doc<'d>,
    pub(crate) at: Pos,
    pub(crate) routes: Vec<RoutePlace<'d>>,
}

impl<'d> RoutePlace<'d> {
    /// A route without children.
    pub(crate) fn leaf(doc: &'d Doc<'d>, at: Pos) -> Self {
        let routes = Vec::new();
        Self { doc, at, routes }
    }
}

/// Reads a route with its children.
pub(super) fn read<'d>(
    doc: &'d Doc<'d>,
    node: &Node,
    names: &Names<'_>,
) -> (RouteSpec, RoutePlace<'d>) {
    let fields = doc.fields(node, "a route");
    let children = fields.list("routes").iter();
    let (routes, places) = children.map(|child| read(doc, child, names)).unzip();
    let mut matchers = equal_or_regex(&fields, "match", "match_re");
    matchers.extend(matcher_list(&fields, "matchers"));
    let spec = RouteSpec {
        receiver: receiver(&fields, names),
        group_by: group_by(&fields),
        matchers,
        does_continue: fields.bool("continue").unwrap_or(false),
        group_wait: fields.duration("group_wait"),
        group_interval: fields.duration("group_interval"),
        repeat_interval: fields.duration("repeat_interval"),
        mute_time_intervals: intervals(&fields, "mute_time_intervals", names.intervals),
        active_time_intervals: intervals(&fields, "active_time_intervals", names.intervals),
        labels: labels(&fields),
        own: own_keys::of_route(&fields),
        routes,
    };
    fields.finish();
    (
        spec,
        RoutePlace {
            doc,
            at: node.at,
            routes: places,
        },
    )
}

fn receiver(fields: &Fields<'_, '_>, names: &Names<'_>) -> Option<ReceiverId> {
    let (at, scalar) = fields.scalar("receiver")?;
    let (name, receivers) = (&*scalar.text, &names.receivers.all);
    let id = names.receivers.resolve(names.of, name);
    if id.is_none() && !name.is_empty() {
        let message = format!("the route sends to `{name}`, but no receiver has that name");
        let known = receivers.iter().map(|it| &**it.name());
        let seen = known.filter(|it| names.receivers.resolve(names.of, it).is_some());
        let hint = match receivers.resolve(name) {
            Some(_) => Some("it is in another team's file".to_owned()),
            None => did_you_mean(name, seen),
        };
        fields.doc.problem(at, message, hint);
    }
    // A wrong name has been noted; the root must not be told that it names nobody.
    id.or_else(|| {
        receivers
            .iter()
            .next()
            .and_then(|first| receivers.resolve(first.name()))
    })
}

fn group_by(fields: &Fields<'_, '_>) -> Option<GroupBy> {
    let node = fields.get("group_by")?;
    let mut names = Vec::new();
    let mut seen = BTreeSet::new();
    let items = fields.doc.items(node, "group_by");
    for item in items {
        let Some(name) = fields.doc.text(item, "group_by") else {
            continue;
        };
        if name == "..." && items.len() > 1 {
            let message = "`...` in `group_by` means all labels, and has to stand alone";
            fields.doc.problem(item.at, message, None);
        }
        if name.is_empty() {
            fields
                .doc
                .problem(item.at, "a label in `group_by` has an empty name", None);
        }
        if !seen.insert(name.clone()) {
            let message = format!("the label `{name}` is in `group_by` twice");
            fields.doc.problem(item.at, message, None);
        }
        names.push(name);
    }
    Some(if names == ["..."] {
        GroupBy::All
    } else {
        GroupBy::Names(names)
    })
}

fn labels(fields: &Fields<'_, '_>) -> Labels {
    let labels = fields.labels("labels");
    for label in labels.iter() {
        if label.name.is_empty() {
            let message = "invalid label name \"\" in route labels";
            fields.doc.problem(fields.at("labels"), message, None);
        }
    }
    labels
}

fn intervals(
    fields: &Fields<'_, '_>,
    name: &'static str,
    known: &[Arc<TimeInterval>],
) -> Vec<Arc<TimeInterval>> {
    let find = |item: &Node| {
        let wanted = fields.doc.text(item, name)?;
        let found = known.iter().find(|interval| *interval.name == wanted);
        if found.is_none() {
            let message = format!("undefined time interval {wanted:?} used in route");
            let hint = did_you_mean(&wanted, known.iter().map(|interval| &*interval.name));
            fields.doc.problem(item.at, message, hint);
        }
        found.cloned()
    };
    fields.list(name).iter().filter_map(find).collect()
}

/// The deprecated maps of label and value.
pub(super) fn equal_or_regex(
    fields: &Fields<'_, '_>,
    equal: &'static str,
    regex: &'static str,
) -> Vec<Matcher> {
    let mut matchers = Vec::new();
    for (name, op) in [(equal, MatchOp::Equal), (regex, MatchOp::Regex)] {
        let Some(node) = fields.get(name) else {
            continue;
        };
        for (entry, value) in fields.doc.text_map(node, name) {
            if !is_valid_label_name(&entry.key) {
                let message = format!("invalid label name {:?}", entry.key);
                fields.doc.problem(entry.at, message, None);
                continue;
            }
            let written = Matcher::alertmanager(&*entry.key, op, value.clone());
            // Upstream anchors these when it reads them, which shows in the keys of groups.
            let matcher = written.and_then(|written| match op {
                MatchOp::Regex => Matcher::alertmanager(&*entry.key, op, format!("^(?:{value})$")),
                _ => Ok(written),
            });
            match matcher {
                Ok(matcher) => matchers.push(matcher),
                Err(error) => fields.doc.problem(entry.value.at, error.to_string(), None),
            }
        }
    }
    matchers
}

/// A list of matchers as text.
pub(crate) fn matcher_list(fields: &Fields<'_, '_>, name: &'static str) -> Vec<Matcher> {
    let mut matchers = Vec::new();
    for item in fields.list(name) {
        let Some(text) = fields.doc.text(item, name) else {
            continue;
        };
        match parse_matchers(&text) {
            Ok(parsed) => matchers.extend(parsed),
            Err(error) => fields.doc.problem(item.at, error.to_string(), None),
        }
    }
    matchers
}
