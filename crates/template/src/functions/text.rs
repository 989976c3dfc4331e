//! Functions on text that rules and notifications share.

use firebell_model::{Quoted, Regex, RegexError};

use super::humanize::humanize_duration;
use super::{Call, Function};
use crate::exec::OUTPUT_BYTES_MAX;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("toUpper", 1, |call| {
        Ok(Value::text(
            call.text(0)?.chars().map(upper).collect::<String>(),
        ))
    }),
    Function::new("toLower", 1, |call| {
        Ok(Value::text(
            call.text(0)?.chars().map(lower).collect::<String>(),
        ))
    }),
    Function::new("match", 2, matches).with_pattern(),
    Function::new("reReplaceAll", 3, replace_all).with_pattern(),
    // Only in HTML does it mean something: see `is_safe` in `exec`.
    Function::new("safeHtml", 1, |call| Ok(Value::text(call.text(0)?))),
    Function::new("humanizeDuration", 1, humanize_duration),
];

/// Go maps letter by letter: what would become several stays as it is.
fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}

/// Only of `İ` several would become, and Go takes the first.
fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// Runs `use_it` with the expression in the first argument, compiling it when need be.
fn with_pattern<T>(
    call: &mut Call<'_>,
    complain: impl FnOnce(&str, RegexError) -> String,
    use_it: impl FnOnce(&Call<'_>, &Regex) -> Result<T, String>,
) -> Result<T, String> {
    if let Value::Pattern(regex) = call.arg(0) {
        let regex = regex.clone();
        return use_it(call, &regex);
    }
    call.budget.spend(COMPILE_STEPS)?;
    let text = call.text(0)?;
    let regex = Regex::unanchored(text).map_err(|error| complain(text, error))?;
    use_it(call, &regex)
}

fn matches(call: &mut Call<'_>) -> Result<Value, String> {
    let complain = |_: &str, error: RegexError| error.to_string();
    with_pattern(call, complain, |call, regex| {
        Ok(Value::Bool(regex.is_match(call.text(1)?)))
    })
}

/// Upstream compiles here with a function that panics with these words.
fn complain_as_go_panics(text: &str, error: RegexError) -> String {
    let is_plain = |c: char| c == '\t' || !(c.is_ascii_control() || c == '`' || c == '\u{FEFF}');
    if text.chars().all(is_plain) {
        format!("regexp: Compile(`{text}`): {error}")
    } else {
        format!("regexp: Compile({}): {error}", Quoted(text))
    }
}

fn replace_all(call: &mut Call<'_>) -> Result<Value, String> {
    with_pattern(call, complain_as_go_panics, |call, regex| {
        let (replacement, text) = (call.text(1)?, call.text(2)?);
        let replaced = regex.replace_all(text, replacement, OUTPUT_BYTES_MAX);
        let replaced = replaced
            .ok_or_else(|| format!("result could be longer than {OUTPUT_BYTES_MAX} bytes"))?;
        Ok(Value::text(replaced))
    })
}

/// What compiling a regular expression costs of a run's steps.
const COMPILE_STEPS: usize = 10_000;
