//! What is read again the next time, and what is not.

use std::path::Path;
use std::sync::Arc;

use firebell_disk::{Disk, MemoryDisk};
use firebell_import::{Importer, Journal, Report, TextFormat};
use firebell_model::{Labels, Sample, Timestamp};
use firebell_tsdb::{Options, Store};
use firebell_wire::export::{ExportWriter, HEAD_BYTES, MAGIC};
use firebell_wire::row::Row;

/// 2027: behind all that is imported here.
const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A store and its journal, into which one import after the other goes.
struct Target {
    store: Store,
    disk: MemoryDisk,
}

impl Target {
    fn new(options: Options) -> Self {
        let disk = MemoryDisk::default();
        let store = Store::open(Arc::new(disk.clone()), options).unwrap().0;
        Self { store, disk }
    }

    fn import(&self, act: impl FnOnce(&mut Importer<'_>)) -> Report {
        let journal = Journal::open(Arc::new(self.disk.clone())).unwrap();
        let mut tell = |_: &firebell_import::Progress<'_>| {};
        let mut importer = Importer::new(&self.store, journal, NOW, &mut tell);
        act(&mut importer);
        importer.report().clone()
    }

    fn block(&self, disk: MemoryDisk) -> Report {
        self.import(|it| it.block(Arc::new(disk), "block").unwrap())
    }

    fn text(&self, content: &[u8]) -> Report {
        let disk = disk_of(content);
        let what = (content.len() as u64, TextFormat::Guess);
        self.import(|it| it.text(&disk, "file", what, "file").unwrap())
    }

    fn export(&self, content: &[u8]) -> Report {
        let (disk, len) = (disk_of(content), content.len() as u64);
        self.import(|it| it.export(&disk, ("file", len), "file").unwrap())
    }

    /// Changes the journal, as if an import had been killed.
    fn interrupt(&self, had_problems: bool) {
        let done = self.disk.read("import/done").unwrap();
        let is = format!("\"is_done\":false,\"had_problems\":{had_problems}");
        let done = String::from_utf8(done).unwrap();
        let done = done.replace("\"is_done\":true", &is);
        self.disk.replace("import/done", done.as_bytes()).unwrap();
    }
}

fn disk_of(content: &[u8]) -> MemoryDisk {
    let disk = MemoryDisk::default();
    disk.replace("file", content).unwrap();
    disk
}

fn block() -> MemoryDisk {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/blocks/scraped");
    let disk = MemoryDisk::default();
    for file in ["meta.json", "index", "tombstones", "chunks/000001"] {
        let content = std::fs::read(folder.join(file)).unwrap();
        disk.replace(file, &content).unwrap();
    }
    disk
}

/// Sources read, sources known already, whether there were problems.
fn fate(report: &Report) -> (u64, u64, bool) {
    let Report {
        sources,
        sources_known,
        n_problems,
        ..
    } = report;
    (*sources, *sources_known, *n_problems > 0)
}

#[test]
fn a_block_that_was_damaged_is_read_again_when_it_is_whole() {
    let target = Target::new(Options::default());
    let cut = block();
    let chunks = cut.read("chunks/000001").unwrap();
    let half = &chunks[..chunks.len() / 2];
    cut.replace("chunks/000001", half).unwrap();
    let first = target.block(cut);
    assert_eq!(fate(&first), (1, 0, true));
    let second = target.block(block());
    assert_eq!(fate(&second), (1, 0, false));
    assert!(second.added > 0 && second.known == first.added);
    assert_eq!(fate(&target.block(block())), (0, 1, false));
}

#[test]
fn an_import_that_was_interrupted_remembers_that_there_were_problems() {
    let target = Target::new(Options::default());
    for (had_problems, next) in [(false, (0, 1, false)), (true, (1, 0, false))] {
        target.block(block());
        target.interrupt(had_problems);
        let resumed = target.block(block());
        assert_eq!(fate(&resumed), (1, 0, had_problems));
        assert_eq!(resumed.added + resumed.known, 0);
        assert_eq!(fate(&target.block(block())), next);
    }
}

#[test]
fn a_text_that_is_mended_in_place_is_read_again() {
    let target = Target::new(Options::default());
    let lines = |middle: &str| {
        let mut text = String::new();
        for n in 0..2000 {
            let value = if n == 1000 { middle } else { "1234" };
            text.push_str(&format!("a {value} {n}\n"));
        }
        text + "# EOF\n"
    };
    let report = target.text(lines("12x4").as_bytes());
    assert_eq!((fate(&report), report.added), ((1, 0, true), 1999));
    // It is the same text as long as nobody mends it, and not done either.
    let report = target.text(lines("12x4").as_bytes());
    assert_eq!((fate(&report), report.added), ((1, 0, true), 0));
    let report = target.text(lines("1234").as_bytes());
    assert_eq!((fate(&report), report.added), ((1, 0, false), 1));
    let report = target.text(lines("1234").as_bytes());
    assert_eq!(fate(&report), (0, 1, false));
    // Good before and after, and different in the middle alone.
    let report = target.text(lines("5678").as_bytes());
    assert_eq!((fate(&report), report.known), ((1, 0, false), 2000));
}

#[test]
fn a_damaged_export_in_whose_place_a_whole_one_comes_is_read_again() {
    let target = Target::new(Options::default());
    let mut whole = MAGIC.to_vec();
    let mut writer = ExportWriter::default();
    for name in ["a", "b", "c"] {
        let labels = Labels::from_pairs([("__name__", name)]);
        let sample = |n| Sample {
            at: Timestamp(n),
            value: n as f64 / 7.0,
        };
        let samples: Vec<Sample> = (0..2000).map(sample).collect();
        let row = Row {
            samples: &samples,
            ..Row::of(&labels)
        };
        writer.series(&row, &mut whole).unwrap();
        let mut frame = Vec::new();
        std::mem::take(&mut writer).finish(&mut frame).unwrap();
        whole.extend_from_slice(&frame[..frame.len() - HEAD_BYTES]);
    }
    writer.finish(&mut whole).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    assert!(middle > 4096);
    damaged[middle] ^= 1;
    let report = target.export(&damaged);
    assert_eq!((fate(&report), report.added), ((1, 0, true), 4000));
    let report = target.export(&whole);
    assert_eq!((fate(&report), report.added), ((1, 0, false), 2000));
    assert_eq!(fate(&target.export(&whole)), (0, 1, false));
    // One that was cut off is begun again, and says the same again.
    let cut = &whole[..whole.len() - 1];
    let said = target.export(cut).problems;
    assert_eq!(target.export(cut).problems, said);
}

#[test]
fn what_found_no_place_is_read_again() {
    let mut target = Target::new(Options {
        series_max: 1,
        ..Options::default()
    });
    let text = b"a 1 1\nb 2 1\n# EOF\n";
    let report = target.text(text);
    assert_eq!((fate(&report), report.refused), ((1, 0, true), 1));
    drop(target.store);
    let disk = Arc::new(target.disk.clone());
    target.store = Store::open(disk, Options::default()).unwrap().0;
    let report = target.text(text);
    assert_eq!((fate(&report), report.added), ((1, 0, false), 1));
    assert_eq!(fate(&target.text(text)), (0, 1, false));
}
