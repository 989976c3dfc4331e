//! A block of Prometheus's TSDB: a folder with `meta.json`, `index`, `chunks/` and perhaps
//! `tombstones`.
//!
//! *Invariants*: everything is checked against its checksum before it is believed. What is damaged
//! is named and left out; the rest is read.
//!
//! *Sources*: Prometheus, `tsdb/docs/format`.

mod bits;
mod chunk;
mod crc32c;
mod index;

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_disk::Disk;
use firebell_model::{HistogramSample, Labels, Sample, Timestamp};

use self::index::{ChunkEntry, Entry, Index, Reader, checked_tail};

/// A block that can be read.
pub struct Block {
    disk: Arc<dyn Disk>,
    meta: Meta,
    index: Index,
    /// Where the next series is in the index.
    at: u64,
    /// Names of the chunk files by their numbers.
    files: BTreeMap<u64, String>,
    tombstones: BTreeMap<u64, Vec<(i64, i64)>>,
    window: Window,
}

/// What `meta.json` says.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
pub struct Meta {
    /// The block's name.
    pub ulid: String,
    /// The earliest time that the block may have.
    #[serde(rename = "minTime")]
    pub min_time: i64,
    /// The first time that it has not any more.
    #[serde(rename = "maxTime")]
    pub max_time: i64,
    /// Always 1.
    pub version: u32,
    /// How much is in it.
    #[serde(default)]
    pub stats: MetaStats,
}

/// How much a block holds, as its writer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetaStats {
    /// Floats and histograms.
    #[serde(default)]
    pub num_samples: u64,
    /// Series.
    #[serde(default)]
    pub num_series: u64,
}

/// A series of a block, with all that it holds in order of time.
#[derive(Default, Debug)]
pub struct BlockSeries {
    /// Its labels.
    pub labels: Labels,
    /// Its floats.
    pub samples: Vec<Sample>,
    /// Its native histograms.
    pub histograms: Vec<HistogramSample>,
    /// What of it could not be read, and where.
    pub problems: Vec<String>,
}

/// A block that cannot be read at all.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{file}`: {why}")]
pub struct BlockError {
    /// The file in the block's folder.
    pub file: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl Block {
    /// Opens the block in the root folder of `disk`.
    ///
    /// # Errors
    /// When the folder is no block, or what names its series is damaged.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Self, BlockError> {
        let read = |file| {
            let error = |why: String| BlockError { file, why };
            disk.read(file).map_err(|failed| error(failed.why))
        };
        let meta = read("meta.json")?;
        let wrong = |file| move |why| BlockError { file, why };
        let meta: Meta =
            serde_json::from_slice(&meta).map_err(|error| wrong("meta.json")(error.to_string()))?;
        if meta.version != 1 {
            let why = format!("block version {} is not known", meta.version);
            return Err(wrong("meta.json")(why));
        }
        let index = Index::open(read("index")?).map_err(wrong("index"))?;
        let files = disk
            .list("chunks")
            .map_err(|error| wrong("chunks")(error.why))?;
        let tombstones = match disk.read("tombstones") {
            Ok(bytes) => tombstones(&bytes).ok_or_else(|| {
                let why = "it is damaged: what was deleted would come back".to_owned();
                wrong("tombstones")(why)
            })?,
            Err(failed) if failed.is_not_found => BTreeMap::new(),
            Err(failed) => return Err(wrong("tombstones")(failed.why)),
        };
        let numbered = |name: String| Some((name.parse().ok()?, name));
        Ok(Self {
            at: index.span().0,
            disk,
            meta,
            index,
            files: files.into_iter().filter_map(numbered).collect(),
            tombstones,
            window: Window::default(),
        })
    }

    /// What `meta.json` says.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// How far reading has come, and where the end is; only the ratio means something.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let (start, end) = self.index.span();
        (self.at.saturating_sub(start), end - start)
    }

    /// Tells indexes apart: a place in one is none in another.
    pub(crate) fn index_hash(&self) -> u64 {
        self.index.hash()
    }

    /// Goes on behind a place that [`Block::progress`] named.
    pub fn skip_to(&mut self, done: u64) {
        self.at = self.index.span().0.saturating_add(done);
    }

    /// Reads the next series in place of the last one. False at the end.
    pub fn next_series(&mut self, out: &mut BlockSeries) -> bool {
        out.labels = Labels::empty();
        out.samples.clear();
        out.histograms.clear();
        out.problems.clear();
        let Some((next, entry)) = self.index.next(self.at) else {
            return false;
        };
        self.at = next;
        match entry {
            Ok(entry) => self.read_series(&entry, out),
            Err(problem) => out.problems.push(format!("`index`: {problem}")),
        }
        true
    }

    fn read_series(&mut self, entry: &Entry, out: &mut BlockSeries) {
        out.labels = entry.labels.clone();
        for &place in &entry.chunks {
            let (n_samples, n_histograms) = (out.samples.len(), out.histograms.len());
            if let Err(problem) = self.read_chunk(place, out) {
                out.samples.truncate(n_samples);
                out.histograms.truncate(n_histograms);
                // A file that is missing is named once for a series.
                if out.problems.last() != Some(&problem) {
                    out.problems.push(problem);
                }
            }
        }
        if let Some(deleted) = self.tombstones.get(&entry.reference) {
            let is_left = |at: Timestamp| {
                !deleted
                    .iter()
                    .any(|&(from, until)| (from..=until).contains(&at.0))
            };
            out.samples.retain(|sample| is_left(sample.at));
            out.histograms.retain(|sample| is_left(sample.at));
        }
        // Chunks of a block that was made of overlapping ones may still do so.
        sort_by_time(&mut out.samples, |sample| sample.at);
        sort_by_time(&mut out.histograms, |sample| sample.at);
    }

    fn read_chunk(&mut self, place: ChunkEntry, out: &mut BlockSeries) -> Result<(), String> {
        let ChunkEntry {
            file,
            offset,
            times: (from, until),
        } = place;
        let Some(file) = self.files.get(&file) else {
            let labels = &out.labels;
            return Err(format!(
                "`chunks/{file:06}` is not there: what it has of {labels} is left out"
            ));
        };
        let path = format!("chunks/{file}");
        let damaged = |what: &str| format!("`{path}`: the chunk at byte {offset} is {what}");
        let bytes = self.window.chunk(&*self.disk, &path, u64::from(offset))?;
        let (&encoding, bytes) = bytes
            .and_then(|it| checked_tail(it)?.split_first())
            .ok_or_else(|| damaged("damaged"))?;
        if !chunk::is_known(encoding) {
            return Err(damaged(&format!(
                "of encoding {encoding}, which is not known"
            )));
        }
        let (n_samples, n_histograms) = (out.samples.len(), out.histograms.len());
        chunk::decode(encoding, bytes, &mut out.samples, &mut out.histograms)
            .ok_or_else(|| damaged("damaged although its checksum is right"))?;
        // It may be another series' chunk. Blocks of old versions of Prometheus name longer times
        // than are left after a delete, so that only what lies outside of them is wrong.
        let samples = out.samples[n_samples..].iter().map(|it| it.at);
        let histograms = out.histograms[n_histograms..].iter().map(|it| it.at);
        let is_within = |at: Timestamp| (from..=until).contains(&at.0);
        match samples.chain(histograms).all(is_within) {
            true => Ok(()),
            false => Err(damaged("of other times than the index says")),
        }
    }
}

fn sort_by_time<T>(samples: &mut Vec<T>, at: impl Fn(&T) -> Timestamp) {
    if !samples.is_sorted_by(|a, b| at(a) < at(b)) {
        samples.sort_by_key(&at);
        samples.dedup_by_key(|sample| at(sample));
    }
}

fn tombstones(bytes: &[u8]) -> Option<BTreeMap<u64, Vec<(i64, i64)>>> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    // The version is not under the checksum.
    let (version, rest) = rest.split_first()?;
    let body = checked_tail(rest)?;
    if *magic != TOMBSTONES_MAGIC || *version != 1 {
        return None;
    }
    let mut reader = Reader(body);
    let mut all: BTreeMap<u64, Vec<(i64, i64)>> = BTreeMap::new();
    while !reader.0.is_empty() {
        let series = reader.uvarint()?;
        let interval = (reader.varint()?, reader.varint()?);
        all.entry(series).or_default().push(interval);
    }
    Some(all)
}

/// A part of a chunk file in memory: series come in the order in which their chunks were written.
#[derive(Default)]
struct Window {
    path: String,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Encoding, data and checksum of a chunk; `None` when the file ends before it does.
    fn chunk(&mut self, disk: &dyn Disk, path: &str, offset: u64) -> Result<Option<&[u8]>, String> {
        let Some(len) = self.chunk_len(disk, path, offset)? else {
            return Ok(None);
        };
        let (head_len, len) = len;
        if !self.has(path, offset, head_len + len) {
            self.load(disk, path, offset, (head_len + len).max(WINDOW_BYTES))?;
        }
        let from = (offset - self.start) as usize + head_len;
        Ok(self.bytes.get(from..from + len))
    }

    /// The bytes of the chunk's length, and behind them.
    fn chunk_len(
        &mut self,
        disk: &dyn Disk,
        path: &str,
        offset: u64,
    ) -> Result<Option<(usize, usize)>, String> {
        if !self.has(path, offset, VARINT_BYTES_MAX) {
            self.load(disk, path, offset, WINDOW_BYTES)?;
        }
        let from = (offset - self.start) as usize;
        let rest = self.bytes.get(from..).unwrap_or(&[]);
        let mut reader = Reader(rest);
        let len = reader.uvarint();
        let head_len = rest.len() - reader.0.len();
        // The length does not count the encoding and the checksum.
        Ok(len
            .and_then(|len| usize::try_from(len).ok())
            .filter(|&len| len <= CHUNK_BYTES_MAX)
            .map(|len| (head_len, len + 5)))
    }

    fn has(&self, path: &str, offset: u64, len: usize) -> bool {
        let end = self.start + self.bytes.len() as u64;
        self.path == path && self.start <= offset && offset + len as u64 <= end
    }

    fn load(&mut self, disk: &dyn Disk, path: &str, offset: u64, len: usize) -> Result<(), String> {
        self.bytes = disk
            .read_at(path, offset, len)
            .map_err(|error| format!("`{path}`: {}", error.why))?;
        path.clone_into(&mut self.path);
        self.start = offset;
        Ok(())
    }
}

const TOMBSTONES_MAGIC: [u8; 4] = [0x01, 0x30, 0xba, 0x30];
/// So much of a chunk file is read at once.
const WINDOW_BYTES: usize = 4 << 20;
/// A longer chunk is damage: Prometheus's hold some hundred samples.
const CHUNK_BYTES_MAX: usize = 64 << 20;
const VARINT_BYTES_MAX: usize = 10;
