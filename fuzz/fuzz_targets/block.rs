//! Blocks of Prometheus, some bytes of which are wrong although checksums hold.
#![no_main]

mod changes;

use std::sync::{Arc, LazyLock};

use firebell_disk::{Disk, MemoryDisk};
use firebell_import::block::{Block, BlockSeries};

/// The files of a small block, by their paths in it.
static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let file = |path: &str, content: &[u8]| (path.to_owned(), content.to_vec());
    vec![
        file("index", include_bytes!("../../crates/import/tests/blocks/deleted/index")),
        file("chunks/000001", include_bytes!("../../crates/import/tests/blocks/deleted/chunks/000001")),
        file("tombstones", include_bytes!("../../crates/import/tests/blocks/deleted/tombstones")),
        file("meta.json", include_bytes!("../../crates/import/tests/blocks/deleted/meta.json")),
    ]
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((chosen, content)) = changes::changed(&FILES, input) else {
        return;
    };
    let disk = MemoryDisk::default();
    for (idx, (path, whole)) in FILES.iter().enumerate() {
        let content = if idx == chosen { &content } else { whole };
        disk.replace(path, content).expect("memory takes it");
    }
    let Ok(mut block) = Block::open(Arc::new(disk)) else {
        return;
    };
    let (mut series, mut n_series) = (BlockSeries::default(), 0);
    while block.next_series(&mut series) {
        n_series += 1;
        assert!(n_series <= content.len() + 1000, "reading does not end");
    }
});
