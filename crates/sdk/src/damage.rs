//! What is read from outside, with damage of every kind.

use crate::reading::{RingFile, read_http, read_sums, sums_file};

const CASES: u64 = 3_000;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 11
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// What breaks things: ends of ranges, neighbours of what was there, anything.
    fn word(&mut self, was: u64) -> u64 {
        match self.below(7) {
            0 => 0,
            1 => u64::MAX,
            2 => was.wrapping_add(1),
            3 => was.wrapping_sub(1),
            4 => was ^ 1 << self.below(64),
            5 => 1 << self.below(64),
            _ => self.next() << self.below(12),
        }
    }
}

#[test]
fn a_damaged_ring_is_read_as_far_as_it_goes() {
    let file = RingFile::new();
    let n_words = 300_000;
    assert_eq!(file.read(&file.used, n_words), (12, 3));
    let mut dice = Dice(1);
    let (mut n_whole, mut n_none) = (0, 0);
    for _ in 0..CASES / 10 {
        let mut changed = file.used.clone();
        for _ in 0..=dice.below(3) {
            let (_, word) = &mut changed[dice.below(file.used.len())];
            *word = dice.word(*word);
        }
        let until = match dice.below(10) {
            0 => dice.below(n_words),
            _ => n_words,
        };
        match file.read(&changed, until) {
            (12, 3) => n_whole += 1,
            (0, 0) => n_none += 1,
            _ => {}
        }
    }
    // The damage is neither always fatal nor never seen.
    assert!(n_whole > 10 && n_none > 10, "{n_whole} {n_none}");
}

#[test]
fn damaged_totals_of_dead_processes_are_none_or_some() {
    let bytes = sums_file();
    assert!(read_sums(bytes.clone()));
    let mut dice = Dice(2);
    let mut n_read = 0;
    for _ in 0..CASES {
        let mut damaged = bytes.clone();
        let at = dice.below(damaged.len() - 8);
        damaged[at] = dice.next() as u8;
        damaged.truncate(8 + dice.below(damaged.len()));
        n_read += u64::from(read_sums(damaged));
    }
    assert!(n_read < CASES, "{n_read}");
}

#[test]
fn answers_of_every_kind_are_read_or_refused() {
    let answers: [&[u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 204 Nothing\r\nConnection: close\r\n\r\n",
    ];
    for (answer, status) in answers.iter().zip([200, 429, 503, 204]) {
        assert_eq!(read_http(answer, 3), Some(status));
    }
    let mut dice = Dice(3);
    let mut n_read = 0;
    for _ in 0..CASES {
        let mut bytes = answers[dice.below(answers.len())].to_vec();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len());
            match dice.below(3) {
                0 => bytes[at] = dice.next() as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes
                    .splice(at..at, *b"99999999999999999999")
                    .for_each(drop),
            }
        }
        n_read += u64::from(read_http(&bytes, 1 + dice.below(64)).is_some());
    }
    assert!(n_read > CASES / 20 && n_read < CASES, "{n_read}");
    let endless = vec![b'x'; 1 << 20];
    assert!(read_http(&endless, 4096).is_none());
}
