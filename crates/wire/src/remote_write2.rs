//! Prometheus remote write 2: as version 1, with each text once, in a table of symbols.
//!
//! *Invariants*: as [`crate::remote_write`]'s, whose [`WrittenSeries`] this gives too.
//!
//! *Sources*: the remote write 2.0 specification; Prometheus, `prompb/io/prometheus/write/v2`.

use firebell_model::{Exemplar, Labels, Metadata, Timestamp};

use crate::protobuf::{Malformed, Message};
use crate::remote_write::{
    LABELS_MAX, RemoteWriteError, SeriesParts, WriteRequest, WrittenSeries, metric_kind,
};

/// Reads a request, the same [`WriteRequest`] as version 1 has, series by series: `while let Some(series) = reader.next_series()? { … }`.
#[derive(Debug)]
pub struct SeriesReader<'a> {
    message: Message<'a>,
    symbols: Vec<&'a str>,
    refs: Vec<u64>,
    series: SeriesParts<'a>,
}

impl<'a> SeriesReader<'a> {
    /// Reads the symbols of a request, then begins to read the series.
    ///
    /// # Errors
    /// When the request is malformed, or has more than [`SYMBOLS_MAX`] symbols.
    pub fn new(request: &'a WriteRequest) -> Result<Self, RemoteWriteError> {
        let mut symbols = Vec::new();
        let mut message = request.message();
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
        Ok(Self {
            message: request.message(),
            symbols,
            refs: Vec::new(),
            series: SeriesParts::default(),
        })
    }

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
        self.series.start()?;
        self.refs.clear();
        while let Some((number, value)) = message.next_field()? {
            match number {
                1 => value.varints(|number| number, &mut self.refs)?,
                2 => {
                    let bytes = value.bytes()?;
                    self.begin(SAMPLE_START, bytes)?;
                    self.series.push_sample(bytes)?;
                }
                3 => {
                    let bytes = value.bytes()?;
                    self.begin(HISTOGRAM_START, bytes)?;
                    self.series.push_histogram(bytes)?;
                }
                CREATED => self.series.created = time_of(value.int()?),
                4 => {
                    let exemplar = self.exemplar(value.message()?)?;
                    self.series.push_exemplar(exemplar)?;
                }
                5 => {
                    let metadata = self.metadata(value.message()?)?;
                    self.series.set_metadata(metadata)?;
                }
                _ => {}
            }
        }
        let (symbols, refs) = (&self.symbols, &self.refs);
        pairs(symbols, refs, &mut self.series.labels)
    }

    /// Notes when the series began, as its first sample or histogram says it.
    fn begin(&mut self, field: u64, bytes: &[u8]) -> Result<(), Malformed> {
        let is_first = self.series.samples.is_empty() && self.series.histograms.is_empty();
        if is_first && self.series.created.is_none() {
            let mut message = Message::new(bytes);
            while let Some((number, value)) = message.next_field()? {
                if number == field {
                    self.series.created = time_of(value.int()?);
                }
            }
        }
        Ok(())
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
                // Every series may refer to the same long text.
                3 => metadata.help = Metadata::kept(symbol(&self.symbols, field.varint()?)?).into(),
                4 => metadata.unit = Metadata::kept(symbol(&self.symbols, field.varint()?)?).into(),
                _ => {}
            }
        }
        Ok(metadata)
    }
}

/// A moment; none when nothing is said.
fn time_of(millis: i64) -> Option<Timestamp> {
    (millis != 0).then_some(Timestamp(millis))
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
    // One too many are enough to refuse the series.
    for [name, value] in refs.iter().take(LABELS_MAX + 1) {
        out.push((symbol(symbols, *name)?, symbol(symbols, *value)?));
    }
    Ok(())
}

fn symbol<'a>(symbols: &[&'a str], number: u64) -> Result<&'a str, Malformed> {
    let found = usize::try_from(number)
        .ok()
        .and_then(|idx| symbols.get(idx));
    found
        .copied()
        .ok_or(Malformed("it refers to a symbol that it does not have"))
}

/// Symbols that a request may have: about 16 MiB of references. Prometheus sends some thousands.
pub const SYMBOLS_MAX: usize = 1 << 20;
/// Field numbers of when a series began: `TimeSeries.created_timestamp`, and in the newest version of
/// the protocol `Sample.start_timestamp` and `Histogram.start_timestamp`.
const CREATED: u64 = 6;
const SAMPLE_START: u64 = 3;
const HISTOGRAM_START: u64 = 17;
/// Field number of `Request.symbols`.
const SYMBOLS: u64 = 4;
/// Field number of `Request.timeseries`.
const TIMESERIES: u64 = 5;

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use firebell_model::HistogramSample;

    use super::*;
    use crate::protobuf::Writer;

    const SYMBOLS_USED: [&str; 8] = [
        "",
        "__name__",
        "up",
        "job",
        "db",
        "trace_id",
        "abc",
        "Whether it is up.",
    ];

    fn check(series: &[fn(&mut Writer)], expected: &Expect) {
        let body = Writer::of(|request| {
            for series in series {
                request.message(5, *series);
            }
            for symbol in SYMBOLS_USED {
                request.text(4, symbol);
            }
        });
        expected.assert_eq(&read(&body).unwrap_or_else(|error| format!("{error}\n")));
    }

    fn read(body: &[u8]) -> Result<String, RemoteWriteError> {
        let body = snap::raw::Encoder::new().compress_vec(body).unwrap();
        let request = WriteRequest::decode(&body, 10_000)?;
        let mut reader = SeriesReader::new(&request)?;
        let mut text = String::new();
        while let Some(series) = reader.next_series()? {
            text += &format!("{}\n", series.text());
            for sample in series.samples {
                text += &format!("  {} @{}\n", sample.value, sample.at.0);
            }
            for HistogramSample { at, histogram } in series.histograms {
                text += &format!("  {histogram:?} @{}\n", at.0);
            }
            for why in series.invalid_histograms {
                text += &format!("  invalid: {why}\n");
            }
            for exemplar in series.exemplars {
                let Exemplar { labels, value, at } = exemplar;
                text += &format!("  {labels} {value} @{}\n", at.0);
            }
            if let Some(Metadata { kind, help, unit }) = series.metadata {
                text += &format!("  {} {help:?} {unit:?}\n", kind.name());
            }
        }
        Ok(text)
    }

    #[test]
    fn a_series_has_its_texts_from_the_table() {
        let series = |series: &mut Writer| {
            series.varints(1, [1, 2, 3, 4]);
            series.message(2, |sample| {
                sample.double(1, 1.5);
                sample.varint(2, 7);
            });
            series.message(4, |exemplar| {
                exemplar.varints(1, [5, 6]);
                exemplar.double(2, 0.5);
                exemplar.varint(3, 6);
            });
            series.message(5, |metadata| {
                metadata.varint(1, 2);
                metadata.varint(3, 7);
                metadata.varint(4, 0);
            });
        };
        check(
            &[series],
            &expect![[r#"
                up{job="db"}
                  1.5 @7
                  {trace_id="abc"} 0.5 @6
                  gauge "Whether it is up." ""
            "#]],
        );
        check(
            &[|series| series.varints(1, [1, 2, 3])],
            &expect![[r#"
            failed to read the write request: a label has a name and no value
        "#]],
        );
        check(
            &[|series| series.varints(1, [1, 8])],
            &expect![[r#"
            failed to read the write request: it refers to a symbol that it does not have
        "#]],
        );
    }

    /// A histogram with one span of three buckets, and what `change` makes of it.
    fn histogram(series: &mut Writer, change: fn(&mut Writer)) {
        series.message(3, |histogram| {
            histogram.varint(1, 6);
            histogram.double(3, 18.5);
            histogram.sint(4, 1);
            histogram.double(5, 0.001);
            histogram.varint(6, 1);
            histogram.message(11, |span| {
                span.sint(1, -1);
                span.varint(2, 3);
            });
            histogram.varints(12, [2, 4, 3]);
            histogram.varint(15, 9);
            change(histogram);
        });
    }

    #[test]
    fn histograms_have_absolute_counts_and_are_checked() {
        check(
            &[
                |series| histogram(series, |_| {}),
                |series| histogram(series, |it| it.sint(4, 9)),
                |series| histogram(series, |it| it.varint(1, 8)),
                |series| histogram(series, |it| it.varints(12, [0])),
                |series| histogram(series, |it| it.sint(4, -53)),
                |series| histogram(series, |it| it.sint(4, 60)),
                |series| histogram(series, |it| it.double(2, 7.0)),
            ],
            &expect![[r#"
                {}
                  Histogram { reset_hint: Unknown, schema: 1, zero_threshold: 0.001, zero_count: 1.0, count: 6.0, sum: 18.5, positive: Buckets { spans: [BucketSpan { offset: -1, length: 3 }], counts: [1.0, 3.0, 1.0] }, negative: Buckets { spans: [], counts: [] }, custom_bounds: [] } @9
                {}
                  Histogram { reset_hint: Unknown, schema: 8, zero_threshold: 0.001, zero_count: 1.0, count: 6.0, sum: 18.5, positive: Buckets { spans: [BucketSpan { offset: 0, length: 2 }], counts: [4.0, 1.0] }, negative: Buckets { spans: [], counts: [] }, custom_bounds: [] } @9
                {}
                  invalid: 6 observations found in buckets, but the Count field is 8: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)
                {}
                  invalid: positive side: spans need 3 buckets, have 4 buckets: histogram spans specify different number of buckets than provided
                {}
                  invalid: histogram custom bounds are too few
                {}
                  invalid: histogram has an invalid schema 60
                {}
                  invalid: positive side: spans need 3 buckets, have 0 buckets: histogram spans specify different number of buckets than provided
            "#]],
        );
    }
}
