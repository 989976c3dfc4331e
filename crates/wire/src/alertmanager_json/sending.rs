//! What is posted to Alertmanagers elsewhere.

use firebell_model::{Alert, Labels, Timestamp};
use serde::Serialize;

use super::answers::millis;

/// The body of `POST /api/v2/alerts`: fields in the order in which Prometheus sends them.
#[must_use]
pub fn alerts_body(alerts: &[Alert]) -> Vec<u8> {
    let sent: Vec<SentAlert<'_>> = alerts.iter().map(SentAlert::from).collect();
    // Strings and maps of strings only: nothing that JSON could not hold.
    serde_json::to_vec(&sent).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SentAlert<'a> {
    annotations: &'a Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<Moment>,
    #[serde(serialize_with = "millis")]
    starts_at: Timestamp,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    labels: &'a Labels,
}

#[derive(Serialize)]
struct Moment(#[serde(serialize_with = "millis")] Timestamp);

impl<'a> From<&'a Alert> for SentAlert<'a> {
    fn from(alert: &'a Alert) -> Self {
        Self {
            annotations: &alert.annotations,
            ends_at: alert.ends_at.map(Moment),
            starts_at: alert.starts_at,
            generator_url: &alert.generator_url,
            labels: &alert.labels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alertmanager_json::parse_alerts;

    #[test]
    fn what_is_sent_is_what_is_read() {
        let alert = Alert {
            labels: Labels::from_pairs([("alertname", "Down"), ("quote", "\"\n")]),
            annotations: Labels::from_pairs([("summary", "ü")]),
            starts_at: Timestamp(1_234),
            ends_at: Some(Timestamp(61_234)),
            generator_url: "http://bell/graph".to_owned(),
            updated_at: Timestamp(0),
            is_timeout: false,
        };
        let body = alerts_body(std::slice::from_ref(&alert));
        assert_eq!(
            String::from_utf8(body.clone()).unwrap(),
            r#"[{"annotations":{"summary":"ü"},"endsAt":"1970-01-01T00:01:01.234Z","#.to_owned()
                + r#""startsAt":"1970-01-01T00:00:01.234Z","generatorURL":"http://bell/graph","#
                + r#""labels":{"alertname":"Down","quote":"\"\n"}}]"#
        );
        let read = parse_alerts(&body).unwrap();
        assert_eq!(read[0].labels, alert.labels);
        assert_eq!(read[0].ends_at, alert.ends_at);
    }
}
