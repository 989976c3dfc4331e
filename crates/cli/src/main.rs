//! The one binary: reads the command line, starts what it names, says how it went.
//!
//! Exit codes: 0 fine, 1 the thing checked failed, 2 usage or IO.

mod check;
mod import;
mod test;

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

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
    Serve(Serve),
    /// Check configuration files and all that they name; print every problem.
    #[command(after_help = "Example: firebell check firebell.yml")]
    Check {
        /// The files, each a firebell.yml, prometheus.yml, alertmanager.yml or rule file.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Run scenario files: rules, routes and a timeline on simulated time.
    #[command(after_help = "Example: firebell test scenarios/*.md")]
    Test {
        /// The scenario files (Markdown).
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Read history into the store: blocks of Prometheus's TSDB, or text with timestamps.
    #[command(
        after_help = "Example: firebell import /var/lib/prometheus --data firebell-data\n\
                            Killed, it goes on where it was; what is there already stays."
    )]
    Import(import::Import),
}

#[derive(Args)]
struct Serve {
    /// The configuration; without one, Firebell starts empty and its page says what to do next.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen, by default 127.0.0.1:9494; only a loopback address, as there is no
    /// authentication yet.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The folder for metrics and state; it is made when it is not there.
    #[arg(long, value_name = "DIR", default_value = "firebell-data")]
    data_dir: PathBuf,
    /// Where people reach this Firebell, for links in messages.
    #[arg(long, value_name = "URL")]
    external_url: Option<String>,
    /// How much to log: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: tracing::Level,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(options) => serve(options),
        Command::Check { files } => check::check(&files),
        Command::Test { files } => test::test(&files),
        Command::Import(options) => import::import(&options),
    }
}

fn serve(options: Serve) -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(options.log_level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // When nobody takes the log, such as a full disk, saying that on the same way would panic.
        .log_internal_errors(false)
        .init();
    let options = firebell_server::Options {
        config_file: options.config,
        listen: options.listen,
        data_dir: options.data_dir,
        external_url: options.external_url,
    };
    match firebell_server::serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Prints a line. When nobody takes it, as behind `| head`, there is nobody left to work for.
fn say(line: std::fmt::Arguments<'_>) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(2);
    }
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
