//! Text files: OpenMetrics, and the older exposition format, with a timestamp on every line.
//!
//! A file is read piece by piece. A line that is wrong is named and left out, and the next one is
//! read.
//!
//! *Sources*: Prometheus, `cmd/promtool/backfill.go`: what `create-blocks-from openmetrics` takes.

use firebell_disk::Disk;
use firebell_model::{Sample, Timestamp};
use firebell_tsdb::{AHEAD_MAX, StoreError};
use firebell_wire::exposition::{Entry, ExpositionError, Format, Parser, SampleLine};

use crate::Importer;
use crate::content::Content;
use crate::importer::{Report, shown};
use crate::journal::Place;
use crate::series::Gathered;

/// The format of a text file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextFormat {
    /// OpenMetrics: seconds, and `# EOF` at the end.
    OpenMetrics,
    /// OpenMetrics when the file ends with `# EOF`, otherwise the text format: milliseconds. Times
    /// that look like seconds are named and left out then: OpenMetrics that was cut off.
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
    /// The latest time that a sample may have.
    latest: Timestamp,
    early: Option<Early>,
    gathered: Gathered,
}

/// Samples of the text format that were left out, as they are probably OpenMetrics's.
struct Early {
    n_samples: u64,
    /// The first of them; 0 until it is known.
    line: usize,
    at: Timestamp,
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
            latest: self.latest,
            early: None,
            gathered: Gathered::default(),
        };
        self.read_text(&mut reading, &key)
    }

    fn read_text(&mut self, reading: &mut Reading<'_>, key: &str) -> Result<(), StoreError> {
        loop {
            let has_more = match reading.piece() {
                Ok(Some(piece)) => {
                    reading.take_piece(&unix_lines(piece), &mut self.report);
                    true
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
            if let Some(early) = reading.early.take() {
                report.refused += early.n_samples;
                report.problem(reading.source, &early.to_string());
            }
            let what = (reading.source, self.latest);
            reading.gathered.write(self.store, what, report)?;
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
                    return Err(format!(
                        "line {line} is longer than {LINE_BYTES_MAX} bytes: the rest is left out"
                    ));
                }
            };
            piece.truncate(whole);
            self.at += whole as u64;
            return Ok(Some(piece));
        }
    }

    /// Takes whole lines. What is wrong is named, line by line, and the rest is taken.
    fn take_piece(&mut self, piece: &[u8], report: &mut Report) {
        let mut rest = piece;
        while !rest.is_empty() {
            let error = std::str::from_utf8(rest).err();
            let Some(wrong_at) = error.map(|error| error.valid_up_to()) else {
                self.take_lines(rest, report);
                return;
            };
            let (before, from_wrong) = rest.split_at(wrong_at);
            let is_end = |&byte: &u8| byte == b'\n';
            let start = before.iter().rposition(is_end).map_or(0, |at| at + 1);
            let len = from_wrong.iter().position(is_end).map(|at| at + 1);
            self.take_lines(&rest[..start], report);
            let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
            let place = format!("line {}, column {column}", self.line);
            report.problem(self.source, &format!("{place}: it is not valid UTF-8"));
            self.line += 1;
            rest = &from_wrong[len.unwrap_or(from_wrong.len())..];
        }
    }

    /// Takes whole lines of UTF-8.
    fn take_lines(&mut self, lines: &[u8], report: &mut Report) {
        // The parser wants a whole body: what came before it, and its end.
        let has_type = !self.type_line.is_empty();
        let body = self.body(lines);
        let mut parser = match Parser::new(&body, self.format) {
            Ok(parser) => parser,
            Err(error) => return report.problem(self.source, &error.to_string()),
        };
        let first_line = self.line;
        let number = |line: usize| first_line + line - 1 - usize::from(has_type);
        let mut is_ours = has_type;
        loop {
            let taken = match parser.next_entry() {
                Ok(None) => break,
                Ok(Some(_)) if is_ours => Ok(()),
                Ok(Some(entry)) => self.take(&entry),
                Err(error) => {
                    let (from, until) = (number(parser.entry_line()), number(error.line));
                    let ExpositionError {
                        column, message, ..
                    } = error;
                    // A quote that is not closed may have swallowed lines: these are lost as well.
                    let place = match from == until {
                        true => format!("line {until}, column {column}"),
                        false => format!("lines {from} to {until}, column {column}"),
                    };
                    report.problem(self.source, &format!("{place}: {message}"));
                    match parser.skip_line() {
                        true => Ok(()),
                        false => break,
                    }
                }
            };
            is_ours = false;
            if let Some(early) = self.early.as_mut().filter(|it| it.line == 0) {
                early.line = number(parser.entry_line());
            }
            if let Err(what) = taken {
                report.refused += 1;
                let line = number(parser.entry_line());
                report.problem(self.source, &format!("line {line}, column 1: {what}"));
            }
        }
        self.line += lines.iter().filter(|&&byte| byte == b'\n').count();
    }

    /// Lines as the parser wants them.
    fn body(&self, lines: &[u8]) -> Vec<u8> {
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
        body
    }

    /// Takes what a line says; the error says why it is none to import.
    fn take(&mut self, entry: &Entry<'_, '_>) -> Result<(), String> {
        match entry {
            Entry::Sample(line) => self.take_sample(line),
            Entry::Type { metric, kind } => {
                let word = match (kind.name(), self.format) {
                    ("unknown", Format::Text) => "untyped",
                    (word, _) => word,
                };
                self.type_line = format!("# TYPE {:?} {word}\n", &**metric);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A sample of the far future would keep those that arrive out of its series.
    fn check_time(&self, at: Timestamp) -> Result<(), String> {
        if at <= self.latest {
            return Ok(());
        }
        let (unit, asked) = match self.format {
            Format::OpenMetrics => ("seconds", "milliseconds"),
            Format::Text => ("milliseconds", "microseconds"),
        };
        let at = shown(at);
        Err(format!(
            "as {unit}, the time would be {at}, more than {AHEAD_MAX} ahead of now: is it in {asked}?"
        ))
    }

    fn take_sample(&mut self, line: &SampleLine<'_, '_>) -> Result<(), String> {
        let Some(at) = line.at else {
            let labels = line.series.labels();
            let labels = labels.map_or_else(|name| name, |it| it.to_string());
            return Err(format!("expected timestamp for series {labels}, got none"));
        };
        self.check_time(at)?;
        if self.format == Format::Text && at < TEXT_SINCE {
            let first = Early {
                n_samples: 0,
                line: 0,
                at,
            };
            self.early.get_or_insert(first).n_samples += 1;
            return Ok(());
        }
        let value = line.value;
        let labels = || {
            let labels = line.series.labels();
            labels.map_err(|name| format!("label `{name}` occurs twice"))
        };
        let text = line.series.text();
        self.gathered.push(text, labels, Sample { at, value })
    }
}

impl std::fmt::Display for Early {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            n_samples,
            line,
            at,
        } = self;
        write!(
            f,
            "{n_samples} samples, the first in line {line}, are left out: as milliseconds, their \
             times would be before 1980 ({at}). Are they in seconds? Then it is OpenMetrics: let it \
             end with `# EOF`, or read it with `firebell import openmetrics`"
        )
    }
}

/// The lines as they are where a line ends with a line feed alone.
fn unix_lines(piece: Vec<u8>) -> Vec<u8> {
    if !piece.contains(&b'\r') {
        return piece;
    }
    let mut lines = Vec::with_capacity(piece.len());
    for line in piece.split_inclusive(|&byte| byte == b'\n') {
        let text = line.strip_suffix(b"\r\n");
        lines.extend_from_slice(text.unwrap_or(line));
        lines.extend_from_slice(if text.is_some() { b"\n" } else { b"" });
    }
    lines
}

/// The year 1980. Nothing was measured before in the text format, and all seconds of today, read as
/// milliseconds, are in 1970.
const TEXT_SINCE: Timestamp = Timestamp(315_532_800_000);
const END: &[u8] = b"# EOF\n";
const PIECE_BYTES: usize = 1 << 20;
/// A longer line is damage.
const LINE_BYTES_MAX: usize = 64 << 20;
/// So much of a file is gathered before it is written.
pub(crate) const GATHERED_BYTES_MAX: usize = 256 << 20;
