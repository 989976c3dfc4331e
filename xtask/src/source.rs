//! Rust source as text: code without words, code without tests. No parser: what is blanked keeps
//! its lines, so that a problem can be placed.

const TEST_ATTRIBUTE: &str = "#[cfg(test)]";

/// The code with comments and the insides of literals blanked.
pub(crate) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let words = words_len(rest, out.chars().next_back());
        if words == 0 {
            let next = rest.chars().next().unwrap_or_default();
            out.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            blank(&rest[..words], &mut out);
            rest = &rest[words..];
        }
    }
    out
}

/// The code (of [`code`]) with every item under `#[cfg(test)]` blanked.
pub(crate) fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(TEST_ATTRIBUTE) {
        out.push_str(&rest[..at]);
        let end = at + TEST_ATTRIBUTE.len() + item_len(&rest[at + TEST_ATTRIBUTE.len()..]);
        blank(&rest[at..end], &mut out);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Names of modules in files of their own that are only for tests: `#[cfg(test)] mod name;`.
pub(crate) fn test_modules(code: &str) -> Vec<&str> {
    let after = code.split(TEST_ATTRIBUTE).skip(1);
    let named = after.filter_map(|rest| {
        let item = &rest[..item_len(rest)];
        let (_, name) = item.split_once("mod ")?;
        name.trim().strip_suffix(';')
    });
    named.map(str::trim).collect()
}

/// Whether `line` has `path` as a path, not as the end of a longer word.
pub(crate) fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let joined = |c: char| c.is_alphanumeric() || c == '_';
        let ends = path.ends_with(':') || !line[at + path.len()..].starts_with(joined);
        ends && !line[..at].ends_with(joined)
    })
}

/// First names in the braces after `prefix`, with their lines: `fs` in `use std::{fs::File, io}`.
pub(crate) fn group_members<'a>(code: &'a str, prefix: &str) -> Vec<(usize, &'a str)> {
    let mut members = Vec::new();
    for (at, _) in code.match_indices(&format!("{prefix}{{")) {
        let (mut depth, mut expects_name) = (0, false);
        for (offset, c) in code[at + prefix.len()..].char_indices() {
            let begin = at + prefix.len() + offset;
            match c {
                '{' => (depth, expects_name) = (depth + 1, depth == 0),
                '}' => depth -= 1,
                ',' => expects_name = depth == 1,
                _ if c.is_whitespace() => {}
                _ if expects_name => {
                    let name = code[begin..]
                        .split(|c: char| !c.is_alphanumeric() && c != '_')
                        .next();
                    members.push((1 + code[..begin].matches('\n').count(), name.unwrap_or("")));
                    expects_name = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    members
}

/// Length of the comment or literal at the very beginning of `text`; 0 when it is code.
fn words_len(text: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment_len(text);
    }
    if text.starts_with('"') {
        return string_len(text);
    }
    if text.starts_with('\'') {
        return char_len(text);
    }
    if text.starts_with('r') && (!in_word || before == Some('b')) {
        return raw_string_len(text);
    }
    0
}

fn block_comment_len(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `'a'` and `'\n'`, but not the lifetime `'a`.
fn char_len(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            let close = text[2..].char_indices().skip(1).find(|(_, c)| *c == '\'');
            close.map_or(0, |(at, _)| 2 + at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

fn raw_string_len(text: &str) -> usize {
    let hashes = text[1..].bytes().take_while(|byte| *byte == b'#').count();
    let open = 1 + hashes;
    if text.as_bytes().get(open) != Some(&b'"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    text[open + 1..]
        .find(&close)
        .map_or(text.len(), |at| open + 1 + at + close.len())
}

/// Length of an item: up to its `;` or the brace that closes it.
fn item_len(code: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn blank(text: &str, out: &mut String) {
    out.extend(text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_blanked_and_code_stays() {
        let check = |input: &str, expected: &str| {
            assert_eq!(
                code(input).split_whitespace().collect::<Vec<_>>().join(" "),
                expected
            );
        };
        check("a /* b /* c */ d */ e // f\ng", "a e g");
        check(r#"f("x \" y", 'z', '\'', '"')"#, "f( , , , )");
        check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
        check(r##"f(r#"a "b" c"#, r"\", br"q")"##, "f( , , b )");
        check("r#match + for_r", "r#match + for_r");
    }

    #[test]
    fn lines_keep_their_numbers() {
        let text = "a\n\"b\nc\"\n#[cfg(test)]\nmod tests {\n x\n}\nlast";
        assert_eq!(without_tests(&code(text)).lines().nth(7), Some("last"));
    }

    #[test]
    fn attributes_between_belong_to_the_item() {
        let text = "#[cfg(test)]\n#[allow(x)]\nmod tests { fn f() { {} } }\nkept";
        assert_eq!(without_tests(text).trim(), "kept");
        assert_eq!(
            test_modules("#[cfg(test)]\npub(crate) mod corpus;"),
            ["corpus"]
        );
    }

    #[test]
    fn groups_of_imports_are_read() {
        let members = group_members("use std::{\n io::{self, fs},\n fs::File,\n};", "std::");
        assert_eq!(members, [(2, "io"), (3, "fs")]);
    }
}
