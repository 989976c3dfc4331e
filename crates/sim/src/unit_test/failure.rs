//! Which rules cannot fail: those need no evaluation unless somebody reads what they write.
//!
//! *Invariants*: only what is sure counts. A rule that might fail is evaluated, and decides.

use std::collections::BTreeSet;

use firebell_model::{ALERT_NAME, METRIC_NAME, MatchOp};
use firebell_promql::{
    Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, Node, Selector, ValueType,
};
use firebell_rules::{Rule, RuleGroup, RuleKind};

use super::input::Input;
use super::reading::{has_own_keys, is_of_its_moment};

/// What label names and metric names there are.
#[derive(Debug)]
pub(super) struct Names<'a> {
    /// Of all series but those of alerts.
    labels: BTreeSet<&'a str>,
    metrics: BTreeSet<&'a str>,
    /// The rules, to see whose outputs are the same.
    rules: Vec<&'a Rule>,
}

impl<'a> Names<'a> {
    pub(super) fn of(groups: &'a [RuleGroup], inputs: &'a [Input]) -> Self {
        let rules: Vec<&Rule> = groups
            .iter()
            .flat_map(|it| &it.rules)
            .map(|it| &**it)
            .collect();
        let recording = rules.iter().filter(|rule| is_recording(rule));
        let fixed = recording.flat_map(|rule| rule.label_texts.iter());
        let of_inputs = inputs.iter().flat_map(|input| input.labels.iter());
        Self {
            labels: of_inputs.chain(fixed).map(|label| &*label.name).collect(),
            metrics: inputs.iter().map(|it| it.labels.metric_name()).collect(),
            rules,
        }
    }

    /// Whether evaluating the rule, and writing what it gives, is sure to go well.
    pub(super) fn cannot_fail(&self, group: &RuleGroup, rule: &Rule) -> bool {
        let is_plain = group.limit.is_none() && group.query_offset.0 == 0 && !has_own_keys(rule);
        if !is_plain || self.may_collide(rule) {
            return false;
        }
        let expr = rule.expr.expr();
        if !is_of_its_moment(expr) || self.reads_alerts(expr) {
            return false;
        }
        let Some(shape) = shape(expr) else {
            return false;
        };
        // Labels that the rule sets must not hide what tells its samples apart.
        let own = rule.label_texts.iter().map(|label| &*label.name);
        let mut own = own.chain((!is_recording(rule)).then_some(ALERT_NAME));
        let hides = |name: &str| match &shape.labels {
            Some(labels) => labels.iter().any(|label| label == name),
            None => self.labels.contains(name),
        };
        shape.is_distinct && !own.any(hides)
    }

    /// Whether somebody else may write the same series.
    pub(super) fn may_collide(&self, rule: &Rule) -> bool {
        let name = if is_recording(rule) {
            &*rule.name
        } else {
            "ALERTS"
        };
        if self.metrics.contains(name) || self.metrics.contains("ALERTS_FOR_STATE") {
            return true;
        }
        self.rules.iter().any(|other| {
            !std::ptr::eq(*other, rule)
                && other.name == rule.name
                && is_recording(other) == is_recording(rule)
                && !are_apart(rule, other)
        })
    }

    fn reads_alerts(&self, expr: &Expr) -> bool {
        let selectors = expr.selectors().into_iter();
        selectors.into_iter().any(|(selector, _)| {
            metric_name(selector).is_none_or(|name| name.starts_with("ALERTS"))
        })
    }
}

fn is_recording(rule: &Rule) -> bool {
    matches!(rule.kind, RuleKind::Recording)
}

/// Whether a label tells the outputs of two rules apart.
fn are_apart(rule: &Rule, other: &Rule) -> bool {
    let is_fixed = |value: &str| !value.contains("{{");
    rule.label_texts.iter().any(|label| {
        let value = other.label_texts.get(&label.name);
        value.is_some_and(|value| {
            *value != *label.value && is_fixed(value) && is_fixed(&label.value)
        })
    })
}

/// What is known of an expression's samples.
#[derive(Clone, Debug)]
struct Shape {
    /// No two have the same labels, leaving their metric names out.
    is_distinct: bool,
    /// No label but these; unknown when `None`.
    labels: Option<Vec<String>>,
}

impl Shape {
    const NOTHING: Self = Self {
        is_distinct: true,
        labels: Some(Vec::new()),
    };

    /// After an operation that drops the metric name.
    fn without_name(self) -> Option<Self> {
        self.is_distinct.then_some(self)
    }
}

/// What is known of the samples of an expression that cannot fail; `None` when it might.
fn shape(expr: &Expr) -> Option<Shape> {
    match &expr.node {
        Node::Number(_) | Node::String(_) => Some(Shape::NOTHING),
        Node::Paren(inner) => shape(inner),
        Node::Unary(unary) => shape(&unary.operand)?.without_name(),
        Node::Selector(selector) => Some(selected(selector)),
        Node::Range(range) => Some(selected(&range.selector)),
        Node::Subquery(subquery) => shape(&subquery.expr)?.without_name(),
        Node::Call(call) => called(call),
        Node::Aggregate(aggregate) => aggregated(aggregate),
        Node::Binary(binary) => combined(binary),
    }
}

fn metric_name(selector: &Selector) -> Option<&str> {
    let mut matchers = selector.matchers.iter();
    let name = matchers.find(|it| it.name() == METRIC_NAME && it.op() == MatchOp::Equal)?;
    Some(name.value())
}

fn selected(selector: &Selector) -> Shape {
    Shape {
        is_distinct: metric_name(selector).is_some(),
        labels: None,
    }
}

fn called(call: &Call) -> Option<Shape> {
    if SAFE_FUNCTIONS.binary_search(&call.function.name).is_err() {
        return None;
    }
    let mut found = Shape::NOTHING;
    for arg in &call.args {
        let shape = shape(arg)?;
        if matches!(arg.value_type(), ValueType::Vector | ValueType::Matrix) {
            found = shape.without_name()?;
        }
    }
    Some(found)
}

fn aggregated(aggregate: &Aggregate) -> Option<Shape> {
    let inner = shape(&aggregate.expr)?;
    let param = aggregate.param.as_ref();
    let is_param_fixed = param.is_none_or(|it| matches!(it.unwrap_parens().node, Node::Number(_)));
    let is_reserved = aggregate.grouping.iter().any(|name| name == METRIC_NAME);
    if !is_param_fixed || is_reserved {
        return None;
    }
    match aggregate.op {
        AggregateOp::Topk | AggregateOp::Bottomk => Some(inner),
        AggregateOp::CountValues | AggregateOp::Limitk | AggregateOp::LimitRatio => None,
        _ if aggregate.is_without => Some(Shape {
            is_distinct: true,
            labels: inner.labels,
        }),
        _ => Some(Shape {
            is_distinct: true,
            labels: Some(aggregate.grouping.clone()),
        }),
    }
}

fn combined(binary: &Binary) -> Option<Shape> {
    let (left, right) = (shape(&binary.left)?, shape(&binary.right)?);
    let is_vector = |expr: &Expr| expr.value_type() == ValueType::Vector;
    let matching = &binary.matching;
    match (is_vector(&binary.left), is_vector(&binary.right)) {
        (false, false) => return Some(Shape::NOTHING),
        (true, false) => return left.without_name(),
        (false, true) => return right.without_name(),
        (true, true) => {}
    }
    if matching.fill_left.is_some() || matching.fill_right.is_some() {
        return None;
    }
    if binary.op.is_set() {
        let is_or = binary.op.text() == "or";
        let is_whole = !matching.is_on && matching.labels.is_empty();
        return Some(Shape {
            is_distinct: left.is_distinct && (!is_or || (is_whole && right.is_distinct)),
            labels: match (is_or, left.labels, right.labels) {
                (false, labels, _) => labels,
                (true, Some(left), Some(right)) => Some([left, right].concat()),
                (true, _, _) => None,
            },
        });
    }
    let (left, right) = (left.without_name()?, right.without_name()?);
    let is_told_apart = |shape: &Shape| tells_apart(binary, shape);
    match matching.cardinality {
        Cardinality::OneToOne if is_told_apart(&left) && is_told_apart(&right) => Some(left),
        Cardinality::ManyToOne if matching.include.is_empty() && is_told_apart(&right) => {
            Some(left)
        }
        Cardinality::OneToMany if matching.include.is_empty() && is_told_apart(&left) => {
            Some(right)
        }
        _ => None,
    }
}

/// Whether the labels that are compared tell the samples of a side apart.
fn tells_apart(binary: &Binary, side: &Shape) -> bool {
    let compared = &binary.matching.labels;
    match (binary.matching.is_on, &side.labels) {
        (false, _) if compared.is_empty() => true,
        (true, Some(labels)) => labels.iter().all(|label| compared.contains(label)),
        (false, Some(labels)) => labels.iter().all(|label| !compared.contains(label)),
        (_, None) => false,
    }
}

/// Functions that give each sample's labels without the name, and never an error. Sorted.
const SAFE_FUNCTIONS: &[&str] = &[
    "abs",
    "absent",
    "absent_over_time",
    "avg_over_time",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "count_over_time",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "delta",
    "deriv",
    "exp",
    "floor",
    "histogram_quantile",
    "hour",
    "idelta",
    "increase",
    "irate",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "max_over_time",
    "min_over_time",
    "minute",
    "month",
    "predict_linear",
    "present_over_time",
    "quantile_over_time",
    "rate",
    "resets",
    "round",
    "scalar",
    "sgn",
    "sort",
    "sort_desc",
    "sqrt",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "time",
    "timestamp",
    "vector",
    "year",
];
