//! Many random scenarios, each under the checkers.

use std::fmt;

use firebell_model::Duration;

use crate::chance::Chance;
use crate::checkers::Checkers;
use crate::random::{Trouble, scenario};
use crate::scenario::{Document, Narrator, Options, play};
use crate::simulator::{Flaw, Sim};

/// What many runs add up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Simulated hours.
    pub hours: u64,
    /// Moments at which something was due.
    pub moments: u64,
    /// Changes of alerts: pending, firing, resolved and so on.
    pub changes: u64,
    /// Messages that left, each once.
    pub messages: u64,
    /// Messages that arrived, repeated ones included.
    pub delivered: u64,
    /// Starts of the process after a kill or a loss of power.
    pub restarts: u64,
    /// Runs with kills that were compared with the same run without.
    pub compared: u64,
}

/// A run in which something was wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The seed; it gives the same run each time.
    pub seed: u64,
    /// What was wrong, the first things first.
    pub violations: Vec<String>,
    /// The run as a scenario.
    pub scenario: String,
    /// What happened in it.
    pub transcript: String,
}

/// Runs the scenario of a seed; `flaw` is how the driver is wrong.
///
/// # Errors
/// When something was wrong.
pub fn run_seed(seed: u64, flaw: Flaw, tally: &mut Tally) -> Result<(), Failure> {
    let mut chance = Chance::new(seed ^ 0x5eed);
    let trouble = if chance.one_in(4) {
        Trouble::Kills
    } else {
        Trouble::All
    };
    let hours = chance.between(3, 8) as u32;
    let evaluation_max = match trouble {
        Trouble::All if chance.one_in(2) => Duration::from_secs(5),
        _ => Duration::ZERO,
    };
    let text = scenario(seed, hours, trouble);
    let document = match Document::read("random.md", &text) {
        Ok(document) => document,
        Err(problems) => {
            let violations = vec![problems.to_string()];
            return Err(Failure {
                seed,
                violations,
                scenario: text,
                transcript: String::new(),
            });
        }
    };
    let options = Options {
        seed,
        flaw,
        evaluation_max,
        is_steady: false,
        ..Options::default()
    };
    let sim = play(&document, options, Checkers::new);
    tally.add(hours, &sim);
    let mut violations = sim.watch.violations.clone();
    let is_comparable = trouble == Trouble::Kills && !sim.watch.has_lost_a_slot;
    if is_comparable && violations.is_empty() {
        let options = Options {
            is_steady: true,
            ..options
        };
        let steady = play(&document, options, Checkers::new);
        tally.add(hours, &steady);
        tally.compared += 1;
        violations.extend(differences(&steady.watch, &sim.watch));
    }
    if violations.is_empty() {
        return Ok(());
    }
    let transcript = play(&document, options, Narrator::new).watch.transcript;
    Err(Failure {
        seed,
        violations,
        scenario: text,
        transcript,
    })
}

/// Where a run with kills differs from the same run without.
fn differences(without: &Checkers, with: &Checkers) -> Vec<String> {
    let changes = (without.changes_in_order(), with.changes_in_order());
    let messages = (without.messages_in_order(), with.messages_in_order());
    let pairs = [("alerts", changes), ("messages", messages)].into_iter();
    pairs
        .filter_map(|(what, (without, with))| first_difference(what, &without, &with))
        .collect()
}

impl Tally {
    fn add(&mut self, hours: u32, sim: &Sim<Checkers>) {
        self.hours += u64::from(hours);
        self.moments += sim.n_moments();
        self.changes += sim.watch.changes.len() as u64;
        self.messages += sim.watch.messages.len() as u64;
        self.delivered += sim.watch.n_delivered;
        self.restarts += sim.watch.n_starts.saturating_sub(1);
    }

    /// The sum of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            hours: self.hours + other.hours,
            moments: self.moments + other.moments,
            changes: self.changes + other.changes,
            messages: self.messages + other.messages,
            delivered: self.delivered + other.delivered,
            restarts: self.restarts + other.restarts,
            compared: self.compared + other.compared,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hours,
            moments,
            changes,
            messages,
            delivered,
            restarts,
            compared,
        } = self;
        write!(
            f,
            "simulated {hours} hours: {moments} moments, {changes} changes of alerts, {messages} \
             messages, {delivered} delivered, {restarts} restarts, {compared} runs compared"
        )
    }
}

/// The first line that differs.
fn first_difference(what: &str, without: &[String], with: &[String]) -> Option<String> {
    let idx = (0..without.len().max(with.len())).find(|idx| without.get(*idx) != with.get(*idx))?;
    let (without, with) = (without.get(idx), with.get(idx));
    Some(format!(
        "kills change the {what}: without `{without:?}`, with `{with:?}`"
    ))
}
