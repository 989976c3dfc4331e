//! Deploys that others tell of: which version of a service went live when.
//!
//! A log (`firebell-disk`) of JSON frames in the folder `deploys`, version 1: each a [`Frame`]. When
//! it has grown to twice what is kept, what is kept is written anew and the rest removed.
//!
//! *Invariants*: a deploy is durable before it is told of. Who tells it again, changes nothing; that
//! of a deploy without a time the same is meant holds for [`AGAIN_WITHIN`].

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firebell_disk::{Disk, Frames, Log, LogError, LogOptions, read_log};
use firebell_model::{Deploy, Duration, Timestamp};
use firebell_telemetry::{LogRecord, Origin};
use serde::{Deserialize, Serialize};

use crate::disk::ReadOnlyDisk;
use crate::telemetry::{events, moment_of, said};

/// See the module's documentation.
pub(crate) struct Deploys(Mutex<Inner>);

struct Inner {
    log: Log,
    n_frames: usize,
    kept: BTreeSet<Frame>,
}

/// A deploy as it is written; in the order in which they are told.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Frame {
    at: Timestamp,
    service: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    namespace: String,
    version: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    environment: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    url: String,
}

/// What somebody tells of a deploy.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `service` and `version`"
)]
pub(crate) struct Told {
    service: String,
    #[serde(default)]
    namespace: String,
    version: String,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    environment: String,
    #[serde(default)]
    url: String,
}

impl Frame {
    /// What goes live there, and where.
    fn place(&self) -> (&str, &str, &str) {
        (&self.service, &self.namespace, &self.environment)
    }

    /// Whether it went live where another one did, or wherever the service is.
    fn reaches(&self, other: &Deploy) -> bool {
        let is_there = |mine: &str, its: &str| mine.is_empty() || mine == its;
        self.service == other.service
            && is_there(&self.namespace, &other.namespace)
            && is_there(&self.environment, &other.environment)
    }
}

impl Told {
    /// Whether it says when. Else it is now, or the same as was told a little ago.
    pub(crate) fn is_dated(&self) -> bool {
        self.at.is_some()
    }

    /// The deploy, which is now unless it says otherwise.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(self, now: Timestamp) -> Result<Deploy, String> {
        for (name, text, max) in [
            ("service", &self.service, NAME_CHARS_MAX),
            ("namespace", &self.namespace, NAME_CHARS_MAX),
            ("version", &self.version, NAME_CHARS_MAX),
            ("environment", &self.environment, NAME_CHARS_MAX),
            ("url", &self.url, URL_CHARS_MAX),
        ] {
            if text.is_empty() && matches!(name, "service" | "version") {
                return Err(format!("`{name}` must not be empty"));
            }
            if text.chars().count() > max || text.chars().any(char::is_control) {
                return Err(format!(
                    "`{name}` has at most {max} characters, and no line breaks"
                ));
            }
        }
        let is_link = |url: &str| url.starts_with("https://") || url.starts_with("http://");
        if !self.url.is_empty() && !is_link(&self.url) {
            return Err(format!(
                "`url` is no link for http or https: `{}`",
                self.url
            ));
        }
        let at = match &self.at {
            Some(at) => at
                .parse::<Timestamp>()
                .map_err(|error| format!("`at` is no time: {error}"))?,
            None => now,
        };
        if at > now + AHEAD_MAX || at < now - AGE_MAX {
            return Err(format!(
                "`at` lies more than {AHEAD_MAX} ahead or {AGE_MAX} back: {at}"
            ));
        }
        Ok(Deploy {
            service: self.service,
            namespace: self.namespace,
            version: self.version,
            at,
            url: self.url,
            environment: self.environment,
        })
    }
}

/// What the Python package says of a deploy, beside what Firebell has no use for.
#[derive(Deserialize)]
struct OfPackage {
    #[serde(default)]
    version: String,
    #[serde(default)]
    environment: String,
    #[serde(default)]
    url: String,
}

/// The deploys among log records, as events of the Python package, and what is wrong with those that
/// are none.
pub(crate) fn of_records(
    now: Timestamp,
    records: &[(Origin, Vec<LogRecord>)],
) -> (Vec<Deploy>, Vec<String>) {
    let (mut deploys, mut wrong) = (Vec::new(), Vec::new());
    for (origin, record) in events(records, "deploy") {
        match of_record(now, origin, record) {
            Ok(deploy) => deploys.push(deploy),
            Err(why) => wrong.push(format!("a deploy: {why}")),
        }
    }
    (deploys, wrong)
}

fn of_record(now: Timestamp, origin: &Origin, record: &LogRecord) -> Result<Deploy, String> {
    let told = said(record, "deploy").unwrap_or("{}");
    let told: OfPackage = serde_json::from_str(told).map_err(|error| error.to_string())?;
    let mut attributes = origin.attributes.iter();
    let namespace = attributes.find(|(name, _)| name == "service.namespace");
    let told = Told {
        service: origin.service.clone(),
        namespace: namespace.map(|it| it.1.clone()).unwrap_or_default(),
        version: told.version,
        at: (record.nanos > 0).then(|| moment_of(record.nanos).to_string()),
        environment: told.environment,
        url: told.url,
    };
    told.check(now)
}

impl Deploys {
    /// Reads what there is; says what could not be read.
    ///
    /// # Errors
    /// When the disk fails, or another version wrote the folder.
    pub(crate) fn open(disk: Arc<dyn Disk>) -> Result<(Self, Vec<String>), LogError> {
        let (log, frames) = Log::open(disk, OPTIONS)?;
        let n_frames = frames.frames.len();
        let (kept, damage) = read(frames);
        let inner = Inner {
            log,
            n_frames,
            kept,
        };
        Ok((Self(Mutex::new(inner)), damage))
    }

    /// All that are kept, the oldest first.
    pub(crate) fn all(&self) -> Vec<Deploy> {
        self.lock().kept.iter().cloned().map(deploy).collect()
    }

    /// Keeps one; returns what is kept for it, and whether that is new.
    ///
    /// # Errors
    /// When the disk fails; nothing has changed then.
    pub(crate) fn add(&self, told: Deploy, is_dated: bool) -> Result<(Deploy, bool), LogError> {
        let frame = Frame {
            at: told.at,
            service: told.service,
            namespace: told.namespace,
            version: told.version,
            environment: told.environment,
            url: told.url,
        };
        let mut inner = self.lock();
        let known = match is_dated {
            true => inner.kept.get(&frame),
            false => inner.told_lately(&frame),
        };
        if let Some(known) = known {
            return Ok((deploy(known.clone()), false));
        }
        inner.write(&frame)?;
        inner.log.sync()?;
        inner.kept.insert(frame.clone());
        while inner.kept.len() > DEPLOYS_MAX {
            inner.kept.pop_first();
        }
        if inner.n_frames >= 2 * DEPLOYS_MAX
            && let Err(error) = inner.compact()
        {
            // Nothing is lost: what was written so far is there twice.
            tracing::warn!(%error, "failed to write the log of deploys anew");
        }
        Ok((deploy(frame), true))
    }

    /// Keeps one that each process of a service may tell of when it begins, perhaps late or twice: not
    /// again the version that was there at its time. Returns it if it is new.
    ///
    /// # Errors
    /// When the disk fails; nothing has changed then.
    pub(crate) fn begin(&self, told: Deploy) -> Result<Option<Deploy>, LogError> {
        let is_there = {
            let inner = self.lock();
            let mut newest = inner.kept.iter().rev();
            let last = newest.find(|it| it.at <= told.at && it.reaches(&told));
            last.is_some_and(|it| it.version == told.version)
        };
        match is_there {
            true => Ok(None),
            false => self
                .add(told, false)
                .map(|(kept, is_new)| is_new.then_some(kept)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The last deploy of the service there, if it is of the same version and not long ago: a job that
    /// was tried again tells of it again.
    fn told_lately(&self, frame: &Frame) -> Option<&Frame> {
        let lately = self.kept.iter().rev();
        let mut lately = lately.take_while(|it| it.at + AGAIN_WITHIN >= frame.at);
        let last = lately.find(|it| it.place() == frame.place())?;
        (last.version == frame.version).then_some(last)
    }

    fn write(&mut self, frame: &Frame) -> Result<(), LogError> {
        // Strings and numbers only: nothing that JSON could not hold.
        self.log
            .append(&serde_json::to_vec(frame).unwrap_or_default())?;
        self.n_frames += 1;
        Ok(())
    }

    fn compact(&mut self) -> Result<(), LogError> {
        let segment = self.log.start_segment()?;
        let kept: Vec<Frame> = self.kept.iter().cloned().collect();
        for frame in &kept {
            self.write(frame)?;
        }
        self.log.sync()?;
        self.log.remove_before(segment)?;
        self.n_frames = kept.len();
        Ok(())
    }
}

/// The deploys of a data folder, the oldest first, and what of them cannot be read; the folder is
/// only read, also while Firebell runs. None of one that was never told any.
///
/// # Errors
/// When the disk fails, or another version wrote the folder.
pub fn read_deploys(data: &Path) -> Result<(Vec<Deploy>, Vec<String>), LogError> {
    if !data.join(OPTIONS.folder).is_dir() {
        return Ok((Vec::new(), Vec::new()));
    }
    let (kept, damage) = read(read_log(&ReadOnlyDisk::new(data), &OPTIONS)?);
    Ok((kept.into_iter().map(deploy).collect(), damage))
}

fn read(frames: Frames) -> (BTreeSet<Frame>, Vec<String>) {
    let mut damage = frames.damage;
    let mut kept = BTreeSet::new();
    for (_, payload) in frames.frames {
        match serde_json::from_slice(&payload) {
            Ok(frame) => drop(kept.insert(frame)),
            Err(error) => damage.push(format!("a deploy cannot be read: {error}")),
        }
        while kept.len() > DEPLOYS_MAX {
            kept.pop_first();
        }
    }
    (kept, damage)
}

fn deploy(frame: Frame) -> Deploy {
    Deploy {
        service: frame.service,
        namespace: frame.namespace,
        version: frame.version,
        at: frame.at,
        url: frame.url,
        environment: frame.environment,
    }
}

const OPTIONS: LogOptions = LogOptions {
    folder: "deploys",
    magic: *b"FBDEPLY1",
    magics_read: &[],
    segment_bytes_max: 64 << 20,
};
/// So many of all services are kept; then the oldest are forgotten.
const DEPLOYS_MAX: usize = 10_000;
/// Who tells of a version without a time, within this after it was told, means the same deploy.
const AGAIN_WITHIN: Duration = Duration::from_hours(1);
const NAME_CHARS_MAX: usize = 200;
const URL_CHARS_MAX: usize = 2_000;
/// What a clock may be ahead.
const AHEAD_MAX: Duration = Duration::from_mins(10);
/// Longer than the longest window.
const AGE_MAX: Duration = Duration::from_hours(24 * 400);

#[cfg(test)]
mod tests {
    use firebell_disk::MemoryDisk;

    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn check(json: &str, expected: &str) {
        let told = serde_json::from_str::<Told>(json).map_err(|error| error.to_string());
        let found = match told.and_then(|told| told.check(NOW)) {
            Ok(deploy) => format!("{} {} {}", deploy.service, deploy.version, deploy.at),
            Err(why) => why,
        };
        assert!(found.contains(expected), "{json}: {found}");
    }

    #[test]
    fn what_is_told_of_a_deploy_is_checked() {
        let at = "2026-09-21T14:13:20Z";
        check(
            r#"{"service":"shop","version":"v1"}"#,
            &format!("shop v1 {at}"),
        );
        check(
            r#"{"service":"shop","version":"v1","at":"2026-09-21T14:00:00Z","url":"https://x/1"}"#,
            "shop v1 2026-09-21T14:00:00Z",
        );
        check(
            r#"{"service":"","version":"v1"}"#,
            "`service` must not be empty",
        );
        check(r#"{"service":"shop"}"#, "missing field `version`");
        check(
            r#"{"service":"shop","version":"v1","team":"x"}"#,
            "unknown field `team`",
        );
        check(r#"{"service":"shop","version":"a\nb"}"#, "no line breaks");
        check(
            r#"{"service":"shop","version":"v","url":"javascript:1"}"#,
            "`url` is no link",
        );
        check(
            r#"{"service":"shop","version":"v","at":"noon"}"#,
            "`at` is no time",
        );
        check(
            r#"{"service":"shop","version":"v","at":"2027-01-01T00:00:00Z"}"#,
            "`at` lies more than 10m ahead",
        );
    }

    #[test]
    fn a_process_that_begins_tells_of_a_version_once() {
        let told = |event: &str, deploy: &str, secs: u64| LogRecord {
            nanos: 1_790_000_000_000_000_000 + secs * 1_000_000_000,
            event: event.to_owned(),
            attributes: vec![("deploy".to_owned(), deploy.to_owned())],
            ..LogRecord::default()
        };
        let origin = Origin {
            service: "shop".to_owned(),
            attributes: Vec::new(),
        };
        let records = vec![
            told("firebell.deploy", r#"{"version":"v1","commit":"abc"}"#, 0),
            told("firebell.deploy", r#"{"version":"v1"}"#, 5 * 3600),
            told("deploy", r#"{"version":"v2"}"#, 6 * 3600),
            told(
                "firebell.deploy",
                r#"{"version":"v2","url":"https://x/2"}"#,
                7 * 3600,
            ),
            told(
                "firebell.deploy",
                r#"{"version":"v1","environment":"test"}"#,
                8 * 3600,
            ),
            told("firebell.deploy", r#"{"commit":"abc"}"#, 9 * 3600),
            told("firebell.deploy", "v3", 9 * 3600),
        ];
        let (found, wrong) = of_records(NOW + Duration::from_hours(9), &[(origin, records)]);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert_eq!(wrong[0], "a deploy: `version` must not be empty");
        let (deploys, _) = Deploys::open(Arc::new(MemoryDisk::default())).unwrap();
        // The ring of a dead process is sent late, and may be sent twice.
        let late = found.clone();
        let all = found.into_iter().chain(late);
        let n_new = all.filter_map(|it| deploys.begin(it).unwrap()).count();
        assert_eq!(n_new, 3);
        let kept = deploys.all();
        let kept = kept
            .iter()
            .map(|it| format!("{} {} {}", it.at - NOW, it.version, it.url));
        assert_eq!(
            kept.collect::<Vec<_>>(),
            ["0s v1 ", "7h v2 https://x/2", "8h v1 "]
        );
    }

    #[test]
    fn a_process_does_not_tell_again_what_was_told_of_all_its_service() {
        let (deploys, _) = Deploys::open(Arc::new(MemoryDisk::default())).unwrap();
        let told = |hour: i64, place: [&str; 2], version: &str| Deploy {
            service: "shop".to_owned(),
            namespace: place[0].to_owned(),
            version: version.to_owned(),
            at: NOW + Duration::from_hours(hour),
            url: String::new(),
            environment: place[1].to_owned(),
        };
        deploys.add(told(0, ["", ""], "v1"), true).unwrap();
        for (hour, place, version, is_new) in [
            (1, ["eu", ""], "v1", false),
            (2, ["eu", "production"], "v1", false),
            (3, ["eu", "production"], "v2", true),
            (4, ["us", "production"], "v1", false),
            // What is told of one place says nothing of all.
            (5, ["", ""], "v2", true),
            (6, ["us", "production"], "v1", true),
            (7, ["eu", "production"], "v2", false),
        ] {
            let kept = deploys.begin(told(hour, place, version)).unwrap();
            assert_eq!(kept.is_some(), is_new, "{hour}: {place:?} {version}");
        }
    }

    #[test]
    fn deploys_are_kept_in_order_told_once_and_bounded() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let (deploys, _) = Deploys::open(Arc::clone(&disk)).unwrap();
        let deploy = |idx: usize| Deploy {
            service: "shop".to_owned(),
            namespace: String::new(),
            version: format!("v{idx}"),
            at: NOW + Duration(idx as i64),
            url: String::new(),
            environment: String::new(),
        };
        assert!(deploys.add(deploy(1), true).unwrap().1);
        assert!(deploys.add(deploy(0), true).unwrap().1);
        assert!(!deploys.add(deploy(1), true).unwrap().1);
        let again = Deploys::open(Arc::clone(&disk)).unwrap().0;
        assert_eq!(again.all(), [deploy(0), deploy(1)]);
        for idx in 2..2 * DEPLOYS_MAX + 5 {
            again.add(deploy(idx), true).unwrap();
        }
        let (kept, n_frames) = (again.all(), again.lock().n_frames);
        assert_eq!(
            (kept.len(), kept[0].clone()),
            (DEPLOYS_MAX, deploy(DEPLOYS_MAX + 5))
        );
        assert!(n_frames < DEPLOYS_MAX + 10, "{n_frames}");
        assert_eq!(Deploys::open(disk).unwrap().0.all(), kept);
    }

    #[test]
    fn a_deploy_without_a_time_that_is_told_again_is_the_same_for_an_hour() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let (deploys, _) = Deploys::open(disk).unwrap();
        let told = |after_mins: i64, version: &str, environment: &str, is_dated| {
            let deploy = Deploy {
                service: "shop".to_owned(),
                namespace: String::new(),
                version: version.to_owned(),
                at: NOW + Duration::from_mins(after_mins),
                url: String::new(),
                environment: environment.to_owned(),
            };
            let (kept, is_new) = deploys.add(deploy, is_dated).unwrap();
            ((kept.at - NOW).0 / 60_000, is_new)
        };
        assert_eq!(told(0, "v1", "", false), (0, true));
        assert_eq!(told(5, "v1", "", false), (0, false));
        assert_eq!(told(5, "v1", "test", false), (5, true));
        assert_eq!(told(6, "v1", "", true), (6, true));
        // Back to where it was is a deploy of its own.
        assert_eq!(told(10, "v2", "", false), (10, true));
        assert_eq!(told(11, "v1", "", false), (11, true));
        assert_eq!(told(71, "v1", "", false), (11, false));
        assert_eq!(told(72, "v1", "", false), (72, true));
    }
}
