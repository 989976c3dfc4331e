//! `replies` of firebell.yml: by what those sign who hand on answers to pages.
//!
//! ```yaml
//! replies:
//!   slack: {signing_secret_file: slack.secret}
//!   telegram: {secret_token_file: telegram.token}
//!   twilio: {auth_token_file: twilio.token}
//!   mailgun: {signing_key_file: mailgun.key}
//! ```

use firebell_model::Secret;
use firebell_oncall::ContactKind;

use crate::fields::Fields;
use crate::load::Loader;

/// Who may hand on answers to pages, each with what they sign by; nobody else is listened to.
#[derive(Clone, Debug, Default)]
pub struct Replies {
    /// Slack's signing secret of the app whose buttons pages have.
    pub slack: Option<Secret>,
    /// The secret token that the bot's webhook was set with.
    pub telegram: Option<Secret>,
    /// The auth token of the account of Twilio that texts are sent by.
    pub twilio: Option<Secret>,
    /// The signing key of webhooks of Mailgun, which hands on mails.
    pub mailgun: Option<Secret>,
}

impl Replies {
    /// Whether messages by a kind of contact have buttons.
    #[must_use]
    pub fn have_buttons(&self, kind: ContactKind) -> bool {
        match kind {
            ContactKind::Slack => self.slack.is_some(),
            ContactKind::Telegram => self.telegram.is_some(),
            _ => false,
        }
    }

    pub(crate) fn read(parent: &Fields<'_, '_>, loader: &Loader<'_>) -> Self {
        let Some(node) = parent.get("replies") else {
            return Self::default();
        };
        let fields = parent.doc.fields(node, "`replies`");
        let secret = |kind, name, file_name| {
            let node = fields.get(kind)?;
            let of_kind = fields.doc.fields(node, kind);
            let secret = loader.secret(&of_kind, name, file_name);
            if of_kind.get(name).is_none() && of_kind.get(file_name).is_none() {
                of_kind.missing(name);
            }
            if secret.as_ref().is_some_and(|it| it.reveal().is_empty()) {
                let message = format!("`{name}` is empty, so that anybody could sign");
                fields.doc.problem(node.at, message, None);
            }
            of_kind.finish();
            secret
        };
        let read = Self {
            slack: secret("slack", "signing_secret", "signing_secret_file"),
            telegram: secret("telegram", "secret_token", "secret_token_file"),
            twilio: secret("twilio", "auth_token", "auth_token_file"),
            mailgun: secret("mailgun", "signing_key", "signing_key_file"),
        };
        fields.finish();
        read
    }
}
