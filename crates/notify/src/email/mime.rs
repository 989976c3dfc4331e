//! Mail as text: headers in words of ASCII, and a body of several forms.
//!
//! *Invariants*: no value of a header begins another one: what is not printable is encoded. Lines end
//! with CR LF.
//!
//! *Sources*: RFC 2045 (quoted-printable), RFC 2046 (multipart), RFC 2047 (encoded words); Go,
//! `mime`, `mime/quotedprintable`, `mime/multipart`, which Alertmanager uses.

use firebell_model::hex;
use sha2::{Digest as _, Sha256};

/// A mail of some headers, whose body has the same content in several forms, the best one last.
pub(crate) fn message(headers: &[(String, String)], parts: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    // What a text says of itself it cannot hold: a digest of all makes a line that is in none.
    let digest = Sha256::digest(format!("{headers:?}{parts:?}"));
    let boundary = &hex(&digest)[..BOUNDARY_CHARS];
    text.push_str(&format!(
        "Content-Type: multipart/alternative;  boundary={boundary}\r\nMIME-Version: 1.0\r\n\r\n"
    ));
    for (idx, (kind, content)) in parts.iter().enumerate() {
        let begin = if idx == 0 { "" } else { "\r\n" };
        text.push_str(&format!(
            "{begin}--{boundary}\r\nContent-Transfer-Encoding: quoted-printable\r\n\
             Content-Type: {kind}; charset=UTF-8\r\n\r\n{}",
            quoted_printable(content)
        ));
    }
    text.push_str(&format!("\r\n--{boundary}--\r\n"));
    text
}

/// The value of a header: as it is when it is printable, in several lines when it is too long for
/// one, else in encoded words.
pub(crate) fn header_value(text: &str) -> String {
    let is_printable = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    let is_printable = text.bytes().all(is_printable);
    if let Some(folded) = is_printable.then(|| folded(text)).flatten() {
        return folded;
    }
    let (mut encoded, mut n_chars) = (WORD_BEGIN.to_owned(), 0);
    for c in text.chars() {
        let is_plain = matches!(c, ' '..='~') && !"=?_".contains(c);
        let width = if is_plain { 1 } else { 3 * c.len_utf8() };
        if n_chars + width > WORD_CHARS_MAX {
            encoded.push_str("?=\r\n ");
            encoded.push_str(WORD_BEGIN);
            n_chars = 0;
        }
        n_chars += width;
        match c {
            ' ' => encoded.push('_'),
            c if is_plain => encoded.push(c),
            c => push_hex(&mut encoded, c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    encoded.push_str("?=");
    encoded
}

/// The text in lines that a header may have: they end between two words, before the one blank there,
/// so that none is blank. `None` when there is no such place in time.
fn folded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_blank = |at: usize| matches!(bytes.get(at), None | Some(b' ' | b'\t'));
    let is_place = |at: &usize| is_blank(*at) && !is_blank(at - 1) && !is_blank(at + 1);
    let places = (1..bytes.len()).filter(is_place);
    let (mut folded, mut begin, mut last) = (String::with_capacity(text.len()), 0, 0);
    for at in places.chain([bytes.len()]) {
        if at - begin > LINE_BYTES_MAX {
            if last == begin || at - last > LINE_BYTES_MAX {
                return None;
            }
            folded.push_str(&text[begin..last]);
            folded.push_str("\r\n");
            begin = last;
        }
        last = at;
    }
    folded.push_str(&text[begin..]);
    Some(folded)
}

/// The text in lines of ASCII of at most 76 characters; each of its lines ends with CR LF.
fn quoted_printable(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + text.len() / 8);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for (idx, line) in text.split('\n').enumerate() {
        if idx > 0 {
            encoded.push_str("\r\n");
        }
        let mut n_chars = 0;
        for (idx, c) in line.char_indices() {
            let is_last = idx + c.len_utf8() == line.len();
            let is_plain = match c {
                ' ' | '\t' => !is_last,
                c => matches!(c, '!'..='~') && c != '=',
            };
            let width = if is_plain { 1 } else { 3 * c.len_utf8() };
            if n_chars + width > QUOTED_CHARS_MAX {
                encoded.push_str("=\r\n");
                n_chars = 0;
            }
            n_chars += width;
            match is_plain {
                true => encoded.push(c),
                false => push_hex(&mut encoded, c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    encoded
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str(&format!("={byte:02X}"));
    }
}

const WORD_BEGIN: &str = "=?utf-8?q?";
/// An encoded word has at most 75 characters, with what begins and ends it.
const WORD_CHARS_MAX: usize = 63;
/// A line has at most 76, one of them for `=` where it goes on.
const QUOTED_CHARS_MAX: usize = 75;
/// A line of a mail has at most 998 bytes, the name of the header among them.
const LINE_BYTES_MAX: usize = 900;
const BOUNDARY_CHARS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_headers_are_encoded_where_they_have_to_be() {
        let long = "é".repeat(12);
        for (text, expected) in [
            ("[FIRING:1] Down", "[FIRING:1] Down"),
            ("a\tb", "a\tb"),
            ("é b?", "=?utf-8?q?=C3=A9_b=3F?="),
            (
                "x\r\nBcc: a@b\n\n<html>",
                "=?utf-8?q?x=0D=0ABcc:_a@b=0A=0A<html>?=",
            ),
            (
                &long,
                "=?utf-8?q?=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9?=\r\n \
                 =?utf-8?q?=C3=A9=C3=A9?=",
            ),
        ] {
            assert_eq!(header_value(text), expected);
        }
        let folded = header_value(&"x".repeat(1000));
        assert!(folded.lines().all(|line| line.len() <= 76), "{folded}");
        // Names of many addresses stay what they are.
        let to = "someone@example.com, ".repeat(100);
        let folded = header_value(to.trim_end());
        assert!(folded.lines().all(|line| line.len() <= 901), "{folded}");
        assert_eq!(folded.replace("\r\n", ""), to.trim_end());
        // No line is blank: that would end the headers.
        for blanks in [" ".repeat(1900), " ".repeat(899), "\t ".repeat(950)] {
            for text in [
                format!("a{blanks}x"),
                format!("{blanks}x"),
                format!("a{blanks}"),
            ] {
                let value = header_value(&text);
                let mut lines = value.split("\r\n").skip(1);
                assert!(lines.all(|line| !line.trim().is_empty()), "{value:?}");
            }
        }
    }

    #[test]
    fn bodies_keep_their_lines_and_blanks() {
        for (text, expected) in [
            ("", ""),
            ("a=b\n", "a=3Db\r\n"),
            ("a \n\tb\t\r\nc", "a=20\r\n\tb=09\r\nc"),
            ("a\rb", "a\r\nb"),
            (".\n", ".\r\n"),
            ("é…", "=C3=A9=E2=80=A6"),
        ] {
            assert_eq!(quoted_printable(text), expected, "{text:?}");
        }
        let long = quoted_printable(&"x".repeat(200));
        let lines: Vec<_> = long.lines().map(str::len).collect();
        assert_eq!(lines, [76, 76, 50]);
    }
}
