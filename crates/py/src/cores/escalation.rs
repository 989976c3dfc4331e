//! `Escalation`: pages that climb until somebody answers.
//!
//! Each notifier of a policy is a person with one contact: so that it can fail, and the next step
//! comes at once where it does.

use std::sync::Arc;

use firebell_escalation::{
    AckMode, Act, Answer, Condition, Effect, Escalation as Core, Level, Limit, Opening, PageKey,
    PagingRules, PersonRules, Phase, Policy, Refusal, SendId, Severity, Step, Target, Who, Window,
};
use firebell_model::Duration;
use firebell_oncall::{Contact, ContactKind, Oncall, Person};
use jiff::tz::TimeZone;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{at, length, seconds};

/// A step: after how many seconds, the names of notifiers, from which severity on.
#[derive(FromPyObject)]
struct StepGiven(f64, Vec<String>, Option<u8>);

/// What has to be done: what, of which message, whom, about which pages.
type Todo = (&'static str, u64, String, Vec<u64>);

/// All pages of a manager.
#[pyclass(module = "firebell._native")]
pub(crate) struct Escalation {
    core: Core,
    oncall: Oncall,
    policies: Vec<Policy>,
    rules: PagingRules,
    effects: Vec<Effect>,
}

#[pymethods]
impl Escalation {
    #[new]
    fn new() -> Self {
        Self {
            core: Core::default(),
            oncall: Oncall::default(),
            policies: Vec::new(),
            rules: PagingRules::new(),
            effects: Vec::new(),
        }
    }

    /// Adds a policy. `quiet` are hours of the week and a time zone.
    #[pyo3(signature = (name, steps, *, quiet, max_per_hour, ack_timeout, patience))]
    fn add_policy(
        &mut self,
        name: &str,
        steps: Vec<StepGiven>,
        quiet: Option<(String, String)>,
        max_per_hour: Option<usize>,
        ack_timeout: Option<f64>,
        patience: f64,
    ) -> PyResult<()> {
        let quiet = quiet.map(|(hours, zone)| Window::new(&hours, &zone));
        let quiet = quiet.transpose();
        let quiet = quiet.map_err(|error| PyValueError::new_err(error.to_string()))?;
        let limit = max_per_hour.map(|n| Limit {
            kind: ContactKind::Webhook,
            n: n.clamp(1, Limit::N_MAX),
            within: Duration::from_hours(1),
        });
        let rules = PersonRules {
            quiet,
            limits: limit.into_iter().collect(),
            bundle: Duration::ZERO,
            ..PersonRules::default()
        };
        let mut levels = Vec::with_capacity(steps.len());
        for StepGiven(after, notifiers, from) in steps {
            for notifier in &notifiers {
                self.add_notifier(notifier, &rules);
            }
            let targets = notifiers
                .iter()
                .map(|it| Target::Person(it.as_str().into()));
            let severity = from.and_then(Severity::new);
            levels.push(Step {
                after: length(after),
                when: severity.map(|it| Condition {
                    severity: Some(it),
                    ..Condition::default()
                }),
                unless: None,
                act: Act::Notify(Level {
                    targets: targets.collect(),
                    acknowledge: AckMode::First,
                    who: Who::All,
                }),
            });
        }
        let mut policy = Policy::new(name, levels);
        policy.repeat_after = length(patience);
        policy.acknowledged_for = ack_timeout.map_or(Duration::ZERO, length);
        policy.remind_after = policy.acknowledged_for;
        self.policies.push(policy);
        let policies: Arc<[Policy]> = self.policies.as_slice().into();
        self.core.configure(policies, self.rules.clone());
        Ok(())
    }

    fn open(&mut self, now: f64, key: u64, policy: &str, severity: u8) -> PyResult<&'static str> {
        let opening = Opening {
            key: PageKey(key),
            policy: policy.into(),
            severity: rank(severity)?,
            budget: None,
        };
        let (oncall, out) = (&self.oncall, &mut self.effects);
        told(self.core.open(at(now), &opening, oncall, out))
    }

    fn acknowledge(&mut self, now: f64, key: u64, by: &str) -> PyResult<&'static str> {
        let (oncall, out) = (&self.oncall, &mut self.effects);
        told(
            self.core
                .acknowledge(at(now), PageKey(key), &by.into(), oncall, out),
        )
    }

    fn snooze(&mut self, now: f64, key: u64, until: f64, by: &str) -> PyResult<&'static str> {
        let (oncall, out) = (&self.oncall, &mut self.effects);
        let (key, wish) = (PageKey(key), (&by.into(), at(until)));
        told(self.core.snooze(at(now), key, wish, oncall, out))
    }

    fn close(&mut self, now: f64, key: u64) -> PyResult<&'static str> {
        told(self.core.close(at(now), PageKey(key), true))
    }

    fn set_severity(&mut self, now: f64, key: u64, severity: u8) -> PyResult<&'static str> {
        let (oncall, out) = (&self.oncall, &mut self.effects);
        let severity = rank(severity)?;
        told(
            self.core
                .set_severity(at(now), PageKey(key), severity, oncall, out),
        )
    }

    fn outcome(&mut self, now: f64, message: u64, is_delivered: bool) {
        let (oncall, out) = (&self.oncall, &mut self.effects);
        let outcome = (SendId(message), is_delivered);
        self.core.handle_outcome(at(now), outcome, oncall, out);
    }

    /// Does what is due.
    fn tick(&mut self, now: f64) {
        let (oncall, out) = (&self.oncall, &mut self.effects);
        self.core.handle_deadline(at(now), oncall, out);
    }

    /// When something is due next.
    fn deadline(&self) -> Option<f64> {
        self.core.poll_deadline().map(seconds)
    }

    /// What has to be done since this was last asked.
    fn take(&mut self) -> Vec<Todo> {
        let todo = |effect| {
            Some(match effect {
                Effect::Message {
                    id, person, pages, ..
                } => {
                    let pages = pages.into_iter().map(|it| it.0).collect();
                    ("send", id.0, person.to_string(), pages)
                }
                Effect::Remind { person, page } => ("remind", 0, person.to_string(), vec![page.0]),
                Effect::Tell { receiver, page } => ("tell", 0, receiver.to_string(), vec![page.0]),
                Effect::NobodyLeft { page, end } => {
                    let why = match end {
                        firebell_escalation::End::Failed => "nobody could be told",
                        _ => "nobody answered",
                    };
                    ("nobody_left", 0, why.to_owned(), vec![page.0])
                }
                Effect::Broken { page, why } => ("broken", 0, why.to_owned(), vec![page.0]),
                // Policies of a program have no schedules.
                Effect::HandOff(_) => return None,
            })
        };
        std::mem::take(&mut self.effects)
            .into_iter()
            .filter_map(todo)
            .collect()
    }

    /// What has happened since this was last asked: when, to which page, what.
    fn happened(&mut self) -> Vec<(f64, u64, String)> {
        let happened = self.core.take_happened().into_iter();
        let line = |it: firebell_escalation::Happened| {
            let text = match it.what.by() {
                Some(by) => format!("{by} {}", it.what),
                None => it.what.to_string(),
            };
            (seconds(it.at), it.page.0, text)
        };
        happened.map(line).collect()
    }

    /// A page as it is now.
    fn page<'py>(&self, py: Python<'py>, key: u64) -> PyResult<Bound<'py, PyDict>> {
        let page = self.core.page(PageKey(key));
        let page = page.ok_or_else(|| PyKeyError::new_err(key))?;
        let state = match (&page.acknowledgement, page.phase) {
            (Some(_), _) => "acknowledged",
            (None, Phase::Waiting) => "waiting",
            (None, Phase::Notifying | Phase::AwaitingAcknowledgement) => "paging",
            (None, Phase::Done(firebell_escalation::End::Resolved)) => "resolved",
            (None, Phase::Done(_)) => "unanswered",
        };
        let by = page.acknowledgement.as_ref().map(|it| &*it.by);
        let dict = PyDict::new(py);
        dict.set_item("state", state)?;
        dict.set_item("step", page.step)?;
        dict.set_item("severity", u8::from(page.severity))?;
        dict.set_item("acked_by", by)?;
        dict.set_item("next_at", page.next_at.map(seconds))?;
        Ok(dict)
    }
}

impl Escalation {
    fn add_notifier(&mut self, name: &str, rules: &PersonRules) {
        let name: Arc<str> = name.into();
        let people = &mut self.oncall.directory.people;
        if people.iter().all(|it| it.name != name) {
            people.push(Person {
                name: Arc::clone(&name),
                full_name: Arc::clone(&name),
                zone: TimeZone::UTC,
                contacts: vec![Contact {
                    kind: ContactKind::Webhook,
                    address: Arc::clone(&name),
                }],
            });
        }
        self.rules.insert(name, rules.clone());
    }
}

fn rank(severity: u8) -> PyResult<Severity> {
    Severity::new(severity).ok_or_else(|| PyValueError::new_err(severity))
}

fn told(answer: Result<Answer, Refusal>) -> PyResult<&'static str> {
    match answer {
        Ok(Answer::Done) => Ok("done"),
        Ok(Answer::Counted) => Ok("counted"),
        Ok(Answer::Already) => Ok("already"),
        Ok(Answer::Over) => Ok("over"),
        Err(Refusal::Unknown(key)) => Err(PyKeyError::new_err(key.0)),
        Err(refusal) => Err(PyValueError::new_err(refusal.to_string())),
    }
}
