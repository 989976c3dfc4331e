//! PromQL: what parses prints to a text that reads as the same expression.
#![no_main]

#[path = "../../crates/promql/tests/outline/mod.rs"]
mod outline;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(expr) = firebell_promql::parse(text) {
        outline::check_round_trip(&expr);
    }
});
