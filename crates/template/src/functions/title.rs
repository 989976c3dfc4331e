//! Title case, as Go's `cases.Title` has it for English.
//!
//! A word's first letter that has a case gets title case. Between two letters or digits one of
//! [`MIDS`] does not end a word: `o'neil` and `a.b` are one each; digits and marks never do.
//!
//! *Sources*: `golang.org/x/text/cases`, `titleCaser`.

use super::Call;
use crate::value::Value;

/// For rules: the other letters stay as they are.
pub(super) fn title(call: &mut Call<'_>) -> Result<Value, String> {
    let titled = titled(call.text(0)?, |c, out| out.push(c));
    Ok(Value::text(titled))
}

/// For notifications: the other letters become lower case.
pub(super) fn title_and_lower(call: &mut Call<'_>) -> Result<Value, String> {
    let titled = titled(call.text(0)?, |c, out| out.extend(c.to_lowercase()));
    Ok(Value::text(titled))
}

fn titled(text: &str, push_other: impl Fn(char, &mut String)) -> String {
    let mut titled = String::with_capacity(text.len());
    let (mut is_inside, mut was_mid) = (false, false);
    for c in text.chars() {
        let is_mid = MIDS.contains(&c);
        is_inside &= !(is_mid && was_mid);
        if !is_cased(c) {
            titled.push(c);
            is_inside &= is_mid || is_of_word(c);
        } else if is_inside {
            push_other(c, &mut titled);
        } else {
            push_title(c, &mut titled);
            is_inside = true;
        }
        was_mid = is_mid;
    }
    titled
}

fn push_title(c: char, out: &mut String) {
    if let Some((_, title)) = DIGRAPHS.iter().find(|(letters, _)| letters.contains(c)) {
        out.push(*title);
        return;
    }
    // Of what becomes several letters, only the first is a capital: `ß` is `Ss`.
    let mut is_first = true;
    for upper in c.to_uppercase() {
        match is_first {
            true => out.push(upper),
            false => out.extend(upper.to_lowercase()),
        }
        is_first &= !is_cased(upper);
    }
}

fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || DIGRAPHS.iter().any(|(_, title)| *title == c)
}

/// Whether a word goes on with what has no case: digits, letters of most scripts, and marks.
fn is_of_word(c: char) -> bool {
    let is_letter = c.is_alphanumeric() && !NO_WORDS.iter().any(|range| range.contains(&c));
    is_letter || c == '_' || MARKS.iter().any(|range| range.contains(&c))
}

/// `MidLetter`, `MidNumLet` and `Single_Quote` of Unicode's word boundaries.
const MIDS: [char; 17] = [
    '\'', '.', ':', '\u{b7}', '\u{387}', '\u{55f}', '\u{5f4}', '\u{2018}', '\u{2019}', '\u{2024}',
    '\u{2027}', '\u{fe13}', '\u{fe52}', '\u{fe55}', '\u{ff07}', '\u{ff0e}', '\u{ff1a}',
];
/// Two letters in one, and their title case.
const DIGRAPHS: [(&str, char); 4] = [("Ǆǅǆ", 'ǅ'), ("Ǉǈǉ", 'ǈ'), ("Ǌǋǌ", 'ǋ'), ("Ǳǲǳ", 'ǲ')];
/// Ideographs and hiragana: each is a word of its own.
const NO_WORDS: [std::ops::RangeInclusive<char>; 4] = [
    '\u{2e80}'..='\u{309f}',
    '\u{3400}'..='\u{9fff}',
    '\u{f900}'..='\u{faff}',
    '\u{20000}'..='\u{3ffff}',
];
/// Combining marks and what formats.
const MARKS: [std::ops::RangeInclusive<char>; 7] = [
    '\u{ad}'..='\u{ad}',
    '\u{300}'..='\u{36f}',
    '\u{1ab0}'..='\u{1aff}',
    '\u{200c}'..='\u{200f}',
    '\u{203f}'..='\u{2040}',
    '\u{20d0}'..='\u{20ff}',
    '\u{fe00}'..='\u{fe0f}',
];
