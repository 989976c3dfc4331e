//! What must not leave the process: values of keys that name secrets, and what looks like one.

use std::sync::OnceLock;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::value::Value;

/// Finds and replaces secrets; the default one knows the usual keys and forms.
#[derive(Clone, Debug)]
pub struct Redactor {
    /// `None`: the usual ones.
    patterns: Option<Patterns>,
    allowed: Vec<String>,
    replacement: String,
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
struct Patterns {
    keys: Option<Regex>,
    values: Option<Regex>,
}

/// How much is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Level {
    /// Keys and forms of credentials, and numbers of payment cards.
    #[default]
    Default,
    /// Also addresses of e-mail and of the internet.
    Strict,
    /// Only what is named by whoever sets it up.
    Off,
}

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` is no regular expression: {why}")]
pub struct BadPattern {
    /// Its name, as given.
    pub name: String,
    /// What the parser says.
    pub why: String,
}

impl Default for Redactor {
    fn default() -> Self {
        Self {
            patterns: None,
            allowed: Vec::new(),
            replacement: REPLACEMENT.to_owned(),
        }
    }
}

/// To compile them takes about a millisecond: that is done once, and by who has a text to look at.
fn usual() -> &'static Patterns {
    static MADE: OnceLock<Patterns> = OnceLock::new();
    MADE.get_or_init(|| Patterns::compile(Level::Default, &[], &[]).unwrap_or_default())
}

impl Patterns {
    fn compile(
        level: Level,
        keys: &[String],
        patterns: &[(String, String)],
    ) -> Result<Self, BadPattern> {
        for (name, pattern) in patterns {
            compile(std::slice::from_ref(pattern)).map_err(|why| BadPattern {
                name: name.clone(),
                why,
            })?;
        }
        let known: &[&str] = match level {
            Level::Off => &[],
            Level::Default | Level::Strict => KEYS,
        };
        let own = keys.iter().map(|key| plain(key));
        let mut of_keys: Vec<String> = own.filter(|it| !it.is_empty()).collect();
        of_keys.extend(known.iter().map(|it| (*it).to_owned()));
        let forms: &[&[&str]] = match level {
            Level::Off => &[],
            Level::Default => &[FORMS],
            Level::Strict => &[FORMS, STRICT_FORMS],
        };
        let mut of_values: Vec<String> = patterns
            .iter()
            .map(|(_, pattern)| pattern.clone())
            .collect();
        of_values.extend(forms.concat().into_iter().map(str::to_owned));
        let all = |patterns: &[String]| {
            let made = (!patterns.is_empty())
                .then(|| compile(patterns))
                .transpose();
            made.map_err(|why| BadPattern {
                name: "patterns".into(),
                why,
            })
        };
        Ok(Self {
            keys: all(&of_keys)?,
            values: all(&of_values)?,
        })
    }
}

impl Redactor {
    /// `keys` are parts of names, in any case; `patterns` have a name each; `allowed` are whole names
    /// that are never redacted.
    ///
    /// # Errors
    /// A pattern is no regular expression; of several the first is named.
    pub fn new(
        level: Level,
        keys: &[String],
        patterns: &[(String, String)],
        allowed: Vec<String>,
        replacement: Option<String>,
    ) -> Result<Self, BadPattern> {
        let is_usual = level == Level::Default && keys.is_empty() && patterns.is_empty();
        let own = || Patterns::compile(level, keys, patterns);
        Ok(Self {
            patterns: (!is_usual).then(own).transpose()?,
            allowed,
            replacement: replacement.unwrap_or_else(|| REPLACEMENT.to_owned()),
        })
    }

    fn patterns(&self) -> &Patterns {
        self.patterns.as_ref().unwrap_or_else(|| usual())
    }

    /// What stands for a secret.
    pub fn replacement(&self) -> &str {
        &self.replacement
    }

    /// Whether the value of this key is a secret, whatever it looks like.
    pub fn is_secret(&self, key: &str) -> bool {
        let Some(keys) = &self.patterns().keys else {
            return false;
        };
        let is_plain = key.bytes().all(|it| it.is_ascii_lowercase());
        let found = if is_plain {
            keys.is_match(key)
        } else {
            keys.is_match(&plain(key))
        };
        found && !self.allowed.iter().any(|it| it == key) && !is_count(key)
    }

    /// The text without secrets; `None`: it has none.
    pub fn text(&self, text: &str) -> Option<String> {
        let values = self.patterns().values.as_ref()?;
        let first = values.find(text)?;
        let mut clean = String::with_capacity(text.len());
        let mut done = 0;
        let mut next = Some(first);
        let mut is_changed = false;
        while let Some(found) = next {
            let (start, end) = keep_head(text, found.start(), found.end());
            let secret = text.get(start..end).unwrap_or_default();
            if is_card_at_most(secret) && !is_card(secret) {
                clean.push_str(text.get(done..end).unwrap_or_default());
            } else {
                clean.push_str(text.get(done..start).unwrap_or_default());
                clean.push_str(&self.replacement);
                is_changed = true;
            }
            done = end.max(done);
            // An empty match would be found for ever.
            let start = found.end().max(found.start() + 1);
            next = (start <= text.len())
                .then(|| values.find(regex_automata::Input::new(text).span(start..text.len())))
                .flatten();
        }
        clean.push_str(text.get(done..).unwrap_or_default());
        is_changed.then_some(clean)
    }

    /// Replaces secrets in a value that has a key, and in all that it contains.
    pub fn value(&self, key: &str, value: &mut Value) {
        if !key.is_empty() && !matches!(value, Value::Null) && self.is_secret(key) {
            *value = Value::Text(self.replacement.clone());
            return;
        }
        match value {
            Value::Text(text) => {
                if let Some(clean) = self.text(text) {
                    *text = clean;
                }
            }
            Value::List(values) => values.iter_mut().for_each(|it| self.value("", it)),
            Value::Map(pairs) => pairs.iter_mut().for_each(|(key, it)| self.value(key, it)),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
        }
    }
}

fn compile(patterns: &[String]) -> Result<Regex, String> {
    let patterns: Vec<String> = patterns.iter().map(|it| format!("(?:{it})")).collect();
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(
            Regex::config()
                .utf8_empty(false)
                .nfa_size_limit(Some(1 << 20)),
        )
        .build(&patterns.join("|"))
        .map_err(|error| match error.syntax_error() {
            Some(syntax) => syntax.to_string(),
            None => error.to_string(),
        })
}

/// Small letters and digits only: `API-Key` and `api_key` are one.
fn plain(key: &str) -> String {
    let letters = key.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|it| it.to_ascii_lowercase()).collect()
}

/// How many tokens a model took is no secret.
fn is_count(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["tokens", "token_count", "token_type", "token_usage"]
        .iter()
        .any(|it| key.ends_with(it))
}

/// Of `password=hunter2` the value only, of `https://ana:pw@host` and `Bearer x` what comes after.
fn keep_head(text: &str, start: usize, end: usize) -> (usize, usize) {
    let found = text.get(start..end).unwrap_or_default();
    if let Some(rest) = found.strip_prefix("://") {
        let at = rest.find(':').map_or(start, |at| start + 4 + at);
        return (at, end.saturating_sub(1));
    }
    let lower = found
        .get(..8.min(found.len()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    if lower.starts_with("bearer") || lower.starts_with("basic") {
        return (
            found.rfind([' ', '\t']).map_or(start, |at| start + at + 1),
            end,
        );
    }
    let has_name = found.starts_with(|it: char| it.is_ascii_alphabetic());
    match found.find(['=', ':']) {
        Some(at) if has_name && !found.contains('@') => {
            let value = found.get(at + 1..).unwrap_or_default();
            let n_lead = value.len() - value.trim_start_matches([' ', '"', '\'']).len();
            (start + at + 1 + n_lead, end)
        }
        _ => (start, end),
    }
}

/// Digits with blanks or hyphens between.
fn is_card_at_most(text: &str) -> bool {
    text.len() >= 13
        && text
            .bytes()
            .all(|it| it.is_ascii_digit() || it == b' ' || it == b'-')
}

/// Luhn's check.
fn is_card(text: &str) -> bool {
    let digits = text
        .bytes()
        .rev()
        .filter(u8::is_ascii_digit)
        .map(|it| u32::from(it - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(idx, digit)| match (idx % 2, digit * 2) {
            (0, _) => digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}

const REPLACEMENT: &str = "[redacted]";

/// Parts of keys without anything but letters and digits.
const KEYS: &[&str] = &[
    "passw(?:or)?d",
    "passphrase",
    "^pwd$",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "^auth$",
    "credential",
    "cookie",
    "sessionid",
    "csrf",
    "creditcard",
    "cardnumber",
    "^cvv$",
    "^cvc$",
    "^ssn$",
    "^iban$",
    "^pin$",
];

/// What credentials look like.
const FORMS: &[&str] = &[
    r"(?i:\b(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|authorization)[\x22']?[=:][ \x22']{0,2}(?:bearer |basic )?[^\s\x22',;&]{3,})",
    r"(?i:\b(?:bearer|basic)[ \t]+[a-z0-9._~+/=-]{8,})",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}",
    r"\bsk-[A-Za-z0-9_-]{20,}",
    r"\bAIza[0-9A-Za-z_-]{35}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
    r"://[^/\s:@]{0,256}:[^/\s@]{1,256}@",
    r"\b[0-9](?:[ -]?[0-9]){12,18}\b",
];

/// What tells who somebody is.
const STRICT_FORMS: &[&str] = &[
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}\.[A-Za-z]{2,}",
    r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_what_stands_around_them_stays() {
        let redactor = Redactor::default();
        for (dirty, expected) in [
            ("login password=hunter2 ok", "login password=[redacted] ok"),
            ("{\"api_key\": \"abcdef\"}", "{\"api_key\": \"[redacted]\"}"),
            (
                "Authorization: Bearer abcdefgh12345678",
                "Authorization: [redacted]",
            ),
            ("sent Bearer abcdefgh12345678.", "sent Bearer [redacted]"),
            (
                "db postgres://ana:s3cret@db/shop",
                "db postgres://ana:[redacted]@db/shop",
            ),
            (
                "card 4111 1111 1111 1111 declined",
                "card [redacted] declined",
            ),
            ("key AKIAIOSFODNN7EXAMPLE, next", "key [redacted], next"),
            ("é password=hunter2é ü", "é password=[redacted] ü"),
            (
                "a=1 password=aaa b=2 token=bbb",
                "a=1 password=[redacted] b=2 token=[redacted]",
            ),
        ] {
            assert_eq!(redactor.text(dirty).as_deref(), Some(expected), "{dirty}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        let redactor = Redactor::default();
        for clean in [
            "",
            "order 4111 1111 1111 1112 took 12 ms",
            "GET https://shop.example/orders/123456789012?page=2 200",
            "ana@shop.example from 10.0.0.1",
            "the token was refused",
        ] {
            assert_eq!(redactor.text(clean), None, "{clean}");
        }
        let strict = Redactor::new(Level::Strict, &[], &[], Vec::new(), None).unwrap();
        let dirty = "ana@shop.example from 10.0.0.1";
        assert_eq!(
            strict.text(dirty).as_deref(),
            Some("[redacted] from [redacted]")
        );
    }

    #[test]
    fn keys_are_known_in_every_spelling() {
        let own = ["Kunden-Nr".to_owned()];
        let redactor =
            Redactor::new(Level::Default, &own, &[], vec!["token_ok".into()], None).unwrap();
        for key in [
            "password",
            "DB_PASSWORD",
            "X-Api-Key",
            "accessToken",
            "Set-Cookie",
            "kunden_nr",
        ] {
            assert!(redactor.is_secret(key), "{key}");
        }
        for key in [
            "user",
            "passenger",
            "prompt_tokens",
            "token_ok",
            "spinner",
            "path",
        ] {
            assert!(!redactor.is_secret(key), "{key}");
        }
        let mut value = Value::Map(vec![(
            "a".into(),
            Value::List(vec![Value::Map(vec![("secret".into(), Value::Int(5))])]),
        )]);
        redactor.value("", &mut value);
        let mut json = String::new();
        value.write_json(&mut json);
        assert_eq!(json, r#"{"a":[{"secret":"[redacted]"}]}"#);
    }

    #[test]
    fn own_patterns_count_and_bad_ones_are_named() {
        let own = |pattern: &str| {
            let pattern = ("order".to_owned(), pattern.to_owned());
            Redactor::new(Level::Off, &[], &[pattern], Vec::new(), Some("***".into()))
        };
        assert_eq!(
            own("o-[0-9]+").unwrap().text("see o-17, o-18").as_deref(),
            Some("see ***, ***")
        );
        assert!(
            own("(")
                .unwrap_err()
                .to_string()
                .starts_with("`order` is no regular expression")
        );
        assert_eq!(
            own("x*").unwrap().text("ab").as_deref(),
            Some("***a***b***")
        );
    }
}
