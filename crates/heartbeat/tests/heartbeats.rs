//! What heartbeats lead to, by their public face.

use std::collections::BTreeMap;

use firebell_heartbeat::{
    Beat, Declared, Expectation, HeartbeatKey, HeartbeatRecord, Heartbeats, Outcome, Policy,
    Refusal,
};
use firebell_model::{Alert, Duration, Labels, Timestamp};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn key(service: &str, name: &str) -> HeartbeatKey {
    HeartbeatKey::new(service, name).unwrap()
}

fn expected(every: &str, grace: &str, severity: &str) -> Expectation {
    let expected = Expectation::new(every.parse().unwrap(), grace.parse().unwrap());
    let labels = Labels::from_pairs([("severity", severity)]);
    let expected = expected.unwrap().with(labels, Labels::empty());
    expected.unwrap()
}

fn declared(service: &str, name: &str, every: &str) -> Policy {
    Policy {
        declared: vec![Declared {
            key: key(service, name),
            expectation: expected(every, "5m", "critical"),
        }],
    }
}

/// Plays lines such as `10m beat backup/nightly every 1h`; what is said comes back behind its time.
struct Player {
    beats: Heartbeats,
    records: BTreeMap<String, HeartbeatRecord>,
    told: Vec<String>,
}

impl Player {
    fn new(policy: Policy) -> Self {
        let mut player = Self {
            beats: Heartbeats::new(policy),
            records: BTreeMap::new(),
            told: Vec::new(),
        };
        let alerts = player.beats.resume(NOW);
        player.tell(NOW, alerts);
        player
    }

    fn tell(&mut self, now: Timestamp, alerts: Vec<Alert>) {
        for alert in alerts {
            let what = if alert.ends_at.is_some() {
                "ends"
            } else {
                "begins"
            };
            let label = |name| alert.labels.value(name).to_owned();
            self.told.push(format!(
                "{} {what} {} {} {} since {}",
                now - NOW,
                label("alertname"),
                label("heartbeat"),
                label("severity"),
                alert.starts_at - NOW,
            ));
        }
        for record in self.beats.take_changes() {
            let text = serde_json::to_value(&record).unwrap();
            self.records.insert(text["key"].to_string(), record);
        }
    }

    fn until(&mut self, after: &str) -> Timestamp {
        let now = NOW + after.parse::<Duration>().unwrap();
        while let Some(at) = self.beats.poll_deadline().filter(|at| *at <= now) {
            let alerts = self.beats.handle_deadline(at);
            self.tell(at, alerts);
        }
        now
    }

    fn beat(&mut self, after: &str, it: (&str, &str), outcome: Outcome, every: Option<&str>) {
        let now = self.until(after);
        self.beat_of(now, now, it, outcome, every);
    }

    fn beat_of(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        (service, name): (&str, &str),
        outcome: Outcome,
        every: Option<&str>,
    ) {
        let taken = self.beats.beat(
            now,
            Beat {
                key: key(service, name),
                at,
                outcome,
                expectation: every.map(|every| expected(every, "5m", "warning")),
            },
        );
        match taken {
            Ok(alerts) => self.tell(now, alerts),
            Err(refusal) => self.told.push(format!("{} refused: {refusal}", now - NOW)),
        }
    }

    fn restart(&mut self, after: &str, policy: Policy) {
        let now = NOW + after.parse::<Duration>().unwrap();
        self.beats = Heartbeats::new(policy);
        for record in self.records.values() {
            self.beats.restore(record.clone());
        }
        let alerts = self.beats.resume(now);
        self.tell(now, alerts);
    }

    fn told(mut self, until: &str, expected: &[&str]) {
        self.until(until);
        assert_eq!(self.told, expected);
    }
}

fn failed(why: &str) -> Outcome {
    Outcome::Failed(why.to_owned())
}

#[test]
fn a_job_that_does_not_report_is_missed_until_it_does() {
    let mut it = Player::new(Policy::default());
    it.beat("0s", ("backup", "nightly"), Outcome::Done, Some("1h"));
    it.beat("1h4m", ("backup", "nightly"), Outcome::Done, None);
    it.beat("3h", ("backup", "nightly"), Outcome::Done, None);
    it.told(
        "4h5m",
        &[
            "2h9m begins HeartbeatMissed nightly warning since 2h9m",
            "3h ends HeartbeatMissed nightly warning since 2h9m",
            "4h5m begins HeartbeatMissed nightly warning since 4h5m",
        ],
    );
}

#[test]
fn a_declared_job_is_awaited_before_it_ever_reported_and_what_it_says_to_expect_is_not_heard() {
    let mut it = Player::new(declared("", "nightly", "1d"));
    it.beat("1d6m", ("backup", "nightly"), Outcome::Done, Some("1m"));
    it.told(
        "2d",
        &[
            "1d5m begins HeartbeatMissed nightly critical since 1d5m",
            "1d6m ends HeartbeatMissed nightly critical since 1d5m",
        ],
    );
}

#[test]
fn a_run_that_failed_is_told_at_once_and_is_no_beat() {
    let mut it = Player::new(Policy::default());
    it.beat("0s", ("", "sync"), Outcome::Done, Some("10m"));
    it.beat("9m", ("", "sync"), failed("exit status 3"), None);
    it.beat("10m", ("", "sync"), failed("exit status 4"), None);
    it.beat("20m", ("", "sync"), Outcome::Done, None);
    it.told(
        "21m",
        &[
            "9m begins HeartbeatFailed sync warning since 9m",
            "10m begins HeartbeatFailed sync warning since 9m",
            "15m begins HeartbeatMissed sync warning since 15m",
            "20m ends HeartbeatFailed sync warning since 9m",
            "20m ends HeartbeatMissed sync warning since 15m",
        ],
    );
}

#[test]
fn beats_may_come_late_twice_out_of_order_and_from_clocks_ahead() {
    let mut it = Player::new(Policy::default());
    let at = |mins| NOW + Duration::from_mins(mins);
    let nightly = ("backup", "nightly");
    it.beat_of(at(0), at(600), nightly, Outcome::Done, Some("1h"));
    // Of before: neither a beat nor a failure.
    it.beat_of(at(30), at(-5), nightly, Outcome::Done, None);
    it.beat_of(at(31), at(-5), nightly, failed("x"), None);
    it.until("1h5m");
    // It was on its way for so long that the next one is missed as well.
    it.beat_of(at(300), at(10), nightly, Outcome::Done, None);
    it.beat_of(at(301), at(290), nightly, Outcome::Done, None);
    it.beat_of(at(302), at(290), nightly, Outcome::Done, None);
    it.told(
        "5h3m",
        &[
            "1h5m begins HeartbeatMissed nightly warning since 1h5m",
            // It says now when it last ran.
            "5h begins HeartbeatMissed nightly warning since 1h5m",
            "5h1m ends HeartbeatMissed nightly warning since 1h5m",
        ],
    );
}

#[test]
fn after_a_restart_beats_have_two_minutes_to_come_and_alerts_are_not_raised_twice() {
    let mut it = Player::new(Policy::default());
    it.beat("0s", ("", "early"), Outcome::Done, Some("10m"));
    it.beat("0s", ("", "sent again"), Outcome::Done, Some("1h"));
    it.beat("0s", ("", "gone"), Outcome::Done, Some("1h"));
    it.until("20m");
    it.restart("2h", Policy::default());
    it.beat("2h1m", ("", "sent again"), Outcome::Done, None);
    it.told(
        "2h30m",
        &[
            "15m begins HeartbeatMissed early warning since 15m",
            "2h2m begins HeartbeatMissed gone warning since 1h5m",
        ],
    );
}

#[test]
fn a_deadline_is_put_off_once_however_often_firebell_restarts() {
    let mut it = Player::new(Policy::default());
    it.beat("0s", ("", "nightly"), Outcome::Done, Some("10m"));
    it.restart("14m30s", Policy::default());
    it.restart("16m20s", Policy::default());
    it.restart("18m10s", Policy::default());
    it.told(
        "19m",
        &["16m30s begins HeartbeatMissed nightly warning since 15m"],
    );
}

#[test]
fn what_a_clock_ahead_has_put_into_the_future_is_over_after_a_restart() {
    let mut it = Player::new(declared("", "weekly", "1h"));
    it.beat("30d", ("", "nightly"), Outcome::Done, Some("1h"));
    it.beat("30d", ("", "weekly"), Outcome::Done, None);
    it.told.clear();
    it.restart("1d", declared("", "weekly", "1h"));
    it.beat("1d1m", ("", "nightly"), failed("x"), None);
    it.beat("1d2m", ("", "nightly"), Outcome::Done, None);
    it.told(
        "1d3h",
        &[
            "1d1m begins HeartbeatFailed nightly warning since 1d1m",
            "1d2m ends HeartbeatFailed nightly warning since 1d1m",
            "1d1h5m begins HeartbeatMissed weekly critical since 1d1h5m",
            "1d1h7m begins HeartbeatMissed nightly warning since 1d1h7m",
        ],
    );
}

#[test]
fn what_is_known_of_a_job_stays_when_its_service_is_declared_or_no_longer() {
    let mut it = Player::new(Policy::default());
    it.beat("0s", ("shop", "sync"), failed("x"), Some("1d"));
    let now = it.until("1h");
    for policy in [declared("", "sync", "2h"), declared("shop", "sync", "2h")] {
        let alerts = it.beats.configure(now, policy);
        it.tell(now, alerts);
        assert_eq!(it.beats.iter().count(), 1);
    }
    let now = it.until("2h5m");
    let alerts = it.beats.configure(now, declared("", "sync", "2h"));
    it.tell(now, alerts);
    it.told(
        "2h5m",
        &[
            "0s begins HeartbeatFailed sync warning since 0s",
            "1h begins HeartbeatFailed sync critical since 0s",
            "1h ends HeartbeatFailed sync warning since 0s",
            "1h ends HeartbeatFailed sync critical since 0s",
            "1h begins HeartbeatFailed sync critical since 0s",
            "2h5m begins HeartbeatMissed sync critical since 2h5m",
            "2h5m ends HeartbeatMissed sync critical since 2h5m",
            "2h5m ends HeartbeatFailed sync critical since 0s",
            "2h5m begins HeartbeatMissed sync critical since 2h5m",
            "2h5m begins HeartbeatFailed sync critical since 0s",
        ],
    );
}

#[test]
fn another_configuration_takes_over_changes_and_forgets() {
    let mut it = Player::new(Policy::default());
    it.beat("0s", ("backup", "nightly"), Outcome::Done, Some("1h"));
    let mut now = it.until("2h");
    // Known for all services from now on, with what was known of it, and longer times.
    let alerts = it.beats.configure(now, declared("", "nightly", "1d"));
    it.tell(now, alerts);
    assert_eq!(it.beats.iter().count(), 1);
    now = it.until("1d6m");
    let alerts = it.beats.configure(now, declared("", "nightly", "2d"));
    it.tell(now, alerts);
    assert_eq!(
        it.beats.forget(now, &key("", "nightly")),
        Err(Refusal::Declared(key("", "nightly")))
    );
    now = it.until("3d");
    let alerts = it.beats.configure(now, Policy::default());
    it.tell(now, alerts);
    it.beat("3d", ("backup", "nightly"), Outcome::Done, None);
    it.told(
        "9d",
        &[
            "1h5m begins HeartbeatMissed nightly warning since 1h5m",
            "2h ends HeartbeatMissed nightly warning since 1h5m",
            "1d5m begins HeartbeatMissed nightly critical since 1d5m",
            "1d6m ends HeartbeatMissed nightly critical since 1d5m",
            "2d5m begins HeartbeatMissed nightly critical since 2d5m",
            "3d ends HeartbeatMissed nightly critical since 2d5m",
            "3d refused: `nightly of backup` is not known: say how often it runs, as in `every=1d`, or \
             declare it under `heartbeats` of the configuration",
        ],
    );
}

#[test]
fn other_labels_end_the_alert_and_begin_it_anew() {
    let mut it = Player::new(declared("", "nightly", "1h"));
    let now = it.until("1h10m");
    let mut policy = declared("", "nightly", "1h");
    policy.declared[0].expectation.labels = Labels::from_pairs([("severity", "info")]);
    let alerts = it.beats.configure(now, policy);
    it.tell(now, alerts);
    it.told(
        "2h",
        &[
            "1h5m begins HeartbeatMissed nightly critical since 1h5m",
            "1h10m ends HeartbeatMissed nightly critical since 1h5m",
            "1h10m begins HeartbeatMissed nightly info since 1h5m",
        ],
    );
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let of = |result: Result<Expectation, Refusal>| result.unwrap_err().to_string();
    assert_eq!(
        of(Expectation::new(Duration(10), Duration::ZERO)),
        "`every` lies between 1s and 400d, not 10ms"
    );
    assert_eq!(
        of(Expectation::new(Duration::from_mins(1), Duration(-1))),
        "`grace` lies between 0s and 400d, not -1ms"
    );
    let refused = |service, name| HeartbeatKey::new(service, name).unwrap_err().to_string();
    assert_eq!(refused("", ""), "a heartbeat needs a name");
    assert_eq!(refused("", "  "), "a heartbeat needs a name");
    assert_eq!(refused("", ".."), "`..` is no name of a heartbeat");
    assert!(refused("", "a\nb").contains("no line breaks"));
    assert!(refused(&"x".repeat(201), "a").contains("at most 200 characters"));
}

#[test]
fn who_forgets_a_job_that_is_not_known_is_told_of_others() {
    let mut beats = Heartbeats::new(declared("shop", "sync", "1h"));
    beats.resume(NOW);
    let mut forget = |service, name| {
        let refused = beats.forget(NOW, &key(service, name)).unwrap_err();
        refused.to_string()
    };
    assert_eq!(forget("", "typo"), "no job `typo` is known");
    assert_eq!(
        forget("", "sync"),
        "no job `sync` is known; known is `sync of shop`: name the service, as in `--service shop`"
    );
}

#[test]
fn there_are_so_many_and_no_more() {
    let mut beats = Heartbeats::new(Policy::default());
    let beat = |idx: usize| Beat {
        key: key("", &format!("job-{idx}")),
        at: NOW,
        outcome: Outcome::Done,
        expectation: Some(expected("1h", "5m", "info")),
    };
    for idx in 0..10_000 {
        beats.beat(NOW, beat(idx)).unwrap();
    }
    assert_eq!(beats.beat(NOW, beat(10_000)), Err(Refusal::TooMany(10_000)));
    assert_eq!(beats.beat(NOW, beat(7)), Ok(Vec::new()));
    beats.forget(NOW, &key("", "job-7")).unwrap();
    assert_eq!(beats.beat(NOW, beat(10_000)), Ok(Vec::new()));
}

#[derive(Clone, Debug)]
enum Happening {
    Beat { job: usize, ago: i64, is_done: bool },
    Passes(i64),
    Restarts,
    Declares(bool),
    Forgets(usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (0..3_usize, -100..4_000_i64, any::<bool>())
            .prop_map(|(job, ago, is_done)| Happening::Beat { job, ago, is_done }),
        (1..5_000_i64).prop_map(Happening::Passes),
        Just(Happening::Restarts),
        any::<bool>().prop_map(Happening::Declares),
        (0..3_usize).prop_map(Happening::Forgets),
    ]
}

proptest! {
    // Whatever happens: an alert begins before it ends, is there exactly while the state has it, and
    // what is written down is all there is to know.
    #[test]
    fn alerts_and_records_follow_the_state(all in prop::collection::vec(happening(), 0..60)) {
        let jobs = [("", "a"), ("shop", "a"), ("shop", "b")];
        let policy = |is_declared| match is_declared {
            true => declared("", "a", "30m"),
            false => Policy::default(),
        };
        let (mut now, mut is_declared) = (NOW, false);
        let mut it = Heartbeats::new(policy(false));
        let mut written: BTreeMap<String, HeartbeatRecord> = BTreeMap::new();
        let mut firing: BTreeMap<Labels, Alert> = BTreeMap::new();
        let mut alerts = it.resume(now);
        for what in all {
            match what {
                Happening::Beat { job, ago, is_done } => {
                    let taken = it.beat(now, Beat {
                        key: key(jobs[job].0, jobs[job].1),
                        at: now - Duration::from_secs(ago),
                        outcome: if is_done { Outcome::Done } else { failed("x") },
                        expectation: Some(expected("20m", "5m", "info")),
                    });
                    alerts.extend(taken.unwrap());
                }
                Happening::Passes(secs) => {
                    now += Duration::from_secs(secs);
                    alerts.extend(it.handle_deadline(now));
                    prop_assert!(it.poll_deadline().is_none_or(|at| at > now));
                }
                Happening::Restarts => {
                    it = Heartbeats::new(policy(is_declared));
                    written.values().for_each(|record| it.restore(record.clone()));
                    alerts.extend(it.resume(now));
                }
                Happening::Declares(is) => {
                    is_declared = is;
                    alerts.extend(it.configure(now, policy(is)));
                }
                Happening::Forgets(job) => {
                    let key = key(jobs[job].0, jobs[job].1);
                    alerts.extend(it.forget(now, &key).unwrap_or_default());
                }
            }
            for alert in alerts.drain(..) {
                if alert.ends_at.is_some() {
                    prop_assert!(firing.remove(&alert.labels).is_some());
                } else {
                    firing.insert(alert.labels.clone(), alert);
                }
            }
            for record in it.take_changes() {
                let text = serde_json::to_value(&record).unwrap();
                written.insert(text["key"].to_string(), record);
            }
            let known = it.iter().flat_map(|(_, it)| [&it.missed, &it.failed]).flatten();
            let known: BTreeMap<Labels, Alert> = known.map(|it| (it.labels.clone(), it.clone())).collect();
            prop_assert_eq!(&known, &firing);
            let mut again = Heartbeats::new(Policy::default());
            written.values().for_each(|record| again.restore(record.clone()));
            prop_assert!(again.iter().eq(it.iter()));
        }
    }
}
