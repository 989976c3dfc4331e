//! `wechat_configs`.

use firebell_notify::WechatConfig;

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<WechatConfig> {
    let url = options.base_address("api_url", "wechat_api_url");
    let names = ("api_secret", "api_secret_file");
    let secret = options.own_or_global_text(names.0, names.1, "wechat_api_secret");
    let has_secret = secret.is_some();
    let mut config = WechatConfig::new(url, secret.unwrap_or_default());
    options.set("corp_id", &mut config.corp_id);
    if config.corp_id.text().is_empty() {
        match options.global.text("wechat_api_corp_id") {
            Some(known) => options.set_to("wechat_api_corp_id", known, &mut config.corp_id),
            None => options.missing("corp_id"),
        }
    }
    options.set_all([
        ("message", &mut config.message),
        ("to_user", &mut config.to_user),
        ("to_party", &mut config.to_party),
        ("to_tag", &mut config.to_tag),
        ("agent_id", &mut config.agent_id),
    ]);
    let is_markdown = options.parsed("message_type", |kind| match kind {
        "markdown" => Ok(true),
        "text" | "" => Ok(false),
        _ => Err("it has to be text or markdown"),
    });
    config.is_markdown = is_markdown.unwrap_or(false);
    has_secret.then_some(config)
}
