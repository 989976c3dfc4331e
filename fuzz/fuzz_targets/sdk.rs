//! What the Python package reads of others: ring files and totals that dead processes left, some words
//! of which are wrong, and answers of servers. The first byte says which.
#![no_main]

mod changes;

use std::sync::LazyLock;

use firebell_sdk::reading::{RingFile, read_http, read_refused, read_sums, sums_file};

static RING: LazyLock<RingFile> = LazyLock::new(RingFile::new);
/// The words of a ring that are in use, and a file of totals.
static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let words = RING.used.iter().flat_map(|(_, word)| word.to_le_bytes());
    vec![("ring".to_owned(), words.collect()), ("sums".to_owned(), sums_file())]
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((kind, body)) = input.split_first() else {
        return;
    };
    match kind % 4 {
        0 => {
            if let Some((step, answer)) = body.split_first() {
                read_http(answer, usize::from(*step));
            }
        }
        1 => _ = read_refused(body),
        _ => match changes::changed(&FILES, body) {
            Some((0, content)) => {
                let (words, _) = content.as_chunks::<8>();
                let words = words.iter().map(|it| u64::from_le_bytes(*it));
                let places = RING.used.iter().map(|(at, _)| *at);
                let changed: Vec<(usize, u64)> = places.zip(words).collect();
                // What was cut is a file that ends there.
                let whole = changed.len() == RING.used.len();
                let n_words = changed.last().map_or(0, |(at, _)| at + 1);
                RING.read(&changed, if whole { usize::MAX } else { n_words });
            }
            Some((_, content)) => _ = read_sums(content),
            None => {}
        },
    }
});
