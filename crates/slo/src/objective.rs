//! Objectives as people meant them, checked, whatever format they wrote them in.

use std::sync::Arc;

use firebell_model::{Duration, Labels};
use firebell_rules::Place;

use crate::burn::{Severity, Tier};
use crate::indicator::{Counts, Indicator};
use crate::text::{exact_percent, number, sum, tidy};
use crate::traffic::LowTraffic;
use crate::window::Window;

/// All objectives of a configuration, and the flows that they are about.
#[derive(Clone, Debug, Default)]
pub struct Objectives {
    /// In the order of the files.
    pub all: Vec<Arc<Objective>>,
    /// The catalogue of what users do; some may have no objective.
    pub flows: Vec<Flow>,
}

/// Something that users do and that matters.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Flow {
    /// Unique within the service.
    pub name: String,
    /// Whose it is.
    pub service: String,
    /// What users do, for people.
    pub description: String,
    /// The team that owns it; may be empty.
    pub owner: String,
    /// Whether the business stands still without it.
    pub is_critical: bool,
}

/// A promise about a service over a window of time.
#[derive(Clone, Debug)]
pub struct Objective {
    /// `service/name`; unique.
    pub id: String,
    /// The service.
    pub service: String,
    /// Unique within the service.
    pub name: String,
    /// The flow that it is about; empty when nobody said.
    pub flow: String,
    /// What it means, for people; may be empty.
    pub description: String,
    /// The share of events that has to be good.
    pub target: Target,
    /// Over which time.
    pub window: Window,
    /// How good or bad the service was.
    pub indicator: Indicator,
    /// What is counted: events, or slices of time.
    pub budgeting: Budgeting,
    /// One budget for each value of these labels; empty: one for all.
    pub by: Vec<String>,
    /// The team; may be empty.
    pub owner: String,
    /// What to do; may be empty.
    pub runbook: String,
    /// Name of the alerts.
    pub alert: String,
    /// The alerts.
    pub tiers: Vec<Tier>,
    /// What holds them back.
    pub low_traffic: LowTraffic,
    /// Whether pages are judged within a second of the samples that touch them, besides at the
    /// evaluation interval.
    pub on_arrival: bool,
    /// Whether somebody is told when there are no events at all.
    pub no_data: Option<NoData>,
    /// Labels of all its alerts; they win over those that Firebell gives.
    pub labels: Labels,
    /// Annotations of all its alerts; they win as well.
    pub annotations: Labels,
    /// More labels and annotations of pages.
    pub page: (Labels, Labels),
    /// More labels and annotations of tickets.
    pub ticket: (Labels, Labels),
    /// The file it stands in.
    pub file: String,
    /// Where in the file.
    pub place: Place,
}

/// The alert that says that an indicator gives nothing.
#[derive(Clone, PartialEq, Debug)]
pub struct NoData {
    /// Its name.
    pub alert: String,
    /// How much it bothers.
    pub severity: Severity,
    /// For how long there must be nothing.
    pub hold_for: Duration,
}

/// What spends the budget.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Budgeting {
    /// Bad events.
    Events,
    /// Slices of time in which too small a share of events was good. One without events is good.
    Slices {
        /// How long they are.
        every: Duration,
        /// The share that makes a slice good.
        good: f64,
    },
    /// The mean of the slices' shares: each counts the same, whatever its traffic. One without events
    /// does not count.
    SliceRatios {
        /// How long they are.
        every: Duration,
    },
}

/// The share of events that has to be good: more than nothing, less than all.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Target(f64);

/// Why a share is no target.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum TargetError {
    /// There is no budget.
    #[error("an objective of 100 % leaves no error budget: the first bad event would break it")]
    Perfect,
    /// Not a share that can be missed.
    #[error("an objective has to be more than 0 % and less than 100 %, not {0} %")]
    Range(f64),
}

impl Target {
    /// 99 %: what a reader goes on with when a target is missing.
    pub const STAND_IN: Self = Self(99.0);

    /// From a percentage such as 99.9.
    ///
    /// # Errors
    /// When nothing, or everything, would keep it.
    pub fn from_percent(percent: f64) -> Result<Self, TargetError> {
        match percent {
            100.0 => Err(TargetError::Perfect),
            percent if percent > 0.0 && percent < 100.0 => Ok(Self(percent)),
            percent => Err(TargetError::Range(percent)),
        }
    }

    /// Such as 99.9.
    #[must_use]
    pub fn percent(self) -> f64 {
        self.0
    }

    /// The share that may be bad, such as 0.001.
    #[must_use]
    pub fn budget(self) -> f64 {
        tidy((100.0 - self.0) / 100.0)
    }
}

/// `99.9%`.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&exact_percent(self.0 / 100.0))
    }
}

/// What is wrong with an objective whose parts are right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What it is about: `window`, `indicator`, `slices`, or a tier's name.
    pub part: String,
    /// What is wrong.
    pub message: String,
}

impl Objective {
    /// The shortest window that its alerts may have.
    #[must_use]
    pub fn shortest(&self, scrape_interval: Duration) -> Duration {
        let two_scrapes = scrape_interval * crate::burn::WINDOW_SCRAPES_MIN;
        self.slice()
            .map_or(two_scrapes, |every| two_scrapes.max(every))
    }

    /// The labels by which an alert about it is known and owned: `slo`, `service`, and those that its
    /// own alerts have, as far as they are the same for all.
    #[must_use]
    pub fn identity(&self) -> Labels {
        let own = [("slo", &*self.name), ("service", &*self.service)];
        let mut all = Labels::from_pairs(own).to_builder();
        // A template is different for each alert.
        for label in self.labels.iter().filter(|it| !it.value.contains("{{")) {
            all.set(label.name.clone(), label.value.clone());
        }
        all.build()
    }

    fn slice(&self) -> Option<Duration> {
        match self.budgeting {
            Budgeting::Events => None,
            Budgeting::Slices { every, .. } | Budgeting::SliceRatios { every } => Some(every),
        }
    }

    /// What is wrong with it, samples coming once in `scrape_interval`; nothing when it can be used.
    #[must_use]
    pub fn faults(&self, scrape_interval: Duration) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut add = |part: &str, message: String| {
            let part = part.to_owned();
            faults.push(Fault { part, message });
        };
        let two_scrapes = scrape_interval * crate::burn::WINDOW_SCRAPES_MIN;
        let period = self.window.period();
        if period < two_scrapes {
            add(
                "window",
                format!(
                    "the window {period} is shorter than {} scrapes, which take {two_scrapes}",
                    crate::burn::WINDOW_SCRAPES_MIN
                ),
            );
        }
        if let Some(every) = self
            .slice()
            .filter(|every| *every < two_scrapes || *every > period)
        {
            let message = format!(
                "a slice of {every} has to be two scrapes long ({two_scrapes}) or longer, and within \
                 the window"
            );
            add("slices", message);
        }
        if !self.indicator.is_even() {
            let message = "one query counts events and the other events a second, or nobody can \
                           tell: their ratio means nothing";
            add("indicator", message.to_owned());
        }
        for tier in &self.tiers {
            let shortest = self.shortest(scrape_interval);
            let checked = tier.check(period, shortest, self.target.budget());
            // A window that is shorter than its shortest alert window has been named above.
            if let (Err(error), true) = (checked, period >= two_scrapes) {
                add(&tier.name, error.to_string());
            }
        }
        faults
    }

    /// The share of bad events in a window, as an expression.
    #[must_use]
    pub fn ratio(&self, window: Duration) -> String {
        match self.budgeting {
            Budgeting::Events => self.indicator.ratio(window, &self.by),
            _ => match self.counts(window) {
                Some(Counts { bad, total }) => format!("({bad} / {total})"),
                None => self.indicator.ratio(window, &self.by),
            },
        }
    }

    /// Bad and all events in a window, as expressions; `None` when only their ratio is known.
    #[must_use]
    pub fn events(&self, window: Duration) -> Option<(String, String)> {
        self.counts(window).map(|it| (it.bad, it.total))
    }

    pub(crate) fn counts(&self, window: Duration) -> Option<Counts> {
        let sliced = |function: &str, what: &str, every: Duration| {
            sum(&self.by, &format!("{function}({what}[{window}:{every}])"))
        };
        match self.budgeting {
            Budgeting::Events => self.indicator.counts(window, &self.by),
            Budgeting::Slices { every, good } => {
                let ratio = self.indicator.ratio(every, &self.by);
                let is_bad = format!("({ratio} > bool {})", number(1.0 - good));
                Some(Counts {
                    bad: sliced("sum_over_time", &is_bad, every),
                    total: sliced("count_over_time", &ratio, every),
                })
            }
            Budgeting::SliceRatios { every } => {
                let ratio = format!("({} >= 0)", self.indicator.ratio(every, &self.by));
                Some(Counts {
                    bad: sliced("sum_over_time", &ratio, every),
                    total: sliced("count_over_time", &ratio, every),
                })
            }
        }
    }

    /// Something that is there when there are events, as an expression.
    pub(crate) fn evidence(&self, window: Duration) -> String {
        match (&self.indicator, self.indicator.counts(window, &self.by)) {
            (_, Some(counts)) => counts.total,
            (Indicator::Composite(members), None) => {
                let each = members.iter().map(|it| it.objective.evidence(window));
                each.collect::<Vec<_>>().join(" or ")
            }
            (_, None) => self.indicator.ratio(window, &self.by),
        }
    }
}
