//! Cores stay pure: no runtime, socket, file, clock or random source, neither in the packages
//! they are built from nor by name in their own code.

use std::collections::BTreeSet;
use std::path::Path;

use crate::files::TextFile;
use crate::layers::{Kind, Layer, short_name};
use crate::metadata::Graph;
use crate::source;

/// Packages that bring a runtime, sockets, or chance.
const BANNED_PACKAGES: &[&str] = &[
    "async-std",
    "fastrand",
    "getrandom",
    "hyper",
    "mio",
    "rand",
    "rand_core",
    "reqwest",
    "smol",
    "socket2",
    "tokio",
    "ureq",
];

const SOCKETS: &str = "sockets are the driver's; a core gives out effects";

/// What a core's code may not name, and what it does instead. `std::net` itself is not here: its
/// addresses are plain values.
const BANNED_PATHS: &[(&str, &str)] = &[
    ("std::fs", "files are the driver's; a core takes a `Disk`"),
    ("TcpStream", SOCKETS),
    ("TcpListener", SOCKETS),
    ("UdpSocket", SOCKETS),
    ("ToSocketAddrs", SOCKETS),
    ("os::unix::net", SOCKETS),
    ("std::env", "settings come in as arguments"),
    (
        "std::process",
        "the driver decides when a process starts or ends",
    ),
    ("Instant::now", "time comes in as an argument"),
    ("SystemTime::now", "time comes in as an argument"),
    ("Timestamp::now", "time comes in as an argument"),
    ("Zoned::now", "time comes in as an argument"),
    ("thread::sleep", "waiting is a deadline: `poll_deadline`"),
    (
        "rand::",
        "chance comes in as an argument, or as a hash of identity",
    ),
    ("tokio::", "the runtime is the driver's"),
];

/// The same in a group: `use std::{env, fs}`.
const BANNED_IN_STD: &[&str] = &["fs", "env", "process"];

/// No core has a banned package anywhere in its tree (its tests aside).
pub(crate) fn check_trees(layers: &[Layer], graph: &Graph, out: &mut Vec<String>) {
    for member in graph
        .members()
        .filter(|member| is_core(layers, short_name(&member.name)))
    {
        for way in graph.tree(member) {
            let names: Vec<&str> = way.iter().map(|package| package.name.as_str()).collect();
            if names
                .last()
                .is_some_and(|last| BANNED_PACKAGES.contains(last))
            {
                out.push(format!(
                    "a core may not be built from this: {}",
                    names.join(" → ")
                ));
            }
        }
    }
}

/// No core names a banned path in its code (its tests aside).
pub(crate) fn check_sources(layers: &[Layer], texts: &[TextFile], out: &mut Vec<String>) {
    let sources: Vec<(&str, String)> = texts
        .iter()
        .filter(|file| is_core(layers, crate_of_source(&file.path)))
        .map(|file| (file.path.as_str(), source::code(&file.text)))
        .collect();
    let tests: BTreeSet<String> = sources
        .iter()
        .flat_map(|(path, code)| test_files(path, code))
        .collect();
    for (path, code) in &sources {
        if !tests.iter().any(|test| is_within(path, test)) {
            check_code(path, &source::without_tests(code), out);
        }
    }
}

fn check_code(path: &str, code: &str, out: &mut Vec<String>) {
    for (number, line) in (1..).zip(code.lines()) {
        for (banned, instead) in BANNED_PATHS {
            if source::names(line, banned) {
                out.push(format!("{path}:{number}: `{banned}` in a core: {instead}"));
            }
        }
    }
    for (number, name) in source::group_members(code, "std::") {
        if BANNED_IN_STD.contains(&name) {
            out.push(format!("{path}:{number}: `std::{name}` in a core"));
        }
    }
}

fn is_core(layers: &[Layer], name: Option<&str>) -> bool {
    layers
        .iter()
        .any(|layer| Some(layer.name) == name && layer.kind == Kind::Core)
}

/// `rules` for `crates/rules/src/group.rs`.
fn crate_of_source(path: &str) -> Option<&str> {
    let (name, file) = path.strip_prefix("crates/")?.split_once("/src/")?;
    file.ends_with(".rs").then_some(name)
}

/// Files without ending that `#[cfg(test)] mod name;` in `path` makes test code.
fn test_files(path: &str, code: &str) -> Vec<String> {
    let path = Path::new(path);
    let parent = path.parent().unwrap_or(Path::new(""));
    let folder = match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "main" | "mod") | None => parent.to_owned(),
        Some(stem) => parent.join(stem),
    };
    let names = source::test_modules(code).into_iter();
    names
        .map(|name| folder.join(name).display().to_string())
        .collect()
}

fn is_within(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::LAYERS;
    use crate::metadata::graph;

    fn check_tree(lines: &str, expected: &[&str]) {
        let mut problems = Vec::new();
        check_trees(LAYERS, &graph(lines), &mut problems);
        assert_eq!(problems, expected);
    }

    fn check_files(files: &[(&str, &str)], expected: &[&str]) {
        let texts: Vec<TextFile> = files
            .iter()
            .map(|(path, text)| TextFile {
                path: (*path).into(),
                text: (*text).into(),
            })
            .collect();
        let mut problems = Vec::new();
        check_sources(LAYERS, &texts, &mut problems);
        assert_eq!(problems, expected);
    }

    #[test]
    fn a_core_that_gains_a_runtime_or_a_random_source_is_refused() {
        check_tree("firebell-rules -> serde", &[]);
        check_tree(
            "firebell-rules -> tokio",
            &["a core may not be built from this: firebell-rules → tokio"],
        );
        check_tree(
            "firebell-dispatch -> uuid\nuuid -> rand\nrand -> libc",
            &["a core may not be built from this: firebell-dispatch → uuid → rand"],
        );
    }

    #[test]
    fn an_edge_and_the_tests_of_a_core_may_have_one() {
        check_tree(
            "firebell-server -> tokio\nfirebell-rules ~> proptest\nproptest -> rand",
            &[],
        );
    }

    #[test]
    fn a_core_that_gains_a_clock_a_file_or_chance_is_refused() {
        let path = "crates/rules/src/group.rs";
        let refused = |code: &str, expected: &str| check_files(&[(path, code)], &[expected]);
        refused(
            "//! Doc.\nuse std::fs::File;",
            "crates/rules/src/group.rs:2: `std::fs` in a core: files are the driver's; a core takes a `Disk`",
        );
        refused(
            "use std::{\n    io,\n    fs,\n};",
            "crates/rules/src/group.rs:3: `std::fs` in a core",
        );
        refused(
            "fn now() { let at = std::time::Instant::now(); }",
            "crates/rules/src/group.rs:1: `Instant::now` in a core: time comes in as an argument",
        );
        refused(
            "use std::net::{IpAddr, TcpStream};",
            "crates/rules/src/group.rs:1: `TcpStream` in a core: sockets are the driver's; a core gives out effects",
        );
        refused(
            "let jitter = rand::random();",
            "crates/rules/src/group.rs:1: `rand::` in a core: chance comes in as an argument, or as a hash of identity",
        );
    }

    #[test]
    fn words_tests_and_edges_are_left_alone() {
        check_files(
            &[
                (
                    "crates/rules/src/a.rs",
                    "// std::fs in words\nlet a = \"std::fs\"; operand::f();",
                ),
                (
                    "crates/rules/src/b.rs",
                    "#[cfg(test)]\nmod tests {\n use std::fs;\n}",
                ),
                ("crates/rules/src/lib.rs", "#[cfg(test)]\nmod corpus;"),
                ("crates/rules/src/corpus.rs", "use std::fs;"),
                ("crates/rules/tests/upstream.rs", "use std::fs;"),
                ("crates/server/src/lib.rs", "use std::fs;"),
            ],
            &[],
        );
    }

    #[test]
    fn code_after_the_tests_is_looked_at_again() {
        check_files(
            &[(
                "crates/rules/src/a.rs",
                "#[cfg(test)]\nfn f() {}\nuse std::env;",
            )],
            &["crates/rules/src/a.rs:3: `std::env` in a core: settings come in as arguments"],
        );
    }
}
