//! Thousands of simulated hours with pages by seed, and proof that the checkers can object.
//!
//! `FIREBELL_SEED=7 cargo test -p firebell-sim --test pages` runs one seed;
//! `FIREBELL_SIM_HOURS=1000000` runs more.

use std::io::Write as _;

use firebell_sim::{Failure, Flaw, PageTally, run_page_seed};

/// What CI runs; see `FIREBELL_SIM_HOURS`.
const HOURS: u64 = 100_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(first: u64, step: u64, hours: u64) -> (PageTally, Vec<Failure>) {
    let (mut tally, mut failures) = (PageTally::default(), Vec::new());
    let mut seed = first;
    while tally.hours < hours && failures.len() < 10 {
        if let Err(failure) = run_page_seed(seed, Flaw::None, &mut tally) {
            failures.push(failure);
        }
        seed += step;
    }
    (tally, failures)
}

#[test]
fn everybody_is_answered_climbs_or_is_said_to_have_nobody_left() {
    let (tally, failures) = match number("FIREBELL_SEED") {
        Some(seed) => run(seed, 1, 1),
        None => {
            let hours = number("FIREBELL_SIM_HOURS").unwrap_or(HOURS);
            let halves = [0, 1].map(|first| std::thread::spawn(move || run(first, 2, hours / 2)));
            let [(one, mut all), (other, more)] = halves.map(|it| it.join().unwrap());
            all.extend(more);
            (one.plus(other), all)
        }
    };
    // Past the test's capture: the figures belong into the log of a good run.
    let _ = writeln!(std::io::stderr(), "{tally}");
    for failure in &failures {
        println!("FIREBELL_SEED={}: {}", failure.seed, failure.violations[0]);
    }
    if let Some(first) = failures.iter().min_by_key(|it| it.scenario.len()) {
        let violations = first.violations.join("\n  ");
        let (scenario, transcript) = (&first.scenario, &first.transcript);
        panic!(
            "{scenario}\n{transcript}\nFIREBELL_SEED={}\n  {violations}",
            first.seed
        );
    }
}

/// A driver that is wrong is found out.
fn check(flaw: Flaw, objection: &str) {
    let mut tally = PageTally::default();
    let found = (0..100).find(|seed| {
        let result = run_page_seed(*seed, flaw, &mut tally);
        let objects = |it: &Failure| it.violations.iter().any(|it| it.contains(objection));
        result.as_ref().is_err_and(objects)
    });
    assert!(found.is_some(), "nobody objected to {flaw:?} in {tally}");
}

#[test]
fn pages_that_are_not_written_down_are_found_out() {
    check(Flaw::NeverRecords, "is forgotten");
}

#[test]
fn pages_that_leave_before_they_are_written_down_are_found_out() {
    check(Flaw::ActsBeforeRecording, "which is forgotten");
}

#[test]
fn pages_that_are_not_synced_are_found_out() {
    check(Flaw::NeverSyncs, "is forgotten");
}
