//! Bodies that clients post.

use std::borrow::Cow;
use std::fmt;

use firebell_model::{Labels, MatchOp, Matcher, ParseTimestampError, Timestamp};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use super::alerts_reader::AlertsReader;
use super::{RequestError, plain_reader};

/// An alert that somebody sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostableAlert {
    /// Its identity, empty values left out; may be empty, which is for dispatch to refuse.
    pub labels: Labels,
    /// For people.
    pub annotations: Labels,
    /// Since when it burns.
    pub starts_at: Option<Timestamp>,
    /// Until when it burns.
    pub ends_at: Option<Timestamp>,
    /// Where it can be looked at.
    pub generator_url: String,
}

/// A silence that somebody asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostableSilence {
    /// The silence to change; empty makes a new one.
    pub id: String,
    /// Never none.
    pub matchers: Vec<Matcher>,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Who asks.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Further text.
    pub annotations: Labels,
}

/// An alert that somebody sends, as texts of the body wherever that has them as they are. The fields
/// are those of [`PostableAlert`]; pairs stand in order of name, each name once, no value empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "described above")]
pub struct AlertInBody<'a> {
    pub labels: Pairs<'a>,
    pub annotations: Pairs<'a>,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub generator_url: Cow<'a, str>,
}

impl AlertInBody<'_> {
    /// An empty one, in the same room.
    pub(super) fn clear(&mut self) {
        self.labels.clear();
        self.annotations.clear();
        (self.starts_at, self.ends_at) = (None, None);
        self.generator_url = Cow::Borrowed("");
    }
}

/// Names with values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pairs<'a>(Vec<(Text<'a>, Text<'a>)>);

impl<'a> Pairs<'a> {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn push(&mut self, pair: (Text<'a>, Text<'a>)) {
        self.0.push(pair);
    }

    /// Puts a pair in the place of another one, or behind all.
    pub(super) fn put(&mut self, idx: usize, pair: (Text<'a>, Text<'a>)) {
        match self.0.get_mut(idx) {
            Some(place) => *place = pair,
            None => self.0.push(pair),
        }
    }

    pub(super) fn truncate(&mut self, n_pairs: usize) {
        self.0.truncate(n_pairs);
    }

    /// The name at a place, if it stands in the body as it is.
    pub(super) fn name(&self, idx: usize) -> Option<&'a str> {
        match self.0.get(idx)?.0.0 {
            Cow::Borrowed(name) => Some(name),
            Cow::Owned(_) => None,
        }
    }

    /// The pairs, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (&*name.0, &*value.0))
    }

    // Of a name that is repeated the last one counts, as for Go.
    pub(super) fn tidy(&mut self) {
        if !self.0.is_sorted_by(|a, b| a.0 < b.0) {
            self.0.reverse();
            self.0.sort_by(|a, b| a.0.cmp(&b.0));
            self.0.dedup_by(|a, b| a.0 == b.0);
        }
        if self.0.iter().any(|(_, value)| value.0.is_empty()) {
            self.0.retain(|(_, value)| !value.0.is_empty());
        }
    }
}

impl From<&Pairs<'_>> for Labels {
    fn from(pairs: &Pairs<'_>) -> Self {
        Self::from_pairs(pairs.iter())
    }
}

/// Reads the body of `POST /api/v2/alerts`, and gives `each` one alert after the other. What it was
/// given is worth nothing when the body is refused.
///
/// # Errors
/// When it is no list of alerts, or one of them has no labels.
pub fn each_alert_in_body<'a>(
    body: &'a [u8],
    each: impl FnMut(&AlertInBody<'a>),
) -> Result<(), RequestError> {
    match std::str::from_utf8(body) {
        Ok(text) => each_alert_in_text(text, each),
        // What is wrong with a body that is no text is better told by the parser.
        Err(_) => each_alert_after(0, &mut serde_json::Deserializer::from_slice(body), each),
    }
}

/// As [`each_alert_in_body`], when it is known to be text.
///
/// # Errors
/// As [`each_alert_in_body`].
pub fn each_alert_in_text<'a>(
    body: &'a str,
    mut each: impl FnMut(&AlertInBody<'a>),
) -> Result<(), RequestError> {
    let (n_plain, is_whole) = plain_reader::read(body, &mut each);
    if is_whole {
        return Ok(());
    }
    each_alert_after(n_plain, &mut serde_json::Deserializer::from_str(body), each)
}

// Without the first ones, which were read already.
fn each_alert_after<'a, R: serde_json::de::Read<'a>>(
    n_known: usize,
    body: &mut serde_json::Deserializer<R>,
    mut each: impl FnMut(&AlertInBody<'a>),
) -> Result<(), RequestError> {
    let mut n_read = 0;
    let mut reader = AlertsReader::new(|alert: &AlertInBody<'a>| {
        n_read += 1;
        if n_read > n_known {
            each(alert);
        }
    });
    let read = reader.read(body);
    read.map_err(|why| RequestError::unreadable("alerts", &why))?;
    match reader.without_labels {
        Some(idx) => Err(RequestError::required(&format!("{idx}.labels"))),
        None => Ok(()),
    }
}

/// Reads the body of `POST /api/v2/alerts` into values that last.
///
/// # Errors
/// As [`each_alert_in_body`].
pub fn parse_alerts(body: &[u8]) -> Result<Vec<PostableAlert>, RequestError> {
    let mut alerts = Vec::new();
    each_alert_in_body(body, |alert| {
        alerts.push(PostableAlert {
            labels: (&alert.labels).into(),
            annotations: (&alert.annotations).into(),
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
            generator_url: alert.generator_url.clone().into_owned(),
        });
    })?;
    Ok(alerts)
}

/// Reads the body of `POST /api/v2/silences`.
///
/// # Errors
/// When it is no silence, something is missing, or a matcher's regular expression is none.
pub fn parse_silence(body: &[u8]) -> Result<PostableSilence, RequestError> {
    let raw: RawSilence =
        serde_json::from_slice(body).map_err(|why| RequestError::unreadable("silence", &why))?;
    // In the order in which upstream looks: by name.
    let comment = raw
        .comment
        .ok_or_else(|| RequestError::required("comment"))?;
    let created_by = raw
        .created_by
        .ok_or_else(|| RequestError::required("createdBy"))?;
    let ends_at = raw
        .ends_at
        .0
        .ok_or_else(|| RequestError::required("endsAt"))?;
    let matchers = raw
        .matchers
        .ok_or_else(|| RequestError::required("matchers"))?;
    if matchers.is_empty() {
        return Err(RequestError::too_few("matchers"));
    }
    let matchers = matchers.into_iter().enumerate();
    let matchers = matchers
        .map(|(idx, matcher)| matcher.check(idx))
        .collect::<Result<_, _>>()?;
    let starts_at = raw
        .starts_at
        .0
        .ok_or_else(|| RequestError::required("startsAt"))?;
    Ok(PostableSilence {
        id: raw.id.unwrap_or_default(),
        matchers,
        starts_at,
        ends_at,
        created_by,
        comment,
        annotations: raw.annotations.unwrap_or_default(),
    })
}

/// A text that is borrowed unless it has escapes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Any)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSilence {
    id: Option<String>,
    matchers: Option<Vec<RawMatcher>>,
    #[serde(default)]
    starts_at: RawMoment,
    #[serde(default)]
    ends_at: RawMoment,
    created_by: Option<String>,
    comment: Option<String>,
    annotations: Option<Labels>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMatcher {
    name: Option<String>,
    value: Option<String>,
    is_regex: Option<bool>,
    is_equal: Option<bool>,
}

impl RawMatcher {
    fn check(self, idx: usize) -> Result<Matcher, RequestError> {
        let missing = |name: &str| RequestError::required(&format!("matchers.{idx}.{name}"));
        let is_regex = self.is_regex.ok_or_else(|| missing("isRegex"))?;
        let name = self.name.ok_or_else(|| missing("name"))?;
        let value = self.value.ok_or_else(|| missing("value"))?;
        let op = match (is_regex, self.is_equal.unwrap_or(true)) {
            (false, true) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (true, false) => MatchOp::NotRegex,
        };
        Matcher::alertmanager(name, op, value.clone()).map_err(|why| {
            // Upstream compiles it here as it is written.
            let why = why.to_string().replace(&format!("^(?:{value})$"), &value);
            RequestError::bad_request(format!(
                "invalid silence: invalid label matcher {idx} in set 0: \
                 invalid regular expression {value:?}: {why}"
            ))
        })
    }
}

/// A moment; absent when there is none, it is empty, or it is Go's zero time.
#[derive(Default)]
pub(super) struct RawMoment(pub(super) Moment);

pub(super) type Moment = Option<Timestamp>;

/// Reads a moment.
///
/// # Errors
/// When it is none.
pub(super) fn moment(text: &str) -> Result<Moment, ParseTimestampError> {
    if text.is_empty() || text.starts_with("0001-01-01T00:00:00") {
        return Ok(None);
    }
    text.parse().map(Some)
}

impl<'de> Deserialize<'de> for RawMoment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<Text<'_>>::deserialize(deserializer)?;
        let text = text.unwrap_or_default().0;
        moment(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeSeed as _;

    use super::super::alerts_reader::Into;
    use super::*;

    #[test]
    fn alerts_are_read_and_unknown_fields_passed_over() {
        let body = r#"[{"labels":{"a":"1","b":""},"startsAt":"2026-01-02T03:04:05.678+01:00",
            "endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://x","status":"?"},{"labels":{}}]"#;
        let alerts = parse_alerts(body.as_bytes()).unwrap();
        assert_eq!(alerts[0].labels.to_string(), r#"{a="1"}"#);
        assert_eq!(
            alerts[0].starts_at.unwrap().to_string(),
            "2026-01-02T02:04:05.678Z"
        );
        assert_eq!(
            (alerts[0].ends_at, &*alerts[0].generator_url),
            (None, "http://x")
        );
        assert!(alerts[1].labels.is_empty());
        let error = parse_alerts(br#"[{"labels":{"a":"1"}},{}]"#).unwrap_err();
        assert_eq!(
            (error.status(), String::from_utf8(error.to_json()).unwrap()),
            (
                422,
                r#"{"code":602,"message":"1.labels in body is required"}"#.to_owned()
            )
        );
        assert_eq!(parse_alerts(b"{").unwrap_err().status(), 400);
    }

    fn pairs(text: &str) -> serde_json::Result<Pairs<'_>> {
        let mut pairs = Pairs::default();
        Into(&mut pairs).deserialize(&mut serde_json::Deserializer::from_str(text))?;
        Ok(pairs)
    }

    #[test]
    fn what_is_null_is_absent_and_of_what_is_repeated_the_last_counts() {
        let read = |body: &str| parse_alerts(body.as_bytes()).map_err(|it| it.to_string());
        assert_eq!(read("null"), Ok(Vec::new()));
        let twice = r#"[{"labels":{"a":"1"},"labels":{"b":"2"},"annotations":null,
            "startsAt":null,"generatorURL":null},{"labels":{"c":"3"},"startsAt":""}]"#;
        let alerts = read(twice).unwrap();
        assert_eq!(alerts[0].labels.to_string(), r#"{b="2"}"#);
        // Nothing is left of the one before.
        assert_eq!(alerts[1].labels.to_string(), r#"{c="3"}"#);
        assert_eq!((alerts[0].starts_at, alerts[1].starts_at), (None, None));
        let missing = read(r#"[{"labels":{}},{"labels":null},{}]"#).unwrap_err();
        assert!(
            missing.contains("1.labels in body is required"),
            "{missing}"
        );
        for bad in [
            "{}",
            "[null]",
            "[1]",
            r#"[{"labels":1}]"#,
            "[] x",
            r#"[{"labels":{}}"#,
            "[{",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pairs_of_a_body_are_sorted_each_once_and_borrowed_where_they_can_be() {
        for (body, expected) in [
            (r#"{"b":"1","a":"2"}"#, vec![("a", "2"), ("b", "1")]),
            (r#"{"a":"1","a":"2"}"#, vec![("a", "2")]),
            (r#"{"b":"x","a":"1","b":"","a":"3"}"#, vec![("a", "3")]),
            (r#"{"a\n":"\u00e4"}"#, vec![("a\n", "ä")]),
            ("{}", vec![]),
        ] {
            let pairs = pairs(body).unwrap();
            assert_eq!(pairs.iter().collect::<Vec<_>>(), expected, "{body}");
            let labels: Labels = serde_json::from_str(body).unwrap();
            assert_eq!(Labels::from(&pairs), labels);
        }
        for bad in [r#"{"a":null}"#, r#"{"a":1}"#, "[]", r#""a""#] {
            assert!(pairs(bad).is_err(), "{bad}");
        }
        let body = br#"[{"labels":{"a":"b"},"generatorURL":"x\u0041"}]"#;
        let mut alerts = Vec::new();
        each_alert_in_body(body, |alert| alerts.push(alert.clone())).unwrap();
        assert!(matches!(alerts[0].labels.0[0].1.0, Cow::Borrowed("b")));
        assert_eq!(alerts[0].generator_url, "xA");
        let invalid = parse_alerts(b"[{\"labels\":{\"a\":\"\xff\"}}]").unwrap_err();
        assert_eq!(invalid.status(), 400);
    }

    #[test]
    fn item_62_a_matcher_is_equal_unless_it_says_otherwise() {
        let with = |end: &str| {
            let body = format!(
                r#"{{"matchers":[{{"name":"a","value":"b","isRegex":false{end}}}],
                "startsAt":"2026-01-02T03:04:05.123456+00:00","endsAt":"2026-01-02T05:04:05Z",
                "createdBy":"me","comment":"c"}}"#
            );
            let silence = parse_silence(body.as_bytes()).unwrap();
            silence.matchers[0].to_string()
        };
        assert_eq!(with(""), r#"a="b""#);
        assert_eq!(with(r#","isEqual":true"#), r#"a="b""#);
        assert_eq!(with(r#","isEqual":false"#), r#"a!="b""#);
    }

    #[test]
    fn silences_say_what_is_missing() {
        let good = r#"{"matchers":[{"name":"a","value":"b|c","isRegex":true,"isEqual":false}],
            "startsAt":"2026-01-02T03:04:05Z","endsAt":"2026-01-02T04:04:05Z","createdBy":"me",
            "comment":"c","id":""}"#;
        let silence = parse_silence(good.as_bytes()).unwrap();
        assert_eq!(silence.matchers[0].to_string(), r#"a!~"b|c""#);
        for (from, to, expected) in [
            (r#""comment":"c","#, "", "422 comment in body is required"),
            (
                r#""startsAt":"2026-01-02T03:04:05Z","#,
                "",
                "422 startsAt in body is required",
            ),
            (
                r#""isRegex":true,"#,
                "",
                "422 matchers.0.isRegex in body is required",
            ),
            (
                r#"b|c"#,
                "(",
                "400 invalid silence: invalid label matcher 0 in set 0: invalid regular expression \"(\": \
                 error parsing regexp: missing closing ): `(`",
            ),
            (
                "2026",
                "x",
                "400 parsing silence body from \"\" failed, because `x-01-02T03:04:05Z`",
            ),
            (
                r#"{"name":"a","value":"b|c","isRegex":true,"isEqual":false}"#,
                "",
                "422 matchers in body should have at least 1 items",
            ),
        ] {
            let error = parse_silence(good.replace(from, to).as_bytes()).unwrap_err();
            let found = format!("{} {error}", error.status());
            assert!(found.starts_with(expected), "{found}");
        }
    }
}
