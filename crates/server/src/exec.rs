//! Programs that are receivers: a process with a clean environment, a deadline, and an end.
//!
//! *Invariants*: a program does not outlive its deadline, nor do its children in its group; also when
//! the delivery is given up.
//!
//! *Limits*: [`TIMEOUT`] unless the receiver says otherwise; [`OUTPUT_BYTES_MAX`] of what it says are
//! kept, the rest is read and dropped.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use firebell_notify::{ExecCommand, ExecExit};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpid};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::time::{sleep, timeout};

/// Runs a program once.
///
/// # Errors
/// When it does not start, or does not end in time.
pub(crate) async fn run(command: &ExecCommand) -> Result<ExecExit, String> {
    let limit = command.timeout.map_or(TIMEOUT, |limit| limit.to_std());
    let mut process = Process(start(command)?);
    let child = &mut process.0;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let talk = async {
        tokio::join!(
            write(input.map(OwnedFd::from), command.input.as_bytes()),
            read(output.map(OwnedFd::from)),
            read(errors.map(OwnedFd::from)),
        )
    };
    let run = async {
        let (mut talk, mut said) = (std::pin::pin!(talk), None);
        let mut ended = std::pin::pin!(process.ended());
        let status = loop {
            tokio::select! {
                status = &mut ended => break status?,
                all = &mut talk, if said.is_none() => said = Some(all),
            }
        };
        // Children of its own may hold its output open after its end.
        let ((), output, errors) = match said {
            Some(said) => said,
            None => timeout(LAST_WORDS_TIMEOUT, talk).await.unwrap_or_default(),
        };
        Ok::<_, String>((status, output, errors))
    };
    let Ok(ended) = timeout(limit, run).await else {
        return Err(format!("it did not end within {} s", limit.as_secs_f64()));
    };
    let (status, output, errors) = ended?;
    Ok(ExecExit {
        code: status.code(),
        output: if errors.is_empty() { output } else { errors },
    })
}

fn start(command: &ExecCommand) -> Result<Child, String> {
    let mut started = Command::new(&command.command);
    started
        .args(&command.args)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    for (name, value) in &command.env {
        started.env(name, value.reveal());
    }
    let started = started.spawn();
    started.map_err(|error| format!("failed to start `{}`: {error}", command.command))
}

/// A process that is killed with its group when nobody waits for it any more.
struct Process(Child);

impl Process {
    async fn ended(&mut self) -> Result<ExitStatus, String> {
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => sleep(LOOK_INTERVAL).await,
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The group has the first process's number, which nobody else gets while one of it lives.
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        let Some(group) = group else {
            return;
        };
        _ = kill_process_group(group, Signal::KILL);
        // One that is stuck in the kernel dies when that lets go of it: no worker waits for that.
        if let Ok(None) = self.0.try_wait() {
            let wait = move || _ = waitpid(Some(group), WaitOptions::empty());
            // Without a thread it stays a dead process until Firebell ends.
            _ = std::thread::Builder::new().spawn(wait);
        }
    }
}

/// A program need not read what it is told.
async fn write(input: Option<OwnedFd>, text: &[u8]) {
    if let Some(Ok(mut pipe)) = input.map(pipe::Sender::from_owned_fd) {
        _ = pipe.write_all(text).await;
    }
}

async fn read(output: Option<OwnedFd>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(Ok(mut pipe)) = output.map(pipe::Receiver::from_owned_fd) else {
        return kept;
    };
    let mut buffer = [0; 4096];
    loop {
        match pipe.read(&mut buffer).await {
            Ok(0) => return kept,
            Ok(n) => {
                let room = OUTPUT_BYTES_MAX.saturating_sub(kept.len());
                kept.extend_from_slice(&buffer[..n.min(room)]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return kept,
        }
    }
}

/// How long a program may run when nothing else is configured.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long is listened after its end.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_millis(500);
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// Of its output, and of its errors.
const OUTPUT_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use firebell_model::{Duration as ModelDuration, Secret};

    use super::*;

    fn shell(script: &str) -> ExecCommand {
        ExecCommand {
            command: "/bin/sh".to_owned(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: BTreeMap::from([("TOKEN".to_owned(), Secret::new("t0ken"))]),
            input: "{\"version\":\"4\"}".to_owned(),
            timeout: Some(ModelDuration::from_secs(5)),
        }
    }

    async fn check(script: &str, code: Option<i32>, output: &str) {
        let exit = run(&shell(script)).await.unwrap();
        let said = String::from_utf8_lossy(&exit.output).into_owned();
        assert_eq!((exit.code, said.as_str()), (code, output), "{script}");
    }

    #[tokio::test]
    async fn a_program_reads_the_message_in_a_clean_environment() {
        check("cat", Some(0), "{\"version\":\"4\"}").await;
        check("echo $TOKEN $HOME $CARGO; pwd", Some(0), "t0ken\n/\n").await;
        check("echo out; echo no >&2; exit 75", Some(75), "no\n").await;
        check("kill -9 $$", None, "").await;
        // Who does not read, and who says too much.
        check("exec <&-; exit 3", Some(3), "").await;
        // What it leaves behind does not hold it up.
        check("echo done; sleep 60 &", Some(0), "").await;
        let exit = run(&shell("head -c 10000000 /dev/zero")).await.unwrap();
        assert_eq!((exit.code, exit.output.len()), (Some(0), OUTPUT_BYTES_MAX));
    }

    #[tokio::test]
    async fn a_program_and_its_children_end_with_their_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("late");
        let script = format!("(sleep 4; echo x > {}) & sleep 60", file.display());
        let slow = ExecCommand {
            timeout: Some(ModelDuration(200)),
            ..shell(&script)
        };
        assert_eq!(run(&slow).await.unwrap_err(), "it did not end within 0.2 s");
        sleep(Duration::from_millis(4500)).await;
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_does_not_start() {
        let command = "/no/such/program".to_owned();
        let error = run(&ExecCommand {
            command,
            ..shell("")
        })
        .await
        .unwrap_err();
        assert!(error.starts_with("failed to start `/no/such/program`: No such file"));
    }
}
