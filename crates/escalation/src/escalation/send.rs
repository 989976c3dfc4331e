//! Messages to people: what is due to one goes in one, and what became of it comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_model::Timestamp;
use firebell_oncall::Oncall;

use super::{Effect, Escalation};
use crate::page::{PageKey, SendId, SendState};
use crate::rules::{Due, Method, TOLD_MAX, has};

impl Escalation {
    /// What became of a message; of one that nobody waits for, nothing happens.
    pub fn handle_outcome(
        &mut self,
        now: Timestamp,
        (id, is_delivered): (SendId, bool),
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) {
        if self.hand_offs.handle_outcome(now, id, is_delivered) {
            return;
        }
        let keys = self.under_way.remove(&id).unwrap_or_default();
        for key in &keys {
            let Some(mut page) = self.pages.remove(key) else {
                continue;
            };
            let of_message = |it: &crate::page::Send| it.state == SendState::Sent(id);
            if let Some(idx) = page.sends.iter().position(of_message) {
                if !is_delivered {
                    self.failed(now, &mut page, idx);
                } else if let Some(send) = page.sends.get_mut(idx) {
                    send.state = SendState::Delivered;
                    page.is_delivered = true;
                }
            }
            self.pages.insert(*key, page);
        }
        self.settle(now, &keys.into_iter().collect(), oncall, out);
    }

    /// Sends what is due; what is limited waits.
    pub(super) fn send_due(
        &mut self,
        now: Timestamp,
        keys: &BTreeSet<PageKey>,
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) {
        let mut due: BTreeMap<(Arc<str>, Method), (Due, BTreeSet<PageKey>)> = BTreeMap::new();
        for page in keys.iter().filter_map(|key| self.pages.get(key)) {
            for send in page.planned().filter(|it| it.at <= now) {
                let to = (Arc::clone(&send.person), send.method);
                let (what, pages) = due.entry(to).or_default();
                what.is_urgent |= page.severity.is_urgent();
                what.is_held |= send.is_held;
                pages.insert(page.key);
            }
        }
        for ((person, method), (what, pages)) in due {
            let told = (Arc::clone(&person), method.kind);
            let rules = self.rules_of(&person);
            let at = rules.allowed_at(self.told.get(&told), method.kind, what, now);
            let known = oncall.directory.find_person(&person);
            let is_there = known.is_some_and(|id| has(oncall.directory.person(id), method));
            if at > now {
                self.put(now, (&person, method), &pages, (SendState::Planned, at));
            } else if !is_there {
                self.fail(now, (&person, method), &pages);
            } else {
                self.n_sent += 1;
                let id = SendId(self.n_sent);
                self.put(now, (&person, method), &pages, (SendState::Sent(id), now));
                let moments = self.told.entry(told.clone()).or_default();
                moments.push_back(now);
                if moments.len() > TOLD_MAX {
                    moments.pop_front();
                }
                self.changes.told.insert(told);
                // The outcome of the oldest was lost.
                if self.under_way.len() >= UNDER_WAY_MAX {
                    self.under_way.pop_first();
                }
                self.under_way.insert(id, pages.iter().copied().collect());
                out.push(Effect::Message {
                    id,
                    person,
                    method,
                    pages: pages.into_iter().collect(),
                });
            }
        }
    }

    /// What becomes of the messages that are due to somebody by something.
    fn put(
        &mut self,
        now: Timestamp,
        (person, method): (&Arc<str>, Method),
        pages: &BTreeSet<PageKey>,
        (state, at): (SendState, Timestamp),
    ) {
        for key in pages {
            let Some(page) = self.pages.get_mut(key) else {
                continue;
            };
            let is_due = |it: &&mut crate::page::Send| {
                it.person == *person
                    && it.method == method
                    && it.state == SendState::Planned
                    && it.at <= now
            };
            for send in page.sends.iter_mut().filter(is_due) {
                send.is_held |= state == SendState::Planned;
                (send.state, send.at) = (state, at);
            }
        }
    }

    /// Somebody no longer has this contact.
    fn fail(
        &mut self,
        now: Timestamp,
        (person, method): (&Arc<str>, Method),
        pages: &BTreeSet<PageKey>,
    ) {
        for key in pages {
            let Some(mut page) = self.pages.remove(key) else {
                continue;
            };
            let is_due = |it: &crate::page::Send| {
                it.person == *person
                    && it.method == method
                    && it.state == SendState::Planned
                    && it.at <= now
            };
            while let Some(idx) = page.sends.iter().position(is_due) {
                self.failed(now, &mut page, idx);
            }
            self.pages.insert(*key, page);
        }
    }
}

/// The most messages of which no outcome is known.
const UNDER_WAY_MAX: usize = 100_000;
