//! `mattermost_configs`.

use firebell_model::Secret;
use firebell_notify::{MattermostAttachment, MattermostConfig, MattermostPriority, SlackField};

use super::options::{Options, address};

pub(super) fn read(options: &Options<'_, '_>) -> Option<MattermostConfig> {
    let url = url(options);
    let has_url = url.is_some();
    let mut config = MattermostConfig::new(url.unwrap_or_default());
    options.set_all([
        ("channel", &mut config.channel),
        ("username", &mut config.username),
        ("icon_url", &mut config.icon_url),
        ("icon_emoji", &mut config.icon_emoji),
        ("type", &mut config.kind),
    ]);
    attachment(options, &mut config.attachment);
    let what = "an attachment of a Mattermost message";
    config.attachments = options.parts("attachments", what, |part| {
        let mut one = MattermostAttachment::default();
        attachment(part, &mut one);
        one
    });
    if let Some(node) = options.get("props") {
        let part = options.part(node, "`props`");
        part.set("card", &mut config.card);
        part.fields.finish();
    }
    config.priority = options.get("priority").map(|node| {
        let part = options.part(node, "`priority`");
        let mut priority = MattermostPriority::default();
        part.set("priority", &mut priority.priority);
        priority.requested_ack = part.bool("requested_ack").unwrap_or(false);
        let persists = part.bool("persistent_notifications");
        priority.persistent_notifications = persists.unwrap_or(false);
        part.fields.finish();
        priority
    });
    has_url.then_some(config)
}

fn url(options: &Options<'_, '_>) -> Option<Secret> {
    let names = ("webhook_url", "webhook_url_file");
    if options.has_either(names.0, names.1) {
        return options.secret_address(names.0, names.1);
    }
    let url = options.own_or_global(names.0, names.1, "mattermost_webhook_url")?;
    if let Err(why) = address(url.reveal()) {
        let message = format!("`mattermost_webhook_url` of `global`: {why}");
        options.doc.problem(options.fields.at, message, None);
        return None;
    }
    Some(url)
}

fn attachment(options: &Options<'_, '_>, one: &mut MattermostAttachment) {
    options.set_all([
        ("fallback", &mut one.fallback),
        ("color", &mut one.color),
        ("pretext", &mut one.pretext),
        ("text", &mut one.text),
        ("author_name", &mut one.author_name),
        ("author_link", &mut one.author_link),
        ("author_icon", &mut one.author_icon),
        ("title", &mut one.title),
        ("title_link", &mut one.title_link),
        ("thumb_url", &mut one.thumb_url),
        ("footer", &mut one.footer),
        ("footer_icon", &mut one.footer_icon),
        ("image_url", &mut one.image_url),
    ]);
    one.fields = options.parts("fields", "a field of a Mattermost message", |part| {
        let (mut title, mut value) = Default::default();
        part.set_needed("title", &mut title);
        part.set_needed("value", &mut value);
        let short = part.bool("short");
        SlackField {
            title,
            value,
            short,
        }
    });
}
