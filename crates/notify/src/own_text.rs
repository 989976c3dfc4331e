//! The default texts of the kinds that Alertmanager does not have.

use firebell_template::NotificationText;

/// One line: what, how many, where.
pub(crate) fn headline() -> NotificationText {
    NotificationText::calling("__subject")
}

/// What follows the headline: the annotations that all alerts share, then the alerts.
pub(crate) fn details() -> NotificationText {
    NotificationText::calling("webex.default.message")
}

/// Both.
pub(crate) fn whole() -> NotificationText {
    let text = "{{ template \"__subject\" . }}\n{{ template \"webex.default.message\" . }}";
    NotificationText::compile(text).unwrap_or_default()
}
