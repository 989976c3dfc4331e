//! `alerting`: relabelling of alerts, and the Alertmanagers elsewhere that hear of them as well.
//!
//! *Sources*: Prometheus, `config/config.go`, `AlertingConfig`; `notifier/alertmanager.go`,
//! `AlertmanagerFromGroup`.

use std::collections::BTreeSet;

use firebell_model::{Duration, Labels, RelabelRule, relabel};
use firebell_notify::HttpConfig;

use crate::discovery::{Discovery, TargetGroup};
use crate::fields::{Doc, Fields};
use crate::http;
use crate::load::Loader;
use crate::relabel;
use crate::scrape;
use crate::yaml::Node;

/// What the section says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Alerting {
    /// Applied to every alert.
    pub(crate) relabel: Vec<RelabelRule>,
    pub(crate) alertmanagers: Vec<AlertmanagerJob>,
}

/// One entry of `alertmanagers`, defaults filled in: Alertmanagers that are reached the same way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertmanagerJob {
    /// `http` or `https`, unless a target's labels say otherwise.
    pub scheme: String,
    /// Where alerts are posted, unless a target's labels say otherwise: with `path_prefix`.
    pub path: String,
    /// How long a request may take.
    pub timeout: Duration,
    /// How requests are made.
    pub http: HttpConfig,
    /// Applied to targets.
    pub relabel: Vec<RelabelRule>,
    /// Applied to alerts that go there, after those of the whole section.
    pub alert_relabel: Vec<RelabelRule>,
    /// Where its targets stand.
    pub discovery: Discovery,
}

/// The Alertmanagers of a job, by the addresses to post to, each once and in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AlertmanagerSet {
    /// Those that get alerts.
    pub active: BTreeSet<String>,
    /// Those that relabelling dropped.
    pub dropped: BTreeSet<String>,
    /// What is wrong with the rest.
    pub errors: Vec<String>,
}

impl Alerting {
    /// Reads the section; nothing when it is absent.
    pub(crate) fn read(loader: &Loader<'_>, parent: &Fields<'_, '_>) -> Self {
        let Some(node) = parent.get("alerting") else {
            return Self::default();
        };
        let fields = parent.doc.fields(node, "`alerting`");
        let jobs = fields.list("alertmanagers").iter();
        let alerting = Self {
            relabel: relabel::rules(&fields, "alert_relabel_configs"),
            alertmanagers: jobs.map(|node| job(loader, fields.doc, node)).collect(),
        };
        fields.finish();
        alerting
    }
}

fn job(loader: &Loader<'_>, doc: &Doc<'_>, node: &Node) -> AlertmanagerJob {
    let fields = doc.fields(node, "an entry of `alertmanagers`");
    if let Some((at, version)) = fields.scalar("api_version")
        && &*version.text != "v2"
    {
        let message = format!("`{}` is not v2, the only version there is", version.text);
        doc.problem(at, message, None);
    }
    fields.refuse("sigv4");
    let timeout = fields.duration("timeout").filter(|it| *it > Duration::ZERO);
    let prefix = fields.text("path_prefix").unwrap_or_default();
    let job = AlertmanagerJob {
        scheme: scrape::scheme(&fields),
        path: alerts_path(&prefix),
        timeout: timeout.unwrap_or(TIMEOUT),
        http: http::read(loader, &fields),
        relabel: relabel::rules(&fields, "relabel_configs"),
        alert_relabel: relabel::rules(&fields, "alert_relabel_configs"),
        discovery: Discovery::read(&fields),
    };
    fields.finish();
    job
}

/// Source: Go, `path.Join("/", prefix, "/api/v2/alerts")`, of which `..` is left alone.
fn alerts_path(prefix: &str) -> String {
    let parts = prefix.split('/').filter(|part| !matches!(*part, "" | "."));
    let mut path: String = parts.map(|part| format!("/{part}")).collect();
    path.push_str("/api/v2/alerts");
    path
}

impl AlertmanagerJob {
    /// Turns groups into Alertmanagers: labels of target and job, then relabelling.
    #[must_use]
    pub fn targets<'g>(
        &self,
        groups: impl IntoIterator<Item = &'g TargetGroup>,
    ) -> AlertmanagerSet {
        let mut set = AlertmanagerSet::default();
        for group in groups {
            for address in &group.targets {
                let discovered = self.discovered_labels(group, address);
                let mut labels = discovered.to_builder();
                if !relabel(&self.relabel, &mut labels) {
                    set.dropped.insert(url(&discovered));
                    continue;
                }
                let address = labels.value(ADDRESS);
                if address.is_empty() || address.contains('/') {
                    let error = format!("{address:?} is not a valid hostname");
                    set.errors.push(error);
                    continue;
                }
                set.active.insert(url(&labels.build()));
            }
        }
        set
    }

    fn discovered_labels(&self, group: &TargetGroup, address: &str) -> Labels {
        let mut labels = group.labels.to_builder();
        labels.set(ADDRESS, address);
        labels.set(SCHEME, &*self.scheme);
        labels.set(PATH, &*self.path);
        labels.build()
    }
}

fn url(labels: &Labels) -> String {
    let value = |name| labels.get(name).unwrap_or_default();
    format!("{}://{}{}", value(SCHEME), value(ADDRESS), value(PATH))
}

const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const PATH: &str = "__alerts_path__";
/// Upstream's default.
const TIMEOUT: Duration = Duration::from_secs(10);
