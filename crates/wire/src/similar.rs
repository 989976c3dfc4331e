//! How much a name looks like what somebody types.
//!
//! *Sources*: Prometheus, `web/api/v1/search_filters.go` and `util/strutil`, as behaviour; Winkler
//! 1990.

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Likeness {
    /// What was typed: any of these. Everything is alike when there is none.
    pub texts: Vec<String>,
    /// How likeness is measured.
    pub algorithm: Algorithm,
    /// The least likeness, from 0 to 1, that counts.
    pub threshold: f64,
    /// Whether `A` and `a` differ.
    pub is_case_sensitive: bool,
}

/// Measures of likeness.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// All characters in order; the longer their runs the better.
    Subsequence,
    /// The text within the name, or characters in about the same places.
    JaroWinkler,
}

impl Likeness {
    /// How much a name is alike, from 0 to 1; `None` when that is too little.
    #[must_use]
    pub fn score(&self, name: &str) -> Option<f64> {
        if self.texts.is_empty() {
            return Some(1.0);
        }
        let name = self.folded(name);
        let scores = self.texts.iter().filter_map(|text| {
            let text = self.folded(text);
            match self.algorithm {
                _ if text.is_empty() || name.starts_with(&text) => Some(1.0),
                Algorithm::Subsequence => {
                    let score = subsequence(&text, &name);
                    (score > 0.0 && score >= self.threshold).then_some(score)
                }
                Algorithm::JaroWinkler if name.contains(&text) => Some(0.9),
                Algorithm::JaroWinkler => {
                    let score = jaro_winkler(&text, &name);
                    (self.threshold > 0.0 && score >= self.threshold).then_some(score)
                }
            }
        });
        scores.max_by(f64::total_cmp)
    }

    fn folded(&self, text: &str) -> String {
        if self.is_case_sensitive {
            text.to_owned()
        } else {
            text.to_lowercase()
        }
    }
}

/// The squares of the runs, less the gaps by their share of the name (half of the last one), over
/// the square of the text; the best of all places where the first character stands.
fn subsequence(text: &str, name: &str) -> f64 {
    let text: Vec<char> = text.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let starts = (0..name.len()).filter(|&at| name[at] == text[0]);
    let from = |start: usize| {
        let (mut score, mut run, mut end, mut at) = (0.0, 0usize, 0, start);
        for (idx, c) in text.iter().enumerate() {
            let found = at + name[at..].iter().position(|it| it == c)?;
            if idx == 0 || found > end {
                score += (run * run) as f64 - (found - end) as f64 / name.len() as f64;
                run = 0;
            }
            run += 1;
            at = found + 1;
            end = at;
        }
        let rest = (name.len() - end) as f64 / name.len() as f64;
        Some(score + (run * run) as f64 - rest / 2.0)
    };
    let best = starts.filter_map(from).max_by(f64::total_cmp);
    best.unwrap_or(0.0).max(0.0) / (text.len() * text.len()) as f64
}

/// Winkler's measure: Jaro's, and more for a common beginning of up to four characters.
fn jaro_winkler(a: &str, b: &str) -> f64 {
    let mut short: Vec<char> = a.chars().collect();
    let mut long: Vec<char> = b.chars().collect();
    if short.len() > long.len() {
        std::mem::swap(&mut short, &mut long);
    }
    let reach = (long.len() / 2).saturating_sub(1);
    let mut is_taken = vec![false; long.len()];
    let mut paired = Vec::new();
    for (idx, c) in short.iter().enumerate() {
        let near = idx.saturating_sub(reach)..(idx + reach + 1).min(long.len());
        if let Some(found) = near.into_iter().find(|&at| !is_taken[at] && long[at] == *c) {
            is_taken[found] = true;
            paired.push(*c);
        }
    }
    if paired.is_empty() {
        return 0.0;
    }
    let others = long.iter().zip(&is_taken).filter(|(_, taken)| **taken);
    let swapped = paired.iter().zip(others).filter(|(a, (b, _))| a != b);
    let (n, swapped) = (paired.len() as f64, swapped.count() as f64);
    let shares = n / short.len() as f64 + n / long.len() as f64;
    let jaro = (shares + (n - swapped / 2.0) / n) / 3.0;
    let pairs = short.iter().zip(&long).take(4);
    let common = pairs.take_while(|(a, b)| a == b).count();
    jaro + common as f64 * 0.1 * (1.0 - jaro)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_scored_as_upstream_scores_them() {
        let score = |algorithm, text: &str, name: &str| {
            let likeness = Likeness {
                texts: vec![text.to_owned()],
                algorithm,
                threshold: 0.1,
                is_case_sensitive: false,
            };
            likeness.score(name).map(|score| (score * 1000.0).round())
        };
        use Algorithm::{JaroWinkler, Subsequence};
        for (algorithm, text, name, expected) in [
            (Subsequence, "http", "HTTP_requests", Some(1000.0)),
            // One run of three after a gap of two in eight, three left: (9 - 2/8 - 3/16) / 9.
            (Subsequence, "abc", "xxabcxxx", Some(951.0)),
            // Runs of one and two, a gap of one in four: (1 + 4 - 1/4) / 9; none left.
            (Subsequence, "abc", "aabc", Some(972.0)),
            (Subsequence, "abc", "acb", None),
            (JaroWinkler, "quest", "http_requests", Some(900.0)),
            (JaroWinkler, "martha", "marhta", Some(961.0)),
            (JaroWinkler, "abc", "xyz", None),
        ] {
            assert_eq!(score(algorithm, text, name), expected, "{text} {name}");
        }
    }
}
