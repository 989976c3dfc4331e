//! Start and stop: opens the data folder, restores the engine, starts workers, listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, Weak};

use firebell_config::{Config, ExternalUrl, OsFiles, Problems, load_with};
use firebell_disk::{Disk, LogError};
use firebell_engine::{Configuration, Engine, Input, Journal, JournalError, Ledger, Paging};
use firebell_model::Timestamp;
use firebell_tsdb::{Store, StoreError};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::alertmanagers::Alertmanagers;
use crate::clock::{Clock, Stopwatch};
use crate::cluster::Cluster;
use crate::deliver::{DELIVERIES_MAX, Deliverer};
use crate::disk::{DataDirError, FileDisk};
use crate::driver::{Driver, DriverThread, Queue};
use crate::evaluate::Pool;
use crate::external::External;
use crate::flags::Flags;
use crate::history;
use crate::http::{App, Listening, Shared, Slots, router, watch_notifications};
use crate::kept::Kept;
use crate::live::Live;
use crate::managed::{Change, ChangeError, Managed, Namespaces, Texts};
use crate::metrics::Metrics;
use crate::pages::links::Links;
use crate::pages::{MESSAGES_MAX, Pager};
use crate::perform::Performer;
use crate::pictures::Pictures;
use crate::scrape::Scraper;
use crate::send::Sender;
use crate::telemetry;
use crate::turns::Turns;

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
    /// What else the command line says.
    pub flags: Flags,
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
    /// The rules that people manage over HTTP cannot be read.
    #[error("failed to open the log of rules")]
    Rules(#[from] LogError),
    /// The links that answer pages cannot be made or checked.
    #[error("failed to open the key and the log of links")]
    Links(#[source] LogError),
    /// The store cannot be opened.
    #[error("failed to open the metric store")]
    Store(#[from] StoreError),
    /// The system gives no threads, sockets or signals.
    #[error("failed to start")]
    System(#[from] std::io::Error),
    /// The engine stopped by itself.
    #[error(
        "the engine failed, as printed above: please report it; everything up to then is in the \
         journal, so start again"
    )]
    Engine,
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// When it cannot start; nothing was changed then. When the engine fails.
pub fn serve(options: &Options) -> Result<(), ServeError> {
    let watch = Stopwatch::start();
    let runtime = with_blocking_threads(Builder::new_multi_thread())
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()?;
    let result = runtime.block_on(run(options, watch));
    // Deliveries and scrapes under way are given up: the journal knows what was not delivered.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    result
}

fn with_blocking_threads(mut runtime: Builder) -> Builder {
    runtime
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_keep_alive(BLOCKING_THREAD_KEPT);
    runtime
}

async fn run(options: &Options, watch: Stopwatch) -> Result<(), ServeError> {
    raise_file_limit();
    let mut server = Server::start(options).await?;
    tracing::info!(
        url = %format!("http://{}/", server.address),
        data_dir = %options.data_dir.display(),
        ready_ms = watch.elapsed().as_millis() as u64,
        "firebell is ready"
    );
    // Upstream's line: its acceptance tests read the port out of it.
    for address in server
        .listening
        .addresses
        .iter()
        .filter(|_| options.flags.alertmanager.is_some())
    {
        tracing::info!(%address, "Listening on");
    }
    let stop = stop_on_signal(server.app.clone())?;
    let quit = Arc::clone(&server.app.quit);
    tokio::select! {
        _ = &mut server.driver.ended => {}
        () = stop => {}
        () = quit.notified() => {}
    }
    tracing::info!("stopping");
    server.stop().await
}

/// A Firebell that serves.
pub(crate) struct Server {
    /// Where it listens first.
    pub address: SocketAddr,
    /// What its handlers share.
    pub app: App,
    driver: DriverThread,
    listening: Listening,
    watching: tokio::task::AbortHandle,
}

impl Server {
    /// Starts; returns when everything is ready.
    pub(crate) async fn start(options: &Options) -> Result<Self, ServeError> {
        let open = || Ok(Arc::new(FileDisk::open(&options.data_dir)?) as Arc<dyn Disk>);
        Self::start_on(options, open).await
    }

    /// Starts over the disk that `open_disk` gives, once the port is ours.
    pub(crate) async fn start_on(
        options: &Options,
        open_disk: impl FnOnce() -> Result<Arc<dyn Disk>, DataDirError>,
    ) -> Result<Self, ServeError> {
        let clock = Arc::new(Clock::default());
        let started_at = clock.now();
        let (listener, live) = listen_and_load(options, started_at).await?;
        let address = listener.local_addr()?;
        let mut listeners = vec![listener];
        for address in &options.flags.listen_also {
            listeners.push(bind(*address).await?);
        }
        // From now on whoever asks is told to wait.
        let ready = Arc::new(OnceLock::new());
        let runtime = with_blocking_threads(Builder::new_current_thread());
        let listening = Listening::start(listeners, &ready, runtime)?;
        let cluster = match &options.flags.alertmanager {
            Some(options) => Cluster::join(options, started_at).await,
            None => None,
        };
        let disk = open_disk()?;
        let kept = Kept::open(&disk, &live, started_at)?;
        let mut parts = open(&disk, &live.config(), &options.flags)?;
        parts.engine.note_deploys(kept.deploys.all());
        let flags = options.flags.clone();
        let (mut shared, driver) = start(parts, kept, &Arc::new(live), flags, &clock, started_at)?;
        shared.cluster = cluster.map(Arc::new);
        let app = App::new(shared);
        let _ = ready.set(router(app.clone()));
        let watching = tokio::spawn(watch_notifications(app.clone())).abort_handle();
        Ok(Self {
            address,
            app,
            driver,
            listening,
            watching,
        })
    }

    /// Writes everything down.
    ///
    /// # Errors
    /// When the engine had failed.
    pub(crate) async fn stop(self) -> Result<(), ServeError> {
        self.watching.abort();
        self.app.handle.drain().await;
        self.app.handle.shut_down();
        let thread = self.driver.thread;
        let history = self.app.history.clone();
        let ended = tokio::task::spawn_blocking(move || {
            let ended = thread.join();
            history.join();
            ended
        })
        .await;
        let external = self.app.external.drain(DRAIN_TIMEOUT);
        tokio::join!(external, self.app.alertmanagers.drain(DRAIN_TIMEOUT));
        if let Err(error) = self.app.store.sync() {
            tracing::error!(%error, "failed to sync the metric store at shutdown");
        }
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(ServeError::Engine),
        }
    }
}

/// The port before the data: it is what most often is in the way, and nothing has happened yet.
async fn listen_and_load(
    options: &Options,
    started_at: Timestamp,
) -> Result<(TcpListener, Live), ServeError> {
    let mut external_url = ExternalUrl {
        given: options.external_url.clone(),
        fallback: format!("http://{}", options.listen.unwrap_or(DEFAULT_LISTEN)),
    };
    let file = options.config_file.clone();
    let features = options.flags.promql();
    let mut config = load_with(file.as_deref(), &external_url, &OsFiles, features)
        .map_err(ServeError::Config)?;
    let address = listen_address(options, &config);
    let listener = bind(address).await?;
    let fallback = format!("http://{}", listener.local_addr()?);
    if external_url.fallback != fallback {
        // The file or the system chose the address: links are made of it.
        external_url.fallback = fallback;
        config = load_with(file.as_deref(), &external_url, &OsFiles, features)
            .map_err(ServeError::Config)?;
    }
    for note in &config.notes {
        tracing::info!("{note}");
    }
    let overrides = options.flags.overrides.clone();
    let live = Live::new(file, external_url, overrides, features, config, started_at);
    Ok((listener, live))
}

/// Only loopback addresses: there is no authentication yet.
async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    let failed = |source| ServeError::Listen { address, source };
    TcpListener::bind(address).await.map_err(failed)
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

fn tell_torn(what: &str, bytes: u64) {
    if bytes > 0 {
        tracing::warn!(what, bytes, "the end was not whole; it was cut off");
    }
}

/// What the data folder held.
struct Parts {
    engine: Engine,
    journal: Journal,
    store: Arc<Store>,
    /// What the store found damaged.
    n_damaged: usize,
    disk: Arc<dyn Disk>,
}

fn open(disk: &Arc<dyn Disk>, config: &Config, flags: &Flags) -> Result<Parts, ServeError> {
    let (store, report) = Store::open(Arc::clone(disk), config.storage.clone())?;
    for damage in &report.damage {
        tracing::error!(
            damage,
            "the metric store is damaged; the rest of it is used"
        );
    }
    tell_torn("log of the metric store", report.torn_bytes);
    let mut engine = Engine::new(configuration(config, flags));
    let (journal, replayed) =
        Journal::open(Arc::clone(disk), &mut |record| engine.restore(record))?;
    for damage in &replayed.damage {
        tracing::error!(damage, "the journal is damaged; the rest of it is used");
    }
    tell_torn("journal", replayed.torn_bytes);
    tracing::info!(
        series = report.series,
        samples = report.samples_replayed,
        records = replayed.n_records,
        "restored"
    );
    Ok(Parts {
        engine,
        journal,
        store: Arc::new(store),
        n_damaged: report.damage.len(),
        disk: Arc::clone(disk),
    })
}

/// What the engine is told of a configuration.
fn configuration(config: &Config, flags: &Flags) -> Configuration {
    Configuration {
        rules: config.rules.clone(),
        rule_options: flags.rules,
        routing: Arc::clone(&config.routing),
        dispatch_options: flags.dispatch.clone(),
        delivery_alert: config.delivery_alert.clone(),
        incidents: config.incidents.clone(),
        paging: Paging {
            policies: Arc::clone(&config.escalation.policies),
            rules: config.escalation.rules.clone(),
            oncall: Arc::clone(&config.oncall.oncall),
            default: config.escalation.default.clone(),
        },
        heartbeats: config.heartbeats.clone(),
    }
}

fn start(
    parts: Parts,
    kept: Kept,
    live: &Arc<Live>,
    flags: Flags,
    clock: &Arc<Clock>,
    started_at: Timestamp,
) -> Result<(Shared, DriverThread), ServeError> {
    let Parts {
        engine,
        journal,
        store,
        n_damaged,
        disk,
    } = parts;
    let metrics = metrics_of(&live.config(), started_at);
    let queue = Queue::new(Arc::clone(&metrics));
    let handle = queue.handle();
    let links = Arc::new(kept.links);
    let (deliverer, pager) = senders(live, clock, &links, &metrics);
    let external = Arc::new(External::start(Arc::clone(live), Arc::clone(&metrics)));
    let alertmanagers = Alertmanagers::start(Arc::clone(live), Arc::clone(&metrics), flags.queues);
    let telemetry = telemetry::start(Arc::clone(&disk), (live, clock), Arc::clone(&metrics))?;
    let (writer, history) = history::start(Arc::clone(&disk), (live, clock), Arc::clone(&metrics))?;
    let performer = Performer {
        history: writer,
        alertmanagers: Arc::clone(&alertmanagers),
        external: Arc::clone(&external),
        store: Arc::clone(&store),
        pool: Pool::start(EVALUATOR_THREADS)?,
        deliverer: Arc::new(deliverer),
        pager: Arc::clone(&pager),
        runtime: tokio::runtime::Handle::current(),
        handle: handle.clone(),
        metrics: Arc::clone(&metrics),
        under_way: Arc::default(),
        is_draining: false,
        runs: Vec::new(),
    };
    let scraper = Scraper::start(
        Arc::clone(&store),
        Arc::clone(clock),
        Arc::clone(&metrics),
        handle.clone(),
        &flags,
    );
    scraper.configure(&live.config());
    let (ledger, driver_clock) = (Ledger::new(journal), Arc::clone(clock));
    let driver = Driver::new(queue, engine, ledger, performer, driver_clock).start()?;
    keep_up(&store, &metrics, clock)?;
    let shared = Shared {
        pictures: Pictures::start(disk, handle.clone()),
        handle,
        store,
        clock: Arc::clone(clock),
        history,
        telemetry,
        metrics,
        live: Arc::clone(live),
        scraper,
        external,
        alertmanagers,
        rules: Arc::new(kept.rules),
        oncall: Arc::new(kept.oncall),
        deploys: Arc::new(kept.deploys),
        links,
        pager,
        started_at,
        cluster: None,
        slots: Arc::new(slots(&live.config(), &flags)),
        plans: Default::default(),
        noted: Default::default(),
        flags: Arc::new(flags),
        n_damaged,
        quit: Arc::default(),
        runtime: tokio::runtime::Handle::current(),
    };
    Ok((shared, driver))
}

/// Of a configuration that has just come into force.
fn metrics_of(config: &Config, started_at: Timestamp) -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::default());
    metrics.note_reload(started_at);
    metrics.quality.show_rules(&config.rules);
    metrics
}

/// For what people ask.
fn slots(config: &Config, flags: &Flags) -> Slots {
    let gets_max = flags.alertmanager.as_ref().map_or(0, |it| it.gets_max);
    Slots::new(config.query.concurrency_max, gets_max)
}

/// What tells of alerts and of pages.
fn senders(
    live: &Arc<Live>,
    clock: &Arc<Clock>,
    links: &Arc<Links>,
    metrics: &Metrics,
) -> (Deliverer, Arc<Pager>) {
    let sender = Arc::new(Sender::new(Arc::clone(clock)));
    let deliverer = Deliverer {
        live: Arc::clone(live),
        sender: Arc::clone(&sender),
        metrics: Arc::clone(&metrics.notifications),
        turns: Turns::new(DELIVERIES_MAX),
    };
    let pager = Pager {
        live: Arc::clone(live),
        clock: Arc::clone(clock),
        sender,
        links: Arc::clone(links),
        metrics: Arc::clone(&metrics.pages),
        turns: Turns::new(MESSAGES_MAX),
        asking: Turns::new(1),
    };
    (deliverer, Arc::new(pager))
}

/// Starts what goes on beside everything else.
fn keep_up(store: &Arc<Store>, metrics: &Arc<Metrics>, clock: &Arc<Clock>) -> std::io::Result<()> {
    tokio::spawn(maintain(Arc::clone(store), Arc::clone(clock)));
    let (metrics, clock) = (Arc::clone(metrics), Arc::clone(clock));
    let store = Arc::downgrade(store);
    // A thread of its own: one for blocking work would be made anew nearly each time.
    let tending = std::thread::Builder::new().name("tend".to_owned());
    tending
        .spawn(move || tend(&store, &metrics, &clock))
        .map(drop)
}

/// Does what little there is to do every second, in one wake: an idle machine is left idle.
fn tend(store: &Weak<Store>, metrics: &Metrics, clock: &Clock) {
    for seconds in 0_u64.. {
        if seconds.is_multiple_of(RATE_EVERY_SECONDS) {
            // For the rate that the page shows.
            let n_samples = metrics.samples_appended.get();
            metrics.samples_rate.note(clock.now(), n_samples);
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
        let Some(store) = store.upgrade() else {
            return;
        };
        if seconds.is_multiple_of(SYNC_EVERY_SECONDS) {
            // Soon enough that rules find the samples from before a loss of power: the journal, which
            // is always durable, says how far they had judged.
            attend("sync the metric store", || store.sync());
        }
        // So short that a restart is quick, however fast samples come.
        attend("shorten the log of the metric store", || {
            store.shorten_log()
        });
    }
}

/// Says what did not work. A panic, which is reported by itself, must not end the rest of it.
fn attend(what: &str, work: impl FnOnce() -> Result<(), StoreError>) {
    if let Ok(Err(error)) = catch_unwind(AssertUnwindSafe(work)) {
        tracing::error!(%error, "failed to {what}");
    }
}

/// Keeps the store in shape.
async fn maintain(store: Arc<Store>, clock: Arc<Clock>) {
    loop {
        let (upkeep, now) = (Arc::clone(&store), clock.now());
        let work = move || upkeep.maintain(now);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
            tracing::error!(%error, "the metric store could not be written; what is in memory is kept");
        }
        tokio::time::sleep(MAINTAIN_EVERY).await;
    }
}

/// Reads the configuration again and puts it in force.
///
/// # Errors
/// Every problem of it; the old one stays in force.
pub(crate) fn reload(app: &App) -> Result<(), Problems> {
    let lock = &app.slots.reload;
    let _one_at_a_time = lock.lock().unwrap_or_else(PoisonError::into_inner);
    let now = app.clock.now();
    let result = app.live.reload(now, &texts(app));
    match &result {
        Ok(config) => {
            put_in_force(app, config, now);
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

/// Tells everybody of a configuration.
fn put_in_force(app: &App, config: &Config, now: Timestamp) {
    // What begins now is none of the request that asked for it.
    let _inside = app.runtime.enter();
    let configuration = configuration(config, &app.flags);
    app.handle.input(Input::Configured(Box::new(configuration)));
    app.store.set_options(config.storage.clone());
    app.scraper.configure(config);
    app.alertmanagers.discover();
    app.metrics.note_reload(now);
    app.metrics.quality.show_rules(&config.rules);
}

/// What is managed over HTTP now.
fn texts(app: &App) -> Texts {
    Texts {
        rules: app.rules.namespaces(),
        oncall: app.oncall.namespaces(),
        new: Vec::new(),
    }
}

/// A change over HTTP that was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManagedError {
    /// There is nothing to change, or something is in the way.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The configuration would be wrong with it.
    #[error("{0}")]
    Config(Problems),
    /// It could not be written down.
    #[error("the change could not be written down: {0}")]
    Log(#[from] LogError),
}

/// Changes what is managed over HTTP: checked with everything else, durable, in force.
///
/// # Errors
/// Why nothing has changed.
pub(crate) fn change_managed(
    app: &App,
    what: ManagedKind,
    plan: impl FnOnce(&Managed, Timestamp) -> Result<(Change, Namespaces), ChangeError>,
) -> Result<Change, ManagedError> {
    let lock = &app.slots.reload;
    let _one_at_a_time = lock.lock().unwrap_or_else(PoisonError::into_inner);
    let now = app.clock.now();
    let (managed, mut texts) = (what.of(app), texts(app));
    let (change, namespaces) = plan(managed, now)?;
    match what {
        ManagedKind::Rules => texts.rules = namespaces,
        ManagedKind::Oncall => {
            let names = change.groups.iter().map(|it| it.name.clone());
            texts.new = names.map(|it| (change.namespace.clone(), it)).collect();
            texts.oncall = namespaces;
        }
    }
    let config = app.live.load(&texts).map_err(ManagedError::Config)?;
    managed.commit(change.clone())?;
    let config = app.live.put(config, now);
    put_in_force(app, &config, now);
    app.handle.status_changed();
    let (id, who, namespace) = (change.id, &change.who, &change.namespace);
    tracing::info!(change = id, who, namespace, "{} were changed", what.name());
    Ok(change)
}

/// What is managed over HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ManagedKind {
    /// Rules.
    Rules,
    /// Schedules, overrides, swaps.
    Oncall,
}

impl ManagedKind {
    fn of(self, app: &App) -> &Managed {
        match self {
            Self::Rules => &app.rules,
            Self::Oncall => &app.oncall,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Oncall => "schedules",
        }
    }
}

/// Allows as many open files as the system lets us have: every target and receiver holds a
/// connection, and many systems begin with 1024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: maximum,
        maximum,
    };
    if current != maximum && setrlimit(Resource::Nofile, wanted).is_err() {
        tracing::warn!(limit = current, "failed to raise the limit of open files");
    }
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
/// For deliveries and scrapes; requests have a thread of their own.
const WORKER_THREADS: usize = 2;
/// How long a thread for blocking work waits for more. What it has made and others have freed, such as
/// the data of a large answer, goes back to the system only when it ends.
const BLOCKING_THREAD_KEPT: std::time::Duration = std::time::Duration::from_secs(1);
/// Threads for what takes time: queries, as many as may run at once, remote write, upkeep, reloads.
/// They are made when they are needed, for requests and for the rest. What finds none waits; connections limit how much that is.
const BLOCKING_THREADS_MAX: usize = 256;
/// Rules that are evaluated at the same time.
const EVALUATOR_THREADS: usize = 2;
const RATE_EVERY_SECONDS: u64 = 5;
const SYNC_EVERY_SECONDS: u64 = 5;
const MAINTAIN_EVERY: std::time::Duration = std::time::Duration::from_secs(60);
/// For what rules recorded and decided, and others have not taken yet.
const DRAIN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);
const SHUTDOWN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);
