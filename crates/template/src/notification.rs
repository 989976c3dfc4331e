//! Templates of notifications, as in Alertmanager: user files over built-in defaults.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use firebell_model::{Alert, AlertStatus, Labels, Notification, NotificationReason, Timestamp};

use crate::ast::Definition;
use crate::error::TemplateError;
use crate::exec::{Context, RouteLabel, run_as};
use crate::functions::Functions;
use crate::html::Html;
use crate::parser::{Parsed, parse};
use crate::route_labels::RouteLabels;
use crate::time::ZERO_TIME;
use crate::value::{ListKind, Value};

/// The named templates that notification texts may call. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NotificationTemplates(Arc<BTreeMap<Arc<str>, Arc<Definition>>>);

/// A compiled text of a receiver's configuration; cheap to clone.
#[derive(Clone)]
pub struct NotificationText(Form);

#[derive(Clone)]
enum Form {
    Plain(Arc<str>),
    Parsed(Arc<Parsed>),
}

/// Which messages receivers get whose configuration does not say otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Messages {
    /// Alertmanager's.
    #[default]
    Upstream,
    /// Firebell's: what is asked at a glance. Templates of upstream's names lead to them.
    Firebell,
}

impl NotificationTemplates {
    /// The built-in templates, with upstream's messages, and then the user's files, in order; a
    /// later definition replaces an earlier one of the same name, unless it is empty.
    ///
    /// # Errors
    /// The first mistake of every file that has one, with the file's name.
    pub fn new<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<(String, TemplateError)>> {
        Self::with(Messages::Upstream, files)
    }

    /// The same with a choice of messages.
    ///
    /// # Errors
    /// As [`NotificationTemplates::new`].
    pub fn with<'a>(
        messages: Messages,
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<(String, TemplateError)>> {
        let mut definitions = DEFAULTS.clone();
        if messages == Messages::Firebell {
            definitions.extend(BY_KIND.clone());
        }
        let mut errors = Vec::new();
        for (name, text) in files {
            match parse(text, Functions::Alertmanager, &[]) {
                Ok(parsed) => {
                    let own = (Arc::from(name), Arc::new(parsed.main));
                    for (name, definition) in parsed.definitions.into_iter().chain([own]) {
                        let is_kept = definition.is_empty() && definitions.contains_key(&name);
                        if !is_kept {
                            definitions.insert(name, definition);
                        }
                    }
                }
                Err(error) => errors.push((name.to_owned(), error)),
            }
        }
        if errors.is_empty() {
            Ok(Self(Arc::new(definitions)))
        } else {
            Err(errors)
        }
    }

    /// Whether a template of this name can be called.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The text for one notification. `external_url` is where people reach Firebell.
    ///
    /// # Errors
    /// As [`crate::Template::expand`]; also when a template is called that nobody defined.
    pub fn expand(
        &self,
        text: &NotificationText,
        notification: &Notification,
        external_url: &str,
    ) -> Result<String, TemplateError> {
        self.expand_with(text, &NotificationData::new(notification, external_url))
    }

    /// As [`NotificationTemplates::expand`], with data that several texts share.
    ///
    /// # Errors
    /// As [`NotificationTemplates::expand`].
    pub fn expand_with(
        &self,
        text: &NotificationText,
        data: &NotificationData,
    ) -> Result<String, TemplateError> {
        self.run(text, data, None, &data.route_label())
    }

    /// As [`NotificationTemplates::expand_with`], of a text that is HTML: values are escaped as their
    /// place asks, unless they come from `safeHtml`.
    ///
    /// # Errors
    /// As [`NotificationTemplates::expand`].
    pub fn expand_html_with(
        &self,
        text: &NotificationText,
        data: &NotificationData,
    ) -> Result<String, TemplateError> {
        self.run(text, data, Some(Html::default()), &data.route_label())
    }

    /// The labels of a notification's route, their templates rendered for its alerts; those that
    /// fail are left out, and why is told.
    #[must_use]
    pub fn route_labels(
        &self,
        notification: &Notification,
        external_url: &str,
    ) -> (Labels, Vec<String>) {
        let raw = &notification.route_labels;
        if !raw.iter().any(|label| label.value.contains("{{")) {
            return (raw.clone(), Vec::new());
        }
        RouteLabels::new(self, notification, external_url).render()
    }

    pub(crate) fn run(
        &self,
        text: &NotificationText,
        data: &NotificationData,
        html: Option<Html>,
        route_label: &RouteLabel<'_>,
    ) -> Result<String, TemplateError> {
        let parsed = match &text.0 {
            Form::Plain(text) => return Ok(text.as_ref().to_owned()),
            Form::Parsed(parsed) => parsed,
        };
        let context = Context {
            now: data.now,
            external_url: &data.external_url,
            query: None,
            route_label: Some(route_label),
            measured: Some(&data.measured),
        };
        let definitions = [&parsed.definitions, &*self.0];
        run_as(
            &parsed.main,
            &definitions,
            &context,
            data.dot.clone(),
            Vec::new(),
            html,
        )
    }
}

/// Only the built-in templates.
impl Default for NotificationTemplates {
    fn default() -> Self {
        Self(Arc::new(DEFAULTS.clone()))
    }
}

impl NotificationText {
    /// Parses a text, and checks its syntax and the names of functions and variables. Which
    /// templates it calls is only looked at when it is expanded, as upstream does.
    ///
    /// # Errors
    /// With the place inside `text` of the first mistake.
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        if !text.contains("{{") {
            return Ok(Self(Form::Plain(text.into())));
        }
        let parsed = parse(text, Functions::Alertmanager, &[])?;
        Ok(Self(Form::Parsed(Arc::new(parsed))))
    }

    /// A call of a named template, as the defaults of options are written.
    #[must_use]
    pub fn calling(name: &str) -> Self {
        // Fails only for a name with quotes, which no default has.
        Self::compile(&format!("{{{{ template \"{name}\" . }}}}")).unwrap_or_default()
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        match &self.0 {
            Form::Plain(text) => text,
            Form::Parsed(parsed) => &parsed.main.text,
        }
    }
}

/// As it was written.
impl fmt::Debug for NotificationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text(), f)
    }
}

/// The empty text.
impl Default for NotificationText {
    fn default() -> Self {
        Self(Form::Plain("".into()))
    }
}

/// Equal when the text is.
impl PartialEq for NotificationText {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for NotificationText {}

/// What the texts of one notification see, made once for all of them.
#[derive(Clone, Debug)]
pub struct NotificationData {
    dot: Value,
    now: Timestamp,
    external_url: Arc<str>,
    pub(crate) route_labels: Labels,
    // By fingerprint.
    measured: BTreeMap<String, String>,
}

impl NotificationData {
    /// The data of a notification, whose route's labels are taken as they are.
    #[must_use]
    pub fn new(notification: &Notification, external_url: &str) -> Self {
        Self::with_reason(notification, external_url, reason_name(notification.reason))
    }

    // What `routeLabels` answers once the labels are rendered.
    fn route_label(&self) -> impl Fn(&str) -> Result<String, String> {
        |name| Ok(self.route_labels.value(name).to_owned())
    }

    pub(crate) fn with_reason(
        notification: &Notification,
        external_url: &str,
        reason: &str,
    ) -> Self {
        let alerts = notification.alerts.iter();
        let alerts = alerts
            .map(|alert| alert_value(alert, notification.at))
            .collect();
        let fields = vec![
            ("Receiver", Value::text(quote_meta(&notification.receiver))),
            ("Status", Value::text(status_name(notification.status()))),
            ("Alerts", Value::shallow(ListKind::Alerts, alerts)),
            ("NotificationReason", Value::text(reason)),
            ("GroupLabels", Value::Kv(notification.group_labels.clone())),
            ("CommonLabels", Value::Kv(notification.common_labels())),
            (
                "CommonAnnotations",
                Value::Kv(notification.common_annotations()),
            ),
            ("RouteLabels", Value::Kv(notification.route_labels.clone())),
            ("ExternalURL", Value::text(external_url)),
        ];
        let measured = notification.measured.iter();
        let measured = measured.map(|(alert, text)| (alert.to_string(), text.clone()));
        let measured = measured.collect();
        Self {
            dot: Value::structure("*template.Data", fields),
            now: notification.at,
            external_url: external_url.into(),
            route_labels: notification.route_labels.clone(),
            measured,
        }
    }
}

fn alert_value(alert: &Alert, now: Timestamp) -> Value {
    let status = alert.status_at(now);
    let fields = vec![
        ("Status", Value::text(status_name(status))),
        ("Labels", Value::Kv(alert.labels.clone())),
        ("Annotations", Value::Kv(alert.annotations.clone())),
        ("StartsAt", Value::utc(alert.starts_at)),
        ("EndsAt", Value::utc(ends_at(alert, now))),
        ("GeneratorURL", Value::text(alert.generator_url.as_str())),
        (
            "Fingerprint",
            Value::text(alert.labels.fingerprint().to_string()),
        ),
    ];
    Value::structure("template.Alert", fields)
}

/// When an alert ended, as receivers are told: Go's zero time while it fires.
#[must_use]
pub fn ends_at(alert: &Alert, now: Timestamp) -> Timestamp {
    match (alert.status_at(now), alert.ends_at) {
        (AlertStatus::Resolved, Some(ends_at)) => ends_at,
        _ => ZERO_TIME,
    }
}

/// `firing` or `resolved`.
#[must_use]
pub fn status_name(status: AlertStatus) -> &'static str {
    match status {
        AlertStatus::Firing => "firing",
        AlertStatus::Resolved => "resolved",
    }
}

/// Upstream's words for why a notification is sent.
#[must_use]
pub fn reason_name(reason: NotificationReason) -> &'static str {
    match reason {
        NotificationReason::First => "first notification",
        NotificationReason::NewAlerts => "new alerts added",
        NotificationReason::AllResolved => "all alerts resolved",
        NotificationReason::NewResolved => "some alerts resolved",
        NotificationReason::Repeat => "repeat interval elapsed",
    }
}

/// Go's `regexp.QuoteMeta`: how receivers' names reach templates and webhooks.
#[must_use]
pub fn quote_meta(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

static DEFAULTS: LazyLock<BTreeMap<Arc<str>, Arc<Definition>>> = LazyLock::new(|| {
    let mut all = definitions(include_str!("defaults.tmpl"));
    all.extend(definitions(include_str!("messages.tmpl")));
    all.extend(definitions(include_str!("pages.tmpl")));
    all
});

static BY_KIND: LazyLock<BTreeMap<Arc<str>, Arc<Definition>>> =
    LazyLock::new(|| definitions(include_str!("messages_by_kind.tmpl")));

fn definitions(text: &str) -> BTreeMap<Arc<str>, Arc<Definition>> {
    let parsed = parse(text, Functions::Alertmanager, &[]);
    // Tests hold that the files parse.
    parsed.map(|parsed| parsed.definitions).unwrap_or_default()
}
