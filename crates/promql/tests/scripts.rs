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

#[test]
fn what_a_script_expects_is_held_against_all_that_came() {
    for (eval, expected) in [
        (
            "eval instant at 5m rate(m[5m])\n  {} 0.016666666666666666",
            "",
        ),
        (
            "eval instant at 5m rate(m[5m])\n  expect no_info\n  {} 0.01666666667",
            "expected none of",
        ),
        (
            "eval instant at 5m rate(m[5m])\n  expect info regex: not be a counter.*\\(1:6\\)\n  {} 0.01666666667",
            "",
        ),
        (
            "eval instant at 5m rate(m[5m]) + irate(m[5m])\n  expect info regex: \\(1:6\\)\n  {} 0.03333333333",
            "",
        ),
        (
            "eval instant at 5m rate(m[5m]) + increase(m[5m])\n  expect info regex: \\(1:6\\)\n  {} 5.01666666667",
            "unexpected annotation",
        ),
        (
            "eval instant at 5m m\n  expect info\n  expect no_info\n  m 5",
            "used together",
        ),
        (
            "eval instant at 5m m\n  expect warm\n  m 5",
            "expects nothing known",
        ),
        (
            "eval instant at 5m m\n  expect warn message\n  m 5",
            "invalid expect statement",
        ),
        (
            "eval instant at 5m ceil(\n  expect fail\n  expect fail",
            "multiple expect fail",
        ),
        (
            "eval range from 0 to 1m step 1m m\n  expect ordered\n  m 0 1",
            "expected ordered result",
        ),
        ("eval instant at 5m \"a\"\n  expect string \"a\"", ""),
        (
            "eval instant at 5m m[2m]\n  expect range vector from 4m to 5m step 1m\n  m 4 5",
            "",
        ),
    ] {
        check(eval, expected);
    }
}

#[test]
fn what_is_described_has_to_be_there_as_it_is_described() {
    for (eval, expected) in [
        // Older scripts say no positions.
        (
            "eval instant at 5m rate(m[5m])\n  expect info msg: PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"m\"\n  {} 0.01666666667",
            "",
        ),
        (
            "eval instant at 5m rate(m[5m])\n  expect info msg: PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"m\" (1:7)\n  {} 0.01666666667",
            "expected info is missing",
        ),
        // A series that is described has to be there, with whatever values.
        (
            "eval range from 0 to 1m step 1m nothing\n  {a=\"b\"} _ _",
            "expected {a=\"b\"}",
        ),
        ("eval instant at 5m m\n  m 5 _", "has one value of a series"),
        ("eval instant at 5m m * NaN\n  {} stale", "expected NaN"),
        ("eval instant at 5m m * NaN\n  {} NaN", ""),
        ("CLEAR\n\neval instant at 5m m", ""),
    ] {
        check(eval, expected);
    }
}

/// Runs an evaluation; `expected` is in what is said of it, empty when it is to pass.
fn check(eval: &str, expected: &str) {
    let report = script::run(&format!("load 1m\n  m 0+1x10\n\n{eval}\n"));
    let said: Vec<&str> = report.failed.iter().map(|it| &*it.message).collect();
    let is_right = match expected {
        "" => said.is_empty(),
        part => said.len() == 1 && said[0].contains(part),
    };
    assert!(is_right, "{eval}\n{said:?}");
}
