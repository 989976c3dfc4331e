//! The parser's place among the tokens, and how it says what it did not expect.

use firebell_model::Quoted;

use super::{Parsed, failure};
use crate::ast::Span;
use crate::features::Features;
use crate::lex::{Keyword, Lexed, Token, lex};

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    lexed: Lexed,
    next: usize,
    pub(super) depth: usize,
    /// How many aggregations are open: what is unexpected there is said to be so in one.
    pub(super) n_aggregations: usize,
    pub(super) features: Features,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, features: Features) -> Self {
        Self {
            text,
            lexed: lex(text),
            next: 0,
            depth: 0,
            n_aggregations: 0,
            features,
        }
    }

    pub(super) fn peek(&self) -> Token {
        self.lexed.tokens[self.next].0
    }

    pub(super) fn peek_second(&self) -> Token {
        let last = self.lexed.tokens.len() - 1;
        self.lexed.tokens[(self.next + 1).min(last)].0
    }

    pub(super) fn span(&self) -> Span {
        self.lexed.tokens[self.next].1
    }

    /// The text of the next token.
    pub(super) fn word(&self) -> &'a str {
        let span = self.span();
        &self.text[span.start..span.end]
    }

    /// Where the last taken token ended.
    pub(super) fn end(&self) -> usize {
        self.next
            .checked_sub(1)
            .map_or(0, |idx| self.lexed.tokens[idx].1.end)
    }

    pub(super) fn advance(&mut self) -> Span {
        let span = self.span();
        // The last token stays: it is the end or the error.
        if self.next + 1 < self.lexed.tokens.len() {
            self.next += 1;
        }
        span
    }

    pub(super) fn accept(&mut self, token: Token) -> bool {
        let is_hit = self.peek() == token;
        if is_hit {
            self.advance();
        }
        is_hit
    }

    pub(super) fn expect(&mut self, token: Token, context: &str, expected: &str) -> Parsed<Span> {
        if self.peek() == token {
            return Ok(self.advance());
        }
        self.unexpected(context, expected)
    }

    /// Fails at a place before the next token; an error of the lexer there goes first.
    pub(super) fn wrong<T>(&self, span: Span, message: impl Into<String>) -> Parsed<T> {
        match self.peek() {
            Token::Error => self.unexpected("", ""),
            _ => failure(span, message),
        }
    }

    /// Fails at the next token; an error of the lexer goes first.
    pub(super) fn unexpected<T>(&self, context: &str, expected: &str) -> Parsed<T> {
        if self.peek() == Token::Error {
            let end = self.text.len();
            let start = self.span().start;
            return failure(Span { start, end }, self.lexed.error.clone());
        }
        let context = match context {
            "" if self.n_aggregations > 0 => "aggregation",
            context => context,
        };
        let mut message = format!("unexpected {}", self.describe());
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        failure(self.span(), message)
    }

    pub(super) fn describe(&self) -> String {
        let word = self.word();
        // Upstream shortens long tokens, but only those.
        let short = |word: &str| {
            if word.len() > 10 {
                let cut: String = word.chars().take(10).collect();
                format!("{}...", Quoted(&cut))
            } else {
                Quoted(word).to_string()
            }
        };
        match self.peek() {
            Token::End => "end of input".to_owned(),
            Token::Op(_) | Token::RegexMatch | Token::RegexMismatch | Token::At => {
                format!("<op:{word}>")
            }
            Token::Aggregate(_) => format!("<aggr:{word}>"),
            Token::Keyword(
                Keyword::Start
                | Keyword::End
                | Keyword::Step
                | Keyword::Range
                | Keyword::MinOf
                | Keyword::MaxOf,
            ) => short(word),
            Token::Keyword(_) => format!("<{word}>"),
            Token::Identifier => format!("identifier {}", Quoted(word)),
            Token::MetricIdentifier => format!("metric identifier {}", Quoted(word)),
            Token::Number => format!("number {}", short(word)),
            Token::Duration => format!("duration {}", short(word)),
            Token::String => format!("string {}", short(word)),
            _ => short(word),
        }
    }
}
