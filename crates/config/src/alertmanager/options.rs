//! What readers of receivers' options share: the options of one integration, and `global`.
//!
//! A reader asks for its options by name; what is wrong is noted with its place, and the reader goes
//! on with the default, so that one look names every problem.

use std::collections::BTreeMap;
use std::ops::Deref;

use firebell_model::{Duration, Secret};
use firebell_notify::{HttpConfig, SecretText, Tls, Tree};
use firebell_template::NotificationText;

use crate::check::TEMPLATE_ERROR;
use crate::fields::Fields;
use crate::http;
use crate::load::Loader;
use crate::problem::Pos;
use crate::rule_files::place_in;
use crate::tree;
use crate::yaml::{Node, Scalar, Value};

/// The options of one integration, or of a part of it.
pub(super) struct Options<'d, 'n> {
    pub(super) loader: &'d Loader<'d>,
    pub(super) global: &'d Global,
    pub(super) fields: Fields<'d, 'n>,
}

impl<'d, 'n> Deref for Options<'d, 'n> {
    type Target = Fields<'d, 'n>;

    fn deref(&self) -> &Fields<'d, 'n> {
        &self.fields
    }
}

impl<'d, 'n> Options<'d, 'n> {
    /// A map within these options, such as an item of a list.
    pub(super) fn part(&self, node: &'n Node, what: &'static str) -> Self {
        Self {
            loader: self.loader,
            global: self.global,
            fields: self.doc.fields(node, what),
        }
    }

    /// What `read` makes of each item of a list of maps.
    pub(super) fn parts<T>(
        &self,
        name: &'static str,
        what: &'static str,
        read: impl Fn(&Self) -> T,
    ) -> Vec<T> {
        let items = self.list(name).iter().map(|node| {
            let part = self.part(node, what);
            let value = read(&part);
            part.fields.finish();
            value
        });
        items.collect()
    }

    /// Replaces a default by the text that is written, even when that is empty.
    pub(super) fn set(&self, name: &'static str, text: &mut NotificationText) {
        if let Some((_, scalar)) = self.scalar(name)
            && let Some(compiled) = self.compile(scalar)
        {
            *text = compiled;
        }
    }

    /// As [`Options::set`], for several.
    pub(super) fn set_all<'t>(
        &self,
        texts: impl IntoIterator<Item = (&'static str, &'t mut NotificationText)>,
    ) {
        for (name, text) in texts {
            self.set(name, text);
        }
    }

    /// As [`Options::set`], and notes when there is nothing.
    pub(super) fn set_needed(&self, name: &'static str, text: &mut NotificationText) {
        self.set(name, text);
        let written = self.scalar(name);
        if written.is_none_or(|(_, scalar)| scalar.text.is_empty()) {
            self.missing(name);
        }
    }

    /// A text that may be a template; what is wrong with it is noted.
    pub(super) fn compile(&self, scalar: &Scalar) -> Option<NotificationText> {
        let compiled = NotificationText::compile(&scalar.text);
        compiled
            .map_err(|error| {
                let at = place_in(self.doc, scalar, error.line, error.column);
                let message = format!("{TEMPLATE_ERROR}{}", error.message);
                self.doc.problem(at, message, None);
            })
            .ok()
    }

    /// As [`Options::set`], with a text of `global`.
    pub(super) fn set_to(&self, name: &str, written: &str, text: &mut NotificationText) {
        match NotificationText::compile(written) {
            Ok(compiled) => *text = compiled,
            Err(error) => {
                let message = format!("`{name}`: {TEMPLATE_ERROR}{}", error.message);
                self.doc.problem(self.at, message, None);
            }
        }
    }

    /// A list of texts that may be templates.
    pub(super) fn compiled_texts(&self, name: &'static str) -> Vec<NotificationText> {
        let scalars = self.list(name).iter().filter_map(|node| match &node.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::Null | Value::List(_) | Value::Map(_) => {
                self.doc.wrong_kind(node, name, "a list of texts");
                None
            }
        });
        scalars.filter_map(|scalar| self.compile(scalar)).collect()
    }

    /// A map of names to texts that may be templates, in the order of names.
    pub(super) fn texts_by_name(&self, name: &'static str) -> BTreeMap<String, NotificationText> {
        let mut texts = BTreeMap::new();
        let Some(node) = self.get(name) else {
            return texts;
        };
        for (key, node) in self.doc.entries(node, name) {
            let Some(text) = self.doc.text(node, key) else {
                continue;
            };
            match NotificationText::compile(&text) {
                Ok(text) => {
                    texts.insert(key.to_owned(), text);
                }
                Err(error) => {
                    let message = format!("{TEMPLATE_ERROR}{}", error.message);
                    self.doc.problem(node.at, message, None);
                }
            }
        }
        texts
    }

    /// A map of names to values of any nesting, whose texts may be templates.
    pub(super) fn trees(&self, name: &'static str) -> BTreeMap<String, Tree<NotificationText>> {
        let Some(node) = self.get(name) else {
            return BTreeMap::new();
        };
        let entries = self.doc.entries(node, name).into_iter();
        entries
            .filter_map(|(key, node)| Some((key.to_owned(), self.tree(node)?)))
            .collect()
    }

    /// A value of any nesting; `None` when a text of it is no template, which is noted.
    pub(super) fn tree(&self, node: &Node) -> Option<Tree<NotificationText>> {
        tree::of_node(node, &mut |scalar| self.compile(scalar))
    }

    /// A secret that stands here or in a file; `None` when neither is there or it is empty.
    pub(super) fn secret(&self, name: &'static str, file_name: &'static str) -> Option<Secret> {
        let secret = self.loader.secret(&self.fields, name, file_name);
        secret.filter(|secret| !secret.is_empty())
    }

    /// Whether a secret is meant to be here, even if it cannot be read.
    pub(super) fn has_either(&self, name: &'static str, file_name: &'static str) -> bool {
        let is_there = |name| self.get(name).is_some();
        is_there(name) || is_there(file_name)
    }

    /// As [`Options::secret`], of a text that may be a template.
    pub(super) fn secret_text(
        &self,
        name: &'static str,
        file_name: &'static str,
    ) -> Option<SecretText> {
        let secret = self.secret(name, file_name)?;
        let at = self.get(name).or(self.get(file_name))?.at;
        self.compile_secret(&secret, at, "")
    }

    /// `of` begins what is noted when it is no template.
    fn compile_secret(&self, secret: &Secret, at: Pos, of: &str) -> Option<SecretText> {
        let compiled = SecretText::compile(secret.reveal());
        let noted = compiled.map_err(|error| {
            let message = format!("{of}{TEMPLATE_ERROR}{}", error.message);
            self.doc.problem(at, message, None);
        });
        noted.ok()
    }

    /// What `read` finds in a field or in the file that another names; noted when neither is there.
    fn needed<T>(
        &self,
        name: &'static str,
        file_name: &'static str,
        read: impl FnOnce(&Self, &'static str, &'static str) -> Option<T>,
    ) -> Option<T> {
        if !self.has_either(name, file_name) {
            self.missing(&format!("{name}` or `{file_name}"));
        }
        read(self, name, file_name)
    }

    /// A secret that has to be here or in a file; when it is not, that is noted.
    pub(super) fn needed_secret_text(
        &self,
        name: &'static str,
        file_name: &'static str,
    ) -> Option<SecretText> {
        self.needed(name, file_name, Self::secret_text)
    }

    /// As [`Options::needed_secret_text`], of a plain text.
    pub(super) fn needed_secret(
        &self,
        name: &'static str,
        file_name: &'static str,
    ) -> Option<Secret> {
        self.needed(name, file_name, Self::secret)
    }

    /// Notes that something is neither here nor in `global`, where it has another name.
    pub(super) fn in_neither(&self, name: &str, global_name: &str) {
        let hint = format!("put it here, or into `global` as `{global_name}`");
        let message = format!("{} needs `{name}`", self.what());
        self.doc.problem(self.at, message, Some(hint));
    }

    /// A secret from here, else from `global`, where it has another name.
    pub(super) fn own_or_global_if_any(
        &self,
        name: &'static str,
        file_name: &'static str,
        global_name: &'static str,
    ) -> Option<Secret> {
        match self.has_either(name, file_name) {
            true => self.secret(name, file_name),
            false => self.global.secret(global_name).cloned(),
        }
    }

    /// As [`Options::own_or_global_if_any`]; noted when it is in neither.
    pub(super) fn own_or_global(
        &self,
        name: &'static str,
        file_name: &'static str,
        global_name: &'static str,
    ) -> Option<Secret> {
        let secret = self.own_or_global_if_any(name, file_name, global_name);
        if secret.is_none() && !self.has_either(name, file_name) {
            self.in_neither(name, global_name);
        }
        secret
    }

    /// As [`Options::own_or_global`], of a text that may be a template.
    pub(super) fn own_or_global_text(
        &self,
        name: &'static str,
        file_name: &'static str,
        global_name: &'static str,
    ) -> Option<SecretText> {
        if self.has_either(name, file_name) {
            return self.secret_text(name, file_name);
        }
        let secret = self.own_or_global(name, file_name, global_name)?;
        self.compile_secret(&secret, self.at, &format!("`{global_name}`: "))
    }

    /// A text from here, else from `global`, where it has another name; empty when it is in neither.
    pub(super) fn own_or_global_plain(
        &self,
        name: &'static str,
        global_name: &'static str,
    ) -> String {
        let own = self.text(name).filter(|text| !text.is_empty());
        own.unwrap_or_else(|| self.global.text(global_name).unwrap_or("").to_owned())
    }

    /// An address from here, else from `global`, with a slash at its end.
    pub(super) fn base_address(&self, name: &'static str, global_name: &'static str) -> String {
        let own = self.address(name);
        let mut url = own.unwrap_or_else(|| self.global.text(global_name).unwrap_or("").to_owned());
        if !url.ends_with('/') {
            url.push('/');
        }
        url
    }

    /// An address for HTTP that stands here; one that is none is noted.
    pub(super) fn address(&self, name: &'static str) -> Option<String> {
        self.parsed(name, |text| address(text).map(str::to_owned))
    }

    /// As [`Options::address`], of an address that is a secret and may stand in a file.
    pub(super) fn secret_address(
        &self,
        name: &'static str,
        file_name: &'static str,
    ) -> Option<Secret> {
        let url = self.secret(name, file_name)?;
        let at = self.get(name).or(self.get(file_name))?.at;
        match address(url.reveal()) {
            Ok(_) => Some(url),
            Err(why) => {
                self.doc.problem(at, format!("`{name}`: {why}"), None);
                None
            }
        }
    }

    /// As [`Options::secret_address`]; noted when there is none.
    pub(super) fn needed_secret_address(
        &self,
        name: &'static str,
        file_name: &'static str,
    ) -> Option<Secret> {
        self.needed(name, file_name, Self::secret_address)
    }

    /// Whether `http_config` of the integration itself says how it is authorized.
    pub(super) fn has_own_authorization(&self) -> bool {
        let node = self.get("http_config").map(|node| &node.value);
        let Some(Value::Map(entries)) = node else {
            return false;
        };
        entries.iter().any(|entry| entry.key == "authorization")
    }

    /// `timeout`, as Go writes durations; zero is as if there were none.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let timeout = self.parsed("timeout", Duration::from_go);
        timeout.filter(|timeout| *timeout > Duration::ZERO)
    }

    /// Notes `http_config`, which what does not speak HTTP does not have.
    pub(super) fn has_no_http(&self) {
        if self.get("http_config").is_some() {
            let message = format!("{} has no field `http_config`", self.what());
            self.doc.problem(self.at("http_config"), message, None);
        }
    }

    /// `http_config`, else that of `global`.
    pub(super) fn http(&self) -> HttpConfig {
        let own = http_config(self.loader, &self.fields);
        own.unwrap_or_else(|| self.global.http.clone())
    }
}

/// `global` of alertmanager.yml: every name is read, whoever uses it.
#[derive(Default)]
pub(super) struct Global {
    pub(super) resolve_timeout: Option<Duration>,
    pub(super) http: HttpConfig,
    pub(super) smtp_tls: Option<Tls>,
    /// Default true.
    pub(super) smtp_requires_tls: Option<bool>,
    /// By default it depends on the port.
    pub(super) smtp_implicit_tls: Option<bool>,
    secrets: BTreeMap<&'static str, Secret>,
    texts: BTreeMap<&'static str, String>,
}

impl Global {
    /// Reads the section; defaults when it is absent.
    pub(super) fn read(loader: &Loader<'_>, parent: &Fields<'_, '_>) -> Self {
        let Some(node) = parent.get("global") else {
            return Self::default();
        };
        let fields = parent.doc.fields(node, "`global`");
        let mut global = Self {
            resolve_timeout: fields.duration("resolve_timeout"),
            http: http_config(loader, &fields).unwrap_or_default(),
            smtp_tls: http::tls_config(loader, &fields, "smtp_tls_config"),
            smtp_requires_tls: fields.bool("smtp_require_tls"),
            smtp_implicit_tls: fields.bool("smtp_force_implicit_tls"),
            ..Self::default()
        };
        for (name, file_name) in GLOBAL_SECRETS {
            let secret = loader.secret(&fields, name, file_name);
            let secret = secret.filter(|secret| !secret.is_empty());
            global.secrets.extend(secret.map(|secret| (name, secret)));
        }
        for name in GLOBAL_TEXTS {
            let text = fields.text(name).filter(|text| !text.is_empty());
            global.texts.extend(text.map(|text| (name, text)));
        }
        fields.parsed("smtp_smarthost", super::email::smarthost);
        for (name, _) in GLOBAL_ADDRESSES {
            let url = fields.parsed(name, |text| address(text).map(str::to_owned));
            global.texts.extend(url.map(|url| (name, url)));
        }
        fields.finish();
        global
    }

    /// One of [`GLOBAL_SECRETS`].
    pub(super) fn secret(&self, name: &str) -> Option<&Secret> {
        self.secrets.get(name)
    }

    /// One of [`GLOBAL_TEXTS`], or of [`GLOBAL_ADDRESSES`] with its default.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let default = || {
            let mut known = GLOBAL_ADDRESSES.iter();
            let (_, url) = known.find(|(known, _)| *known == name)?;
            (!url.is_empty()).then_some(*url)
        };
        self.texts.get(name).map(String::as_str).or_else(default)
    }
}

fn http_config(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Option<HttpConfig> {
    let node = fields.get("http_config")?;
    let fields = fields.doc.fields(node, "`http_config`");
    let config = http::read_with_oauth2(loader, &fields);
    fields.finish();
    Some(config)
}

/// The text, if it begins like an address for HTTP. The reason does not repeat it: it may be a
/// secret.
pub(super) fn address(text: &str) -> Result<&str, &'static str> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let is_one = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    is_one
        .then_some(text)
        .ok_or("the address has to begin with http:// or https://, and a host")
}

/// Secrets of `global`, and the names of the files that may hold them.
const GLOBAL_SECRETS: [(&str, &str); 11] = [
    ("mattermost_webhook_url", "mattermost_webhook_url_file"),
    ("opsgenie_api_key", "opsgenie_api_key_file"),
    ("rocketchat_token", "rocketchat_token_file"),
    ("rocketchat_token_id", "rocketchat_token_id_file"),
    ("slack_api_url", "slack_api_url_file"),
    ("slack_app_token", "slack_app_token_file"),
    ("smtp_auth_password", "smtp_auth_password_file"),
    ("smtp_auth_secret", "smtp_auth_secret_file"),
    ("telegram_bot_token", "telegram_bot_token_file"),
    ("victorops_api_key", "victorops_api_key_file"),
    ("wechat_api_secret", "wechat_api_secret_file"),
];

const GLOBAL_TEXTS: [&str; 6] = [
    "smtp_auth_identity",
    "smtp_auth_username",
    "smtp_from",
    "smtp_hello",
    "smtp_smarthost",
    "wechat_api_corp_id",
];

/// Addresses of `global` with their defaults. Source: Alertmanager, `config.DefaultGlobalConfig`.
const GLOBAL_ADDRESSES: [(&str, &str); 9] = [
    ("jira_api_url", ""),
    ("opsgenie_api_url", "https://api.opsgenie.com/"),
    ("pagerduty_url", "https://events.pagerduty.com/v2/enqueue"),
    ("rocketchat_api_url", "https://open.rocket.chat/"),
    ("slack_app_url", "https://slack.com/api/chat.postMessage"),
    ("telegram_api_url", "https://api.telegram.org"),
    (
        "victorops_api_url",
        "https://alert.victorops.com/integrations/generic/20131114/alert/",
    ),
    ("webex_api_url", "https://webexapis.com/v1/messages"),
    ("wechat_api_url", "https://qyapi.weixin.qq.com/cgi-bin/"),
];
