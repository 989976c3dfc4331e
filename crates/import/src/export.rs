//! Exports of Firebell: frames of remote write, with all that a store has.
//!
//! A frame that is damaged is named and left out; where its length is, the rest of the file is.

use firebell_disk::Disk;
use firebell_model::Labels;
use firebell_tsdb::{Batch, StoreError};
use firebell_wire::export::{FRAME_BYTES_MAX, HEAD_BYTES, MAGIC, frame_head, is_whole};
use firebell_wire::remote_write::{DECODED_BYTES_MAX, RemoteWriteError, WriteRequest};

use crate::Importer;
use crate::content::Content;
use crate::journal::Place;
use crate::series::Gathered;
use crate::text::GATHERED_BYTES_MAX;

/// A file that is being read.
struct Reading<'s> {
    disk: &'s dyn Disk,
    path: &'s str,
    source: &'s str,
    len: u64,
    /// The next frame.
    at: u64,
    gathered: Gathered,
    /// Exemplars and metadata, which go in as if they had been sent.
    batch: Batch,
}

/// What stands at a place of the file.
enum Frame {
    Block(Vec<u8>),
    Damaged,
    End,
}

/// Whether a file that begins so is an export.
#[must_use]
pub fn is_export(head: &[u8]) -> bool {
    head.starts_with(&MAGIC)
}

impl Importer<'_> {
    /// Imports the export `path` of `disk`, which has `len` bytes; `source` is what messages call it.
    ///
    /// # Errors
    /// When the store fails. What is wrong with the file is in the report.
    pub fn export(
        &mut self,
        disk: &dyn Disk,
        (path, len): (&str, u64),
        source: &str,
    ) -> Result<(), StoreError> {
        let foreign = || "it is no export of Firebell".to_owned();
        let checked = Content::of(disk, path, len).and_then(|it| match is_export(&it.head) {
            true => Ok(it),
            false => Err(foreign()),
        });
        let content = match checked {
            Ok(content) => content,
            Err(why) => {
                self.report.sources_bad += 1;
                self.report.problem(source, &why);
                return Ok(());
            }
        };
        let key = format!("export {path} {len} all {:016x}", content.hash);
        let Some(place) = self.begin(&key, source) else {
            return Ok(());
        };
        let mut reading = Reading {
            disk,
            path,
            source,
            len,
            at: place.at.max(MAGIC.len() as u64),
            gathered: Gathered::default(),
            batch: Batch::default(),
        };
        let is_done = self.read_frames(&mut reading, &key)?;
        self.report.sources += u64::from(is_done);
        self.report.sources_bad += u64::from(!is_done);
        Ok(())
    }

    /// Reads all frames; false when the end is missing.
    fn read_frames(&mut self, reading: &mut Reading<'_>, key: &str) -> Result<bool, StoreError> {
        loop {
            let at = reading.at;
            let source = reading.source;
            let mut damaged = |why: &str| {
                let why = format!("the frame at byte {at} is damaged and left out{why}");
                self.report.problem(source, &why);
            };
            let mut is_last = false;
            match reading.frame() {
                Ok(Frame::Block(block)) => {
                    if let Err(error) = reading.take(&block) {
                        damaged(&format!(": {error}"));
                    }
                }
                Ok(Frame::Damaged) => damaged(""),
                Ok(Frame::End) => is_last = true,
                Err(why) => {
                    self.report.problem(source, &why);
                    self.write(reading, key, true)?;
                    return Ok(false);
                }
            }
            self.tell(source, (reading.at, reading.len));
            if is_last || reading.gathered.bytes() > GATHERED_BYTES_MAX {
                self.write(reading, key, is_last)?;
            }
            if is_last {
                return Ok(true);
            }
        }
    }

    /// Writes what is gathered, durably, and notes how far the file is read; `is_done` says that no
    /// more of it can be.
    fn write(
        &mut self,
        reading: &mut Reading<'_>,
        key: &str,
        is_done: bool,
    ) -> Result<(), StoreError> {
        let report = &mut self.report;
        let what = (reading.source, self.latest);
        reading.gathered.write(self.store, what, report)?;
        if !reading.batch.is_empty() {
            self.store.append(&reading.batch)?;
            self.store.sync()?;
            self.store.flush()?;
            reading.batch.clear();
        }
        let place = Place {
            at: reading.at,
            is_done,
            ..Place::default()
        };
        self.note(key, place)
    }
}

impl Reading<'_> {
    /// The next frame. The error says why there is none.
    fn frame(&mut self) -> Result<Frame, String> {
        let cut_off = || "the file does not end with its mark: it has been cut off".to_owned();
        let read = |at, len| {
            let bytes = self.disk.read_at(self.path, at, len);
            bytes.map_err(|error| error.why)
        };
        let head = read(self.at, HEAD_BYTES)?;
        let head = <[u8; HEAD_BYTES]>::try_from(head.as_slice()).map_err(|_| cut_off())?;
        let (len, crc) = frame_head(head);
        if len == 0 {
            return Ok(Frame::End);
        }
        let end = self.at + (HEAD_BYTES + len) as u64;
        if len > FRAME_BYTES_MAX {
            let at = self.at;
            return Err(format!(
                "the length at byte {at} is damaged: the rest is left out"
            ));
        }
        if end > self.len {
            return Err(cut_off());
        }
        let block = read(self.at + HEAD_BYTES as u64, len)?;
        self.at = end;
        Ok(match block.len() == len && is_whole(&block, crc) {
            true => Frame::Block(block),
            false => Frame::Damaged,
        })
    }

    fn take(&mut self, block: &[u8]) -> Result<(), RemoteWriteError> {
        let request = WriteRequest::decode(block, DECODED_BYTES_MAX)?;
        let mut reader = request.series();
        while let Some(series) = reader.next_series()? {
            // The store has series that no sender may send: all labels are taken as they are.
            let labels = Labels::from_pairs(series.pairs.iter().copied());
            if labels.is_empty() {
                continue;
            }
            self.gathered
                .extend(&labels, series.samples, series.histograms);
            for exemplar in series.exemplars {
                self.batch.add_exemplar(&labels, exemplar.clone());
            }
        }
        for (metric, metadata) in reader.metadata() {
            self.batch.set_metadata(metric, metadata.clone());
        }
        Ok(())
    }
}
