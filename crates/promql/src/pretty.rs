//! The tree as text over several lines, in Prometheus's canonical form.
//!
//! *Sources*: Prometheus, `promql/parser/prettier.go`.

use std::fmt::Write as _;

use crate::ast::{Aggregate, Binary, Expr, Node, Subquery};
use crate::print::{AggregateHead, SubqueryTail};

/// Prints an expression; what does not fit a line is broken where its parts begin.
#[must_use]
pub fn pretty(expr: &Expr) -> String {
    let mut printer = Printer(String::new());
    printer.expr(expr, 0);
    printer.0
}

struct Printer(String);

impl Printer {
    fn expr(&mut self, expr: &Expr, level: usize) {
        match &expr.node {
            // As upstream, which forgets to indent it.
            Node::Subquery(subquery) if fits(expr) => self.put(format_args!("{subquery}")),
            Node::Subquery(subquery) => self.subquery(subquery, level),
            Node::Unary(unary) => {
                let sign = if unary.is_minus { "-" } else { "+" };
                self.indent(level);
                self.put(format_args!("{sign}"));
                let mut operand = Self(String::new());
                operand.expr(&unary.operand, level);
                self.put(format_args!("{}", operand.0.trim()));
            }
            Node::Binary(_) if !fits(expr) => self.chain(expr, level),
            Node::Paren(inner) if !fits(expr) => {
                self.indent(level);
                self.put(format_args!("(\n"));
                self.expr(inner, level + 1);
                self.close(level);
            }
            Node::Call(call) if !fits(expr) => {
                self.indent(level);
                self.put(format_args!("{}(\n", call.function.name));
                self.list(&call.args, level + 1);
                self.close(level);
            }
            Node::Aggregate(aggregate) if !fits(expr) => self.aggregate(aggregate, level),
            _ => {
                self.indent(level);
                self.put(format_args!("{expr}"));
            }
        }
    }

    /// Prints `a + b + c` from the innermost left operand outwards, without recursing into the
    /// chain: each operator stands a level further out than its left operand.
    fn chain(&mut self, expr: &Expr, level: usize) {
        let mut chain: Vec<&Binary> = Vec::new();
        let mut next = expr;
        while let Node::Binary(binary) = &next.node
            && !fits(next)
        {
            chain.push(binary);
            next = &binary.left;
        }
        self.expr(next, level + chain.len());
        for (depth, binary) in chain.into_iter().enumerate().rev() {
            let level = level + depth;
            self.put(format_args!("\n"));
            self.indent(level);
            let returns_bool = if binary.returns_bool { " bool" } else { "" };
            let (op, matching) = (binary.op.text(), &binary.matching);
            self.put(format_args!("{op}{returns_bool}{matching}\n"));
            self.expr(&binary.right, level + 1);
        }
    }

    fn aggregate(&mut self, aggregate: &Aggregate, level: usize) {
        self.indent(level);
        self.put(format_args!("{}(\n", AggregateHead(aggregate)));
        if let Some(param) = &aggregate.param {
            self.expr(param, level + 1);
            self.put(format_args!(",\n"));
        }
        self.expr(&aggregate.expr, level + 1);
        self.close(level);
    }

    fn subquery(&mut self, subquery: &Subquery, level: usize) {
        self.expr(&subquery.expr, level);
        self.put(format_args!("{}", SubqueryTail(subquery)));
    }

    fn list(&mut self, exprs: &[Expr], level: usize) {
        for (idx, expr) in exprs.iter().enumerate() {
            self.put(format_args!("{}", if idx == 0 { "" } else { ",\n" }));
            self.expr(expr, level);
        }
    }

    fn close(&mut self, level: usize) {
        self.put(format_args!("\n"));
        self.indent(level);
        self.put(format_args!(")"));
    }

    fn indent(&mut self, level: usize) {
        self.0.push_str(&"  ".repeat(level.min(INDENT_MAX)));
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(text);
    }
}

/// Whether an expression is short enough for a line. Stops printing as soon as it is not.
fn fits(expr: &Expr) -> bool {
    struct Line(usize);
    impl std::fmt::Write for Line {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(std::fmt::Error)?;
            Ok(())
        }
    }
    write!(Line(LINE_MAX), "{expr}").is_ok()
}

/// Bytes in a line.
const LINE_MAX: usize = 100;
/// Levels deeper than this are indented no further: a long chain would print as its square.
const INDENT_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: &Expect) {
        expected.assert_eq(&pretty(&crate::parse(text).unwrap()));
    }

    #[test]
    fn what_does_not_fit_a_line_is_broken_where_its_parts_begin() {
        check(
            "sum by(a)(rate(foo[5m]))",
            &expect!["sum by (a) (rate(foo[5m]))"],
        );
        check(
            "histogram_quantile(0.9,sum by(le,job)(rate(http_request_duration_seconds_bucket\
             {job=\"api-server\",handler=\"/api/v1/query\"}[5m])))/on(job)group_left -\
             max_over_time((a_long_name_of_a_metric+another_long_name_of_a_metric+\
             yet_another_long_name_of_a_metric)[1h:5m])",
            &expect![[r#"
                  histogram_quantile(
                    0.9,
                    sum by (le, job) (
                      rate(http_request_duration_seconds_bucket{handler="/api/v1/query",job="api-server"}[5m])
                    )
                  )
                / on (job) group_left ()
                  -max_over_time(
                (a_long_name_of_a_metric + another_long_name_of_a_metric + yet_another_long_name_of_a_metric)[1h:5m]
                  )"#]],
        );
    }

    #[test]
    fn a_long_chain_prints_without_growing_to_its_square() {
        let text = vec!["a"; 3_000].join("+");
        assert!(pretty(&crate::parse(&text).unwrap()).len() < 6_000 * 600);
    }
}
