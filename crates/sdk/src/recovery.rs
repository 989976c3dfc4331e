//! What processes that are no more left in their rings: it is sent as theirs, and if one died
//! rather than ended, an alert says so, with its last breadcrumbs.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::alert::Alert;
use crate::cells::{Point, collect_of_dead};
use crate::clock::{now_nanos, rfc3339};
use crate::exporter::{Exporter, Stuck};
use crate::files::{self, Locked};
use crate::http::Endpoint;
use crate::ring::{BUFFER_BYTES_MAX, Field, Lane, Reader, Ring};
use crate::settings::attributes_of;
use crate::stats::Stats;
use crate::sums;

/// Looks for rings of dead processes, and has those counted in whose totals somebody wants. Too many
/// are given up, the oldest first: they lie on a disk, or in memory.
pub(crate) fn look(stats: &Stats, folder: &Path) -> Vec<Locked> {
    let mut dead = files::of_dead(folder);
    if let Err(error) = sums::fold(folder, &dead) {
        stats.say(&format!(
            "what dead processes counted is not in their totals: {error}"
        ));
        return Vec::new(); // They wait until it can be.
    }
    let n_too_many = dead.len().saturating_sub(RINGS_MAX);
    for ring in dead.drain(..n_too_many) {
        let _ = fs::remove_file(&ring.path);
    }
    if n_too_many > 0 {
        stats.say(&format!(
            "{n_too_many} rings of dead processes were given up, the oldest of more than {RINGS_MAX}"
        ));
    }
    dead
}

/// Sends what is there, as far as the server takes it; a ring that was sent is removed.
pub(crate) fn send_dead(exporter: &mut Exporter, endpoint: &Endpoint, dead: Vec<Locked>) {
    for ring in dead {
        match send_one(exporter, endpoint, &ring.file) {
            Ok(()) => _ = fs::remove_file(&ring.path),
            Err(Stuck) => return,
        }
    }
}

fn send_one(exporter: &mut Exporter, endpoint: &Endpoint, file: &File) -> Result<(), Stuck> {
    let words = read(file);
    // What is no ring was never finished, or is of another version: nobody can read it.
    let Some(ring) = Ring::open(&words) else {
        return Ok(());
    };
    let identity = ring.identity();
    let resource = attributes_of(&identity);
    let point = Point {
        since: ring.field(Field::CountedSinceNanos),
        until: now_nanos(),
    };
    let used = usize::try_from(ring.field(Field::ArenaUsed)).unwrap_or(usize::MAX);
    let mut n_records = 0;
    if ring.field(Field::IsClean) == 0 {
        let alert = worker_died(&resource, ring);
        exporter.send(endpoint, Lane::Alerts, &resource, &[alert])?;
        // Whoever comes next need not say it again.
        write_down(file, Field::IsClean as usize, 1);
    }
    for lane in Lane::ALL {
        loop {
            let taken = ring.peek(Reader::Server, lane, BATCH_BYTES);
            if !taken.records.is_empty() {
                exporter.send(endpoint, lane, &resource, &taken.records)?;
            }
            n_records += taken.records.len();
            ring.commit(Reader::Server, lane, taken.until);
            write_down(file, Ring::tail_at(lane), taken.until);
            if ring.is_empty(lane) {
                break;
            }
        }
    }
    let metrics = collect_of_dead(ring.arena(), used, point);
    n_records += metrics.len();
    for batch in metrics.chunks(METRICS_AT_ONCE) {
        exporter.send(endpoint, Lane::Metrics, &resource, batch)?;
    }
    let n_recovered = &exporter.process.stats.n_recovered;
    n_recovered.fetch_add(n_records as u64, Ordering::Relaxed);
    Ok(())
}

fn read(file: &File) -> Vec<AtomicU64> {
    let mut bytes = Vec::new();
    let mut limited = file.take(2 * BUFFER_BYTES_MAX as u64);
    if limited.read_to_end(&mut bytes).is_err() {
        return Vec::new();
    }
    let (words, _) = bytes.as_chunks::<8>();
    words
        .iter()
        .map(|it| AtomicU64::new(u64::from_ne_bytes(*it)))
        .collect()
}

fn write_down(file: &File, word: usize, value: u64) {
    let _ = file.write_all_at(&value.to_ne_bytes(), word as u64 * 8);
}

/// An alert of Alertmanager's API, version 2.
fn worker_died(resource: &[(&str, &str)], ring: Ring<'_>) -> Vec<u8> {
    let of = |wanted: &str| {
        let found = resource.iter().find(|(key, _)| *key == wanted);
        found.map_or("", |(_, value)| value)
    };
    let (service, host, pid) = (of("service.name"), of("host.name"), of("process.pid"));
    let seen = ring
        .field(Field::ActiveNanos)
        .max(ring.field(Field::StartedNanos));
    let labels = [
        ("alertname", "WorkerDied"),
        ("severity", "error"),
        ("service", service),
        ("environment", of("deployment.environment.name")),
        ("instance", of("service.instance.id")),
    ];
    let crumbs = ring.crumbs();
    let last = crumbs.len().saturating_sub(CRUMBS_TOLD);
    let annotations = [
        ("summary", format!("A process of {service} died: pid {pid} on {host}")),
        (
            "description",
            "It ended without saying so: it was killed, ran out of memory, or crashed. What it had \
             recorded was sent by another process."
                .to_owned(),
        ),
        ("breadcrumbs", format!("[{}]", crumbs.get(last..).unwrap_or_default().join(","))),
        ("last_seen", rfc3339(seen)),
        ("version", of("service.version").to_owned()),
    ];
    let now = now_nanos();
    let owned = |(key, value): (&str, String)| (key.to_owned(), value);
    let alert = Alert {
        labels: labels
            .map(|(key, value)| owned((key, value.to_owned())))
            .into(),
        annotations: annotations.map(owned).into(),
        starts_at: now,
        ends_at: Some(now + FIRES_FOR_NANOS),
        generator_url: String::new(),
    };
    alert.to_json().into_bytes()
}

/// More rings of dead processes than this are not kept.
const RINGS_MAX: usize = 64;
const BATCH_BYTES: usize = 256 << 10;
const METRICS_AT_ONCE: usize = 1000;
const CRUMBS_TOLD: usize = 20;
/// Ten minutes.
const FIRES_FOR_NANOS: u64 = 600_000_000_000;
