//! An append-only log of frames in numbered segments: the shape of journal and write-ahead log.
//!
//! A segment is `FOLDER/NNNNNNNN`: 8 bytes of magic and version, then frames, each a length (u32,
//! little-endian), a CRC-32 of the length and the payload (u32), and the payload.
//!
//! *Invariants*: a frame is read whole or not at all. A torn frame at the end of the last segment
//! is what a crash leaves: it is cut off. A bad frame anywhere else, one with good frames behind it
//! in the same segment among them, is damage: what is readable is used, and the loss is named.

mod search;

use std::sync::Arc;

use self::search::{Next, Search};
use crate::{Disk, DiskError};

/// Where a log lives and how large its segments grow.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Folder of the segments.
    pub folder: &'static str,
    /// Eight bytes at the start of each segment: what it is, and its version.
    pub magic: [u8; 8],
    /// What segments of older versions begin with, which are read but not written to.
    pub magics_read: &'static [[u8; 8]],
    /// A segment that has reached this size is followed by a new one, as soon as it is synced.
    pub segment_bytes_max: u64,
}

/// The writing end.
pub struct Log {
    disk: Arc<dyn Disk>,
    options: LogOptions,
    segment: u64,
    segment_bytes: u64,
    is_dirty: bool,
    /// A failed write may have left a part of a frame behind `segment_bytes`.
    is_torn: bool,
}

/// The end of a log that is not durable yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsynced {
    /// The file to sync.
    pub path: String,
    segment: u64,
    segment_bytes: u64,
}

/// What a log held when it was opened.
#[derive(Debug, Default)]
pub struct Frames {
    /// Payloads in order, with the number of their segment.
    pub frames: Vec<(u64, Vec<u8>)>,
    /// What could not be read, in words for the operator; empty after a clean stop or a plain crash.
    pub damage: Vec<String>,
    /// Bytes of a torn last frame that were cut off.
    pub torn_bytes: u64,
}

/// A log that cannot be opened or written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LogError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A segment that another program or another version wrote.
    #[error(
        "`{path}` is not a {expected} segment that this version can read; it was left as it is"
    )]
    Foreign {
        /// The segment.
        path: String,
        /// The magic that was looked for.
        expected: String,
    },
    /// A frame that is too long to write.
    #[error("a frame of {len} bytes is longer than the {FRAME_BYTES_MAX} that a log takes")]
    TooLong {
        /// Its length.
        len: usize,
    },
}

impl Log {
    /// Opens a log, reads all frames and cuts a torn one off the end.
    ///
    /// # Errors
    /// When the disk fails, or a segment is foreign.
    pub fn open(disk: Arc<dyn Disk>, options: LogOptions) -> Result<(Self, Frames), LogError> {
        let mut frames = Vec::new();
        let (log, mut found) = Self::open_with(disk, options, &mut |segment, payload| {
            frames.push((segment, payload.to_vec()));
        })?;
        found.frames = frames;
        Ok((log, found))
    }

    /// The same, but hands each frame to `visit` instead of collecting them: one segment at a time
    /// is held in memory. [`Frames::frames`] stays empty.
    ///
    /// # Errors
    /// When the disk fails, or a segment is foreign.
    pub fn open_with(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(Self, Frames), LogError> {
        let (found, end) = scan(&*disk, &options, visit)?;
        let (segment, segment_bytes) = match end {
            Some(end) => {
                if found.torn_bytes > 0 {
                    disk.truncate(&path_of(&options, end.segment), end.good_bytes)?;
                }
                if end.is_over {
                    // What comes must not be durable before it.
                    disk.sync(&path_of(&options, end.segment))?;
                    (end.segment + 1, 0)
                } else {
                    (end.segment, end.good_bytes)
                }
            }
            None => (0, 0),
        };
        let log = Self {
            disk,
            options,
            segment,
            segment_bytes,
            is_dirty: false,
            is_torn: false,
        };
        Ok((log, found))
    }

    /// Appends one frame; it survives the end of the process at once, and the loss of power after
    /// [`Log::sync`]. When it fails, nothing of it is left behind; should that fail too, it is cut
    /// off before anything else is written.
    ///
    /// # Errors
    /// When the disk is full or fails, or the frame is longer than 64 MiB.
    pub fn append(&mut self, payload: &[u8]) -> Result<(), LogError> {
        if payload.len() > FRAME_BYTES_MAX {
            return Err(LogError::TooLong { len: payload.len() });
        }
        self.cut_torn()?;
        // While something is not synced, a new segment would have to wait for the disk.
        let bytes_max = self.options.segment_bytes_max;
        let is_full = self.segment_bytes >= bytes_max
            && (!self.is_dirty || self.segment_bytes >= DIRTY_FACTOR * bytes_max);
        if is_full {
            self.start_segment()?;
        }
        let mut bytes = Vec::with_capacity(payload.len() + 16);
        if self.segment_bytes == 0 {
            bytes.extend_from_slice(&self.options.magic);
        }
        bytes.extend_from_slice(&frame_head(payload));
        bytes.extend_from_slice(payload);
        let path = path_of(&self.options, self.segment);
        if let Err(error) = self.disk.append(&path, &bytes) {
            self.is_torn = true;
            self.cut_torn()?;
            return Err(error.into());
        }
        self.segment_bytes += bytes.len() as u64;
        self.is_dirty = true;
        Ok(())
    }

    /// Cuts off what a failed write has left: the next frame must not stand behind junk.
    fn cut_torn(&mut self) -> Result<(), LogError> {
        if self.is_torn {
            let path = path_of(&self.options, self.segment);
            self.disk.truncate(&path, self.segment_bytes)?;
            self.is_torn = false;
        }
        Ok(())
    }

    /// Makes all frames durable; free when nothing was appended since.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&mut self) -> Result<(), LogError> {
        if self.is_dirty {
            self.disk.sync(&path_of(&self.options, self.segment))?;
            self.is_dirty = false;
        }
        Ok(())
    }

    /// What a [`Log::sync`] would make durable: a path for [`Disk::sync`], so that the caller can
    /// wait for the disk without holding the log. Then [`Log::mark_synced`] with the same value.
    #[must_use]
    pub fn unsynced(&self) -> Option<Unsynced> {
        self.is_dirty.then(|| Unsynced {
            path: path_of(&self.options, self.segment),
            segment: self.segment,
            segment_bytes: self.segment_bytes,
        })
    }

    /// Notes that what [`Log::unsynced`] said has become durable.
    pub fn mark_synced(&mut self, synced: &Unsynced) {
        if (self.segment, self.segment_bytes) == (synced.segment, synced.segment_bytes) {
            self.is_dirty = false;
        }
    }

    /// Has the next [`Log::sync`] make durable also what was there when the log was opened: the process
    /// before may have ended without. Of older segments it never does.
    pub fn doubt(&mut self) {
        self.is_dirty |= self.segment_bytes > 0;
    }

    /// Ends the current segment; returns the number of the new one.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn start_segment(&mut self) -> Result<u64, LogError> {
        self.cut_torn()?;
        self.sync()?;
        if self.segment_bytes > 0 {
            self.segment += 1;
            self.segment_bytes = 0;
        }
        Ok(self.segment)
    }

    /// The number of the segment that is written to.
    #[must_use]
    pub fn segment(&self) -> u64 {
        self.segment
    }

    /// Removes all segments with a number below `segment`.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn remove_before(&mut self, segment: u64) -> Result<(), LogError> {
        for number in segments(&*self.disk, &self.options)? {
            if number < segment.min(self.segment) {
                self.disk.remove(&path_of(&self.options, number))?;
            }
        }
        Ok(())
    }
}

/// Reads all frames of a log without changing it.
///
/// # Errors
/// When the disk fails, or a segment is foreign.
pub fn read_log(disk: &dyn Disk, options: &LogOptions) -> Result<Frames, LogError> {
    let mut frames = Vec::new();
    let (mut found, _) = scan(disk, options, &mut |segment, payload| {
        frames.push((segment, payload.to_vec()));
    })?;
    found.frames = frames;
    Ok(found)
}

/// Reads the good frames of one segment, while others may be written behind them.
///
/// # Errors
/// When the disk fails, as it does when the segment is gone, or the segment is foreign.
pub fn read_segment(
    disk: &dyn Disk,
    options: &LogOptions,
    segment: u64,
    visit: &mut dyn FnMut(&[u8]),
) -> Result<(), LogError> {
    let path = path_of(options, segment);
    let content = disk.read(&path)?;
    scan_segment(&path, &content, options, visit)?;
    Ok(())
}

struct End {
    segment: u64,
    good_bytes: u64,
    /// Nothing more is written to it: an older version wrote it, or nobody knows where it ends.
    is_over: bool,
}

fn scan(
    disk: &dyn Disk,
    options: &LogOptions,
    visit: &mut dyn FnMut(u64, &[u8]),
) -> Result<(Frames, Option<End>), LogError> {
    let numbers = segments(disk, options)?;
    let mut found = Frames::default();
    let mut end = None;
    for (idx, &segment) in numbers.iter().enumerate() {
        let path = path_of(options, segment);
        let content = disk.read(&path)?;
        let is_last = idx + 1 == numbers.len();
        let scanned = scan_segment(&path, &content, options, |payload| {
            visit(segment, payload);
        })?;
        let good_bytes = scanned.good_bytes;
        found.damage.extend(scanned.damage);
        let lost = content.len() as u64 - good_bytes;
        if lost > 0 && is_last {
            found.torn_bytes = lost;
        } else if lost > 0 {
            found.damage.push(format!(
                "`{path}` is damaged at byte {good_bytes}: {lost} bytes behind it are lost"
            ));
        }
        let is_older = good_bytes > 0 && !content.starts_with(&options.magic);
        let is_over = is_older || scanned.gave_up;
        end = Some(End {
            segment,
            good_bytes,
            is_over,
        });
    }
    Ok((found, end))
}

/// What of a segment was read.
struct Scanned {
    /// Where the last good frame ends.
    good_bytes: u64,
    /// What is lost before that.
    damage: Vec<String>,
    /// There may be good frames that were not found.
    gave_up: bool,
}

/// Reads the good frames of a segment.
fn scan_segment(
    path: &str,
    content: &[u8],
    options: &LogOptions,
    mut visit: impl FnMut(&[u8]),
) -> Result<Scanned, LogError> {
    let mut damage = Vec::new();
    if content.len() < options.magic.len() || content.iter().all(|byte| *byte == 0) {
        // The crash came before the magic was whole; the file may have had its length already.
        return Ok(Scanned {
            good_bytes: 0,
            damage,
            gave_up: false,
        });
    }
    let is_known = |magic: &[u8; 8]| content.starts_with(magic);
    if !is_known(&options.magic) && !options.magics_read.iter().any(is_known) {
        if !is_flipped(content, &options.magic) {
            let expected = String::from_utf8_lossy(&options.magic)
                .trim_end()
                .to_owned();
            return Err(LogError::Foreign {
                path: path.to_owned(),
                expected,
            });
        }
        damage.push(format!("`{path}` is damaged in its first 8 bytes"));
    }
    let (mut at, mut good) = (8, 8);
    let mut search = Search::new(content);
    loop {
        while let Some(payload) = frame_at(content, at) {
            visit(payload);
            at += HEAD_BYTES + payload.len();
        }
        good = good.max(at);
        let next = match search.behind(at) {
            Next::Frame(next) => next,
            Next::End => break,
            Next::Unknown => {
                let lost = content.len() - at;
                damage.push(format!(
                    "`{path}` is damaged at byte {at}: {lost} bytes from there on are not read"
                ));
                return Ok(Scanned {
                    good_bytes: content.len() as u64,
                    damage,
                    gave_up: true,
                });
            }
        };
        damage.push(format!(
            "`{path}` is damaged at byte {at}: {} bytes are lost",
            next - at
        ));
        at = next;
    }
    Ok(Scanned {
        good_bytes: good as u64,
        damage,
        gave_up: false,
    })
}

/// Whether this is a magic with one byte changed, or one that never reached the disk: other programs'
/// files differ in more, and those of other versions in the last one, which is a digit.
fn is_flipped(content: &[u8], magic: &[u8; 8]) -> bool {
    if content.starts_with(&[0; 8]) {
        return true;
    }
    let n_other = content.iter().zip(magic).filter(|(a, b)| a != b).count();
    n_other == 1 && (content[7] == magic[7] || !content[7].is_ascii_digit())
}

fn frame_at(content: &[u8], at: usize) -> Option<&[u8]> {
    let head = content.get(at..at + HEAD_BYTES)?;
    let len = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    if len > FRAME_BYTES_MAX {
        return None;
    }
    let payload = content.get(at + HEAD_BYTES..at + HEAD_BYTES + len)?;
    (frame_head(payload) == head).then_some(payload)
}

fn frame_head(payload: &[u8]) -> [u8; HEAD_BYTES] {
    // `append` has checked the length against `FRAME_BYTES_MAX`.
    let len = (payload.len() as u32).to_le_bytes();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&len);
    crc.update(payload);
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&len);
    head[4..].copy_from_slice(&crc.finalize().to_le_bytes());
    head
}

fn segments(disk: &dyn Disk, options: &LogOptions) -> Result<Vec<u64>, DiskError> {
    let names = disk.list(options.folder)?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn path_of(options: &LogOptions, segment: u64) -> String {
    format!("{}/{segment:08}", options.folder)
}

const HEAD_BYTES: usize = 8;
/// A segment that nobody syncs may grow to so many times its size.
const DIRTY_FACTOR: u64 = 4;
/// The longest payload of a frame.
const FRAME_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests;
