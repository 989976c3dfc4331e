//! A simulated team's month, for a data folder to look at: every list, chart and review has
//! something to show.
//!
//! The month is a scenario, made by seed and played through the live engine on simulated time, so
//! that its files are those that a server would have written.
//!
//! *Invariants*: the same seed and the same end give the same files.

mod story;

use std::sync::Arc;

use firebell_config::Problems;
use firebell_disk::{Disk, LogError};
use firebell_dispatch::HistoryEntry;
use firebell_engine::{History, HistoryLimits};
use firebell_model::{Duration, Timestamp};

use self::story::story;
use crate::disk::SimDisk;
use crate::scenario::{Document, Options, play};
use crate::simulator::{Happening, Scene, Watch};

/// A month that was played.
pub struct DemoMonth {
    /// `firebell.yml`, beside which the rules lie as `rules.yml`.
    pub firebell_yml: String,
    /// `rules.yml`.
    pub rules_yml: String,
    /// `slo.yml`, which lies there too.
    pub slo_yml: String,
    /// The month as a scenario, that `firebell test` plays as well.
    pub scenario: String,
    /// What has happened, for the history.
    pub history: Vec<HistoryEntry>,
    disk: SimDisk,
}

/// Sees nothing.
struct Blind;

impl Watch for Blind {
    fn see(&mut self, _: &Scene<'_>, _: &Happening<'_>) {}
}

impl DemoMonth {
    /// Plays the thirty days before a moment.
    ///
    /// # Errors
    /// When the story is wrong, which is a mistake of its teller.
    pub fn play(seed: u64, until: Timestamp) -> Result<Self, Problems> {
        // Whole slots, so that the story's minutes are minutes of evaluations.
        let slot = SLOT.0;
        let beginning = Timestamp((until - DAYS).0.div_euclid(slot) * slot);
        let story = story(seed, beginning);
        let document = Document::read("demo", &story.scenario)?;
        let options = Options {
            beginning,
            seed,
            keeps_history: true,
            ..Options::default()
        };
        let mut sim = play(&document, options, |_| Blind);
        let history = sim.history.take().unwrap_or_default();
        Ok(Self {
            firebell_yml: story.firebell_yml,
            rules_yml: story.rules_yml,
            slo_yml: story.slo_yml,
            scenario: story.scenario,
            history,
            disk: sim.disk().clone(),
        })
    }

    /// Writes the journal, the store and the history.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn write(&self, disk: Arc<dyn Disk>) -> Result<(), LogError> {
        self.disk.copy_to(&*disk)?;
        let (mut history, _) = History::open(disk, &LIMITS)?;
        history.append(&self.history)?;
        history.sync()
    }
}

const LIMITS: HistoryLimits = HistoryLimits {
    retention: Duration::from_hours(365 * 24),
    bytes_max: 1 << 30,
};
const DAYS: Duration = Duration::from_hours(30 * 24);
/// A group of rules is evaluated so often.
const SLOT: Duration = Duration::from_mins(2);

#[cfg(test)]
mod tests {
    use firebell_disk::MemoryDisk;
    use firebell_dispatch::HistoryEvent;
    use firebell_engine::Journal;

    use super::*;

    /// 2026-11-20T12:00:00Z.
    const UNTIL: Timestamp = Timestamp(1_795_176_000_000);

    #[test]
    fn a_month_has_something_of_everything_and_is_the_same_again() {
        let month = DemoMonth::play(7, UNTIL).unwrap_or_else(|why| panic!("{why}"));
        let count = |is_it: &dyn Fn(&HistoryEvent) -> bool| {
            month.history.iter().filter(|it| is_it(&it.event)).count()
        };
        assert!(count(&|it| matches!(it, HistoryEvent::Firing)) > 40);
        assert!(count(&|it| matches!(it, HistoryEvent::Acknowledged { .. })) > 15);
        assert!(count(&|it| matches!(it, HistoryEvent::Judged { by: Some(_), .. })) > 10);
        assert!(count(&|it| matches!(it, HistoryEvent::Judged { by: None, .. })) > 3);
        assert!(count(&|it| matches!(it, HistoryEvent::Suppressed { .. })) > 0);
        let is_told = |it: &HistoryEvent| match it {
            HistoryEvent::Notification(told) => {
                let by = told.integration.as_deref();
                by.is_some_and(|it| it.starts_with("webhook"))
            }
            _ => false,
        };
        assert!(count(&is_told) > 40);
        let again = DemoMonth::play(7, UNTIL).unwrap();
        assert!(again.history == month.history, "by seed");
        let other = DemoMonth::play(8, UNTIL).unwrap();
        assert_ne!(other.scenario, month.scenario);
        let disk = Arc::new(MemoryDisk::default());
        month.write(disk.clone()).unwrap();
        let (written, _) = History::open(disk.clone(), &LIMITS).unwrap();
        assert!(!written.segments().is_empty());
        let mut n_records = 0;
        Journal::open(disk, &mut |_| n_records += 1).unwrap();
        assert!(n_records > 100, "{n_records}");
    }

    #[test]
    fn nothing_of_a_month_is_refused() {
        for seed in 1..4 {
            let month = DemoMonth::play(seed, UNTIL).unwrap();
            let report = crate::scenario::run("demo.md", &month.scenario).unwrap();
            let refused = report.transcript.lines();
            let refused: Vec<&str> = refused.filter(|it| it.contains("refused: ")).collect();
            assert!(refused.is_empty(), "seed {seed}: {refused:#?}");
        }
    }
}
