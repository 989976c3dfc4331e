//! Text files: OpenMetrics, and the older exposition format, with a timestamp on every line.
//!
//! A file is read piece by piece. A line that is wrong is named and left out, and the next one is
//! read.
//!
//! *Sources*: Prometheus, `cmd/promtool/backfill.go`: what `create-blocks-from openmetrics` takes.

use firebell_disk::Disk;
use firebell_model::Sample;
use firebell_tsdb::StoreError;
use firebell_wire::exposition::{Entry, Format, Parser, SampleLine};

use crate::Importer;
use crate::content::Content;
use crate::importer::PROBLEMS_MAX;
use crate::journal::Place;
use crate::series::Gathered;

/// The format of a text file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextFormat {
    /// OpenMetrics: seconds, and `# EOF` at the end.
    OpenMetrics,
    /// OpenMetrics when the file ends with `# EOF`, otherwise the text format: milliseconds.
    Guess,
}

/// A file that is being read.
struct Reading<'s> {
    disk: &'s dyn Disk,
    path: &'s str,
    source: &'s str,
    len: u64,
    format: Format,
    /// The next byte, and the line that it is in, from 1.
    at: u64,
    line: usize,
    /// The last `# TYPE` line: what it says holds for the next piece too.
    type_line: String,
    gathered: Gathered,
    n_bad_lines: usize,
}

impl Importer<'_> {
    /// Imports the file `path` of `disk`, which has `len` bytes; `source` is what messages call it.
    ///
    /// # Errors
    /// When the store fails. What is wrong with the file is in the report.
    pub fn text(
        &mut self,
        disk: &dyn Disk,
        path: &str,
        (len, format): (u64, TextFormat),
        source: &str,
    ) -> Result<(), StoreError> {
        let content = match Content::of(disk, path, len) {
            Ok(content) => content,
            Err(why) => {
                self.report.sources_bad += 1;
                self.report.problem(source, &why);
                return Ok(());
            }
        };
        let has_end = content
            .tail
            .trim_ascii_end()
            .ends_with(END.trim_ascii_end());
        let is_open_metrics = has_end || format == TextFormat::OpenMetrics;
        // Read as the other format, the same bytes say something else.
        let name = match is_open_metrics {
            true => "openmetrics",
            false => "text",
        };
        let key = format!("{name} {path} {len} all {:016x}", content.hash);
        let Some(place) = self.begin(&key, source) else {
            return Ok(());
        };
        if is_open_metrics && !has_end {
            let what = "the data does not end with `# EOF`: it may have been cut off";
            self.report.problem(source, what);
        }
        let mut reading = Reading {
            disk,
            path,
            source,
            len,
            format: if is_open_metrics {
                Format::OpenMetrics
            } else {
                Format::Text
            },
            at: place.at,
            line: place.line.max(1),
            type_line: place.type_line,
            gathered: Gathered::default(),
            n_bad_lines: 0,
        };
        self.read_text(&mut reading, &key)
    }

    fn read_text(&mut self, reading: &mut Reading<'_>, key: &str) -> Result<(), StoreError> {
        loop {
            let has_more = match reading.piece() {
                Ok(Some(piece)) => {
                    self.read_piece(reading, piece);
                    reading.n_bad_lines <= PROBLEMS_MAX
                }
                Ok(None) => false,
                Err(why) => {
                    self.report.problem(reading.source, &why);
                    false
                }
            };
            self.tell(reading.source, (reading.at, reading.len));
            let is_full = reading.gathered.bytes() > GATHERED_BYTES_MAX;
            if has_more && !is_full {
                continue;
            }
            let report = &mut self.report;
            reading.gathered.write(self.store, reading.source, report)?;
            let place = Place {
                at: reading.at,
                line: reading.line,
                type_line: reading.type_line.clone(),
                is_done: !has_more,
                ..Place::default()
            };
            self.note(key, place)?;
            if !has_more {
                let is_done = reading.at >= reading.len;
                let report = &mut self.report;
                report.sources += u64::from(is_done);
                report.sources_bad += u64::from(!is_done);
                return Ok(());
            }
        }
    }

    /// Reads the lines of a piece.
    fn read_piece(&mut self, reading: &mut Reading<'_>, piece: Vec<u8>) {
        let n_lines = piece.iter().filter(|&&byte| byte == b'\n').count();
        let first_line = reading.line;
        let mut rest = piece.as_slice();
        let mut line = first_line;
        while !rest.is_empty() {
            let Some((bad_line, what)) = reading.lines(rest) else {
                break;
            };
            let line_of = line + bad_line.max(1) - 1;
            self.report
                .problem(reading.source, &format!("line {line_of}: {what}"));
            reading.n_bad_lines += 1;
            if reading.n_bad_lines > PROBLEMS_MAX {
                self.report
                    .problem(reading.source, "too many bad lines: given up");
                return;
            }
            rest = behind_line(rest, bad_line.max(1));
            line = line_of + 1;
        }
        reading.line = first_line + n_lines;
    }
}

impl Reading<'_> {
    /// The next whole lines; `None` at the end.
    fn piece(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut want = PIECE_BYTES;
        loop {
            let read = self.disk.read_at(self.path, self.at, want);
            let mut piece = read.map_err(|error| error.why)?;
            if piece.is_empty() {
                self.at = self.len.max(self.at);
                return Ok(None);
            }
            let is_last = piece.len() < want || self.at + piece.len() as u64 >= self.len;
            let whole = match piece.iter().rposition(|&byte| byte == b'\n') {
                _ if is_last => piece.len(),
                Some(line_end) => line_end + 1,
                None if want < LINE_BYTES_MAX => {
                    want *= 2;
                    continue;
                }
                None => {
                    let line = self.line;
                    return Err(format!("line {line} is longer than {LINE_BYTES_MAX} bytes"));
                }
            };
            piece.truncate(whole);
            self.at += whole as u64;
            return Ok(Some(piece));
        }
    }

    /// Reads lines up to the first bad one, which is returned with its number from 1.
    fn lines(&mut self, lines: &[u8]) -> Option<(usize, String)> {
        // The parser wants a whole body: what came before it, and its end.
        let has_type = !self.type_line.is_empty();
        let mut body = Vec::with_capacity(lines.len() + self.type_line.len() + END.len() + 1);
        body.extend_from_slice(self.type_line.as_bytes());
        body.extend_from_slice(lines);
        let has_end = lines.ends_with(END.trim_ascii_end()) || lines.ends_with(END);
        if self.format == Format::OpenMetrics && !has_end {
            if !lines.ends_with(b"\n") {
                body.push(b'\n');
            }
            body.extend_from_slice(END);
        }
        let number = |line: usize| line - usize::from(has_type);
        let mut parser = match Parser::new(&body, self.format) {
            Ok(parser) => parser,
            Err(error) => {
                // What is not UTF-8 is one line; those before it are read all the same.
                let bad_line = number(error.line).max(1);
                let before = lines.len() - behind_line(lines, bad_line - 1).len();
                let sooner = if before > 0 {
                    self.lines(&lines[..before])
                } else {
                    None
                };
                return sooner.or(Some((bad_line, error.message)));
            }
        };
        let mut n_entries = 0;
        loop {
            match parser.next_entry() {
                Ok(None) => return None,
                Ok(Some(Entry::Sample(line))) => {
                    if let Err(what) = push(&mut self.gathered, &line) {
                        let before = line.series.text().as_ptr() as usize - body.as_ptr() as usize;
                        let n = body[..before].iter().filter(|&&byte| byte == b'\n').count();
                        return Some((number(n + 1), what));
                    }
                }
                Ok(Some(Entry::Type { metric, kind })) if n_entries > 0 || !has_type => {
                    let word = match (kind.name(), self.format) {
                        ("unknown", Format::Text) => "untyped",
                        (word, _) => word,
                    };
                    self.type_line = format!("# TYPE {:?} {word}\n", &*metric);
                }
                Ok(Some(_)) => {}
                Err(error) => return Some((number(error.line), error.message)),
            }
            n_entries += 1;
        }
    }
}

/// Takes a line; the error says why it is none to import.
fn push(gathered: &mut Gathered, line: &SampleLine<'_, '_>) -> Result<(), String> {
    let Some(at) = line.at else {
        let labels = line
            .series
            .labels()
            .map_or_else(|name| name, |it| it.to_string());
        return Err(format!("expected timestamp for series {labels}, got none"));
    };
    let value = line.value;
    let labels = || {
        let labels = line.series.labels();
        labels.map_err(|name| format!("label `{name}` occurs twice"))
    };
    gathered.push(line.series.text(), labels, Sample { at, value })
}

fn behind_line(text: &[u8], n_lines: usize) -> &[u8] {
    let mut rest = text;
    for _ in 0..n_lines {
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            return &[];
        };
        rest = &rest[end + 1..];
    }
    rest
}

const END: &[u8] = b"# EOF\n";
const PIECE_BYTES: usize = 1 << 20;
/// A longer line is damage.
const LINE_BYTES_MAX: usize = 64 << 20;
/// So much of a file is gathered before it is written.
pub(crate) const GATHERED_BYTES_MAX: usize = 256 << 20;
