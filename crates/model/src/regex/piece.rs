//! Parts of an expression while it is read, with what Go counts of them.

use regex_syntax::hir::{self, Dot, Hir, Look, Repetition};

use super::class::{Class, fold_char};
use super::error::Problem;

/// Instructions of a program that Go would make, at most.
const SIZE_MAX: u64 = (128 << 20) / 40;
/// Operators within operators, at most.
const HEIGHT_MAX: u32 = 1_000;

/// A part of an expression.
pub(super) struct Piece {
    kind: Kind,
    /// Instructions in Go, repetitions written out.
    size: u64,
    /// Operators within operators, this one included.
    height: u32,
    /// Copies of the innermost piece that the repetitions within make.
    n_copies: u64,
    /// What joining it with others costs here.
    n_parts: u64,
}

enum Kind {
    Literal {
        text: String,
        folds_case: bool,
    },
    /// One character of some.
    Class(hir::ClassUnicode),
    Concat(Hir),
    Alternation(Hir),
    Other(Hir),
}

impl Piece {
    fn leaf(kind: Kind) -> Self {
        Self {
            kind,
            size: 1,
            height: 1,
            n_copies: 1,
            n_parts: 1,
        }
    }

    pub(super) fn char(c: char, folds_case: bool) -> Self {
        let text = c.to_string();
        Self::leaf(Kind::Literal { text, folds_case })
    }

    pub(super) fn class(class: Class) -> Self {
        let class = class.finish(false);
        match class.ranges() {
            [only] if only.start() == only.end() => Self::char(only.start(), false),
            _ => Self::leaf(Kind::Class(class)),
        }
    }

    pub(super) fn dot(takes_line_feed: bool) -> Self {
        let dot = if takes_line_feed {
            Dot::AnyChar
        } else {
            Dot::AnyCharExceptLF
        };
        match Hir::dot(dot).into_kind() {
            hir::HirKind::Class(hir::Class::Unicode(class)) => Self::leaf(Kind::Class(class)),
            _ => Self::leaf(Kind::Other(Hir::dot(dot))),
        }
    }

    pub(super) fn look(look: Look) -> Self {
        Self::leaf(Kind::Other(Hir::look(look)))
    }

    /// An operator around a piece that stands for two instructions, such as a group.
    pub(super) fn wrap(self, make: impl FnOnce(Hir) -> Hir) -> Self {
        Self {
            size: self.size + 2,
            height: self.height + 1,
            n_copies: self.n_copies,
            n_parts: 1,
            kind: Kind::Other(make(self.into_hir())),
        }
    }

    /// `is_counted` tells `x{0,}` from `x*`, which differ in what Go counts only.
    pub(super) fn repeat(
        self,
        min: u32,
        max: Option<u32>,
        is_greedy: bool,
        is_counted: bool,
    ) -> Self {
        let size = match (min, max) {
            (0, None) => self.size + 2,
            (_, None) => u64::from(min).saturating_mul(self.size) + 1,
            (_, Some(max)) => {
                u64::from(max).saturating_mul(self.size) + u64::from(max.saturating_sub(min))
            }
        };
        let n_copies = match (is_counted, max.unwrap_or(min)) {
            (false, _) => self.n_copies,
            // Nothing is repeated, however often it says so.
            (true, _) if max == Some(0) => 0,
            (true, count) => u64::from(count.max(1)).saturating_mul(self.n_copies.max(1)),
        };
        Self {
            size: size.max(1),
            height: self.height + 1,
            n_copies,
            n_parts: 1,
            kind: Kind::Other(Hir::repetition(Repetition {
                min,
                max,
                greedy: is_greedy,
                sub: Box::new(self.into_hir()),
            })),
        }
    }

    /// One after the other.
    pub(super) fn concat(pieces: Vec<Self>) -> Self {
        let mut runs: Vec<Self> = Vec::new();
        for piece in pieces {
            let unmerged = match runs.last_mut() {
                Some(last) => last.append(piece),
                None => Some(piece),
            };
            runs.extend(unmerged);
        }
        if runs.len() <= 1 {
            let empty = || Self::leaf(Kind::Other(Hir::empty()));
            return runs.pop().unwrap_or_else(empty);
        }
        let is_same = |piece: &Self| matches!(piece.kind, Kind::Concat(_));
        let counts = Self::leaf(Kind::Other(Hir::empty())).over(&runs, is_same);
        let hirs = runs.into_iter().map(Self::into_hir).collect();
        Self {
            kind: Kind::Concat(Hir::concat(hirs)),
            ..counts
        }
    }

    /// One of them, the first that matches.
    pub(super) fn alternate(pieces: Vec<Self>) -> Self {
        let is_same = |piece: &Self| matches!(piece.kind, Kind::Alternation(_));
        let mut counts = Self::leaf(Kind::Other(Hir::empty())).over(&pieces, is_same);
        counts.size += pieces.len() as u64 - 1;
        let classes = pieces
            .iter()
            .map(Self::as_class)
            .collect::<Option<Vec<_>>>();
        if let Some(classes) = classes {
            let ranges = classes.iter().flat_map(|class| class.ranges());
            let class = hir::ClassUnicode::new(ranges.copied());
            return Self::leaf(Kind::Class(class));
        }
        let hirs = pieces.into_iter().map(Self::into_hir).collect();
        Self {
            kind: Kind::Alternation(Hir::alternation(hirs)),
            ..counts
        }
    }

    /// The counts of an operator over pieces; one of its own kind melts into it.
    fn over(self, pieces: &[Self], is_same: impl Fn(&Self) -> bool) -> Self {
        let height = |piece: &Self| piece.height + u32::from(!is_same(piece));
        Self {
            size: pieces
                .iter()
                .fold(0, |sum: u64, it| sum.saturating_add(it.size)),
            height: pieces.iter().map(height).max().unwrap_or(1),
            n_copies: pieces.iter().map(|it| it.n_copies).max().unwrap_or(1),
            n_parts: pieces.iter().map(|it| it.n_parts).sum(),
            ..self
        }
    }

    /// Melts a literal into the literal before it; gives back what does not melt.
    fn append(&mut self, next: Self) -> Option<Self> {
        match (&mut self.kind, next.kind) {
            (
                Kind::Literal { text, folds_case },
                Kind::Literal {
                    text: more,
                    folds_case: same,
                },
            ) if *folds_case == same => {
                text.push_str(&more);
                self.size += next.size;
                self.n_parts += next.n_parts;
                None
            }
            (_, kind) => Some(Self { kind, ..next }),
        }
    }

    fn as_class(&self) -> Option<hir::ClassUnicode> {
        match &self.kind {
            Kind::Class(class) => Some(class.clone()),
            Kind::Literal { text, folds_case } => {
                let mut chars = text.chars();
                let (only, None) = (chars.next()?, chars.next()) else {
                    return None;
                };
                Some(fold_char(only, *folds_case))
            }
            _ => None,
        }
    }

    pub(super) fn into_hir(self) -> Hir {
        match self.kind {
            Kind::Literal {
                text,
                folds_case: false,
            } => Hir::literal(text.into_bytes()),
            Kind::Literal { text, .. } => {
                let class = |c| Hir::class(hir::Class::Unicode(fold_char(c, true)));
                Hir::concat(text.chars().map(class).collect())
            }
            Kind::Class(class) => Hir::class(hir::Class::Unicode(class)),
            Kind::Concat(hir) | Kind::Alternation(hir) | Kind::Other(hir) => hir,
        }
    }

    /// Which of Go's limits it breaks.
    pub(super) fn excess(&self) -> Option<Problem> {
        if self.size > SIZE_MAX {
            Some(Problem::TooLarge)
        } else if self.height > HEIGHT_MAX {
            Some(Problem::NestingDepth)
        } else {
            None
        }
    }

    pub(super) fn n_copies(&self) -> u64 {
        self.n_copies
    }

    pub(super) fn n_parts(&self) -> u64 {
        self.n_parts
    }
}
