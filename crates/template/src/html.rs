//! HTML: what a value has to become at the place where it is put.
//!
//! The place follows from the text before it: between tags, in an attribute, in an address.
//!
//! *Not here*: scripts and style sheets; messages have none.
//!
//! *Sources*: Go, `html/template` (`html.go`, `url.go`, `transition.go`).

use std::fmt::Write as _;

/// Where in a document the text has got to.
#[derive(Default)]
pub(crate) struct Html {
    place: Place,
    /// Name of the attribute that is being read, in lower case.
    attribute: String,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Between,
    Tag,
    BeforeValue,
    /// In the value of an attribute, which ends with this, or with a blank.
    Value(Option<char>, Part),
}

/// How far the value of an attribute has got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// It is no address.
    Plain,
    Start,
    Path,
    Query,
}

impl Html {
    /// Goes on over a text of the template itself.
    pub(crate) fn pass(&mut self, text: &str) {
        text.chars().for_each(|c| self.pass_char(c));
    }

    fn pass_char(&mut self, c: char) {
        self.place = match (self.place, c) {
            (Place::Between, '<') => {
                self.attribute.clear();
                Place::Tag
            }
            (Place::Between, _) | (Place::Tag, '>') => Place::Between,
            (Place::Tag, '=') => Place::BeforeValue,
            (Place::Tag, c) => {
                if c.is_whitespace() {
                    self.attribute.clear();
                } else {
                    self.attribute.push(c.to_ascii_lowercase());
                }
                Place::Tag
            }
            (Place::BeforeValue, c) if c.is_whitespace() => Place::BeforeValue,
            (Place::BeforeValue, '>') => Place::Between,
            (Place::BeforeValue, '"' | '\'') => Place::Value(Some(c), self.first_part()),
            (Place::BeforeValue, c) => Place::Value(None, next_part(self.first_part(), c)),
            (Place::Value(Some(end), _), c) if c == end => Place::Tag,
            (Place::Value(None, _), '>') => Place::Between,
            (Place::Value(None, _), c) if c.is_whitespace() => Place::Tag,
            (Place::Value(end, part), c) => Place::Value(end, next_part(part, c)),
        };
        if self.place == Place::Tag && matches!(c, '"' | '\'') {
            self.attribute.clear();
        }
    }

    fn first_part(&self) -> Part {
        if ADDRESSES.contains(&&*self.attribute) {
            Part::Start
        } else {
            Part::Plain
        }
    }

    /// Whether a value would stand in the query of an address.
    pub(crate) fn is_in_query(&self) -> bool {
        matches!(self.place, Place::Value(_, Part::Query))
    }

    /// A value, as it has to stand here.
    pub(crate) fn put(&mut self, text: &str) -> String {
        if self.place == Place::BeforeValue {
            self.place = Place::Value(None, self.first_part());
        }
        let Place::Value(end, part) = self.place else {
            return escaped(text, false);
        };
        let value = match part {
            Part::Plain => escaped(text, end.is_none()),
            Part::Start if !is_harmless(text) => UNSAFE.to_owned(),
            Part::Start | Part::Path => escaped(&address(text, true), end.is_none()),
            Part::Query => address(text, false),
        };
        let part = if part == Part::Start && !text.is_empty() {
            Part::Path
        } else {
            part
        };
        self.place = Place::Value(end, text.chars().fold(part, next_part));
        value
    }
}

fn next_part(part: Part, c: char) -> Part {
    match (part, c) {
        (Part::Plain | Part::Query, _) => part,
        (_, '?' | '#') => Part::Query,
        _ => Part::Path,
    }
}

fn escaped(text: &str, also_blanks: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => escaped.push('\u{fffd}'),
            '"' => escaped.push_str("&#34;"),
            '&' => escaped.push_str("&amp;"),
            '\'' => escaped.push_str("&#39;"),
            '+' => escaped.push_str("&#43;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if also_blanks && (c.is_ascii_whitespace() || matches!(c, '=' | '`')) => {
                // Writing to a string cannot fail.
                _ = write!(escaped, "&#{};", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Whether an address begins with no scheme, or one that runs nothing.
fn is_harmless(url: &str) -> bool {
    match url.split_once(':') {
        Some((scheme, _)) if !scheme.contains('/') => ["http", "https", "mailto"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known)),
        _ => true,
    }
}

/// A part of an address; a whole one keeps what divides its parts.
fn address(text: &str, is_whole: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    for (idx, &byte) in bytes.iter().enumerate() {
        let is_kept = match byte {
            b'-' | b'.' | b'_' | b'~' => true,
            b'%' => {
                let digits = bytes.get(idx + 1..idx + 3);
                is_whole && digits.is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
            }
            byte if b"!#$&*+,/:;=?@[]".contains(&byte) => is_whole,
            byte => byte.is_ascii_alphanumeric(),
        };
        if is_kept {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

/// Attributes that hold an address.
const ADDRESSES: [&str; 8] = [
    "action",
    "background",
    "cite",
    "data",
    "formaction",
    "href",
    "poster",
    "src",
];
/// Go's word for what could run something.
const UNSAFE: &str = "#ZgotmplZ";
