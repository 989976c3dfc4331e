//! Whether alerts were any good: what fired, who was told, how soon somebody looked, and what it
//! turned out to be; added up by rule, service, team or anything else that labels say.
//!
//! *Invariants*: figures follow from what the history has, in its order, and nothing else. An alert
//! that fires, ends and fires again makes two episodes.

use std::collections::{BTreeMap, BTreeSet};

use firebell_model::{Duration, Fingerprint, Labels, Timestamp};

use crate::verdict::Verdict;

/// An alert from its beginning to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Episode {
    /// Its labels.
    pub labels: Labels,
    /// When it began to fire.
    pub fired_at: Timestamp,
    /// When it ended; `None` while it fires.
    pub resolved_at: Option<Timestamp>,
    /// Messages that named it and arrived.
    pub n_notified: u64,
    /// When somebody first looked into it.
    pub acknowledged_at: Option<Timestamp>,
    /// What people, or a guess for its incident, said.
    pub verdict: Option<(Verdict, bool)>,
    /// Whether it came back within [`FLAPS_WITHIN`] of its end before.
    pub is_flap: bool,
}

/// Collects episodes out of what happened, told in order.
#[derive(Default, Debug)]
pub struct Episodes {
    all: Vec<Episode>,
    /// Episodes of an alert, by place, the oldest first.
    of_alert: BTreeMap<Fingerprint, Vec<usize>>,
    /// The episode of each alert that fires, by place.
    firing: BTreeMap<Fingerprint, usize>,
    /// Of these the last episode is not among them.
    gone_on: BTreeSet<Fingerprint>,
}

/// Figures of some episodes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Figures {
    /// How often something fired.
    pub n_fired: u64,
    /// How many of those were told of.
    pub n_notified: u64,
    /// How many somebody looked into.
    pub n_acknowledged: u64,
    /// How many have a verdict, given or guessed.
    pub n_judged: u64,
    /// How many of the verdicts were guessed.
    pub n_guessed: u64,
    /// How many were actionable.
    pub n_actionable: u64,
    /// How many were false.
    pub n_false: u64,
    /// How many came back soon.
    pub n_flaps: u64,
    /// From firing to the first look.
    pub acknowledge: Option<Spread>,
    /// From firing to the end.
    pub resolve: Option<Spread>,
    /// How often each verdict was given or guessed.
    pub verdicts: BTreeMap<Verdict, u64>,
}

/// How long something took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spread {
    /// Half of them took no longer.
    pub median: Duration,
    /// Nine of ten took no longer.
    pub p90: Duration,
}

/// What is to be done about a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Advice {
    /// Under half of it was actionable.
    Delete,
    /// Under four fifths was, or it flaps.
    Tune,
    /// Nothing.
    Keep,
}

impl Episodes {
    /// An alert began to fire.
    pub fn fired(&mut self, at: Timestamp, labels: &Labels) {
        let known = self.of_alert.entry(labels.fingerprint()).or_default();
        let last = known.last().and_then(|idx| self.all.get(*idx));
        // Told again after a restart, it is the same one.
        if last.is_some_and(|it| it.resolved_at.is_none()) {
            return;
        }
        let ended = last.and_then(|it| it.resolved_at);
        known.push(self.all.len());
        self.firing.insert(labels.fingerprint(), self.all.len());
        self.all.push(Episode {
            labels: labels.clone(),
            fired_at: at,
            resolved_at: None,
            n_notified: 0,
            acknowledged_at: None,
            verdict: None,
            is_flap: ended.is_some_and(|ended| at - ended <= FLAPS_WITHIN),
        });
    }

    /// An alert began to fire in what is not counted: what is told of it from now on is not of
    /// the episodes that are.
    pub fn fired_uncounted(&mut self, labels: &Labels) {
        let known = self.of_alert.get(&labels.fingerprint());
        let last = known.and_then(|it| self.all.get(*it.last()?));
        // Told again after a restart, it is the same one.
        if last.is_some_and(|it| it.resolved_at.is_some()) {
            self.gone_on.insert(labels.fingerprint());
        }
    }

    /// It ended.
    pub fn resolved(&mut self, at: Timestamp, labels: &Labels) {
        self.firing.remove(&labels.fingerprint());
        if let Some(last) = self.last(labels.fingerprint()) {
            last.resolved_at.get_or_insert(at);
        }
    }

    /// A message that named it arrived.
    pub fn notified(&mut self, alert: Fingerprint) {
        if let Some(last) = self.last(alert) {
            last.n_notified += 1;
        }
    }

    /// A message arrived that named some of the alerts that it was about: so many others that fire
    /// and have the labels that all of it had in common were told of as well.
    pub fn notified_beside(&mut self, named: &[Fingerprint], labels: &Labels, n_others: usize) {
        let named: BTreeSet<Fingerprint> = named.iter().copied().collect();
        let has_all = |it: &Labels| {
            labels
                .iter()
                .all(|label| it.value(&label.name) == &*label.value)
        };
        let mut others = Vec::new();
        for (alert, idx) in &self.firing {
            let episode = self.all.get(*idx).filter(|it| has_all(&it.labels));
            if episode.is_some() && !named.contains(alert) && !self.gone_on.contains(alert) {
                others.push(*idx);
            }
        }
        for idx in others.into_iter().take(n_others) {
            if let Some(episode) = self.all.get_mut(idx) {
                episode.n_notified += 1;
            }
        }
    }

    /// Somebody looks into it.
    pub fn acknowledged(&mut self, at: Timestamp, labels: &Labels) {
        if let Some(last) = self.last(labels.fingerprint()) {
            last.acknowledged_at.get_or_insert(at);
        }
    }

    /// What its episodes were that lasted at a moment, or began since; a later word replaces an
    /// earlier one.
    pub fn judged(
        &mut self,
        labels: &Labels,
        since: Timestamp,
        verdict: Verdict,
        is_guessed: bool,
    ) {
        let places = self.of_alert.get(&labels.fingerprint());
        for idx in places.into_iter().flatten() {
            let lasted = |it: &Episode| it.resolved_at.is_none_or(|at| at > since);
            let is_meant = |it: &&mut Episode| it.fired_at >= since || lasted(it);
            if let Some(episode) = self.all.get_mut(*idx).filter(is_meant) {
                episode.verdict = Some((verdict, is_guessed));
            }
        }
    }

    /// Those that began in a span, the oldest first.
    pub fn within(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Episode> {
        let is_within = move |it: &&Episode| from <= it.fired_at && it.fired_at < to;
        self.all.iter().filter(is_within)
    }

    fn last(&mut self, alert: Fingerprint) -> Option<&mut Episode> {
        if self.gone_on.contains(&alert) {
            return None;
        }
        let last = *self.of_alert.get(&alert)?.last()?;
        self.all.get_mut(last)
    }
}

impl Episode {
    /// What it was; guessed when nobody said so and it has ended.
    fn judgement(&self) -> Option<(Verdict, bool)> {
        let guess = |ended: Timestamp| {
            let is_attended = self.acknowledged_at.is_some();
            (Verdict::guess(is_attended, ended - self.fired_at), true)
        };
        self.verdict.or_else(|| self.resolved_at.map(guess))
    }
}

impl Figures {
    /// The figures of some episodes.
    pub fn of<'a>(episodes: impl IntoIterator<Item = &'a Episode>) -> Self {
        let mut figures = Self::default();
        let (mut acknowledged, mut resolved) = (Vec::new(), Vec::new());
        for episode in episodes {
            figures.n_fired += 1;
            figures.n_notified += u64::from(episode.n_notified > 0);
            figures.n_flaps += u64::from(episode.is_flap);
            acknowledged.extend(episode.acknowledged_at.map(|at| at - episode.fired_at));
            resolved.extend(episode.resolved_at.map(|at| at - episode.fired_at));
            let Some((verdict, is_guessed)) = episode.judgement() else {
                continue;
            };
            figures.n_judged += 1;
            figures.n_guessed += u64::from(is_guessed);
            figures.n_actionable += u64::from(verdict.is_actionable());
            figures.n_false += u64::from(verdict == Verdict::False);
            *figures.verdicts.entry(verdict).or_default() += 1;
        }
        figures.n_acknowledged = acknowledged.len() as u64;
        figures.acknowledge = Spread::of(acknowledged);
        figures.resolve = Spread::of(resolved);
        figures
    }

    /// The figures of each group of episodes, by name.
    pub fn by<'a>(
        episodes: impl IntoIterator<Item = &'a Episode>,
        name: impl Fn(&Labels) -> String,
    ) -> BTreeMap<String, Self> {
        let mut groups: BTreeMap<String, Vec<&Episode>> = BTreeMap::new();
        for episode in episodes {
            groups
                .entry(name(&episode.labels))
                .or_default()
                .push(episode);
        }
        let groups = groups.into_iter();
        groups.map(|(name, all)| (name, Self::of(all))).collect()
    }

    /// The share of what was judged that was actionable, from 0 to 1.
    #[must_use]
    pub fn actionable(&self) -> Option<f64> {
        (self.n_judged > 0).then(|| self.n_actionable as f64 / self.n_judged as f64)
    }

    /// What is to be done about a rule with these figures.
    #[must_use]
    pub fn advice(&self) -> Advice {
        let flaps = self.n_flaps as f64 > self.n_fired as f64 / 2.0;
        match self.actionable() {
            Some(share) if share < DELETE_UNDER => Advice::Delete,
            Some(share) if share < TARGET => Advice::Tune,
            _ if flaps => Advice::Tune,
            _ => Advice::Keep,
        }
    }
}

impl Spread {
    /// By the nearest rank: a figure that occurred.
    pub(crate) fn of(mut all: Vec<Duration>) -> Option<Self> {
        all.sort_unstable();
        let rank = |percent: usize| all.get((all.len() * percent).div_ceil(100).max(1) - 1);
        Some(Self {
            median: *rank(50)?,
            p90: *rank(90)?,
        })
    }
}

impl Advice {
    /// Its name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Tune => "tune",
            Self::Keep => "keep",
        }
    }
}

/// What comes back within this time flaps.
pub const FLAPS_WITHIN: Duration = Duration::from_hours(1);
/// The share that is to be actionable.
pub const TARGET: f64 = 0.8;
/// Under this share a rule is proposed for deletion.
pub const DELETE_UNDER: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn min(n: i64) -> Timestamp {
        Timestamp(n * 60_000)
    }

    fn labels(name: &str) -> Labels {
        Labels::from_pairs([("alertname", name)])
    }

    /// Fires `n` times, an episode of `lasts` minutes every two hours.
    fn episodes(name: &str, n: i64, lasts: i64) -> Episodes {
        let mut episodes = Episodes::default();
        for nth in 0..n {
            episodes.fired(min(nth * 120), &labels(name));
            episodes.notified(labels(name).fingerprint());
            episodes.resolved(min(nth * 120 + lasts), &labels(name));
        }
        episodes
    }

    fn figures(episodes: &Episodes) -> Figures {
        Figures::of(episodes.within(Timestamp::MIN, Timestamp::MAX))
    }

    /// The reference's third idea: 23 pages of `CheckoutCPUHigh`, of which one was acted on.
    #[test]
    fn twenty_three_pages_and_one_was_acted_on_so_it_goes() {
        let mut episodes = episodes("CheckoutCPUHigh", 23, 3);
        // A word counts for all that fired since; the last one is about the last episode only.
        let name = labels("CheckoutCPUHigh");
        episodes.judged(&name, min(0), Verdict::Threshold, false);
        episodes.judged(&name, min(22 * 120), Verdict::Acted, false);
        let found = figures(&episodes);
        assert_eq!(
            (found.n_fired, found.n_notified, found.n_judged),
            (23, 23, 23)
        );
        assert_eq!((found.n_actionable, found.n_guessed), (1, 0));
        assert_eq!(found.advice(), Advice::Delete);
    }

    #[test]
    fn what_nobody_judged_is_guessed_and_counted_as_guessed() {
        let short = figures(&episodes("Short", 4, 3));
        assert_eq!((short.n_judged, short.n_guessed), (4, 4));
        assert_eq!(short.verdicts, BTreeMap::from([(Verdict::Threshold, 4)]));
        let long = figures(&episodes("Long", 4, 30));
        assert_eq!((long.n_false, long.advice()), (4, Advice::Delete));
        let mut seen = episodes("Seen", 1, 30);
        seen.acknowledged(min(2), &labels("Seen"));
        assert_eq!(figures(&seen).actionable(), Some(1.0));
        let mut firing = Episodes::default();
        firing.fired(min(0), &labels("Now"));
        assert_eq!(
            (figures(&firing).n_judged, figures(&firing).actionable()),
            (0, None)
        );
    }

    #[test]
    fn medians_and_ninetieths_are_figures_that_occurred() {
        let check = |minutes: &[i64], expected: Option<(i64, i64)>| {
            let all = minutes.iter().map(|it| Duration::from_mins(*it)).collect();
            let found = Spread::of(all).map(|it| (it.median, it.p90));
            let expected = expected.map(|(a, b)| (Duration::from_mins(a), Duration::from_mins(b)));
            assert_eq!(found, expected, "{minutes:?}");
        };
        check(&[], None);
        check(&[7], Some((7, 7)));
        check(&[10, 1, 4, 2], Some((2, 10)));
        check(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], Some((5, 9)));
    }

    #[test]
    fn what_comes_back_within_an_hour_flaps() {
        let mut episodes = Episodes::default();
        for at in [0, 30, 60, 200] {
            episodes.fired(min(at), &labels("Flaps"));
            // Told twice, as after a restart.
            episodes.fired(min(at + 1), &labels("Flaps"));
            episodes.resolved(min(at + 5), &labels("Flaps"));
        }
        let found = figures(&episodes);
        assert_eq!((found.n_fired, found.n_flaps), (4, 2));
    }

    /// What is judged and looked at after a month may be of alerts of the next one.
    #[test]
    fn what_fires_uncounted_takes_what_is_told_of_it_after() {
        let mut episodes = Episodes::default();
        let (cart, api) = (labels("Cart"), labels("Api"));
        for name in [&cart, &api] {
            episodes.fired(min(0), name);
        }
        episodes.resolved(min(10), &cart);
        for name in [&cart, &api] {
            // Of the API's alert it is told again only: it still fires.
            episodes.fired_uncounted(name);
            episodes.acknowledged(min(100), name);
            episodes.notified(name.fingerprint());
            episodes.resolved(min(120), name);
        }
        let of = |alert: &Labels| {
            let mut all = episodes.within(Timestamp::MIN, Timestamp::MAX);
            let it = all.find(|it| it.labels == *alert).unwrap();
            (it.acknowledged_at, it.n_notified, it.resolved_at)
        };
        assert_eq!(of(&cart), (None, 0, Some(min(10))));
        assert_eq!(of(&api), (Some(min(100)), 1, Some(min(120))));
    }

    /// A message of 300 alerts names some: the others fire and share its labels.
    #[test]
    fn what_a_message_does_not_name_was_told_of_too() {
        let mut episodes = Episodes::default();
        let of = |service: &str, n: i64| {
            Labels::from_pairs([("service", service.to_owned()), ("n", n.to_string())])
        };
        for n in 0..300 {
            episodes.fired(min(0), &of("cart", n));
        }
        episodes.fired(min(0), &of("api", 0));
        episodes.resolved(min(1), &of("cart", 299));
        let named: Vec<Fingerprint> = (0..100).map(|n| of("cart", n).fingerprint()).collect();
        named.iter().for_each(|it| episodes.notified(*it));
        let shared = Labels::from_pairs([("service", "cart")]);
        episodes.notified_beside(&named, &shared, 150);
        assert_eq!(figures(&episodes).n_notified, 250);
        episodes.notified_beside(&named, &shared, 1_000);
        assert_eq!(figures(&episodes).n_notified, 299);
    }

    #[test]
    fn groups_are_by_whatever_labels_say() {
        let mut episodes = Episodes::default();
        for (name, team) in [("A", "web"), ("B", "web"), ("C", "db")] {
            let labels = Labels::from_pairs([("alertname", name), ("team", team)]);
            episodes.fired(min(0), &labels);
        }
        let all = episodes.within(min(0), min(1));
        let teams = Figures::by(all, |labels| labels.value("team").to_owned());
        let counts: Vec<_> = teams
            .iter()
            .map(|(name, it)| (&**name, it.n_fired))
            .collect();
        assert_eq!(counts, [("db", 1), ("web", 2)]);
        assert_eq!(episodes.within(min(1), min(2)).count(), 0);
    }
}
