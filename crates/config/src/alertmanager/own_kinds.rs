//! Receivers that Alertmanager does not have: `googlechat_configs`, `ntfy_configs`,
//! `gotify_configs`, `matrix_configs`, `dingtalk_configs`, `zulip_configs`, `twilio_configs`,
//! `exec_configs`.

use std::collections::BTreeMap;

use firebell_model::Secret;
use firebell_notify::{
    DingTalkConfig, ExecConfig, GoogleChatConfig, GotifyConfig, MatrixConfig, NtfyConfig,
    TwilioConfig, ZulipConfig,
};

use super::options::Options;

pub(super) fn googlechat(options: &Options<'_, '_>) -> Option<GoogleChatConfig> {
    let url = options.needed_secret_address("webhook_url", "webhook_url_file");
    let has_url = url.is_some();
    let mut config = GoogleChatConfig::new(url.unwrap_or_default());
    options.set("message", &mut config.message);
    config.threads = options.bool("threads").unwrap_or(true);
    has_url.then_some(config)
}

pub(super) fn ntfy(options: &Options<'_, '_>) -> Option<NtfyConfig> {
    let url = options.address("url");
    let mut config = NtfyConfig::new(url.unwrap_or_else(|| "https://ntfy.sh".to_owned()));
    config.token = options.secret("token", "token_file");
    options.set_needed("topic", &mut config.topic);
    options.set_all([
        ("title", &mut config.title),
        ("message", &mut config.message),
        ("priority", &mut config.priority),
        ("tags", &mut config.tags),
        ("click", &mut config.click),
    ]);
    Some(config)
}

pub(super) fn gotify(options: &Options<'_, '_>) -> Option<GotifyConfig> {
    let url = needed_address(options, "url");
    let token = options.needed_secret("token", "token_file");
    let is_complete = url.is_some() && token.is_some();
    let mut config = GotifyConfig::new(url.unwrap_or_default(), token.unwrap_or_default());
    options.set_all([
        ("title", &mut config.title),
        ("message", &mut config.message),
        ("priority", &mut config.priority),
    ]);
    is_complete.then_some(config)
}

pub(super) fn matrix(options: &Options<'_, '_>) -> Option<MatrixConfig> {
    let url = needed_address(options, "url");
    let token = options.needed_secret("access_token", "access_token_file");
    let is_complete = url.is_some() && token.is_some();
    let mut config = MatrixConfig::new(url.unwrap_or_default(), token.unwrap_or_default());
    options.set_needed("room_id", &mut config.room_id);
    options.set("message", &mut config.message);
    is_complete.then_some(config)
}

pub(super) fn dingtalk(options: &Options<'_, '_>) -> Option<DingTalkConfig> {
    let url = options.needed_secret_address("webhook_url", "webhook_url_file");
    let has_url = url.is_some();
    let mut config = DingTalkConfig::new(url.unwrap_or_default());
    config.secret = options.secret("secret", "secret_file");
    options.set_all([
        ("title", &mut config.title),
        ("message", &mut config.message),
    ]);
    config.at_mobiles = options.texts("at_mobiles");
    config.at_all = options.bool("at_all").unwrap_or(false);
    has_url.then_some(config)
}

pub(super) fn zulip(options: &Options<'_, '_>) -> Option<ZulipConfig> {
    let url = needed_address(options, "url");
    let email = options.needed_text("email");
    let key = options.needed_secret("api_key", "api_key_file");
    let is_complete = url.is_some() && email.is_some() && key.is_some();
    let (url, email) = (url.unwrap_or_default(), email.unwrap_or_default());
    let mut config = ZulipConfig::new(url, email, key.unwrap_or_default());
    options.set_needed("channel", &mut config.channel);
    options.set_all([
        ("topic", &mut config.topic),
        ("message", &mut config.message),
    ]);
    is_complete.then_some(config)
}

pub(super) fn twilio(options: &Options<'_, '_>) -> Option<TwilioConfig> {
    let account = options.needed_text("account_sid");
    let token = options.needed_secret("auth_token", "auth_token_file");
    let is_complete = account.is_some() && token.is_some();
    let mut config = TwilioConfig::new(account.unwrap_or_default(), token.unwrap_or_default());
    config.from = options.needed_text("from").unwrap_or_default();
    options.set_needed("to", &mut config.to);
    options.set("message", &mut config.message);
    let calls = options.parsed("type", |kind| match kind {
        "sms" => Ok(false),
        "call" => Ok(true),
        _ => Err("it has to be sms or call"),
    });
    config.calls = calls.unwrap_or(false);
    if let Some(url) = options.address("api_url") {
        config.api_url = url;
    }
    if let Some(language) = options.text("language") {
        config.language = language;
    }
    is_complete.then_some(config)
}

pub(super) fn exec(options: &Options<'_, '_>) -> Option<ExecConfig> {
    options.has_no_http();
    let command = options.needed_text("command");
    let allowed = options.loader.exec_allowed.borrow();
    if let Some(command) = command.as_ref().filter(|it| !allowed.contains(it)) {
        let message = format!("`{command}` is not among the programs that may run");
        let hint = "name it in `exec_allowed` of firebell.yml, by its absolute path".to_owned();
        options
            .doc
            .problem(options.at("command"), message, Some(hint));
    } else if let Some(command) = command.as_ref().filter(|it| !it.starts_with('/')) {
        let message = format!("`command` has to be an absolute path, not `{command}`");
        options.doc.problem(options.at("command"), message, None);
    }
    let env = options
        .get("env")
        .map(|node| options.doc.text_map(node, "env"));
    let env = env.into_iter().flatten();
    let env = env.map(|(entry, value)| (entry.key.clone(), Secret::new(value)));
    let env = env.collect::<BTreeMap<_, _>>();
    if env.iter().any(|(name, value)| {
        name.is_empty() || name.contains(['=', '\0']) || value.reveal().contains('\0')
    }) {
        let message = "a name in `env` is empty or has a `=`, or there is a zero byte";
        options.doc.problem(options.at("env"), message, None);
    }
    let (args, timeout) = (options.compiled_texts("args"), options.timeout());
    Some(ExecConfig {
        command: command?,
        args,
        env,
        timeout,
    })
}

fn needed_address(options: &Options<'_, '_>, name: &'static str) -> Option<String> {
    if options.get(name).is_none() {
        options.missing(name);
    }
    options.address(name)
}
