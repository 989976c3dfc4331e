//! People who sleep, acknowledge late, leave and swap; processes that are killed; providers that
//! fail: by chance from a seed, with every invariant looked at after every event.
//!
//! `FIREBELL_SIM_HOURS` says how many hours are played, `FIREBELL_SIM_SEED` from which seed.

use std::collections::BTreeMap;

use firebell_escalation::{
    AckMode, Act, BudgetLeft, Condition, End, Level, Limit, PageKey, PagingRules, PersonRules,
    Phase, Policy, Severity, Step, Way, Who, Window,
};
use firebell_model::Duration;
use firebell_oncall::{Change, ContactKind, Override, PersonId, Span};

use crate::world::{World, level, mins, notify, ordinary, step, team};

/// Numbers from a seed. Source: Marsaglia, "Xorshift RNGs", 2003.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |it| it.parse().expect("a whole number"))
}

fn policies(n: u64) -> Vec<Policy> {
    let office = Window::new("mon-fri 09:00-17:00", "Europe/Berlin").unwrap();
    let defer = Step {
        unless: Some(Condition {
            severity: Severity::new(2),
            ..Condition::default()
        }),
        ..step(0, Act::Defer(office.clone()))
    };
    let low = Step {
        when: Some(Condition {
            budget_below: Some(BudgetLeft(1_000)),
            ..Condition::default()
        }),
        ..notify(2, &["person:eva"])
    };
    let all = Level {
        acknowledge: AckMode::All,
        ..level(&["schedule:primary", "schedule:backup", "receiver:ops"])
    };
    let turns = Level {
        who: Who::RoundRobin,
        ..level(&["team:all", "schedule:office"])
    };
    let mut careful = Policy::new(
        "careful",
        vec![
            defer,
            step(0, Act::Notify(all)),
            low,
            step(7, Act::Notify(turns)),
            step(20, Act::HandOver("ordinary".into())),
        ],
    );
    careful.repeat = (n % 3) as u32;
    let mut ordinary = ordinary();
    ordinary.repeat = 1;
    ordinary.acknowledged_for = mins(20 + n as i64 % 20);
    ordinary.remind_after = mins(15);
    match n % 2 {
        0 => vec![careful, ordinary],
        _ => vec![ordinary, careful],
    }
}

struct Chaos {
    world: World,
    dice: Dice,
    n_keys: u64,
    n_acks: u64,
    n_restarts: u64,
}

impl Chaos {
    fn key(&mut self) -> u64 {
        // Mostly one of the last, sometimes one that never was.
        (self.n_keys + 2).saturating_sub(self.dice.below(12))
    }

    fn somebody(&mut self) -> &'static str {
        ["ana", "ben", "cara", "eva", "dan"][self.dice.below(5) as usize]
    }

    fn event(&mut self) {
        let (key, who) = (self.key(), self.somebody());
        match self.dice.below(24) {
            0..4 => {
                self.n_keys += 1;
                let severity = 1 + self.dice.below(4) as u8;
                self.world.open(self.n_keys, severity);
                // Everything ends at some time.
                if let Some(old) = self.n_keys.checked_sub(OPEN_MAX) {
                    self.world.close(old);
                }
            }
            4..9 => {
                self.n_acks += 1;
                self.world.ack(key, who);
            }
            9..11 => self.world.close(key),
            11 => self.world.snooze(key, 1 + self.dice.below(300) as i64),
            12..14 => self.world.severity(key, 1 + self.dice.below(4) as u8),
            14 => self
                .world
                .hand_over(key, if key % 2 == 0 { "ordinary" } else { "careful" }),
            15 => {
                let (mut out, left) = (Vec::new(), BudgetLeft(self.dice.below(3_000) as i32));
                let world = &mut self.world;
                let key = PageKey(key);
                let _ = world
                    .core
                    .set_budget(world.now, key, Some(left), &world.oncall, &mut out);
                world.took(out);
            }
            16 => {
                self.n_restarts += 1;
                self.world.restart();
            }
            17..19 if self.dice.one_in(2) => self.world.reload(policies(self.dice.below(6))),
            19 => self.world.is_slow = self.dice.one_in(2),
            20 => {
                if !self.world.deaf.remove(who) {
                    self.world.deaf.insert(who.into());
                }
            }
            21 => self.leave_or_come_back(who),
            _ => self.swap(),
        }
        for (id, person) in std::mem::take(&mut self.world.under_way) {
            // Some outcomes never come.
            if self.dice.one_in(5) {
                continue;
            }
            let is_delivered = !self.world.deaf.contains(&person);
            self.world.outcome(id, is_delivered);
        }
    }

    fn leave_or_come_back(&mut self, who: &str) {
        let people = &mut self.world.oncall.directory.people;
        let known = team().directory.people;
        for (person, before) in people.iter_mut().zip(known) {
            if before.name.as_ref() == who {
                let is_there = !person.contacts.is_empty();
                person.contacts = if is_there {
                    Vec::new()
                } else {
                    before.contacts
                };
            }
        }
    }

    fn swap(&mut self) {
        let (now, schedule) = (self.world.now, self.dice.below(2) as usize);
        let (who, by) = (self.dice.below(4) as u32, self.dice.below(4) as u32);
        let until = now + mins(1 + self.dice.below(600) as i64);
        let overrides = &mut self.world.oncall.schedules[schedule].overrides;
        overrides.retain(|it| it.span.until > now);
        overrides.push(Override {
            span: Span::new(now, until),
            change: Change::Replace {
                who: PersonId(who),
                by: PersonId(by),
            },
            reason: "swap".into(),
        });
    }
}

/// One sleeps and has a narrow limit, another one is told late and seldom.
fn rules() -> PagingRules {
    let limit = |kind, n, within| Limit {
        kind,
        n,
        within: mins(within),
    };
    let sleeper = PersonRules {
        quiet: Some(Window::new("22:00-07:00", "Europe/Madrid").unwrap()),
        limits: vec![limit(ContactKind::Ntfy, 2, 30)],
        ..PersonRules::default()
    };
    let late = PersonRules {
        urgent: vec![Way {
            after: mins(120),
            kind: ContactKind::Phone,
        }],
        bundle: mins(10),
        ..PersonRules::default()
    };
    BTreeMap::from([("ana".into(), sleeper), ("eva".into(), late)])
}

/// The most pages that are open at a time.
const OPEN_MAX: u64 = 60;

#[test]
fn whatever_happens_every_page_is_answered_escalated_or_declared_exhausted() {
    let hours = number("FIREBELL_SIM_HOURS", 3_000);
    let seed = number("FIREBELL_SIM_SEED", 1);
    println!("seed {seed}, {hours} hours");
    let mut chaos = Chaos {
        world: World::with(team(), policies(0), rules()),
        dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        n_keys: 0,
        n_acks: 0,
        n_restarts: 0,
    };
    let end = chaos.world.now + Duration::from_hours(hours as i64);
    while chaos.world.now < end {
        let secs = 1 + chaos.dice.below(1_800) as i64;
        chaos
            .world
            .until_moment(chaos.world.now + Duration::from_secs(secs));
        chaos.event();
        chaos.world.transcript.clear();
    }
    // Everybody sleeps from now on: whatever is open ends in being said to be so.
    chaos.world.is_slow = false;
    chaos
        .world
        .until_moment(chaos.world.now + Duration::from_hours(24 * 9));
    for page in chaos.world.core.pages().filter(|it| it.is_open()) {
        let is_said = matches!(page.phase, Phase::Done(End::Exhausted | End::Failed));
        assert!(is_said, "nobody hears of {page:?}");
    }
    let (n_keys, n_acks) = (chaos.n_keys, chaos.n_acks);
    let (n_messages, n_restarts) = (chaos.world.n_messages, chaos.n_restarts);
    println!("{n_keys} pages, {n_messages} messages, {n_acks} answers, {n_restarts} restarts");
    assert!(n_messages as u64 > hours / 2 && n_acks > hours / 4 && n_restarts > hours / 40);
}
