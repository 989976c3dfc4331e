//! `discord_configs`.

use firebell_notify::DiscordConfig;

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<DiscordConfig> {
    let url = options.needed_secret_address("webhook_url", "webhook_url_file");
    let has_url = url.is_some();
    let mut config = DiscordConfig::new(url.unwrap_or_default());
    options.set_all([
        ("content", &mut config.content),
        ("title", &mut config.title),
        ("message", &mut config.message),
    ]);
    config.username = options.text("username").unwrap_or_default();
    config.avatar_url = options.text("avatar_url").unwrap_or_default();
    has_url.then_some(config)
}
