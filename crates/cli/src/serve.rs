//! `firebell serve`: its flags, among them those that people pass to Prometheus.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use firebell_model::{Duration, Regex};
use firebell_server::{DEFAULT_LISTEN, Flags, Overrides, QueueLimits, RuleOptions};

use crate::fail;

#[derive(Args)]
pub(crate) struct Serve {
    /// The configuration; without one, Firebell starts empty and its page says what to do next.
    #[arg(long, value_name = "FILE", visible_alias = "config.file")]
    config: Option<PathBuf>,
    /// Where to listen, by default 127.0.0.1:9494; only a loopback address, as there is no
    /// authentication yet.
    #[arg(long, value_name = "ADDR", visible_alias = "web.listen-address", value_parser = address)]
    listen: Option<SocketAddr>,
    /// The folder for metrics and state; it is made when it is not there.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "firebell-data",
        visible_alias = "storage.tsdb.path"
    )]
    data_dir: PathBuf,
    /// Where people reach this Firebell, for links in messages.
    #[arg(long, value_name = "URL", visible_alias = "web.external-url")]
    external_url: Option<String>,
    /// How much to log: error, warn, info, debug or trace.
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        visible_alias = "log.level"
    )]
    log_level: tracing::Level,
    #[command(flatten)]
    web: Web,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    sending: Sending,
    #[command(flatten)]
    unused: Unused,
}

/// What is reached over HTTP.
#[derive(Args)]
#[command(next_help_heading = "Prometheus's flags: HTTP")]
struct Web {
    /// What all paths begin with.
    #[arg(long = "web.route-prefix", value_name = "PATH", default_value = "/")]
    route_prefix: String,
    /// Pages of these origins may ask; a regular expression, such as https?://page[.]example
    #[arg(long = "web.cors.origin", value_name = "REGEX", value_parser = Regex::anchored)]
    cors_origin: Option<Regex>,
    /// Let POST /-/quit end Firebell; POST /-/reload always works.
    #[arg(long = "web.enable-lifecycle")]
    has_lifecycle: bool,
    /// Let series be deleted and snapshots be made over HTTP.
    #[arg(long = "web.enable-admin-api")]
    has_admin_api: bool,
    /// Turn features on; may be given several times.
    #[arg(long = "enable-feature", value_name = "NAMES", value_delimiter = ',')]
    features: Vec<String>,
}

/// What wins over the configuration.
#[derive(Args)]
#[command(next_help_heading = "Prometheus's flags: limits, over those of the configuration")]
struct Limits {
    /// How long samples are kept.
    #[arg(long = "storage.tsdb.retention.time", value_name = "TIME", value_parser = duration)]
    retention: Option<Duration>,
    /// How many bytes they may take; 0 for as many as there are.
    #[arg(
        long = "storage.tsdb.retention.size",
        value_name = "SIZE",
        value_parser = firebell_config::parse_bytes
    )]
    retention_bytes: Option<u64>,
    /// How long a query may take [default: 2m]
    #[arg(long = "query.timeout", value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// How old a sample may be to count as the current value [default: 5m]
    #[arg(long = "query.lookback-delta", value_name = "TIME", value_parser = duration)]
    lookback: Option<Duration>,
    /// How many queries run at the same time [default: 20]
    #[arg(long = "query.max-concurrency", value_name = "N", value_parser = positive)]
    concurrency: Option<usize>,
    /// How many samples one may hold [default: 50000000]
    #[arg(long = "query.max-samples", value_name = "N", value_parser = positive)]
    samples: Option<usize>,
    /// How many series one selector may give; 0 for any number (Firebell's own)
    #[arg(long = "query.max-series", value_name = "N")]
    series: Option<usize>,
}

/// How alerts reach Alertmanagers elsewhere.
#[derive(Args)]
#[command(next_help_heading = "Prometheus's flags: Alertmanagers elsewhere")]
struct Sending {
    /// After how long they hear of a firing alert again
    #[arg(
        long = "rules.alert.resend-delay",
        value_name = "TIME",
        value_parser = duration,
        default_value = "1m"
    )]
    resend_delay: Duration,
    /// How many alerts may wait for each of them
    #[arg(
        long = "alertmanager.notification-queue-capacity",
        value_name = "N",
        value_parser = positive,
        default_value = "10000"
    )]
    capacity: usize,
    /// How many alerts go at once
    #[arg(
        long = "alertmanager.notification-batch-size",
        value_name = "N",
        value_parser = positive,
        default_value = "256"
    )]
    batch: usize,
    /// Before Firebell ends, leave what waits unsent
    #[arg(long = "no-alertmanager.drain-notification-queue-on-shutdown")]
    leaves: bool,
    /// The default.
    #[arg(
        long = "alertmanager.drain-notification-queue-on-shutdown",
        hide = true
    )]
    drains: bool,
}

/// Flags of Prometheus that are taken, so that its command lines work, and change nothing here.
#[derive(Args)]
struct Unused {
    #[arg(long = "web.enable-remote-write-receiver", hide = true)]
    remote_write_receiver: bool,
    #[arg(long = "web.enable-otlp-receiver", hide = true)]
    otlp_receiver: bool,
    #[arg(long = "web.console.templates", hide = true)]
    console_templates: Option<String>,
    #[arg(long = "web.console.libraries", hide = true)]
    console_libraries: Option<String>,
    #[arg(long = "web.page-title", hide = true)]
    page_title: Option<String>,
    #[arg(long = "web.max-connections", hide = true)]
    max_connections: Option<String>,
    #[arg(long = "web.read-timeout", hide = true)]
    read_timeout: Option<String>,
    #[arg(long = "web.user-assets", hide = true)]
    user_assets: Option<String>,
    #[arg(long = "storage.tsdb.no-lockfile", hide = true)]
    no_lockfile: bool,
    #[arg(long = "storage.tsdb.wal-compression", hide = true)]
    wal_compression: bool,
    #[arg(long = "storage.tsdb.min-block-duration", hide = true)]
    min_block_duration: Option<String>,
    #[arg(long = "storage.tsdb.max-block-duration", hide = true)]
    max_block_duration: Option<String>,
    #[arg(long = "rules.alert.for-outage-tolerance", hide = true)]
    outage_tolerance: Option<String>,
    #[arg(long = "rules.alert.for-grace-period", hide = true)]
    grace_period: Option<String>,
    #[arg(long = "rules.max-concurrent-evals", hide = true)]
    concurrent_evals: Option<String>,
    #[arg(long = "log.format", hide = true)]
    log_format: Option<String>,
}

impl Unused {
    /// Those that were given, a sentence each.
    #[rustfmt::skip]
    fn notes(&self) -> Vec<String> {
        let always = [
            ("web.enable-remote-write-receiver", self.remote_write_receiver),
            ("web.enable-otlp-receiver", self.otlp_receiver),
        ];
        let never = [
            ("web.console.templates", self.console_templates.is_some()),
            ("web.console.libraries", self.console_libraries.is_some()),
            ("web.page-title", self.page_title.is_some()),
            ("web.max-connections", self.max_connections.is_some()),
            ("web.read-timeout", self.read_timeout.is_some()),
            ("web.user-assets", self.user_assets.is_some()),
            ("storage.tsdb.no-lockfile", self.no_lockfile),
            ("storage.tsdb.wal-compression", self.wal_compression),
            ("storage.tsdb.min-block-duration", self.min_block_duration.is_some()),
            ("storage.tsdb.max-block-duration", self.max_block_duration.is_some()),
            ("rules.alert.for-outage-tolerance", self.outage_tolerance.is_some()),
            ("rules.alert.for-grace-period", self.grace_period.is_some()),
            ("rules.max-concurrent-evals", self.concurrent_evals.is_some()),
            ("log.format", self.log_format.is_some()),
        ];
        let always = always.map(|it| (it, "is not needed: it always works"));
        let never = never.map(|it| (it, "changes nothing here"));
        let given = always.into_iter().chain(never).filter(|((_, is_given), _)| *is_given);
        given.map(|((name, _), why)| format!("--{name} {why}")).collect()
    }
}

/// Serves until it is told to stop.
pub(crate) fn serve(options: Serve) -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(options.log_level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // When nobody takes the log, such as a full disk, saying that on the same way would panic.
        .log_internal_errors(false)
        .init();
    for note in options.unused.notes() {
        tracing::info!("{note}");
    }
    match firebell_server::serve(&options.into_options()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

impl Serve {
    fn into_options(self) -> firebell_server::Options {
        let shown = self.shown();
        let Self {
            web,
            limits,
            sending,
            config,
            listen,
            data_dir,
            external_url,
            ..
        } = self;
        let prefix = web.route_prefix.trim_matches('/');
        let flags = Flags {
            has_admin_api: web.has_admin_api,
            has_lifecycle: web.has_lifecycle,
            cors_origin: web.cors_origin,
            route_prefix: match prefix {
                "" => String::new(),
                prefix => format!("/{prefix}"),
            },
            features: web.features.into_iter().collect(),
            rules: RuleOptions {
                resend_delay: sending.resend_delay,
            },
            queues: QueueLimits {
                capacity: sending.capacity,
                batch: sending.batch,
                drains: !sending.leaves,
            },
            overrides: Overrides {
                retention: limits.retention,
                retention_bytes: limits.retention_bytes,
                query_timeout: limits.timeout,
                query_lookback: limits.lookback,
                query_concurrency_max: limits.concurrency,
                query_samples_max: limits.samples,
                query_series_max: limits.series,
            },
            shown,
            ..Flags::default()
        };
        firebell_server::Options {
            config_file: config,
            listen,
            data_dir,
            external_url,
            flags,
        }
    }

    /// The flags by upstream's names, with their values.
    fn shown(&self) -> BTreeMap<String, String> {
        let Self {
            web,
            limits,
            sending,
            ..
        } = self;
        let duration = |given: Option<Duration>, default: &str| match given {
            Some(duration) => duration.to_string(),
            None => default.to_owned(),
        };
        let number = |given: Option<usize>, default: &str| match given {
            Some(number) => number.to_string(),
            None => default.to_owned(),
        };
        let listen = self.listen.unwrap_or(DEFAULT_LISTEN);
        let file = self.config.as_ref().map(|path| path.display().to_string());
        let bytes = limits.retention_bytes.map(|bytes| format!("{bytes}B"));
        let cors_origin = web
            .cors_origin
            .as_ref()
            .map(|regex| regex.text().to_owned());
        let shown = [
            (
                "alertmanager.drain-notification-queue-on-shutdown",
                (!sending.leaves).to_string(),
            ),
            (
                "alertmanager.notification-batch-size",
                sending.batch.to_string(),
            ),
            (
                "alertmanager.notification-queue-capacity",
                sending.capacity.to_string(),
            ),
            ("config.file", file.unwrap_or_default()),
            ("enable-feature", web.features.join(",")),
            ("log.level", self.log_level.to_string().to_lowercase()),
            ("query.lookback-delta", duration(limits.lookback, "5m")),
            ("query.max-concurrency", number(limits.concurrency, "20")),
            ("query.max-samples", number(limits.samples, "50000000")),
            ("query.max-series", number(limits.series, "0")),
            ("query.timeout", duration(limits.timeout, "2m")),
            ("rules.alert.resend-delay", sending.resend_delay.to_string()),
            ("storage.tsdb.path", self.data_dir.display().to_string()),
            (
                "storage.tsdb.retention.size",
                bytes.unwrap_or_else(|| "0B".to_owned()),
            ),
            (
                "storage.tsdb.retention.time",
                duration(limits.retention, "0s"),
            ),
            ("web.cors.origin", cors_origin.unwrap_or_default()),
            ("web.enable-admin-api", web.has_admin_api.to_string()),
            ("web.enable-lifecycle", web.has_lifecycle.to_string()),
            ("web.enable-otlp-receiver", true.to_string()),
            ("web.enable-remote-write-receiver", true.to_string()),
            (
                "web.external-url",
                self.external_url.clone().unwrap_or_default(),
            ),
            ("web.listen-address", listen.to_string()),
            ("web.route-prefix", web.route_prefix.clone()),
        ];
        shown.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

/// An address as Prometheus takes it: without a host it is every address of this machine.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let failed = || format!("`{text}` is not an address such as 127.0.0.1:9494");
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(failed)?;
    let port = port.parse().map_err(|_| failed())?;
    let ip = match host {
        "" => Ipv4Addr::UNSPECIFIED,
        "localhost" => Ipv4Addr::LOCALHOST,
        _ => return Err(failed()),
    };
    Ok(SocketAddr::new(IpAddr::V4(ip), port))
}

/// A duration longer than zero.
fn duration(text: &str) -> Result<Duration, String> {
    let duration: Duration = text
        .parse()
        .map_err(|_| format!("`{text}` is not a duration such as 5m or 1h30m"))?;
    match duration > Duration::ZERO {
        true => Ok(duration),
        false => Err("it has to be longer than zero".to_owned()),
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{text}` is not a whole number above zero")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{Cli, Command};

    #[test]
    fn a_command_line_of_prometheus_is_taken() {
        let line = "firebell serve --config.file=p.yml --web.listen-address=:9090 \
            --storage.tsdb.path=data --storage.tsdb.retention.time=30d \
            --storage.tsdb.retention.size=10GB --web.external-url http://bell.example/x \
            --web.route-prefix=/x --web.enable-lifecycle --web.enable-admin-api \
            --web.enable-remote-write-receiver --web.enable-otlp-receiver \
            --enable-feature=a,b --enable-feature=c --log.level=warn --log.format=json \
            --query.max-samples=7 --query.timeout=1m --query.max-concurrency=3 \
            --query.lookback-delta=15s --web.cors.origin=.* --rules.alert.resend-delay=5m";
        let Command::Serve(serve) = Cli::parse_from(line.split_whitespace()).command else {
            panic!("another command");
        };
        assert_eq!(serve.unused.notes().len(), 3);
        let options = serve.into_options();
        assert_eq!(options.listen, Some(([0, 0, 0, 0], 9090).into()));
        let flags = options.flags;
        assert!(flags.has_admin_api && flags.has_lifecycle && flags.cors_origin.is_some());
        assert_eq!(flags.rules.resend_delay, Duration::from_mins(5));
        assert_eq!((&*flags.route_prefix, flags.features.len()), ("/x", 3));
        let Overrides {
            retention_bytes,
            query_samples_max,
            ..
        } = flags.overrides;
        assert_eq!(
            (retention_bytes, query_samples_max),
            (Some(10 << 30), Some(7))
        );
        assert_eq!(flags.shown["storage.tsdb.retention.time"], "30d");
    }

    #[test]
    fn addresses_are_taken_as_prometheus_takes_them() {
        assert_eq!(address("localhost:1"), Ok(([127, 0, 0, 1], 1).into()));
        assert_eq!(address("[::1]:1").unwrap().port(), 1);
        assert!(address("example.org:1").is_err() && address("9090").is_err());
    }
}
