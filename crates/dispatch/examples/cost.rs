//! What dispatch costs: prints CPU time per alert and per request for the sizes that matter.
//!
//! `cargo run --release -p firebell-dispatch --example cost [-- million]`

use std::sync::Arc;

use firebell_dispatch::{
    Dispatch, DispatchEffect, DispatchRecord, GroupBy, InhibitRule, Options, PostedAlert,
    PostedAlerts, Receiver, Receivers, RouteSpec, Routing, SilenceRequest,
};
use firebell_model::{Duration, Labels, MatchOp, Matcher, Timestamp};

fn main() {
    run(20_000, 1_000, 1);
    run(20_000, 1_000, 500);
    if std::env::args().any(|arg| arg == "million") {
        run(1_000_000, 50_000, 1);
    }
}

fn run(n_alerts: usize, n_groups: usize, n_rules: usize) {
    println!("{n_alerts} alerts, {n_groups} groups, {n_rules} inhibit rules");
    let mut world = World::new(n_rules);
    for round in 0..3 {
        let all: Vec<PostedAlert> = (0..n_alerts).map(|idx| posted(idx, n_groups)).collect();
        let chunks = all.chunks(256);
        let all: Vec<PostedAlerts> = chunks.map(|it| it.iter().cloned().collect()).collect();
        let start = cpu_secs();
        all.iter().for_each(|posted| world.post(posted));
        report(&format!("post, round {}", round + 1), start, n_alerts);
        world.now += Duration::from_secs(1);
    }
    let start = cpu_secs();
    world.now += Duration::from_secs(31);
    let n_sent = world.flush();
    report(
        &format!("first flush, {n_sent} notifications"),
        start,
        n_alerts,
    );
    let start = cpu_secs();
    world.now += Duration::from_mins(5);
    world.flush();
    report("second flush, nothing to tell", start, n_alerts);
    let start = cpu_secs();
    let n_suppressed = world
        .dispatch
        .alerts(world.now)
        .filter(|it| !it.inhibited_by.is_empty());
    report(
        &format!("alerts(), {} inhibited", n_suppressed.count()),
        start,
        n_alerts,
    );
    let start = cpu_secs();
    let n_shown: usize = world
        .dispatch
        .groups(world.now)
        .iter()
        .map(|it| it.alerts.len())
        .sum();
    report(&format!("groups(), {n_shown} alerts"), start, n_alerts);
    let start = cpu_secs();
    (0..2000).for_each(|idx| world.silence(idx));
    report("2000 silences", start, 2000);
    let start = cpu_secs();
    let n_silenced = world
        .dispatch
        .alerts(world.now)
        .filter(|it| !it.silenced_by.is_empty());
    report(
        &format!("alerts() after it, {} silenced", n_silenced.count()),
        start,
        n_alerts,
    );
    println!("  resident: {} MB", resident_mb());
    let records: Vec<DispatchRecord> = world.dispatch.records().collect();
    let start = cpu_secs();
    let mut fresh = Dispatch::new(routing(n_rules), Options::default());
    records.into_iter().for_each(|record| fresh.restore(record));
    fresh.resume(world.now, &mut Vec::new());
    report("restore and resume", start, n_alerts);
    println!();
}

struct World {
    dispatch: Dispatch,
    now: Timestamp,
    out: Vec<DispatchEffect>,
    changes: Vec<DispatchRecord>,
}

impl World {
    fn new(n_rules: usize) -> Self {
        Self {
            dispatch: Dispatch::new(routing(n_rules), Options::default()),
            now: Timestamp(1_000_000_000),
            out: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn post(&mut self, posted: &PostedAlerts) {
        self.dispatch.handle_posted(self.now, posted, &mut self.out);
        self.journal();
    }

    fn flush(&mut self) -> usize {
        self.dispatch.handle_deadline(self.now, &mut self.out);
        let effects = std::mem::take(&mut self.out);
        for effect in &effects {
            if let DispatchEffect::Notify(delivery) = effect {
                self.dispatch
                    .handle_delivered(self.now, delivery.id, None, &mut self.out);
            }
        }
        self.journal();
        effects.len()
    }

    fn silence(&mut self, idx: usize) {
        let request = SilenceRequest {
            id: None,
            matchers: vec![
                Matcher::equal("instance", format!("host-{idx}:9100")),
                Matcher::equal("job", "node"),
            ],
            starts_at: self.now,
            ends_at: self.now + Duration::from_hours(2),
            created_by: "bench".to_owned(),
            comment: "bench".to_owned(),
            annotations: Labels::empty(),
            terms: None,
        };
        self.dispatch
            .set_silence(self.now, request, &mut self.out)
            .expect("a good silence");
        self.journal();
    }

    fn journal(&mut self) {
        self.changes.clear();
        self.dispatch.take_changes(&mut self.changes);
    }
}

fn posted(idx: usize, n_groups: usize) -> PostedAlert {
    let group = idx % n_groups;
    // The first alert of each tenth group inhibits the others of its group.
    let is_source = idx < n_groups && idx.is_multiple_of(10);
    let severity = if is_source { "critical" } else { "warning" };
    PostedAlert {
        labels: Labels::from_pairs([
            ("alertname", format!("Alert{}", group % 50)),
            ("cluster", format!("cluster-{}", group % 10)),
            ("instance", format!("host-{idx}:9100")),
            ("job", "node".to_owned()),
            ("namespace", format!("namespace-{group}")),
            ("service", format!("service-{group}")),
            ("severity", severity.to_owned()),
            ("team", format!("team-{}", group % 3)),
        ]),
        annotations: Labels::from_pairs([
            (
                "description",
                "the disk of this host is nearly full, and will be in four hours",
            ),
            ("summary", "disk nearly full"),
        ]),
        starts_at: Some(Timestamp(999_000_000)),
        ends_at: Some(Timestamp(2_000_000_000)),
        generator_url: "http://prometheus:9090/graph?g0.expr=up".to_owned(),
    }
}

fn routing(n_rules: usize) -> Arc<Routing> {
    let webhook = |name: &str| Receiver::new(name, [("webhook", true), ("inbox", true)]);
    let receivers = Receivers::new(["a", "b", "c"].map(webhook).into()).expect("names differ");
    let child = |team: &str, name: &str| RouteSpec {
        receiver: receivers.resolve(name),
        matchers: vec![Matcher::equal("team", team)],
        ..RouteSpec::default()
    };
    let names = ["namespace", "service"].map(str::to_owned);
    let root = RouteSpec {
        receiver: receivers.resolve("a"),
        group_by: Some(GroupBy::Names(names.into())),
        routes: vec![child("team-1", "b"), child("team-2", "c")],
        ..RouteSpec::default()
    };
    let regex =
        |name: &str, value: &str| Matcher::new(name, MatchOp::Regex, value).expect("an expression");
    let rule = |idx: usize| InhibitRule {
        source: vec![
            Matcher::equal("severity", "critical"),
            Matcher::equal("alertname", format!("Alert{}", idx % 50)),
        ],
        target: vec![regex("severity", "warning|info")],
        equal: vec!["cluster".to_owned(), "namespace".to_owned()],
    };
    let rules = (0..n_rules).map(rule).collect();
    Arc::new(Routing::new(receivers, root, rules, Duration::from_mins(5)).expect("a good tree"))
}

fn report(what: &str, start: f64, n: usize) {
    let took = cpu_secs() - start;
    let each = took * 1e6 / n as f64;
    println!("  {what:<40} {:>9.1} ms  {each:>7.2} µs each", took * 1e3);
}

fn resident_mb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kb.unwrap_or(0) / 1024
}

// Time on a processor, so that other programs do not count.
fn cpu_secs() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text
        .split(' ')
        .next()
        .and_then(|nanos| nanos.parse::<u64>().ok());
    nanos.unwrap_or(0) as f64 / 1e9
}
