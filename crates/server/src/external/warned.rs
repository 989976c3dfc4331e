//! Warnings of a cluster: said when they begin, and not with every rule while they go on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Stopwatch;

/// What was warned of lately, with the time since the last of it.
#[derive(Default)]
pub(super) struct Warned(Mutex<BTreeMap<String, Stopwatch>>);

impl Warned {
    /// Those of the warnings that were not there before, or not for [`FORGOTTEN_AFTER`].
    pub(super) fn begins(&self, warnings: Vec<String>) -> Vec<String> {
        if warnings.is_empty() {
            return warnings;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, last| last.elapsed() < FORGOTTEN_AFTER);
        let begins = |mut warning: String| {
            while warning.len() > WARNING_BYTES_MAX {
                warning.pop();
            }
            // A cluster that numbers its warnings does not fill the log.
            if known.len() >= KNOWN_MAX && !known.contains_key(&warning) {
                return None;
            }
            let before = known.insert(warning.clone(), Stopwatch::start());
            before.is_none().then_some(warning)
        };
        warnings.into_iter().filter_map(begins).collect()
    }
}

/// Longer than rules usually wait for their next turn.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
const WARNING_BYTES_MAX: usize = 500;
const KNOWN_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_said_once_and_many_are_not_said() {
        let warned = Warned::default();
        let begins = |text: &str| warned.begins(vec![text.to_owned()]);
        assert_eq!(begins("store b: down"), ["store b: down"]);
        assert!(begins("store b: down").is_empty());
        let long = "é".repeat(WARNING_BYTES_MAX);
        assert_eq!(begins(&long)[0].len(), WARNING_BYTES_MAX);
        let n_said = (0..2 * KNOWN_MAX).filter(|it| !begins(&it.to_string()).is_empty());
        assert_eq!(n_said.count(), KNOWN_MAX - 2);
    }
}
