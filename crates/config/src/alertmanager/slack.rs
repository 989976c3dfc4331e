//! `slack_configs`.

use firebell_model::Secret;
use firebell_notify::{SlackAction, SlackConfig, SlackConfirm, SlackField};

use super::options::{Options, address};
use crate::yaml::Node;

pub(super) fn read(options: &Options<'_, '_>) -> Option<SlackConfig> {
    let target = target(options);
    let mut config = SlackConfig::new(Secret::default());
    options.set_all([
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
    ]);
    config.fields = options.parts("fields", "a field of a Slack message", field);
    config.actions = options.parts("actions", "an action of a Slack message", action);
    config.short_fields = options.bool("short_fields").unwrap_or(false);
    config.link_names = options.bool("link_names").unwrap_or(false);
    config.mrkdwn_in = options.texts("mrkdwn_in");
    config.timeout = options.timeout();
    config.updates_message = options.bool("update_message").unwrap_or(false);
    config.posts_to_thread = options.bool("post_updates_to_thread").unwrap_or(false);
    let (api_url, app_token) = target?;
    for (name, is_on) in [
        ("update_message", config.updates_message),
        ("post_updates_to_thread", config.posts_to_thread),
    ] {
        if is_on && !api_url.reveal().ends_with(POST_METHOD) {
            let message = format!("`{name}` needs the token of an app: a webhook cannot do it");
            let hint = "use `app_token`, or an `api_url` that ends in /chat.postMessage";
            options
                .doc
                .problem(options.at(name), message, Some(hint.to_owned()));
        }
    }
    config.api_url = api_url;
    config.app_token = app_token;
    Some(config)
}

/// The address, and the token if the message is an app's: the receiver's own, else the global
/// address, else the global token.
fn target(options: &Options<'_, '_>) -> Option<(Secret, Option<Secret>)> {
    let has_url = options.has_either("api_url", "api_url_file");
    let has_token = options.has_either("app_token", "app_token_file");
    let own_url = options.secret_address("api_url", "api_url_file");
    let own_token = options.secret("app_token", "app_token_file");
    let app_url = options.address("app_url");
    if has_url && has_token {
        let message = "only one of `api_url` and `app_token` may be there";
        options.doc.problem(options.fields.at, message, None);
    }
    let global = options.global;
    let app_url = app_url.or_else(|| global.text("slack_app_url").map(str::to_owned));
    let app_url = Secret::new(app_url.unwrap_or_default());
    if has_token {
        return own_token.map(|token| (app_url, Some(token)));
    }
    if has_url {
        return own_url.map(|url| (url, None));
    }
    if let Some(url) = global.secret("slack_api_url") {
        if let Err(why) = address(url.reveal()) {
            let message = format!("`slack_api_url` of `global`: {why}");
            options.doc.problem(options.fields.at, message, None);
            return None;
        }
        return Some((url.clone(), None));
    }
    if let Some(token) = global.secret("slack_app_token") {
        return Some((app_url, Some(token.clone())));
    }
    let hint = "put it here, or into `global` as `slack_api_url`".to_owned();
    let message = "a Slack receiver needs `api_url`";
    options.doc.problem(options.fields.at, message, Some(hint));
    None
}

fn field(options: &Options<'_, '_>) -> SlackField {
    let (mut title, mut value) = Default::default();
    options.set_needed("title", &mut title);
    options.set_needed("value", &mut value);
    let short = options.bool("short");
    SlackField {
        title,
        value,
        short,
    }
}

fn action(options: &Options<'_, '_>) -> SlackAction {
    let mut action = SlackAction::default();
    options.set_needed("type", &mut action.kind);
    options.set_needed("text", &mut action.text);
    options.set_all([
        ("url", &mut action.url),
        ("style", &mut action.style),
        ("name", &mut action.name),
        ("value", &mut action.value),
    ]);
    let confirm = options.get("confirm");
    action.confirm = confirm.map(|node| {
        let part = options.part(node, "`confirm`");
        let confirm = confirmation(&part);
        part.fields.finish();
        confirm
    });
    let is_there = |name| {
        options
            .get(name)
            .and_then(Node::as_text)
            .is_some_and(|it| !it.is_empty())
    };
    if is_there("url") {
        // A link asks nobody and tells no app. Source: Alertmanager, `SlackAction.UnmarshalYAML`.
        action.name = Default::default();
        action.value = Default::default();
        action.confirm = None;
    } else if !is_there("name") {
        options.missing("url` or `name");
    }
    action
}

fn confirmation(options: &Options<'_, '_>) -> SlackConfirm {
    let mut confirm = SlackConfirm::default();
    options.set_needed("text", &mut confirm.text);
    options.set_all([
        ("title", &mut confirm.title),
        ("ok_text", &mut confirm.ok_text),
        ("dismiss_text", &mut confirm.dismiss_text),
    ]);
    confirm
}

/// How the address ends to which apps post.
const POST_METHOD: &str = "/chat.postMessage";
