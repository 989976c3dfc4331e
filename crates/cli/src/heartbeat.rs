//! `firebell heartbeat`: jobs report that they ran, and people look how they fare.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::{Args, Subcommand};
use firebell_server::run_in_place;
use serde_json::Value;

use crate::explain::{ANSWER_MAX, Asked, Unanswered};
use crate::incident::{parsed, segment, text};
use crate::{harmless, say};

/// What can be done with heartbeats.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the jobs that are awaited, and how they fare.
    #[command(
        after_help = "Exit codes: 0 all are fine, 1 one has not run or failed, 2 usage or IO."
    )]
    List(List),
    /// Run a command and report how it ended; its exit code is this one's.
    #[command(
        after_help = "Example: 0 3 * * * firebell heartbeat run nightly --every 1d --grace 30m -- /srv/backup.sh\n\
                      A server that is away keeps no command from running; reporting is tried for a minute.\n\
                      SIGTERM and SIGHUP are passed on to the command, and how it ends is reported.\n\
                      Exit codes: those of the command, 127 if it cannot be started."
    )]
    Run(Run),
    /// Report that a job ran well.
    #[command(after_help = "Example: firebell heartbeat beat nightly --every 1d")]
    Beat(Job),
    /// Await a job no longer; what the configuration names stays.
    #[command(
        after_help = "Exit codes: 0 done, 1 there is none, or it is configured, 2 usage or IO."
    )]
    Forget(Of),
}

/// Which are listed.
#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    asked: Asked,
}

/// Which job.
#[derive(Args)]
pub(crate) struct Of {
    /// Its name.
    #[arg(value_name = "NAME")]
    name: String,
    /// Its service, where jobs of several have this name.
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

/// A job, and what to expect of it.
#[derive(Args)]
pub(crate) struct Job {
    /// How often it runs, as in 1d; needed at least once, unless the configuration says it.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    every: Option<String>,
    /// How late it may be; 1m unless given.
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "every")]
    grace: Option<String>,
    /// How bad it is when it does not run.
    #[arg(long, value_name = "SEVERITY", requires = "every")]
    severity: Option<String>,
    /// Where it stands what to do then.
    #[arg(long, value_name = "URL", requires = "every")]
    runbook: Option<String>,
    #[command(flatten)]
    of: Of,
}

/// What to run.
#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    job: Job,
    /// The command and its arguments, behind `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn duration(text: &str) -> Result<String, String> {
    match text.parse::<firebell_model::Duration>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("it is no duration, such as 1d or 1h30m".to_owned()),
    }
}

/// Does it.
pub(crate) fn heartbeat(command: &Command) -> ExitCode {
    let done = match command {
        Command::List(options) => list(&options.asked),
        Command::Run(options) => return run(options),
        Command::Beat(job) => {
            let answer = job.report(None, ANSWER_MAX).map_err(|why| why.print());
            answer.map(|answer| show(&job.of.asked, &answer))
        }
        Command::Forget(of) => forget(of),
    };
    done.unwrap_or_else(|code| code)
}

fn list(asked: &Asked) -> Result<ExitCode, ExitCode> {
    let body = asked.ask("/api/firebell/v1/heartbeats", &[])?;
    let all = parsed(&body)?;
    let all: Vec<&Value> = all["heartbeats"].as_array().into_iter().flatten().collect();
    if asked.json {
        say(format_args!("{}", body.trim_end()));
    } else {
        all.iter().for_each(|it| say(format_args!("{}", line(it))));
        if all.is_empty() {
            say(format_args!("no job is awaited"));
        }
    }
    let is_bad = |it: &&Value| matches!(text(it, "state"), "missed" | "failed");
    Ok(ExitCode::from(u8::from(all.iter().any(is_bad))))
}

/// `missed  nightly of backup  every 1d grace 30m, last 2026-11-20T03:00:04Z, due 2026-11-21T03:00:04Z`
fn line(it: &Value) -> String {
    let field = |name: &str| harmless(text(it, name));
    let mut name = field("name");
    if !field("service").is_empty() {
        name = format!("{name} of {}", field("service"));
    }
    let last = it["last"].as_str().unwrap_or("never");
    let (state, every, grace, due) = (
        field("state"),
        field("every"),
        field("grace"),
        field("dueAt"),
    );
    let mut line = format!("{state:<8}{name}  every {every} grace {grace}, last {last}, due {due}");
    if let Some(why) = it["failed"]["description"].as_str() {
        line.push_str("\n        ");
        line.push_str(&harmless(why));
    }
    line
}

fn show(asked: &Asked, answer: &str) -> ExitCode {
    match (asked.json, parsed(answer)) {
        (true, _) => say(format_args!("{}", answer.trim_end())),
        (false, Ok(it)) => say(format_args!("{}", line(&it))),
        (false, Err(code)) => return code,
    }
    ExitCode::SUCCESS
}

fn forget(of: &Of) -> Result<ExitCode, ExitCode> {
    let service = of.service.as_deref().unwrap_or_default();
    of.asked.delete(&of.path(), &[("service", service)])?;
    say(format_args!(
        "{} is not awaited any more",
        harmless(&of.name)
    ));
    Ok(ExitCode::SUCCESS)
}

/// Runs the command, whatever becomes of the report.
fn run(options: &Run) -> ExitCode {
    let [program, arguments @ ..] = &*options.command else {
        return ExitCode::from(2);
    };
    let mut command = std::process::Command::new(program);
    let (status, why) = match run_in_place(command.args(arguments)) {
        Ok(status) => (exit_status(status), None),
        Err(error) => (127, Some(format!("`{program}` cannot be started: {error}"))),
    };
    if let Some(why) = &why {
        eprintln!("firebell: {why}");
    }
    let failure = (status != 0).then_some((status, why.as_deref()));
    if let Err(why) = report(&options.job, failure) {
        why.print();
    }
    ExitCode::from(status)
}

/// Reports how it ended, again and again for a minute, as long as that may help.
fn report(job: &Job, failure: Option<(u8, Option<&str>)>) -> Result<(), Unanswered> {
    let mut waits = REPORT_AGAIN_AFTER.into_iter();
    loop {
        match (job.report(failure, REPORT_WITHIN), waits.next()) {
            (Err(why), Some(wait)) if why.is_passing() => sleep(wait),
            (answer, _) => return answer.map(drop),
        }
    }
}

/// As shells say it: 128 and the number of the signal that ended it.
fn exit_status(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = || status.signal().map_or(255, |it| it.saturating_add(128));
    status
        .code()
        .unwrap_or_else(signal)
        .try_into()
        .unwrap_or(255)
}

impl Of {
    fn path(&self) -> String {
        format!("/api/firebell/v1/heartbeats/{}", segment(&self.name))
    }
}

impl Job {
    /// Reports once how it ended: well, or with an exit status and perhaps a reason.
    fn report(
        &self,
        failure: Option<(u8, Option<&str>)>,
        within: Duration,
    ) -> Result<String, Unanswered> {
        let exit = failure.map(|(status, _)| status.to_string());
        let said = [
            ("service", self.of.service.as_deref()),
            ("every", self.every.as_deref()),
            ("grace", self.grace.as_deref()),
            ("severity", self.severity.as_deref()),
            ("runbook", self.runbook.as_deref()),
            ("exit", exit.as_deref()),
            ("message", failure.and_then(|(_, why)| why)),
        ];
        let said = said
            .iter()
            .filter_map(|(name, value)| Some((*name, (*value)?)));
        let said: Vec<(&str, &str)> = said.collect();
        self.of.asked.post_form(&self.of.path(), &said, within)
    }
}

/// A server that restarts is back by then.
const REPORT_AGAIN_AFTER: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
];
/// Of each try: all of them, with the waits, take less than a minute.
const REPORT_WITHIN: Duration = Duration::from_secs(9);
