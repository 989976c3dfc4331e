//! Reads one file: what it is, what is wrong with it, and what lints need of it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use firebell_lint::{RuleFile, Settings};
use firebell_promql::Features;
use firebell_template::NotificationTemplates;

use super::kind::FileKind;
use super::source::Source;
use super::{CheckRequest, CheckedFile, Found, rules, tests};
use crate::discovery::parse_target_file;
use crate::fields::Doc;
use crate::firebell::{Config, load_with};
use crate::problem::{Problem, Problems};
use crate::rule_files::place_in_text;
use crate::yaml::{Node, Value, parse};

/// Reads a kind of files that another crate knows.
pub struct Reader {
    /// What people call the kind.
    pub kind: &'static str,
    /// Whether a file is of it, by its name and text.
    pub knows: fn(&Path, &str) -> bool,
    /// Everything that is wrong with the text of a file of that name.
    pub problems: fn(&str, &str) -> Vec<Problem>,
}

/// A file that was read.
pub(super) struct ReadFile {
    pub(super) checked: CheckedFile,
    pub(super) found: Vec<Found>,
    pub(super) source: Source,
    pub(super) content: Content,
}

/// What lints need of a file.
pub(super) enum Content {
    /// Nothing more.
    Plain,
    /// A configuration: what was loaded, if all is right, and the rule files and the
    /// alertmanager.yml that it names.
    Root {
        config: Option<Box<Config>>,
        rule_files: BTreeSet<PathBuf>,
        alertmanager: Option<PathBuf>,
    },
    Rules(RuleFile),
    /// The rule files that tests name, and the alerts that they ask for.
    Tests {
        rule_files: BTreeSet<PathBuf>,
        alerts: BTreeSet<String>,
    },
}

/// Reads a file that was given.
pub(super) fn read(path: &Path, request: &CheckRequest<'_>) -> ReadFile {
    let mut file = ReadFile {
        checked: CheckedFile {
            name: path.display().to_string(),
            kind: FileKind::Firebell,
            is_given: true,
            names: Vec::new(),
            n_rules: 0,
            unreadable: None,
            notes: Vec::new(),
        },
        found: Vec::new(),
        source: Source::new(path, String::new(), None),
        content: Content::Plain,
    };
    let text = match request.source.read(path) {
        Ok(text) => text,
        // It is there, but is no text: the file's fault, not the caller's.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            let problem = Problem::of_file(&file.checked.name, format!("failed to read: {error}"));
            file.found = vec![Found::of_problem(problem)];
            return file;
        }
        Err(error) => {
            file.checked.unreadable = Some(error.to_string());
            return file;
        }
    };
    if let Some(reader) = request.readers.iter().find(|it| (it.knows)(path, &text)) {
        file.checked.kind = FileKind::Other(reader.kind);
        let problems = (reader.problems)(&file.checked.name, &text);
        file.found = problems.into_iter().map(Found::of_problem).collect();
        return file;
    }
    let is_template = path.extension().is_some_and(|it| it == "tmpl");
    let root = if is_template { None } else { parse(&text).0 };
    file.checked.kind = FileKind::of(path, root.as_ref());
    file.source = Source::new(path, text, root);
    let problems = strict(&mut file, request);
    file.found = problems.into_iter().map(Found::of_problem).collect();
    file
}

/// Reads a rule file for lints only: what names it has found what is wrong with it.
pub(super) fn read_named(path: &Path, request: &CheckRequest<'_>) -> Option<ReadFile> {
    let text = request.source.read(path).ok()?;
    let root = parse(&text).0;
    let source = Source::new(path, text, root);
    let rules = rules::rule_file(&source);
    Some(ReadFile {
        checked: CheckedFile {
            name: source.name.to_string(),
            kind: FileKind::Rules,
            is_given: false,
            names: Vec::new(),
            n_rules: n_rules(&rules),
            unreadable: None,
            notes: Vec::new(),
        },
        found: Vec::new(),
        source,
        content: Content::Rules(rules),
    })
}

fn n_rules(file: &RuleFile) -> usize {
    file.groups.iter().map(|group| group.rules.len()).sum()
}

/// Everything that keeps a file from being loaded, and what lints need of it.
fn strict(file: &mut ReadFile, request: &CheckRequest<'_>) -> Vec<Problem> {
    let source = &file.source;
    match file.checked.kind {
        FileKind::Firebell | FileKind::Prometheus => {
            let (rule_files, alertmanager) = named(source, request);
            file.checked.names = rule_files
                .iter()
                .chain(&alertmanager)
                .map(|it| it.display().to_string())
                .collect();
            let (config, problems) = loaded(file, request);
            file.content = Content::Root {
                config,
                rule_files,
                alertmanager,
            };
            problems
        }
        FileKind::Alertmanager | FileKind::Objectives => loaded(file, request).1,
        FileKind::Oncall => {
            let (config, problems) = loaded(file, request);
            let (rule_files, alertmanager) = (BTreeSet::new(), None);
            file.content = Content::Root {
                config,
                rule_files,
                alertmanager,
            };
            problems
        }
        FileKind::Rules => {
            let rules = rules::rule_file(source);
            file.checked.n_rules = n_rules(&rules);
            file.content = Content::Rules(rules);
            loaded(file, request).1
        }
        FileKind::Tests => {
            let tests = tests::read(source, request);
            file.checked.notes = tests.notes;
            file.content = Content::Tests {
                rule_files: tests.rule_files,
                alerts: tests.alerts,
            };
            tests.problems
        }
        FileKind::Targets => {
            let targets = parse_target_file(&source.path, &source.text);
            targets.err().map_or_else(Vec::new, of_problems)
        }
        FileKind::Templates => templates(source),
        FileKind::Other(_) => Vec::new(),
    }
}

fn of_problems(problems: Problems) -> Vec<Problem> {
    problems.iter().cloned().collect()
}

fn loaded(file: &mut ReadFile, request: &CheckRequest<'_>) -> (Option<Box<Config>>, Vec<Problem>) {
    let loaded = load_with(
        Some(&file.source.path),
        &request.external_url,
        request.source,
        Features::ALL,
    );
    match loaded {
        Ok(mut config) => {
            file.checked.notes = std::mem::take(&mut config.notes);
            (Some(Box::new(config)), Vec::new())
        }
        Err(problems) => (None, of_problems(problems)),
    }
}

fn templates(source: &Source) -> Vec<Problem> {
    let name = source
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let Err(errors) = NotificationTemplates::new([(&*name, source.text.as_str())]) else {
        return Vec::new();
    };
    let problems = RefCell::default();
    let doc = Doc::new(&source.path, &source.text, &problems);
    for (_, error) in errors {
        let at = place_in_text(error.line, error.column);
        doc.problem(
            at,
            format!("{}{}", super::TEMPLATE_ERROR, error.message),
            None,
        );
    }
    problems.into_inner()
}

/// The rule files and the alertmanager.yml that a configuration names.
fn named(source: &Source, request: &CheckRequest<'_>) -> (BTreeSet<PathBuf>, Option<PathBuf>) {
    let Some(root) = &source.root else {
        return (BTreeSet::new(), None);
    };
    let alertmanager = root.get("alertmanager").and_then(Node::as_text);
    let alertmanager = alertmanager.map(|it| source.relative(it));
    let prometheus = root.get("prometheus").and_then(Node::as_text);
    let rule_files = match prometheus.map(|it| source.relative(it)) {
        None => patterns(source, request),
        Some(path) => match request.source.read(&path) {
            Ok(text) => {
                let root = parse(&text).0;
                patterns(&Source::new(&path, text, root), request)
            }
            // Which loading it has said.
            Err(_) => BTreeSet::new(),
        },
    };
    (rule_files, alertmanager)
}

fn patterns(source: &Source, request: &CheckRequest<'_>) -> BTreeSet<PathBuf> {
    let list = source.root.as_ref().and_then(|root| root.get("rule_files"));
    let Some(Value::List(items)) = list.map(|it| &it.value) else {
        return BTreeSet::new();
    };
    let patterns = items
        .iter()
        .filter_map(Node::as_text)
        .map(|it| source.relative(it));
    let found = patterns.filter_map(|it| request.source.glob(&it).ok());
    found.flatten().collect()
}

impl Content {
    /// The settings that a configuration makes.
    pub(super) fn settings(&self) -> Option<&Settings> {
        match self {
            Self::Root {
                config: Some(config),
                ..
            } => Some(&config.check.settings),
            _ => None,
        }
    }
}
