//! Upstream's test scripts: every evaluation of every file passes, unchanged.

use std::path::PathBuf;

use firebell_promql::script;

#[test]
fn every_evaluation_of_upstreams_scripts_passes() {
    let root = std::env::var_os("FIREBELL_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let Ok(folder) = std::fs::read_dir(root.join("promql")) else {
        eprintln!("skipped: no scripts in {}", root.display());
        return;
    };
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut lines, mut n_passed, mut n_all) = (String::new(), 0, 0);
    for file in files {
        let report = script::run(&std::fs::read_to_string(&file).unwrap());
        let name = file.file_name().unwrap().to_string_lossy();
        let (passed, all) = (report.passed, report.passed + report.failed.len());
        lines.push_str(&format!("{name} {passed}/{all}\n"));
        (n_passed, n_all) = (n_passed + passed, n_all + all);
        for failure in &report.failed {
            println!(
                "{name}:{}: {}\n    {}",
                failure.line, failure.command, failure.message
            );
        }
    }
    println!("{lines}{n_passed} of {n_all} evaluations pass");
    assert_eq!(n_passed, n_all, "evaluations fail: see above");
}
