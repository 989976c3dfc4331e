//! OpenTelemetry metrics in protobuf, with and without what options change.
#![no_main]

use firebell_wire::otlp::{Deltas, Encoding, Options, read};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let mut deltas = Deltas::default();
    let other = Options {
        to_custom: true,
        promote_scope: true,
        adds_deltas: true,
        ..Options::default()
    };
    for options in [&Options::default(), &other, &other] {
        let mut n_items = 0;
        let _ = read(body, Encoding::Protobuf, options, &mut deltas, |_| n_items += 1);
        assert!(n_items <= 2000 + 100 * body.len());
    }
});
