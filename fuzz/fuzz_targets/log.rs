//! A segment of a log: whatever it holds, opening it gives whole frames and a log to go on with.
#![no_main]

use std::sync::Arc;

use firebell_disk::{Disk, Log, LogOptions, MemoryDisk};

const OPTIONS: LogOptions =
    LogOptions { folder: "log", magic: *b"FBFUZZ 1", magics_read: &[], segment_bytes_max: 1 << 20 };

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let disk = MemoryDisk::default();
    let segment = [OPTIONS.magic.as_slice(), content].concat();
    disk.replace("log/00000000", &segment).expect("memory takes it");
    let (mut log, before) = Log::open(Arc::new(disk.clone()), OPTIONS).expect("it opens");
    log.append(b"next").expect("memory takes it");
    let (_, after) = Log::open(Arc::new(disk), OPTIONS).expect("it opens again");
    // Here nothing has a checksum: what is appended can make a frame whole that was damaged before.
    if before.damage.is_empty() {
        assert_eq!(after.frames.len(), before.frames.len() + 1);
    }
});
