//! Plays a scenario: the timeline drives the simulator, the narrator writes down what comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_dispatch::{PostedAlert, PostedAlerts, SilenceRequest, SilenceState};
use firebell_engine::{Configuration, Engine, LeaseRefusal};
use firebell_escalation::{Answer, PageKey};
use firebell_heartbeat::Beat;
use firebell_incident::{Outcome, Refusal};
use firebell_model::{Deploy, Duration, Fingerprint, Labels, Sample, Timestamp, matchers_text};
use firebell_promql::description::Described;
use firebell_rules::Rules;

use super::document::Document;
use super::past;
use super::timeline::{Line, What};
use crate::disk::Fault;
use crate::phases::alert_text;
use crate::simulator::{Flaw, Sim, Watch};

/// Plays a scenario before a watch, which is made of the moment that counts as 0s.
pub(crate) fn play<W: Watch>(
    document: &Document,
    options: Options,
    watch: impl FnOnce(Timestamp) -> W,
) -> Sim<W> {
    let first = document.first();
    let start = first_slot(&first.configuration, options.beginning);
    let mut sim = Sim::new(
        start - Duration(1),
        first.configuration.clone(),
        options.seed,
        watch(start),
    );
    sim.objectives = Arc::clone(&first.objectives);
    sim.flaw = options.flaw;
    let mut timeline = document.timeline.iter();
    let is_asked = timeline.any(|line| matches!(line.what, What::History));
    sim.history = (options.keeps_history || is_asked).then(Vec::new);
    sim.evaluation_max = options.evaluation_max;
    let mut player = Player {
        sim,
        document,
        start,
        n_reloads: 0,
        is_steady: options.is_steady,
    };
    player.sim.restart();
    for ((after, _), events) in by_time(&document.timeline) {
        player.sim.run_before(start + after);
        let mut samples = Vec::new();
        for event in events {
            match event {
                Event::Sample(labels, value) => {
                    samples.push((
                        labels.clone(),
                        Sample {
                            at: start + after,
                            value,
                        },
                    ));
                }
                Event::What(what) => player.happen(what),
            }
        }
        if !samples.is_empty() {
            player.sim.append(samples);
        }
    }
    // What is due at the end still happens.
    let now = player.sim.now();
    player.sim.run_until(now);
    player.sim
}

/// How a scenario is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// The first slot of the rules from here on counts as 0s.
    pub(crate) beginning: Timestamp,
    pub(crate) seed: u64,
    pub(crate) flaw: Flaw,
    pub(crate) evaluation_max: Duration,
    /// Leaves out everything that ends the process.
    pub(crate) is_steady: bool,
    /// Keeps what has happened, also when the timeline does not ask for it.
    pub(crate) keeps_history: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            beginning: BEGINNING,
            seed: 1,
            flaw: Flaw::None,
            evaluation_max: Duration::ZERO,
            is_steady: false,
            keeps_history: false,
        }
    }
}

/// The first slot of the rules from a moment on: everything is told from there.
fn first_slot(configuration: &Configuration, beginning: Timestamp) -> Timestamp {
    let mut rules = Rules::new(configuration.rules.clone(), configuration.rule_options);
    // What it says first are the slots that come later.
    rules.handle_deadline(beginning - Duration(1), &mut Vec::new());
    rules.poll_deadline().unwrap_or(beginning)
}

enum Event<'a> {
    Sample(&'a Labels, f64),
    What(&'a What),
}

/// Everything that happens, by its time and its line; a series is many events.
fn by_time(timeline: &[Line]) -> BTreeMap<(Duration, u32), Vec<Event<'_>>> {
    let end = timeline
        .iter()
        .rfind(|line| matches!(line.what, What::End))
        .map(|line| line.at);
    let is_in_time = |at: Duration| end.is_none_or(|end| at <= end);
    let mut events: BTreeMap<(Duration, u32), Vec<Event<'_>>> = BTreeMap::new();
    let mut put = |at, line, event| {
        if is_in_time(at) {
            events.entry((at, line)).or_default().push(event);
        }
    };
    for Line { at, line, what } in timeline {
        let What::Series {
            labels,
            values,
            every,
        } = what
        else {
            // The end comes after everything else at its moment.
            let line = if matches!(what, What::End) {
                u32::MAX
            } else {
                *line
            };
            put(*at, line, Event::What(what));
            continue;
        };
        for (idx, value) in values.iter().enumerate() {
            if let Described::Value(value) = value {
                // All samples of a moment are one scrape, and come first.
                put(*at + *every * idx as i64, 0, Event::Sample(labels, *value));
            }
        }
    }
    events
}

struct Player<'a, W> {
    sim: Sim<W>,
    document: &'a Document,
    start: Timestamp,
    n_reloads: usize,
    is_steady: bool,
}

impl<W: Watch> Player<'_, W> {
    fn say(&mut self, what: &str) {
        let now = self.sim.now();
        self.sim.watch.note(now, what);
    }

    fn happen(&mut self, what: &What) {
        match what {
            What::Receiver { name, behaviour } => self.sim.world.set(name, *behaviour),
            What::Alert {
                labels,
                lasts,
                is_resolved,
            } => self.post(labels, *lasts, *is_resolved),
            What::Silence {
                matchers,
                lasts,
                terms,
            } => {
                self.say(&format!("silence {}", matchers_text(matchers)));
                let now = self.sim.now();
                let request = SilenceRequest {
                    id: None,
                    matchers: matchers.clone(),
                    starts_at: now,
                    ends_at: now + *lasts,
                    created_by: "scenario".to_owned(),
                    comment: "scenario".to_owned(),
                    annotations: Labels::empty(),
                    terms: Some(terms.clone()),
                };
                let set = self
                    .sim
                    .command(|engine, now, step| engine.set_silence(now, request, step));
                if let Some(Err(error)) = set {
                    self.say(&format!("refused: {error}"));
                }
            }
            What::Unsilence { matchers } => self.unsilence(matchers.as_deref()),
            What::Stop { .. } | What::Cut(_) | What::CutDisk { .. } if self.is_steady => {}
            What::Stop { stop, restarts } => {
                self.sim.stop(*stop);
                if *restarts {
                    self.sim.restart();
                }
            }
            What::Cut(cut) => self.sim.cut(*cut),
            What::CutDisk { n_writes, restarts } => self.sim.cut_disk(*n_writes, *restarts),
            What::Why { .. } | What::History | What::Budgets | What::Heartbeats => {
                self.told(what).iter().for_each(|line| self.say(line));
            }
            What::Deploys { .. } | What::Beats { .. } | What::Forgets(_) => self.report(what),
            What::Leases(_) | What::Releases(..) => self.lease(what),
            What::Opens { .. }
            | What::Wishes { .. }
            | What::Decides { .. }
            | What::Answers { .. } => self.wish(what),
            What::Restart if self.sim.engine().is_some() => {}
            What::Restart => self.sim.restart(),
            What::ReloadRules | What::ReloadRoutes | What::ReloadFirebell => {
                self.n_reloads += 1;
                if let Some(next) = self.document.configurations.get(self.n_reloads) {
                    self.say("reloaded");
                    self.sim.objectives = Arc::clone(&next.objectives);
                    self.sim.configure(next.configuration.clone());
                }
            }
            What::Disk(fault) => {
                self.say(match fault {
                    Fault::Full => "disk full",
                    Fault::Broken | Fault::Cut => "disk broken",
                    Fault::None => "disk works",
                });
                self.sim.disk().set_fault(*fault);
            }
            What::Series { .. } | What::End => {}
        }
    }

    fn deploy(&mut self, what: &What) {
        if let What::Deploys {
            service,
            version,
            environment,
        } = what.clone()
        {
            let deploy = Deploy {
                at: self.sim.now(),
                service,
                namespace: String::new(),
                version,
                environment,
                url: String::new(),
            };
            let note = |engine: &mut Engine, _, _: &mut _| engine.note_deploys([deploy.clone()]);
            // Whoever tells of it is not heard while the process does not run.
            if self.sim.command(note).is_some() {
                self.sim.deploys.push(deploy);
            }
        }
    }

    /// What a roll-out or a job says, or that a job is gone.
    fn report(&mut self, what: &What) {
        self.deploy(what);
        let done = match what.clone() {
            What::Beats {
                key,
                outcome,
                expectation,
            } => self.sim.command(|engine, now, step| {
                let beat = Beat {
                    key,
                    at: now,
                    outcome,
                    expectation,
                };
                engine.beat(now, beat, step)
            }),
            What::Forgets(key) => self
                .sim
                .command(|engine, now, step| engine.forget_heartbeat(now, &key, step)),
            _ => None,
        };
        if let Some(Err(refusal)) = done {
            self.say(&format!("refused: {refusal}"));
        }
    }

    /// What a host asks of a check.
    fn lease(&mut self, what: &What) {
        let start = self.start;
        let said = match what.clone() {
            What::Leases(asked) => self.sim.command(|engine, now, _| {
                let key = asked.key().clone();
                let lease = engine.leases_mut().take(now, asked)?;
                let until = lease.until - start;
                Ok(Some(format!("lease {key}: {} until {until}", lease.holder)))
            }),
            What::Releases(key, holder) => self.sim.command(|engine, now, _| {
                let done = engine.leases_mut().give_up(now, &key, &holder);
                done.map(|()| None)
            }),
            _ => None,
        };
        match said {
            Some(Ok(Some(line))) => self.say(&line),
            Some(Err::<_, LeaseRefusal>(refusal)) => self.say(&format!("refused: {refusal}")),
            Some(Ok(None)) | None => {}
        }
    }

    /// What somebody does with incidents.
    fn wish(&mut self, what: &What) {
        match what {
            What::Opens { by, opening } => {
                let (by, opening) = (by.clone(), opening.clone());
                let opened = self
                    .sim
                    .command(|engine, now, step| engine.open_incident(now, by, opening, &[], step));
                if let Some(Err(refusal)) = opened {
                    self.say(&format!("refused: {refusal}"));
                }
            }
            What::Wishes { incident, by, act } => {
                let (by, act) = (by.clone(), act.clone());
                let outcome = self.sim.command(|engine, now, step| {
                    engine.act_on_incident(now, *incident, by, act, step)
                });
                self.wished(outcome);
            }
            What::Decides {
                month,
                by,
                about,
                decision,
            } => {
                let by = by.clone();
                let outcome = self.sim.command(|engine, now, step| {
                    engine.decide(now, by, month, (about, decision), step)
                });
                self.wished(outcome);
            }
            What::Answers { incident, by, act } => {
                let (key, by, act) = (PageKey(incident.0), by.clone(), act.clone());
                let answer = self
                    .sim
                    .command(|engine, now, step| engine.answer_page(now, key, by, act, step));
                match answer {
                    Some(Err(refusal)) => self.say(&format!("refused: {refusal}")),
                    Some(Ok(Answer::Already)) => self.say("already so"),
                    Some(Ok(Answer::Over)) => self.say("the page is over"),
                    Some(Ok(Answer::Counted)) => self.say("others have to answer as well"),
                    Some(Ok(Answer::Done)) | None => {}
                }
            }
            _ => {}
        }
    }

    fn wished(&mut self, outcome: Option<Result<Outcome, Refusal>>) {
        match outcome {
            Some(Err(refusal)) => self.say(&format!("refused: {refusal}")),
            Some(Ok(Outcome::Already)) => self.say("already so"),
            Some(Ok(Outcome::Changed)) | None => {}
        }
    }

    fn post(&mut self, labels: &Labels, lasts: Option<Duration>, is_resolved: bool) {
        let state = if is_resolved { "resolved" } else { "firing" };
        self.say(&format!("posted {state} {}", alert_text(labels)));
        let now = self.sim.now();
        let ends_at = if is_resolved {
            Some(now)
        } else {
            lasts.map(|lasts| now + lasts)
        };
        let posted = PostedAlert {
            labels: labels.clone(),
            annotations: Labels::empty(),
            starts_at: (!is_resolved).then_some(now),
            ends_at,
            generator_url: String::new(),
        };
        self.sim.command(|engine, now, step| {
            engine.post_alerts(now, &PostedAlerts::from_iter([posted]), step);
        });
    }

    /// What a timeline asks for.
    fn told(&mut self, what: &What) -> Vec<String> {
        match what {
            What::Why { matchers } => {
                let times = (self.start, self.sim.now());
                let why = |engine: &Engine| past::why(engine.dispatch(), times, matchers);
                self.sim.engine().map(why).unwrap_or_default()
            }
            What::Budgets => self.sim.budgets_text(self.start),
            What::Heartbeats => {
                let times = (self.start, self.sim.now());
                let engine = self.sim.engine();
                engine
                    .map(|engine| past::heartbeats(engine.heartbeats(), times))
                    .unwrap_or_default()
            }
            _ => self.history(),
        }
    }

    fn history(&mut self) -> Vec<String> {
        let entries = self.sim.history.replace(Vec::new()).unwrap_or_default();
        let name = |fingerprint: Fingerprint| {
            let labels = entries.iter().map(|it| &it.labels);
            let mut labels = labels.filter(|it| it.fingerprint() == fingerprint);
            labels.next().map(alert_text)
        };
        let lines = entries.iter();
        let lines = lines.map(|entry| past::happened(entry, self.start, &name));
        lines.collect()
    }

    fn unsilence(&mut self, matchers: Option<&str>) {
        self.say("unsilence");
        self.sim.command(|engine, now, step| {
            let is_meant = |text: &str| matchers.is_none_or(|matchers| matchers == text);
            let silences = engine.dispatch().silences(now).into_iter();
            let meant = silences
                .filter(|(state, _)| *state != SilenceState::Expired)
                .filter(|(_, silence)| is_meant(&matchers_text(&silence.matchers)))
                .map(|(_, silence)| silence.id);
            for id in meant.collect::<Vec<_>>() {
                // It was there a moment ago.
                let _ = engine.expire_silence(now, &id, step);
            }
        });
    }
}

/// 2026-01-01T00:00:00Z.
const BEGINNING: Timestamp = Timestamp(1_767_225_600_000);
