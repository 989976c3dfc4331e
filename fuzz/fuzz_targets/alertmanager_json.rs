//! Bodies that clients post to the Alertmanager API.
#![no_main]

use firebell_wire::alertmanager_json::{parse_alerts, parse_silence};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let _ = parse_alerts(body);
    let _ = parse_silence(body);
});
