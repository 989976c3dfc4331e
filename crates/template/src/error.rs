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
    /// Bytes before it in its line.
    n_bytes_before: usize,
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
            n_bytes_before: offset - line_start,
        }
    }

    /// What Prometheus writes of a template of an alerting rule that failed while it ran.
    #[must_use]
    pub fn of_rule(&self, rule: &str) -> String {
        let before = if self.line == 1 {
            DECLARATIONS_BYTES
        } else {
            0
        };
        let (name, message) = (format!("__alert_{rule}"), &self.message);
        let (line, column) = (self.line, before + self.n_bytes_before);
        format!(
            "error executing template {name}: template: {name}:{line}:{column}: \
             executing {name:?} {message}"
        )
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

/// Prometheus puts the declarations of `$labels` and the like before a text, and counts them.
const DECLARATIONS_BYTES: usize = 112;

/// How much of the failing piece is shown.
const PIECE_CHARS_MAX: usize = 1000;
