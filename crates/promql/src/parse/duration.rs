//! Durations in brackets and after `offset`, with their arithmetic.

use super::{NESTING_MAX, Parsed, Parser, binding_power, failure};
use crate::ast::{BinaryOp, Span};
use crate::duration::{DurationExpr, SECS_MAX};
use crate::features::require;
use crate::lex::{Keyword, Token};

impl Parser<'_> {
    /// A duration without operators: `offset 5m - 1` subtracts from the selector. As upstream, what
    /// begins with a parenthesis or two signs has operators all the same.
    pub(super) fn offset_duration(&mut self) -> Parsed<DurationExpr> {
        let is_sign = |token| matches!(token, Token::Op(BinaryOp::Add | BinaryOp::Sub));
        let has_signs = is_sign(self.peek()) && is_sign(self.peek_second());
        if has_signs || self.peek() == Token::LeftParen {
            return self.duration(0, "offset", DURATION);
        }
        let sign = match self.peek() {
            Token::Op(op @ (BinaryOp::Add | BinaryOp::Sub)) => {
                self.advance();
                Some(op)
            }
            _ => None,
        };
        let inner = self.duration_primary("offset", DURATION)?;
        Ok(signed(sign, inner))
    }

    /// A duration within brackets, with operators that bind at least as tightly as `min_power`.
    pub(super) fn duration(
        &mut self,
        min_power: u8,
        context: &str,
        expected: &str,
    ) -> Parsed<DurationExpr> {
        self.nested(|parser| {
            let start = parser.span();
            let mut left = match parser.peek() {
                Token::Op(op @ (BinaryOp::Add | BinaryOp::Sub)) => {
                    parser.advance();
                    let power = binding_power(BinaryOp::Mul) + 1;
                    let inner = parser.duration(power, context, expected)?;
                    signed(Some(op), inner)
                }
                _ => parser.duration_primary(context, expected)?,
            };
            let mut n_terms = 0;
            while let Token::Op(op) = parser.peek() {
                let power = binding_power(op);
                if power < min_power || !is_arithmetic(op) {
                    break;
                }
                // The tree of a duration is dropped and printed by recursion.
                n_terms += 1;
                if n_terms > NESTING_MAX {
                    return failure(start, "duration expression is too long");
                }
                let at_op = parser.advance();
                let right_power = if op == BinaryOp::Pow {
                    power
                } else {
                    power + 1
                };
                let right = parser.duration(right_power, context, expected)?;
                parser.require_durations(start)?;
                parser.require_divisor(op, &right, at_op)?;
                left = DurationExpr::Binary(op, Box::new((left, right)));
            }
            Ok(left)
        })
    }

    /// Refuses what is computed, when that is not turned on.
    fn require_durations(&self, start: Span) -> Parsed<()> {
        require(self.features.durations, start, || {
            "experimental duration expression is not enabled".to_owned()
        })
    }

    /// Refuses a division by a zero that is written there.
    fn require_divisor(&self, op: BinaryOp, right: &DurationExpr, at: Span) -> Parsed<()> {
        let message = match op {
            BinaryOp::Div => "division by zero",
            BinaryOp::Mod => "modulo by zero",
            _ => return Ok(()),
        };
        match right {
            DurationExpr::Literal(number) if number.value == 0.0 => self.wrong(at, message),
            _ => Ok(()),
        }
    }

    pub(super) fn require_positive(&self, duration: &DurationExpr, span: Span) -> Parsed<()> {
        match duration {
            DurationExpr::Literal(number) if number.value <= 0.0 => {
                self.wrong(span, "duration must be greater than 0")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn duration_primary(
        &mut self,
        context: &str,
        expected: &str,
    ) -> Parsed<DurationExpr> {
        let span = self.span();
        let keyword = match self.peek() {
            Token::Number | Token::Duration => {
                let number = self.number_literal()?;
                require_in_range(number.value, span)?;
                return Ok(DurationExpr::Literal(number));
            }
            Token::LeftParen => {
                self.advance();
                let start = self.span();
                let inner = self.duration(0, context, expected)?;
                self.expect(Token::RightParen, context, expected)?;
                self.require_durations(start)?;
                return Ok(DurationExpr::Paren(Box::new(inner)));
            }
            Token::Keyword(keyword) => keyword,
            _ => return self.unexpected(context, expected),
        };
        if !matches!(
            keyword,
            Keyword::Step | Keyword::Range | Keyword::MinOf | Keyword::MaxOf
        ) {
            return self.unexpected(context, expected);
        }
        self.require_durations(span)?;
        self.advance();
        self.expect(Token::LeftParen, context, expected)?;
        if matches!(keyword, Keyword::Step | Keyword::Range) {
            self.expect(Token::RightParen, context, expected)?;
            return Ok(match keyword {
                Keyword::Step => DurationExpr::Step,
                _ => DurationExpr::Range,
            });
        }
        let left = self.duration(0, context, expected)?;
        self.expect(Token::Comma, context, expected)?;
        let right = self.duration(0, context, expected)?;
        self.expect(Token::RightParen, context, expected)?;
        let sides = Box::new((left, right));
        Ok(match keyword {
            Keyword::MinOf => DurationExpr::MinOf(sides),
            _ => DurationExpr::MaxOf(sides),
        })
    }
}

pub(super) fn signed(sign: Option<BinaryOp>, inner: DurationExpr) -> DurationExpr {
    match (sign, inner) {
        (Some(BinaryOp::Sub), DurationExpr::Literal(mut number)) => {
            number.value = -number.value;
            DurationExpr::Literal(number)
        }
        (Some(BinaryOp::Sub), inner) => DurationExpr::Minus(Box::new(inner)),
        (_, inner) => inner,
    }
}

pub(super) fn require_in_range(secs: f64, span: Span) -> Parsed<()> {
    if secs.abs() <= SECS_MAX {
        return Ok(());
    }
    failure(span, "duration out of range")
}

/// Whether an operator may stand in a duration.
pub(crate) fn is_arithmetic(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Mod
            | BinaryOp::Pow
    )
}

/// What error messages say a duration is.
pub(super) const DURATION: &str = "number, duration, step(), or range()";
