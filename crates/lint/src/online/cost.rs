//! What an evaluation costs, how many series it gives, and which labels these have.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::Duration;
use firebell_template::Mentioned;

use super::{Figures, Online, Question, Refused, Reply, Vector, unfiltered};
use crate::catalogue::{alerts, online as lints, promql};
use crate::checks::Scope;
use crate::lint::{Place, Severity};
use crate::shape::listed;

/// Evaluates the rule once, without its threshold; gives that result too.
pub(super) fn judge(scope: &mut Scope<'_>, online: &Online<'_>) -> (Figures, Option<Arc<Reply>>) {
    let expr = if scope.rule.is_alerting() {
        unfiltered(&scope.rule.expr)
    } else {
        &scope.rule.expr
    };
    let span = expr.span;
    let reply = match online.server.ask(&Question::Instant(expr.to_string())) {
        Ok(reply) => reply,
        Err(why) => {
            refused(scope, why);
            return (Figures::default(), None);
        }
    };
    let Reply::Vector(result) = &*reply else {
        return (Figures::default(), None);
    };
    let at = scope.expr(span);
    cost(scope, result, &at);
    let n_series = result.series.len() as u64;
    if !scope.rule.is_alerting() && n_series > SERIES_MAX {
        let message = format!("it records {n_series} series");
        let hint = "aggregate by fewer labels";
        scope.say(&lints::CARDINALITY, at, message, hint);
    }
    labels(scope, result);
    let figures = Figures {
        series: Some(n_series),
        samples: result.samples,
        seconds: Some(result.seconds),
        fired: None,
    };
    (figures, Some(reply))
}

fn refused(scope: &mut Scope<'_>, why: Refused) {
    let at = scope.field("expr");
    match why {
        Refused::Down(_) => {}
        Refused::Costly(why) => {
            let message = format!("the server gives it up: {why}");
            scope.say(&lints::COST, at, message, HINT);
        }
        Refused::Fails(why) => {
            let is_join = [
                "many-to-",
                "duplicate series",
                "group_left",
                "must not contain metrics",
            ]
            .iter()
            .any(|word| why.contains(word));
            let lint = if is_join {
                &promql::VECTOR_MATCHING
            } else {
                &lints::FAILS
            };
            let message = format!("it fails on the server: {why}");
            let told = (message, String::new());
            scope.say_as(lint, Some(Severity::Error), at, told);
        }
    }
}

fn cost(scope: &mut Scope<'_>, result: &Vector, at: &Place) {
    let interval = scope.interval().unwrap_or(INTERVAL_DEFAULT);
    let samples = result.samples.unwrap_or(0);
    let is_slow = result.seconds > SECONDS_MAX.max(interval.as_secs_f64() * SHARE_MAX);
    if samples <= SAMPLES_MAX && !is_slow {
        return;
    }
    let looks = match result.samples {
        Some(samples) => format!(" and looks at {samples} samples"),
        None => String::new(),
    };
    let message = format!(
        "an evaluation takes {:.2} s{looks}, every {interval}",
        result.seconds
    );
    scope.say(&lints::COST, at.clone(), message, HINT);
}

/// Labels that a text names and no series of the result has.
fn labels(scope: &mut Scope<'_>, result: &Vector) {
    if !scope.rule.is_alerting() || result.series.is_empty() {
        return;
    }
    let pairs = result.series.iter().flat_map(|(labels, _)| labels.iter());
    let names: BTreeSet<&str> = pairs.map(|it| &*it.name).collect();
    let rule = scope.rule;
    let texts = rule.labels.iter().map(|it| ("labels", it));
    let texts = texts.chain(rule.annotations.iter().map(|it| ("annotations", it)));
    for (field, text) in texts {
        let mentions = text.template.iter().flat_map(|it| it.mentions());
        for mention in mentions {
            let Mentioned::Label(name) = &mention.what else {
                continue;
            };
            // What cannot be there is known without a server.
            if names.contains(&**name) || scope.flow.taken_by(name).is_some() {
                continue;
            }
            let message = format!("`$labels.{name}` is empty: no series of the result has it now");
            let shown = names.iter().copied().filter(|it| *it != "__name__");
            let hint = format!("the result has {}", listed(shown.take(LABELS_SHOWN_MAX)));
            let place = scope.field(field).field(text.name.clone());
            let place = place.at(mention.span.start);
            scope.say(&alerts::TEMPLATE, place, message, hint);
        }
    }
}

const HINT: &str = "record a part of it, look back less, or evaluate the group less often";
/// Samples of one evaluation.
const SAMPLES_MAX: u64 = 1_000_000;
/// Seconds of one evaluation, or this share of the interval if that is more.
const SECONDS_MAX: f64 = 1.0;
const SHARE_MAX: f64 = 0.1;
const INTERVAL_DEFAULT: Duration = Duration::from_mins(1);
/// Series of one recording rule.
const SERIES_MAX: u64 = 10_000;
const LABELS_SHOWN_MAX: usize = 8;
