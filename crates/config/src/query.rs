//! `query` of firebell.yml: what people's queries may take.

use firebell_model::Duration;

use crate::fields::Fields;

/// What a query may take; the defaults are upstream's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueryLimits {
    /// How long it may take, the wait for its turn included; longer than zero.
    pub timeout: Duration,
    /// How old a sample may be to count as the current value; longer than zero.
    pub lookback: Duration,
    /// Queries that are computed at the same time; more wait. Read at the start only.
    pub concurrency_max: usize,
    /// Samples and results that one may hold.
    pub samples_max: usize,
    /// Series that one selector may give; `None` is no limit.
    pub series_max: Option<usize>,
    /// Experimental parts of PromQL that are turned on, for queries and rules, by upstream's names.
    pub features: Vec<String>,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(2),
            lookback: Duration::from_mins(5),
            concurrency_max: 20,
            samples_max: 50_000_000,
            series_max: None,
            features: Vec::new(),
        }
    }
}

impl QueryLimits {
    /// Reads the section; defaults when it is absent.
    pub(crate) fn read(parent: &Fields<'_, '_>) -> Self {
        let default = Self::default();
        let Some(node) = parent.get("query") else {
            return default;
        };
        let fields = parent.doc.fields(node, "`query`");
        let duration = |name| fields.duration(name).filter(|it| *it > Duration::ZERO);
        let number = |name| {
            let number = fields.number(name).filter(|it| *it > 0);
            number.map(|it| usize::try_from(it).unwrap_or(usize::MAX))
        };
        let features = fields.texts("enable_features");
        for name in features
            .iter()
            .filter(|name| !FEATURES.contains(&name.as_str()))
        {
            let message = format!("`{name}` is no experimental part of PromQL");
            let hint = format!("known are {}", FEATURES.join(", "));
            parent
                .doc
                .problem(fields.at("enable_features"), message, Some(hint));
        }
        let limits = Self {
            timeout: duration("timeout").unwrap_or(default.timeout),
            lookback: duration("lookback_delta").unwrap_or(default.lookback),
            concurrency_max: number("max_concurrency").unwrap_or(default.concurrency_max),
            samples_max: number("max_samples").unwrap_or(default.samples_max),
            series_max: number("max_series"),
            features,
        };
        fields.finish();
        limits
    }
}

/// Upstream's names, those of `--enable-feature`.
const FEATURES: [&str; 5] = [
    "promql-experimental-functions",
    "promql-duration-expr",
    "promql-extended-range-selectors",
    "promql-binop-fill-modifiers",
    "promql-delayed-name-removal",
];
