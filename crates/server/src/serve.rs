//! Start and stop: opens the data folder, restores the engine, starts workers, listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use firebell_config::{Config, ExternalUrl, OsFiles, Problems, load};
use firebell_disk::Disk;
use firebell_engine::{Configuration, Engine, Input, Journal, JournalError, Ledger};
use firebell_model::Timestamp;
use firebell_tsdb::{Store, StoreError};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::{Clock, Stopwatch};
use crate::deliver::Deliverer;
use crate::disk::{DataDirError, FileDisk};
use crate::driver::{Driver, Queue};
use crate::evaluate::Pool;
use crate::http::{App, router};
use crate::http_client::Clients;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::perform::Performer;
use crate::scrape::Scraper;

/// What `firebell serve` is told on the command line.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file; `None` starts empty.
    pub config_file: Option<PathBuf>,
    /// Where to listen; else as the file says, else [`DEFAULT_LISTEN`].
    pub listen: Option<SocketAddr>,
    /// Folder of metrics and state.
    pub data_dir: PathBuf,
    /// Where people reach this Firebell; else as the file says, else made from the address.
    pub external_url: Option<String>,
}

/// A server that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no authentication yet.
    #[error(
        "refused to listen on {0}: anybody who reaches that address could read alerts and silence \
         them, and there is no authentication yet; use a loopback address such as 127.0.0.1:9494, \
         and a reverse proxy that authenticates for the rest"
    )]
    NotLoopback(SocketAddr),
    /// Most often: the port is in use.
    #[error("failed to listen on {address} (choose another one with --listen)")]
    Listen {
        /// What was tried.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The configuration has problems.
    #[error("the configuration was refused:\n{0}")]
    Config(Problems),
    /// The data folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store cannot be opened.
    #[error("failed to open the metric store")]
    Store(#[from] StoreError),
    /// The system gives no threads, sockets or signals.
    #[error("failed to start")]
    System(#[from] std::io::Error),
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// When it cannot start; nothing was changed then.
pub fn serve(options: &Options) -> Result<(), ServeError> {
    let watch = Stopwatch::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .max_blocking_threads(QUERY_THREADS_MAX)
        .enable_all()
        .build()?;
    let result = runtime.block_on(run(options, watch));
    // Deliveries and scrapes under way are given up: the journal knows what was not delivered.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    result
}

async fn run(options: &Options, watch: Stopwatch) -> Result<(), ServeError> {
    let clock = Arc::new(Clock::default());
    let started_at = clock.now();
    let mut external_url = ExternalUrl {
        given: options.external_url.clone(),
        fallback: format!("http://{}", options.listen.unwrap_or(DEFAULT_LISTEN)),
    };
    let file = options.config_file.clone();
    let mut config = load(file.as_deref(), &external_url, &OsFiles).map_err(ServeError::Config)?;
    let address = listen_address(options, &config);
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    // The port before the data: it is what most often is in the way, and nothing has happened yet.
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })?;
    let bound = listener.local_addr()?;
    let fallback = format!("http://{bound}");
    if external_url.fallback != fallback {
        // The file or the system chose the address: links are made of it.
        external_url.fallback = fallback;
        config = load(file.as_deref(), &external_url, &OsFiles).map_err(ServeError::Config)?;
    }
    let address = bound;
    for note in &config.notes {
        tracing::info!("{note}");
    }
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&options.data_dir)?);
    let parts = open(&disk, &config)?;
    let live = Arc::new(Live::new(file, external_url, config, started_at));
    let app = start(parts, &live, &clock, started_at)?;
    tracing::info!(
        url = %format!("http://{address}/"),
        data_dir = %options.data_dir.display(),
        ready_ms = watch.elapsed().as_millis() as u64,
        "firebell is ready"
    );
    let stop = stop_on_signal(app.app.clone())?;
    let serving = axum::serve(listener, router(app.app.clone()));
    tokio::select! {
        result = serving => result?,
        () = stop => {}
    }
    tracing::info!("stopping");
    app.app.handle.shut_down();
    let driver = app.driver;
    let _ = tokio::task::spawn_blocking(move || driver.join()).await;
    if let Err(error) = app.app.store.sync() {
        tracing::error!(%error, "failed to sync the metric store at shutdown");
    }
    Ok(())
}

/// The command line's word, else the file's, else the default.
fn listen_address(options: &Options, config: &Config) -> SocketAddr {
    // The configuration has checked its own.
    let of_file = || {
        config
            .listen
            .as_deref()
            .and_then(|address| address.parse().ok())
    };
    options.listen.or_else(of_file).unwrap_or(DEFAULT_LISTEN)
}

/// What the data folder held.
struct Parts {
    engine: Engine,
    journal: Journal,
    store: Arc<Store>,
}

fn open(disk: &Arc<dyn Disk>, config: &Config) -> Result<Parts, ServeError> {
    let (store, report) = Store::open(Arc::clone(disk), config.storage.clone())?;
    for damage in &report.damage {
        tracing::error!(
            damage,
            "the metric store is damaged; the rest of it is used"
        );
    }
    let (journal, replayed) = Journal::open(Arc::clone(disk))?;
    for damage in &replayed.damage {
        tracing::error!(damage, "the journal is damaged; the rest of it is used");
    }
    let mut engine = Engine::new(configuration(config));
    let n_records = replayed.records.len();
    for record in replayed.records {
        engine.restore(record);
    }
    tracing::info!(
        series = report.series,
        samples = report.samples_replayed,
        records = n_records,
        "restored"
    );
    Ok(Parts {
        engine,
        journal,
        store: Arc::new(store),
    })
}

/// What the engine is told of a configuration.
fn configuration(config: &Config) -> Configuration {
    Configuration {
        rules: config.rules.clone(),
        rule_options: firebell_rules::Options::default(),
        routing: Arc::clone(&config.routing),
    }
}

struct Running {
    app: App,
    driver: std::thread::JoinHandle<()>,
}

fn start(
    parts: Parts,
    live: &Arc<Live>,
    clock: &Arc<Clock>,
    started_at: Timestamp,
) -> Result<Running, ServeError> {
    let Parts {
        engine,
        journal,
        store,
    } = parts;
    let metrics = Arc::new(Metrics::default());
    metrics.note_reload(started_at);
    let queue = Queue::new();
    let handle = queue.handle();
    let deliverer = Deliverer {
        live: Arc::clone(live),
        clients: Clients::default(),
        metrics: Arc::clone(&metrics),
    };
    let performer = Performer {
        store: Arc::clone(&store),
        pool: Pool::start(EVALUATOR_THREADS)?,
        deliverer: Arc::new(deliverer),
        runtime: tokio::runtime::Handle::current(),
        handle: handle.clone(),
        metrics: Arc::clone(&metrics),
        under_way: Arc::default(),
    };
    let scraper = Scraper::start(
        Arc::clone(&store),
        Arc::clone(clock),
        Arc::clone(&metrics),
        handle.clone(),
    );
    scraper.configure(&live.config());
    let (ledger, driver_clock) = (Ledger::new(journal), Arc::clone(clock));
    let driver = Driver::new(
        queue,
        engine,
        ledger,
        performer,
        driver_clock,
        Arc::clone(&metrics),
    );
    let driver = driver.start()?;
    tokio::spawn(maintain(Arc::clone(&store), Arc::clone(clock)));
    tokio::spawn(note_rate(Arc::clone(&metrics), Arc::clone(clock)));
    let app = App {
        handle,
        store,
        clock: Arc::clone(clock),
        metrics,
        live: Arc::clone(live),
        scraper,
        started_at,
    };
    Ok(Running { app, driver })
}

/// Keeps the store in shape.
async fn maintain(store: Arc<Store>, clock: Arc<Clock>) {
    loop {
        let (upkeep, now) = (Arc::clone(&store), clock.now());
        let work = move || upkeep.sync().and_then(|()| upkeep.maintain(now));
        if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
            tracing::error!(%error, "the metric store could not be written; what is in memory is kept");
        }
        tokio::time::sleep(MAINTAIN_EVERY).await;
    }
}

/// Notes how many samples came, for the rate that the page shows.
async fn note_rate(metrics: Arc<Metrics>, clock: Arc<Clock>) {
    loop {
        metrics
            .samples_rate
            .note(clock.now(), metrics.samples_appended.get());
        tokio::time::sleep(RATE_EVERY).await;
    }
}

/// Reads the configuration again and puts it in force.
///
/// # Errors
/// Every problem of it; the old one stays in force.
pub(crate) fn reload(app: &App) -> Result<(), Problems> {
    let now = app.clock.now();
    let result = app.live.reload(now);
    match &result {
        Ok(config) => {
            app.handle
                .input(Input::Configured(Box::new(configuration(config))));
            app.scraper.configure(config);
            app.metrics.note_reload(now);
            tracing::info!("the configuration was reloaded");
        }
        Err(problems) => {
            app.metrics.config_reload_successful.set(0);
            tracing::error!("the new configuration was refused; the old one stays:\n{problems}");
        }
    }
    app.handle.status_changed();
    result.map(|_| ())
}

/// Resolves on SIGINT or SIGTERM; reloads on SIGHUP meanwhile.
fn stop_on_signal(app: App) -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                _ = hang_up.recv() => {
                    let app = app.clone();
                    let _ = tokio::task::spawn_blocking(move || reload(&app).is_ok()).await;
                }
            }
        }
    })
}

/// Where Firebell listens when nobody says otherwise.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9494);
const WORKER_THREADS: usize = 2;
/// Queries of people that are computed at the same time; more wait.
const QUERY_THREADS_MAX: usize = 8;
/// Rules that are evaluated at the same time.
const EVALUATOR_THREADS: usize = 2;
const RATE_EVERY: std::time::Duration = std::time::Duration::from_secs(5);
const MAINTAIN_EVERY: std::time::Duration = std::time::Duration::from_secs(60);
const SHUTDOWN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);
