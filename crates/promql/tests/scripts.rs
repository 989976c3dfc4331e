//! Upstream's test scripts. `tests/scripts.txt` says how many evaluations of each file pass; it may
//! only grow: `UPDATE_EXPECT=1` writes it anew.

use std::path::PathBuf;

use firebell_promql::script;

#[test]
fn upstreams_scripts_pass_as_far_as_they_did_before() {
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
    expect_test::expect_file!["scripts.txt"].assert_eq(&lines);
}
