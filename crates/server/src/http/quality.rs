//! Whether a month's alerts were any good, out of the history: figures by rule, service and team,
//! and the review made of them.
//!
//! *Limits*: [`EPISODES_MAX`] alerts are counted, and it is said when there were more. What was
//! judged more than a month after the month's end is not looked for.

mod business;
pub(super) mod decisions;
mod incidents;
mod people;
mod tolls;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use firebell_dispatch::{HistoryEntry, HistoryEvent, INBOX, NotifiedStatus};
use firebell_engine::{Engine, HistoryQuery, is_own_alert};
use firebell_incident::{
    DELETE_UNDER, Decision, Episodes, Figures, IncidentId, Light, OFF_HOURS_BURNOUT,
    OFF_HOURS_GOOD, PAGES_IN_SHIFT, Paged, Policy, RUNBOOK_WITHIN, Review, ReviewedIncident,
    Spread, TARGET, Toll, Verdict,
};
use firebell_model::{ALERT_NAME, Duration, Labels, Timestamp};
use firebell_rules::RuleSet;
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::ErrorKind;
use serde_json::{Map, Value, json};

use self::tolls::{Groups, Tolls};
use super::{App, may_wait, params, refused, stopped, written};
use crate::clock::Stopwatch;
use crate::history::{HistoryReader, Unread};

/// A month of the calendar, in UTC.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Month {
    /// Such as `2026-11`.
    name: String,
    from: Timestamp,
    /// The first moment that is no longer in it.
    to: Timestamp,
}

/// What the history says of a month.
struct Counted {
    episodes: Episodes,
    is_cut: bool,
}

/// `GET /api/firebell/v1/quality?month=2026-11`.
pub(super) async fn figures(State(app): State<App>, uri: Uri) -> Response {
    let (month, counted) = match counted(&app, &uri).await {
        Ok(counted) => counted,
        Err(answer) => return answer,
    };
    let Some(facts) = Facts::gather(&app, &month).await else {
        return stopped();
    };
    let business = business::figures(&app, &month).await;
    written(move || {
        let config = app.live.config();
        let (oncall, runbooks) = (&config.oncall.oncall, runbooks(&config.rules));
        let part_of = people::clocks(oncall, config.routing.receivers());
        let (tolls, total) = (facts.groups.tolls(&part_of), facts.all.toll(&part_of));
        let of = (&config.incidents, &runbooks);
        let mut figures = figures_json(&month, &counted, of, (&tolls, total));
        let span = (month.from, month.to.min(facts.now).max(month.from));
        let burdens = facts.paged.burdens(&part_of);
        let people = people::people_json(burdens, oncall, span);
        let more = [
            ("people", json!(people)),
            ("decisions", json!(decisions::all_json(&facts.decisions))),
            ("incidents", json!(incidents::all_json(&facts.incidents))),
            (
                "moreIncidents",
                json!(facts.incidents.len().saturating_sub(LISTED_MAX)),
            ),
            (
                "figures",
                json!(business.iter().map(business::json).collect::<Vec<_>>()),
            ),
        ];
        figures.extend(more.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(figures)
    })
    .await
}

/// `GET /api/firebell/v1/review?month=2026-11`: Markdown.
pub(super) async fn review(State(app): State<App>, uri: Uri) -> Response {
    let (month, counted) = match counted(&app, &uri).await {
        Ok(counted) => counted,
        Err(answer) => return answer,
    };
    let Some(facts) = Facts::gather(&app, &month).await else {
        return stopped();
    };
    let business = business::figures(&app, &month).await;
    let review = Review {
        month: &month.name,
        total: &Figures::of(counted.episodes.within(month.from, month.to)),
        rules: &Figures::by(counted.episodes.within(month.from, month.to), rule),
        runbooks: &runbooks(&app.live.config().rules),
        incidents: &facts.incidents,
        decisions: &facts.decisions,
        business: &business,
        is_cut: counted.is_cut,
    };
    let kind = [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")];
    (kind, review.markdown()).into_response()
}

/// What the engine knows of a month.
#[derive(Default)]
struct Facts {
    now: Timestamp,
    /// Who was paged.
    paged: Paged,
    /// The same once more, as what it took of all of them.
    all: Paged,
    /// By what the incidents were about.
    groups: Groups,
    /// What was opened.
    incidents: Vec<ReviewedIncident>,
    decisions: Vec<Decision>,
}

impl Facts {
    /// Looks at some incidents at a time: a month is read while others wait for the engine.
    async fn gather(app: &App, month: &Month) -> Option<Self> {
        let (mut facts, mut after) = (Self::default(), None);
        loop {
            let of = month.clone();
            let looked = app.handle.read(move |engine, now| {
                let last = facts.look(engine, now, &of, after);
                (facts, last)
            });
            (facts, after) = looked.await.ok()?;
            if after.is_none() {
                return Some(facts);
            }
        }
    }

    /// The incidents behind a number; says to which it came, unless that was the last.
    fn look(
        &mut self,
        engine: &Engine,
        now: Timestamp,
        month: &Month,
        after: Option<IncidentId>,
    ) -> Option<IncidentId> {
        let mut last = None;
        for incident in engine.incidents().after(after).take(LOOKED_AT_ONCE) {
            last = Some(incident.id);
            let span = (month.from, month.to);
            self.paged.add(incident, span);
            self.all.add(incident, span);
            self.groups.add(incident, engine.incidents().policy(), span);
            if (month.from..month.to).contains(&incident.opened_at) {
                self.incidents.push(ReviewedIncident::of(now, incident));
            }
        }
        if last.is_none() {
            self.now = now;
            self.decisions = engine.incidents().decisions(&month.name).cloned().collect();
        }
        last
    }
}

async fn counted(app: &App, uri: &Uri) -> Result<(Month, Counted), Response> {
    let month = Month::read(&params(uri, &Bytes::new()), app.clock.now());
    let month = month.map_err(|why| refused(ErrorKind::BadData, why))?;
    // It reads much: one at a time, beside queries and not instead of them.
    let timeout = app.live.config().query.timeout;
    let watch = Stopwatch::start();
    let slot = Arc::clone(&app.slots.months).acquire_owned();
    let Ok(slot) = tokio::time::timeout(timeout.to_std(), slot).await else {
        let why = format!("other months are being added up, and took longer than {timeout}");
        return Err(refused(ErrorKind::Timeout, why));
    };
    let (history, of) = (app.history.clone(), month.clone());
    // Dropped with this future, when the connection ends.
    let asker = Arc::new(());
    let is_awaited = Arc::downgrade(&asker);
    let counted = may_wait(move || {
        let _slot = slot;
        let is_over = || watch.elapsed() > timeout.to_std() || is_awaited.strong_count() == 0;
        Counted::read(&history, &of, &is_over)
    });
    let counted = counted.await;
    drop(asker);
    match counted {
        Some(Ok(Some(counted))) => Ok((month, counted)),
        Some(Ok(None)) => {
            let why = format!(
                "adding {} up took longer than `query.timeout`, {timeout}",
                month.name
            );
            Err(refused(ErrorKind::Timeout, why))
        }
        Some(Err(error)) => Err(refused(ErrorKind::Unavailable, error.to_string())),
        None => Err(stopped()),
    }
}

impl Month {
    fn read(params: &Params, now: Timestamp) -> Result<Self, String> {
        let this = now.to_string();
        let name = params.get("month").filter(|it| !it.is_empty());
        let name = name.unwrap_or(this.get(..7).unwrap_or_default());
        Self::parse(name).ok_or_else(|| format!("`{name}` is no month: write it as 2026-11"))
    }

    fn parse(name: &str) -> Option<Self> {
        let (year, month) = name.split_once('-')?;
        let is_number = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !is_number(year) || !is_number(month) {
            return None;
        }
        let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
        let next = match month {
            12 => format!("{:04}-01", year + 1),
            month => format!("{year:04}-{:02}", month + 1),
        };
        let first = |month: &str| format!("{month}-01T00:00:00Z").parse().ok();
        Some(Self {
            name: name.to_owned(),
            from: first(name)?,
            to: first(&next)?,
        })
    }
}

impl Counted {
    /// Reads a month; `None` when it is over before that is done.
    fn read(
        history: &HistoryReader,
        month: &Month,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, Unread> {
        let mut query = HistoryQuery {
            // What ended shortly before and comes back flaps; what began before is another month's.
            from: month.from - BEFORE,
            to: month.to + AFTER,
            matchers: Vec::new(),
            receiver: None,
            kinds: KINDS.map(str::to_owned).to_vec(),
            is_newest_first: false,
            limit: PAGE_ENTRIES,
            behind: None,
        };
        let (mut episodes, mut n_fired) = (Episodes::default(), 0);
        loop {
            if is_over() {
                return Ok(None);
            }
            let page = history.find(&query)?;
            // Nobody can delete what Firebell says of itself.
            let entries = page.entries.iter();
            for entry in entries.filter(|it| !is_own_alert(it.labels.value(ALERT_NAME))) {
                let is_firing = matches!(entry.event, HistoryEvent::Firing);
                n_fired += usize::from(is_firing && entry.at < month.to);
                // What came after the month is none of it, but its end and its verdict are.
                match is_firing && (entry.at >= month.to || n_fired > EPISODES_MAX) {
                    true => episodes.fired_uncounted(&entry.labels),
                    false => count(&mut episodes, entry),
                }
            }
            query.behind = page.next;
            if query.behind.is_none() {
                let is_cut = n_fired > EPISODES_MAX;
                return Ok(Some(Self { episodes, is_cut }));
            }
        }
    }
}

fn count(episodes: &mut Episodes, entry: &HistoryEntry) {
    let (at, labels) = (entry.at, &entry.labels);
    match &entry.event {
        HistoryEvent::Firing => episodes.fired(at, labels),
        HistoryEvent::Resolved => episodes.resolved(at, labels),
        HistoryEvent::Notification(told) => {
            let integration = told.integration.as_deref().unwrap_or(INBOX);
            // Every receiver has the inbox: nobody was told by that.
            if told.status == NotifiedStatus::Sent && !integration.starts_with(INBOX) {
                told.alerts.iter().for_each(|it| episodes.notified(*it));
                let n_others = told.n_alerts.saturating_sub(told.alerts.len());
                if n_others > 0 {
                    episodes.notified_beside(&told.alerts, labels, n_others);
                }
            }
        }
        HistoryEvent::Acknowledged { .. } => episodes.acknowledged(at, labels),
        HistoryEvent::Judged {
            verdict, by, since, ..
        } => {
            if let Ok(verdict) = verdict.parse::<Verdict>() {
                episodes.judged(labels, *since, verdict, by.is_none());
            }
        }
        HistoryEvent::Pending
        | HistoryEvent::Suppressed { .. }
        | HistoryEvent::Unsuppressed { .. } => {}
    }
}

fn rule(labels: &Labels) -> String {
    labels.value(ALERT_NAME).to_owned()
}

fn service(policy: &Policy, labels: &Labels) -> String {
    policy.key(labels).value("service").to_owned()
}

fn team(labels: &Labels) -> String {
    labels.value("team").to_owned()
}

/// The runbooks that rules name, by name of rule.
fn runbooks(rules: &RuleSet) -> BTreeMap<String, String> {
    let rules = rules.groups().iter().flat_map(|group| &group.rules);
    let named = rules.filter_map(|rule| {
        let mut annotations = rule.annotation_texts.iter();
        let runbook = annotations.find(|it| it.name.starts_with("runbook"))?;
        Some((rule.name.clone(), runbook.value.to_string()))
    });
    named.collect()
}

fn figures_json(
    month: &Month,
    counted: &Counted,
    (policy, runbooks): (&Policy, &BTreeMap<String, String>),
    (tolls, total): (&Tolls, Toll),
) -> Map<String, Value> {
    let all = || counted.episodes.within(month.from, month.to);
    let services = Figures::by(all(), |labels| service(policy, labels));
    let (rules, n_more_rules) = listed(Figures::by(all(), rule), &tolls.rules, Some(runbooks));
    let (services, _) = listed(services, &tolls.services, None);
    let (teams, _) = listed(Figures::by(all(), team), &tolls.teams, None);
    let fields = [
        ("month", json!(month.name)),
        ("from", json!(month.from.to_string())),
        ("to", json!(month.to.to_string())),
        ("isCut", json!(counted.is_cut)),
        ("targets", targets_json()),
        (
            "total",
            Value::Object(figure_fields(&Figures::of(all()), total)),
        ),
        ("rules", json!(rules)),
        ("moreRules", json!(n_more_rules)),
        ("services", json!(services)),
        ("teams", json!(teams)),
    ];
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// What figures are held against.
fn targets_json() -> Value {
    json!({
        "actionable": TARGET,
        "deleteUnder": DELETE_UNDER,
        "pagesInShift": PAGES_IN_SHIFT,
        "runbookSeconds": RUNBOOK_WITHIN.as_secs_f64(),
        "offHours": { "good": OFF_HOURS_GOOD, "burnout": OFF_HOURS_BURNOUT },
    })
}

/// What fired most comes first; how many are left out. Rules are advised on.
fn listed(
    all: BTreeMap<String, Figures>,
    tolls: &BTreeMap<String, Toll>,
    runbooks: Option<&BTreeMap<String, String>>,
) -> (Vec<Value>, usize) {
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(_, it)| std::cmp::Reverse(it.n_fired));
    let n_more = all.len().saturating_sub(LISTED_MAX);
    let listed = all.into_iter().take(LISTED_MAX).map(|(name, figures)| {
        let toll = tolls.get(&name).copied().unwrap_or_default();
        let mut fields = figure_fields(&figures, toll);
        fields.insert("name".to_owned(), json!(name));
        if let Some(runbooks) = runbooks {
            let advice = figures.advice().name();
            fields.insert("advice".to_owned(), json!(advice));
            fields.insert("runbook".to_owned(), json!(runbooks.get(&name)));
            let has_failed = figures.resolve.is_some_and(|it| it.p90 > RUNBOOK_WITHIN);
            fields.insert("runbookFailed".to_owned(), json!(has_failed));
        }
        Value::Object(fields)
    });
    (listed.collect(), n_more)
}

fn figure_fields(figures: &Figures, toll: Toll) -> Map<String, Value> {
    let verdicts = figures.verdicts.iter();
    let verdicts: Map<String, Value> = verdicts
        .map(|(verdict, n)| (verdict.name().to_owned(), json!(n)))
        .collect();
    let light = figures
        .actionable()
        .map(|it| Light::of_actionable(it).name());
    let fields = [
        ("fired", json!(figures.n_fired)),
        ("notified", json!(figures.n_notified)),
        ("acknowledged", json!(figures.n_acknowledged)),
        ("judged", json!(figures.n_judged)),
        ("guessed", json!(figures.n_guessed)),
        ("actionable", json!(figures.n_actionable)),
        ("actionableShare", json!(figures.actionable())),
        ("light", json!(light)),
        ("false", json!(figures.n_false)),
        ("flaps", json!(figures.n_flaps)),
        ("acknowledgeSeconds", spread_json(figures.acknowledge)),
        ("resolveSeconds", spread_json(figures.resolve)),
        ("verdicts", Value::Object(verdicts)),
    ];
    let fields = fields.into_iter().chain(tolls::fields(toll));
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// In seconds; nothing when nothing took any time.
fn spread_json(spread: Option<Spread>) -> Value {
    let seconds =
        |it: Spread| json!({ "median": it.median.as_secs_f64(), "p90": it.p90.as_secs_f64() });
    spread.map_or(Value::Null, seconds)
}

const KINDS: [&str; 5] = [
    "firing",
    "resolved",
    "notification",
    "acknowledged",
    "judged",
];
const BEFORE: Duration = Duration::from_hours(24);
const AFTER: Duration = Duration::from_hours(31 * 24);
/// Entries that are read at once.
const PAGE_ENTRIES: usize = 10_000;
/// The most alerts that are counted.
const EPISODES_MAX: usize = 200_000;
/// Incidents that are looked at before others have their turn.
const LOOKED_AT_ONCE: usize = 25;
/// The most rules, services, teams or incidents that are told.
const LISTED_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        let check = |name: &str, expected: Option<(&str, &str)>| {
            let month = Month::parse(name);
            let found = month.map(|it| (it.from.to_string(), it.to.to_string()));
            let found = found.as_ref().map(|(from, to)| (&**from, &**to));
            assert_eq!(found, expected, "{name}");
        };
        check(
            "2026-11",
            Some(("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")),
        );
        check(
            "2026-12",
            Some(("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")),
        );
        check(
            "2024-02",
            Some(("2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z")),
        );
        for wrong in [
            "2026-13",
            "2026-00",
            "2026",
            "26-11",
            "2026-1",
            "+026-01",
            "2026-11-01",
            "é-01",
        ] {
            check(wrong, None);
        }
    }
}
