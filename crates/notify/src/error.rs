//! Why a notification could not be put into its form.

use firebell_template::TemplateError;

/// A request that cannot be made. Trying again does not help: the configuration has to change.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RenderError {
    /// A template failed; the error says where inside the field's text.
    #[error("failed to render `{field}` of the {integration} notification")]
    Template {
        /// The kind, such as `webhook`.
        integration: &'static str,
        /// The option, as it is called in the configuration.
        field: &'static str,
        /// What went wrong.
        source: TemplateError,
    },
    /// The address is none; it is not shown, it may be a secret.
    #[error("`{field}` of the {integration} notification is no http or https address")]
    Address {
        /// The kind, such as `webhook`.
        integration: &'static str,
        /// The option, as it is called in the configuration.
        field: &'static str,
    },
    /// The body could not be written as JSON.
    #[error("failed to write the {integration} notification as JSON: {why}")]
    Json {
        /// The kind, such as `webhook`.
        integration: &'static str,
        /// What went wrong.
        why: String,
    },
    /// It makes no sense to the receiver.
    #[error("the {integration} notification cannot be sent: {why}")]
    Refused {
        /// The kind, such as `webhook`.
        integration: &'static str,
        /// What is wrong, without secrets.
        why: String,
    },
}
