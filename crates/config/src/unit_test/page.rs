//! Keys of our own in unit tests: who is paged, and what becomes of that.

use firebell_escalation::Severity;
use firebell_incident::IncidentId;
use firebell_model::Duration;

use super::own::{Written, duration, hinted, written};
use crate::fields::Doc;
use crate::problem::Pos;
use crate::yaml::{Node, Value};

/// Who is paged when, by what and why, and what becomes of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageTest {
    /// A firebell.yml, relative to the folder of the test file.
    pub config: String,
    /// How long the test is played.
    pub until: Duration,
    /// What people do, such as `12m page INC-1 by ana: ack`, as timelines of scenarios have it.
    pub timeline: Vec<TimelineLine>,
    /// All pages.
    pub exp_pages: Vec<ExpectedPage>,
    /// Whether `exp_pages` was written.
    pub has_exp_pages: bool,
    /// All that happens to incidents, such as `12m INC-1 ana: acknowledged it`, as transcripts of
    /// scenarios have it; `None` when nothing was said of that.
    pub exp_escalations: Option<Vec<String>>,
}

/// Something that happens, and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineLine {
    /// Where the line begins.
    pub at: Pos,
    /// What is written.
    pub text: String,
}

/// A page that is expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExpectedPage {
    /// Such as `2m page ana by phone: sev1 INC-1 Down (cart)`, as transcripts of scenarios have it.
    Line(String),
    /// What was said of it; the rest may be anything.
    Parts(PageParts),
}

/// What was said of a page. Of a message about several, one has all of this.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageParts {
    /// When, after the start.
    pub at: Option<Duration>,
    /// A person, such as `ana`, one of their contacts, such as `ana/phone`, or a receiver.
    pub to: Option<String>,
    /// Why: `page`, `remind` or `tell`.
    pub why: Option<String>,
    /// Its incident.
    pub incident: Option<IncidentId>,
    /// What the incident is called.
    pub title: Option<String>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// By which policy.
    pub policy: Option<String>,
    /// The step of the policy, from 1.
    pub step: Option<usize>,
    /// The round of the policy, from 1.
    pub round: Option<u32>,
    /// The alerts that fire, all that it names, such as `Down{job="api"}`.
    pub alerts: Option<Vec<String>>,
}

pub(super) fn page_test(doc: &Doc<'_>, node: &Node) -> PageTest {
    let fields = doc.fields(node, "`page_test`");
    let config = fields.needed_text("config");
    if fields.get("until").is_none() {
        fields.missing("until");
    }
    let until = duration(&fields, "until");
    let timeline = fields.list("timeline").iter();
    let timeline = timeline.filter_map(|it| line(doc, it, "timeline"));
    let pages = fields.list("exp_pages").iter();
    let escalations = fields.get("exp_escalations").map(|_| {
        let lines = fields.list("exp_escalations").iter();
        let lines = lines.filter_map(|it| line(doc, it, "exp_escalations"));
        lines.map(|it| it.text).collect()
    });
    let test = PageTest {
        config: config.unwrap_or_default(),
        until: until.unwrap_or_default(),
        timeline: timeline.collect(),
        exp_pages: pages.filter_map(|it| expected(doc, it)).collect(),
        has_exp_pages: fields.get("exp_pages").is_some(),
        exp_escalations: escalations,
    };
    fields.finish();
    test
}

fn line(doc: &Doc<'_>, node: &Node, name: &str) -> Option<TimelineLine> {
    match written(doc, node) {
        Written::Line(text) => Some(TimelineLine { at: node.at, text }),
        Written::Fields => {
            let message = format!("an item of `{name}` has to be a line, not {}", node.kind());
            doc.problem(node.at, message, None);
            None
        }
        Written::Mistaken => None,
    }
}

fn expected(doc: &Doc<'_>, node: &Node) -> Option<ExpectedPage> {
    match written(doc, node) {
        Written::Line(line) => return Some(ExpectedPage::Line(line)),
        Written::Mistaken => return None,
        Written::Fields => {}
    }
    let fields = doc.fields(node, "an expected page");
    let parts = PageParts {
        at: duration(&fields, "at"),
        to: fields.text("to"),
        why: hinted(&fields, "why", WHYS, |text| {
            WHY_WORDS.contains(&text).then(|| text.to_owned())
        }),
        incident: hinted(&fields, "incident", "write it as INC-1", |it| {
            it.parse().ok()
        }),
        title: fields.text("title"),
        severity: hinted(&fields, "severity", "one of sev1, sev2, sev3, sev4", |it| {
            it.parse().ok()
        }),
        policy: fields.text("policy"),
        step: hinted(&fields, "step", FROM_ONE, |text| {
            text.parse().ok().filter(|it| *it > 0)
        }),
        round: hinted(&fields, "round", FROM_ONE, |text| {
            text.parse().ok().filter(|it| *it > 0)
        }),
        alerts: fields.get("alerts").map(|_| fields.texts("alerts")),
    };
    fields.finish();
    matches!(node.value, Value::Map(_)).then_some(ExpectedPage::Parts(parts))
}

const WHY_WORDS: [&str; 3] = ["page", "remind", "tell"];
const WHYS: &str = "one of page, remind, tell";
const FROM_ONE: &str = "count from 1";
