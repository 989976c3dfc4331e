//! Remote write bodies of any bytes.

use firebell_wire::remote_write::WriteRequest;
use proptest::prelude::*;

fn read(request: &WriteRequest) {
    let mut reader = request.series();
    while let Ok(Some(series)) = reader.next_series() {
        let _ = series.labels();
    }
}

/// Two labels and a sample.
const GOOD: &[u8] = b"\x0a\x29\x0a\x0e\x0a\x08__name__\x12\x02up\x0a\x09\x0a\x03job\x12\x02db\
    \x12\x0c\x09\0\0\0\0\0\0\xf0\x3f\x10\x96\x01";

#[test]
fn the_good_body_is_good() {
    let request = WriteRequest::from_decoded(GOOD.to_vec());
    let mut reader = request.series();
    let series = reader.next_series().unwrap().unwrap();
    assert_eq!(series.labels().unwrap().to_string(), "up{job=\"db\"}");
    assert_eq!(
        (series.samples[0].value, series.samples[0].at.0),
        (1.0, 150)
    );
    assert!(reader.next_series().unwrap().is_none());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = WriteRequest::decode(&body, 1 << 20) {
            read(&request);
        }
        read(&WriteRequest::from_decoded(body));
    }

    #[test]
    fn a_good_body_with_changed_bytes_does_not_make_the_reader_panic(
        changes in prop::collection::vec((0..GOOD.len(), any::<u8>()), 1..5),
        len in 0..=GOOD.len(),
    ) {
        let mut body = GOOD.to_vec();
        for (at, byte) in changes {
            body[at] = byte;
        }
        body.truncate(len);
        read(&WriteRequest::from_decoded(body));
    }
}
