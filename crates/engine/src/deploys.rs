//! Deploys within the engine: who is told of an alert is told which version of its service was live
//! when it began, and for how long.
//!
//! *Invariants*: how old a deploy is counts from there to the beginning of the alert, so that every
//! message says the same. What an alert says of a deploy itself stays. Nothing is written down here:
//! whoever keeps deploys hands them over after a restart ([`Engine::note_deploys`]), in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_model::{Alert, Deploy, Labels, Notification, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::engine::Engine;

/// The deploys that are known. What is asked for costs a few look-ups, however many there are of other
/// services, namespaces and environments.
#[derive(Debug, Default)]
pub struct KnownDeploys {
    /// The oldest first.
    all: BTreeSet<Arc<Deploy>>,
    /// By each name that a service has ([`Deploy::names`]), without its namespace.
    by_service: BTreeMap<String, ByNamespace>,
}

type ByNamespace = Grouped<Grouped<Newest>>;

/// The oldest first.
type Newest = Vec<Arc<Deploy>>;

/// The same of all, and of each that says the same; nothing said is an empty text.
#[derive(Debug, Default)]
struct Grouped<T> {
    any: T,
    by: BTreeMap<String, T>,
}

/// A deploy as the Python package writes it into an annotation.
#[derive(Serialize)]
struct Told<'a> {
    version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    environment: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    url: &'a str,
    /// From then to the beginning of the alert, in seconds.
    age_s: i64,
}

impl KnownDeploys {
    /// Notes one; again changes nothing.
    fn note(&mut self, deploy: Deploy) {
        let deploy = Arc::new(deploy);
        if !self.all.insert(Arc::clone(&deploy)) {
            return;
        }
        for (namespace, service) in deploy.names() {
            let of_service = self.by_service.entry(service.to_owned()).or_default();
            for of_namespace in of_service.both_mut(namespace) {
                for found in of_namespace.both_mut(&deploy.environment) {
                    if let Err(idx) = found.binary_search(&deploy) {
                        found.insert(idx, Arc::clone(&deploy));
                    }
                }
            }
        }
        if self.all.len() > DEPLOYS_MAX {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.all.pop_first() else {
            return;
        };
        for (namespace, service) in oldest.names() {
            let Some(of_service) = self.by_service.get_mut(service) else {
                continue;
            };
            for of_namespace in of_service.both_mut(namespace) {
                for found in of_namespace.both_mut(&oldest.environment) {
                    if let Ok(idx) = found.binary_search(&oldest) {
                        found.remove(idx);
                    }
                }
                of_namespace.drop_if(&oldest.environment, Vec::is_empty);
            }
            of_service.drop_if(namespace, |it| it.any.is_empty());
            if of_service.any.any.is_empty() {
                self.by_service.remove(service);
            }
        }
    }

    /// The last one before an alert with these labels began, where it is.
    #[must_use]
    pub fn before(&self, labels: &Labels, began_at: Timestamp) -> Option<&Deploy> {
        let mut names = SERVICE_LABELS.iter().filter_map(|name| labels.get(name));
        let name = names.next()?;
        let environment = labels.get(Deploy::ENVIRONMENT);
        // As `Deploy::is_of` has it: the name may begin with a namespace. Each slash may end it, and a
        // label that somebody posts may be nothing but slashes.
        let whole = (labels.get(Deploy::NAMESPACE), name);
        let parts = name.match_indices('/').take(NAMESPACE_PARTS_MAX);
        let parts = parts.map(|(at, _)| (Some(&name[..at]), &name[at + 1..]));
        std::iter::once(whole)
            .chain(parts)
            .filter_map(|(namespace, name)| Some(self.by_service.get(name)?.concerning(namespace)))
            .flatten()
            .flat_map(|of_namespace| of_namespace.concerning(environment))
            .filter_map(|found| {
                let n_before = found.partition_point(|it| it.at <= began_at);
                found[..n_before].last()
            })
            .max()
            .map(|it| &**it)
    }

    /// What an alert is told with: its annotations, and the deploy before it. What they say of one
    /// themselves stays, but for its age where the same version is known to be older: a process that
    /// began later takes its own beginning for the deploy. `None`: nothing is to be changed.
    #[must_use]
    pub fn annotated(
        &self,
        labels: &Labels,
        annotations: &Labels,
        began_at: Timestamp,
    ) -> Option<Labels> {
        let deploy = self.before(labels, began_at)?;
        let age_s = (began_at - deploy.at).0 / 1000;
        let json = match annotations.get(ANNOTATION) {
            Some(own) => older(own, &deploy.version, age_s)?,
            None => {
                let told = Told {
                    version: &deploy.version,
                    environment: &deploy.environment,
                    url: &deploy.url,
                    age_s,
                };
                // Texts and a number: they always have a JSON form.
                serde_json::to_string(&told).unwrap_or_default()
            }
        };
        let mut annotations = annotations.to_builder();
        annotations.set(ANNOTATION, json);
        Some(annotations.build())
    }

    pub(crate) fn annotate(&self, alert: &mut Alert) {
        let annotated = self.annotated(&alert.labels, &alert.annotations, alert.starts_at);
        if let Some(annotations) = annotated {
            alert.annotations = annotations;
        }
    }

    /// Costs a copy of the notification only where there is something to say.
    pub(crate) fn annotate_all(&self, notification: &mut Arc<Notification>) {
        let is_concerned = |it: &Alert| self.before(&it.labels, it.starts_at).is_some();
        if notification.alerts.iter().any(is_concerned) {
            let alerts = &mut Arc::make_mut(notification).alerts;
            alerts.iter_mut().for_each(|it| self.annotate(it));
        }
    }
}

impl<T: Default> Grouped<T> {
    /// Where something that says this belongs.
    fn both_mut(&mut self, said: &str) -> [&mut T; 2] {
        [&mut self.any, self.by.entry(said.to_owned()).or_default()]
    }

    /// Takes what says this out, if nothing is left of it.
    fn drop_if(&mut self, said: &str, is_empty: impl Fn(&T) -> bool) {
        if self.by.get(said).is_some_and(is_empty) {
            self.by.remove(said);
        }
    }

    /// What may be meant by whoever says this, or nothing: where one of both says nothing, it is.
    fn concerning(&self, said: Option<&str>) -> impl Iterator<Item = &T> {
        let groups = match said {
            None => [Some(&self.any), None],
            Some("") => [self.by.get(""), None],
            Some(said) => [self.by.get(said), self.by.get("")],
        };
        groups.into_iter().flatten()
    }
}

impl Engine {
    /// Takes deploys that are kept elsewhere.
    pub fn note_deploys(&mut self, deploys: impl IntoIterator<Item = Deploy>) {
        let deploys = deploys.into_iter();
        deploys.for_each(|it| self.deploys.note(it));
    }

    /// The deploys, to look at.
    #[must_use]
    pub fn deploys(&self) -> &KnownDeploys {
        &self.deploys
    }
}

/// What an alert says of a deploy itself, with a greater age; if it is of this version, and younger.
fn older(own: &str, version: &str, age_s: i64) -> Option<String> {
    let mut own: Map<String, Value> = serde_json::from_str(own).ok()?;
    let is_of_it = own.get("version").and_then(Value::as_str) == Some(version);
    let is_younger = own.get("age_s")?.as_f64()? < age_s as f64;
    if !is_of_it || !is_younger {
        return None;
    }
    own.insert("age_s".to_owned(), age_s.into());
    serde_json::to_string(&own).ok()
}

/// By which an alert says its service; the second is where OpenTelemetry's `service.name` goes.
const SERVICE_LABELS: [&str; 2] = ["service", "job"];
const ANNOTATION: &str = "deploy";
/// A namespace of more parts, as in `eu/west/shop`, is not found in the name of a service.
const NAMESPACE_PARTS_MAX: usize = 16;
/// As many as the server keeps.
const DEPLOYS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn deploy(service: &str, environment: &str, version: &str, secs: i64) -> Deploy {
        Deploy {
            at: Timestamp(secs * 1000),
            service: service.to_owned(),
            namespace: String::new(),
            version: version.to_owned(),
            environment: environment.to_owned(),
            url: String::new(),
        }
    }

    fn known(deploys: &[(&str, &str, &str, i64)]) -> KnownDeploys {
        let mut known = KnownDeploys::default();
        for (service, environment, version, secs) in deploys {
            known.note(deploy(service, environment, version, *secs));
        }
        known
    }

    fn said(known: &KnownDeploys, labels: &str, annotations: &Labels, secs: i64) -> String {
        let pairs = labels.split(' ').filter_map(|it| it.split_once('='));
        let labels = Labels::from_pairs(pairs);
        let annotated = known.annotated(&labels, annotations, Timestamp(secs * 1000));
        annotated.map_or_else(String::new, |it| it.value("deploy").to_owned())
    }

    #[test]
    fn an_alert_is_told_with_the_last_deploy_of_its_service_before_it_began() {
        // In no order, and twice: rings of dead processes come late.
        let known = known(&[
            ("shop", "", "v2", 600),
            ("shop", "", "v1", 0),
            ("shop", "", "v2", 600),
            ("shop", "test", "v3", 900),
            ("cart", "", "c1", 0),
        ]);
        let v2 = |age: i64| format!(r#"{{"version":"v2","age_s":{age}}}"#);
        let v3 = r#"{"version":"v3","environment":"test","age_s":60}"#;
        for (labels, secs, expected) in [
            ("service=shop environment=prod", 960, v2(360)),
            ("service=shop environment=prod", 600, v2(0)),
            ("service=shop environment=test", 960, v3.to_owned()),
            ("service=shop", 960, v3.to_owned()),
            ("job=shop", 601, v2(1)),
            (
                "service=shop",
                599,
                r#"{"version":"v1","age_s":599}"#.to_owned(),
            ),
            ("service=shop", -1, String::new()),
            ("service=pay", 960, String::new()),
            // The label that says most decides, also where nothing is known of it.
            ("job=shop service=pay", 960, String::new()),
            ("alertname=shop", 960, String::new()),
        ] {
            let found = said(&known, labels, &Labels::empty(), secs);
            assert_eq!(found, expected, "{labels} at {secs}");
        }
    }

    #[test]
    fn a_service_with_a_namespace_is_found_by_its_job_and_the_other_way_round() {
        let of_eu = |version: &str, secs| Deploy {
            namespace: "eu".to_owned(),
            ..deploy("shop", "", version, secs)
        };
        let mut known = known(&[("us/shop", "", "u1", 10), ("cart", "", "c1", 0)]);
        known.note(of_eu("e1", 0));
        for (labels, expected) in [
            ("job=eu/shop", "e1"),
            ("job=us/shop", "u1"),
            ("job=eu/shop service_name=shop service_namespace=eu", "e1"),
            ("service=shop service_namespace=eu", "e1"),
            ("service=shop service_namespace=us", "u1"),
            ("service=shop service_namespace=asia", ""),
            ("job=asia/shop", ""),
            // Either is meant: it is the last one.
            ("job=shop", "u1"),
            // Who rolled it out said no namespace.
            ("job=eu/cart", "c1"),
            ("service=cart service_namespace=eu", "c1"),
        ] {
            let said = said(&known, labels, &Labels::empty(), 60);
            let version = said.split('"').nth(3).unwrap_or_default();
            assert_eq!(version, expected, "{labels}");
        }
    }

    #[test]
    fn what_is_found_is_what_looking_at_all_of_them_finds() {
        let names = ["shop", "eu/shop", "us/shop", "a/eu/shop", "eu"];
        let said = ["", "eu", "us", "prod"];
        let mut seed = 1_u64;
        let mut draw = |n: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).unwrap_or_default() % n
        };
        let mut known = KnownDeploys::default();
        for n in 0..2_000 {
            known.note(Deploy {
                namespace: said[draw(3)].to_owned(),
                ..deploy(
                    names[draw(5)],
                    said[draw(4)],
                    &n.to_string(),
                    draw(500) as i64,
                )
            });
            // As if there were room for so many.
            if known.all.len() > 40 {
                known.forget_oldest();
            }
            let mut labels = vec![(["service", "job"][draw(2)], names[draw(5)])];
            let more = [Deploy::NAMESPACE, Deploy::ENVIRONMENT].map(|it| (it, said[draw(4)]));
            labels.extend(more.into_iter().filter(|it| !it.1.is_empty()));
            let labels = Labels::from_pairs(labels);
            let began_at = Timestamp(draw(500) as i64 * 1000);
            let service = labels
                .get("service")
                .or(labels.get("job"))
                .unwrap_or_default();
            let is_meant = |it: &&Arc<Deploy>| {
                it.at <= began_at
                    && it.is_of(service, labels.get(Deploy::NAMESPACE))
                    && it.is_in(labels.get(Deploy::ENVIRONMENT))
            };
            let expected = known.all.iter().rfind(is_meant);
            assert_eq!(
                known.before(&labels, began_at),
                expected.map(|it| &**it),
                "{labels:?}"
            );
        }
        while !known.all.is_empty() {
            known.forget_oldest();
        }
        assert!(known.by_service.is_empty());
    }

    #[test]
    fn a_name_of_many_parts_costs_no_more_than_one_of_some() {
        let mut known = KnownDeploys::default();
        for n_parts in [NAMESPACE_PARTS_MAX, NAMESPACE_PARTS_MAX + 1] {
            let namespace = vec!["x"; n_parts].join("/");
            let name = format!("{namespace}/shop");
            known.note(Deploy {
                namespace,
                ..deploy("shop", "", "v1", 1)
            });
            let labels = Labels::from_pairs([("job", &*name)]);
            let found = known.before(&labels, Timestamp(5_000));
            assert_eq!(found.is_some(), n_parts == NAMESPACE_PARTS_MAX, "{name}");
        }
    }

    #[test]
    fn what_an_alert_says_of_a_deploy_itself_stays() {
        let known = known(&[("shop", "", "v2", 600)]);
        let own = Labels::from_pairs([("deploy", r#"{"version":"v1","age_s":7}"#)]);
        assert_eq!(said(&known, "service=shop", &own, 960), "");
    }

    #[test]
    fn a_deploy_is_as_old_as_it_is_known_to_be_whenever_the_process_began() {
        let known = known(&[("shop", "", "v2", 600)]);
        // A worker that began anew called `deploy()` two seconds before.
        for (own, expected) in [
            (
                r#"{"version":"v2","commit":"c0ffee","age_s":2}"#,
                r#"{"age_s":360,"commit":"c0ffee","version":"v2"}"#,
            ),
            (r#"{"version":"v2","age_s":361}"#, ""),
            (r#"{"version":"v2","age_s":360}"#, ""),
            (r#"{"version":"v3","age_s":2}"#, ""),
            (r#"{"age_s":2}"#, ""),
            (r#"{"version":"v2"}"#, ""),
            (r#"{"version":"v2","age_s":"2"}"#, ""),
            ("v2, 2 s before", ""),
        ] {
            let annotations = Labels::from_pairs([("deploy", own)]);
            assert_eq!(
                said(&known, "service=shop", &annotations, 960),
                expected,
                "{own}"
            );
        }
    }

    #[test]
    fn the_oldest_of_all_make_way() {
        let mut known = known(&[("old", "", "v", 0), ("shop", "", "v0", 1)]);
        for n in 1..DEPLOYS_MAX as i64 {
            known.note(deploy("shop", "", &format!("v{n}"), 1 + n));
        }
        assert_eq!(known.all.len(), DEPLOYS_MAX);
        assert!(!known.by_service.contains_key("old"));
        let says = said(&known, "service=shop", &Labels::empty(), 1);
        assert_eq!(says, r#"{"version":"v0","age_s":0}"#);
    }
}
