//! What a rule's text asks for, found without running it: for those who judge rules before they are
//! live.
//!
//! *Invariants*: only what is certain is said. Inside of `range`, and of `with` on anything but the
//! alert's own data, the dot is something else, and nothing is said of its fields.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::alert::FIELDS;
use crate::ast::{Command, Expr, ExprKind, Node, Pipe};
use crate::parser::Parsed;
use crate::value::Value;

/// One thing that a text asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mention {
    /// What it asks for.
    pub what: Mentioned,
    /// Where it stands, in bytes of the text.
    pub span: Range<usize>,
    /// The functions that it is handed to, the first one first.
    pub through: Vec<&'static str>,
}

/// What a text may ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mentioned {
    /// One label of the sample: `$labels.job`, `.Labels.job`.
    Label(String),
    /// All labels of the sample at once.
    Labels,
    /// One external label.
    ExternalLabel(String),
    /// The value of the sample.
    Value,
    /// The answer to a query that is written out.
    Query(String),
}

/// What an expression stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Thing {
    Root,
    Labels,
    ExternalLabels,
    Value,
    Other,
}

/// Everything that a text asks for, in its order.
pub(crate) fn mentions(parsed: &Parsed) -> Vec<Mention> {
    let mut finder = Finder {
        found: Vec::new(),
        aliases: BTreeMap::new(),
    };
    finder.nodes(&parsed.main.body, Thing::Root);
    finder.found.sort_by_key(|it| it.span.start);
    finder.found
}

struct Finder {
    found: Vec<Mention>,
    // What the text's own variables stand for.
    aliases: BTreeMap<usize, Thing>,
}

impl Finder {
    fn nodes(&mut self, nodes: &[Node], dot: Thing) {
        for node in nodes {
            match node {
                Node::Text(_) | Node::Break | Node::Continue => {}
                Node::Action(pipe) => self.pipe(pipe, dot, &[]),
                Node::Call { argument, .. } => {
                    if let Some(pipe) = argument {
                        self.pipe(pipe, dot, &[]);
                    }
                }
                Node::If(branch) => {
                    self.pipe(&branch.pipe, dot, &[]);
                    self.nodes(&branch.body, dot);
                    self.nodes(&branch.otherwise, dot);
                }
                Node::With(branch) => {
                    let inner = self.thing_of(&branch.pipe, dot);
                    if inner == Thing::Other {
                        self.pipe(&branch.pipe, dot, &[]);
                    }
                    self.nodes(&branch.body, inner);
                    self.nodes(&branch.otherwise, dot);
                }
                Node::Range(branch) => {
                    self.pipe(&branch.pipe, dot, &[]);
                    self.nodes(&branch.body, Thing::Other);
                    self.nodes(&branch.otherwise, dot);
                }
            }
        }
    }

    /// `after`: the functions that take the result of the pipe.
    fn pipe(&mut self, pipe: &Pipe, dot: Thing, after: &[&'static str]) {
        let thing = self.thing_of(pipe, dot);
        for slot in &pipe.slots {
            self.aliases.insert(*slot, thing);
        }
        if !pipe.slots.is_empty() && thing != Thing::Other {
            return;
        }
        for (idx, command) in pipe.commands.iter().enumerate() {
            let later = pipe.commands[idx + 1..].iter().filter_map(function_of);
            let later: Vec<_> = later.chain(after.iter().copied()).collect();
            self.command(command, dot, later);
        }
    }

    fn command(&mut self, command: &Command, dot: Thing, later: Vec<&'static str>) {
        let through: Vec<_> = function_of(command).into_iter().chain(later).collect();
        match (function_of(command), &command.rest[..]) {
            (Some("query"), [argument]) => {
                if let ExprKind::Literal(Value::Text(query)) = &argument.kind {
                    let what = Mentioned::Query(query.to_string());
                    self.say(what, argument, through.get(1..).unwrap_or(&[]));
                    return;
                }
            }
            (Some("index"), [of, key]) => {
                if let ExprKind::Literal(Value::Text(name)) = &key.kind {
                    let what = match self.thing(of, dot) {
                        Thing::Labels => Some(Mentioned::Label(name.to_string())),
                        Thing::ExternalLabels => Some(Mentioned::ExternalLabel(name.to_string())),
                        _ => None,
                    };
                    if let Some(what) = what {
                        self.say(what, of, &through[1..]);
                        return;
                    }
                }
            }
            _ => {}
        }
        for expr in std::iter::once(&command.first).chain(&command.rest) {
            self.expr(expr, dot, &through);
        }
    }

    fn expr(&mut self, expr: &Expr, dot: Thing, through: &[&'static str]) {
        let (thing, names) = match &expr.kind {
            ExprKind::Pipe(pipe) => return self.pipe(pipe, dot, through),
            ExprKind::Chain(inner, _) => return self.expr(inner, dot, through),
            _ => self.resolve(expr, dot),
        };
        let what = match (thing, names) {
            (Thing::Labels, []) => Mentioned::Labels,
            (Thing::Labels, [name, ..]) => Mentioned::Label(name.to_string()),
            (Thing::ExternalLabels, [name, ..]) => Mentioned::ExternalLabel(name.to_string()),
            (Thing::Value, _) => Mentioned::Value,
            _ => return,
        };
        self.say(what, expr, through);
    }

    fn say(&mut self, what: Mentioned, expr: &Expr, through: &[&'static str]) {
        self.found.push(Mention {
            what,
            span: expr.span.start..expr.span.end,
            through: through.to_vec(),
        });
    }

    /// What a pipe of a single value stands for.
    fn thing_of(&self, pipe: &Pipe, dot: Thing) -> Thing {
        match &pipe.commands[..] {
            [command] if command.rest.is_empty() => self.thing(&command.first, dot),
            _ => Thing::Other,
        }
    }

    fn thing(&self, expr: &Expr, dot: Thing) -> Thing {
        match self.resolve(expr, dot) {
            (thing, []) => thing,
            _ => Thing::Other,
        }
    }

    /// What the first name stands for, and the names after it.
    fn resolve<'e>(&self, expr: &'e Expr, dot: Thing) -> (Thing, &'e [std::sync::Arc<str>]) {
        let (thing, names): (Thing, &[std::sync::Arc<str>]) = match &expr.kind {
            ExprKind::Dot => (dot, &[]),
            ExprKind::Field(names) => (dot, names),
            ExprKind::Variable(slot, names) => (self.variable(*slot), names),
            _ => return (Thing::Other, &[]),
        };
        let (Thing::Root, Some((first, rest))) = (thing, names.split_first()) else {
            return (thing, names);
        };
        let field = FIELDS.iter().position(|it| *it == &**first);
        (field.map_or(Thing::Other, |idx| THINGS[idx]), rest)
    }

    fn variable(&self, slot: usize) -> Thing {
        match slot.checked_sub(1) {
            None => Thing::Root,
            Some(idx) if idx < THINGS.len() => THINGS[idx],
            Some(_) => self.aliases.get(&slot).copied().unwrap_or(Thing::Other),
        }
    }
}

fn function_of(command: &Command) -> Option<&'static str> {
    match &command.first.kind {
        ExprKind::Function(function) => Some(function.name),
        _ => None,
    }
}

/// What the variables from slot 1 on are, which is what the fields of the dot are.
const THINGS: [Thing; 4] = [
    Thing::Labels,
    Thing::ExternalLabels,
    Thing::Other,
    Thing::Value,
];

#[cfg(test)]
mod tests {
    use crate::Template;

    fn check(text: &str, expected: &str) {
        let template = Template::compile(text).unwrap();
        let found = template.mentions().into_iter().map(|it| {
            let through = it.through.iter().map(|it| format!(" | {it}"));
            format!(
                "{:?}@{}{}",
                it.what,
                it.span.start,
                through.collect::<String>()
            )
        });
        assert_eq!(found.collect::<Vec<_>>().join("; "), expected, "{text}");
    }

    #[test]
    fn a_text_says_which_labels_and_values_it_asks_for() {
        for (text, expected) in [
            ("plain $value", ""),
            (
                "{{ $labels.job }} {{ .Labels.pod }}",
                "Label(\"job\")@3; Label(\"pod\")@21",
            ),
            ("{{ $value | humanize }}", "Value@3 | humanize"),
            ("{{ printf \"%.1f\" .Value }}", "Value@17 | printf"),
            (
                "{{ humanize (printf \"%f\" $value) }}",
                "Value@25 | printf | humanize",
            ),
            ("{{ $externalLabels.dc }}", "ExternalLabel(\"dc\")@3"),
            ("{{ $labels }}", "Labels@3"),
            (
                "{{ index $labels \"a-b\" | title }}",
                "Label(\"a-b\")@9 | title",
            ),
            ("{{ $l := $labels }}{{ $l.job }}", "Label(\"job\")@22"),
            ("{{ with $labels }}{{ .job }}{{ end }}", "Label(\"job\")@21"),
            ("{{ with .Labels.x }}{{ . }}{{ end }}", "Label(\"x\")@8"),
            (
                "{{ range query \"up == 0\" }}{{ .Labels.x }}{{ $labels.y }}{{ end }}",
                "Query(\"up == 0\")@15; Label(\"y\")@45",
            ),
            (
                "{{ query \"up\" | first | value | humanize }}",
                "Query(\"up\")@9 | first | value | humanize",
            ),
            (
                "{{ if eq $labels.a \"x\" }}{{ $.Value }}{{ end }}",
                "Label(\"a\")@9 | eq; Value@28",
            ),
        ] {
            check(text, expected);
        }
    }
}
