//! From discovered addresses to what is scraped.
//!
//! *Sources*: Prometheus, `scrape/target.go`, `PopulateLabels` and `Target.URL`. As in Prometheus 3,
//! no default port is added.

use std::collections::BTreeSet;

use firebell_model::{Duration, Labels, LabelsBuilder, relabel};

use super::{ScrapeJob, TargetGroup};

/// A target that is scraped.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ScrapeTarget {
    /// What its series get.
    pub labels: Labels,
    /// What was known before relabelling.
    pub discovered: Labels,
    /// Where it is scraped, parameters included.
    pub url: String,
    /// Between two scrapes.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
}

/// A target that is not scraped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DroppedTarget {
    /// What was known before relabelling.
    pub discovered: Labels,
    /// What is wrong with it; `None` when relabelling dropped it.
    pub error: Option<String>,
}

/// The targets of a job.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TargetSet {
    /// In the order of the groups; each once.
    pub active: Vec<ScrapeTarget>,
    /// In the order of the groups.
    pub dropped: Vec<DroppedTarget>,
}

/// Turns groups into targets: labels of target and group, then of the job, then relabelling.
#[must_use]
pub fn targets<'g>(
    job: &ScrapeJob,
    groups: impl IntoIterator<Item = &'g TargetGroup>,
) -> TargetSet {
    let mut set = TargetSet::default();
    let mut seen = BTreeSet::new();
    for group in groups {
        for address in &group.targets {
            let discovered = discovered_labels(job, group, address);
            match target(job, &discovered) {
                Ok(Some(target)) => {
                    // Two targets that cannot be told apart are one.
                    if seen.insert((target.labels.clone(), target.url.clone())) {
                        set.active.push(target);
                    }
                }
                Ok(None) => set.dropped.push(DroppedTarget {
                    discovered,
                    error: None,
                }),
                Err(error) => set.dropped.push(DroppedTarget {
                    discovered,
                    error: Some(error),
                }),
            }
        }
    }
    set
}

fn discovered_labels(job: &ScrapeJob, group: &TargetGroup, address: &str) -> Labels {
    let mut labels = group.labels.to_builder();
    labels.set("__address__", address);
    let (interval, timeout) = (job.interval.to_string(), job.timeout.to_string());
    for (name, value) in [
        ("job", &*job.name),
        ("__scrape_interval__", &*interval),
        ("__scrape_timeout__", &*timeout),
        ("__metrics_path__", &*job.metrics_path),
        ("__scheme__", &*job.scheme),
    ] {
        set_absent(&mut labels, name, value);
    }
    for (name, values) in &job.params {
        if let Some(first) = values.first() {
            set_absent(&mut labels, &format!("{PARAM}{name}"), first);
        }
    }
    labels.build()
}

fn set_absent(labels: &mut LabelsBuilder, name: &str, value: &str) {
    if labels.value(name).is_empty() {
        labels.set(name, value);
    }
}

/// `None` when relabelling drops it.
fn target(job: &ScrapeJob, discovered: &Labels) -> Result<Option<ScrapeTarget>, String> {
    let mut labels = discovered.to_builder();
    if !relabel(&job.relabel, &mut labels) {
        return Ok(None);
    }
    let address = labels.value("__address__").to_owned();
    if address.is_empty() {
        return Err("no address".to_owned());
    }
    if address.contains('/') {
        return Err(format!("{address:?} is not a valid hostname"));
    }
    let interval = duration(&labels, "__scrape_interval__", "scrape interval")?;
    let timeout = duration(&labels, "__scrape_timeout__", "scrape timeout")?;
    if timeout > interval {
        let message = "scrape timeout cannot be greater than scrape interval";
        return Err(format!("{message} (\"{timeout}\" > \"{interval}\")"));
    }
    set_absent(&mut labels, "instance", &address);
    let all = labels.build();
    Ok(Some(ScrapeTarget {
        url: url(job, &all, &address),
        labels: all.filter(|name| !name.starts_with("__")),
        discovered: discovered.clone(),
        interval,
        timeout,
    }))
}

fn duration(labels: &LabelsBuilder, name: &str, what: &str) -> Result<Duration, String> {
    let text = labels.value(name);
    let parsed = text
        .parse()
        .map_err(|why| format!("error parsing {what}: {why}"))?;
    if parsed == Duration::ZERO {
        return Err(format!("{what} cannot be 0"));
    }
    Ok(parsed)
}

fn url(job: &ScrapeJob, labels: &Labels, address: &str) -> String {
    let mut params = job.params.clone();
    for label in labels.iter() {
        let Some(name) = label.name.strip_prefix(PARAM) else {
            continue;
        };
        let values = params.entry(name.to_owned()).or_default();
        match values.first_mut() {
            Some(first) => *first = label.value.to_string(),
            None => values.push(label.value.to_string()),
        }
    }
    let path = labels.value("__metrics_path__");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut url = format!("{}://{address}{slash}", labels.value("__scheme__"));
    escape(path, is_path_byte, &mut url);
    let mut separator = '?';
    for (name, values) in &params {
        for value in values {
            url.push(separator);
            separator = '&';
            escape(name, is_query_byte, &mut url);
            url.push('=');
            escape(value, is_query_byte, &mut url);
        }
    }
    url
}

fn escape(text: &str, is_plain: fn(u8) -> bool, url: &mut String) {
    for byte in text.bytes() {
        if is_plain(byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Source: Go, `url.QueryEscape`, but a space is `%20`, which every server understands.
fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}

/// Source: Go, `url.URL.EscapedPath`.
fn is_path_byte(byte: u8) -> bool {
    is_query_byte(byte) || b"/$&+,:;=@!'()*".contains(&byte)
}

const PARAM: &str = "__param_";
