//! What may stand behind an operand: ranges, `offset`, `@`, `anchored`, `smoothed`.

use firebell_model::Timestamp;

use super::duration::DURATION;
use super::{Parsed, Parser, failure};
use crate::ast::{At, Borders, Expr, Node, RangeSelector, Shift, Subquery};
use crate::features::require;
use crate::lex::{Keyword, Token};

impl Parser<'_> {
    pub(super) fn brackets(&mut self, expr: Expr) -> Parsed<Expr> {
        let bracket = self.advance();
        let range_span = self.span();
        let range = self.duration(0, "subquery or range selector", DURATION)?;
        self.require_positive(&range, range_span)?;
        if self.accept(Token::Colon) {
            let step = match self.peek() {
                Token::RightBracket => None,
                _ => {
                    let span = self.span();
                    let context = "subquery selector";
                    let expected = "number, duration, step(), range(), or \"]\"";
                    let step = self.duration(0, context, expected)?;
                    self.require_positive(&step, span)?;
                    Some(step)
                }
            };
            let end = self.expect(Token::RightBracket, "subquery selector", "\"]\"")?;
            let span = expr.span.to(end);
            let node = Node::Subquery(Box::new(Subquery {
                expr,
                range,
                step,
                shift: Shift::default(),
            }));
            return Ok(Expr { node, span });
        }
        let end = self.expect(Token::RightBracket, "subquery or range", "\":\" or \"]\"")?;
        let span = expr.span.to(end);
        let Node::Selector(selector) = expr.node else {
            return failure(bracket.to(end), "ranges only allowed for vector selectors");
        };
        if selector.shift.offset.is_some() {
            return failure(bracket.to(end), "no offset modifiers allowed before range");
        }
        if selector.shift.at.is_some() {
            return failure(bracket.to(end), "no @ modifiers allowed before range");
        }
        let node = Node::Range(RangeSelector { selector, range });
        Ok(Expr { node, span })
    }

    pub(super) fn offset(&mut self, expr: &mut Expr) -> Parsed<()> {
        self.advance();
        let offset = self.offset_duration()?;
        let (span, end) = (expr.span, self.end());
        let Some(shift) = shift_of(expr) else {
            let message = "offset modifier must be preceded by an instant vector selector or \
                           range vector selector or a subquery";
            return failure(span, message);
        };
        if shift.offset.is_some() {
            return failure(span, "offset may not be set multiple times");
        }
        shift.offset = Some(offset);
        expr.span.end = end;
        Ok(())
    }

    pub(super) fn at_modifier(&mut self, expr: &mut Expr) -> Parsed<()> {
        self.advance();
        let span = expr.span;
        let at = match self.peek() {
            Token::Keyword(keyword @ (Keyword::Start | Keyword::End)) => {
                self.advance();
                self.expect(Token::LeftParen, "@", "timestamp")?;
                self.expect(Token::RightParen, "@", "timestamp")?;
                if keyword == Keyword::Start {
                    At::Start
                } else {
                    At::End
                }
            }
            _ => {
                let secs = self.signed_number("@", "timestamp")?;
                // The bounds are those of 64-bit milliseconds in seconds, as upstream has them.
                if secs.is_nan() || secs.abs() >= 9_223_372_036_854_775_807.0 {
                    let text = match secs {
                        secs if secs.is_finite() => format!("{secs:.6}"),
                        secs => firebell_model::format_float(secs),
                    };
                    let message = format!("timestamp out of bounds for @ modifier: {text}");
                    return failure(span, message);
                }
                At::Time(Timestamp::from_secs_f64(secs))
            }
        };
        let end = self.end();
        let Some(shift) = shift_of(expr) else {
            let message = "@ modifier must be preceded by an instant vector selector or range \
                           vector selector or a subquery";
            return failure(span, message);
        };
        if shift.at.is_some() {
            return failure(span, "@ <timestamp> may not be set multiple times");
        }
        shift.at = Some(at);
        expr.span.end = end;
        Ok(())
    }

    pub(super) fn borders(&mut self, expr: &mut Expr) -> Parsed<()> {
        let (borders, name) = match self.peek() {
            Token::Keyword(Keyword::Anchored) => (Borders::Anchored, "anchored"),
            _ => (Borders::Smoothed, "smoothed"),
        };
        self.advance();
        let (span, end) = (expr.span, self.end());
        require(self.features.borders, span, || {
            format!("{name} modifier is experimental and not enabled")
        })?;
        let selector = match &mut expr.node {
            Node::Selector(selector) => selector,
            Node::Range(range) => &mut range.selector,
            Node::Subquery(_) => {
                let message = format!("{name} modifier is not supported for subqueries");
                return failure(span, message);
            }
            _ => return failure(span, format!("{name} modifier not implemented")),
        };
        if selector.borders.is_some_and(|known| known != borders) {
            let message = "anchored and smoothed modifiers cannot be used together";
            return failure(span, message);
        }
        selector.borders = Some(borders);
        expr.span.end = end;
        Ok(())
    }
}

fn shift_of(expr: &mut Expr) -> Option<&mut Shift> {
    match &mut expr.node {
        Node::Selector(selector) => Some(&mut selector.shift),
        Node::Range(range) => Some(&mut range.selector.shift),
        Node::Subquery(subquery) => Some(&mut subquery.shift),
        _ => None,
    }
}
