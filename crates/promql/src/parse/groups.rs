//! Aggregations, the modifiers of operators, selectors: what stands in parentheses and braces.

use firebell_model::{METRIC_NAME, MatchOp, Matcher};

use super::{Failure, Parsed, Parser, can_begin, failure};
use crate::ast::{
    Aggregate, AggregateOp, BinaryOp, Cardinality, Expr, Matching, Node, Selector, Shift, Span,
};
use crate::features::require;
use crate::lex::{Keyword, Token, keyword};

impl Parser<'_> {
    pub(super) fn binary_modifiers(&mut self) -> Parsed<(bool, Matching)> {
        let returns_bool = self.accept(Token::Keyword(Keyword::Bool));
        let mut matching = Matching::default();
        let keyword = self.peek();
        if matches!(keyword, Token::Keyword(Keyword::On | Keyword::Ignoring)) {
            self.advance();
            matching.is_on = keyword == Token::Keyword(Keyword::On);
            matching.labels = self.grouping_labels()?;
            matching.cardinality = match self.peek() {
                Token::Keyword(Keyword::GroupLeft) => Cardinality::ManyToOne,
                Token::Keyword(Keyword::GroupRight) => Cardinality::OneToMany,
                _ => Cardinality::OneToOne,
            };
            if matching.cardinality != Cardinality::OneToOne {
                self.advance();
                if self.peek() == Token::LeftParen {
                    matching.include = self.grouping_labels()?;
                } else if !can_begin(self.peek()) {
                    return self.unexpected("grouping opts", "\"(\"");
                }
            }
        }
        while let Token::Keyword(keyword) = self.peek() {
            let (fills_left, fills_right) = match keyword {
                Keyword::Fill => (true, true),
                Keyword::FillLeft => (true, false),
                Keyword::FillRight => (false, true),
                _ => break,
            };
            self.advance();
            self.expect(Token::LeftParen, "", "")?;
            let value = self.signed_number("", "")?;
            self.expect(Token::RightParen, "", "")?;
            if fills_left {
                matching.fill_left = Some(value);
            }
            if fills_right {
                matching.fill_right = Some(value);
            }
        }
        Ok((returns_bool, matching))
    }

    pub(super) fn aggregate(&mut self, op: AggregateOp) -> Parsed<Expr> {
        let start = self.advance();
        self.n_aggregations += 1;
        let mut modifier = self.aggregate_modifier()?;
        if modifier.is_some() && self.peek() != Token::LeftParen {
            return self.unexpected("", "");
        }
        let mut args = self.args()?;
        self.n_aggregations -= 1;
        let is_bare = modifier.is_none();
        if is_bare {
            modifier = self.aggregate_modifier()?;
        }
        let span = Span {
            start: start.start,
            end: self.end(),
        };
        let n_wanted = 1 + usize::from(op.param_type().is_some());
        let n_given = args.len();
        if n_given == 0 {
            let message = "no arguments for aggregate expression provided";
            return match is_bare {
                true => self.wrong(span, message),
                false => failure(span, message),
            };
        }
        let is_experimental = matches!(op, AggregateOp::Limitk | AggregateOp::LimitRatio);
        require(self.features.functions || !is_experimental, span, || {
            let op = op.text();
            format!(
                "{op}() is experimental and must be enabled with \
                 --enable-feature=promql-experimental-functions"
            )
        })?;
        if n_given != n_wanted {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, \
                 expected {n_wanted}, got {n_given}"
            );
            return self.wrong(span, message);
        }
        let Some(expr) = args.pop() else {
            return self.unexpected("", "");
        };
        let param = args.pop();
        let (is_without, grouping) = modifier.unwrap_or_default();
        let node = Node::Aggregate(Box::new(Aggregate {
            op,
            param,
            expr,
            grouping,
            is_without,
        }));
        Ok(Expr { node, span })
    }

    pub(super) fn aggregate_modifier(&mut self) -> Parsed<Option<(bool, Vec<String>)>> {
        let is_without = match self.peek() {
            Token::Keyword(Keyword::By) => false,
            Token::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some((is_without, self.grouping_labels()?)))
    }

    pub(super) fn grouping_labels(&mut self) -> Parsed<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        self.expect(Token::LeftParen, CONTEXT, "\"(\"")?;
        let mut labels = Vec::new();
        while self.peek() != Token::RightParen {
            let label = match self.peek() {
                Token::String => {
                    let (span, name) = (self.span(), self.string()?);
                    if !name.is_label_name() {
                        let message = format!("invalid label name for grouping: {name}");
                        return failure(span, message);
                    }
                    name.value
                }
                token if can_name_label(token) => {
                    let word = self.word().to_owned();
                    self.advance();
                    word
                }
                _ => return self.unexpected(CONTEXT, "label"),
            };
            labels.push(label);
            if self.peek() == Token::RightParen {
                break;
            }
            self.expect(Token::Comma, CONTEXT, "\",\" or \")\"")?;
        }
        self.expect(Token::RightParen, CONTEXT, "\",\" or \")\"")?;
        Ok(labels)
    }

    pub(super) fn selector(&mut self, name: String, start: Span) -> Parsed<Expr> {
        let mut matchers = Vec::new();
        if self.accept(Token::LeftBrace) {
            while !self.accept(Token::RightBrace) {
                matchers.push(self.matcher()?);
                if self.peek() != Token::RightBrace {
                    self.expect(Token::Comma, "label matching", "\",\" or \"}\"")?;
                }
            }
        }
        if !name.is_empty() {
            matchers.push(Matcher::equal(METRIC_NAME, name.as_str()));
        }
        let node = Node::Selector(Selector {
            name,
            matchers,
            shift: Shift::default(),
            borders: None,
        });
        let span = Span {
            start: start.start,
            end: self.end(),
        };
        Ok(Expr { node, span })
    }

    pub(super) fn matcher(&mut self) -> Parsed<Matcher> {
        const CONTEXT: &str = "label matching";
        let start = self.span();
        let is_quoted = self.peek() == Token::String;
        let name = match self.peek() {
            Token::Identifier => {
                let word = self.word().to_owned();
                self.advance();
                word
            }
            Token::String => self.string()?.value,
            _ => return self.unexpected(CONTEXT, "identifier or \"}\""),
        };
        let op = match self.peek() {
            Token::Assign => MatchOp::Equal,
            Token::Op(BinaryOp::NotEqual) => MatchOp::NotEqual,
            Token::RegexMatch => MatchOp::Regex,
            Token::RegexMismatch => MatchOp::NotRegex,
            _ if is_quoted => return Ok(Matcher::equal(METRIC_NAME, name)),
            _ => return self.unexpected(CONTEXT, "label matching operator"),
        };
        self.advance();
        if self.peek() != Token::String {
            return self.unexpected(CONTEXT, "string");
        }
        let end = self.span();
        let value = self.string()?.value;
        Matcher::new(name, op, value).map_err(|error| Failure {
            span: start.to(end),
            message: error.to_string(),
        })
    }
}

/// Keywords that may also be the name of a label in `by (…)` and the like.
fn can_name_label(token: Token) -> bool {
    match token {
        Token::Identifier | Token::MetricIdentifier | Token::Aggregate(_) => true,
        Token::Op(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::Atan2) => true,
        Token::Keyword(keyword) => keyword != Keyword::Without,
        _ => false,
    }
}

/// Whether a label name needs no quotes in `by (…)` and the like. `without`, `inf` and `nan` do,
/// which upstream prints without them all the same and then cannot read.
pub(crate) fn can_stand_bare(name: &str) -> bool {
    keyword(name).is_none_or(can_name_label)
}
