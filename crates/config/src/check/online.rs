//! Asks a running server about the rules of files: many at once, as far as it may be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use firebell_lint::{
    CATALOGUE, Figures, Finding, Global, Online, Project, Question, Refused, Reply, RuleFile,
    Server, Settings, judge_loaded, judge_online, judge_silences, server_rules,
};
use firebell_model::{Duration, Labels, Timestamp};
use firebell_promql::Features;

use super::source::Source;
use super::{Found, in_parallel_on, oncall};
use crate::firebell::Config;
use crate::problem::Problem;
use crate::yaml::{Node, Value, parse};

/// A server that is asked.
pub struct OnlineRequest<'r> {
    /// Its address, for people.
    pub name: String,
    /// It.
    pub server: &'r dyn Server,
    /// Over which time alerts are tried.
    pub window: Duration,
    /// How many rules are asked about at the same time.
    pub n_at_once: usize,
    /// Told after each rule how many are done.
    pub progress: &'r (dyn Fn(usize) + Sync),
}

/// What a server says of one rule.
#[derive(Clone, Debug)]
pub struct RuleFigures {
    /// The file.
    pub file: String,
    /// The group.
    pub group: String,
    /// The name of the rule.
    pub name: String,
    /// Whether it makes alerts.
    pub is_alerting: bool,
    /// What it costs and does.
    pub figures: Figures,
}

/// A server while it is asked about all units.
pub(super) struct Asking<'r> {
    request: &'r OnlineRequest<'r>,
    online: Online<'r>,
    n_done: AtomicUsize,
    /// Why it is not asked.
    pub(super) down: Option<String>,
    /// What its configuration says, for rules without one.
    global: Option<Global>,
    /// Its rules in force.
    rules: Project,
}

impl<'r> Asking<'r> {
    /// Sees whether the server answers, and what it has.
    pub(super) fn begin(request: &'r OnlineRequest<'r>, now: Timestamp) -> Self {
        let online = Online {
            server: request.server,
            now,
            window: request.window,
        };
        let down = match request
            .server
            .ask(&Question::Instant("vector(1)".to_owned()))
        {
            Ok(_) => None,
            Err(Refused::Down(why) | Refused::Costly(why) | Refused::Fails(why)) => Some(why),
        };
        let mut asking = Self {
            request,
            online,
            n_done: AtomicUsize::new(0),
            down,
            global: None,
            rules: Project::default(),
        };
        if asking.down.is_none() {
            asking.learn();
        }
        asking
    }

    fn learn(&mut self) {
        if let Ok(reply) = self.request.server.ask(&Question::Config)
            && let Reply::Words(words) = &*reply
            && let [yaml, retention] = &words[..]
        {
            self.global = Some(global(yaml, retention));
        }
        if let Ok(reply) = self.request.server.ask(&Question::Rules)
            && let Reply::Rules(rules) = &*reply
        {
            let file = server_rules(rules);
            self.rules.global = self.global.clone();
            self.rules.learn(&[&file]);
        }
    }

    /// What is known of all rules when no configuration says it; of one that does, only how long
    /// the server keeps samples.
    pub(super) fn complete(&self, own: Option<Global>) -> Option<Global> {
        let retention = self.global.as_ref().and_then(|it| it.retention);
        match own {
            Some(own) => Some(Global {
                retention: retention.or(own.retention),
                ..own
            }),
            None => self.global.clone(),
        }
    }

    /// Asks about every rule of a unit.
    pub(super) fn judge(
        &self,
        rules: &[(&Source, &RuleFile)],
        project: &Project,
        settings: &Settings,
    ) -> (Vec<Found>, Vec<RuleFigures>) {
        if self.down.is_some() {
            return (Vec::new(), Vec::new());
        }
        let mut places = Vec::new();
        for (file_idx, (_, file)) in rules.iter().enumerate() {
            for (group_idx, group) in file.groups.iter().enumerate() {
                let idxs = 0..group.rules.len();
                places.extend(idxs.map(|rule_idx| (file_idx, group_idx, rule_idx)));
            }
        }
        let groups = rules.iter().flat_map(|(_, file)| &file.groups);
        let groups: BTreeSet<&str> = groups.map(|group| &*group.name).collect();
        let judged = in_parallel_on(self.request.n_at_once, &places, |(file, group, rule)| {
            let file = rules[*file].1;
            let place = (*group, *rule);
            let mut judged = judge_online(file, place, project, settings, &self.online);
            if let Some((found, _)) = &mut judged {
                let loaded = (&self.rules, &groups);
                found.extend(judge_loaded(file, place, (project, settings), loaded));
            }
            let n_done = self.n_done.fetch_add(1, Ordering::Relaxed) + 1;
            (self.request.progress)(n_done);
            judged
        });
        let mut findings: BTreeMap<usize, Vec<Finding>> = BTreeMap::new();
        let mut all = Vec::new();
        for ((file_idx, group, rule), judged) in places.iter().zip(judged) {
            let Some((found, figures)) = judged else {
                continue;
            };
            findings.entry(*file_idx).or_default().extend(found);
            let file = rules[*file_idx].1;
            let group = &file.groups[*group];
            if let Some(rule) = &group.rules[*rule] {
                all.push(RuleFigures {
                    file: file.name.clone(),
                    group: group.name.clone(),
                    name: rule.name.clone(),
                    is_alerting: rule.is_alerting(),
                    figures,
                });
            }
        }
        let found = findings.into_iter().flat_map(|(idx, findings)| {
            let (source, file) = rules[idx];
            source.located(findings, |line| file.suppressions.ignores_line(line))
        });
        (found.collect(), all)
    }

    /// Whose contacts nobody has confirmed, as far as the server knows.
    pub(super) fn contacts(&self, config: &Config, settings: &Settings) -> Vec<Found> {
        let is_asked = oncall::may_page(config) && self.down.is_none();
        let reply = is_asked.then(|| self.request.server.ask(&Question::Unconfirmed));
        // What is no Firebell knows nothing of people.
        match reply {
            Some(Ok(reply)) => match &*reply {
                Reply::Contacts(contacts) => oncall::unconfirmed(config, contacts, settings),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// What is wrong with the server itself, once all has been asked.
    pub(super) fn end(&self, project: &Project, settings: &Settings) -> Vec<Found> {
        let found = |lint, severity, message, hint| Found {
            lint,
            severity,
            problem: Problem {
                file: self.request.name.as_str().into(),
                at: None,
                message,
                hint,
                excerpt: None,
            },
        };
        // It may have gone down on the way.
        let last = || match self.request.server.ask(&Question::Instant("1".to_owned())) {
            Err(Refused::Down(why)) => Some(why),
            _ => None,
        };
        if let Some(why) = self.down.clone().or_else(last) {
            let mut lints = CATALOGUE.iter().copied().flatten();
            let lint = lints.find(|it| it.id == "server/unreachable");
            let lint = lint.copied().unwrap_or(CATALOGUE[0][0]);
            let message = format!("the server does not answer: {why}");
            let hint = "what only it can say was not checked".to_owned();
            let severity = settings.severity(lint, lint.severity);
            return vec![found(lint, severity, message, Some(hint))];
        }
        let external = self.global.as_ref().map(|it| it.external_labels.clone());
        let silences = judge_silences(
            &self.online,
            &[project, &self.rules],
            &external.unwrap_or_else(Labels::empty),
            settings,
        );
        let silences = silences
            .into_iter()
            .map(|it| found(it.lint, it.severity, it.message, it.hint));
        silences.collect()
    }
}

/// What of a server's configuration lints use.
fn global(yaml: &str, retention: &str) -> Global {
    let root = parse(yaml).0;
    let section = root.as_ref().and_then(|it| it.get("global"));
    let duration =
        |node: Option<&Node>, name| -> Option<Duration> { node?.text_of(name)?.parse().ok() };
    let every_minute = Duration::from_mins(1);
    let scrape_interval = duration(section, "scrape_interval").unwrap_or(every_minute);
    let jobs = root
        .as_ref()
        .map_or(&[][..], |it| it.items("scrape_configs"));
    let jobs = jobs.iter().filter_map(|job| {
        let interval = duration(Some(job), "scrape_interval");
        Some((
            job.text_of("job_name")?,
            interval.unwrap_or(scrape_interval),
        ))
    });
    let external = section.and_then(|it| it.get("external_labels"));
    let external = match external.map(|it| &it.value) {
        Some(Value::Map(entries)) => &entries[..],
        _ => &[],
    };
    let external = external
        .iter()
        .filter_map(|entry| Some((entry.key.as_str(), entry.value.as_text()?)));
    let retention = retention.split(' ').next().and_then(|it| it.parse().ok());
    Global {
        scrape_interval: Some(scrape_interval),
        evaluation_interval: duration(section, "evaluation_interval").unwrap_or(every_minute),
        external_labels: Labels::from_pairs(external),
        job_intervals: jobs.collect(),
        // Which it has switched on is not known: what fails there is said by the server.
        features: Features::ALL,
        retention: retention.filter(|it| *it > Duration::ZERO),
        relabels_alerts: root.as_ref().is_some_and(|it| {
            let alerting = it.get("alerting");
            alerting.is_some_and(|it| it.get("alert_relabel_configs").is_some())
        }),
    }
}
