//! Text to tokens.
//!
//! *Invariants*: one pass, linear; the last token is the end or the one error, and nothing follows.
//!
//! *Sources*: Prometheus, `promql/parser/lex.go`.

use firebell_model::{CodePoint, Quoted, QuotedChar};

use crate::ast::{AggregateOp, BinaryOp, Span};

/// A kind of token; its text is its span's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Token {
    End,
    Error,
    Comma,
    Colon,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    /// `=`
    Assign,
    /// `=~`
    RegexMatch,
    /// `!~`
    RegexMismatch,
    At,
    Op(BinaryOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
    Identifier,
    /// An identifier with a colon, which only metrics may have.
    MetricIdentifier,
    Number,
    Duration,
    String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keyword {
    Offset,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Bool,
    Anchored,
    Smoothed,
    Fill,
    FillLeft,
    FillRight,
    Start,
    End,
    Step,
    Range,
    MinOf,
    MaxOf,
}

pub(crate) struct Lexed {
    pub(crate) tokens: Vec<(Token, Span)>,
    /// What is wrong at a final [`Token::Error`].
    pub(crate) error: String,
}

pub(crate) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer {
        text,
        at: 0,
        start: 0,
        paren_depth: 0,
        is_in_braces: false,
        is_in_brackets: false,
        awaits_duration: false,
        has_colon: false,
        has_duration: false,
    };
    let mut tokens = Vec::with_capacity(text.len() / 4 + 2);
    loop {
        lexer.skip_blanks();
        lexer.start = lexer.at;
        let (token, error) = match lexer.next_token() {
            Ok(token) => (token, String::new()),
            Err(error) => (Token::Error, error),
        };
        let (start, end) = (lexer.start, lexer.at);
        tokens.push((token, Span { start, end }));
        if matches!(token, Token::End | Token::Error) {
            return Lexed { tokens, error };
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    start: usize,
    paren_depth: usize,
    is_in_braces: bool,
    is_in_brackets: bool,
    /// Within brackets: no number has come yet.
    awaits_duration: bool,
    has_colon: bool,
    /// Whether any number has stood in brackets.
    has_duration: bool,
}

impl<'a> Lexer<'a> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, set: &str) -> bool {
        let is_hit = self.peek().is_some_and(|c| set.contains(c));
        if is_hit {
            self.at += 1;
        }
        is_hit
    }

    fn accept_run(&mut self, set: &str) -> bool {
        let start = self.at;
        while self.accept(set) {}
        self.at > start
    }

    fn so_far(&self) -> &'a str {
        &self.text[self.start..self.at]
    }

    fn skip_blanks(&mut self) {
        loop {
            self.accept_run(" \t\r\n");
            let takes_comments = !(self.is_in_brackets && self.awaits_duration);
            if self.peek() != Some('#') || !takes_comments {
                return;
            }
            let rest = &self.text[self.at..];
            self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
        }
    }

    fn next_token(&mut self) -> Result<Token, String> {
        let Some(c) = self.next() else {
            return self.end();
        };
        if self.is_in_braces {
            return self.inside_braces(c);
        }
        if self.is_in_brackets
            && let Some(token) = self.inside_brackets(c)?
        {
            return Ok(token);
        }
        if let Some(token) = self.operator(c)? {
            return Ok(token);
        }
        match c {
            ',' => Ok(Token::Comma),
            '(' => {
                self.paren_depth += 1;
                Ok(Token::LeftParen)
            }
            ')' if self.paren_depth == 0 => self.refuse("unexpected right parenthesis ')'"),
            ')' => {
                self.paren_depth -= 1;
                Ok(Token::RightParen)
            }
            '{' => {
                self.is_in_braces = true;
                Ok(Token::LeftBrace)
            }
            '[' => {
                (self.is_in_brackets, self.awaits_duration) = (true, true);
                self.has_colon = false;
                Ok(Token::LeftBracket)
            }
            ']' => Err("unexpected right bracket ']'".to_owned()),
            '"' | '\'' => self.quoted(c),
            '`' => self.raw(),
            '0'..='9' => self.number_or_duration(),
            '.' if self.peek().is_some_and(|c| c.is_ascii_digit()) => self.number_or_duration(),
            ':' | '_' | 'a'..='z' | 'A'..='Z' => Ok(self.word()),
            _ => Err(format!("unexpected character: {}", QuotedChar(c))),
        }
    }

    /// Refuses a character that has been taken: as upstream, the mistake stands behind it.
    fn refuse<T>(&mut self, why: &str) -> Result<T, String> {
        self.start = self.at;
        Err(why.to_owned())
    }

    fn end(&self) -> Result<Token, String> {
        Err(if self.is_in_braces {
            "unexpected end of input inside braces"
        } else if self.is_in_brackets && self.awaits_duration {
            "unexpected end of input in duration expression"
        } else if self.paren_depth > 0 {
            "unclosed left parenthesis"
        } else if self.is_in_brackets {
            "unclosed left bracket"
        } else {
            return Ok(Token::End);
        }
        .to_owned())
    }

    fn operator(&mut self, c: char) -> Result<Option<Token>, String> {
        let op = match c {
            '+' => BinaryOp::Add,
            '-' => BinaryOp::Sub,
            '*' => BinaryOp::Mul,
            '/' => BinaryOp::Div,
            '%' => BinaryOp::Mod,
            '^' => BinaryOp::Pow,
            '@' => return Ok(Some(Token::At)),
            '=' => match self.peek() {
                Some('=') => {
                    self.at += 1;
                    BinaryOp::Equal
                }
                Some('~') => return Err("unexpected character after '=': '~'".to_owned()),
                _ => return Ok(Some(Token::Assign)),
            },
            '!' => match self.next() {
                Some('=') => BinaryOp::NotEqual,
                Some(other) => {
                    let other = QuotedChar(other);
                    return Err(format!("unexpected character after '!': {other}"));
                }
                // As Go shows the end of a text.
                None => return Err("unexpected character after '!': '\u{fffd}'".to_owned()),
            },
            '<' if self.accept("=") => BinaryOp::LessOrEqual,
            '<' if self.accept("/") => BinaryOp::TrimUpper,
            '<' => BinaryOp::Less,
            '>' if self.accept("=") => BinaryOp::GreaterOrEqual,
            '>' if self.accept("/") => BinaryOp::TrimLower,
            '>' => BinaryOp::Greater,
            _ => return Ok(None),
        };
        Ok(Some(Token::Op(op)))
    }

    fn inside_braces(&mut self, c: char) -> Result<Token, String> {
        match c {
            ',' => Ok(Token::Comma),
            '_' | 'a'..='z' | 'A'..='Z' => {
                self.rest_of_word(false);
                Ok(Token::Identifier)
            }
            '"' | '\'' => self.quoted(c),
            '`' => self.raw(),
            '=' if self.accept("~") => Ok(Token::RegexMatch),
            '=' => Ok(Token::Assign),
            '!' => match self.next() {
                Some('~') => Ok(Token::RegexMismatch),
                Some('=') => Ok(Token::Op(BinaryOp::NotEqual)),
                Some(other) => Err(format!(
                    "unexpected character after '!' inside braces: {}",
                    QuotedChar(other)
                )),
                None => Err("unexpected end of input inside braces".to_owned()),
            },
            '{' => Err("unexpected left brace '{'".to_owned()),
            '}' => {
                self.is_in_braces = false;
                Ok(Token::RightBrace)
            }
            _ => Err(format!(
                "unexpected character inside braces: {}",
                QuotedChar(c)
            )),
        }
    }

    /// What differs within brackets; `None` for what is as elsewhere.
    fn inside_brackets(&mut self, c: char) -> Result<Option<Token>, String> {
        match c {
            ']' => {
                self.is_in_brackets = false;
                Ok(Some(Token::RightBracket))
            }
            ':' if self.awaits_duration && !self.has_duration => {
                self.refuse("unexpected colon before duration in duration expression")
            }
            ':' if self.awaits_duration && self.has_colon => {
                self.refuse("unexpected repeated colon in duration expression")
            }
            ':' if self.has_colon => Err("unexpected colon ':'".to_owned()),
            ':' => {
                self.has_colon = true;
                Ok(Some(Token::Colon))
            }
            '_' | 'a'..='z' | 'A'..='Z' => {
                while self
                    .peek()
                    .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                {
                    self.at += 1;
                }
                let keyword = match self.so_far().to_ascii_lowercase().as_str() {
                    "step" => Keyword::Step,
                    "range" => Keyword::Range,
                    "min_of" => Keyword::MinOf,
                    "max_of" => Keyword::MaxOf,
                    _ if self.awaits_duration => {
                        return Err(format!(
                            "unexpected character in duration expression: {}",
                            QuotedChar(c)
                        ));
                    }
                    _ => {
                        let c = QuotedChar(c);
                        return Err(format!("unexpected character: {c}, expected ':'"));
                    }
                };
                self.has_duration |= matches!(keyword, Keyword::Step | Keyword::Range);
                Ok(Some(Token::Keyword(keyword)))
            }
            '[' if !self.awaits_duration => Err("unexpected left bracket '['".to_owned()),
            '0'..='9' | '.' | '(' | ')' | '+' | '-' | '*' | '/' | '%' | '^' | ',' => Ok(None),
            _ if self.awaits_duration => Err(format!(
                "unexpected character in duration expression: {}",
                QuotedChar(c)
            )),
            _ => Ok(None),
        }
    }

    fn rest_of_word(&mut self, takes_colons: bool) {
        let rest = self.text[self.at..].bytes();
        let is_part = |byte: &u8| {
            byte.is_ascii_alphanumeric() || *byte == b'_' || takes_colons && *byte == b':'
        };
        self.at += rest.take_while(is_part).count();
    }

    fn word(&mut self) -> Token {
        self.rest_of_word(true);
        let word = self.so_far();
        match keyword(word) {
            // Metrics may have these names, so that they are keywords only before a parenthesis.
            Some(Token::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight))
                if !self.text[self.at..].trim_start().starts_with('(') =>
            {
                Token::Identifier
            }
            Some(token) => token,
            None if word.contains(':') => Token::MetricIdentifier,
            None => Token::Identifier,
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Token, String> {
        loop {
            match self.next() {
                Some('\\') => self.escape(quote)?,
                Some(c) if c == quote => return Ok(Token::String),
                Some('\n') | None => return Err("unterminated quoted string".to_owned()),
                Some(_) => {}
            }
        }
    }

    fn raw(&mut self) -> Result<Token, String> {
        loop {
            match self.next() {
                Some('`') => return Ok(Token::String),
                None => return Err("unterminated raw string".to_owned()),
                Some(_) => {}
            }
        }
    }

    fn escape(&mut self, quote: char) -> Result<(), String> {
        let unfinished = || "escape sequence not terminated".to_owned();
        let (n_digits, base, max) = match self.next().ok_or_else(unfinished)? {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(()),
            c if c == quote => return Ok(()),
            '0'..='7' => {
                self.at -= 1;
                (3, 8, 255)
            }
            'x' => (2, 16, 255),
            'u' => (4, 16, 0x0010_ffff),
            'U' => (8, 16, 0x0010_ffff),
            c => {
                return Err(format!("unknown escape sequence {}", CodePoint(c)));
            }
        };
        let mut value = 0_u32;
        for _ in 0..n_digits {
            let c = self.next().ok_or_else(unfinished)?;
            let digit = c
                .to_digit(base)
                .ok_or_else(|| format!("illegal character {} in escape sequence", CodePoint(c)))?;
            value = value.wrapping_mul(base).wrapping_add(digit);
        }
        if value > max || (0xd800..0xe000).contains(&value) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }

    fn number_or_duration(&mut self) -> Result<Token, String> {
        self.at = self.start;
        self.awaits_duration = false;
        self.has_duration |= self.is_in_brackets;
        if self.number() {
            return Ok(Token::Number);
        }
        if self.rest_of_duration() {
            return Ok(Token::Duration);
        }
        Err(format!(
            "bad number or duration syntax: {}",
            Quoted(self.so_far())
        ))
    }

    /// Takes `[.][digits._eE]*`; whether that is a number is seen when it is read.
    fn number(&mut self) -> bool {
        let mut digits = "0123456789";
        if self.accept("0") && self.accept("xX") {
            self.accept("_");
            digits = "0123456789abcdefABCDEF";
        }
        let (mut has_dot, mut has_exponent) = (false, false);
        // As upstream: this one does not count.
        self.accept(".");
        self.accept(digits);
        loop {
            if self.accept_run(digits) {
                continue;
            }
            if self.accept(".") {
                if has_dot || digits.len() > 10 || self.accept("_.") {
                    return false;
                }
                has_dot = true;
            } else if self.accept("eE") {
                if has_exponent {
                    return false;
                }
                has_exponent = true;
                self.accept("+-");
                if self.accept("._eE") || self.peek().is_none() {
                    return false;
                }
            } else if self.accept("_") {
                if self.accept("._eE") || self.peek().is_none() {
                    return false;
                }
            } else {
                break;
            }
        }
        !self.is_before_alphanumeric()
    }

    fn is_before_alphanumeric(&self) -> bool {
        self.peek()
            .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
    }

    fn rest_of_duration(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        self.accept("s");
        while self.accept_run("0123456789") {
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        let is_whole = !self.is_before_alphanumeric();
        if !is_whole {
            // Upstream's message shows the character that it stumbled over.
            self.at += 1;
        }
        is_whole
    }
}

/// The token of a word that is none of the user's own, in whatever case.
pub(crate) fn keyword(word: &str) -> Option<Token> {
    // The longest keyword has 12 letters; longer words need no lower-case copy.
    if word.len() > 12 {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    let found = KEYWORDS.iter().find(|(text, _)| *text == lower)?;
    Some(found.1)
}

const KEYWORDS: &[(&str, Token)] = &[
    ("and", Token::Op(BinaryOp::And)),
    ("or", Token::Op(BinaryOp::Or)),
    ("unless", Token::Op(BinaryOp::Unless)),
    ("atan2", Token::Op(BinaryOp::Atan2)),
    ("sum", Token::Aggregate(AggregateOp::Sum)),
    ("avg", Token::Aggregate(AggregateOp::Avg)),
    ("count", Token::Aggregate(AggregateOp::Count)),
    ("min", Token::Aggregate(AggregateOp::Min)),
    ("max", Token::Aggregate(AggregateOp::Max)),
    ("group", Token::Aggregate(AggregateOp::Group)),
    ("stddev", Token::Aggregate(AggregateOp::Stddev)),
    ("stdvar", Token::Aggregate(AggregateOp::Stdvar)),
    ("topk", Token::Aggregate(AggregateOp::Topk)),
    ("bottomk", Token::Aggregate(AggregateOp::Bottomk)),
    ("count_values", Token::Aggregate(AggregateOp::CountValues)),
    ("quantile", Token::Aggregate(AggregateOp::Quantile)),
    ("limitk", Token::Aggregate(AggregateOp::Limitk)),
    ("limit_ratio", Token::Aggregate(AggregateOp::LimitRatio)),
    ("offset", Token::Keyword(Keyword::Offset)),
    ("smoothed", Token::Keyword(Keyword::Smoothed)),
    ("anchored", Token::Keyword(Keyword::Anchored)),
    ("by", Token::Keyword(Keyword::By)),
    ("without", Token::Keyword(Keyword::Without)),
    ("on", Token::Keyword(Keyword::On)),
    ("ignoring", Token::Keyword(Keyword::Ignoring)),
    ("group_left", Token::Keyword(Keyword::GroupLeft)),
    ("group_right", Token::Keyword(Keyword::GroupRight)),
    ("bool", Token::Keyword(Keyword::Bool)),
    ("fill", Token::Keyword(Keyword::Fill)),
    ("fill_left", Token::Keyword(Keyword::FillLeft)),
    ("fill_right", Token::Keyword(Keyword::FillRight)),
    ("start", Token::Keyword(Keyword::Start)),
    ("end", Token::Keyword(Keyword::End)),
    ("step", Token::Keyword(Keyword::Step)),
    ("range", Token::Keyword(Keyword::Range)),
    ("min_of", Token::Keyword(Keyword::MinOf)),
    ("max_of", Token::Keyword(Keyword::MaxOf)),
    ("inf", Token::Number),
    ("nan", Token::Number),
];
