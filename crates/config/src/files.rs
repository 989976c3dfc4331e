//! Reading files, and finding those that a pattern names.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Where configuration is read from: a disk, or a test's map.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// The files that a pattern with `*`, `?` and `[a-z]` names, sorted; a pattern without any of
    /// these names itself when it exists.
    ///
    /// # Errors
    /// When a folder cannot be read.
    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>>;

    /// Rule files besides those that the configuration names: a name and the text of each.
    fn managed_rules(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Files of `oncall` besides those that the configuration names.
    fn managed_oncall(&self) -> Vec<ManagedOncall> {
        Vec::new()
    }
}

/// A file of `oncall` that people changed elsewhere than in files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManagedOncall {
    /// What problems call it.
    pub name: String,
    /// As a file has it.
    pub text: String,
    /// Whether it is to be put in force now: what is wrong with it is a problem then. What fitted
    /// once and no longer does is left out, and noted.
    pub is_new: bool,
}

/// The disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsFiles;

impl Files for OsFiles {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found = vec![PathBuf::new()];
        for component in pattern.components() {
            found = match component {
                Component::Normal(name) if is_pattern(&name.to_string_lossy()) => {
                    let mut below = Vec::new();
                    for folder in found {
                        below.extend(matching(&folder, &name.to_string_lossy())?);
                    }
                    below
                }
                _ => found.into_iter().map(|path| path.join(component)).collect(),
            };
        }
        found.retain(|path| path.exists());
        found.sort();
        Ok(found)
    }
}

/// What of a folder matches; nothing when it is no folder.
fn matching(folder: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let listed = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    if !listed.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(listed)? {
        let name = entry?.file_name();
        if matches(pattern, &name.to_string_lossy()) {
            found.push(folder.join(name));
        }
    }
    Ok(found)
}

/// Whether a name is a pattern.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// Whether a name matches a pattern without `/`. Source: Go, `path.Match`.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pattern = pattern.chars();
    let mut rest = name.chars();
    match pattern.next() {
        None => name.is_empty(),
        Some('*') => {
            let tail = pattern.as_str();
            let mut starts = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            starts.any(|at| matches(tail, &name[at..]))
        }
        Some('?') => rest.next().is_some() && matches(pattern.as_str(), rest.as_str()),
        Some('[') => match (class(pattern.as_str()), rest.next()) {
            (Some(((ranges, is_negated), tail)), Some(c)) => {
                let is_in = ranges.iter().any(|&(low, high)| low <= c && c <= high);
                is_in != is_negated && matches(tail, rest.as_str())
            }
            _ => false,
        },
        Some('\\') => pattern.next() == rest.next() && matches(pattern.as_str(), rest.as_str()),
        Some(c) => rest.next() == Some(c) && matches(pattern.as_str(), rest.as_str()),
    }
}

/// The characters of a class: ranges, and whether those outside of them are meant.
type Class = (Vec<(char, char)>, bool);

/// The class after a `[`, and what follows its `]`.
fn class(text: &str) -> Option<(Class, &str)> {
    let negated = text.strip_prefix('^');
    let (inside, tail) = negated.unwrap_or(text).split_once(']')?;
    let chars: Vec<char> = inside.chars().collect();
    let mut ranges = Vec::new();
    let mut idx = 0;
    while let Some(&low) = chars.get(idx) {
        let is_range = chars.get(idx + 1) == Some(&'-') && idx + 2 < chars.len();
        let high = if is_range { chars[idx + 2] } else { low };
        ranges.push((low, high));
        idx += if is_range { 3 } else { 1 };
    }
    Some(((ranges, negated.is_some()), tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_patterns_as_in_go() {
        for (pattern, name, expected) in [
            ("*.yml", "a.yml", true),
            ("*.yml", ".yml", true),
            ("*.yml", "a.yaml", false),
            ("a?c*", "abc", true),
            ("[a-c]x[^0-9]", "bxy", true),
            ("[a-c]x[^0-9]", "bx1", false),
            ("\\*", "*", true),
            ("a*b*c", "a-b-b-c", true),
            ("é?", "éü", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
