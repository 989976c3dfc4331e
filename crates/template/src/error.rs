//! What is wrong with a template, and where.

use crate::ast::Span;

/// A template that does not compile, or failed while it ran.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct TemplateError {
    /// What is wrong, in one line.
    pub message: String,
    /// Line inside the text, from 1.
    pub line: usize,
    /// Column inside the line, in characters, from 1.
    pub column: usize,
}

impl TemplateError {
    /// An error at a byte offset of `text`.
    pub(crate) fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |idx| idx + 1);
        Self {
            message: message.into(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// An error of a run: says which piece of the text failed, as Go does.
    pub(crate) fn in_run(text: &str, span: Span, message: &str) -> Self {
        let piece: String = span.of(text).chars().take(PIECE_CHARS_MAX).collect();
        if piece.is_empty() {
            return Self::at(text, span.start, message);
        }
        Self::at(text, span.start, format!("at <{piece}>: {message}"))
    }
}

/// How much of the failing piece is shown.
const PIECE_CHARS_MAX: usize = 60;
