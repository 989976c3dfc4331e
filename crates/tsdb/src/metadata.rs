//! What metrics are: kind, help and unit of each, as the last one who sent it said.
//!
//! `metadata`: magic and CRC-32 (see `bytes`), then metrics up to the end, each with name, kind (a
//! byte), help and unit as texts. Upkeep writes it when something has changed.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use firebell_disk::Disk;
use firebell_model::{Metadata, MetricKind};

use crate::Store;
use crate::bytes::{Put, Reader, checked, with_checksum};
use crate::index::Index;
use crate::options::StoreError;
use crate::store::Shared;

/// What is known of metrics.
#[derive(Default)]
pub(crate) struct Metrics {
    by_name: BTreeMap<Arc<str>, Metadata>,
    /// What all of it takes.
    bytes: usize,
    /// Changes are not in the file.
    is_dirty: bool,
    /// Something found no room: metrics without series have to go.
    is_full: bool,
}

impl Metrics {
    /// Reads the file. What is damaged is forgotten: it will be said again.
    pub(crate) fn open(disk: &dyn Disk, damage: &mut Vec<String>) -> Result<Self, StoreError> {
        let content = match disk.read(PATH) {
            Ok(content) => content,
            Err(error) if error.is_not_found => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let by_name = checked(MAGIC, &content).and_then(read);
        if by_name.is_none() {
            damage.push(format!("`{PATH}` is damaged: help and units are forgotten"));
        }
        let mut metrics = Self::default();
        for (name, metadata) in by_name.unwrap_or_default() {
            metrics.set(&name, &metadata);
        }
        metrics.is_dirty = false;
        Ok(metrics)
    }

    fn set(&mut self, metric: &Arc<str>, metadata: &Metadata) {
        let known = self.by_name.get(metric);
        if known == Some(metadata) || metric.len() > NAME_BYTES_MAX {
            return;
        }
        let metadata = Metadata {
            kind: metadata.kind,
            help: Metadata::kept(&metadata.help).into(),
            unit: Metadata::kept(&metadata.unit).into(),
        };
        if known == Some(&metadata) {
            return;
        }
        let before = known.map_or(0, |known| bytes_of(metric, known));
        let bytes = self.bytes - before + bytes_of(metric, &metadata);
        let is_full = known.is_none() && self.by_name.len() >= METRICS_MAX;
        if is_full || bytes > BYTES_MAX {
            self.is_full = true;
            return;
        }
        self.by_name.insert(Arc::clone(metric), metadata);
        self.bytes = bytes;
        self.is_dirty = true;
    }

    /// Forgets metrics that have no series.
    fn make_room(&mut self, index: &Index) {
        self.is_full = false;
        let used = families(index);
        let n_before = self.by_name.len();
        self.by_name.retain(|name, _| used.contains(&**name));
        let all = self.by_name.iter();
        self.bytes = all.map(|(name, it)| bytes_of(name, it)).sum();
        self.is_dirty |= self.by_name.len() < n_before;
    }

    fn content(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, Metadata { kind, help, unit }) in &self.by_name {
            body.put_bytes(name.as_bytes());
            let place = KINDS.iter().position(|it| it == kind);
            body.push(place.unwrap_or(0) as u8);
            body.put_bytes(help.as_bytes());
            body.put_bytes(unit.as_bytes());
        }
        with_checksum(MAGIC, &body)
    }
}

/// Names of all series, also without what tells the series of a metric from each other.
fn families(index: &Index) -> HashSet<&str> {
    let mut names: HashSet<&str> = index.cells().map(|it| it.labels.metric_name()).collect();
    let families: Vec<&str> = names
        .iter()
        .flat_map(|name| {
            SUFFIXES
                .iter()
                .filter_map(|suffix| name.strip_suffix(suffix))
        })
        .collect();
    names.extend(families);
    names
}

fn bytes_of(name: &str, Metadata { help, unit, .. }: &Metadata) -> usize {
    name.len() + help.len() + unit.len()
}

fn read(mut reader: Reader<'_>) -> Option<BTreeMap<Arc<str>, Metadata>> {
    let mut by_name = BTreeMap::new();
    while !reader.is_empty() {
        let name: Arc<str> = reader.text()?.into();
        let kind = *KINDS.get(usize::from(reader.byte()?))?;
        let (help, unit) = (reader.text()?.into(), reader.text()?.into());
        by_name.insert(name, Metadata { kind, help, unit });
    }
    Some(by_name)
}

impl Shared {
    fn metrics(&self) -> MutexGuard<'_, Metrics> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_metadata(&self, all: &[(Arc<str>, Metadata)]) {
        if !all.is_empty() {
            let mut metrics = self.metrics();
            all.iter()
                .for_each(|(name, metadata)| metrics.set(name, metadata));
        }
    }

    /// Makes room where that is short, and writes what has changed.
    pub(crate) fn file_metadata(&self) -> Result<(), StoreError> {
        if self.metrics().is_full {
            let index = self.index();
            self.metrics().make_room(&index);
        }
        let content = {
            let mut metrics = self.metrics();
            if !metrics.is_dirty {
                return Ok(());
            }
            metrics.is_dirty = false;
            metrics.content()
        };
        let written = self.disk.replace(PATH, &content);
        if written.is_err() {
            self.metrics().is_dirty = true;
        }
        Ok(written?)
    }
}

impl Store {
    /// What is known of a metric.
    #[must_use]
    pub fn metadata(&self, metric: &str) -> Option<Metadata> {
        self.shared.metrics().by_name.get(metric).cloned()
    }

    /// What is known of all metrics, by name.
    #[must_use]
    pub fn all_metadata(&self) -> Vec<(Arc<str>, Metadata)> {
        let metrics = self.shared.metrics();
        let all = metrics.by_name.iter();
        all.map(|(name, metadata)| (Arc::clone(name), metadata.clone()))
            .collect()
    }
}

const PATH: &str = "metadata";
const MAGIC: [u8; 8] = *b"FBMETA 1";
/// The kinds by their number in the file.
const KINDS: [MetricKind; 8] = [
    MetricKind::Unknown,
    MetricKind::Counter,
    MetricKind::Gauge,
    MetricKind::Histogram,
    MetricKind::GaugeHistogram,
    MetricKind::Summary,
    MetricKind::Info,
    MetricKind::StateSet,
];
/// What the series of histograms, summaries, counters and infos have behind the name of their metric.
const SUFFIXES: [&str; 6] = ["_bucket", "_count", "_sum", "_total", "_info", "_created"];
/// Of more metrics nothing is noted.
const METRICS_MAX: usize = 100_000;
/// Nor of longer names, or of what takes more than this with all the others.
const NAME_BYTES_MAX: usize = 1 << 10;
const BYTES_MAX: usize = 32 << 20;
