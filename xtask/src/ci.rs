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

/// Those that are never tried twice, since what they look for may happen once in many times: lost
/// notifications and samples. The others work against the clock with real processes beside them; on a
/// machine that stands still for seconds one may fail, is tried once more, and is named as shaky.
const TRIED_ONCE: [&str; 5] = ["bad_input", "kill9", "kill9_load", "store_tools", "twin"];

const RELEASE_BINARY: &str = "target/release/firebell";
const PEERS_FOLDER: &str = "target/peers/usr/bin";

/// Exit code of a suite that could not check anything here; it says why and counts as nothing.
const NOT_CHECKED: i32 = 77;

/// What is made up in a run comes from these seeds, so that it tells of the change and not of its luck;
/// `make soak` and runs by hand draw others.
const SEEDS: [(&str, &str); 3] = [
    ("PROPTEST_RNG_SEED", "1"),
    ("FUZZ_SEED", "1"),
    ("SEED", "1"),
];

/// Name, folder, command; quick ones first. The demo and the scripts follow.
const SUITES: &[(&str, &str, &str)] = &[
    ("format", ".", "cargo fmt --all --check"),
    ("tidy", ".", "cargo xtask tidy"),
    (
        "python format",
        "examples",
        "../.venv/bin/ruff format --check . ../scripts",
    ),
    (
        "python lint",
        "examples",
        "../.venv/bin/ruff check . ../scripts",
    ),
    ("python types", "examples", "../.venv/bin/mypy"),
    ("python", "examples", "../.venv/bin/python -m unittest -b"),
    ("page checks", "ui", "npm run --silent check"),
    ("page", "ui", "npm test --silent"),
    ("page audit", ".", "scripts/npm-audit"),
    (
        "clippy",
        ".",
        "cargo clippy -q --workspace --all-targets -- -Dwarnings",
    ),
    ("rust", ".", "cargo test --workspace --no-fail-fast"),
    ("python package", ".", "make python"),
    ("python wheel", ".", "make python-wheel"),
    ("fuzz", ".", "scripts/fuzz minute"),
    ("demo", "examples", "env ONCE=1 ../.venv/bin/python -m demo"),
];

struct Suite {
    name: String,
    folder: &'static str,
    command: String,
    is_tried_twice: bool,
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
        let started = Instant::now();
        let mut counts = suite.run_here(root);
        let mut name = suite.name.clone();
        if counts.failed > 0 && suite.is_tried_twice {
            counts = suite.run_here(root);
            name += ": SHAKY, it failed at first";
        }
        let Counts { passed, failed } = counts;
        total += counts;
        let seconds = started.elapsed().as_secs();
        table.push(format!(
            "{passed:>6} passed {failed:>4} failed {seconds:>5} s  {name}"
        ));
    }
    let line = format!("{} passed, {} failed", total.passed, total.failed);
    println!("\n{}\n{line}", table.join("\n"));
    fs::create_dir_all(root.join("target"))
        .and_then(|()| fs::write(root.join(COUNTS_FILE), format!("{line}\n")))
        .map_err(|error| format!("failed to write `{COUNTS_FILE}`: {error}"))?;
    Ok(total.failed == 0)
}

fn suites(root: &Path) -> Result<Vec<Suite>, String> {
    let fixed = SUITES.iter().map(|(name, folder, command)| Suite {
        name: (*name).to_owned(),
        folder,
        command: (*command).to_owned(),
        is_tried_twice: false,
    });
    let scripts = end_to_end_scripts(root)?.into_iter().map(|name| Suite {
        command: format!("{END_TO_END_FOLDER}/{name}"),
        is_tried_twice: !TRIED_ONCE.contains(&&*name),
        name,
        folder: ".",
    });
    Ok(fixed.chain(scripts).collect())
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
    /// Shows all that it says.
    fn run_here(&self, root: &Path) -> Counts {
        println!("\n── {}: {}", self.name, self.command);
        self.run(root, &mut io::stdout()).unwrap_or_else(|error| {
            println!("`{}` could not be run: {error}", self.command);
            Counts::default().of_suite(false)
        })
    }

    /// Passes its output on to `out` while it counts.
    fn run(&self, root: &Path, out: &mut impl Write) -> io::Result<Counts> {
        let mut words = self.command.split(' ');
        let program = words.next().unwrap_or_default();
        let folder = root.join(self.folder);
        // `current_dir` does not change where a relative program is looked for: make it absolute.
        let program = if program.contains('/') {
            folder.join(program)
        } else {
            program.into()
        };
        let mut child = Command::new(program)
            .args(words)
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .envs(SEEDS)
            .env("FIREBELL", firebell(root))
            .env("PATH", path_with_peers(root))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut counts = Counts::default();
        if let Some(pipe) = child.stdout.take() {
            for line in BufReader::new(pipe).split(b'\n') {
                let line = String::from_utf8_lossy(&line?).into_owned();
                counts += Counts::in_line(&line);
                writeln!(out, "{line}")?;
            }
        }
        let status = child.wait()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn run(command: &str) -> io::Result<Counts> {
        let suite = Suite {
            name: "test".into(),
            folder: ".",
            command: command.into(),
            is_tried_twice: false,
        };
        // What it prints must not reach the output of this test, which is counted itself.
        suite.run(Path::new("."), &mut Vec::new())
    }

    #[test]
    fn a_suite_is_counted_by_what_it_says_and_how_it_ends() -> io::Result<()> {
        for (command, passed, failed) in [
            ("echo 3 passed, 0 failed", 3, 0),
            ("echo 3 passed, 1 failed", 3, 1),
            ("sh -c echo${IFS}5${IFS}passed;false", 5, 1),
            ("echo hello", 1, 0),
            ("false", 0, 1),
        ] {
            assert_eq!(run(command)?, Counts { passed, failed }, "{command}");
        }
        Ok(())
    }

    #[test]
    fn a_suite_that_cannot_check_counts_as_nothing() -> io::Result<()> {
        // A command is split at blanks; the shell's own `IFS` stands for one within a word.
        assert_eq!(run("sh -c exit${IFS}77")?, Counts::default());
        Ok(())
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_not_a_count() {
        assert!(run("./no-such-program").is_err());
    }
}
