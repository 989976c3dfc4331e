//! Replacement texts: `$1`, `${name}`, and `$$` for a dollar.
//!
//! *Sources*: Go, `regexp/regexp.go`, `Regexp.Expand`.

use std::ops::Range;
use std::sync::LazyLock;

use regex_syntax::hir::ClassUnicode;

use super::unicode;

/// A number of a group that is too big to be one.
const NUMBER_MAX: usize = 100_000_000;

/// What a replacement refers to.
enum Reference<'a> {
    Number(usize),
    Name(&'a str),
}

/// What the groups of an expression caught in `value`; the whole match is number 0.
pub(super) struct Caught<'a> {
    pub value: &'a str,
    pub names: &'a [Option<Box<str>>],
    pub groups: &'a [Option<Range<usize>>],
}

impl<'a> Caught<'a> {
    fn number(&self, number: usize) -> Option<&'a str> {
        let range = self.groups.get(number)?.clone()?;
        self.value.get(range)
    }

    /// Of groups with the same name, the first that caught something.
    fn name(&self, name: &str) -> Option<&'a str> {
        let named = self.names.iter().enumerate();
        named
            .filter(|(_, known)| known.as_deref() == Some(name))
            .find_map(|(number, _)| self.number(number))
    }

    /// Appends the replacement; what caught nothing is empty.
    pub(super) fn expand(&self, mut template: &str, expanded: &mut String) {
        while let Some((before, after)) = template.split_once('$') {
            expanded.push_str(before);
            template = after;
            if let Some(rest) = template.strip_prefix('$') {
                expanded.push('$');
                template = rest;
                continue;
            }
            let Some((reference, rest)) = reference(template) else {
                expanded.push('$');
                continue;
            };
            template = rest;
            let caught = match reference {
                Reference::Number(number) => self.number(number),
                Reference::Name(name) => self.name(name),
            };
            expanded.push_str(caught.unwrap_or(""));
        }
        expanded.push_str(template);
    }
}

/// The reference after a dollar, and what follows it.
fn reference(text: &str) -> Option<(Reference<'_>, &str)> {
    let (text, has_brace) = match text.strip_prefix('{') {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let len = text.find(|c| !is_name_char(c)).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(len);
    if name.is_empty() {
        return None;
    }
    if has_brace {
        rest = rest.strip_prefix('}')?;
    }
    let has_leading_zero = name.len() > 1 && name.starts_with('0');
    let is_number = name.bytes().all(|c| c.is_ascii_digit()) && !has_leading_zero;
    let number = name
        .parse()
        .ok()
        .filter(|number| is_number && *number < NUMBER_MAX * 10);
    let reference = number.map_or(Reference::Name(name), Reference::Number);
    Some((reference, rest))
}

/// Letters and decimal digits of any script, and `_`.
fn is_name_char(c: char) -> bool {
    static LETTERS_AND_DIGITS: LazyLock<ClassUnicode> = LazyLock::new(|| {
        let mut class = unicode::class("L").unwrap_or_else(ClassUnicode::empty);
        if let Some(digits) = unicode::class("Nd") {
            class.union(&digits);
        }
        class
    });
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let ranges = LETTERS_AND_DIGITS.ranges();
    let after = ranges.partition_point(|range| range.start() <= c);
    after > 0 && c <= ranges[after - 1].end()
}
