//! `telegram_configs`.

use firebell_notify::{TelegramConfig, TelegramMarkup};

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<TelegramConfig> {
    let own = options.address("api_url");
    let url = own.or_else(|| options.global.text("telegram_api_url").map(str::to_owned));
    let token = options.own_or_global("bot_token", "bot_token_file", "telegram_bot_token");
    let chat_id = chat_id(options);
    let thread_id = options.parsed("message_thread_id", str::parse::<i64>);
    let parse_mode = options.parsed("parse_mode", |name| {
        let mut known = TelegramMarkup::NAMES.into_iter();
        let found = known.find(|(known, _)| *known == name);
        found
            .map(|(_, markup)| markup)
            .ok_or("it has to be Markdown, MarkdownV2, HTML or empty")
    });
    let is_quiet = options.bool("disable_notifications");
    let is_complete = token.is_some() && chat_id.is_some();
    let (token, chat_id) = (token.unwrap_or_default(), chat_id.unwrap_or_default());
    let mut config = TelegramConfig::new(url.unwrap_or_default(), token, chat_id);
    options.set("message", &mut config.message);
    config.message_thread_id = thread_id.unwrap_or(0);
    config.disable_notifications = is_quiet.unwrap_or(false);
    config.parse_mode = parse_mode.unwrap_or(config.parse_mode);
    is_complete.then_some(config)
}

fn chat_id(options: &Options<'_, '_>) -> Option<i64> {
    if !options.has_either("chat_id", "chat_id_file") {
        options.missing("chat_id` or `chat_id_file");
        return None;
    }
    let text = options.secret("chat_id", "chat_id_file")?;
    let id = text.reveal().trim().parse().ok().filter(|id| *id != 0);
    if id.is_none() {
        let message = "`chat_id` has to be a whole number other than 0";
        options.doc.problem(options.at("chat_id"), message, None);
    }
    id
}
