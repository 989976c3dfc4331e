//! Scenarios with pages by chance.
//!
//! *Invariants*: a seed gives one scenario, as text that a person can read, run and keep.

use std::fmt::Write as _;

use crate::chance::Chance;
use crate::stops::{OF_WRITES, STOPS, stop};

/// The scenario of a seed, and how long it lasts.
pub(super) fn scenario(seed: u64, hours: u32) -> String {
    let mut maker = Maker {
        secs: i64::from(hours) * 3600,
        chance: Chance::new(seed),
    };
    let mut text = format!("# Seed {seed}\n\n");
    let n_blocks = maker.chance.between(1, 3);
    let mut timeline = String::new();
    for n in 0..n_blocks {
        let _ = writeln!(text, "```firebell\n{}```\n", maker.configuration());
        if n > 0 {
            let _ = writeln!(timeline, "{}s reload firebell", maker.moment());
        }
    }
    timeline += &maker.incidents();
    timeline += &maker.providers();
    timeline += &maker.stops();
    let _ = writeln!(text, "```timeline\n{timeline}end {hours}h\n```");
    text
}

struct Maker {
    secs: i64,
    chance: Chance,
}

impl Maker {
    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        self.chance.pick::<&'static str>(from)
    }

    /// Some of them, one at least, in their order.
    fn some(&mut self, from: &[&'static str]) -> Vec<&'static str> {
        let mut some = from.to_vec();
        some.retain(|_| self.chance.one_in(2));
        if some.is_empty() {
            some.push(self.pick(from));
        }
        some
    }

    fn moment(&mut self) -> i64 {
        self.chance.between(1, self.secs - 3600)
    }

    fn configuration(&mut self) -> String {
        let mut people = vec![ALWAYS];
        people.extend(PEOPLE.iter().filter(|_| !self.chance.one_in(5)));
        let mut text = format!("{INCIDENTS}oncall:\n  people:\n");
        for person in &people {
            let contacts = self.pick(CONTACTS);
            let _ = writeln!(text, "    {person}: {{{contacts}, zone: Europe/Madrid}}");
        }
        let members = self.some(&people).join(", ");
        let team = match self.chance.one_in(2) {
            true => format!("{{members: [{members}], schedule: primary}}"),
            false => format!("[{members}]"),
        };
        let _ = writeln!(text, "  teams:\n    shop: {team}\n  schedules:");
        for schedule in ["primary", "backup"] {
            let slots = self.some(&people).join(", ");
            let every = self.pick(&["2h", "8h", "1d"]);
            let hours = self.pick(&["", "", ", hours: \"mon-fri 09:00-17:00\""]);
            let _ = writeln!(
                text,
                "    {schedule}:\n      gaps: allowed\n      layers: [{{every: {every}, start: \
                 2025-12-30, people: [{slots}]{hours}}}]"
            );
            if self.chance.one_in(2) {
                let (from, lasts) = (self.chance.between(0, 30), self.chance.between(1, 17));
                let until = from + lasts;
                let at = |hour: i64| format!("2026-01-0{} {:02}:30", 1 + hour / 24, hour % 24);
                let who = self.pick(&people);
                let _ = writeln!(
                    text,
                    "      overrides: [{{from: {}, until: {}, take: {who}}}]",
                    at(from),
                    at(until)
                );
            }
        }
        text += "escalation:\n";
        self.policy(&mut text, "first", &people, true);
        self.policy(&mut text, "second", &people, false);
        text += &self.rules(&people);
        text
    }

    fn policy(&mut self, text: &mut String, name: &str, people: &[&'static str], hands_over: bool) {
        let repeat = self.chance.below(3);
        let acknowledged_for = self.pick(&["30m", "30m", "10m", "0s"]);
        let _ = writeln!(
            text,
            "  {name}:\n    repeat: {repeat}\n    repeat_after: {}\n    acknowledged_for: \
             {acknowledged_for}\n    remind_after: {}\n    steps:",
            self.pick(&["5m", "15m"]),
            self.pick(&["5m", "9m"]),
        );
        if self.chance.one_in(4) {
            let _ = writeln!(
                text,
                "      - {{defer_until: \"mon-fri 09:00-17:00\", unless: {{severity: sev2}}}}"
            );
        }
        let mut after = 0;
        for _ in 0..=self.chance.below(3) {
            let person = format!("person:{}", self.pick(people));
            let target = match self.chance.below(4) {
                0 => "schedule:primary",
                1 => "schedule:backup",
                2 => "team:shop",
                _ => person.as_str(),
            };
            let how = self.pick(&["", "", "", ", acknowledge: all", ", who: round_robin"]);
            let _ = writeln!(text, "      - {{after: {after}m, notify: {target}{how}}}");
            after += self.chance.between(0, 20);
        }
        if hands_over && self.chance.one_in(3) {
            let _ = writeln!(text, "      - {{after: {after}m, hand_over: second}}");
        }
    }

    fn rules(&mut self, people: &[&'static str]) -> String {
        let mut text = String::new();
        for person in people {
            if self.chance.one_in(2) {
                continue;
            }
            let rule = self.pick(&[
                "{urgent: [{by: phone}, {after: 3m, by: phone}], others: [{after: 5m, by: ntfy}]}",
                "{quiet: \"22:00-07:00\"}",
                "{limits: [{by: ntfy, at_most: 1, within: 30m}]}",
                "{bundle: 10m}",
            ]);
            let _ = writeln!(text, "  {person}: {rule}");
        }
        match text.is_empty() {
            true => text,
            false => format!("paging:\n{text}"),
        }
    }

    /// Alerts that come and go, and what people do with the incidents that they open: most of them
    /// answer at once, some late, some never.
    fn incidents(&mut self) -> String {
        let mut text = String::new();
        let (mut at, mut n) = (0, 0);
        while at < self.secs - 2 * 3600 {
            at += self.chance.between(1, 3 * 3600);
            // Most are of a service of their own, and open an incident; the others join the last.
            n += i64::from(n == 0 || !self.chance.one_in(4));
            let (name, severity) = (self.pick(&["Down", "Slow"]), self.pick(SEVERITIES));
            let lasts = self.chance.between(1, 180);
            let _ = writeln!(
                text,
                "{at}s alert {{alertname=\"{name}\", service=\"s{n}\", severity=\"{severity}\"}} \
                 for {lasts}m"
            );
            let mut when = at;
            for _ in 0..self.chance.below(6) {
                let late = self.pick(LATENESS).parse().unwrap_or(1);
                when += self.chance.between(0, late);
                // What happened while it was down opened nothing, so that numbers are lower.
                let id = format!("INC-{}", (n - self.chance.between(0, 2)).max(1));
                let act = self.pick(ACTS).replace("INC", &id);
                let act = act.replace("WHO", self.pick(PEOPLE));
                let _ = writeln!(text, "{when}s {act}");
            }
        }
        text
    }

    fn providers(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.chance.below(8) {
            let whose = self.pick(&["phone", "ntfy", "ana", "ben", "eva", "ana phone", "email"]);
            let how = self.pick(&[
                "fails 500",
                "hangs",
                "delivers after 2m",
                "delivers after 9m",
            ]);
            let (at, lasts) = (self.moment(), self.chance.between(1, 4 * 3600));
            let _ = writeln!(text, "{at}s contact {whose} {how}");
            let _ = writeln!(text, "{}s contact {whose} delivers", at + lasts);
        }
        text
    }

    fn stops(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.chance.below(10) {
            let how = self.pick(&STOPS[..STOPS.len() - OF_WRITES]);
            let at = self.moment();
            text += &stop(&mut self.chance, at, how, 2 * 3600);
        }
        if self.chance.one_in(4) {
            let (at, lasts) = (self.moment(), self.chance.between(1, 3600));
            let _ = writeln!(text, "{at}s disk full\n{}s disk works", at + lasts);
        }
        // Whatever killed it, it runs at the end.
        let _ = writeln!(text, "{}s restart", self.secs - 3600);
        text
    }
}

const INCIDENTS: &str =
    "incidents: {escalation: first, open_when: ['service=~\".+\"'], resolve_after: 5m}\n";
const ALWAYS: &str = "eva";
const PEOPLE: &[&str] = &["ana", "ben", "cara", "dan"];
const CONTACTS: &[&str] = &[
    "ntfy: n, phone: \"+34600000001\"",
    "phone: \"+34600000001\", ntfy: n",
    "phone: [\"+34600000001\", \"+34600000002\"], ntfy: n, email: a@example.org",
];
const SEVERITIES: &[&str] = &["critical", "page", "page", "warning", "info"];
/// Seconds: awake, away, asleep.
const LATENESS: &[&str] = &["60", "600", "600", "3600", "14400"];
const ACTS: &[&str] = &[
    "page INC by WHO: ack",
    "page INC by WHO: ack",
    "page INC by WHO: ack",
    "page INC by WHO: snooze 20m",
    "page INC by WHO: hand_over second",
    "page INC by WHO: resolve",
    "incident INC by WHO: ack",
    "incident INC by WHO: severity sev1",
    "incident INC by WHO: severity sev3",
    "incident INC by WHO: state mitigated",
    "incident INC by WHO: state active",
    "incident INC by WHO: state resolved",
];
