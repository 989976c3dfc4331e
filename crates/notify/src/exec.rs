//! A command of one's own: it gets the notification as JSON, and its exit code decides.
//!
//! *Invariants*: which program runs stands in the configuration and is no template. There is no shell:
//! an argument is one argument, whatever a label holds.
//!
//! *Not here*: which programs may run (`firebell-config`); processes and their ends
//! (`firebell-server`).

use std::collections::BTreeMap;

use firebell_model::{Duration, Secret};
use firebell_template::NotificationText;

use crate::aim::Aim;
use crate::error::RenderError;
use crate::integration::Kind;
use crate::step::Step;
use crate::telling::Telling;
use crate::verdict::{Verdict, one_line};
use crate::webhook::message;

/// Options of one of `exec_configs`, which Alertmanager does not have.
#[derive(Clone, Debug)]
pub struct ExecConfig {
    /// The program: an absolute path.
    pub command: String,
    /// Its arguments; templates.
    pub args: Vec<NotificationText>,
    /// Its environment, besides `PATH` and `LANG`.
    pub env: BTreeMap<String, Secret>,
    /// How long it may run.
    pub timeout: Option<Duration>,
}

/// A program to be run once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExecCommand {
    /// Its path.
    pub command: String,
    /// What follows its name.
    pub args: Vec<String>,
    /// All of its environment but `PATH` and `LANG`.
    pub env: BTreeMap<String, Secret>,
    /// What it reads.
    pub input: String,
    /// How long it may run; `None` when the integration sets no limit of its own.
    pub timeout: Option<Duration>,
}

/// How a program ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExecExit {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it said, or the start of that: its errors, else its output.
    pub output: Vec<u8>,
}

impl Kind for ExecConfig {
    fn name(&self) -> &'static str {
        "exec"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let mut args = Vec::new();
        for text in &self.args {
            let arg = telling.text("args", text)?;
            if arg.len() > ARG_BYTES_MAX || arg.contains('\0') {
                let why = format!("an argument has a zero byte or more than {ARG_BYTES_MAX} bytes");
                return Err(telling.refused(why));
            }
            args.push(arg);
        }
        let command = ExecCommand {
            command: self.command.clone(),
            args,
            env: self.env.clone(),
            input: telling.json(&message(telling, 0))?,
            timeout: self.timeout,
        };
        Ok(Step::Exec(
            command,
            Box::new(|exit| {
                Step::Done(match exit {
                    Ok(exit) => verdict(&exit),
                    Err(why) => Verdict::Retry { why, after: None },
                })
            }),
        ))
    }

    fn secrets(&self) -> Vec<Secret> {
        self.env.values().cloned().collect()
    }

    fn aimed(&self, aim: &Aim<'_>) -> Option<Box<dyn Kind>> {
        // It is told whom and where, as it is told of everything.
        let _ = aim;
        Some(Box::new(self.clone()))
    }
}

fn verdict(exit: &ExecExit) -> Verdict {
    let mut why = match exit.code {
        Some(code) => format!("exit code {code}"),
        None => "ended by a signal".to_owned(),
    };
    let said = one_line(&exit.output);
    if !said.is_empty() {
        why = format!("{why}: {said}");
    }
    match exit.code {
        Some(0) => Verdict::Delivered,
        Some(code) if NEVER.contains(&code) && code != TEMPORARY => Verdict::Rejected { why },
        _ => Verdict::Retry { why, after: None },
    }
}

/// Exit codes that say that another attempt is of no use. Source: BSD, `sysexits.h`.
const NEVER: std::ops::RangeInclusive<i32> = 64..=78;
/// The one among them that says the opposite.
const TEMPORARY: i32 = 75;
/// Of one argument; Linux takes 128 KiB.
const ARG_BYTES_MAX: usize = 100_000;
