//! Routes and inhibition rules for lints: whatever can be read of them.

use firebell_lint::{InhibitRule, Route, Routes};
use firebell_model::{MatchOp, Matcher, parse_matchers};

use crate::yaml::{Node, Value};

/// The content of an alertmanager.yml; `None` without a route.
pub(super) fn routes(root: &Node) -> Option<Routes> {
    let inhibit_rules = root.items("inhibit_rules").iter();
    Some(Routes {
        root: route(root.get("route")?, ROUTE_DEPTH_MAX),
        inhibit_rules: inhibit_rules.map(inhibit_rule).collect(),
    })
}

fn route(node: &Node, depth: usize) -> Route {
    let children = if depth == 0 {
        &[]
    } else {
        node.items("routes")
    };
    Route {
        matchers: matchers(node, ["match", "match_re", "matchers"]),
        does_continue: node.text_of("continue").is_some_and(|it| it == "true"),
        routes: children
            .iter()
            .map(|child| route(child, depth - 1))
            .collect(),
    }
}

fn inhibit_rule(node: &Node) -> InhibitRule {
    let equal = node.items("equal").iter().filter_map(Node::as_text);
    InhibitRule {
        source: matchers(node, ["source_match", "source_match_re", "source_matchers"]),
        target: matchers(node, ["target_match", "target_match_re", "target_matchers"]),
        equal: equal.map(str::to_owned).collect(),
    }
}

fn matchers(node: &Node, [equal, regex, list]: [&str; 3]) -> Vec<Matcher> {
    let mut found = Vec::new();
    for (field, op) in [(equal, MatchOp::Equal), (regex, MatchOp::Regex)] {
        if let Some(Value::Map(entries)) = node.get(field).map(|it| &it.value) {
            found.extend(
                entries
                    .iter()
                    .filter_map(|it| Matcher::alertmanager(&*it.key, op, it.value.as_text()?).ok()),
            );
        }
    }
    let texts = node.items(list).iter().filter_map(Node::as_text);
    found.extend(texts.filter_map(|it| parse_matchers(it).ok()).flatten());
    found
}

/// What lies deeper is refused when it is loaded.
const ROUTE_DEPTH_MAX: usize = firebell_dispatch::ROUTE_DEPTH_MAX;
