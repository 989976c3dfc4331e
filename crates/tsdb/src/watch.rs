//! Who wants to hear when samples of which series arrive.
//!
//! *Invariants*: costs nothing while nobody watches, and little for samples that nobody watches:
//! which watches a series is in is found out once. What has arrived is told once, until it is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use firebell_model::{Labels, Matcher, SeriesId};

use crate::by_slot::BySlot;
use crate::index::{Index, slot_of};

/// Watches, and what has arrived for them.
#[derive(Default)]
pub(crate) struct Watches {
    is_any: AtomicBool,
    state: Mutex<State>,
    notify: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
struct State {
    token: u64,
    /// For each watch its selectors, each of matchers.
    watches: Vec<Vec<Vec<Matcher>>>,
    /// By slot: whose it was when it was looked up, and the set of watches that it is in.
    known: BySlot<Option<(SeriesId, u32)>>,
    /// The sets of watches that there are, and their numbers.
    sets: Vec<Vec<u32>>,
    numbers: BTreeMap<Vec<u32>, u32>,
    arrived: BTreeSet<u32>,
}

impl Watches {
    pub(crate) fn set(&self, token: u64, watches: Vec<Vec<Vec<Matcher>>>) {
        let mut state = self.state();
        self.is_any.store(!watches.is_empty(), Ordering::Release);
        *state = State {
            token,
            watches,
            ..State::default()
        };
    }

    pub(crate) fn notify_by(&self, notify: Box<dyn Fn() + Send + Sync>) {
        // There is one owner, who says it once.
        let _ = self.notify.set(notify);
    }

    pub(crate) fn take(&self) -> Option<(u64, Vec<u32>)> {
        if !self.is_any.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.state();
        let arrived: Vec<u32> = std::mem::take(&mut state.arrived).into_iter().collect();
        (!arrived.is_empty()).then_some((state.token, arrived))
    }

    /// Samples of these series have come.
    pub(crate) fn note(&self, index: &Index, slots: impl Iterator<Item = u32>) {
        if !self.is_any.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state();
        let was_quiet = state.arrived.is_empty();
        for slot in slots {
            if let Some(cell) = index.at(slot) {
                state.arrive(cell.id, &cell.labels);
            }
        }
        let is_news = was_quiet && !state.arrived.is_empty();
        drop(state);
        if let (true, Some(notify)) = (is_news, self.notify.get()) {
            notify();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn arrive(&mut self, id: SeriesId, labels: &Labels) {
        let number = match self.known.get(slot_of(id)) {
            Some(&Some((known, number))) if known == id => number,
            _ => self.look_up(id, labels),
        };
        self.arrived.extend(&self.sets[number as usize]);
    }

    fn look_up(&mut self, id: SeriesId, labels: &Labels) -> u32 {
        let is_in = |watch: &Vec<Vec<Matcher>>| {
            let mut selectors = watch.iter();
            selectors.any(|matchers| matchers.iter().all(|matcher| matcher.matches(labels)))
        };
        let watches = (0_u32..).zip(&self.watches);
        let set: Vec<u32> = watches
            .filter(|(_, watch)| is_in(watch))
            .map(|(idx, _)| idx)
            .collect();
        let sets = &mut self.sets;
        let number = *self.numbers.entry(set.clone()).or_insert_with(|| {
            sets.push(set);
            (sets.len() - 1) as u32
        });
        *self.known.make(slot_of(id)) = Some((id, number));
        number
    }
}
