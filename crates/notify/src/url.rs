//! Addresses and forms that are put together from parts.
//!
//! *Sources*: Go, `net/url`, `JoinPath` and `Values.Encode`.

use crate::http::escape_query;

/// An address with one more path at its end.
pub(crate) fn join(url: &str, path: &str) -> String {
    let (url, path) = (url.trim_end_matches('/'), path.trim_start_matches('/'));
    format!("{url}/{path}")
}

/// Pairs as a query, or as the body of a form.
pub(crate) fn form<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut form = String::new();
    for (name, value) in pairs {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(&escape_query(name));
        form.push('=');
        form.push_str(&escape_query(value));
    }
    form
}

/// The type of a body made by [`form`].
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The pairs of a body made by [`form`].
pub(crate) fn form_pairs(form: &str) -> impl Iterator<Item = (String, String)> {
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (unescaped(name), unescaped(value)))
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|it| it.map_or('0', char::from));
                let [high, low] = digits.map(|it| it.to_digit(16).unwrap_or(0) as u8);
                bytes.push(high << 4 | low);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_it_was_written() {
        let pairs = [("a b", "1+1=2 & \u{e4}%"), ("c", "")];
        let read: Vec<(String, String)> = form_pairs(&form(pairs)).collect();
        assert_eq!(
            read,
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}
