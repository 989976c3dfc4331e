//! `pushover_configs`.

use firebell_model::Duration;
use firebell_notify::{PushoverConfig, PushoverFormat};

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<PushoverConfig> {
    let user_key = options.needed_secret_text("user_key", "user_key_file");
    let token = options.needed_secret_text("token", "token_file");
    let has_keys = user_key.is_some() && token.is_some();
    let mut config = PushoverConfig::new(user_key.unwrap_or_default(), token.unwrap_or_default());
    options.set_all([
        ("title", &mut config.title),
        ("message", &mut config.message),
        ("url", &mut config.url),
        ("url_title", &mut config.url_title),
        ("device", &mut config.device),
        ("sound", &mut config.sound),
        ("priority", &mut config.priority),
    ]);
    for (name, duration) in [
        ("retry", &mut config.retry),
        ("expire", &mut config.expire),
        ("ttl", &mut config.ttl),
    ] {
        *duration = options.parsed(name, go_duration).unwrap_or(*duration);
    }
    let is_on = |name| options.bool(name).unwrap_or(false);
    config.format = match (is_on("html"), is_on("monospace")) {
        (false, false) => PushoverFormat::Plain,
        (true, false) => PushoverFormat::Html,
        (false, true) => PushoverFormat::Monospace,
        (true, true) => {
            let message = "only one of `html` and `monospace` may be there";
            options.doc.problem(options.at("monospace"), message, None);
            PushoverFormat::Plain
        }
    };
    has_keys.then_some(config)
}

/// A duration as Go writes it (`1h30m`, `1.5m`, `90s`), which Prometheus does not.
fn go_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration such as `1m30s`");
    let (mut rest, mut ms) = (text, 0.0);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let n_digits = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let (digits, after) = rest.split_at(n_digits);
        let number: f64 = digits.parse().map_err(|_| wrong())?;
        let units = [
            ("ms", 1.0),
            ("h", 3_600_000.0),
            ("m", 60_000.0),
            ("s", 1000.0),
        ];
        let mut units = units.iter();
        let found = units.find_map(|(unit, size)| Some((after.strip_prefix(unit)?, size)));
        let (after, size) = found.ok_or_else(wrong)?;
        ms += number * size;
        rest = after;
    }
    Ok(Duration(ms as i64))
}
