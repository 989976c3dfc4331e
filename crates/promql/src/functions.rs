//! The functions of the language: names, argument types, results.
//!
//! *Sources*: Prometheus, `promql/parser/functions.go`.

use crate::ast::ValueType::{self, Matrix, Scalar, String, Vector};

/// What the parser has to know of a function.
#[derive(PartialEq, Eq, Debug)]
pub struct Function {
    /// As it is written.
    pub name: &'static str,
    /// Types of the arguments; the last one stands for all further ones.
    pub args: &'static [ValueType],
    /// How many arguments may be left out or added at the end.
    pub variadic: Variadic,
    /// What it gives.
    pub result: ValueType,
    /// What evaluates it.
    pub(crate) kind: Kind,
    /// Whether upstream hides it behind a feature flag.
    pub is_experimental: bool,
}

/// How far the number of arguments may vary from [`Function::args`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variadic {
    /// Not at all.
    No,
    /// The last may be absent, or there up to this many times.
    UpTo(usize),
    /// The last may be absent, or there any number of times.
    Any,
}

/// The ways functions are evaluated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A number for every value.
    Map(Map),
    /// A number for every window of samples.
    Window(Window),
    /// Anything else.
    Other(Other),
    /// A number of a native histogram: floats give nothing.
    Histogram(HistogramStat),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HistogramStat {
    Avg,
    Count,
    Stddev,
    Stdvar,
    Sum,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Map {
    Abs,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Ceil,
    Cos,
    Cosh,
    Deg,
    Exp,
    Floor,
    Ln,
    Log10,
    Log2,
    Rad,
    Sgn,
    Sin,
    Sinh,
    Sqrt,
    Tan,
    Tanh,
    // With arguments.
    Round,
    Clamp,
    ClampMin,
    ClampMax,
    // Dates.
    Minute,
    Hour,
    DayOfWeek,
    DayOfMonth,
    DayOfYear,
    DaysInMonth,
    Month,
    Year,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Window {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Deriv,
    PredictLinear,
    Avg,
    Min,
    Max,
    Sum,
    Count,
    First,
    Last,
    Present,
    Absent,
    Stddev,
    Stdvar,
    Mad,
    Quantile,
    Changes,
    Resets,
    Smoothing,
    TsOfMin,
    TsOfMax,
    TsOfFirst,
    TsOfLast,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Other {
    Absent,
    End,
    HistogramFraction,
    HistogramQuantile,
    HistogramQuantiles,
    Info,
    LabelJoin,
    LabelReplace,
    MaxOf,
    MinOf,
    Pi,
    Range,
    Scalar,
    Sort,
    SortDesc,
    SortByLabel,
    SortByLabelDesc,
    Start,
    StartTimestamp,
    Step,
    Time,
    Timestamp,
    Vector,
}

/// The function of a name.
#[must_use]
pub fn function(name: &str) -> Option<&'static Function> {
    let idx = FUNCTIONS
        .binary_search_by(|function| function.name.cmp(name))
        .ok()?;
    Some(&FUNCTIONS[idx])
}

/// All functions, in order of name.
#[must_use]
pub fn functions() -> &'static [Function] {
    FUNCTIONS
}

const fn new(name: &'static str, args: &'static [ValueType], kind: Kind) -> Function {
    Function {
        name,
        args,
        variadic: Variadic::No,
        result: Vector,
        kind,
        is_experimental: false,
    }
}

const fn map(name: &'static str, map: Map) -> Function {
    new(name, &[Vector], Kind::Map(map))
}

const fn date(name: &'static str, part: Map) -> Function {
    new(name, &[Vector], Kind::Map(part)).variadic(Variadic::UpTo(1))
}

const fn window(name: &'static str, window: Window) -> Function {
    new(name, &[Matrix], Kind::Window(window))
}

const fn other(name: &'static str, args: &'static [ValueType], other: Other) -> Function {
    new(name, args, Kind::Other(other))
}

const fn histogram(name: &'static str, stat: HistogramStat) -> Function {
    new(name, &[Vector], Kind::Histogram(stat))
}

impl Function {
    const fn variadic(mut self, variadic: Variadic) -> Self {
        self.variadic = variadic;
        self
    }

    const fn scalar(mut self) -> Self {
        self.result = Scalar;
        self
    }

    const fn experimental(mut self) -> Self {
        self.is_experimental = true;
        self
    }

    const fn args(mut self, args: &'static [ValueType]) -> Self {
        self.args = args;
        self
    }
}

/// Sorted by name: [`function`] searches it.
static FUNCTIONS: &[Function] = &[
    map("abs", Map::Abs),
    other("absent", &[Vector], Other::Absent),
    window("absent_over_time", Window::Absent),
    map("acos", Map::Acos),
    map("acosh", Map::Acosh),
    map("asin", Map::Asin),
    map("asinh", Map::Asinh),
    map("atan", Map::Atan),
    map("atanh", Map::Atanh),
    window("avg_over_time", Window::Avg),
    map("ceil", Map::Ceil),
    window("changes", Window::Changes),
    map("clamp", Map::Clamp).args(&[Vector, Scalar, Scalar]),
    map("clamp_max", Map::ClampMax).args(&[Vector, Scalar]),
    map("clamp_min", Map::ClampMin).args(&[Vector, Scalar]),
    map("cos", Map::Cos),
    map("cosh", Map::Cosh),
    window("count_over_time", Window::Count),
    date("day_of_month", Map::DayOfMonth),
    date("day_of_week", Map::DayOfWeek),
    date("day_of_year", Map::DayOfYear),
    date("days_in_month", Map::DaysInMonth),
    map("deg", Map::Deg),
    window("delta", Window::Delta),
    window("deriv", Window::Deriv),
    window("double_exponential_smoothing", Window::Smoothing)
        .args(&[Matrix, Scalar, Scalar])
        .experimental(),
    other("end", &[], Other::End).scalar().experimental(),
    map("exp", Map::Exp),
    window("first_over_time", Window::First).experimental(),
    map("floor", Map::Floor),
    histogram("histogram_avg", HistogramStat::Avg),
    histogram("histogram_count", HistogramStat::Count),
    other(
        "histogram_fraction",
        &[Scalar, Scalar, Vector],
        Other::HistogramFraction,
    ),
    other(
        "histogram_quantile",
        &[Scalar, Vector],
        Other::HistogramQuantile,
    ),
    other(
        "histogram_quantiles",
        &[Vector, String, Scalar, Scalar],
        Other::HistogramQuantiles,
    )
    .variadic(Variadic::UpTo(9))
    .experimental(),
    histogram("histogram_stddev", HistogramStat::Stddev),
    histogram("histogram_stdvar", HistogramStat::Stdvar),
    histogram("histogram_sum", HistogramStat::Sum),
    date("hour", Map::Hour),
    window("idelta", Window::Idelta),
    window("increase", Window::Increase),
    other("info", &[Vector, Vector], Other::Info)
        .variadic(Variadic::UpTo(1))
        .experimental(),
    window("irate", Window::Irate),
    other(
        "label_join",
        &[Vector, String, String, String],
        Other::LabelJoin,
    )
    .variadic(Variadic::Any),
    other(
        "label_replace",
        &[Vector, String, String, String, String],
        Other::LabelReplace,
    ),
    window("last_over_time", Window::Last),
    map("ln", Map::Ln),
    map("log10", Map::Log10),
    map("log2", Map::Log2),
    window("mad_over_time", Window::Mad).experimental(),
    other("max_of", &[Scalar, Scalar], Other::MaxOf).scalar(),
    window("max_over_time", Window::Max),
    other("min_of", &[Scalar, Scalar], Other::MinOf).scalar(),
    window("min_over_time", Window::Min),
    date("minute", Map::Minute),
    date("month", Map::Month),
    other("pi", &[], Other::Pi).scalar(),
    window("predict_linear", Window::PredictLinear).args(&[Matrix, Scalar]),
    window("present_over_time", Window::Present),
    window("quantile_over_time", Window::Quantile).args(&[Scalar, Matrix]),
    map("rad", Map::Rad),
    other("range", &[], Other::Range).scalar().experimental(),
    window("rate", Window::Rate),
    window("resets", Window::Resets),
    map("round", Map::Round)
        .args(&[Vector, Scalar])
        .variadic(Variadic::UpTo(1)),
    other("scalar", &[Vector], Other::Scalar).scalar(),
    map("sgn", Map::Sgn),
    map("sin", Map::Sin),
    map("sinh", Map::Sinh),
    other("sort", &[Vector], Other::Sort),
    other("sort_by_label", &[Vector, String], Other::SortByLabel)
        .variadic(Variadic::Any)
        .experimental(),
    other(
        "sort_by_label_desc",
        &[Vector, String],
        Other::SortByLabelDesc,
    )
    .variadic(Variadic::Any)
    .experimental(),
    other("sort_desc", &[Vector], Other::SortDesc),
    map("sqrt", Map::Sqrt),
    other("start", &[], Other::Start).scalar().experimental(),
    other("start_timestamp", &[Vector], Other::StartTimestamp).experimental(),
    window("stddev_over_time", Window::Stddev),
    window("stdvar_over_time", Window::Stdvar),
    other("step", &[], Other::Step).scalar().experimental(),
    window("sum_over_time", Window::Sum),
    map("tan", Map::Tan),
    map("tanh", Map::Tanh),
    other("time", &[], Other::Time).scalar(),
    other("timestamp", &[Vector], Other::Timestamp),
    window("ts_of_first_over_time", Window::TsOfFirst).experimental(),
    window("ts_of_last_over_time", Window::TsOfLast).experimental(),
    window("ts_of_max_over_time", Window::TsOfMax).experimental(),
    window("ts_of_min_over_time", Window::TsOfMin).experimental(),
    other("vector", &[Scalar], Other::Vector),
    date("year", Map::Year),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_sorted_so_that_they_are_found() {
        assert!(FUNCTIONS.is_sorted_by_key(|function| function.name));
        assert!(function("rate").is_some() && function("rat").is_none());
    }
}
