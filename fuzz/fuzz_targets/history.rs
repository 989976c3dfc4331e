//! A segment of the history, some bytes of which are wrong although checksums hold: it opens, says
//! what it has, every page ends, and it takes more.
#![no_main]

use std::sync::Arc;

use firebell_disk::{Disk, MemoryDisk};
use firebell_dispatch::{HistoryEntry, HistoryEvent};
use firebell_engine::{History, HistoryLimits, HistoryQuery, read_history};
use firebell_model::{Duration, Labels, Timestamp};

const LIMITS: HistoryLimits =
    HistoryLimits { retention: Duration::from_hours(24), bytes_max: 1 << 20 };
const PAGES_MAX: usize = 10_000;

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let disk = MemoryDisk::default();
    let segment = [b"FBHIST 1".as_slice(), content].concat();
    disk.replace("history/00000000", &segment).expect("memory takes it");
    let (mut history, damage) = History::open(Arc::new(disk.clone()), &LIMITS).expect("it opens");
    let entry = HistoryEntry {
        at: Timestamp(1),
        labels: Labels::from_pairs([("a", "b")]),
        event: HistoryEvent::Firing,
    };
    history.append(&[entry]).expect("memory takes it");
    for is_newest_first in [false, true] {
        let mut query = HistoryQuery {
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            matchers: Vec::new(),
            receiver: None,
            kinds: Vec::new(),
            is_newest_first,
            limit: 3,
            behind: None,
        };
        let mut n_found = 0;
        for n_pages in 0.. {
            assert!(n_pages < PAGES_MAX, "pages go on for ever");
            let page = read_history(&disk, &history.segments(), &query).expect("memory is read");
            n_found += page.entries.len();
            match page.next {
                Some(next) => query.behind = Some(next),
                None => break,
            }
        }
        // Here nothing has a checksum: what is appended can make a frame whole that was damaged before.
        let is_damaged = damage.iter().any(|it| it.contains(" is damaged "));
        assert!(n_found > 0 || is_damaged, "what was appended is not found");
    }
    history.forget(Timestamp(i64::MAX), &LIMITS).expect("memory forgets");
});
