//! Selectors of counters, and people's own queries with a place for the window.

use firebell_model::{Duration, MatchOp, Matcher};
use firebell_promql::{AggregateOp, BinaryOp, Expr, Node, Selector, parse, parse_selector};

use crate::text::number;

/// Why a text is no indicator's query.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// What is wrong.
    pub message: String,
    /// The byte of the text where it is wrong, if at a place.
    pub at: Option<usize>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl QueryError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            at: None,
            hint: None,
        }
    }

    fn hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }
}

/// Reads a selector of a counter or gauge, such as `http_requests_total{job="shop"}`. A `sum` of
/// one is the same: its increase is the sum of increases.
///
/// # Errors
/// When the text is something else, or may select series of any name.
pub fn counter(text: &str) -> Result<Selector, QueryError> {
    let summed = summed(text);
    let selector = parse_selector(summed.as_deref().unwrap_or(text)).map_err(|error| {
        let failed = QueryError {
            message: format!("parse error: {}", error.message),
            at: Some(error.span.start),
            hint: None,
        };
        match parse(text) {
            Ok(_) => {
                failed.hint("name the counter itself; Firebell adds `increase` and the window")
            }
            Err(_) => failed,
        }
    })?;
    match selector.metric_name() {
        Some(_) => Ok(selector),
        None => Err(QueryError::new("the selector names no metric")),
    }
}

/// What is summed, when the text is the sum of a selector and nothing else.
fn summed(text: &str) -> Option<String> {
    let expr = parse(text).ok()?;
    let Node::Aggregate(aggregate) = &expr.unwrap_parens().node else {
        return None;
    };
    let is_plain = aggregate.op == AggregateOp::Sum && aggregate.grouping.is_empty();
    match (
        &aggregate.expr.unwrap_parens().node,
        is_plain && !aggregate.is_without,
    ) {
        (Node::Selector(selector), true) => Some(selector.to_string()),
        _ => None,
    }
}

/// The selector with another metric name and one more matcher.
pub(crate) fn renamed(selector: &Selector, suffix: &str, extra: Option<Matcher>) -> Selector {
    let mut made = selector.clone();
    let name = selector.metric_name().unwrap_or_default().to_owned() + suffix;
    made.matchers
        .retain(|it| it.name() != firebell_model::METRIC_NAME || it.op() != MatchOp::Equal);
    made.matchers.extend(extra);
    made.matchers
        .push(Matcher::equal(firebell_model::METRIC_NAME, name.clone()));
    made.name = name;
    made
}

/// What a query counts in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Events within the window.
    Events,
    /// Events a second.
    PerSecond,
    /// Nobody can tell: only its ratio with another of the kind means something.
    Unknown,
}

/// A query in whose text `{{.window}}` stands for the window, as in Sloth's files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WindowQuery {
    // The text between the places of the window.
    parts: Vec<String>,
    unit: Unit,
}

impl WindowQuery {
    /// Reads a query.
    ///
    /// # Errors
    /// When there is no place for the window, or the rest is not PromQL for a vector or number.
    pub fn new(text: &str) -> Result<Self, QueryError> {
        let parts = split(text)?;
        if parts.len() < 2 {
            let error = QueryError::new(
                "there is no `{{.window}}`, so the query would look at the same time whatever the \
                 window",
            );
            return Err(error.hint("write `[{{.window}}]` for the range"));
        }
        let mut made = Self {
            parts,
            unit: Unit::Unknown,
        };
        let example = made.within(EXAMPLE_WINDOW);
        let expr = parse(&example).map_err(|error| QueryError {
            message: format!("parse error: {}", error.message),
            at: Some(made.place_of(error.span.start)),
            hint: None,
        })?;
        use firebell_promql::ValueType::{Matrix, String};
        if matches!(expr.value_type(), Matrix | String) {
            let kind = expr.value_type().documented_name();
            let message = format!("the query gives a {kind}, not an instant vector");
            return Err(QueryError::new(message));
        }
        made.unit = unit_of(&expr);
        Ok(made)
    }

    /// The query over a window, ready to stand in an expression.
    pub(crate) fn over(&self, window: Duration) -> String {
        format!("({})", self.within(window).trim())
    }

    /// How many events within the window; `None` when the query cannot tell.
    pub(crate) fn count(&self, window: Duration) -> Option<String> {
        let over = self.over(window);
        match self.unit {
            Unit::Events => Some(over),
            Unit::PerSecond => Some(format!("({over} * {})", number(window.as_secs_f64()))),
            Unit::Unknown => None,
        }
    }

    /// What it counts in.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The query over a window.
    #[must_use]
    pub fn within(&self, window: Duration) -> String {
        self.parts.join(&window.to_string())
    }

    /// Where in the written text a byte of the text with [`EXAMPLE_WINDOW`] stands.
    fn place_of(&self, at: usize) -> usize {
        let window = EXAMPLE_WINDOW.to_string().len();
        let (mut made, mut written) = (0, 0);
        for part in &self.parts {
            if at <= made + part.len() {
                return written + at.saturating_sub(made);
            }
            made += part.len() + window;
            written += part.len() + "{{.window}}".len();
        }
        written
    }
}

/// Any will do to read a query: what is right for one window is for all.
const EXAMPLE_WINDOW: Duration = Duration::from_mins(5);

/// The text around each `{{.window}}`.
fn split(text: &str) -> Result<Vec<String>, QueryError> {
    let (mut parts, mut rest, mut at) = (Vec::new(), text, 0);
    while let Some(start) = rest.find("{{") {
        let after = &rest[start + 2..];
        let end = after.find("}}").ok_or_else(|| QueryError {
            at: Some(at + start),
            ..QueryError::new("`{{` is not closed by `}}`")
        })?;
        let name = after[..end].trim_matches(['-', ' ']).trim();
        if name != ".window" {
            let error = QueryError {
                at: Some(at + start),
                ..QueryError::new(format!("`{{{{{name}}}}}` is not known"))
            };
            return Err(error.hint("only `{{.window}}` may stand here"));
        }
        parts.push(rest[..start].to_owned());
        at += start + 2 + end + 2;
        rest = &after[end + 2..];
    }
    parts.push(rest.to_owned());
    Ok(parts)
}

/// What an expression counts in: known only when everything in it adds and takes away counts of one
/// kind, so that the whole counts what its parts count.
fn unit_of(expr: &Expr) -> Unit {
    let (mut found, mut is_sum) = (None, true);
    expr.walk(|expr| {
        let unit = match &expr.node {
            Node::Call(call) => match call.function.name {
                "increase" | "sum_over_time" | "count_over_time" => Some(Unit::Events),
                "rate" => Some(Unit::PerSecond),
                "vector" => None,
                _ => Some(Unit::Unknown),
            },
            Node::Aggregate(aggregate) if aggregate.op == AggregateOp::Sum => None,
            Node::Aggregate(_) | Node::Unary(_) | Node::String(_) => Some(Unit::Unknown),
            Node::Binary(binary) => {
                use BinaryOp::{Add, And, Or, Sub, Unless};
                let adds = matches!(binary.op, Add | Sub | And | Or | Unless);
                (!adds).then_some(Unit::Unknown)
            }
            Node::Number(literal) if literal.value != 0.0 => Some(Unit::Unknown),
            Node::Number(_) | Node::Paren(_) | Node::Selector(_) | Node::Range(_) => None,
            Node::Subquery(_) => Some(Unit::Unknown),
        };
        if let Some(unit) = unit {
            is_sum &= unit != Unit::Unknown && *found.get_or_insert(unit) == unit;
        }
    });
    match found {
        Some(unit) if is_sum => unit,
        _ => Unit::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_it_counts_where_that_is_sure() {
        for (text, unit) in [
            ("sum(rate(a[{{.window}}]))", Unit::PerSecond),
            ("sum(rate(a[{{ .window }}])) or vector(0)", Unit::PerSecond),
            (
                "sum(increase(a[{{.window}}]) - increase(b[{{.window}}]))",
                Unit::Events,
            ),
            ("count_over_time(up[{{.window}}])", Unit::Events),
            ("avg(rate(a[{{.window}}]))", Unit::Unknown),
            ("sum(rate(a[{{.window}}])) * 60", Unit::Unknown),
            (
                "sum(rate(a[{{.window}}]) > 1) + sum(increase(a[{{.window}}]))",
                Unit::Unknown,
            ),
        ] {
            assert_eq!(WindowQuery::new(text).unwrap().unit(), unit, "{text}");
        }
    }

    #[test]
    fn a_bad_query_says_where_and_why() {
        for (text, at, message) in [
            ("sum(rate(a[5m]))", None, "there is no `{{.window}}`"),
            ("rate(a[{{.win}}])", Some(7), "`{{.win}}` is not known"),
            ("rate(a[{{.window)", Some(7), "`{{` is not closed"),
            (
                "rate(a[{{.window}}]) +",
                Some(22),
                "parse error: unexpected end",
            ),
            ("a[{{.window}}]", None, "the query gives a range vector"),
        ] {
            let error = WindowQuery::new(text).unwrap_err();
            assert_eq!(error.at, at, "{text}");
            assert!(error.message.starts_with(message), "{text}: {error}");
        }
    }
}
