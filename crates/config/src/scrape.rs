//! What is scraped: `global` and `scrape_configs`.
//!
//! *Sources*: Prometheus, `config/config.go`.

mod global;
mod names;
mod targets;

use std::collections::BTreeMap;

use firebell_model::{Duration, EXPONENTIAL_SCHEMAS, RelabelRule};
use firebell_notify::HttpConfig;

pub(crate) use self::global::Global;
pub use self::names::{NameEscaping, ScrapeNames};
pub use self::targets::{DroppedTarget, ScrapeTarget, TargetSet, targets};

use crate::discovery::{Discovery, TargetGroup};
use crate::fields::{Doc, Fields};
use crate::http;
use crate::load::Loader;
use crate::relabel;
use crate::size::parse_bytes;
use crate::yaml::Node;

/// One entry of `scrape_configs`, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScrapeJob {
    /// Unique.
    pub name: String,
    /// Between two scrapes, unless a target's labels say otherwise.
    pub interval: Duration,
    /// How long a scrape may take; at most `interval`.
    pub timeout: Duration,
    /// Path, unless a target's labels say otherwise.
    pub metrics_path: String,
    /// `http` or `https`, unless a target's labels say otherwise.
    pub scheme: String,
    /// Parameters of the URL, in order of name.
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether labels that the target gives win over those of the target.
    pub honor_labels: bool,
    /// Whether timestamps that the target gives count.
    pub honor_timestamps: bool,
    /// Whether series with timestamps get stale markers when they go away.
    pub track_timestamps_staleness: bool,
    /// What targets are asked for, the best first.
    pub protocols: Vec<ScrapeProtocol>,
    /// Nobody has chosen the protocols.
    pub has_usual_protocols: bool,
    /// Which histograms are taken.
    pub histograms: ScrapeHistograms,
    /// Which names are taken.
    pub names: ScrapeNames,
    /// Whether answers may be compressed.
    pub takes_compressed: bool,
    /// Whether limits and the size of the body are told as series; `None` is as the command line
    /// says.
    pub extra_metrics: Option<bool>,
    /// How an answer with an unknown content type is read.
    pub fallback: Option<ScrapeProtocol>,
    /// What is refused.
    pub limits: ScrapeLimits,
    /// How requests are made.
    pub http: HttpConfig,
    /// Applied to targets.
    pub relabel: Vec<RelabelRule>,
    /// Applied to series.
    pub metric_relabel: Vec<RelabelRule>,
    /// Where its targets stand.
    pub discovery: Discovery,
    /// As it is written, with secrets as `<secret>`.
    pub text: String,
}

/// The formats of expositions, by upstream's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "upstream's names and versions")]
pub enum ScrapeProtocol {
    PrometheusProto,
    PrometheusText004,
    PrometheusText100,
    OpenMetricsText001,
    OpenMetricsText100,
}

/// Which histograms a job takes, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScrapeHistograms {
    /// Native histograms are taken.
    pub native: bool,
    /// Classic buckets are taken also where there is a native histogram.
    pub classic: bool,
    /// Classic histograms become native ones with custom buckets.
    pub to_custom: bool,
}

/// What fails a scrape; `None` is no limit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ScrapeLimits {
    /// Bytes of the answer, decompressed.
    pub body_bytes: Option<u64>,
    /// Samples after relabelling.
    pub samples: Option<u64>,
    /// Targets of the job.
    pub targets: Option<u64>,
    /// Series of one target, over its latest scrapes; our own.
    pub series: Option<u64>,
    /// Labels of a series.
    pub labels: Option<u64>,
    /// Bytes of a label's name.
    pub label_name_bytes: Option<u64>,
    /// Bytes of a label's value.
    pub label_value_bytes: Option<u64>,
    /// Buckets of a native histogram: one with more is made coarser.
    pub histogram_buckets: Option<u64>,
    /// The finest schema of native histograms: finer ones are made coarser.
    pub histogram_schema: Option<i8>,
}

/// Reads `scrape_configs`.
pub(crate) fn jobs(
    loader: &Loader<'_>,
    fields: &Fields<'_, '_>,
    global: &Global,
) -> Vec<ScrapeJob> {
    let mut jobs: Vec<ScrapeJob> = Vec::new();
    for node in fields.list("scrape_configs") {
        let Some(job) = job(loader, fields.doc, node, global) else {
            continue;
        };
        if jobs.iter().any(|known| known.name == job.name) {
            let message = format!("there are two scrape jobs with the name `{}`", job.name);
            fields.doc.problem(node.at, message, None);
        }
        jobs.push(job);
    }
    jobs
}

fn job(loader: &Loader<'_>, doc: &Doc<'_>, node: &Node, global: &Global) -> Option<ScrapeJob> {
    let fields = doc.fields(node, "a scrape job");
    let name = fields.needed_text("job_name");
    let interval = positive(&fields, "scrape_interval").unwrap_or(global.scrape_interval);
    let timeout = timeout(&fields, interval, global);
    let relabel = relabel::rules(&fields, "relabel_configs");
    let metric_relabel = relabel::rules(&fields, "metric_relabel_configs");
    let discovery = Discovery::read(&fields);
    let histograms = histograms(&fields, global.histograms);
    let job = ScrapeJob {
        interval,
        timeout,
        metrics_path: fields
            .text("metrics_path")
            .unwrap_or_else(|| "/metrics".to_owned()),
        scheme: scheme(&fields),
        params: params(&fields),
        honor_labels: fields.bool("honor_labels").unwrap_or(false),
        honor_timestamps: fields.bool("honor_timestamps").unwrap_or(true),
        track_timestamps_staleness: fields.bool("track_timestamps_staleness").unwrap_or(false),
        protocols: protocols(&fields, global.protocols.as_deref(), histograms.native),
        has_usual_protocols: fields.get("scrape_protocols").is_none() && global.protocols.is_none(),
        histograms,
        names: names::of_job(&fields, global.names),
        takes_compressed: fields.bool("enable_compression").unwrap_or(true),
        extra_metrics: fields.bool("extra_scrape_metrics").or(global.extra_metrics),
        fallback: protocol(&fields, "fallback_scrape_protocol"),
        limits: job_limits(&fields, &global.limits),
        http: http::read(loader, &fields),
        relabel,
        metric_relabel,
        discovery,
        text: doc.text_without_secrets(node),
        name: name.clone().unwrap_or_default(),
    };
    fields.ignore(&IGNORED);
    fields.finish();
    name.map(|_| job)
}

/// Upstream's fields without a meaning here.
const IGNORED: [&str; 2] = ["keep_dropped_targets", "scrape_failure_log_file"];

/// What a job says of histograms, or else what `global` does.
fn histograms(fields: &Fields<'_, '_>, global: ScrapeHistograms) -> ScrapeHistograms {
    let classic = fields.bool("always_scrape_classic_histograms");
    // Its name until Prometheus 3.
    let older = fields.bool("scrape_classic_histograms");
    ScrapeHistograms {
        native: fields
            .bool("scrape_native_histograms")
            .unwrap_or(global.native),
        classic: classic.or(older).unwrap_or(global.classic),
        to_custom: fields
            .bool("convert_classic_histograms_to_nhcb")
            .unwrap_or(global.to_custom),
    }
}

/// A duration that is not zero; zero is as absent, as upstream.
pub(crate) fn positive(fields: &Fields<'_, '_>, name: &'static str) -> Option<Duration> {
    fields
        .duration(name)
        .filter(|duration| *duration > Duration::ZERO)
}

fn timeout(fields: &Fields<'_, '_>, interval: Duration, global: &Global) -> Duration {
    let Some(timeout) = positive(fields, "scrape_timeout") else {
        return global.scrape_timeout.min(interval);
    };
    if timeout > interval {
        let message =
            format!("`scrape_timeout` ({timeout}) is longer than `scrape_interval` ({interval})");
        fields
            .doc
            .problem(fields.at("scrape_timeout"), message, None);
    }
    timeout
}

pub(crate) fn scheme(fields: &Fields<'_, '_>) -> String {
    let read = |text: &str| match text {
        "http" | "https" => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is neither http nor https")),
    };
    fields
        .parsed("scheme", read)
        .unwrap_or_else(|| "http".to_owned())
}

fn protocol(fields: &Fields<'_, '_>, name: &'static str) -> Option<ScrapeProtocol> {
    fields.parsed(name, parse_protocol)
}

fn parse_protocol(text: &str) -> Result<ScrapeProtocol, String> {
    let found = PROTOCOLS.iter().find(|(name, _)| *name == text);
    found.map(|(_, protocol)| *protocol).ok_or_else(|| {
        let names = PROTOCOLS.map(|(name, _)| name).join(", ");
        format!("`{text}` is none of {names}")
    })
}

/// What `scrape_protocols` says, or else the default: protobuf comes first for native histograms.
fn protocols(
    fields: &Fields<'_, '_>,
    global: Option<&[ScrapeProtocol]>,
    wants_native: bool,
) -> Vec<ScrapeProtocol> {
    if let Some(own) = own_protocols(fields) {
        return own;
    }
    let default = PROTOCOLS.map(|(_, protocol)| protocol);
    let first = if wants_native { 0 } else { 1 };
    global.unwrap_or(&default[first..]).to_vec()
}

/// The protocols that `scrape_protocols` names; `None` when it is absent or empty.
fn own_protocols(fields: &Fields<'_, '_>) -> Option<Vec<ScrapeProtocol>> {
    let mut protocols = Vec::new();
    for text in fields.texts("scrape_protocols") {
        let problem = match parse_protocol(&text) {
            Ok(protocol) if protocols.contains(&protocol) => {
                format!("`{text}` stands in `scrape_protocols` twice")
            }
            Ok(protocol) => {
                protocols.push(protocol);
                continue;
            }
            Err(why) => why,
        };
        let at = fields.at("scrape_protocols");
        fields.doc.problem(at, problem, None);
    }
    (!protocols.is_empty()).then_some(protocols)
}

/// In the order in which they are asked for; the text formats only, unless native histograms are
/// wanted.
const PROTOCOLS: [(&str, ScrapeProtocol); 5] = [
    ("PrometheusProto", ScrapeProtocol::PrometheusProto),
    ("OpenMetricsText1.0.0", ScrapeProtocol::OpenMetricsText100),
    ("OpenMetricsText0.0.1", ScrapeProtocol::OpenMetricsText001),
    ("PrometheusText1.0.0", ScrapeProtocol::PrometheusText100),
    ("PrometheusText0.0.4", ScrapeProtocol::PrometheusText004),
];

fn params(fields: &Fields<'_, '_>) -> BTreeMap<String, Vec<String>> {
    let Some(node) = fields.get("params") else {
        return BTreeMap::new();
    };
    let doc = fields.doc;
    let entries = doc.entries(node, "params").into_iter();
    let values = |node| {
        let items = doc.items(node, "params").iter();
        items.filter_map(|item| doc.text(item, "params")).collect()
    };
    entries
        .map(|(name, node)| (name.to_owned(), values(node)))
        .collect()
}

fn limits(fields: &Fields<'_, '_>, global: &ScrapeLimits) -> ScrapeLimits {
    let limit = |name, global: Option<u64>| match fields.number(name) {
        Some(limit) if limit > 0 => Some(limit),
        _ => global,
    };
    let body_bytes = fields
        .parsed("body_size_limit", parse_bytes)
        .filter(|bytes| *bytes > 0);
    ScrapeLimits {
        body_bytes: body_bytes.or(global.body_bytes),
        samples: limit("sample_limit", global.samples),
        targets: limit("target_limit", global.targets),
        series: limit("series_limit", global.series),
        labels: limit("label_limit", global.labels),
        label_name_bytes: limit("label_name_length_limit", global.label_name_bytes),
        label_value_bytes: limit("label_value_length_limit", global.label_value_bytes),
        ..global.clone()
    }
}

/// The limits that `global` does not have, besides.
fn job_limits(fields: &Fields<'_, '_>, global: &ScrapeLimits) -> ScrapeLimits {
    let buckets = fields.number("native_histogram_bucket_limit");
    let factor = fields.parsed("native_histogram_min_bucket_factor", |text| {
        let factor: Result<f64, _> = text.parse();
        factor.map_err(|_| format!("`{text}` is no number"))
    });
    ScrapeLimits {
        histogram_buckets: buckets.filter(|limit| *limit > 0),
        histogram_schema: factor.filter(|factor| *factor > 0.0).map(schema_of),
        ..limits(fields, global)
    }
}

/// The finest schema whose buckets grow by at least this factor.
fn schema_of(factor: f64) -> i8 {
    let factor = if factor <= 1.0 { FINEST_FACTOR } else { factor };
    let schema = (-factor.log2().log2()).floor();
    let (coarsest, finest) = EXPONENTIAL_SCHEMAS.into_inner();
    schema.clamp(f64::from(coarsest), f64::from(finest)) as i8
}

/// What upstream takes for factors that are too small.
const FINEST_FACTOR: f64 = 1.00271;
