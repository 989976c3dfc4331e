//! Runs a command in the place of the program: what ends the one ends the other.

use std::io;
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Runs a command to its end. Whoever ends this program with SIGTERM or SIGHUP ends the command; a
/// SIGINT of the terminal reaches it by itself. In each case this comes back with how it ended.
///
/// # Errors
/// When it cannot be started, or waited for.
pub fn run_in_place(command: &mut Command) -> io::Result<ExitStatus> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (end, mut ended) = oneshot::channel();
        std::thread::spawn(move || end.send(child.wait()));
        loop {
            let passed_on = tokio::select! {
                status = &mut ended => {
                    return status.unwrap_or_else(|_| Err(io::Error::other("its end was not seen")));
                }
                _ = terminate.recv() => Signal::TERM,
                _ = hang_up.recv() => Signal::HUP,
                _ = interrupt.recv() => continue,
            };
            if let Some(pid) = pid {
                // Gone already is gone.
                let _ = kill_process(pid, passed_on);
            }
        }
    })
}
