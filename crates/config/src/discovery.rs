//! Where targets stand: in the configuration, and in files that are read again while it is in force.
//!
//! *Sources*: Prometheus, `discovery/file`.

mod file_sd;

use std::path::PathBuf;

use firebell_model::{Duration, Labels};

pub use self::file_sd::parse_target_file;

use crate::fields::{Doc, Fields};
use crate::yaml::Node;

/// Where the targets of a job stand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Discovery {
    /// Targets that stand in the configuration.
    pub static_groups: Vec<TargetGroup>,
    /// Files of targets.
    pub files: Vec<FileDiscovery>,
}

/// Targets with the labels they share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetGroup {
    /// Addresses such as `localhost:9100`.
    pub targets: Vec<String>,
    /// Labels of all of them.
    pub labels: Labels,
}

/// An entry of `file_sd_configs`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileDiscovery {
    /// Patterns of files, each `.json`, `.yml` or `.yaml`.
    pub patterns: Vec<PathBuf>,
    /// After which files are read again even when nobody said that they changed.
    pub refresh_interval: Duration,
}

impl Discovery {
    /// Reads `static_configs` and `file_sd_configs` that stand among the fields of a job.
    pub(crate) fn read(fields: &Fields<'_, '_>) -> Self {
        let groups = fields.list("static_configs").iter();
        let files = fields.list("file_sd_configs").iter();
        refuse_discoveries(fields);
        Self {
            static_groups: groups
                .filter_map(|it| file_sd::group(fields.doc, it))
                .collect(),
            files: files.map(|it| file_discovery(fields.doc, it)).collect(),
        }
    }
}

fn file_discovery(doc: &Doc<'_>, node: &Node) -> FileDiscovery {
    let fields = doc.fields(node, "an entry of `file_sd_configs`");
    let files = fields.texts("files");
    if files.is_empty() {
        fields.missing("files");
    }
    for file in files.iter().filter(|file| !file_sd::is_valid_pattern(file)) {
        let message = format!("`{file}` is not a path of .json, .yml or .yaml files");
        let hint = "a `*` may stand in the last part of the path only".to_owned();
        doc.problem(fields.at("files"), message, Some(hint));
    }
    let default = Duration::from_mins(5);
    let refresh_interval = crate::scrape::positive(&fields, "refresh_interval").unwrap_or(default);
    fields.finish();
    let patterns = files.iter().map(|file| doc.path(file)).collect();
    FileDiscovery {
        patterns,
        refresh_interval,
    }
}

/// Kinds of discovery that are not there are named, rather than called unknown.
fn refuse_discoveries(fields: &Fields<'_, '_>) {
    for name in DISCOVERIES
        .into_iter()
        .filter(|name| fields.get(name).is_some())
    {
        let message = format!("`{name}` is not supported yet");
        let hint = "`static_configs` and `file_sd_configs` are".to_owned();
        fields.doc.problem(fields.at(name), message, Some(hint));
    }
}

const DISCOVERIES: [&str; 32] = [
    "aws_sd_configs",
    "azure_sd_configs",
    "consul_sd_configs",
    "digitalocean_sd_configs",
    "dns_sd_configs",
    "docker_sd_configs",
    "dockerswarm_sd_configs",
    "ec2_sd_configs",
    "ecs_sd_configs",
    "elasticache_sd_configs",
    "eureka_sd_configs",
    "gce_sd_configs",
    "hetzner_sd_configs",
    "http_sd_configs",
    "ionos_sd_configs",
    "kubernetes_sd_configs",
    "kuma_sd_configs",
    "lightsail_sd_configs",
    "linode_sd_configs",
    "marathon_sd_configs",
    "msk_sd_configs",
    "nerve_sd_configs",
    "nomad_sd_configs",
    "openstack_sd_configs",
    "ovhcloud_sd_configs",
    "puppetdb_sd_configs",
    "scaleway_sd_configs",
    "serverset_sd_configs",
    "stackit_sd_configs",
    "triton_sd_configs",
    "uyuni_sd_configs",
    "vultr_sd_configs",
];
