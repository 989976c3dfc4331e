//! `slack_configs`.

use firebell_model::Secret;
use firebell_notify::{HttpConfig, SlackAction, SlackConfig, SlackConfirm, SlackField};
use firebell_template::NotificationText;

use super::receivers::{Global, http_config};
use super::webhook::{is_address, timeout};
use crate::check::TEMPLATE_ERROR;
use crate::fields::{Doc, Fields};
use crate::load::Loader;
use crate::rule_files::place_in;
use crate::yaml::Node;

/// Reads one; `None` when it has no address, which is noted.
pub(super) fn read(
    loader: &Loader<'_>,
    doc: &Doc<'_>,
    node: &Node,
    global: &Global,
) -> Option<SlackConfig> {
    let fields = doc.fields(node, "a Slack receiver");
    let mut http = http_config(loader, &fields).unwrap_or_else(|| global.http.clone());
    let api_url = api_url(loader, &fields, global, &mut http);
    let mut config = SlackConfig::new(api_url.clone().unwrap_or_default());
    for (name, text) in [
        ("channel", &mut config.channel),
        ("username", &mut config.username),
        ("color", &mut config.color),
        ("title", &mut config.title),
        ("title_link", &mut config.title_link),
        ("pretext", &mut config.pretext),
        ("text", &mut config.text),
        ("message_text", &mut config.message_text),
        ("footer", &mut config.footer),
        ("fallback", &mut config.fallback),
        ("callback_id", &mut config.callback_id),
        ("icon_emoji", &mut config.icon_emoji),
        ("icon_url", &mut config.icon_url),
        ("image_url", &mut config.image_url),
        ("thumb_url", &mut config.thumb_url),
    ] {
        set(&fields, name, text);
    }
    config.fields = fields
        .list("fields")
        .iter()
        .map(|node| field(doc, node))
        .collect();
    config.actions = fields
        .list("actions")
        .iter()
        .map(|node| action(doc, node))
        .collect();
    config.short_fields = fields.bool("short_fields").unwrap_or(false);
    config.link_names = fields.bool("link_names").unwrap_or(false);
    config.mrkdwn_in = fields.texts("mrkdwn_in");
    config.timeout = timeout(&fields);
    config.send_resolved = fields.bool("send_resolved").unwrap_or(false);
    config.http = http;
    if fields.bool("update_message") == Some(true) {
        let message = "`update_message` is not supported yet";
        doc.problem(fields.at("update_message"), message, None);
    }
    fields.finish();
    api_url.map(|_| config)
}

/// The address: the receiver's own token or address, else the global address or token. With a
/// token, requests are authorized by it.
fn api_url(
    loader: &Loader<'_>,
    fields: &Fields<'_, '_>,
    global: &Global,
    http: &mut HttpConfig,
) -> Option<Secret> {
    let own_url = loader.secret(fields, "api_url", "api_url_file");
    let own_token = loader.secret(fields, "app_token", "app_token_file");
    let app_url = fields
        .text("app_url")
        .or_else(|| global.slack_app_url.clone());
    if own_url.is_some() && own_token.is_some() {
        let message = "only one of `api_url` and `app_token` may be there";
        fields.doc.problem(fields.at, message, None);
    }
    let is_own_wrong = ["api_url_file", "app_token_file"].map(|name| fields.get(name).is_some());
    let (url, token) = match (own_token, own_url) {
        (Some(token), _) => (None, Some(token)),
        (None, Some(url)) => (Some(url), None),
        // Its file cannot be read, which has been noted.
        (None, None) if is_own_wrong.contains(&true) => return None,
        (None, None) => match &global.slack_api_url {
            Some(url) => (Some(url.clone()), None),
            None => (None, global.slack_app_token.clone()),
        },
    };
    if let Some(token) = token {
        http.authorization = Some(Secret::new(format!("Bearer {}", token.reveal())));
        return Some(Secret::new(app_url.unwrap_or_else(|| APP_URL.to_owned())));
    }
    let Some(url) = url else {
        let hint = "put it here, or into `global` as `slack_api_url`".to_owned();
        fields
            .doc
            .problem(fields.at, "a Slack receiver needs `api_url`", Some(hint));
        return None;
    };
    if !is_address(url.reveal()) {
        let at = fields.get("api_url").map_or(fields.at, |node| node.at);
        let message = "the address of Slack has to begin with http:// or https://";
        fields.doc.problem(at, message, None);
        return None;
    }
    Some(url)
}

/// Replaces a default by what is written, even when that is empty.
fn set(fields: &Fields<'_, '_>, name: &'static str, text: &mut NotificationText) {
    let Some((_, scalar)) = fields.scalar(name) else {
        return;
    };
    match NotificationText::compile(&scalar.text) {
        Ok(compiled) => *text = compiled,
        Err(error) => {
            let at = place_in(fields.doc, scalar, error.line, error.column);
            fields
                .doc
                .problem(at, format!("{TEMPLATE_ERROR}{}", error.message), None);
        }
    }
}

/// As [`set`], and notes when there is nothing.
fn set_needed(fields: &Fields<'_, '_>, name: &'static str, text: &mut NotificationText) {
    set(fields, name, text);
    if fields.get(name).is_none() {
        fields.missing(name);
    }
}

fn field(doc: &Doc<'_>, node: &Node) -> SlackField {
    let fields = doc.fields(node, "a field of a Slack message");
    let (mut title, mut value) = Default::default();
    set_needed(&fields, "title", &mut title);
    set_needed(&fields, "value", &mut value);
    let short = fields.bool("short");
    fields.finish();
    SlackField {
        title,
        value,
        short,
    }
}

fn action(doc: &Doc<'_>, node: &Node) -> SlackAction {
    let fields = doc.fields(node, "an action of a Slack message");
    let mut action = SlackAction::default();
    set_needed(&fields, "type", &mut action.kind);
    set_needed(&fields, "text", &mut action.text);
    for (name, text) in [
        ("url", &mut action.url),
        ("style", &mut action.style),
        ("name", &mut action.name),
        ("value", &mut action.value),
    ] {
        set(&fields, name, text);
    }
    if fields.get("url").is_none() && fields.get("name").is_none() {
        fields.missing("url` or `name");
    }
    action.confirm = fields.get("confirm").map(|node| confirm(doc, node));
    fields.finish();
    action
}

fn confirm(doc: &Doc<'_>, node: &Node) -> SlackConfirm {
    let fields = doc.fields(node, "`confirm`");
    let mut confirm = SlackConfirm::default();
    set_needed(&fields, "text", &mut confirm.text);
    set(&fields, "title", &mut confirm.title);
    set(&fields, "ok_text", &mut confirm.ok_text);
    set(&fields, "dismiss_text", &mut confirm.dismiss_text);
    fields.finish();
    confirm
}

/// Slack's own address for messages of apps.
const APP_URL: &str = "https://slack.com/api/chat.postMessage";
