//! What clients are answered. Fields stand in upstream's order.

use std::sync::Arc;

use firebell_model::{Fingerprint, Labels, MatchOp, Matcher, Timestamp};
use serde::{Serialize, Serializer};

use crate::prometheus_json::BuildInfo;

/// An alert.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GettableAlert {
    /// For people.
    pub annotations: Labels,
    /// Until when it burns, as far as is known.
    #[serde(serialize_with = "millis")]
    pub ends_at: Timestamp,
    /// Its identity.
    #[serde(serialize_with = "text")]
    pub fingerprint: Fingerprint,
    /// Who is told.
    pub receivers: Vec<ReceiverJson>,
    /// Since when it burns.
    #[serde(serialize_with = "millis")]
    pub starts_at: Timestamp,
    /// Whether it is muted, and by what.
    pub status: AlertStatusJson,
    /// When it was last sent.
    #[serde(serialize_with = "millis")]
    pub updated_at: Timestamp,
    /// Where it can be looked at.
    #[serde(rename = "generatorURL", skip_serializing_if = "String::is_empty")]
    pub generator_url: String,
    /// Its labels.
    pub labels: Labels,
}

/// Whether an alert is muted, and by what.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertStatusJson {
    /// Alerts.
    #[serde(serialize_with = "texts")]
    pub inhibited_by: Vec<Fingerprint>,
    /// Names of time intervals; only filled within groups.
    pub muted_by: Vec<Arc<str>>,
    /// Ids of silences.
    pub silenced_by: Vec<String>,
    /// Suppressed when any of these has something.
    pub state: AlertState,
}

/// States of an alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "upstream's words")]
pub enum AlertState {
    Unprocessed,
    Active,
    Suppressed,
}

/// A receiver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReceiverJson {
    /// Its labels; only told where receivers are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// Its name.
    pub name: Arc<str>,
}

/// Alerts that are notified together.
#[derive(Clone, Debug, Serialize)]
pub struct AlertGroupJson {
    /// The alerts.
    pub alerts: Vec<GettableAlert>,
    /// The labels of the group.
    pub labels: Labels,
    /// Who is told.
    pub receiver: ReceiverJson,
    /// The labels of the route, rendered.
    #[serde(rename = "routeLabels")]
    pub route_labels: Labels,
}

/// A silence.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GettableSilence {
    /// Its id.
    pub id: String,
    /// `active`, `pending` or `expired`.
    pub status: SilenceStatusJson,
    /// When it was last changed.
    #[serde(serialize_with = "millis")]
    pub updated_at: Timestamp,
    /// Further text.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    /// Why.
    pub comment: String,
    /// Who asked.
    pub created_by: String,
    /// Until when.
    #[serde(serialize_with = "millis")]
    pub ends_at: Timestamp,
    /// All have to match.
    pub matchers: Vec<MatcherJson>,
    /// From when.
    #[serde(serialize_with = "millis")]
    pub starts_at: Timestamp,
}

/// State of a silence.
#[derive(Clone, Debug, Serialize)]
pub struct SilenceStatusJson {
    /// `active`, `pending` or `expired`.
    pub state: &'static str,
}

/// A matcher.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "upstream's words")]
pub struct MatcherJson {
    pub is_equal: bool,
    pub is_regex: bool,
    pub name: String,
    pub value: String,
}

impl From<&Matcher> for MatcherJson {
    fn from(matcher: &Matcher) -> Self {
        Self {
            is_equal: matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex),
            is_regex: matches!(matcher.op(), MatchOp::Regex | MatchOp::NotRegex),
            name: matcher.name().to_owned(),
            value: matcher.value().to_owned(),
        }
    }
}

/// Answer to `POST /api/v2/silences`.
#[derive(Clone, Debug, Serialize)]
pub struct SilenceIdJson {
    /// Its id; a new one when the old silence had to end.
    #[serde(rename = "silenceID")]
    pub id: String,
}

/// Answer to `GET /api/v2/status`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusJson {
    /// Who else decides.
    pub cluster: ClusterJson,
    /// What runs.
    pub version_info: BuildInfo,
    /// The configuration.
    pub config: ConfigJson,
    /// Since when it runs.
    #[serde(serialize_with = "millis")]
    pub uptime: Timestamp,
}

/// The cluster; the default is upstream's answer when there is none.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterJson {
    /// The name of this peer; empty without a cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Always there, since amtool looks at it.
    pub peers: Vec<PeerJson>,
    /// `ready`, `settling` or `disabled`.
    pub status: &'static str,
}

/// A member of the cluster.
#[derive(Clone, Debug, Serialize)]
pub struct PeerJson {
    /// Where it is reached by the others.
    pub address: String,
    /// Its name.
    pub name: String,
}

impl ClusterJson {
    /// A cluster of one.
    #[must_use]
    pub fn alone(peer: PeerJson) -> Self {
        Self {
            name: peer.name.clone(),
            peers: vec![peer],
            status: "ready",
        }
    }
}

impl Default for ClusterJson {
    fn default() -> Self {
        Self {
            name: String::new(),
            peers: Vec::new(),
            status: "disabled",
        }
    }
}

/// The configuration.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigJson {
    /// YAML, with secrets as `<secret>`.
    pub original: String,
}

pub(super) fn millis<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_millis())
}

fn texts<T: std::fmt::Display, S: Serializer>(
    list: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().map(ToString::to_string))
}

fn text<T: std::fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_60_without_a_cluster_there_are_no_peers_and_no_name() {
        assert_eq!(
            serde_json::to_string(&ClusterJson::default()).unwrap(),
            r#"{"peers":[],"status":"disabled"}"#
        );
        let peer = PeerJson {
            address: "127.0.0.1:9094".to_owned(),
            name: "x".to_owned(),
        };
        assert_eq!(
            serde_json::to_string(&ClusterJson::alone(peer)).unwrap(),
            r#"{"name":"x","peers":[{"address":"127.0.0.1:9094","name":"x"}],"status":"ready"}"#
        );
    }

    #[test]
    fn item_61_alerts_are_written_as_upstream_writes_them_with_milliseconds() {
        let labels = Labels::from_pairs([("alertname", "Down")]);
        let alert = GettableAlert {
            annotations: Labels::empty(),
            ends_at: Timestamp(2000),
            fingerprint: labels.fingerprint(),
            receivers: vec![ReceiverJson {
                labels: None,
                name: "inbox".into(),
            }],
            starts_at: Timestamp(1),
            status: AlertStatusJson {
                inhibited_by: vec![],
                muted_by: vec![],
                silenced_by: vec!["x".to_owned()],
                state: AlertState::Suppressed,
            },
            updated_at: Timestamp(0),
            generator_url: String::new(),
            labels,
        };
        assert_eq!(
            serde_json::to_string(&alert).unwrap(),
            r#"{"annotations":{},"endsAt":"1970-01-01T00:00:02.000Z","fingerprint":"6accfd3d0992a914","receivers":[{"name":"inbox"}],"startsAt":"1970-01-01T00:00:00.001Z","status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":["x"],"state":"suppressed"},"updatedAt":"1970-01-01T00:00:00.000Z","labels":{"alertname":"Down"}}"#
        );
        let matcher = Matcher::new("a", MatchOp::NotRegex, "b").unwrap();
        assert_eq!(
            serde_json::to_string(&MatcherJson::from(&matcher)).unwrap(),
            r#"{"isEqual":false,"isRegex":true,"name":"a","value":"b"}"#
        );
    }
}
