//! `msteams_configs` and `msteamsv2_configs`.

use firebell_notify::{MsTeamsConfig, MsTeamsV2Config};

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<MsTeamsConfig> {
    let url = options.needed_secret_address("webhook_url", "webhook_url_file");
    let has_url = url.is_some();
    let mut config = MsTeamsConfig::new(url.unwrap_or_default());
    options.set_all([
        ("title", &mut config.title),
        ("summary", &mut config.summary),
        ("text", &mut config.text),
    ]);
    has_url.then_some(config)
}

pub(super) fn read_v2(options: &Options<'_, '_>) -> Option<MsTeamsV2Config> {
    let url = options.needed_secret_address("webhook_url", "webhook_url_file");
    let has_url = url.is_some();
    let mut config = MsTeamsV2Config::new(url.unwrap_or_default());
    options.set_all([("title", &mut config.title), ("text", &mut config.text)]);
    has_url.then_some(config)
}
