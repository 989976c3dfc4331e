//! Texts and characters in quotes, as Go shows them.
//!
//! *Sources*: Go, `strconv.Quote`, `strconv.QuoteRune`, `fmt` for `%#U`.

use std::fmt::{self, Write as _};

/// A text in double quotes.
pub struct Quoted<'a>(pub &'a str);

/// A character in single quotes.
pub struct QuotedChar(pub char);

/// A character by its number, and in single quotes as it is when it can be printed: `U+0061 'a'`.
pub struct CodePoint(pub char);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            write_escaped(f, c, '"')?;
        }
        f.write_char('"')
    }
}

impl fmt::Display for QuotedChar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('\'')?;
        write_escaped(f, self.0, '\'')?;
        f.write_char('\'')
    }
}

impl fmt::Display for CodePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "U+{:04X}", u32::from(self.0))?;
        if is_printed(self.0) {
            write!(f, " '{}'", self.0)?;
        }
        Ok(())
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, c: char, quote: char) -> fmt::Result {
    match c {
        '\\' => f.write_str("\\\\"),
        '\n' => f.write_str("\\n"),
        '\t' => f.write_str("\\t"),
        '\r' => f.write_str("\\r"),
        '\u{7}' => f.write_str("\\a"),
        '\u{8}' => f.write_str("\\b"),
        '\u{b}' => f.write_str("\\v"),
        '\u{c}' => f.write_str("\\f"),
        c if c == quote => write!(f, "\\{c}"),
        c if is_printed(c) => f.write_char(c),
        c if c.is_ascii() => write!(f, "\\x{:02x}", u32::from(c)),
        c if u32::from(c) > 0xffff => write!(f, "\\U{:08x}", u32::from(c)),
        c => write!(f, "\\u{:04x}", u32::from(c)),
    }
}

/// Whether Go prints a character as it is: letters, marks, digits, punctuation, symbols, and of
/// spaces that of ASCII.
fn is_printed(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // Behind another character marks are left as they are, which is Go's way.
    let behind: String = ['a', c].iter().collect();
    c.is_alphanumeric() || behind.escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_quoted_as_in_go() {
        for (c, quoted, code_point) in [
            ('a', "'a'", "U+0061 'a'"),
            ('"', "'\"'", "U+0022 '\"'"),
            ('\'', "'\\''", "U+0027 '''"),
            ('\\', "'\\\\'", "U+005C '\\'"),
            ('\0', "'\\x00'", "U+0000"),
            ('\u{7}', "'\\a'", "U+0007"),
            ('\u{7f}', "'\\x7f'", "U+007F"),
            ('\u{a0}', "'\\u00a0'", "U+00A0"),
            ('é', "'é'", "U+00E9 'é'"),
            ('\u{301}', "'\u{301}'", "U+0301 '\u{301}'"),
            ('\u{378}', "'\\u0378'", "U+0378"),
            ('\u{e000}', "'\\ue000'", "U+E000"),
            ('\u{fffd}', "'\u{fffd}'", "U+FFFD '\u{fffd}'"),
            ('\u{e0001}', "'\\U000e0001'", "U+E0001"),
        ] {
            assert_eq!(QuotedChar(c).to_string(), quoted);
            assert_eq!(CodePoint(c).to_string(), code_point);
        }
    }
}
