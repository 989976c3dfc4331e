//! The one binary: reads the command line, starts what it names, says how it went.
//!
//! Exit codes: 0 fine, 1 the thing checked failed, 2 usage or IO.

mod alertmanager;
mod check;
mod demo;
mod explain;
mod heartbeat;
mod history;
mod import;
mod incident;
mod log;
mod notify;
mod oncall;
mod page;
mod postmortem;
mod promql;
mod quality;
mod serve;
mod silence;
mod slo;
mod store;
mod telemetry;
mod test;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Firebell wakes people for fires, not for toast.
#[derive(Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Scrape, evaluate rules, notify, and show it all on a page.
    #[command(after_help = "Example: firebell serve --config firebell.yml\n\
                            Then open http://127.0.0.1:9494/")]
    Serve(Box<serve::Serve>),
    /// Serve as Alertmanager does, behind its own command line.
    #[command(
        after_help = "Example: firebell alertmanager --config.file=alertmanager.yml \
                      --web.listen-address=127.0.0.1:9093"
    )]
    Alertmanager(Box<alertmanager::Alertmanager>),
    /// Check the files that people write and all that they name; print every problem, and what
    /// lints say of the rules.
    #[command(
        after_help = "Example: firebell check firebell.yml rules/ tests/*.yml\n\
                            Exit codes: 0 fine, 1 findings of `--fail-on` or worse, 2 usage or IO."
    )]
    Check(Box<check::Check>),
    /// Run unit tests of rules, as promtool does, and scenarios on simulated time.
    #[command(
        after_help = "Example: firebell test --strict tests/*.yml scenarios/*.md\n\
                      What ends in .md is a scenario; everything else is a test file of promtool, \
                      which may also expect:\n  \
                      exp_state, exp_since    pending alerts, and since when\n  \
                      notification_test       who is told, grouped how, in which words\n  \
                      page_test               who is paged by what, and what becomes of that\n  \
                      slo_files, slo_test     error budgets, burn rates, alerts of objectives\n\
                      docs/tests.md describes them, examples/unit-tests shows them.\n\
                      Exit codes: 0 passed, 1 failed, 2 usage or IO."
    )]
    Test(test::Test),
    /// Read history into the store: blocks of Prometheus's TSDB, or text with timestamps.
    #[command(
        after_help = "Example: firebell import /var/lib/prometheus --data firebell-data\n\
                            Killed, it goes on where it was; what is there already stays."
    )]
    Import(import::Import),
    /// Look at, check, repair and export the store of a data folder.
    #[command(after_help = "Example: firebell store verify --data firebell-data")]
    Store {
        #[command(subcommand)]
        command: store::Command,
    },
    /// Objectives: what is promised, what is left of the error budgets, the rules that follow.
    #[command(
        after_help = "Example: firebell slo list firebell.yml --data firebell-data\n\
                            firebell slo export --prometheus objectives.yml > slo.rules.yml"
    )]
    Slo {
        #[command(subcommand)]
        command: slo::Command,
    },
    /// Jobs that report that they ran: list them, run one, report for one.
    #[command(
        after_help = "Example: firebell heartbeat run nightly --every 1d -- /srv/backup.sh\n\
                            firebell heartbeat list"
    )]
    Heartbeat {
        #[command(subcommand)]
        command: heartbeat::Command,
    },
    /// Silences: what one would mute.
    #[command(
        after_help = "Example: firebell silence preview 'service=\"cart\"' --server http://127.0.0.1:9494"
    )]
    Silence {
        #[command(subcommand)]
        command: silence::Command,
    },
    /// Tell a receiver of a sample, or show what it would be told.
    #[command(
        after_help = "Example: firebell notify test team --config firebell.yml\n\
                            Exit codes: 0 told, 1 somebody was not told, 2 usage or IO."
    )]
    Notify {
        #[command(subcommand)]
        command: notify::Command,
    },
    /// Say why a running Firebell tells of something, or does not.
    Explain {
        #[command(subcommand)]
        command: explain::Command,
    },
    /// List or export what happened to alerts and notifications, of a running Firebell.
    History {
        #[command(subcommand)]
        command: history::Command,
    },
    /// List traces that apps sent to a running Firebell, the newest first, or show one with its logs.
    #[command(after_help = "Example: firebell traces --service shop --failed\n\
                      firebell traces 0af7651916cd43dd8448eb211c80319c\n\
                      Exit codes: 0 done, 1 nothing is kept of it, 2 usage or IO.")]
    Traces(telemetry::Traces),
    /// List what apps logged, of a running Firebell, the newest last.
    #[command(after_help = "Example: firebell logs --service shop --severity warn --text timeout")]
    Logs(telemetry::Logs),
    /// Say who is on call, of a configuration or of a running Firebell.
    Oncall {
        #[command(subcommand)]
        command: oncall::Command,
    },
    /// See what is being worked on, and work on it.
    #[command(after_help = "Example: firebell incident list --status open\n\
                            Exit codes: 0 done, 1 there is none, or it stands elsewhere, 2 usage or IO.")]
    Incident {
        #[command(subcommand)]
        command: incident::Command,
    },
    /// List pages: who is told until somebody answers.
    #[command(after_help = "Example: firebell pages\n\
                            Exit codes: 0 done, 1 there is none, 2 usage or IO.")]
    Pages(page::Pages),
    /// Say that you look into a page: nobody else is told.
    #[command(after_help = "Example: firebell ack 4 --by ana\n\
                            Exit codes: 0 done, 1 there is none, 2 usage or IO.")]
    Ack(page::Of),
    /// Say that what a page is about is over.
    #[command(after_help = "Example: firebell resolve 4 --by ana\n\
                            Exit codes: 0 done, 1 there is none, or it stands elsewhere, 2 usage or IO.")]
    Resolve(page::Of),
    /// Have nobody told of a page for a while.
    #[command(after_help = "Example: firebell snooze 4 --for 2h --by ana\n\
                            Exit codes: 0 done, 1 there is none, 2 usage or IO.")]
    Snooze(page::Snooze),
    /// Have another policy, or a person, go on with a page.
    #[command(after_help = "Example: firebell handoff 4 --to ana --by ben\n\
                            Exit codes: 0 done, 1 there is none, 2 usage or IO.")]
    Handoff(page::HandOff),
    /// Say whether a month's alerts were any good, by rule, service and team, and what it was like
    /// for people.
    #[command(after_help = "Example: firebell quality --month 2026-11 --by team")]
    Quality(quality::Quality),
    /// Print the review of a month as Markdown.
    #[command(after_help = "Example: firebell review --month 2026-11 > review.md")]
    Review(quality::Review),
    /// Print what is known and written of an incident, as Markdown.
    #[command(after_help = "Example: firebell postmortem 4 --draft > inc-4.md\n\
                            `firebell incident write|follow-up|prove` fill it in.")]
    Postmortem(postmortem::Postmortem),
    /// Make a data folder with a simulated team's month in it, to look at.
    #[command(after_help = "Example: firebell demo --day --to /tmp/month")]
    Demo(demo::Demo),
    /// Test and print PromQL.
    Promql {
        #[command(subcommand)]
        command: promql::Promql,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(options) => serve::serve(*options),
        Command::Alertmanager(options) => alertmanager::serve(*options),
        Command::Check(options) => check::check(&options),
        Command::Test(options) => test::test(&options),
        Command::Import(options) => import::import(&options),
        Command::Store { command } => store::store(&command),
        Command::Notify { command } => notify::notify(&command),
        Command::Heartbeat { command } => heartbeat::heartbeat(&command),
        Command::Silence { command } => silence::silence(&command),
        Command::Slo { command } => slo::slo(&command),
        Command::Explain { command } => explain::explain(&command),
        Command::History { command } => history::history(&command),
        Command::Traces(options) => telemetry::traces(&options),
        Command::Logs(options) => telemetry::logs(&options),
        Command::Oncall { command } => oncall::oncall(&command),
        Command::Incident { command } => incident::incident(&command),
        Command::Pages(options) => page::pages(&options),
        Command::Ack(of) => page::ack(&of),
        Command::Resolve(of) => page::resolve(&of),
        Command::Snooze(options) => page::snooze(&options),
        Command::Handoff(options) => page::hand_off(&options),
        Command::Quality(options) => quality::quality(&options),
        Command::Review(options) => quality::review(&options),
        Command::Postmortem(options) => postmortem::postmortem(&options),
        Command::Demo(options) => demo::demo(&options),
        Command::Promql { command } => promql::promql(&command),
    }
}

/// Prints a line. When nobody takes it, as behind `| head`, there is nobody left to work for.
fn say(line: std::fmt::Arguments<'_>) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(2);
    }
}

/// A text from elsewhere, such as a label's, for a line of a terminal: nothing in it drives that.
fn harmless(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// Prints an error with its causes.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprint!("firebell: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprint!(": {error}");
        cause = error.source();
    }
    eprintln!();
    ExitCode::from(2)
}
