//! Inhibition rules.

use firebell_dispatch::InhibitRule;

use super::route::{equal_or_regex, matcher_list};
use crate::fields::Doc;
use crate::yaml::Node;

/// Reads a rule; one that says nothing mutes nothing, and is fine, as upstream.
pub(super) fn rule(doc: &Doc<'_>, node: &Node) -> InhibitRule {
    let fields = doc.fields(node, "an inhibition rule");
    let mut source = equal_or_regex(&fields, "source_match", "source_match_re");
    source.extend(matcher_list(&fields, "source_matchers"));
    let mut target = equal_or_regex(&fields, "target_match", "target_match_re");
    target.extend(matcher_list(&fields, "target_matchers"));
    let equal = fields.texts("equal");
    fields.ignore(&["name"]);
    fields.finish();
    InhibitRule {
        source,
        target,
        equal,
    }
}
