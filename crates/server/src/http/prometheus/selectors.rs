//! The parameter `match[]`.

use firebell_model::Matcher;
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::ApiError;

use super::bad_data;

/// What a text selects, in upstream's words when that is nothing.
///
/// # Errors
/// When it is no selector.
pub(in crate::http) fn selector(text: &str) -> Result<Vec<Matcher>, String> {
    let selector = firebell_promql::parse_selector(text);
    let selector = selector.map_err(|error| error.to_string())?;
    Ok(selector.matchers)
}

/// All selectors of `match[]`, each with a condition that the empty string does not satisfy.
///
/// # Errors
/// At the first that is none.
pub(in crate::http) fn selectors(params: &Params) -> Result<Vec<Vec<Matcher>>, ApiError> {
    let all = params.all("match[]").map(|text| {
        let matchers = selector(text).map_err(bad_data)?;
        if matchers.iter().all(|matcher| matcher.matches_value("")) {
            return Err(bad_data(
                "match[] must contain at least one non-empty matcher",
            ));
        }
        Ok(matchers)
    });
    all.collect()
}
