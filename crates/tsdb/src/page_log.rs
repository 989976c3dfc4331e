//! The log of pages: the labels of series with samples in memory, and their sealed pages.
//!
//! A page comes here once, at the first checkpoint after it was filled up, and so a restart seals
//! nothing again. When pages have gone to chunk files, or half of the log is of no use any more, it
//! is begun anew.
//!
//! Frames begin with their kind. *Series* (1): the number of names and the names as texts; the
//! number of label pairs, each with the place of its name (varint) and its value as text; then
//! series up to the end: id (*next id*), the number of labels and the places of their pairs in order
//! of name (varints). *Pages* (2): the number of the checkpoint (varint), then series up to the end:
//! id (*next id*), the number of pages, each with first timestamp (*signed*), how much later the last
//! one is (varint) and *bytes*. *Next id*: slot and making as distances from those of the id before
//! in the frame (*signed*).
//!
//! *Invariants*: what `checkpoint` says of a series' open part is said after its pages here are
//! durable.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::ptr;
use std::sync::Arc;

use firebell_disk::{Log, LogOptions};
use firebell_model::{Label, LabelHasher, SeriesId};

use crate::bytes::{Put, Reader};
use crate::index::{Comers, Index};
use crate::options::StoreError;
use crate::page::Page;
use crate::series::Cell;

/// Where the log of pages lives.
pub(crate) const PAGES: LogOptions = LogOptions {
    folder: "pages",
    magic: *b"FBPAGE 1",
    magics_read: &[],
    segment_bytes_max: 16 << 20,
};

/// The writing end.
pub(crate) struct PageLog {
    log: Log,
    pub(crate) bytes: u64,
    /// The number of the next checkpoint.
    pub(crate) next: u64,
}

impl PageLog {
    pub(crate) fn new(log: Log, bytes: u64, next: u64) -> Self {
        Self { log, bytes, next }
    }

    /// Begins a log that lacks everything; [`PageLog::remove_before`] has to follow when it has it.
    pub(crate) fn begin(&mut self) -> Result<u64, StoreError> {
        Ok(self.log.start_segment()?)
    }

    pub(crate) fn remove_before(&mut self, segment: u64) -> Result<(), StoreError> {
        Ok(self.log.remove_before(segment)?)
    }

    /// Writes what the log lacks of these series: their labels, and pages that are not filled up any
    /// more. Returns bytes of pages that it has of them, of this checkpoint and earlier ones.
    pub(crate) fn write(&mut self, number: u64, cells: &[Arc<Cell>]) -> Result<u64, StoreError> {
        let strange = |cell: &&Arc<Cell>| {
            let state = cell.state();
            !state.is_listed && state.is_in_memory()
        };
        let strange: Vec<&Arc<Cell>> = cells.iter().filter(strange).collect();
        let mut strange = &strange[..];
        while !strange.is_empty() {
            let (run, later) = strange.split_at(n_in_frame(strange));
            self.append(&list(run))?;
            run.iter().for_each(|cell| cell.state().is_listed = true);
            strange = later;
        }
        let mut n_bytes = 0;
        let mut frame = PagesFrame::begin(number);
        for cell in cells {
            let mut state = cell.state();
            let pages = state.pages_to_log();
            if !pages.is_empty() {
                frame.push(cell.id, pages);
                state.pages_logged();
            }
            n_bytes += state.logged_bytes() as u64;
            drop(state);
            if frame.out.len() > FRAME_BYTES {
                self.append(&frame.out)?;
                frame = PagesFrame::begin(number);
            }
        }
        if !frame.is_empty {
            self.append(&frame.out)?;
        }
        Ok(n_bytes)
    }

    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        Ok(self.log.sync()?)
    }

    fn append(&mut self, frame: &[u8]) -> Result<(), StoreError> {
        self.log.append(frame)?;
        self.bytes += frame.len() as u64;
        Ok(())
    }
}

struct PagesFrame {
    out: Vec<u8>,
    before: LastId,
    is_empty: bool,
}

impl PagesFrame {
    fn begin(checkpoint: u64) -> Self {
        let mut out = vec![KIND_PAGES];
        out.put_varint(checkpoint);
        Self {
            out,
            before: LastId::default(),
            is_empty: true,
        }
    }

    fn push(&mut self, id: SeriesId, pages: &[Page]) {
        self.is_empty = false;
        self.before.put(id, &mut self.out);
        self.out.put_varint(pages.len() as u64);
        pages.iter().for_each(|page| put_page(page, &mut self.out));
    }
}

/// The id before the next one.
#[derive(Default)]
pub(crate) struct LastId(u64);

impl LastId {
    pub(crate) fn put(&mut self, id: SeriesId, out: &mut Vec<u8>) {
        for shift in [0, 32] {
            let half = |id: u64| i64::from((id >> shift) as u32);
            out.put_signed(half(id.0) - half(self.0));
        }
        self.0 = id.0;
    }

    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Option<SeriesId> {
        let mut id = 0;
        for shift in [0, 32] {
            let before = i64::from((self.0 >> shift) as u32);
            let half = u32::try_from(before.checked_add(reader.signed()?)?).ok()?;
            id |= u64::from(half) << shift;
        }
        self.0 = id;
        Some(SeriesId(id))
    }
}

pub(crate) fn put_page(page: &Page, out: &mut Vec<u8>) {
    out.put_signed(page.first_at);
    out.put_varint(page.last_at.wrapping_sub(page.first_at) as u64);
    out.put_bytes(&page.bytes);
}

pub(crate) fn read_page(reader: &mut Reader<'_>) -> Option<Page> {
    let first_at = reader.signed()?;
    Some(Page {
        first_at,
        last_at: first_at.wrapping_add(reader.varint()? as i64),
        bytes: reader.bytes()?.into(),
    })
}

/// Reads how many pages there are, and the pages.
pub(crate) fn read_pages(reader: &mut Reader<'_>) -> Option<Vec<Page>> {
    let n_pages = reader.count()?;
    let mut pages = Vec::with_capacity(n_pages);
    for _ in 0..n_pages {
        pages.push(read_page(reader)?);
    }
    Some(pages)
}

/// How many of these series, which are some, share a frame.
fn n_in_frame(cells: &[&Arc<Cell>]) -> usize {
    let mut bytes = 0;
    let fits = |cell: &&&Arc<Cell>| {
        let labels = cell.labels.iter();
        bytes += labels
            .map(|it| it.name.len() + it.value.len())
            .sum::<usize>();
        bytes <= FRAME_BYTES
    };
    let n = cells.iter().take(SERIES_PER_FRAME).take_while(fits).count();
    n.max(1)
}

/// A *series* frame.
fn list(cells: &[&Arc<Cell>]) -> Vec<u8> {
    let (mut names, mut n_names) = (Vec::new(), 0_u64);
    let (mut pairs, mut n_pairs) = (Vec::new(), 0_u64);
    let (mut series, mut before) = (Vec::new(), LastId::default());
    let mut place_of_name = Places::default();
    let mut place_of_pair = Places::default();
    for cell in cells {
        before.put(cell.id, &mut series);
        series.put_varint(cell.labels.len() as u64);
        for label in cell.labels.iter() {
            // Pairs are shared, and so are names: where they are says which they are.
            let pair = *place_of_pair
                .entry(ptr::from_ref::<Label>(label).addr())
                .or_insert_with(|| {
                    let name = *place_of_name
                        .entry(label.name.as_ptr().addr())
                        .or_insert_with(|| {
                            names.put_bytes(label.name.as_bytes());
                            n_names += 1;
                            n_names - 1
                        });
                    pairs.put_varint(name);
                    pairs.put_bytes(label.value.as_bytes());
                    n_pairs += 1;
                    n_pairs - 1
                });
            series.put_varint(pair);
        }
    }
    let mut out = vec![KIND_SERIES];
    out.put_varint(n_names);
    out.extend_from_slice(&names);
    out.put_varint(n_pairs);
    out.extend_from_slice(&pairs);
    out.extend_from_slice(&series);
    out
}

type Places = HashMap<usize, u64, BuildHasherDefault<LabelHasher>>;

/// What a frame says.
pub(crate) trait Listener {
    fn index(&mut self) -> &mut Index;
    /// A series, unless its slot or its labels went to a younger one.
    fn listed(&mut self, id: SeriesId, cell: Option<Arc<Cell>>);
    /// Pages of a series of a checkpoint.
    fn logged(&mut self, checkpoint: u64, id: SeriesId, pages: Vec<Page>);
}

/// Reads a frame. `None` when it says what cannot be.
pub(crate) fn replay(frame: &[u8], to: &mut dyn Listener) -> Option<()> {
    let mut reader = Reader(frame);
    match reader.byte()? {
        KIND_SERIES => replay_series(reader, to),
        KIND_PAGES => {
            let checkpoint = reader.varint()?;
            let mut before = LastId::default();
            while !reader.is_empty() {
                let id = before.read(&mut reader)?;
                to.logged(checkpoint, id, read_pages(&mut reader)?);
            }
            Some(())
        }
        _ => None,
    }
}

fn replay_series(mut reader: Reader<'_>, to: &mut dyn Listener) -> Option<()> {
    let mut names: Vec<&str> = Vec::new();
    for _ in 0..reader.count()? {
        names.push(reader.text()?);
    }
    let mut found = Vec::new();
    let mut comers = Comers::new(to.index());
    for _ in 0..reader.count()? {
        let name = names.get(usize::try_from(reader.varint()?).ok()?)?;
        comers.add_pair(name, reader.text()?);
    }
    let (mut before, mut places) = (LastId::default(), Vec::new());
    while !reader.is_empty() {
        let id = before.read(&mut reader)?;
        places.clear();
        for _ in 0..reader.count()? {
            places.push(usize::try_from(reader.varint()?).ok()?);
        }
        found.push((id, comers.make_as(id, &places)));
    }
    drop(comers);
    found.into_iter().for_each(|(id, cell)| to.listed(id, cell));
    Some(())
}

const KIND_SERIES: u8 = 1;
const KIND_PAGES: u8 = 2;
/// So many series share a frame.
const SERIES_PER_FRAME: usize = 1 << 11;
/// A frame of pages is written when it is longer than this, and of series before their labels are.
const FRAME_BYTES: usize = 1 << 20;
