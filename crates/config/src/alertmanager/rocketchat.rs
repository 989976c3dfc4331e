//! `rocketchat_configs`.

use firebell_notify::{RocketchatAction, RocketchatConfig, SlackField};

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<RocketchatConfig> {
    let own = options.address("api_url");
    let url = own.or_else(|| options.global.text("rocketchat_api_url").map(str::to_owned));
    let token = options.own_or_global("token", "token_file", "rocketchat_token");
    let token_id = options.own_or_global("token_id", "token_id_file", "rocketchat_token_id");
    let is_complete = token.is_some() && token_id.is_some();
    let mut config = RocketchatConfig::new(
        url.unwrap_or_default(),
        token.unwrap_or_default(),
        token_id.unwrap_or_default(),
    );
    options.set_all([
        ("channel", &mut config.channel),
        ("color", &mut config.color),
        ("title", &mut config.title),
        ("title_link", &mut config.title_link),
        ("text", &mut config.text),
        ("emoji", &mut config.emoji),
        ("icon_url", &mut config.icon_url),
        ("image_url", &mut config.image_url),
        ("thumb_url", &mut config.thumb_url),
    ]);
    config.short_fields = options.bool("short_fields").unwrap_or(false);
    config.fields = options.parts("fields", "a field of a Rocket.Chat message", |part| {
        let (mut title, mut value) = Default::default();
        part.set_all([("title", &mut title), ("value", &mut value)]);
        let short = part.bool("short");
        SlackField {
            title,
            value,
            short,
        }
    });
    config.actions = options.parts("actions", "an action of a Rocket.Chat message", |part| {
        let mut action = RocketchatAction::default();
        part.set_all([
            ("text", &mut action.text),
            ("url", &mut action.url),
            ("msg", &mut action.msg),
        ]);
        // Upstream reads these, under these names, and sends none of them.
        part.ignore(&[
            "type",
            "imageurl",
            "iswebview",
            "webviewheightratio",
            "msginchatwindow",
            "msgprocessingtype",
        ]);
        action
    });
    options.ignore(&["link_names"]);
    is_complete.then_some(config)
}
