//! `webhook_configs`.

use firebell_notify::{SecretText, WebhookConfig};

use super::options::{Options, address};
use crate::check::TEMPLATE_ERROR;

pub(super) fn read(options: &Options<'_, '_>) -> Option<WebhookConfig> {
    let url = url(options);
    let alerts_max = options.number("max_alerts").unwrap_or(0);
    let timeout = options.timeout();
    let payload = options.get("payload").and_then(|node| options.tree(node));
    let mut config = WebhookConfig::new(url?);
    config.alerts_max = alerts_max.try_into().unwrap_or(usize::MAX);
    config.timeout = timeout;
    config.payload = payload;
    Some(config)
}

fn url(options: &Options<'_, '_>) -> Option<SecretText> {
    if !options.has_either("url", "url_file") {
        options.missing("url` or `url_file");
    }
    let url = options.secret("url", "url_file")?;
    let at = options.get("url").or(options.get("url_file"))?.at;
    // An address with a template shows only when it is rendered what it is.
    let problem = match SecretText::compile(url.reveal()) {
        Err(error) => format!("{TEMPLATE_ERROR}{}", error.message),
        Ok(text) if url.reveal().contains("{{") => return Some(text),
        Ok(text) => match address(url.reveal()) {
            Ok(_) => return Some(text),
            Err(why) => format!("`url`: {why}"),
        },
    };
    options.doc.problem(at, problem, None);
    None
}
