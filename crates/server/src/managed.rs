//! Rules, and what belongs to on-call, that people change over HTTP: what there is, and who changed
//! what when.
//!
//! A log (`firebell-disk`) of JSON frames, version 2, in the folder `rules` or `oncall`: each a
//! [`Change`], or all that is known, as [`Known`], which what comes before it is not needed for.
//! Version 1 had changes only. Rules are texts of groups by namespace; of on-call, namespaces are
//! the kinds of objects ([`SCHEDULES`], [`TEMPORARY`], [`SHIFTS`], [`OVERRIDES`], [`SWAPS`]), and texts
//! one object in JSON each.
//!
//! *Invariants*: a change is durable before it is in force. A change can be taken back as long as
//! what it made is still as it made it; taking back is a change as well.
//!
//! *Limits*: of changes the newest are kept ([`CHANGES_MAX`], [`CHANGES_BYTES_MAX`]); what is older
//! cannot be taken back any more. The log is written anew when it has grown to
//! [`LOG_FRAMES_MAX`] or [`LOG_BYTES_MAX`].

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firebell_config::{Files, ManagedOncall, OsFiles, rule_file_text};
use firebell_disk::{Disk, Log, LogError, LogOptions};
use firebell_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What became of the groups of one namespace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    /// Counts from 1.
    pub id: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it, as far as is known.
    pub who: String,
    /// Where the groups stand: the name of their file, as the API of rules shows it.
    pub namespace: String,
    /// The change that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<u64>,
    /// In the order in which they were made.
    pub groups: Vec<GroupChange>,
}

/// What became of one group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct GroupChange {
    /// Its name.
    pub name: String,
    /// Its text before; `None` when there was none.
    pub before: Option<String>,
    /// Its text after; `None` when it is gone.
    pub after: Option<String>,
}

/// A change that cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    /// There is no such group.
    #[error("group does not exist")]
    NoGroup,
    /// There is no such namespace.
    #[error("group namespace does not exist")]
    NoNamespace,
    /// There is no such change.
    #[error("there is no change {0}")]
    NoChange(u64),
    /// There was one.
    #[error("change {id} is forgotten: those from {oldest} on are kept")]
    Forgotten {
        /// What was to be taken back.
        id: u64,
        /// The oldest that can be.
        oldest: u64,
    },
    /// It would undo what came later.
    #[error(
        "change {id} cannot be taken back: group `{group}` of `{namespace}` was changed again since"
    )]
    ChangedSince {
        /// What was to be taken back.
        id: u64,
        /// Where.
        namespace: String,
        /// The group.
        group: String,
    },
    /// It is so already.
    #[error("nothing would change")]
    Nothing,
    /// More than there is room for.
    #[error(
        "no more than {GROUPS_MAX} groups of rules, of {} MiB together, are taken", GROUPS_BYTES_MAX >> 20
    )]
    TooMany,
    /// More shifts of calendars than there is room for.
    #[error(
        "no more than {SHIFTS_MAX} shifts of calendars are kept, of all schedules together: \
         read less of a calendar, or remove shifts"
    )]
    TooManyShifts,
}

/// See the module's documentation.
pub(crate) struct Managed(Mutex<Inner>);

struct Inner {
    log: Log,
    known: Known,
    /// Bytes of texts in `known.changes`.
    changes_bytes: usize,
    /// What the log holds since it was written anew.
    log_frames: usize,
    log_bytes: usize,
}

/// All that is known.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    /// What there is, all changes made.
    namespaces: Namespaces,
    /// The latest, oldest first.
    changes: VecDeque<Change>,
}

/// What stands in the log.
#[derive(Deserialize)]
#[serde(untagged)]
enum Frame {
    Change(Change),
    Known(Known),
}

/// Texts of groups by namespace and name.
pub(crate) type Namespaces = BTreeMap<String, BTreeMap<String, String>>;

/// What is to become of groups: a new text, or none.
pub(crate) type Edits = Vec<(String, Option<String>)>;

impl Managed {
    /// Reads what there is; says what could not be read.
    ///
    /// # Errors
    /// When the disk fails, or another version wrote the folder.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        options: LogOptions,
    ) -> Result<(Self, Vec<String>), LogError> {
        let (log, frames) = Log::open(disk, options)?;
        let mut damage = frames.damage;
        let mut inner = Inner {
            log,
            known: Known::default(),
            changes_bytes: 0,
            log_frames: 0,
            log_bytes: 0,
        };
        for (_, payload) in frames.frames {
            match serde_json::from_slice(&payload) {
                Ok(Frame::Change(change)) => {
                    inner.note(change);
                    inner.log_frames += 1;
                    inner.log_bytes += payload.len();
                }
                Ok(Frame::Known(known)) => {
                    inner.changes_bytes = known.changes.iter().map(text_bytes).sum();
                    inner.known = known;
                    (inner.log_frames, inner.log_bytes) = (0, 0);
                }
                Err(error) => damage.push(format!("a change cannot be read: {error}")),
            }
        }
        Ok((Self(Mutex::new(inner)), damage))
    }

    /// All namespaces.
    pub(crate) fn namespaces(&self) -> Namespaces {
        self.lock().known.namespaces.clone()
    }

    /// The number of the next change.
    pub(crate) fn next_id(&self) -> u64 {
        self.lock().next_id()
    }

    /// The changes that are kept, newest first.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let inner = self.lock();
        inner.known.changes.iter().rev().cloned().collect()
    }

    /// What setting or removing groups would be, and lead to.
    ///
    /// # Errors
    /// When there is nothing to remove, or too much.
    pub(crate) fn plan(
        &self,
        at: Timestamp,
        who: &str,
        namespace: &str,
        edits: Edits,
    ) -> Result<(Change, Namespaces), ChangeError> {
        let inner = self.lock();
        let known = inner.known.namespaces.get(namespace);
        let mut groups = Vec::new();
        for (name, after) in edits {
            let before = known.and_then(|groups| groups.get(&name)).cloned();
            if before.is_none() && after.is_none() {
                return Err(ChangeError::NoGroup);
            }
            groups.push(GroupChange {
                name,
                before,
                after,
            });
        }
        inner.planned(Change {
            id: inner.next_id(),
            at,
            who: who.to_owned(),
            namespace: namespace.to_owned(),
            reverts: None,
            groups,
        })
    }

    /// What removing a whole namespace would be, and lead to.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn plan_removal(
        &self,
        at: Timestamp,
        who: &str,
        namespace: &str,
    ) -> Result<(Change, Namespaces), ChangeError> {
        let names: Vec<String> = match self.lock().known.namespaces.get(namespace) {
            Some(groups) => groups.keys().cloned().collect(),
            None => return Err(ChangeError::NoNamespace),
        };
        let edits = names.into_iter().map(|name| (name, None)).collect();
        self.plan(at, who, namespace, edits)
    }

    /// What taking a change back would be, and lead to.
    ///
    /// # Errors
    /// When there is no such change, or something came after it.
    pub(crate) fn plan_revert(
        &self,
        at: Timestamp,
        who: &str,
        id: u64,
    ) -> Result<(Change, Namespaces), ChangeError> {
        let inner = self.lock();
        let change = inner.change(id)?;
        let known = inner.known.namespaces.get(&change.namespace);
        let now_is = |name: &String| known.and_then(|groups| groups.get(name));
        let mut groups = Vec::new();
        for group in change.groups.iter().rev() {
            if now_is(&group.name) != group.after.as_ref() {
                return Err(ChangeError::ChangedSince {
                    id,
                    namespace: change.namespace.clone(),
                    group: group.name.clone(),
                });
            }
            groups.push(GroupChange {
                name: group.name.clone(),
                before: group.after.clone(),
                after: group.before.clone(),
            });
        }
        inner.planned(Change {
            id: inner.next_id(),
            at,
            who: who.to_owned(),
            namespace: change.namespace.clone(),
            reverts: Some(id),
            groups,
        })
    }

    /// Makes a planned change durable and notes it.
    ///
    /// # Errors
    /// When the disk fails; nothing has changed then.
    pub(crate) fn commit(&self, change: Change) -> Result<(), LogError> {
        let mut inner = self.lock();
        // Strings and numbers only: nothing that JSON could not hold.
        let frame = serde_json::to_vec(&change).unwrap_or_default();
        inner.log.append(&frame)?;
        inner.log.sync()?;
        inner.note(change);
        inner.log_frames += 1;
        inner.log_bytes += frame.len();
        let is_long = inner.log_frames >= LOG_FRAMES_MAX || inner.log_bytes >= LOG_BYTES_MAX;
        // The change is safe all the same; the next one tries again.
        if is_long && let Err(why) = inner.write_anew() {
            tracing::warn!(%why, "a log of changes could not be shortened");
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn next_id(&self) -> u64 {
        self.known.changes.back().map_or(1, |change| change.id + 1)
    }

    fn change(&self, id: u64) -> Result<&Change, ChangeError> {
        let changes = &self.known.changes;
        let oldest = changes.front().map_or(1, |change| change.id);
        if (1..oldest).contains(&id) {
            return Err(ChangeError::Forgotten { id, oldest });
        }
        let found = changes.iter().find(|change| change.id == id);
        found.ok_or(ChangeError::NoChange(id))
    }

    fn planned(&self, change: Change) -> Result<(Change, Namespaces), ChangeError> {
        let mut namespaces = self.known.namespaces.clone();
        apply(&change, &mut namespaces);
        let (n_groups, n_bytes) = size(&namespaces);
        let (n_groups_now, n_bytes_now) = size(&self.known.namespaces);
        // What an earlier version took may be more than that: it may shrink all the same.
        if n_groups > GROUPS_MAX.max(n_groups_now) || n_bytes > GROUPS_BYTES_MAX.max(n_bytes_now) {
            return Err(ChangeError::TooMany);
        }
        Ok((change, namespaces))
    }

    /// Notes a change, and forgets those that there is no room for.
    fn note(&mut self, change: Change) {
        apply(&change, &mut self.known.namespaces);
        self.changes_bytes += text_bytes(&change);
        let changes = &mut self.known.changes;
        changes.push_back(change);
        while changes.len() > 1
            && (changes.len() > CHANGES_MAX || self.changes_bytes > CHANGES_BYTES_MAX)
            && let Some(oldest) = changes.pop_front()
        {
            self.changes_bytes -= text_bytes(&oldest);
            tracing::debug!(change = oldest.id, "a change is forgotten");
        }
    }

    /// Writes what is known into a segment of its own; those before it go.
    fn write_anew(&mut self) -> Result<(), LogError> {
        let frame = serde_json::to_vec(&self.known).unwrap_or_default();
        let segment = self.log.start_segment()?;
        self.log.append(&frame)?;
        self.log.sync()?;
        self.log.remove_before(segment)?;
        (self.log_frames, self.log_bytes) = (0, 0);
        Ok(())
    }
}

/// How many groups there are, and the bytes of their names and texts.
fn size(namespaces: &Namespaces) -> (usize, usize) {
    let groups = || namespaces.values().flatten();
    let bytes = |(name, text): (&String, &String)| name.len() + text.len();
    (groups().count(), groups().map(bytes).sum())
}

fn text_bytes(change: &Change) -> usize {
    let of_group = |group: &GroupChange| {
        let texts = [&group.before, &group.after].into_iter().flatten();
        group.name.len() + texts.map(String::len).sum::<usize>()
    };
    change.groups.iter().map(of_group).sum()
}

fn apply(change: &Change, namespaces: &mut Namespaces) {
    let groups = namespaces.entry(change.namespace.clone()).or_default();
    for group in &change.groups {
        match &group.after {
            Some(text) => drop(groups.insert(group.name.clone(), text.clone())),
            None => drop(groups.remove(&group.name)),
        }
    }
    if groups.is_empty() {
        namespaces.remove(&change.namespace);
    }
}

/// All that people manage over HTTP.
#[derive(Clone, Default)]
pub(crate) struct Texts {
    /// Groups of rules.
    pub rules: Namespaces,
    /// What belongs to on-call.
    pub oncall: Namespaces,
    /// What of on-call is to be put in force now, by kind and name.
    pub new: Vec<(String, String)>,
}

/// The disk, with what people manage over HTTP beside its files.
impl Files for Texts {
    fn read(&self, path: &Path) -> io::Result<String> {
        OsFiles.read(path)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        OsFiles.glob(pattern)
    }

    fn managed_rules(&self) -> Vec<(String, String)> {
        let texts = |groups: &BTreeMap<_, String>| rule_file_text(groups.values().map(|it| &**it));
        let namespaces = self.rules.iter();
        namespaces
            .map(|(name, groups)| (name.clone(), texts(groups)))
            .collect()
    }

    fn managed_oncall(&self) -> Vec<ManagedOncall> {
        // Schedules before what is put over them, and that in the order in which it was made.
        let kinds = [SCHEDULES, TEMPORARY, SHIFTS, OVERRIDES, SWAPS].into_iter();
        let objects = kinds.flat_map(|kind| {
            let of_kind = self.oncall.get(kind).into_iter().flatten();
            of_kind.map(move |(name, text)| (kind, name, text))
        });
        let files = objects.map(|(kind, name, text)| ManagedOncall {
            name: format!("{kind}/{name}"),
            text: match kind {
                // JSON is YAML.
                SCHEDULES => format!("{{\"{kind}\": {{{}: {text}}}}}", json!(name)),
                _ => format!("{{\"{kind}\": [{text}]}}"),
            },
            is_new: self.new.iter().any(|it| it.0 == kind && it.1 == *name),
        });
        files.collect()
    }
}

/// Schedules by name.
pub(crate) const SCHEDULES: &str = "schedules";
/// Temporary schedules by number.
pub(crate) const TEMPORARY: &str = "temporary";
/// Shifts that were read from calendars, by what they are called in them.
pub(crate) const SHIFTS: &str = "shifts";
/// Overrides by number.
pub(crate) const OVERRIDES: &str = "overrides";
/// Swaps by number.
pub(crate) const SWAPS: &str = "swaps";

/// Where rules are kept.
pub(crate) const RULES: LogOptions = LogOptions {
    folder: "rules",
    magic: *b"FBRULES2",
    magics_read: &[*b"FBRULES1"],
    segment_bytes_max: 64 << 20,
};
/// Where is kept what belongs to on-call.
pub(crate) const ONCALL: LogOptions = LogOptions {
    folder: "oncall",
    magic: *b"FBONCAL1",
    magics_read: &[],
    segment_bytes_max: 64 << 20,
};
/// Groups of all namespaces together.
const GROUPS_MAX: usize = 10_000;
/// Shifts of calendars together: what people set by hand always has room.
pub(crate) const SHIFTS_MAX: usize = 5_000;
/// Texts of all groups. Doubled, as JSON may, all that is known still fits into a frame of the log.
const GROUPS_BYTES_MAX: usize = 16 << 20;
/// Changes that are kept.
const CHANGES_MAX: usize = 1000;
/// Their texts, before and after.
const CHANGES_BYTES_MAX: usize = 8 << 20;
/// Changes in the log before it is written anew.
const LOG_FRAMES_MAX: usize = 4 * CHANGES_MAX;
/// The same in bytes.
const LOG_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use firebell_disk::MemoryDisk;

    use super::*;

    fn set(rules: &Managed, namespace: &str, group: &str, text: Option<&str>) -> String {
        let edits = vec![(group.to_owned(), text.map(str::to_owned))];
        match rules.plan(Timestamp(1), "me", namespace, edits) {
            Ok((change, _)) => {
                rules.commit(change).unwrap();
                told(rules)
            }
            Err(error) => error.to_string(),
        }
    }

    fn told(rules: &Managed) -> String {
        let mut told = String::new();
        for (namespace, groups) in rules.namespaces() {
            told.push_str(&format!("{namespace}: {groups:?} "));
        }
        told
    }

    fn revert(rules: &Managed, id: u64) -> String {
        match rules.plan_revert(Timestamp(2), "you", id) {
            Ok((change, planned)) => {
                rules.commit(change).unwrap();
                assert_eq!(rules.namespaces(), planned);
                told(rules)
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn changes_are_kept_and_can_be_taken_back() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let (rules, _) = Managed::open(Arc::clone(&disk), RULES).unwrap();
        assert_eq!(set(&rules, "a", "g", None), "group does not exist");
        assert_eq!(set(&rules, "a", "g", Some("1")), r#"a: {"g": "1"} "#);
        assert_eq!(set(&rules, "a", "g", Some("2")), r#"a: {"g": "2"} "#);
        assert_eq!(
            set(&rules, "a", "h", Some("3")),
            r#"a: {"g": "2", "h": "3"} "#
        );
        let again = "change 1 cannot be taken back: group `g` of `a` was changed again since";
        assert_eq!(revert(&rules, 1), again);
        assert_eq!(revert(&rules, 2), r#"a: {"g": "1", "h": "3"} "#);
        let (change, _) = rules.plan_removal(Timestamp(3), "me", "a").unwrap();
        rules.commit(change).unwrap();
        assert_eq!(told(&rules), "");
        assert_eq!(revert(&rules, 5), r#"a: {"g": "1", "h": "3"} "#);
        assert_eq!(revert(&rules, 9), "there is no change 9");
        let gone = rules.plan_removal(Timestamp(3), "me", "b").unwrap_err();
        assert_eq!(gone.to_string(), "group namespace does not exist");

        let (again, damage) = Managed::open(disk, RULES).unwrap();
        assert!(damage.is_empty());
        assert_eq!(
            (again.namespaces(), again.changes()),
            (rules.namespaces(), rules.changes())
        );
        let ids = again.changes();
        let ids: Vec<_> = ids.iter().map(|it| (it.id, &*it.who, it.reverts)).collect();
        let you = |id, of| (id, "you", Some(of));
        let me = |id| (id, "me", None);
        assert_eq!(ids, [you(6, 5), me(5), you(4, 2), me(3), me(2), me(1)]);
    }

    #[test]
    fn the_oldest_changes_are_forgotten_and_the_log_is_written_anew() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let (rules, _) = Managed::open(Arc::clone(&disk), RULES).unwrap();
        let n_changes = LOG_FRAMES_MAX + 10;
        for n in 1..=n_changes {
            let group = format!("g{}", n % 7);
            let edits = vec![(group, Some(n.to_string()))];
            let (change, _) = rules.plan(Timestamp(1), "me", "a", edits).unwrap();
            rules.commit(change).unwrap();
        }
        assert_eq!(rules.changes().len(), CHANGES_MAX);
        let oldest = n_changes - CHANGES_MAX + 1;
        assert_eq!(
            revert(&rules, 5),
            format!("change 5 is forgotten: those from {oldest} on are kept")
        );
        assert_eq!(disk.list("rules").unwrap().len(), 1);
        let bytes: usize = disk
            .list("rules")
            .unwrap()
            .iter()
            .map(|name| disk.read(&format!("rules/{name}")).unwrap().len())
            .sum();
        assert!(bytes < CHANGES_MAX * 300, "{bytes}");

        let (again, damage) = Managed::open(disk, RULES).unwrap();
        assert_eq!(damage, [""; 0]);
        assert_eq!(
            (again.namespaces(), again.changes()),
            (rules.namespaces(), rules.changes())
        );
        let last = n_changes as u64;
        assert!(revert(&again, last).contains(&format!("\"{}\"", n_changes - 7)));
    }

    #[test]
    fn what_is_too_much_may_shrink_but_not_grow() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let (rules, _) = Managed::open(disk, RULES).unwrap();
        // As of a version that took more.
        for group in ["g", "h"] {
            let change = Change {
                id: 1,
                at: Timestamp(1),
                who: String::new(),
                namespace: "a".to_owned(),
                reverts: None,
                groups: vec![GroupChange {
                    name: group.to_owned(),
                    before: None,
                    after: Some("x".repeat(GROUPS_BYTES_MAX)),
                }],
            };
            rules.lock().note(change);
        }
        let edit = |text: Option<&str>| {
            let edits = vec![("g".to_owned(), text.map(str::to_owned))];
            rules.plan(Timestamp(1), "me", "a", edits).map(|_| ())
        };
        let longer = "x".repeat(GROUPS_BYTES_MAX + 1);
        assert_eq!(edit(Some(&longer)), Err(ChangeError::TooMany));
        assert_eq!(edit(Some(&longer[2..])), Ok(()));
        assert_eq!(edit(None), Ok(()));
    }

    #[test]
    fn a_log_of_version_1_is_read_and_goes_on_in_version_2() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let options = LogOptions {
            magic: *b"FBRULES1",
            ..RULES
        };
        let (mut log, _) = Log::open(Arc::clone(&disk), options).unwrap();
        let change = r#"{"id":1,"at":5,"who":"me","namespace":"a","groups":[{"name":"g","before":null,"after":"1"}]}"#;
        log.append(change.as_bytes()).unwrap();
        log.append(b"{}x").unwrap();
        log.sync().unwrap();
        let (rules, damage) = Managed::open(Arc::clone(&disk), RULES).unwrap();
        assert_eq!(damage.len(), 1, "{damage:?}");
        assert_eq!(set(&rules, "a", "g", Some("2")), r#"a: {"g": "2"} "#);
        let (again, _) = Managed::open(disk, RULES).unwrap();
        assert_eq!(revert(&again, 2), r#"a: {"g": "1"} "#);
    }
}
