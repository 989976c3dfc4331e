//! The tree of an expression as JSON, for pages that draw it.
//!
//! *Sources*: Prometheus, `web/api/v1/translate_ast.go`: the shape, keys sorted.

use std::fmt::Write as _;

use firebell_model::{Matcher, format_float};
use firebell_promql::{
    Aggregate, At, Binary, Borders, Call, Cardinality, DurationExpr, Expr, Node, RangeSelector,
    Selector, Shift, Subquery, ValueType, Variadic,
};
use serde::Serialize;

/// Writes the tree.
pub(super) fn json(expr: &Expr) -> String {
    let mut writer = Writer(String::new());
    writer.expr(expr);
    writer.0
}

struct Writer(String);

impl Writer {
    /// Chains of operators nest to the left without limit, so they are walked, not recursed into.
    fn expr(&mut self, expr: &Expr) {
        let mut chain: Vec<&Binary> = Vec::new();
        let mut next = expr;
        while let Node::Binary(binary) = &next.node {
            self.put(format_args!(r#"{{"bool":{},"lhs":"#, binary.returns_bool));
            chain.push(binary);
            next = &binary.left;
        }
        self.operand(next);
        for binary in chain.into_iter().rev() {
            self.put(format_args!(r#","matching":{}"#, matching(binary)));
            self.put(format_args!(r#","op":{},"rhs":"#, text(binary.op.text())));
            self.expr(&binary.right);
            self.put(format_args!(r#","type":"binaryExpr"}}"#));
        }
    }

    fn operand(&mut self, expr: &Expr) {
        match &expr.node {
            Node::Number(number) => self.put(format_args!(
                r#"{{"type":"numberLiteral","val":"{}"}}"#,
                format_float(number.value)
            )),
            Node::String(string) => self.put(format_args!(
                r#"{{"type":"stringLiteral","val":{}}}"#,
                text(&string.value)
            )),
            Node::Paren(inner) => {
                self.put(format_args!(r#"{{"expr":"#));
                self.expr(inner);
                self.put(format_args!(r#","type":"parenExpr"}}"#));
            }
            Node::Unary(unary) => {
                let op = if unary.is_minus { '-' } else { '+' };
                self.put(format_args!(r#"{{"expr":"#));
                self.expr(&unary.operand);
                self.put(format_args!(r#","op":"{op}","type":"unaryExpr"}}"#));
            }
            // Chains are walked above.
            Node::Binary(_) => self.expr(expr),
            Node::Call(call) => self.call(call),
            Node::Aggregate(aggregate) => self.aggregate(aggregate),
            Node::Selector(selector) => self.selector(selector, None),
            Node::Range(range) => self.selector(&range.selector, Some(range)),
            Node::Subquery(subquery) => self.subquery(subquery),
        }
    }

    fn call(&mut self, call: &Call) {
        self.put(format_args!(r#"{{"args":["#));
        for (idx, arg) in call.args.iter().enumerate() {
            self.put(format_args!("{}", if idx == 0 { "" } else { "," }));
            self.expr(arg);
        }
        let function = call.function;
        let types: Vec<&str> = function.args.iter().copied().map(ValueType::name).collect();
        let variadic = match function.variadic {
            Variadic::No => 0,
            Variadic::UpTo(n) => n as i64,
            Variadic::Any => -1,
        };
        self.put(format_args!(
            r#"],"func":{{"argTypes":{},"name":"{}","returnType":"{}","variadic":{variadic}}},"type":"call"}}"#,
            text(&types),
            function.name,
            function.result.name(),
        ));
    }

    fn aggregate(&mut self, aggregate: &Aggregate) {
        self.put(format_args!(r#"{{"expr":"#));
        self.expr(&aggregate.expr);
        let (grouping, op) = (text(&aggregate.grouping), aggregate.op.text());
        self.put(format_args!(
            r#","grouping":{grouping},"op":"{op}","param":"#
        ));
        match &aggregate.param {
            Some(param) => self.expr(param),
            None => self.put(format_args!("null")),
        }
        let is_without = aggregate.is_without;
        self.put(format_args!(
            r#","type":"aggregation","without":{is_without}}}"#
        ));
    }

    fn selector(&mut self, selector: &Selector, range: Option<&RangeSelector>) {
        let is_anchored = selector.borders == Some(Borders::Anchored);
        let is_smoothed = selector.borders == Some(Borders::Smoothed);
        self.put(format_args!(
            r#"{{"anchored":{is_anchored},"matchers":{},"name":{},"offset":{},"#,
            matchers(&selector.matchers),
            text(&selector.name),
            offset(&selector.shift),
        ));
        if let Some(range) = range {
            self.put(format_args!(r#""range":{},"#, millis(&range.range)));
        }
        self.put(format_args!(
            r#""smoothed":{is_smoothed},{},"type":"{}"}}"#,
            fixed(&selector.shift),
            match range {
                Some(_) => "matrixSelector",
                None => "vectorSelector",
            },
        ));
    }

    fn subquery(&mut self, subquery: &Subquery) {
        self.put(format_args!(r#"{{"expr":"#));
        self.expr(&subquery.expr);
        let Subquery { range, shift, .. } = subquery;
        let step = subquery.step.as_ref().map_or(0, millis);
        let [start_or_end, timestamp] = fixed_parts(shift);
        self.put(format_args!(
            r#","offset":{},"range":{},{start_or_end},"step":{step},{timestamp},"type":"subquery"}}"#,
            offset(shift),
            millis(range),
        ));
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(text);
    }
}

/// JSON of something that always has one.
fn text(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// How two vectors find each other; `null` unless both sides are vectors.
fn matching(binary: &Binary) -> String {
    let is_vector = |expr: &Expr| expr.value_type() == ValueType::Vector;
    if !is_vector(&binary.right) || !is_vector(&binary.left) {
        return "null".to_owned();
    }
    let matching = &binary.matching;
    let card = match matching.cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    format!(
        r#"{{"card":"{card}","fillValues":{{"lhs":{},"rhs":{}}},"include":{},"labels":{},"on":{}}}"#,
        text(&matching.fill_left),
        text(&matching.fill_right),
        text(&matching.include),
        text(&matching.labels),
        matching.is_on,
    )
}

fn matchers(matchers: &[Matcher]) -> String {
    let one = |matcher: &Matcher| {
        let (name, value) = (text(matcher.name()), text(matcher.value()));
        format!(
            r#"{{"name":{name},"type":"{}","value":{value}}}"#,
            matcher.op()
        )
    };
    let all: Vec<String> = matchers.iter().map(one).collect();
    format!("[{}]", all.join(","))
}

/// Milliseconds; 0 for what depends on the query.
fn millis(duration: &DurationExpr) -> i64 {
    duration.constant().unwrap_or_default().0
}

fn offset(shift: &Shift) -> i64 {
    shift.offset.as_ref().map_or(0, millis)
}

/// `startOrEnd` and `timestamp`.
fn fixed_parts(shift: &Shift) -> [String; 2] {
    let (end, at) = match shift.at {
        None => ("null", None),
        Some(At::Time(at)) => ("null", Some(at.0)),
        Some(At::Start) => ("\"start\"", None),
        Some(At::End) => ("\"end\"", None),
    };
    let at = text(&at);
    [
        format!(r#""startOrEnd":{end}"#),
        format!(r#""timestamp":{at}"#),
    ]
}

fn fixed(shift: &Shift) -> String {
    fixed_parts(shift).join(",")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::Value;

    fn check(expr: &str, expected: expect_test::Expect) {
        let json = super::json(&firebell_promql::parse(expr).unwrap());
        let sorted: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(sorted.to_string(), json, "keys are sorted, as Go does");
        expected.assert_eq(&json);
    }

    #[test]
    fn trees_have_upstreams_shape() {
        check(
            r#"sum by(a)(rate(foo{x="1"}[5m] offset 1m)) / on(b) group_left(c) -bar @ end()"#,
            expect![[
                r#"{"bool":false,"lhs":{"expr":{"args":[{"anchored":false,"matchers":[{"name":"x","type":"=","value":"1"},{"name":"__name__","type":"=","value":"foo"}],"name":"foo","offset":60000,"range":300000,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"matrixSelector"}],"func":{"argTypes":["matrix"],"name":"rate","returnType":"vector","variadic":0},"type":"call"},"grouping":["a"],"op":"sum","param":null,"type":"aggregation","without":false},"matching":{"card":"many-to-one","fillValues":{"lhs":null,"rhs":null},"include":["c"],"labels":["b"],"on":true},"op":"/","rhs":{"expr":{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"bar"}],"name":"bar","offset":0,"smoothed":false,"startOrEnd":"end","timestamp":null,"type":"vectorSelector"},"op":"-","type":"unaryExpr"},"type":"binaryExpr"}"#
            ]],
        );
        check(
            "max_over_time(foo[1h:5m] @ 123)+1.5",
            expect![[
                r#"{"bool":false,"lhs":{"args":[{"expr":{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"foo"}],"name":"foo","offset":0,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"},"offset":0,"range":3600000,"startOrEnd":null,"step":300000,"timestamp":123000,"type":"subquery"}],"func":{"argTypes":["matrix"],"name":"max_over_time","returnType":"vector","variadic":0},"type":"call"},"matching":null,"op":"+","rhs":{"type":"numberLiteral","val":"1.5"},"type":"binaryExpr"}"#
            ]],
        );
    }

    #[test]
    fn a_long_chain_does_not_recurse() {
        let chain = vec!["1"; 100_000].join("+");
        let json = super::json(&firebell_promql::parse(&chain).unwrap());
        assert!(json.ends_with(r#""type":"binaryExpr"}"#));
    }
}
