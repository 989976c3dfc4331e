//! The draft of a postmortem as Markdown: facts first, then what people have written, or what is
//! asked of them.
//!
//! *Invariants*: facts come from the incident alone, so that the same incident gives the same draft.
//! Texts of others stay texts, as in reviews; what people wrote for the postmortem is Markdown, but
//! without tags.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use firebell_model::Timestamp;

use super::{Graph, GraphSeries, Part, day};
use crate::incident::{Incident, Person, What, Who, alert_text};
use crate::life::Phase;
use crate::review::plain;

/// When what happened: how long nobody knew. Each is `None` when it did not happen, or nobody knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moments {
    /// The expression of one of its alerts began to hold, as far as frozen samples say.
    pub bad_at: Option<Timestamp>,
    /// An alert joined.
    pub alerted_at: Option<Timestamp>,
    /// Somebody was told, and it arrived.
    pub told_at: Option<Timestamp>,
    /// Somebody looked into it.
    pub acknowledged_at: Option<Timestamp>,
    /// It hurt no longer.
    pub mitigated_at: Option<Timestamp>,
    /// It was over.
    pub resolved_at: Option<Timestamp>,
}

impl Moments {
    /// Each with what it is.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Option<Timestamp>); 6] {
        [
            ("first bad sample", self.bad_at),
            ("first alert", self.alerted_at),
            ("first told", self.told_at),
            ("first acknowledged", self.acknowledged_at),
            ("no longer hurting", self.mitigated_at),
            ("over", self.resolved_at),
        ]
    }
}

impl Incident {
    /// When what happened.
    #[must_use]
    pub fn moments(&self) -> Moments {
        let first = |is_it: &dyn Fn(&What) -> bool| {
            let found = self.timeline.iter().find(|it| is_it(&it.what));
            found.map(|it| it.at)
        };
        let moved = |phases: &'static [Phase]| {
            let is_it =
                move |it: &What| matches!(it, What::Moved { to, .. } if phases.contains(to));
            first(&is_it)
        };
        let alerted_at = first(&|it| matches!(it, What::Joined(_)));
        let by = alerted_at.unwrap_or(self.opened_at);
        Moments {
            bad_at: self.graphs.iter().filter_map(|it| it.bad_since(by)).min(),
            alerted_at,
            told_at: first(&|it| {
                let is_page = matches!(it, What::Page(firebell_escalation::What::Told(_)));
                is_page || matches!(it, What::Notified { error: None, .. })
            }),
            acknowledged_at: self.first_acknowledged_at,
            mitigated_at: moved(&[Phase::Mitigated, Phase::Resolved]),
            resolved_at: moved(&[Phase::Resolved]),
        }
    }

    /// Everybody who did something in it.
    #[must_use]
    pub fn people(&self) -> BTreeSet<&Person> {
        let wrote = self.timeline.iter().filter_map(|it| match &it.by {
            Who::Person(person) => Some(person),
            Who::Firebell => None,
        });
        wrote.chain(self.roles.values()).collect()
    }

    /// The postmortem as it stands, to be read and kept; its pictures have their addresses below
    /// `pictures`.
    #[must_use]
    pub fn postmortem_markdown(&self, pictures: &str) -> String {
        let mut text = format!("# Postmortem of {}: {}\n\n", self.id, plain(&self.title));
        let version = super::POSTMORTEM_VERSION;
        let _ = writeln!(text, "<!-- firebell postmortem, version {version} -->");
        self.part(Part::Summary, &mut text);
        self.facts(&mut text);
        self.detection(&mut text);
        self.alerts(&mut text);
        self.graphs(&mut text);
        for part in [Part::Cause, Part::WentWell, Part::WentBadly, Part::Gaps] {
            self.part(part, &mut text);
        }
        self.follow_ups(&mut text);
        self.log(pictures, &mut text);
        text
    }

    fn part(&self, part: Part, text: &mut String) {
        let written = self.postmortem.as_ref().and_then(|it| it.parts.get(&part));
        let body = match written {
            Some(written) => written.replace('<', "\\<"),
            None => format!("*{}*", part.prompt()),
        };
        let _ = write!(text, "\n## {}\n\n{body}\n", part.title());
    }

    fn facts(&self, text: &mut String) {
        let roles = self
            .roles
            .iter()
            .map(|(role, person)| format!("{person} ({role})"));
        let roles: Vec<String> = roles.collect();
        let people: Vec<&str> = self.people().iter().map(|it| it.name()).collect();
        let impact = self.impact.as_ref().map(|it| match it.users {
            Some(users) => format!("{} ({users} users)", it.text),
            None => it.text.clone(),
        });
        let data = self
            .data
            .as_ref()
            .map(|it| format!("{} {}", it.state, it.text));
        let verdict = self.verdict.as_ref().map(|it| match it.is_guessed() {
            true => format!("{} (guessed)", it.verdict.words()),
            false => format!("{}, said {}", it.verdict.words(), it.by),
        });
        text.push_str("\n## Facts\n\n| what | |\n|---|---|\n");
        for (name, value) in [
            ("severity", Some(self.severity.to_string())),
            ("state", Some(self.state.name().to_owned())),
            (
                "opened",
                Some(format!("{} by {}", self.opened_at, self.opened_by)),
            ),
            ("over", self.resolved_at.map(|it| it.to_string())),
            ("impact", impact),
            ("components", some(self.components.join(", "))),
            ("data", data),
            ("verdict", verdict),
            ("roles", some(roles.join(", "))),
            ("people", some(people.join(", "))),
        ] {
            let value = value.unwrap_or_else(|| "not known".to_owned());
            let _ = writeln!(text, "| {name} | {} |", plain(value.trim()));
        }
    }

    fn detection(&self, text: &mut String) {
        text.push_str(
            "\n## How it was noticed\n\n| moment | when | after the one before |\n|---|---|---|\n",
        );
        let mut before: Option<Timestamp> = None;
        for (name, at) in self.moments().named() {
            let Some(at) = at else {
                let _ = writeln!(text, "| {name} | not known | |");
                continue;
            };
            let after = before.map(|before| (at - before).to_string());
            let _ = writeln!(text, "| {name} | {at} | {} |", after.unwrap_or_default());
            before = Some(at);
        }
    }

    fn alerts(&self, text: &mut String) {
        text.push_str("\n## Alerts\n\n");
        if self.alerts.is_empty() {
            text.push_str("None: people found it.\n");
        }
        for member in self.alerts.values().take(ALERTS_MAX) {
            let ended = member
                .ended_at
                .map_or("still firing".to_owned(), |it| it.to_string());
            let alert = plain(&alert_text(&member.labels));
            let _ = writeln!(text, "- {alert}: {} – {ended}", member.joined_at);
        }
        let n_more = self.alerts.len().saturating_sub(ALERTS_MAX) + self.n_left_out;
        if n_more > 0 {
            let _ = write!(text, "\nAnd {n_more} more.\n");
        }
    }

    fn graphs(&self, text: &mut String) {
        text.push_str("\n## Graphs\n\n");
        if self.graphs.is_empty() {
            text.push_str("No samples were frozen.\n");
        }
        for graph in &self.graphs {
            let _ = writeln!(
                text,
                "### {}\n\n`{}`\n",
                plain(&graph.name),
                code(&graph.expr)
            );
            graph.write(text);
        }
    }

    fn follow_ups(&self, text: &mut String) {
        text.push_str("\n## Follow-ups\n\n");
        let all = self
            .postmortem
            .as_ref()
            .map_or(&[][..], |it| &it.follow_ups);
        if all.is_empty() {
            text.push_str(
                "*What will be done so that it does not come back, by whom, until when?*\n",
            );
            return;
        }
        text.push_str("| | what | who | until | proven by |\n|--:|---|---|---|---|\n");
        for (idx, it) in all.iter().enumerate() {
            let proof = it.proof.as_ref().map_or("open".to_owned(), |proof| {
                format!(
                    "{} ({}, {})",
                    plain(&proof.text),
                    plain(proof.by.name()),
                    day(proof.at)
                )
            });
            let (what, who) = (plain(&it.text), plain(it.owner.name()));
            let _ = writeln!(
                text,
                "| {} | {what} | {who} | {} | {proof} |",
                idx + 1,
                day(it.due)
            );
        }
    }

    fn log(&self, pictures: &str, text: &mut String) {
        text.push_str("\n## Timeline\n\n| when | who | what |\n|---|---|---|\n");
        for entry in self.timeline.iter().take(ENTRIES_MAX) {
            let by = plain(&entry.by.to_string());
            let words = match entry.what.picture() {
                Some(picture) => linked(&entry.words(), &format!("{pictures}/{}", picture.id)),
                None => plain(&entry.words()),
            };
            let _ = writeln!(text, "| {} | {by} | {words} |", entry.at);
        }
        if let Some(n_more) = self.timeline.len().checked_sub(ENTRIES_MAX + 1) {
            let _ = write!(text, "\nAnd {} more.\n", n_more + 1);
        }
    }
}

impl Graph {
    fn write(&self, text: &mut String) {
        if let Some(error) = &self.error {
            let _ = writeln!(text, "It could not be asked for: {}\n", plain(error));
            return;
        }
        let _ = writeln!(text, "From {}, a value each {}:\n", self.from, self.step);
        for series in &self.series {
            let name = code(&firebell_model::label_set_text(&series.labels));
            let _ = writeln!(text, "- `{name}`: {}", series.line());
        }
        if self.series.is_empty() {
            text.push_str("No values: it did not hold.\n");
        }
        if self.n_left_out > 0 {
            let _ = writeln!(text, "- and {} more series", self.n_left_out);
        }
        text.push('\n');
    }
}

impl GraphSeries {
    /// A line of blocks, each the largest of some values, and what the lowest and the highest are.
    fn line(&self) -> String {
        let known = || self.values.iter().flatten().copied();
        let (low, high) = (
            known().fold(f64::INFINITY, f64::min),
            known().fold(f64::NEG_INFINITY, f64::max),
        );
        if low > high {
            return "no values".to_owned();
        }
        let per_block = self.values.len().div_ceil(BLOCKS_MAX).max(1);
        let block = |values: &[Option<f64>]| {
            let most = values.iter().flatten().copied().reduce(f64::max);
            most.map_or(' ', |most| {
                let share = if high > low {
                    (most - low) / (high - low)
                } else {
                    1.0
                };
                let top = BLOCKS.len() - 1;
                // From 0 to 1: a place in the list.
                let idx = (share * top as f64).round() as usize;
                BLOCKS.get(idx.min(top)).copied().unwrap_or(' ')
            })
        };
        let line: String = self.values.chunks(per_block).map(block).collect();
        format!("`{line}` from {low} to {high}")
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// What an entry says of a picture, as a link: of what it shows, if that was said.
fn linked(words: &str, address: &str) -> String {
    let (before, shown) = words.split_once(": ").unwrap_or(("", words));
    let before = match before {
        "" => String::new(),
        before => format!("{}: ", plain(before)),
    };
    format!("{before}[{}]({address})", plain(shown))
}

/// A text between backticks.
fn code(text: &str) -> String {
    let shown = |c: char| {
        if c == '`' {
            '\''
        } else if c.is_control() {
            ' '
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const BLOCKS_MAX: usize = 60;
const ALERTS_MAX: usize = 100;
const ENTRIES_MAX: usize = 1_000;
