//! `cargo xtask tidy`: gathers what the checks look at, runs them all, prints every problem.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::files::TextFile;
use crate::metadata::Graph;
use crate::{files, layers, purity, supply};

/// Whether everything is tidy. An error means that it could not be checked.
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    let graph = Graph::parse(&cargo_metadata(root)?)?;
    let texts = texts(root)?;
    let mut problems = Vec::new();
    layers::check_imports(layers::LAYERS, &graph, &mut problems);
    layers::check_documents(layers::LAYERS, &texts, &mut problems);
    purity::check_trees(layers::LAYERS, &graph, &mut problems);
    purity::check_sources(layers::LAYERS, &texts, &mut problems);
    files::check(&texts, &mut problems);
    supply::check(&graph, &mut problems);
    for problem in &problems {
        println!("{problem}");
    }
    println!(
        "tidy: {} files, {} packages, {} problems",
        texts.len(),
        graph.len(),
        problems.len()
    );
    Ok(problems.is_empty())
}

/// The tree for this machine: what is only for other systems need not be downloaded.
fn cargo_metadata(root: &Path) -> Result<String, String> {
    let version = output(root, "rustc", &["-vV"])?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or("`rustc -vV` names no host")?;
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--filter-platform",
        host,
    ];
    output(root, "cargo", &arguments)
}

/// Every text file that is or may become part of the repository, by its path from the root.
fn texts(root: &Path) -> Result<Vec<TextFile>, String> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listed = output(root, "git", &arguments)?;
    let paths: BTreeSet<&str> = listed.lines().collect();
    // What is deleted but still listed, and what is not text, has nothing to check.
    let read = paths.into_iter().filter_map(|path| {
        let text = fs::read_to_string(root.join(path)).ok()?;
        Some(TextFile {
            path: path.to_owned(),
            text,
        })
    });
    Ok(read.collect())
}

fn output(root: &Path, program: &str, arguments: &[&str]) -> Result<String, String> {
    let tried = || format!("`{program} {}`", arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| format!("{} could not be run: {error}", tried()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {}", tried(), said.trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{} printed no UTF-8", tried()))
}
