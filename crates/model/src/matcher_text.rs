//! Alertmanager's matcher language: `foo="bar"`, `{a=~"b|c", "d e"!="f"}`, read and written.
//!
//! Upstream is moving from a tolerant *classic* grammar to a strict *UTF-8* one. By default it
//! reads a text with both; where both understand it differently, classic wins, and where neither
//! does, classic's complaint is shown. The same here, so the UTF-8 reader needs no error texts.
//!
//! *Sources*: Alertmanager, `matcher/compat`, `matcher/parse`, `pkg/labels/parse.go`,
//! `pkg/labels/matcher.go`; `common/model/labelset_string.go`.

use std::fmt::Write as _;

use crate::quoted::Quoted;
use crate::{Labels, MatchOp, Matcher, RegexError};

/// A text that is no matcher, in upstream's words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MatcherTextError {
    /// One matcher is wanted, without braces.
    #[error("unexpected open or close brace: {0}")]
    Brace(String),
    /// Not of the form name, operator, value.
    #[error("bad matcher format: {0}")]
    Format(String),
    /// A quote inside of the value, or at one end only.
    #[error("matcher value contains unescaped double quote: {0}")]
    Quote(String),
    /// The value of `=~` or `!~` is no regular expression.
    #[error(transparent)]
    Regex(RegexError),
}

impl Matcher {
    /// Reads one matcher, as `filter=` of Alertmanager's API and `amtool` take it.
    ///
    /// # Errors
    /// When neither grammar understands the text; in upstream's words.
    pub fn parse(text: &str) -> Result<Self, MatcherTextError> {
        if text.starts_with('{') || text.ends_with('}') {
            return Err(MatcherTextError::Brace(text.to_owned()));
        }
        let utf8 = utf8_matchers(text).filter(|matchers| matchers.len() == 1);
        match (classic_matcher(text), utf8) {
            (Ok(classic), _) => Ok(classic),
            (Err(error), None) => Err(error),
            (Err(_), Some(mut utf8)) => Ok(utf8.remove(0)),
        }
    }
}

/// Reads any number of matchers, with or without braces, as `matchers:` of a route takes them.
///
/// # Errors
/// When neither grammar understands the text; in upstream's words.
pub fn parse_matchers(text: &str) -> Result<Vec<Matcher>, MatcherTextError> {
    classic_matchers(text).or_else(|error| utf8_matchers(text).ok_or(error))
}

/// `{a="b",c=~"d"}`: how upstream prints matchers in group keys.
#[must_use]
pub fn matchers_text(matchers: &[Matcher]) -> String {
    let mut text = String::from("{");
    for (idx, matcher) in matchers.iter().enumerate() {
        if idx > 0 {
            text.push(',');
        }
        push_matcher(&mut text, matcher);
    }
    text.push('}');
    text
}

/// `{a="b", c="d"}`: how upstream prints the labels of a group.
#[must_use]
pub fn label_set_text(labels: &Labels) -> String {
    let mut text = String::from("{");
    for (idx, label) in labels.iter().enumerate() {
        let separator = if idx == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{}={}", label.name, Quoted(&label.value));
    }
    text.push('}');
    text
}

fn push_matcher(text: &mut String, matcher: &Matcher) {
    let (name, op, value) = (matcher.name(), matcher.op(), matcher.value());
    let _ = if name.contains(is_reserved) {
        write!(text, "{}{op}{}", Quoted(name), Quoted(value))
    } else {
        let value = value
            .replace('\\', "\\\\")
            .replace('\n', "\\n")
            .replace('"', "\\\"");
        write!(text, "{name}{op}\"{value}\"")
    };
}

// --- the classic grammar -------------------------------------------------------------------------

fn classic_matcher(text: &str) -> Result<Matcher, MatcherTextError> {
    let failed = || MatcherTextError::Format(text.to_owned());
    let rest = text.trim_start_matches(is_go_space);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let name_len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(name_len);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(failed());
    }
    let rest = rest.trim_start_matches(is_go_space);
    let (op, rest) = OPERATORS
        .iter()
        .find_map(|(sign, op)| Some((*op, rest.strip_prefix(sign)?)))
        .ok_or_else(failed)?;
    let value = classic_value(rest.trim_matches(is_go_space))?;
    Matcher::alertmanager(name, op, value).map_err(MatcherTextError::Regex)
}

// The longer signs first, else `=~` would be read as `=` with the value `~…`.
const OPERATORS: [(&str, MatchOp); 4] = [
    ("=~", MatchOp::Regex),
    ("=", MatchOp::Equal),
    ("!=", MatchOp::NotEqual),
    ("!~", MatchOp::NotRegex),
];

// Quotes are optional. A backslash that escapes nothing stands for itself.
fn classic_value(raw: &str) -> Result<String, MatcherTextError> {
    let failed = || Err(MatcherTextError::Quote(raw.to_owned()));
    let (inner, mut is_open) = match raw.strip_prefix('"') {
        Some(inner) => (inner, true),
        None => (raw, false),
    };
    let mut value = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(c @ ('"' | '\\')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => value.push('\\'),
            },
            '"' if is_open && chars.as_str().is_empty() => is_open = false,
            '"' => return failed(),
            c => value.push(c),
        }
    }
    if is_open { failed() } else { Ok(value) }
}

// Commas outside of quotes separate; one at the end is fine.
fn classic_matchers(text: &str) -> Result<Vec<Matcher>, MatcherTextError> {
    let text = text.strip_prefix('{').unwrap_or(text);
    let text = text.strip_suffix('}').unwrap_or(text);
    let (mut is_quoted, mut is_escaped, mut start) = (false, false, 0);
    let mut matchers = Vec::new();
    for (idx, c) in text.char_indices() {
        match c {
            ',' if !is_quoted => {
                matchers.push(classic_matcher(&text[start..idx])?);
                start = idx + 1;
            }
            ',' => {}
            '"' if is_escaped => is_escaped = false,
            '"' => is_quoted = !is_quoted,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    let last = text[start..].trim();
    if !last.is_empty() {
        matchers.push(classic_matcher(last)?);
    }
    Ok(matchers)
}

// What `\s` is in Go's expressions.
fn is_go_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{c}' | '\r' | ' ')
}

// --- the UTF-8 grammar ---------------------------------------------------------------------------

fn is_reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}

// `None` for a text that is not of this grammar.
fn utf8_matchers(text: &str) -> Option<Vec<Matcher>> {
    let mut rest = text.trim_start();
    let is_braced = rest.starts_with('{');
    if is_braced {
        rest = rest[1..].trim_start();
    }
    let mut matchers = Vec::new();
    while !rest.is_empty() && !rest.starts_with('}') {
        let (name, after) = utf8_word(rest)?;
        let (op, after) = OPERATORS
            .iter()
            .find_map(|(sign, op)| Some((*op, after.trim_start().strip_prefix(sign)?)))?;
        let (value, after) = utf8_word(after.trim_start())?;
        matchers.push(Matcher::alertmanager(name, op, value).ok()?);
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None => break,
        }
    }
    let rest = if is_braced {
        rest.strip_prefix('}')?
    } else {
        rest
    };
    rest.trim_start().is_empty().then_some(matchers)
}

// A quoted string, or a run of characters that are not reserved.
fn utf8_word(text: &str) -> Option<(String, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let len = text.find(is_reserved).unwrap_or(text.len());
        return (len > 0).then(|| (text[..len].to_owned(), &text[len..]));
    };
    let mut is_escaped = false;
    let end = inner.find(|c| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    })?;
    Some((go_unquote(&inner[..end])?, &inner[end + 1..]))
}

// What `strconv.Unquote` makes of the inside of a double-quoted string.
fn go_unquote(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' => return None,
            '\\' => rest = go_unescape(rest, &mut bytes)?,
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    String::from_utf8(bytes).ok()
}

// `text` follows a backslash; returns what follows the escape.
fn go_unescape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let code = *text.as_bytes().first()?;
    let simple = b"a\x07b\x08f\x0cn\nr\rt\tv\x0b\\\\\"\""
        .chunks(2)
        .find(|pair| pair[0] == code);
    if let Some(pair) = simple {
        bytes.push(pair[1]);
        return Some(&text[1..]);
    }
    let (start, len, radix) = match code {
        b'x' => (1, 2, 16),
        b'u' => (1, 4, 16),
        b'U' => (1, 8, 16),
        b'0'..=b'7' => (0, 3, 8),
        _ => return None,
    };
    let digits = text.get(start..start + len)?;
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let number = u32::from_str_radix(digits, radix).ok()?;
    if matches!(code, b'u' | b'U') {
        bytes.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        bytes.push(u8::try_from(number).ok()?);
    }
    Some(&text[start + len..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(result: Result<Vec<Matcher>, MatcherTextError>) -> String {
        match result {
            Ok(matchers) => matchers
                .iter()
                .map(|it| format!("{} {} {:?}", it.name(), it.op(), it.value()))
                .collect::<Vec<_>>()
                .join(" & "),
            Err(error) => format!("error: {error}"),
        }
    }

    // Item 56 of the reference: observed on Alertmanager 0.33.1.
    #[test]
    fn one_matcher_is_read_by_both_grammars_and_classic_wins() {
        for (text, expected) in [
            ("foo=bar", r#"foo = "bar""#),
            (r#""foo"="bar""#, r#"foo = "bar""#),
            ("foo = bar", r#"foo = "bar""#),
            (" foo\t!=\n bar ", r#"foo != "bar""#),
            ("foo=bar baz", r#"foo = "bar baz""#),
            ("foo=", r#"foo = """#),
            ("foo==bar", r#"foo = "=bar""#),
            ("foo=!bar", r#"foo = "!bar""#),
            ("Σ=x", r#"Σ = "x""#),
            ("foo.bar=x", r#"foo.bar = "x""#),
            (r#""foo bar"="x""#, r#"foo bar = "x""#),
            ("0foo=x", r#"0foo = "x""#),
            ("a:b=x", r#"a:b = "x""#),
            ("foo='bar'", r#"foo = "'bar'""#),
            ("foo=bar,", r#"foo = "bar,""#),
            ("foo=bar,baz=qux", r#"foo = "bar,baz=qux""#),
            (r#"foo="\u00e9""#, r#"foo = "\\u00e9""#),
            (r#"Σ="\u00e9\x41\101\t""#, r#"Σ = "éAA\t""#),
            (r#"foo="a\"b\\c\nd\e""#, r#"foo = "a\"b\\c\nd\\e""#),
            ("foo=~bar|baz", r#"foo =~ "bar|baz""#),
            ("foo!~", r#"foo !~ """#),
            (
                "{foo=bar}",
                "error: unexpected open or close brace: {foo=bar}",
            ),
            (
                "foo=bar}",
                "error: unexpected open or close brace: foo=bar}",
            ),
            ("foo", "error: bad matcher format: foo"),
            ("=bar", "error: bad matcher format: =bar"),
            ("", "error: bad matcher format: "),
            ("Σ=x,y=z", "error: bad matcher format: Σ=x,y=z"),
            ("Σ='x'", "error: bad matcher format: Σ='x'"),
            (r#"Σ="\q""#, r#"error: bad matcher format: Σ="\q""#),
            (
                r#"foo="bar"x"#,
                r#"error: matcher value contains unescaped double quote: "bar"x"#,
            ),
            (
                r#"foo="a"#,
                r#"error: matcher value contains unescaped double quote: "a"#,
            ),
            (
                r#"foo=a"b"#,
                r#"error: matcher value contains unescaped double quote: a"b"#,
            ),
            (
                "foo=~(",
                "error: error parsing regexp: missing closing ): `^(?:()$`",
            ),
        ] {
            let result = Matcher::parse(text).map(|matcher| vec![matcher]);
            assert_eq!(shown(result), expected, "{text}");
        }
    }

    #[test]
    fn many_matchers_may_stand_in_braces() {
        for (text, expected) in [
            ("", ""),
            ("{}", ""),
            ("{a=b}", r#"a = "b""#),
            ("a=b,c!=d", r#"a = "b" & c != "d""#),
            (r#"{ a = "b,c" , d=~"e", }"#, r#"a = "b,c" & d =~ "e""#),
            (r#"{"a b"="c",Σ=d}"#, r#"a b = "c" & Σ = "d""#),
            (r#"{a="\",b=c"}"#, r#"a = "\",b=c""#),
            ("a=b,,c=d", "error: bad matcher format: "),
            ("{Σ=b", "error: bad matcher format: Σ=b"),
            ("Σ=b}", "error: bad matcher format: Σ=b"),
            (
                "a=~[",
                "error: error parsing regexp: missing closing ]: `[)$`",
            ),
        ] {
            assert_eq!(shown(parse_matchers(text)), expected, "{text}");
        }
    }

    // Item 32 of the reference.
    #[test]
    fn matchers_and_labels_print_as_in_group_keys() {
        let matchers = parse_matchers(r#"{alpha=~"a|b",zeta="1\"\\",Σ="x","a b"="y"}"#).unwrap();
        assert_eq!(
            matchers_text(&matchers),
            r#"{alpha=~"a|b",zeta="1\"\\",Σ="x","a b"="y"}"#
        );
        let labels = Labels::from_pairs([("cluster", "x"), ("alertname", "A2"), ("Σ", "\n")]);
        assert_eq!(
            label_set_text(&labels),
            r#"{alertname="A2", cluster="x", Σ="\n"}"#
        );
        assert_eq!(label_set_text(&Labels::empty()), "{}");
    }
}
