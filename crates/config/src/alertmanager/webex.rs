//! `webex_configs`.

use firebell_notify::WebexConfig;

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<WebexConfig> {
    let own = options.address("api_url");
    let url = own.or_else(|| options.global.text("webex_api_url").map(str::to_owned));
    let mut config = WebexConfig::new(url.unwrap_or_default());
    options.set("message", &mut config.message);
    options.set_needed("room_id", &mut config.room_id);
    // As upstream: that of `global` does not count.
    if !options.has_own_authorization() {
        options.missing("http_config.authorization");
    }
    Some(config)
}
