//! Logs that are cut, damaged and written to disks that break.

use super::*;
use crate::MemoryDisk;

const OPTIONS: LogOptions = LogOptions {
    folder: "log",
    magic: *b"FBTEST 1",
    magics_read: &[],
    segment_bytes_max: 30,
};

fn payloads(frames: &Frames) -> Vec<&[u8]> {
    frames
        .frames
        .iter()
        .map(|(_, payload)| payload.as_slice())
        .collect()
}

fn written() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let (mut log, _) = Log::open(Arc::new(disk.clone()), OPTIONS).unwrap();
    for payload in [b"one".as_slice(), b"two", b"", b"four"] {
        log.append(payload).unwrap();
        log.sync().unwrap();
    }
    disk
}

#[test]
fn frames_come_back_in_order_over_segments() {
    let disk = written();
    assert_eq!(disk.list("log").unwrap(), ["00000000", "00000001"]);
    let frames = read_log(&disk, &OPTIONS).unwrap();
    assert_eq!(payloads(&frames), [b"one".as_slice(), b"two", b"", b"four"]);
    assert!(frames.damage.is_empty());
}

#[test]
fn a_cut_at_any_byte_of_the_last_segment_leaves_whole_frames_and_a_log_to_go_on_with() {
    let len = written().read("log/00000001").unwrap().len();
    for cut in 0..len {
        let disk = written();
        disk.truncate("log/00000001", cut as u64).unwrap();
        let (mut log, frames) = Log::open(Arc::new(disk.clone()), OPTIONS).unwrap();
        assert!(frames.damage.is_empty());
        let n_before = frames.frames.len();
        log.append(b"next").unwrap();
        let frames = read_log(&disk, &OPTIONS).unwrap();
        assert_eq!(frames.frames.len(), n_before + 1, "cut at {cut}");
        assert_eq!(payloads(&frames).last().unwrap(), b"next");
    }
}

/// Also of the last segment, whose end a crash may have torn.
#[test]
fn a_byte_that_has_changed_costs_its_frame_and_no_other() {
    let options = LogOptions {
        segment_bytes_max: 1 << 20,
        ..OPTIONS
    };
    let all: Vec<Vec<u8>> = (0..6_u8).map(|n| vec![n; usize::from(n) * 3]).collect();
    let whole = MemoryDisk::default();
    let (mut log, _) = Log::open(Arc::new(whole.clone()), options).unwrap();
    all.iter().for_each(|payload| log.append(payload).unwrap());
    let content = whole.read("log/00000000").unwrap();
    let mut starts = vec![8];
    starts.extend(all.iter().map(|it| it.len() + HEAD_BYTES));
    (1..starts.len()).for_each(|idx| starts[idx] += starts[idx - 1]);
    for at in 0..content.len() {
        for bit in [1, 0x40] {
            let mut damaged = content.clone();
            damaged[at] ^= bit;
            let disk = MemoryDisk::default();
            disk.append("log/00000000", &damaged).unwrap();
            let opened = Log::open(Arc::new(disk.clone()), options);
            if at == 7 && damaged[at].is_ascii_digit() {
                let error = opened.map(|_| ()).unwrap_err();
                assert!(matches!(error, LogError::Foreign { .. }));
                continue;
            }
            let (mut log, found) = opened.unwrap();
            let lost = starts.iter().rposition(|start| *start <= at);
            let left = all.iter().enumerate().filter(|it| Some(it.0) != lost);
            let left: Vec<&[u8]> = left.map(|it| it.1.as_slice()).collect();
            assert_eq!(payloads(&found), left, "{at}");
            let is_last = lost == Some(all.len() - 1);
            assert_eq!(found.damage.is_empty(), is_last, "{at}");
            assert_eq!(found.torn_bytes > 0, is_last, "{at}");
            log.append(b"next").unwrap();
            let again = read_log(&disk, &options).unwrap();
            assert_eq!(again.frames.len(), left.len() + 1, "{at}");
            assert_eq!(again.damage, found.damage, "{at}");
        }
    }
}

#[test]
fn a_full_segment_waits_for_a_sync_but_not_for_ever() {
    let disk = MemoryDisk::default();
    let (mut log, _) = Log::open(Arc::new(disk.clone()), OPTIONS).unwrap();
    let append = |log: &mut Log, n| (0..n).for_each(|_| log.append(b"payload").unwrap());
    // The magic, and frames of 15 bytes: the second one fills the segment.
    append(&mut log, 4);
    assert_eq!(log.segment(), 0);
    let unsynced = log.unsynced().unwrap();
    append(&mut log, 1);
    // What came while the disk was syncing still is not durable.
    log.mark_synced(&unsynced);
    append(&mut log, 1);
    assert_eq!(log.segment(), 0);
    let unsynced = log.unsynced().unwrap();
    log.mark_synced(&unsynced);
    append(&mut log, 1);
    assert_eq!(log.segment(), 1);
    // Nobody syncs: at four times its size the segment ends all the same.
    append(&mut log, 7);
    assert_eq!(log.segment(), 1);
    append(&mut log, 1);
    assert_eq!(log.segment(), 2);
    let frames = read_log(&disk, &OPTIONS).unwrap();
    assert_eq!(frames.frames.len(), 15);
}

/// Takes a part of each write, and does not cut either, while `is_broken`.
struct BrokenDisk {
    files: MemoryDisk,
    is_broken: std::sync::atomic::AtomicBool,
}

impl BrokenDisk {
    fn check(&self, action: &'static str, path: &str) -> Result<(), DiskError> {
        if !self.is_broken.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(());
        }
        Err(DiskError {
            action,
            path: path.to_owned(),
            why: "input/output error".to_owned(),
            is_not_found: false,
            is_full: false,
        })
    }
}

impl Disk for BrokenDisk {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let checked = self.check("append to", path);
        let len = checked.as_ref().map_or(bytes.len() / 2, |()| bytes.len());
        self.files.append(path, &bytes[..len])?;
        checked
    }

    fn sync(&self, path: &str) -> Result<(), DiskError> {
        self.check("sync", path)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        self.files.read(path)
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.files.replace(path, bytes)
    }

    fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError> {
        self.check("cut", path)?;
        self.files.truncate(path, len)
    }

    fn remove(&self, path: &str) -> Result<(), DiskError> {
        self.files.remove(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.files.list(folder)
    }
}

#[test]
fn what_a_broken_disk_kept_of_a_frame_is_cut_before_the_next_one() {
    let disk = Arc::new(BrokenDisk {
        files: written(),
        is_broken: true.into(),
    });
    let (mut log, _) = Log::open(Arc::clone(&disk) as Arc<dyn Disk>, OPTIONS).unwrap();
    for _ in 0..3 {
        log.append(b"torn").unwrap_err();
    }
    disk.is_broken
        .store(false, std::sync::atomic::Ordering::Relaxed);
    log.append(b"next").unwrap();
    let frames = read_log(&disk.files, &OPTIONS).unwrap();
    assert_eq!(payloads(&frames).last().unwrap(), b"next");
    assert_eq!((frames.frames.len(), frames.torn_bytes), (5, 0));
}

/// Writes a part of each append, and fails it and every cut, while it is broken.
#[derive(Default)]
struct Flaky {
    inner: MemoryDisk,
    broken_after: std::sync::Mutex<Option<usize>>,
}

impl Flaky {
    fn check(&self) -> Result<(), DiskError> {
        let error = DiskError {
            action: "write to",
            path: String::new(),
            why: "input/output error".to_owned(),
            is_not_found: false,
            is_full: false,
        };
        self.broken_after
            .lock()
            .unwrap()
            .map_or(Ok(()), |_| Err(error))
    }
}

impl Disk for Flaky {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let n_written = self.broken_after.lock().unwrap().unwrap_or(bytes.len());
        self.inner
            .append(path, &bytes[..n_written.min(bytes.len())])?;
        self.check()
    }
    fn sync(&self, _path: &str) -> Result<(), DiskError> {
        self.check()
    }
    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        self.inner.read(path)
    }
    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.check().and_then(|()| self.inner.replace(path, bytes))
    }
    fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError> {
        self.check().and_then(|()| self.inner.truncate(path, len))
    }
    fn remove(&self, path: &str) -> Result<(), DiskError> {
        self.check().and_then(|()| self.inner.remove(path))
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.inner.list(folder)
    }
}

#[test]
fn no_frame_stands_behind_the_rest_of_a_write_that_could_not_be_cut_off() {
    for n_written in 0..12 {
        for starts_segment in [false, true] {
            let disk = Arc::new(Flaky::default());
            let (mut log, _) = Log::open(disk.clone(), OPTIONS).unwrap();
            *disk.broken_after.lock().unwrap() = Some(n_written);
            log.append(b"lost").unwrap_err();
            log.append(b"lost too").unwrap_err();
            *disk.broken_after.lock().unwrap() = None;
            if starts_segment {
                log.start_segment().unwrap();
            }
            log.append(b"kept").unwrap();
            let frames = read_log(&*disk, &OPTIONS).unwrap();
            assert_eq!(payloads(&frames), [b"kept"], "{n_written} {starts_segment}");
            assert!(frames.damage.is_empty());
        }
    }
}

#[test]
fn damage_inside_is_named_and_the_rest_is_used() {
    let disk = written();
    let mut content = disk.read("log/00000000").unwrap();
    content[20] ^= 1;
    disk.replace("log/00000000", &content).unwrap();
    let frames = read_log(&disk, &OPTIONS).unwrap();
    assert_eq!(payloads(&frames), [b"one".as_slice(), b"", b"four"]);
    assert_eq!(frames.damage.len(), 1);
    assert!(frames.damage[0].contains("log/00000000"));
}

#[test]
fn a_foreign_segment_is_refused_and_left_alone() {
    let disk = written();
    disk.replace("log/00000000", b"SQLite format 3").unwrap();
    let error = read_log(&disk, &OPTIONS).unwrap_err();
    assert!(error.to_string().contains("log/00000000"), "{error}");
}

/// As long as those of a real store, of bytes of any kind.
#[test]
fn long_frames_are_found_behind_a_damaged_length_and_a_torn_one_is_no_damage() {
    let options = LogOptions {
        segment_bytes_max: 1 << 30,
        ..OPTIONS
    };
    let mut state = 1_u64;
    let mut noise = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Small numbers, as lengths and times have them.
        if state & 3 == 0 {
            0
        } else {
            (state >> 32) as u8
        }
    };
    let long = 2 << 20;
    let all: Vec<Vec<u8>> = (0..4)
        .map(|_| (0..long).map(&mut noise).collect())
        .collect();
    let disk = MemoryDisk::default();
    let (mut log, _) = Log::open(Arc::new(disk.clone()), options).unwrap();
    all.iter().for_each(|payload| log.append(payload).unwrap());
    let whole = disk.read("log/00000000").unwrap();
    let mut damaged = whole.clone();
    damaged[8 + HEAD_BYTES + long] ^= 1;
    disk.replace("log/00000000", &damaged).unwrap();
    let found = read_log(&disk, &options).unwrap();
    assert_eq!(found.damage.len(), 1, "{:?}", found.damage);
    assert!(payloads(&found) == [&all[0][..], &all[2], &all[3]]);
    for cut in [1, long / 2, long] {
        disk.replace("log/00000000", &whole[..whole.len() - cut])
            .unwrap();
        let found = read_log(&disk, &options).unwrap();
        assert_eq!(found.damage, [""; 0]);
        assert!(payloads(&found) == [&all[0][..], &all[1], &all[2]]);
        assert_eq!(found.torn_bytes, (HEAD_BYTES + long - cut) as u64);
    }
}

#[test]
fn a_segment_whose_beginning_never_reached_the_disk_stops_nothing() {
    let disk = written();
    let mut content = disk.read("log/00000001").unwrap();
    content[..8].fill(0);
    disk.replace("log/00000001", &content).unwrap();
    let (mut log, found) = Log::open(Arc::new(disk.clone()), OPTIONS).unwrap();
    assert_eq!(payloads(&found), [b"one".as_slice(), b"two", b"", b"four"]);
    assert_eq!(found.damage.len(), 1, "{:?}", found.damage);
    log.append(b"next").unwrap();
    assert_eq!(read_log(&disk, &OPTIONS).unwrap().frames.len(), 5);
    // Nothing of it did.
    disk.remove("log/00000002").unwrap();
    disk.replace("log/00000001", &[0; 40]).unwrap();
    let (mut log, found) = Log::open(Arc::new(disk.clone()), OPTIONS).unwrap();
    assert_eq!((found.damage.len(), found.torn_bytes), (0, 40));
    let n_before = found.frames.len();
    log.append(b"next").unwrap();
    assert_eq!(
        read_log(&disk, &OPTIONS).unwrap().frames.len(),
        n_before + 1
    );
}
