//! The HTTP side: one port for Prometheus's API, Alertmanager's API, our own and the page.

mod alertmanager;
mod answer;
mod as_alertmanager;
mod aside;
mod compress;
mod contacts;
#[cfg(test)]
mod contract;
mod deploys;
mod events;
mod external;
mod federate;
mod heartbeats;
mod history;
#[cfg(test)]
mod hostile;
mod incidents;
mod intake;
mod leases;
mod listen;
mod oncall;
mod origin;
mod otlp;
mod own;
mod page;
mod pages;
mod prometheus;
mod quality;
mod read;
mod replies;
mod ruler;
mod silences;
mod slos;
mod streamed;
mod telemetry;
mod why;
mod write;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use firebell_config::QueryLimits;
use firebell_incident::PICTURE_BYTES_MAX;
use firebell_model::Timestamp;
use firebell_promql::Features;
use firebell_tsdb::Store;
use firebell_wire::otlp::Deltas;
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{ApiError, ErrorKind};
use tokio::sync::{Notify, Semaphore};

pub(crate) use self::listen::Listening;
pub(crate) use self::prometheus::watch as watch_notifications;

use self::aside::{may_wait, written};

use crate::alertmanager_metrics::DispatchFigures;
use crate::alertmanagers::Alertmanagers;
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::deploys::Deploys;
use crate::driver::{Handle, Unrecorded};
use crate::external::External;
use crate::flags::Flags;
use crate::history::HistoryReader;
use crate::live::Live;
use crate::managed::Managed;
use crate::metrics::{Format, Metrics, Readings, as_text};
use crate::pages::Pager;
use crate::pages::links::Links;
use crate::pictures::Pictures;
use crate::rule_metrics::RuleFigures;
use crate::scrape::Scraper;
use crate::serve;
use crate::telemetry::Telemetry;

/// What all handlers share; cheap to clone: each layer that a request goes through does.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

impl App {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What there is for handlers to use.
pub(crate) struct Shared {
    pub handle: Handle,
    /// What goes on when a request is over runs here.
    pub runtime: tokio::runtime::Handle,
    pub store: Arc<Store>,
    pub clock: Arc<Clock>,
    pub metrics: Arc<Metrics>,
    pub live: Arc<Live>,
    pub scraper: Scraper,
    pub external: Arc<External>,
    pub started_at: Timestamp,
    pub alertmanagers: Arc<Alertmanagers>,
    pub rules: Arc<Managed>,
    /// What belongs to on-call and is managed over HTTP.
    pub oncall: Arc<Managed>,
    pub deploys: Arc<Deploys>,
    pub links: Arc<Links>,
    pub pager: Arc<Pager>,
    pub pictures: Arc<Pictures>,
    pub history: HistoryReader,
    pub telemetry: Arc<Telemetry>,
    pub slots: Arc<Slots>,
    /// Plans of queries that have been asked.
    pub plans: Arc<prometheus::KeptPlans>,
    /// Since when an operator ought to know something.
    pub noted: prometheus::Since,
    pub cluster: Option<Arc<Cluster>>,
    pub flags: Arc<Flags>,
    /// What the store found damaged at the start.
    pub n_damaged: usize,
    /// Told when somebody asks over HTTP that the program ends.
    pub quit: Arc<Notify>,
}

impl Shared {
    /// What a query may take now.
    fn query_limits(&self) -> QueryLimits {
        self.live.config().query.clone()
    }

    /// Whether the command line or the configuration turns a feature on.
    fn has_feature(&self, name: &str) -> bool {
        let config = self.live.config();
        self.flags.has_feature(name) || config.query.features.iter().any(|it| it == name)
    }

    /// The experimental parts of PromQL that are turned on.
    fn promql(&self) -> Features {
        let config = self.live.config();
        let named = Features::named(config.query.features.iter().map(String::as_str));
        self.flags.promql().and(named)
    }
}

/// What is limited besides connections.
pub(crate) struct Slots {
    /// Queries that are computed.
    queries: Arc<Semaphore>,
    /// Bytes of answers of a cluster.
    answers: Arc<Semaphore>,
    /// Months that are added up out of the history.
    months: Arc<Semaphore>,
    /// Requests with a large body.
    large_bodies: Arc<Semaphore>,
    /// Pictures on their way, which may be slow ones.
    pictures: Arc<Semaphore>,
    /// Requests that are served aside, these among them.
    aside: Arc<Semaphore>,
    /// GET requests, where their number is limited.
    gets: Semaphore,
    /// How many of them there may be.
    gets_max: usize,
    /// A reload at a time: the later one has read the newer files.
    pub reload: std::sync::Mutex<()>,
    /// What deltas of OpenTelemetry added up to.
    deltas: std::sync::Mutex<Deltas>,
}

impl Slots {
    /// Room for so many queries, and so many GET requests where these are limited.
    pub(crate) fn new(queries_max: usize, gets_max: usize) -> Self {
        let n_threads = || std::thread::available_parallelism().map_or(1, usize::from);
        let gets_max = match gets_max {
            0 => n_threads().max(GETS_MIN),
            given => given.min(Semaphore::MAX_PERMITS),
        };
        Self {
            gets: Semaphore::new(gets_max),
            gets_max,
            queries: Arc::new(Semaphore::new(queries_max.min(Semaphore::MAX_PERMITS))),
            answers: Arc::new(Semaphore::new(external::ANSWERS_BYTES_MAX)),
            months: Arc::new(Semaphore::new(1)),
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES_MAX)),
            pictures: Arc::new(Semaphore::new(PICTURES_MAX)),
            aside: Arc::new(Semaphore::new(ASIDE_MAX)),
            reload: std::sync::Mutex::default(),
            deltas: std::sync::Mutex::default(),
        }
    }
}

/// All routes.
pub(crate) fn router(app: App) -> Router {
    let is_alertmanager = app.flags.alertmanager.is_some();
    let (healthy, ready, api_v1) = match is_alertmanager {
        true => ("OK", "OK", as_alertmanager::removed_api()),
        false => (
            "Firebell is Healthy.\n",
            "Firebell is Ready.\n",
            prometheus::routes(),
        ),
    };
    let routes = Router::new()
        .route("/-/healthy", get(async move || healthy))
        .route("/-/ready", get(async move || ready))
        .route("/-/reload", post(reload).put(reload).get(only_post))
        .route("/-/quit", post(quit).put(quit).get(only_post))
        .route("/metrics", get(metrics))
        .route("/federate", get(federate::federate))
        .route("/version", get(prometheus::plain_version))
        .merge(otlp::routes())
        .nest("/api/v1", api_v1)
        .nest("/api/v2", alertmanager::routes())
        .nest("/api/firebell/v1", own_routes())
        .route(
            &format!("{}/{{link}}", crate::pages::PATH),
            get(answer::show).post(answer::act),
        )
        .route(
            &format!("{}/{{link}}", crate::pages::CONTACT_PATH),
            get(contacts::show).post(contacts::confirm),
        )
        // Grafana knows both places.
        .nest("/prometheus", ruler::routes())
        .merge(ruler::routes())
        .fallback(page::elsewhere)
        .layer(middleware::from_fn_with_state(
            app.clone(),
            external::forward,
        ));
    let routes = match is_alertmanager {
        true => routes.layer(middleware::from_fn_with_state(
            app.clone(),
            as_alertmanager::limit,
        )),
        false => routes,
    };
    let prefix = app.flags.route_prefix.clone();
    let routes = match &*prefix {
        "" => routes,
        _ => Router::new()
            .nest(&prefix, routes)
            // What is nested does not have its own root.
            .route(
                &format!("{prefix}/"),
                get(async || page::page(Method::GET, Uri::from_static("/")).await),
            )
            .fallback(async move || Redirect::to(&format!("{prefix}/")))
            .layer(middleware::from_fn_with_state(app.clone(), end_root)),
    };
    routes
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(compress::compress))
        .layer(middleware::from_fn_with_state(app.clone(), limit))
        .layer(middleware::from_fn_with_state(app.clone(), origin::guard))
        .with_state(app)
}

/// Firebell's own API.
fn own_routes() -> Router<App> {
    Router::new()
        .route("/status", get(own::status))
        .route("/alerts", get(own::alerts))
        .route("/alerts/{fingerprint}/why", get(why::one))
        .route("/why", get(why::find))
        .route("/inbox", get(own::inbox))
        .route("/slos", get(slos::list))
        .route("/slos/history", get(slos::past))
        .route("/slos/spending", get(slos::spent))
        .route("/deploys", get(deploys::list).post(deploys::add))
        .route("/heartbeats", get(heartbeats::list))
        .route(
            "/heartbeats/{name}",
            get(heartbeats::one)
                .post(heartbeats::beat)
                .delete(heartbeats::forget),
        )
        .route("/leases", get(leases::list))
        .route("/leases/{name}", post(leases::take).delete(leases::give_up))
        .route("/history", get(history::list))
        .route("/traces", get(telemetry::traces))
        .route("/traces/{id}", get(telemetry::trace))
        .route("/logs", get(telemetry::logs))
        .route("/oncall", get(oncall::now))
        .route("/oncall/shifts", get(oncall::shifts))
        .route("/oncall/calendar.ics", get(oncall::calendar))
        .merge(replies::routes())
        .route("/oncall/people/{name}/verify", post(contacts::ask))
        .merge(oncall::changes::routes())
        .route("/incidents", get(incidents::list).post(incidents::open))
        .route("/incidents/{id}", get(incidents::one))
        .route("/incidents/{id}/acts", post(incidents::act))
        .route("/incidents/{id}/runbooks", get(incidents::runbooks))
        .route(
            "/incidents/{id}/pictures",
            post(incidents::pictures::add).layer(DefaultBodyLimit::max(PICTURE_BYTES_MAX)),
        )
        .route(
            "/incidents/{id}/pictures/{picture}",
            get(incidents::pictures::show).delete(incidents::pictures::take_back),
        )
        .route(
            "/incidents/{id}/postmortem",
            get(incidents::postmortem::show).post(incidents::postmortem::draft),
        )
        .route("/pages", get(pages::list))
        .route("/pages/{id}", get(pages::one))
        .route("/pages/{id}/{act}", post(pages::act))
        .route("/quality", get(quality::figures))
        .route("/review", get(quality::review))
        .route("/review/decisions", post(quality::decisions::decide))
        .route("/silences", get(silences::list).post(silences::add))
        .route("/silences/preview", get(silences::preview))
        .route("/events", get(events::events))
        .merge(ruler::own_routes())
}

/// The prefix without a slash behind it leads to the page, whose files lie beside the slash.
async fn end_root(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.uri().path() != app.flags.route_prefix {
        return next.run(request).await;
    }
    let query = request.uri().query().map(|query| format!("?{query}"));
    let query = query.unwrap_or_default();
    Redirect::to(&format!("{}/{query}", app.flags.route_prefix)).into_response()
}

/// As upstream says it.
async fn only_post() -> Response {
    let why = "Only POST or PUT requests allowed";
    (StatusCode::METHOD_NOT_ALLOWED, why).into_response()
}

/// Ends the program, where the operator has asked that this be possible.
async fn quit(State(app): State<App>) -> Response {
    if !app.flags.has_lifecycle {
        return (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.").into_response();
    }
    app.quit.notify_one();
    "Requesting termination... Goodbye!".into_response()
}

/// Limits the memory that bodies take, and the time of a request up to the head of its answer. What
/// takes time to read is read aside.
async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let body = BodyLength::of(&request);
    if let BodyLength::Known(bytes @ BODY_BYTES_TOO_MANY..) = body {
        let why = format!(
            "the body has {bytes} bytes, and {BODY_BYTES_MAX} are read at most: send it in parts\n"
        );
        return (StatusCode::PAYLOAD_TOO_LARGE, why).into_response();
    }
    let answered = async {
        if !body.exceeds(ASIDE_BYTES) {
            return next.run(request).await;
        }
        if request.uri().path().ends_with("/pictures") {
            // What takes time of these is done aside, once they are there. Phones send them by slow
            // lines, for which no samples and alerts wait.
            let _turn = app.slots.pictures.acquire().await;
            return next.run(request).await;
        }
        let large = match body.exceeds(SMALL_BODY_BYTES) {
            true => Arc::clone(&app.slots.large_bodies)
                .acquire_owned()
                .await
                .ok(),
            false => None,
        };
        let aside = Arc::clone(&app.slots.aside).acquire_owned().await.ok();
        aside::served(request, next, (large, aside)).await
    };
    let timeout = app.query_limits().timeout.to_std() + REQUEST_TIMEOUT;
    let answered = tokio::time::timeout(timeout, answered).await;
    answered.unwrap_or_else(|_| {
        let why = "the request took too long: its body did not come in time, or too much is asked \
                   for at the same time\n";
        (StatusCode::REQUEST_TIMEOUT, why).into_response()
    })
}

/// How long the body of a request is, as far as its head says it.
#[derive(Clone, Copy)]
enum BodyLength {
    Known(usize),
    /// It comes in parts, and its end is not known before it is there.
    Unknown,
}

impl BodyLength {
    fn of(request: &Request) -> Self {
        let headers = request.headers();
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let comes_in_parts = match request.version() {
            // It need not say so.
            Version::HTTP_2 => request.method() == Method::POST,
            _ => headers.contains_key(header::TRANSFER_ENCODING),
        };
        match length {
            Some(bytes) => Self::Known(bytes),
            None if comes_in_parts => Self::Unknown,
            None => Self::Known(0),
        }
    }

    /// Whether it may be longer than so.
    fn exceeds(self, n_bytes: usize) -> bool {
        match self {
            Self::Known(known) => known > n_bytes,
            Self::Unknown => true,
        }
    }
}

async fn reload(State(app): State<App>) -> Response {
    let result = tokio::task::spawn_blocking(move || serve::reload(&app)).await;
    match result {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(problems)) => {
            let text =
                format!("the new configuration was refused; the old one stays:\n{problems}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
        Err(_) => stopped(),
    }
}

async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    let is_open = accept.is_some_and(|it| it.contains("application/openmetrics-text"));
    let (kind, format) = match is_open {
        true => (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::OpenMetrics,
        ),
        false => ("text/plain; version=0.0.4; charset=utf-8", Format::Text),
    };
    match own_metrics(&app, format).await {
        Some(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        None => stopped(),
    }
}

/// The program's own metrics; none when the driver has stopped.
async fn own_metrics(app: &App, format: Format) -> Option<String> {
    let figures = app.handle.read(|engine, now| {
        let of_dispatch = DispatchFigures::of(engine, now);
        (
            own::counts(engine, now),
            RuleFigures::of(engine),
            of_dispatch,
        )
    });
    let (counts, rules, of_dispatch) = figures.await.ok()?;
    let app = app.clone();
    let text = may_wait(move || {
        let stats = app.store.stats();
        let readings = Readings {
            series: stats.series,
            samples: stats.samples,
            disk_bytes: stats.disk_bytes,
            memory_bytes: stats.memory_bytes,
            unlogged_bytes: stats.unlogged_bytes,
            firing: counts.firing as u64,
            pending: counts.pending as u64,
            flapping: counts.flapping as u64,
            rules_failing: counts.rules_failing as u64,
            shadow_fired: counts.shadow_fired,
            marked: counts.marked,
            dispatch: counts.dispatch,
            heartbeats: counts.heartbeats,
            leases: counts.leases as u64,
        };
        app.metrics.quality.read(&counts.incidents);
        let config = app.live.config();
        for (_, kind, _) in config.integrations.keys() {
            app.metrics.notifications.show(kind);
        }
        let mut text = app.metrics.render(&readings);
        if format == Format::Text {
            text = as_text(&text);
        }
        rules.write(app.metrics.rules(), format, &mut text);
        of_dispatch.write(&config, &app.metrics, &mut text);
        text
    });
    text.await
}

/// Alerts of a list that are looked up while nothing else happens.
const PART_ALERTS: usize = 4096;

/// The driver has stopped: Firebell is shutting down.
fn stopped() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "firebell is shutting down\n",
    )
        .into_response()
}

/// A change that could not be written down.
fn unrecorded(error: &Unrecorded) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
}

/// The parameters of a form's body and of the query.
fn params(uri: &Uri, body: &Bytes) -> Params {
    let body = String::from_utf8_lossy(body);
    Params::parse([&*body, uri.query().unwrap_or_default()])
}

/// How many are asked for at most (`limit`).
fn limit_param(params: &Params, default: usize, max: usize) -> Result<usize, String> {
    match params.get("limit") {
        None | Some("") => Ok(default),
        Some(text) => {
            let limit = text.parse().ok().filter(|it| (1..=max).contains(it));
            limit.ok_or_else(|| format!("`limit` is a number from 1 to {max}"))
        }
    }
}

/// What cannot be answered, and why.
fn refused(kind: ErrorKind, why: String) -> Response {
    let error = ApiError::new(kind, why);
    json(error.kind.status(), error.to_json())
}

fn json(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// As upstream: at least so many GET requests are answered at the same time.
const GETS_MIN: usize = 8;
/// The longest body that is read: what a large remote-write request compresses to. A longer one is
/// answered with 413.
const BODY_BYTES_MAX: usize = 32 << 20;
const BODY_BYTES_TOO_MANY: usize = BODY_BYTES_MAX + 1;
/// Requests with longer bodies are served aside: to read one takes milliseconds. Those of a hundred
/// alerts and the like are shorter, and would only pay for another thread.
const ASIDE_BYTES: usize = 128 << 10;
/// Requests that are served aside at the same time, of the threads that there are for all such work,
/// which they may need themselves; more wait.
const ASIDE_MAX: usize = 64;
/// Longer bodies are large.
const SMALL_BODY_BYTES: usize = 1 << 20;
/// Requests with a large body that are read and handled at the same time; more wait.
const LARGE_BODIES_MAX: usize = 8;
/// Pictures, of 5 MiB at most, that are sent at the same time; more wait.
const PICTURES_MAX: usize = 8;
/// What a request may take besides the query in it; then it is given up.
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_within_its_bounds() {
        let read = |text: &str| limit_param(&Params::parse([text]), 100, 1_000);
        for (text, expected) in [
            ("", 100),
            ("limit=", 100),
            ("limit=1", 1),
            ("limit=1000", 1_000),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for wrong in ["limit=0", "limit=1001", "limit=-1", "limit=x"] {
            let why = "`limit` is a number from 1 to 1000".to_owned();
            assert_eq!(read(wrong), Err(why), "{wrong}");
        }
    }
}
