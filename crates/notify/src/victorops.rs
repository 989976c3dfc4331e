//! VictorOps, now Splunk On-Call: an event of its generic REST endpoint.
//!
//! *Sources*: Alertmanager, `notify/victorops`; Splunk On-Call, "REST endpoint".

use std::collections::BTreeMap;

use firebell_model::Secret;
use firebell_template::NotificationText;

use crate::error::RenderError;
use crate::http::{HttpRequest, escape_path};
use crate::integration::Kind;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::verdict::Verdict;

/// Options of one of `victorops_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct VictorOpsConfig {
    /// `api_key`, `api_key_file`, `global.victorops_api_key`: a part of the address.
    pub api_key: Secret,
    /// Where the endpoint is, with a slash at its end (`api_url`, `global.victorops_api_url`).
    pub api_url: String,
    /// Whose it is: a part of the address.
    pub routing_key: NotificationText,
    /// `INFO`, `WARNING` or `CRITICAL` while something fires.
    pub message_type: NotificationText,
    /// What happened; cut at 20,480 characters.
    pub state_message: NotificationText,
    /// The headline.
    pub entity_display_name: NotificationText,
    /// Who says so.
    pub monitoring_tool: NotificationText,
    /// Further fields, none of which is one of the above.
    pub custom_fields: BTreeMap<String, NotificationText>,
}

impl VictorOpsConfig {
    /// VictorOps with upstream's defaults.
    #[must_use]
    pub fn new(api_key: Secret, api_url: String, routing_key: NotificationText) -> Self {
        let built_in = |name: &str| NotificationText::calling(&format!("victorops.default.{name}"));
        Self {
            api_key,
            api_url,
            routing_key,
            message_type: NotificationText::compile(CRITICAL).unwrap_or_default(),
            state_message: built_in("state_message"),
            entity_display_name: built_in("entity_display_name"),
            monitoring_tool: built_in("monitoring_tool"),
            custom_fields: BTreeMap::new(),
        }
    }

    fn message_type(&self, telling: &Telling<'_>) -> Result<String, RenderError> {
        if !telling.is_firing() {
            return Ok(RECOVERY.to_owned());
        }
        let written = telling.text("message_type", &self.message_type)?;
        let is_known = ["INFO", "WARNING", CRITICAL].contains(&&*written);
        Ok(if is_known {
            written
        } else {
            CRITICAL.to_owned()
        })
    }
}

impl Kind for VictorOpsConfig {
    fn name(&self) -> &'static str {
        "victorops"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let routing_key = telling.text("routing_key", &self.routing_key)?;
        let path = format!("{}/{routing_key}", self.api_key.reveal());
        let url = format!("{}{}", self.api_url, escape_path(&path));
        let url = telling.address("api_url", &url)?;
        let state_message = telling.text("state_message", &self.state_message)?;
        let name = telling.text("entity_display_name", &self.entity_display_name)?;
        let tool = telling.text("monitoring_tool", &self.monitoring_tool)?;
        let mut event: BTreeMap<&str, String> = [
            ("message_type", self.message_type(telling)?),
            ("entity_id", telling.key_hash()),
            ("entity_display_name", name),
            (
                "state_message",
                truncate::in_chars(state_message, MESSAGE_CHARS_MAX),
            ),
            ("monitoring_tool", tool),
        ]
        .into();
        for (name, text) in &self.custom_fields {
            event.insert(name, telling.text("custom_fields", text)?);
        }
        let request = HttpRequest::post_json(url, telling.json(&event)?);
        Ok(Step::ask(request, |answer| Verdict::of_status(answer, &[])))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.api_key.clone()]
    }
}

const CRITICAL: &str = "CRITICAL";
const RECOVERY: &str = "RECOVERY";
/// Source: Splunk On-Call, "Incident fields glossary".
const MESSAGE_CHARS_MAX: usize = 20_480;
