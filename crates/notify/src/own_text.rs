//! The default texts of the kinds that Alertmanager does not have: Firebell's own messages.

use firebell_template::NotificationText;

/// One line: what, how many, where.
pub(crate) fn headline() -> NotificationText {
    NotificationText::calling("firebell.title")
}

/// What follows the headline, where there is no markup.
pub(crate) fn details() -> NotificationText {
    NotificationText::calling("firebell.text")
}

/// Both, where there is no markup.
pub(crate) fn whole() -> NotificationText {
    with_headline("{{ template \"firebell.title\" . }}\n{{ template \"firebell.text\" . }}")
}

/// Both, for those that read Markdown.
pub(crate) fn markdown() -> NotificationText {
    with_headline(
        "**{{ template \"__markdown_text\" (glance .).Title }}**\n\n{{ template \"firebell.markdown\" . }}",
    )
}

/// Both, for those that read Slack's markup.
pub(crate) fn slack_markup() -> NotificationText {
    with_headline(
        "*{{ template \"__slack_text\" (glance .).Title }}*\n{{ template \"firebell.slack\" . }}",
    )
}

fn with_headline(text: &str) -> NotificationText {
    NotificationText::compile(text).unwrap_or_default()
}
