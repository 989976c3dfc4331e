//! `/search/…`: names and values that look like what somebody types, behind a feature flag.
//!
//! *Sources*: Prometheus, `web/api/v1/search.go`, as behaviour.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use firebell_model::{Duration, METRIC_NAME, Matcher, SourceError, TimeRange, Timestamp};
use firebell_wire::go;
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{ApiError, ErrorKind, moment_of};
use firebell_wire::similar::{Algorithm, Likeness};
use serde::Serialize;

use super::compute::{Job, compute_with};
use super::{bad_data, refused, selectors};
use crate::http::{App, params};

pub(super) async fn metric_names(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let params = params(&uri, &body);
    search(&app, &params, "metric_names", |_| {
        Ok(What::Values(METRIC_NAME.to_owned()))
    })
    .await
}

pub(super) async fn label_names(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let params = params(&uri, &body);
    search(&app, &params, "label_names", |_| Ok(What::Names)).await
}

pub(super) async fn label_values(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let params = params(&uri, &body);
    let what = |params: &Params| match params.get("label").unwrap_or("") {
        "" => Err(bad_data("missing required parameter \"label\"")),
        label => Ok(What::Values(label.to_owned())),
    };
    search(&app, &params, "label_values", what).await
}

/// What is searched.
enum What {
    Names,
    Values(String),
}

/// How names are ordered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
    BestFirst,
}

/// What is asked for.
struct Search {
    selectors: Vec<Vec<Matcher>>,
    range: TimeRange,
    likeness: Likeness,
    order: Order,
    shows_score: bool,
    limit: usize,
    batch: usize,
}

async fn search(
    app: &App,
    params: &Params,
    endpoint: &str,
    what: impl FnOnce(&Params) -> Result<What, ApiError>,
) -> Response {
    if !app.flags.has_feature("search-api") {
        return refused(&ApiError::new(
            ErrorKind::Unavailable,
            "search API disabled",
        ));
    }
    let search = Search::parse(params, app.clock.now(), endpoint);
    let (search, what) = match search.and_then(|search| Ok((search, what(params)?))) {
        Ok(asked) => asked,
        Err(error) => return refused(&error),
    };
    let shows_texts = params.get("include_metadata").unwrap_or("");
    let shows_texts = match shows_texts {
        "" => false,
        text => match boolean("include_metadata", text) {
            Ok(shows) => shows && endpoint == "metric_names",
            Err(error) => return refused(&error),
        },
    };
    let scraper = app.scraper.clone();
    let written = compute_with(app, None, move |job| {
        let describe = |name: &str, record: &mut Record<'_>| {
            scraper.for_each_family(Some(name), |_, _, family| {
                record.kind = Some(family.kind.name());
                record.help = family.help.to_string();
                record.unit = family.unit.to_string();
            });
        };
        let found = search.find(job, &what)?;
        Ok(search.write(&found, |name, record| {
            if shows_texts {
                describe(name, record);
            }
        }))
    });
    match written.await {
        Ok(text) => {
            let kind = "application/x-ndjson; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => refused(&error),
    }
}

/// A line's entry.
#[derive(Serialize)]
struct Record<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    help: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    unit: String,
}

impl Search {
    /// Reads the parameters in upstream's order.
    fn parse(params: &Params, now: Timestamp, endpoint: &str) -> Result<Self, ApiError> {
        let hour = Duration::from_hours(1);
        let plain = |error: ApiError| {
            let message = error
                .message
                .split_once(": ")
                .map(|(_, why)| why.to_owned());
            bad_data(message.unwrap_or(error.message))
        };
        let after = moment_of(params, "start", now - hour).map_err(plain)? - Duration(1);
        let until = moment_of(params, "end", now).map_err(plain)?;
        let mut selectors = selectors(params)?;
        if selectors.is_empty() {
            selectors.push(Vec::new());
        }
        let given = |name: &str| params.get(name).filter(|text| !text.is_empty());
        let threshold = match given("fuzz_threshold") {
            None => 0,
            Some(text) => match go::int(text) {
                Ok(threshold @ 0..=100) => threshold,
                _ => {
                    let why = format!("invalid fuzz_threshold {text:?}: must be 0-100");
                    return Err(bad_data(why));
                }
            },
        };
        let algorithm = match given("fuzz_alg").unwrap_or("subsequence") {
            "subsequence" => Algorithm::Subsequence,
            "jarowinkler" => Algorithm::JaroWinkler,
            other => {
                return Err(bad_data(format!(
                    "unsupported fuzz_alg {other:?}: must be one of [subsequence jarowinkler]"
                )));
            }
        };
        let flag = |name: &str, default| given(name).map_or(Ok(default), |it| boolean(name, it));
        let is_case_sensitive = flag("case_sensitive", true)?;
        let shows_score = flag("include_score", false)?;
        let texts: Vec<&str> = params.all("search[]").collect();
        let likeness = Likeness {
            algorithm,
            threshold: threshold as f64 / 100.0,
            is_case_sensitive,
            texts: texts.iter().map(|&text| text.to_owned()).collect(),
        };
        let order = order(given("sort_by"), given("sort_dir"), &texts, endpoint)?;
        let positive = |name: &str| match given(name).map(go::int) {
            None | Some(Ok(0)) => Ok(RECORDS_DEFAULT),
            Some(Ok(n)) if n > 0 => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
            Some(_) => Err(bad_data(format!(
                "invalid {name} {:?}: must be non-negative integer",
                given(name).unwrap_or_default()
            ))),
        };
        Ok(Self {
            selectors,
            range: TimeRange { after, until },
            likeness,
            order,
            shows_score,
            limit: positive("limit")?,
            batch: positive("batch_size")?,
        })
    }

    /// What looks like it, with how much, in order; one more than is shown when there is more.
    fn find(&self, job: &Job<'_>, what: &What) -> Result<Vec<(String, f64)>, ApiError> {
        let failed = |error: SourceError| ApiError::new(ErrorKind::Internal, error.to_string());
        let mut names = std::collections::BTreeSet::new();
        for matchers in &self.selectors {
            let found = match what {
                What::Names => job.source.label_names(matchers, self.range),
                What::Values(label) => job.source.label_values(label, matchers, self.range),
            };
            names.extend(found.map_err(failed)?);
        }
        job.check()?;
        let scored = names.into_iter().filter_map(|name| {
            let score = self.likeness.score(&name)?;
            Some((name, score))
        });
        let mut scored: Vec<(String, f64)> = scored.collect();
        match self.order {
            Order::Ascending => {}
            Order::Descending => scored.reverse(),
            // Names of one score stay in order.
            Order::BestFirst => scored.sort_by(|a, b| b.1.total_cmp(&a.1)),
        }
        Ok(scored)
    }

    /// The lines of the answer.
    fn write(
        &self,
        found: &[(String, f64)],
        mut describe: impl FnMut(&str, &mut Record<'_>),
    ) -> String {
        let shown = &found[..found.len().min(self.limit)];
        let mut lines = Vec::new();
        for batch in shown.chunks(self.batch) {
            let records: Vec<Record<'_>> = batch
                .iter()
                .map(|(name, score)| {
                    let mut record = Record {
                        name,
                        score: self.shows_score.then_some(*score),
                        kind: None,
                        help: String::new(),
                        unit: String::new(),
                    };
                    describe(name, &mut record);
                    record
                })
                .collect();
            lines.push(serde_json::json!({ "results": records }).to_string());
        }
        if lines.is_empty() {
            lines.push(r#"{"results":[]}"#.to_owned());
        }
        let has_more = found.len() > shown.len();
        lines.push(format!(r#"{{"status":"success","has_more":{has_more}}}"#));
        lines.join("\n") + "\n"
    }
}

fn order(
    by: Option<&str>,
    direction: Option<&str>,
    texts: &[&str],
    endpoint: &str,
) -> Result<Order, ApiError> {
    if direction.is_some() && by.is_none() {
        return Err(bad_data("sort_dir is only valid when sort_by is set"));
    }
    if direction.is_some() && by == Some("score") {
        return Err(bad_data("sort_dir is not supported for sort_by=score"));
    }
    if let Some(other) = direction.filter(|it| !matches!(*it, "asc" | "dsc")) {
        let why = format!("invalid sort_dir {other:?}: must be \"asc\" or \"dsc\"");
        return Err(bad_data(why));
    }
    if by == Some("score") && texts.is_empty() {
        return Err(bad_data("sort_by=score requires search[] to be set"));
    }
    match (by, direction) {
        (None, _) => Ok(Order::Ascending),
        (Some("score"), _) => Ok(Order::BestFirst),
        (Some("alpha"), Some("dsc")) => Ok(Order::Descending),
        (Some("alpha"), _) => Ok(Order::Ascending),
        (Some(other), _) => Err(bad_data(format!(
            "invalid sort_by {other:?} for {endpoint}: must be \"alpha\" or \"score\""
        ))),
    }
}

fn boolean(name: &str, text: &str) -> Result<bool, ApiError> {
    go::bool(text).map_err(|_| bad_data(format!("invalid {name} {text:?}: must be boolean")))
}

/// Records of an answer, and of one line of it, unless more are asked for.
const RECORDS_DEFAULT: usize = 100;
