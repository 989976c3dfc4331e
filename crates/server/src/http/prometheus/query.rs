//! `/query` and `/query_range`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use firebell_model::{Duration, Sample, Timestamp};
use firebell_promql::{Annotation, EvalError, Features, Plan, Prepared, Rows, Value, ValueType};
use firebell_wire::prometheus_json::{
    ApiError, ErrorKind, InstantQuery, MatrixSeries, QueryAnswer, QueryData, QuerySettings,
    QueryStats, RangeQuery, SampleStats, StepStat, Success, Timings, VectorSample,
};

use super::compute::{Job, compute_pieces};
use super::kept::Key;
use super::series::{cut, noting_cut};
use super::{bad_data, refused};
use crate::clock::Stopwatch;
use crate::http::{App, params};

pub(super) async fn instant(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let now = app.clock.now();
    match InstantQuery::parse(&params(&uri, &body), now) {
        Ok(request) => {
            let (at, settings) = (request.at, request.settings);
            let run = move |prepared: &mut Prepared, job: &Job<'_>| {
                let value = prepared.instant(job.source, at, &job.options);
                value.map(Outcome::Value)
            };
            let asked = Asked::new(&app, request.query, settings);
            evaluate(&app, asked, (at, at, Duration::ZERO), run).await
        }
        Err(error) => refused(&error),
    }
}

pub(super) async fn range(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    match RangeQuery::parse(&params(&uri, &body)) {
        Ok(request) => {
            let RangeQuery {
                query,
                start,
                end,
                step,
                settings,
            } = request;
            let run = move |prepared: &mut Prepared, job: &Job<'_>| {
                let rows = prepared.range_rows(job.source, (start, end), step, &job.options);
                rows.map(Outcome::Rows)
            };
            let asked = Asked::new(&app, query, settings);
            evaluate(&app, asked, (start, end, step), run).await
        }
        Err(error) => refused(&error),
    }
}

/// What came of an evaluation.
enum Outcome {
    Value(Value),
    /// A matrix, whose series are made as they are written.
    Rows(Rows),
}

/// What is asked for, and by which rules.
struct Asked {
    query: String,
    settings: QuerySettings,
    features: Features,
    delays_name_removal: bool,
    uses_starts: bool,
    has_type_labels: bool,
    /// Whether samples are counted for each step.
    counts_steps: bool,
}

impl Asked {
    fn new(app: &App, query: String, settings: QuerySettings) -> Self {
        let counts_steps = settings.stats == "all" && app.has_feature("promql-per-step-stats");
        Self {
            query,
            settings,
            features: app.promql(),
            delays_name_removal: app.has_feature("promql-delayed-name-removal"),
            uses_starts: app.has_feature("use-start-timestamps"),
            has_type_labels: app.has_feature("type-and-unit-labels"),
            counts_steps,
        }
    }

    fn key(&self, series_max: usize, (start, end): (Timestamp, Timestamp)) -> Key {
        Key {
            length: end - start,
            day: Key::day(start),
            query: self.query.clone(),
            features: self.features,
            delays_name_removal: self.delays_name_removal,
            has_type_labels: self.has_type_labels,
            series_max,
        }
    }
}

/// The first and the last moment of a query, and the step, which is zero for an instant query.
type Moments = (Timestamp, Timestamp, Duration);

/// Evaluates and writes the answer.
async fn evaluate<R>(app: &App, asked: Asked, moments: Moments, run: R) -> Response
where
    R: FnOnce(&mut Prepared, &Job<'_>) -> Result<Outcome, EvalError> + Send + 'static,
{
    let (start, end, step) = moments;
    let plans = Arc::clone(&app.plans);
    compute_pieces(app, asked.settings.timeout, move |job| {
        let watch = Stopwatch::start();
        let kind = match step {
            Duration::ZERO => Kind::Instant,
            _ => Kind::Range,
        };
        let key = asked.key(job.options.series_max, (start, end));
        let mut prepared = match plans.take(&key) {
            Some(kept) => kept,
            None => Prepared::new(plan(&asked.query, asked.features)?),
        };
        check_kind(prepared.plan(), kind)?;
        let prepared_in = watch.elapsed().as_secs_f64();
        let mut options = job.options.clone();
        options.delays_name_removal = asked.delays_name_removal;
        options.uses_starts = asked.uses_starts;
        options.has_type_labels = asked.has_type_labels;
        options.lookback = asked.settings.lookback.unwrap_or(options.lookback);
        let job = &Job { options, ..*job };
        let outcome = run(&mut prepared, job).map_err(failed)?;
        let took = watch.elapsed().as_secs_f64();
        let timings = Timings {
            eval_total_time: took,
            result_sort_time: 0.0,
            query_preparation_time: prepared_in,
            inner_eval_time: took - prepared_in,
            exec_queue_time: job.queued.as_secs_f64(),
            exec_total_time: took + job.queued.as_secs_f64(),
        };
        let stats = match asked.settings.stats.is_empty() {
            true => None,
            false => Some(QueryStats {
                timings,
                samples: counted(&prepared, job, moments, asked.counts_steps)?,
            }),
        };
        let limit = asked.settings.limit.unwrap_or(usize::MAX);
        let (mut success, rows) = limited(outcome, end, limit, stats);
        note(&mut success, prepared.annotations());
        plans.keep(key, prepared);
        success.warnings.extend(asked.settings.stats_warning());
        Ok(match rows {
            Some(rows) => success.into_pieces_of(rows.take(limit).map(shown)),
            None => success.into_pieces(),
        })
    })
    .await
}

/// What was looked at.
fn counted(
    prepared: &Prepared,
    job: &Job<'_>,
    (start, end, step): Moments,
    counts_steps: bool,
) -> Result<SampleStats, ApiError> {
    let counts = prepared.sample_counts(job.source, (start, end), step, &job.options);
    let counts = counts.map_err(failed)?;
    let per_step = |counts: &[u64]| match counts_steps {
        true => {
            let steps = counts.iter().enumerate();
            let steps = steps.map(|(idx, n)| StepStat(start + step * idx as i64, *n));
            steps.collect()
        }
        false => Vec::new(),
    };
    Ok(SampleStats {
        total_queryable_samples_per_step: per_step(&counts.total),
        total_queryable_samples: counts.total.iter().sum(),
        samples_read_per_step: per_step(&counts.read),
        samples_read: counts.read.iter().sum(),
        peak_samples: prepared.n_samples() as u64,
    })
}

/// The two kinds of queries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Instant,
    Range,
}

pub(super) fn prepare(query: &str, features: Features, kind: Kind) -> Result<Prepared, ApiError> {
    let plan = plan(query, features)?;
    check_kind(&plan, kind)?;
    Ok(Prepared::new(plan))
}

fn plan(query: &str, features: Features) -> Result<Plan, ApiError> {
    Plan::with_features(query, features).map_err(|error| super::parse::bad_query(&error))
}

/// Refuses what no range query gives.
fn check_kind(plan: &Plan, kind: Kind) -> Result<(), ApiError> {
    let found = plan.expr().value_type();
    if kind == Kind::Range && !matches!(found, ValueType::Scalar | ValueType::Vector) {
        let found = found.documented_name();
        return Err(bad_data(format!(
            "invalid parameter \"query\": invalid expression type {found:?} for range query, must be \
             Scalar or instant Vector"
        )));
    }
    Ok(())
}

pub(super) fn failed(error: EvalError) -> ApiError {
    let kind = match error {
        EvalError::Cancelled => ErrorKind::Canceled,
        EvalError::Source(_) => ErrorKind::Internal,
        _ => ErrorKind::Execution,
    };
    ApiError::new(kind, error.to_string())
}

fn data(value: Value, at: Timestamp) -> QueryData {
    match value {
        Value::Scalar(value) => QueryData::Scalar(Sample { at, value }),
        Value::String(text) => QueryData::String(at, text),
        Value::Vector(samples) => {
            let samples = samples.into_iter().map(|sample| VectorSample {
                metric: sample.labels,
                at: sample.at,
                value: sample.value,
            });
            QueryData::Vector(samples.collect())
        }
        Value::Matrix(series) => QueryData::Matrix(series.into_iter().map(shown).collect()),
    }
}

fn shown(series: firebell_promql::MatrixSeries) -> MatrixSeries {
    MatrixSeries {
        metric: series.labels,
        values: series.samples,
        histograms: series.histograms,
    }
}

/// The answer, cut at a limit; series that are made later are to be cut there.
fn limited(
    outcome: Outcome,
    end: Timestamp,
    limit: usize,
    stats: Option<QueryStats>,
) -> (Success<QueryAnswer>, Option<Rows>) {
    let (mut data, rows) = match outcome {
        Outcome::Value(value) => (data(value, end), None),
        Outcome::Rows(rows) => (QueryData::Matrix(Vec::new()), Some(rows)),
    };
    let is_cut = match (&mut data, &rows) {
        (_, Some(rows)) => limit < usize::MAX && rows.n_series() > limit,
        (QueryData::Vector(samples), None) => cut(samples, limit),
        (QueryData::Matrix(series), None) => cut(series, limit),
        (QueryData::Scalar(_) | QueryData::String(..), None) => false,
    };
    (noting_cut(QueryAnswer { data, stats }, is_cut), rows)
}

/// Adds what is to be known of a result: of each kind so many, as upstream.
fn note(success: &mut Success<QueryAnswer>, annotations: &[Annotation]) {
    for (is_warning, list, what) in [
        (true, &mut success.warnings, "warning"),
        (false, &mut success.infos, "info"),
    ] {
        let of_kind = annotations.iter().filter(|it| it.is_warning == is_warning);
        let n_more = of_kind.clone().count().saturating_sub(ANNOTATIONS_MAX);
        let shown = of_kind.take(ANNOTATIONS_MAX);
        list.extend(shown.map(|annotation| annotation.message.clone()));
        if n_more > 0 {
            list.push(format!("{n_more} more {what} annotations omitted"));
        }
    }
}

/// Annotations of a kind that an answer shows.
const ANNOTATIONS_MAX: usize = 10;
