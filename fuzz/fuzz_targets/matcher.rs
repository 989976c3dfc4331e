//! Matchers as people write them in filters and routes.
#![no_main]

use firebell_model::Matcher;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(matcher) = Matcher::parse(text) {
        let _ = matcher.matches_value(text);
    }
});
