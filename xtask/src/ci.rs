//! `cargo xtask ci`: runs every suite, goes on after a failure, ends with `N passed, N failed`.
//!
//! It expects what `make test` installs and builds first: `.venv`, `ui/dist`, the release binary.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::counts::Counts;

/// Where `.ci/run` finds the counts when something else speaks last.
const COUNTS_FILE: &str = "target/test-counts";

/// Scripts that test the real binary: every executable file here is one, in the order of names.
/// They find the binary in `FIREBELL`, and say `N passed, N failed` or just end with 0 or 1.
const END_TO_END_FOLDER: &str = "scripts/e2e";

const RELEASE_BINARY: &str = "target/release/firebell";
const PEERS_FOLDER: &str = "target/peers/usr/bin";

/// Exit code of a suite that could not check anything here; it says why and counts as nothing.
const NOT_CHECKED: i32 = 77;

struct Suite {
    name: String,
    folder: &'static str,
    command: Vec<String>,
    env: &'static [(&'static str, &'static str)],
}

/// Whether every suite passed.
#[expect(
    clippy::disallowed_methods,
    reason = "automation tells how long each suite took"
)]
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    let root = &root
        .canonicalize()
        .map_err(|error| format!("no repository root: {error}"))?;
    say_if_corpus_is_absent(root);
    let mut total = Counts::default();
    let mut table = Vec::new();
    for suite in suites(root)? {
        println!("\n── {}: {}", suite.name, suite.command.join(" "));
        let started = Instant::now();
        let Counts { passed, failed } = suite.run(root)?;
        total += Counts { passed, failed };
        let seconds = started.elapsed().as_secs();
        table.push(format!(
            "{passed:>6} passed {failed:>4} failed {seconds:>5} s  {}",
            suite.name
        ));
    }
    let line = format!("{} passed, {} failed", total.passed, total.failed);
    println!("\n{}\n{line}", table.join("\n"));
    fs::write(root.join(COUNTS_FILE), format!("{line}\n"))
        .map_err(|error| format!("failed to write `{COUNTS_FILE}`: {error}"))?;
    Ok(total.failed == 0)
}

/// Quick ones first.
fn suites(root: &Path) -> Result<Vec<Suite>, String> {
    let mut suites = vec![
        suite("format", ".", &["cargo", "fmt", "--all", "--check"]),
        suite("tidy", ".", &["cargo", "xtask", "tidy"]),
        suite(
            "python format",
            "examples",
            &["../.venv/bin/ruff", "format", "--check", "."],
        ),
        suite(
            "python lint",
            "examples",
            &["../.venv/bin/ruff", "check", "."],
        ),
        suite("python types", "examples", &["../.venv/bin/mypy"]),
        suite(
            "python",
            "examples",
            &["../.venv/bin/python", "-m", "unittest", "-b"],
        ),
        suite(
            "clippy",
            ".",
            &[
                "cargo",
                "clippy",
                "-q",
                "--workspace",
                "--all-targets",
                "--",
                "-Dwarnings",
            ],
        ),
        suite(
            "rust",
            ".",
            &["cargo", "test", "--workspace", "--no-fail-fast"],
        ),
    ];
    if root.join("ui/package.json").exists() {
        suites.push(suite(
            "page checks",
            "ui",
            &["npm", "run", "--silent", "check"],
        ));
        suites.push(suite("page", "ui", &["npm", "test", "--silent"]));
        suites.push(suite("page audit", ".", &["scripts/npm-audit"]));
    }
    let once: &[(&str, &str)] = &[("ONCE", "1")];
    let demo = suite("demo", "examples", &["../.venv/bin/python", "-m", "demo"]);
    suites.push(Suite { env: once, ..demo });
    for script in end_to_end_scripts(root)? {
        suites.push(suite(
            &script,
            ".",
            &[&format!("{END_TO_END_FOLDER}/{script}")],
        ));
    }
    Ok(suites)
}

fn suite(name: &str, folder: &'static str, command: &[&str]) -> Suite {
    let command = command.iter().map(|part| (*part).to_owned()).collect();
    Suite {
        name: name.to_owned(),
        folder,
        command,
        env: &[],
    }
}

fn end_to_end_scripts(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join(END_TO_END_FOLDER);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder)
        .map_err(|error| format!("failed to list `{END_TO_END_FOLDER}`: {error}"))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| is_executable(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

impl Suite {
    /// Passes its output on while it counts.
    fn run(&self, root: &Path) -> Result<Counts, String> {
        let broken = |error| format!("`{}` could not be run: {error}", self.command.join(" "));
        let folder = root.join(self.folder);
        // `current_dir` does not change where a relative program is looked for: make it absolute.
        let program = &self.command[0];
        let program = if program.contains('/') {
            folder.join(program)
        } else {
            program.into()
        };
        let mut child = Command::new(program)
            .args(&self.command[1..])
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .env("FIREBELL", firebell(root))
            .env("PATH", path_with_peers(root))
            .envs(self.env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(broken)?;
        let mut counts = Counts::default();
        let mut stdout = io::stdout().lock();
        if let Some(pipe) = child.stdout.take() {
            for line in BufReader::new(pipe).split(b'\n') {
                let line = String::from_utf8_lossy(&line.map_err(broken)?).into_owned();
                counts += Counts::in_line(&line);
                writeln!(stdout, "{line}").map_err(broken)?;
            }
        }
        let status = child.wait().map_err(broken)?;
        match status.code() {
            Some(NOT_CHECKED) => Ok(counts),
            _ => Ok(counts.of_suite(status.success())),
        }
    }
}

/// The binary under test: what `FIREBELL` names, or the release build.
fn firebell(root: &Path) -> PathBuf {
    env::var_os("FIREBELL").map_or_else(|| root.join(RELEASE_BINARY), PathBuf::from)
}

/// Prometheus and amtool may have been unpacked rather than installed: `scripts/install peers`.
fn path_with_peers(root: &Path) -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":");
    path.push(root.join(PEERS_FOLDER));
    path
}

fn say_if_corpus_is_absent(root: &Path) {
    let named = env::var("FIREBELL_CORPUS").ok();
    let corpus = named.map_or_else(|| root.join("../shared/corpus"), Into::into);
    if !corpus.exists() {
        let path = corpus.display();
        println!("upstream's test corpus is not at {path}: the tests that read it pass unread");
    }
}
