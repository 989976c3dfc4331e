//! The tree of an expression, with the place of every node in the text.
//!
//! *Invariants*: a tree made by [`crate::parse`] is type-checked. Chains such as `a + b + c` nest to
//! the left without limit, so every traversal here walks with a stack of its own, not the thread's.
//!
//! *Sources*: Prometheus, `promql/parser/ast.go`.

use firebell_model::{Matcher, Timestamp};

use crate::duration::DurationExpr;
use crate::functions::Function;

/// Bytes `start..end` of the expression's text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// From the start of this to the end of `other`.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

/// What an expression evaluates to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ValueType {
    /// One number.
    Scalar,
    /// One value per series.
    Vector,
    /// Several samples per series.
    Matrix,
    /// A text.
    String,
}

impl ValueType {
    /// `scalar`, `vector`, `matrix`, `string`: what the HTTP API calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
            Self::String => "string",
        }
    }

    /// What error messages and the documentation call it.
    #[must_use]
    pub fn documented_name(self) -> &'static str {
        match self {
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::Scalar | Self::String => self.name(),
        }
    }
}

/// One node with its place. Neither `Clone` nor `PartialEq`: both would recurse into long chains;
/// [`crate::Plan`] shares an expression.
pub struct Expr {
    /// What it is.
    pub node: Node,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of nodes.
pub enum Node {
    /// `1.5`, `0x1f`, `5m`.
    Number(NumberLiteral),
    /// `"text"`.
    String(StringLiteral),
    /// `(…)`.
    Paren(Box<Expr>),
    /// `-x`, `+x`.
    Unary(Unary),
    /// `a + b`.
    Binary(Box<Binary>),
    /// `rate(…)`.
    Call(Call),
    /// `sum by (job) (…)`.
    Aggregate(Box<Aggregate>),
    /// `up{job="api"}`.
    Selector(Selector),
    /// `up{job="api"}[5m]`.
    Range(RangeSelector),
    /// `(…)[1h:5m]`.
    Subquery(Box<Subquery>),
}

/// A number, perhaps written as a duration.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NumberLiteral {
    /// Its value; seconds when written as a duration.
    pub value: f64,
    /// Whether it was written as a duration, such as `5m`.
    pub is_duration: bool,
}

/// A string.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StringLiteral {
    /// The text; bytes that are no UTF-8 have become U+FFFD.
    pub value: String,
    /// The bytes, when escapes such as `\xff` made them no UTF-8.
    pub broken: Option<Vec<u8>>,
}

impl StringLiteral {
    /// Any text is the name of a label, as long as it is UTF-8 and not empty.
    pub(crate) fn is_label_name(&self) -> bool {
        !self.value.is_empty() && self.broken.is_none()
    }
}

/// A sign in front of an expression.
pub struct Unary {
    /// `-` when true, `+` otherwise.
    pub is_minus: bool,
    /// What it stands before.
    pub operand: Box<Expr>,
}

/// Two operands and what joins them.
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// Where the operator stands.
    pub op_span: Span,
    /// Left operand.
    pub left: Expr,
    /// Right operand.
    pub right: Expr,
    /// Whether a comparison gives 0 or 1 rather than filtering.
    pub returns_bool: bool,
    /// How series of two vectors find each other.
    pub matching: Matching,
}

/// Dropping a chain of many thousand terms must not recurse once per term.
impl Drop for Binary {
    fn drop(&mut self) {
        let mut left = take(&mut self.left);
        while let Node::Binary(binary) = &mut left.node {
            let next = take(&mut binary.left);
            left = next;
        }
    }
}

fn take(expr: &mut Expr) -> Expr {
    let nothing = Expr {
        node: Node::Number(NumberLiteral {
            value: 0.0,
            is_duration: false,
        }),
        span: Span::default(),
    };
    std::mem::replace(expr, nothing)
}

/// The operators between two operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    And,
    Or,
    Unless,
    /// `</`: keep the part of native histograms below.
    TrimUpper,
    /// `>/`: keep the part of native histograms above.
    TrimLower,
}

impl BinaryOp {
    /// As it is written.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::GreaterOrEqual => ">=",
            Self::LessOrEqual => "<=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
        }
    }

    /// `==`, `!=`, `>`, `<`, `>=`, `<=`.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Greater
                | Self::Less
                | Self::GreaterOrEqual
                | Self::LessOrEqual
        )
    }

    /// `</` and `>/`, which cut histograms.
    #[must_use]
    pub fn is_trim(self) -> bool {
        matches!(self, Self::TrimUpper | Self::TrimLower)
    }

    /// `and`, `or`, `unless`.
    #[must_use]
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// Whether results are about something else than the operand, so that its metric name goes.
    #[must_use]
    pub fn drops_name(self) -> bool {
        !self.is_comparison()
            && !self.is_set()
            && !matches!(self, Self::TrimUpper | Self::TrimLower)
    }

    /// The comparison with its sides swapped: `<` for `>`.
    #[must_use]
    pub fn swapped(self) -> Self {
        match self {
            Self::Greater => Self::Less,
            Self::Less => Self::Greater,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::LessOrEqual => Self::GreaterOrEqual,
            other => other,
        }
    }
}

/// How many series of each side may share one match group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Cardinality {
    /// One and one.
    #[default]
    OneToOne,
    /// `group_left`: many on the left.
    ManyToOne,
    /// `group_right`: many on the right.
    OneToMany,
    /// The set operators.
    ManyToMany,
}

/// How series of two vectors find each other.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Matching {
    /// How many per group.
    pub cardinality: Cardinality,
    /// Whether `labels` are those to compare (`on`) or to leave out (`ignoring`).
    pub is_on: bool,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// Labels that the "many" side takes over from the "one" side.
    pub include: Vec<String>,
    /// Value for series that only the right side has.
    pub fill_left: Option<f64>,
    /// Value for series that only the left side has.
    pub fill_right: Option<f64>,
}

/// A function with its arguments.
pub struct Call {
    /// The function.
    pub function: &'static Function,
    /// The arguments, as many as the function takes.
    pub args: Vec<Expr>,
}

/// An aggregation over series.
pub struct Aggregate {
    /// Which.
    pub op: AggregateOp,
    /// The parameter of `topk`, `quantile`, `count_values` and the like.
    pub param: Option<Expr>,
    /// What is aggregated.
    pub expr: Expr,
    /// The labels of `by` or `without`.
    pub grouping: Vec<String>,
    /// Whether `grouping` are the labels to drop.
    pub is_without: bool,
}

/// The aggregations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum AggregateOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
}

impl AggregateOp {
    /// As it is written.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Topk => "topk",
            Self::Bottomk => "bottomk",
            Self::CountValues => "count_values",
            Self::Quantile => "quantile",
            Self::Limitk => "limitk",
            Self::LimitRatio => "limit_ratio",
        }
    }

    /// What its parameter has to be, if it takes one.
    #[must_use]
    pub fn param_type(self) -> Option<ValueType> {
        match self {
            Self::CountValues => Some(ValueType::String),
            Self::Topk | Self::Bottomk | Self::Quantile | Self::Limitk | Self::LimitRatio => {
                Some(ValueType::Scalar)
            }
            _ => None,
        }
    }

    /// Whether the results are some of the series that came in, with their labels.
    #[must_use]
    pub fn keeps_series(self) -> bool {
        matches!(
            self,
            Self::Topk | Self::Bottomk | Self::Limitk | Self::LimitRatio
        )
    }
}

/// The moment that `@` fixes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// `@ 1603774568`.
    Time(Timestamp),
    /// `@ start()`: the first step of the query.
    Start,
    /// `@ end()`: the last step of the query.
    End,
}

/// `offset` and `@`: which moment is looked at instead of the current one.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Shift {
    /// How far back; negative looks ahead.
    pub offset: Option<DurationExpr>,
    /// The fixed moment.
    pub at: Option<At>,
}

/// How a range selector treats its borders (experimental).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Borders {
    /// Take the sample before the range for its start.
    Anchored,
    /// Interpolate at both ends.
    Smoothed,
}

/// A selector of series.
#[derive(Clone, PartialEq, Debug)]
pub struct Selector {
    /// The metric name written before the braces, or empty.
    pub name: String,
    /// All conditions, that of `name` last.
    pub matchers: Vec<Matcher>,
    /// `offset` and `@`.
    pub shift: Shift,
    /// `anchored` or `smoothed`.
    pub borders: Option<Borders>,
}

impl Selector {
    /// The one metric name it can select, whether before or within the braces.
    #[must_use]
    pub fn metric_name(&self) -> Option<&str> {
        if !self.name.is_empty() {
            return Some(&self.name);
        }
        self.matchers
            .iter()
            .find(|matcher| {
                matcher.name() == firebell_model::METRIC_NAME
                    && matcher.op() == firebell_model::MatchOp::Equal
            })
            .map(Matcher::value)
    }
}

/// A selector of samples.
#[derive(Clone, PartialEq, Debug)]
pub struct RangeSelector {
    /// Of which series; its `shift` moves the range.
    pub selector: Selector,
    /// How long the range is.
    pub range: DurationExpr,
}

/// An expression evaluated over a range.
pub struct Subquery {
    /// What is evaluated.
    pub expr: Expr,
    /// How long the range is.
    pub range: DurationExpr,
    /// How far apart the evaluations are; the default interval when absent.
    pub step: Option<DurationExpr>,
    /// `offset` and `@`.
    pub shift: Shift,
}

impl Expr {
    /// What it evaluates to.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        let mut expr = self;
        loop {
            return match &expr.node {
                Node::Number(_) => ValueType::Scalar,
                Node::String(_) => ValueType::String,
                Node::Paren(inner) => {
                    expr = inner;
                    continue;
                }
                Node::Unary(unary) => {
                    expr = &unary.operand;
                    continue;
                }
                // The right side first: chains nest to the left.
                Node::Binary(binary) => {
                    if binary.right.value_type() != ValueType::Scalar {
                        return ValueType::Vector;
                    }
                    expr = &binary.left;
                    continue;
                }
                Node::Call(call) => call.function.result,
                Node::Aggregate(_) | Node::Selector(_) => ValueType::Vector,
                Node::Range(_) | Node::Subquery(_) => ValueType::Matrix,
            };
        }
    }

    /// The expression inside any parentheses around it.
    #[must_use]
    pub fn unwrap_parens(&self) -> &Self {
        let mut expr = self;
        while let Node::Paren(inner) = &expr.node {
            expr = inner;
        }
        expr
    }

    /// Visits this node and all below it, parents first, from left to right.
    pub fn walk<'a>(&'a self, mut visit: impl FnMut(&'a Self)) {
        let mut stack = vec![self];
        while let Some(expr) = stack.pop() {
            visit(expr);
            match &expr.node {
                Node::Number(_) | Node::String(_) | Node::Selector(_) | Node::Range(_) => {}
                Node::Paren(inner) => stack.push(inner),
                Node::Unary(unary) => stack.push(&unary.operand),
                Node::Binary(binary) => stack.extend([&binary.right, &binary.left]),
                Node::Call(call) => stack.extend(call.args.iter().rev()),
                Node::Aggregate(aggregate) => {
                    stack.push(&aggregate.expr);
                    stack.extend(&aggregate.param);
                }
                Node::Subquery(subquery) => stack.push(&subquery.expr),
            }
        }
    }

    /// All selectors in it, from left to right, with their places: what it reads.
    #[must_use]
    pub fn selectors(&self) -> Vec<(&Selector, Span)> {
        let mut found = Vec::new();
        self.walk(|expr| match &expr.node {
            Node::Selector(selector) => found.push((selector, expr.span)),
            Node::Range(range) => found.push((&range.selector, expr.span)),
            _ => {}
        });
        found
    }
}

/// A comparison of an expression with a number, for the line in an alert's graph.
#[derive(Clone, Debug)]
pub struct Threshold<'a> {
    /// The side that is not the number.
    pub left: &'a Expr,
    /// The comparison, turned so that the number stands on the right.
    pub op: BinaryOp,
    /// The number.
    pub value: f64,
}

/// The threshold of an expression whose outermost operator compares with a number.
#[must_use]
pub fn threshold(expr: &Expr) -> Option<Threshold<'_>> {
    let Node::Binary(binary) = &expr.unwrap_parens().node else {
        return None;
    };
    if !binary.op.is_comparison() {
        return None;
    }
    if let Some(value) = constant(&binary.right) {
        let (left, op) = (&binary.left, binary.op);
        return Some(Threshold { left, op, value });
    }
    let value = constant(&binary.left)?;
    let (left, op) = (&binary.right, binary.op.swapped());
    Some(Threshold { left, op, value })
}

/// The value of an expression of numbers only, such as `5 * 60`.
fn constant(expr: &Expr) -> Option<f64> {
    match &expr.unwrap_parens().node {
        Node::Number(number) => Some(number.value),
        Node::Unary(unary) => {
            constant(&unary.operand).map(|it| if unary.is_minus { -it } else { it })
        }
        // One level is what people write; deeper chains are left alone rather than recursed into.
        Node::Binary(binary) => {
            let (Node::Number(left), Node::Number(right)) = (
                &binary.left.unwrap_parens().node,
                &binary.right.unwrap_parens().node,
            ) else {
                return None;
            };
            crate::arithmetic::apply(binary.op, left.value, right.value)
        }
        _ => None,
    }
}
