//! Hints at wording that blames: a text about people keeps others from telling what happened.
//!
//! *Invariants*: they are hints. Nothing is refused, and nobody's words are changed.
//!
//! *Sources*: the practice of blameless postmortems, as in the Site Reliability Engineering book.

/// A place in a text that could be said otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The words.
    pub words: String,
    /// Why, and what to say instead.
    pub why: &'static str,
}

/// Hints at words that blame, and at these names beside them; in the order of the text.
///
/// ```
/// use firebell_incident::hints;
///
/// let found = hints("All was calm.\nBen should have looked.", &["Ben"]);
/// let found: Vec<_> = found.iter().map(|it| (it.line, it.column, &*it.words)).collect();
/// assert_eq!(found, [(2, 1, "Ben"), (2, 5, "should have")]);
/// ```
#[must_use]
pub fn hints(text: &str, names: &[&str]) -> Vec<Hint> {
    let mut hints = Vec::new();
    for (idx, line) in text.lines().enumerate() {
        let lower = line.to_ascii_lowercase();
        let mut found: Vec<(usize, usize, &'static str)> = Vec::new();
        for (phrases, why) in BLAME {
            for phrase in *phrases {
                let places = places(&lower, phrase);
                found.extend(places.map(|at| (at, phrase.len(), *why)));
            }
        }
        if !found.is_empty() {
            for name in names.iter().filter(|it| !it.is_empty()) {
                let name_lower = name.to_ascii_lowercase();
                let places = places(&lower, &name_lower);
                found.extend(places.map(|at| (at, name_lower.len(), NAMED)));
            }
        }
        found.sort_unstable();
        let of_line = found.iter().filter_map(|(at, n_bytes, why)| {
            Some(Hint {
                line: idx + 1,
                column: line.get(..*at)?.chars().count() + 1,
                words: line.get(*at..at + n_bytes)?.to_owned(),
                why,
            })
        });
        hints.extend(of_line);
        if hints.len() >= HINTS_MAX {
            hints.truncate(HINTS_MAX);
            break;
        }
    }
    hints
}

/// Where a phrase stands as words of its own.
fn places<'a>(text: &'a str, phrase: &'a str) -> impl Iterator<Item = usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(phrase).filter_map(move |(at, _)| {
        let before = text.get(..at)?.chars().next_back();
        let after = text.get(at + phrase.len()..)?.chars().next();
        // `'s fault` follows a word.
        let begins_one = phrase.starts_with(is_word);
        let is_within = begins_one && before.is_some_and(is_word) || after.is_some_and(is_word);
        (!is_within).then_some(at)
    })
}

type Phrases = (&'static [&'static str], &'static str);

const BLAME: &[Phrases] = &[
    (
        &[
            "should have",
            "should've",
            "shouldn't have",
            "should not have",
            "could have",
            "could've",
            "ought to have",
            "must not have",
            "if only",
            "had only",
        ],
        "tells of what did not happen: tell what did, and what people knew at that moment",
    ),
    (
        &[
            "human error",
            "operator error",
            "user error",
            "wrong button",
        ],
        "is where the question begins: what made the slip possible, and what let it through?",
    ),
    (
        &[
            "careless",
            "carelessly",
            "careful enough",
            "negligent",
            "negligence",
            "reckless",
            "sloppy",
            "lazy",
            "incompetent",
            "stupid",
            "inexcusable",
            "unprofessional",
        ],
        "judges a person: tell what the system allowed, and what it showed",
    ),
    (
        &[
            "blame", "blamed", "guilty", "culprit", "at fault", "'s fault",
        ],
        "looks for somebody: look for what would have caught it, whoever was there",
    ),
    (
        &[
            "failed to",
            "forgot",
            "neglected to",
            "did not bother",
            "didn't bother",
            "ignored",
        ],
        "tells of an omission: tell what was seen, and what hid the next step",
    ),
    (
        &[
            "obvious",
            "obviously",
            "clearly",
            "of course",
            "simply had to",
            "just had to",
        ],
        "is so afterwards only: tell what it looked like before",
    ),
];
const NAMED: &str = "is a name beside blame: the role says as much";
/// The most hints of a text.
const HINTS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_say_where_and_leave_the_rest_alone() {
        let check = |text: &str, expected: &[(usize, usize, &str)]| {
            let found = hints(text, &["ana", "Jörg"]);
            let found: Vec<_> = found
                .iter()
                .map(|it| (it.line, it.column, &*it.words))
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        check("ana restarted the database at 02:14", &[]);
        check("The cause was Human Error.", &[(1, 15, "Human Error")]);
        check(
            "é jörg, Jörg forgot\nto look",
            &[(1, 3, "jörg"), (1, 9, "Jörg"), (1, 14, "forgot")],
        );
        check("It was ana's fault", &[(1, 8, "ana"), (1, 11, "'s fault")]);
        check("a faultless, blameless, unforgotten thing", &[]);
        check("Banana: nobody is to blame", &[(1, 22, "blame")]);
        check("", &[]);
        let many = "blame\n".repeat(HINTS_MAX + 10);
        assert_eq!(hints(&many, &[]).len(), HINTS_MAX);
    }
}
