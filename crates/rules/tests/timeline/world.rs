//! A world for the rules: a timeline goes in, a transcript comes out. Restarts go through the
//! records' JSON.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use firebell_model::{Alert, Duration, Labels, Sample, Timestamp, format_float, is_stale};
use firebell_promql::Plan;
use firebell_rules::{
    ANOMALY_VARIABLES, AlertPhase, AlertingRule, AnomalyOptions, Cadence, Context, DetectorKind,
    Direction, FailingAlert, FlapLimit, Mode, Options, Place, Policy, Reaction, Rule, RuleEffect,
    RuleGroup, RuleRecord, RuleSet, Rules, Tally, evaluate,
};
use firebell_template::Template;

use crate::store::Store;

/// What a transcript shows besides the alerts' phases and what dispatch is told.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Show {
    pub(crate) writes: bool,
    pub(crate) errors: bool,
    pub(crate) told: bool,
}

pub(crate) struct World {
    rules: Rules,
    set: RuleSet,
    journal: Vec<String>,
    store: Store,
    start: Timestamp,
    now: Timestamp,
    phases: BTreeMap<String, String>,
    errors: BTreeMap<String, String>,
    show: Show,
    pub(crate) transcript: String,
}

impl World {
    /// A world whose time begins at the first slot of the first group.
    pub(crate) fn new(set: RuleSet, show: Show) -> Self {
        let epoch = Timestamp(1_700_000_000_000);
        let mut probe = Rules::new(set.clone(), Options::default());
        probe.handle_deadline(epoch, &mut Vec::new());
        let slots = |rules: &Rules| rules.poll_deadline().unwrap_or(epoch);
        let start = slots(&probe);
        let mut world = Self {
            rules: Rules::new(set.clone(), Options::default()),
            set,
            journal: Vec::new(),
            store: Store::default(),
            start,
            now: start - Duration(1),
            phases: BTreeMap::new(),
            errors: BTreeMap::new(),
            show,
            transcript: String::new(),
        };
        world.fire_deadline();
        world
    }

    /// Lets everything happen that is due before a moment.
    pub(crate) fn run_until(&mut self, after: Duration) {
        let until = self.start + after;
        while let Some(deadline) = self.rules.poll_deadline().filter(|it| *it < until) {
            self.now = self.now.max(deadline);
            self.fire_deadline();
        }
        self.now = until;
    }

    /// Makes one thing happen: `cpu{a}=3`, `cpu{a}=gone`, `broken`, `mended`, `restart`, `reload`,
    /// `restart-with` other rules, `sleep10m`.
    pub(crate) fn happen(&mut self, what: &str, reloads: &mut VecDeque<RuleSet>) {
        match what {
            "restart" => self.restart(),
            "restart-with" => {
                self.set = reloads.pop_front().expect("rules for the restart");
                self.restart();
            }
            // The program is not there, so that nothing happens.
            "sleep10m" => self.now += Duration::from_mins(10),
            "end" => {}
            "broken" => self.store.is_broken = true,
            "mended" => self.store.is_broken = false,
            "reload" => {
                self.set = reloads.pop_front().expect("rules for the reload");
                let mut effects = Vec::new();
                self.rules
                    .configure(self.now, self.set.clone(), &mut effects);
                self.perform(effects);
            }
            assignment => {
                let (series, value) = assignment.split_once('=').expect("series=value");
                let (name, instance) = series.split_once('{').unwrap_or((series, ""));
                let instance = instance.trim_end_matches('}');
                let labels = Labels::from_pairs([("__name__", name), ("instance", instance)]);
                let value = (value != "gone").then(|| value.parse().expect("a value"));
                self.store.set(labels, value);
            }
        }
    }

    /// A sample from before the world began.
    pub(crate) fn remember(&mut self, series: &Labels, before: Duration, value: f64) {
        let at = self.start - before;
        self.store.write(series, Sample { at, value });
    }

    /// What the store's clock says at the start, in seconds.
    pub(crate) fn start_secs(&self) -> f64 {
        self.start.0.div_euclid(1000) as f64
    }

    /// Ends as it should, and begins anew.
    pub(crate) fn restart(&mut self) {
        self.rules.settle();
        self.perform(Vec::new());
        self.kill();
    }

    /// Forgets everything but the journal.
    fn kill(&mut self) {
        self.rules = Rules::new(self.set.clone(), Options::default());
        for line in &self.journal {
            let record: RuleRecord = serde_json::from_str(line).expect("a record");
            self.rules.restore(record);
        }
    }

    /// As a snapshot does: the journal begins anew with the whole state.
    pub(crate) fn compact(&mut self) {
        self.journal.clear();
        self.write_journal(self.rules.records());
    }

    fn write_journal(&mut self, records: Vec<RuleRecord>) {
        let json = |record| serde_json::to_string(record).expect("json");
        self.journal.extend(records.iter().map(json));
    }

    fn fire_deadline(&mut self) {
        let mut effects = Vec::new();
        self.rules.handle_deadline(self.now, &mut effects);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<RuleEffect>) {
        let mut effects = VecDeque::from(effects);
        loop {
            let mut records = Vec::new();
            self.rules.take_changes(&mut records);
            self.write_journal(records);
            self.note_phases();
            let Some(effect) = effects.pop_front() else {
                return;
            };
            match effect {
                RuleEffect::Evaluate(request) => {
                    let evaluation = evaluate(&request, &self.store);
                    let mut more = Vec::new();
                    self.rules.handle_evaluated(self.now, evaluation, &mut more);
                    effects.extend(more);
                }
                RuleEffect::Write(samples) => {
                    for (series, sample) in samples {
                        let at = self.time(sample.at);
                        self.store.write(&series, sample);
                        let value = if is_stale(sample.value) {
                            "ends".to_owned()
                        } else {
                            format_float(sample.value)
                        };
                        if self.show.writes {
                            self.line(&format!("{series} {value} @{at}"));
                        }
                    }
                }
                RuleEffect::Watch(_) => {}
                RuleEffect::WriteHistograms(samples) => {
                    for (series, sample) in samples {
                        let at = self.time(sample.at);
                        let count = format_float(sample.histogram.count);
                        self.line(&format!("{series} histogram of {count} @{at}"));
                    }
                }
                RuleEffect::Send(_) => {}
                RuleEffect::Alerts(alerts) => {
                    for alert in alerts {
                        self.note_told(&alert);
                    }
                }
            }
        }
    }

    fn note_told(&mut self, alert: &Alert) {
        let since = self.time(alert.starts_at);
        let mut line = match alert.ends_at {
            None => format!("tell {} fires since {since}", alert.labels),
            Some(ends_at) => format!(
                "tell {} fired {since} to {}",
                alert.labels,
                self.time(ends_at)
            ),
        };
        if !alert.annotations.is_empty() {
            let _ = write!(line, " {}", alert.annotations);
        }
        if self.show.told {
            self.line(&line);
        }
    }

    /// What groups have counted along the way is what counting anew gives.
    fn check_tallies(&self) {
        for group in self.rules.groups() {
            let mut counted = Tally::default();
            for rule in group.rules() {
                let alerts = || rule.alerts().iter();
                counted.n_pending += alerts()
                    .filter(|it| it.phase == AlertPhase::Pending)
                    .count();
                counted.n_flapping += alerts().filter(|it| it.is_flapping).count();
                counted.n_failing += usize::from(rule.last_error().is_some());
                let is_shadow = rule.rule.mode() == Mode::Shadow;
                counted.n_shadow_fired += if is_shadow { rule.n_fired() } else { 0 };
            }
            assert_eq!(group.tally(), counted, "{}", group.group.name);
        }
    }

    /// Shows the phases that have changed.
    fn note_phases(&mut self) {
        self.check_tallies();
        let (mut phases, mut errors) = (BTreeMap::new(), BTreeMap::new());
        for rule in self.rules.groups().flat_map(|group| group.rules()) {
            for alert in rule.alerts().iter().chain(rule.reports()) {
                let mut phase = alert.phase.name().to_owned();
                if let AlertPhase::Firing {
                    keep_firing_since: Some(since),
                    ..
                } = alert.phase
                {
                    let _ = write!(phase, ", kept since {}", self.time(since));
                }
                if let AlertPhase::Firing {
                    held: Some(hold), ..
                } = alert.phase
                {
                    let _ = write!(phase, ", held: {hold:?}");
                }
                if alert.is_flapping {
                    phase.push_str(", flapping");
                }
                phases.insert(alert.labels.to_string(), phase);
            }
            if let Some(error) = rule.last_error() {
                errors.insert(rule.rule.name.clone(), error.to_owned());
            }
        }
        for (alert, phase) in &phases {
            if self.phases.get(alert) != Some(phase) {
                self.line(&format!("{alert} {phase}"));
            }
        }
        for alert in self.phases.clone().into_keys() {
            if !phases.contains_key(&alert) {
                self.line(&format!("{alert} gone"));
            }
        }
        if self.show.errors {
            for (rule, error) in &errors {
                if self.errors.get(rule) != Some(error) {
                    self.line(&format!("{rule} fails: {error}"));
                }
            }
        }
        (self.phases, self.errors) = (phases, errors);
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.transcript, "{} {text}", self.time(self.now));
    }

    fn time(&self, at: Timestamp) -> String {
        (at - self.start).to_string()
    }

    pub(crate) fn restore(&mut self, record: RuleRecord) {
        self.rules.restore(record);
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }
}

/// Rules from a text: a line `group NAME every 1m [offset 1m] [limit 2]` or `external NAME=VALUE`,
/// `failing 5m` for Firebell's own alert,
/// or a rule `alert NAME | EXPR | for 2m | keep 3m | label a: b | note c: d`, `record NAME | EXPR`.
pub(crate) fn rules(text: &str) -> RuleSet {
    let mut groups: Vec<RuleGroup> = Vec::new();
    let mut context = Context::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(group) = line.strip_prefix("group ") {
            groups.push(read_group(group));
        } else if let Some(external) = line.strip_prefix("external ") {
            let (name, value) = external.split_once('=').expect("name=value");
            context.external_labels = Labels::from_pairs([(name, value)]);
            context.external_url = "http://bell".to_owned();
        } else if let Some(hold_for) = line.strip_prefix("failing ") {
            context.failing_alert = Some(FailingAlert {
                hold_for: hold_for.parse().expect("a duration"),
                ..FailingAlert::default()
            });
        } else {
            let group = groups.last_mut().expect("a group before the rules");
            group.rules.push(Arc::new(read_rule(line)));
        }
    }
    RuleSet::new(groups, context).expect("rules that fit together")
}

fn read_group(text: &str) -> RuleGroup {
    let words: Vec<&str> = text.split_whitespace().collect();
    let word_after = |key: &str| {
        let idx = words.iter().position(|word| *word == key)?;
        words.get(idx + 1).copied()
    };
    let duration = |key: &str| word_after(key).map(|text| text.parse().expect("a duration"));
    RuleGroup {
        file: "rules.yml".to_owned(),
        name: words[0].to_owned(),
        interval: duration("every").unwrap_or(Duration::from_mins(1)),
        slot_at: None,
        query_offset: duration("offset").unwrap_or(Duration::ZERO),
        limit: word_after("limit").map(|text| text.parse().expect("a limit")),
        rules: Vec::new(),
    }
}

fn read_rule(line: &str) -> Rule {
    let mut parts = line.split('|').map(str::trim);
    let (kind, name) = parts
        .next()
        .and_then(|it| it.split_once(' '))
        .expect("a rule");
    let expr = Plan::new(parts.next().expect("an expression")).expect("PromQL");
    let mut rule = AlertingRule::default();
    let mut cadence = Cadence::default();
    let mut recorded = Vec::new();
    for part in parts {
        let (key, rest) = part.split_once(' ').expect("a key");
        let pair = || rest.split_once(": ").expect("name: value");
        let text = || {
            (
                pair().0.into(),
                Template::compile_with(pair().1, &ANOMALY_VARIABLES).expect("a template"),
            )
        };
        match key {
            "every" => cadence.interval = Some(rest.parse().expect("a duration")),
            "evaluate" => cadence.on_arrival = rest == "on_arrival",
            "for" => rule.hold_for = rest.parse().expect("a duration"),
            "keep" => rule.keep_firing_for = rest.parse().expect("a duration"),
            "label" if kind == "record" => recorded.push(pair()),
            "label" => rule.labels.push(text()),
            "note" => rule.annotations.push(text()),
            _ => read_policy(key, rest, &mut rule.policy),
        }
    }
    let rule = match kind {
        "alert" => Rule::alerting(name, expr, rule, Place::default()),
        _ => Rule::recording(name, expr, Labels::from_pairs(recorded), Place::default()),
    };
    rule.with_cadence(cadence)
}

/// `mode shadow`, `no_data alert 2m`, `on_error ok`, `clear EXPR`, `flap 3 within 10m`,
/// `anomaly robust up 0.5`.
fn read_policy(key: &str, rest: &str, policy: &mut Policy) {
    let duration = |text: &str| text.parse().expect("a duration");
    let reaction = || match rest.split_once(' ').unwrap_or((rest, "0s")) {
        ("alert", hold_for) => Reaction::Alert {
            hold_for: duration(hold_for),
        },
        ("keep", _) => Reaction::Keep,
        _ => Reaction::End,
    };
    match key {
        "mode" => policy.mode = Mode::Shadow,
        "no_data" => policy.no_data = reaction(),
        "on_error" => policy.on_error = reaction(),
        "clear" => policy.clear = Some(Plan::new(rest).expect("PromQL")),
        "anomaly" => {
            let mut words = rest.split_whitespace();
            let detector = match words.next() {
                Some("zscore") => DetectorKind::ZScore,
                _ => DetectorKind::Robust,
            };
            policy.anomaly = Some(AnomalyOptions {
                detector,
                window: 8,
                warm_up: 4,
                sensitivity: 3.0,
                direction: match words.next() {
                    Some("up") => Direction::Up,
                    Some("down") => Direction::Down,
                    _ => Direction::Both,
                },
                min_deviation: words.next().map_or(0.0, |it| it.parse().expect("a number")),
                min_deviation_ratio: 0.0,
            });
        }
        "flap" => {
            let (changes, within) = rest.split_once(" within ").expect("within");
            policy.flapping = Some(FlapLimit {
                changes: changes.parse().expect("a number"),
                within: duration(within),
            });
        }
        _ => panic!("what is `{key}`?"),
    }
}

/// Runs a timeline, `0s cpu{a}=1 · 2m30s cpu{a}=gone restart · 5m end`, to its last moment.
pub(crate) fn run(world: &mut World, timeline: &str, mut reloads: VecDeque<RuleSet>) {
    for moment in timeline.split('·').map(str::trim) {
        let mut words = moment.split_whitespace();
        let after = words.next().and_then(|word| word.parse().ok());
        world.run_until(after.expect("a time"));
        for word in words {
            world.happen(word, &mut reloads);
        }
    }
    // The last moment itself counts.
    let last = timeline
        .split('·')
        .next_back()
        .and_then(|it| it.split_whitespace().next());
    let last: Duration = last.and_then(|word| word.parse().ok()).expect("a time");
    world.run_until(last + Duration(1));
}
