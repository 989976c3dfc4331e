//! All pages: what people, time and the outcomes of messages do to them.
//!
//! *Invariants*: every open page has a run with a future step or a reason why it has none
//! ([`Escalation::faults`]); what is acknowledged plans no message; whoever is told is meant by the
//! step at the moment of the message. Each page is looked at once per call: what is left is due at
//! once.
//!
//! *Limits*: at most [`PAGES_MAX`] pages are open, a further one is refused; of those that are
//! over, [`OVER_KEPT_MAX`] are kept, and [`VERSIONS_MAX`] versions of the policies, of which the
//! oldest's pages begin anew with the newest.

mod next;
mod people;
mod records;
mod send;
mod step;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use firebell_model::{Duration, Timestamp};
use firebell_oncall::{ContactKind, Oncall, Person};

pub use self::next::{Next, NextWhat};
pub use self::people::{Answer, Opening, Refusal, SNOOZE_MAX};
use self::records::Changes;
pub use self::records::EscalationRecord;
use crate::hand_offs::{HandOff, HandOffs, Known};
use crate::happened::{Happened, What};
use crate::page::{End, Page, PageKey, Phase, SendId, Wait};
use crate::policy::{Act, Policy};
use crate::rules::{Method, PagingRules, PersonRules};
use crate::targets::schedules_of;

/// All pages.
#[derive(Default)]
pub struct Escalation {
    /// Policies by version; the last are in force for new runs.
    versions: BTreeMap<u64, Arc<[Policy]>>,
    rules: PagingRules,
    pages: BTreeMap<PageKey, Page>,
    due: BTreeSet<(Timestamp, PageKey)>,
    queued: BTreeMap<PageKey, Timestamp>,
    /// Whom a step with turns told last.
    turns: BTreeMap<String, Arc<str>>,
    /// When somebody was told, by kind of contact; for limits.
    told: BTreeMap<(Arc<str>, ContactKind), VecDeque<Timestamp>>,
    /// The pages of messages that are under way.
    under_way: BTreeMap<SendId, Vec<PageKey>>,
    n_sent: u64,
    hand_offs: HandOffs,
    changes: Changes,
    happened: Vec<Happened>,
}

/// What has to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// A message to a person; its outcome comes back by [`Escalation::handle_outcome`].
    Message {
        /// Which.
        id: SendId,
        /// To whom.
        person: Arc<str>,
        /// By what.
        method: Method,
        /// About what.
        pages: Vec<PageKey>,
    },
    /// Whoever acknowledged is asked whether they still look into it.
    Remind {
        /// Whom.
        person: Arc<str>,
        /// About what.
        page: PageKey,
    },
    /// A message to a channel.
    Tell {
        /// The receiver.
        receiver: Arc<str>,
        /// About what.
        page: PageKey,
    },
    /// Whoever begins or ends a shift is told what is open; the outcome comes back by
    /// [`Escalation::handle_outcome`].
    HandOff(HandOff),
    /// Nobody is left to be told: this is an alert of its own.
    NobodyLeft {
        /// Of this page.
        page: PageKey,
        /// Nobody answered, or nobody could be told.
        end: End,
    },
    /// An invariant does not hold: to be logged as an error. It was mended.
    Broken {
        /// Of this page.
        page: PageKey,
        /// Which.
        why: &'static str,
    },
}

impl Escalation {
    /// No pages, these policies and rules.
    #[must_use]
    pub fn new(policies: Arc<[Policy]>, rules: PagingRules) -> Self {
        let mut new = Self::default();
        new.configure(policies, rules);
        new
    }

    /// Puts other policies and rules in force. Runs go on by the policies with which they began;
    /// how people want to be told holds at once.
    pub fn configure(&mut self, policies: Arc<[Policy]>, rules: PagingRules) {
        self.rules = rules;
        let newest = self.versions.last_key_value();
        let is_known = newest.map_or(policies.is_empty(), |(_, known)| *known == policies);
        if is_known {
            return;
        }
        let version = newest.map_or(0, |(version, _)| version + 1);
        self.versions.insert(version, policies);
        self.changes.versions.insert(version);
        let used: BTreeSet<u64> = self.pages.values().map(|it| it.version).collect();
        let known: Vec<u64> = self.versions.keys().copied().collect();
        let n_over = used.len().saturating_sub(VERSIONS_MAX);
        let mut anew = Vec::new();
        let too_old: BTreeSet<u64> = used.iter().take(n_over).copied().collect();
        for page in self
            .pages
            .values_mut()
            .filter(|it| too_old.contains(&it.version))
        {
            page.version = version;
            page.policy = Arc::clone(&page.first_policy);
            if page.is_running() && page.wait != Some(Wait::Snooze) {
                // As after a snooze that is over: it begins anew at the next look.
                (page.wait, page.next_at) = (Some(Wait::Snooze), Some(page.base));
            }
            self.changes.pages.insert(page.key);
            anew.push(page.key);
        }
        anew.into_iter().for_each(|key| self.queue(key));
        let is_unused = |it: &u64| *it != version && (!used.contains(it) || too_old.contains(it));
        for old in known.into_iter().filter(is_unused) {
            self.versions.remove(&old);
            self.changes.versions.insert(old);
        }
    }

    /// All pages that are kept, by key.
    pub fn pages(&self) -> impl Iterator<Item = &Page> {
        self.pages.values()
    }

    /// One of them.
    #[must_use]
    pub fn page(&self, key: PageKey) -> Option<&Page> {
        self.pages.get(&key)
    }

    /// When [`Escalation::handle_deadline`] wants to be called next.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Timestamp> {
        let of_pages = self.due.first().map(|(at, _)| *at);
        let of_hand_offs = self.hand_offs.poll_deadline();
        of_pages.into_iter().chain(of_hand_offs).min()
    }

    /// Does what is due.
    pub fn handle_deadline(&mut self, now: Timestamp, oncall: &Oncall, out: &mut Vec<Effect>) {
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        let keys: BTreeSet<PageKey> = due.map(|(_, key)| *key).collect();
        self.settle(now, &keys, oncall, out);
        self.hand_off(now, oncall, out);
    }

    /// Looks at all schedules after a restart, or when they may be others: who begins and who ends is
    /// told, if there are policies.
    pub fn look_at_schedules(&mut self, now: Timestamp, oncall: &Oncall, out: &mut Vec<Effect>) {
        let rules = &self.rules;
        let newest = self.versions.last_key_value();
        let is_on = newest.is_some_and(|(_, policies)| !policies.is_empty());
        let known = Known { oncall, rules };
        self.hand_offs.look_at_all(now, known, is_on);
        self.hand_off(now, oncall, out);
    }

    fn hand_off(&mut self, now: Timestamp, oncall: &Oncall, out: &mut Vec<Effect>) {
        let rules = &self.rules;
        let (known, mut told) = (Known { oncall, rules }, Vec::new());
        self.hand_offs
            .handle_deadline(now, known, &mut self.n_sent, &mut told);
        out.extend(told.into_iter().map(Effect::HandOff));
    }

    /// Whether the policy of a page tells whoever is on call on one of these schedules.
    #[must_use]
    pub fn tells_of(&self, page: &Page, schedules: &BTreeSet<Arc<str>>, oncall: &Oncall) -> bool {
        let policy = self.policy_of(page);
        let mut steps = policy.iter().flat_map(|it| &it.steps);
        steps.any(|step| match &step.act {
            Act::Notify(level) => {
                schedules_of(&level.targets, oncall).any(|it| schedules.contains(it))
            }
            Act::HandOver(_) | Act::Defer(_) => false,
        })
    }

    /// What happened since this was last asked.
    pub fn take_happened(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.happened)
    }

    /// Everything that must never be, with its page; empty is well.
    #[must_use]
    pub fn faults(&self) -> Vec<(PageKey, &'static str)> {
        let of = |page: &Page| page.fault(self.queued.get(&page.key).copied());
        let faults = self.pages.values().filter_map(|it| Some((it.key, of(it)?)));
        faults.collect()
    }

    /// Looks at pages: takes the steps and sends the messages that are due.
    fn settle(
        &mut self,
        now: Timestamp,
        keys: &BTreeSet<PageKey>,
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) {
        for key in keys {
            let Some(mut page) = self.pages.remove(key) else {
                continue;
            };
            self.look(now, &mut page, oncall, out);
            self.pages.insert(*key, page);
        }
        self.send_due(now, keys, oncall, out);
        for key in keys {
            self.queue(*key);
            self.mend(now, *key, out);
        }
    }

    /// Reports a page that broke an invariant, and has it looked at in a minute.
    fn mend(&mut self, now: Timestamp, key: PageKey, out: &mut Vec<Effect>) {
        let queued_at = self.queued.get(&key).copied();
        let Some(page) = self.pages.get_mut(&key) else {
            return;
        };
        let Some(why) = page.fault(queued_at) else {
            return;
        };
        page.acknowledgement = None;
        page.sends.clear();
        page.phase = Phase::Waiting;
        page.wait = Some(Wait::Snooze);
        page.next_at = Some(now + Duration::from_mins(1));
        out.push(Effect::Broken { page: key, why });
        self.note(now, key, What::Broken(why.into()));
        self.queue(key);
    }

    /// Finds out anew when a page is due; what was changed is written down.
    fn queue(&mut self, key: PageKey) {
        self.changes.pages.insert(key);
        if let Some(before) = self.queued.remove(&key) {
            self.due.remove(&(before, key));
        }
        let page = self.pages.get_mut(&key);
        let Some(at) = page.and_then(|page| {
            page.settle_phase();
            page.due_at()
        }) else {
            return;
        };
        self.queued.insert(key, at);
        self.due.insert((at, key));
    }

    fn note(&mut self, at: Timestamp, page: PageKey, what: What) {
        self.happened.push(Happened { at, page, what });
    }

    fn rules_of(&self, person: &str) -> std::borrow::Cow<'_, PersonRules> {
        use std::borrow::Cow;
        let own = self.rules.get(person);
        own.map_or_else(|| Cow::Owned(PersonRules::default()), Cow::Borrowed)
    }

    /// How a person who is known is asked whether they still look into something: by what they want
    /// to be told of what is not urgent; `None` when they cannot be reached.
    #[must_use]
    pub fn reminded_by(&self, person: &Person) -> Option<Method> {
        let ways = self.rules_of(&person.name);
        let plan = ways.plan(person, false, Timestamp(0));
        plan.first().map(|(_, method)| *method)
    }

    fn policy_of(&self, page: &Page) -> Option<Policy> {
        let policies = self.versions.get(&page.version)?;
        let known = policies.iter().find(|it| it.name == page.policy).cloned();
        known.or_else(|| Policy::of_person(&page.policy, &page.first_policy))
    }

    fn newest(&self) -> u64 {
        self.versions.last_key_value().map_or(0, |(it, _)| *it)
    }
}

/// The most pages that are open at a time.
pub const PAGES_MAX: usize = 10_000;
/// The most pages that are kept when they are over.
pub const OVER_KEPT_MAX: usize = 200;
/// The most versions of the policies that runs may be on.
pub const VERSIONS_MAX: usize = 32;
