//! What a file is, by its content.

use std::path::Path;

use crate::oncall;
use crate::slo;
use crate::yaml::{Node, Value};

/// The kinds of files that people write for Firebell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// firebell.yml.
    Firebell,
    /// prometheus.yml.
    Prometheus,
    /// alertmanager.yml.
    Alertmanager,
    /// Rules.
    Rules,
    /// Unit tests of rules, in promtool's format.
    Tests,
    /// Objectives: own, Sloth's, Pyrra's and OpenSLO's.
    Objectives,
    /// People, ownership and schedules.
    Oncall,
    /// Targets for `file_sd_configs`.
    Targets,
    /// Templates of notifications.
    Templates,
    /// One of the kinds that a [`super::Reader`] knows.
    Other(&'static str),
}

impl FileKind {
    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Firebell => "firebell",
            Self::Prometheus => "prometheus",
            Self::Alertmanager => "alertmanager",
            Self::Rules => "rules",
            Self::Tests => "tests",
            Self::Objectives => "objectives",
            Self::Oncall => "oncall",
            Self::Targets => "targets",
            Self::Templates => "templates",
            Self::Other(name) => name,
        }
    }

    /// Whether it is a configuration that names other files.
    #[must_use]
    pub fn is_root(self) -> bool {
        matches!(self, Self::Firebell | Self::Prometheus)
    }

    /// The kind of a file; what nothing tells apart is a configuration.
    pub(super) fn of(path: &Path, root: Option<&Node>) -> Self {
        if path.extension().is_some_and(|it| it == "tmpl") {
            return Self::Templates;
        }
        let Some(root) = root else {
            return Self::Firebell;
        };
        if let Value::List(items) = &root.value {
            let has_targets = |item: &Node| item.get("targets").is_some();
            return if items.iter().any(has_targets) || items.is_empty() {
                Self::Targets
            } else {
                Self::Firebell
            };
        }
        let has = |name: &str| root.get(name).is_some();
        let kinds = [
            (has("route") && !has("alertmanager"), Self::Alertmanager),
            (has("tests") && !has("scrape_configs"), Self::Tests),
            (has("groups") && !has("rule_files"), Self::Rules),
            (slo::is_of_objectives(root), Self::Objectives),
            (oncall::is_of_oncall(root), Self::Oncall),
            (
                has("receivers") && !has("scrape_configs"),
                Self::Alertmanager,
            ),
            (OWN.iter().any(|name| has(name)), Self::Firebell),
            (UPSTREAMS.iter().any(|name| has(name)), Self::Prometheus),
        ];
        let found = kinds.into_iter().find(|(is_it, _)| *is_it);
        found.map_or(Self::Firebell, |(_, kind)| kind)
    }
}

/// Sections of firebell.yml that prometheus.yml does not have.
const OWN: &[&str] = &[
    "prometheus",
    "alertmanager",
    "source",
    "query",
    "check",
    "listen",
    "external_url",
    "oncall",
];
const UPSTREAMS: &[&str] = &[
    "global",
    "scrape_configs",
    "rule_files",
    "alerting",
    "remote_write",
    "remote_read",
    "storage",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    #[test]
    fn a_file_tells_what_it_is() {
        for (name, text, expected) in [
            ("a.yml", "groups: []", FileKind::Rules),
            ("a.yml", "rule_files: [x]\ntests: []", FileKind::Tests),
            ("a.yml", "tests: []", FileKind::Tests),
            ("a.yml", "route: {receiver: x}", FileKind::Alertmanager),
            ("a.yml", "receivers: []", FileKind::Alertmanager),
            (
                "a.yml",
                "global: {}\nscrape_configs: []",
                FileKind::Prometheus,
            ),
            (
                "a.yml",
                "rule_files: [x]\nalertmanager: y",
                FileKind::Firebell,
            ),
            ("a.json", "[{\"targets\": [\"a:1\"]}]", FileKind::Targets),
            ("a.tmpl", "{{ define \"x\" }}{{ end }}", FileKind::Templates),
            (
                "a.yml",
                "version: prometheus/v1\nslos: []",
                FileKind::Objectives,
            ),
            ("a.yml", "", FileKind::Firebell),
        ] {
            let (root, _) = parse(text);
            assert_eq!(
                FileKind::of(Path::new(name), root.as_ref()),
                expected,
                "{text}"
            );
        }
    }
}
