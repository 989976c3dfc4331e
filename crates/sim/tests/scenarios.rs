//! The scenarios of the repository, each against its transcript. `UPDATE=1` rewrites them.

use std::path::{Path, PathBuf};

fn scenario_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| {
        file.extension().is_some_and(|it| it == "md") && !file.ends_with("README.md")
    });
    files.sort();
    files
}

#[test]
fn every_scenario_goes_as_its_transcript_says() {
    let is_update = std::env::var_os("UPDATE").is_some();
    let mut failures = String::new();
    let files = scenario_files();
    let of_people = |file: &&PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        ["page-", "on-call-", "incident"]
            .iter()
            .any(|it| name.contains(it))
    };
    let n_of_people = files.iter().filter(of_people).count();
    assert!(n_of_people >= 80, "only {n_of_people} of {}", files.len());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        match firebell_sim::scenario::run(&name, &text) {
            Ok(report) if report.has_passed() => {}
            Ok(report) if is_update => std::fs::write(&file, report.rewritten).unwrap(),
            Ok(report) => failures += &format!("{name}\n  {}\n", report.difference.join("\n  ")),
            Err(problems) => failures += &format!("{problems}\n"),
        }
    }
    assert!(
        failures.is_empty(),
        "UPDATE=1 rewrites transcripts\n{failures}"
    );
}
