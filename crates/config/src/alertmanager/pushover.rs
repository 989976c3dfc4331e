//! `pushover_configs`.

use firebell_model::Duration;
use firebell_notify::{PushoverConfig, PushoverFormat};

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<PushoverConfig> {
    let user_key = options.needed_secret_text("user_key", "user_key_file");
    let token = options.needed_secret_text("token", "token_file");
    let has_keys = user_key.is_some() && token.is_some();
    let mut config = PushoverConfig::new(user_key.unwrap_or_default(), token.unwrap_or_default());
    options.set_all([
        ("title", &mut config.title),
        ("message", &mut config.message),
        ("url", &mut config.url),
        ("url_title", &mut config.url_title),
        ("device", &mut config.device),
        ("sound", &mut config.sound),
        ("priority", &mut config.priority),
    ]);
    for (name, duration) in [
        ("retry", &mut config.retry),
        ("expire", &mut config.expire),
        ("ttl", &mut config.ttl),
    ] {
        *duration = options.parsed(name, Duration::from_go).unwrap_or(*duration);
    }
    let is_on = |name| options.bool(name).unwrap_or(false);
    config.format = match (is_on("html"), is_on("monospace")) {
        (false, false) => PushoverFormat::Plain,
        (true, false) => PushoverFormat::Html,
        (false, true) => PushoverFormat::Monospace,
        (true, true) => {
            let message = "only one of `html` and `monospace` may be there";
            options.doc.problem(options.at("monospace"), message, None);
            PushoverFormat::Plain
        }
    };
    has_keys.then_some(config)
}
