//! Reads a regular expression in Go's syntax into the form that the engine compiles.
//!
//! *Invariants*: accepts and refuses what Go does, with Go's words. One pass without recursion;
//! what a hostile text can cost is bounded by its length and by [`WORK_MAX`].
//!
//! *Sources*: Go 1.26, `regexp/syntax` with its Perl flags: `doc.go` for the language, `parse.go`
//! for the limits and for what is refused.

use regex_syntax::hir::{Capture, Hir, Look};

use super::class::{Class, perl_class};
use super::error::{Failure, Problem};
use super::piece::Piece;

/// Longer texts are refused as too large. Go has no such limit.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Groups within groups. Go counts only those that leave something in the result.
const GROUP_DEPTH_MAX: usize = 10_000;
/// `x{1000}` is the longest repetition, also when it is made of repetitions within repetitions.
const REPEAT_MAX: u32 = 1_000;
/// Characters and ranges that may be joined while reading; a bound on time and memory.
const WORK_MAX: u64 = 1 << 24;

/// What `(?ims)` and `(?U)` switch.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    /// `i`: letters match in either case.
    pub folds_case: bool,
    /// `m`: `^` and `$` also match at line ends.
    pub is_multi_line: bool,
    /// `s`: `.` matches a line feed.
    pub dot_takes_line_feed: bool,
    /// `U`: repetitions take as little as possible, unless followed by `?`.
    pub is_lazy: bool,
}

/// An expression that was understood.
pub(super) struct Parsed {
    pub whole: Piece,
    /// Names of the groups by number; the whole match is number 0. Names may repeat.
    pub names: Vec<Option<Box<str>>>,
}

impl Parsed {
    /// The expression between anchors, as if they had been written around it.
    pub(super) fn anchored(self, text: &str) -> Result<Self, Failure> {
        let (start, end) = (Piece::look(Look::Start), Piece::look(Look::End));
        let whole = Piece::concat(vec![start, self.whole, end]);
        match whole.excess() {
            Some(problem) => Failure::at(problem, &format!("^(?s:{text})$")),
            None => Ok(Self { whole, ..self }),
        }
    }
}

/// Reads `text`, with `flags` set at its beginning.
pub(super) fn parse(text: &str, flags: Flags) -> Result<Parsed, Failure> {
    if text.len() > TEXT_BYTES_MAX {
        return Failure::at(Problem::TooLarge, text);
    }
    let mut parser = Parser {
        text,
        rest: text,
        flags,
        groups: vec![Group::default()],
        names: vec![None],
        last_repeat: None,
        work: 0,
    };
    while let Some(next) = parser.rest.chars().next() {
        let last_repeat = parser.last_repeat.take();
        parser.step(next, last_repeat)?;
    }
    let Some(whole) = parser.groups.pop().filter(|_| parser.groups.is_empty()) else {
        return Failure::at(Problem::MissingParen, text);
    };
    let whole = parser.alternate(whole)?;
    Ok(Parsed {
        whole,
        names: parser.names,
    })
}

/// An open group; the outermost is the whole expression.
#[derive(Default)]
struct Group {
    /// What holds again after it.
    flags_before: Flags,
    number: Option<u32>,
    /// What stands before the `|`s.
    alternatives: Vec<Piece>,
    /// What stands since.
    pieces: Vec<Piece>,
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    flags: Flags,
    groups: Vec<Group>,
    names: Vec<Option<Box<str>>>,
    /// The text from a repetition operator on, right after one.
    last_repeat: Option<&'a str>,
    work: u64,
}

impl<'a> Parser<'a> {
    fn step(&mut self, next: char, last_repeat: Option<&'a str>) -> Result<(), Failure> {
        let before = self.rest;
        let single = match next {
            '(' if before.starts_with("(?") => return self.perl_group(),
            '(' => {
                self.rest = &before[1..];
                let flags = self.flags;
                return self.open_numbered(None, flags);
            }
            '*' | '+' | '?' => {
                self.rest = &before[1..];
                let (min, max) = match next {
                    '*' => (0, None),
                    '+' => (1, None),
                    _ => (0, Some(1)),
                };
                return self.repeat(min, max, before, last_repeat);
            }
            '{' => return self.counted_repeat(before, last_repeat),
            '\\' => return self.backslash(),
            '[' => {
                let (class, rest) = Class::parse_brackets(before, self.flags.folds_case)?;
                self.rest = rest;
                self.spend(class.cost())?;
                Piece::class(class)
            }
            '|' => {
                self.rest = &before[1..];
                return self.bar();
            }
            ')' => {
                self.rest = &before[1..];
                return self.close();
            }
            '^' if self.flags.is_multi_line => Piece::look(Look::StartLF),
            '^' => Piece::look(Look::Start),
            '$' if self.flags.is_multi_line => Piece::look(Look::EndLF),
            '$' => Piece::look(Look::End),
            '.' => Piece::dot(self.flags.dot_takes_line_feed),
            c => Piece::char(c, self.flags.folds_case),
        };
        if next != '[' {
            self.rest = &before[next.len_utf8()..];
        }
        self.push(single);
        Ok(())
    }

    fn group(&mut self) -> &mut Group {
        self.groups
            .last_mut()
            .expect("the outermost group is never closed")
    }

    fn push(&mut self, piece: Piece) {
        self.group().pieces.push(piece);
    }

    fn spend(&mut self, work: u64) -> Result<(), Failure> {
        self.work = self.work.saturating_add(work);
        if self.work > WORK_MAX {
            return Failure::at(Problem::TooLarge, self.text);
        }
        Ok(())
    }

    /// Go's limits on what a piece would become when written out.
    fn check(&mut self, piece: &Piece) -> Result<(), Failure> {
        match piece.excess() {
            Some(problem) => Failure::at(problem, self.text),
            None => Ok(()),
        }
    }

    // --- groups ----------------------------------------------------------------------------------

    fn open(&mut self, number: Option<u32>, flags: Flags) -> Result<(), Failure> {
        if self.groups.len() > GROUP_DEPTH_MAX {
            return Failure::at(Problem::NestingDepth, self.text);
        }
        self.groups.push(Group {
            flags_before: self.flags,
            number,
            ..Group::default()
        });
        self.flags = flags;
        Ok(())
    }

    fn open_numbered(&mut self, name: Option<&str>, flags: Flags) -> Result<(), Failure> {
        // The text's limit keeps the number small.
        let number = self.names.len() as u32;
        self.names.push(name.map(Box::from));
        self.open(Some(number), flags)
    }

    fn bar(&mut self) -> Result<(), Failure> {
        let pieces = std::mem::take(&mut self.group().pieces);
        let before = self.concat(pieces)?;
        self.group().alternatives.push(before);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failure> {
        if self.groups.len() == 1 {
            return Failure::at(Problem::UnexpectedParen, self.text);
        }
        let Some(group) = self.groups.pop() else {
            return Failure::at(Problem::UnexpectedParen, self.text);
        };
        self.flags = group.flags_before;
        let number = group.number;
        let mut inner = self.alternate(group)?;
        if let Some(index) = number {
            inner = inner.wrap(|sub| {
                Hir::capture(Capture {
                    index,
                    name: None,
                    sub: Box::new(sub),
                })
            });
            self.check(&inner)?;
        }
        self.push(inner);
        Ok(())
    }

    fn concat(&mut self, pieces: Vec<Piece>) -> Result<Piece, Failure> {
        self.spend(pieces.iter().map(Piece::n_parts).sum())?;
        let joined = Piece::concat(pieces);
        self.check(&joined)?;
        Ok(joined)
    }

    fn alternate(&mut self, group: Group) -> Result<Piece, Failure> {
        let last = self.concat(group.pieces)?;
        let mut alternatives = group.alternatives;
        if alternatives.is_empty() {
            return Ok(last);
        }
        alternatives.push(last);
        self.spend(alternatives.iter().map(Piece::n_parts).sum())?;
        let joined = Piece::alternate(alternatives);
        self.check(&joined)?;
        Ok(joined)
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)` and `(?flags:`.
    fn perl_group(&mut self) -> Result<(), Failure> {
        let before = self.rest;
        let named = ["(?P<", "(?<"]
            .iter()
            .find_map(|start| before.strip_prefix(start))
            .filter(|name| !name.is_empty());
        let Some(named) = named else {
            return self.flags_group();
        };
        let Some((name, rest)) = named.split_once('>') else {
            return Failure::at(Problem::NamedCapture, before);
        };
        if name.is_empty() || !name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') {
            return Failure::at(Problem::NamedCapture, up_to(before, rest));
        }
        self.rest = rest;
        let flags = self.flags;
        self.open_numbered(Some(name), flags)
    }

    fn flags_group(&mut self) -> Result<(), Failure> {
        let before = self.rest;
        let mut rest = &before[2..];
        let mut flags = self.flags;
        let (mut is_on, mut saw_flag) = (true, false);
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            let flag = match c {
                'i' => &mut flags.folds_case,
                'm' => &mut flags.is_multi_line,
                's' => &mut flags.dot_takes_line_feed,
                'U' => &mut flags.is_lazy,
                '-' if is_on => {
                    (is_on, saw_flag) = (false, false);
                    continue;
                }
                ':' | ')' if is_on || saw_flag => {
                    self.rest = rest;
                    if c == ':' {
                        return self.open(None, flags);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            };
            *flag = is_on;
            saw_flag = true;
        }
        Failure::at(Problem::PerlSyntax, up_to(before, rest))
    }

    // --- repetition ------------------------------------------------------------------------------

    /// `x{2}`, `x{2,}`, `x{2,3}`; a brace that begins none of these stands for itself.
    fn counted_repeat(
        &mut self,
        before: &'a str,
        last_repeat: Option<&'a str>,
    ) -> Result<(), Failure> {
        let Some((min, max, rest)) = repeat_counts(before) else {
            self.rest = &before[1..];
            self.push(Piece::char('{', self.flags.folds_case));
            return Ok(());
        };
        let is_in_order = max.is_none_or(|max| min <= max);
        if min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX) || !is_in_order {
            return Failure::at(Problem::RepeatSize, up_to(before, rest));
        }
        self.rest = rest;
        self.repeat(min, max, before, last_repeat)
    }

    fn repeat(
        &mut self,
        min: u32,
        max: Option<u32>,
        before: &'a str,
        last_repeat: Option<&'a str>,
    ) -> Result<(), Failure> {
        let mut is_lazy = self.flags.is_lazy;
        if let Some(rest) = self.rest.strip_prefix('?') {
            self.rest = rest;
            is_lazy = !is_lazy;
        }
        if let Some(last) = last_repeat {
            return Failure::at(Problem::RepeatOp, up_to(last, self.rest));
        }
        let operator = up_to(before, self.rest);
        let Some(repeated) = self.group().pieces.pop() else {
            return Failure::at(Problem::RepeatArgument, operator);
        };
        let is_counted = before.starts_with('{');
        let repeated = repeated.repeat(min, max, !is_lazy, is_counted);
        self.check(&repeated)?;
        let is_many = min >= 2 || max.is_some_and(|max| max >= 2);
        if is_counted && is_many && repeated.n_copies() > u64::from(REPEAT_MAX) {
            return Failure::at(Problem::RepeatSize, operator);
        }
        self.push(repeated);
        self.last_repeat = Some(before);
        Ok(())
    }

    // --- after a backslash -----------------------------------------------------------------------

    fn backslash(&mut self) -> Result<(), Failure> {
        let before = self.rest;
        let folds_case = self.flags.folds_case;
        let look = match before.as_bytes().get(1) {
            Some(b'A') => Some(Look::Start),
            Some(b'z') => Some(Look::End),
            Some(b'b') => Some(Look::WordAscii),
            Some(b'B') => Some(Look::WordAsciiNegate),
            // A single byte, which has no place in text.
            Some(b'C') => return Failure::at(Problem::Escape, &before[..2]),
            Some(b'Q') => return self.quoted(),
            _ => None,
        };
        if let Some(look) = look {
            self.rest = &before[2..];
            self.push(Piece::look(look));
            return Ok(());
        }
        if let Some((class, rest)) = Class::parse_unicode(before, folds_case)? {
            self.rest = rest;
            self.spend(class.cost())?;
            self.push(Piece::class(class));
        } else if let Some((ranges, is_negated, rest)) = perl_class(before) {
            self.rest = rest;
            let mut class = Class::new(folds_case);
            class.add_ascii(ranges, is_negated);
            self.push(Piece::class(class));
        } else {
            let (code_point, rest) = escape(before)?;
            self.rest = rest;
            self.push(match char::from_u32(code_point) {
                Some(c) => Piece::char(c, folds_case),
                // A surrogate is in no text: the empty class.
                None => Piece::class(Class::new(folds_case)),
            });
        }
        Ok(())
    }

    /// `\Q…\E`, or to the end.
    fn quoted(&mut self) -> Result<(), Failure> {
        let quoted = &self.rest[2..];
        let (text, rest) = quoted.split_once("\\E").unwrap_or((quoted, ""));
        self.rest = rest;
        for c in text.chars() {
            self.push(Piece::char(c, self.flags.folds_case));
        }
        Ok(())
    }
}

/// The counts behind `{`, and what follows `}`. A count that is too big to be one is `u32::MAX`.
fn repeat_counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (min, rest) = count(text.strip_prefix('{')?)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, Some(min), rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, None, rest));
    }
    let (max, rest) = count(rest)?;
    Some((min, Some(max), rest.strip_prefix('}')?))
}

/// Digits without leading zeros.
fn count(text: &str) -> Option<(u32, &str)> {
    let len = text
        .bytes()
        .position(|c| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(len);
    if digits.is_empty() || (len > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}

/// A backslash that stands for one code point, and what follows; also within `[…]`.
pub(super) fn escape(before: &str) -> Result<(u32, &str), Failure> {
    let mut rest = &before[1..];
    let Some(c) = next_char(&mut rest) else {
        return Failure::at(Problem::TrailingBackslash, "");
    };
    let plain = match c {
        'x' => return hexadecimal(before, rest),
        '0' => return Ok(octal(0, rest)),
        '1'..='7' if rest.starts_with(|next| matches!(next, '0'..='7')) => {
            return Ok(octal(u32::from(c) - u32::from('0'), rest));
        }
        'a' => 0x07,
        'f' => 0x0C,
        'n' => 0x0A,
        'r' => 0x0D,
        't' => 0x09,
        'v' => 0x0B,
        _ if c.is_ascii() && !c.is_ascii_alphanumeric() => u32::from(c),
        _ => return Failure::at(Problem::Escape, up_to(before, rest)),
    };
    Ok((plain, rest))
}

/// Up to two more octal digits.
fn octal(mut code_point: u32, mut rest: &str) -> (u32, &str) {
    for _ in 0..2 {
        let Some(digit) = rest.chars().next().and_then(|c| c.to_digit(8)) else {
            break;
        };
        code_point = code_point * 8 + digit;
        rest = &rest[1..];
    }
    (code_point, rest)
}

/// `\x0f` or `\x{10ffff}`. What is refused ends where reading stopped.
fn hexadecimal<'a>(before: &'a str, mut rest: &'a str) -> Result<(u32, &'a str), Failure> {
    let first = next_char(&mut rest);
    if first != Some('{') {
        let second = first.and_then(|_| next_char(&mut rest));
        let digit = |c: Option<char>| c.and_then(|c| c.to_digit(16));
        return match (digit(first), digit(second)) {
            (Some(high), Some(low)) => Ok((high * 16 + low, rest)),
            _ => Failure::at(Problem::Escape, up_to(before, rest)),
        };
    }
    let (mut code_point, mut n_digits) = (0, 0);
    while let Some(c) = next_char(&mut rest) {
        match c.to_digit(16) {
            Some(digit) if code_point * 16 + digit <= u32::from(char::MAX) => {
                code_point = code_point * 16 + digit;
                n_digits += 1;
            }
            None if c == '}' && n_digits > 0 => return Ok((code_point, rest)),
            _ => break,
        }
    }
    Failure::at(Problem::Escape, up_to(before, rest))
}

/// Takes the first character off.
pub(super) fn next_char(rest: &mut &str) -> Option<char> {
    let c = rest.chars().next()?;
    *rest = &rest[c.len_utf8()..];
    Some(c)
}

/// What of `before` was read when `rest` is left of it.
pub(super) fn up_to<'a>(before: &'a str, rest: &str) -> &'a str {
    &before[..before.len() - rest.len()]
}
