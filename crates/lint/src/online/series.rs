//! Whether the series are there that a rule asks for; and if not, since when, or what is there
//! instead.

use std::collections::BTreeSet;

use firebell_model::{ALERT_NAME, Duration, METRIC_NAME, MatchOp, Matcher};
use firebell_promql::{BinaryOp, Expr, Node, Selector, Shift, Span};

use super::{LOOKBACK, LOOKBACK_STEP, Online, percent, rough};
use crate::catalogue::online as lints;
use crate::checks::Scope;
use crate::lint::Severity;
use crate::near::did_you_mean;
use crate::project::Answer;
use crate::shape::listed;
use crate::suppress::SeriesOptions;

/// A selector of the rule, without its offset.
struct Asked<'r> {
    selector: &'r Selector,
    text: String,
    span: Span,
    options: SeriesOptions,
    /// The rule has an answer to there being none, such as `or vector(0)`.
    has_fallback: bool,
}

pub(super) fn judge(scope: &mut Scope<'_>, online: &Online<'_>) {
    let rule = scope.rule;
    let mut seen = BTreeSet::new();
    let (absent, fallback) = forgiven(&rule.expr);
    let is_in = |spans: &[Span], span: Span| {
        spans
            .iter()
            .any(|it| it.start <= span.start && span.end <= it.end)
    };
    for (selector, span) in rule.expr.selectors() {
        let text = bare(selector);
        // The second argument of `info` names labels only.
        let is_data = selector.name.is_empty() && rule.expr_text.contains("info(");
        if is_data || is_in(&absent, span) || !seen.insert(text.clone()) {
            continue;
        }
        let now = scope.settings.now;
        let options = scope.file.suppressions.series(selector, rule, now);
        if options.is_off {
            continue;
        }
        let asked = Asked {
            selector,
            text,
            span,
            options,
            has_fallback: is_in(&fallback, span),
        };
        match selector.metric_name() {
            Some("ALERTS" | "ALERTS_FOR_STATE") => of_alerts(scope, online, &asked),
            _ if online.count(&asked.text) == Some(0) => missing(scope, online, &asked),
            _ => {}
        }
    }
}

/// Expressions that are about there being no series, and those that say what holds then.
fn forgiven(expr: &Expr) -> (Vec<Span>, Vec<Span>) {
    let (mut absent, mut fallback) = (Vec::new(), Vec::new());
    expr.walk(|expr| match &expr.node {
        Node::Call(call) if matches!(call.function.name, "absent" | "absent_over_time") => {
            absent.push(expr.span);
        }
        Node::Binary(binary) if binary.op == BinaryOp::Or && is_constant(&binary.right) => {
            fallback.push(binary.left.span);
        }
        _ => {}
    });
    (absent, fallback)
}

fn is_constant(expr: &Expr) -> bool {
    expr.selectors().is_empty()
}

/// The selector as it is asked for: where it looks in time does not matter.
fn bare(selector: &Selector) -> String {
    let bare = Selector {
        shift: Shift::default(),
        borders: None,
        ..selector.clone()
    };
    bare.to_string()
}

/// `ALERTS` is there while something fires; only an alert that no rule makes is a mistake.
fn of_alerts(scope: &mut Scope<'_>, online: &Online<'_>, asked: &Asked<'_>) {
    let names = asked.selector.matchers.iter();
    let names: Vec<Matcher> = names
        .filter(|it| it.name() == ALERT_NAME)
        .cloned()
        .collect();
    let is_made = || scope.project.any_alert(&names) != Answer::No;
    if names.is_empty()
        || is_made()
        || !online.presence(&asked.text).is_some_and(|it| it.is_empty())
    {
        return;
    }
    let message = format!("no rule makes an alert that `{}` asks for", asked.text);
    let hint = "name an alert that there is";
    scope.say(&lints::SERIES, scope.expr(asked.span), message, hint);
}

fn missing(scope: &mut Scope<'_>, online: &Online<'_>, asked: &Asked<'_>) {
    let Some(moments) = online.presence(&asked.text) else {
        return;
    };
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
        return never(scope, online, asked);
    };
    let gone_for = online.now - *last;
    if gone_for < asked.options.min_age.unwrap_or(MIN_AGE) {
        return;
    }
    let n_possible = (*last - *first).0 / LOOKBACK_STEP.0 + 1;
    let share = moments.len() as f64 / n_possible as f64;
    let at = scope.expr(asked.span);
    if share < STEADY_SHARE {
        let of_all = moments.len() as f64 / (LOOKBACK.0 / LOOKBACK_STEP.0) as f64;
        let message = format!(
            "`{}` comes and goes: it was there in {} of the last {LOOKBACK}, and last {} ago",
            asked.text,
            percent(of_all),
            rough(gone_for),
        );
        let hint = "say what holds without it: `or vector(0)`, or `unless`";
        let told = (message, hint.to_owned());
        return scope.say_as(&lints::SERIES, Some(Severity::Info), at, told);
    }
    let message = format!(
        "`{}` is there no more since {last} ({} ago)",
        asked.text,
        rough(gone_for)
    );
    let hint = "mend what exported it, or the rule";
    scope.say(&lints::SERIES, at, message, hint);
}

/// Nothing was there: is it the name, a label, or a value?
fn never(scope: &mut Scope<'_>, online: &Online<'_>, asked: &Asked<'_>) {
    let at = scope.expr(asked.span);
    let Some(name) = asked.selector.metric_name() else {
        let message = format!(
            "`{}` selects nothing, and has not for {LOOKBACK}",
            asked.text
        );
        return scope.say(&lints::SERIES, at, message, "");
    };
    // A rule of these files will record it.
    if scope.project.flow_of(name).is_some() {
        return;
    }
    let metric = Matcher::equal(METRIC_NAME, name);
    let metric = bare(&Selector {
        name: String::new(),
        matchers: vec![metric],
        shift: Shift::default(),
        borders: None,
    });
    match online.presence(&metric) {
        None => {}
        Some(moments) if moments.is_empty() => {
            let message = format!("there is no series `{name}`, and was none for {LOOKBACK}");
            let names = online.values(METRIC_NAME, None).unwrap_or_default();
            let hint = did_you_mean(name, names.iter().map(String::as_str));
            let hint = hint.unwrap_or_else(|| "mend the name, or what should export it".to_owned());
            scope.say(&lints::SERIES, at, message, hint);
        }
        Some(_) if asked.has_fallback => {}
        Some(_) => wrong_labels(scope, online, asked, (name, &metric)),
    }
}

fn wrong_labels(
    scope: &mut Scope<'_>,
    online: &Online<'_>,
    asked: &Asked<'_>,
    (name, metric): (&str, &str),
) {
    let at = scope.expr(asked.span);
    let asks = |it: &&Matcher| it.name() != METRIC_NAME && !it.matches_value("");
    let mut n_ignored = 0;
    for matcher in asked.selector.matchers.iter().filter(asks) {
        let label = matcher.name();
        if asked.options.ignored_values.contains(label) {
            n_ignored += 1;
            continue;
        }
        let Some(values) = online.values(label, Some(metric)) else {
            return;
        };
        if values.is_empty() {
            let names = online.names(metric).unwrap_or_default();
            let names = names.iter().map(String::as_str);
            let names = names.filter(|it| *it != METRIC_NAME);
            let message = format!("`{name}` has no label `{label}`");
            let hint = did_you_mean(label, names.clone());
            let hint = hint.unwrap_or_else(|| format!("it has {}", some(names)));
            return scope.say(&lints::SERIES, at, message, hint);
        }
        if !values.iter().any(|value| matcher.matches_value(value)) {
            let values = values.iter().map(String::as_str);
            let message = format!("no series of `{name}` has `{matcher}`");
            let near = match matcher.op() {
                MatchOp::Equal => did_you_mean(matcher.value(), values.clone()),
                _ => None,
            };
            let hint = near.unwrap_or_else(|| format!("`{label}` is {}", some(values)));
            return scope.say(&lints::SERIES, at, message, hint);
        }
    }
    if n_ignored == 0 {
        let message = format!(
            "no series of `{name}` is all that `{}` asks for",
            asked.text
        );
        scope.say(
            &lints::SERIES,
            at,
            message,
            "leave one of the conditions out",
        );
    }
}

/// A few of the words.
fn some<'w>(words: impl Iterator<Item = &'w str> + Clone) -> String {
    let n_more = words.clone().count().saturating_sub(WORDS_SHOWN_MAX);
    let shown = listed(words.take(WORDS_SHOWN_MAX));
    if n_more == 0 {
        return shown;
    }
    format!("{shown}, and {n_more} more")
}

/// How long series may be gone before that is said; pint's own.
const MIN_AGE: Duration = Duration::from_hours(2);
/// What was there less of the time comes and goes.
const STEADY_SHARE: f64 = 0.9;
const WORDS_SHOWN_MAX: usize = 5;
