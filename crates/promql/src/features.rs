//! The parts of the language that upstream keeps behind feature flags.
//!
//! *Sources*: Prometheus, `promql/parser`, its `Enable…` options; `cmd/prometheus/main.go` for the
//! names of the flags.

use crate::ast::Span;
use crate::parse::{Failure, failure};

/// Which experimental parts of the language are understood; by default none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Features {
    /// `limitk`, `info`, `sort_by_label` and the like.
    pub functions: bool,
    /// Computed durations, such as `[5m + step()]`.
    pub durations: bool,
    /// `anchored` and `smoothed`.
    pub borders: bool,
    /// `fill`, `fill_left` and `fill_right`.
    pub fill: bool,
}

impl Features {
    /// All of them.
    pub const ALL: Self = Self {
        functions: true,
        durations: true,
        borders: true,
        fill: true,
    };

    /// What this or another turns on.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            functions: self.functions | other.functions,
            durations: self.durations | other.durations,
            borders: self.borders | other.borders,
            fill: self.fill | other.fill,
        }
    }

    /// Those that `--enable-feature=` turns on by these names; others are passed over.
    #[must_use]
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut features = Self::default();
        for name in names {
            match name {
                "promql-experimental-functions" => features.functions = true,
                "promql-duration-expr" => features.durations = true,
                "promql-extended-range-selectors" => features.borders = true,
                "promql-binop-fill-modifiers" => features.fill = true,
                _ => {}
            }
        }
        features
    }
}

/// Refuses what is not turned on.
pub(crate) fn require(
    is_on: bool,
    span: Span,
    message: impl FnOnce() -> String,
) -> Result<(), Failure> {
    if is_on {
        return Ok(());
    }
    failure(span, message())
}
