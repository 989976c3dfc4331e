//! Tokens to the tree: a Pratt parser.
//!
//! *Invariants*: time is linear in the text. Nesting is limited to [`NESTING_MAX`], so that no input
//! exhausts the stack here or later; chains to the left (`a + b + …`) do not count as nesting.
//!
//! *Sources*: Prometheus, `promql/parser/generated_parser.y` and `parse.go`, for the language and
//! the wording of errors.

use firebell_model::{Duration, METRIC_NAME, MatchOp, Matcher, Quoted, Timestamp};

use crate::ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Borders, Call, Cardinality, Expr, Matching, Node,
    NumberLiteral, RangeSelector, Selector, Shift, Span, StringLiteral, Subquery, Unary,
};
use crate::duration::{DurationExpr, SECS_MAX};
use crate::lex::{Keyword, Lexed, Token, lex};
use crate::literal;

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
    /// Line and column of the start of `span`, both from 1, the column in bytes.
    pub position: (usize, usize),
}

impl ParseError {
    /// An error at a place of a text.
    #[must_use]
    pub fn new(text: &str, span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span,
            position: line_and_column(text, span.start),
        }
    }
}

/// `1:5: parse error: unexpected end of input`: Prometheus's form.
impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (line, column) = self.position;
        write!(f, "{line}:{column}: parse error: {}", self.message)
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

/// Reads and type-checks an expression.
///
/// # Errors
/// The first thing that is wrong with the text.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("expression is longer than {TEXT_BYTES_MAX} bytes");
        return Err(ParseError::new(text, Span::default(), message));
    }
    let mut parser = Parser {
        text,
        lexed: lex(text),
        next: 0,
        depth: 0,
    };
    let parsed = parser.whole().and_then(|mut expr| {
        crate::check::check(&mut expr)?;
        Ok(expr)
    });
    parsed.map_err(|Failure { span, message }| ParseError::new(text, span, message))
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

struct Parser<'a> {
    text: &'a str,
    lexed: Lexed,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token {
        self.lexed.tokens[self.next].0
    }

    fn peek_second(&self) -> Token {
        let last = self.lexed.tokens.len() - 1;
        self.lexed.tokens[(self.next + 1).min(last)].0
    }

    fn span(&self) -> Span {
        self.lexed.tokens[self.next].1
    }

    /// The text of the next token.
    fn word(&self) -> &'a str {
        let span = self.span();
        &self.text[span.start..span.end]
    }

    /// Where the last taken token ended.
    fn end(&self) -> usize {
        self.next
            .checked_sub(1)
            .map_or(0, |idx| self.lexed.tokens[idx].1.end)
    }

    fn advance(&mut self) -> Span {
        let span = self.span();
        // The last token stays: it is the end or the error.
        if self.next + 1 < self.lexed.tokens.len() {
            self.next += 1;
        }
        span
    }

    fn accept(&mut self, token: Token) -> bool {
        let is_hit = self.peek() == token;
        if is_hit {
            self.advance();
        }
        is_hit
    }

    fn expect(&mut self, token: Token, context: &str, expected: &str) -> Parsed<Span> {
        if self.peek() == token {
            return Ok(self.advance());
        }
        self.unexpected(context, expected)
    }

    /// Fails at the next token; an error of the lexer goes first.
    fn unexpected<T>(&self, context: &str, expected: &str) -> Parsed<T> {
        if self.peek() == Token::Error {
            let end = self.text.len();
            let start = self.span().start;
            return failure(Span { start, end }, self.lexed.error.clone());
        }
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

    fn describe(&self) -> String {
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

    fn binary_modifiers(&mut self) -> Parsed<(bool, Matching)> {
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
            self.expect(Token::LeftParen, "fill value", "\"(\"")?;
            let value = self.signed_number("fill value", "number")?;
            self.expect(Token::RightParen, "fill value", "\")\"")?;
            if fills_left {
                matching.fill_left = Some(value);
            }
            if fills_right {
                matching.fill_right = Some(value);
            }
        }
        Ok((returns_bool, matching))
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
            (Token::LeftBrace, _) => self.selector(String::new()),
            (token, _) if can_name_metric(token) => {
                let name = self.word().to_owned();
                self.advance();
                self.selector(name)
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
            if self.peek() == Token::RightParen {
                return failure(comma, "trailing commas not allowed in function call args");
            }
        }
    }

    fn aggregate(&mut self, op: AggregateOp) -> Parsed<Expr> {
        let start = self.advance();
        let mut modifier = self.aggregate_modifier()?;
        if modifier.is_some() && self.peek() != Token::LeftParen {
            return self.unexpected("aggregation", "");
        }
        let mut args = self.args()?;
        if modifier.is_none() {
            modifier = self.aggregate_modifier()?;
        }
        let span = Span {
            start: start.start,
            end: self.end(),
        };
        let n_wanted = 1 + usize::from(op.param_type().is_some());
        let n_given = args.len();
        if n_given == 0 {
            return failure(span, "no arguments for aggregate expression provided");
        }
        if n_given != n_wanted {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, \
                 expected {n_wanted}, got {n_given}"
            );
            return failure(span, message);
        }
        let Some(expr) = args.pop() else {
            return self.unexpected("aggregation", "");
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

    fn aggregate_modifier(&mut self) -> Parsed<Option<(bool, Vec<String>)>> {
        let is_without = match self.peek() {
            Token::Keyword(Keyword::By) => false,
            Token::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some((is_without, self.grouping_labels()?)))
    }

    fn grouping_labels(&mut self) -> Parsed<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        self.expect(Token::LeftParen, CONTEXT, "\"(\"")?;
        let mut labels = Vec::new();
        while self.peek() != Token::RightParen {
            let label = match self.peek() {
                Token::String => self.string()?.value,
                token if can_name_label(token) && !self.word().contains(':') => {
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

    fn selector(&mut self, name: String) -> Parsed<Expr> {
        let start = if name.is_empty() {
            self.span()
        } else {
            self.lexed.tokens[self.next - 1].1
        };
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

    fn matcher(&mut self) -> Parsed<Matcher> {
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

    fn brackets(&mut self, expr: Expr) -> Parsed<Expr> {
        let bracket = self.advance();
        let range_span = self.span();
        let range = self.duration(0, "subquery or range selector", DURATION)?;
        require_positive(&range, range_span)?;
        if self.accept(Token::Colon) {
            let step = match self.peek() {
                Token::RightBracket => None,
                _ => {
                    let span = self.span();
                    let context = "subquery selector";
                    let expected = "number, duration, step(), range(), or \"]\"";
                    let step = self.duration(0, context, expected)?;
                    require_positive(&step, span)?;
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

    fn offset(&mut self, expr: &mut Expr) -> Parsed<()> {
        self.advance();
        let at = self.span();
        let offset = self.offset_duration()?;
        if let DurationExpr::Literal(number) = &offset {
            require_in_range(number.value, at)?;
        }
        if !offset.is_literal() {
            check_constant(&offset, at)?;
        }
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

    /// A duration without operators: `offset 5m - 1` subtracts from the selector.
    fn offset_duration(&mut self) -> Parsed<DurationExpr> {
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

    fn at_modifier(&mut self, expr: &mut Expr) -> Parsed<()> {
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

    fn borders(&mut self, expr: &mut Expr) -> Parsed<()> {
        let (borders, name) = match self.peek() {
            Token::Keyword(Keyword::Anchored) => (Borders::Anchored, "anchored"),
            _ => (Borders::Smoothed, "smoothed"),
        };
        self.advance();
        let span = expr.span;
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
        Ok(())
    }

    /// A duration within brackets, with operators that bind at least as tightly as `min_power`.
    fn duration(&mut self, min_power: u8, context: &str, expected: &str) -> Parsed<DurationExpr> {
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
                parser.advance();
                let right_power = if op == BinaryOp::Pow {
                    power
                } else {
                    power + 1
                };
                let right = parser.duration(right_power, context, expected)?;
                left = DurationExpr::Binary(op, Box::new((left, right)));
                let span = Span {
                    start: start.start,
                    end: parser.end(),
                };
                check_constant(&left, span)?;
            }
            Ok(left)
        })
    }

    fn duration_primary(&mut self, context: &str, expected: &str) -> Parsed<DurationExpr> {
        let span = self.span();
        let keyword = match self.peek() {
            Token::Number | Token::Duration => {
                let number = self.number_literal()?;
                require_in_range(number.value, span)?;
                return Ok(DurationExpr::Literal(number));
            }
            Token::LeftParen => {
                self.advance();
                let inner = self.duration(0, context, expected)?;
                self.expect(Token::RightParen, context, "\")\"")?;
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
        self.expect(Token::Comma, context, "\",\"")?;
        let right = self.duration(0, context, expected)?;
        self.expect(Token::RightParen, context, "\")\"")?;
        let sides = Box::new((left, right));
        Ok(match keyword {
            Keyword::MinOf => DurationExpr::MinOf(sides),
            _ => DurationExpr::MaxOf(sides),
        })
    }
}

fn signed(sign: Option<BinaryOp>, inner: DurationExpr) -> DurationExpr {
    match (sign, inner) {
        (Some(BinaryOp::Sub), DurationExpr::Literal(mut number)) => {
            number.value = -number.value;
            DurationExpr::Literal(number)
        }
        (Some(BinaryOp::Sub), inner) => DurationExpr::Minus(Box::new(inner)),
        (_, inner) => inner,
    }
}

/// Refuses what is wrong whatever the query, such as a division by zero.
fn check_constant(duration: &DurationExpr, span: Span) -> Parsed<()> {
    let any = crate::duration::QueryShape {
        step: Duration::from_secs(1),
        range: Duration::from_secs(1),
    };
    match duration.resolve(any) {
        Err(message) if message.ends_with("by zero") => failure(span, message),
        _ => Ok(()),
    }
}

fn require_in_range(secs: f64, span: Span) -> Parsed<()> {
    if secs.abs() <= SECS_MAX {
        return Ok(());
    }
    failure(span, "duration out of range")
}

fn require_positive(duration: &DurationExpr, span: Span) -> Parsed<()> {
    if let DurationExpr::Literal(number) = duration
        && number.value <= 0.0
    {
        return failure(span, "duration must be greater than 0");
    }
    Ok(())
}

fn shift_of(expr: &mut Expr) -> Option<&mut Shift> {
    match &mut expr.node {
        Node::Selector(selector) => Some(&mut selector.shift),
        Node::Range(range) => Some(&mut range.selector.shift),
        Node::Subquery(subquery) => Some(&mut subquery.shift),
        _ => None,
    }
}

fn is_arithmetic(op: BinaryOp) -> bool {
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
        ),
        _ => false,
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

const DURATION: &str = "number, duration, step(), or range()";
