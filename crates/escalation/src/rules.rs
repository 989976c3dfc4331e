//! People's own rules: by what, in which order and when a page reaches somebody.
//!
//! A limit delays and never drops: what waits for it goes out in one message with everything else
//! that waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use firebell_model::{Duration, Timestamp};
use firebell_oncall::{ContactKind, Person};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::window::Window;

/// The rules of people, by name; of whom nothing is said, [`PersonRules::default`] hold.
pub type PagingRules = BTreeMap<Arc<str>, PersonRules>;

/// How somebody wants to be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonRules {
    /// Of what is urgent; all contacts in their order, two minutes apart, when empty.
    pub urgent: Vec<Way>,
    /// Of everything else; the first contact when empty.
    pub others: Vec<Way>,
    /// When nothing is sent but what is urgent; the rest waits for the end of these hours.
    pub quiet: Option<Window>,
    /// How many messages that are not urgent there may be.
    pub limits: Vec<Limit>,
    /// Messages of a kind are at least so far apart; what comes meanwhile goes in one.
    pub bundle: Duration,
    /// Whether they are told what is open when they begin or end a shift.
    pub hand_offs: HandOffNotices,
}

/// Whether somebody is told what is open when they begin or end a shift.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandOffNotices {
    /// When anything is.
    Open,
    /// When they begin, also that nothing is.
    Always,
    /// Never.
    None,
}

/// One way to be told, some time after the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// How long after the page.
    pub after: Duration,
    /// By all contacts of this kind.
    pub kind: ContactKind,
}

/// The most messages of a kind within a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// The kind.
    pub kind: ContactKind,
    /// How many.
    pub n: usize,
    /// Within how long.
    pub within: Duration,
}

impl Limit {
    /// The most messages that a limit counts.
    pub const N_MAX: usize = 32;
}

/// One contact of a person: the how many-th of its kind. Addresses are looked up when they are
/// needed, and never stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Method {
    /// The kind.
    #[serde(serialize_with = "write_kind", deserialize_with = "read_kind")]
    pub kind: ContactKind,
    /// Its position among contacts of the kind.
    pub nth: usize,
}

impl Default for PersonRules {
    fn default() -> Self {
        let limit = |kind, n| Limit {
            kind,
            n,
            within: Duration::from_mins(15),
        };
        Self {
            urgent: Vec::new(),
            others: Vec::new(),
            quiet: None,
            limits: vec![limit(ContactKind::Phone, 3), limit(ContactKind::Sms, 5)],
            bundle: BUNDLE,
            hand_offs: HandOffNotices::Open,
        }
    }
}

impl PersonRules {
    /// What a page becomes for a person: when it is sent by what, unless somebody answers first.
    #[must_use]
    pub fn plan(
        &self,
        person: &Person,
        is_urgent: bool,
        now: Timestamp,
    ) -> Vec<(Timestamp, Method)> {
        let ways = if is_urgent {
            &self.urgent
        } else {
            &self.others
        };
        let own = ways.iter().flat_map(|way| {
            let of_kind = methods(person).filter(move |it| it.kind == way.kind);
            of_kind.map(move |method| (now + way.after, method))
        });
        let mut plan: Vec<(Timestamp, Method)> = own.take(SENDS_MAX).collect();
        // Whoever can be reached is reached, also when their rules name what they no longer have.
        if plan.is_empty() {
            let n = if is_urgent { SENDS_MAX } else { 1 };
            let apart = |idx: usize| Duration(APART.0 * idx as i64);
            let contacts = methods(person).take(n).enumerate();
            plan.extend(contacts.map(|(idx, method)| (now + apart(idx), method)));
        }
        if let Some(quiet) = self.quiet.as_ref().filter(|_| !is_urgent) {
            for (at, _) in &mut plan {
                *at = quiet.next_out(*at).unwrap_or(*at);
            }
        }
        plan
    }

    /// From when on one more message of a kind may be sent, after those that were; the newest last.
    pub(crate) fn allowed_at(
        &self,
        told: Option<&VecDeque<Timestamp>>,
        kind: ContactKind,
        Due { is_urgent, is_held }: Due,
        now: Timestamp,
    ) -> Timestamp {
        let mut allowed = now;
        if let Some(told) = told {
            // What is urgent hardly waits for company, nor does what has waited: others of which
            // somebody is told sooner must not put it off for ever.
            let bundle = match is_urgent || is_held {
                true => self.bundle.min(BUNDLE),
                false => self.bundle,
            };
            allowed = told.back().map_or(now, |last| now.max(*last + bundle));
            let limits = self.limits.iter();
            for limit in limits.filter(|it| it.kind == kind && !is_urgent) {
                let nth_last = told.len().checked_sub(limit.n.clamp(1, TOLD_MAX));
                if let Some(at) = nth_last.and_then(|idx| told.get(idx)) {
                    allowed = allowed.max(*at + limit.within);
                }
            }
        }
        // What had to wait must not end in quiet hours.
        let quiet = self.quiet.as_ref().filter(|_| !is_urgent);
        quiet.and_then(|it| it.next_out(allowed)).unwrap_or(allowed)
    }
}

/// What is due to somebody by one contact.
#[derive(Clone, Copy, Default)]
pub(crate) struct Due {
    /// Whether any of it is urgent.
    pub(crate) is_urgent: bool,
    /// Whether any of it was put off already.
    pub(crate) is_held: bool,
}

/// All contacts of a person, in their order.
fn methods(person: &Person) -> impl Iterator<Item = Method> + '_ {
    person.contacts.iter().enumerate().map(|(idx, contact)| {
        let before = person.contacts.iter().take(idx);
        Method {
            kind: contact.kind,
            nth: before.filter(|it| it.kind == contact.kind).count(),
        }
    })
}

/// Whether a person has this contact.
pub(crate) fn has(person: &Person, method: Method) -> bool {
    methods(person).any(|it| it == method)
}

fn write_kind<S: Serializer>(kind: &ContactKind, to: S) -> Result<S::Ok, S::Error> {
    kind.name().serialize(to)
}

fn read_kind<'d, D: Deserializer<'d>>(from: D) -> Result<ContactKind, D::Error> {
    let name = String::deserialize(from)?;
    let found = ContactKind::ALL.iter().find(|(known, _)| *known == name);
    let unknown = || serde::de::Error::custom(format!("`{name}` is no kind of contact"));
    found.map(|(_, kind)| *kind).ok_or_else(unknown)
}

const BUNDLE: Duration = Duration::from_mins(1);
/// Between one contact and the next, where nothing is said.
const APART: Duration = Duration::from_mins(2);
/// The most messages that one page becomes for a person.
pub(crate) const SENDS_MAX: usize = 16;
/// How many moments of messages are kept for limits.
pub(crate) const TOLD_MAX: usize = Limit::N_MAX;
