//! Texts that have to be short enough for a receiver.
//!
//! *Sources*: Alertmanager, `notify/util.go`, `TruncateInRunes` and `TruncateInBytes`.

/// The first characters, the last of them `…` where something was cut.
pub(crate) fn in_chars(text: String, chars_max: usize) -> String {
    // A text has at most as many characters as bytes.
    if text.len() <= chars_max || text.chars().count() <= chars_max {
        return text;
    }
    if chars_max <= ELLIPSIS_LEN {
        return text.chars().take(chars_max).collect();
    }
    text.chars().take(chars_max - 1).chain([ELLIPSIS]).collect()
}

/// The first bytes that are whole characters, and `…` where something was cut.
pub(crate) fn in_bytes(mut text: String, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text;
    }
    let Some(kept) = bytes_max.checked_sub(ELLIPSIS_LEN) else {
        return ".".repeat(bytes_max);
    };
    text.truncate(char_end(&text, kept));
    text.push(ELLIPSIS);
    text
}

/// Where the last whole character ends within so many bytes.
pub(crate) fn char_end(text: &str, bytes_max: usize) -> usize {
    let mut ends = (0..=bytes_max.min(text.len())).rev();
    ends.find(|end| text.is_char_boundary(*end)).unwrap_or(0)
}

const ELLIPSIS: char = '…';
/// In bytes; upstream takes the same number for characters.
const ELLIPSIS_LEN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_ends_with_an_ellipsis() {
        for (text, chars_max, expected) in [
            ("", 0, ""),
            ("abc", 3, "abc"),
            ("abcd", 3, "abc"),
            ("abcde", 4, "abc…"),
            ("éééé", 4, "éééé"),
            ("ééééé", 4, "ééé…"),
        ] {
            assert_eq!(
                in_chars(text.to_owned(), chars_max),
                expected,
                "{text} {chars_max}"
            );
        }
        for (text, bytes_max, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "…"),
            ("abcd", 2, ".."),
            ("abcde", 4, "a…"),
            ("ééé", 5, "é…"),
        ] {
            let cut = in_bytes(text.to_owned(), bytes_max);
            assert_eq!(cut, expected, "{text} {bytes_max}");
        }
    }
}
