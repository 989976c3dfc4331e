//! What schedules cost: CPU time for a year of shifts, and for a moment.
//!
//! `cargo run --release -p firebell-oncall --example year`

use std::hint::black_box;
use std::sync::Arc;

use firebell_model::Timestamp;
use firebell_oncall::{
    Counting, Every, Hours, Layer, PersonId, Rotation, Schedule, Span, moment_of,
};
use jiff::civil::date;
use jiff::tz::TimeZone;

fn main() {
    let zone = TimeZone::get("Europe/Berlin").expect("Berlin has a zone");
    let shapes = [
        (
            "weekly, one layer",
            vec![(Every::Weeks(1), "", Counting::Time)],
        ),
        (
            "weekly, daily nights, weekends",
            vec![
                (Every::Weeks(1), "", Counting::Time),
                (Every::Days(1), "mon-fri 22:00-06:00", Counting::Covered),
                (
                    Every::HandOvers(1, vec![4 * 1440 + 1020]),
                    "fri 17:00-mon 09:00",
                    Counting::Time,
                ),
            ],
        ),
        ("hourly", vec![(Every::Hours(1), "", Counting::Time)]),
        (
            "hourly in covered hours, after ten years",
            vec![(Every::Hours(1), "mon-fri 06:00-22:00", Counting::Covered)],
        ),
    ];
    for (name, layers) in shapes {
        let layers = layers
            .into_iter()
            .map(|(every, hours, counting)| layer(&zone, &every, hours, counting));
        let schedule = Schedule {
            name: "s".into(),
            zone: zone.clone(),
            layers: layers.collect(),
            temporary: Vec::new(),
            overrides: Vec::new(),
            n_under_temporary: 0,
            shadows: Vec::new(),
            may_have_gaps: false,
        };
        let from = moment_of(&zone, date(2026, 11, 21).at(0, 0, 0, 0));
        let year = Span::new(from, Timestamp(from.0 + 365 * 86_400_000));
        let n_shifts = schedule.shifts(year).len();
        let year_ms = cpu_ms(|| drop(black_box(schedule.shifts(black_box(year)))));
        let now_ms = cpu_ms(|| drop(black_box(schedule.on_call_at(black_box(from)))));
        println!("{name}: a year, {n_shifts} shifts: {year_ms:.3} ms; a moment: {now_ms:.4} ms");
    }
}

fn layer(zone: &TimeZone, every: &Every, hours: &str, counting: Counting) -> Layer {
    let start = date(2016, 1, 4).at(0, 0, 0, 0);
    let slots = (0..8).map(|person| Arc::from([PersonId(person)]));
    Layer {
        name: "layer".into(),
        zone: zone.clone(),
        rotation: Rotation::new(start, every, counting).expect("turns"),
        slots: slots.collect(),
        hours: Hours {
            week: hours.parse().ok(),
            holidays: None,
        },
        until: None,
    }
}

/// CPU time of one of many runs.
fn cpu_ms(mut run: impl FnMut()) -> f64 {
    const RUNS: u32 = 1000;
    let begin = cpu_ticks();
    for _ in 0..RUNS {
        run();
    }
    (cpu_ticks() - begin) / f64::from(RUNS)
}

/// CPU time of this process so far, in milliseconds.
fn cpu_ticks() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let ns = stat.split(' ').next().and_then(|it| it.parse::<f64>().ok());
    ns.unwrap_or_default() / 1e6
}
