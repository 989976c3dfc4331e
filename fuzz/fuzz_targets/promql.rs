//! PromQL: what parses prints to a text that parses.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(expr) = firebell_promql::parse(text) {
        let printed = expr.to_string();
        // Not the same text: upstream prints `inf ^ x` as `+Inf ^ x`, whose sign is then an operator.
        assert!(firebell_promql::parse(&printed).is_ok(), "{printed}");
    }
});
