//! alertmanager.yml: who is told of what.
//!
//! *Sources*: Alertmanager, `config/config.go`.

mod inhibit;
mod intervals;
mod options;
mod receivers;
mod route;

mod discord;
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
};
use firebell_notify::Integration;
use firebell_template::NotificationTemplates;

pub(crate) use self::receivers::INBOX;

use self::options::Global;
use self::route::{Names, RoutePlace};
use crate::check::TEMPLATE_ERROR;
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
    let global = Global::read(loader, &fields);
    let (receivers, integrations) = receivers::read(loader, &fields, &global);
    let intervals = intervals::read(&fields);
    let inhibit_rules = fields.list("inhibit_rules").iter();
    let inhibit_rules = inhibit_rules.map(|node| inhibit::rule(doc, node)).collect();
    let templates = templates(loader, &fields);
    for name in ["tracing", "event_recorder"] {
        if fields.get(name).is_some() {
            loader.note(format!("{}: `{name}` changes nothing here", doc.file));
        }
    }
    let names = Names {
        receivers: &receivers,
        intervals: &intervals,
    };
    let route = fields
        .get("route")
        .map(|node| route::read(doc, node, &names));
    if route.is_none() {
        fields.missing("route");
    }
    fields.finish();
    let (spec, place) = route?;
    let resolve_timeout = global.resolve_timeout.unwrap_or(DEFAULT_RESOLVE_TIMEOUT);
    match Routing::new(receivers, spec, inhibit_rules, resolve_timeout) {
        Ok(routing) => {
            let routing = Arc::new(routing);
            Some(Notifications {
                routing,
                integrations,
                templates,
            })
        }
        Err(problems) => {
            problems
                .iter()
                .for_each(|problem| note_routing_problem(doc, &place, problem));
            None
        }
    }
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

fn note_routing_problem(doc: &Doc<'_>, root: &RoutePlace, problem: &RoutingProblem) {
    let mut place = root;
    for idx in &problem.path {
        place = place.routes.get(*idx).unwrap_or(place);
    }
    doc.problem(place.at, problem.what.to_string(), None);
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
    NotificationTemplates::new(files).unwrap_or_default()
}
