//! A text that may be a template and is a secret.

use std::fmt;

use firebell_model::Secret;
use firebell_template::{NotificationText, TemplateError};

/// A text that may be a template and is a secret: prints as `<secret>`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecretText(NotificationText);

impl SecretText {
    /// Parses the text.
    ///
    /// # Errors
    /// With the place inside the text of the first mistake.
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        Ok(Self(NotificationText::compile(text)?))
    }

    pub(crate) fn text(&self) -> &NotificationText {
        &self.0
    }

    /// The text as it was written.
    pub(crate) fn to_secret(&self) -> Secret {
        Secret::new(self.0.text())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}
