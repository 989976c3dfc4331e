//! `firebell slo`: what is promised, what is left of the budgets, and the rules that follow.

mod spending;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use firebell_config::{Config, ExternalUrl, OsFiles, prometheus_rules};
use firebell_lint::percent;
use firebell_model::{Deploy, Duration, IncidentSpan, Labels, Timestamp};
use firebell_promql::Options;
use firebell_rules::StoreQuerier;
use firebell_server::{read_deploys, read_incidents};
use firebell_slo::{Budget, Ledger, Objective, RULES_FILE_PREFIX, history, ledger};

use crate::{fail, say, store};

/// What `firebell slo` does.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the objectives, and the flows that have none. With `--data` also what is left of each
    /// budget.
    List(Files),
    /// Show an objective: its queries, its alerts, and with `--data` its budget, on which episodes,
    /// by which incidents and deploys it was spent, and its history.
    Show {
        /// `service/name`, as `list` prints it.
        id: String,
        #[command(flatten)]
        files: Files,
    },
    /// Check files of objectives, or configurations with `slo_files`; print every problem.
    Check {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print the rules of objectives for somebody else.
    Export {
        /// As a rule file of Prometheus.
        #[arg(long, required = true)]
        prometheus: bool,
        /// Files of objectives, or configurations with `slo_files`.
        #[arg(default_value = "firebell.yml")]
        files: Vec<PathBuf>,
    },
}

#[derive(clap::Args)]
pub(crate) struct Files {
    /// Files of objectives, or configurations with `slo_files`.
    #[arg(default_value = "firebell.yml")]
    files: Vec<PathBuf>,
    /// A data folder, to say what is left of the budgets. It is only read, also while Firebell runs.
    #[arg(long, alias = "data-dir", value_name = "DIR")]
    data: Option<PathBuf>,
    /// The moment to say it of; that of the newest sample unless given.
    #[arg(long, value_name = "TIME", requires = "data")]
    at: Option<Timestamp>,
}

pub(crate) fn slo(command: &Command) -> ExitCode {
    match command {
        Command::List(files) => list(files),
        Command::Show { id, files } => show(id, files),
        Command::Check { files } => check(files),
        Command::Export { files, .. } => export(files),
    }
}

/// Reads all files, or prints what is wrong with them.
fn load(files: &[PathBuf]) -> Result<Vec<Config>, ExitCode> {
    let mut configs = Vec::new();
    let mut result = ExitCode::SUCCESS;
    for file in files {
        match load_one(file) {
            Ok(config) => configs.push(config),
            Err(code) => result = code,
        }
    }
    match result == ExitCode::SUCCESS {
        true => Ok(configs),
        false => Err(result),
    }
}

/// Reads a configuration, or prints what is wrong with it.
pub(crate) fn load_one(file: &Path) -> Result<Config, ExitCode> {
    // A file that is not there was mistyped.
    if let Err(error) = std::fs::File::open(file) {
        eprintln!("{}: failed to read: {error}", file.display());
        return Err(ExitCode::from(2));
    }
    firebell_config::load(Some(file), &ExternalUrl::default(), &OsFiles).map_err(|problems| {
        let s = if problems.len() == 1 { "" } else { "s" };
        eprintln!(
            "{}: {} problem{s}\n{problems}",
            file.display(),
            problems.len()
        );
        ExitCode::from(1)
    })
}

/// What can be asked for budgets.
struct Books {
    store: firebell_tsdb::Store,
    deploys: Vec<Deploy>,
    incidents: Vec<IncidentSpan>,
    at: Timestamp,
}

impl Books {
    fn open(files: &Files) -> Result<Option<Self>, ExitCode> {
        let Some(data) = &files.data else {
            return Ok(None);
        };
        let (store, _) = store::look(data).map_err(|error| fail(&*error))?;
        let (deploys, damage) = read_deploys(data).map_err(|error| fail(&error))?;
        for damage in damage {
            eprintln!("firebell: the log of deploys is damaged: {damage}");
        }
        // What was over before the window of an objective is left out there.
        let incidents = read_incidents(data, Timestamp(0)).map_err(|error| fail(&error));
        let (incidents, damage) = incidents?;
        for damage in damage {
            eprintln!("firebell: the journal is damaged: {damage}");
        }
        let newest = store.stats().newest.unwrap_or(Timestamp(0));
        let at = files.at.unwrap_or(newest);
        Ok(Some(Self {
            store,
            deploys,
            incidents,
            at,
        }))
    }

    fn ask<T>(&self, ask: impl FnOnce(&StoreQuerier<'_>) -> T) -> T {
        let view = self.store.view();
        ask(&StoreQuerier {
            source: &view,
            options: Options::default(),
        })
    }

    fn ledger(&self, objective: &Objective) -> Result<Ledger, String> {
        self.ask(|querier| ledger(objective, self.at, querier))
    }
}

fn list(files: &Files) -> ExitCode {
    let (configs, books) = match (load(&files.files), Books::open(files)) {
        (Ok(configs), Ok(books)) => (configs, books),
        (Err(code), _) | (_, Err(code)) => return code,
    };
    let objectives = configs.iter().flat_map(|config| &config.objectives.all);
    let rows = objectives.flat_map(|objective| rows(objective, books.as_ref()));
    let mut table =
        vec![["OBJECTIVE", "TARGET", "WINDOW", "OWNER", "LEFT", "STATE"].map(str::to_owned)];
    table.extend(rows);
    print_table(&table);
    for config in &configs {
        for flow in &config.objectives.flows {
            let is_covered = config
                .objectives
                .all
                .iter()
                .any(|it| it.service == flow.service && it.flow == flow.name);
            if !is_covered {
                let critical = if flow.is_critical { "critical " } else { "" };
                say(format_args!(
                    "{}: the {critical}flow {} has no objective",
                    flow.service, flow.name
                ));
            }
        }
    }
    ExitCode::SUCCESS
}

/// A row for each budget of an objective.
fn rows(objective: &Objective, books: Option<&Books>) -> Vec<[String; 6]> {
    let row = |name: String, left: String, state: String| {
        [
            name,
            objective.target.to_string(),
            objective.window.to_string(),
            objective.owner.clone(),
            left,
            state,
        ]
    };
    let id = &objective.id;
    let Some(books) = books else {
        return vec![row(id.clone(), "-".to_owned(), String::new())];
    };
    match books.ledger(objective) {
        Err(why) => vec![row(id.clone(), "-".to_owned(), why)],
        Ok(ledger) if ledger.budgets.is_empty() => {
            vec![row(id.clone(), "-".to_owned(), "no data".to_owned())]
        }
        Ok(ledger) => {
            let budgets = ledger.budgets.iter();
            budgets
                .map(|budget| {
                    let name = format!("{id}{}", named(&budget.labels));
                    row(name, percent(1.0 - budget.spent.share), state(budget))
                })
                .collect()
        }
    }
}

/// Nothing, or the labels of a budget among several.
fn named(labels: &Labels) -> String {
    match labels.is_empty() {
        true => String::new(),
        false => labels.to_string(),
    }
}

fn state(budget: &Budget) -> String {
    let firing = budget.tiers.iter().find(|tier| tier.is_firing);
    let held = budget.tiers.iter().find_map(|tier| tier.held.as_ref());
    match (firing, held, budget.exhausted_in) {
        (Some(tier), _, Some(after)) => format!("{} burns, gone in {}", tier.name, short(after)),
        (Some(tier), _, None) => format!("{} burns", tier.name),
        (None, Some(held), _) => format!("held back: {held}"),
        (None, None, _) if budget.spent.share > 1.0 => "spent".to_owned(),
        (None, None, Some(after)) => format!("gone in {}", short(after)),
        (None, None, None) => "ok".to_owned(),
    }
}

/// To the minute.
fn short(after: Duration) -> Duration {
    Duration::from_mins((after.0 / 60_000).max(1))
}

fn show(id: &str, files: &Files) -> ExitCode {
    let (configs, books) = match (load(&files.files), Books::open(files)) {
        (Ok(configs), Ok(books)) => (configs, books),
        (Err(code), _) | (_, Err(code)) => return code,
    };
    let mut all = configs.iter().flat_map(|config| &config.objectives.all);
    let Some(objective) = all.find(|it| it.id == id) else {
        eprintln!("firebell: there is no objective `{id}`; `firebell slo list` names them");
        return ExitCode::from(1);
    };
    describe(objective);
    let Some(books) = books else {
        return ExitCode::SUCCESS;
    };
    match books.ledger(objective) {
        Ok(ledger) => {
            describe_budgets(objective, &ledger);
            if let Err(why) = spending::describe(objective, &books) {
                eprintln!("firebell: {id}: {why}");
                return ExitCode::from(1);
            }
            describe_history(objective, &books);
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("firebell: {id}: {why}");
            ExitCode::from(1)
        }
    }
}

fn describe(objective: &Objective) {
    let Objective {
        id, target, window, ..
    } = objective;
    say(format_args!("{id}: {target} over {window}"));
    for (name, text) in [
        ("flow", &objective.flow),
        ("about", &objective.description),
        ("owner", &objective.owner),
        ("runbook", &objective.runbook),
    ] {
        if !text.is_empty() {
            say(format_args!("{name:8} {text}"));
        }
    }
    say(format_args!(
        "from     {}:{}",
        objective.file, objective.place.line
    ));
    let hour = Duration::from_hours(1);
    match objective.events(hour) {
        Some((bad, total)) => {
            say(format_args!("bad      {bad}   (an hour's)"));
            say(format_args!("all      {total}"));
        }
        None => say(format_args!(
            "bad      {}   (an hour's share)",
            objective.ratio(hour)
        )),
    }
    for tier in &objective.tiers {
        say(format_args!(
            "alert    {:12} {:6} over {} and {}: burn rate {}, {} of the budget",
            tier.name,
            tier.severity.name(),
            tier.long,
            tier.short,
            tier.factor,
            percent(tier.share(window.period())),
        ));
    }
}

fn describe_budgets(objective: &Objective, ledger: &Ledger) {
    let (at, from) = (ledger.at, ledger.from);
    say(format_args!("at       {at}, since {from}"));
    if ledger.budgets.is_empty() {
        say(format_args!("budget   there is nothing to measure by"));
    }
    for budget in &ledger.budgets {
        let spent = &budget.spent;
        let counts = spent.bad.zip(spent.total).map(|(bad, total)| {
            let allowed = total * objective.target.budget();
            format!(", {bad:.0} of the {allowed:.0} bad events that {total:.0} may have")
        });
        say(format_args!(
            "budget   {}{} left, {} spent{}",
            named(&budget.labels),
            percent(1.0 - spent.share),
            percent(spent.share),
            counts.unwrap_or_default(),
        ));
        for burn in &budget.burns {
            let rate = burn
                .rate
                .map_or("-".to_owned(), |rate| format!("{rate:.2}"));
            say(format_args!(
                "burns    {:>6} {rate}",
                burn.window.to_string()
            ));
        }
        say(format_args!("state    {}", state(budget)));
    }
}

fn describe_history(objective: &Objective, books: &Books) {
    let points = books.ask(|querier| history(objective, books.at, HISTORY_POINTS, querier));
    for (labels, points) in points.unwrap_or_default() {
        for (at, left) in points {
            say(format_args!(
                "left     {}{at} {}",
                named(&labels),
                percent(left)
            ));
        }
    }
}

fn check(files: &[PathBuf]) -> ExitCode {
    let (mut n_passed, mut worst) = (0_usize, None);
    for file in files {
        match load_one(file) {
            Ok(config) => {
                n_passed += 1;
                let n_objectives = config.objectives.all.len();
                let n_alerts: usize = of_objectives(&config).map(|it| it.rules.len()).sum();
                say(format_args!(
                    "{}: ok, {n_objectives} objectives, {n_alerts} alerts",
                    file.display()
                ));
                for note in config.notes {
                    say(format_args!("  note: {note}"));
                }
            }
            Err(code) if code == ExitCode::from(2) => worst = Some(code),
            Err(code) => worst = worst.or(Some(code)),
        }
    }
    let n_failed = files.len() - n_passed;
    say(format_args!("{n_passed} passed, {n_failed} failed"));
    worst.unwrap_or(ExitCode::SUCCESS)
}

fn export(files: &[PathBuf]) -> ExitCode {
    match load(files) {
        Ok(configs) => {
            let groups: Vec<_> = configs.iter().flat_map(of_objectives).cloned().collect();
            say(format_args!("{}", prometheus_rules(&groups).trim_end()));
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

/// The groups that came of objectives.
fn of_objectives(config: &Config) -> impl Iterator<Item = &firebell_rules::RuleGroup> {
    let groups = config.rules.groups().iter();
    groups.filter(|group| group.name.starts_with(RULES_FILE_PREFIX))
}

fn print_table(rows: &[[String; 6]]) {
    let width = |idx: usize| {
        rows.iter()
            .map(|row| row[idx].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..6).map(width).collect();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        say(format_args!("{}", line.trim_end()));
    }
}

/// Moments of a history that are printed.
const HISTORY_POINTS: usize = 30;
