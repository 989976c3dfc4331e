//! What can be wrong with a regular expression, in Go's words.

/// A regular expression that Go refuses, or that takes too much room.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("error parsing regexp: {problem}: `{part}`")]
pub struct RegexError {
    problem: Problem,
    part: String,
}

pub(super) type Failure = RegexError;

impl RegexError {
    /// Fails with a problem, and with the part of the expression that has it.
    pub(super) fn at<T>(problem: Problem, part: &str) -> Result<T, Self> {
        let part = part.to_owned();
        Err(Self { problem, part })
    }
}

/// Source: Go, `regexp/syntax/parse.go`, `ErrorCode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("invalid character class range")]
    CharRange,
    #[error("invalid escape sequence")]
    Escape,
    #[error("invalid named capture")]
    NamedCapture,
    #[error("invalid or unsupported Perl syntax")]
    PerlSyntax,
    #[error("invalid nested repetition operator")]
    RepeatOp,
    #[error("invalid repeat count")]
    RepeatSize,
    #[error("missing argument to repetition operator")]
    RepeatArgument,
    #[error("missing closing ]")]
    MissingBracket,
    #[error("missing closing )")]
    MissingParen,
    #[error("unexpected )")]
    UnexpectedParen,
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    #[error("expression nests too deeply")]
    NestingDepth,
    #[error("expression too large")]
    TooLarge,
}
