//! What posted alerts cost before they are answered, and a restart after them: processor time of
//! reading the body, deciding, and writing the journal; and of reading it again.
//!
//! `cargo run --release -p firebell-engine --example posts [-- 1000000]`

use std::sync::Arc;

use firebell_disk::MemoryDisk;
use firebell_dispatch::{
    DEFAULT_RESOLVE_TIMEOUT, GroupBy, InhibitRule, PostedAlerts, Receiver, Receivers, RouteSpec,
    Routing,
};
use firebell_engine::{Configuration, Engine, Journal, Step};
use firebell_model::{Matcher, Timestamp};
use firebell_rules::RuleSet;
use firebell_wire::alertmanager_json::each_alert_in_text;

fn main() {
    let arg = std::env::args().nth(1).and_then(|arg| arg.parse().ok());
    let n_alerts: usize = arg.unwrap_or(20_000);
    let mut engine = engine();
    let disk = Arc::new(MemoryDisk::default());
    let (mut journal, _) = Journal::open(disk.clone(), &mut |_| ()).expect("memory");
    for round in 0..3_i64 {
        let now = Timestamp(1_700_000_000_000 + round * 60_000);
        let mut costs = [0.0; 3];
        for first in (0..n_alerts).step_by(BATCH) {
            let body = body(first..(first + BATCH).min(n_alerts), n_alerts / 20, now);
            let mut start = cpu_secs();
            let mut lap = |idx: usize| {
                let end = cpu_secs();
                costs[idx] += end - start;
                start = end;
            };
            let read = PostedAlerts::of_body(body, |body, posted| {
                each_alert_in_text(body, |alert| {
                    let times = (alert.starts_at, alert.ends_at);
                    let (labels, annotations) = (alert.labels.iter(), alert.annotations.iter());
                    posted.push(labels, annotations, times, &alert.generator_url);
                })
            });
            let (posted, ()) = read.expect("alerts");
            lap(0);
            let mut step = Step::default();
            engine.post_alerts(now, &posted, &mut step);
            lap(1);
            journal.record(&step.records).expect("memory");
            lap(2);
        }
        let [read, decide, write] = costs.map(|secs| secs * 1e6 / n_alerts as f64);
        println!("round {round}: read {read:.2} decide {decide:.2} journal {write:.2} us an alert");
    }
    let start = cpu_secs();
    journal.snapshot(engine.records()).expect("memory");
    println!(
        "snapshot: {:.2} s; resident {} MiB",
        cpu_secs() - start,
        resident_mib()
    );
    restart(disk);
}

fn restart(disk: Arc<MemoryDisk>) {
    let start = cpu_secs();
    let mut engine = engine();
    Journal::open(disk, &mut |record| engine.restore(record)).expect("memory");
    println!("journal read: {:.2} s", cpu_secs() - start);
    engine.resume(Timestamp(1_700_000_200_000), &mut Step::default());
    println!("resumed: {:.2} s", cpu_secs() - start);
}

fn engine() -> Engine {
    let webhook = |name: &str| Receiver::new(name, [("webhook", true)]);
    let receivers = Receivers::new(["a", "b"].map(webhook).into()).expect("names differ");
    let root = RouteSpec {
        receiver: receivers.resolve("a"),
        group_by: Some(GroupBy::Names(vec!["service".to_owned()])),
        routes: vec![RouteSpec {
            receiver: receivers.resolve("b"),
            matchers: vec![Matcher::equal("severity", "critical")],
            ..RouteSpec::default()
        }],
        ..RouteSpec::default()
    };
    let rule = InhibitRule {
        source: vec![Matcher::equal("severity", "critical")],
        target: vec![Matcher::equal("severity", "warning")],
        equal: vec!["service".to_owned(), "instance".to_owned()],
    };
    let routing = Routing::new(receivers, root, vec![rule], DEFAULT_RESOLVE_TIMEOUT);
    Engine::new(Configuration {
        rules: RuleSet::empty(),
        rule_options: firebell_rules::Options::default(),
        routing: Arc::new(routing.expect("a good tree")),
        dispatch_options: firebell_dispatch::Options::default(),
        delivery_alert: None,
        incidents: Default::default(),
        paging: Default::default(),
        heartbeats: Default::default(),
    })
}

// As the load generator of `make bench-notify` sends them.
fn body(idxs: std::ops::Range<usize>, n_groups: usize, now: Timestamp) -> String {
    let alerts = idxs.map(|idx| {
        let severity = if idx % 4 == 0 { "critical" } else { "warning" };
        let instance = format!("10.{}.{}.{}:80", idx / 62_500, idx / 250 % 250, idx % 250);
        let (name, team, group) = (idx % 50, idx % 20, idx % n_groups.max(1));
        let ends_at = Timestamp(now.0 + 300_000);
        format!(
            r#"{{"annotations":{{"runbook_url":"https://runbooks.example/x","summary":"instance {idx} is failing"}},
            "endsAt":"{ends_at}","generatorURL":"http://prometheus.example/graph",
            "labels":{{"alertname":"Alert{name}","instance":"{instance}","service":"svc-{group:05}",
            "severity":"{severity}","team":"team-{team}"}},"startsAt":"2023-11-14T22:13:15Z"}}"#
        )
    });
    format!("[{}]", alerts.collect::<Vec<_>>().join(","))
}

fn resident_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kib.unwrap_or(0) / 1024
}

// Time on a processor, so that other programs do not count.
fn cpu_secs() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|it| it.parse::<u64>().ok());
    nanos.unwrap_or(0) as f64 / 1e9
}

const BATCH: usize = 100;
