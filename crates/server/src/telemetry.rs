//! Spans and log records: taken in, looked for, and forgotten by a thread of its own.
//!
//! *Limits*: `telemetry` of the configuration. What does not fit goes, the oldest first, and is
//! counted; nothing rests on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use firebell_disk::{Disk, LogError};
use firebell_model::Timestamp;
use firebell_telemetry::{Kept, Limits, LogRecord, Origin, Span, nanos_of};
use firebell_wire::otlp::ContextRecord;

use crate::clock::Clock;
use crate::live::Live;
use crate::metrics::Metrics;

/// See the module's documentation.
pub(crate) struct Telemetry {
    disk: Arc<dyn Disk>,
    live: Arc<Live>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    spans: Mutex<Option<Kept<Span>>>,
    logs: Mutex<Option<Kept<LogRecord>>>,
}

/// Where the records of a signal are kept.
pub(crate) trait Place: ContextRecord {
    /// The value of label `signal`.
    const NAME: &'static str;

    /// `None` until it is opened.
    fn of(telemetry: &Telemetry) -> &Mutex<Option<Kept<Self>>>;
}

impl Place for Span {
    const NAME: &'static str = "traces";

    fn of(telemetry: &Telemetry) -> &Mutex<Option<Kept<Self>>> {
        &telemetry.spans
    }
}

impl Place for LogRecord {
    const NAME: &'static str = "logs";

    fn of(telemetry: &Telemetry) -> &Mutex<Option<Kept<Self>>> {
        &telemetry.logs
    }
}

/// Starts the thread, which first looks at what there is.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(
    disk: Arc<dyn Disk>,
    (live, clock): (&Arc<Live>, &Arc<Clock>),
    metrics: Arc<Metrics>,
) -> std::io::Result<Arc<Telemetry>> {
    let telemetry = Arc::new(Telemetry {
        disk,
        live: Arc::clone(live),
        clock: Arc::clone(clock),
        metrics,
        spans: Mutex::new(None),
        logs: Mutex::new(None),
    });
    let weak = Arc::downgrade(&telemetry);
    let thread = std::thread::Builder::new().name("telemetry".to_owned());
    thread.spawn(move || keep_up(&weak))?;
    Ok(telemetry)
}

fn keep_up(telemetry: &Weak<Telemetry>) {
    while let Some(telemetry) = telemetry.upgrade() {
        telemetry.forget::<Span>();
        telemetry.forget::<LogRecord>();
        drop(telemetry);
        std::thread::sleep(FORGET_EVERY);
    }
}

impl Telemetry {
    /// Keeps records; those before one that fails are kept.
    ///
    /// # Errors
    /// When the disk is full or fails, or another version wrote the folder.
    pub(crate) fn keep<R: Place>(&self, records: Vec<(Origin, Vec<R>)>) -> Result<(), LogError> {
        let (now, limits) = (self.clock.now(), self.limits());
        self.with(|kept: &mut Kept<R>| {
            for (origin, mut records) in records {
                for record in &mut records {
                    record.came(nanos_of(now));
                }
                let dropped = kept.append(now, &limits, &origin, &records)?;
                self.metrics
                    .telemetry
                    .count(R::NAME, records.len() as u64, &dropped);
            }
            Ok(())
        })
    }

    /// Looks where a question leads, then reads there. To be called where one may wait for the disk.
    ///
    /// # Errors
    /// When the disk fails, or another version wrote the folder.
    pub(crate) fn find<R: Place, Q, T>(
        &self,
        look: impl FnOnce(&Kept<R>) -> Q,
        read: impl FnOnce(&Q, &dyn Disk) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let looking = self.with(|kept: &mut Kept<R>| Ok(look(kept)))?;
        read(&looking, &*self.disk)
    }

    fn forget<R: Place>(&self) {
        let (now, limits) = (self.clock.now(), self.limits());
        let forgotten = self.with(|kept: &mut Kept<R>| {
            let dropped = kept.forget(now, &limits)?;
            kept.sync()?;
            self.metrics.telemetry.count(R::NAME, 0, &dropped);
            self.metrics.telemetry.note_bytes(R::NAME, kept.bytes());
            Ok(())
        });
        if let Err(error) = forgotten {
            tracing::warn!(%error, "failed to keep {} in order", R::NAME);
        }
    }

    /// Whoever comes first opens it.
    fn with<R: Place, T>(
        &self,
        act: impl FnOnce(&mut Kept<R>) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let mut place: MutexGuard<'_, Option<Kept<R>>> =
            R::of(self).lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match place.as_mut() {
            Some(kept) => kept,
            None => {
                let (kept, damage) = Kept::open(Arc::clone(&self.disk), &self.limits())?;
                for damage in damage {
                    tracing::error!(damage, "{} are damaged; the rest is used", R::NAME);
                }
                place.insert(kept)
            }
        };
        act(kept)
    }

    fn limits(&self) -> Limits {
        let kept = self.live.config().telemetry;
        Limits {
            retention: kept.retention,
            bytes_max: kept.bytes_max,
        }
    }
}

/// The events of a kind that the Python package tells of, among log records; each with who sent it.
pub(crate) fn events<'a>(
    records: &'a [(Origin, Vec<LogRecord>)],
    kind: &'static str,
) -> impl Iterator<Item = (&'a Origin, &'a LogRecord)> {
    let all = records.iter();
    let all = all.flat_map(|(origin, records)| records.iter().map(move |it| (origin, it)));
    all.filter(move |(_, record)| record.event.strip_prefix("firebell.") == Some(kind))
}

/// An attribute of a record.
pub(crate) fn said<'a>(record: &'a LogRecord, name: &str) -> Option<&'a str> {
    let mut all = record.attributes.iter();
    let found = all.find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// Nanoseconds since 1970 as a moment.
pub(crate) fn moment_of(nanos: u64) -> Timestamp {
    Timestamp((nanos / 1_000_000).cast_signed())
}

/// How much is made durable and forgotten at a time.
const FORGET_EVERY: std::time::Duration = std::time::Duration::from_secs(5);
