//! Every lint there is: its id, its weight, and what people have to know of it.
//!
//! *Invariants*: ids never change their meaning; each lint has an example in which it finds something
//! and one in which it does not, and a test runs both.

/// The file of a single alert: its expression, and further fields.
macro_rules! alert {
    ($expr:literal $(, $field:literal)*) => {
        concat!(
            "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: '", $expr, "'\n",
            $("        ", $field, "\n",)*
        )
    };
}

/// The same of a recording rule.
macro_rules! record {
    ($name:literal, $expr:literal $(, $field:literal)*) => {
        concat!(
            "groups:\n  - name: g\n    rules:\n      - record: ", $name, "\n        expr: '", $expr,
            "'\n", $("        ", $field, "\n",)*
        )
    };
}

pub(crate) mod alerts;
pub(crate) mod files;
pub mod oncall;
pub(crate) mod online;
pub(crate) mod policy;
pub(crate) mod promql;
pub(crate) mod routes;
pub(crate) mod rules;

use crate::lint::Lint;

/// All lints, by area.
pub static CATALOGUE: &[&[&Lint]] = &[
    files::ALL,
    alerts::ALL,
    promql::ALL,
    rules::ALL,
    policy::ALL,
    routes::ALL,
    oncall::ALL,
    online::ALL,
];

/// The lint of an id.
#[must_use]
pub fn lint(id: &str) -> Option<&'static Lint> {
    CATALOGUE
        .iter()
        .copied()
        .flatten()
        .copied()
        .find(|lint| lint.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_lint_has_an_id_of_its_own_and_says_what_it_is() {
        let mut ids = BTreeSet::new();
        for lint in CATALOGUE.iter().copied().flatten() {
            assert!(ids.insert(lint.id), "{}", lint.id);
            assert!(lint.id.split('/').count() == 2, "{}", lint.id);
            for text in [lint.what, lint.why, lint.mend] {
                assert!(!text.is_empty() && !text.contains('\n'), "{}", lint.id);
            }
        }
    }
}
