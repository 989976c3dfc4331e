//! Names of metrics and labels where only the older, narrower alphabet is allowed.
//!
//! *Sources*: `prometheus/common`, `model/metric.go`, `UnescapeName` and `EscapeName`.

use std::borrow::Cow;

/// The name behind `U__…`, in which `__` stands for an underscore and `_2e_` for the character of
/// that number. Any other text, and one with a mistake, stands for itself.
#[must_use]
pub fn unescape(text: &str) -> Cow<'_, str> {
    let escaped = text.strip_prefix("U__");
    let name = escaped.and_then(|escaped| {
        let mut name = String::new();
        let mut rest = escaped;
        while let Some((plain, tail)) = rest.split_once('_') {
            let (code, tail) = tail.split_once('_')?;
            name.push_str(plain);
            name.push(match code {
                "" => '_',
                code if code.len() > CODE_DIGITS_MAX => return None,
                // A sign is no digit.
                code if !code.bytes().all(|it| it.is_ascii_hexdigit()) => return None,
                code => char::from_u32(u32::from_str_radix(code, 16).ok()?)?,
            });
            rest = tail;
        }
        name.push_str(rest);
        Some(name)
    });
    name.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// How names are written for who knows only the older alphabet, or that they are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Escaping {
    /// As they are.
    AllowUtf8,
    /// See [`with_underscores`].
    #[default]
    Underscores,
    /// A dot is `_dot_`, an underscore is two, and so is everything else.
    Dots,
    /// What [`unescape`] reads.
    Values,
}

impl Escaping {
    const ALL: [(Self, &'static str); 4] = [
        (Self::AllowUtf8, "allow-utf-8"),
        (Self::Underscores, "underscores"),
        (Self::Dots, "dots"),
        (Self::Values, "values"),
    ];

    /// The one of that name in a header.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(escaping, _)| *escaping)
    }

    /// Its name in a header.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(known, _)| *known == self);
        found.map_or("", |(_, name)| name)
    }

    /// A name as it is written. One of the older alphabet stands for itself.
    #[must_use]
    pub fn write(self, name: &str, is_metric: bool) -> Cow<'_, str> {
        let is_plain = |it: (usize, char)| is_of_older_alphabet(it, is_metric);
        if self == Self::AllowUtf8 || name.char_indices().all(is_plain) {
            return Cow::Borrowed(name);
        }
        if self == Self::Underscores {
            return with_underscores(name, is_metric);
        }
        let mut escaped = String::new();
        if self == Self::Values {
            escaped.push_str("U__");
        }
        for (idx, c) in name.char_indices() {
            match c {
                '_' => escaped.push_str("__"),
                c if is_plain((idx, c)) => escaped.push(c),
                c if self == Self::Values => escaped.push_str(&format!("_{:x}_", u32::from(c))),
                '.' => escaped.push_str("_dot_"),
                _ => escaped.push_str("__"),
            }
        }
        Cow::Owned(escaped)
    }
}

fn is_of_older_alphabet((idx, c): (usize, char), is_metric: bool) -> bool {
    c.is_ascii_alphabetic()
        || c == '_'
        || (c == ':' && is_metric)
        || (c.is_ascii_digit() && idx > 0)
}

/// A name in which everything outside the older alphabet is an underscore. `:` is part of it for
/// names of metrics.
#[must_use]
pub fn with_underscores(name: &str, is_metric: bool) -> Cow<'_, str> {
    let is_fine = |it: (usize, char)| is_of_older_alphabet(it, is_metric);
    if name.char_indices().all(is_fine) {
        return Cow::Borrowed(name);
    }
    let chars = name.char_indices();
    let escaped = chars.map(|it| if is_fine(it) { it.1 } else { '_' });
    Cow::Owned(escaped.collect())
}

/// Digits of the largest character's number.
const CODE_DIGITS_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_are_read_and_mistaken_ones_stand_for_themselves() {
        for (text, expected) in [
            ("job", "job"),
            ("U__a_2e_b", "a.b"),
            ("U__a__b_20AC_", "a_b€"),
            ("U__a_2", "U__a_2"),
            ("U__a_", "U__a_"),
            ("U__a_zz_", "U__a_zz_"),
            ("U__a_+2_", "U__a_+2_"),
            ("U__a_d800_", "U__a_d800_"),
            ("U__a_0000041_", "U__a_0000041_"),
        ] {
            assert_eq!(unescape(text), expected);
        }
        for (escaping, name, expected) in [
            (Escaping::AllowUtf8, "a.b_c", "a.b_c"),
            (Escaping::Underscores, "a.b_c", "a_b_c"),
            (Escaping::Dots, "a.b_c€", "a_dot_b__c__"),
            (Escaping::Dots, "9a.b", "__a_dot_b"),
            (Escaping::Values, "a.b_c€", "U__a_2e_b__c_20ac_"),
            (Escaping::Values, "9a", "U___39_a"),
            (Escaping::Dots, "a_b", "a_b"),
            (Escaping::Values, "a_b", "a_b"),
        ] {
            assert_eq!(escaping.write(name, true), expected, "{escaping:?}");
            assert_eq!(Escaping::of_name(escaping.name()), Some(escaping));
        }
        assert_eq!(unescape("U__a_2e_b__c_20ac_"), "a.b_c€");
        assert_eq!(Escaping::of_name("dashes"), None);
        assert_eq!(with_underscores("9a.b:c€", true), "_a_b:c_");
        assert_eq!(with_underscores("a:b", false), "a_b");
    }
}
