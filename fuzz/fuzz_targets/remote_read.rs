//! Requests for raw samples, compressed and not.
#![no_main]

use firebell_wire::remote_read::ReadRequest;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let _ = ReadRequest::decode(body);
    let _ = ReadRequest::from_decoded(body);
});
