//! What `cargo metadata` says, as far as the checks need it.
//!
//! *Source*: `cargo help metadata`, format version 1.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The packages of the workspace and everything they are built from.
pub(crate) struct Graph {
    packages: BTreeMap<String, Package>,
}

/// One version of one package.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// SPDX expression, when the package has one.
    pub(crate) license: Option<String>,
    /// Where it comes from; `None` is a path on disk.
    pub(crate) source: Option<String>,
    pub(crate) is_member: bool,
    /// Packages that end up in its own code: neither for its tests nor for its build script.
    normal: BTreeSet<String>,
    build: BTreeSet<String>,
}

impl Graph {
    /// Reads the JSON, or says what was not as documented.
    pub(crate) fn parse(json: &str) -> Result<Graph, String> {
        let value: Value = serde_json::from_str(json)
            .map_err(|error| format!("`cargo metadata` is not JSON: {error}"))?;
        let members: BTreeSet<&str> = list(&value["workspace_members"])?
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut packages = BTreeMap::new();
        for package in list(&value["packages"])? {
            let id = text(&package["id"])?;
            let is_member = members.contains(id.as_str());
            packages.insert(id, Package::parse(package, is_member)?);
        }
        for node in list(&value["resolve"]["nodes"])? {
            let id = text(&node["id"])?;
            let package = packages
                .get_mut(&id)
                .ok_or_else(|| format!("no package `{id}`"))?;
            for dep in list(&node["deps"])? {
                package.add_dependency(dep)?;
            }
        }
        Ok(Graph { packages })
    }

    /// How many packages there are.
    pub(crate) fn len(&self) -> usize {
        self.packages.len()
    }

    /// All packages, by id.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// The workspace's own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages().filter(|package| package.is_member)
    }

    /// What `package` names in its own manifest, for its code or its build script.
    pub(crate) fn direct<'a>(&'a self, package: &'a Package) -> impl Iterator<Item = &'a Package> {
        package
            .normal
            .union(&package.build)
            .filter_map(|id| self.packages.get(id))
    }

    /// Everything in `package`'s code, each with the packages on a way to it.
    pub(crate) fn tree<'a>(&'a self, package: &'a Package) -> Vec<Vec<&'a Package>> {
        let mut seen = BTreeSet::new();
        let mut open = vec![vec![package]];
        let mut found = Vec::new();
        while let Some(way) = open.pop() {
            let Some(last) = way.last() else { continue };
            for id in &last.normal {
                let Some(next) = self.packages.get(id) else {
                    continue;
                };
                if seen.insert(id) {
                    let longer: Vec<&Package> = way.iter().copied().chain([next]).collect();
                    found.push(longer.clone());
                    open.push(longer);
                }
            }
        }
        found
    }
}

impl Package {
    fn parse(package: &Value, is_member: bool) -> Result<Package, String> {
        Ok(Package {
            name: text(&package["name"])?,
            version: text(&package["version"])?,
            license: package["license"].as_str().map(str::to_owned),
            source: package["source"].as_str().map(str::to_owned),
            is_member,
            normal: BTreeSet::new(),
            build: BTreeSet::new(),
        })
    }

    fn add_dependency(&mut self, dep: &Value) -> Result<(), String> {
        for kind in list(&dep["dep_kinds"])? {
            let set = match kind["kind"].as_str() {
                None => &mut self.normal,
                Some("build") => &mut self.build,
                Some(_) => continue,
            };
            set.insert(text(&dep["pkg"])?);
        }
        Ok(())
    }
}

fn list(value: &Value) -> Result<&Vec<Value>, String> {
    value
        .as_array()
        .ok_or_else(|| format!("`cargo metadata`: no list, but {value}"))
}

fn text(value: &Value) -> Result<String, String> {
    let text = value
        .as_str()
        .ok_or_else(|| format!("`cargo metadata`: no text, but {value}"))?;
    Ok(text.to_owned())
}

/// Makes graphs for tests: `name -> normal` and `name ~> dev` dependencies, one package a line;
/// names that begin with `firebell` or are `xtask` are members.
#[cfg(test)]
pub(crate) fn graph(lines: &str) -> Graph {
    let mut packages: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (arrow, kind) = if line.contains("~>") {
            ("~>", "dev".into())
        } else {
            ("->", Value::Null)
        };
        let (name, deps) = line.split_once(arrow).unwrap_or((line, ""));
        for dep in deps.split_whitespace() {
            packages.entry(dep).or_default();
            let edge = serde_json::json!({ "pkg": dep, "dep_kinds": [{ "kind": kind }] });
            packages.entry(name.trim()).or_default().push(edge);
        }
        packages.entry(name.trim()).or_default();
    }
    let is_member = |name: &&&str| name.starts_with("firebell") || **name == "xtask";
    let json = serde_json::json!({
        "workspace_members": packages.keys().filter(is_member).collect::<Vec<_>>(),
        "packages": packages.keys().map(|name| serde_json::json!({
            "id": name, "name": name, "version": "1.0.0", "license": "MIT", "source": null,
        })).collect::<Vec<_>>(),
        "resolve": { "nodes": packages.iter().map(|(name, deps)| serde_json::json!({
            "id": name, "deps": deps,
        })).collect::<Vec<_>>() },
    });
    Graph::parse(&json.to_string()).expect("the test's own graph is well-formed")
}
