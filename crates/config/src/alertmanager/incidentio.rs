//! `incidentio_configs`.

use firebell_notify::IncidentioConfig;

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<IncidentioConfig> {
    let url = options.needed_secret_address("url", "url_file");
    let token = ("alert_source_token", "alert_source_token_file");
    let has_token = options.has_either(token.0, token.1);
    let alert_source_token = options.secret(token.0, token.1);
    let alerts_max = options.number("max_alerts").unwrap_or(0);
    let timeout = options.timeout();
    if options.has_own_authorization() && has_token {
        let message =
            "only one of `alert_source_token` and `http_config.authorization` may be there";
        options.doc.problem(options.fields.at, message, None);
    }
    // As upstream: without an `http_config` of its own, that of `global` is trusted to have one.
    let has_http = options.get("http_config").is_some();
    if has_http && !options.has_own_authorization() && !has_token {
        options.missing("alert_source_token` or `http_config.authorization");
    }
    let mut config = IncidentioConfig::new(url?);
    config.alert_source_token = alert_source_token;
    config.alerts_max = alerts_max.try_into().unwrap_or(usize::MAX);
    config.timeout = timeout;
    Some(config)
}
