//! A small language for routings and timelines, and the world that answers deliveries.
//!
//! A routing is lines such as
//! ```text
//! receiver db: webhook, slack-          (the `-` means: no resolved alerts)
//! route db by=service wait=30s interval=5m repeat=4h
//!   {team="web"} web by=... continue    (children by indentation)
//! interval night 22:00-24:00 00:00-06:00
//! inhibit {severity="critical"} > {severity="warning"} on cluster,service
//! ```
//! A timeline is events `MOMENT VERB …`, split by `·` or line ends; alerts are `service/name`
//! with further labels `k=v`. What `run` does at each verb is in [`World::act`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use expect_test::Expect;
use firebell_dispatch::{
    Delivery, DeliveryId, Dispatch, DispatchEffect, DispatchRecord, Failure, FailureCause, Options,
    Packer, PostedAlert, PostedAlerts, SilenceId, SilenceRequest, SilenceTerms, Unpacker, Weekly,
};
use firebell_model::{
    Alert, AlertStatus, Duration, Labels, NotificationReason, ReceiverData, Timestamp,
    parse_matchers,
};

use crate::routings::parse_routing;

/// One receiver, one route: groups by service.
pub(crate) const SIMPLE: &str = "receiver db: webhook\nroute db by=service";

/// Runs a timeline against [`SIMPLE`].
pub(crate) fn check(timeline: &str, expected: Expect) {
    check_with(SIMPLE, timeline, expected);
}

/// Runs a timeline against a routing, and compares the transcript.
pub(crate) fn check_with(routing: &str, timeline: &str, expected: Expect) {
    let world = run(routing, timeline);
    expected.assert_eq(&world.transcript);
}

/// Runs a timeline to its last event.
pub(crate) fn run(routing: &str, timeline: &str) -> World {
    let mut world = World::new(routing);
    for event in timeline
        .split(['·', '\n'])
        .map(str::trim)
        .filter(|it| !it.is_empty())
    {
        let (at, event) = event.split_once(' ').expect("MOMENT VERB");
        world.advance_to(moment(at));
        world.act(event.trim());
        world.settle();
    }
    world.check_journal();
    world
}

/// How an integration answers.
#[derive(Clone, PartialEq)]
enum Answer {
    Accepts,
    AcceptsAfter(Duration),
    Fails {
        is_retryable: bool,
        after: Option<Duration>,
    },
    Hangs,
    AcceptsKeeping(String),
}

/// Dispatch with everything around it.
pub(crate) struct World {
    pub(crate) dispatch: Dispatch,
    pub(crate) now: Timestamp,
    pub(crate) transcript: String,
    routing: String,
    effects: Vec<DispatchEffect>,
    answers: BTreeMap<String, Answer>,
    in_flight: BTreeSet<DeliveryId>,
    late: BTreeSet<(Timestamp, DeliveryId)>,
    silences: BTreeMap<String, SilenceId>,
    journal: Vec<DispatchRecord>,
}

impl World {
    pub(crate) fn new(routing: &str) -> Self {
        Self {
            dispatch: Dispatch::new(parse_routing(routing), Options::default()),
            now: Timestamp(0),
            transcript: String::new(),
            routing: routing.to_owned(),
            effects: Vec::new(),
            answers: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            late: BTreeSet::new(),
            silences: BTreeMap::new(),
            journal: Vec::new(),
        }
    }

    /// Lets everything happen that is due before `at`.
    pub(crate) fn advance_to(&mut self, at: Timestamp) {
        for _ in 0..STEPS_MAX {
            let late = self.late.first().map(|(at, _)| *at);
            let Some(next) = self.dispatch.poll_deadline().into_iter().chain(late).min() else {
                break;
            };
            if next >= at {
                break;
            }
            self.now = self.now.max(next);
            self.step();
        }
        self.now = at;
    }

    /// Lets everything happen that is due now, inputs first.
    pub(crate) fn settle(&mut self) {
        for _ in 0..STEPS_MAX {
            self.perform();
            let late = self.late.first().map(|(at, _)| *at);
            let next = self.dispatch.poll_deadline().into_iter().chain(late).min();
            if next.is_none_or(|next| next > self.now) {
                self.dispatch.take_changes(&mut self.journal);
                return;
            }
            self.step();
        }
        panic!("did not go quiet");
    }

    fn step(&mut self) {
        if let Some((at, id)) = self.late.first().copied().filter(|(at, _)| *at <= self.now) {
            self.late.remove(&(at, id));
            self.in_flight.remove(&id);
            self.dispatch
                .handle_delivered(self.now, id, None, &mut self.effects);
        } else {
            self.dispatch.handle_deadline(self.now, &mut self.effects);
        }
        self.perform();
        self.dispatch.take_changes(&mut self.journal);
    }

    fn perform(&mut self) {
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                match effect {
                    DispatchEffect::Notify(delivery) => self.deliver(&delivery),
                    DispatchEffect::Cancel(id) => {
                        self.say(&format!("cancel {id}"));
                        self.in_flight.remove(&id);
                        self.late.retain(|(_, late)| *late != id);
                    }
                }
            }
        }
    }

    fn deliver(&mut self, delivery: &Delivery) {
        if !self.in_flight.insert(delivery.id) {
            return; // Sent again after a restart: the world is at it already.
        }
        let to = format!("{}/{}", delivery.receiver, delivery.integration);
        let answer = self.answers.get(&to).cloned().unwrap_or(Answer::Accepts);
        let outcome = match &answer {
            Answer::Accepts => "",
            Answer::AcceptsAfter(_) => " (slow)",
            Answer::Fails {
                is_retryable: true, ..
            } => " (fails)",
            Answer::Fails {
                is_retryable: false,
                ..
            } => " (refused)",
            Answer::Hangs => " (hangs)",
            Answer::AcceptsKeeping(_) => "",
        };
        let attempt = match delivery.attempt {
            1 => String::new(),
            n => format!(" attempt {n}"),
        };
        let notification = &delivery.notification;
        let alerts: Vec<String> = notification
            .alerts
            .iter()
            .map(|alert| shown(alert, notification.at))
            .collect();
        let (reason, alerts) = (reason(notification.reason), alerts.join(", "));
        let summary = notification.group_labels.get("summary");
        let summary = summary.map(|it| format!("({it}) ")).unwrap_or_default();
        let known = delivery.known.get("ts");
        let known = known.map(|it| format!(" (knows {it})")).unwrap_or_default();
        self.say(&format!(
            "notify {to}{attempt}: {summary}{reason} [{alerts}]{known}{outcome}"
        ));
        match answer {
            Answer::Accepts => {
                self.in_flight.remove(&delivery.id);
                self.dispatch
                    .handle_delivered(self.now, delivery.id, None, &mut self.effects);
            }
            Answer::AcceptsAfter(delay) => {
                self.late.insert((self.now + delay, delivery.id));
            }
            Answer::Fails {
                is_retryable,
                after,
            } => {
                self.in_flight.remove(&delivery.id);
                let failure = failure(is_retryable, after);
                self.dispatch
                    .handle_failed(self.now, delivery.id, failure, &mut self.effects);
            }
            Answer::Hangs => {}
            Answer::AcceptsKeeping(what) => {
                self.in_flight.remove(&delivery.id);
                let data = ReceiverData::from([("ts".to_owned(), what)]);
                self.dispatch.handle_delivered(
                    self.now,
                    delivery.id,
                    Some(data),
                    &mut self.effects,
                );
            }
        }
    }

    /// Does what an event says.
    pub(crate) fn act(&mut self, event: &str) {
        let (verb, rest) = event.split_once(' ').unwrap_or((event, ""));
        match verb {
            "fire" | "resolve" => self.rule_says(verb == "resolve", rest),
            "post" => self.post(rest),
            "silence" => self.silence(rest),
            "expire" => {
                let id = self.silences[rest];
                let result = self
                    .dispatch
                    .expire_silence(self.now, &id, &mut self.effects);
                result.expect("a silence that is there");
            }
            "answer" => self.answer(rest),
            "reload" => self.reload(rest),
            "restart" => self.restart(),
            "show" => self.show(rest),
            "end" => {}
            _ => panic!("no verb `{verb}`"),
        }
        self.dispatch.take_changes(&mut self.journal);
    }

    /// The bytes that the records of all steps take, in the form that the journal gives them.
    pub(crate) fn journal_bytes(&self) -> usize {
        let bytes = |record: &DispatchRecord| {
            let mut packer = Packer::default();
            match record.pack(&mut packer) {
                true => packer.len(),
                false => serde_json::to_vec(record).expect("JSON").len(),
            }
        };
        self.journal.iter().map(bytes).sum()
    }

    fn rule_says(&mut self, is_resolved: bool, text: &str) {
        let labels = labels(text);
        let known = self.dispatch.alert(self.now, labels.fingerprint());
        let known = known.filter(|it| it.alert.ends_at.is_none());
        let alert = Alert {
            starts_at: known.map_or(self.now, |it| it.alert.starts_at),
            labels,
            annotations: Labels::empty(),
            ends_at: is_resolved.then_some(self.now),
            generator_url: String::new(),
            updated_at: self.now,
            is_timeout: false,
        };
        self.dispatch
            .handle_own_alerts(self.now, &[alert], &mut self.effects);
    }

    fn post(&mut self, text: &str) {
        let mut words: Vec<&str> = text.split(' ').collect();
        let mut at = |prefix: &str| {
            let idx = words.iter().position(|word| word.starts_with(prefix))?;
            Some(moment(words.remove(idx).strip_prefix(prefix)?))
        };
        let (starts_at, ends_at) = (at("starts="), at("ends="));
        let posted = PostedAlert {
            labels: labels(&words.join(" ")),
            annotations: Labels::from_pairs([("posted", duration_text(self.now))]),
            starts_at,
            ends_at,
            generator_url: String::new(),
        };
        let posted = PostedAlerts::from_iter([posted]);
        let errors = self
            .dispatch
            .handle_posted(self.now, &posted, &mut self.effects);
        for error in errors {
            self.say(&format!("error: {error}"));
        }
    }

    // `NAME {matchers} until MOMENT [from MOMENT]`; a known name changes that silence.
    fn silence(&mut self, text: &str) {
        let (name, rest) = text.split_once(' ').expect("a name");
        let (matchers, rest) = rest.split_once(" until ").expect("until");
        let (rest, terms) = match rest.split_once(" resolved ") {
            Some((rest, after)) => {
                let after = after.parse().expect("a duration");
                (rest, Some(SilenceTerms::until_resolved(after)))
            }
            None => (rest, None),
        };
        let (rest, terms) = match rest.split_once(" weekly ") {
            Some((rest, week)) => {
                let week: Vec<&str> = week.split(' ').collect();
                let weekly = Weekly::new(&week[..1], week[1], week[2], "UTC").expect("a week");
                (rest, Some(SilenceTerms::weekly(weekly)))
            }
            None => (rest, terms),
        };
        let (until, from) = rest.split_once(" from ").unwrap_or((rest, ""));
        let previous = self.silences.get(name).copied();
        let known = previous.and_then(|id| self.dispatch.silence(id));
        let starts_at = match from {
            "" => known.map_or(self.now, |silence| silence.starts_at),
            from => moment(from),
        };
        let request = SilenceRequest {
            id: previous,
            matchers: parse_matchers(matchers).expect("matchers"),
            starts_at,
            ends_at: moment(until),
            created_by: "me".to_owned(),
            comment: "test".to_owned(),
            annotations: Labels::empty(),
            terms,
        };
        match self
            .dispatch
            .set_silence(self.now, request, &mut self.effects)
        {
            Ok(id) => {
                if previous.is_some() {
                    let how = if previous == Some(id) {
                        "in place"
                    } else {
                        "as a new one"
                    };
                    self.say(&format!("silence {name} changed {how}"));
                }
                self.silences.insert(name.to_owned(), id);
            }
            Err(error) => self.say(&format!("error: {error}")),
        }
    }

    // `RECEIVER/KIND[IDX] accepts | after 3s | fails [after 3s] | refuses | hangs | keeps 17`
    fn answer(&mut self, text: &str) {
        let (to, how) = text.split_once(' ').expect("who and how");
        let pause = |text: &str| text.parse::<Duration>().expect("a duration");
        let answer = match how.split_once(' ').unwrap_or((how, "")) {
            ("accepts", _) => Answer::Accepts,
            ("after", delay) => Answer::AcceptsAfter(pause(delay)),
            ("fails", "") => Answer::Fails {
                is_retryable: true,
                after: None,
            },
            ("fails", after) => {
                let after = Some(pause(after.strip_prefix("after ").expect("after")));
                Answer::Fails {
                    is_retryable: true,
                    after,
                }
            }
            ("refuses", _) => Answer::Fails {
                is_retryable: false,
                after: None,
            },
            ("hangs", _) => Answer::Hangs,
            ("keeps", what) => Answer::AcceptsKeeping(what.to_owned()),
            _ => panic!("no answer `{how}`"),
        };
        self.answers.insert(to.to_owned(), answer);
    }

    // With text, the lines of the new routing, split by `;`.
    fn reload(&mut self, text: &str) {
        if !text.is_empty() {
            self.routing = text.replace("; ", "\n").replace(';', "\n");
        }
        let routing = parse_routing(&self.routing);
        self.dispatch
            .configure(self.now, routing, &mut self.effects);
    }

    /// Starts again from what was journalled, through JSON.
    pub(crate) fn restart(&mut self) {
        self.dispatch.take_changes(&mut self.journal);
        let mut fresh = Dispatch::new(parse_routing(&self.routing), Options::default());
        for record in &self.journal {
            let json = serde_json::to_string(record).expect("a record becomes JSON");
            fresh.restore(serde_json::from_str(&json).expect("and is read again"));
        }
        fresh.resume(self.now, &mut self.effects);
        self.dispatch = fresh;
    }

    fn show(&mut self, what: &str) {
        let mut text = String::new();
        if what == "alerts" {
            for view in self.dispatch.alerts(self.now) {
                let by: Vec<String> = view
                    .inhibited_by
                    .iter()
                    .filter_map(|it| self.dispatch.alert(self.now, *it))
                    .map(|it| format!("inhibited by {}", shown(it.alert, self.now)))
                    .chain(
                        view.silenced_by
                            .iter()
                            .map(|id| format!("silenced by {}", self.name(id))),
                    )
                    .collect();
                let receivers = view.receivers.join("+");
                let name = shown(view.alert, self.now);
                let state = format!("{:?}", view.state).to_lowercase();
                let _ = write!(
                    text,
                    " | {name} {state} {}> {receivers}",
                    by.join(", ") + " "
                );
            }
        } else {
            for group in self.dispatch.groups(self.now) {
                let alerts: Vec<String> = group
                    .alerts
                    .iter()
                    .map(|it| shown(it.alert, self.now))
                    .collect();
                let (key, receiver) = (group.key, group.receiver);
                let muted_by = match group.muted_by {
                    [] => String::new(),
                    names => format!(" muted by {}", names.join("+")),
                };
                let _ = write!(
                    text,
                    " | {receiver} {key} [{}]{muted_by} next {}",
                    alerts.join(", "),
                    duration_text(group.next_flush_at)
                );
            }
        }
        self.say(&format!("show{text}").replace("  ", " "));
    }

    fn name(&self, id: &SilenceId) -> &str {
        self.silences
            .iter()
            .find(|(_, it)| *it == id)
            .map_or("?", |(name, _)| name)
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.transcript, "{} {line}", duration_text(self.now));
    }

    /// What was journalled gives the state that is: nothing changed without being marked.
    pub(crate) fn check_journal(&self) {
        let mut kept: BTreeMap<String, String> = BTreeMap::new();
        for record in &self.journal {
            check_packed(record);
            if let DispatchRecord::Renewed(_) = record {
                renew(&mut kept, record);
                continue;
            }
            let (key, value) = key_and_value(record);
            match value {
                Some(value) => kept.insert(key, value),
                None => kept.remove(&key),
            };
        }
        let records = self.dispatch.records();
        let mut expected: BTreeMap<String, String> = records
            .map(|record| key_and_value(&record))
            .map(|(key, value)| (key, value.expect("a value")))
            .collect();
        if !kept.contains_key("counters") {
            expected.remove("counters");
        }
        assert_eq!(kept, expected);
    }
}

const STEPS_MAX: usize = 100_000;

// What has a packed form is read as it was written.
fn check_packed(record: &DispatchRecord) {
    let (mut packer, mut pack) = (Packer::default(), Vec::new());
    if record.pack(&mut packer) {
        packer.finish(&mut pack);
        let read = Unpacker::new(&pack).and_then(DispatchRecord::unpack);
        assert_eq!(read.as_ref(), Some(record));
    }
}

// Puts the times of renewed alerts into what is kept of them.
fn renew(kept: &mut BTreeMap<String, String>, record: &DispatchRecord) {
    let json = serde_json::to_value(record).expect("JSON");
    for mut times in json["renewed"].as_array().expect("a list").clone() {
        let times = times.as_object_mut().expect("times");
        let fingerprint = times.remove("fingerprint").expect("an alert");
        let key = format!(
            "alert {}",
            serde_json::json!({ "fingerprint": fingerprint })
        );
        let value = kept.get_mut(&key).expect("a known alert");
        let mut alert: serde_json::Value = serde_json::from_str(value).expect("JSON");
        let known = alert["alert"].as_object_mut().expect("an alert");
        known.append(times);
        *value = alert.to_string();
    }
}

fn key_and_value(record: &DispatchRecord) -> (String, Option<String>) {
    let json = serde_json::to_value(record).expect("JSON");
    let (kind, body) = json
        .as_object()
        .and_then(|it| it.iter().next())
        .expect("one key");
    let mut body = body.clone();
    if kind == "counters" {
        return (kind.clone(), Some(body.to_string()));
    }
    let value = body
        .as_object_mut()
        .and_then(|it| it.remove("value"))
        .expect("a value");
    (
        format!("{kind} {body}"),
        (!value.is_null()).then(|| value.to_string()),
    )
}

/// `1h2m3.004s`, with a sign; `0m0s` shows at least minutes and seconds.
pub(crate) fn duration_text(at: Timestamp) -> String {
    let (sign, ms) = (if at.0 < 0 { "-" } else { "" }, at.0.abs());
    let (minutes, seconds) = (ms / 60_000, (ms % 60_000) as f64 / 1000.0);
    match minutes / 60 {
        0 => format!("{sign}{minutes}m{seconds}s"),
        hours => format!("{sign}{hours}h{}m{seconds}s", minutes % 60),
    }
}

pub(crate) fn moment(text: &str) -> Timestamp {
    let duration = |text: &str| {
        text.parse::<Duration>()
            .unwrap_or_else(|error| panic!("{error}"))
    };
    match text.strip_prefix('-') {
        Some(before) => Timestamp(0) - duration(before),
        None => Timestamp(0) + duration(text),
    }
}

/// `service/name k=v k=v`; `/name` has no service, and `/` no label at all.
pub(crate) fn labels(text: &str) -> Labels {
    let mut words = text.split(' ');
    let (service, name) = words
        .next()
        .and_then(|it| it.split_once('/'))
        .expect("service/name");
    let further = words.map(|word| word.split_once('=').expect("k=v"));
    Labels::from_pairs(
        [("service", service), ("alertname", name)]
            .into_iter()
            .chain(further),
    )
}

fn failure(is_retryable: bool, after: Option<Duration>) -> Failure {
    Failure {
        why: "503".to_owned(),
        is_retryable,
        after,
        cause: FailureCause::ServerError,
    }
}

// `disk`, `disk@i1` with an instance; `-disk` when resolved.
fn shown(alert: &Alert, at: Timestamp) -> String {
    let sign = if alert.status_at(at) == AlertStatus::Resolved {
        "-"
    } else {
        ""
    };
    let name = alert.labels.value("alertname");
    let mark = match alert.annotations.get("flapping") {
        Some(mark) => format!(" ({})", mark.split(':').next().unwrap_or_default()),
        None => String::new(),
    };
    match alert.labels.get("instance") {
        Some(instance) => format!("{sign}{name}@{instance}{mark}"),
        None => format!("{sign}{name}{mark}"),
    }
}

fn reason(reason: NotificationReason) -> &'static str {
    match reason {
        NotificationReason::First => "first",
        NotificationReason::NewAlerts => "new alerts",
        NotificationReason::AllResolved => "all resolved",
        NotificationReason::NewResolved => "some resolved",
        NotificationReason::Repeat => "repeat",
    }
}
