//! Functions on text that rules and notifications share.

use firebell_model::{Quoted, Regex, RegexError};

use super::humanize::humanize_duration;
use super::{Call, Function};
use crate::exec::OUTPUT_BYTES_MAX;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("toUpper", 1, |call| {
        Ok(Value::text(call.text(0)?.to_uppercase()))
    }),
    Function::new("toLower", 1, |call| {
        Ok(Value::text(call.text(0)?.to_lowercase()))
    }),
    Function::new("match", 2, matches).with_pattern(),
    Function::new("reReplaceAll", 3, replace_all).with_pattern(),
    // Only in HTML would it mean something.
    Function::new("safeHtml", 1, |call| Ok(Value::text(call.text(0)?))),
    Function::new("humanizeDuration", 1, humanize_duration),
];

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

/// Go's `strings.Title`: the first letter of every word in upper case, the rest as it is.
pub(super) fn title_words(call: &mut Call<'_>) -> Result<Value, String> {
    let mut previous = ' ';
    let mut titled = String::new();
    for c in call.text(0)?.chars() {
        if is_separator(previous) {
            titled.extend(upper_first(c));
        } else {
            titled.push(c);
        }
        previous = c;
    }
    Ok(Value::text(titled))
}

/// Title case of a letter, as far as one character goes.
pub(super) fn upper_first(c: char) -> impl Iterator<Item = char> {
    c.to_uppercase()
}

/// Whether a word ends before this character, as `strings.Title` sees it.
fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return !(c.is_ascii_alphanumeric() || c == '_');
    }
    !c.is_alphanumeric() && c.is_whitespace()
}

/// What compiling a regular expression costs of a run's steps.
const COMPILE_STEPS: usize = 10_000;
