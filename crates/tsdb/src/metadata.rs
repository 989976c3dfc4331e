//! What metrics are: kind, help and unit of each, as the last one who sent it said.
//!
//! `metadata`: magic and CRC-32 (see `bytes`), then metrics up to the end, each with name, kind (a
//! byte), help and unit as texts. Upkeep writes it when something has changed.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use firebell_disk::Disk;
use firebell_model::{Metadata, MetricKind};

use crate::Store;
use crate::bytes::{Put, Reader, checked, with_checksum};
use crate::options::StoreError;
use crate::store::Shared;

/// What is known of metrics.
#[derive(Default)]
pub(crate) struct Metrics {
    by_name: BTreeMap<Arc<str>, Metadata>,
    /// Changes are not in the file.
    is_dirty: bool,
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
        Ok(Self {
            by_name: by_name.unwrap_or_default(),
            is_dirty: false,
        })
    }

    fn set(&mut self, metric: &Arc<str>, metadata: &Metadata) {
        let known = self.by_name.get(metric);
        let is_full = known.is_none() && self.by_name.len() >= METRICS_MAX;
        if known == Some(metadata) || is_full {
            return;
        }
        self.by_name.insert(Arc::clone(metric), metadata.clone());
        self.is_dirty = true;
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

    /// Writes what has changed.
    pub(crate) fn file_metadata(&self) -> Result<(), StoreError> {
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
/// Of more metrics nothing is noted.
const METRICS_MAX: usize = 100_000;
