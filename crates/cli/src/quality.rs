//! `firebell quality` and `firebell review`: whether a month's alerts were any good, of a running
//! Firebell.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::explain::Asked;
use crate::incident::AsWhom;
use crate::{harmless, say};

/// Which figures.
#[derive(Args)]
pub(crate) struct Quality {
    /// Which month, such as 2026-11, in UTC; this one by default.
    #[arg(long, value_name = "MONTH", default_value = "")]
    month: String,
    /// Added up by what.
    #[arg(long, value_enum, default_value_t = By::Rule)]
    by: By,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    Rule,
    Service,
    Team,
    Person,
}

/// Which review.
#[derive(Args)]
pub(crate) struct Review {
    /// Which month, such as 2026-11, in UTC; this one by default.
    #[arg(long, value_name = "MONTH", default_value = "")]
    month: String,
    /// Note what was decided about this, a rule or a topic; wants `--month`.
    #[arg(long, value_name = "RULE", requires = "decision", requires = "month")]
    about: Option<String>,
    /// What was decided.
    #[arg(long, value_name = "TEXT", requires = "about")]
    decision: Option<String>,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// Prints figures.
pub(crate) fn quality(options: &Quality) -> ExitCode {
    let params = [("month", options.month.as_str())];
    let body = match options.asked.ask("/api/firebell/v1/quality", &params) {
        Ok(body) => body,
        Err(code) => return code,
    };
    if options.asked.json {
        say(format_args!("{body}"));
        return ExitCode::SUCCESS;
    }
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    let rows = match options.by {
        By::Person => {
            people(&answer);
            return ExitCode::SUCCESS;
        }
        By::Rule => &answer["rules"],
        By::Service => &answer["services"],
        By::Team => &answer["teams"],
    };
    let head = [
        "fired",
        "told",
        "paged",
        "night",
        "climbed",
        "seen",
        "actionable",
        "guessed",
        "flaps",
        "advice",
        "name",
    ];
    print(head.map(str::to_owned));
    for row in rows.as_array().into_iter().flatten() {
        print(cells(row, row["name"].as_str().unwrap_or_default()));
    }
    print(cells(&answer["total"], "total"));
    if answer["isCut"] == true {
        say(format_args!("more fired than is counted here"));
    }
    ExitCode::SUCCESS
}

/// Prints what the month was like for people.
fn people(answer: &Value) {
    let head = "pages  off-hours  night  acked  median ack  sleep lost  on call  light  name";
    say(format_args!("{head}"));
    for row in answer["people"].as_array().into_iter().flatten() {
        let count = |name: &str| row[name].as_u64().unwrap_or_default();
        let ack = row["acknowledgeSeconds"]["median"].as_f64();
        let ack = ack.map_or("-".to_owned(), |secs| format!("{:.1} min", secs / 60.0));
        let sleep = row["sleepLostMinutes"].as_f64().unwrap_or_default();
        let hours = row["onCallHours"].as_f64();
        let hours = hours.map_or("-".to_owned(), |it| format!("{it:.0} h"));
        say(format_args!(
            "{:>5}  {:>9}  {:>5}  {:>5}  {ack:>10}  {:>10}  {hours:>7}  {:<5}  {}",
            count("pages"),
            count("offHours"),
            count("atNight"),
            count("acknowledged"),
            format!("{sleep:.0} min"),
            row["light"].as_str().unwrap_or("-"),
            harmless(row["name"].as_str().unwrap_or_default()),
        ));
    }
}

/// Prints the review.
pub(crate) fn review(options: &Review) -> ExitCode {
    if let (Some(about), Some(decision)) = (&options.about, &options.decision) {
        let by = match options.as_whom.name() {
            Ok(by) => by,
            Err(code) => return code,
        };
        let decided = json!({
            "by": by,
            "month": options.month,
            "about": about,
            "decision": decision,
        });
        let path = "/api/firebell/v1/review/decisions";
        if let Err(code) = options.asked.post(path, &decided) {
            return code;
        }
    }
    let params = [("month", options.month.as_str())];
    match options.asked.ask("/api/firebell/v1/review", &params) {
        Ok(body) => {
            say(format_args!("{}", body.trim_end()));
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

fn cells(row: &Value, name: &str) -> [String; 11] {
    let count = |name: &str| row[name].as_u64().unwrap_or_default().to_string();
    let share = row["actionableShare"].as_f64();
    let share = share.map_or("-".to_owned(), |it| format!("{:.0} %", it * 100.0));
    [
        count("fired"),
        count("notified"),
        count("pages"),
        count("atNight"),
        count("escalated"),
        count("acknowledged"),
        share,
        count("guessed"),
        count("flaps"),
        row["advice"].as_str().unwrap_or("-").to_owned(),
        match name {
            "" => "(none)".to_owned(),
            name => harmless(name),
        },
    ]
}

fn print(cells: [String; 11]) {
    let [
        fired,
        told,
        paged,
        night,
        climbed,
        seen,
        share,
        guessed,
        flaps,
        advice,
        name,
    ] = cells;
    say(format_args!(
        "{fired:>6} {told:>6} {paged:>6} {night:>6} {climbed:>7} {seen:>6} {share:>10} {guessed:>7} \
         {flaps:>6}  {advice:<6}  {name}"
    ));
}
