//! What all processes of a service came to, for those who scrape any one of them: each is read from
//! its ring, and those that are no more are folded into one file beside the rings.
//!
//! *Invariants*: a process counts once: in its ring, or in the file, which names those that it has
//! as long as their rings are there. Whoever reads or writes the file holds its lock; it is replaced
//! as a whole. So totals never go down, whoever dies when.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use crate::cells::{Exemplar, Kind, Total, totals_of};
use crate::files::{self, Locked};
use crate::ring::{Field, Ring};
use crate::settings::attributes_of;

/// Totals by the definitions of their series.
pub(crate) type Totals = BTreeMap<(Kind, Vec<u8>), Sum>;

/// One series over processes.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) total: Total,
    /// The newest.
    pub(crate) exemplar: Option<Exemplar>,
}

/// What one process counted.
#[derive(Debug)]
struct Counted {
    instance_id: String,
    service: String,
    pid: u64,
    keeps_totals: bool,
    series: Totals,
}

/// What is in the file.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Folded {
    /// Processes that are counted in, and whose rings may still be there.
    pub(crate) instances: BTreeSet<String>,
    pub(crate) series: Totals,
}

/// One process of a service, or all that are no more.
#[derive(Debug)]
pub(crate) struct Part {
    /// `None`: several.
    pub(crate) pid: Option<u64>,
    pub(crate) series: Totals,
}

/// What all processes of the service but one came to, from the files of a folder: the dead
/// together, then one by one those that live.
pub(crate) fn others(folder: &Path, service: &str, but: &str) -> io::Result<Vec<Part>> {
    let _guard = lock(folder, service)?;
    let mut folded = Folded::load(&path_of(folder, service));
    let mut living = Vec::new();
    for (path, name) in files::rings(folder) {
        if name == but || folded.instances.contains(&name) {
            continue;
        }
        let counted = File::open(&path).ok().and_then(|it| Counted::read(&it));
        let Some(counted) = counted.filter(|it| it.service == service && it.keeps_totals) else {
            continue;
        };
        if files::is_dead(&path) {
            folded.add(counted);
        } else {
            living.push(Part {
                pid: Some(counted.pid),
                series: counted.series,
            });
        }
    }
    living.insert(
        0,
        Part {
            pid: None,
            series: folded.series,
        },
    );
    Ok(living)
}

/// Counts dead processes in, those whose totals somebody wants. Their rings may go afterwards.
pub(crate) fn fold(folder: &Path, dead: &[Locked]) -> io::Result<()> {
    let mut by_service: BTreeMap<String, Vec<Counted>> = BTreeMap::new();
    for ring in dead {
        if let Some(counted) = Counted::read(&ring.file).filter(|it| it.keeps_totals) {
            by_service
                .entry(counted.service.clone())
                .or_default()
                .push(counted);
        }
    }
    for (service, all) in by_service {
        let _guard = lock(folder, &service)?;
        let path = path_of(folder, &service);
        let before = Folded::load(&path);
        let mut folded = before.clone();
        all.into_iter().for_each(|it| folded.add(it));
        if folded == before {
            continue;
        }
        let names: BTreeSet<String> = files::rings(folder).into_iter().map(|it| it.1).collect();
        folded.instances.retain(|it| names.contains(it));
        folded.save(&path)?;
    }
    Ok(())
}

impl Counted {
    /// Reads no more of a ring than who it was and what it counted.
    fn read(file: &File) -> Option<Self> {
        let words = read_words(file, 0, Ring::HEAD_WORDS)?;
        let ring = Ring::of_head(&words)?;
        let identity = ring.identity();
        let attributes = attributes_of(&identity);
        let of = |wanted: &str| {
            let found = attributes.iter().find(|(key, _)| *key == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        let (instance_id, service) = (of("service.instance.id")?, of("service.name")?);
        let used = usize::try_from(ring.field(Field::ArenaUsed)).ok()?;
        let (pid, keeps_totals) = (ring.field(Field::Pid), ring.field(Field::KeepsTotals) == 1);
        let arena = read_words(file, Ring::HEAD_WORDS, used.min(Ring::ARENA_WORDS))?;
        Some(Self {
            instance_id,
            service,
            pid,
            keeps_totals,
            series: totals_of(&arena),
        })
    }
}

impl Folded {
    fn add(&mut self, counted: Counted) {
        if !self.instances.insert(counted.instance_id) {
            return;
        }
        for ((kind, definition), mut sum) in counted.series {
            // What a dead process held nobody holds any more.
            if kind != Kind::Gauge {
                sum.exemplar = None;
                add(&mut self.series, (kind, definition), sum);
            }
        }
    }

    /// What cannot be read is as if it were not there.
    fn load(path: &Path) -> Self {
        let mut bytes = Vec::new();
        let read =
            File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
        match read {
            Ok(_) => Self::decode(&bytes).unwrap_or_default(),
            Err(_) => Self::default(),
        }
    }

    fn save(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&new)?;
        file.write_all(&self.encode())?;
        fs::rename(&new, path)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |number: u64| out.extend_from_slice(&number.to_le_bytes());
        put(MAGIC);
        put(self.instances.len() as u64);
        put(self.series.len() as u64);
        let put_bytes = |out: &mut Vec<u8>, bytes: &[u8]| {
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        for instance in &self.instances {
            put_bytes(&mut out, instance.as_bytes());
        }
        for ((kind, definition), Sum { total, .. }) in &self.series {
            let numbers = [
                kind.number(),
                total.value.to_bits(),
                total.n_zeros,
                total.buckets.len() as u64,
            ];
            let buckets = total.buckets.iter();
            let numbers = numbers
                .into_iter()
                .chain(buckets.flat_map(|(bucket, count)| [*bucket as u64, *count]));
            numbers.for_each(|it| out.extend_from_slice(&it.to_le_bytes()));
            put_bytes(&mut out, definition);
        }
        let crc = u64::from(crc32fast::hash(&out));
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<8>()?;
        (u64::from(crc32fast::hash(body)) == u64::from_le_bytes(*crc)).then_some(())?;
        let mut rest = body;
        (number(&mut rest)? == MAGIC).then_some(())?;
        let (n_instances, n_series) = (number(&mut rest)?, number(&mut rest)?);
        let mut folded = Self::default();
        for _ in 0..n_instances {
            let name = String::from_utf8(sized(&mut rest)?.to_vec()).ok()?;
            folded.instances.insert(name);
        }
        for _ in 0..n_series {
            let kind = Kind::of_number(number(&mut rest)?)?;
            let mut total = Total {
                value: f64::from_bits(number(&mut rest)?),
                n_zeros: number(&mut rest)?,
                ..Total::default()
            };
            for _ in 0..number(&mut rest)? {
                let bucket = usize::try_from(number(&mut rest)?).ok()?;
                total.buckets.insert(bucket, number(&mut rest)?);
            }
            let definition = sized(&mut rest)?.to_vec();
            let exemplar = None;
            folded
                .series
                .insert((kind, definition), Sum { total, exemplar });
        }
        Some(folded)
    }
}

/// Adds a series to others of its definition.
pub(crate) fn add(totals: &mut Totals, key: (Kind, Vec<u8>), sum: Sum) {
    if totals.len() >= SERIES_MAX && !totals.contains_key(&key) {
        return;
    }
    let known = totals.entry(key).or_default();
    known.total.value += sum.total.value;
    known.total.n_zeros = known.total.n_zeros.saturating_add(sum.total.n_zeros);
    for (bucket, count) in sum.total.buckets {
        let place = known.total.buckets.entry(bucket).or_default();
        *place = place.saturating_add(count);
    }
    let age = |it: &Option<Exemplar>| it.as_ref().map(|it| it.nanos);
    if age(&sum.exemplar) > age(&known.exemplar) {
        known.exemplar = sum.exemplar;
    }
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let (first, after) = rest.split_first_chunk::<8>()?;
    *rest = after;
    Some(u64::from_le_bytes(*first))
}

fn sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(number(rest)?).ok()?;
    let (bytes, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(bytes)
}

/// Leaves the place where the file is read on alone: it is somebody else's.
fn read_words(file: &File, at: usize, n_words: usize) -> Option<Vec<AtomicU64>> {
    let mut bytes = vec![0; n_words * 8];
    file.read_exact_at(&mut bytes, at as u64 * 8).ok()?;
    let (chunks, _) = bytes.as_chunks::<8>();
    let words = chunks.iter().map(|it| u64::from_ne_bytes(*it));
    Some(words.map(AtomicU64::new).collect())
}

/// Names of services may be anything; names of files may not.
fn path_of(folder: &Path, service: &str) -> PathBuf {
    let hash = crc32fast::hash(service.as_bytes());
    let plain: String = service
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(NAME_CHARS_MAX)
        .collect();
    folder.join(format!("{plain}-{hash:08x}.sums"))
}

fn lock(folder: &Path, service: &str) -> io::Result<Locked> {
    Locked::wait_for(path_of(folder, service).with_extension("sums-lock"))
}

const MAGIC: u64 = u64::from_le_bytes(*b"FBELSUM1");
const NAME_CHARS_MAX: usize = 40;
const SERIES_MAX: usize = 20_000;
const FILE_BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn folded() -> Folded {
        let total = Total {
            value: 7.5,
            n_zeros: 1,
            buckets: BTreeMap::from([(511, 2), (600, 3)]),
        };
        let sum = Sum {
            total,
            exemplar: None,
        };
        Folded {
            instances: BTreeSet::from(["a".to_owned(), "bb".to_owned()]),
            series: BTreeMap::from([((Kind::Histogram, vec![1, 2, 3]), sum)]),
        }
    }

    #[test]
    fn the_file_comes_out_as_it_went_in_and_damage_is_seen() {
        let bytes = folded().encode();
        assert_eq!(Folded::decode(&bytes), Some(folded()));
        for len in 0..bytes.len() {
            assert_eq!(Folded::decode(bytes.get(..len).unwrap()), None, "{len}");
        }
        let mut damaged = bytes;
        damaged[30] ^= 1;
        assert_eq!(Folded::decode(&damaged), None);
    }

    #[test]
    fn a_process_counts_once_and_its_gauges_go_with_it() {
        let counted = || {
            let gauge = ((Kind::Gauge, vec![9]), Sum::default());
            let mut series = folded().series;
            series.extend([gauge]);
            Counted {
                instance_id: "c".into(),
                service: "shop".into(),
                pid: 1,
                keeps_totals: true,
                series,
            }
        };
        let mut sums = folded();
        sums.add(counted());
        sums.add(counted());
        let totals: Vec<_> = sums.series.values().map(|it| it.total.clone()).collect();
        let expected = Total {
            value: 15.0,
            n_zeros: 2,
            buckets: BTreeMap::from([(511, 4), (600, 6)]),
        };
        assert_eq!(totals, [expected]);
    }
}
