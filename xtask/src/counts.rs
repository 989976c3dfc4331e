//! Counts of passed and failed tests, read from what the test runners print.

use std::ops::AddAssign;

/// How many tests ran, by how they ended.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// What a suite adds up to: a suite that counts nothing is itself one test, and one that fails
    /// has a failure even when its own count shows none.
    pub(crate) fn of_suite(self, succeeded: bool) -> Counts {
        match (self, succeeded) {
            (
                Counts {
                    passed: 0,
                    failed: 0,
                },
                true,
            ) => Counts {
                passed: 1,
                failed: 0,
            },
            (Counts { failed: 0, .. }, false) => Counts { failed: 1, ..self },
            _ => self,
        }
    }

    /// The counts in one line of output; most lines have none. Known: cargo, vitest, playwright,
    /// node's own runner, and `N passed, N failed`.
    pub(crate) fn in_line(line: &str) -> Counts {
        let line = line.trim();
        let line = line
            .strip_prefix("test result:")
            .or(line.strip_prefix("Tests "))
            .unwrap_or(line);
        let node = line
            .strip_prefix("ℹ ")
            .or(line.strip_prefix("# "))
            .unwrap_or("");
        if let Some((word, number)) = node.split_once(' ') {
            return Counts::of_word(number, word);
        }
        let words: Vec<&str> = line
            .split(|c: char| c.is_whitespace() || ",;.|".contains(c))
            .filter(|word| !word.is_empty() && *word != "ok" && *word != "FAILED")
            .collect();
        // A count stands at the beginning; a sentence that mentions one is no count.
        let mut counts = Counts::default();
        for pair in words
            .chunks(2)
            .take_while(|pair| pair[0].parse::<u64>().is_ok())
        {
            counts += Counts::of_word(pair[0], pair.get(1).unwrap_or(&""));
        }
        counts
    }

    fn of_word(number: &str, word: &str) -> Counts {
        let Ok(number) = number.parse() else {
            return Counts::default();
        };
        match word {
            "passed" | "pass" => Counts {
                passed: number,
                failed: 0,
            },
            "failed" | "fail" => Counts {
                passed: 0,
                failed: number,
            },
            _ => Counts::default(),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_every_runner() {
        for (line, passed, failed) in [
            (
                "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
                12,
                0,
            ),
            ("test result: FAILED. 3 passed; 2 failed; 0 ignored", 3, 2),
            ("      Tests  2 failed | 9 passed (11)", 9, 2),
            (" Test Files  1 passed (1)", 0, 0),
            ("  14 passed (8.1s)", 14, 0),
            ("  1 failed", 0, 1),
            ("ℹ pass 7", 7, 0),
            ("# fail 2", 0, 2),
            ("5 passed, 1 failed", 5, 1),
            ("all 5 passed", 0, 0),
            ("3 files passed", 0, 0),
            ("", 0, 0),
        ] {
            assert_eq!(Counts::in_line(line), Counts { passed, failed }, "{line}");
        }
    }

    #[test]
    fn a_suite_without_counts_is_one_test_and_a_failure_always_shows() {
        for ((passed, failed), succeeded, expected) in [
            ((0, 0), true, (1, 0)),
            ((0, 0), false, (0, 1)),
            ((4, 0), false, (4, 1)),
            ((4, 2), false, (4, 2)),
            ((4, 0), true, (4, 0)),
        ] {
            let counts = Counts { passed, failed }.of_suite(succeeded);
            assert_eq!((counts.passed, counts.failed), expected);
        }
    }
}
