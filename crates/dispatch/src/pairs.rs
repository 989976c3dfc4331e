//! Pairs of label name and value that alerts share, so that each is kept once.
//!
//! *Limits*: a table of fixed size, in which a new pair takes the place of an old one when it comes a
//! second time: most that come once never come again. What is forgotten costs memory, nothing else.

use std::hash::Hasher as _;
use std::sync::Arc;

use firebell_model::{Label, LabelHasher, Labels};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Pairs {
    names: Box<[Option<Arc<str>>]>,
    pairs: Box<[Place]>,
}

/// Where a pair is kept.
#[derive(Clone, Debug, Default)]
struct Place {
    kept: Option<Arc<Label>>,
    // Of what is kept: others need not be read to be told apart from it.
    hash: u32,
    // Of what came last and is not kept.
    seen: u32,
}

impl Default for Pairs {
    fn default() -> Self {
        Self {
            names: vec![None; NAMES_MAX].into(),
            pairs: vec![Place::default(); PAIRS_MAX].into(),
        }
    }
}

impl Pairs {
    /// The label set of pairs that stand in order of name, each name once, no value empty.
    pub(crate) fn share<'a>(&mut self, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Labels {
        Labels::from_shared(pairs.map(|(name, value)| self.pair(name, value)).collect())
    }

    /// Has a label set share its pairs.
    pub(crate) fn unite(&mut self, labels: &mut Labels) {
        let pairs = labels.iter();
        *labels = self.share(pairs.map(|label| (&*label.name, &*label.value)));
    }

    fn pair(&mut self, name: &str, value: &str) -> Arc<Label> {
        if value.len() > SHARED_BYTES_MAX || name.len() > SHARED_BYTES_MAX {
            let (name, value) = (name.into(), value.into());
            return Arc::new(Label { name, value });
        }
        let hash = hash(&[name, value]);
        // The lower half says where, the upper half which.
        let (idx, hash) = (hash as usize % PAIRS_MAX, (hash >> 32) as u32);
        let place = &self.pairs[idx];
        let is_same = |it: &&Arc<Label>| *it.value == *value && *it.name == *name;
        let kept = place.kept.as_ref().filter(|_| place.hash == hash);
        if let Some(kept) = kept.filter(is_same) {
            return Arc::clone(kept);
        }
        let label = Arc::new(Label {
            name: self.name(name),
            value: value.into(),
        });
        let place = &mut self.pairs[idx];
        if place.kept.is_none() || place.seen == hash {
            place.kept = Some(Arc::clone(&label));
            place.hash = hash;
        } else {
            place.seen = hash;
        }
        label
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        let known = &mut self.names[hash(&[name]) as usize % NAMES_MAX];
        match known {
            Some(known) if **known == *name => Arc::clone(known),
            _ => Arc::clone(known.insert(name.into())),
        }
    }
}

fn hash(texts: &[&str]) -> u64 {
    // Without a secret: who makes pairs collide loses the sharing of his own alerts.
    let mut hasher = LabelHasher::default();
    texts.iter().for_each(|it| hasher.write(it.as_bytes()));
    hasher.finish()
}

const NAMES_MAX: usize = 512;
const PAIRS_MAX: usize = 1 << 15;
/// A longer name or value is not kept for others.
const SHARED_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(name: &str, value: &str) -> usize {
        hash(&[name, value]) as usize % PAIRS_MAX
    }

    #[test]
    fn a_pair_takes_the_place_of_another_when_it_comes_again() {
        let same_place = |nth: &usize| place_of("a", &nth.to_string()) == place_of("a", "0");
        let mut others = (1..).filter(same_place).map(|nth| nth.to_string());
        let (first, second, third) = ("0".to_owned(), others.next(), others.next());
        let (second, third) = (second.expect("one"), third.expect("another"));
        let mut pairs = Pairs::default();
        let kept = pairs.pair("a", &first);
        // Those that come once, or in turn, do not drive it out.
        for other in [&second, &third, &second] {
            assert_eq!(*pairs.pair("a", other).value, **other);
            assert!(Arc::ptr_eq(&kept, &pairs.pair("a", &first)));
        }
        let again = pairs.pair("a", &second);
        assert!(Arc::ptr_eq(&again, &pairs.pair("a", &second)));
        assert!(!Arc::ptr_eq(&kept, &pairs.pair("a", &first)));
    }
}
