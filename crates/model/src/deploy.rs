//! Deploys: when which version of a service went live.

use crate::Timestamp;

/// A version of a service that went live.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Deploy {
    /// When it began to serve.
    pub at: Timestamp,
    /// As alerts and objectives name it.
    pub service: String,
    /// What people call it.
    pub version: String,
    /// Where it runs, such as `production`; empty: wherever the service does.
    pub environment: String,
    /// Where people read more; may be empty.
    pub url: String,
}

impl Deploy {
    /// The label by which alerts and budgets say where they are.
    pub const ENVIRONMENT: &str = "environment";

    /// Whether it went live in an environment. Where one of both does not say which, it did.
    #[must_use]
    pub fn is_in(&self, environment: Option<&str>) -> bool {
        self.environment.is_empty() || environment.is_none_or(|it| it == self.environment)
    }
}
