//! Who is paged when, by what and why, and what becomes of that: a test's rules and series with
//! incidents, policies and people of a configuration.
//!
//! *Invariants*: what people do is read before anything runs, and everything wrong with it is said at
//! once.

use std::path::Path;

use firebell_config::{
    Config, ExpectedPage, PageParts, PageTest, Pos, Problem, Problems, UnitTests,
};
use firebell_engine::{PageBrief, PageMessage, PageRecipient};
use firebell_incident::IncidentId;
use firebell_model::{Duration, Timestamp};

use super::Options;
use super::sides::{ANYTHING, Came, Expected, Sides, spaced, time_of_line};
use super::stage::{Run, Stage};
use crate::scenario::{Line, What, incident_text, page_text, problem, read_line, why_text};
use crate::simulator::{Happening, Scene, Watch};

/// Reads what people do in each of the tests.
///
/// # Errors
/// All lines that cannot happen, each with its place.
pub(super) fn read_timelines(
    path: &Path,
    source: &str,
    tests: &UnitTests,
) -> Result<Vec<Vec<Line>>, String> {
    let file = path.display().to_string();
    let lines: Vec<&str> = source.lines().collect();
    let mut problems: Vec<Problem> = Vec::new();
    let timelines = tests.tests.iter().map(|test| {
        let mut timeline = Vec::new();
        for written in test.pages.iter().flat_map(|it| &it.timeline) {
            let until = test.pages.as_ref().map(|it| it.until);
            match happens(&written.text, until.unwrap_or_default()) {
                Ok((at, what)) => timeline.push(Line {
                    at,
                    line: written.at.line,
                    what,
                }),
                Err((message, hint)) => {
                    let Pos { line, column } = written.at;
                    let excerpt = lines.get(line as usize - 1).copied();
                    problems.push(problem(&file, line, column, &message, hint, excerpt));
                }
            }
        }
        timeline
    });
    let timelines = timelines.collect();
    match Problems::new(problems) {
        Some(problems) => Err(problems.to_string()),
        None => Ok(timelines),
    }
}

fn happens(
    text: &str,
    until: Duration,
) -> Result<(Duration, What), (String, Option<&'static str>)> {
    let (at, what) = read_line(text)?;
    let may_happen = matches!(
        what,
        What::Answers { .. } | What::Wishes { .. } | What::Opens { .. } | What::Receiver { .. }
    );
    if !may_happen {
        let word = text.split_whitespace().nth(1).unwrap_or_default();
        let message = format!("`{word}` cannot happen in a unit test");
        return Err((message, Some(MAY_HAPPEN)));
    }
    if at > until {
        let message = format!("this comes after the end of the test, `until: {until}`");
        return Err((message, Some("play the test for longer, or leave it out")));
    }
    Ok((at, what))
}

/// What came otherwise than expected. What debugging shows goes to `notes`.
pub(super) fn compare(
    stage: &Stage<'_>,
    timeline: Vec<Line>,
    options: &Options<'_>,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let Some(expected) = &stage.test.pages else {
        return Vec::new();
    };
    let until = expected.until;
    let head = stage.head("pages", until);
    let heard = match heard(stage, expected, timeline, options) {
        Ok(heard) => heard,
        Err(error) => return vec![format!("{head} err: {error}")],
    };
    if options.is_debug {
        notes.push(format!("DEBUG: Pages until {until}:"));
        notes.extend(heard.pages.iter().flat_map(Page::everything));
        notes.push(format!("DEBUG: Escalations until {until}:"));
        notes.extend(heard.escalations.iter().map(|it| it.line.clone()));
    }
    let pages = Sides::of(&expected.exp_pages, &heard.pages).show(&head, options.is_diff);
    let escalations = expected.exp_escalations.as_ref().and_then(|expected| {
        let head = stage.head("escalations", until);
        Sides::of(expected, &heard.escalations).show(&head, options.is_diff)
    });
    pages.into_iter().chain(escalations).collect()
}

/// Plays the test.
///
/// # Errors
/// When it cannot be played, or cannot page anybody.
fn heard(
    stage: &Stage<'_>,
    expected: &PageTest,
    timeline: Vec<Line>,
    options: &Options<'_>,
) -> Result<Listener, String> {
    let config = stage.config(&expected.config)?;
    can_page(&config, &expected.config)?;
    let opens_by_hand = timeline
        .iter()
        .any(|it| matches!(it.what, What::Opens { .. }));
    if options.is_strict && config.incidents.open_when.is_empty() && !opens_by_hand {
        let file = &expected.config;
        return Err(format!(
            "strict: nobody can be paged: `incidents` of {file} has no `open_when`, and nobody opens \
             an incident"
        ));
    }
    let run = Run {
        until: expected.until,
        timeline,
        has_pages: true,
        key: "page_test",
    };
    stage.play(&config, run, Listener::new)
}

fn can_page(config: &Config, file: &str) -> Result<(), String> {
    if config.escalation.policies.is_empty() {
        return Err(format!(
            "{file} has no `escalation`, so nobody is ever paged: name a firebell.yml with policies \
             and people"
        ));
    }
    Ok(())
}

/// Hears of every page, and of everything that happens to incidents.
struct Listener {
    start: Timestamp,
    pages: Vec<Page>,
    escalations: Vec<Escalation>,
}

/// A message.
#[derive(Debug)]
pub(super) struct Page {
    at: Duration,
    message: PageMessage,
}

/// Something that happened to an incident, or what somebody was answered.
#[derive(Debug)]
pub(super) struct Escalation {
    at: Duration,
    line: String,
}

impl Listener {
    fn new(start: Timestamp) -> Self {
        Self {
            start,
            pages: Vec::new(),
            escalations: Vec::new(),
        }
    }

    fn say(&mut self, now: Timestamp, what: &str) {
        let at = now - self.start;
        let line = format!("{at} {what}");
        self.escalations.push(Escalation { at, line });
    }
}

impl Watch for Listener {
    fn note(&mut self, now: Timestamp, what: &str) {
        self.say(now, what);
    }

    fn see(&mut self, scene: &Scene<'_>, what: &Happening<'_>) {
        match what {
            Happening::Paged(message) => self.pages.push(Page {
                at: scene.now - self.start,
                message: PageMessage::clone(message),
            }),
            Happening::Settled { step, .. } => {
                for line in step.records.iter().filter_map(incident_text) {
                    self.say(scene.now, &line);
                }
            }
            Happening::Began(_)
            | Happening::Started { .. }
            | Happening::Ended(_)
            | Happening::Stopped { .. } => {}
        }
    }
}

impl Page {
    /// `2m page ana by phone: sev1 INC-1 Down (cart)`
    fn line(&self) -> String {
        format!("{} {}", self.at, page_text(&self.message))
    }

    /// All that there is to say, for debugging.
    fn everything(&self) -> Vec<String> {
        let mut rows = vec![self.line()];
        for brief in &self.message.pages {
            rows.extend(Detail::ALL.iter().map(|it| it.row(brief)));
        }
        rows
    }

    /// Whether a person, a contact of theirs, or a receiver is meant.
    fn is_to(&self, to: &str) -> bool {
        match &self.message.to {
            PageRecipient::Person { name, contact } => match to.split_once('/') {
                Some((person, kind)) => *person == **name && kind == contact.kind.name(),
                None => *to == **name,
            },
            PageRecipient::Channel(receiver) => *to == **receiver,
        }
    }

    /// The one that is most likely meant, of those that it is about.
    fn meant(&self, parts: &PageParts) -> Option<&PageBrief> {
        let pages = || self.message.pages.iter();
        let is_named = |it: &&PageBrief| parts.incident.is_some_and(|id| id.0 == it.key.0);
        let met = pages().find(|it| is_of(parts, it));
        met.or_else(|| pages().find(is_named))
            .or_else(|| pages().next())
    }
}

/// What is shown of a page only when it was said of what is expected.
#[derive(Clone, Copy)]
enum Detail {
    Policy,
    Step,
    Round,
    Alerts,
}

impl Detail {
    const ALL: [Self; 4] = [Self::Policy, Self::Step, Self::Round, Self::Alerts];

    fn row(self, brief: &PageBrief) -> String {
        match self {
            Self::Policy => format!("  policy {}", brief.policy),
            Self::Step => format!("  step {}", brief.step),
            Self::Round => format!("  round {}", brief.round),
            Self::Alerts => format!("  alerts [{}]", sorted(&brief.firing).join(", ")),
        }
    }

    /// As it is expected, if it is.
    fn expected(self, parts: &PageParts) -> Option<String> {
        Some(match self {
            Self::Policy => format!("  policy {}", parts.policy.as_ref()?),
            Self::Step => format!("  step {}", parts.step?),
            Self::Round => format!("  round {}", parts.round?),
            Self::Alerts => format!("  alerts [{}]", sorted(parts.alerts.as_ref()?).join(", ")),
        })
    }
}

/// Whether a page has all that was said of it.
fn is_of(parts: &PageParts, brief: &PageBrief) -> bool {
    is_headed(parts, brief)
        && Detail::ALL.iter().all(|it| {
            let expected = it.expected(parts);
            expected.is_none_or(|expected| expected == it.row(brief))
        })
}

fn is_headed(parts: &PageParts, brief: &PageBrief) -> bool {
    parts.incident.is_none_or(|id| id.0 == brief.key.0)
        && parts.severity.is_none_or(|it| it == brief.severity)
        && parts.title.as_ref().is_none_or(|it| *it == brief.title)
}

impl Came for Page {
    fn at(&self) -> Duration {
        self.at
    }

    fn rows(&self) -> Vec<String> {
        vec![self.line()]
    }
}

impl Expected for ExpectedPage {
    type Came = Page;

    fn at(&self) -> Option<Duration> {
        match self {
            Self::Line(line) => time_of_line(line),
            Self::Parts(parts) => parts.at,
        }
    }

    fn is_met(&self, page: &Page) -> bool {
        match self {
            Self::Line(line) => spaced(line) == page.line(),
            Self::Parts(parts) => {
                let why = parts.why.as_ref();
                self.is_near(page)
                    && why.is_none_or(|it| it == why_text(&page.message.why))
                    && page.message.pages.iter().any(|it| is_of(parts, it))
            }
        }
    }

    fn is_near(&self, page: &Page) -> bool {
        match self {
            Self::Line(_) => false,
            Self::Parts(parts) => {
                parts.at.is_none_or(|at| at == page.at)
                    && parts.to.as_ref().is_none_or(|to| page.is_to(to))
            }
        }
    }

    fn rows(&self, page: Option<&Page>) -> Vec<String> {
        match self {
            Self::Line(line) => vec![spaced(line)],
            Self::Parts(parts) => {
                let details = Detail::ALL.iter().filter_map(|it| it.expected(parts));
                std::iter::once(head(parts, page)).chain(details).collect()
            }
        }
    }

    fn rows_of(&self, page: &Page) -> Vec<String> {
        let mut rows = vec![page.line()];
        if let Self::Parts(parts) = self
            && let Some(brief) = page.meant(parts)
        {
            let said = Detail::ALL.iter().filter(|it| it.expected(parts).is_some());
            rows.extend(said.map(|it| it.row(brief)));
        }
        rows
    }
}

/// The first line of an expected page; what was not said is taken from what came.
fn head(parts: &PageParts, page: Option<&Page>) -> String {
    let brief = page.and_then(|it| it.meant(parts));
    let any = || ANYTHING.to_owned();
    let is_why = |page: &Page| {
        let why = parts.why.as_ref();
        why.is_none_or(|it| it == why_text(&page.message.why))
    };
    if let (Some(page), Some(brief)) = (page, brief)
        && is_why(page)
        && is_headed(parts, brief)
    {
        return page.line();
    }
    let at = parts.at.or(page.map(|it| it.at));
    let at = at.map_or_else(any, |it| it.to_string());
    let why = parts.why.clone();
    let why = why.or(page.map(|it| why_text(&it.message.why).to_owned()));
    let to = match (&parts.to, page.map(|it| &it.message.to)) {
        (None, Some(PageRecipient::Person { name, contact })) => {
            format!("{name} by {}", contact.kind.name())
        }
        (None, Some(PageRecipient::Channel(receiver))) => receiver.to_string(),
        (None, None) => any(),
        (Some(to), _) => to.replacen('/', " by ", 1),
    };
    let severity = parts.severity.or(brief.map(|it| it.severity));
    let severity = severity.map_or_else(any, |it| it.to_string());
    let incident = parts.incident.or(brief.map(|it| IncidentId(it.key.0)));
    let incident = incident.map_or_else(any, |it| it.to_string());
    let title = parts.title.clone().or(brief.map(|it| it.title.clone()));
    let (why, title) = (why.unwrap_or_else(any), title.unwrap_or_else(any));
    format!("{at} {why} {to}: {severity} {incident} {title}")
}

impl Came for Escalation {
    fn at(&self) -> Duration {
        self.at
    }

    fn rows(&self) -> Vec<String> {
        vec![self.line.clone()]
    }
}

impl Expected for String {
    type Came = Escalation;

    fn at(&self) -> Option<Duration> {
        time_of_line(self)
    }

    fn is_met(&self, came: &Escalation) -> bool {
        spaced(self) == came.line
    }

    fn is_near(&self, _: &Escalation) -> bool {
        false
    }

    fn rows(&self, _: Option<&Escalation>) -> Vec<String> {
        vec![spaced(self)]
    }

    fn rows_of(&self, came: &Escalation) -> Vec<String> {
        came.rows()
    }
}

fn sorted(texts: &[String]) -> Vec<String> {
    let mut texts = texts.to_vec();
    texts.sort();
    texts
}

const MAY_HAPPEN: &str = "write `page …`, `incident …`, `contact …` or `receiver …` behind the time; \
                          everything else can happen in scenarios";
