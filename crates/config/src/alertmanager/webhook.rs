//! `webhook_configs`.

use firebell_model::Duration;
use firebell_notify::{SecretText, WebhookConfig};

use super::receivers::{Global, http_config};
use crate::check::TEMPLATE_ERROR;
use crate::fields::{Doc, Fields};
use crate::load::Loader;
use crate::yaml::Node;

/// Reads one; `None` when it has no usable address, which is noted.
pub(super) fn read(
    loader: &Loader<'_>,
    doc: &Doc<'_>,
    node: &Node,
    global: &Global,
) -> Option<WebhookConfig> {
    let fields = doc.fields(node, "a webhook");
    let url = url(loader, &fields);
    let alerts_max = fields
        .number("max_alerts")
        .unwrap_or(0)
        .try_into()
        .unwrap_or(usize::MAX);
    let timeout = timeout(&fields);
    let send_resolved = fields.bool("send_resolved").unwrap_or(true);
    let http = http_config(loader, &fields).unwrap_or_else(|| global.http.clone());
    fields.refuse("payload");
    fields.finish();
    Some(WebhookConfig {
        url: url?,
        alerts_max,
        timeout,
        send_resolved,
        http,
    })
}

/// How long to wait; zero means no limit, as upstream.
pub(super) fn timeout(fields: &Fields<'_, '_>) -> Option<Duration> {
    fields
        .duration("timeout")
        .filter(|timeout| *timeout > Duration::ZERO)
}

fn url(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Option<SecretText> {
    let has_any = fields.get("url").is_some() || fields.get("url_file").is_some();
    if !has_any {
        fields
            .doc
            .problem(fields.at, "a webhook needs `url` or `url_file`", None);
    }
    let url = loader.secret(fields, "url", "url_file")?;
    let at = fields.get("url").or(fields.get("url_file"))?.at;
    if !url.reveal().contains("{{") && !is_address(url.reveal()) {
        // What is written may be a secret, so it is not repeated.
        let message = "the address of a webhook has to begin with http:// or https://";
        fields.doc.problem(at, message, None);
        return None;
    }
    match SecretText::compile(url.reveal()) {
        Ok(text) => Some(text),
        Err(error) => {
            fields
                .doc
                .problem(at, format!("{TEMPLATE_ERROR}{}", error.message), None);
            None
        }
    }
}

/// Whether a text begins like an address for HTTP.
pub(super) fn is_address(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}
