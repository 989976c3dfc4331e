//! Prints what queries over the store cost:
//! `cargo run --release -p firebell-tsdb --example queries [SERIES] [DAYS]`.
//!
//! The data is that of the load generator: counters with noise, a daily wave, rare resets. Times
//! are CPU times, from Linux's `/proc/self/schedstat`: machines are shared.

use std::sync::Arc;

use firebell_disk::{Disk, MemoryDisk};
use firebell_model::{Duration, Labels, Sample, SeriesId, Timestamp};
use firebell_promql::{Options as QueryOptions, Plan, Prepared};
use firebell_tsdb::{Batch, Options, Store};

struct Counter {
    id: SeriesId,
    code: usize,
    service: usize,
    value: f64,
    random: u64,
}

impl Counter {
    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn scrape(&mut self, secs: f64) -> f64 {
        let of_day = secs % 86_400.0;
        let wave = 1.0 + 0.6 * (of_day / 86_400.0 * std::f64::consts::TAU).sin();
        let mut rate = RATES[self.code] * wave;
        if self.code >= 3
            && self.service.is_multiple_of(10)
            && (43_200.0..43_800.0).contains(&of_day)
        {
            rate *= 400.0;
        }
        let grown = rate * 15.0 * (0.7 + 0.6 * self.chance());
        let whole = grown.floor() + f64::from(self.chance() < grown.fract());
        if self.chance() < 1.0 / 200_000.0 {
            self.value = 0.0;
        }
        self.value += whole;
        self.value
    }
}

fn main() {
    let arg = |idx: usize, default: u64| {
        let text = std::env::args().nth(idx);
        text.and_then(|it| it.parse().ok()).unwrap_or(default)
    };
    let (n_series, days) = (arg(1, 1000) as usize, arg(2, 7));
    let disk = Arc::new(MemoryDisk::default());
    let options = Options {
        retention: Duration::from_hours(24 * 90),
        ..Options::default()
    };
    let shared: Arc<dyn Disk> = Arc::clone(&disk) as Arc<dyn Disk>;
    let (store, _) = Store::open(shared, options).expect("an empty folder opens");
    let mut counters: Vec<Counter> = (0..n_series).map(|n| counter(&store, n)).collect();
    let end = fill(&store, &mut counters, days);
    let stats = store.stats();
    println!(
        "{} samples, disk {:.3} bytes per sample ({} chunks), log included",
        stats.samples,
        stats.disk_bytes as f64 / stats.samples as f64,
        stats.chunks,
    );
    for (folder, suffix) in [("wal", ""), ("chunks", ".idx"), ("chunks", "")] {
        let names = disk.list(folder).expect("memory lists");
        let names = names.iter().filter(|name| match suffix {
            "" => !name.contains('.'),
            _ => name.ends_with(suffix),
        });
        let lens = names.map(|name| {
            disk.read(&format!("{folder}/{name}"))
                .map_or(0, |it| it.len())
        });
        let lens: Vec<usize> = lens.collect();
        println!(
            "  {folder}/*{suffix}: {:.3} bytes per sample, {} files of {lens:?}",
            lens.iter().sum::<usize>() as f64 / stats.samples as f64,
            lens.len()
        );
    }
    windows(&store, end, n_series);
    rules(&store, end);
}

fn counter(store: &Store, n: usize) -> Counter {
    let (code, instance, service) = (n % 5, n / 5 % 10, n / 50);
    let labels = Labels::from_pairs([
        ("__name__", "http_requests_total".to_owned()),
        ("job", "api".to_owned()),
        ("service", format!("svc-{service:04}")),
        ("instance", format!("10.0.0.{instance}:8080")),
        ("code", CODES[code].to_owned()),
    ]);
    Counter {
        id: store.resolve(&labels).expect("there is no limit"),
        code,
        service,
        value: 0.0,
        random: (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
    }
}

fn fill(store: &Store, counters: &mut [Counter], days: u64) -> Timestamp {
    let (mut append, mut upkeep) = (0, 0);
    let mut batch = Batch::default();
    let n_steps = days * 5760;
    let mut secs = 1_700_000_000;
    for step in 0..n_steps {
        secs += 15;
        let at = Timestamp(secs * 1000);
        batch.clear();
        for counter in counters.iter_mut() {
            let value = counter.scrape(secs as f64);
            batch.add(counter.id, &[Sample { at, value }]);
        }
        let start = cpu_ns();
        store.append(&batch).expect("memory is never full");
        append += cpu_ns() - start;
        if step % 20 == 19 {
            let start = cpu_ns();
            store.maintain(at).expect("memory is never full");
            upkeep += cpu_ns() - start;
        }
    }
    let n = n_steps as f64 * counters.len() as f64;
    println!(
        "append {:.1} ns per sample, upkeep {:.1} ns",
        append as f64 / n,
        upkeep as f64 / n
    );
    Timestamp(secs * 1000)
}

fn windows(store: &Store, end: Timestamp, n_series: usize) {
    for window in ["5m", "1h", "6h", "1d", "7d", "30d"] {
        let text = format!(
            "sum by (service)(rate(http_requests_total{{code=~\"5..\"}}[{window}])) \
             / sum by (service)(rate(http_requests_total[{window}]))"
        );
        let mut prepared = Prepared::new(Plan::new(&text).expect("the query is one"));
        let mut run = |at: Timestamp| {
            let view = store.view();
            let start = cpu_ns();
            let value = prepared.instant(&view, at, &QueryOptions::default());
            std::hint::black_box(value.expect("the query runs"));
            cpu_ns() - start
        };
        let first = run(end - Duration(40_000));
        let n = 200;
        let warm: u64 = (0..n).map(|n| run(end - Duration(30_000 - n * 100))).sum();
        let warm = warm as f64 / n as f64;
        println!(
            "{window:>4}: first {:8.3} ms, then {:8.3} ms, {:.0} ns per series read",
            first as f64 / 1e6,
            warm / 1e6,
            warm / (1.4 * n_series as f64)
        );
    }
    let text = "avg_over_time(http_requests_total[6h])";
    let mut prepared = Prepared::new(Plan::new(text).expect("the query is one"));
    let view = store.view();
    for step in [60, 3600] {
        let start = cpu_ns();
        let from = end - Duration::from_hours(12);
        let (step, options) = (Duration(step * 1000), QueryOptions::default());
        let value = prepared.range(&view, from, end, step, &options);
        std::hint::black_box(value.expect("the query runs"));
        let ms = (cpu_ns() - start) as f64 / 1e6;
        println!("{text} over 12 h, step {step}: {ms:.1} ms");
    }
}

/// Rules over ten series each.
fn rules(store: &Store, end: Timestamp) {
    let mut rules: Vec<Prepared> = Vec::new();
    for n in 0..10_000 {
        let text = format!(
            "rate(http_requests_total{{service=\"svc-{:04}\",code=\"{}\"}}[5m]) > 1e6",
            n / 5 % 20,
            CODES[n % 5]
        );
        rules.push(Prepared::new(Plan::new(&text).expect("the query is one")));
    }
    for round in 0..3 {
        let at = end - Duration(1000 - round);
        let start = cpu_ns();
        for rule in &mut rules {
            let view = store.view();
            let value = rule.instant(&view, at, &QueryOptions::default());
            std::hint::black_box(value.expect("the query runs"));
        }
        let ns = (cpu_ns() - start) as f64 / rules.len() as f64;
        println!("10000 rules of ten series, round {round}: {ns:.0} ns per rule");
    }
}

fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let field = text.split_whitespace().next();
    field.and_then(|field| field.parse().ok()).unwrap_or(0)
}

const CODES: [&str; 5] = ["200", "201", "404", "500", "503"];
const RATES: [f64; 5] = [50.0, 8.0, 1.0, 0.01, 0.005];
