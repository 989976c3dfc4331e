//! What is shared while files are read: where they come from, what was found wrong, what was noted.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use firebell_model::Secret;
use firebell_promql::Features;
use firebell_template::Messages;

use crate::delivery_alert::Fallback;
use crate::fields::{Doc, Fields};
use crate::files::Files;
use crate::problem::Problem;

/// Reads files and collects what is said about them.
pub(crate) struct Loader<'f> {
    pub(crate) files: &'f dyn Files,
    pub(crate) problems: RefCell<Vec<Problem>>,
    pub(crate) notes: RefCell<Vec<String>>,
    /// Which experimental parts of PromQL rules may use.
    features: Cell<Features>,
    /// Whether fields that nobody knows are passed over.
    pub(crate) ignores_unknown: bool,
    /// The programs that receivers may run.
    pub(crate) exec_allowed: RefCell<Vec<String>>,
    /// Which messages receivers get that say nothing else.
    pub(crate) messages: Cell<Messages>,
    /// Who hears when others cannot be told.
    pub(crate) fallback: RefCell<Option<Fallback>>,
}

impl<'f> Loader<'f> {
    pub(crate) fn new(files: &'f dyn Files, features: Features) -> Self {
        Self {
            files,
            problems: RefCell::default(),
            notes: RefCell::default(),
            features: Cell::new(features),
            ignores_unknown: false,
            exec_allowed: RefCell::default(),
            messages: Cell::default(),
            fallback: RefCell::default(),
        }
    }

    /// The text of a file; a problem when it cannot be read.
    pub(crate) fn read(&self, path: &Path) -> Option<String> {
        let read = self.files.read(path);
        read.inspect_err(|error| self.unreadable(path, error)).ok()
    }

    /// The files that a pattern names; a problem when a folder cannot be read.
    pub(crate) fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        self.files.glob(pattern).unwrap_or_else(|error| {
            self.unreadable(pattern, &error);
            Vec::new()
        })
    }

    fn unreadable(&self, path: &Path, error: &std::io::Error) {
        let file = path.display().to_string();
        let problem = Problem::of_file(&file, format!("failed to read: {error}"));
        self.problems.borrow_mut().push(problem);
    }

    pub(crate) fn doc<'d>(&'d self, path: &Path, source: &'d str) -> Doc<'d> {
        let mut doc = Doc::new(path, source, &self.problems);
        doc.features = self.features.get();
        doc.ignores_unknown = self.ignores_unknown;
        doc
    }

    /// Turns experimental parts of PromQL on for the files that are read from now on.
    pub(crate) fn enable(&self, features: Features) {
        self.features.set(self.features.get().and(features));
    }

    pub(crate) fn note(&self, note: impl Into<String>) {
        self.notes.borrow_mut().push(note.into());
    }

    /// A secret that stands in a field, or in a file that another field names.
    pub(crate) fn secret(
        &self,
        fields: &Fields<'_, '_>,
        name: &'static str,
        file_name: &'static str,
    ) -> Option<Secret> {
        let plain = fields.text(name).map(Secret::new);
        let Some(file) = fields.text(file_name) else {
            return plain;
        };
        if plain.is_some() {
            let message = format!("only one of `{name}` and `{file_name}` may be there");
            fields.doc.problem(fields.at(file_name), message, None);
        }
        self.secret_file(fields, file_name, &file)
    }

    /// A secret that stands in a file, without the blanks around it.
    pub(crate) fn secret_file(
        &self,
        fields: &Fields<'_, '_>,
        name: &'static str,
        file: &str,
    ) -> Option<Secret> {
        let path = fields.doc.path(file);
        match self.files.read(&path) {
            Ok(text) => Some(Secret::new(text.trim())),
            Err(error) => {
                let message = format!("failed to read `{}` of `{name}`: {error}", path.display());
                fields.doc.problem(fields.at(name), message, None);
                None
            }
        }
    }
}
