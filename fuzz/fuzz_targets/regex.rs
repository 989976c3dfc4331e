//! Regular expressions and replacements as people write them: the first line is the expression,
//! the second the replacement, the rest the text.
#![no_main]

use firebell_model::Regex;

libfuzzer_sys::fuzz_target!(|input: &str| {
    let (text, rest) = input.split_once('\n').unwrap_or((input, input));
    let (replacement, value) = rest.split_once('\n').unwrap_or((rest, rest));
    for compile in [Regex::matcher, Regex::anchored, Regex::alertmanager, Regex::unanchored] {
        if let Ok(regex) = compile(text) {
            let expanded = regex.expand(value, replacement);
            assert_eq!(regex.is_match(value), expanded.is_some());
            let _ = regex.replace_all(value, replacement, 1 << 16);
        }
    }
});
