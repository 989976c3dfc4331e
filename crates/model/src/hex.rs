//! Bytes as hexadecimal text.

use std::fmt::Write as _;

/// Two small digits for each byte.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of a text of hexadecimal digits, small or large; `None` when it is none.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8));
    let bytes: Option<Vec<u8>> = bytes.collect();
    bytes.filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_goes_there_and_back() {
        for (bytes, text) in [(&[][..], ""), (&[0], "00"), (&[0xab, 0x0f], "ab0f")] {
            assert_eq!(hex(bytes), text);
            assert_eq!(from_hex(&text.to_uppercase()).as_deref(), Some(bytes));
        }
        for wrong in ["a", "0g", "0x00", "\u{e9}"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
