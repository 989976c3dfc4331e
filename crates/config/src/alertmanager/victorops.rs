//! `victorops_configs`.

use firebell_notify::VictorOpsConfig;

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<VictorOpsConfig> {
    let api_key = options.own_or_global("api_key", "api_key_file", "victorops_api_key");
    let api_url = options.base_address("api_url", "victorops_api_url");
    let mut routing_key = Default::default();
    options.set_needed("routing_key", &mut routing_key);
    let has_key = api_key.is_some();
    let mut config = VictorOpsConfig::new(api_key.unwrap_or_default(), api_url, routing_key);
    options.set_all([
        ("message_type", &mut config.message_type),
        ("state_message", &mut config.state_message),
        ("entity_display_name", &mut config.entity_display_name),
        ("monitoring_tool", &mut config.monitoring_tool),
    ]);
    config.custom_fields = options.texts_by_name("custom_fields");
    for name in RESERVED {
        if config.custom_fields.contains_key(name) {
            let message =
                format!("`custom_fields` cannot have `{name}`: it has a meaning of its own");
            options
                .doc
                .problem(options.at("custom_fields"), message, None);
        }
    }
    has_key.then_some(config)
}

/// Source: Alertmanager, `VictorOpsConfig.Validate`.
const RESERVED: [&str; 7] = [
    "routing_key",
    "message_type",
    "state_message",
    "entity_display_name",
    "monitoring_tool",
    "entity_id",
    "entity_state",
];
