//! Scenarios by chance: rules, values, routes, and a world that fails in every way there is.
//!
//! *Invariants*: a seed gives one scenario, as text that a person can read, run and keep.

use std::fmt::Write as _;

use crate::chance::Chance;
use crate::checkers::POSTED;
use crate::stops::{STOPS, stop};

/// How much goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// Receivers answer at once, and the process ends only by kills after which it starts again at
    /// once: then a run has to go as the same run without kills.
    Kills,
    /// Everything.
    All,
}

/// The scenario of a seed. It lasts `hours`, of which the last one is calm.
pub(crate) fn scenario(seed: u64, hours: u32, trouble: Trouble) -> String {
    let mut chance = Chance::new(seed);
    let mut maker = Maker {
        trouble,
        minutes: i64::from(hours) * 60,
        text: String::new(),
        chance: chance.clone(),
    };
    let _ = writeln!(maker.text, "# Seed {seed}\n");
    let rules = maker.rules();
    let routes = maker.routes();
    maker.block("rules", &rules);
    maker.block("alertmanager", &routes);
    let n_reloads = if trouble == Trouble::All {
        chance.below(3)
    } else {
        chance.below(2)
    };
    let mut reloads = String::new();
    for _ in 0..n_reloads {
        let at = chance.between(10, maker.minutes - 70);
        if chance.one_in(2) {
            let rules = if chance.one_in(2) {
                maker.rules()
            } else {
                rules.clone()
            };
            maker.block("rules", &rules);
            let _ = writeln!(reloads, "{at}m reload rules");
        } else {
            let routes = if chance.one_in(2) {
                maker.routes()
            } else {
                routes.clone()
            };
            maker.block("alertmanager", &routes);
            let _ = writeln!(reloads, "{at}m reload alertmanager");
        }
    }
    let mut timeline = maker.series();
    timeline += &maker.receivers();
    timeline += &maker.people();
    timeline += &maker.stops();
    timeline += &reloads;
    let _ = write!(timeline, "end {}m", maker.minutes);
    maker.block("timeline", &timeline);
    maker.text
}

struct Maker {
    trouble: Trouble,
    minutes: i64,
    text: String,
    chance: Chance,
}

impl Maker {
    fn block(&mut self, kind: &str, content: &str) {
        let _ = writeln!(self.text, "```{kind}\n{}\n```\n", content.trim_end());
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        self.chance.pick::<&'static str>(from)
    }

    fn rules(&mut self) -> String {
        let mut text = "groups:\n".to_owned();
        for group in 0..=self.chance.below(2) {
            let interval = self.pick(&["30s", "1m", "1m", "2m"]);
            let _ = writeln!(
                text,
                "  - name: g{group}\n    interval: {interval}\n    rules:"
            );
            for rule in 0..=self.chance.below(3) {
                if self.chance.one_in(6) {
                    let _ = writeln!(text, "      - record: r0\n        expr: sum by (a) (m0)");
                    continue;
                }
                let expr = self.pick(EXPRESSIONS);
                let severity = self.pick(&["page", "ticket"]);
                let hold_for = self.pick(&["0s", "0s", "30s", "1m", "2m", "5m"]);
                let _ = writeln!(text, "      - alert: A{group}{rule}\n        expr: {expr}");
                let _ = writeln!(
                    text,
                    "        for: {hold_for}\n        labels: {{severity: {severity}}}"
                );
                if self.chance.one_in(3) {
                    text += "        keep_firing_for: 2m\n";
                }
                if self.chance.one_in(3) {
                    text += "        annotations: {value: \"{{ $value }}\"}\n";
                }
            }
        }
        text
    }

    fn routes(&mut self) -> String {
        let mut text = "route:\n".to_owned();
        self.route(&mut text, 2, true);
        let n_children = self.chance.below(3);
        if n_children > 0 {
            text += "  routes:\n";
        }
        for _ in 0..n_children {
            let matcher = self.pick(&[
                "severity=\"page\"",
                "severity!=\"page\"",
                "a=\"x\"",
                "alertname=~\"A0.\"",
            ]);
            let does_continue = self.chance.one_in(2);
            let _ = writeln!(
                text,
                "    - matchers: ['{matcher}']\n      continue: {does_continue}"
            );
            self.route(&mut text, 6, false);
        }
        text += "receivers:\n";
        for receiver in RECEIVERS {
            let _ = writeln!(text, "  - name: {receiver}\n    webhook_configs:");
            for _ in 0..=self.chance.below(2) {
                let sends_resolved = !self.chance.one_in(4);
                let _ = writeln!(
                    text,
                    "      - {{url: \"http://{receiver}/\", send_resolved: {sends_resolved}}}"
                );
            }
        }
        if self.chance.one_in(2) {
            let equal = self.pick(&["[]", "[a]"]);
            let source = self.pick(&["severity=\"page\"", "alertname=\"A00\""]);
            let target = self.pick(&["severity=\"ticket\"", "alertname=~\"A.*\""]);
            let _ = writeln!(
                text,
                "inhibit_rules:\n  - {{source_matchers: ['{source}'], target_matchers: ['{target}'], equal: {equal}}}"
            );
        }
        text
    }

    fn route(&mut self, text: &mut String, indent: usize, is_root: bool) {
        let mut lines = vec![format!("receiver: {}", self.pick(RECEIVERS))];
        if is_root || self.chance.one_in(2) {
            lines.push(format!(
                "group_by: {}",
                self.pick(&["[alertname]", "[a]", "[]", "['...']"])
            ));
            // Not together with evaluations, so that a kill in a flush cuts none of them short.
            let waits = match self.trouble {
                Trouble::Kills => &["5s", "10s", "40s"],
                Trouble::All => &["0s", "10s", "30s"],
            };
            lines.push(format!("group_wait: {}", self.pick(waits)));
            lines.push(format!(
                "group_interval: {}",
                self.pick(&["1m", "3m", "5m"])
            ));
            lines.push(format!(
                "repeat_interval: {}",
                self.pick(&["10m", "30m", "4h"])
            ));
        }
        for line in lines {
            let _ = writeln!(text, "{:indent$}{line}", "");
        }
    }

    /// Each series in runs of one value; the last hour is one run.
    fn series(&mut self) -> String {
        let every = self.pick(&["30s", "1m", "1m"]);
        let per_minute = if every == "30s" { 2 } else { 1 };
        let mut text = String::new();
        for name in ["m0{a=\"x\"}", "m0{a=\"y\"}", "m0{a=\"x\",b=\"z\"}", "m1"] {
            if self.chance.one_in(4) {
                continue;
            }
            let _ = write!(text, "0s series {name}");
            let (mut minute, calm_at) = (0, self.minutes - 60);
            while minute < self.minutes {
                let lasts = match minute < calm_at {
                    true => (1 << self.chance.below(6)).min(calm_at - minute),
                    false => self.minutes - minute,
                };
                let value = self.pick(&["0", "0", "1", "1", "2", "_", "stale _"]);
                let _ = match (lasts * per_minute, value) {
                    (1, value) => write!(text, " {}", value.split(' ').next().unwrap_or("")),
                    (n, "_") => write!(text, " _x{n}"),
                    (n, "stale _") => write!(text, " stale _x{}", n - 1),
                    (n, value) => write!(text, " {value}x{}", n - 1),
                };
                minute += lasts;
            }
            let _ = writeln!(text, " every {every}");
        }
        text
    }

    /// A moment before the last hour, in seconds.
    fn moment(&mut self) -> i64 {
        let secs = self.chance.between(60, (self.minutes - 60) * 60);
        // Half of them fall together with evaluations.
        if self.chance.one_in(2) {
            secs / 30 * 30
        } else {
            secs
        }
    }

    fn receivers(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.chance.below(6) {
            let (receiver, at) = (self.pick(RECEIVERS), self.moment());
            let lasts = self.chance.between(10, 1200);
            let how = match self.trouble {
                Trouble::Kills => self.pick(&["fails 500", "fails 400", "fails 429"]),
                Trouble::All => {
                    self.pick(&["fails 500", "fails 400", "hangs", "delivers after 3s"])
                }
            };
            let _ = writeln!(text, "{at}s receiver {receiver} {how}");
            let _ = writeln!(text, "{}s receiver {receiver} delivers", at + lasts);
        }
        let calm_at = (self.minutes - 60) * 60;
        for receiver in RECEIVERS {
            let _ = writeln!(text, "{calm_at}s receiver {receiver} delivers");
        }
        text
    }

    fn people(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.chance.below(5) {
            let (at, lasts) = (self.moment(), self.chance.between(1, 40));
            let who = self.pick(&[
                "{a=\"x\"}",
                "{severity=\"page\"}",
                "{alertname=~\"A.*\"}",
                "{a=\"y\"}",
            ]);
            let _ = writeln!(text, "{at}s silence {who} for {lasts}m");
            if self.chance.one_in(3) {
                let _ = writeln!(text, "{}s unsilence", at + lasts * 30);
            }
        }
        for _ in 0..self.chance.below(4) {
            let at = self.moment();
            let who = self.pick(&["x", "y"]);
            let alert = format!("{{alertname=\"{POSTED}\", a=\"{who}\"}}");
            let _ = writeln!(
                text,
                "{at}s alert {alert} for {}m",
                self.chance.between(1, 30)
            );
            if self.chance.one_in(3) {
                let _ = writeln!(
                    text,
                    "{}s alert {alert} resolved",
                    at + self.chance.between(1, 600)
                );
            }
        }
        text
    }

    fn stops(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..=self.chance.below(12) {
            let at = self.moment();
            if self.trouble == Trouble::Kills {
                let how = self.pick(&["", " after deciding", " after recording", " after sending"]);
                let _ = writeln!(text, "{at}s kill{how} then restart");
                continue;
            }
            let how = self.pick(STOPS);
            text += &stop(&mut self.chance, at, how, 600);
        }
        if self.trouble == Trouble::All && self.chance.one_in(3) {
            let (at, lasts) = (self.moment(), self.chance.between(1, 900));
            let fault = self.pick(&["full", "full", "broken"]);
            let _ = writeln!(text, "{at}s disk {fault}\n{}s disk works", at + lasts);
        }
        let calm_at = (self.minutes - 60) * 60;
        let _ = writeln!(text, "{calm_at}s disk works\n{calm_at}s restart");
        text
    }
}

const RECEIVERS: &[&str] = &["r0", "r1", "r2"];
const EXPRESSIONS: &[&str] = &[
    "m0 > 0",
    "m0 > 0",
    "m0 > 1",
    "m1 == 2",
    "sum by (a) (m0) > 1",
    "max_over_time(m0[3m]) > 1",
    "changes(m0[10m]) > 2",
    "absent(m1)",
    "m0 > 0 and on() m1 > 0",
    "m0 unless on() m1 > 0",
    "r0 > 1",
    "count(m0 > 0) > 1",
];
