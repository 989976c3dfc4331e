//! Deploys: when which version of a service went live.

use crate::Timestamp;

/// A version of a service that went live.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Deploy {
    /// When it began to serve.
    pub at: Timestamp,
    /// As alerts and objectives name it.
    pub service: String,
    /// What tells it from others of its name, as OpenTelemetry's `service.namespace`; empty: nothing
    /// was said.
    pub namespace: String,
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

    /// The label by which alerts and budgets say which of several services of a name they mean.
    pub const NAMESPACE: &str = "service_namespace";

    /// Whether it went live in an environment. Where one of both does not say which, it did.
    #[must_use]
    pub fn is_in(&self, environment: Option<&str>) -> bool {
        self.environment.is_empty() || environment.is_none_or(|it| it == self.environment)
    }

    /// Whether it is of a service that labels name, as `shop` or as `eu/shop`: Prometheus's `job` of a
    /// service with a namespace has both. Where one of both does not say which namespace, it is.
    #[must_use]
    pub fn is_of(&self, name: &str, namespace: Option<&str>) -> bool {
        let is_in = |said: &str, namespace: Option<&str>| {
            said.is_empty() || namespace.is_none_or(|it| it == said)
        };
        let is_called = |said: &str, service: &str| {
            let before = name.strip_suffix(service);
            match before.and_then(|it| it.strip_suffix('/')) {
                Some(namespace) => is_in(said, Some(namespace)),
                None => before == Some("") && is_in(said, namespace),
            }
        };
        self.names().any(|(said, service)| is_called(said, service))
    }

    /// What it may be called: namespace, which may be empty, and service. Whoever tells of `eu/shop`
    /// without a namespace may mean either.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        let parts = self.service.rsplit_once('/');
        let parts = parts.filter(|_| self.namespace.is_empty());
        std::iter::once((&*self.namespace, &*self.service)).chain(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_by_its_name_with_and_without_its_namespace() {
        for (told, labels, is_of) in [
            ("shop", "shop", true),
            ("shop", "cart", false),
            ("shop", "workshop", false),
            ("shop", "", false),
            // One side says no namespace.
            ("shop", "eu/shop", true),
            ("shop", "shop of eu", true),
            ("shop of eu", "shop", true),
            ("eu/shop", "shop", true),
            // Both do.
            ("shop of eu", "eu/shop", true),
            ("shop of eu", "shop of eu", true),
            ("eu/shop", "eu/shop", true),
            ("eu/shop", "shop of eu", true),
            ("shop of eu", "us/shop", false),
            ("shop of eu", "shop of us", false),
            ("eu/shop", "us/shop", false),
            ("eu/shop", "shop of us", false),
            // Names may have slashes themselves.
            ("shop/api of eu", "shop/api", true),
            ("shop/api of eu", "eu/shop/api", true),
            ("shop/api of eu", "us/shop/api", false),
            ("shop/api", "shop/api", true),
            ("shop of eu/west", "eu/west/shop", true),
            ("shop of eu", "/shop", false),
        ] {
            let named = |text: &'static str| match text.split_once(" of ") {
                Some((service, namespace)) => (service, Some(namespace)),
                None => (text, None),
            };
            let (service, namespace) = named(told);
            let deploy = Deploy {
                at: Timestamp(0),
                service: service.to_owned(),
                namespace: namespace.unwrap_or_default().to_owned(),
                version: String::new(),
                environment: String::new(),
                url: String::new(),
            };
            let (name, namespace) = named(labels);
            assert_eq!(deploy.is_of(name, namespace), is_of, "{told}: {labels}");
        }
    }
}
