//! Prometheus remote write 2: as version 1, with each text once, in a table of symbols.
//!
//! *Invariants*: as [`crate::remote_write`]'s, whose [`WrittenSeries`] this gives too.
//!
//! *Sources*: the remote write 2.0 specification; Prometheus, `prompb/io/prometheus/write/v2`.

use firebell_model::{Exemplar, Labels, Metadata, Timestamp};

use crate::protobuf::{Malformed, Message};
use crate::remote_write::{
    RemoteWriteError, SeriesParts, WrittenSeries, decompress, metric_kind, read_sample,
};

/// The body of a write request, decompressed.
#[derive(Debug)]
pub struct WriteRequest {
    bytes: Vec<u8>,
}

impl WriteRequest {
    /// Decompresses a body of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// When the body is no snappy block, or is too large. Nothing is allocated before the size is
    /// known to fit.
    pub fn decode(body: &[u8], bytes_max: usize) -> Result<Self, RemoteWriteError> {
        let bytes = decompress(body, bytes_max)?;
        Ok(Self { bytes })
    }

    /// A request that is not compressed.
    #[must_use]
    pub fn from_decoded(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Reads the symbols, then begins to read the series.
    ///
    /// # Errors
    /// When the request is malformed, or has more than [`SYMBOLS_MAX`] symbols.
    pub fn series(&self) -> Result<SeriesReader<'_>, RemoteWriteError> {
        let mut symbols = Vec::new();
        let mut message = Message::new(&self.bytes);
        while let Some((number, value)) = message.next_field()? {
            if number == SYMBOLS {
                symbols.push(value.text()?);
            }
            if symbols.len() > SYMBOLS_MAX {
                return Err(Malformed("it has too many symbols").into());
            }
        }
        if symbols.first().is_some_and(|first| !first.is_empty()) {
            return Err(Malformed("its first symbol is not the empty text").into());
        }
        Ok(SeriesReader {
            message: Message::new(&self.bytes),
            symbols,
            refs: Vec::new(),
            series: SeriesParts::default(),
        })
    }
}

/// Reads a request series by series: `while let Some(series) = reader.next_series()? { … }`.
#[derive(Debug)]
pub struct SeriesReader<'a> {
    message: Message<'a>,
    symbols: Vec<&'a str>,
    refs: Vec<u64>,
    series: SeriesParts<'a>,
}

impl<'a> SeriesReader<'a> {
    /// The next series; `None` at the end.
    ///
    /// # Errors
    /// When the request is malformed; a caller that wants nothing of it stored collects first.
    pub fn next_series(&mut self) -> Result<Option<WrittenSeries<'_, 'a>>, RemoteWriteError> {
        while let Some((number, value)) = self.message.next_field()? {
            if number == TIMESERIES {
                self.read(value.message()?)?;
                return Ok(Some(self.series.written()));
            }
        }
        Ok(None)
    }

    fn read(&mut self, mut message: Message<'a>) -> Result<(), Malformed> {
        self.series.clear();
        self.refs.clear();
        while let Some((number, value)) = message.next_field()? {
            match number {
                1 => value.varints(|number| number, &mut self.refs)?,
                2 => self.series.samples.push(read_sample(value.bytes()?)?),
                3 => self.series.push_histogram(value.bytes()?)?,
                4 => {
                    let exemplar = self.exemplar(value.message()?)?;
                    self.series.exemplars.push(exemplar);
                }
                5 => self.series.metadata = Some(self.metadata(value.message()?)?),
                _ => {}
            }
        }
        let (symbols, refs) = (&self.symbols, &self.refs);
        pairs(symbols, refs, &mut self.series.labels)
    }

    fn exemplar(&self, mut message: Message<'a>) -> Result<Exemplar, Malformed> {
        let (mut refs, mut labels) = (Vec::new(), Vec::new());
        let (mut value, mut at) = (0.0, Timestamp(0));
        while let Some((number, field)) = message.next_field()? {
            match number {
                1 => field.varints(|number| number, &mut refs)?,
                2 => value = field.double()?,
                3 => at = Timestamp(field.int()?),
                _ => {}
            }
        }
        pairs(&self.symbols, &refs, &mut labels)?;
        let labels = Labels::from_pairs(labels);
        Ok(Exemplar { labels, value, at })
    }

    fn metadata(&self, mut message: Message<'a>) -> Result<Metadata, Malformed> {
        let mut metadata = Metadata::default();
        while let Some((number, field)) = message.next_field()? {
            match number {
                1 => metadata.kind = metric_kind(field.varint()?),
                3 => metadata.help = symbol(&self.symbols, field.varint()?)?.into(),
                4 => metadata.unit = symbol(&self.symbols, field.varint()?)?.into(),
                _ => {}
            }
        }
        Ok(metadata)
    }
}

fn pairs<'a>(
    symbols: &[&'a str],
    refs: &[u64],
    out: &mut Vec<(&'a str, &'a str)>,
) -> Result<(), Malformed> {
    let (refs, rest) = refs.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Malformed("a label has a name and no value"));
    }
    for [name, value] in refs {
        out.push((symbol(symbols, *name)?, symbol(symbols, *value)?));
    }
    Ok(())
}

fn symbol<'a>(symbols: &[&'a str], number: u64) -> Result<&'a str, Malformed> {
    let found = usize::try_from(number).ok().and_then(|idx| symbols.get(idx));
    found.copied().ok_or(Malformed("it refers to a symbol that it does not have"))
}

/// Symbols that a request may have: about 16 MiB of references. Prometheus sends some thousands.
pub const SYMBOLS_MAX: usize = 1 << 20;
/// Field number of `Request.symbols`.
const SYMBOLS: u64 = 4;
/// Field number of `Request.timeseries`.
const TIMESERIES: u64 = 5;
