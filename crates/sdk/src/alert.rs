//! Alerts, as Alertmanager's API (version 2) takes them.

use crate::clock::rfc3339;
use crate::value::{Value, write_json_text};

/// One alert. Its caller has redacted it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Alert {
    /// With `alertname`.
    pub labels: Vec<(String, String)>,
    /// For people.
    pub annotations: Vec<(String, String)>,
    /// Nanoseconds since 1970.
    pub starts_at: u64,
    /// Nanoseconds since 1970: it fires until then.
    pub ends_at: Option<u64>,
    /// Where it comes from.
    pub generator_url: String,
}

impl Alert {
    /// What has no value is left out.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\"labels\":");
        write_map(&self.labels, &mut out);
        out.push_str(",\"annotations\":");
        write_map(&self.annotations, &mut out);
        let mut text = |key: &str, value: &str| {
            out.push_str(key);
            write_json_text(value, &mut out);
        };
        text(",\"startsAt\":", &rfc3339(self.starts_at));
        if let Some(ends_at) = self.ends_at {
            text(",\"endsAt\":", &rfc3339(ends_at));
        }
        if !self.generator_url.is_empty() {
            text(",\"generatorURL\":", &self.generator_url);
        }
        out.push('}');
        out
    }
}

fn write_map(pairs: &[(String, String)], out: &mut String) {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    let map = pairs.map(|(key, value)| (key.clone(), Value::Text(value.clone())));
    Value::Map(map.collect()).write_json(out);
}
