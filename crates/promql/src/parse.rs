//! Tokens to the tree: a Pratt parser.
//!
//! *Invariants*: time is linear in the text. Nesting is limited to [`NESTING_MAX`], so that no input
//! exhausts the stack here or later; chains to the left (`a + b + …`) do not count as nesting.
//!
//! *Sources*: Prometheus, `promql/parser/generated_parser.y` and `parse.go`, for the language and
//! the wording of errors.

mod cursor;
mod duration;
mod groups;
mod suffix;

use firebell_model::{Duration, Quoted};

use crate::ast::{
    Binary, BinaryOp, Call, Expr, Node, NumberLiteral, Selector, Span, StringLiteral, Unary,
};
use crate::features::{Features, require};
use crate::lex::{Keyword, Token};
use crate::literal;
use cursor::Parser;
pub(crate) use duration::is_arithmetic;
pub(crate) use groups::can_stand_bare;

/// Deepest nesting of parentheses, calls, signs and right operands.
pub const NESTING_MAX: usize = 200;
/// Longest text of an expression, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// Why a text is no expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// What is wrong, in upstream's words.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Line and column of the start of `span`, both from 1, the column in bytes; zeros in an empty
    /// text.
    pub position: (usize, usize),
}

impl ParseError {
    /// An error at a place of a text.
    #[must_use]
    pub fn new(text: &str, span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span,
            position: match text {
                "" => (0, 0),
                _ => line_and_column(text, span.start),
            },
        }
    }
}

/// `1:5: parse error: unexpected end of input`: Prometheus's form.
impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.position {
            (0, _) => f.write_str("unknown position")?,
            (line, column) => write!(f, "{line}:{column}")?,
        }
        write!(f, ": parse error: {}", self.message)
    }
}

impl std::error::Error for ParseError {}

/// Line and column of a byte of a text, both from 1; columns count bytes, as upstream's do.
#[must_use]
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line_start = before
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |idx| idx + 1);
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    (line, before.len() - line_start + 1)
}

/// Reads and type-checks an expression, all experimental parts of the language included.
///
/// # Errors
/// The first thing that is wrong with the text.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    parse_with(text, Features::ALL)
}

/// Reads and type-checks an expression that may use the experimental parts given.
///
/// # Errors
/// The first thing that is wrong with the text.
pub fn parse_with(text: &str, features: Features) -> Result<Expr, ParseError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("expression is longer than {TEXT_BYTES_MAX} bytes");
        return Err(ParseError::new(text, Span::default(), message));
    }
    let parsed = Parser::new(text, features).whole().and_then(|mut expr| {
        crate::check::check(&mut expr)?;
        Ok(expr)
    });
    parsed.map_err(|Failure { span, message }| ParseError::new(text, span, message))
}

/// Reads a selector that stands alone, such as `up{job="api"}`: without offset and the like. It may
/// select everything.
///
/// # Errors
/// The first thing that is wrong with the text.
pub fn parse_selector(text: &str) -> Result<Selector, ParseError> {
    let fail = |span, message| Err(ParseError::new(text, span, message));
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("selector is longer than {TEXT_BYTES_MAX} bytes");
        return fail(Span::default(), message);
    }
    match Parser::new(text, Features::default()).lone_selector() {
        Ok(selector) => Ok(selector),
        Err(Failure { span, message }) => fail(span, message),
    }
}

/// An error before its line is known.
pub(crate) struct Failure {
    pub(crate) span: Span,
    pub(crate) message: String,
}

type Parsed<T> = Result<T, Failure>;

pub(crate) fn failure<T>(span: Span, message: impl Into<String>) -> Parsed<T> {
    Err(Failure {
        span,
        message: message.into(),
    })
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Parsed<Expr> {
        if self.peek() == Token::End {
            return failure(Span::default(), "no expression found in input");
        }
        let expr = self.expr(0)?;
        if self.peek() != Token::End {
            return self.unexpected("", "");
        }
        Ok(expr)
    }

    fn lone_selector(&mut self) -> Parsed<Selector> {
        let start = self.span();
        let expr = match self.peek() {
            Token::LeftBrace => self.selector(String::new(), start)?,
            token if can_name_metric(token) => {
                let name = self.word().to_owned();
                self.advance();
                self.selector(name, start)?
            }
            _ => return self.unexpected("", ""),
        };
        match (expr.node, self.peek()) {
            (Node::Selector(selector), Token::End) => Ok(selector),
            _ => self.unexpected("", ""),
        }
    }

    /// Counts one level of nesting around `parse`.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == NESTING_MAX {
            let message = format!("expression is nested more than {NESTING_MAX} levels deep");
            return failure(self.span(), message);
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// An expression whose operators all bind at least as tightly as `min_power`.
    fn expr(&mut self, min_power: u8) -> Parsed<Expr> {
        self.nested(|parser| {
            let mut left = parser.operand()?;
            while let Token::Op(op) = parser.peek() {
                let power = binding_power(op);
                if power < min_power {
                    break;
                }
                let op_span = parser.advance();
                let (returns_bool, matching) = parser.binary_modifiers()?;
                let right_power = if op == BinaryOp::Pow {
                    power
                } else {
                    power + 1
                };
                let right = parser.expr(right_power)?;
                let span = left.span.to(right.span);
                let has_fill = matching.fill_left.is_some() || matching.fill_right.is_some();
                require(parser.features.fill || !has_fill, span, || {
                    "binop fill modifiers are experimental and not enabled".to_owned()
                })?;
                let node = Node::Binary(Box::new(Binary {
                    op,
                    op_span,
                    left,
                    right,
                    returns_bool,
                    matching,
                }));
                left = Expr { node, span };
            }
            Ok(left)
        })
    }

    /// A primary with what may stand before and behind it.
    fn operand(&mut self) -> Parsed<Expr> {
        if let Token::Op(op @ (BinaryOp::Add | BinaryOp::Sub)) = self.peek() {
            let sign_span = self.advance();
            let operand = self.expr(binding_power(BinaryOp::Mul) + 1)?;
            let span = sign_span.to(operand.span);
            let is_minus = op == BinaryOp::Sub;
            let node = match operand.node {
                Node::Number(mut number) => {
                    if is_minus {
                        number.value = -number.value;
                    }
                    Node::Number(number)
                }
                _ => Node::Unary(Unary {
                    is_minus,
                    operand: Box::new(operand),
                }),
            };
            return Ok(Expr { node, span });
        }
        let mut expr = self.primary()?;
        // Suffixes nest as deep as they are many: `x[1h:][1h:]…`.
        let depth = self.depth;
        loop {
            let has_suffix = match self.peek() {
                Token::LeftBracket => {
                    self.depth += 1;
                    expr = self.nested(|parser| parser.brackets(expr))?;
                    true
                }
                Token::Keyword(Keyword::Offset) => {
                    self.offset(&mut expr)?;
                    true
                }
                Token::At => {
                    self.at_modifier(&mut expr)?;
                    true
                }
                Token::Keyword(Keyword::Anchored | Keyword::Smoothed) => {
                    self.borders(&mut expr)?;
                    true
                }
                _ => false,
            };
            if !has_suffix {
                self.depth = depth;
                return Ok(expr);
            }
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let start = self.span();
        match (self.peek(), self.peek_second()) {
            (Token::LeftParen, _) => {
                self.advance();
                let inner = self.expr(0)?;
                let end = self.expect(Token::RightParen, "", "")?;
                Ok(Expr {
                    node: Node::Paren(Box::new(inner)),
                    span: start.to(end),
                })
            }
            (Token::Number | Token::Duration, _) => {
                let node = Node::Number(self.number_literal()?);
                Ok(Expr { node, span: start })
            }
            (Token::String, _) => {
                let literal = self.string()?;
                let node = Node::String(literal);
                Ok(Expr { node, span: start })
            }
            (Token::Aggregate(op), Token::LeftParen)
            | (Token::Aggregate(op), Token::Keyword(Keyword::By | Keyword::Without)) => {
                self.aggregate(op)
            }
            (
                Token::Identifier
                | Token::Keyword(
                    Keyword::Start
                    | Keyword::End
                    | Keyword::Step
                    | Keyword::Range
                    | Keyword::MinOf
                    | Keyword::MaxOf,
                ),
                Token::LeftParen,
            ) => self.call(),
            (Token::LeftBrace, _) => self.selector(String::new(), start),
            (token, _) if can_name_metric(token) => {
                let name = self.word().to_owned();
                self.advance();
                self.selector(name, start)
            }
            _ => self.unexpected("", ""),
        }
    }

    fn number_literal(&mut self) -> Parsed<NumberLiteral> {
        let is_duration = self.peek() == Token::Duration;
        let read = if is_duration {
            literal::duration(self.word()).map(Duration::as_secs_f64)
        } else {
            literal::number(self.word())
        };
        match read {
            Ok(value) => {
                self.advance();
                Ok(NumberLiteral { value, is_duration })
            }
            Err(message) => failure(self.span(), message),
        }
    }

    fn signed_number(&mut self, context: &str, expected: &str) -> Parsed<f64> {
        let is_minus = self.peek() == Token::Op(BinaryOp::Sub);
        if is_minus || self.peek() == Token::Op(BinaryOp::Add) {
            self.advance();
        }
        if !matches!(self.peek(), Token::Number | Token::Duration) {
            return self.unexpected(context, expected);
        }
        let value = self.number_literal()?.value;
        Ok(if is_minus { -value } else { value })
    }

    fn string(&mut self) -> Parsed<StringLiteral> {
        match literal::unquote(self.word()) {
            Some(literal) => {
                self.advance();
                Ok(literal)
            }
            None => failure(self.span(), "error unquoting string"),
        }
    }

    fn call(&mut self) -> Parsed<Expr> {
        let (name, start) = (self.word(), self.advance());
        let args = self.args()?;
        let Some(function) = crate::functions::function(name) else {
            let message = format!("unknown function with name {}", Quoted(name));
            return failure(start, message);
        };
        let is_on = self.features.functions || !function.is_experimental;
        require(is_on, start, || {
            format!("function {} is not enabled", Quoted(name))
        })?;
        let span = Span {
            start: start.start,
            end: self.end(),
        };
        let node = Node::Call(Call { function, args });
        Ok(Expr { node, span })
    }

    fn args(&mut self) -> Parsed<Vec<Expr>> {
        self.expect(Token::LeftParen, "", "")?;
        let mut args = Vec::new();
        if self.accept(Token::RightParen) {
            return Ok(args);
        }
        loop {
            args.push(self.expr(0)?);
            if self.accept(Token::RightParen) {
                return Ok(args);
            }
            let comma = self.expect(Token::Comma, "", "")?;
            if !matches!(self.peek(), Token::Error) && !can_begin(self.peek()) {
                return failure(comma, "trailing commas not allowed in function call args");
            }
        }
    }
}

/// How tightly an operator binds; `^` alone binds to the right.
fn binding_power(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        op if op.is_comparison() => 3,
        BinaryOp::TrimUpper | BinaryOp::TrimLower => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Pow => 6,
        _ => 5,
    }
}

/// Keywords that may also be the name of a metric.
fn can_name_metric(token: Token) -> bool {
    match token {
        Token::Identifier | Token::MetricIdentifier | Token::Aggregate(_) => true,
        Token::Op(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless) => true,
        Token::Keyword(keyword) => matches!(
            keyword,
            Keyword::Offset
                | Keyword::By
                | Keyword::Without
                | Keyword::Start
                | Keyword::End
                | Keyword::Step
                | Keyword::Range
                | Keyword::Anchored
                | Keyword::Smoothed
                | Keyword::Fill
                | Keyword::FillLeft
                | Keyword::FillRight
                | Keyword::MinOf
                | Keyword::MaxOf
        ),
        _ => false,
    }
}

/// Whether an expression may begin with a token.
fn can_begin(token: Token) -> bool {
    match token {
        Token::LeftParen | Token::LeftBrace | Token::String => true,
        Token::Number | Token::Duration => true,
        Token::Op(BinaryOp::Add | BinaryOp::Sub) => true,
        token => can_name_metric(token),
    }
}
