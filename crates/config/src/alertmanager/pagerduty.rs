//! `pagerduty_configs`.

use firebell_notify::{PagerDutyConfig, PagerDutyImage, PagerDutyKey, PagerDutyLink, SecretText};

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<PagerDutyConfig> {
    let service = options.secret_text("service_key", "service_key_file");
    let routing = options.secret_text("routing_key", "routing_key_file");
    // As upstream: with both, the service key counts.
    let key = service.map(PagerDutyKey::Service);
    let key = key.or(routing.map(PagerDutyKey::Routing));
    let is_meant = options.has_either("service_key", "service_key_file")
        || options.has_either("routing_key", "routing_key_file");
    if !is_meant {
        options.missing("routing_key` or `service_key");
    }
    let url = options.address("url");
    let url = url.or_else(|| options.global.text("pagerduty_url").map(str::to_owned));
    let unknown = PagerDutyKey::Routing(SecretText::default());
    let has_key = key.is_some();
    let mut config = PagerDutyConfig::new(key.unwrap_or(unknown), url.unwrap_or_default());
    options.set_all([
        ("client", &mut config.client),
        ("client_url", &mut config.client_url),
        ("description", &mut config.description),
        ("severity", &mut config.severity),
        ("class", &mut config.class),
        ("component", &mut config.component),
        ("group", &mut config.group),
    ]);
    config.source = config.client.clone();
    options.set("source", &mut config.source);
    if config.source.text().is_empty() {
        config.source = config.client.clone();
    }
    config.details.extend(options.trees("details"));
    config.images = options.parts("images", "an image of PagerDuty", |part| {
        let mut image = PagerDutyImage::default();
        part.set_all([
            ("src", &mut image.src),
            ("alt", &mut image.alt),
            ("href", &mut image.href),
        ]);
        image
    });
    config.links = options.parts("links", "a link of PagerDuty", |part| {
        let mut link = PagerDutyLink::default();
        part.set_all([("href", &mut link.href), ("text", &mut link.text)]);
        link
    });
    config.timeout = options.timeout();
    has_key.then_some(config)
}
