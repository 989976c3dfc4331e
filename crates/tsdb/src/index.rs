//! Which series there are, and which of them satisfy matchers.
//!
//! A series has a slot, a small number that postings are made of, and which is used again when the
//! series is gone. Its id is a count of series made so far (high half), so that none is used twice
//! and the younger of two is known, and the slot (low half).
//!
//! *Sources*: Prometheus, `tsdb/querier.go`, `PostingsForMatchers`: what a matcher says of the empty
//! string it says of series without the label.

mod comers;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::ops::Bound;
use std::sync::Arc;

use firebell_model::{Label, LabelHasher, Labels, MatchOp, Matcher, SeriesId};
use roaring::RoaringBitmap;

pub(crate) use self::comers::Comers;
use crate::by_slot::BySlot;
use crate::series::Cell;
use crate::slots::SlotTable;

/// The label index.
#[derive(Default)]
pub(crate) struct Index {
    by_labels: SlotTable,
    slots: BySlot<Option<Arc<Cell>>>,
    /// Slots of series that are gone, some of which may be taken again.
    free: Vec<u32>,
    /// All slots below are taken, or were.
    next: u32,
    n_made: u32,
    /// Every label pair, which is held once for all series.
    names: BTreeMap<Arc<str>, BTreeMap<ByValue, Postings>>,
    all: RoaringBitmap,
}

/// A pair among those of its name.
struct ByValue(Arc<Label>);

impl Borrow<str> for ByValue {
    fn borrow(&self) -> &str {
        &self.0.value
    }
}

impl Ord for ByValue {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.value.cmp(&other.0.value)
    }
}

impl PartialOrd for ByValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByValue {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByValue {}

/// Whose slot and labels are those of a series that comes back.
enum Claim {
    /// They are its own.
    Known(Arc<Cell>),
    /// A younger series has one of them.
    Lost,
    /// Nobody's, when older series in these slots are gone.
    Free([Option<u32>; 2]),
}

/// Slots in order. Most label pairs of a large store are of one series only.
enum Postings {
    One(u32),
    Many(Box<RoaringBitmap>),
}

impl Index {
    pub(crate) fn slot_of(&self, labels: &Labels) -> Option<u32> {
        let is_meant = |cell: &Cell| cell.labels.is(labels) || cell.labels == *labels;
        self.find(hash_of(labels), is_meant)
    }

    /// The series with these pairs, which are in order of name.
    pub(crate) fn with_pairs(&self, pairs: &[(&str, &str)]) -> Option<&Arc<Cell>> {
        let is_meant = |cell: &Cell| {
            let own = cell.labels.iter().map(|it| (&*it.name, &*it.value));
            cell.labels.len() == pairs.len() && own.eq(pairs.iter().copied())
        };
        let slot = self.find(hash_of_pairs(pairs.iter().copied()), is_meant)?;
        self.at(slot)
    }

    fn find(&self, hash: u64, is_meant: impl Fn(&Cell) -> bool) -> Option<u32> {
        let is_meant = |slot| self.at(slot).is_some_and(|cell| is_meant(cell));
        self.by_labels.find(hash, is_meant)
    }

    pub(crate) fn at(&self, slot: u32) -> Option<&Arc<Cell>> {
        self.slots.get(slot)?.as_ref()
    }

    pub(crate) fn get(&self, id: SeriesId) -> Option<&Arc<Cell>> {
        self.at(slot_of(id)).filter(|cell| cell.id == id)
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.by_labels.len()
    }

    /// All series, in order of slots.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &Arc<Cell>> {
        self.slots.iter().flatten()
    }

    /// The series of some neighbouring slots; `None` past the last of them. For who goes through all
    /// series without keeping the index for itself.
    pub(crate) fn page(&self, idx: usize) -> Option<&[Option<Arc<Cell>>]> {
        self.slots.page(idx)
    }

    /// Finds a series or makes it; `None` when there are so many already.
    pub(crate) fn make(&mut self, labels: &Labels, series_max: u64) -> Option<u32> {
        if let Some(slot) = self.slot_of(labels) {
            return Some(slot);
        }
        if self.by_labels.len() as u64 >= series_max {
            return None;
        }
        let slot = self.free_slot();
        self.put(id_of(self.n_made, slot), labels);
        Some(slot)
    }

    fn free_slot(&mut self) -> u32 {
        while let Some(slot) = self.free.pop() {
            // A replay may have taken it again.
            if self.at(slot).is_none() {
                return slot;
            }
        }
        while self.at(self.next).is_some() {
            self.next += 1;
        }
        self.next
    }

    /// The label with the most values, and how many they are.
    pub(crate) fn widest_label(&self) -> (String, u64) {
        let widest = self.names.iter().max_by_key(|(_, values)| values.len());
        widest.map_or_else(Default::default, |(name, values)| {
            (name.to_string(), values.len() as u64)
        })
    }

    /// Makes a series with the id that it had before a restart. `None` when its slot or its labels
    /// went to a younger series since: then all that it had is past retention.
    pub(crate) fn make_as(&mut self, id: SeriesId, labels: &Labels) -> Option<Arc<Cell>> {
        let pairs = labels.iter().map(|it| (&*it.name, &*it.value));
        let hash = hash_of_pairs(pairs.clone());
        match self.claim(id, hash, pairs) {
            Claim::Known(cell) => return Some(cell),
            Claim::Lost => return None,
            Claim::Free(rivals) => {
                let rivals = rivals.into_iter().flatten();
                rivals.for_each(|rival| self.remove(rival));
            }
        }
        self.put(id, labels);
        self.at(slot_of(id)).cloned()
    }

    /// Whose slot and labels are those of a series that comes back.
    fn claim<'a>(
        &self,
        id: SeriesId,
        hash: u64,
        pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Claim {
        let slot = slot_of(id);
        if slot >= SLOTS_MAX {
            return Claim::Lost;
        }
        let has_pairs = |cell: &Cell| {
            let mut pairs = pairs.clone();
            let mut own = cell.labels.iter();
            own.all(|it| pairs.next() == Some((&*it.name, &*it.value))) && pairs.next().is_none()
        };
        let mut rivals = [None; 2];
        if let Some(cell) = self.at(slot) {
            if cell.id == id && has_pairs(cell) {
                return Claim::Known(Arc::clone(cell));
            }
            if made_of(cell.id) >= made_of(id) {
                return Claim::Lost;
            }
            rivals[0] = Some(slot);
        }
        if let Some(other) = self.find(hash, has_pairs)
            && let Some(cell) = self.at(other)
        {
            if made_of(cell.id) >= made_of(id) {
                return Claim::Lost;
            }
            rivals[1] = Some(other);
        }
        Claim::Free(rivals)
    }

    fn put(&mut self, id: SeriesId, labels: &Labels) {
        let slot = slot_of(id);
        let mut pairs = Vec::with_capacity(labels.len());
        for label in labels.iter() {
            let name = match self.names.get_key_value(&label.name) {
                Some((name, _)) => Arc::clone(name),
                None => Arc::clone(&label.name),
            };
            let values = self.names.entry(Arc::clone(&name)).or_default();
            if let Some(postings) = values.get_mut(&*label.value) {
                postings.insert(slot);
            } else {
                let value = Arc::clone(&label.value);
                let pair = ByValue(Arc::new(Label { name, value }));
                values.insert(pair, Postings::One(slot));
            }
            let pair = values.get_key_value(&*label.value);
            pairs.extend(pair.map(|(pair, _)| Arc::clone(&pair.0)));
        }
        let labels = Labels::from_shared(pairs);
        self.place(id, hash_of(&labels), labels);
    }

    /// Puts a series into its slot; its postings are the caller's to see to.
    fn place(&mut self, id: SeriesId, hash: u64, labels: Labels) {
        let slot = slot_of(id);
        self.by_labels.insert(hash, slot);
        *self.slots.make(slot) = Some(Arc::new(Cell::new(id, labels)));
        self.n_made = self.n_made.max(made_of(id).wrapping_add(1));
        self.all.insert(slot);
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(cell) = self.slots.get_mut(slot).and_then(Option::take) else {
            return;
        };
        self.free.push(slot);
        self.all.remove(slot);
        self.by_labels.remove(hash_of(&cell.labels), slot);
        for label in cell.labels.iter() {
            let Some(values) = self.names.get_mut(&label.name) else {
                continue;
            };
            if values
                .get_mut(&*label.value)
                .is_some_and(|it| it.remove(slot))
            {
                values.remove(&*label.value);
            }
            if values.is_empty() {
                self.names.remove(&label.name);
            }
        }
    }

    /// The series that satisfy all matchers, in order of slots.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Vec<&Arc<Cell>> {
        // What names one value costs least and leaves the least for the others.
        let (exact, others): (Vec<_>, Vec<_>) = matchers
            .iter()
            .partition(|it| it.op() == MatchOp::Equal && !it.value().is_empty());
        let mut found: Option<RoaringBitmap> = None;
        for matcher in exact {
            let postings = self
                .names
                .get(matcher.name())
                .and_then(|it| it.get(matcher.value()));
            let Some(postings) = postings else {
                return Vec::new();
            };
            found = Some(postings.within(found));
        }
        let mut found = found.unwrap_or_else(|| self.all.clone());
        let mut by_series = Vec::new();
        for matcher in others {
            if found.len() <= self.n_candidates(matcher, found.len()) {
                // Fewer series than values: look at the series.
                by_series.push(matcher);
            } else {
                self.narrow(matcher, &mut found);
            }
        }
        let cells = found.iter().filter_map(|slot| self.at(slot));
        cells
            .filter(|cell| {
                by_series
                    .iter()
                    .all(|matcher| matcher.matches(&cell.labels))
            })
            .collect()
    }

    /// How many values [`Index::narrow`] would look at; from `enough` on not counted any further.
    fn n_candidates(&self, matcher: &Matcher, enough: u64) -> u64 {
        let Some(values) = self.names.get(matcher.name()) else {
            return 0;
        };
        let n = match Candidates::of(matcher) {
            Candidates::All => values.len(),
            Candidates::Listed(listed) => listed.len(),
            Candidates::Prefixed(prefix) => {
                let enough = usize::try_from(enough).unwrap_or(usize::MAX);
                with_prefix(values, prefix).take(enough).count()
            }
        };
        n as u64
    }

    /// Leaves of `found` what satisfies the matcher, by its values.
    fn narrow(&self, matcher: &Matcher, found: &mut RoaringBitmap) {
        let takes_absent = matcher.matches_value("");
        let mut listed = RoaringBitmap::new();
        // With absent ones taken, series go only for a value that does not match.
        let mut look = |(value, postings): (&ByValue, &Postings)| {
            if matcher.matches_value(value.borrow()) != takes_absent {
                postings.add_to(&mut listed);
            }
        };
        if let Some(values) = self.names.get(matcher.name()) {
            match Candidates::of(matcher) {
                Candidates::All => values.iter().for_each(look),
                Candidates::Listed(listed) => {
                    let pairs = listed.iter().filter_map(|it| values.get_key_value(&**it));
                    pairs.for_each(&mut look);
                }
                Candidates::Prefixed(prefix) => with_prefix(values, prefix).for_each(look),
            }
        }
        if takes_absent {
            *found -= listed;
        } else {
            *found &= listed;
        }
    }
}

/// Which values of a label may differ from an absent one for a matcher: all values that a regular
/// expression matches, when it does not match the empty one.
enum Candidates<'m> {
    All,
    Listed(&'m [Box<str>]),
    Prefixed(&'m str),
}

impl<'m> Candidates<'m> {
    fn of(matcher: &'m Matcher) -> Self {
        let matches_empty = match matcher.op() {
            MatchOp::Regex => matcher.matches_value(""),
            MatchOp::NotRegex => !matcher.matches_value(""),
            MatchOp::Equal | MatchOp::NotEqual => return Self::All,
        };
        match (matches_empty, matcher.regex_values()) {
            (true, _) => Self::All,
            (false, Some(values)) => Self::Listed(values),
            (false, None) if matcher.regex_prefix().is_empty() => Self::All,
            (false, None) => Self::Prefixed(matcher.regex_prefix()),
        }
    }
}

/// The values that begin with a text.
fn with_prefix<'v>(
    values: &'v BTreeMap<ByValue, Postings>,
    prefix: &'v str,
) -> impl Iterator<Item = (&'v ByValue, &'v Postings)> {
    let from = (Bound::Included(prefix), Bound::Unbounded);
    let begins = move |(value, _): &(&ByValue, &Postings)| -> bool {
        let value: &str = (*value).borrow();
        value.starts_with(prefix)
    };
    values.range::<str, _>(from).take_while(begins)
}

impl Postings {
    /// Of slots, at least one.
    fn of(slots: &[u32]) -> Self {
        match slots {
            [one] => Self::One(*one),
            _ => Self::Many(Box::new(slots.iter().copied().collect())),
        }
    }

    fn extend(&mut self, slots: &[u32]) {
        match self {
            Self::Many(many) => many.extend(slots.iter().copied()),
            Self::One(_) => slots.iter().for_each(|&slot| self.insert(slot)),
        }
    }

    fn insert(&mut self, slot: u32) {
        match self {
            Self::One(one) => {
                *self = Self::Many(Box::new([*one, slot].into_iter().collect()));
            }
            Self::Many(many) => {
                many.insert(slot);
            }
        }
    }

    /// True when nothing is left.
    fn remove(&mut self, slot: u32) -> bool {
        match self {
            Self::One(one) => *one == slot,
            Self::Many(many) => {
                many.remove(slot);
                many.is_empty()
            }
        }
    }

    fn add_to(&self, all: &mut RoaringBitmap) {
        match self {
            Self::One(one) => {
                all.insert(*one);
            }
            Self::Many(many) => *all |= &**many,
        }
    }

    /// Those that are in `found` too, if that is something.
    fn within(&self, found: Option<RoaringBitmap>) -> RoaringBitmap {
        match (self, found) {
            (Self::One(one), None) => [*one].into_iter().collect(),
            (Self::One(one), Some(found)) => {
                found.contains(*one).then_some(*one).into_iter().collect()
            }
            (Self::Many(many), None) => (**many).clone(),
            (Self::Many(many), Some(found)) => found & &**many,
        }
    }
}

pub(crate) fn slot_of(id: SeriesId) -> u32 {
    id.0 as u32
}

fn made_of(id: SeriesId) -> u32 {
    (id.0 >> 32) as u32
}

fn id_of(n_made: u32, slot: u32) -> SeriesId {
    SeriesId(u64::from(n_made) << 32 | u64::from(slot))
}

fn hash_of(labels: &Labels) -> u64 {
    hash_of_pairs(labels.iter().map(|it| (&*it.name, &*it.value)))
}

fn hash_of_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> u64 {
    let mut hasher = LabelHasher::default();
    for (name, value) in pairs {
        hasher.write(name.as_bytes());
        hasher.write(value.as_bytes());
    }
    hasher.finish()
}

/// More slots than this are damage: nobody has so many series in one process.
pub(crate) const SLOTS_MAX: u32 = 1 << 28;

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (
        &'static [(&'static str, MatchOp, &'static str)],
        &'static [u32],
    );

    fn index() -> Index {
        let mut index = Index::default();
        for pairs in [
            vec![("__name__", "up"), ("job", "api"), ("env", "prod")],
            vec![("__name__", "up"), ("job", "api")],
            vec![("__name__", "up"), ("job", "db"), ("env", "dev")],
            vec![("__name__", "down"), ("job", "web"), ("env", "prod")],
        ] {
            index.make(&Labels::from_pairs(pairs), 9);
        }
        index
    }

    #[test]
    fn matchers_see_absent_labels_as_empty() {
        use MatchOp::{Equal, NotEqual, NotRegex, Regex};
        let index = index();
        let cases: [Case; 25] = [
            (&[], &[0, 1, 2, 3]),
            (&[("job", Equal, "api")], &[0, 1]),
            (&[("job", Equal, "nope")], &[]),
            (&[("env", Equal, "")], &[1]),
            (&[("env", NotEqual, "")], &[0, 2, 3]),
            (&[("env", NotEqual, "prod")], &[1, 2]),
            (&[("env", Regex, "prod|")], &[0, 1, 3]),
            (&[("env", Regex, ".*")], &[0, 1, 2, 3]),
            (&[("env", Regex, ".+")], &[0, 2, 3]),
            (&[("env", NotRegex, ".+")], &[1]),
            (&[("env", NotRegex, "dev|")], &[0, 3]),
            // Values that the expression lists, and those that begin as it does.
            (&[("env", Regex, "prod|dev")], &[0, 2, 3]),
            (&[("env", Regex, "dev|nope")], &[2]),
            (&[("env", NotRegex, "dev|nope")], &[0, 1, 3]),
            (&[("env", Regex, "(?i:DEV|nope)")], &[2]),
            (&[("job", Regex, "ap.*")], &[0, 1]),
            (&[("job", NotRegex, "a.+")], &[2, 3]),
            (&[("env", NotRegex, "pr.*d")], &[1, 2]),
            (&[("nope", Regex, "a|b")], &[]),
            (&[("nope", Equal, "")], &[0, 1, 2, 3]),
            (&[("nope", NotEqual, "")], &[]),
            (&[("nope", NotEqual, "x")], &[0, 1, 2, 3]),
            (&[("job", Equal, "api"), ("env", NotEqual, "prod")], &[1]),
            (
                &[
                    ("__name__", Equal, "up"),
                    ("job", Regex, "a.*|d.*"),
                    ("env", NotRegex, "p.*"),
                ],
                &[1, 2],
            ),
            (&[("job", Equal, "api"), ("job", Equal, "db")], &[]),
        ];
        for (matchers, expected) in cases {
            let matchers: Vec<Matcher> = matchers
                .iter()
                .map(|&(name, op, value)| Matcher::new(name, op, value).unwrap())
                .collect();
            let slots = |cells: Vec<&Arc<Cell>>| -> Vec<u32> {
                cells.into_iter().map(|cell| slot_of(cell.id)).collect()
            };
            assert_eq!(slots(index.select(&matchers)), expected, "{matchers:?}");
            // The other way to narrow gives the same.
            let mut narrowed = index.all.clone();
            matchers
                .iter()
                .for_each(|matcher| index.narrow(matcher, &mut narrowed));
            assert_eq!(
                narrowed.iter().collect::<Vec<_>>(),
                expected,
                "{matchers:?}"
            );
        }
    }

    #[test]
    fn a_slot_is_used_again_but_never_an_id() {
        let mut index = index();
        let id = index.at(2).unwrap().id;
        index.remove(2);
        assert!(index.get(id).is_none());
        assert!(index.select(&[Matcher::equal("env", "dev")]).is_empty());
        let slot = index.make(&Labels::from_pairs([("job", "new")]), 4);
        assert_eq!(slot, Some(2));
        assert_ne!(index.at(2).unwrap().id, id);
        assert_eq!(index.make(&Labels::from_pairs([("job", "newer")]), 4), None);
        assert!(
            index
                .make_as(id, &Labels::from_pairs([("job", "old")]))
                .is_none()
        );
        assert_eq!(index.cells().count(), 4);
    }

    /// The slots between would take gigabytes.
    #[test]
    fn a_forged_slot_does_not_bring_the_slots_below_it() {
        let mut index = index();
        let forged = id_of(9, SLOTS_MAX - 1);
        let labels = Labels::from_pairs([("job", "forged")]);
        assert!(index.make_as(forged, &labels).is_some());
        assert_eq!(index.slot_of(&labels), Some(SLOTS_MAX - 1));
        let slot = index.make(&Labels::from_pairs([("job", "new")]), 9);
        assert_eq!(slot, Some(4));
        assert!(index.slots.iter().count() < 10_000);
    }

    #[test]
    fn strings_are_held_once() {
        let index = index();
        let value = |slot| {
            index
                .at(slot)
                .unwrap()
                .labels
                .iter()
                .find(|it| &*it.name == "job")
                .unwrap()
                .value
                .clone()
        };
        assert!(Arc::ptr_eq(&value(0), &value(1)));
    }
}
