//! Requests that come in, as an application's metrics show them.
//!
//! One crowd for each route. Its counters go by the names that are in use most: those of
//! `prometheus_client` and its middlewares, and those of OpenTelemetry's conventions. Half of the
//! requests take up to the latency, 95 in 100 up to twice that, all up to four times.

use firebell_model::{Duration, Labels, METRIC_NAME, Sample, Timestamp, format_float};
use firebell_promql::MemorySource;

use crate::chance::Chance;

/// Requests to a route.
#[derive(Clone, PartialEq, Debug)]
pub struct Traffic {
    /// To where, as a template such as `/orders/{id}`.
    pub route: String,
    /// How many a second.
    pub rps: f64,
    /// How many of them fail, from 0 to 1.
    pub error_rate: f64,
    /// How long half of them take at most.
    pub latency: Duration,
}

/// Requests to a route, counted since the beginning.
#[derive(Debug)]
pub(super) struct Crowd {
    traffic: Traffic,
    counted_until: Timestamp,
    well: Counts,
    failed: Counts,
    series: Vec<(Labels, Shown)>,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    n: f64,
    seconds: f64,
    /// Up to each of [`BOUNDS`].
    up_to: [f64; BOUNDS.len()],
}

/// Which number a series shows.
#[derive(Clone, Copy, Debug)]
enum Shown {
    Up,
    Count { is_failed: bool },
    Seconds { is_failed: bool },
    UpTo { is_failed: bool, idx: usize },
}

impl Crowd {
    pub(super) fn new(now: Timestamp, traffic: Traffic) -> Self {
        let series = series(&traffic.route);
        Self {
            traffic,
            counted_until: now,
            well: Counts::default(),
            failed: Counts::default(),
            series,
        }
    }

    /// Other requests come in from now on.
    pub(super) fn change(&mut self, now: Timestamp, traffic: Traffic, chance: &mut Chance) {
        self.count(now, chance);
        self.traffic = traffic;
    }

    pub(super) fn scrape(&mut self, at: Timestamp, chance: &mut Chance, out: &mut MemorySource) {
        self.count(at, chance);
        for (labels, shown) in &self.series {
            let value = self.shown(*shown);
            out.append(labels, [Sample { at, value }]);
        }
    }

    fn count(&mut self, until: Timestamp, chance: &mut Chance) {
        let seconds = (until - self.counted_until).as_secs_f64();
        self.counted_until = until;
        let n = some(self.traffic.rps * seconds, chance);
        let n_failed = some(n * self.traffic.error_rate, chance).min(n);
        let latency = self.traffic.latency.as_secs_f64();
        self.well.add(n - n_failed, latency);
        self.failed.add(n_failed, latency);
    }

    fn shown(&self, shown: Shown) -> f64 {
        let of = |is_failed| if is_failed { &self.failed } else { &self.well };
        match shown {
            Shown::Up => 1.0,
            Shown::Count { is_failed } => of(is_failed).n,
            Shown::Seconds { is_failed } => of(is_failed).seconds,
            Shown::UpTo { is_failed, idx } => {
                let n = of(is_failed).up_to.get(idx);
                n.map_or(0.0, |it| it.floor())
            }
        }
    }
}

impl Counts {
    fn add(&mut self, n: f64, latency: f64) {
        self.n += n;
        self.seconds += n * latency * MEAN;
        for (up_to, bound) in self.up_to.iter_mut().zip(BOUNDS) {
            *up_to += n * part_up_to(bound / latency.max(f64::MIN_POSITIVE));
        }
    }
}

/// Which part of the requests takes up to so many latencies.
fn part_up_to(latencies: f64) -> f64 {
    let line = |(from, to): (f64, f64), (low, high): (f64, f64)| {
        low + (high - low) * (latencies - from) / (to - from)
    };
    match latencies {
        it if it < 1.0 => line((0.0, 1.0), (0.0, 0.5)),
        it if it < 2.0 => line((1.0, 2.0), (0.5, 0.95)),
        it if it < 4.0 => line((2.0, 4.0), (0.95, 1.0)),
        _ => 1.0,
    }
}

/// How many events there are where so many are expected, as chance has it: Poisson's distribution,
/// and the normal one where it is near enough.
fn some(expected: f64, chance: &mut Chance) -> f64 {
    let mut part = || (chance.any() >> 11) as f64 / (1_u64 << 53) as f64;
    if expected <= 0.0 {
        return 0.0;
    }
    if expected < 30.0 {
        let (limit, mut product, mut n) = ((-expected).exp(), part(), 0.0);
        while product > limit {
            product *= part();
            n += 1.0;
        }
        return n;
    }
    let normal: f64 = (0..12).map(|_| part()).sum::<f64>() - 6.0;
    (expected + expected.sqrt() * normal).round().max(0.0)
}

/// All series of a route.
fn series(route: &str) -> Vec<(Labels, Shown)> {
    let target = [("job", "app"), ("instance", "app:8000")];
    let mut all = vec![(labels("up", target.into_iter()), Shown::Up)];
    for (is_failed, status) in [(false, "200"), (true, "500")] {
        let usual = [
            ("method", "GET"),
            ("route", route),
            ("path", route),
            ("handler", route),
            ("endpoint", route),
            ("status", status),
            ("code", status),
            ("status_code", status),
        ];
        let conventions = [
            ("http_request_method", "GET"),
            ("http_route", route),
            ("http_response_status_code", status),
        ];
        let usual = || usual.into_iter().chain(target);
        let conventions = || conventions.into_iter().chain(target);
        let count = Shown::Count { is_failed };
        all.push((labels("http_requests_total", usual()), count));
        histogram("http_request_duration_seconds", is_failed, usual, &mut all);
        let name = "http_server_request_duration_seconds";
        histogram(name, is_failed, conventions, &mut all);
    }
    all
}

fn histogram<'a, I: Iterator<Item = (&'a str, &'a str)>>(
    name: &str,
    is_failed: bool,
    pairs: impl Fn() -> I,
    out: &mut Vec<(Labels, Shown)>,
) {
    let named = |suffix: &str| labels(&format!("{name}_{suffix}"), pairs());
    out.push((named("count"), Shown::Count { is_failed }));
    out.push((named("sum"), Shown::Seconds { is_failed }));
    let bounds = BOUNDS.into_iter().enumerate();
    let buckets = bounds.map(|(idx, bound)| (bound, Shown::UpTo { is_failed, idx }));
    for (bound, shown) in buckets.chain([(f64::INFINITY, Shown::Count { is_failed })]) {
        let mut builder = named("bucket").to_builder();
        builder.set("le", format_float(bound));
        out.push((builder.build(), shown));
    }
}

fn labels<'a>(name: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Labels {
    let mut builder = Labels::from_pairs(pairs).to_builder();
    builder.set(METRIC_NAME, name);
    builder.build()
}

/// What one request takes on average, in latencies.
const MEAN: f64 = 0.5 * 0.5 + 0.45 * 1.5 + 0.05 * 3.0;

/// The buckets of `prometheus_client` and of OpenTelemetry's conventions.
const BOUNDS: [f64; 16] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0,
];
