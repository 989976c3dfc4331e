//! PromQL: what parses prints to a text that parses to the same print.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(expr) = firebell_promql::parse(text) {
        let printed = expr.to_string();
        let again = firebell_promql::parse(&printed).expect("what was printed parses");
        assert_eq!(again.to_string(), printed);
    }
});
