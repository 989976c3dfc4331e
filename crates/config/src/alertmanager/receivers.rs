//! Receivers and how each of their integrations is told.
//!
//! *Sources*: Alertmanager, `config/notifiers.go` and `config/config.go`.

use std::collections::BTreeMap;

use firebell_dispatch::{Receiver, Receivers};
use firebell_model::{Duration, Secret};
use firebell_notify::{HttpConfig, Integration};

use super::{IntegrationKey, slack, webhook};
use crate::fields::{Doc, Fields};
use crate::http;
use crate::load::Loader;
use crate::yaml::Node;

/// The integration that every receiver has: Firebell's own page shows what it was told.
pub(crate) const INBOX: &str = "inbox";

/// `global` of alertmanager.yml, as far as receivers need it.
#[derive(Default)]
pub(super) struct Global {
    pub(super) resolve_timeout: Option<Duration>,
    pub(super) http: HttpConfig,
    pub(super) slack_api_url: Option<Secret>,
    pub(super) slack_app_token: Option<Secret>,
    pub(super) slack_app_url: Option<String>,
}

impl Global {
    /// Reads the section; defaults when it is absent.
    pub(super) fn read(loader: &Loader<'_>, parent: &Fields<'_, '_>) -> Self {
        let Some(node) = parent.get("global") else {
            return Self::default();
        };
        let fields = parent.doc.fields(node, "`global`");
        let global = Self {
            resolve_timeout: fields.duration("resolve_timeout"),
            http: http_config(loader, &fields).unwrap_or_default(),
            slack_api_url: loader.secret(&fields, "slack_api_url", "slack_api_url_file"),
            slack_app_token: loader.secret(&fields, "slack_app_token", "slack_app_token_file"),
            slack_app_url: fields.text("slack_app_url"),
        };
        fields.ignore(&OTHER_GLOBALS);
        fields.finish();
        global
    }
}

/// Reads `receivers`. Of two with the same name the first is kept, and the second noted.
pub(super) fn read(
    loader: &Loader<'_>,
    fields: &Fields<'_, '_>,
    global: &Global,
) -> (Receivers, BTreeMap<IntegrationKey, Integration>) {
    let (mut receivers, mut integrations) = (Vec::<Receiver>::new(), BTreeMap::new());
    for node in fields.list("receivers") {
        let Some((name, told)) = receiver(loader, fields.doc, node, global) else {
            continue;
        };
        if receivers.iter().any(|known| **known.name() == *name) {
            let message = format!("there are two receivers with the name `{name}`");
            fields.doc.problem(node.at, message, None);
            continue;
        }
        let kinds = told.iter().map(|it| (it.kind(), it.send_resolved()));
        let receiver = Receiver::new(&*name, kinds.chain([(INBOX, true)]));
        for (slot, integration) in receiver.slots().iter().zip(told) {
            let (kind, idx) = (slot.integration.kind.to_string(), slot.integration.idx);
            integrations.insert((name.clone(), kind, idx), integration);
        }
        receivers.push(receiver);
    }
    (Receivers::new(receivers).unwrap_or_default(), integrations)
}

fn receiver(
    loader: &Loader<'_>,
    doc: &Doc<'_>,
    node: &Node,
    global: &Global,
) -> Option<(String, Vec<Integration>)> {
    let fields = doc.fields(node, "a receiver");
    let name = fields.needed_text("name");
    let mut told = Vec::new();
    for node in fields.list("webhook_configs") {
        told.extend(webhook::read(loader, doc, node, global).map(Integration::Webhook));
    }
    for node in fields.list("slack_configs") {
        let slack = slack::read(loader, doc, node, global);
        told.extend(slack.map(|slack| Integration::Slack(Box::new(slack))));
    }
    for kind in OTHER_KINDS {
        if fields.get(kind).is_some() {
            let hint = "`webhook_configs` and `slack_configs` are".to_owned();
            let message = format!("`{kind}` is not supported yet");
            doc.problem(fields.at(kind), message, Some(hint));
        }
    }
    fields.ignore(&["labels"]);
    fields.finish();
    name.map(|name| (name, told))
}

/// Reads `http_config`.
pub(super) fn http_config(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Option<HttpConfig> {
    let fields = fields
        .doc
        .fields(fields.get("http_config")?, "`http_config`");
    let config = http::read(loader, &fields);
    fields.finish();
    Some(config)
}

const OTHER_KINDS: [&str; 16] = [
    "discord_configs",
    "email_configs",
    "incidentio_configs",
    "jira_configs",
    "mattermost_configs",
    "msteams_configs",
    "msteamsv2_configs",
    "opsgenie_configs",
    "pagerduty_configs",
    "pushover_configs",
    "rocketchat_configs",
    "sns_configs",
    "telegram_configs",
    "victorops_configs",
    "webex_configs",
    "wechat_configs",
];

/// Options of integrations that are not there yet; those that use them are refused.
const OTHER_GLOBALS: [&str; 34] = [
    "jira_api_url",
    "mattermost_webhook_url",
    "mattermost_webhook_url_file",
    "opsgenie_api_key",
    "opsgenie_api_key_file",
    "opsgenie_api_url",
    "pagerduty_url",
    "rocketchat_api_url",
    "rocketchat_token",
    "rocketchat_token_file",
    "rocketchat_token_id",
    "rocketchat_token_id_file",
    "smtp_auth_identity",
    "smtp_auth_password",
    "smtp_auth_password_file",
    "smtp_auth_secret",
    "smtp_auth_secret_file",
    "smtp_auth_username",
    "smtp_force_implicit_tls",
    "smtp_from",
    "smtp_hello",
    "smtp_require_tls",
    "smtp_smarthost",
    "smtp_tls_config",
    "telegram_api_url",
    "telegram_bot_token",
    "telegram_bot_token_file",
    "victorops_api_key",
    "victorops_api_key_file",
    "victorops_api_url",
    "webex_api_url",
    "wechat_api_corp_id",
    "wechat_api_secret",
    "wechat_api_url",
];
