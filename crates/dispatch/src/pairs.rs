//! Pairs of label name and value that alerts share, so that each is kept once.
//!
//! *Limits*: a table of fixed size, in which a new pair takes the place of an old one. What is
//! forgotten costs memory, nothing else.

use std::hash::Hasher as _;
use std::sync::Arc;

use firebell_model::{Label, LabelHasher, Labels};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Pairs {
    names: Box<[Option<Arc<str>>]>,
    pairs: Box<[Option<Arc<Label>>]>,
}

impl Default for Pairs {
    fn default() -> Self {
        Self {
            names: vec![None; NAMES_MAX].into(),
            pairs: vec![None; PAIRS_MAX].into(),
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
        let idx = hash(&[name, value]) % PAIRS_MAX;
        let known = self.pairs[idx].as_ref();
        if let Some(known) = known.filter(|it| *it.value == *value && *it.name == *name) {
            return Arc::clone(known);
        }
        let label = Arc::new(Label {
            name: self.name(name),
            value: value.into(),
        });
        self.pairs[idx] = Some(Arc::clone(&label));
        label
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        let known = &mut self.names[hash(&[name]) % NAMES_MAX];
        match known {
            Some(known) if **known == *name => Arc::clone(known),
            _ => Arc::clone(known.insert(name.into())),
        }
    }
}

fn hash(texts: &[&str]) -> usize {
    // Without a secret: who makes pairs collide loses the sharing of his own alerts.
    let mut hasher = LabelHasher::default();
    texts.iter().for_each(|it| hasher.write(it.as_bytes()));
    hasher.finish() as usize
}

const NAMES_MAX: usize = 512;
const PAIRS_MAX: usize = 1 << 15;
/// A longer name or value is not kept for others.
const SHARED_BYTES_MAX: usize = 256;
