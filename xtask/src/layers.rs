//! Which crate may import which: the table that `ARCHITECTURE.md` shows, and its checks.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::TextFile;
use crate::metadata::Graph;

/// One crate of the workspace, without the prefix `firebell-`.
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Crates of ours that its code may name. Its tests may name any.
    pub(crate) may_import: &'static [&'static str],
}

/// What a crate may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Decides; time, results and wishes come in as arguments, effects go out as values.
    Core,
    /// May meet the world, or the libraries that do.
    Edge,
}

/// The order is that of reading: nobody imports what stands below it.
pub(crate) const LAYERS: &[Layer] = &[
    core("model", &[]),
    core("disk", &[]),
    core("tsdb", &["model", "disk"]),
    core("telemetry", &["model", "disk"]),
    core("promql", &["model"]),
    core("template", &["model"]),
    core("rules", &["model", "promql", "template"]),
    core("slo", &["model", "promql", "template", "rules"]),
    core("dispatch", &["model"]),
    core("notify", &["model", "template"]),
    core("oncall", &["model"]),
    core("escalation", &["model", "oncall"]),
    core("heartbeat", &["model"]),
    core("lint", &["model", "promql", "template", "rules"]),
    core("incident", &["model", "escalation"]),
    core(
        "engine",
        &[
            "model",
            "disk",
            "rules",
            "dispatch",
            "oncall",
            "escalation",
            "heartbeat",
            "incident",
        ],
    ),
    edge(
        "config",
        &[
            "model",
            "tsdb",
            "promql",
            "template",
            "rules",
            "slo",
            "dispatch",
            "notify",
            "oncall",
            "escalation",
            "heartbeat",
            "lint",
            "incident",
        ],
    ),
    edge("wire", &["model", "telemetry"]),
    core("import", &["model", "disk", "tsdb", "wire"]),
    edge(
        "server",
        &[
            "model",
            "disk",
            "tsdb",
            "promql",
            "template",
            "rules",
            "slo",
            "dispatch",
            "notify",
            "oncall",
            "escalation",
            "heartbeat",
            "incident",
            "engine",
            "config",
            "wire",
            "telemetry",
        ],
    ),
    edge(
        "sim",
        &[
            "model",
            "disk",
            "tsdb",
            "promql",
            "rules",
            "slo",
            "dispatch",
            "notify",
            "oncall",
            "escalation",
            "heartbeat",
            "incident",
            "engine",
            "config",
        ],
    ),
    edge(
        "cli",
        &[
            "model", "disk", "tsdb", "promql", "rules", "slo", "oncall", "lint", "config", "wire",
            "import", "server", "sim",
        ],
    ),
    edge("sdk", &[]),
    edge(
        "py",
        &[
            "model",
            "promql",
            "rules",
            "oncall",
            "escalation",
            "config",
            "sim",
            "sdk",
        ],
    ),
];

const fn core(name: &'static str, may_import: &'static [&'static str]) -> Layer {
    Layer {
        name,
        kind: Kind::Core,
        may_import,
    }
}

const fn edge(name: &'static str, may_import: &'static [&'static str]) -> Layer {
    Layer {
        name,
        kind: Kind::Edge,
        may_import,
    }
}

/// The crate's name in the table; the binary's package is called just `firebell`.
pub(crate) fn short_name(package: &str) -> Option<&str> {
    match package {
        "firebell" => Some("cli"),
        _ => package.strip_prefix("firebell-"),
    }
}

/// Every crate is in the table and imports only what the table allows.
pub(crate) fn check_imports(layers: &[Layer], graph: &Graph, out: &mut Vec<String>) {
    let mut missing: BTreeSet<&str> = layers.iter().map(|layer| layer.name).collect();
    for member in graph.members() {
        let Some(name) = short_name(&member.name) else {
            continue;
        };
        missing.remove(name);
        let Some(layer) = layers.iter().find(|layer| layer.name == name) else {
            out.push(format!(
                "crates/{name}: not in the table of layers (xtask/src/layers.rs)"
            ));
            continue;
        };
        for imported in graph
            .direct(member)
            .filter_map(|package| short_name(&package.name))
        {
            if !layer.may_import.contains(&imported) {
                out.push(format!(
                    "crates/{name}/Cargo.toml: `{name}` may not import `{imported}`"
                ));
            }
        }
    }
    for name in missing {
        out.push(format!(
            "xtask/src/layers.rs: `{name}` is in the table, but there is no crate"
        ));
    }
}

/// `ARCHITECTURE.md` shows the same table, and `crates/README.md` has a line for every crate.
pub(crate) fn check_documents(layers: &[Layer], texts: &[TextFile], out: &mut Vec<String>) {
    let text = |path: &str| {
        texts
            .iter()
            .find(|file| file.path == path)
            .map_or("", |it| &it.text)
    };
    let shown = shown_table(text("ARCHITECTURE.md"));
    let table: BTreeMap<&str, BTreeSet<&str>> = layers
        .iter()
        .map(|layer| (layer.name, layer.may_import.iter().copied().collect()))
        .collect();
    for name in table.keys().chain(shown.keys()).collect::<BTreeSet<_>>() {
        if table.get(name) != shown.get(name) {
            out.push(format!(
                "ARCHITECTURE.md: the row of `{name}` and xtask/src/layers.rs do not say the same"
            ));
        }
    }
    let readme = text("crates/README.md");
    for layer in layers
        .iter()
        .filter(|it| !readme.contains(&format!("`{}`", it.name)))
    {
        out.push(format!(
            "crates/README.md: no sentence for `{}`",
            layer.name
        ));
    }
}

/// Rows such as ``| `tsdb` | what it owns | `model`, `disk` |``.
fn shown_table(markdown: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let rows = markdown.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split('|').map(str::trim).collect();
        let [name, _, imports, ""] = cells[..] else {
            return None;
        };
        let imports = imports.split(',').filter_map(quoted).collect();
        Some((quoted(name)?, imports))
    });
    rows.collect()
}

fn quoted(cell: &str) -> Option<&str> {
    cell.trim().strip_prefix('`')?.strip_suffix('`')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::graph;

    const TABLE: &[Layer] = &[
        core("model", &[]),
        core("rules", &["model"]),
        edge("cli", &["rules"]),
    ];
    const ALLOWED: &str = "
        firebell-rules -> firebell-model serde
        firebell -> firebell-rules tokio";

    fn check(lines: &str, expected: &[&str]) {
        let mut problems = Vec::new();
        check_imports(TABLE, &graph(lines), &mut problems);
        assert_eq!(problems, expected);
    }

    #[test]
    fn crates_import_only_what_the_table_allows() {
        check(ALLOWED, &[]);
        check(
            &format!("{ALLOWED}\nfirebell-model -> firebell-rules"),
            &["crates/model/Cargo.toml: `model` may not import `rules`"],
        );
        check(
            &format!("{ALLOWED} firebell-model"),
            &["crates/cli/Cargo.toml: `cli` may not import `model`"],
        );
    }

    #[test]
    fn tests_may_import_any_crate() {
        check(&format!("{ALLOWED}\nfirebell-model ~> firebell-rules"), &[]);
    }

    #[test]
    fn table_and_workspace_name_the_same_crates() {
        check(
            &format!("{ALLOWED}\nfirebell-oncall -> firebell-model"),
            &["crates/oncall: not in the table of layers (xtask/src/layers.rs)"],
        );
        check(
            "firebell-rules -> firebell-model",
            &["xtask/src/layers.rs: `cli` is in the table, but there is no crate"],
        );
    }

    #[test]
    fn documents_show_the_table_of_the_code() {
        let documents = |rules: &str| {
            [
                TextFile {
                    path: "ARCHITECTURE.md".into(),
                    text: format!(
                        "| crate | owns | may import |\n|---|---|---|\n| `model` | words | |\n\
                         | `rules` | rules | {rules} |\n| `cli` | the binary | `rules` |\n"
                    ),
                },
                TextFile {
                    path: "crates/README.md".into(),
                    text: "`model` `cli`".into(),
                },
            ]
        };
        let problems = |rules: &str| {
            let mut problems = Vec::new();
            check_documents(TABLE, &documents(rules), &mut problems);
            problems
        };
        assert_eq!(
            problems("`model`"),
            ["crates/README.md: no sentence for `rules`"]
        );
        assert_eq!(problems("`model`, `cli`").len(), 2);
    }
}
