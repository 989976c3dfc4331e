//! An expression as a list of operations, operands before their users.
//!
//! *Invariants*: every operation but the last has exactly one user, so that its result moves there.
//! Nothing here depends on series; that is bound by [`crate::Prepared`].

mod reference;

use std::sync::Arc;

use firebell_model::{Labels, METRIC_NAME, MatchOp, Matcher};

use crate::ast::{
    AggregateOp, At, BinaryOp, Borders, Call, Expr, Matching, Node, Selector, Shift, Span,
    StringLiteral, ValueType,
};
use crate::duration::DurationExpr;
use crate::features::Features;
use crate::functions::{HistogramStat, Kind, Map, Other, Window};
use crate::parse::{ParseError, parse_with};

pub(crate) use reference::{Place, Reference};

/// A parsed and planned expression: immutable, cheap to clone, shared by all who evaluate it.
#[derive(Clone)]
pub struct Plan(Arc<Planned>);

struct Planned {
    text: String,
    expr: Expr,
    program: Program,
}

impl Plan {
    /// Parses and plans an expression.
    ///
    /// # Errors
    /// When the text is no expression.
    pub fn new(text: &str) -> Result<Self, ParseError> {
        Self::with_features(text, Features::ALL)
    }

    /// Parses and plans an expression that may use the experimental parts given.
    ///
    /// # Errors
    /// When the text is no expression.
    pub fn with_features(text: &str, features: Features) -> Result<Self, ParseError> {
        let expr = parse_with(text, features)?;
        let program = Program::of(&expr);
        let text = text.to_owned();
        Ok(Self(Arc::new(Planned {
            text,
            expr,
            program,
        })))
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The expression as a tree.
    #[must_use]
    pub fn expr(&self) -> &Expr {
        &self.0.expr
    }

    pub(crate) fn program(&self) -> &Program {
        &self.0.program
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plan({})", self.text())
    }
}

/// Operations in the order of their evaluation; the last one gives the result.
pub(crate) struct Program {
    pub(crate) ops: Vec<Op>,
}

/// Whether what is being planned needs no more of native histograms than their count and sum.
///
/// Source: Prometheus, `promql/engine.go`, `detectHistogramStatsDecoding`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Detail {
    /// As far as is known, it does.
    Whole,
    Totals,
    /// It does, whatever is further inside.
    WholeInside,
}

/// A program in the making.
struct Planner {
    ops: Vec<Op>,
    detail: Detail,
}

/// The index of an operation.
pub(crate) type OpIdx = usize;

pub(crate) struct Op {
    pub(crate) kind: OpKind,
    /// Whether the result is the same at every step, so that one is enough.
    pub(crate) is_invariant: bool,
    /// Where its expression stands, for annotations.
    pub(crate) span: Span,
    /// The first of the operations whose results end up in it: they are those before it.
    pub(crate) first: OpIdx,
    /// What its expression was planned with.
    pub(crate) detail: Detail,
}

pub(crate) enum OpKind {
    Number(f64),
    String(StringLiteral),
    /// Values of series at a moment.
    Select(Reader),
    /// When the values of series at a moment were taken.
    Timestamps(Reader),
    /// Since when the values of series at a moment count.
    Starts(Reader),
    /// A range vector as the result of the whole query.
    Matrix(WindowSource),
    Window {
        window: Window,
        source: WindowSource,
        args: Vec<OpIdx>,
        /// Where the range vector stands, for annotations.
        source_span: Span,
        /// The labels of what is absent.
        absent: Labels,
    },
    Negate(OpIdx),
    Binary(BinaryOperation),
    Aggregate(Aggregation),
    Map(Map, Vec<OpIdx>),
    /// A function of native histograms only.
    Histogram(HistogramStat, OpIdx),
    Absent(OpIdx, Labels),
    Other(Other, Vec<OpIdx>),
    Info(InfoCall),
}

/// `info`: a vector, and the info series that describe its series.
pub(crate) struct InfoCall {
    pub(crate) operand: OpIdx,
    /// The info series.
    pub(crate) reader: Reader,
    /// When info series are read: where all that is described is.
    pub(crate) reference: Reference,
    /// What the name of an info series has to be.
    pub(crate) names: Vec<Matcher>,
    /// The labels that are wanted, with what they have to be; all labels when there are none.
    pub(crate) data: Vec<Matcher>,
}

/// The info series that are meant when no name is given.
const INFO_SERIES_DEFAULT: &str = "target_info";
/// Those among which names are left out, when that is all that is said of names.
const INFO_SERIES_ALL: &str = ".+_info";

pub(crate) struct BinaryOperation {
    pub(crate) op: BinaryOp,
    /// Where the operation stands, for annotations.
    pub(crate) span: Span,
    pub(crate) left: OpIdx,
    pub(crate) right: OpIdx,
    pub(crate) returns_bool: bool,
    pub(crate) matching: Matching,
}

pub(crate) struct Aggregation {
    pub(crate) op: AggregateOp,
    pub(crate) param: Option<OpIdx>,
    /// Where the parameter stands, inside of any parentheses: there annotations point.
    pub(crate) param_span: Span,
    pub(crate) operand: OpIdx,
    /// Where annotations on ignored histograms point: to the operand, but for `topk` and `bottomk`
    /// to the whole.
    pub(crate) ignored_span: Span,
    /// Where the operand stands.
    pub(crate) operand_span: Span,
    /// Sorted.
    pub(crate) grouping: Vec<String>,
    pub(crate) is_without: bool,
}

/// Which series are read, and how far from the current moment.
pub(crate) struct Reader {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) shift: Shift,
    pub(crate) borders: Option<Borders>,
    /// Whether only count and sum of native histograms are wanted.
    pub(crate) skips_buckets: bool,
    /// Where it stands, for annotations.
    pub(crate) span: Span,
}

/// Where windows of samples come from.
pub(crate) enum WindowSource {
    Series {
        reader: Reader,
        range: DurationExpr,
    },
    Subquery {
        program: Program,
        range: DurationExpr,
        step: Option<DurationExpr>,
        shift: Shift,
    },
}

impl Program {
    pub(crate) fn of(expr: &Expr) -> Self {
        Self::planned(expr, Detail::Whole)
    }

    fn planned(expr: &Expr, detail: Detail) -> Self {
        let mut planner = Planner {
            ops: Vec::new(),
            detail,
        };
        planner.add(expr);
        Self { ops: planner.ops }
    }
}

impl Planner {
    fn push(&mut self, kind: OpKind, is_invariant: bool) -> OpIdx {
        let op = self.ops.len();
        self.ops.push(Op {
            kind,
            is_invariant,
            span: Span::default(),
            first: op,
            detail: self.detail,
        });
        op
    }

    /// Says where an operation stands in the text and among the operations.
    fn place(&mut self, op: OpIdx, span: Span, first: OpIdx) {
        let detail = self.detail;
        let op = &mut self.ops[op];
        (op.span, op.first, op.detail) = (span, first, detail);
    }

    fn are_invariant(&self, ops: &[OpIdx]) -> bool {
        ops.iter().all(|&op| self.ops[op].is_invariant)
    }

    fn add(&mut self, expr: &Expr) -> OpIdx {
        let detail = self.detail;
        self.detail = match &expr.node {
            Node::Binary(_) => Detail::Whole,
            Node::Call(call) => match call.function.kind {
                _ if detail == Detail::WholeInside => detail,
                Kind::Histogram(HistogramStat::Count | HistogramStat::Sum | HistogramStat::Avg) => {
                    Detail::Totals
                }
                Kind::Other(
                    Other::HistogramQuantile | Other::HistogramQuantiles | Other::HistogramFraction,
                ) => Detail::WholeInside,
                _ => detail,
            },
            _ => detail,
        };
        let first = self.ops.len();
        let op = self.add_node(expr);
        self.detail = detail;
        self.place(op, expr.span, first);
        op
    }

    fn add_node(&mut self, expr: &Expr) -> OpIdx {
        match &expr.node {
            Node::Number(number) => self.push(OpKind::Number(number.value), true),
            Node::String(string) => self.push(OpKind::String(string.clone()), true),
            Node::Paren(inner) => self.add(inner),
            Node::Unary(unary) => {
                let operand = self.add(&unary.operand);
                if !unary.is_minus {
                    return operand;
                }
                let is_invariant = self.ops[operand].is_invariant;
                self.push(OpKind::Negate(operand), is_invariant)
            }
            Node::Binary(_) => self.add_chain(expr),
            Node::Call(call) => self.add_call(call),
            Node::Aggregate(aggregate) => {
                let param = aggregate.param.as_ref().map(|param| self.add(param));
                let operand = self.add(&aggregate.expr);
                let mut grouping = aggregate.grouping.clone();
                grouping.sort();
                let is_invariant = self.ops[operand].is_invariant
                    && param.is_none_or(|param| self.ops[param].is_invariant);
                let aggregation = Aggregation {
                    op: aggregate.op,
                    param,
                    param_span: aggregate
                        .param
                        .as_ref()
                        .map_or_else(Span::default, |param| param.unwrap_parens().span),
                    operand,
                    ignored_span: match aggregate.op {
                        AggregateOp::Topk | AggregateOp::Bottomk => expr.span,
                        _ => aggregate.expr.span,
                    },
                    operand_span: aggregate.expr.span,
                    grouping,
                    is_without: aggregate.is_without,
                };
                self.push(OpKind::Aggregate(aggregation), is_invariant)
            }
            Node::Selector(selector) => {
                let reader = Reader::of(selector, expr.span, self.detail);
                let is_invariant = reader.shift.at.is_some();
                self.push(OpKind::Select(reader), is_invariant)
            }
            Node::Range(_) | Node::Subquery(_) => {
                let source = WindowSource::of(expr, self.detail);
                let is_invariant = source.is_invariant();
                self.push(OpKind::Matrix(source), is_invariant)
            }
        }
    }

    /// Adds `a + b + c` from the innermost left operand outwards, without recursing into the chain.
    fn add_chain(&mut self, expr: &Expr) -> OpIdx {
        let mut chain = Vec::new();
        let mut next = expr;
        while let Node::Binary(binary) = &next.node {
            chain.push((next.span, binary));
            next = &binary.left;
        }
        let first = self.ops.len();
        let mut left = self.add(next);
        while let Some((span, binary)) = chain.pop() {
            let right = self.add(&binary.right);
            let is_invariant = self.are_invariant(&[left, right]);
            let operation = BinaryOperation {
                op: binary.op,
                span,
                left,
                right,
                returns_bool: binary.returns_bool,
                matching: binary.matching.clone(),
            };
            left = self.push(OpKind::Binary(operation), is_invariant);
            self.place(left, span, first);
        }
        left
    }

    fn add_call(&mut self, call: &Call) -> OpIdx {
        if let Kind::Window(window) = call.function.kind {
            return self.add_window(window, call);
        }
        if let Kind::Other(function @ (Other::Timestamp | Other::StartTimestamp)) =
            call.function.kind
            && let arg = call.args[0].unwrap_parens()
            && let Node::Selector(selector) = &arg.node
        {
            let reader = Reader::of(selector, arg.span, self.detail);
            let is_invariant = reader.shift.at.is_some();
            let kind = match function {
                Other::Timestamp => OpKind::Timestamps(reader),
                _ => OpKind::Starts(reader),
            };
            return self.push(kind, is_invariant);
        }
        if call.function.kind == Kind::Other(Other::Info) {
            return self.add_info(call);
        }
        let args: Vec<OpIdx> = call.args.iter().map(|arg| self.add(arg)).collect();
        let depends_on_time = match call.function.kind {
            Kind::Map(map) => args.is_empty() || map.is_date(),
            Kind::Other(Other::Time | Other::Timestamp) => true,
            _ => false,
        };
        let is_invariant = !depends_on_time && self.are_invariant(&args);
        let kind = match call.function.kind {
            Kind::Map(map) => OpKind::Map(map, args),
            Kind::Histogram(stat) => OpKind::Histogram(stat, args[0]),
            Kind::Other(Other::Absent) => OpKind::Absent(args[0], absent_labels(&call.args[0])),
            Kind::Other(other) => OpKind::Other(other, args),
            Kind::Window(_) => unreachable!("windows have been added above"),
        };
        self.push(kind, is_invariant)
    }

    fn add_info(&mut self, call: &Call) -> OpIdx {
        let operand = self.add(&call.args[0]);
        let selector = call.args.get(1).map(|arg| &arg.unwrap_parens().node);
        let (mut names, data): (Vec<_>, Vec<_>) = match selector {
            Some(Node::Selector(selector)) => {
                let matchers = selector.matchers.iter().cloned();
                matchers.partition(|it| it.name() == METRIC_NAME)
            }
            _ => Default::default(),
        };
        let is_positive = |it: &Matcher| matches!(it.op(), MatchOp::Equal | MatchOp::Regex);
        if names.is_empty() {
            names.push(Matcher::equal(METRIC_NAME, INFO_SERIES_DEFAULT));
        } else if !names.iter().any(is_positive) {
            let all = Matcher::new(METRIC_NAME, MatchOp::Regex, INFO_SERIES_ALL);
            names.extend(all);
        }
        let matchers = names.iter().chain(&data).cloned().collect();
        let info = InfoCall {
            operand,
            reader: Reader {
                matchers,
                shift: Shift::default(),
                borders: None,
                skips_buckets: false,
                span: Span::default(),
            },
            reference: Reference::of(&call.args[0]),
            names,
            data,
        };
        self.push(OpKind::Info(info), false)
    }

    fn add_window(&mut self, window: Window, call: &Call) -> OpIdx {
        let mut args = Vec::new();
        let mut found = None;
        for arg in &call.args {
            if arg.value_type() == ValueType::Matrix {
                found = Some(arg.unwrap_parens());
            } else {
                args.push(self.add(arg));
            }
        }
        let Some(arg) = found else {
            unreachable!("the checker has seen a range vector among the arguments");
        };
        let source = WindowSource::of(arg, self.detail);
        // Upstream's annotations on subqueries point to the start of the query.
        let source_span = match source {
            // They point to the first argument, whichever that is.
            _ if window == Window::Quantile => call.args[0].span,
            WindowSource::Series { .. } => arg.span,
            WindowSource::Subquery { .. } => Span::default(),
        };
        // What it predicts lies a fixed time after the moment of evaluation.
        let depends_on_time = window == Window::PredictLinear;
        let is_invariant = !depends_on_time && source.is_invariant() && self.are_invariant(&args);
        let absent = absent_labels(arg);
        let kind = OpKind::Window {
            window,
            source,
            args,
            source_span,
            absent,
        };
        self.push(kind, is_invariant)
    }
}

impl Reader {
    fn of(selector: &Selector, span: Span, detail: Detail) -> Self {
        Self {
            matchers: selector.matchers.clone(),
            shift: selector.shift.clone(),
            borders: selector.borders,
            skips_buckets: detail == Detail::Totals,
            span,
        }
    }
}

impl WindowSource {
    fn of(expr: &Expr, detail: Detail) -> Self {
        match &expr.node {
            Node::Range(range) => Self::Series {
                reader: Reader::of(&range.selector, expr.span, detail),
                range: range.range.clone(),
            },
            Node::Subquery(subquery) => Self::Subquery {
                program: Program::planned(&subquery.expr, Detail::WholeInside),
                range: subquery.range.clone(),
                step: subquery.step.clone(),
                shift: subquery.shift.clone(),
            },
            _ => unreachable!("the checker has seen a range vector"),
        }
    }

    pub(crate) fn shift(&self) -> &Shift {
        match self {
            Self::Series { reader, .. } => &reader.shift,
            Self::Subquery { shift, .. } => shift,
        }
    }

    /// How the borders of its windows are treated, when that was said.
    pub(crate) fn borders(&self) -> Option<Borders> {
        match self {
            Self::Series { reader, .. } => reader.borders,
            Self::Subquery { .. } => None,
        }
    }

    pub(crate) fn range(&self) -> &DurationExpr {
        match self {
            Self::Series { range, .. } | Self::Subquery { range, .. } => range,
        }
    }

    fn is_invariant(&self) -> bool {
        self.shift().at.is_some()
    }
}

impl Map {
    pub(crate) fn is_date(self) -> bool {
        matches!(
            self,
            Self::Minute
                | Self::Hour
                | Self::DayOfWeek
                | Self::DayOfMonth
                | Self::DayOfYear
                | Self::DaysInMonth
                | Self::Month
                | Self::Year
        )
    }
}

/// The labels that something absent would have had: those that its selector fixes.
fn absent_labels(arg: &Expr) -> Labels {
    let matchers = match &arg.unwrap_parens().node {
        Node::Selector(selector) => &selector.matchers,
        Node::Range(range) => &range.selector.matchers,
        _ => return Labels::empty(),
    };
    let mut builder = Labels::empty().to_builder();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|it| it.name() != METRIC_NAME) {
        if matcher.op() == MatchOp::Equal && !seen.contains(&matcher.name()) {
            builder.set(matcher.name(), matcher.value());
        } else {
            builder.remove(matcher.name());
        }
        seen.push(matcher.name());
    }
    builder.build()
}

/// The fixed moment of `@`, if any.
pub(crate) fn fixed_moment(
    shift: &Shift,
    start: firebell_model::Timestamp,
    end: firebell_model::Timestamp,
) -> Option<firebell_model::Timestamp> {
    Some(match shift.at? {
        At::Time(at) => at,
        At::Start => start,
        At::End => end,
    })
}
