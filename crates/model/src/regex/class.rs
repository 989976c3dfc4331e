//! Sets of characters: `[a-z]`, `[[:alpha:]]`, `\d`, `\p{Greek}`.
//!
//! *Invariants*: Perl's and POSIX's classes are ASCII's, as in Go; only `\p` knows Unicode. Case is
//! folded before a class is negated.
//!
//! *Sources*: Go, `regexp/syntax`: `doc.go`, `perl_groups.go`, and `parseClass` of `parse.go`.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::error::{Failure, Problem};
use super::parse::{escape, next_char, up_to};
use super::unicode;

/// Ranges that one class may be put together from.
const RANGES_MAX: u64 = 1 << 20;
/// Ranges that may wait until they are sorted and joined.
const UNSORTED_MAX: usize = 1 << 14;

/// Ranges of ASCII characters, both ends included.
pub(super) type AsciiRanges = &'static [(u8, u8)];

const DIGITS: AsciiRanges = &[(b'0', b'9')];
const WORD: AsciiRanges = &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')];
const PERL_SPACE: AsciiRanges = &[(b'\t', b'\n'), (0x0C, b'\r'), (b' ', b' ')];

const POSIX: [(&str, AsciiRanges); 14] = [
    ("alnum", &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')]),
    ("alpha", &[(b'A', b'Z'), (b'a', b'z')]),
    ("ascii", &[(0, 0x7F)]),
    ("blank", &[(b'\t', b'\t'), (b' ', b' ')]),
    ("cntrl", &[(0, 0x1F), (0x7F, 0x7F)]),
    ("digit", DIGITS),
    ("graph", &[(b'!', b'~')]),
    ("lower", &[(b'a', b'z')]),
    ("print", &[(b' ', b'~')]),
    (
        "punct",
        &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
    ),
    ("space", &[(b'\t', b'\r'), (b' ', b' ')]),
    ("upper", &[(b'A', b'Z')]),
    ("word", WORD),
    ("xdigit", &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')]),
];

/// `\d`, `\D`, `\s`, `\S`, `\w` or `\W` at the beginning: its ranges, whether they are negated,
/// and what follows.
pub(super) fn perl_class(text: &str) -> Option<(AsciiRanges, bool, &str)> {
    let mut rest = text.strip_prefix('\\')?;
    let letter = next_char(&mut rest)?;
    let ranges = match letter.to_ascii_lowercase() {
        'd' => DIGITS,
        's' => PERL_SPACE,
        'w' => WORD,
        _ => return None,
    };
    Some((ranges, letter.is_ascii_uppercase(), rest))
}

/// A character, with its other cases when wanted.
pub(super) fn fold_char(c: char, folds_case: bool) -> ClassUnicode {
    let mut class = Class::new(folds_case);
    class.add(u32::from(c), u32::from(c));
    class.finish(false)
}

/// A class that is being put together.
pub(super) struct Class {
    ranges: Vec<ClassUnicodeRange>,
    folds_case: bool,
    n_added: u64,
}

impl Class {
    pub(super) fn new(folds_case: bool) -> Self {
        Self {
            ranges: Vec::new(),
            folds_case,
            n_added: 0,
        }
    }

    /// How many ranges went in.
    pub(super) fn cost(&self) -> u64 {
        self.n_added
    }

    /// Adds code points from `low` to `high`; those that no text has are left out.
    fn add(&mut self, low: u32, high: u32) {
        // The first and the last character outside of the surrogates.
        let start = char::from_u32(low).unwrap_or('\u{E000}');
        let end = char::from_u32(high).unwrap_or('\u{D7FF}');
        if start <= end {
            self.push(ClassUnicodeRange::new(start, end));
        }
    }

    fn push(&mut self, range: ClassUnicodeRange) {
        self.n_added += 1;
        self.ranges.push(range);
        if self.ranges.len() > UNSORTED_MAX {
            let sorted = ClassUnicode::new(self.ranges.drain(..));
            self.ranges.extend_from_slice(sorted.ranges());
        }
    }

    pub(super) fn add_ascii(&mut self, ranges: AsciiRanges, is_negated: bool) {
        let range = |&(low, high)| ClassUnicodeRange::new(char::from(low), char::from(high));
        self.add_class(ClassUnicode::new(ranges.iter().map(range)), is_negated);
    }

    fn add_class(&mut self, mut class: ClassUnicode, is_negated: bool) {
        if is_negated {
            if self.folds_case {
                fold(&mut class);
            }
            class.negate();
        }
        for range in class.ranges() {
            self.push(*range);
        }
    }

    /// The class, or everything that is not in it.
    pub(super) fn finish(self, is_negated: bool) -> ClassUnicode {
        let mut class = ClassUnicode::new(self.ranges);
        if self.folds_case {
            fold(&mut class);
        }
        if is_negated {
            class.negate();
        }
        class
    }

    /// `\pL`, `\p{Greek}`, `\P{^Greek}` at the beginning, if anything of the kind is there.
    pub(super) fn parse_unicode(
        before: &str,
        folds_case: bool,
    ) -> Result<Option<(Self, &str)>, Failure> {
        let Some(after) = before.strip_prefix(r"\p").or(before.strip_prefix(r"\P")) else {
            return Ok(None);
        };
        let mut rest = after;
        let mut name = match next_char(&mut rest) {
            Some('{') => {
                let Some((name, behind)) = rest.split_once('}') else {
                    return Failure::at(Problem::CharRange, before);
                };
                rest = behind;
                name
            }
            _ => up_to(after, rest),
        };
        let mut is_negated = before.starts_with(r"\P");
        if let Some(bare) = name.strip_prefix('^') {
            is_negated = !is_negated;
            name = bare;
        }
        let Some(named) = unicode::class(name) else {
            return Failure::at(Problem::CharRange, up_to(before, rest));
        };
        let mut class = Self::new(folds_case);
        class.add_class(named, is_negated);
        Ok(Some((class, rest)))
    }

    /// Everything from `[` to its `]`, and what follows.
    pub(super) fn parse_brackets(before: &str, folds_case: bool) -> Result<(Self, &str), Failure> {
        let mut rest = &before[1..];
        let is_negated = rest.strip_prefix('^').inspect(|it| rest = it).is_some();
        let mut class = Self::new(folds_case);
        // A bracket that comes first stands for itself.
        let mut is_first = true;
        while is_first || !rest.starts_with(']') {
            is_first = false;
            rest = class.parse_item(rest, before)?;
            if class.n_added > RANGES_MAX {
                return Failure::at(Problem::TooLarge, before);
            }
        }
        let rest = &rest[1..];
        if is_negated {
            let n_added = class.n_added;
            let ranges = class.finish(true).ranges().to_vec();
            // Folded already; the complement of a folded class is folded.
            class = Self {
                ranges,
                folds_case: false,
                n_added,
            };
        }
        Ok((class, rest))
    }

    /// Adds what stands next within brackets; gives what follows it.
    fn parse_item<'a>(&mut self, before: &'a str, whole: &str) -> Result<&'a str, Failure> {
        if let Some(rest) = self.parse_posix(before)? {
            return Ok(rest);
        }
        if let Some((class, rest)) = Self::parse_unicode(before, self.folds_case)? {
            for range in class.ranges {
                self.push(range);
            }
            return Ok(rest);
        }
        if let Some((ranges, is_negated, rest)) = perl_class(before) {
            self.add_ascii(ranges, is_negated);
            return Ok(rest);
        }
        let (low, mut rest) = class_char(before, whole)?;
        let mut high = low;
        // `[a-]` is an `a` or a dash.
        let end = rest
            .strip_prefix('-')
            .filter(|end| !end.is_empty() && !end.starts_with(']'));
        if let Some(end) = end {
            (high, rest) = class_char(end, whole)?;
            if high < low {
                return Failure::at(Problem::CharRange, up_to(before, rest));
            }
        }
        self.add(low, high);
        Ok(rest)
    }

    /// `[:alpha:]`, `[:^alpha:]`.
    fn parse_posix<'a>(&mut self, before: &'a str) -> Result<Option<&'a str>, Failure> {
        let Some((name, rest)) = before
            .strip_prefix("[:")
            .and_then(|named| named.split_once(":]"))
        else {
            return Ok(None);
        };
        let bare = name.strip_prefix('^').unwrap_or(name);
        let Some((_, ranges)) = POSIX.iter().find(|(known, _)| *known == bare) else {
            return Failure::at(Problem::CharRange, up_to(before, rest));
        };
        self.add_ascii(ranges, bare != name);
        Ok(Some(rest))
    }
}

/// One code point within brackets, perhaps escaped.
fn class_char<'a>(before: &'a str, whole: &str) -> Result<(u32, &'a str), Failure> {
    if before.starts_with('\\') {
        return escape(before);
    }
    let mut rest = before;
    match next_char(&mut rest) {
        Some(c) => Ok((u32::from(c), rest)),
        None => Failure::at(Problem::MissingBracket, whole),
    }
}

/// Adds the other cases of every character.
fn fold(class: &mut ClassUnicode) {
    // Fails only without the tables, which are compiled in.
    let folded = class.try_case_fold_simple();
    debug_assert!(folded.is_ok(), "the case tables are compiled in");
}
