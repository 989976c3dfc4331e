//! Prints what a data folder holds, or what a prepared query over it costs, as `name=value` lines:
//! `store DATA_DIR figures` or `store DATA_DIR prepared UNIX_SECONDS EXPR…`. For `make bench-metrics`;
//! Firebell must not run on the folder meanwhile. Times are of this thread, on the processor.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use firebell_model::{Duration, Timestamp};
use firebell_promql::{Options, Plan, Prepared, Value};
use firebell_server::FileDisk;
use firebell_tsdb::{Options as StoreOptions, Store};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, what, rest @ ..] = args.as_slice() else {
        return Err("usage: store DATA_DIR figures | prepared UNIX_SECONDS EXPR…".into());
    };
    let options = StoreOptions {
        retention: Duration::from_hours(60 * 24),
        ..StoreOptions::default()
    };
    let disk = Arc::new(FileDisk::open(Path::new(folder))?);
    let (store, report) = Store::open(disk, options)?;
    match (what.as_str(), rest) {
        ("figures", []) => {
            let stats = store.stats();
            println!("samples={}", stats.samples);
            println!("filed={}", stats.samples - report.samples_replayed);
        }
        ("prepared", [at, exprs @ ..]) => {
            let at = Timestamp((at.parse::<f64>()? * 1000.0) as i64);
            for (idx, expr) in exprs.iter().enumerate() {
                println!("{idx}={}", milliseconds(&store, expr, at)?);
            }
        }
        _ => return Err(format!("`{what}` is not known").into()),
    }
    Ok(())
}

/// Milliseconds for one evaluation of what is bound already. Moments move on by a step each time:
/// a rule is never evaluated twice at the same one.
fn milliseconds(store: &Store, expr: &str, at: Timestamp) -> Result<f64, Box<dyn Error>> {
    let mut prepared = Prepared::new(Plan::new(expr)?);
    let options = Options::default();
    let view = store.view();
    let mut evaluate = |n: i64| {
        let at = at - Duration::from_secs(15 * (n % STEPS));
        prepared.instant(&view, at, &options)
    };
    match evaluate(0)? {
        Value::Vector(samples) if !samples.is_empty() => {}
        _ => return Err(format!("`{expr}` has no result at {}", at.0).into()),
    }
    let began = cpu_nanoseconds()?;
    let (mut spent, mut n) = (0, 0);
    while n < EVALUATIONS_MIN || spent < ENOUGH_NANOSECONDS {
        n += 1;
        std::hint::black_box(evaluate(n)?);
        spent = cpu_nanoseconds()? - began;
    }
    Ok(spent as f64 / n as f64 / 1e6)
}

/// What Linux's scheduler gave to this thread so far.
fn cpu_nanoseconds() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text
        .split(' ')
        .next()
        .ok_or("no figures of the scheduler")?;
    Ok(first.parse()?)
}

/// Moments that evaluations go through, fifteen seconds apart.
const STEPS: i64 = 20;
const EVALUATIONS_MIN: i64 = 5;
const ENOUGH_NANOSECONDS: u64 = 1_000_000_000;
