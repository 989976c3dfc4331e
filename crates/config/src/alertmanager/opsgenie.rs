//! `opsgenie_configs`.

use firebell_notify::{OpsgenieConfig, OpsgenieResponder};

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<OpsgenieConfig> {
    let api_key = options.own_or_global_text("api_key", "api_key_file", "opsgenie_api_key");
    let api_url = options.base_address("api_url", "opsgenie_api_url");
    let has_key = api_key.is_some();
    let mut config = OpsgenieConfig::new(api_key.unwrap_or_default(), api_url);
    options.set_all([
        ("message", &mut config.message),
        ("description", &mut config.description),
        ("source", &mut config.source),
        ("entity", &mut config.entity),
        ("actions", &mut config.actions),
        ("tags", &mut config.tags),
        ("note", &mut config.note),
        ("priority", &mut config.priority),
    ]);
    config.details = options.texts_by_name("details");
    config.responders = options.parts("responders", "a responder of Opsgenie", responder);
    config.updates_alerts = options.bool("update_alerts").unwrap_or(false);
    has_key.then_some(config)
}

fn responder(options: &Options<'_, '_>) -> OpsgenieResponder {
    let mut responder = OpsgenieResponder::default();
    options.set_all([
        ("id", &mut responder.id),
        ("name", &mut responder.name),
        ("username", &mut responder.username),
        ("type", &mut responder.kind),
    ]);
    let names = [&responder.id, &responder.name, &responder.username];
    if names.iter().all(|text| text.text().is_empty()) {
        options.missing("id`, `name` or `username");
    }
    let kind = responder.kind.text();
    let is_known = KINDS.contains(&&*kind.to_lowercase());
    if !is_known && !kind.contains("{{") {
        let message = format!("`type` has to be one of {}, not `{kind}`", KINDS.join(", "));
        options.doc.problem(options.at("type"), message, None);
    }
    responder
}

const KINDS: [&str; 5] = ["team", "teams", "user", "escalation", "schedule"];
