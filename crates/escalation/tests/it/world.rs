//! A small team, and a core that is played: what it does is a transcript, and every invariant is
//! looked at after every event.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use firebell_escalation::{
    AckMode, Act, Effect, Escalation, EscalationRecord, Level, Opening, Page, PageKey, PagingRules,
    Policy, SendId, Severity, Step, Target, What, Who,
};
use firebell_model::{Duration, Timestamp};
use firebell_oncall::{
    Contact, ContactKind, Counting, Directory, Every, Hours, Layer, Oncall, Ownership, Person,
    PersonId, Rotation, Schedule, Team,
};
use jiff::tz::TimeZone;

/// 2026-01-05, a Monday, 00:00 UTC.
pub(crate) const START: Timestamp = Timestamp(1_767_571_200_000);

pub(crate) fn person(name: &str, contacts: &[(ContactKind, &str)]) -> Person {
    let contact = |(kind, address): &(ContactKind, &str)| Contact {
        kind: *kind,
        address: (*address).into(),
    };
    Person {
        name: name.into(),
        full_name: name.into(),
        zone: TimeZone::UTC,
        contacts: contacts.iter().map(contact).collect(),
    }
}

/// Each has a turn of so many hours.
pub(crate) fn schedule(name: &str, hours: u32, slots: &[&[u32]], week: Option<&str>) -> Schedule {
    let start = jiff::civil::date(2026, 1, 5).at(0, 0, 0, 0);
    let slot = |ids: &&[u32]| ids.iter().map(|id| PersonId(*id)).collect();
    let layer = Layer {
        name: name.into(),
        zone: TimeZone::UTC,
        rotation: Rotation::new(start, &Every::Hours(hours), Counting::Time).unwrap(),
        slots: slots.iter().map(slot).collect(),
        hours: Hours {
            week: week.map(|it| it.parse().unwrap()),
            holidays: None,
        },
        until: None,
    };
    Schedule {
        name: name.into(),
        zone: TimeZone::UTC,
        layers: vec![layer],
        temporary: Vec::new(),
        overrides: Vec::new(),
        n_under_temporary: 0,
        shadows: Vec::new(),
        may_have_gaps: true,
    }
}

/// Ana and Ben take turns of a day on `primary`, Cara is `backup`, Eva manages, Dan has no contact;
/// on `office` Ana is on call in business hours only.
pub(crate) fn team() -> Oncall {
    let contacts = [
        (ContactKind::Ntfy, "n"),
        (ContactKind::Phone, "+34600000001"),
    ];
    let mut people: Vec<Person> = ["ana", "ben", "cara", "eva"]
        .map(|name| person(name, &contacts))
        .into();
    people.push(person("dan", &[]));
    let all = Team {
        name: "all".into(),
        members: (0..5).map(PersonId).collect(),
        schedule: None,
        escalation: None,
    };
    Oncall {
        directory: Directory {
            people,
            teams: vec![all],
            services: Vec::new(),
            flows: Vec::new(),
        },
        ownership: Ownership::default(),
        schedules: vec![
            schedule("primary", 24, &[&[0], &[1]], None),
            schedule("backup", 24, &[&[2]], None),
            schedule("office", 24, &[&[0]], Some("mon-fri 09:00-17:00")),
        ],
    }
}

pub(crate) fn mins(mins: i64) -> Duration {
    Duration::from_mins(mins)
}

pub(crate) fn level(targets: &[&str]) -> Level {
    Level {
        targets: targets.iter().map(|it| it.parse().unwrap()).collect(),
        acknowledge: AckMode::First,
        who: Who::All,
    }
}

pub(crate) fn notify(after: i64, targets: &[&str]) -> Step {
    step(after, Act::Notify(level(targets)))
}

pub(crate) fn step(after: i64, act: Act) -> Step {
    Step {
        after: mins(after),
        when: None,
        unless: None,
        act,
    }
}

/// Primary now, backup after a quarter of an hour, the manager after an hour.
pub(crate) fn ordinary() -> Policy {
    let steps = vec![
        notify(0, &["schedule:primary"]),
        notify(15, &["schedule:backup"]),
        notify(60, &["person:eva"]),
    ];
    Policy::new("ordinary", steps)
}

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) oncall: Oncall,
    pub(crate) core: Escalation,
    pub(crate) rules: PagingRules,
    /// Nothing arrives at these.
    pub(crate) deaf: BTreeSet<Arc<str>>,
    /// Outcomes wait for whoever asks for them.
    pub(crate) is_slow: bool,
    pub(crate) under_way: Vec<(SendId, Arc<str>)>,
    pub(crate) transcript: String,
    pub(crate) n_messages: usize,
    journal: Vec<String>,
    policies: Arc<[Policy]>,
    // Nobody is told of these.
    quiet: BTreeSet<PageKey>,
}

impl World {
    pub(crate) fn new(policies: Vec<Policy>) -> Self {
        Self::with(team(), policies, BTreeMap::new())
    }

    pub(crate) fn with(oncall: Oncall, policies: Vec<Policy>, rules: PagingRules) -> Self {
        let policies: Arc<[Policy]> = policies.into();
        let core = Escalation::new(Arc::clone(&policies), rules.clone());
        let mut world = Self {
            now: START,
            oncall,
            core,
            rules,
            deaf: BTreeSet::new(),
            is_slow: false,
            under_way: Vec::new(),
            transcript: String::new(),
            n_messages: 0,
            journal: Vec::new(),
            policies,
            quiet: BTreeSet::new(),
        };
        world.after(Vec::new());
        world
    }

    pub(crate) fn say(&mut self, text: &str) {
        let minutes = (self.now - START).0 as f64 / 60_000.0;
        writeln!(self.transcript, "{minutes}m {text}").unwrap();
    }

    pub(crate) fn open(&mut self, key: u64, severity: u8) {
        let policy = Arc::clone(&self.policies[0].name);
        let opening = Opening {
            key: PageKey(key),
            policy,
            severity: Severity::new(severity).unwrap(),
            budget: None,
        };
        let mut out = Vec::new();
        let opened = self.core.open(self.now, &opening, &self.oncall, &mut out);
        self.say(&format!("open {key}: {opened:?}"));
        self.after(out);
    }

    pub(crate) fn ack(&mut self, key: u64, by: &str) {
        let (key, by, mut out) = (PageKey(key), by.into(), Vec::new());
        let answer = self
            .core
            .acknowledge(self.now, key, &by, &self.oncall, &mut out);
        self.say(&format!("{by} acknowledges {}: {answer:?}", key.0));
        self.after(out);
    }

    pub(crate) fn snooze(&mut self, key: u64, for_mins: i64) {
        let (who, until) = (Arc::from("ana"), self.now + mins(for_mins));
        let mut out = Vec::new();
        let key = PageKey(key);
        let answer = self
            .core
            .snooze(self.now, key, (&who, until), &self.oncall, &mut out);
        self.say(&format!("ana snoozes {}: {answer:?}", key.0));
        self.after(out);
    }

    pub(crate) fn severity(&mut self, key: u64, severity: u8) {
        let (mut out, severity) = (Vec::new(), Severity::new(severity).unwrap());
        let key = PageKey(key);
        let answer = self
            .core
            .set_severity(self.now, key, severity, &self.oncall, &mut out);
        self.say(&format!("{} is {severity}: {answer:?}", key.0));
        self.after(out);
    }

    pub(crate) fn close(&mut self, key: u64) {
        let answer = self.core.close(self.now, PageKey(key), true);
        self.say(&format!("{key} is resolved: {answer:?}"));
        self.after(Vec::new());
    }

    pub(crate) fn hand_over(&mut self, key: u64, to: &str) {
        let (to, mut out) = (to.into(), Vec::new());
        let answer = self.core.hand_over(
            self.now,
            PageKey(key),
            (&"eva".into(), &to),
            &self.oncall,
            &mut out,
        );
        self.say(&format!("{key} goes to {to}: {answer:?}"));
        self.after(out);
    }

    pub(crate) fn outcome(&mut self, id: SendId, is_delivered: bool) {
        let mut out = Vec::new();
        self.core
            .handle_outcome(self.now, (id, is_delivered), &self.oncall, &mut out);
        self.after(out);
    }

    pub(crate) fn reload(&mut self, policies: Vec<Policy>) {
        self.policies = policies.into();
        self.core
            .configure(Arc::clone(&self.policies), self.rules.clone());
        self.after(Vec::new());
    }

    /// Everything that is due until then happens.
    pub(crate) fn until(&mut self, minute: i64) {
        let end = START + mins(minute);
        self.until_moment(end);
    }

    pub(crate) fn until_moment(&mut self, end: Timestamp) {
        while let Some(at) = self.core.poll_deadline().filter(|at| *at <= end) {
            let is_again = at <= self.now;
            self.now = self.now.max(at);
            let before = is_again.then(|| self.core.records());
            let mut out = Vec::new();
            self.core.handle_deadline(self.now, &self.oncall, &mut out);
            let changes = before.is_none_or(|it| it != self.core.records());
            assert!(changes, "it does not go quiet");
            self.after(out);
        }
        self.now = end;
    }

    /// The process is killed, and what it wrote down is read again.
    pub(crate) fn restart(&mut self) {
        let mut core = Escalation::default();
        for line in &self.journal {
            core.restore(serde_json::from_str(line).unwrap());
        }
        assert_eq!(core.records(), self.core.records());
        core.resume(self.now);
        core.configure(Arc::clone(&self.policies), self.rules.clone());
        self.core = core;
        self.journal = json(self.core.records()).collect();
        self.under_way.clear();
        self.say("restart");
        self.after(Vec::new());
    }

    /// Takes what the core did where somebody else asked it to.
    pub(crate) fn took(&mut self, effects: Vec<Effect>) {
        self.after(effects);
    }

    /// Takes what the core did, and looks whether all is well.
    fn after(&mut self, effects: Vec<Effect>) {
        for happened in self.core.take_happened() {
            match happened.what {
                What::Began(_) => self.quiet.remove(&happened.page),
                What::Ended(_) | What::Snoozed(..) => self.quiet.insert(happened.page),
                _ => false,
            };
            if let What::HandedOver(_) = happened.what {
                self.quiet.remove(&happened.page);
            }
            self.say(&format!("  {}: {:?}", happened.page.0, happened.what));
        }
        let mut outcomes = Vec::new();
        for effect in effects {
            let text = match effect {
                Effect::Message {
                    id,
                    person,
                    method,
                    pages,
                } => {
                    self.n_messages += 1;
                    for key in &pages {
                        assert!(
                            !self.quiet.contains(key),
                            "{person} hears of {key:?} which is over"
                        );
                        let page = self.core.page(*key).unwrap();
                        let is_meant = self.means(page, &person);
                        assert!(is_meant, "{person} hears of {page:?} and is not on call");
                        let has_answered = page.answered.contains(&person);
                        assert!(!has_answered, "{person} has answered {page:?}");
                    }
                    let is_urgent = |key: &PageKey| {
                        let page = self.core.page(*key);
                        page.is_some_and(|it| it.severity.is_urgent())
                    };
                    let quiet = self.rules.get(&person).and_then(|it| it.quiet.as_ref());
                    let is_quiet = quiet.is_some_and(|it| it.covers(self.now));
                    assert!(
                        !is_quiet || pages.iter().any(is_urgent),
                        "{person} hears of {pages:?} in quiet hours"
                    );
                    outcomes.push((id, !self.deaf.contains(&person)));
                    self.under_way.push((id, Arc::clone(&person)));
                    let pages: Vec<u64> = pages.iter().map(|it| it.0).collect();
                    format!("  => {person} by {}: {pages:?}", method.kind.name())
                }
                Effect::Remind { person, page } => format!("  => ask {person}: still {}?", page.0),
                Effect::Tell { receiver, page } => format!("  => {receiver}: {}", page.0),
                Effect::NobodyLeft { page, end } => format!("  => nobody left: {} {end:?}", page.0),
                Effect::HandOff(it) => panic!("nobody looks at schedules here: {it:?}"),
                Effect::Broken { page, why } => panic!("{page:?}: {why}"),
            };
            self.say(&text);
        }
        assert_eq!(self.core.faults(), []);
        self.journal.extend(json(self.core.take_changes()));
        if !self.is_slow {
            self.under_way.clear();
            for (id, is_delivered) in outcomes {
                self.outcome(id, is_delivered);
            }
        }
    }

    /// Whether any level of a page means somebody now; told apart from how the core does it.
    fn means(&self, page: &Page, person: &Arc<str>) -> bool {
        let id = self.oncall.directory.find_person(person);
        let is_on_call = |name: &str| {
            let found = self.oncall.schedules.iter().find(|it| *it.name == *name);
            let shift = found.and_then(|it| it.on_call_at(self.now));
            shift.is_some_and(|it| id.is_some_and(|id| it.people.contains(&id)))
        };
        let mut targets = page.levels.iter().flat_map(|it| &it.targets);
        targets.any(|target| match target {
            Target::Person(name) => name == person && id.is_some(),
            Target::Schedule(name) => is_on_call(name),
            Target::Team(name) => {
                let team = self
                    .oncall
                    .directory
                    .teams
                    .iter()
                    .find(|it| it.name == *name);
                team.is_some_and(|it| id.is_some_and(|id| it.members.contains(&id)))
            }
            Target::Receiver(_) => false,
        })
    }
}

fn json(records: Vec<EscalationRecord>) -> impl Iterator<Item = String> {
    let lines = records.into_iter();
    lines.map(|it| serde_json::to_string(&it).unwrap())
}
