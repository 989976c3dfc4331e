//! Requests of version 1 as senders write them, and as nobody should.

use super::*;
use crate::protobuf::Writer;

fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    out.push(u8::try_from(bytes.len()).unwrap());
    out.extend(bytes);
}

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        field(1, name.as_bytes(), &mut label);
        field(2, value.as_bytes(), &mut label);
        field(1, &label, &mut out);
    }
    for (at, value) in samples {
        let mut sample = vec![0x09];
        sample.extend(value.to_bits().to_le_bytes());
        sample.push(0x10);
        sample.push(u8::try_from(*at).unwrap());
        field(2, &sample, &mut out);
    }
    out
}

fn read(body: &[u8]) -> Result<Vec<String>, RemoteWriteError> {
    let request = WriteRequest::decode(body, 10_000)?;
    let mut reader = request.series();
    let mut lines = Vec::new();
    while let Some(series) = reader.next_series()? {
        let (histograms, samples) = (series.histograms.len(), series.samples);
        lines.push(match series.labels() {
            Ok(labels) => format!("{labels} {samples:?} {histograms}"),
            Err(invalid) => invalid.to_string(),
        });
    }
    Ok(lines)
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

#[test]
fn series_come_one_by_one_and_bad_ones_do_not_hide_good_ones() {
    let mut body = Vec::new();
    let mut first = series(&[("job", "db"), ("__name__", "up")], &[(5, 1.5)]);
    field(4, b"", &mut first);
    field(1, &first, &mut body);
    field(3, b"\x12\x02up\x22\x04Help", &mut body);
    for labels in [
        &[("__name__", "x"), ("a", "1"), ("a", "2")][..],
        &[("job", "x")],
        &[("__name__", "x"), ("", "1")],
        &[("__name__", "y"), ("a.b", "")],
    ] {
        field(1, &series(labels, &[]), &mut body);
    }
    assert_eq!(
        read(&compressed(&body)).unwrap(),
        [
            "up{job=\"db\"} [Sample { at: Timestamp(5), value: 1.5 }] 1",
            "series `x{a=\"1\", a=\"2\"}`: label name `a` occurs twice",
            "series `{job=\"x\"}`: it has no metric name",
            "series `x{=\"1\"}`: a label has an empty name",
            "y [] 0",
        ]
    );
}

/// Some hundred KiB of empty messages would take gigabytes.
#[test]
fn a_request_has_no_more_than_it_may() {
    let read = |number, n: usize, in_series: bool| {
        let bytes = Writer::of(|request| {
            // Several series, as what there was before counts as well.
            for n in [n / 2, n - n / 2].into_iter().filter(|_| in_series) {
                let items =
                    |series: &mut Writer| (0..n).for_each(|_| series.message(number, |_| {}));
                request.message(1, items);
            }
            for _ in (0..n).filter(|_| !in_series) {
                request.message(number, |_| {});
            }
        });
        let request = WriteRequest::from_decoded(bytes);
        let mut reader = request.series();
        let mut n_read = 0;
        while let Some(series) = reader.next_series()? {
            n_read += series.samples.len() + series.histograms.len();
            n_read += series.invalid_histograms.len() + series.exemplars.len();
        }
        Ok::<_, RemoteWriteError>(n_read + reader.metadata().len())
    };
    let others = "100,000 histograms, exemplars and metadata";
    for (number, in_series, n_max, what) in [
        (2, true, SAMPLES_MAX, "1,000,000 samples"),
        (3, true, OTHERS_MAX, others),
        (4, true, OTHERS_MAX, others),
        (3, false, OTHERS_MAX, others),
    ] {
        assert_eq!(read(number, n_max, in_series), Ok(n_max), "{number} {what}");
        let refused = read(number, n_max + 1, in_series).map_err(|it| it.to_string());
        let expected = format!("failed to read the write request: it has more than {what}");
        assert_eq!(refused, Err(expected), "{number}");
    }
}

#[test]
fn series_with_nothing_in_them_are_bounded() {
    let series_of = |n| {
        let bytes = Writer::of(|request| (0..n).for_each(|_| request.message(1, |_| {})));
        let request = WriteRequest::from_decoded(bytes);
        let (mut reader, mut n_read) = (request.series(), 0);
        while reader.next_series()?.is_some() {
            n_read += 1;
        }
        Ok::<_, RemoteWriteError>(n_read)
    };
    assert_eq!(series_of(SERIES_MAX), Ok(SERIES_MAX));
    let refused = series_of(SERIES_MAX + 1).unwrap_err().to_string();
    assert!(
        refused.ends_with("it has more than 1,000,000 series"),
        "{refused}"
    );
}

/// What a byte may be eight or sixteen of in memory.
#[test]
fn lists_of_numbers_and_labels_of_exemplars_are_bounded() {
    let read = |series: &dyn Fn(&mut Writer)| {
        let request = Writer::of(|request| request.message(1, |it| series(it)));
        let request = WriteRequest::from_decoded(request);
        let mut reader = request.series();
        let read = reader.next_series();
        read.map(|it| it.map(|it| it.exemplars.len()))
            .map_err(|error| error.to_string())
    };
    let many = 100_000;
    let spans = |it: &mut Writer| (0..many).for_each(|_| it.message(11, |_| {}));
    let deltas = |it: &mut Writer| it.varints(12, (0..many).map(|_| 2));
    let list = "a list has more than 65,536 numbers or spans";
    let list = Err(format!("failed to read the write request: {list}"));
    assert_eq!(read(&|it| it.message(4, spans)), list);
    assert_eq!(read(&|it| it.message(4, deltas)), list);
    let labels = |it: &mut Writer| (0..many).for_each(|_| it.message(1, |_| {}));
    assert_eq!(read(&|it| it.message(3, labels)), Ok(Some(1)));
    // 100 histograms of 50,000 buckets.
    let wide = |it: &mut Writer| {
        it.varint(1, 50_000);
        it.message(11, |span| span.varint(2, 50_000));
        let counts = (0..50_000).map(|idx| if idx == 0 { 2 } else { 0 });
        it.varints(12, counts);
    };
    let all = |it: &mut Writer| (0..100).for_each(|_| it.message(4, wide));
    let buckets = "its histograms have more than 4,000,000 buckets";
    let buckets = Err(format!("failed to read the write request: {buckets}"));
    assert_eq!(read(&all), buckets);
}

#[test]
fn a_series_of_too_many_labels_is_not_read_to_its_end() {
    let labels = |series: &mut Writer| (0..10_000).for_each(|_| series.message(1, |_| {}));
    let request = WriteRequest::from_decoded(Writer::of(|it| it.message(1, labels)));
    let mut reader = request.series();
    let series = reader.next_series().unwrap().unwrap();
    assert_eq!(series.pairs.len(), LABELS_MAX + 1);
    assert!(series.labels().is_err());
}

#[test]
fn a_help_is_cut_at_a_character() {
    let help = "ä".repeat(4 << 10);
    let request = Writer::of(|it| it.message(3, |it| it.text(4, &format!("x{help}"))));
    let request = WriteRequest::from_decoded(request);
    let mut reader = request.series();
    assert!(reader.next_series().unwrap().is_none());
    assert_eq!(reader.metadata()[0].1.help.len(), (4 << 10) - 1);
}

#[test]
fn a_malformed_body_says_what_is_wrong() {
    let mut not_text = Vec::new();
    field(1, &[0x0a, 3, 0x0a, 1, 0xff], &mut not_text);
    for (body, expected) in [
        (vec![0xff; 3], "failed to decompress the body: snappy: "),
        (
            compressed(&[0; 10_001]),
            "the body decompresses to 10001 bytes, more than the 10000",
        ),
        (
            compressed(&[0x0a, 9, 1]),
            "failed to read the write request: it ends in the middle",
        ),
        (
            compressed(&not_text),
            "failed to read the write request: a text is not valid UTF-8",
        ),
    ] {
        let message = read(&body).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    }
}
