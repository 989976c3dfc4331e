//! Scraped bodies, in both formats.
#![no_main]

use firebell_wire::exposition::{Entry, Format, Parser};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    for format in [Format::Text, Format::OpenMetrics] {
        let Ok(mut parser) = Parser::new(body, format) else {
            return;
        };
        while let Ok(Some(entry)) = parser.next_entry() {
            if let Entry::Sample(line) = entry {
                let _ = line.series.labels();
            }
        }
    }
});
