//! Random runs with pages: people who sleep, answer late, leave and swap, providers that fail,
//! processes that are killed.

mod checkers;
mod random;

use self::checkers::PageCheckers;
use self::random::scenario;
use crate::scenario::{Document, Narrator, Options, play};
use crate::simulator::Flaw;
use crate::soak::Failure;

/// What many runs add up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PageTally {
    /// Simulated hours.
    pub hours: u64,
    /// Incidents that were opened.
    pub incidents: u64,
    /// Runs of policies.
    pub runs: u64,
    /// Messages to people that left.
    pub messages: u64,
    /// Acknowledgements that counted.
    pub acknowledged: u64,
    /// Runs after which nobody was left to tell.
    pub unanswered: u64,
    /// Starts of the process after a kill or a loss of power.
    pub restarts: u64,
}

/// Runs the scenario of a seed; `flaw` is how the driver is wrong.
///
/// # Errors
/// When something was wrong.
pub fn run_page_seed(seed: u64, flaw: Flaw, tally: &mut PageTally) -> Result<(), Failure> {
    let text = scenario(seed, HOURS);
    let failure = |violations, transcript| Failure {
        seed,
        violations,
        scenario: text.clone(),
        transcript,
    };
    let document = Document::read("random.md", &text)
        .map_err(|problems| failure(vec![problems.to_string()], String::new()))?;
    let options = Options {
        seed,
        flaw,
        ..Options::default()
    };
    let sim = play(&document, options, PageCheckers::new);
    let n_opened = sim.engine().map_or(0, |it| it.incidents().iter().count());
    let found = &sim.watch;
    *tally = tally.plus(PageTally {
        hours: u64::from(HOURS),
        incidents: n_opened as u64,
        ..found.tally
    });
    if found.violations.is_empty() {
        return Ok(());
    }
    let transcript = play(&document, options, Narrator::new).watch.transcript;
    Err(failure(found.violations.clone(), transcript))
}

impl PageTally {
    /// The sum of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            hours: self.hours + other.hours,
            incidents: self.incidents + other.incidents,
            runs: self.runs + other.runs,
            messages: self.messages + other.messages,
            acknowledged: self.acknowledged + other.acknowledged,
            unanswered: self.unanswered + other.unanswered,
            restarts: self.restarts + other.restarts,
        }
    }
}

impl std::fmt::Display for PageTally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            hours,
            incidents,
            runs,
            messages,
            acknowledged,
            unanswered,
            restarts,
        } = self;
        write!(
            f,
            "simulated {hours} hours with pages: {incidents} incidents, {runs} runs, {messages} \
             messages, {acknowledged} acknowledged, {unanswered} that nobody answered, {restarts} \
             restarts"
        )
    }
}

/// What one run lasts.
const HOURS: u32 = 48;
