//! A frame of the journal: whatever it holds, opening gives records, and as many again from a
//! snapshot of them.
#![no_main]

use std::sync::Arc;

use firebell_disk::{Log, LogOptions, MemoryDisk};
use firebell_engine::{Journal, Record};

const OPTIONS: LogOptions =
    LogOptions { folder: "journal", magic: *b"FBJRNL 2", magics_read: &[], segment_bytes_max: 1 << 20 };

libfuzzer_sys::fuzz_target!(|payload: &[u8]| {
    let disk = MemoryDisk::default();
    let (mut log, _) = Log::open(Arc::new(disk.clone()), OPTIONS).expect("it opens");
    log.append(payload).expect("memory takes it");
    let (mut journal, records) = open(&disk);
    let n_records = records.len();
    journal.snapshot(records.into_iter()).expect("memory takes it");
    assert_eq!(open(&disk).1.len(), n_records);
});

fn open(disk: &MemoryDisk) -> (Journal, Vec<Record>) {
    let mut records = Vec::new();
    let disk = Arc::new(disk.clone());
    let opened = Journal::open(disk, &mut |record| records.push(record));
    (opened.expect("it opens").0, records)
}
