//! `/status/…`, `/features` and `/notifications`: what the program is and how it fares.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use firebell_model::{METRIC_NAME, Regex, TimeRange, Timestamp};
use firebell_wire::go;
use firebell_wire::prometheus_json::{
    ApiError, BuildInfo, ErrorKind, NamedCount, Success, TsdbHead, TsdbStatus,
    self_metrics as self_metrics_json,
};
use serde::Serialize;
use serde_json::json;

use super::compute::{Job, compute};
use super::{Answer, answer, aside, bad_data, stopped};
use crate::driver::Unrecorded;
use crate::http::{App, own_metrics, params};
use crate::metrics::Format;

/// A configuration, without its secrets.
#[derive(Serialize)]
pub(super) struct Yaml {
    pub yaml: String,
}

pub(super) async fn config(State(app): State<App>) -> Response {
    let yaml = app.live.config().text.clone();
    answer(Ok(Success::new(Yaml { yaml })))
}

pub(super) async fn flags(State(app): State<App>) -> Response {
    answer(Ok(Success::new(&app.flags.shown)))
}

pub(super) async fn build_info() -> Response {
    /// As Mimir has them: Grafana edits rules where it finds this.
    #[derive(Serialize)]
    struct Features {
        ruler_config_api: &'static str,
    }
    #[derive(Serialize)]
    struct WithFeatures {
        #[serde(flatten)]
        info: BuildInfo,
        features: Features,
    }
    answer(Ok(Success::new(WithFeatures {
        info: version(UPSTREAM),
        features: Features {
            ruler_config_api: "true",
        },
    })))
}

/// `/version`.
pub(in crate::http) async fn plain_version() -> Response {
    let text = serde_json::to_string(&version(UPSTREAM)).unwrap_or_default();
    let kind = "text/plain; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], format!("{text}\n")).into_response()
}

/// What clients are told of the program: the version of upstream's whose API this is.
pub(crate) fn version(upstream: &str) -> BuildInfo {
    BuildInfo {
        version: upstream.to_owned(),
        revision: concat!("firebell-", env!("CARGO_PKG_VERSION")).to_owned(),
        branch: "firebell".to_owned(),
        ..BuildInfo::default()
    }
}

pub(super) async fn runtime_info(State(app): State<App>) -> Response {
    let folder = std::env::current_dir().unwrap_or_default();
    let storage = app.live.config().storage.clone();
    let mut retention = storage.retention.to_string();
    if let Some(bytes) = storage.retention_bytes {
        retention = format!("{retention} or {}", bytes_text(bytes));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    answer(Ok(Success::new(json!({
        "startTime": app.started_at.to_string(),
        "CWD": folder.display().to_string(),
        "hostname": rustix::system::uname().nodename().to_string_lossy(),
        "serverTime": app.clock.now().to_string(),
        "reloadConfigSuccess": app.live.problems().is_empty(),
        "lastConfigTime": app.live.loaded_at().to_string(),
        "corruptionCount": app.n_damaged,
        "goroutineCount": threads_of_process(),
        "GOMAXPROCS": threads,
        "GOMEMLIMIT": i64::MAX,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": retention,
    }))))
}

/// How many threads the process has; 0 when the system does not say.
fn threads_of_process() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// `1GiB`, as upstream's units print.
fn bytes_text(bytes: u64) -> String {
    let units = ["EiB", "PiB", "TiB", "GiB", "MiB", "KiB"];
    let (mut text, mut rest) = (String::new(), bytes);
    for (idx, unit) in units.iter().enumerate() {
        let size = 1 << (10 * (units.len() - idx));
        if rest >= size {
            text += &format!("{}{unit}", rest / size);
            rest %= size;
        }
    }
    if rest > 0 || text.is_empty() {
        text += &format!("{rest}B");
    }
    text
}

/// The program's own metrics, in the form of protobuf's JSON.
pub(super) async fn self_metrics(State(app): State<App>, uri: Uri) -> Response {
    let params = params(&uri, &Bytes::new());
    let pattern = params.get("metric_name_pattern").unwrap_or("");
    let pattern = match Regex::alertmanager(pattern) {
        _ if pattern.is_empty() => None,
        Ok(regex) => Some(regex),
        Err(why) => {
            let why = format!("invalid metric_name_pattern: {why}");
            return answer::<()>(Err(bad_data(why)));
        }
    };
    let Some(text) = own_metrics(&app, Format::Text).await else {
        return answer::<()>(Err(stopped(Unrecorded::Stopped)));
    };
    aside(move || {
        let is_wanted = |name: &str| pattern.as_ref().is_none_or(|it| it.is_match(name));
        let families = self_metrics_json(&text, is_wanted);
        families.map(Success::new).map_err(|error| {
            let why = format!("error gathering self metrics: {error}");
            ApiError::new(ErrorKind::Internal, why)
        })
    })
    .await
}

/// There is nothing to replay while requests are answered.
pub(super) async fn wal_replay() -> Response {
    answer(Ok(Success::new(json!({"min": 0, "max": 0, "current": 0}))))
}

/// There are no blocks of upstream's kind.
pub(super) async fn tsdb_blocks() -> Response {
    answer(Ok(Success::new(json!({ "blocks": [] }))))
}

pub(super) async fn tsdb(State(app): State<App>, uri: Uri) -> Response {
    let params = params(&uri, &Bytes::new());
    let limit = match params.get("limit").filter(|text| !text.is_empty()) {
        None => Some(TOP_DEFAULT),
        Some(text) => go::int(text).ok().and_then(|it| usize::try_from(it).ok()),
    };
    let Some(limit) = limit.filter(|limit| *limit > 0) else {
        return answer::<()>(Err(bad_data("limit must be a positive number")));
    };
    if limit > TOP_MAX {
        let why = format!("limit must not exceed {TOP_MAX}");
        return answer::<()>(Err(bad_data(why)));
    }
    let store = Arc::clone(&app.store);
    let figures = move || {
        let stats = store.stats();
        TsdbHead {
            num_series: stats.series,
            num_label_pairs: 0,
            chunk_count: stats.chunks,
            min_time: stats.oldest.map_or(i64::MAX, |at| at.0),
            max_time: stats.newest.map_or(i64::MIN, |at| at.0),
        }
    };
    compute(&app, None, move |job| count(job, limit, figures())).await
}

/// Counts over all series, by the strings that the store's index shares.
fn count(job: &Job<'_>, limit: usize, mut figures: TsdbHead) -> Answer<TsdbStatus> {
    let all = TimeRange {
        after: Timestamp::MIN,
        until: Timestamp::MAX,
    };
    let failed =
        |error: firebell_model::SourceError| ApiError::new(ErrorKind::Internal, error.to_string());
    let series = job.source.select(&[], all).map_err(failed)?;
    let mut pairs: HashMap<(Arc<str>, Arc<str>), u64> = HashMap::new();
    for (idx, series) in series.iter().enumerate() {
        if idx % SERIES_PER_CHECK == 0 {
            job.check()?;
        }
        for label in series.labels().iter() {
            let pair = (Arc::clone(&label.name), Arc::clone(&label.value));
            *pairs.entry(pair).or_default() += 1;
        }
    }
    let pairs: BTreeMap<(Arc<str>, Arc<str>), u64> = pairs.into_iter().collect();
    figures.num_label_pairs = pairs.len() as u64;
    let (mut values, mut bytes) = (BTreeMap::new(), BTreeMap::new());
    for ((name, value), n) in &pairs {
        *values.entry(name.to_string()).or_default() += 1;
        *bytes.entry(name.to_string()).or_default() += value.len() as u64 * n;
    }
    let of_metrics = pairs.iter().filter(|((name, _), _)| **name == *METRIC_NAME);
    let of_metrics = of_metrics.map(|((_, value), n)| (value.to_string(), *n));
    let of_pairs = pairs
        .iter()
        .map(|((name, value), n)| (format!("{name}={value}"), *n));
    Ok(Success::new(TsdbStatus {
        head_stats: figures,
        series_count_by_metric_name: top(of_metrics, limit),
        label_value_count_by_label_name: top(values, limit),
        memory_in_bytes_by_label_name: top(bytes, limit),
        series_count_by_label_value_pair: top(of_pairs, limit),
    }))
}

/// The largest, largest first.
fn top(counts: impl IntoIterator<Item = (String, u64)>, limit: usize) -> Vec<NamedCount> {
    let counts = counts.into_iter();
    let mut all: Vec<NamedCount> = counts
        .map(|(name, value)| NamedCount { name, value })
        .collect();
    all.sort_by(|a, b| (Reverse(a.value), &a.name).cmp(&(Reverse(b.value), &b.name)));
    all.truncate(limit);
    all
}

/// What can be done here, in upstream's words; what is not named cannot.
pub(super) async fn features(State(app): State<App>) -> Response {
    let flags = &app.flags;
    let functions = firebell_promql::functions();
    let is_on = |it: &firebell_promql::Function| {
        !it.is_experimental || app.has_feature("promql-experimental-functions")
    };
    let functions: BTreeMap<&str, bool> = functions.iter().map(|it| (it.name, is_on(it))).collect();
    let operators: BTreeMap<&str, bool> = OPERATORS.iter().map(|it| (*it, true)).collect();
    answer(Ok(Success::new(json!({
        "api": {
            "admin": flags.has_admin_api,
            "exclude_alerts": true,
            "label_values_match": true,
            "lifecycle": true,
            "query_stats": true,
            "openapi_3.1": true,
            "openapi_3.2": true,
            "query_warnings": true,
            "remote_write_receiver": true,
            "search": flags.has_feature("search-api"),
            "time_range_labels": true,
            "time_range_series": true,
        },
        "promql": {
            "at_modifier": true,
            "bool": true,
            "by": true,
            "delayed_name_removal": app.has_feature("promql-delayed-name-removal"),
            "duration_expr": app.has_feature("promql-duration-expr"),
            "group_left": true,
            "group_right": true,
            "ignoring": true,
            "negative_offset": true,
            "offset": true,
            "on": true,
            "per_step_stats": app.has_feature("promql-per-step-stats"),
            "subqueries": true,
            "without": true,
        },
        "promql_functions": functions,
        "promql_operators": operators,
        "rules": {"keep_firing_for": true, "query_offset": true},
        "service_discovery": {"file": true, "static": true},
        "tsdb": {"exemplar_storage": flags.has_feature("exemplar-storage")},
    }))))
}

/// The version of Prometheus whose API this is. Grafana chooses what it asks for by it, and takes
/// 2.x and 3.x for a Prometheus.
pub(super) const UPSTREAM: &str = "3.5.0";
/// Entries of each list of `/status/tsdb` unless more are asked for.
const TOP_DEFAULT: usize = 10;
/// More of them are not given.
const TOP_MAX: usize = 10_000;
/// Series that are counted between two looks at the time.
const SERIES_PER_CHECK: usize = 4096;
/// The operators, as the parser knows them.
const OPERATORS: [&str; 19] = [
    "!=", "!~", "%", "*", "+", "-", "/", "<", "<=", "==", "=~", ">", ">=", "^", "and", "atan2",
    "or", "unless", "=",
];
