//! The story of the month: what breaks when, and what people do about it. Told as a scenario.
//!
//! *Invariants*: what opens an incident is far enough from what did so before that incidents have
//! the numbers under which people act on them.

use std::fmt::Write as _;

use firebell_model::Timestamp;

use crate::chance::Chance;

/// A month before it is played.
pub(super) struct Story {
    pub(super) firebell_yml: String,
    pub(super) rules_yml: String,
    pub(super) slo_yml: String,
    pub(super) scenario: String,
}

/// What can break.
struct Trouble {
    alert: &'static str,
    service: &'static str,
    metric: &'static str,
    /// Its value while all is well, and while not; the rule compares with the one between.
    values: [&'static str; 3],
    /// Whether it pages.
    pages: bool,
    /// Of ten times so many were worth it.
    n_real: u64,
    /// In this many days it comes once, about.
    every_days: u64,
    /// Such as what was done about it.
    note: &'static str,
}

const TROUBLES: [Trouble; 5] = [
    Trouble {
        alert: "CheckoutErrors",
        service: "checkout",
        metric: "checkout_error_ratio",
        values: ["0.002", "0.12", "0.05"],
        pages: true,
        n_real: 9,
        every_days: 4,
        note: "rolled back the release of this afternoon",
    },
    Trouble {
        alert: "DatabaseSlow",
        service: "database",
        metric: "database_query_seconds",
        values: ["0.02", "1.4", "0.5"],
        pages: true,
        n_real: 7,
        every_days: 5,
        note: "killed a query that had run for an hour",
    },
    Trouble {
        alert: "CartCpuHigh",
        service: "cart",
        metric: "cart_cpu_ratio",
        values: ["0.3", "0.97", "0.9"],
        pages: true,
        n_real: 1,
        every_days: 2,
        note: "looked: it was the nightly export",
    },
    Trouble {
        alert: "SearchStale",
        service: "search",
        metric: "search_index_age_seconds",
        values: ["40", "4000", "1800"],
        pages: true,
        n_real: 5,
        every_days: 6,
        note: "restarted the indexer",
    },
    Trouble {
        alert: "MailQueueLong",
        service: "mail",
        metric: "mail_queue_length",
        values: ["12", "2300", "1000"],
        pages: false,
        n_real: 5,
        every_days: 2,
        note: "",
    },
];

const PEOPLE: [&str; 4] = ["ana", "ben", "cleo", "dan"];

/// A trouble that comes, in minutes of the month.
#[derive(Clone, Copy)]
struct Coming {
    at: u64,
    lasts: u64,
    /// Of [`TROUBLES`]; none is what only a person finds.
    trouble: Option<usize>,
}

/// The story that a seed makes of the days after a moment.
pub(super) fn story(seed: u64, beginning: Timestamp) -> Story {
    let mut teller = Teller {
        chance: Chance::new(seed),
        beginning,
        timeline: String::new(),
        n_incidents: 0,
        has_had_a_large_one: false,
    };
    let comings = teller.comings();
    teller.series(&comings);
    for coming in &comings {
        teller.tell(*coming);
    }
    teller.decide();
    let _ = writeln!(teller.timeline, "end {MINUTES}m");
    let (sections, rules_yml, slo_yml) = (sections(), rules(), SLO.to_owned());
    let timeline = teller.timeline;
    let scenario = format!(
        "# A month of the shop, by seed {seed}\n\n```firebell\n{sections}```\n\n\
         ```rules\n{rules_yml}```\n\n```slo\n{slo_yml}```\n\n```timeline\n{timeline}```\n"
    );
    Story {
        firebell_yml: format!(
            "# A simulated month: `firebell demo --day` made it.\nrule_files: [rules.yml]\n\
             slo_files: [slo.yml]\n{sections}"
        ),
        rules_yml,
        slo_yml,
        scenario,
    }
}

struct Teller {
    chance: Chance,
    beginning: Timestamp,
    timeline: String,
    n_incidents: u64,
    has_had_a_large_one: bool,
}

impl Teller {
    /// Everything that comes, one after the other.
    fn comings(&mut self) -> Vec<Coming> {
        let mut all = Vec::new();
        let mut at = 60 + self.between(0, 120);
        while at + DISTANCE < MINUTES - 120 {
            let lasts = SLOT * self.between(2, 20);
            all.push(Coming {
                at: at / SLOT * SLOT,
                lasts,
                trouble: self.which(),
            });
            at += DISTANCE + self.between(0, 900);
        }
        all
    }

    /// One of the troubles, or now and then what nothing told of.
    fn which(&mut self) -> Option<usize> {
        let weights = TROUBLES.map(|it| 60 / it.every_days);
        let mut left = self.between(0, weights.iter().sum::<u64>() + 5);
        for (idx, weight) in weights.iter().enumerate() {
            if left < *weight {
                return Some(idx);
            }
            left -= weight;
        }
        None
    }

    /// The samples of all metrics over the month.
    fn series(&mut self, comings: &[Coming]) {
        for (idx, trouble) in TROUBLES.iter().enumerate() {
            let [calm, bad, _] = trouble.values;
            let mut values = String::new();
            let mut from = 0;
            for coming in comings.iter().filter(|it| it.trouble == Some(idx)) {
                run(&mut values, calm, coming.at.saturating_sub(from) / SLOT);
                run(&mut values, bad, coming.lasts / SLOT);
                from = coming.at + coming.lasts;
            }
            run(&mut values, calm, MINUTES.saturating_sub(from) / SLOT);
            let Trouble {
                metric, service, ..
            } = trouble;
            let _ = writeln!(
                self.timeline,
                "0s series {metric}{{service=\"{service}\"}}{values} every {SLOT}m"
            );
        }
        // What the shop lives of.
        let n_slots = MINUTES / SLOT;
        for (metric, each) in [("orders_total", 7), ("checkout_requests_total", REQUESTS)] {
            let _ = writeln!(
                self.timeline,
                "0s series {metric} 0+{each}x{n_slots} every {SLOT}m"
            );
        }
        let (mut values, mut n_failed, mut from) = (String::new(), 0, 0);
        let is_checkout = |it: &&Coming| {
            let trouble = it.trouble.and_then(|idx| TROUBLES.get(idx));
            trouble.is_some_and(|it| it.service == "checkout")
        };
        for coming in comings.iter().filter(is_checkout) {
            let calm = coming.at.saturating_sub(from) / SLOT;
            run(&mut values, &n_failed.to_string(), calm);
            let n_slots = coming.lasts / SLOT;
            if let Some(more) = n_slots.checked_sub(1) {
                let _ = write!(values, " {n_failed}+{FAILED}x{more}");
                n_failed += FAILED * more;
            }
            from = coming.at + coming.lasts;
        }
        run(
            &mut values,
            &n_failed.to_string(),
            MINUTES.saturating_sub(from) / SLOT,
        );
        let _ = writeln!(
            self.timeline,
            "0s series checkout_failed_total{values} every {SLOT}m"
        );
    }

    /// What is decided at the end of the month.
    fn decide(&mut self) {
        let at = MINUTES - 60;
        let month = self.day(29).chars().take(7).collect::<String>();
        let _ = writeln!(
            self.timeline,
            "{at}m review {month} by eva CartCpuHigh: delete it, what customers feel is CheckoutErrors"
        );
    }

    /// A day of the month, such as `2026-11-03`.
    fn day(&self, days: i64) -> String {
        let day = self.beginning + firebell_model::Duration::from_hours(days * 24);
        day.to_string().chars().take(10).collect()
    }

    fn tell(&mut self, coming: Coming) {
        let Some(trouble) = coming.trouble.and_then(|idx| TROUBLES.get(idx)) else {
            return self.found_by_a_person(coming);
        };
        if !trouble.pages {
            return;
        }
        if self.chance.below(12) == 0 {
            let service = trouble.service;
            let at = coming.at.saturating_sub(10);
            let lasts = coming.lasts + 30;
            let _ = writeln!(
                self.timeline,
                "{at}m silence {{service=\"{service}\"}} for {lasts}m"
            );
            return;
        }
        self.n_incidents += 1;
        let is_real = self.chance.below(10) < trouble.n_real;
        match (is_real, self.chance.below(3)) {
            (true, _) if !self.has_had_a_large_one && trouble.service == "checkout" => {
                self.has_had_a_large_one = true;
                self.worked_on(coming, trouble.note, "acted");
                self.learnt_from(coming);
            }
            (true, 0) => self.worked_on(coming, trouble.note, "elsewhere"),
            (true, _) => self.worked_on(coming, trouble.note, "acted"),
            // Nobody looks, and what it was is guessed a day later.
            (false, 0) => {}
            (false, 1) => self.waved_off(coming, "threshold"),
            (false, _) => self.waved_off(coming, "false"),
        }
    }

    fn found_by_a_person(&mut self, coming: Coming) {
        self.n_incidents += 1;
        let who = self.on_call(coming.at);
        let at = coming.at;
        let _ = writeln!(
            self.timeline,
            "{at}m incident open by eva sev2 invoices: customers say that invoices do not come"
        );
        self.act(at + 6, who, "ack");
        self.act(
            at + 20,
            who,
            "note the export had no disk left, and no alert says so",
        );
        self.act(at + coming.lasts + 25, who, "state resolved");
        self.act(at + coming.lasts + 40, who, "state closed verdict acted");
    }

    fn worked_on(&mut self, coming: Coming, note: &str, verdict: &str) {
        let who = self.on_call(coming.at);
        let looked = coming.at + self.between(3, 14);
        let over = (coming.at + coming.lasts).max(looked + 2) + 4;
        self.act(looked, who, "ack");
        self.act(looked + 1, who, "state active");
        self.act(looked + 1, who, "step triage 1");
        self.act(over, who, &format!("note {note}"));
        self.act(over + 1, who, "state mitigated");
        self.act(over + 8, who, "state resolved");
        let closed = over + self.between(20, 55);
        self.act(closed, who, &format!("state closed verdict {verdict}"));
    }

    fn waved_off(&mut self, coming: Coming, verdict: &str) {
        let who = self.on_call(coming.at);
        let at = coming.at + coming.lasts + 12;
        // By then it has been resolved for want of alerts.
        self.act(at, who, &format!("verdict {verdict}"));
    }

    fn learnt_from(&mut self, coming: Coming) {
        let at = coming.at + coming.lasts + 80;
        for (after, who, what) in [
            (0, "ana", "impact cards were refused in the checkout"),
            (1, "ana", "components checkout, payment"),
            (
                2,
                "ana",
                "data intact compared the orders with the bank's list",
            ),
            (
                3,
                "ana",
                "part summary A release that could not reach the payment provider went out to all at once.",
            ),
            (
                4,
                "ben",
                "part cause The release read its address from a variable that only the test environment has. Nothing compared the two.",
            ),
            (
                5,
                "ben",
                "part went_well The alert came in the second minute, and going back took one command.",
            ),
            (
                6,
                "cleo",
                "part went_badly We should have seen it in the canary, which had no traffic that pays.",
            ),
            (
                7,
                "cleo",
                "part gaps No metric tells apart refused cards and lost connections.",
            ),
        ] {
            self.act(at + after, who, what);
        }
        let (soon, later) = (self.day(20), self.day(45));
        self.act(
            at + 8,
            "ana",
            &format!("follow_up {soon} ben payments in the canary's traffic"),
        );
        self.act(
            at + 9,
            "ana",
            &format!("follow_up {later} cleo count refusals by their cause"),
        );
        self.act(
            at + 10,
            "ben",
            "proven 1 the canary of the next release stopped by itself",
        );
    }

    fn act(&mut self, at: u64, who: &str, what: &str) {
        if at < MINUTES {
            let n = self.n_incidents;
            let _ = writeln!(self.timeline, "{at}m incident INC-{n} by {who}: {what}");
        }
    }

    /// Whose week it is.
    fn on_call(&self, at: u64) -> &'static str {
        let minutes = self.beginning.0 / 60_000 + i64::try_from(at).unwrap_or(0);
        let weeks = (minutes - ROTATION_BEGAN).div_euclid(7 * 24 * 60);
        let idx = usize::try_from(weeks.rem_euclid(4)).unwrap_or(0);
        PEOPLE.get(idx).copied().unwrap_or("ana")
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.chance.below(most - least)
    }
}

/// So many times a value, as promtool writes it.
fn run(values: &mut String, value: &str, n: u64) {
    if let Some(more) = n.checked_sub(1) {
        let _ = write!(values, " {value}x{more}");
    }
}

fn sections() -> String {
    let mut text = "\
incidents:
  open_when: ['severity=\"page\"']
  escalation: shop
  runbooks:
    triage:
      severity: sev2
      steps:
        - Who is hit, and how many? Say it under impact.
        - Is it growing? Then make it sev1, and name a commander.
        - After 30 minutes without a cause hand over to whoever is next on call.
    checkout:
      alerts: alertname=CheckoutErrors
      steps:
        - Was anything released in the last hour? Roll it back first.
        - Do cards of all banks fail? Then it is the payment provider.
storage: {retention: 40d}
quality:
  figures:
    orders a day: sum(increase(orders_total[1d]))
    checkouts that fail: 100 * sum(increase(checkout_failed_total[1d])) / sum(increase(checkout_requests_total[1d]))
oncall:
  people:
"
    .to_owned();
    for (name, zone) in
        PEOPLE
            .iter()
            .zip(["Europe/Berlin", "Europe/Lisbon", "America/New_York", "UTC"])
    {
        let _ = writeln!(text, "    {name}: {{ntfy: {name}, zone: {zone}}}");
    }
    text.push_str(TEAM);
    text.push_str(ROUTES);
    text
}

fn rules() -> String {
    let mut text = "groups:\n  - name: shop\n    interval: 2m\n    rules:\n".to_owned();
    for it in &TROUBLES {
        let severity = if it.pages { "page" } else { "warning" };
        let [_, _, limit] = it.values;
        let name = it.alert.to_lowercase();
        let _ = write!(
            text,
            "      - alert: {}\n        expr: {} > {limit}\n        \
             labels: {{severity: {severity}, service: {}, team: shop}}\n        \
             annotations:\n          summary: \"{} of {}: {{{{ $value }}}}\"\n          \
             runbook_url: https://runbooks.example/{name}\n",
            it.alert, it.metric, it.service, it.metric, it.service,
        );
    }
    text
}

/// Who owns the shop, who is on call, and who is told when.
const TEAM: &str = "  teams:
    shop: {members: [ana, ben, cleo, dan], schedule: shop}
  schedules:
    shop:
      layers:
        - {every: 1w, start: 2025-12-29, people: [ana, ben, cleo, dan]}
escalation:
  shop:
    - {notify: schedule:shop}
    - {after: 15m, notify: person:dan}
";
/// What the shop has promised. Its own alerts tell of it, so the objectives have none.
const SLO: &str = "\
service: checkout
owner: shop
window: 30d
flows:
  - {name: pay, description: A customer pays the basket.}
slos:
  - name: pay-works
    flow: pay
    objective: 99.9%
    alerts: []
    no_data: off
    indicator: {bad: checkout_failed_total, total: checkout_requests_total}
---
service: database
owner: shop
window: 30d
slos:
  - name: is-quick
    objective: 99%
    alerts: []
    no_data: off
    indicator: {value: database_query_seconds, below: 0.5}
";
/// Where the shop reads of its alerts.
const ROUTES: &str = "alertmanager:
  route: {receiver: shop-chat, group_by: [alertname]}
  receivers:
    - name: shop-chat
      # Nobody listens here: what comes after the month is told to nobody.
      webhook_configs: [{url: 'http://127.0.0.1:9/shop', send_resolved: false}]
";
const MINUTES: u64 = 30 * 24 * 60;
/// Checkouts in a slot, and how many of them fail in trouble.
const REQUESTS: u64 = 700;
const FAILED: u64 = 84;
/// Of an evaluation, in minutes.
const SLOT: u64 = 2;
/// The least from one trouble to the next, in minutes: what is over for so long does not come back
/// as the same incident.
const DISTANCE: u64 = 150;
/// 2025-12-29T00:00:00Z, in minutes.
const ROTATION_BEGAN: i64 = 1_766_966_400 / 60;
