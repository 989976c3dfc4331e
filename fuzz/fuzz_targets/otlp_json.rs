//! OpenTelemetry metrics in JSON.
#![no_main]

use firebell_wire::otlp::{Deltas, Encoding, Options, read};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let options = Options::default();
    let _ = read(body, Encoding::Json, &options, &mut Deltas::default(), |_| {});
});
