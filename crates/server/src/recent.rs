//! What is dear to make and the same for the same key, kept as long as it is used.

use std::sync::{Mutex, PoisonError};

/// The latest used values by their keys. At most [`KEPT_MAX`]: the one that was used longest ago makes
/// way, so that what a changed configuration no longer has does not stay for ever.
pub(crate) struct Recent<K, V>(Mutex<Vec<(K, V)>>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: PartialEq + Clone, V: Clone> Recent<K, V> {
    /// The value of a key, made if it is not there.
    ///
    /// # Errors
    /// What `make` says.
    pub(crate) fn get<E>(&self, key: &K, make: impl FnOnce(&K) -> Result<V, E>) -> Result<V, E> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idx) = kept.iter().position(|(known, _)| known == key) {
            // The latest stand last; among few there is nothing to move.
            kept[idx..].rotate_left(1);
            let last = kept.len() - 1;
            return Ok(kept[last].1.clone());
        }
        let value = make(key)?;
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((key.clone(), value.clone()));
        Ok(value)
    }
}

/// More than configurations usually have.
const KEPT_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_was_used_longest_ago_makes_way() {
        let recent: Recent<usize, usize> = Recent::default();
        let mut made = Vec::new();
        let mut get = |key: usize| {
            let value = recent.get(&key, |key| {
                made.push(*key);
                Ok::<_, ()>(key * 2)
            });
            assert_eq!(value, Ok(key * 2));
        };
        for key in 0..KEPT_MAX {
            get(key);
        }
        get(0);
        get(KEPT_MAX);
        get(0);
        get(1);
        assert_eq!(made[KEPT_MAX..], [KEPT_MAX, 1]);
        assert_eq!(recent.get(&7, |_| Err("not made")), Ok(14));
        assert_eq!(recent.get(&999, |_| Err("not made")), Err("not made"));
    }
}
