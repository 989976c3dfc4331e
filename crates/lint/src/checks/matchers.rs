//! Conditions of selectors.

use firebell_model::{METRIC_NAME, MatchOp, Matcher};
use firebell_promql::{Selector, Span};

use super::Scope;
use crate::catalogue::promql as lints;

pub(super) fn judge(scope: &mut Scope<'_>) {
    let rule = scope.rule;
    for (selector, span) in rule.expr.selectors() {
        // The second argument of `info` names labels only.
        let is_data = selector.name.is_empty() && rule.expr_text.contains("info(");
        if selector.metric_name().is_none() && !is_data && !names_metrics(selector) {
            let message = "it names no metric, so all series are searched";
            scope.say(
                &lints::SELECTOR,
                scope.expr(span),
                message,
                "name the metric",
            );
        }
        contradiction(scope, selector, span);
        for matcher in &selector.matchers {
            let is_regex = matches!(matcher.op(), MatchOp::Regex | MatchOp::NotRegex);
            if is_regex {
                regex(scope, matcher, span);
            }
        }
    }
}

/// `{__name__=~"a|b"}`.
fn names_metrics(selector: &Selector) -> bool {
    let mut names = selector
        .matchers
        .iter()
        .filter(|it| it.name() == METRIC_NAME);
    names.any(|it| !it.regex_prefix().is_empty() || it.regex_values().is_some())
}

fn contradiction(scope: &mut Scope<'_>, selector: &Selector, span: Span) {
    let matchers = &selector.matchers;
    let exact = |it: &&Matcher| it.op() == MatchOp::Equal;
    for fixed in matchers.iter().filter(exact) {
        let refuses = |it: &&Matcher| it.name() == fixed.name() && !it.matches_value(fixed.value());
        if let Some(other) = matchers.iter().find(refuses) {
            let message = format!("nothing is both `{fixed}` and `{other}`");
            return scope.say(
                &lints::SELECTOR,
                scope.expr(span),
                message,
                "leave one of them out",
            );
        }
    }
    for (idx, one) in matchers.iter().enumerate() {
        let twin = |it: &&Matcher| it.to_string() == one.to_string();
        if matchers[..idx].iter().any(|it| twin(&it)) {
            let message = format!("`{one}` is there twice");
            return scope.say(
                &lints::SELECTOR,
                scope.expr(span),
                message,
                "leave one of them out",
            );
        }
    }
    // Lists that share no value.
    for (idx, one) in matchers.iter().enumerate() {
        let Some(values) = listed(one) else {
            continue;
        };
        let is_apart = |it: &&Matcher| {
            it.name() == one.name()
                && listed(it).is_some()
                && !values.iter().any(|value| it.matches_value(value))
        };
        if let Some(other) = matchers[..idx].iter().find(is_apart) {
            let message = format!("nothing is both `{other}` and `{one}`");
            return scope.say(
                &lints::SELECTOR,
                scope.expr(span),
                message,
                "leave one of them out",
            );
        }
    }
}

fn listed(matcher: &Matcher) -> Option<&[Box<str>]> {
    matcher
        .regex_values()
        .filter(|_| matcher.op() == MatchOp::Regex)
}

fn regex(scope: &mut Scope<'_>, matcher: &Matcher, span: Span) {
    let (text, name) = (matcher.value(), matcher.name());
    let is_not = matcher.op() == MatchOp::NotRegex;
    let at = scope.expr(span);
    let said = if text.starts_with('^') || ends_with_anchor(text) {
        let bare = text.strip_prefix('^').unwrap_or(text);
        let bare = if ends_with_anchor(bare) {
            &bare[..bare.len() - 1]
        } else {
            bare
        };
        Some((
            "it is anchored at both ends anyway",
            format!("write `{bare}`"),
        ))
    } else if let (Some([only]), true) = (matcher.regex_values(), is_plain(text)) {
        let op = if is_not { "!=" } else { "=" };
        Some((
            "there is nothing in it but a plain text",
            format!("write `{name}{op}\"{only}\"`"),
        ))
    } else {
        match (text, is_not) {
            (".*", false) => Some((
                "every series passes it, also those without the label",
                format!("leave `{matcher}` out"),
            )),
            (".*", true) => Some(("no series passes it", format!("leave `{matcher}` out"))),
            (".+", false) => Some((
                "it only asks that the label is there",
                format!("write `{name}!=\"\"`"),
            )),
            (".+" | "", _) => Some((
                "it only asks that the label is not there",
                format!("write `{name}=\"\"`"),
            )),
            _ => None,
        }
    };
    if let Some((why, hint)) = said {
        return scope.say(&lints::REGEXP, at, format!("`{matcher}`: {why}"), hint);
    }
    if is_smelly(text) {
        let message = format!("`{matcher}` takes names apart");
        scope.say(
            &lints::SMELLY,
            at,
            message,
            "give the parts labels of their own",
        );
    }
}

/// Whether the last `$` is an anchor, and not a character.
fn ends_with_anchor(text: &str) -> bool {
    let before = text.strip_suffix('$');
    before.is_some_and(|it| it.chars().rev().take_while(|c| *c == '\\').count() % 2 == 0)
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.contains([
            '.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '^', '$',
        ])
}

/// A wildcard with a name on either side of it.
fn is_smelly(text: &str) -> bool {
    let is_word = |it: &str| it.contains(|c: char| c.is_alphanumeric());
    [".*", ".+"].iter().any(|wildcard| {
        text.split_once(wildcard)
            .is_some_and(|(before, after)| is_word(before) && is_word(after))
    }) && !text.contains('|')
}
