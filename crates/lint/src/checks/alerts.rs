//! Alerts: when they fire, and what they tell.

use firebell_model::{Duration, METRIC_NAME, MatchOp};
use firebell_promql::{BinaryOp, Expr, Node, Selector, ValueType, threshold};
use firebell_template::Mentioned;

use super::Scope;
use crate::bounds::{Outcome, bounds, compare};
use crate::catalogue::alerts as lints;
use crate::lint::Severity;
use crate::shape::{calls, is_condition, longest_range};

pub(super) fn judge(scope: &mut Scope<'_>) {
    if !scope.rule.is_alerting() {
        return;
    }
    condition(scope);
    hold_for(scope);
    persistence(scope);
    absence(scope);
    told(scope);
    owner(scope);
    cause(scope);
    single_error(scope);
}

fn condition(scope: &mut Scope<'_>) {
    let expr = &scope.rule.expr;
    let lower = scope.rule.name.to_ascii_lowercase();
    if HEARTBEATS.iter().any(|word| lower.contains(word)) {
        return;
    }
    let known = |name: &str| scope.project.is_condition(name);
    let at = scope.expr(expr.span);
    if !is_condition(expr, &known) {
        let has_bool = matches!(&expr.unwrap_parens().node, Node::Binary(it) if it.returns_bool);
        let hint = if has_bool {
            "leave out `bool`: it gives 0 or 1, and an alert fires at either"
        } else {
            "compare it with a threshold, such as `> 0.05`"
        };
        let message = "there is no condition: the alert fires as long as there are series";
        return scope.say(&lints::COMPARISON, at, message, hint);
    }
    // Only where the operand is no condition itself: `count(x > 5) > 0` is one.
    let mut always = None;
    for side in branches(expr) {
        if let Node::Binary(binary) = &side.node
            && binary.op.is_comparison()
            && !binary.returns_bool
            && !is_condition(&binary.left, &known)
            && !is_condition(&binary.right, &known)
            && compare(bounds(&binary.left), binary.op, bounds(&binary.right)) == Outcome::Always
        {
            always = Some(side.span);
        }
    }
    if let Some(span) = always {
        let message = format!("`{}` holds whatever the series say", scope.piece(span));
        let hint = "choose a threshold that values can be on both sides of";
        scope.say(&lints::COMPARISON, scope.expr(span), message, hint);
    }
}

/// The sides of `or`, each of which may fire.
fn branches(expr: &Expr) -> Vec<&Expr> {
    let mut found = Vec::new();
    let mut stack = vec![expr];
    while let Some(expr) = stack.pop() {
        let expr = expr.unwrap_parens();
        match &expr.node {
            Node::Binary(binary) if binary.op == BinaryOp::Or => {
                stack.extend([&binary.right, &binary.left]);
            }
            _ => found.push(expr),
        }
    }
    found
}

fn hold_for(scope: &mut Scope<'_>) {
    for (field, value) in [
        ("for", scope.rule.hold_for),
        ("keep_firing_for", scope.rule.keep_firing_for),
    ] {
        if value == Some(Duration::ZERO) {
            let message = format!("`{field}: 0` is what holds without it");
            scope.say(&lints::FOR, scope.field(field), message, "leave it out");
        }
    }
    let (Some(hold_for), Some(interval)) = (scope.rule.hold_for, scope.interval()) else {
        return;
    };
    if hold_for > Duration::ZERO && hold_for < interval {
        let message = format!(
            "the condition is looked at every {interval}, so it has to hold {interval}, not {hold_for}"
        );
        let hint = format!("make it {interval} or more, or the interval of the group shorter");
        scope.say(&lints::FOR, scope.field("for"), message, hint);
    }
}

fn is_held(scope: &Scope<'_>) -> bool {
    scope.rule.hold_for.is_some_and(|it| it > Duration::ZERO)
}

fn persistence(scope: &mut Scope<'_>) {
    let expr = &scope.rule.expr;
    let is_long = longest_range(expr).is_some_and(|(range, _)| range >= RANGE_MIN);
    let is_steady = calls(expr)
        .iter()
        .any(|(call, _)| STEADY.contains(&call.function.name));
    let mut has_series = false;
    // Recorded series and alerts look back as far as their own rules do.
    let mut is_recorded = false;
    for (selector, _) in expr.selectors() {
        has_series = true;
        let name = selector.metric_name().unwrap_or("");
        is_recorded |= name.contains(':') || name.starts_with("ALERTS");
    }
    let holds = is_held(scope);
    if holds || is_long || is_steady || is_recorded || !has_series {
        return;
    }
    let severity = (!scope.is_page()).then_some(Severity::Info);
    let message = "one bad sample fires it: there is no `for`, and it looks back less than 2m";
    let hint = "add `for`, or take the rate or average over five minutes";
    let told = (message.to_owned(), hint.to_owned());
    scope.say_as(&lints::PERSISTENCE, severity, scope.name_place(), told);
}

fn absence(scope: &mut Scope<'_>) {
    let calls = calls(&scope.rule.expr);
    let Some((_, span)) = calls
        .iter()
        .find(|(call, _)| call.function.name == "absent")
    else {
        return;
    };
    let span = *span;
    let scrape_interval = scope
        .project
        .global
        .as_ref()
        .and_then(|it| it.scrape_interval);
    let least = scrape_interval.map_or(Duration::from_mins(1), |it| Duration(it.0 * 2));
    let hold_for = scope.rule.hold_for.unwrap_or_default();
    if hold_for < least {
        let message = "a scrape that fails is enough to make series absent";
        let hint =
            format!("wait for two scrapes: `for: {least}` or more; or use `absent_over_time`");
        scope.say(&lints::ABSENT, scope.expr(span), message, hint);
    }
}

/// What the texts of an alert say to people.
fn told(scope: &mut Scope<'_>) {
    let rule = scope.rule;
    let is_link = |name: &str| {
        let name = name.to_ascii_lowercase();
        LINKS.iter().any(|it| name.contains(it))
    };
    let has_runbook = rule.annotations.iter().chain(&rule.labels).any(|it| {
        let name = it.name.to_ascii_lowercase();
        name.contains("runbook") || name.contains("playbook")
    });
    let texts = rule
        .annotations
        .iter()
        .filter(|it| !is_link(&it.name) && !it.text.is_empty());
    let place = scope.name_place();
    if texts.clone().next().is_none() {
        let message = "it says nothing to the person who gets it";
        let hint = "add the annotation `summary`: what users feel, where, and how much";
        scope.say(&lints::SUMMARY, place.clone(), message, hint);
    } else {
        let mentions: Vec<Mentioned> = texts
            .filter_map(|it| it.template.as_ref())
            .flat_map(firebell_template::Template::mentions)
            .map(|it| it.what)
            .collect();
        context(scope, &mentions);
    }
    if !has_runbook {
        let hint = "add the annotation `runbook_url`";
        scope.say(&lints::RUNBOOK, place, "it has no runbook", hint);
    }
}

fn context(scope: &mut Scope<'_>, mentions: &[Mentioned]) {
    let says_value = mentions
        .iter()
        .any(|it| matches!(it, Mentioned::Value | Mentioned::Query(_)));
    let says_where = mentions.iter().any(|it| {
        matches!(
            it,
            Mentioned::Label(_) | Mentioned::Labels | Mentioned::ExternalLabel(_)
        )
    });
    let is_named = SERVICES.iter().any(|name| scope.label(name).is_some());
    let external = scope.project.global.as_ref();
    let is_known = external.is_some_and(|it| {
        it.external_labels
            .iter()
            .any(|label| SERVICES.contains(&&*label.name))
    });
    let place = scope.field("annotations");
    if !says_value && is_value_telling(&scope.rule.expr) {
        let message = "no text says the value";
        let hint = "say `{{ $value | humanize }}`, and what the threshold is";
        scope.say(&lints::CONTEXT, place.clone(), message, hint);
    }
    if !says_where && !is_named && !is_known {
        let message = "no text and no label says which service it is about";
        let hint = "name a label that tells services apart, such as `{{ $labels.job }}`";
        scope.say(&lints::CONTEXT, place, message, hint);
    }
}

/// Whether the value says more than that the alert fires.
fn is_value_telling(expr: &Expr) -> bool {
    let Some(threshold) = threshold(expr) else {
        return false;
    };
    let known = bounds(threshold.left);
    let is_flag = known.min >= 0.0 && known.max <= 1.0 && threshold.op != BinaryOp::Greater;
    threshold.op != BinaryOp::Equal && !is_flag && threshold.left.value_type() == ValueType::Vector
}

fn owner(scope: &mut Scope<'_>) {
    let is_named = OWNERS.iter().any(|name| {
        let is_external = scope
            .project
            .global
            .as_ref()
            .is_some_and(|it| it.external_labels.get(name).is_some());
        let annotation = scope.rule.annotations.iter().any(|it| it.name == *name);
        annotation
            || is_external
            || scope.label(name).is_some()
            || scope.flow.sure.contains_key(*name)
    });
    if is_named || scope.file.suppressions.has_owner(&scope.rule.lines) {
        return;
    }
    let hint = "add the label `team`, to the rule or its group";
    scope.say(
        &lints::OWNER,
        scope.name_place(),
        "it belongs to nobody",
        hint,
    );
}

fn cause(scope: &mut Scope<'_>) {
    if !scope.is_page() {
        return;
    }
    let found = scope
        .rule
        .expr
        .selectors()
        .into_iter()
        .find_map(|(selector, span)| {
            let name = selector.metric_name()?;
            CAUSES
                .iter()
                .any(|it| name.starts_with(it))
                .then(|| (name.to_owned(), span))
        });
    // A disk that will be full is a failure with a date.
    let is_forecast = calls(&scope.rule.expr)
        .iter()
        .any(|(it, _)| it.function.name == "predict_linear");
    if let (Some((name, span)), false) = (found, is_forecast) {
        let message = format!("it wakes somebody for `{name}`, which users may never feel");
        let hint = "page on errors, latency or a burn rate; give this one a lower severity";
        scope.say(&lints::CAUSE, scope.expr(span), message, hint);
    }
}

fn single_error(scope: &mut Scope<'_>) {
    let expr = &scope.rule.expr;
    let Some(threshold) = threshold(expr) else {
        return;
    };
    let is_any = match threshold.op {
        BinaryOp::Greater | BinaryOp::NotEqual => threshold.value == 0.0,
        BinaryOp::GreaterOrEqual => threshold.value == 1.0,
        _ => false,
    };
    let counts = |name| matches!(name, "rate" | "increase" | "irate" | "delta");
    let is_count = calls(threshold.left)
        .iter()
        .any(|(it, _)| counts(it.function.name));
    let mut is_ratio = false;
    threshold.left.walk(|it| {
        is_ratio |= matches!(&it.node, Node::Binary(binary) if binary.op == BinaryOp::Div);
    });
    let selectors = threshold.left.selectors();
    let of_requests = selectors
        .iter()
        .any(|(selector, _)| counts_failed_requests(selector));
    if is_any && is_count && !is_ratio && of_requests {
        let message = format!(
            "`{}`: any single failed request fires it",
            scope.piece(expr.span)
        );
        let hint = "compare the share of failed requests with what the objective allows";
        scope.say(&lints::THRESHOLD, scope.expr(expr.span), message, hint);
    }
}

fn counts_failed_requests(selector: &Selector) -> bool {
    let name = selector.metric_name().unwrap_or("");
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let is_failed = selector.matchers.iter().any(|matcher| {
        matcher.name() != METRIC_NAME
            && matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex)
            && FAILED
                .iter()
                .any(|word| matcher.value().to_ascii_lowercase().contains(word))
    });
    has(REQUESTS) && (has(FAILED) || is_failed)
}

/// Below this a range does not tell a moment from a state.
const RANGE_MIN: Duration = Duration::from_mins(2);
/// Names of alerts that are meant to fire always.
pub(crate) const HEARTBEATS: &[&str] = &["watchdog", "deadman", "deadmans", "heartbeat", "always"];
/// Functions whose results do not flicker, or that have a lint of their own.
const STEADY: &[&str] = &[
    "absent",
    "absent_over_time",
    "predict_linear",
    "time",
    "timestamp",
];
const LINKS: &[&str] = &["runbook", "playbook", "dashboard", "url", "link", "grafana"];
const SERVICES: &[&str] = &[
    "service",
    "app",
    "application",
    "component",
    "system",
    "job",
    "namespace",
];
const OWNERS: &[&str] = &["team", "owner", "squad", "owned_by", "owning_team"];
const REQUESTS: &[&str] = &["request", "http", "grpc", "rpc", "response", "api", "call"];
const FAILED: &[&str] = &["error", "fail", "5..", "5xx", "500", "5[0-9]", "exception"];
/// What metrics of causes begin with.
const CAUSES: &[&str] = &[
    "node_load",
    "node_cpu",
    "node_memory_",
    "node_disk_io",
    "node_vmstat",
    "node_context_switches",
    "container_cpu",
    "container_memory",
    "process_cpu",
    "process_resident_memory",
    "process_virtual_memory",
    "process_open_fds",
    "go_goroutines",
    "go_gc",
    "go_memstats",
    "jvm_gc",
    "jvm_memory",
    "jvm_threads",
    "python_gc",
    "system_cpu",
    "system_memory",
    "windows_cpu",
    "windows_os_physical_memory",
];
