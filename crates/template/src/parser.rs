//! Tokens to tree: control structures, pipelines, operands.
//!
//! *Sources*: Go, `text/template/parse/parse.go`; messages are worded as there.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::Regex;

use crate::ast::{Branch, Command, Definition, Expr, ExprKind, Node, Pipe, Span};
use crate::error::TemplateError;
use crate::functions::{Function, Functions};
use crate::lexer::{Literal, Token, TokenKind, tokenize};
use crate::value::{DEPTH_MAX, Value};

/// A parsed text: what it prints, and what it defines.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) main: Definition,
    pub(crate) definitions: BTreeMap<Arc<str>, Arc<Definition>>,
    /// Whether anything looks at the dot or at `$`: most texts of rules do not.
    pub(crate) uses_dot: bool,
}

/// Parses a text. `variables` are declared before it begins, in slots from 1 (slot 0 is `$`).
pub(crate) fn parse(
    text: &str,
    functions: Functions,
    variables: &[&str],
) -> Result<Parsed, TemplateError> {
    let text: Arc<str> = text.into();
    let mut parser = Parser {
        text: &text,
        tokens: tokenize(&text)?,
        next: 0,
        functions,
        scope: Scope::new(variables),
        depth: 0,
        n_ranges: 0,
        definitions: BTreeMap::new(),
        uses_dot: false,
    };
    let (body, end) = parser.nodes()?;
    if !end.word.is_empty() {
        return parser.fail(end.span, format!("unexpected {{{{{}}}}}", end.word));
    }
    let n_slots = parser.scope.n_slots;
    let definitions = std::mem::take(&mut parser.definitions);
    let uses_dot = parser.uses_dot;
    let main = Definition {
        text,
        body,
        n_slots,
    };
    Ok(Parsed {
        main,
        definitions,
        uses_dot,
    })
}

struct Parser<'a> {
    text: &'a Arc<str>,
    tokens: Vec<Token>,
    next: usize,
    functions: Functions,
    scope: Scope,
    depth: usize,
    /// How many `range` bodies are open, in the current definition.
    n_ranges: usize,
    definitions: BTreeMap<Arc<str>, Arc<Definition>>,
    uses_dot: bool,
}

/// The variables that can be seen, innermost last. Slots are never used twice, so that a branch
/// that does not run cannot shift those of another.
struct Scope {
    variables: Vec<(String, usize)>,
    n_slots: usize,
}

impl Scope {
    fn new(variables: &[&str]) -> Self {
        let mut scope = Self {
            variables: Vec::new(),
            n_slots: 0,
        };
        for name in [&"$"].into_iter().chain(variables) {
            scope.declare(name);
        }
        scope
    }

    fn declare(&mut self, name: &str) -> usize {
        self.variables.push((name.to_owned(), self.n_slots));
        self.n_slots += 1;
        self.n_slots - 1
    }

    fn slot(&self, name: &str) -> Option<usize> {
        let (_, slot) = self.variables.iter().rev().find(|(it, _)| it == name)?;
        Some(*slot)
    }
}

/// What ended a list of nodes: `end`, `else`, or (empty) the text's end.
struct ListEnd<'a> {
    word: &'a str,
    span: Span,
}

/// The variables left of `:=` or `=`.
struct Targets {
    names: Vec<Token>,
    declares: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn fail<T>(&self, span: Span, message: impl Into<String>) -> Result<T, TemplateError> {
        Err(TemplateError::at(self.text, span.start, message))
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Result<T, TemplateError> {
        match token.kind {
            TokenKind::End => self.fail(token.span, "unexpected EOF"),
            _ => {
                let piece = token.span.of(self.text);
                self.fail(token.span, format!("unexpected `{piece}` in {context}"))
            }
        }
    }

    fn close(&mut self, context: &str) -> Result<(), TemplateError> {
        let token = self.take();
        match token.kind {
            TokenKind::Close => Ok(()),
            _ => self.unexpected(&token, context),
        }
    }

    /// Counts one level of nesting for as long as `parse` runs.
    fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX}");
            return self.fail(self.peek().span, message);
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Nodes up to `{{end}}`, `{{else` or the text's end; of `else`, only the word is taken.
    fn nodes(&mut self) -> Result<(Vec<Node>, ListEnd<'a>), TemplateError> {
        let text: &'a str = self.text;
        let mut nodes = Vec::new();
        loop {
            let token = self.take();
            match token.kind {
                TokenKind::Text => nodes.push(Node::Text(token.span.of(text).into())),
                TokenKind::Open => {
                    let first = self.peek().clone();
                    let word = match first.kind {
                        TokenKind::Word => first.span.of(text),
                        _ => "",
                    };
                    if word == "end" || word == "else" {
                        self.next += 1;
                        if word == "end" {
                            self.close("end")?;
                        }
                        let span = token.span;
                        return Ok((nodes, ListEnd { word, span }));
                    }
                    if let Some(node) = self.nested(|it| it.action(word))? {
                        nodes.push(node);
                    }
                }
                _ => {
                    let (word, span) = ("", token.span);
                    return Ok((nodes, ListEnd { word, span }));
                }
            }
        }
    }

    /// One action, up to its last closing delimiter; `define` leaves no node.
    fn action(&mut self, word: &str) -> Result<Option<Node>, TemplateError> {
        let node = match word {
            "if" => Node::If(self.branch("if")?),
            "with" => Node::With(self.branch("with")?),
            "range" => Node::Range(self.branch("range")?),
            "template" => self.call()?,
            "block" => self.block()?,
            "define" => {
                self.define()?;
                return Ok(None);
            }
            "break" | "continue" => {
                let span = self.take().span;
                if self.n_ranges == 0 {
                    return self.fail(span, format!("{{{{{word}}}}} outside {{{{range}}}}"));
                }
                self.close(word)?;
                match word {
                    "break" => Node::Break,
                    _ => Node::Continue,
                }
            }
            _ => {
                // A variable declared here lives until the end of the list around it.
                let pipe = self.pipe("command", 1)?;
                self.close("command")?;
                Node::Action(pipe)
            }
        };
        Ok(Some(node))
    }

    fn branch(&mut self, word: &'static str) -> Result<Branch, TemplateError> {
        self.take();
        let n_visible = self.scope.variables.len();
        let is_range = word == "range";
        let pipe = self.pipe(word, if is_range { 2 } else { 1 })?;
        self.close(word)?;
        let n_in_pipe = self.scope.variables.len();
        self.n_ranges += usize::from(is_range);
        let (body, end) = self.nodes()?;
        self.n_ranges -= usize::from(is_range);
        self.scope.variables.truncate(n_in_pipe);
        let otherwise = match end.word {
            "" => return self.fail(end.span, "unexpected EOF"),
            "else" => self.otherwise(word)?,
            _ => Vec::new(),
        };
        self.scope.variables.truncate(n_visible);
        Ok(Branch {
            pipe,
            body,
            otherwise,
        })
    }

    /// What follows `{{else`: an own branch for `else if` and `else with`, or nodes up to `end`.
    fn otherwise(&mut self, word: &'static str) -> Result<Vec<Node>, TemplateError> {
        let next = self.peek().clone();
        let is_chained =
            next.kind == TokenKind::Word && next.span.of(self.text) == word && word != "range";
        if is_chained {
            let branch = self.nested(|it| it.branch(word))?;
            let node = match word {
                "if" => Node::If(branch),
                _ => Node::With(branch),
            };
            return Ok(vec![node]);
        }
        self.close("else")?;
        let (nodes, end) = self.nodes()?;
        match end.word {
            "end" => Ok(nodes),
            "else" => self.fail(end.span, "expected end; found {{else}}"),
            _ => self.fail(end.span, "unexpected EOF"),
        }
    }

    /// The quoted name after `template`, `block` and `define`.
    fn quoted_name(&mut self, word: &str) -> Result<(Arc<str>, Span), TemplateError> {
        let keyword = self.take();
        let token = self.take();
        match token.kind {
            TokenKind::Literal(Literal::Text(name)) => Ok((name, keyword.span.to(token.span))),
            _ => self.unexpected(&token, &format!("{word} clause")),
        }
    }

    fn call(&mut self) -> Result<Node, TemplateError> {
        let (name, span) = self.quoted_name("template")?;
        let argument = match self.peek().kind {
            TokenKind::Close => None,
            _ => Some(self.pipe("template clause", 1)?),
        };
        self.close("template clause")?;
        Ok(Node::Call {
            span,
            name,
            argument,
        })
    }

    fn block(&mut self) -> Result<Node, TemplateError> {
        let (name, span) = self.quoted_name("block")?;
        let argument = Some(self.pipe("block clause", 1)?);
        self.close("block clause")?;
        self.definition(name.clone(), span)?;
        Ok(Node::Call {
            span,
            name,
            argument,
        })
    }

    fn define(&mut self) -> Result<(), TemplateError> {
        let keyword = self.peek().clone();
        // One level of nesting is this action itself.
        if self.depth > 1 {
            return self.unexpected(&keyword, "command");
        }
        let (name, span) = self.quoted_name("define")?;
        self.close("define clause")?;
        self.definition(name, span)
    }

    /// The body of a `define` or `block`, with variables and ranges of its own.
    fn definition(&mut self, name: Arc<str>, span: Span) -> Result<(), TemplateError> {
        let outer_scope = std::mem::replace(&mut self.scope, Scope::new(&[]));
        let outer_ranges = std::mem::take(&mut self.n_ranges);
        let (body, end) = self.nodes()?;
        match end.word {
            "end" => {}
            "else" => return self.fail(end.span, "unexpected {{else}} in define clause"),
            _ => return self.fail(end.span, "unexpected EOF"),
        }
        let scope = std::mem::replace(&mut self.scope, outer_scope);
        self.n_ranges = outer_ranges;
        let definition = Definition {
            text: self.text.clone(),
            body,
            n_slots: scope.n_slots,
        };
        if !add_definition(&mut self.definitions, name.clone(), Arc::new(definition)) {
            let message = format!("multiple definition of template {name:?}");
            return self.fail(span, message);
        }
        Ok(())
    }

    /// A pipeline up to (not including) its closing delimiter or parenthesis; it may declare or
    /// assign up to `slots_max` variables.
    fn pipe(&mut self, context: &str, slots_max: usize) -> Result<Pipe, TemplateError> {
        let start = self.peek().span;
        let targets = self.targets(context, slots_max)?;
        let mut commands: Vec<Command> = Vec::new();
        loop {
            let token = self.peek().clone();
            if matches!(token.kind, TokenKind::Close | TokenKind::CloseParen) {
                // Go forgives a bar at the end.
                if !commands.is_empty() {
                    break;
                }
                return self.fail(token.span, format!("missing value for {context}"));
            }
            let command = self.command(context)?;
            let is_value = matches!(
                command.first.kind,
                ExprKind::Dot | ExprKind::Nil | ExprKind::Literal(_)
            );
            if is_value && !commands.is_empty() {
                let stage = commands.len() + 1;
                let message = format!("non executable command in pipeline stage {stage}");
                return self.fail(command.span, message);
            }
            commands.push(command);
            if self.peek().kind != TokenKind::Bar {
                break;
            }
            self.take();
        }
        let end = commands.last().map_or(start, |command| command.span);
        // Only now: in `$x := print $x` the second is the outer one.
        let slots = targets.map_or(Ok(Vec::new()), |targets| self.bind(&targets))?;
        Ok(Pipe {
            span: start.to(end),
            slots,
            commands,
        })
    }

    /// `$a :=`, `$a =`, `$i, $v :=`: the variables that take the pipeline's value.
    fn targets(
        &mut self,
        context: &str,
        slots_max: usize,
    ) -> Result<Option<Targets>, TemplateError> {
        let from = self.next;
        let mut names = Vec::new();
        while self.peek().kind == TokenKind::Variable {
            let token = self.take();
            let span = token.span;
            names.push(token);
            match self.peek().kind {
                TokenKind::Comma => {
                    self.take();
                }
                TokenKind::Declare | TokenKind::Assign => {
                    if names.len() > slots_max {
                        return self.fail(span, format!("too many declarations in {context}"));
                    }
                    let declares = self.take().kind == TokenKind::Declare;
                    return Ok(Some(Targets { names, declares }));
                }
                _ => break,
            }
        }
        self.next = from;
        Ok(None)
    }

    fn bind(&mut self, targets: &Targets) -> Result<Vec<usize>, TemplateError> {
        let mut slots = Vec::new();
        for token in &targets.names {
            let name = token.span.of(self.text);
            slots.push(match (targets.declares, self.scope.slot(name)) {
                (true, _) => self.scope.declare(name),
                (false, Some(slot)) => slot,
                (false, None) => {
                    return self.fail(token.span, format!("undefined variable \"{name}\""));
                }
            });
        }
        Ok(slots)
    }

    fn command(&mut self, context: &str) -> Result<Command, TemplateError> {
        let Some(first) = self.operand()? else {
            let token = self.peek().clone();
            return self.unexpected(&token, context);
        };
        let mut rest = Vec::new();
        loop {
            let token = self.peek().clone();
            match token.kind {
                TokenKind::Close | TokenKind::CloseParen | TokenKind::Bar => break,
                _ if !token.is_spaced => return self.unexpected(&token, "operand"),
                _ => match self.operand()? {
                    Some(operand) => rest.push(operand),
                    None => return self.unexpected(&token, "operand"),
                },
            }
        }
        compile_pattern(&first, &mut rest);
        let end = rest.last().map_or(first.span, |expr| expr.span);
        Ok(Command {
            span: first.span.to(end),
            first,
            rest,
        })
    }

    /// A term with the field names that follow it without a space.
    fn operand(&mut self) -> Result<Option<Expr>, TemplateError> {
        let Some(mut term) = self.nested(Self::term)? else {
            return Ok(None);
        };
        let mut names = Vec::new();
        let mut span = term.span;
        while self.peek().kind == TokenKind::Field && !self.peek().is_spaced {
            let token = self.take();
            names.push(Arc::from(&token.span.of(self.text)[1..]));
            span = span.to(token.span);
        }
        if names.is_empty() {
            return Ok(Some(term));
        }
        term.span = match &mut term.kind {
            ExprKind::Field(fields) | ExprKind::Variable(_, fields) => {
                fields.append(&mut names);
                span
            }
            ExprKind::Dot | ExprKind::Nil | ExprKind::Literal(_) => {
                let piece = term.span.of(self.text);
                return self.fail(span, format!("unexpected . after term `{piece}`"));
            }
            _ => {
                let kind = ExprKind::Chain(Box::new(term), names);
                return Ok(Some(Expr { span, kind }));
            }
        };
        Ok(Some(term))
    }

    fn term(&mut self) -> Result<Option<Expr>, TemplateError> {
        let token = self.peek().clone();
        let piece = token.span.of(self.text);
        let kind = match token.kind {
            TokenKind::Word => self.word(&token)?,
            TokenKind::Dot => ExprKind::Dot,
            TokenKind::Field => ExprKind::Field(vec![Arc::from(&piece[1..])]),
            TokenKind::Variable => match self.scope.slot(piece) {
                Some(slot) => ExprKind::Variable(slot, Vec::new()),
                None => return self.fail(token.span, format!("undefined variable \"{piece}\"")),
            },
            TokenKind::Literal(literal) => ExprKind::Literal(literal.into()),
            TokenKind::OpenParen => {
                self.take();
                let pipe = self.pipe("parenthesized pipeline", 1)?;
                let close = self.take();
                if close.kind != TokenKind::CloseParen {
                    return self.unexpected(&close, "parenthesized pipeline");
                }
                let span = token.span.to(close.span);
                let kind = ExprKind::Pipe(Box::new(pipe));
                return Ok(Some(Expr { span, kind }));
            }
            _ => return Ok(None),
        };
        self.take();
        self.uses_dot |= matches!(
            kind,
            ExprKind::Dot | ExprKind::Field(_) | ExprKind::Variable(0, _)
        );
        let span = token.span;
        Ok(Some(Expr { span, kind }))
    }

    fn word(&self, token: &Token) -> Result<ExprKind, TemplateError> {
        match token.span.of(self.text) {
            "true" => Ok(ExprKind::Literal(Value::Bool(true))),
            "false" => Ok(ExprKind::Literal(Value::Bool(false))),
            "nil" => Ok(ExprKind::Nil),
            name => match self.functions.find(name) {
                Some(function) => Ok(ExprKind::Function(function)),
                None if KEYWORDS.contains(&name) => self.unexpected(token, "command"),
                None => self.fail(token.span, format!("function \"{name}\" not defined")),
            },
        }
    }
}

/// Adds a definition as Go does: an empty body never replaces, and is always replaced. Answers
/// whether there was room for it.
fn add_definition(
    definitions: &mut BTreeMap<Arc<str>, Arc<Definition>>,
    name: Arc<str>,
    definition: Arc<Definition>,
) -> bool {
    let is_taken = definitions
        .get(&name)
        .is_some_and(|known| !known.is_empty());
    if is_taken {
        return definition.is_empty();
    }
    definitions.insert(name, definition);
    true
}

impl Definition {
    /// Whether it is nothing but white space.
    pub(crate) fn is_empty(&self) -> bool {
        self.body
            .iter()
            .all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
    }
}

/// Compiles a regular expression that is written out, so that no run has to. One that does not
/// compile is left to the run: Go accepts it until then.
fn compile_pattern(first: &Expr, rest: &mut [Expr]) {
    let ExprKind::Function(Function {
        takes_pattern: true,
        ..
    }) = first.kind
    else {
        return;
    };
    let Some(Expr {
        kind: ExprKind::Literal(literal),
        ..
    }) = rest.first_mut()
    else {
        return;
    };
    if let Some(Ok(regex)) = literal.as_text().map(Regex::unanchored) {
        *literal = Value::Pattern(Arc::new(regex));
    }
}

const KEYWORDS: [&str; 10] = [
    "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with",
];
