//! Bodies of remote write 2, compressed and not.
#![no_main]

use firebell_wire::remote_write::WriteRequest;
use firebell_wire::remote_write2::SeriesReader;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let plain = WriteRequest::from_decoded(body.to_vec());
    for request in WriteRequest::decode(body, 1 << 20).into_iter().chain([plain]) {
        let Ok(mut reader) = SeriesReader::new(&request) else {
            continue;
        };
        while let Ok(Some(series)) = reader.next_series() {
            let _ = (series.labels(), series.text());
            for sample in series.histograms {
                let spans = &sample.histogram.positive.spans;
                let named: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
                assert_eq!(named, sample.histogram.positive.counts.len() as u64);
            }
        }
    }
});
