//! What a timeline asks for besides: why of alerts, and what has happened.

use firebell_dispatch::{Dispatch, HistoryEntry, HistoryEvent, Mutes, NotifiedStatus};
use firebell_heartbeat::Heartbeats;
use firebell_model::{Fingerprint, Labels, Matcher, Timestamp, label_set_text};

use crate::phases::alert_text;

/// Why the alerts that match are told of, or not; each line by itself.
pub(super) fn why(
    dispatch: &Dispatch,
    (start, now): (Timestamp, Timestamp),
    matchers: &[Matcher],
) -> Vec<String> {
    let is_meant = |labels: &Labels| matchers.iter().all(|it| it.matches(labels));
    let say = |at: Timestamp| (at - start).to_string();
    let known = dispatch.known_after(None).filter(|it| is_meant(it.1));
    let texts = known.map(|(_, labels)| dispatch.why(now, labels).text(&say));
    let texts: Vec<String> = texts.collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    // A fingerprint says nothing to who reads a scenario.
    let lines = lines.filter(|line| !line.starts_with("fingerprint"));
    lines.map(|line| format!("why: {line}")).collect()
}

/// How each job fares, and when its next run is due.
pub(super) fn heartbeats(
    heartbeats: &Heartbeats,
    (start, now): (Timestamp, Timestamp),
) -> Vec<String> {
    let all = heartbeats.iter();
    let lines = all.map(|(key, it)| {
        let (state, due) = (it.state_at(now).name(), it.due_at() - start);
        format!("heartbeat {key}: {state}, due at {due}")
    });
    lines.collect()
}

/// An entry of the history in words; `name` knows alerts by their fingerprints.
pub(super) fn happened(
    entry: &HistoryEntry,
    start: Timestamp,
    name: &dyn Fn(Fingerprint) -> Option<String>,
) -> String {
    let by = |mute: &Mutes| match mute {
        Mutes::Inhibition(source) => format!("inhibited by {}", name(*source).unwrap_or_default()),
        Mutes::Interval(interval) => format!("muted by {interval}"),
        Mutes::Silence(_) => "silenced".to_owned(),
    };
    let (at, alert) = (entry.at - start, alert_text(&entry.labels));
    let what = match &entry.event {
        HistoryEvent::Suppressed { receiver, by: mute } => {
            format!("suppressed {alert} for {receiver}, {}", by(mute))
        }
        HistoryEvent::Unsuppressed { receiver } => format!("unsuppressed {alert} for {receiver}"),
        HistoryEvent::Notification(notified) => {
            let (status, end) = match notified.status {
                NotifiedStatus::Sent => ("told", String::new()),
                NotifiedStatus::Failed => {
                    let error = notified.error.as_deref().unwrap_or_default();
                    ("failed to tell", format!(": {error}"))
                }
                NotifiedStatus::Muted => {
                    let by: Vec<String> = notified.by.iter().map(by).collect();
                    ("not told", format!(": {}", by.join(", ")))
                }
            };
            let (receiver, n) = (&notified.receiver, notified.n_alerts);
            let shared = label_set_text(&entry.labels);
            format!("{status} {receiver} of {n} with {shared}{end}")
        }
        event => format!("{} {alert}", event.kind()),
    };
    format!("history: {at} {what}")
}
