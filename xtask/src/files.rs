//! Rules for every file: module docs, nothing left open, no path of one machine, one room each.

use crate::source::names;

/// A file of the repository.
pub(crate) struct TextFile {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Lines that fit a room; a longer file has to be in [`RATCHET`].
const LINES_MAX: usize = 700;

/// Files that are too long, and how long each may be. It only shrinks.
const RATCHET: &[(&str, usize)] = &[];

/// Files that a program writes from another file: nobody reads them as rooms.
const GENERATED: &[&str] = &["ui/src/api/schema.ts"];

/// Notes to oneself, spelt so that this file does not hold them.
const LEFT_OPEN: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("db", "g!"),
];

/// Folders that exist on one machine only.
const MACHINE_FOLDERS: &[&str] = &["work", "farm", "root", "home"];

/// Checks every file.
pub(crate) fn check(texts: &[TextFile], out: &mut Vec<String>) {
    for file in texts {
        let ending = file.path.rsplit_once('.').map_or("", |(_, ending)| ending);
        if ending == "rs" && !file.text.starts_with("//! ") {
            out.push(format!(
                "{}:1: the first line says what the module owns: `//! …`",
                file.path
            ));
        }
        if matches!(ending, "rs" | "py" | "ts" | "tsx") {
            check_left_open(file, out);
            if !GENERATED.contains(&&*file.path) {
                check_length(file, RATCHET, out);
            }
        }
        if ending != "lock" {
            check_machine_paths(file, out);
        }
    }
    for (path, _) in RATCHET {
        if !texts.iter().any(|file| file.path == *path) {
            out.push(format!(
                "xtask/src/files.rs: `{path}` is gone; take it off the ratchet"
            ));
        }
    }
}

fn check_left_open(file: &TextFile, out: &mut Vec<String>) {
    for (number, line) in (1..).zip(file.text.lines()) {
        for word in LEFT_OPEN.iter().filter(|word| names(line, word)) {
            out.push(format!(
                "{}:{number}: `{word}`: do it, or open an issue",
                file.path
            ));
        }
    }
}

fn check_machine_paths(file: &TextFile, out: &mut Vec<String>) {
    for (number, line) in (1..).zip(file.text.lines()) {
        for folder in MACHINE_FOLDERS {
            let path = format!("/{folder}/");
            let joined = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
            if line
                .match_indices(&path)
                .any(|(at, _)| !line[..at].ends_with(joined))
            {
                out.push(format!(
                    "{}:{number}: `{path}…` is a path of one machine",
                    file.path
                ));
            }
        }
    }
}

fn check_length(file: &TextFile, ratchet: &[(&str, usize)], out: &mut Vec<String>) {
    let lines = file.text.lines().count();
    let allowed = ratchet
        .iter()
        .find(|(path, _)| *path == file.path)
        .map(|(_, max)| *max);
    match allowed {
        None if lines > LINES_MAX => {
            out.push(format!(
                "{}: {lines} lines, at most {LINES_MAX} fit a room",
                file.path
            ));
        }
        Some(max) if lines > max => {
            out.push(format!(
                "{}: grew to {lines} lines, the ratchet holds {max}",
                file.path
            ));
        }
        Some(_) if lines <= LINES_MAX => {
            out.push(format!(
                "{}: fits a room now; take it off the ratchet",
                file.path
            ));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        check(
            &[TextFile {
                path: path.into(),
                text: text.into(),
            }],
            &mut problems,
        );
        problems
    }

    #[test]
    fn a_module_begins_with_its_doc() {
        assert!(problems("a.rs", "//! Owns a.\n").is_empty());
        assert_eq!(problems("a.rs", "use x;\n").len(), 1);
        assert!(problems("a.py", "import x\n").is_empty());
    }

    #[test]
    fn nothing_is_left_open() {
        for word in LEFT_OPEN {
            assert_eq!(
                problems("a.ts", &format!("// {word} later")).len(),
                1,
                "{word}"
            );
        }
        assert!(problems("a.ts", "const TODOS = 1; // XXXL").is_empty());
    }

    #[test]
    fn no_path_belongs_to_one_machine() {
        for folder in MACHINE_FOLDERS {
            assert_eq!(
                problems("a.md", &format!("see /{folder}/x")).len(),
                1,
                "{folder}"
            );
        }
        let text = format!("../{0}/x and https://example.com/{0}/x", MACHINE_FOLDERS[0]);
        assert!(problems("a.md", &text).is_empty());
    }

    #[test]
    fn the_ratchet_only_shrinks() {
        let check = |lines: usize, ratchet: &[(&str, usize)], expected: usize| {
            let mut problems = Vec::new();
            let file = TextFile {
                path: "a.rs".into(),
                text: "x\n".repeat(lines),
            };
            check_length(&file, ratchet, &mut problems);
            assert_eq!(problems.len(), expected, "{lines} {ratchet:?} {problems:?}");
        };
        check(LINES_MAX, &[], 0);
        check(LINES_MAX + 1, &[], 1);
        check(LINES_MAX + 1, &[("a.rs", LINES_MAX + 1)], 0);
        check(LINES_MAX + 2, &[("a.rs", LINES_MAX + 1)], 1);
        check(LINES_MAX, &[("a.rs", LINES_MAX + 1)], 1);
    }
}
