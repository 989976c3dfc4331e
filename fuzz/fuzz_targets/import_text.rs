//! Text with timestamps that is imported into a store, in both formats.
#![no_main]

use std::sync::Arc;

use firebell_disk::{Disk, MemoryDisk};
use firebell_import::{Importer, Journal, TextFormat};
use firebell_model::Timestamp;
use firebell_tsdb::{Options, Store};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    for format in [TextFormat::OpenMetrics, TextFormat::Guess] {
        let disk = MemoryDisk::default();
        disk.replace("text", body).expect("memory takes it");
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let (store, _) = Store::open(Arc::clone(&disk), Options::default()).expect("it opens");
        let journal = Journal::open(Arc::clone(&disk)).expect("it opens");
        let mut tell = |_: &firebell_import::Progress<'_>| {};
        let mut importer = Importer::new(&store, journal, NOW, &mut tell);
        let source = (body.len() as u64, format);
        importer.text(&*disk, "text", source, "text").expect("memory takes it");
    }
});
