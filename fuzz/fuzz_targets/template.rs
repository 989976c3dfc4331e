//! Templates of annotations: compiled, then expanded.
#![no_main]

use firebell_model::{Labels, SampleValue, Timestamp};
use firebell_template::{AlertData, Template};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(template) = Template::compile(text) else {
        return;
    };
    let labels = Labels::from_pairs([("instance", "db:5432"), ("job", "db")]);
    let data = AlertData {
        labels: &labels,
        external_labels: &labels,
        external_url: "http://127.0.0.1:9494",
        value: &SampleValue::Float(0.25),
        now: Timestamp(1_700_000_000_000),
    };
    let _ = template.expand(&data, &|_, _| Err("no series here".to_owned()));
});
