//! Error budgets of a test's objectives: what is spent and left, how fast it burns, when it is gone,
//! and how far the objective's alerts have come.
//!
//! *Sources*: `firebell-slo` for the arithmetic, which is what a server shows.

use std::collections::{BTreeMap, BTreeSet};

use firebell_config::{ExpectedState, SloTest, UnitTest, UnitTests};
use firebell_model::{Duration, Labels, format_float, label_set_text};
use firebell_rules::{Context, StoreQuerier};
use firebell_slo::{Budget, Objective, Objectives, RULES_FILE_PREFIX, ledger};

use super::play::{Played, query_options};
use super::sides::Sides;
use super::{Options, start_of};

/// What is otherwise than expected, in the order of the file. What debugging shows goes to `notes`.
pub(super) fn compare(
    (test, tests): (&UnitTest, &UnitTests),
    objectives: &Objectives,
    played: &Played,
    options: &Options<'_>,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let cases = test.slo_tests.iter();
    let errors = cases.filter_map(|case| {
        let name = match &*test.name {
            "" => String::new(),
            name => format!("    name: {name},\n"),
        };
        let head = format!("{name}    slo: {}, time: {},", case.slo, case.eval_time);
        let books = match Books::of(case, (test, tests), objectives, played, options) {
            Ok(books) => books,
            Err(error) => return Some(format!("{head} err: {error}")),
        };
        if options.is_debug {
            notes.push(format!("DEBUG: {} at {}:", case.slo, case.eval_time));
            notes.extend(books.everything());
        }
        match books.sides(case) {
            Ok(sides) => sides.show(&head, options.is_diff),
            Err(error) => Some(format!("{head} err: {error}")),
        }
    });
    errors.collect()
}

/// The names of the rule groups of objectives that a test asks for.
pub(super) fn groups_of(test: &UnitTest) -> BTreeSet<String> {
    let cases = test.slo_tests.iter();
    cases.map(|it| group_of(&it.slo)).collect()
}

fn group_of(slo: &str) -> String {
    format!("{RULES_FILE_PREFIX}{slo}")
}

/// All that is known of an objective at the moment of a case.
struct Books {
    objective: std::sync::Arc<Objective>,
    budgets: Vec<Budget>,
    /// The states of its alerts that are active, by name.
    active: BTreeMap<String, ExpectedState>,
}

impl Books {
    fn of(
        case: &SloTest,
        (test, tests): (&UnitTest, &UnitTests),
        objectives: &Objectives,
        played: &Played,
        options: &Options<'_>,
    ) -> Result<Self, String> {
        let Some(objective) = objectives.all.iter().find(|it| it.id == case.slo) else {
            let known: Vec<&str> = objectives.all.iter().map(|it| &*it.id).collect();
            return Err(match &known[..] {
                [] => "there are no objectives: name their files in `slo_files`".to_owned(),
                known => format!("there is no such objective; there are {}", known.join(", ")),
            });
        };
        let context = Context {
            subquery_step: tests.evaluation_interval,
            ..Context::default()
        };
        let querier = StoreQuerier {
            source: &played.memory,
            options: query_options(&context, options.delays_name_removal),
        };
        let at = start_of(test) + case.eval_time;
        let wanted = labels(case);
        let mut books = ledger(objective, at, &querier)?;
        books.budgets.retain(|it| has_labels(&it.labels, &wanted));
        Ok(Self {
            objective: objective.clone(),
            budgets: books.budgets,
            active: active(case, objective, &wanted, played),
        })
    }

    /// Both sides, of what was said.
    fn sides(&self, case: &SloTest) -> Result<Sides, String> {
        let mut sides = Sides::default();
        let mut row = |name: &str, (expected, got): (String, String)| {
            sides.expected.push(format!("{name} {expected}"));
            sides.got.push(format!("{name} {got}"));
        };
        let has_numbers = case.spent.is_some()
            || case.remaining.is_some()
            || !case.burn_rates.is_empty()
            || case.exhausted_in.is_some();
        if has_numbers {
            let budget = self.budget()?;
            let spent = budget.spent.share;
            let shares = [
                ("spent", case.spent, spent),
                ("remaining", case.remaining, 1.0 - spent),
            ];
            for (name, expected, got) in shares {
                if let Some(expected) = expected {
                    row(name, both(expected, got, case.tolerance, percent));
                }
            }
            for (window, expected) in &case.burn_rates {
                let got = self.rate(budget, *window)?;
                let name = format!("burn rate over {window}");
                row(
                    &name,
                    both_if_any(*expected, got, case.tolerance, "none", number),
                );
            }
            if let Some(expected) = case.exhausted_in {
                let [expected, got] =
                    [expected, budget.exhausted_in].map(|it| it.map(|it| it.as_secs_f64()));
                let tolerance = case.tolerance;
                row(
                    "exhausted in",
                    both_if_any(expected, got, tolerance, "never", duration),
                );
            }
        }
        if let Some(expected) = &case.alerts {
            let names = self.names();
            if let Some(unknown) = expected.keys().find(|name| !names.contains(name)) {
                let names = names
                    .iter()
                    .map(|name| &***name)
                    .collect::<Vec<_>>()
                    .join(", ");
                return Err(format!("it has no alert `{unknown}`; there are {names}"));
            }
            for name in names {
                let (expected, got) = (expected.get(name), self.active.get(name));
                if expected.is_none() && got.is_none() {
                    continue;
                }
                let held = match expected == got {
                    true => String::new(),
                    false => self.held(name),
                };
                row(
                    name,
                    (state(expected).to_owned(), format!("{}{held}", state(got))),
                );
            }
        }
        Ok(sides)
    }

    /// The budget that is meant.
    fn budget(&self) -> Result<&Budget, String> {
        match &self.budgets[..] {
            [budget] => Ok(budget),
            [] => Err("there is nothing to measure by".to_owned()),
            several => {
                let several = several.iter().map(|it| label_set_text(&it.labels));
                let several: Vec<String> = several.collect();
                Err(format!(
                    "which budget is not clear; `labels` says: {}",
                    several.join(", ")
                ))
            }
        }
    }

    fn rate(&self, budget: &Budget, window: Duration) -> Result<Option<f64>, String> {
        match budget.burns.iter().find(|it| it.window == window) {
            Some(burn) => Ok(burn.rate),
            None => {
                let known = budget.burns.iter().map(|it| it.window.to_string());
                let known = known.collect::<Vec<_>>().join(", ");
                Err(format!("no alert looks at {window}; they look at {known}"))
            }
        }
    }

    /// The names of the objective's alerts, in the order of its rules.
    fn names(&self) -> Vec<&String> {
        names(&self.objective).collect()
    }

    /// What holds an alert back although it burns.
    fn held(&self, name: &str) -> String {
        let tiers = self.budgets.iter().flat_map(|it| &it.tiers);
        let mut tiers = tiers.filter(|tier| tier.name == name);
        let held = tiers.find_map(|tier| tier.held.as_ref());
        held.map_or_else(String::new, |held| format!(" (held back: {held})"))
    }

    /// All that there is to say, for debugging.
    fn everything(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for budget in &self.budgets {
            let Budget {
                labels,
                spent,
                burns,
                tiers: _,
                exhausted_in,
            } = budget;
            rows.push(format!("budget {}", label_set_text(labels)));
            rows.push(format!("  spent {}", percent(spent.share, DIGITS)));
            rows.push(format!(
                "  remaining {}",
                percent(1.0 - spent.share, DIGITS)
            ));
            rows.extend(burns.iter().map(|burn| {
                let rate = burn.rate.map_or("none".to_owned(), |it| number(it, DIGITS));
                format!("  burn rate over {} {rate}", burn.window)
            }));
            let end = exhausted_in.map_or("never".to_owned(), |it| it.to_string());
            rows.push(format!("  exhausted in {end}"));
        }
        rows.extend(
            self.names()
                .into_iter()
                .map(|name| format!("{name} {}{}", state(self.active.get(name)), self.held(name))),
        );
        rows
    }
}

/// The names of an objective's alerts: its tiers, and the alert that says that there is no data.
fn names(objective: &Objective) -> impl Iterator<Item = &String> {
    let tiers = objective.tiers.iter().map(|tier| &tier.name);
    tiers.chain(objective.no_data.iter().map(|it| &it.alert))
}

/// How far the alerts of an objective have come that have some labels.
fn active(
    case: &SloTest,
    objective: &Objective,
    wanted: &Labels,
    played: &Played,
) -> BTreeMap<String, ExpectedState> {
    let tick = usize::try_from(case.eval_time.0 / played.interval.0).unwrap_or(usize::MAX);
    let group = group_of(&objective.id);
    let seen = played.alerts.get(&tick).into_iter().flatten();
    let names: Vec<&String> = names(objective).collect();
    let mut active = BTreeMap::new();
    for seen in seen.filter(|it| it.group == group) {
        let Some(name) = names.get(seen.nth) else {
            continue;
        };
        let alerts = seen.alerts.iter().filter(|it| it.is_active());
        for alert in alerts.filter(|it| has_labels(&it.labels, wanted)) {
            let state = match alert.firing_since() {
                Some(_) => ExpectedState::Firing,
                None => ExpectedState::Pending,
            };
            let known = active.entry((*name).clone()).or_insert(state);
            if state == ExpectedState::Firing {
                *known = state;
            }
        }
    }
    active
}

fn labels(case: &SloTest) -> Labels {
    Labels::from_pairs(case.labels.iter().map(|(name, value)| (&**name, &**value)))
}

fn has_labels(labels: &Labels, wanted: &Labels) -> bool {
    wanted
        .iter()
        .all(|label| labels.get(&label.name) == Some(&label.value))
}

fn state(state: Option<&ExpectedState>) -> &'static str {
    match state {
        None => "inactive",
        Some(ExpectedState::Pending) => "pending",
        Some(ExpectedState::Firing) => "firing",
    }
}

/// A number to so many digits.
type Shown = fn(f64, usize) -> String;

/// Texts of two numbers: the same when they are as close as that.
fn both(expected: f64, got: f64, tolerance: f64, show: Shown) -> (String, String) {
    let text = show(expected, DIGITS_MAX);
    if (expected - got).abs() <= tolerance * expected.abs() + NOTHING {
        return (text.clone(), text);
    }
    let shown = show(got, DIGITS);
    let shown = if shown == text {
        show(got, DIGITS_MAX)
    } else {
        shown
    };
    (text, shown)
}

/// The same of numbers that may not be there.
fn both_if_any(
    expected: Option<f64>,
    got: Option<f64>,
    tolerance: f64,
    nothing: &str,
    show: Shown,
) -> (String, String) {
    match (expected, got) {
        (Some(expected), Some(got)) => both(expected, got, tolerance, show),
        sides => {
            let text = |side: Option<f64>, n| side.map_or(nothing.to_owned(), |it| show(it, n));
            (text(sides.0, DIGITS_MAX), text(sides.1, DIGITS))
        }
    }
}

fn percent(share: f64, n_digits: usize) -> String {
    format!("{}%", number(share * 100.0, n_digits))
}

fn duration(secs: f64, _: usize) -> String {
    Duration::from_secs_f64(secs).to_string()
}

fn number(value: f64, n_digits: usize) -> String {
    let rounded = format!("{value:.n_digits$}");
    format_float(rounded.parse().unwrap_or(value))
}

/// Digits behind the point.
const DIGITS: usize = 3;
const DIGITS_MAX: usize = 9;
/// What differs by less is the same.
const NOTHING: f64 = 1e-9;
