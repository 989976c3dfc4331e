//! OpenTelemetry spans and log records, in protobuf and JSON: the first byte says which.
#![no_main]

use firebell_telemetry::{LogRecord, Span};
use firebell_wire::otlp::{ContextRecord, Encoding, read_context};

fn check<R: ContextRecord>(body: &[u8], encoding: Encoding) {
    if let Ok(context) = read_context::<R>(body, encoding) {
        let n_records: usize = context.kept.iter().map(|(_, records)| records.len()).sum();
        assert!(n_records <= body.len());
        for (_, records) in &context.kept {
            for record in records {
                // What is kept is read back as it was.
                let written = serde_json::to_vec(record).unwrap();
                let read: R = serde_json::from_slice(&written).unwrap();
                assert_eq!(serde_json::to_vec(&read).unwrap(), written);
            }
        }
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((kind, body)) = input.split_first() else {
        return;
    };
    match kind % 4 {
        0 => check::<Span>(body, Encoding::Protobuf),
        1 => check::<LogRecord>(body, Encoding::Protobuf),
        2 => check::<Span>(body, Encoding::Json),
        _ => check::<LogRecord>(body, Encoding::Json),
    }
});
