//! What we are built from: licences that we may pass on, one version of each package, and no
//! source but the registry.
//!
//! *Not here*: known vulnerabilities. `cargo deny` would look for them, at the price of building 168
//! packages and fetching a database first.

use std::collections::{BTreeMap, BTreeSet};

use crate::metadata::{Graph, Package};

/// SPDX names of licences that let us pass the work on under Apache-2.0.
const LICENSES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Packages of which more than one version is built, and how many. It only shrinks.
const DUPLICATES: &[(&str, usize)] = &[
    // `ring` is on 0.2; `tempfile` and `proptest`, which only tests use, are on 0.4.
    ("getrandom", 2),
    // The derive macros of `rust-embed` and of `serde`: for building only.
    ("syn", 2),
];

/// Checks every package of the graph.
pub(crate) fn check(graph: &Graph, out: &mut Vec<String>) {
    check_licenses(graph, out);
    check_sources(graph, out);
    check_duplicates(graph, DUPLICATES, out);
}

fn check_licenses(graph: &Graph, out: &mut Vec<String>) {
    for package in graph.packages() {
        let license = package.license.as_deref().unwrap_or("(none)");
        if !is_allowed(license) {
            out.push(format!(
                "{}: the licence `{license}` is not on the list",
                id(package)
            ));
        }
    }
}

fn check_sources(graph: &Graph, out: &mut Vec<String>) {
    for package in graph.packages() {
        match &package.source {
            None if package.is_member => {}
            Some(source) if source == REGISTRY => {}
            source => out.push(format!(
                "{}: does not come from the registry: {source:?}",
                id(package)
            )),
        }
    }
}

fn check_duplicates(graph: &Graph, known: &[(&str, usize)], out: &mut Vec<String>) {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in graph.packages() {
        versions
            .entry(&package.name)
            .or_default()
            .insert(&package.version);
    }
    for (name, versions) in versions {
        let allowed = known
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(1, |(_, n)| *n);
        if versions.len() < allowed {
            out.push(format!(
                "xtask/src/supply.rs: `{name}` is built less often; lower the ratchet"
            ));
        }
        if versions.len() > allowed {
            let list: Vec<&str> = versions.into_iter().collect();
            out.push(format!(
                "{name}: built in {} versions: {}",
                list.len(),
                list.join(", ")
            ));
        }
    }
}

/// Whether an SPDX expression can be met: all parts of an `AND`, one part of an `OR`.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    any_of(&mut rest) && rest.is_empty()
}

fn any_of(words: &mut &[&str]) -> bool {
    let mut allowed = all_of(words);
    while take(words, "OR") {
        allowed |= all_of(words);
    }
    allowed
}

fn all_of(words: &mut &[&str]) -> bool {
    let mut allowed = one(words);
    while take(words, "AND") {
        allowed &= one(words);
    }
    allowed
}

fn one(words: &mut &[&str]) -> bool {
    if take(words, "(") {
        let allowed = any_of(words);
        return take(words, ")") && allowed;
    }
    let Some((license, rest)) = words.split_first() else {
        return false;
    };
    *words = rest;
    if take(words, "WITH") {
        let Some((exception, rest)) = words.split_first() else {
            return false;
        };
        *words = rest;
        return LICENSES.contains(&format!("{license} WITH {exception}").as_str());
    }
    LICENSES.contains(license)
}

fn take(words: &mut &[&str], word: &str) -> bool {
    let found = words.first() == Some(&word);
    if found {
        *words = &words[1..];
    }
    found
}

fn id(package: &Package) -> String {
    format!("{} {}", package.name, package.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_expression_is_allowed_when_it_can_be_met() {
        for (expression, allowed) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("MIT OR GPL-3.0-only", true),
            ("MIT AND GPL-3.0-only", false),
            ("(MIT OR GPL-2.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
            ("GPL-2.0 WITH Classpath-exception-2.0", false),
            ("(MIT", false),
            ("(none)", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(expression), allowed, "{expression}");
        }
    }

    #[test]
    fn packages_from_elsewhere_and_second_versions_are_refused() {
        let json = serde_json::json!({
            "workspace_members": ["a"],
            "packages": [
                { "id": "a", "name": "a", "version": "0.1.0", "license": "MIT", "source": null },
                { "id": "b1", "name": "b", "version": "1.0.0", "license": "MIT", "source": REGISTRY },
                { "id": "b2", "name": "b", "version": "2.0.0", "license": "MIT", "source": REGISTRY },
                { "id": "c", "name": "c", "version": "1.0.0", "license": "AGPL-3.0",
                  "source": "git+https://example.com/c" },
            ],
            "resolve": { "nodes": [] },
        });
        let graph = Graph::parse(&json.to_string()).expect("well-formed");
        let mut problems = Vec::new();
        check_licenses(&graph, &mut problems);
        check_sources(&graph, &mut problems);
        check_duplicates(&graph, &[], &mut problems);
        assert_eq!(
            problems,
            [
                "c 1.0.0: the licence `AGPL-3.0` is not on the list",
                "c 1.0.0: does not come from the registry: Some(\"git+https://example.com/c\")",
                "b: built in 2 versions: 1.0.0, 2.0.0",
            ]
        );
        problems.clear();
        check_duplicates(&graph, &[("b", 2)], &mut problems);
        assert!(problems.is_empty());
        check_duplicates(&graph, &[("a", 2), ("b", 2)], &mut problems);
        assert_eq!(problems.len(), 1);
    }
}
