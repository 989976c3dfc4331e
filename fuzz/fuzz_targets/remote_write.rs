//! Remote-write bodies, compressed and not.
#![no_main]

use firebell_wire::remote_write::WriteRequest;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let plain = WriteRequest::from_decoded(body.to_vec());
    for request in WriteRequest::decode(body, 1 << 20).into_iter().chain([plain]) {
        let mut reader = request.series();
        while let Ok(Some(series)) = reader.next_series() {
            let _ = series.labels();
        }
    }
});
