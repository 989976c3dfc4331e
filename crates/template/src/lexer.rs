//! Text to tokens: what lies between `{{` and `}}`, and the text around it.
//!
//! *Sources*: Go, `text/template/parse/lex.go`.

use std::sync::Arc;

use crate::ast::Span;
use crate::error::TemplateError;
use crate::value::Value;

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
    /// Whether white space stands before it: `.a .b` are two operands, `.a.b` is one.
    pub(crate) is_spaced: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum TokenKind {
    /// Text outside of actions, trimmed; the span.
    Text,
    Open,
    Close,
    /// A function or keyword.
    Word,
    /// `.name`
    Field,
    /// `$` or `$name`
    Variable,
    Dot,
    Literal(Literal),
    OpenParen,
    CloseParen,
    Bar,
    Comma,
    Declare,
    Assign,
    End,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Literal {
    Text(Arc<str>),
    Int(i64),
    Float(f64),
}

impl From<Literal> for Value {
    fn from(literal: Literal) -> Self {
        match literal {
            Literal::Text(text) => Self::Text(text),
            Literal::Int(value) => Self::Int(value),
            Literal::Float(value) => Self::Float(value),
        }
    }
}

/// Splits a text into tokens; the last one is [`TokenKind::End`].
pub(crate) fn tokenize(text: &str) -> Result<Vec<Token>, TemplateError> {
    let mut lexer = Lexer {
        text,
        at: 0,
        tokens: Vec::new(),
        n_open_parens: 0,
    };
    let mut trims_left = false;
    while lexer.at < text.len() {
        trims_left = lexer.text_then_action(trims_left)?;
    }
    lexer.push(TokenKind::End, text.len(), false);
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    n_open_parens: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: TokenKind, start: usize, is_spaced: bool) {
        let span = Span {
            start,
            end: self.at,
        };
        self.tokens.push(Token {
            kind,
            span,
            is_spaced,
        });
    }

    fn fail<T>(&self, at: usize, message: impl Into<String>) -> Result<T, TemplateError> {
        Err(TemplateError::at(self.text, at, message))
    }

    /// Takes the text up to the next action, and the action. Answers whether the action trims the
    /// text after it.
    fn text_then_action(&mut self, trims_left: bool) -> Result<bool, TemplateError> {
        let open = self.rest().find(OPEN).map(|idx| self.at + idx);
        let mut piece = &self.text[self.at..open.unwrap_or(self.text.len())];
        let inside = open.map(|open| open + OPEN.len());
        let trims_right = inside.is_some_and(|inside| has_left_trim(&self.text[inside..]));
        if trims_left {
            let trimmed = piece.trim_start_matches(SPACE);
            self.at += piece.len() - trimmed.len();
            piece = trimmed;
        }
        if trims_right {
            piece = piece.trim_end_matches(SPACE);
        }
        let start = self.at;
        self.at += piece.len();
        if !piece.is_empty() {
            self.push(TokenKind::Text, start, false);
        }
        let (Some(open), Some(inside)) = (open, inside) else {
            self.at = self.text.len();
            return Ok(false);
        };
        self.at = inside + if trims_right { TRIM_LEN } else { 0 };
        if self.rest().starts_with("/*") {
            return self.comment();
        }
        self.push(TokenKind::Open, open, false);
        self.n_open_parens = 0;
        self.action(open)
    }

    fn comment(&mut self) -> Result<bool, TemplateError> {
        let start = self.at;
        let Some(end) = self.rest().find("*/") else {
            return self.fail(start, "unclosed comment");
        };
        self.at += end + 2;
        match self.close_len() {
            Some((len, trims)) => {
                self.at += len;
                Ok(trims)
            }
            None => self.fail(start, "comment ends before closing delimiter"),
        }
    }

    /// The length of the closing delimiter here, if it is one, and whether it trims.
    fn close_len(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        if rest.starts_with(CLOSE) {
            return Some((CLOSE.len(), false));
        }
        let is_trimming = rest.starts_with(SPACE) && rest[1..].starts_with("-}}");
        is_trimming.then_some((TRIM_LEN + CLOSE.len(), true))
    }

    fn action(&mut self, open: usize) -> Result<bool, TemplateError> {
        loop {
            if let Some((len, trims)) = self.close_len() {
                if self.n_open_parens > 0 {
                    return self.fail(self.at, "unclosed left paren");
                }
                let start = self.at;
                self.at += len;
                self.push(TokenKind::Close, start, false);
                return Ok(trims);
            }
            let before = self.at;
            let rest = self.rest();
            let spaces = rest.len() - rest.trim_start_matches(SPACE).len();
            if spaces > 0 {
                // A space in front of `-}}` belongs to the delimiter.
                let is_trim = rest[spaces..].starts_with("-}}");
                self.at += if is_trim { spaces - 1 } else { spaces };
                if is_trim {
                    continue;
                }
            }
            if self.close_len().is_some() {
                continue;
            }
            if self.rest().is_empty() {
                return self.fail(open, "unclosed action");
            }
            self.token(self.at > before)?;
        }
    }

    fn token(&mut self, is_spaced: bool) -> Result<(), TemplateError> {
        let start = self.at;
        let rest = self.rest();
        let mut chars = rest.chars();
        let first = chars.next().unwrap_or(' ');
        let second = chars.next();
        let (kind, len) = match first {
            ':' if second == Some('=') => (TokenKind::Declare, 2),
            ':' => return self.fail(start, "expected :="),
            '=' => (TokenKind::Assign, 1),
            '|' => (TokenKind::Bar, 1),
            ',' => (TokenKind::Comma, 1),
            '(' => {
                self.n_open_parens += 1;
                (TokenKind::OpenParen, 1)
            }
            ')' if self.n_open_parens == 0 => return self.fail(start, "unexpected right paren"),
            ')' => {
                self.n_open_parens -= 1;
                (TokenKind::CloseParen, 1)
            }
            '"' => self.quoted('"', "unterminated quoted string")?,
            '\'' => self.character()?,
            '`' => match rest[1..].find('`') {
                Some(len) => (text_literal(&rest[1..=len]), len + 2),
                None => return self.fail(start, "unterminated raw quoted string"),
            },
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number()?,
            '.' => self.name(1, TokenKind::Field, TokenKind::Dot)?,
            '$' => self.name(1, TokenKind::Variable, TokenKind::Variable)?,
            '+' | '-' | '0'..='9' => self.number()?,
            c if is_name_char(c) => self.name(0, TokenKind::Word, TokenKind::Word)?,
            c => return self.fail(start, format!("unexpected {c:?} in command")),
        };
        self.at += len;
        self.push(kind, start, is_spaced);
        Ok(())
    }

    /// A name after `skip` bytes; `bare` when there is none.
    fn name(
        &self,
        skip: usize,
        named: TokenKind,
        bare: TokenKind,
    ) -> Result<(TokenKind, usize), TemplateError> {
        let rest = &self.rest()[skip..];
        let len = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        match rest[len..].chars().next() {
            Some(c) if !is_terminator(c) && !rest[len..].starts_with(CLOSE) => {
                self.fail(self.at + skip + len, format!("bad character {c:?}"))
            }
            _ => Ok((if len == 0 { bare } else { named }, skip + len)),
        }
    }

    /// The inside of a quoted literal, unescaped, and its length with quotes.
    fn quoted(&self, quote: char, unterminated: &str) -> Result<(TokenKind, usize), TemplateError> {
        let inside = &self.rest()[1..];
        let mut is_escaped = false;
        let end = inside.find(|c| {
            let is_end = (c == quote && !is_escaped) || c == '\n';
            is_escaped = c == '\\' && !is_escaped;
            is_end
        });
        match end {
            Some(end) if inside[end..].starts_with(quote) => match unescape(&inside[..end]) {
                Some(text) => Ok((text_literal(&text), end + 2)),
                None => self.fail(self.at, format!("invalid syntax in {quote}…{quote}")),
            },
            _ => self.fail(self.at, unterminated),
        }
    }

    fn character(&self) -> Result<(TokenKind, usize), TemplateError> {
        let (kind, len) = self.quoted('\'', "unterminated character constant")?;
        let mut chars = match &kind {
            TokenKind::Literal(Literal::Text(text)) => text.chars(),
            _ => "".chars(),
        };
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok((
                TokenKind::Literal(Literal::Int(i64::from(u32::from(c)))),
                len,
            )),
            _ => self.fail(self.at, "malformed character constant"),
        }
    }

    fn number(&self) -> Result<(TokenKind, usize), TemplateError> {
        let rest = self.rest();
        let is_hex = rest.trim_start_matches(['+', '-']).starts_with(['0'])
            && rest
                .trim_start_matches(['+', '-', '0'])
                .starts_with(['x', 'X']);
        let mut previous = ' ';
        let len = rest
            .char_indices()
            .position(|(idx, c)| {
                let exponent = if is_hex { ['p', 'P'] } else { ['e', 'E'] };
                let is_sign = matches!(c, '+' | '-') && (idx == 0 || exponent.contains(&previous));
                previous = c;
                !(is_sign || c == '.' || is_name_char(c))
            })
            .unwrap_or(rest.chars().count());
        let len = rest.chars().take(len).map(char::len_utf8).sum();
        match parse_number(&rest[..len]) {
            Some(literal) => Ok((TokenKind::Literal(literal), len)),
            None => self.fail(self.at, format!("bad number syntax: {:?}", &rest[..len])),
        }
    }
}

fn text_literal(text: &str) -> TokenKind {
    TokenKind::Literal(Literal::Text(text.into()))
}

fn has_left_trim(inside: &str) -> bool {
    inside.starts_with('-') && inside[1..].starts_with(SPACE)
}

fn is_name_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_terminator(c: char) -> bool {
    SPACE.contains(&c) || matches!(c, '.' | ',' | '|' | ':' | '=' | ')' | '(')
}

/// Go's integer and float literals, as far as an `i64` and an `f64` hold them.
fn parse_number(text: &str) -> Option<Literal> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_negative = text.starts_with('-');
    let lower = unsigned.to_ascii_lowercase().replace('_', "");
    let (digits, radix) = match lower.get(..2) {
        Some("0x") => (&lower[2..], 16),
        Some("0b") => (&lower[2..], 2),
        Some("0o") => (&lower[2..], 8),
        _ if lower.len() > 1 && lower.starts_with('0') && is_digits(&lower) => (&lower[1..], 8),
        _ => (&*lower, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    if let Ok(value) = i128::from_str_radix(digits, radix) {
        let value = if is_negative { -value } else { value };
        return i64::try_from(value).ok().map(Literal::Int);
    }
    let is_plain = radix == 10 && lower.starts_with(|c: char| c == '.' || c.is_ascii_digit());
    let value: f64 = is_plain.then(|| lower.parse().ok())??;
    if value.is_infinite() {
        return None;
    }
    Some(Literal::Float(if is_negative { -value } else { value }))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text that a quoted literal stands for; nothing when an escape is malformed.
fn unescape(inside: &str) -> Option<String> {
    let mut text = String::with_capacity(inside.len());
    let mut bytes = Vec::new();
    let mut rest = inside;
    while let Some(c) = rest.chars().next() {
        if c != '\\' {
            text.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let escape = rest[1..].chars().next()?;
        let after = &rest[1 + escape.len_utf8()..];
        let (n_digits, radix) = match escape {
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='7' => (2, 8),
            _ => (0, 10),
        };
        let digits = after.get(..n_digits)?;
        rest = &after[n_digits..];
        let plain = match escape {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '\'' | '"' => escape,
            'x' | '0'..='7' => {
                // Bytes; several in a row may make one character.
                let digits = match escape {
                    'x' => digits.to_owned(),
                    _ => format!("{escape}{digits}"),
                };
                bytes.push(u8::from_str_radix(&digits, radix).ok()?);
                if !rest.starts_with("\\x") {
                    text.push_str(&String::from_utf8_lossy(&std::mem::take(&mut bytes)));
                }
                continue;
            }
            'u' | 'U' => char::from_u32(u32::from_str_radix(digits, radix).ok()?)?,
            _ => return None,
        };
        text.push(plain);
    }
    Some(text)
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
/// `- ` after the opening and ` -` before the closing delimiter.
const TRIM_LEN: usize = 2;
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
