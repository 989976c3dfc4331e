//! Numbers and parts of expressions as people would have written them.

use firebell_model::format_float;

/// A number to twelve digits: `100 - 99.9` gives `0.1`, not what binary leaves of it.
pub(crate) fn tidy(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// A [`tidy`] number for an expression.
pub(crate) fn number(value: f64) -> String {
    format_float(tidy(value))
}

/// `99.9%`, `0.0144%`: a share in percent, with all its digits.
pub(crate) fn exact_percent(share: f64) -> String {
    format!("{}%", number(share * 100.0))
}

/// `sum`, or `sum by (route)`, of an expression.
pub(crate) fn sum(by: &[String], expr: &str) -> String {
    match by {
        [] => format!("sum({expr})"),
        by => format!("sum by ({}) ({expr})", by.join(", ")),
    }
}

/// A text that templates print as it is.
pub(crate) fn plain(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}
