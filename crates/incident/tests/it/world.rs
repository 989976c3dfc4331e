//! Plays a timeline against the core, and writes down what came of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::Expect;
use firebell_incident::{
    Act, AlertEvent, HappenedKind, IncidentId, IncidentRecord, Incidents, Opening, Outcome, Person,
    Policy, Told,
};
use firebell_model::{Duration, Labels, Timestamp, parse_matchers};

/// Plays `timeline`, whose events are apart by ` · ` or the end of a line.
pub(crate) fn check(timeline: &str, expected: &Expect) {
    expected.assert_eq(&play(timeline));
}

pub(crate) fn play(timeline: &str) -> String {
    let mut world = World::new();
    let events = timeline.lines().flat_map(|line| line.split(" · "));
    for event in events.map(str::trim).filter(|it| !it.is_empty()) {
        let (after, what) = event.split_once(' ').unwrap();
        let now = Timestamp(after.parse::<Duration>().unwrap().0);
        world.pass(now);
        world.happen(now, what.trim());
        world.tell(now);
    }
    world.transcript
}

struct World {
    incidents: Incidents,
    journal: Vec<IncidentRecord>,
    transcript: String,
    /// How many entries were told, by incident.
    n_told: BTreeMap<IncidentId, usize>,
}

pub(crate) fn policy() -> Policy {
    Policy {
        open_when: vec![parse_matchers(r#"severity=~"critical|page""#).unwrap()],
        ..Policy::default()
    }
}

impl World {
    fn new() -> Self {
        Self {
            incidents: Incidents::new(policy()),
            journal: Vec::new(),
            transcript: String::new(),
            n_told: BTreeMap::new(),
        }
    }

    /// Does what is due before `now`.
    fn pass(&mut self, now: Timestamp) {
        while let Some(due) = self.incidents.poll_deadline().filter(|due| *due < now) {
            self.incidents.handle_deadline(due);
            self.tell(due);
        }
    }

    fn say(&mut self, now: Timestamp, what: &str) {
        let after = Duration(now.0).to_string();
        writeln!(self.transcript, "{after:<7} {what}").unwrap();
    }

    fn tell(&mut self, now: Timestamp) {
        let changes = self.incidents.take_changes();
        self.journal.extend(changes.iter().map(as_written));
        let mut lines = Vec::new();
        for incident in self.incidents.iter() {
            let n_told = self.n_told.entry(incident.id).or_default();
            for entry in &incident.timeline[*n_told..] {
                let words = entry.words();
                lines.push(format!("{} {}: {words}", incident.id, entry.by));
            }
            *n_told = incident.timeline.len();
        }
        lines.iter().for_each(|line| self.say(now, line));
        for it in self.incidents.take_happened() {
            let what = match it.kind {
                HappenedKind::Acknowledged => "acknowledged".to_owned(),
                HappenedKind::Judged(verdict) => format!("judged {verdict}"),
            };
            let (name, by) = (it.labels.value("alertname").to_owned(), it.by);
            self.say(now, &format!("history {name} {what} by {by}"));
        }
    }

    fn happen(&mut self, now: Timestamp, what: &str) {
        let (first, rest) = what.split_once(' ').unwrap_or((what, ""));
        match first {
            "fires" | "muted" | "ends" => {
                let event = AlertEvent {
                    labels: labels(rest),
                    is_firing: first != "ends",
                    is_muted: first == "muted",
                };
                self.incidents.handle_alert(now, &event);
            }
            "unmuted" => {
                let alert = labels(rest).fingerprint();
                self.incidents.handle_unmuted(now, alert);
            }
            "told" => {
                let (receiver, alert) = rest.split_once(' ').unwrap();
                let told = Told {
                    receiver: receiver.into(),
                    integration: "webhook[0]".into(),
                    alerts: vec![labels(alert).fingerprint()],
                    error: None,
                };
                self.incidents.handle_told(now, &told);
            }
            "policy" => {
                let mut policy = self.incidents.policy().clone();
                let (option, value) = rest.split_once(' ').unwrap();
                let duration = || value.parse().unwrap();
                match option {
                    "window" => policy.window = duration(),
                    "resolve_after" => policy.resolve_after = duration(),
                    "answer_within" => policy.answer_within = duration(),
                    "join_by" => policy.join_by = vec![value.to_owned()],
                    other => panic!("no option {other}"),
                }
                self.incidents.configure(policy);
            }
            "restart" => self.restart(),
            "show" => self.show(now, rest.parse().unwrap()),
            "passes" => {}
            person => self.wish(now, person, rest),
        }
    }

    fn wish(&mut self, now: Timestamp, person: &str, wish: &str) {
        let by = Person::new(person).unwrap();
        let (head, rest) = wish.split_once(':').unwrap();
        if let Some(head) = head.strip_prefix("opens ") {
            let (severity, service) = head.split_once(' ').unwrap_or((head, ""));
            let opening = Opening {
                title: rest.trim().to_owned(),
                severity: severity.parse().unwrap(),
                service: (!service.is_empty()).then(|| service.to_owned()),
                alerts: Vec::new(),
            };
            let opened = self.incidents.open(now, by, &opening);
            return match opened {
                Ok(_) => {}
                Err(refusal) => self.say(now, &format!("refused: {refusal}")),
            };
        }
        let result = match rest.trim().parse::<Act>() {
            Ok(act) => self.incidents.act(now, head.parse().unwrap(), by, act),
            Err(error) => return self.say(now, &format!("unread: {error}")),
        };
        match result {
            Ok(Outcome::Changed) => {}
            Ok(Outcome::Already) => self.say(now, "already so"),
            Err(refusal) => self.say(now, &format!("refused: {refusal}")),
        }
    }

    /// What was written down is all that is left.
    fn restart(&mut self) {
        let before: Vec<_> = self.incidents.records().collect();
        let mut restored = Incidents::new(self.incidents.policy().clone());
        self.journal
            .iter()
            .cloned()
            .for_each(|it| restored.restore(it));
        restored.resume();
        assert_eq!(restored.records().collect::<Vec<_>>(), before);
        assert_eq!(restored.poll_deadline(), self.incidents.poll_deadline());
        self.incidents = restored;
    }

    fn show(&mut self, now: Timestamp, id: IncidentId) {
        let incident = self.incidents.get(id).unwrap();
        let firing = incident.alerts.values().filter(|it| it.ended_at.is_none());
        let (n_firing, n_alerts) = (firing.count(), incident.alerts.len());
        let verdict = incident.verdict.as_ref().map(|it| {
            let guessed = if it.is_guessed() { " (guessed)" } else { "" };
            format!(", {}{guessed}", it.verdict)
        });
        let line = format!(
            "{id} \"{}\" {} {}, {n_firing} of {n_alerts} alerts fire{}",
            incident.title,
            incident.severity,
            incident.state.name(),
            verdict.unwrap_or_default(),
        );
        self.say(now, &line);
    }
}

/// A record as the journal gives it back: it is kept as JSON.
fn as_written(record: &IncidentRecord) -> IncidentRecord {
    let text = serde_json::to_string(record).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// `Down service=cart severity=critical`.
pub(crate) fn labels(text: &str) -> Labels {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let pairs = rest
        .split_whitespace()
        .map(|it| it.split_once('=').unwrap());
    Labels::from_pairs(pairs.chain([("alertname", name)]))
}
