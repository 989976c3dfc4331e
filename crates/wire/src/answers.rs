//! What a client reads of the answers of a Prometheus-compatible server: results with their cost,
//! series over time, words, rules, silences.
//!
//! *Sources*: Prometheus, `web/api/v1/api.go`; Alertmanager, `api/v2/openapi.yaml`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use firebell_model::{Labels, MatchOp, Matcher, Timestamp, parse_float};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// The result of an instant query.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct InstantResult {
    /// Labels and values; a histogram's value is NaN.
    pub series: Vec<(Labels, f64)>,
    /// Samples that were looked at, when the server says.
    pub samples: Option<u64>,
    /// Seconds that it took, when the server says.
    pub seconds: Option<f64>,
}

/// One series of a range query: its labels and its values in order of time.
pub type RangeResult = (Labels, Vec<(Timestamp, f64)>);

/// A rule that a server has.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "upstream's words")]
pub struct RuleInForce {
    pub group: String,
    pub name: String,
    pub is_alerting: bool,
    pub query: String,
    pub labels: Vec<(String, String)>,
}

/// A silence that a server has.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "upstream's words")]
pub struct SilenceInForce {
    pub id: String,
    pub created_by: String,
    pub matchers: Vec<Matcher>,
}

/// An answer without a result: what kind of error the server calls it, or nothing when it is no
/// answer of such a server, and its words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// `bad_data`, `execution`, `timeout`, …
    pub kind: String,
    /// Why.
    pub message: String,
}

/// Reads the answer to an instant query, whatever its status was.
///
/// # Errors
/// See [`Failure`].
pub fn read_instant_result(body: &[u8]) -> Result<InstantResult, Failure> {
    let data: QueryData<InstantValue> = data(body)?;
    let series = match data.result {
        InstantValue::Vector(elements) => elements
            .into_iter()
            .map(|it| (labels(&it.metric), it.value.map_or(f64::NAN, |it| it.1.0)))
            .collect(),
        InstantValue::Number(point) => vec![(Labels::empty(), point.1.0)],
    };
    let stats = data.stats.unwrap_or_default();
    Ok(InstantResult {
        series,
        samples: stats.samples.map(|it| it.total_queryable_samples),
        seconds: stats.timings.map(|it| it.exec_total_time),
    })
}

/// Reads the answer to a range query.
///
/// # Errors
/// See [`Failure`].
pub fn read_range_result(body: &[u8]) -> Result<Vec<RangeResult>, Failure> {
    let data: QueryData<Vec<RangeElement>> = data(body)?;
    let series = data.result.into_iter().map(|element| {
        let floats = element.values.iter().map(|it| (moment(it.0), it.1.0));
        let histograms = element.histograms.iter().map(|it| (moment(it.0), f64::NAN));
        let mut samples: Vec<(Timestamp, f64)> = floats.chain(histograms).collect();
        samples.sort_by_key(|(at, _)| *at);
        (labels(&element.metric), samples)
    });
    Ok(series.collect())
}

/// Reads the answer to a question for names or values of labels.
///
/// # Errors
/// See [`Failure`].
pub fn read_words(body: &[u8]) -> Result<Vec<String>, Failure> {
    // Nothing at all is `null` in some programs.
    data::<Option<Vec<String>>>(body).map(Option::unwrap_or_default)
}

/// Reads the answer to `/api/v1/rules`.
///
/// # Errors
/// See [`Failure`].
pub fn read_rules(body: &[u8]) -> Result<Vec<RuleInForce>, Failure> {
    let data: RulesData = data(body)?;
    let rules = data.groups.into_iter().flat_map(|group| {
        let of_group = move |rule| (group.name.clone(), rule);
        group.rules.into_iter().map(of_group)
    });
    let rules = rules.map(|(group, rule)| RuleInForce {
        group,
        is_alerting: rule.kind == "alerting",
        name: rule.name,
        query: rule.query,
        labels: rule.labels.into_iter().collect(),
    });
    Ok(rules.collect())
}

/// Reads one text of the answer's data, such as `yaml` of `/api/v1/status/config`.
///
/// # Errors
/// See [`Failure`].
pub fn read_text(body: &[u8], name: &str) -> Result<String, Failure> {
    let data: serde_json::Value = data(body)?;
    Ok(data[name].as_str().unwrap_or_default().to_owned())
}

/// Reads the addresses of `/api/v1/alertmanagers` that alerts are sent to.
///
/// # Errors
/// See [`Failure`].
pub fn read_alertmanagers(body: &[u8]) -> Result<Vec<String>, Failure> {
    let data: AlertmanagersData = data(body)?;
    Ok(data.active.into_iter().map(|it| it.url).collect())
}

/// Reads of `/api/firebell/v1/oncall` by which kinds of contact nobody has confirmed to be reached: a
/// person's name and a kind each.
///
/// # Errors
/// See [`Failure`].
pub fn read_unconfirmed(body: &[u8]) -> Result<Vec<(String, String)>, Failure> {
    let said: OncallData = serde_json::from_slice(body).map_err(|it| foreign(&it))?;
    let people = said.people.into_iter().flat_map(|person| {
        let unconfirmed = person
            .contacts
            .into_iter()
            .filter(|it| it.verified == Some(false));
        unconfirmed.map(move |it| (person.name.clone(), it.kind))
    });
    Ok(people.collect())
}

/// Reads the silences of `/api/v2/silences` that are active.
///
/// # Errors
/// See [`Failure`].
pub fn read_active_silences(body: &[u8]) -> Result<Vec<SilenceInForce>, Failure> {
    let all: Vec<SilenceJson> = serde_json::from_slice(body).map_err(|it| foreign(&it))?;
    let active = all.into_iter().filter(|it| it.status.state == "active");
    let active = active.map(|silence| {
        let matchers = silence.matchers.into_iter().map(|it| {
            let op = match (it.is_regex, it.is_equal) {
                (false, true) => MatchOp::Equal,
                (false, false) => MatchOp::NotEqual,
                (true, true) => MatchOp::Regex,
                (true, false) => MatchOp::NotRegex,
            };
            Matcher::new(it.name, op, it.value).map_err(|error| Failure {
                kind: String::new(),
                message: error.to_string(),
            })
        });
        Ok(SilenceInForce {
            id: silence.id,
            created_by: silence.created_by,
            matchers: matchers.collect::<Result<_, _>>()?,
        })
    });
    active.collect()
}

fn data<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let head: Head<'_> = serde_json::from_slice(body).map_err(|it| foreign(&it))?;
    if head.status != "success" {
        return Err(Failure {
            kind: head.kind.into_owned(),
            message: head.error.into_owned(),
        });
    }
    let full: Full<T> = serde_json::from_slice(body).map_err(|it| foreign(&it))?;
    Ok(full.data)
}

fn foreign(error: &serde_json::Error) -> Failure {
    Failure {
        kind: String::new(),
        message: format!("the answer is none of a Prometheus API: {error}"),
    }
}

fn labels(metric: &BTreeMap<String, String>) -> Labels {
    Labels::from_pairs(metric.iter().map(|(name, value)| (&**name, &**value)))
}

fn moment(seconds: f64) -> Timestamp {
    Timestamp::from_secs_f64(seconds)
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Cow<'a, str>,
    #[serde(borrow, default, rename = "errorType")]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Full<T> {
    data: T,
}

#[derive(Deserialize)]
struct QueryData<T> {
    result: T,
    stats: Option<Stats>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum InstantValue {
    Vector(Vec<InstantElement>),
    Number(Point),
}

#[derive(Deserialize)]
struct InstantElement {
    metric: BTreeMap<String, String>,
    value: Option<Point>,
}

#[derive(Deserialize)]
struct RangeElement {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<Point>,
    #[serde(default)]
    histograms: Vec<(f64, IgnoredAny)>,
}

/// A moment in seconds, and a value.
#[derive(Deserialize)]
struct Point(f64, Number);

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Number(f64);

impl TryFrom<String> for Number {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = parse_float(&text);
        number
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no number"))
    }
}

#[derive(Default, Deserialize)]
struct Stats {
    samples: Option<SamplesStats>,
    timings: Option<TimingsStats>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SamplesStats {
    total_queryable_samples: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimingsStats {
    exec_total_time: f64,
}

#[derive(Deserialize)]
struct RulesData {
    #[serde(default)]
    groups: Vec<GroupJson>,
}

#[derive(Deserialize)]
struct OncallData {
    people: Vec<PersonData>,
}

#[derive(Deserialize)]
struct PersonData {
    name: String,
    contacts: Vec<ContactData>,
}

#[derive(Deserialize)]
struct ContactData {
    kind: String,
    verified: Option<bool>,
}

#[derive(Deserialize)]
struct AlertmanagersData {
    #[serde(default, rename = "activeAlertmanagers")]
    active: Vec<AlertmanagerJson>,
}

#[derive(Deserialize)]
struct AlertmanagerJson {
    url: String,
}

#[derive(Deserialize)]
struct GroupJson {
    #[serde(default)]
    name: String,
    #[serde(default)]
    rules: Vec<RuleJson>,
}

#[derive(Deserialize)]
struct RuleJson {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    query: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SilenceJson {
    id: String,
    #[serde(default)]
    created_by: String,
    status: SilenceStatus,
    matchers: Vec<SilenceMatcher>,
}

#[derive(Deserialize)]
struct SilenceStatus {
    state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SilenceMatcher {
    name: String,
    value: String,
    #[serde(default)]
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instant_results_come_with_their_cost() {
        let body = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"up","job":"a"},"value":[1.5,"1"]},
            {"metric":{},"histogram":[1.5,{"count":"1"}]}],
            "stats":{"timings":{"execTotalTime":0.25},"samples":{"totalQueryableSamples":7,"peakSamples":1}}}}"#;
        let found = read_instant_result(body).unwrap();
        assert_eq!(found.series[0].0.to_string(), r#"up{job="a"}"#);
        assert_eq!((found.series[0].1, found.series[1].1.is_nan()), (1.0, true));
        assert_eq!((found.samples, found.seconds), (Some(7), Some(0.25)));
        let scalar =
            br#"{"data":{"result":[1.5,"+Inf"],"resultType":"scalar"},"status":"success"}"#;
        let found = read_instant_result(scalar).unwrap();
        assert_eq!((found.series[0].1, found.samples), (f64::INFINITY, None));
    }

    #[test]
    fn failures_say_their_kind() {
        let refused = br#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
        let failure = read_instant_result(refused).unwrap_err();
        assert_eq!(
            (&*failure.kind, &*failure.message),
            ("timeout", "query timed out")
        );
        for body in [
            &b"<html>"[..],
            b"{}",
            b"[]",
            br#"{"status":"success","data":{"result":5}}"#,
        ] {
            assert_eq!(read_instant_result(body).unwrap_err().kind, "");
        }
    }

    #[test]
    fn contacts_that_are_not_confirmed_are_named() {
        let body = br#"{"at":"x","people":[{"name":"ana","zone":"UTC","contacts":[
            {"kind":"email","verified":true},{"kind":"phone","verified":false}]},
            {"name":"ben","contacts":[{"kind":"ntfy","verified":null}]}]}"#;
        let expected = vec![("ana".to_owned(), "phone".to_owned())];
        assert_eq!(read_unconfirmed(body), Ok(expected));
        assert!(read_unconfirmed(br#"{"status":"success"}"#).is_err());
    }

    #[test]
    fn series_words_rules_and_silences_are_read() {
        let body = br#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"a":"b"},"values":[[60,"1"],[120.5,"NaN"]],"histograms":[[90,{}]]}]}}"#;
        let found = read_range_result(body).unwrap();
        let moments: Vec<i64> = found[0].1.iter().map(|it| it.0.0).collect();
        assert_eq!(moments, [60_000, 90_000, 120_500]);
        let words = read_words(br#"{"status":"success","data":["a","b"]}"#).unwrap();
        assert_eq!(words, ["a", "b"]);
        assert_eq!(
            read_words(br#"{"status":"success","data":null}"#).unwrap(),
            [""; 0]
        );
        let rules = read_rules(
            br#"{"status":"success","data":{"groups":[{"name":"g","rules":[
            {"type":"alerting","name":"A","query":"up","labels":{"x":"y"},"state":"inactive"},
            {"type":"recording","name":"r","query":"up"}]}]}}"#,
        );
        let rules = rules.unwrap();
        assert_eq!((rules[0].is_alerting, rules[1].is_alerting), (true, false));
        assert_eq!(rules[1].group, "g");
        let alertmanagers = read_alertmanagers(
            br#"{"status":"success","data":{"activeAlertmanagers":[
            {"url":"http://a:9093/api/v2/alerts"}],"droppedAlertmanagers":[]}}"#,
        );
        assert_eq!(alertmanagers.unwrap(), ["http://a:9093/api/v2/alerts"]);
        let silences = read_active_silences(
            br#"[{"id":"1","status":{"state":"active"},"createdBy":"me","matchers":[
            {"name":"a","value":"b.*","isRegex":true}]},
            {"id":"2","status":{"state":"expired"},"matchers":[]}]"#,
        );
        let silences = silences.unwrap();
        assert_eq!(silences.len(), 1);
        assert_eq!(silences[0].matchers[0].to_string(), r#"a=~"b.*""#);
        let text = read_text(br#"{"status":"success","data":{"yaml":"a: 1"}}"#, "yaml");
        assert_eq!(text.unwrap(), "a: 1");
    }
}
