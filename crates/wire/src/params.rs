//! Parameters of requests: `name=value` pairs of the query and of a form in the body.
//!
//! *Sources*: WHATWG URL, `application/x-www-form-urlencoded`; Go, `net/url.ParseQuery`.

use std::string::FromUtf8Error;

/// Decoded parameters in the order in which they came.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Decodes encoded texts, such as a form's body and then a URL's query (without the `?`); as in
    /// Go, an earlier text has precedence, and a pair with a stray `%` or a `;` is as if it were not
    /// there. What is not UTF-8 is replaced.
    #[must_use]
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let pairs = texts.into_iter().flat_map(|text| text.split('&'));
        let pairs = pairs.filter(|pair| !pair.is_empty() && !pair.contains(';'));
        let pairs = pairs.filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        });
        Self(pairs.take(PARAMS_MAX).collect())
    }

    /// These, and those of an encoded text for names that are not among them.
    #[must_use]
    pub fn or(&self, defaults: &str) -> Self {
        let more = Self::parse([defaults]).0.into_iter();
        let more = more.filter(|(name, _)| self.get(name).is_none());
        Self(self.0.iter().cloned().chain(more).collect())
    }

    /// The first value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let first = self.0.iter().find(|(known, _)| known == name);
        first.map(|(_, value)| value.as_str())
    }

    /// All of them, name and value, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// All values of a name.
    pub fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        let same = self.0.iter().filter(move |(known, _)| known == name);
        same.map(|(_, value)| value.as_str())
    }
}

/// `None` where a `%` is not followed by two digits.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let (decoded, later) = match byte {
            b'+' => (b' ', tail),
            b'%' => (hex_byte(tail.first_chunk()?)?, &tail[2..]),
            byte => (*byte, tail),
        };
        bytes.push(decoded);
        rest = later;
    }
    let text = String::from_utf8(bytes);
    let replaced = |error: FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
    Some(text.unwrap_or_else(replaced))
}

fn hex_byte(digits: &[u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

/// How many parameters are looked at; those that follow are passed over.
pub const PARAMS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_first_value_counts() {
        let params = Params::parse([
            "query=a%2Bb+%c3%a9&&match[]=x",
            "query=z&match%5B%5D=y&flag",
        ]);
        assert_eq!(params.get("query"), Some("a+b é"));
        assert_eq!(params.all("match[]").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!((params.get("flag"), params.get("none")), (Some(""), None));
        let params = Params::parse(["a=%&b=%4&c=%zz&d=%ff&e=1;f=2&%=3&g=4"]);
        let known: Vec<_> = params.iter().collect();
        assert_eq!(known, [("d", "\u{fffd}"), ("g", "4")]);
    }
}
