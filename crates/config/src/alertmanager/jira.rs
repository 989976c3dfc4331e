//! `jira_configs`.

use firebell_model::Duration;
use firebell_notify::{JiraApi, JiraConfig, JiraField};

use super::options::Options;
use crate::yaml::Value;

pub(super) fn read(options: &Options<'_, '_>) -> Option<JiraConfig> {
    let own = options.address("api_url");
    let url = own.or_else(|| options.global.text("jira_api_url").map(str::to_owned));
    if url.is_none() {
        let hint = "put it here, or into `global` as `jira_api_url`".to_owned();
        let message = "a Jira receiver needs `api_url`";
        options.doc.problem(options.fields.at, message, Some(hint));
    }
    let mut config = JiraConfig::new(url.clone().unwrap_or_default());
    options.set_needed("project", &mut config.project);
    options.set_needed("issue_type", &mut config.issue_type);
    options.set("priority", &mut config.priority);
    field(options, "summary", &mut config.summary);
    field(options, "description", &mut config.description);
    let labels = options.list("labels").iter();
    let labels = labels.filter_map(|node| match &node.value {
        Value::Scalar(scalar) => options.compile(scalar),
        _ => {
            options.doc.wrong_kind(node, "labels", "a text");
            None
        }
    });
    config.labels = labels.collect();
    let api_type = options.parsed("api_type", |name| match name {
        "auto" => Ok(JiraApi::Auto),
        "cloud" => Ok(JiraApi::Cloud),
        "datacenter" => Ok(JiraApi::DataCenter),
        _ => Err("it has to be auto, cloud or datacenter"),
    });
    config.api_type = api_type.unwrap_or(JiraApi::Auto);
    for (name, text) in [
        ("reopen_transition", &mut config.reopen_transition),
        ("resolve_transition", &mut config.resolve_transition),
        ("wont_fix_resolution", &mut config.wont_fix_resolution),
    ] {
        *text = options.text(name).unwrap_or_default();
    }
    config.reopen_duration = options
        .duration("reopen_duration")
        .unwrap_or(Duration::ZERO);
    config.fields = options.trees("fields");
    url.map(|_| config)
}

/// A text, or a map that also says whether it is written again.
fn field(options: &Options<'_, '_>, name: &'static str, field: &mut JiraField) {
    let Some(node) = options.get(name) else {
        return;
    };
    if !matches!(node.value, Value::Map(_)) {
        options.set(name, &mut field.template);
        return;
    }
    let part = options.part(node, "a field of a Jira issue");
    part.set("template", &mut field.template);
    field.is_updated = part.bool("enable_update").unwrap_or(true);
    part.fields.finish();
}
