//! The labels of a series: attributes of the point, the scope and the resource.

use std::borrow::Cow;
use std::collections::BTreeMap;

use firebell_model::{Labels, LabelsBuilder};

use super::attributes::{Attributes, get};
use super::names::label_name;
use super::{Naming, Options, Promotion};

/// What a resource gives to all its series.
pub(super) struct Resource<'a> {
    pub(super) attributes: Attributes<'a>,
    /// Attributes that become labels, in order of name.
    promoted: Attributes<'a>,
    /// `job` and `instance`, as far as the resource has them.
    identity: Vec<(&'static str, String)>,
}

/// An instrumentation scope.
#[derive(Default)]
pub(super) struct Scope<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) schema_url: &'a str,
    pub(super) attributes: Attributes<'a>,
}

impl<'a> Resource<'a> {
    pub(super) fn new(attributes: Attributes<'a>, promotion: &Promotion) -> Self {
        let is_promoted = |name: &str| match promotion {
            Promotion::Only(names) => names.contains(name),
            Promotion::AllBut(names) => !names.contains(name),
        };
        let mut promoted = attributes.clone();
        promoted.retain(|(name, _)| is_promoted(name));
        promoted.sort_by_key(|(name, _)| *name);
        let mut identity = Vec::new();
        if let Some(name) = get(&attributes, SERVICE_NAME) {
            let job = match get(&attributes, SERVICE_NAMESPACE) {
                Some(namespace) => format!("{namespace}/{name}"),
                None => name.to_owned(),
            };
            identity.push(("job", job));
        }
        if let Some(instance) = get(&attributes, SERVICE_INSTANCE) {
            identity.push(("instance", instance.to_owned()));
        }
        Self {
            attributes,
            promoted,
            identity,
        }
    }

    /// The labels of `target_info`; `None` when it would tell nothing, or not of whom.
    pub(super) fn target_info(&self, options: &Options) -> Option<Labels> {
        let is_identifying = |name: &str| IDENTIFYING.contains(&name);
        let tells = self
            .attributes
            .iter()
            .any(|(name, _)| !is_identifying(name));
        if !tells || self.identity.is_empty() {
            return None;
        }
        let mut attributes = self.attributes.clone();
        if !options.keep_identifying {
            attributes.retain(|(name, _)| !is_identifying(name));
        }
        let mut labels = join(&attributes, options.naming);
        for (name, value) in &self.identity {
            labels.insert(Cow::Borrowed(name), Cow::Borrowed(value));
        }
        let mut builder = build(labels);
        builder.set(firebell_model::METRIC_NAME, TARGET_INFO);
        Some(builder.build())
    }
}

/// The labels of a point, without the metric's name.
pub(super) fn of_point(
    resource: &Resource<'_>,
    scope: &Scope<'_>,
    attributes: &Attributes<'_>,
    options: &Options,
) -> LabelsBuilder {
    let naming = options.naming;
    let mut labels = join(attributes, naming);
    for (name, value) in &resource.promoted {
        let name = label_name(name, naming);
        labels.entry(name).or_insert(Cow::Borrowed(value));
    }
    if options.promote_scope && !scope.name.is_empty() {
        for (name, value) in [
            ("otel_scope_name", scope.name),
            ("otel_scope_version", scope.version),
            ("otel_scope_schema_url", scope.schema_url),
        ] {
            labels.insert(Cow::Borrowed(name), Cow::Borrowed(value));
        }
        for (name, value) in &scope.attributes {
            let name = format!("otel_scope_{name}");
            let name = label_name(&name, naming).into_owned();
            labels.insert(Cow::Owned(name), Cow::Borrowed(value));
        }
    }
    for (name, value) in &resource.identity {
        labels.insert(Cow::Borrowed(name), Cow::Borrowed(value));
    }
    build(labels)
}

type Joined<'v> = BTreeMap<Cow<'v, str>, Cow<'v, str>>;

/// Attributes by the names of labels; values of names that became the same stand in one label.
fn join<'v>(attributes: &'v Attributes<'_>, naming: Naming) -> Joined<'v> {
    let mut sorted: Vec<_> = attributes.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let mut labels = Joined::new();
    for (name, value) in sorted {
        labels
            .entry(label_name(name, naming))
            .and_modify(|known| *known = Cow::Owned(format!("{known};{value}")))
            .or_insert(Cow::Borrowed(value));
    }
    labels
}

fn build(labels: Joined<'_>) -> LabelsBuilder {
    let pairs = labels.iter().map(|(name, value)| (&**name, &**value));
    // An attribute may have no name, a label may not.
    let pairs = pairs.filter(|(name, _)| !name.is_empty());
    Labels::from_pairs(pairs).to_builder()
}

const SERVICE_NAME: &str = "service.name";
const SERVICE_NAMESPACE: &str = "service.namespace";
const SERVICE_INSTANCE: &str = "service.instance.id";
/// What `job` and `instance` are made of.
const IDENTIFYING: [&str; 3] = [SERVICE_NAMESPACE, SERVICE_NAME, SERVICE_INSTANCE];
const TARGET_INFO: &str = "target_info";
