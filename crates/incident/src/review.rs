//! The monthly review as Markdown: what fired and what it was worth, what to do about it, and what
//! was not alerted at all.
//!
//! *Invariants*: texts of others (names, titles, links) stay texts: they cannot make tables or tags.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use firebell_model::{Duration, Timestamp};

use crate::incident::{Incident, IncidentId, Severity, Who};
use crate::incidents::Decision;
use crate::quality::{Advice, Figures, Spread};
use crate::verdict::Verdict;

/// All that a review rests on.
#[derive(Clone, Debug)]
pub struct Review<'a> {
    /// Such as `2026-11`.
    pub month: &'a str,
    /// Figures of all that fired.
    pub total: &'a Figures,
    /// Figures by name of rule.
    pub rules: &'a BTreeMap<String, Figures>,
    /// Runbooks by name of rule, as rules say now.
    pub runbooks: &'a BTreeMap<String, String>,
    /// Incidents that were opened, the oldest first.
    pub incidents: &'a [ReviewedIncident],
    /// What was decided about it, the oldest first.
    pub decisions: &'a [Decision],
    /// What the business did meanwhile.
    pub business: &'a [BusinessMonth],
    /// Whether more fired than was counted.
    pub is_cut: bool,
}

/// A figure of the business over a month: orders, revenue, active users.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct BusinessMonth {
    /// As people call it.
    pub name: String,
    /// What was asked.
    pub expr: String,
    /// What it was at the end of each day.
    pub days: Vec<(Timestamp, f64)>,
    /// Why it is not known.
    pub error: Option<String>,
}

impl BusinessMonth {
    /// Of all its days.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = self.days.iter().map(|(_, value)| value).sum();
        (!self.days.is_empty()).then(|| sum / self.days.len() as f64)
    }
}

/// What a review says of an incident.
#[derive(Clone, PartialEq, Debug)]
pub struct ReviewedIncident {
    /// Its number.
    pub id: IncidentId,
    /// What it is called.
    pub title: String,
    /// How bad it was.
    pub severity: Severity,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Who opened it.
    pub opened_by: Who,
    /// How long it hurt, up to now when it still does.
    pub lasted: Duration,
    /// How many alerts it had.
    pub n_alerts: usize,
    /// Whether people found it and no alert ever belonged to it.
    pub had_no_alert: bool,
    /// What it was, and whether that was guessed.
    pub verdict: Option<(Verdict, bool)>,
}

impl ReviewedIncident {
    /// What is to be said of an incident.
    #[must_use]
    pub fn of(now: Timestamp, incident: &Incident) -> Self {
        // What was taken out belongs elsewhere; what was merged in has brought its own along.
        let had_alert = !incident.alerts.is_empty() || incident.n_left_out > 0;
        let verdict = incident.verdict.as_ref();
        Self {
            id: incident.id,
            title: incident.title.clone(),
            severity: incident.severity,
            opened_at: incident.opened_at,
            opened_by: incident.opened_by.clone(),
            lasted: incident.lasted(now),
            n_alerts: incident.alerts.len() + incident.n_left_out,
            had_no_alert: !had_alert && incident.state.phase().is_some(),
            verdict: verdict.map(|it| (it.verdict, it.is_guessed())),
        }
    }
}

impl Review<'_> {
    /// The review, to be read, changed and kept.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("# Review of {}\n\n{}\n", self.month, self.summary());
        self.business(&mut text);
        self.fired(&mut text);
        self.advice(
            &mut text,
            Advice::Delete,
            "To delete: under 50 % actionable",
        );
        self.advice(
            &mut text,
            Advice::Tune,
            "To tune: under 80 % actionable, or flapping",
        );
        self.runbooks(&mut text);
        self.incidents(&mut text);
        self.decided(&mut text);
        text
    }

    fn summary(&self) -> String {
        let total = self.total;
        let mut text = format!(
            "{} alerts fired; {} were told of, {} looked at; {}.",
            total.n_fired,
            total.n_notified,
            total.n_acknowledged,
            actionable(total),
        );
        if total.n_guessed > 0 {
            let _ = write!(text, " Verdicts that were guessed: {}.", total.n_guessed);
        }
        if self.is_cut {
            text.push_str(" More fired than is counted here.");
        }
        text
    }

    fn business(&self, text: &mut String) {
        if self.business.is_empty() {
            return;
        }
        text.push_str(
            "\n## What the business did\n\n| figure | mean of a day | lowest | highest |\n\
             |---|--:|---|---|\n",
        );
        for it in self.business.iter().take(ROWS_MAX) {
            let by_value = |a: &&(Timestamp, f64), b: &&(Timestamp, f64)| a.1.total_cmp(&b.1);
            let (least, most) = (
                it.days.iter().min_by(by_value),
                it.days.iter().max_by(by_value),
            );
            let name = plain(&it.name);
            let _ = match (&it.error, it.mean(), least.zip(most)) {
                (Some(why), ..) => writeln!(text, "| {name} | {} |  |  |", plain(why)),
                (None, Some(mean), Some((least, most))) => {
                    let (mean, least, most) = (amount(mean), on_day(least), on_day(most));
                    writeln!(text, "| {name} | {mean} | {least} | {most} |")
                }
                _ => writeln!(text, "| {name} | – |  |  |"),
            };
        }
    }

    fn decided(&self, text: &mut String) {
        text.push_str("\n## Decisions\n\n| about | what | who | when |\n|---|---|---|---|\n");
        if self.decisions.is_empty() {
            text.push_str("|  |  |  |  |\n");
        }
        for it in self.decisions.iter().take(ROWS_MAX) {
            let (about, what) = (plain(&it.about), plain(&it.decision));
            let _ = writeln!(
                text,
                "| {about} | {what} | {} | {} |",
                plain(it.by.name()),
                it.at
            );
        }
        more(text, self.decisions.len());
    }

    /// The last word about a rule.
    fn decision(&self, rule: &str) -> String {
        let last = self.decisions.iter().rev().find(|it| it.about == rule);
        last.map_or(String::new(), |it| {
            format!("{} ({})", plain(&it.decision), plain(it.by.name()))
        })
    }

    /// Rules, those that fired most first.
    fn by_number(&self) -> Vec<(&String, &Figures)> {
        let mut rules: Vec<_> = self.rules.iter().collect();
        rules.sort_by_key(|(_, it)| std::cmp::Reverse(it.n_fired));
        rules
    }

    fn fired(&self, text: &mut String) {
        text.push_str("\n## What fired\n\n");
        if self.rules.is_empty() {
            text.push_str("Nothing.\n");
            return;
        }
        text.push_str(
            "| rule | fired | told of | actionable | verdicts | looked at after | over after | \
             advice |\n|---|--:|--:|---|---|---|---|---|\n",
        );
        let rules = self.by_number();
        for (name, it) in rules.iter().take(ROWS_MAX) {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                plain(name),
                it.n_fired,
                it.n_notified,
                share(it),
                verdicts(it),
                spread(it.acknowledge),
                spread(it.resolve),
                it.advice().name(),
            );
        }
        more(text, rules.len());
    }

    fn advice(&self, text: &mut String, advice: Advice, title: &str) {
        let mut rules = self.by_number();
        rules.retain(|(_, it)| it.advice() == advice);
        let _ = write!(text, "\n## {title}\n\n");
        if rules.is_empty() {
            text.push_str("Nothing.\n");
            return;
        }
        text.push_str("| rule | why | by replay | decided |\n|---|---|---|---|\n");
        for (name, it) in rules.iter().take(ROWS_MAX) {
            let mut why = format!("{}: {}", actionable(it), verdicts(it));
            if it.n_flaps > 0 {
                let _ = write!(why, "; came back within an hour {}", times(it.n_flaps));
            }
            let _ = writeln!(
                text,
                "| {} | {why} | – | {} |",
                plain(name),
                self.decision(name)
            );
        }
        more(text, rules.len());
    }

    fn runbooks(&self, text: &mut String) {
        let limit = RUNBOOK_WITHIN;
        let _ = write!(text, "\n## Runbooks: over after more than {limit}\n\n");
        let mut rules = self.by_number();
        rules.retain(|(_, it)| it.resolve.is_some_and(|it| it.p90 > limit));
        if rules.is_empty() {
            text.push_str("None.\n");
        }
        for (name, it) in rules.iter().take(ROWS_MAX) {
            let runbook = match self.runbooks.get(*name) {
                Some(runbook) => plain(runbook),
                None => "it has no runbook".to_owned(),
            };
            let took = spread(it.resolve);
            let _ = writeln!(text, "- [ ] {}: {took}; {runbook}", plain(name));
        }
        more(text, rules.len());
    }

    fn incidents(&self, text: &mut String) {
        text.push_str("\n## Incidents\n\n");
        if self.incidents.is_empty() {
            text.push_str("None.\n");
        } else {
            text.push_str(
                "| incident | severity | opened | by | lasted | alerts | verdict |\n\
                 |---|---|---|---|---|--:|---|\n",
            );
        }
        for it in self.incidents.iter().take(ROWS_MAX) {
            let verdict = it.verdict.map_or("–".to_owned(), |(verdict, is_guessed)| {
                let guessed = if is_guessed { " (guessed)" } else { "" };
                format!("{}{guessed}", verdict.words())
            });
            let _ = writeln!(
                text,
                "| {}: {} | {} | {} | {} | {} | {} | {verdict} |",
                it.id,
                plain(&it.title),
                it.severity,
                it.opened_at,
                plain(&it.opened_by.to_string()),
                it.lasted,
                it.n_alerts,
            );
        }
        more(text, self.incidents.len());
        text.push_str("\n## Incidents that had no alert\n\n");
        let mut without: Vec<_> = self.incidents.iter().collect();
        without.retain(|it| it.had_no_alert);
        if without.is_empty() {
            text.push_str("None.\n");
        }
        for it in without.iter().take(ROWS_MAX) {
            let (title, by) = (plain(&it.title), plain(&it.opened_by.to_string()));
            let _ = writeln!(text, "- [ ] {}: {title}, found by {by}", it.id);
        }
        more(text, without.len());
    }
}

/// As many digits as say something.
fn amount(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn on_day((at, value): &(Timestamp, f64)) -> String {
    let day = at.to_string();
    format!("{} ({})", amount(*value), day.get(..10).unwrap_or_default())
}

fn times(n: u64) -> String {
    match n {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}

fn actionable(figures: &Figures) -> String {
    match figures.n_judged {
        0 => "no verdict yet".to_owned(),
        judged => format!(
            "{} of {judged} actionable ({})",
            figures.n_actionable,
            share(figures)
        ),
    }
}

fn share(figures: &Figures) -> String {
    let share = figures.actionable();
    share.map_or("–".to_owned(), |it| format!("{:.0} %", it * 100.0))
}

fn verdicts(figures: &Figures) -> String {
    let mut all: Vec<_> = figures.verdicts.iter().collect();
    all.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let all = all
        .iter()
        .map(|(verdict, n)| format!("{} {n}", verdict.words()));
    match all.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "–".to_owned(),
        all => all,
    }
}

fn spread(spread: Option<Spread>) -> String {
    spread.map_or("–".to_owned(), |it| {
        format!("half within {}, nine of ten within {}", it.median, it.p90)
    })
}

fn more(text: &mut String, n_rows: usize) {
    if n_rows > ROWS_MAX {
        let _ = write!(text, "\nAnd {} more.\n", n_rows - ROWS_MAX);
    }
}

/// A text of somebody else in one line of Markdown.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '[' | ']' | '`' | '*' | '\\' | '#' => plain.extend(['\\', c]),
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

/// What takes longer was not helped by its runbook.
pub const RUNBOOK_WITHIN: Duration = Duration::from_mins(30);
/// The most rows of a table; the rest is counted.
const ROWS_MAX: usize = 500;
