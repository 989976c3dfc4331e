//! alertmanager.yml: who is told of what.
//!
//! *Sources*: Alertmanager, `config/config.go`.

mod inhibit;
mod intervals;
mod options;
mod own_keys;
mod receivers;
mod route;
mod teams;

mod discord;
mod email;
mod incidentio;
mod jira;
mod mattermost;
mod msteams;
mod opsgenie;
mod own_kinds;
mod pagerduty;
mod pushover;
mod rocketchat;
mod slack;
mod sns;
mod telegram;
mod victorops;
mod webex;
mod webhook;
mod wechat;

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_dispatch::{
    DEFAULT_RESOLVE_TIMEOUT, GroupBy, Receiver, Receivers, RouteSpec, Routing, RoutingProblem,
    TimeInterval,
};
use firebell_model::Matcher;
use firebell_notify::Integration;
use firebell_template::NotificationTemplates;

pub(crate) use self::receivers::INBOX;

use self::options::Global;
use self::route::Names;
pub(crate) use self::route::{RoutePlace, matcher_list};
use crate::check::TEMPLATE_ERROR;
use crate::delivery_alert;
use crate::fields::{Doc, Fields};
use crate::files::is_pattern;
use crate::load::Loader;
use crate::rule_files::place_in_text;
use crate::yaml::Node;

/// Receiver, kind of integration, and its index within the kind.
pub type IntegrationKey = (String, String, usize);

/// Everything that is said about notifications, checked.
pub(crate) struct Notifications {
    pub(crate) routing: Arc<Routing>,
    pub(crate) integrations: BTreeMap<IntegrationKey, Integration>,
    pub(crate) templates: NotificationTemplates,
}

/// Reads the content of an alertmanager.yml; `None` when something is wrong with the routes.
pub(crate) fn read(loader: &Loader<'_>, doc: &Doc<'_>, root: &Node) -> Option<Notifications> {
    let fields = doc.fields(root, "the Alertmanager configuration");
    let files = teams::find(loader, &fields);
    let docs = files.iter().map(|file| loader.doc(&file.path, &file.text));
    let docs: Vec<Doc<'_>> = docs.collect();
    let roots: Vec<Option<Node>> = docs.iter().map(Doc::parse).collect();
    let mut parts = vec![Part {
        doc,
        fields,
        fence: None,
    }];
    for ((doc, root), file) in docs.iter().zip(&roots).zip(&files) {
        if let Some(root) = root {
            let fields = doc.fields(root, "a team's file");
            let fence = Some(&*file.fence);
            parts.push(Part { doc, fields, fence });
        }
    }
    read_parts(loader, parts)
}

/// The main file, which has no fence, or that of a team.
struct Part<'p> {
    doc: &'p Doc<'p>,
    fields: Fields<'p, 'p>,
    fence: Option<&'p [Matcher]>,
}

fn read_parts(loader: &Loader<'_>, parts: Vec<Part<'_>>) -> Option<Notifications> {
    let fields = &parts.first()?.fields;
    let global = Global::read(loader, fields);
    let (receivers, integrations) = receivers::read(loader, &parts, &global);
    let intervals = intervals::read(&parts);
    let mut inhibit_rules = Vec::new();
    for part in &parts {
        for node in part.fields.list("inhibit_rules") {
            let mut rule = inhibit::rule(part.fields.doc, node);
            rule.target
                .extend(part.fence.into_iter().flatten().cloned());
            inhibit_rules.push(rule);
        }
    }
    let templates = templates(loader, fields);
    for name in ["tracing", "event_recorder"] {
        if fields.get(name).is_some() {
            loader.note(format!(
                "{}: `{name}` changes nothing here",
                fields.doc.file
            ));
        }
    }
    let warnings = own_keys::silence_warnings(fields, &receivers.all);
    let route = routes(&parts, &receivers, &intervals, warnings.route);
    for part in parts {
        part.fields.finish();
    }
    let (mut spec, mut place) = route?;
    delivery_alert::add_route(loader, &receivers.all, (&mut spec, &mut place));
    let resolve_timeout = global.resolve_timeout.unwrap_or(DEFAULT_RESOLVE_TIMEOUT);
    match Routing::new(receivers.all, spec, inhibit_rules, resolve_timeout) {
        Ok(routing) => {
            let routing = Arc::new(routing.with_silence_warning(warnings.before));
            Some(Notifications {
                routing,
                integrations,
                templates,
            })
        }
        Err(problems) => {
            problems
                .iter()
                .for_each(|problem| note_routing_problem(&place, problem));
            None
        }
    }
}

/// The tree of the main file, with the route for warnings before and those of teams after its own.
fn routes<'p>(
    parts: &[Part<'p>],
    receivers: &receivers::Named,
    intervals: &[(usize, Arc<TimeInterval>)],
    warnings: Option<RouteSpec>,
) -> Option<(RouteSpec, RoutePlace<'p>)> {
    let mut tree: Option<(RouteSpec, RoutePlace<'p>)> = None;
    for (idx, part) in parts.iter().enumerate() {
        let Some(node) = part.fields.get("route") else {
            if idx == 0 {
                part.fields.missing("route");
            }
            continue;
        };
        let is_seen = |(owner, _): &&(usize, _)| idx == 0 || *owner == 0 || *owner == idx;
        let seen = intervals.iter().filter(is_seen);
        let seen: Vec<Arc<TimeInterval>> = seen.map(|(_, interval)| interval.clone()).collect();
        let names = Names {
            receivers,
            of: idx,
            intervals: &seen,
        };
        let (mut spec, place) = route::read(part.doc, node, &names);
        if idx == 0 {
            tree = Some((spec, place));
            continue;
        }
        spec.matchers
            .extend(part.fence.into_iter().flatten().cloned());
        teams::check_fence(part.fields.doc, node.at, &spec.matchers);
        if let Some((root, root_place)) = &mut tree {
            root.routes.push(spec);
            root_place.routes.push(place);
        }
    }
    let (root, place) = tree.as_mut()?;
    if let Some(warnings) = warnings {
        root.routes.insert(0, warnings);
        let (doc, at) = (place.doc, place.at);
        place.routes.insert(0, RoutePlace::leaf(doc, at));
    }
    tree
}

/// Without an alertmanager.yml: everything goes to the inbox, a group per name of alert.
pub(crate) fn inbox_only() -> Option<Notifications> {
    let receiver = Receiver::new(INBOX, [(INBOX, true)]);
    let receivers = Receivers::new(vec![receiver]).ok()?;
    let spec = RouteSpec {
        receiver: receivers.resolve(INBOX),
        group_by: Some(GroupBy::Names(vec![firebell_model::ALERT_NAME.to_owned()])),
        ..RouteSpec::default()
    };
    let routing = Routing::new(receivers, spec, Vec::new(), DEFAULT_RESOLVE_TIMEOUT).ok()?;
    Some(Notifications {
        routing: Arc::new(routing),
        integrations: BTreeMap::new(),
        templates: NotificationTemplates::default(),
    })
}

fn note_routing_problem(root: &RoutePlace<'_>, problem: &RoutingProblem) {
    let mut place = root;
    for idx in &problem.path {
        place = place.routes.get(*idx).unwrap_or(place);
    }
    place.doc.problem(place.at, problem.what.to_string(), None);
}

fn templates(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> NotificationTemplates {
    let mut files = Vec::new();
    for pattern in fields.texts("templates") {
        let pattern = fields.doc.path(&pattern);
        let found = loader.glob(&pattern);
        if found.is_empty() && !is_pattern(&pattern.to_string_lossy()) {
            // As upstream: it may be there at the next reload.
            let (file, pattern) = (&fields.doc.file, pattern.display());
            loader.note(format!("{file}: `templates`: there is no file `{pattern}`"));
        }
        for path in found {
            let Some(text) = loader.read(&path) else {
                continue;
            };
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if let Err(errors) = NotificationTemplates::new([(&*name, &*text)]) {
                let doc = loader.doc(&path, &text);
                for (_, error) in errors {
                    let at = place_in_text(error.line, error.column);
                    doc.problem(at, format!("{TEMPLATE_ERROR}{}", error.message), None);
                }
                continue;
            }
            files.push((name, text));
        }
    }
    let files = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()));
    // Each has been parsed before.
    NotificationTemplates::with(loader.messages.get(), files).unwrap_or_default()
}
