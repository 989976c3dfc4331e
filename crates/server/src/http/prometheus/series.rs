//! `/series`, `/labels` and `/label/…/values`: which series there are.

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use firebell_model::{Duration, Labels, Matcher, Source, SourceError, TimeRange};
use firebell_wire::names::unescape;
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{ApiError, ErrorKind, Success, limit_of, time_range};
use serde::Serialize;

use super::compute::compute_pieces;
use super::{answer, bad_data, refused, selectors};
use crate::http::{App, params};

pub(super) async fn series(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let params = params(&uri, &body);
    if params.all("match[]").next().is_none() {
        return answer::<()>(Err(bad_data("no match[] parameter provided")));
    }
    let asked = asked(&params, "invalid parameter \"match[]\": ");
    list(&app, asked, |source, matchers, range| {
        let found = source.select(matchers, range)?;
        let found = found.iter().filter(|series| series.may_have(range));
        let labels = found.map(|series| series.labels().clone());
        Ok(labels.collect::<Vec<Labels>>())
    })
    .await
}

/// Upstream has the route and nothing behind it.
pub(super) async fn drop() -> Response {
    refused(&ApiError::new(ErrorKind::Internal, "not implemented"))
}

pub(super) async fn names(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let asked = asked(&params(&uri, &body), "");
    list(&app, asked, |source, matchers, range| {
        source.label_names(matchers, range)
    })
    .await
}

pub(super) async fn values(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Response {
    let Ok(Path(name)) = name else {
        return refused(&bad_data("invalid label name: it is not UTF-8"));
    };
    let name = unescape(&name).into_owned();
    if name.is_empty() {
        return refused(&bad_data("invalid label name: \"\""));
    }
    let asked = asked(&params(&uri, &Bytes::new()), "");
    list(&app, asked, move |source, matchers, range| {
        source.label_values(&name, matchers, range)
    })
    .await
}

/// Which series are asked for, and how many answers.
struct Asked {
    selectors: Vec<Vec<Matcher>>,
    range: TimeRange,
    limit: usize,
}

/// Reads the parameters in upstream's order. `prefix` stands before what is wrong with `match[]`.
fn asked(params: &Params, prefix: &str) -> Result<Asked, ApiError> {
    let limit = limit_of(params)?.unwrap_or(usize::MAX);
    let (start, end) = time_range(params)?;
    let mut selectors = selectors(params).map_err(|error| {
        let message = format!("{prefix}{}", error.message);
        ApiError { message, ..error }
    })?;
    if selectors.is_empty() {
        selectors.push(Vec::new());
    }
    let range = TimeRange {
        after: start - Duration(1),
        until: end,
    };
    Ok(Asked {
        selectors,
        range,
        limit,
    })
}

/// Lists over each `match[]` in turn, joined, sorted, without repetitions, cut at `limit`.
async fn list<T: Ord + Send + Serialize + 'static>(
    app: &App,
    asked: Result<Asked, ApiError>,
    find: impl Fn(&dyn Source, &[Matcher], TimeRange) -> Result<Vec<T>, SourceError> + Send + 'static,
) -> Response {
    let Asked {
        selectors,
        range,
        limit,
    } = match asked {
        Ok(asked) => asked,
        Err(error) => return refused(&error),
    };
    // The index does not know of times: what ended before the first sample is told from here.
    let oldest = app.store.stats().oldest;
    compute_pieces(app, None, move |job| {
        let mut found = Vec::new();
        if oldest.is_some_and(|oldest| range.until < oldest) {
            return Ok(Success::new(found).into_pieces());
        }
        for matchers in &selectors {
            job.check()?;
            let failed =
                |error: SourceError| ApiError::new(ErrorKind::Execution, error.to_string());
            found.extend(find(job.source, matchers, range).map_err(failed)?);
        }
        if selectors.len() > 1 || !found.is_sorted() {
            found.sort_unstable();
            found.dedup();
        }
        let is_cut = cut(&mut found, limit);
        Ok(noting_cut(found, is_cut).into_pieces())
    })
    .await
}

/// Keeps the first ones; says whether there were more.
pub(super) fn cut<T>(items: &mut Vec<T>, limit: usize) -> bool {
    let is_cut = items.len() > limit;
    items.truncate(limit);
    is_cut
}

/// An answer that says when it is cut.
pub(super) fn noting_cut<T: Serialize>(data: T, is_cut: bool) -> Success<T> {
    let mut success = Success::new(data);
    if is_cut {
        let warning = "results truncated due to limit";
        success.warnings.push(warning.to_owned());
    }
    success
}
