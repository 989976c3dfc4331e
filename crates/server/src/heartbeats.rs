//! Beats as they come: in a request of their own, or among log records as events of the Python package.

use firebell_heartbeat::{Beat, Expectation, GRACE, HeartbeatKey, Outcome, Refusal};
use firebell_model::{Duration, Labels, Timestamp};
use firebell_telemetry::{LogRecord, Origin};
use firebell_wire::params::Params;

use crate::telemetry::{events, moment_of, said};

/// What a request says: `every`, `grace`, `severity` and `runbook` of what is expected, `exit` and
/// `message` of how it went, and `service`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn of_request(now: Timestamp, name: &str, params: &Params) -> Result<Beat, Refusal> {
    let said = |name: &str| params.get(name).filter(|it| !it.is_empty());
    let message = said("message").unwrap_or("it did not say why");
    let outcome = match said("exit") {
        None | Some("0") => Outcome::Done,
        Some(status) => match (status.parse::<i64>(), said("message")) {
            (Err(_), _) => return Err(bad("exit", "a number, such as `$?`", status)),
            (Ok(_), Some(_)) => Outcome::Failed(format!("{message} (exit status {status})")),
            (Ok(_), None) => Outcome::Failed(format!("exit status {status}")),
        },
    };
    let duration = |name: &str| match said(name) {
        None => Ok(None),
        Some(text) => match text.parse::<Duration>() {
            Ok(duration) => Ok(Some(duration)),
            Err(_) => Err(bad(name, "a duration, such as 1d or 1h30m", text)),
        },
    };
    let (every, grace) = (duration("every")?, duration("grace")?);
    let others = ["grace", "severity", "runbook"];
    if let (None, Some(other)) = (every, others.iter().find(|it| said(it).is_some())) {
        return Err(Refusal::Bad(format!("`{other}` needs `every` beside it")));
    }
    let expectation = every.map(|every| {
        let times = (every, grace.unwrap_or(GRACE));
        expectation(times, said("severity"), said("runbook"))
    });
    Ok(Beat {
        key: HeartbeatKey::new(said("service").unwrap_or_default(), name)?,
        at: now,
        outcome,
        expectation: expectation.transpose()?,
    })
}

/// The beats among log records, and what is wrong with those that are none.
pub(crate) fn of_records(
    now: Timestamp,
    records: &[(Origin, Vec<LogRecord>)],
) -> (Vec<Beat>, Vec<Refusal>) {
    let (mut beats, mut wrong) = (Vec::new(), Vec::new());
    for (origin, record) in events(records, "heartbeat") {
        match of_record(now, origin, record) {
            Ok(beat) => beats.push(beat),
            Err(why) => wrong.push(why),
        }
    }
    (beats, wrong)
}

fn of_record(now: Timestamp, origin: &Origin, record: &LogRecord) -> Result<Beat, Refusal> {
    let said = |name: &str| said(record, name);
    let duration = |name: &str, default: &str| {
        let text = said(name).unwrap_or(default);
        match text.parse::<f64>() {
            // `as` clamps: what is out of bounds is refused further on.
            Ok(secs) if !secs.is_nan() => Ok(Duration((secs * 1000.0).round() as i64)),
            _ => Err(bad(name, "a number of seconds", text)),
        }
    };
    let times = (duration("every_s", "")?, duration("grace_s", "60")?);
    let at = match record.nanos {
        0 => now,
        nanos => moment_of(nanos),
    };
    Ok(Beat {
        key: HeartbeatKey::new(&origin.service, said("name").unwrap_or_default())?,
        at,
        outcome: Outcome::Done,
        expectation: Some(expectation(times, said("severity"), said("runbook"))?),
    })
}

fn expectation(
    (every, grace): (Duration, Duration),
    severity: Option<&str>,
    runbook: Option<&str>,
) -> Result<Expectation, Refusal> {
    let labels = severity.map(|it| ("severity", it));
    let annotations = runbook.map(|it| ("runbook_url", it));
    let (labels, annotations) = (Labels::from_pairs(labels), Labels::from_pairs(annotations));
    Expectation::new(every, grace)?.with(labels, annotations)
}

fn bad(name: &str, expected: &str, found: &str) -> Refusal {
    Refusal::Bad(format!("`{name}` is {expected}, not `{found}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn requested(query: &str) -> String {
        let said = of_request(NOW, "nightly", &Params::parse([query]));
        said.map_or_else(|why| why.to_string(), |beat| text(&beat))
    }

    fn text(beat: &Beat) -> String {
        let expected = beat.expectation.as_ref().map(|it| {
            let (every, grace) = (it.every(), it.grace());
            format!(
                " every {every} grace {grace} {} {}",
                it.labels, it.annotations
            )
        });
        let (key, at) = (&beat.key, beat.at - NOW);
        format!(
            "{key} at {at} {:?}{}",
            beat.outcome,
            expected.unwrap_or_default()
        )
    }

    #[test]
    fn a_request_says_how_it_went_and_what_to_expect() {
        let long = &format!("every=1d&runbook={}", "x".repeat(2001));
        for (query, expected) in [
            ("", "nightly at 0s Done"),
            ("exit=0&service=backup", "nightly of backup at 0s Done"),
            ("exit=3", "nightly at 0s Failed(\"exit status 3\")"),
            (
                "exit=-1&message=no+space",
                "nightly at 0s Failed(\"no space (exit status -1)\")",
            ),
            (
                "every=1d&severity=critical&runbook=https://x",
                "nightly at 0s Done every 1d grace 1m {severity=\"critical\"} \
                 {runbook_url=\"https://x\"}",
            ),
            (
                "every=1d&grace=30m",
                "nightly at 0s Done every 1d grace 30m {} {}",
            ),
            (
                "every=daily",
                "`every` is a duration, such as 1d or 1h30m, not `daily`",
            ),
            ("exit=bad", "`exit` is a number, such as `$?`, not `bad`"),
            ("grace=1h", "`grace` needs `every` beside it"),
            ("every=1ms", "`every` lies between 1s and 400d, not 1ms"),
            (
                long,
                "`runbook_url` of a heartbeat has at most 2000 characters, not 2001",
            ),
        ] {
            assert_eq!(requested(query), expected, "{query}");
        }
    }

    #[test]
    fn events_of_the_package_are_beats_and_bad_ones_are_named() {
        let record = |event: &str, attributes: &[(&str, &str)]| LogRecord {
            nanos: 1_789_999_990_000_000_000,
            event: event.to_owned(),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..LogRecord::default()
        };
        let origin = Origin {
            service: "backup".to_owned(),
            attributes: Vec::new(),
        };
        let good = [
            ("name", "nightly"),
            ("every_s", "86400.0"),
            ("grace_s", "1800"),
            ("severity", "error"),
        ];
        let records = vec![
            record("firebell.alert", &good),
            record("heartbeat", &good),
            record("firebell.heartbeat", &good),
            record("firebell.heartbeat", &good[..1]),
            record("firebell.heartbeat", &good[1..]),
            record("firebell.heartbeat", &[good[0], ("every_s", "nan")]),
        ];
        let (beats, wrong) = of_records(NOW, &[(origin, records)]);
        let beats: Vec<String> = beats.iter().map(text).collect();
        assert_eq!(
            beats,
            ["nightly of backup at -10s Done every 1d grace 30m {severity=\"error\"} {}"]
        );
        let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert_eq!(
            wrong,
            [
                "`every_s` is a number of seconds, not ``",
                "a heartbeat needs a name",
                "`every_s` is a number of seconds, not `nan`",
            ]
        );
    }
}
