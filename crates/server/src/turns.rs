//! Who may begin: so many at a time of each way, until nothing begins any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns of each way, such as the integrations of receivers.
pub(crate) struct Turns<K> {
    max: usize,
    known: Mutex<Known<K>>,
}

struct Known<K> {
    is_closed: bool,
    by_key: BTreeMap<K, Arc<Semaphore>>,
}

impl<K: Ord> Turns<K> {
    /// So many at a time of each.
    pub(crate) fn new(max: usize) -> Self {
        let known = Mutex::new(Known {
            is_closed: false,
            by_key: BTreeMap::new(),
        });
        Self { max, known }
    }

    /// Waits for a turn, which lasts until it is dropped; `None` when nothing begins any more.
    pub(crate) async fn take(&self, key: K) -> Option<OwnedSemaphorePermit> {
        let turns = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.is_closed {
                return None;
            }
            let turns = known.by_key.entry(key);
            Arc::clone(turns.or_insert_with(|| Arc::new(Semaphore::new(self.max))))
        };
        turns.acquire_owned().await.ok()
    }

    /// From now on nothing begins, whatever waits; what has its turn goes on.
    pub(crate) fn close(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.is_closed = true;
        for turns in known.by_key.values() {
            turns.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_when_it_is_closed_never_begins() {
        let turns = Arc::new(Turns::new(1));
        let held = turns.take("a").await;
        assert!(held.is_some());
        assert!(turns.take("b").await.is_some(), "of another way");
        let waits = {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.take("a").await.is_some() })
        };
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        turns.close();
        assert!(!waits.await.unwrap(), "it waited");
        drop(held);
        assert!(turns.take("a").await.is_none(), "it came later");
        assert!(turns.take("c").await.is_none(), "it is new");
    }
}
