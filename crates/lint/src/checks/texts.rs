//! Texts of alerts: what they ask for, against what the expression can give.

use firebell_promql::{BinaryOp, Node, Span};
use firebell_template::{Mention, Mentioned};

use super::Scope;
use crate::catalogue::{alerts as lints, rules};
use crate::input::Text;
use crate::lint::{Place, Severity};
use crate::shape::calls;

pub(super) fn judge(scope: &mut Scope<'_>) {
    let (file, rule) = (scope.file, scope.rule);
    if !rule.is_alerting() {
        return;
    }
    for (group_label, label) in rule.labels.iter().map(|it| (false, it)).chain(
        file.groups[scope.group_idx]
            .labels
            .iter()
            .map(|it| (true, it)),
    ) {
        let place = if group_label {
            Place::group(scope.group_idx)
        } else {
            scope.place()
        };
        text(
            scope,
            place.field("labels").field(label.name.clone()),
            label,
            true,
        );
    }
    for annotation in &rule.annotations {
        let place = scope.field("annotations").field(annotation.name.clone());
        link(scope, &place, annotation);
        text(scope, place, annotation, false);
    }
}

fn text(scope: &mut Scope<'_>, place: Place, text: &Text, is_label: bool) {
    let Some(template) = &text.template else {
        return;
    };
    let mentions = template.mentions();
    for mention in &mentions {
        let at = place.clone().at(mention.span.start);
        match &mention.what {
            Mentioned::Label(name) => label(scope, at, name),
            Mentioned::ExternalLabel(name) => external_label(scope, at, name),
            Mentioned::Query(query) => {
                if let Err(error) = firebell_promql::parse(query) {
                    let message = format!("the query of the text is no PromQL: {}", error.message);
                    scope.say(&lints::TEMPLATE, at, message, "");
                }
            }
            Mentioned::Value if is_label && !is_tested(mention) => {
                let message =
                    "a label that holds the value makes another alert whenever it changes";
                let hint = "put the value into an annotation";
                scope.say(&lints::TEMPLATE, at, message, hint);
            }
            Mentioned::Value | Mentioned::Labels => {}
        }
    }
    if !is_label {
        bare_value(scope, &place, &mentions);
    }
}

/// Whether a value is only compared: `{{ if gt $value 5.0 }}`.
fn is_tested(mention: &Mention) -> bool {
    mention
        .through
        .iter()
        .any(|it| matches!(*it, "gt" | "ge" | "lt" | "le" | "eq" | "ne"))
}

fn label(scope: &mut Scope<'_>, at: Place, name: &str) {
    let Some(by) = scope.flow.taken_by(name) else {
        return;
    };
    let is_own = scope.label(name).is_some();
    let message = format!(
        "`$labels.{name}` is always empty: {}",
        taker(scope, by, name)
    );
    let hint = if is_own {
        format!("`{name}` is a label of the rule, which its texts do not see: write the value")
    } else {
        format!("keep `{name}` in the expression, or do not name it")
    };
    scope.say(&lints::TEMPLATE, at, message, hint);
}

/// What takes a label away, for people.
fn taker(scope: &Scope<'_>, by: Span, name: &str) -> String {
    if by == Span::default() || by.end > scope.rule.expr_text.len() {
        return format!("the result has no `{name}`");
    }
    format!("`{}` has no `{name}`", scope.piece(by))
}

fn external_label(scope: &mut Scope<'_>, at: Place, name: &str) {
    let Some(global) = &scope.project.global else {
        return;
    };
    if global.external_labels.get(name).is_none() {
        let message = format!("the configuration sets no external label `{name}`");
        let hint = "set it in `global.external_labels`, or do not name it";
        scope.say(&lints::EXTERNAL_LABELS, at, message, hint);
    }
}

/// A quotient or a rate prints as `0.04523809523809524`.
fn bare_value(scope: &mut Scope<'_>, place: &Place, mentions: &[Mention]) {
    let Some(bare) = mentions
        .iter()
        .find(|it| it.what == Mentioned::Value && it.through.is_empty())
    else {
        return;
    };
    let fractions = [
        "rate",
        "irate",
        "deriv",
        "predict_linear",
        "histogram_quantile",
        "avg_over_time",
    ];
    let mut is_fraction = calls(&scope.rule.expr)
        .iter()
        .any(|(call, _)| fractions.contains(&call.function.name));
    scope.rule.expr.walk(|it| {
        is_fraction |= matches!(&it.node, Node::Binary(it) if it.op == BinaryOp::Div);
    });
    if is_fraction {
        let message = "the value is a fraction, and prints with all its digits";
        let hint = "`{{ $value | humanize }}`, `humanizePercentage` or `printf \"%.2f\"`";
        let told = (message.to_owned(), hint.to_owned());
        let at = place.clone().at(bare.span.start);
        scope.say_as(&lints::TEMPLATE, Some(Severity::Info), at, told);
    }
}

fn link(scope: &mut Scope<'_>, place: &Place, annotation: &Text) {
    let name = annotation.name.to_ascii_lowercase();
    let is_link = [
        "runbook",
        "runbook_url",
        "runbook_link",
        "playbook_url",
        "dashboard_url",
        "dashboard",
    ];
    if !is_link.contains(&&*name) && !name.ends_with("_url") {
        return;
    }
    let text = annotation.text.trim();
    // What begins with a template may expand to an address.
    if text.starts_with("{{") || text.is_empty() {
        return;
    }
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|it| it.split(['/', '?', '#']).next().unwrap_or(""));
    let is_prose = !name.ends_with("url") && !name.ends_with("link") && text.contains(' ');
    let is_right = host.is_some_and(|it| !it.is_empty() && !it.contains(' '));
    if !is_right && !is_prose {
        let message = format!("`{text}` is no address");
        let hint = "write all of it, such as https://runbooks.example.com/it";
        scope.say(&rules::LINK, place.clone(), message, hint);
    }
}
