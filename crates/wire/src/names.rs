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

/// A name in which everything outside the older alphabet is an underscore. `:` is part of it for
/// names of metrics.
#[must_use]
pub fn with_underscores(name: &str, is_metric: bool) -> Cow<'_, str> {
    let is_fine = |(idx, c): (usize, char)| {
        c.is_ascii_alphabetic()
            || c == '_'
            || (c == ':' && is_metric)
            || (c.is_ascii_digit() && idx > 0)
    };
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
        assert_eq!(with_underscores("9a.b:c€", true), "_a_b:c_");
        assert_eq!(with_underscores("a:b", false), "a_b");
    }
}
