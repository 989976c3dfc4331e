//! Which rules read what others write, as far as their texts tell.

use firebell_model::{ALERT_NAME, Labels, METRIC_NAME, Matcher};
use firebell_promql::{Call, DurationExpr, Expr, Node, Selector, Shift};
use firebell_rules::{Reaction, Rule, RuleKind};

/// What an expression reads.
#[derive(Debug)]
pub(super) enum Reads<'a> {
    /// These selectors.
    Selectors(Vec<&'a [Matcher]>),
    /// Nobody knows.
    Anything,
}

impl<'a> Reads<'a> {
    pub(super) fn of(expr: &'a Expr) -> Self {
        if calls(expr, &["info"]) {
            return Self::Anything;
        }
        let selectors = expr.selectors().into_iter();
        Self::Selectors(selectors.map(|(selector, _)| &*selector.matchers).collect())
    }

    /// What evaluating a rule reads, its texts included.
    pub(super) fn of_rule(rule: &'a Rule) -> Self {
        if has_query_in_texts(rule) {
            return Self::Anything;
        }
        let own = Self::of(rule.expr.expr());
        let clear = rule.as_alerting().and_then(|it| it.policy.clear.as_ref());
        match (own, clear.map(|plan| Self::of(plan.expr()))) {
            (Self::Selectors(mut own), Some(Self::Selectors(clear))) => {
                own.extend(clear);
                Self::Selectors(own)
            }
            (Self::Selectors(own), None) => Self::Selectors(own),
            _ => Self::Anything,
        }
    }

    /// Whether it may see a series.
    pub(super) fn finds(&self, labels: &Labels) -> bool {
        match self {
            Self::Anything => true,
            Self::Selectors(all) => {
                let finds = |matchers: &[Matcher]| matchers.iter().all(|it| it.matches(labels));
                all.iter().any(|matchers| finds(matchers))
            }
        }
    }

    /// Whether it may see what a rule writes.
    pub(super) fn may_see(&self, rule: &Rule) -> bool {
        match self {
            Self::Anything => true,
            Self::Selectors(all) => all.iter().any(|matchers| may_match(matchers, rule)),
        }
    }
}

fn may_match(matchers: &[Matcher], rule: &Rule) -> bool {
    let is_recording = matches!(rule.kind, RuleKind::Recording);
    let names: &[&str] = if is_recording {
        &[&rule.name]
    } else {
        &["ALERTS", "ALERTS_FOR_STATE"]
    };
    names.iter().any(|name| {
        matchers.iter().all(|matcher| match matcher.name() {
            METRIC_NAME => matcher.matches_value(name),
            ALERT_NAME if !is_recording => matcher.matches_value(&rule.name),
            // Labels of recording rules are fixed; those of alerts may be templates.
            label if is_recording => {
                let value = rule.label_texts.get(label);
                value.is_none_or(|value| matcher.matches_value(value))
            }
            _ => true,
        })
    })
}

/// Whether texts of the rule ask for series by themselves.
pub(super) fn has_query_in_texts(rule: &Rule) -> bool {
    let asks = |text: &str| text.contains("{{") && text.contains("query");
    let texts = rule.label_texts.iter().chain(rule.annotation_texts.iter());
    rule.as_alerting().is_some() && texts.into_iter().any(|label| asks(&label.value))
}

/// Whether keys of our own make more of an evaluation than its samples.
pub(super) fn has_own_keys(rule: &Rule) -> bool {
    rule.as_alerting().is_some_and(|it| {
        let policy = &it.policy;
        let reactions = [policy.no_data, policy.on_error];
        policy.clear.is_some()
            || policy.flapping.is_some()
            || reactions.iter().any(|it| *it != Reaction::Upstream)
    })
}

/// Whether the value at a moment follows from what lies before it, whatever range is evaluated.
pub(super) fn is_of_its_moment(expr: &Expr) -> bool {
    if calls(expr, &["start", "end", "step", "range"]) {
        return false;
    }
    let mut is_local = true;
    expr.walk(|expr| {
        is_local &= match &expr.node {
            Node::Selector(selector) => is_plain(selector),
            Node::Range(range) => is_plain(&range.selector) && is_constant(&range.range),
            Node::Subquery(subquery) => {
                is_past(&subquery.shift)
                    && is_constant(&subquery.range)
                    && subquery.step.as_ref().is_none_or(is_constant)
            }
            _ => true,
        };
    });
    is_local
}

fn is_plain(selector: &Selector) -> bool {
    selector.borders.is_none() && is_past(&selector.shift)
}

fn is_past(shift: &Shift) -> bool {
    let offset = shift.offset.as_ref();
    shift.at.is_none() && offset.is_none_or(|it| it.constant().is_some_and(|offset| offset.0 >= 0))
}

fn is_constant(duration: &DurationExpr) -> bool {
    duration.constant().is_some()
}

fn calls(expr: &Expr, names: &[&str]) -> bool {
    let mut is_called = false;
    expr.walk(|expr| {
        if let Node::Call(Call { function, .. }) = &expr.node {
            is_called |= names.contains(&function.name);
        }
    });
    is_called
}
