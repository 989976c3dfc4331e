//! Every endpoint below `/api/v1`: where it is, who answers, and what people are told of it in
//! `/api/v1/openapi.yaml`. Router and document are made of this one table.

use axum::routing::{MethodRouter, get, post};

use super::openapi::{self, Answer, Param, ParamKind};
use super::{
    App, admin, exemplars, notifications, otlp, parse, query, read, rules, search, series, status,
    targets, write,
};

/// One path.
pub(super) struct Endpoint {
    pub path: &'static str,
    pub handler: fn() -> MethodRouter<App>,
    /// In lower case, as the document has them.
    pub methods: &'static [&'static str],
    pub tag: &'static str,
    pub summary: &'static str,
    pub params: &'static [Param],
    pub answer: Answer,
}

const fn endpoint(
    path: &'static str,
    handler: fn() -> MethodRouter<App>,
    methods: &'static [&'static str],
    (tag, summary): (&'static str, &'static str),
    params: &'static [Param],
) -> Endpoint {
    Endpoint {
        path,
        handler,
        methods,
        tag,
        summary,
        params,
        answer: Answer::Json,
    }
}

impl Endpoint {
    const fn answering(self, answer: Answer) -> Self {
        Self { answer, ..self }
    }
}

const GET: &[&str] = &["get"];
const POST: &[&str] = &["post"];
const FORM: &[&str] = &["get", "post"];
const CHANGE: &[&str] = &["post", "put"];

#[rustfmt::skip]
pub(super) const ENDPOINTS: &[Endpoint] = &[
    endpoint("/query", || get(query::instant).post(query::instant), FORM, ("query", "Evaluate an expression at one moment"), &[QUERY, TIME, TIMEOUT, LIMIT, LOOKBACK, STATS]),
    endpoint("/query_range", || get(query::range).post(query::range), FORM, ("query", "Evaluate an expression over a range of time"), &[QUERY, START.needed(), END.needed(), STEP, TIMEOUT, LIMIT, LOOKBACK, STATS]),
    endpoint("/query_exemplars", || get(exemplars::query).post(exemplars::query), FORM, ("query", "Exemplars of the series that an expression reads"), &[QUERY, START, END]),
    endpoint("/format_query", || get(parse::format).post(parse::format), FORM, ("query", "Print an expression in its usual form"), &[QUERY]),
    endpoint("/parse_query", || get(parse::tree).post(parse::tree), FORM, ("query", "Show an expression as a tree"), &[QUERY]),
    endpoint("/labels", || get(series::names).post(series::names), FORM, ("labels", "Names of labels"), &[MATCH, START, END, LIMIT]),
    endpoint("/label/{name}/values", || get(series::values), GET, ("labels", "Values of a label"), &[LABEL_NAME, MATCH, START, END, LIMIT]),
    endpoint("/search/metric_names", || get(search::metric_names).post(search::metric_names), FORM, ("search", "Search names of metrics (`--enable-feature=search-api`)"), SEARCH),
    endpoint("/search/label_names", || get(search::label_names).post(search::label_names), FORM, ("search", "Search names of labels (`--enable-feature=search-api`)"), SEARCH),
    endpoint("/search/label_values", || get(search::label_values).post(search::label_values), FORM, ("search", "Search values of a label (`--enable-feature=search-api`)"), SEARCH_VALUES),
    endpoint("/series", || get(series::series).post(series::series).delete(series::drop), &["get", "post", "delete"], ("series", "Label sets of series; DELETE is not implemented, as upstream"), &[MATCH.needed(), START, END, LIMIT]),
    endpoint("/metadata", || get(targets::metadata), GET, ("metadata", "Type, help and unit of metrics"), &[METRIC, LIMIT, param("limit_per_metric", "At most so many entries of a metric.", ParamKind::Number, "1")]),
    endpoint("/scrape_pools", || get(targets::scrape_pools), GET, ("targets", "Names of scrape jobs"), &[]),
    endpoint("/scrape_pools/config", || get(targets::scrape_pool_config), GET, ("targets", "Configuration of a scrape job, secrets hidden"), &[SCRAPE_POOL.needed()]),
    endpoint("/targets", || get(targets::targets), GET, ("targets", "Targets and how their last scrape went"), &[param("state", "`active`, `dropped` or `any`.", ParamKind::Text, "active"), SCRAPE_POOL]),
    endpoint("/targets/metadata", || get(targets::target_metadata), GET, ("targets", "What targets say of their metrics"), &[param("match_target", "A selector of targets by their labels.", ParamKind::Text, "{job=\"shop\"}"), METRIC, LIMIT]),
    endpoint("/targets/relabel_steps", || get(targets::relabel_steps), GET, ("targets", "What each relabelling rule of a job does to labels"), &[SCRAPE_POOL.needed(), param("labels", "Labels before relabelling, as a JSON object.", ParamKind::Text, "{\"__address__\":\"a:1\"}").needed()]),
    endpoint("/rules", || get(rules::rules), GET, ("rules", "Rule groups with state and health of their rules"), RULES),
    endpoint("/alerts", || get(rules::alerts), GET, ("alerts", "Alerts of own rules that are pending or firing"), &[]),
    endpoint("/alertmanagers", || get(rules::alertmanagers), GET, ("alerts", "Alertmanagers elsewhere that get alerts"), &[]),
    endpoint("/status/config", || get(status::config), GET, ("status", "The configuration in force, secrets hidden"), &[]),
    endpoint("/status/runtimeinfo", || get(status::runtime_info), GET, ("status", "Since when and where the program runs"), &[]),
    endpoint("/status/buildinfo", || get(status::build_info), GET, ("status", "Which program this is"), &[]),
    endpoint("/status/flags", || get(status::flags), GET, ("status", "The flags of the command line"), &[]),
    endpoint("/status/tsdb", || get(status::tsdb), GET, ("status", "What the store holds most of"), &[LIMIT]),
    endpoint("/status/tsdb/blocks", || get(status::tsdb_blocks), GET, ("status", "Blocks of the store, of which there are none"), &[]),
    endpoint("/status/walreplay", || get(status::wal_replay), GET, ("status", "How far the log was replayed"), &[]),
    endpoint("/status/self_metrics", || get(status::self_metrics), GET, ("status", "The program's own metrics as JSON"), &[param("metric_name_pattern", "A regular expression that names of metrics match as a whole.", ParamKind::Text, "firebell_.*")]),
    endpoint("/features", || get(status::features), GET, ("features", "What can be done here"), &[]),
    endpoint("/admin/tsdb/delete_series", || post(admin::delete).put(admin::delete), CHANGE, ("admin", "Delete samples (`--web.enable-admin-api`)"), &[MATCH.needed(), START, END]).answering(Answer::Nothing),
    endpoint("/admin/tsdb/clean_tombstones", || post(admin::clean).put(admin::clean), CHANGE, ("admin", "Take what is deleted off the disk (`--web.enable-admin-api`)"), &[]).answering(Answer::Nothing),
    endpoint("/admin/tsdb/snapshot", || post(admin::snapshot).put(admin::snapshot), CHANGE, ("admin", "Copy the store to a folder below `snapshots` (`--web.enable-admin-api`)"), &[param("skip_head", "Taken, and without effect.", ParamKind::Text, "false")]),
    endpoint("/read", || post(read::remote_read), POST, ("remote", "Remote read: samples and chunks for other queriers"), &[]).answering(Answer::Bytes("application/x-protobuf")),
    endpoint("/write", || post(write::remote_write), POST, ("remote", "Remote write 1 and 2"), &[]).answering(Answer::Nothing),
    endpoint("/otlp/v1/metrics", || post(otlp::export), POST, ("remote", "Metrics of OpenTelemetry, protobuf or JSON"), &[]).answering(Answer::Bytes("application/x-protobuf")),
    endpoint("/notifications", || get(notifications::list), GET, ("notifications", "What the operator should know"), &[]),
    endpoint("/notifications/live", || get(notifications::live), GET, ("notifications", "The same as server-sent events"), &[]).answering(Answer::Bytes("text/event-stream")),
    endpoint("/openapi.yaml", || get(openapi::document), GET, ("status", "This document"), &[param("openapi_version", "`3.1`, or `3.2`.", ParamKind::Text, "3.1")]).answering(Answer::Bytes("application/yaml")),
];

const fn param(
    name: &'static str,
    about: &'static str,
    kind: ParamKind,
    example: &'static str,
) -> Param {
    Param {
        name,
        about,
        kind,
        example,
        is_needed: false,
    }
}

const QUERY: Param = param("query", "The expression.", ParamKind::Text, "up").needed();
const TIME: Param = param(
    "time",
    "The moment: seconds since 1970 or RFC 3339; now unless given.",
    ParamKind::Text,
    "2026-01-02T13:37:00Z",
);
const START: Param = param(
    "start",
    "The first moment: seconds since 1970 or RFC 3339.",
    ParamKind::Text,
    "2026-01-02T12:37:00Z",
);
const END: Param = param(
    "end",
    "The last moment: seconds since 1970 or RFC 3339.",
    ParamKind::Text,
    "2026-01-02T13:37:00Z",
);
const STEP: Param = param(
    "step",
    "Between two moments: seconds, or a duration such as `15s`.",
    ParamKind::Text,
    "15s",
)
.needed();
const TIMEOUT: Param = param(
    "timeout",
    "How long it may take: seconds, or a duration.",
    ParamKind::Text,
    "30s",
);
const LIMIT: Param = param(
    "limit",
    "At most so many; 0 is no limit.",
    ParamKind::Number,
    "100",
);
const LOOKBACK: Param = param(
    "lookback_delta",
    "How old a sample may be to count as the current value.",
    ParamKind::Text,
    "5m",
);
const STATS: Param = param(
    "stats",
    "`true` tells what the query cost, `all` for each step as well (`--enable-feature=promql-per-step-stats`).",
    ParamKind::Text,
    "all",
);
const MATCH: Param = param(
    "match[]",
    "Selectors of series; of several, what any of them finds.",
    ParamKind::List,
    "up{job=\"shop\"}",
);
const LABEL_NAME: Param = Param {
    kind: ParamKind::Path,
    ..param("name", "The label.", ParamKind::Path, "job").needed()
};
const METRIC: Param = param("metric", "Of this metric only.", ParamKind::Text, "up");
const SCRAPE_POOL: Param = param("scrapePool", "A scrape job.", ParamKind::Text, "shop");
const SEARCH: &[Param] = &[
    SEARCH_TEXT,
    MATCH,
    START,
    END,
    LIMIT,
    FUZZ,
    FUZZ_ALG,
    CASE,
    SORT_BY,
    SORT_DIR,
    SCORE,
    BATCH,
];
const SEARCH_VALUES: &[Param] = &[
    param("label", "The label.", ParamKind::Text, "job").needed(),
    SEARCH_TEXT,
    MATCH,
    START,
    END,
    LIMIT,
    FUZZ,
    FUZZ_ALG,
    CASE,
    SORT_BY,
    SORT_DIR,
    SCORE,
    BATCH,
];
const SEARCH_TEXT: Param = param("search[]", "Texts to find.", ParamKind::List, "http");
const FUZZ: Param = param(
    "fuzz_threshold",
    "How alike a text has to be, from 0 to 100.",
    ParamKind::Number,
    "80",
);
const FUZZ_ALG: Param = param(
    "fuzz_alg",
    "`subsequence` or `jarowinkler`.",
    ParamKind::Text,
    "subsequence",
);
const CASE: Param = param(
    "case_sensitive",
    "Whether `A` is not `a`.",
    ParamKind::Text,
    "true",
);
const SORT_BY: Param = param("sort_by", "`alpha` or `score`.", ParamKind::Text, "score");
const SORT_DIR: Param = param("sort_dir", "`asc` or `dsc`.", ParamKind::Text, "asc");
const SCORE: Param = param(
    "include_score",
    "Whether each result tells how well it fits.",
    ParamKind::Text,
    "true",
);
const BATCH: Param = param(
    "batch_size",
    "Results in a line of the answer.",
    ParamKind::Number,
    "100",
);
const RULES: &[Param] = &[
    param("type", "`alert` or `record`.", ParamKind::Text, "alert"),
    param(
        "rule_name[]",
        "Names of rules.",
        ParamKind::List,
        "HighErrors",
    ),
    param("rule_group[]", "Names of groups.", ParamKind::List, "shop"),
    param("file[]", "Rule files.", ParamKind::List, "shop.rules.yml"),
    MATCH,
    param(
        "exclude_alerts",
        "Whether alerts are left out.",
        ParamKind::Text,
        "true",
    ),
    param(
        "group_limit",
        "At most so many groups.",
        ParamKind::Number,
        "10",
    ),
    param(
        "group_next_token",
        "Goes on where an answer with `groupNextToken` has ended.",
        ParamKind::Text,
        "0",
    ),
];
