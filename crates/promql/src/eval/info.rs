//! `info`: the labels of info series, such as `target_info`, on the series that they describe.
//!
//! *Invariants*: which info series describes another is decided by the labels `instance` and `job`,
//! as upstream has it for now; of several the newest sample counts. Info series are read where what
//! they describe is, `@` and `offset` included.
//!
//! *Sources*: Prometheus, `promql/info.go`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use firebell_model::{Labels, METRIC_NAME, Matcher, SampleValue, label_set_text};

use super::frame::{ABSENT, Block, Cell, Cells, Frame, SeriesSet, is_absent};
use super::{Context, Frames, State, Steps, select};
use crate::error::{EvalError, execution};
use crate::plan::{InfoCall, Place};

/// The labels that say what an info series is about.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// What joins a series and an info series of some name.
type Key<'a> = (&'a str, [&'a str; 2]);

pub(crate) fn run(
    call: &InfoCall,
    state: &mut State,
    frames: &mut Frames<'_>,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Frame, EvalError> {
    let base = frames.vector(call.operand, steps.n)?;
    let mut bound = match std::mem::replace(state, State::Unbound) {
        State::Selection(selection) => Some(selection),
        _ => None,
    };
    let place = call.place(context)?;
    // What is read at a fixed moment is read once.
    let n = if place.0.is_some() { 1 } else { steps.n };
    let infos = select::moments(
        &call.reader,
        place,
        &mut bound,
        context,
        Steps { n, ..steps },
    )?;
    let infos = infos.broadcast(steps.n, frames.room)?;
    if let Some(selection) = bound {
        *state = State::Selection(selection);
    }
    let is_info: Vec<bool> = base.set.labels.iter().map(|it| call.is_info(it)).collect();
    let candidates = candidates(&base, &is_info, &infos);
    let mut joined = Joined::new(call, &base, &infos);
    for step in 0..steps.n {
        context.check_cancelled()?;
        // Without anything to describe, what describes is not looked at, nor found wrong.
        if (0..is_info.len()).all(|row| is_absent(base.get(row, step))) {
            continue;
        }
        let newest = newest(&candidates, &infos, step)?;
        for (row, &is_info) in is_info.iter().enumerate() {
            let value = match base.cell(row, step) {
                Cell::Absent => continue,
                Cell::Float(value) => SampleValue::Float(value),
                Cell::Histogram(histogram) => SampleValue::Histogram(Arc::clone(histogram)),
            };
            let found = (!is_info).then(|| describing(&base.set.labels[row], &newest));
            joined.put(row, step, found, value)?;
        }
    }
    joined.into_frame(steps.n)
}

impl InfoCall {
    /// Where info series are read.
    pub(super) fn place(&self, context: &Context<'_>) -> Result<Place, EvalError> {
        let query = (context.start, context.end);
        let place = self.reference.place(query, context.shape);
        place.map_err(EvalError::Execution)
    }

    /// Whether a series is an info series itself, to which nothing is added.
    fn is_info(&self, labels: &Labels) -> bool {
        let name = labels.value(METRIC_NAME);
        self.names.iter().all(|it| it.matches_value(name))
    }
}

fn identity(labels: &Labels) -> [&str; 2] {
    IDENTIFYING.map(|name| labels.value(name))
}

/// The info series whose identifying labels occur among the series, by what they describe.
fn candidates<'a>(
    base: &Block,
    is_info: &[bool],
    infos: &'a Block,
) -> BTreeMap<Key<'a>, Vec<usize>> {
    // Values by which of the two labels are there: a series with one is described by one with one.
    let mut known: BTreeMap<[bool; 2], [BTreeSet<&str>; 2]> = BTreeMap::new();
    let is_there = |values: [&str; 2]| values.map(|it| !it.is_empty());
    for (labels, _) in base.set.labels.iter().zip(is_info).filter(|(_, it)| !**it) {
        let values = identity(labels);
        let known = known.entry(is_there(values)).or_default();
        for (known, value) in known.iter_mut().zip(values) {
            known.insert(value);
        }
    }
    known.remove(&[false; 2]);
    let mut candidates: BTreeMap<Key<'_>, Vec<usize>> = BTreeMap::new();
    for (row, labels) in infos.set.labels.iter().enumerate() {
        let values = identity(labels);
        let Some(known) = known.get(&is_there(values)) else {
            continue;
        };
        let mut pairs = known.iter().zip(values);
        if pairs.all(|(known, value)| known.contains(value)) {
            let key = (labels.value(METRIC_NAME), values);
            candidates.entry(key).or_default().push(row);
        }
    }
    candidates
}

/// Of each group the series with the newest sample at a step.
fn newest<'a>(
    candidates: &BTreeMap<Key<'a>, Vec<usize>>,
    infos: &Block,
    step: usize,
) -> Result<BTreeMap<[&'a str; 2], Vec<usize>>, EvalError> {
    let mut newest: BTreeMap<[&str; 2], Vec<usize>> = BTreeMap::new();
    for ((_, identity), rows) in candidates {
        let mut best: Option<(usize, f64)> = None;
        for &row in rows {
            let at = infos.get(row, step);
            if is_absent(at) {
                continue;
            }
            if infos.histogram(row, step).is_some() {
                return execution("info sample should be float");
            }
            match best {
                Some((_, known)) if known > at => {}
                Some((other, known)) if known == at => {
                    let ms = (at * 1000.0).round() as i64;
                    let text = |row: usize| label_set_text(&infos.set.labels[row]);
                    let (a, b) = (text(other), text(row));
                    return execution(format!(
                        "found duplicate series for info metric: existing {a} @ {ms}, \
                         new {b} @ {ms}"
                    ));
                }
                _ => best = Some((row, at)),
            }
        }
        if let Some((row, _)) = best {
            newest.entry(*identity).or_default().push(row);
        }
    }
    Ok(newest)
}

fn describing(labels: &Labels, newest: &BTreeMap<[&str; 2], Vec<usize>>) -> Vec<usize> {
    newest.get(&identity(labels)).cloned().unwrap_or_default()
}

/// The info series that describe a series; `None` of one that is an info series itself.
type Description = Option<Vec<usize>>;

/// The series of the result, which differ from step to step when info series do.
struct Joined<'a> {
    call: &'a InfoCall,
    base: &'a Block,
    infos: &'a Block,
    rows: HashMap<Labels, usize>,
    labels: Vec<Labels>,
    /// Whose name goes at the end of the query, as that of what is described does.
    drops_name: Vec<bool>,
    /// Row, step and value of each result.
    values: Vec<(usize, usize, SampleValue)>,
    /// Which info series described a series at the step before, and the row that came of it.
    before: Vec<Option<(Description, Option<usize>)>>,
    /// The last step at which a row of the result got a value.
    filled: Vec<usize>,
}

impl<'a> Joined<'a> {
    fn new(call: &'a InfoCall, base: &'a Block, infos: &'a Block) -> Self {
        Self {
            call,
            base,
            infos,
            rows: HashMap::new(),
            labels: Vec::new(),
            drops_name: Vec::new(),
            values: Vec::new(),
            before: vec![None; base.set.len()],
            filled: Vec::new(),
        }
    }

    /// Adds a value of a series that `found` describe.
    fn put(
        &mut self,
        row: usize,
        step: usize,
        found: Description,
        value: SampleValue,
    ) -> Result<(), EvalError> {
        let known = self.before[row].as_ref();
        let target = match known.filter(|(before, _)| *before == found) {
            Some((_, target)) => *target,
            None => {
                let labels = self.labels_of(row, found.as_deref())?;
                let drops_name = self.base.set.drops_name(row);
                let target = labels.map(|labels| self.row_of(labels, drops_name));
                self.before[row] = Some((found, target));
                target
            }
        };
        let Some(target) = target else {
            return Ok(());
        };
        if std::mem::replace(&mut self.filled[target], step) == step {
            return execution("vector cannot contain metrics with the same labelset");
        }
        self.values.push((target, step, value));
        Ok(())
    }

    fn row_of(&mut self, labels: Labels, drops_name: bool) -> usize {
        *self.rows.entry(labels).or_insert_with_key(|labels| {
            self.labels.push(labels.clone());
            self.drops_name.push(drops_name);
            self.filled.push(usize::MAX);
            self.labels.len() - 1
        })
    }

    /// The labels of a result; `None` when the series has to be described and is not.
    fn labels_of(&self, row: usize, found: Option<&[usize]>) -> Result<Option<Labels>, EvalError> {
        let base = &self.base.set.labels[row];
        let Some(found) = found else {
            return Ok(Some(base.clone()));
        };
        let data = &self.call.data;
        if found.is_empty() && !data.iter().all(|it| it.matches_value("")) {
            return Ok(None);
        }
        let is_wanted =
            |name: &str| data.is_empty() || data.iter().any(|it: &Matcher| it.name() == name);
        let mut builder = base.to_builder();
        let mut added: BTreeMap<&str, &str> = BTreeMap::new();
        for &info in found {
            for label in self.infos.set.labels[info].iter() {
                let (name, value) = (&*label.name, &*label.value);
                if name == METRIC_NAME || !is_wanted(name) || !base.value(name).is_empty() {
                    continue;
                }
                if added
                    .insert(name, value)
                    .is_some_and(|other| other != value)
                {
                    return execution(format!("conflicting label: {name}"));
                }
                builder.set(name, value);
            }
        }
        Ok(Some(builder.build()))
    }

    fn into_frame(self, n: usize) -> Result<Frame, EvalError> {
        let mut cells = Cells::from(vec![ABSENT; self.labels.len() * n]);
        for (row, step, value) in self.values {
            cells.set(row * n + step, Some(value));
        }
        Ok(Frame::Vector(Block::new(
            SeriesSet::new(self.labels, self.drops_name),
            n,
            cells,
        )))
    }
}
