//! Expressions that need no engine: sets of texts, and texts with gaps between them.
//!
//! Most matchers that people write are `a|b|c`, `prefix.*`, `.*part.*` or `.+`. They are answered
//! here by comparing, many times faster than by an automaton, and need no automaton to be built.
//!
//! *Sources*: Prometheus does the like in `model/labels/regexp.go`.

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Look};

/// Texts that alternatives in a row may multiply to, as `(a|b)(c|d)` does to four.
const PRODUCT_MAX: usize = 256;
/// Bytes that may be copied to find the set.
const COPIED_BYTES_MAX: usize = 1 << 22;

/// What the whole of a text has to be.
#[derive(Debug)]
pub(super) enum Shape {
    /// One of these; sorted, without repetition.
    Set(Box<[Box<str>]>),
    /// A beginning, and then gaps, each with what comes after it; the last one ends the text.
    Gaps { prefix: Box<str>, gaps: Box<[Gap]> },
}

/// Any characters, and then a text.
#[derive(Debug, Default)]
pub(super) struct Gap {
    /// The gap is not empty: `.+`.
    is_wide: bool,
    then: String,
}

impl Shape {
    /// The shape of an expression that is anchored at both ends, if it has one.
    pub(super) fn of(hir: &Hir) -> Option<Self> {
        let HirKind::Concat(parts) = hir.kind() else {
            return None;
        };
        let is = |look: Look| move |part: &&Hir| *part.kind() == HirKind::Look(look);
        let n_starts = parts.iter().take_while(is(Look::Start)).count();
        let n_ends = parts.iter().rev().take_while(is(Look::End)).count();
        if n_starts == 0 || n_ends == 0 {
            return None;
        }
        let parts = &parts[n_starts..parts.len() - n_ends];
        set_of(parts).or_else(|| gaps_of(parts))
    }

    pub(super) fn is_match(&self, value: &str) -> bool {
        match self {
            Self::Set(texts) => texts.binary_search_by(|text| (**text).cmp(value)).is_ok(),
            Self::Gaps { prefix, gaps } => value
                .strip_prefix(&**prefix)
                .is_some_and(|rest| fits(rest, gaps)),
        }
    }

    /// What every match begins with.
    pub(super) fn prefix(&self) -> &str {
        match self {
            Self::Set(_) => "",
            Self::Gaps { prefix, .. } => prefix,
        }
    }
}

/// Whether the gaps fill all of a text. The leftmost place is good for every text but the last.
fn fits(mut rest: &str, gaps: &[Gap]) -> bool {
    let Some((last, others)) = gaps.split_last() else {
        return rest.is_empty();
    };
    for gap in others {
        let Some(found) = gap
            .skip(rest)
            .and_then(|from| Some((from, from.find(&*gap.then)?)))
        else {
            return false;
        };
        let (from, at) = found;
        rest = &from[at + gap.then.len()..];
    }
    last.skip(rest)
        .is_some_and(|rest| rest.ends_with(&*last.then))
}

impl Gap {
    /// Where the text after the gap may begin at the earliest.
    fn skip<'a>(&self, rest: &'a str) -> Option<&'a str> {
        if !self.is_wide {
            return Some(rest);
        }
        let first = rest.chars().next()?;
        Some(&rest[first.len_utf8()..])
    }
}

fn gaps_of(parts: &[Hir]) -> Option<Shape> {
    let mut prefix = String::new();
    let mut gaps: Vec<Gap> = Vec::new();
    for part in parts {
        // Groups do not change what matches.
        let mut part = part;
        while let HirKind::Capture(group) = part.kind() {
            part = &group.sub;
        }
        match part.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) => {
                let into = gaps.last_mut().map_or(&mut prefix, |gap| &mut gap.then);
                into.push_str(std::str::from_utf8(&literal.0).ok()?);
            }
            HirKind::Repetition(gap)
                if gap.min <= 1 && gap.max.is_none() && is_any_char(&gap.sub) =>
            {
                gaps.push(Gap {
                    is_wide: gap.min == 1,
                    then: String::new(),
                });
            }
            _ => return None,
        }
    }
    Some(Shape::Gaps {
        prefix: prefix.into(),
        gaps: gaps.into(),
    })
}

fn is_any_char(hir: &Hir) -> bool {
    let HirKind::Class(Class::Unicode(class)) = hir.kind() else {
        return false;
    };
    matches!(class.ranges(), [all] if all.start() == '\0' && all.end() == char::MAX)
}

fn set_of(parts: &[Hir]) -> Option<Shape> {
    let mut texts = TextSets::default().product(parts)?;
    texts.sort_unstable();
    texts.dedup();
    Some(Shape::Set(texts.into_iter().map(Into::into).collect()))
}

/// Finds all texts that an expression matches.
#[derive(Default)]
struct TextSets {
    n_copied_bytes: usize,
}

impl TextSets {
    fn of(&mut self, hir: &Hir) -> Option<Vec<String>> {
        match hir.kind() {
            HirKind::Empty => Some(vec![String::new()]),
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0).ok()?;
                self.spend(text.len())?;
                Some(vec![text.to_owned()])
            }
            HirKind::Class(Class::Unicode(class)) => self.chars(class),
            HirKind::Capture(group) => self.of(&group.sub),
            HirKind::Repetition(optional) if (optional.min, optional.max) == (0, Some(1)) => {
                let mut texts = self.of(&optional.sub)?;
                texts.push(String::new());
                Some(texts)
            }
            HirKind::Concat(parts) => self.product(parts),
            HirKind::Alternation(parts) => {
                let mut texts = Vec::new();
                for part in parts {
                    texts.append(&mut self.of(part)?);
                }
                Some(texts)
            }
            _ => None,
        }
    }

    fn chars(&mut self, class: &ClassUnicode) -> Option<Vec<String>> {
        let n_chars: usize = class.ranges().iter().map(|range| range.len()).sum();
        if n_chars > PRODUCT_MAX {
            return None;
        }
        self.spend(n_chars)?;
        let ranges = class.ranges().iter();
        Some(
            ranges
                .flat_map(|range| range.start()..=range.end())
                .map(String::from)
                .collect(),
        )
    }

    fn product(&mut self, parts: &[Hir]) -> Option<Vec<String>> {
        let mut texts = vec![String::new()];
        for part in parts {
            let nexts = self.of(part)?;
            let n_texts = texts.len() * nexts.len();
            if n_texts > PRODUCT_MAX && texts.len() > 1 && nexts.len() > 1 {
                return None;
            }
            let len_max = |texts: &[String]| texts.iter().map(String::len).max().unwrap_or(0);
            self.spend(n_texts.saturating_mul(len_max(&texts) + len_max(&nexts)))?;
            let join = |text: &String| nexts.iter().map(|next| format!("{text}{next}")).collect();
            texts = texts
                .iter()
                .flat_map(|text| -> Vec<String> { join(text) })
                .collect();
        }
        Some(texts)
    }

    fn spend(&mut self, n_bytes: usize) -> Option<()> {
        self.n_copied_bytes = self.n_copied_bytes.checked_add(n_bytes)?;
        (self.n_copied_bytes <= COPIED_BYTES_MAX).then_some(())
    }
}
