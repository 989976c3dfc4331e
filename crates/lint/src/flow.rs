//! Which labels the result of an expression can have: what selectors ask for, followed through
//! aggregations, joins and functions.
//!
//! *Invariants*: what is called gone is never there, whatever the series are; what is called sure
//! is on every series of the result. In doubt a label is neither.
//!
//! *Sources*: Prometheus, `promql/engine.go`, for what operators do to labels: `resultMetric`,
//! `aggregation`, `funcLabelReplace`.

use std::collections::{BTreeMap, BTreeSet};

use firebell_model::{METRIC_NAME, MatchOp};
use firebell_promql::{
    Aggregate, Binary, Call, Cardinality, Expr, Matching, Node, Selector, Span, ValueType,
};

/// What is known of the labels of a result.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    /// When there, no other labels are possible.
    pub(crate) only: Option<BTreeSet<String>>,
    /// What made `only` so.
    pub(crate) closed_by: Span,
    /// Labels that cannot be there, and what took them.
    pub(crate) gone: BTreeMap<String, Span>,
    /// Labels that every series has, with their value when it is the same for all.
    pub(crate) sure: BTreeMap<String, Option<String>>,
    /// Labels that series have when they were scraped, as most are.
    pub(crate) likely: BTreeSet<String>,
}

/// What is known of series by name, beyond what a selector says.
pub(crate) type Known<'k> = dyn Fn(&str) -> Option<&'k Flow> + 'k;

impl Flow {
    /// Nothing but these labels.
    pub(crate) fn closed(labels: impl IntoIterator<Item = String>, by: Span) -> Self {
        Self {
            only: Some(labels.into_iter().collect()),
            closed_by: by,
            ..Self::default()
        }
    }

    /// What took a label away; `None` when it may be there.
    pub(crate) fn taken_by(&self, label: &str) -> Option<Span> {
        if let Some(span) = self.gone.get(label) {
            return Some(*span);
        }
        let only = self.only.as_ref()?;
        (!only.contains(label)).then_some(self.closed_by)
    }

    fn may_have(&self, label: &str) -> bool {
        self.taken_by(label).is_none()
    }

    pub(crate) fn remove(&mut self, label: &str, by: Span) {
        if let Some(only) = &mut self.only {
            only.remove(label);
        }
        self.sure.remove(label);
        self.likely.remove(label);
        self.gone.insert(label.to_owned(), by);
    }

    /// A label may be there from here on.
    pub(crate) fn allow(&mut self, label: &str) {
        if let Some(only) = &mut self.only {
            only.insert(label.to_owned());
        }
        self.gone.remove(label);
        self.sure.remove(label);
    }

    fn keep(&self, labels: &[String], by: Span) -> Self {
        let is_kept = |label: &String| labels.contains(label);
        let possible = labels.iter().filter(|it| self.may_have(it)).cloned();
        let gone = self.gone.iter().filter(|(label, _)| is_kept(label));
        let sure = self.sure.iter().filter(|(label, _)| is_kept(label));
        Self {
            only: Some(possible.collect()),
            closed_by: by,
            gone: gone.map(|(label, span)| (label.clone(), *span)).collect(),
            sure: sure
                .map(|(label, value)| (label.clone(), value.clone()))
                .collect(),
            likely: self
                .likely
                .iter()
                .filter(|it| is_kept(it))
                .cloned()
                .collect(),
        }
    }

    /// What is known of series that are of either.
    pub(crate) fn or(self, other: &Self) -> Self {
        let gone = self.gone.keys().chain(other.gone.keys());
        let both = gone.filter(|it| !self.may_have(it) && !other.may_have(it));
        let gone = both.filter_map(|it| Some((it.clone(), self.taken_by(it)?)));
        let gone = gone.collect();
        let sure = self.sure.iter().filter_map(|(label, value)| {
            let others = other.sure.get(label)?;
            Some((label.clone(), value.clone().filter(|_| value == others)))
        });
        let sure = sure.collect();
        let only = match (&self.only, &other.only) {
            (Some(a), Some(b)) => Some(a.union(b).cloned().collect()),
            _ => None,
        };
        Self {
            only,
            closed_by: self.closed_by,
            gone,
            sure,
            likely: self.likely.intersection(&other.likely).cloned().collect(),
        }
    }

    /// What is known of series that are as both say.
    fn and(mut self, other: &Self) -> Self {
        if let Some(only) = &other.only {
            self.only = Some(match self.only {
                Some(own) => own.intersection(only).cloned().collect(),
                None => only.clone(),
            });
            self.closed_by = other.closed_by;
        }
        self.gone.extend(
            other
                .gone
                .iter()
                .map(|(label, span)| (label.clone(), *span)),
        );
        for (label, value) in &other.sure {
            self.sure
                .entry(label.clone())
                .or_insert_with(|| value.clone());
        }
        self.likely.extend(other.likely.iter().cloned());
        self
    }
}

/// The labels of an expression's result. Chains are walked without recursing into them.
pub(crate) fn flow(expr: &Expr, known: &Known<'_>) -> Flow {
    let mut chain = Vec::new();
    let mut first = expr;
    loop {
        first = first.unwrap_parens();
        let Node::Binary(binary) = &first.node else {
            break;
        };
        chain.push((binary, first.span));
        first = &binary.left;
    }
    let mut left = single(first, known);
    let mut left_type = first.value_type();
    while let Some((binary, span)) = chain.pop() {
        let right_type = binary.right.value_type();
        let right = flow(&binary.right, known);
        left = joined(binary, (left, left_type), (right, right_type), span);
        if right_type == ValueType::Vector {
            left_type = ValueType::Vector;
        }
    }
    left
}

fn single(expr: &Expr, known: &Known<'_>) -> Flow {
    match &expr.node {
        Node::Number(_) | Node::String(_) => Flow::closed([], expr.span),
        Node::Paren(inner) => flow(inner, known),
        Node::Unary(unary) => without_name(flow(&unary.operand, known), expr.span),
        Node::Binary(_) => flow(expr, known),
        Node::Call(call) => of_call(call, expr.span, known),
        Node::Aggregate(aggregate) => of_aggregate(aggregate, expr.span, known),
        Node::Selector(selector) => of_selector(selector, expr.span, known),
        Node::Range(range) => of_selector(&range.selector, expr.span, known),
        Node::Subquery(subquery) => flow(&subquery.expr, known),
    }
}

fn of_selector(selector: &Selector, span: Span, known: &Known<'_>) -> Flow {
    let name = selector.metric_name();
    let mut found = match name.and_then(known) {
        Some(recorded) => {
            let mut found = recorded.clone();
            // Places of another rule's expression say nothing here.
            found.closed_by = span;
            found.gone.values_mut().for_each(|it| *it = span);
            found
        }
        None => Flow {
            likely: likely_labels(name),
            ..Flow::default()
        },
    };
    for matcher in &selector.matchers {
        let label = matcher.name().to_owned();
        let is_sure = !matcher.matches_value("");
        match (matcher.op(), matcher.value()) {
            (MatchOp::Equal, "") => found.remove(&label, span),
            (MatchOp::Equal, value) => {
                found.allow(&label);
                found.sure.insert(label, Some(value.to_owned()));
            }
            _ if is_sure => {
                found.sure.entry(label).or_insert(None);
            }
            _ => {}
        }
    }
    found
}

/// What every scraped series has; recorded ones and Prometheus's own may lack it.
fn likely_labels(name: Option<&str>) -> BTreeSet<String> {
    let is_scraped = name.is_some_and(|name| !name.contains(':') && !name.starts_with("ALERTS"));
    let labels: &[&str] = if is_scraped {
        &["instance", "job"]
    } else {
        &[]
    };
    labels.iter().map(|it| (*it).to_owned()).collect()
}

fn without_name(mut flow: Flow, by: Span) -> Flow {
    flow.remove(METRIC_NAME, by);
    flow
}

fn of_call(call: &Call, span: Span, known: &Known<'_>) -> Flow {
    let text = |idx: usize| match call.args.get(idx).map(|it| &it.unwrap_parens().node) {
        Some(Node::String(literal)) => Some(literal.value.as_str()),
        _ => None,
    };
    let operand = call
        .args
        .iter()
        .find(|arg| matches!(arg.value_type(), ValueType::Vector | ValueType::Matrix));
    let name = call.function.name;
    if matches!(name, "absent" | "absent_over_time") {
        return of_absent(operand, span);
    }
    let Some(operand) = operand.filter(|_| name != "scalar") else {
        return Flow::closed([], span);
    };
    let mut found = flow(operand, known);
    match name {
        "label_replace" | "label_join" => {
            if let Some(label) = text(1) {
                found.allow(label);
                found.likely.remove(label);
            }
        }
        "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" | "last_over_time"
        | "first_over_time" => {}
        // Adds labels of other series.
        "info" => {
            found.only = None;
            found.gone.clear();
        }
        "histogram_quantile" => {
            found.remove("le", span);
            found.remove(METRIC_NAME, span);
        }
        "histogram_quantiles" => {
            found.remove("le", span);
            found.remove(METRIC_NAME, span);
            if let Some(label) = text(1) {
                found.allow(label);
            }
        }
        _ => found.remove(METRIC_NAME, span),
    }
    found
}

/// `absent` has the labels that its selector fixes, each once.
fn of_absent(operand: Option<&Expr>, span: Span) -> Flow {
    let selector = match operand.map(|it| &it.unwrap_parens().node) {
        Some(Node::Selector(selector)) => Some(selector),
        Some(Node::Range(range)) => Some(&range.selector),
        _ => None,
    };
    let mut fixed: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for matcher in selector.map_or(&[][..], |it| &it.matchers) {
        let name = matcher.name().to_owned();
        if name == METRIC_NAME {
            continue;
        }
        let is_new = matcher.op() == MatchOp::Equal && !fixed.contains_key(&name);
        if is_new && !matcher.value().is_empty() {
            fixed.insert(name, Some(matcher.value().to_owned()));
        } else {
            twice.insert(name);
        }
    }
    fixed.retain(|name, _| !twice.contains(name));
    let mut found = Flow::closed(fixed.keys().cloned(), span);
    found.sure = fixed;
    found
}

fn of_aggregate(aggregate: &Aggregate, span: Span, known: &Known<'_>) -> Flow {
    let mut found = flow(&aggregate.expr, known);
    if aggregate.op.keeps_series() {
        return found;
    }
    if aggregate.is_without {
        for label in &aggregate.grouping {
            found.remove(label, span);
        }
        found.remove(METRIC_NAME, span);
    } else {
        found = found.keep(&aggregate.grouping, span);
    }
    if let Some(param) = &aggregate.param
        && let Node::String(label) = &param.unwrap_parens().node
    {
        found.allow(&label.value);
        found.sure.insert(label.value.clone(), None);
    }
    found
}

type Side = (Flow, ValueType);

fn joined(binary: &Binary, left: Side, right: Side, span: Span) -> Flow {
    use firebell_promql::BinaryOp::{And, Or, Unless};
    let drops_name = binary.op.drops_name() || binary.returns_bool;
    let named = |flow: Flow| {
        if drops_name {
            without_name(flow, span)
        } else {
            flow
        }
    };
    match (left.1, right.1) {
        (ValueType::Vector, ValueType::Vector) => {}
        (ValueType::Vector, _) => return named(left.0),
        (_, ValueType::Vector) => return named(right.0),
        _ => return Flow::closed([], span),
    }
    let (left, right) = (left.0, right.0);
    match binary.op {
        Or => return left.or(&right),
        Unless => return left,
        And => return matched(left, &right, &binary.matching),
        _ => {}
    }
    let matching = &binary.matching;
    if matching.fill_left.is_some() || matching.fill_right.is_some() {
        return Flow::default();
    }
    match matching.cardinality {
        Cardinality::ManyToOne => named(grouped(left, &right, matching, span)),
        Cardinality::OneToMany => named(grouped(right, &left, matching, span)),
        _ => one_to_one(left, &right, matching, (drops_name, span)),
    }
}

/// The left side, where the labels that are compared are as the right side's.
fn matched(left: Flow, right: &Flow, matching: &Matching) -> Flow {
    let mut found = left;
    let compared = |label: &str| {
        label != METRIC_NAME && matching.labels.iter().any(|it| it == label) == matching.is_on
    };
    let sure = right.sure.iter().filter(|(label, _)| compared(label));
    for (label, value) in sure {
        found
            .sure
            .entry(label.clone())
            .or_insert_with(|| value.clone());
    }
    let candidates: Vec<String> = if matching.is_on {
        matching.labels.clone()
    } else {
        right
            .gone
            .keys()
            .filter(|it| compared(it))
            .cloned()
            .collect()
    };
    for label in candidates {
        if let Some(by) = right.taken_by(&label) {
            found.remove(&label, by);
        }
    }
    if let (false, Some(only)) = (matching.is_on, &right.only) {
        let mut only = only.clone();
        only.extend(matching.labels.iter().cloned());
        only.insert(METRIC_NAME.to_owned());
        let by = right.closed_by;
        found = found.and(&Flow::closed(only, by));
    }
    found
}

fn one_to_one(left: Flow, right: &Flow, matching: &Matching, drop: (bool, Span)) -> Flow {
    let (drops_name, span) = drop;
    let mut found = matched(left, right, matching);
    if matching.is_on {
        return found.keep(&matching.labels, span);
    }
    for label in &matching.labels {
        found.remove(label, span);
    }
    if drops_name {
        found.remove(METRIC_NAME, span);
    }
    found
}

/// The labels of the "many" side, with those that it takes over from the "one" side.
fn grouped(many: Flow, one: &Flow, matching: &Matching, span: Span) -> Flow {
    let mut found = matched(many, one, matching);
    for label in &matching.include {
        match one.taken_by(label) {
            Some(_) => found.remove(label, span),
            None => {
                found.allow(label);
                if let Some(value) = one.sure.get(label) {
                    found.sure.insert(label.clone(), value.clone());
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let expr = firebell_promql::parse(text).unwrap();
        let recorded = Flow::closed(["job".to_owned()], Span::default());
        let known = |name: &str| (name == "recorded").then_some(&recorded);
        let found = flow(&expr, &known);
        let only = found
            .only
            .as_ref()
            .map(|only| only.iter().cloned().collect::<Vec<_>>().join(","));
        let of = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>().join(",");
        let sure = found.sure.keys().filter(|it| *it != METRIC_NAME).collect();
        let gone = found.gone.keys().filter(|it| *it != METRIC_NAME).collect();
        let printed = format!(
            "{} +{} -{}",
            only.map_or("any".to_owned(), |only| format!("[{only}]")),
            of(sure),
            of(gone)
        );
        assert_eq!(printed, expected, "{text}");
    }

    #[test]
    fn labels_are_followed_through_aggregations_and_functions() {
        for (text, expected) in [
            ("up", "any + -"),
            ("up{job=\"a\",x=\"\",y!=\"\"}", "any +job,y -x"),
            ("sum(up)", "[] + -"),
            ("sum by (job) (up)", "[job] + -"),
            ("sum without (pod) (up{pod=\"a\"})", "any + -pod"),
            ("sum by (job, pod) (sum without (pod) (up))", "[job] + -pod"),
            ("topk(3, sum by (job) (up))", "[job] + -"),
            ("count_values(\"version\", up)", "[version] +version -"),
            ("rate(up{a=\"b\"}[5m])", "any +a -"),
            (
                "histogram_quantile(0.9, sum by (le, job) (rate(x[5m])))",
                "[job] + -le",
            ),
            (
                "label_replace(sum(up), \"a\", \"b\", \"\", \"\")",
                "[a] + -",
            ),
            ("absent(up{job=\"a\",x=~\"b\"})", "[job] +job -"),
            ("absent(sum(up))", "[] + -"),
            ("vector(1)", "[] + -"),
            ("1", "[] + -"),
            ("-sum by (job) (up)", "[job] + -"),
            ("recorded{x=\"1\"}", "[__name__,job,x] +x -"),
            ("max_over_time(sum by (job) (up)[5m:1m])", "[job] + -"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn labels_are_followed_through_joins() {
        for (text, expected) in [
            ("sum by (a) (x) / sum by (a, b) (y)", "[a] + -"),
            ("x / on (a, b) y{b=\"\"}", "[a] + -b"),
            ("x{b=\"1\"} / ignoring (b) y", "any + -b"),
            ("x * on (a) group_left (v) info{v=\"1\"}", "any +v -"),
            ("x * on (a) group_left (v) sum by (a) (y)", "any + -v"),
            ("sum by (a) (x) * on (a) group_left (v) y", "[a,v] + -"),
            ("y * on (a) group_right (v) sum by (a) (x)", "[a,v] + -"),
            ("x and on (a) sum by (a) (y)", "any + -"),
            ("x and sum by (a) (y)", "[__name__,a] + -"),
            ("x{c=\"1\"} unless y", "any +c -"),
            ("sum by (a) (x) or sum by (b) (y)", "[a,b] + -"),
            ("sum(x) or y", "any + -"),
            ("sum(x) > 5", "[] + -"),
            ("5 < sum by (a) (x)", "[a] + -"),
        ] {
            check(text, expected);
        }
    }
}
