//! The functions that templates call, by flavour.

mod alertmanager;
mod builtin;
mod compare;
mod escape;
mod humanize;
mod json;
mod own;
mod prometheus;
mod text;
mod title;

use firebell_model::Quoted;

use crate::exec::{Budget, Context};
use crate::value::{List, Value};

pub(crate) use self::escape::query_escape;

/// Which functions a text may call, besides Go's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Functions {
    Prometheus,
    Alertmanager,
}

impl Functions {
    pub(crate) fn find(self, name: &str) -> Option<&'static Function> {
        let of_flavour: [&[Function]; 2] = match self {
            Self::Prometheus => [prometheus::FUNCTIONS, &[]],
            Self::Alertmanager => [alertmanager::FUNCTIONS, own::FUNCTIONS],
        };
        let shared = [text::FUNCTIONS, builtin::FUNCTIONS];
        let all = of_flavour.into_iter().chain(shared).flatten();
        all.into_iter().find(|function| function.name == name)
    }
}

/// A function: how many arguments it takes, and what it does with them.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    args_min: usize,
    args_max: usize,
    /// Whether the first argument is a regular expression.
    pub(crate) takes_pattern: bool,
    /// For `and` and `or`: the truth of the argument that decides.
    pub(crate) stops_at: Option<bool>,
    pub(crate) run: fn(&mut Call<'_>) -> Result<Value, String>,
}

impl Function {
    /// A function of exactly `n_args` arguments.
    const fn new(
        name: &'static str,
        n_args: usize,
        run: fn(&mut Call<'_>) -> Result<Value, String>,
    ) -> Self {
        Self {
            name,
            args_min: n_args,
            args_max: n_args,
            takes_pattern: false,
            stops_at: None,
            run,
        }
    }

    /// A function of `args_min` arguments or more.
    const fn variadic(
        name: &'static str,
        args_min: usize,
        run: fn(&mut Call<'_>) -> Result<Value, String>,
    ) -> Self {
        let mut function = Self::new(name, args_min, run);
        function.args_max = usize::MAX;
        function
    }

    const fn with_pattern(mut self) -> Self {
        self.takes_pattern = true;
        self
    }

    const fn stopping_at(mut self, truth: bool) -> Self {
        self.stops_at = Some(truth);
        self
    }

    pub(crate) fn check_count(&self, n_args: usize) -> Result<(), String> {
        let Self {
            name,
            args_min,
            args_max,
            ..
        } = *self;
        if (args_min..=args_max).contains(&n_args) {
            return Ok(());
        }
        let least = if args_max > args_min { "at least " } else { "" };
        Err(format!(
            "wrong number of args for {name}: want {least}{args_min} got {n_args}"
        ))
    }
}

/// One call: arguments, and what the run offers. The number of arguments has been checked.
pub(crate) struct Call<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) budget: &'a mut Budget,
    pub(crate) args: Vec<Value>,
}

impl Call<'_> {
    fn arg(&self, idx: usize) -> &Value {
        self.args.get(idx).unwrap_or(&Value::Nil)
    }

    fn text(&self, idx: usize) -> Result<&str, String> {
        let arg = self.arg(idx);
        arg.as_text().ok_or_else(|| wrong_type("string", arg))
    }

    fn list(&self, idx: usize) -> Result<&List, String> {
        match self.arg(idx) {
            Value::List(list) => Ok(list),
            other => Err(wrong_type("[]interface {}", other)),
        }
    }

    fn texts(&self, idx: usize) -> Result<Vec<&str>, String> {
        let list = self.list(idx)?;
        list.items
            .iter()
            .map(|item| item.as_text().ok_or_else(|| wrong_type("[]string", item)))
            .collect()
    }

    /// A number, whatever form it has: what Prometheus's `humanize` functions take.
    fn number(&self, idx: usize) -> Result<f64, String> {
        match self.arg(idx) {
            Value::Float(value) => Ok(*value),
            Value::Int(value) => Ok(*value as f64),
            Value::Duration(nanos) => Ok(*nanos as f64 / 1e9),
            other => match other.as_text() {
                Some(text) => go_float(text),
                None if matches!(other, Value::Nil) => {
                    Err("can't convert <nil> to float".to_owned())
                }
                None => Err(format!("can't convert {} to float", other.type_name())),
            },
        }
    }
}

/// A number as Go's `strconv.ParseFloat` reads it.
fn go_float(text: &str) -> Result<f64, String> {
    let failed = |why| format!("strconv.ParseFloat: parsing {}: {why}", Quoted(text));
    firebell_model::read_float(text).map_err(failed)
}

fn wrong_type(want: &str, got: &Value) -> String {
    let got = got.type_name();
    format!("wrong type for value; expected {want}; got {got}")
}
