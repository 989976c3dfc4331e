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
