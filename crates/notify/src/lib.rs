//! Notification to request value, response to verdict: two pure functions per integration.
//!
//! *Invariants*: no socket and no clock; no `Debug` form and no error text shows a secret, not even
//! one that a receiver echoes.
//!
//! *Not here*: when a notification is sent and repeated (`firebell-dispatch`); the HTTP client and
//! the inbox (`firebell-server`).
//!
//! *Sources*: Alertmanager, `notify/`.

mod error;
mod http;
mod integration;
mod json;
mod verdict;

mod slack;
mod webhook;

pub use crate::error::RenderError;
pub use crate::http::{HttpConfig, HttpRequest, HttpResponse, Method, Tls};
pub use crate::integration::{Context, Integration};
pub use crate::slack::{SlackAction, SlackConfig, SlackConfirm, SlackField};
pub use crate::verdict::Verdict;
pub use crate::webhook::{SecretText, WebhookConfig};
