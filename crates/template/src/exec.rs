//! Runs a tree: nodes to text, within a budget.
//!
//! *Sources*: Go, `text/template/exec.go`.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::Timestamp;

use crate::alert::Query;
use crate::ast::{Branch, Command, Definition, Expr, ExprKind, Node, Pipe, Span};
use crate::error::TemplateError;
use crate::functions::{Call, Function};
use crate::histogram;
use crate::html::Html;
use crate::methods;
use crate::print::{Bounded, print_value, printed};
use crate::value::Value;

/// What the functions of a run may ask for.
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    pub(crate) external_url: &'a str,
    pub(crate) query: Option<&'a Query<'a>>,
    /// Answers the function `routeLabels`.
    pub(crate) route_label: Option<&'a RouteLabel<'a>>,
    /// Answers the function `measured`, by fingerprint.
    pub(crate) measured: Option<&'a BTreeMap<String, String>>,
}

impl Context<'_> {
    /// The value of an alert against its threshold, by its fingerprint; empty when unknown.
    pub(crate) fn measured(&self, fingerprint: &str) -> &str {
        let known = self.measured.and_then(|known| known.get(fingerprint));
        known.map_or("", String::as_str)
    }
}

/// The value of a label of the route; empty when there is none.
pub(crate) type RouteLabel<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// The templates that a run may call, innermost first.
pub(crate) type Definitions<'a> = [&'a BTreeMap<Arc<str>, Arc<Definition>>];

/// What a run has left to spend.
pub(crate) struct Budget {
    steps: usize,
    bytes: usize,
}

impl Budget {
    /// Pays for `n` small pieces of work.
    pub(crate) fn spend(&mut self, n: usize) -> Result<(), String> {
        match self.steps.checked_sub(n) {
            Some(left) => self.steps = left,
            None => return Err(format!("template takes more than {STEPS_MAX} steps")),
        }
        Ok(())
    }

    /// Pays for a value that a function made.
    fn spend_bytes(&mut self, n: usize) -> Result<(), String> {
        match self.bytes.checked_sub(n) {
            Some(left) => self.bytes = left,
            None => return Err(format!("template makes more than {WORK_BYTES_MAX} bytes")),
        }
        Ok(())
    }
}

/// Runs a template with `dot`; `variables` fill the slots that were declared before it was parsed.
pub(crate) fn run(
    main: &Definition,
    definitions: &Definitions<'_>,
    context: &Context<'_>,
    dot: Value,
    variables: Vec<Value>,
) -> Result<String, TemplateError> {
    run_as(main, definitions, context, dot, variables, None)
}

/// As [`run`]; into `html`, values are escaped as their place in it asks.
pub(crate) fn run_as(
    main: &Definition,
    definitions: &Definitions<'_>,
    context: &Context<'_>,
    dot: Value,
    variables: Vec<Value>,
    html: Option<Html>,
) -> Result<String, TemplateError> {
    let mut run = Run {
        definitions,
        context,
        budget: Budget {
            steps: STEPS_MAX,
            bytes: WORK_BYTES_MAX,
        },
        out: Bounded::new(OUTPUT_BYTES_MAX),
        html,
        depth: 0,
    };
    run.call(main, dot, variables)?;
    Ok(run.out.into_text())
}

struct Run<'a> {
    definitions: &'a Definitions<'a>,
    context: &'a Context<'a>,
    budget: Budget,
    out: Bounded,
    /// Where in a document the text has got to, if it is one.
    html: Option<Html>,
    /// How many calls, blocks and parentheses are open.
    depth: usize,
}

/// One call of a template: its text for messages, its variables.
struct Frame<'a> {
    text: &'a str,
    slots: Vec<Value>,
}

impl Frame<'_> {
    fn set(&mut self, slot: usize, value: Value) {
        if let Some(known) = self.slots.get_mut(slot) {
            *known = value;
        }
    }
}

/// How a list of nodes ended.
#[derive(PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'a> Run<'a> {
    fn call(
        &mut self,
        definition: &'a Definition,
        dot: Value,
        variables: Vec<Value>,
    ) -> Result<(), TemplateError> {
        let mut slots = Vec::with_capacity(definition.n_slots.max(1 + variables.len()));
        slots.push(dot.clone());
        slots.extend(variables);
        slots.resize(definition.n_slots, Value::Nil);
        let text = &definition.text;
        let mut frame = Frame { text, slots };
        self.nodes(&mut frame, &definition.body, &dot)?;
        Ok(())
    }

    fn nodes(
        &mut self,
        frame: &mut Frame<'a>,
        nodes: &'a [Node],
        dot: &Value,
    ) -> Result<Flow, TemplateError> {
        let mut flow = Flow::Next;
        self.depth += 1;
        for node in nodes {
            flow = self.node(frame, node, dot)?;
            if flow != Flow::Next {
                break;
            }
        }
        self.depth -= 1;
        Ok(flow)
    }

    fn check_depth(&self, frame: &Frame<'a>, span: Span) -> Result<(), TemplateError> {
        if self.depth <= RUN_DEPTH_MAX {
            return Ok(());
        }
        let message = format!("templates, blocks and parentheses are deeper than {RUN_DEPTH_MAX}");
        in_run(frame, span, Err(message))
    }

    fn node(
        &mut self,
        frame: &mut Frame<'a>,
        node: &'a Node,
        dot: &Value,
    ) -> Result<Flow, TemplateError> {
        match node {
            Node::Text(text) => {
                let span = Span::default();
                if let Some(html) = &mut self.html {
                    html.pass(text);
                }
                in_run(frame, span, self.out.push(text).map_err(Into::into))?;
            }
            Node::Action(pipe) => {
                let value = self.pipe(frame, pipe, dot)?;
                if pipe.slots.is_empty() {
                    let printed = self.print(&value, last_function(pipe));
                    in_run(frame, pipe.span, printed)?;
                }
            }
            Node::If(branch) => {
                let value = self.pipe(frame, &branch.pipe, dot)?;
                return self.nodes(frame, chosen(branch, value.is_true()), dot);
            }
            Node::With(branch) => {
                let value = self.pipe(frame, &branch.pipe, dot)?;
                let is_true = value.is_true();
                let dot = if is_true { &value } else { dot };
                return self.nodes(frame, chosen(branch, is_true), dot);
            }
            Node::Range(branch) => return self.range(frame, branch, dot),
            Node::Call {
                span,
                name,
                argument,
            } => {
                let argument = match argument {
                    Some(pipe) => self.pipe(frame, pipe, dot)?,
                    None => Value::Nil,
                };
                self.call_by_name(frame, *span, name, argument)?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn call_by_name(
        &mut self,
        frame: &Frame<'a>,
        span: Span,
        name: &str,
        argument: Value,
    ) -> Result<(), TemplateError> {
        let found = self.definitions.iter().find_map(|known| known.get(name));
        let found = found.ok_or_else(|| format!("template {name:?} not defined"));
        let definition = in_run(frame, span, found)?;
        self.check_depth(frame, span)?;
        in_run(frame, span, self.budget.spend(1 + definition.n_slots))?;
        self.call(definition, argument, Vec::new())
    }

    fn range(
        &mut self,
        frame: &mut Frame<'a>,
        branch: &'a Branch,
        dot: &Value,
    ) -> Result<Flow, TemplateError> {
        let over = self.commands(frame, &branch.pipe, dot)?;
        let n_items = match &over {
            Value::Int(n) if branch.pipe.slots.len() > 1 => {
                let message = format!("can't use {n} to iterate over more than one variable");
                return in_run(frame, branch.pipe.span, Err(message));
            }
            Value::Int(n) => usize::try_from(*n).unwrap_or(0),
            Value::Nil => 0,
            Value::List(_) | Value::Labels(_) | Value::Kv(_) | Value::Map(_) => {
                over.len().unwrap_or(0)
            }
            _ => return in_run(frame, branch.pipe.span, Err(no_range(&over))),
        };
        if n_items == 0 {
            return self.nodes(frame, &branch.otherwise, dot);
        }
        for idx in 0..n_items {
            in_run(frame, branch.pipe.span, self.budget.spend(1))?;
            let (key, item) = entry(&over, idx);
            match branch.pipe.slots.as_slice() {
                [] => {}
                [value_slot] => frame.set(*value_slot, item.clone()),
                [key_slot, value_slot, ..] => {
                    frame.set(*key_slot, key);
                    frame.set(*value_slot, item.clone());
                }
            }
            if self.nodes(frame, &branch.body, &item)? == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    /// The value of a pipeline, also set into its variables.
    fn pipe(
        &mut self,
        frame: &mut Frame<'a>,
        pipe: &'a Pipe,
        dot: &Value,
    ) -> Result<Value, TemplateError> {
        let value = self.commands(frame, pipe, dot)?;
        for &slot in &pipe.slots {
            frame.set(slot, value.clone());
        }
        Ok(value)
    }

    fn commands(
        &mut self,
        frame: &mut Frame<'a>,
        pipe: &'a Pipe,
        dot: &Value,
    ) -> Result<Value, TemplateError> {
        self.check_depth(frame, pipe.span)?;
        self.depth += 1;
        let mut piped = None;
        for command in &pipe.commands {
            piped = Some(self.command(frame, command, dot, piped)?);
        }
        self.depth -= 1;
        Ok(piped.unwrap_or(Value::Nil))
    }

    fn command(
        &mut self,
        frame: &mut Frame<'a>,
        command: &'a Command,
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, TemplateError> {
        in_run(frame, command.span, self.budget.spend(1))?;
        let first = &command.first;
        match &first.kind {
            ExprKind::Function(function) => {
                self.function(frame, function, command.span, &command.rest, dot, piped)
            }
            ExprKind::Field(names) => {
                let args = self.args(frame, &command.rest, dot, piped)?;
                let value = walk(dot, names, &args);
                self.made(frame, first.span, value)
            }
            ExprKind::Variable(slot, names) if !names.is_empty() => {
                let args = self.args(frame, &command.rest, dot, piped)?;
                let value = walk(slot_value(frame, *slot), names, &args);
                self.made(frame, first.span, value)
            }
            ExprKind::Chain(inner, names) => {
                let receiver = self.expr(frame, inner, dot)?;
                let args = self.args(frame, &command.rest, dot, piped)?;
                let value = walk(&receiver, names, &args);
                self.made(frame, first.span, value)
            }
            _ if !command.rest.is_empty() || piped.is_some() => {
                let message = "can't give argument to non-function".to_owned();
                in_run(frame, first.span, Err(message))
            }
            ExprKind::Nil => in_run(frame, first.span, Err("nil is not a command".to_owned())),
            _ => self.expr(frame, first, dot),
        }
    }

    /// An operand by itself: an argument, or the only one of a command.
    fn expr(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        dot: &Value,
    ) -> Result<Value, TemplateError> {
        match &expr.kind {
            ExprKind::Dot => Ok(dot.clone()),
            ExprKind::Nil => Ok(Value::Nil),
            ExprKind::Literal(value) => Ok(value.clone()),
            ExprKind::Field(names) => {
                let value = walk(dot, names, &[]);
                self.made(frame, expr.span, value)
            }
            ExprKind::Variable(slot, names) => {
                let value = walk(slot_value(frame, *slot), names, &[]);
                self.made(frame, expr.span, value)
            }
            ExprKind::Function(function) => {
                self.function(frame, function, expr.span, &[], dot, None)
            }
            ExprKind::Pipe(pipe) => self.pipe(frame, pipe, dot),
            ExprKind::Chain(inner, names) => {
                let receiver = self.expr(frame, inner, dot)?;
                let value = walk(&receiver, names, &[]);
                self.made(frame, expr.span, value)
            }
        }
    }

    fn args(
        &mut self,
        frame: &mut Frame<'a>,
        rest: &'a [Expr],
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Vec<Value>, TemplateError> {
        let mut args = Vec::with_capacity(rest.len() + 1);
        for expr in rest {
            args.push(self.expr(frame, expr, dot)?);
        }
        args.extend(piped);
        Ok(args)
    }

    fn function(
        &mut self,
        frame: &mut Frame<'a>,
        function: &'static Function,
        span: Span,
        rest: &'a [Expr],
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, TemplateError> {
        let n_args = rest.len() + usize::from(piped.is_some());
        in_run(frame, span, function.check_count(n_args))?;
        if let Some(stops_at) = function.stops_at {
            return self.short_circuit(frame, stops_at, rest, dot, piped);
        }
        let args = self.args(frame, rest, dot, piped)?;
        let mut call = Call {
            context: self.context,
            budget: &mut self.budget,
            args,
        };
        let value = (function.run)(&mut call);
        let value = value.map_err(|why| format!("error calling {}: {why}", function.name));
        self.made(frame, span, value)
    }

    /// `and`, `or`: the first argument that decides, or the last.
    fn short_circuit(
        &mut self,
        frame: &mut Frame<'a>,
        stops_at: bool,
        rest: &'a [Expr],
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, TemplateError> {
        let mut value = Value::Nil;
        for expr in rest {
            value = self.expr(frame, expr, dot)?;
            if value.is_true() == stops_at {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    /// Pays for a value that was just made.
    fn made(
        &mut self,
        frame: &Frame<'a>,
        span: Span,
        value: Result<Value, String>,
    ) -> Result<Value, TemplateError> {
        let value = in_run(frame, span, value)?;
        let n_bytes = value.len().unwrap_or(0);
        in_run(frame, span, self.budget.spend_bytes(n_bytes))?;
        Ok(value)
    }

    fn print(&mut self, value: &Value, last: &str) -> Result<(), String> {
        let Some(html) = &mut self.html else {
            match value {
                Value::Nil => self.out.push("<no value>")?,
                value => print_value(&mut self.out, value)?,
            }
            return Ok(());
        };
        // In a document, nothing is shown as nothing.
        if matches!(value, Value::Nil) {
            return Ok(());
        }
        let printed = printed(value)?;
        // What a value was made of by hand is not made of it again.
        let is_made = match last {
            "safeHtml" | "html" => true,
            "urlquery" => html.is_in_query(),
            _ => false,
        };
        if is_made {
            html.pass(&printed);
            self.out.push(&printed)?;
        } else {
            self.out.push(&html.put(&printed))?;
        }
        Ok(())
    }
}

/// The function that a pipe ends in; empty when there is none.
fn last_function(pipe: &Pipe) -> &str {
    match pipe.commands.last().map(|command| &command.first.kind) {
        Some(ExprKind::Function(function)) => function.name,
        _ => "",
    }
}

fn in_run<T>(frame: &Frame<'_>, span: Span, result: Result<T, String>) -> Result<T, TemplateError> {
    result.map_err(|message| TemplateError::in_run(frame.text, span, &message))
}

fn chosen(branch: &Branch, is_true: bool) -> &[Node] {
    if is_true {
        &branch.body
    } else {
        &branch.otherwise
    }
}

fn slot_value<'f>(frame: &'f Frame<'_>, slot: usize) -> &'f Value {
    frame.slots.get(slot).unwrap_or(&Value::Nil)
}

/// Follows field names; the arguments go to the last.
fn walk(receiver: &Value, names: &[Arc<str>], args: &[Value]) -> Result<Value, String> {
    match names {
        [] => Ok(receiver.clone()),
        [last] => methods::field(receiver, last, args),
        [first, rest @ ..] => walk(&methods::field(receiver, first, &[])?, rest, args),
    }
}

/// What is said of a value that `range` cannot go over; shows what a pointer points to.
fn no_range(value: &Value) -> String {
    let shown = match value {
        Value::Histogram(it) => printed(&histogram::structure(it)),
        other => printed(other),
    };
    match shown {
        Ok(shown) => format!("range can't iterate over {shown}"),
        Err(full) => full.into(),
    }
}

/// The key and the value at an index of what `range` goes over.
fn entry(over: &Value, idx: usize) -> (Value, Value) {
    let position = || Value::Int(i64::try_from(idx).unwrap_or(i64::MAX));
    let found = match over {
        Value::List(list) => list.items.get(idx).map(|item| (position(), item.clone())),
        Value::Labels(labels) | Value::Kv(labels) => labels.iter().nth(idx).map(|label| {
            let name = Value::Text(label.name.clone());
            (name, Value::Text(label.value.clone()))
        }),
        Value::Map(map) => {
            let entry = map.entries.iter().nth(idx);
            entry.map(|(name, value)| (Value::Text(name.clone()), value.clone()))
        }
        _ => Some((position(), position())),
    };
    found.unwrap_or((Value::Nil, Value::Nil))
}

/// Commands, iterations and the work inside of functions, per run: well under a second.
pub(crate) const STEPS_MAX: usize = 1_000_000;
/// What functions may make per run.
const WORK_BYTES_MAX: usize = 32 << 20;
/// What a run may print, and the longest text that a function may make.
pub(crate) const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// How deep calls, blocks and parentheses may be open at once: each takes stack.
const RUN_DEPTH_MAX: usize = 200;
