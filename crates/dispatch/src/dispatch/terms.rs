//! What silences do besides muting: they end when their alerts have resolved, and warn of their end.

use firebell_model::{ALERT_NAME, Alert, Fingerprint, Labels, Matcher, Timestamp, matchers_text};

use super::{DirtyKey, Dispatch, Entry};
use crate::deadlines::Deadline;
use crate::ingest::{State, Times, end};
use crate::{Silence, SilenceId};

/// The name of the alert that warns of the end of a silence; its labels are `silence` (the id) and
/// `created_by`.
pub const SILENCE_EXPIRES: &str = "FirebellSilenceExpires";

impl Dispatch {
    /// The alerts that a silence with these matchers might mute, in order; each has to be looked at.
    /// It costs a word for each, and a look at each alert that came since a silence last looked.
    #[must_use]
    pub fn candidates(&self, matchers: &[Matcher]) -> Vec<Fingerprint> {
        let candidates = self.by_label.candidates(matchers);
        candidates.unwrap_or_else(|| self.alerts.keys().copied().collect())
    }

    /// The labels of those of some alerts that fire at `now` and match.
    pub fn firing_of<'a>(
        &'a self,
        now: Timestamp,
        fingerprints: &'a [Fingerprint],
        matchers: &'a [Matcher],
    ) -> impl Iterator<Item = &'a Labels> {
        let alerts = fingerprints.iter().filter_map(|it| self.alerts.get(it));
        let alerts = alerts.map(|entry| &entry.alert);
        let fires = move |it: &&Alert| it.ends_at.is_none_or(|at| at >= now);
        let labels = alerts.filter(fires).map(|alert| &alert.labels);
        labels.filter(move |labels| matchers.iter().all(|it| it.matches(labels)))
    }

    /// Does what the terms of a silence that has not ended want now, and has it looked at again.
    pub(super) fn heed_terms(&mut self, now: Timestamp, id: SilenceId) {
        self.warn_of_end(now, id);
        if self.looks.contains_key(&id) {
            self.end_when_resolved(now, id);
        }
    }

    /// Remembers whether a silence that has not ended is one that lasts until resolved.
    pub(super) fn list_terms(&mut self, silence: &Silence) {
        match silence.terms.until_resolved_for {
            Some(_) => {
                self.looks.entry(silence.id).or_default();
            }
            None => {
                self.looks.remove(&silence.id);
            }
        }
    }

    /// An alert has a new state: the silences over it that last until it has resolved look again.
    pub(super) fn note_under_silences(&mut self, now: Timestamp, fingerprint: Fingerprint) {
        if self.looks.is_empty() {
            return;
        }
        let Some(entry) = self.alerts.get(&fingerprint) else {
            return;
        };
        let ends_at = entry.alert.ends_at;
        let silences: Vec<SilenceId> = entry.silences.clone();
        for id in silences {
            if !self.looks.contains_key(&id) {
                continue;
            }
            if ends_at.is_none_or(|at| at > now) {
                self.note_matched(id);
            }
            if let Some(ended_at) = ends_at {
                self.look_by(id, self.look_at(id, ended_at).max(now));
            }
        }
    }

    fn note_matched(&mut self, id: SilenceId) {
        let Some(silence) = self.silences.get(id) else {
            return;
        };
        if !silence.terms.has_matched {
            let mut silence = silence.clone();
            silence.terms.has_matched = true;
            self.silences.replace(silence);
            self.dirty.insert(DirtyKey::Silence(id));
        }
    }

    // When a silence whose alerts ended then has lasted long enough.
    fn look_at(&self, id: SilenceId, ended_at: Timestamp) -> Timestamp {
        let Some(silence) = self.silences.get(id) else {
            return Timestamp::MAX;
        };
        let after = silence.terms.until_resolved_for.unwrap_or_default();
        ended_at.max(silence.starts_at) + after
    }

    // Has a silence looked at no later than then; one look is waited for at a time.
    fn look_by(&mut self, id: SilenceId, at: Timestamp) {
        let known = self.looks.entry(id).or_default();
        if known.is_none_or(|known| at < known) {
            *known = Some(at);
            self.deadlines.push(at, Deadline::Silence(id));
        }
    }

    fn end_when_resolved(&mut self, now: Timestamp, id: SilenceId) {
        self.index_alerts();
        let look = self.looks.entry(id).or_default();
        *look = look.filter(|at| *at > now);
        let (mut ended_at, mut n_alerts, mut fires) = (Timestamp::MIN, 0_usize, false);
        let silence = self.silences.get(id);
        let silence = silence.filter(|it| it.ends_at > now);
        let Some(silence) = silence.cloned() else {
            return;
        };
        for entry in self.matched(&silence) {
            n_alerts += 1;
            ended_at = ended_at.max(end(&entry.alert));
            fires |= end(&entry.alert) > now;
        }
        if fires {
            self.note_matched(id);
        }
        let has_matched = fires || silence.terms.has_matched;
        if !has_matched || (n_alerts > 0 && ended_at == Timestamp::MAX) {
            return; // What ends an alert has the silence looked at again.
        }
        let at = self.look_at(id, ended_at);
        if at > now {
            return self.look_by(id, at);
        }
        if let Some(known) = self.silences.get(id).cloned() {
            self.put_silence(
                now,
                Silence {
                    ends_at: now,
                    updated_at: now,
                    ..known
                },
            );
        }
    }

    fn matched(&self, silence: &Silence) -> Vec<&Entry> {
        let candidates = self.candidates(&silence.matchers);
        let entries = candidates.iter().filter_map(|it| self.alerts.get(it));
        let entries = entries.map(|it| &**it);
        entries
            .filter(|it| silence.matches(&it.alert.labels))
            .collect()
    }

    // The warning is an alert from some time before the end until the end. It goes when the end
    // moves.
    fn warn_of_end(&mut self, now: Timestamp, id: SilenceId) {
        let before = self.routing.silence_warning();
        let Some((silence, before)) = self.silences.get(id).zip(before) else {
            return;
        };
        let warning = warning(silence, now);
        let known = self.alerts.get(&warning.labels.fingerprint());
        let known = known.filter(|entry| end(&entry.alert) > now);
        let warn_at = silence.ends_at - before;
        let is_long = warn_at > silence.starts_at;
        let is_due = is_long && warn_at <= now && now < silence.ends_at;
        let state = match (is_due, known) {
            (true, Some(entry)) if entry.alert.ends_at == warning.ends_at => return,
            (true, _) => warning,
            (false, Some(_)) => Alert {
                ends_at: Some(now),
                ..warning
            },
            (false, None) => {
                if is_long && warn_at > now {
                    self.deadlines.push(warn_at, Deadline::Silence(id));
                }
                return;
            }
        };
        let is_over = state.ends_at == Some(now);
        self.take(now, State::own(&state), |old, new, _| {
            let starts_at = old.starts_at;
            (Times { starts_at, ..new }, true)
        });
        if is_over {
            self.warn_of_end(now, id);
        }
    }
}

fn warning(silence: &Silence, now: Timestamp) -> Alert {
    let id = silence.id.to_string();
    let matchers = matchers_text(&silence.matchers);
    let who = &silence.created_by;
    let summary = format!(
        "The silence of {who} on {matchers} ends at {}",
        silence.ends_at
    );
    Alert {
        labels: Labels::from_pairs([
            (ALERT_NAME, SILENCE_EXPIRES),
            ("created_by", who.as_str()),
            ("silence", id.as_str()),
        ]),
        annotations: Labels::from_pairs([
            ("summary", summary.as_str()),
            ("comment", silence.comment.as_str()),
        ]),
        starts_at: now,
        ends_at: Some(silence.ends_at),
        generator_url: String::new(),
        updated_at: now,
        is_timeout: false,
    }
}
