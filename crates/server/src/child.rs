//! Runs a command in the place of the program: what ends the one ends the other.

use std::future::pending;
use std::io;
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::sync::oneshot;

/// Runs a command to its end. Whoever ends this program with SIGTERM or SIGHUP ends the command; a
/// SIGINT of the terminal reaches it by itself. In each case this comes back with how it ended. What
/// is ignored here, as under `nohup`, stays ignored there.
///
/// # Errors
/// When it cannot be started, or waited for.
pub fn run_in_place(command: &mut Command) -> io::Result<ExitStatus> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build()?;
    runtime.block_on(async {
        let ignored = ignored();
        let heeded = |kind: SignalKind| {
            let is_ignored = ignored >> (kind.as_raw_value() - 1) & 1 == 1;
            (!is_ignored).then(|| signal(kind)).transpose()
        };
        let mut terminate = heeded(SignalKind::terminate())?;
        let mut hang_up = heeded(SignalKind::hangup())?;
        let mut interrupt = heeded(SignalKind::interrupt())?;
        let mut child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (end, mut ended) = oneshot::channel();
        std::thread::spawn(move || end.send(child.wait()));
        loop {
            let passed_on = tokio::select! {
                status = &mut ended => {
                    return status.unwrap_or_else(|_| Err(io::Error::other("its end was not seen")));
                }
                () = next(&mut terminate) => Signal::TERM,
                () = next(&mut hang_up) => Signal::HUP,
                () = next(&mut interrupt) => continue,
            };
            if let Some(pid) = pid {
                // Gone already is gone.
                let _ = kill_process(pid, passed_on);
            }
        }
    })
}

async fn next(signals: &mut Option<Signals>) {
    match signals {
        Some(signals) => drop(signals.recv().await),
        None => pending().await,
    }
}

/// The signals that are ignored, a bit each, the lowest for number 1. A handler of ours would end that
/// for the command, as handlers are not inherited.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
