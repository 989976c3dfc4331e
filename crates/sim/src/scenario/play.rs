//! Plays a scenario: the timeline drives the simulator, the narrator writes down what comes of it.

use std::collections::BTreeMap;

use firebell_dispatch::{PostedAlert, SilenceRequest, SilenceState};
use firebell_engine::{Configuration, Input};
use firebell_model::{Duration, Labels, Sample, Timestamp, matchers_text};
use firebell_promql::description::Described;
use firebell_rules::Rules;

use super::document::Document;
use super::narrator::Narrator;
use super::timeline::{Line, What};
use crate::disk::Fault;
use crate::phases::alert_text;
use crate::simulator::{Cut, Sim};

/// Plays a scenario and returns its transcript.
pub(crate) fn play(document: &Document) -> String {
    // A document without a configuration was refused.
    let Some(first) = document.configurations.first() else {
        return String::new();
    };
    let start = first_slot(first);
    let sim = Sim::new(start - Duration(1), first.clone(), 1, Narrator::new(start));
    let configurations = document.configurations.clone();
    let mut player = Player { sim, configurations, n_reloads: 0 };
    player.start();
    for ((after, _), events) in by_time(&document.timeline) {
        player.sim.run_before(start + after);
        for event in events {
            match event {
                Event::Sample(labels, sample) => {
                    let at = start + after;
                    player.sim.append(vec![(labels.clone(), Sample { at, value: sample })]);
                }
                Event::What(What::End) => return finish(player),
                Event::What(what) => player.happen(what),
            }
        }
    }
    finish(player)
}

/// The end is part of the scenario: what is due at it happens.
fn finish(mut player: Player) -> String {
    let now = player.sim.now();
    player.sim.run_until(now);
    player.sim.watch.transcript
}

/// The first slot of the rules after a round date: everything is told from there.
fn first_slot(configuration: &Configuration) -> Timestamp {
    let mut rules = Rules::new(configuration.rules.clone(), configuration.rule_options);
    rules.handle_deadline(BEGINNING, &mut Vec::new());
    rules.poll_deadline().unwrap_or(BEGINNING)
}

enum Event<'a> {
    Sample(&'a Labels, f64),
    What(&'a What),
}

/// Everything that happens, by its time and its line; a series is many events.
fn by_time(timeline: &[Line]) -> BTreeMap<(Duration, u32), Vec<Event<'_>>> {
    let mut events: BTreeMap<(Duration, u32), Vec<Event<'_>>> = BTreeMap::new();
    let mut put = |at, line, event| events.entry((at, line)).or_default().push(event);
    for Line { at, line, what } in timeline {
        let What::Series { labels, values, every } = what else {
            // The end comes after everything else at its moment.
            let line = if matches!(what, What::End) { u32::MAX } else { *line };
            put(*at, line, Event::What(what));
            continue;
        };
        for (idx, value) in values.iter().enumerate() {
            if let Described::Value(value) = value {
                put(*at + *every * idx as i64, *line, Event::Sample(labels, *value));
            }
        }
    }
    events
}

struct Player {
    sim: Sim<Narrator>,
    configurations: Vec<Configuration>,
    n_reloads: usize,
}

impl Player {
    fn say(&mut self, what: &str) {
        let now = self.sim.now();
        self.sim.watch.say(now, what);
    }

    fn start(&mut self) {
        if let Err(error) = self.sim.start() {
            self.say(&format!("cannot start: {error}"));
        }
    }

    fn happen(&mut self, what: &What) {
        match what {
            What::Receiver { name, behaviour } => self.sim.world.set(name, *behaviour),
            What::Alert { labels, lasts, is_resolved } => self.post(labels, *lasts, *is_resolved),
            What::Silence { matchers, lasts } => {
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
                };
                let set = self.sim.command(|engine, now, step| engine.set_silence(now, request, step));
                if let Some(Err(error)) = set {
                    self.say(&format!("refused: {error}"));
                }
            }
            What::Unsilence { matchers } => self.unsilence(matchers.as_deref()),
            What::Stop(stop) => self.sim.stop(*stop),
            What::StopWithin(stop, point) => {
                self.sim.cut(Cut { point: *point, stop: *stop, is_notifying: true });
            }
            What::Restart => {
                self.say("restarted");
                self.start();
            }
            What::ReloadRules | What::ReloadRoutes => {
                self.n_reloads += 1;
                if let Some(configuration) = self.configurations.get(self.n_reloads).cloned() {
                    self.say("reloaded");
                    self.sim.configure(configuration);
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

    fn post(&mut self, labels: &Labels, lasts: Option<Duration>, is_resolved: bool) {
        let state = if is_resolved { "resolved" } else { "firing" };
        self.say(&format!("posted {state} {}", alert_text(labels)));
        let now = self.sim.now();
        let ends_at = if is_resolved { Some(now) } else { lasts.map(|lasts| now + lasts) };
        let posted = PostedAlert {
            labels: labels.clone(),
            annotations: Labels::empty(),
            starts_at: (!is_resolved).then_some(now),
            ends_at,
            generator_url: String::new(),
        };
        self.sim.command(|engine, now, step| {
            let (alerts, _) = engine.dispatch().post_alerts(now, vec![posted]);
            engine.handle(now, Input::AlertsPosted(alerts), step);
        });
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
