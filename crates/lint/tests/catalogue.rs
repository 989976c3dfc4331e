//! The examples of the catalogue, read as files: each lint finds something in the bad one, and
//! nothing in the good one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use firebell_config::{CheckReport, CheckRequest, ExternalUrl, Files, check};
use firebell_lint::{CATALOGUE, Lint};
use firebell_model::Timestamp;

/// Files of a test.
struct Texts(BTreeMap<PathBuf, String>);

impl Files for Texts {
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.0.get(path);
        text.cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.0.keys().filter(|it| *it == pattern).cloned().collect())
    }
}

fn report(example: &'static str) -> CheckReport {
    let files: BTreeMap<PathBuf, String> = Lint::example_files(example)
        .map(|(name, text)| (name.into(), text.to_owned()))
        .collect();
    let source = Texts(files);
    check(&CheckRequest {
        files: source.0.keys().cloned().collect(),
        source: &source,
        external_url: ExternalUrl::default(),
        readers: &[],
        now: Timestamp(0),
    })
}

#[test]
fn every_lint_finds_what_its_bad_example_shows_and_nothing_in_the_good_one() {
    let mut wrong = Vec::new();
    for lint in CATALOGUE.iter().copied().flatten() {
        let has = |report: &CheckReport| report.findings.iter().any(|it| it.lint.id == lint.id);
        let (bad, good) = (report(lint.bad), report(lint.good));
        if !has(&bad) {
            wrong.push(format!("{}: nothing in the bad example", lint.id));
        }
        if has(&good) {
            wrong.push(format!("{}: found in the good example", lint.id));
        }
        for (which, report) in [("bad", &bad), ("good", &good)] {
            let broken = report
                .findings
                .iter()
                .filter(|it| it.lint.id == "file/invalid");
            for found in broken.filter(|it| it.lint.id != lint.id) {
                wrong.push(format!("{}: {which} example: {}", lint.id, found.problem));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
