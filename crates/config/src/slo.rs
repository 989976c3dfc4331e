//! Files of objectives: Firebell's own format, Sloth's, Pyrra's and OpenSLO's, told by their content.
//!
//! Each reader makes [`Objective`]s; what is wrong with one, whatever it was written in, is found by
//! `firebell-slo` and noted here at its place.

mod export;
mod openslo;
mod own;
mod parts;
mod pyrra;
mod sloth;

pub use self::export::prometheus_rules;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firebell_model::Duration;
use firebell_rules::RuleGroup;
use firebell_slo::{Flow, Objective, Objectives, expand};

use crate::fields::Doc;
use crate::load::Loader;
use crate::problem::Pos;
use crate::scrape::Global;
use crate::yaml::{Node, Value};

/// Reads files of objectives, one after the other.
pub(crate) struct Reader<'l> {
    loader: &'l Loader<'l>,
    scrape_interval: Duration,
    evaluation_interval: Duration,
    query_offset: Duration,
    /// Files of OpenSLO, with the documents in them that are its own: they may name each other's.
    openslo: Vec<(PathBuf, String)>,
    found: Objectives,
    ids: BTreeSet<String>,
    groups: Vec<RuleGroup>,
}

/// The formats.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Own,
    Sloth,
    SlothOnKubernetes,
    Pyrra,
    OpenSlo,
}

/// Which format a document has; `None` when it is none of objectives.
fn format_of(root: &Node) -> Option<Format> {
    let Value::Map(entries) = &root.value else {
        return None;
    };
    let has = |name: &str| entries.iter().any(|entry| entry.key == name);
    let text = |name: &str| {
        let entry = entries.iter().find(|entry| entry.key == name)?;
        match &entry.value.value {
            Value::Scalar(scalar) => Some(&*scalar.text),
            _ => None,
        }
    };
    let api = text("apiVersion").unwrap_or_default();
    let group = api.split_once('/').map_or("", |(group, _)| group);
    match (group, text("version")) {
        ("openslo", _) => Some(Format::OpenSlo),
        ("pyrra.dev", _) => Some(Format::Pyrra),
        ("sloth.slok.dev", _) => Some(Format::SlothOnKubernetes),
        (_, Some("prometheus/v1")) => Some(Format::Sloth),
        _ => (has("slos") || has("flows")).then_some(Format::Own),
    }
}

/// Whether a file that is given on its own has objectives.
pub(crate) fn is_of_objectives(root: &Node) -> bool {
    format_of(root).is_some()
}

/// Reads files of objectives, which may name each other's; what was read, and its rules.
pub(crate) fn read_files(
    loader: &Loader<'_>,
    global: &Global,
    paths: impl IntoIterator<Item = PathBuf>,
) -> (Objectives, Vec<RuleGroup>) {
    let mut reader = Reader::new(loader, global);
    for path in paths {
        if let Some(source) = loader.read(&path) {
            reader.read_file(&path, &source);
        }
    }
    reader.finish()
}

impl<'l> Reader<'l> {
    fn new(loader: &'l Loader<'l>, global: &Global) -> Self {
        Self {
            loader,
            scrape_interval: global.scrape_interval,
            evaluation_interval: global.evaluation_interval,
            query_offset: global.rule_query_offset,
            openslo: Vec::new(),
            found: Objectives::default(),
            ids: BTreeSet::new(),
            groups: Vec::new(),
        }
    }

    /// All documents of a file.
    fn read_file(&mut self, path: &Path, source: &str) {
        let loader = self.loader;
        let doc = loader.doc(path, source);
        let mut has_openslo = false;
        for root in doc.parse_all() {
            match format_of(&root) {
                Some(Format::OpenSlo) => has_openslo = true,
                Some(Format::Own) => own::read(self, &doc, &root),
                Some(Format::Sloth) => sloth::read(self, &doc, &root),
                Some(Format::SlothOnKubernetes) => sloth::read_kubernetes(self, &doc, &root),
                Some(Format::Pyrra) => pyrra::read(self, &doc, &root),
                None => {
                    let message = "this is no file of objectives";
                    let hint = "it has `service` and `slos`, or is one of Sloth, Pyrra or OpenSLO";
                    doc.problem(root.at, message, Some(hint.to_owned()));
                }
            }
        }
        if has_openslo {
            self.openslo.push((path.to_owned(), source.to_owned()));
        }
    }

    /// What of OpenSLO names each other is read when all files are known.
    fn read_openslo(&mut self) {
        let sources = std::mem::take(&mut self.openslo);
        let loader = self.loader;
        let files = sources.iter().map(|(path, source)| {
            let doc = loader.doc(path, source);
            let mut roots = doc.parse_all();
            roots.retain(|root| format_of(root) == Some(Format::OpenSlo));
            (doc, roots)
        });
        let files: Vec<_> = files.collect();
        openslo::read(self, &files);
    }

    /// What was read, and its rules.
    fn finish(mut self) -> (Objectives, Vec<RuleGroup>) {
        self.read_openslo();
        (self.found, self.groups)
    }

    /// Takes an objective unless something is wrong with it; `place` says where its parts stand.
    fn take(
        &mut self,
        doc: &Doc<'_>,
        objective: Objective,
        place: &dyn Fn(&str) -> Pos,
    ) -> Option<Arc<Objective>> {
        let faults = objective.faults(self.scrape_interval);
        for fault in &faults {
            doc.problem(place(&fault.part), &*fault.message, None);
        }
        if !self.ids.insert(objective.id.clone()) {
            let message = format!("there are two objectives `{}`", objective.id);
            doc.problem(place("name"), message, None);
            return None;
        }
        if !faults.is_empty() {
            return None;
        }
        match expand(&objective, self.evaluation_interval, self.query_offset) {
            // The parts of a whole may have no alerts of their own.
            Ok(group) if group.rules.is_empty() => {}
            Ok(group) => self.groups.push(group),
            Err(why) => {
                doc.problem(place("indicator"), why, None);
                return None;
            }
        }
        let objective = Arc::new(objective);
        self.found.all.push(Arc::clone(&objective));
        Some(objective)
    }

    fn take_flow(&mut self, flow: Flow) {
        self.found.flows.push(flow);
    }
}
