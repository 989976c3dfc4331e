//! Relabelling: rules that rewrite, keep or drop a label set before it is used.
//!
//! *Invariants*: a [`RelabelRule`] was checked when it was made; applying it cannot fail.
//!
//! *Sources*: Prometheus, `model/relabel/relabel.go`.

use std::fmt;
use std::str::FromStr;

use crate::{LabelsBuilder, Regex, RegexError};

/// What a relabelling rule does. The text forms are upstream's, such as `labeldrop`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RelabelAction {
    /// Sets the target label to the replacement when the expression matches the source.
    #[default]
    Replace,
    /// Keeps label sets whose source matches.
    Keep,
    /// Drops label sets whose source matches.
    Drop,
    /// Keeps label sets whose source equals the target label.
    KeepEqual,
    /// Drops label sets whose source equals the target label.
    DropEqual,
    /// Sets the target label to the source's hash, modulo `modulus`.
    HashMod,
    /// Copies labels whose name matches to the name that the replacement gives.
    LabelMap,
    /// Removes labels whose name matches.
    LabelDrop,
    /// Removes labels whose name does not match.
    LabelKeep,
    /// Sets the target label to the source in lower case.
    Lowercase,
    /// Sets the target label to the source in upper case.
    Uppercase,
}

/// A relabelling rule as people write it; what is `None` takes upstream's default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RelabelOptions {
    /// Labels whose values, joined by the separator, are the source.
    pub source_labels: Vec<String>,
    /// Stands between the values; default `;`.
    pub separator: Option<String>,
    /// Anchored regular expression; default `(.*)`.
    pub regex: Option<String>,
    /// For [`RelabelAction::HashMod`]; not zero there.
    pub modulus: Option<u64>,
    /// The label that is set; `replace` expands `$1` in it.
    pub target_label: Option<String>,
    /// The value that is set, with groups as `$1`; default `$1`.
    pub replacement: Option<String>,
    /// What the rule does.
    pub action: RelabelAction,
}

/// A checked relabelling rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelabelRule {
    source_labels: Vec<String>,
    separator: String,
    regex: Regex,
    modulus: u64,
    target_label: String,
    replacement: String,
    action: RelabelAction,
    /// A `replace` that copies the source as it is: the commonest rule needs no expression.
    is_copy: bool,
}

/// A relabelling rule that makes no sense.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RelabelError {
    /// The expression does not compile.
    #[error(transparent)]
    Regex(#[from] RegexError),
    /// The action needs a field that is not there.
    #[error("relabel action `{action}` needs `{field}`")]
    Missing {
        /// The rule's action.
        action: RelabelAction,
        /// The field's name in YAML.
        field: &'static str,
    },
    /// The action has no use for a field that is there.
    #[error("relabel action `{action}` does not take `{field}`")]
    Unused {
        /// The rule's action.
        action: RelabelAction,
        /// The field's name in YAML.
        field: &'static str,
    },
    /// A label name that can never be valid.
    #[error("`{value}` is no valid `{field}` for the relabel action `{action}`")]
    InvalidName {
        /// The rule's action.
        action: RelabelAction,
        /// The field's name in YAML.
        field: &'static str,
        /// What it says.
        value: String,
    },
    /// An action that does not exist.
    #[error("unknown relabel action `{0}`")]
    UnknownAction(String),
}

impl RelabelRule {
    /// Checks what people wrote.
    ///
    /// # Errors
    /// When the expression does not compile, or fields and action do not go together.
    pub fn new(options: RelabelOptions) -> Result<Self, RelabelError> {
        check_fields(&options)?;
        let regex = Regex::anchored(options.regex.as_deref().unwrap_or(REGEX_DEFAULT))?;
        let replacement = options
            .replacement
            .unwrap_or_else(|| REPLACEMENT_DEFAULT.to_owned());
        let target_label = options.target_label.unwrap_or_default();
        let is_copy = options.action == RelabelAction::Replace
            && regex.text() == REGEX_DEFAULT
            && replacement == REPLACEMENT_DEFAULT
            && !target_label.contains('$');
        Ok(Self {
            source_labels: options.source_labels,
            separator: options
                .separator
                .unwrap_or_else(|| SEPARATOR_DEFAULT.to_owned()),
            regex,
            modulus: options.modulus.unwrap_or(0),
            target_label,
            replacement,
            action: options.action,
            is_copy,
        })
    }

    /// The rule with all that it says by default.
    #[must_use]
    pub fn options(&self) -> RelabelOptions {
        RelabelOptions {
            source_labels: self.source_labels.clone(),
            separator: Some(self.separator.clone()),
            regex: Some(self.regex.text().to_owned()),
            modulus: Some(self.modulus),
            target_label: Some(self.target_label.clone()),
            replacement: Some(self.replacement.clone()),
            action: self.action,
        }
    }

    /// Applies the rule; says whether the label set is kept.
    #[must_use]
    pub fn apply(&self, labels: &mut LabelsBuilder) -> bool {
        match self.action {
            RelabelAction::LabelMap => self.map_names(labels),
            RelabelAction::LabelDrop => self.drop_names(labels, true),
            RelabelAction::LabelKeep => self.drop_names(labels, false),
            _ => return self.apply_to_source(labels),
        }
        true
    }

    fn apply_to_source(&self, labels: &mut LabelsBuilder) -> bool {
        let source = self.source(labels);
        let target = &*self.target_label;
        match self.action {
            RelabelAction::Keep => return self.regex.is_match(&source),
            RelabelAction::Drop => return !self.regex.is_match(&source),
            RelabelAction::KeepEqual => return labels.value(target) == source,
            RelabelAction::DropEqual => return labels.value(target) != source,
            RelabelAction::HashMod => {
                labels.set(target, hash_modulo(&source, self.modulus).to_string());
            }
            RelabelAction::Lowercase => drop(labels.set(target, source.to_lowercase())),
            RelabelAction::Uppercase => drop(labels.set(target, source.to_uppercase())),
            _ => self.replace(&source, labels),
        }
        true
    }

    fn source(&self, labels: &LabelsBuilder) -> String {
        let mut source = String::new();
        for (idx, name) in self.source_labels.iter().enumerate() {
            if idx > 0 {
                source.push_str(&self.separator);
            }
            source.push_str(labels.value(name));
        }
        source
    }

    fn replace(&self, source: &str, labels: &mut LabelsBuilder) {
        if self.is_copy {
            labels.set(&*self.target_label, source);
            return;
        }
        let Some(value) = self.regex.expand(source, &self.replacement) else {
            return;
        };
        if !self.target_label.contains('$') {
            labels.set(&*self.target_label, value);
            return;
        }
        // A target that expands to nothing is no label name; nothing is set then.
        let target = self.regex.expand(source, &self.target_label);
        if let Some(target) = target.filter(|name| !name.is_empty()) {
            labels.set(target, value);
        }
    }

    fn map_names(&self, labels: &mut LabelsBuilder) {
        let renamed: Vec<_> = labels
            .iter()
            .filter(|label| !label.value.is_empty())
            .filter_map(|label| {
                let name = self.regex.expand(&label.name, &self.replacement)?;
                Some((name, label.value.clone()))
            })
            .collect();
        for (name, value) in renamed.into_iter().filter(|(name, _)| !name.is_empty()) {
            labels.set(name, value);
        }
    }

    fn drop_names(&self, labels: &mut LabelsBuilder, when_matching: bool) {
        let dropped: Vec<_> = labels
            .iter()
            .filter(|label| self.regex.is_match(&label.name) == when_matching)
            .map(|label| label.name.clone())
            .collect();
        for name in dropped {
            labels.remove(&name);
        }
    }
}

/// Applies rules in order, until one drops the label set; says whether it is kept.
#[must_use]
pub fn relabel(rules: &[RelabelRule], labels: &mut LabelsBuilder) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

/// The low 64 bits of the source's MD5, modulo `modulus`.
///
/// MD5 comes from the crate `md5`: one file without dependencies, where `md-5` brings six crates.
fn hash_modulo(source: &str, modulus: u64) -> u64 {
    let digest = md5::compute(source).0;
    let low = digest[8..]
        .iter()
        .fold(0, |low: u64, &byte| low << 8 | u64::from(byte));
    low % modulus.max(1)
}

/// Which fields an action takes besides `regex`, `separator` and `source_labels`.
fn check_fields(options: &RelabelOptions) -> Result<(), RelabelError> {
    use RelabelAction as Action;
    let action = options.action;
    let is_written =
        |text: &Option<String>, default| text.as_deref().is_some_and(|it| it != default);
    let fields = [
        ("source_labels", !options.source_labels.is_empty()),
        (
            "separator",
            is_written(&options.separator, SEPARATOR_DEFAULT),
        ),
        ("regex", is_written(&options.regex, REGEX_DEFAULT)),
        (
            "modulus",
            options.modulus.is_some_and(|modulus| modulus != 0),
        ),
        ("target_label", is_written(&options.target_label, "")),
        (
            "replacement",
            is_written(&options.replacement, REPLACEMENT_DEFAULT),
        ),
    ];
    let (needed, refused): (&[&str], &[&str]) = match action {
        Action::Replace => (&["target_label"], &[]),
        Action::HashMod => (&["target_label", "modulus"], &[]),
        Action::Lowercase | Action::Uppercase => (&["target_label"], &["replacement"]),
        Action::KeepEqual | Action::DropEqual => (
            &["target_label"],
            &["separator", "regex", "modulus", "replacement"],
        ),
        Action::LabelDrop | Action::LabelKeep => (
            &[],
            &[
                "source_labels",
                "separator",
                "modulus",
                "target_label",
                "replacement",
            ],
        ),
        Action::Keep | Action::Drop | Action::LabelMap => (&[], &[]),
    };
    for (field, is_set) in fields {
        if !is_set && needed.contains(&field) {
            return Err(RelabelError::Missing { action, field });
        }
        if is_set && refused.contains(&field) {
            return Err(RelabelError::Unused { action, field });
        }
    }
    // With UTF-8 names every text but the empty one is a valid label name.
    if action == Action::LabelMap && options.replacement.as_deref() == Some("") {
        let (field, value) = ("replacement", String::new());
        return Err(RelabelError::InvalidName {
            action,
            field,
            value,
        });
    }
    Ok(())
}

impl fmt::Display for RelabelAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = ACTIONS.iter().find(|(_, action)| action == self);
        f.write_str(known.map_or("", |(text, _)| text))
    }
}

/// Reads an action in any case, as upstream does.
impl FromStr for RelabelAction {
    type Err = RelabelError;

    fn from_str(text: &str) -> Result<Self, RelabelError> {
        ACTIONS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(text))
            .map(|(_, action)| *action)
            .ok_or_else(|| RelabelError::UnknownAction(text.to_owned()))
    }
}

impl RelabelAction {
    /// The text forms of all actions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ACTIONS.iter().map(|(text, _)| *text)
    }
}

const ACTIONS: [(&str, RelabelAction); 11] = [
    ("replace", RelabelAction::Replace),
    ("keep", RelabelAction::Keep),
    ("drop", RelabelAction::Drop),
    ("keepequal", RelabelAction::KeepEqual),
    ("dropequal", RelabelAction::DropEqual),
    ("hashmod", RelabelAction::HashMod),
    ("labelmap", RelabelAction::LabelMap),
    ("labeldrop", RelabelAction::LabelDrop),
    ("labelkeep", RelabelAction::LabelKeep),
    ("lowercase", RelabelAction::Lowercase),
    ("uppercase", RelabelAction::Uppercase),
];
const SEPARATOR_DEFAULT: &str = ";";
const REGEX_DEFAULT: &str = "(.*)";
const REPLACEMENT_DEFAULT: &str = "$1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labels;

    /// `action source,source target`, then `name=text` options.
    fn rule(text: &str) -> Result<RelabelRule, RelabelError> {
        let mut words = text.split(' ');
        let mut options = RelabelOptions {
            action: words.next().unwrap().parse()?,
            ..RelabelOptions::default()
        };
        for word in words {
            let (name, value) = word.split_once('=').unwrap();
            let value = value.to_owned();
            match name {
                "from" => options.source_labels = value.split(',').map(str::to_owned).collect(),
                "to" => options.target_label = Some(value),
                "regex" => options.regex = Some(value),
                "with" => options.replacement = Some(value),
                "sep" => options.separator = Some(value),
                "mod" => options.modulus = value.parse().ok(),
                _ => panic!("{name}"),
            }
        }
        RelabelRule::new(options)
    }

    fn check(rules: &[&str], expected: Option<&str>) {
        let rules: Vec<_> = rules.iter().map(|text| rule(text).unwrap()).collect();
        let labels = Labels::from_pairs([("a", "foo"), ("b", "bar"), ("c", "baz")]);
        let mut labels = labels.to_builder();
        let is_kept = relabel(&rules, &mut labels);
        let found = is_kept.then(|| labels.build().to_string());
        assert_eq!(found.as_deref(), expected, "{rules:?}");
    }

    #[test]
    fn each_action_does_what_upstream_documents() {
        let all = r#"{a="foo", b="bar", c="baz"}"#;
        for (text, expected) in [
            (
                "replace from=a regex=f(.*) to=d with=ch${1}-ch${1}",
                Some(r#"{a="foo", b="bar", c="baz", d="choo-choo"}"#),
            ),
            (
                "replace from=a,b regex=f(.*);(.*)r to=a with=b${1}${2}m",
                Some(r#"{a="boobam", b="bar", c="baz"}"#),
            ),
            (
                "replace from=a to=d",
                Some(r#"{a="foo", b="bar", c="baz", d="foo"}"#),
            ),
            ("replace from=a regex=x to=d", Some(all)),
            (
                "replace from=a regex=.* to=b with=$1",
                Some(r#"{a="foo", c="baz"}"#),
            ),
            ("replace from=none to=b", Some(r#"{a="foo", c="baz"}"#)),
            (
                "replace from=a regex=(f).* to=${1}_x with=y",
                Some(r#"{a="foo", b="bar", c="baz", f_x="y"}"#),
            ),
            ("replace from=a regex=f(x?).* to=$1 with=y", Some(all)),
            (
                "replace from=a regex=foo to=d with=$$1",
                Some(r#"{a="foo", b="bar", c="baz", d="$1"}"#),
            ),
            ("keep from=a regex=fo", None),
            ("keep from=a regex=fo+", Some(all)),
            ("drop from=none regex=.*", None),
            ("drop from=a regex=o", Some(all)),
            ("keepequal from=a to=b", None),
            ("keepequal from=none to=gone", Some(all)),
            ("dropequal from=a to=a", None),
            ("dropequal from=a to=b", Some(all)),
            (
                "hashmod from=c to=d mod=1000",
                Some(r#"{a="foo", b="bar", c="baz", d="976"}"#),
            ),
            (
                "labelmap regex=([ab]) with=x_$1",
                Some(r#"{a="foo", b="bar", c="baz", x_a="foo", x_b="bar"}"#),
            ),
            ("labeldrop regex=a|b", Some(r#"{c="baz"}"#)),
            ("labelkeep regex=a|b", Some(r#"{a="foo", b="bar"}"#)),
            (
                "uppercase from=a,b sep=- to=d",
                Some(r#"{a="foo", b="bar", c="baz", d="FOO-BAR"}"#),
            ),
            ("Lowercase from=a to=a", Some(all)),
        ] {
            check(&[text], expected);
        }
    }

    #[test]
    fn rules_run_in_order_until_one_drops() {
        check(&["replace from=a to=z", "drop from=z regex=foo"], None);
        check(
            &[
                "labeldrop regex=[bc]",
                "labelmap regex=a with=b",
                "keep from=b regex=foo",
            ],
            Some(r#"{a="foo", b="foo"}"#),
        );
    }

    #[test]
    fn a_rule_that_makes_no_sense_is_refused() {
        for (text, expected) in [
            (
                "replace from=a",
                "relabel action `replace` needs `target_label`",
            ),
            (
                "hashmod from=a to=b",
                "relabel action `hashmod` needs `modulus`",
            ),
            (
                "hashmod from=a to=b mod=0",
                "relabel action `hashmod` needs `modulus`",
            ),
            (
                "uppercase from=a to=b with=x",
                "relabel action `uppercase` does not take `replacement`",
            ),
            (
                "keepequal from=a to=b regex=x",
                "relabel action `keepequal` does not take `regex`",
            ),
            (
                "labeldrop from=a regex=x",
                "relabel action `labeldrop` does not take `source_labels`",
            ),
            (
                "labelmap regex=(.*) with=",
                "`` is no valid `replacement` for the relabel action `labelmap`",
            ),
            (
                "keep from=a regex=(",
                "error parsing regexp: missing closing ): `^(?s:()$`",
            ),
            ("kep from=a", "unknown relabel action `kep`"),
        ] {
            assert_eq!(rule(text).unwrap_err().to_string(), expected);
        }
    }
}
