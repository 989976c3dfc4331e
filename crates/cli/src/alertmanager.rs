//! `firebell alertmanager`: Firebell behind Alertmanager's own command line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use firebell_model::{Duration, Regex};
use firebell_server::{AsAlertmanager, DispatchOptions, Flags, Options};

use crate::serve::address;
use crate::{fail, log};

#[derive(Args)]
#[command(disable_version_flag = true)]
pub(crate) struct Alertmanager {
    /// The configuration, as Alertmanager reads it.
    #[arg(
        long = "config.file",
        value_name = "FILE",
        default_value = "alertmanager.yml"
    )]
    config: PathBuf,
    /// The folder for state; it is made when it is not there.
    #[arg(long = "storage.path", value_name = "DIR", default_value = "data/")]
    storage: PathBuf,
    /// How long what was told and ended silences are kept.
    #[arg(long = "data.retention", value_name = "TIME", default_value = "120h", value_parser = Duration::from_go)]
    retention: Duration,
    /// Say which version this is, and end.
    #[arg(long)]
    version: bool,
    #[command(flatten)]
    web: Web,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    logging: Logging,
    #[command(flatten)]
    unused: Unused,
}

#[derive(Args)]
#[command(next_help_heading = "HTTP")]
struct Web {
    /// Where to listen; may be given several times. Only loopback addresses, as there is no
    /// authentication yet.
    #[arg(
        long = "web.listen-address",
        value_name = "ADDR",
        default_value = "127.0.0.1:9093",
        value_parser = address
    )]
    listen: Vec<SocketAddr>,
    /// Where people reach this, for links in messages.
    #[arg(long = "web.external-url", value_name = "URL")]
    external_url: Option<String>,
    /// What all paths begin with; by default the path of the external URL.
    #[arg(long = "web.route-prefix", value_name = "PATH")]
    route_prefix: Option<String>,
    /// How many GET requests are answered at the same time; 0 for as many as there are processors,
    /// and at least 8.
    #[arg(
        long = "web.get-concurrency",
        value_name = "N",
        default_value = "0",
        allow_hyphen_values = true
    )]
    get_concurrency: i64,
    /// How long a request may take; 0 for any time.
    #[arg(long = "web.timeout", value_name = "TIME", default_value = "0", value_parser = Duration::from_go)]
    timeout: Duration,
    /// Pages of these origins may ask; a regular expression (Firebell's own)
    #[arg(long = "web.cors.origin", value_name = "REGEX", value_parser = Regex::anchored)]
    cors_origin: Option<Regex>,
}

#[derive(Args)]
#[command(next_help_heading = "Limits; 0 for none")]
struct Limits {
    /// How many silences there may be, ended ones included.
    #[arg(
        long = "silences.max-silences",
        value_name = "N",
        default_value = "0",
        allow_hyphen_values = true
    )]
    silences: i64,
    /// How many bytes a silence may have.
    #[arg(
        long = "silences.max-silence-size-bytes",
        value_name = "N",
        default_value = "0",
        allow_hyphen_values = true
    )]
    silence_bytes: i64,
    /// How many alerts of one name there may be.
    #[arg(
        long = "alerts.per-alertname-limit",
        value_name = "N",
        default_value = "0",
        allow_hyphen_values = true
    )]
    alerts_per_name: i64,
    /// After a start, nobody is told before so much time has passed.
    #[arg(long = "dispatch.start-delay", value_name = "TIME", default_value = "0s", value_parser = Duration::from_go)]
    start_delay: Duration,
}

#[derive(Args)]
#[command(next_help_heading = "Cluster: there is none yet, and clients are told of one member")]
struct Cluster {
    /// Where others would find this one; empty for no cluster.
    #[arg(
        long = "cluster.listen-address",
        value_name = "ADDR",
        default_value = ""
    )]
    cluster_listen: String,
    /// The same, as clients are told.
    #[arg(
        long = "cluster.advertise-address",
        value_name = "ADDR",
        default_value = ""
    )]
    advertise: String,
    /// Its name.
    #[arg(long = "cluster.peer-name", value_name = "NAME", default_value = "")]
    peer_name: String,
}

#[derive(Args)]
#[command(next_help_heading = "Logging and features")]
struct Logging {
    /// How much to log: error, warn, info or debug.
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    level: tracing::Level,
    /// How: logfmt or json.
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt")]
    format: log::Format,
    /// Features that are turned on, separated by commas.
    #[arg(
        long = "enable-feature",
        value_name = "NAMES",
        value_delimiter = ',',
        value_parser = feature
    )]
    features: Vec<String>,
}

/// Flags of Alertmanager that are taken, and change nothing here.
#[derive(Args)]
#[rustfmt::skip]
struct Unused {
    #[arg(long = "data.maintenance-interval", hide = true)]
    maintenance_interval: Option<String>,
    #[arg(long = "alerts.gc-interval", hide = true)]
    gc_interval: Option<String>,
    #[arg(long = "dispatch.maintenance-interval", hide = true)]
    dispatch_maintenance_interval: Option<String>,
    #[arg(long = "log.silences", hide = true)]
    log_silences: bool,
    #[arg(long = "no-log.silences", hide = true)]
    no_log_silences: bool,
    #[arg(long = "web.config.file", hide = true)]
    web_config: Option<String>,
    #[arg(long = "web.systemd-socket", hide = true)]
    systemd_socket: bool,
    #[arg(long = "auto-gomemlimit.ratio", hide = true)]
    memory_ratio: Option<String>,
    #[arg(long = "auto-gomaxprocs", hide = true)]
    processors: bool,
    #[arg(long = "cluster.peer", hide = true)]
    peers: Vec<String>,
    #[arg(long = "cluster.peer-timeout", hide = true)]
    peer_timeout: Option<String>,
    #[arg(long = "cluster.peers-resolve-timeout", hide = true)]
    peers_resolve_timeout: Option<String>,
    #[arg(long = "cluster.gossip-interval", hide = true)]
    gossip_interval: Option<String>,
    #[arg(long = "cluster.pushpull-interval", hide = true)]
    pushpull_interval: Option<String>,
    #[arg(long = "cluster.tcp-timeout", hide = true)]
    tcp_timeout: Option<String>,
    #[arg(long = "cluster.probe-timeout", hide = true)]
    probe_timeout: Option<String>,
    #[arg(long = "cluster.probe-interval", hide = true)]
    probe_interval: Option<String>,
    #[arg(long = "cluster.settle-timeout", hide = true)]
    settle_timeout: Option<String>,
    #[arg(long = "cluster.reconnect-interval", hide = true)]
    reconnect_interval: Option<String>,
    #[arg(long = "cluster.reconnect-timeout", hide = true)]
    reconnect_timeout: Option<String>,
    #[arg(long = "cluster.tls-config", hide = true)]
    tls_config: Option<String>,
    #[arg(long = "cluster.label", hide = true)]
    label: Option<String>,
    #[arg(long = "cluster.allow-insecure-public-advertise-address-discovery", hide = true)]
    allow_insecure: bool,
}

impl Unused {
    /// Those whose absence somebody might miss.
    #[rustfmt::skip]
    fn notes(&self) -> Vec<String> {
        let given = [
            ("web.systemd-socket", self.systemd_socket),
            ("log.silences", self.log_silences),
            ("cluster.peer", !self.peers.is_empty()),
            ("cluster.tls-config", self.tls_config.as_ref().is_some_and(|it| !it.is_empty())),
        ];
        let given = given.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(name, _)| format!("--{name} changes nothing here")).collect()
    }
}

/// Serves as Alertmanager does, until it is told to stop.
pub(crate) fn serve(options: Alertmanager) -> ExitCode {
    if options.version {
        let version = env!("CARGO_PKG_VERSION");
        crate::say(format_args!(
            "alertmanager, version {UPSTREAM} (branch: firebell, revision: firebell-{version})"
        ));
        return ExitCode::SUCCESS;
    }
    if options
        .unused
        .web_config
        .as_ref()
        .is_some_and(|it| !it.is_empty())
    {
        eprintln!("firebell: --web.config.file is not supported yet: there is no authentication");
        return ExitCode::from(2);
    }
    log::start(options.logging.level, options.logging.format);
    for note in options.unused.notes() {
        tracing::warn!("{note}");
    }
    match options.into_options().map(|it| firebell_server::serve(&it)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(&error),
        Err(why) => {
            eprintln!("firebell: {why}");
            ExitCode::from(2)
        }
    }
}

impl Alertmanager {
    fn into_options(self) -> Result<Options, String> {
        let Self {
            config,
            storage,
            retention,
            web,
            limits,
            cluster,
            logging,
            ..
        } = self;
        let cluster_address = match (cluster.cluster_listen.as_str(), cluster.advertise.as_str()) {
            ("", _) => None,
            (listen, "") => Some(address(listen)?),
            (_, advertised) => Some(address(advertised)?),
        };
        let external_path = web.external_url.as_deref().map(path_of).unwrap_or_default();
        let prefix = web.route_prefix.as_deref().unwrap_or(external_path);
        let mut listen = web.listen.into_iter();
        let flags = Flags {
            cors_origin: web.cors_origin,
            route_prefix: match prefix.trim_matches('/') {
                "" => String::new(),
                prefix => format!("/{prefix}"),
            },
            features: logging.features.into_iter().collect(),
            alertmanager: Some(AsAlertmanager {
                gets_max: usize::try_from(web.get_concurrency).unwrap_or(0),
                timeout: Some(web.timeout).filter(|it| *it > Duration::ZERO),
                cluster_address,
                peer_name: cluster.peer_name,
            }),
            dispatch: dispatch_options(&limits, retention),
            shown: BTreeMap::new(),
            ..Flags::default()
        };
        let listen_first = listen.next();
        Ok(Options {
            config_file: Some(config),
            listen: listen_first,
            data_dir: storage,
            external_url: web.external_url,
            flags: Flags {
                listen_also: listen.collect(),
                ..flags
            },
        })
    }
}

fn dispatch_options(limits: &Limits, retention: Duration) -> DispatchOptions {
    let limit = |given: i64| usize::try_from(given).ok().filter(|limit| *limit > 0);
    let defaults = DispatchOptions::default();
    DispatchOptions {
        alerts_per_name_max: limit(limits.alerts_per_name),
        silences_max: limit(limits.silences).unwrap_or(defaults.silences_max),
        silence_bytes_max: limit(limits.silence_bytes),
        retention,
        start_delay: limits.start_delay,
        ..defaults
    }
}

/// The path of a URL, without the slash at its end.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |idx| &rest[idx..])
}

fn feature(name: &str) -> Result<String, String> {
    match name.is_empty() || FEATURES.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("unknown option '{name}' for --enable-feature")),
    }
}

/// Upstream's features; those that are about its metrics and its memory change nothing here.
const FEATURES: [&str; 7] = [
    "alert-names-in-metrics",
    "auto-gomemlimit",
    "classic-mode",
    "event-recorder",
    "group-key-in-metrics",
    "receiver-name-in-metrics",
    "utf8-strict-mode",
];

/// Whose behaviour this is.
const UPSTREAM: &str = "0.33.1";

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{Cli, Command};

    fn options(line: &str) -> Options {
        let line = format!("firebell alertmanager {line}");
        match Cli::parse_from(line.split_whitespace()).command {
            Command::Alertmanager(options) => options.into_options().expect("options"),
            _ => panic!("another command"),
        }
    }

    #[test]
    fn a_command_line_of_alertmanager_is_taken() {
        let options = options(
            "--config.file=a.yml --storage.path=d --data.retention=24h \
             --web.listen-address=127.0.0.1:0 --web.listen-address=127.0.0.2:0 \
             --web.external-url=http://bell.example/x/ --web.get-concurrency=3 --web.timeout=30s \
             --cluster.listen-address=127.0.0.1:0 --cluster.settle-timeout=0s \
             --cluster.peer=127.0.0.1:9094 --cluster.peer=127.0.0.1:9095 --log.level=debug \
             --log.format=json --silences.max-silences=7 --silences.max-silence-size-bytes=-1 \
             --alerts.per-alertname-limit=9 --alerts.gc-interval=1m --auto-gomemlimit.ratio=0.8 \
             --enable-feature=classic-mode,auto-gomemlimit --dispatch.start-delay=5s \
             --data.maintenance-interval=1m --dispatch.maintenance-interval=1m --log.silences",
        );
        let flags = options.flags;
        assert_eq!(options.listen, Some(([127, 0, 0, 1], 0).into()));
        assert_eq!(flags.listen_also, [([127, 0, 0, 2], 0).into()]);
        assert_eq!((&*flags.route_prefix, flags.features.len()), ("/x", 2));
        let dispatch = flags.dispatch;
        assert_eq!(
            (dispatch.silences_max, dispatch.silence_bytes_max),
            (7, None)
        );
        assert_eq!(dispatch.alerts_per_name_max, Some(9));
        assert_eq!(dispatch.retention, Duration::from_hours(24));
        assert_eq!(dispatch.start_delay, Duration::from_secs(5));
        let alertmanager = flags.alertmanager.expect("as Alertmanager");
        assert_eq!(alertmanager.gets_max, 3);
        assert_eq!(alertmanager.timeout, Some(Duration::from_secs(30)));
        assert!(alertmanager.cluster_address.is_some());
    }

    #[test]
    fn without_flags_there_is_no_cluster_and_an_unknown_feature_is_refused() {
        let options = options("");
        assert_eq!(options.listen, Some(([127, 0, 0, 1], 9093).into()));
        let alertmanager = options.flags.alertmanager.expect("as Alertmanager");
        assert!(alertmanager.cluster_address.is_none() && alertmanager.timeout.is_none());
        let line = ["firebell", "alertmanager", "--enable-feature=x"];
        let refusal = Cli::try_parse_from(line).err().map(|it| it.to_string());
        let expected = "unknown option 'x' for --enable-feature";
        assert!(refusal.is_some_and(|it| it.contains(expected)));
    }
}
