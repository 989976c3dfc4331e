//! Jira: one issue per group, found by a label, made, updated, reopened and resolved.
//!
//! Search for the issue; make or update it; when its state has to change, ask for its transitions
//! and take the one of the configured name.
//!
//! *Sources*: Alertmanager, `notify/jira`; Jira, "REST API", versions 2 and 3.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{Duration, Secret};
use firebell_template::NotificationText;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::RenderError;
use crate::http::{HttpRequest, HttpResponse, Method};
use crate::integration::Kind;
use crate::step::Step;
use crate::telling::Telling;
use crate::tree::Tree;
use crate::truncate;
use crate::url::join;
use crate::verdict::{TOO_MANY_REQUESTS, Verdict, one_line};

/// Options of one of `jira_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct JiraConfig {
    /// Where the API is, such as `https://x.atlassian.net/rest/api/2/` (`api_url`,
    /// `global.jira_api_url`). With version 3, the description is JSON.
    pub api_url: String,
    /// Whose search is used.
    pub api_type: JiraApi,
    /// The key of the project.
    pub project: NotificationText,
    /// Headline; cut at 255 characters.
    pub summary: JiraField,
    /// Text; cut at 32,767 characters.
    pub description: JiraField,
    /// Labels, besides the one by which the issue is found again.
    pub labels: Vec<NotificationText>,
    /// Name of the priority; empty: Jira's own.
    pub priority: NotificationText,
    /// Name of the type of issues.
    pub issue_type: NotificationText,
    /// By which a closed issue is opened again; empty: a new one is made.
    pub reopen_transition: String,
    /// By which an issue is closed; empty: it stays open.
    pub resolve_transition: String,
    /// Issues that were closed so are not touched again.
    pub wont_fix_resolution: String,
    /// How long after it was closed an issue is opened again.
    pub reopen_duration: Duration,
    /// Any other fields.
    pub fields: BTreeMap<String, Tree<NotificationText>>,
}

/// Which Jira it is (`api_type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JiraApi {
    /// Cloud when the address is of `atlassian.net`.
    Auto,
    /// Jira Cloud.
    Cloud,
    /// Jira Data Center.
    DataCenter,
}

/// A text of an issue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JiraField {
    /// The text (`template`).
    pub template: NotificationText,
    /// Whether it is written again at later notifications (`enable_update`).
    pub is_updated: bool,
}

impl JiraConfig {
    /// Jira with upstream's defaults.
    #[must_use]
    pub fn new(api_url: String) -> Self {
        let built_in = |name: &str| NotificationText::calling(&format!("jira.default.{name}"));
        let field = |name| JiraField {
            template: built_in(name),
            is_updated: true,
        };
        Self {
            api_url,
            api_type: JiraApi::Auto,
            project: NotificationText::default(),
            summary: field("summary"),
            description: field("description"),
            labels: Vec::new(),
            priority: built_in("priority"),
            issue_type: NotificationText::default(),
            reopen_transition: String::new(),
            resolve_transition: String::new(),
            wont_fix_resolution: String::new(),
            reopen_duration: Duration::ZERO,
            fields: BTreeMap::new(),
        }
    }

    fn search(&self, telling: &Telling<'_>) -> Result<Query, RenderError> {
        let mut jql = String::new();
        if !self.wont_fix_resolution.is_empty() {
            let resolution = quoted(&self.wont_fix_resolution);
            jql += &format!("(resolution is EMPTY or resolution != {resolution}) and ");
        }
        let minutes = self.reopen_duration.0 / Duration::from_mins(1).0;
        let reopens = !self.reopen_transition.is_empty() && minutes > 0;
        jql += &if telling.is_firing() && reopens {
            format!("(resolutiondate is EMPTY OR resolutiondate >= -{minutes}m) and ")
        } else {
            "statusCategory != Done and ".to_owned()
        };
        let project = quoted(&telling.text("project", &self.project)?);
        let label = quoted(&label(telling));
        jql += &format!("project={project} and labels={label} order by ");
        jql += "status ASC,resolutiondate DESC";
        Ok(Query {
            fields: ["status"],
            jql,
            max_results: 2,
        })
    }

    fn search_url(&self) -> String {
        let authority = self.api_url.split('/').nth(2).unwrap_or_default();
        let is_cloud = match self.api_type {
            JiraApi::Auto => authority.ends_with("atlassian.net"),
            JiraApi::Cloud => true,
            JiraApi::DataCenter => false,
        };
        if !is_cloud {
            return join(&self.api_url, "search");
        }
        // Cloud has this search in version 3 only.
        join(&self.api_url, "search/jql").replacen("/rest/api/2/", "/rest/api/3/", 1)
    }

    fn fields(&self, telling: &Telling<'_>) -> Result<Fields, RenderError> {
        let labels = self.labels.iter();
        let labels = labels.map(|label| telling.text("labels", label));
        let mut labels: Vec<_> = labels.collect::<Result<_, _>>()?;
        labels.push(label(telling));
        labels.sort();
        let summary = telling.text("summary", &self.summary.template)?;
        let summary = truncate::in_chars(summary, SUMMARY_CHARS_MAX);
        let priority = telling.text("priority", &self.priority)?;
        let name = |name| Value::Named { name };
        let mut fields = Fields::from([
            (
                "project".to_owned(),
                Value::Project {
                    key: telling.text("project", &self.project)?,
                },
            ),
            (
                "issuetype".to_owned(),
                name(telling.text("issue_type", &self.issue_type)?),
            ),
            (SUMMARY.to_owned(), Value::Text(summary)),
            ("labels".to_owned(), Value::Texts(labels)),
        ]);
        let description = self.description(telling)?;
        fields.extend(description.map(|text| (DESCRIPTION.to_owned(), text)));
        if !priority.is_empty() {
            fields.insert("priority".to_owned(), name(priority));
        }
        for (name, value) in &self.fields {
            let value = value.render(telling, "fields")?;
            fields.insert(name.clone(), Value::Any(value));
        }
        Ok(fields)
    }

    fn description(&self, telling: &Telling<'_>) -> Result<Option<Value>, RenderError> {
        let text = telling.text("description", &self.description.template)?;
        let text = truncate::in_chars(text, DESCRIPTION_CHARS_MAX);
        let path = self.api_url.trim_end_matches('/');
        if !path.ends_with("/3") {
            return Ok((!text.is_empty()).then_some(Value::Text(text)));
        }
        let json = text.trim();
        if json.is_empty() {
            return Ok(None);
        }
        let document = serde_json::from_str(json).map_err(|_| {
            telling.refused("`description` has to be JSON for version 3 of the API")
        })?;
        Ok(Some(Value::Document(document)))
    }

    /// Where a closed or open issue has to go now; the empty text when it stays.
    fn transition(&self, is_firing: bool) -> (bool, String) {
        let name = if is_firing {
            &self.reopen_transition
        } else {
            &self.resolve_transition
        };
        (is_firing, name.clone())
    }
}

impl Kind for JiraConfig {
    fn name(&self) -> &'static str {
        "jira"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        telling.address("api_url", &self.api_url)?;
        let fields = self.fields(telling)?;
        let made = telling.json(&Issue { fields: &fields })?;
        let mut kept = fields;
        for (name, field) in [(SUMMARY, &self.summary), (DESCRIPTION, &self.description)] {
            if !field.is_updated {
                kept.remove(name);
            }
        }
        let plan = Arc::new(Plan {
            base: self.api_url.clone(),
            made: telling.is_firing().then_some(made),
            updated: telling.json(&Issue { fields: &kept })?,
            transition: self.transition(telling.is_firing()),
        });
        let body = telling.json(&self.search(telling)?)?;
        let request = request(Method::Post, self.search_url(), body);
        Ok(ask(request, move |found: Found| plan.go_on(found)))
    }
}

/// Everything that may have to be sent, rendered before the first answer.
struct Plan {
    base: String,
    /// A new issue; nothing new is made for what has resolved.
    made: Option<String>,
    updated: String,
    /// Whether the group fires, and the name of the transition.
    transition: (bool, String),
}

impl Plan {
    fn go_on(self: Arc<Self>, found: Found) -> Step {
        let Some(issue) = found.issues.into_iter().next() else {
            return match &self.made {
                None => Step::Done(Verdict::Delivered),
                Some(body) => {
                    let request = request(Method::Post, join(&self.base, "issue"), body.clone());
                    Step::ask(request, judge)
                }
            };
        };
        let url = join(&self.base, &format!("issue/{}", issue.key));
        let request = request(Method::Put, url, self.updated.clone());
        Step::ask_then(request, move |answer| match judge(&answer) {
            Verdict::Delivered => self.change_state(&issue),
            verdict => Step::Done(verdict),
        })
    }

    fn change_state(self: Arc<Self>, issue: &FoundIssue) -> Step {
        let (is_firing, name) = &self.transition;
        let status = issue.fields.status.as_ref();
        let is_done = status.map(|status| status.status_category.key == "done");
        if name.is_empty() || issue.key.is_empty() || is_done != Some(*is_firing) {
            return Step::Done(Verdict::Delivered);
        }
        let url = join(&self.base, &format!("issue/{}/transitions", issue.key));
        let (key, ask_url) = (issue.key.clone(), url.clone());
        ask(
            request(Method::Get, ask_url, String::new()),
            move |known: Known| {
                let (_, name) = &self.transition;
                let mut transitions = known.transitions.into_iter();
                let Some(transition) = transitions.find(|it| it.name == *name) else {
                    let why = format!("can't find transition {name} for issue {key}");
                    return Step::Done(Verdict::Rejected { why });
                };
                let id = serde_json::Value::String(transition.id);
                let body = format!("{{\"transition\":{{\"id\":{id}}}}}\n");
                Step::ask(request(Method::Post, url, body), judge)
            },
        )
    }
}

fn request(method: Method, url: String, body: String) -> HttpRequest {
    HttpRequest::post_json(Secret::new(url), body)
        .by(method)
        .with_header("Accept-Language", Secret::new("en"))
}

/// Asks, reads the answer as JSON, and goes on with it.
fn ask<A: DeserializeOwned>(
    request: HttpRequest,
    then: impl FnOnce(A) -> Step + Send + 'static,
) -> Step {
    Step::ask_then(request, |answer| match judge(&answer) {
        Verdict::Delivered => match serde_json::from_slice(&answer.body) {
            Ok(value) => then(value),
            Err(_) => {
                let detail = one_line(&answer.body);
                let why = format!("could not read Jira's answer as JSON: {detail}");
                Step::Done(Verdict::Rejected { why })
            }
        },
        verdict => Step::Done(verdict),
    })
}

fn judge(answer: &HttpResponse) -> Verdict {
    Verdict::of_status(answer, &[TOO_MANY_REQUESTS])
}

/// The label by which the issue of a group is found.
fn label(telling: &Telling<'_>) -> String {
    format!("ALERT{{{}}}", telling.key_hash())
}

/// As Go quotes, which Jira's query language reads.
fn quoted(text: &str) -> String {
    firebell_model::Quoted(text).to_string()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    fields: [&'static str; 1],
    jql: String,
    max_results: u32,
}

type Fields = BTreeMap<String, Value>;

#[derive(Serialize)]
struct Issue<'a> {
    fields: &'a Fields,
}

/// What an issue's field can hold.
#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Texts(Vec<String>),
    Named { name: String },
    Project { key: String },
    Document(serde_json::Value),
    Any(Tree<String>),
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Found {
    issues: Vec<FoundIssue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FoundIssue {
    key: String,
    fields: FoundFields,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FoundFields {
    status: Option<Status>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    status_category: Category,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Category {
    key: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Known {
    transitions: Vec<Transition>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Transition {
    id: String,
    name: String,
}

const SUMMARY: &str = "summary";
const DESCRIPTION: &str = "description";
/// Sources: Jira's limits, as upstream reads them.
const SUMMARY_CHARS_MAX: usize = 255;
const DESCRIPTION_CHARS_MAX: usize = 32_767;
