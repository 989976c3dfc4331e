//! Example files, good and bad, each with what is made or said of it beside it.
//!
//! `UPDATE_EXPECT=1` rewrites what is expected.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use firebell_config::{
    Config, ExternalUrl, Files as _, KeptLimits, OsFiles, ScrapeJob, load, load_with,
    parse_target_file, targets,
};
use firebell_dispatch::{DeliveryAlert, InhibitRule, OwnKeys};
use firebell_model::{Duration, matchers_text};
use firebell_notify::{HttpConfig, Integration};
use firebell_oncall::{Oncall, PersonId};
use firebell_promql::Features;
use firebell_rules::{Cadence, FailingAlert, Policy};
use proptest::prelude::*;

/// Every `.yml` of a folder, loaded; `describe` is compared with the `.txt` beside it.
fn check_folder(folder: &str, describe: fn(&Path) -> String) {
    let files = OsFiles.glob(Path::new(&format!("{folder}/*.yml"))).unwrap();
    assert!(!files.is_empty());
    for file in files {
        let expected = std::path::absolute(file.with_extension("txt")).unwrap();
        expect_file![expected].assert_eq(&describe(&file));
    }
}

fn load_file(file: &Path) -> Result<Config, firebell_config::Problems> {
    let url = ExternalUrl {
        given: None,
        fallback: "http://localhost:9494/".to_owned(),
    };
    load(Some(file), &url, &OsFiles)
}

#[test]
fn every_problem_of_a_bad_file_is_named() {
    check_folder("tests/bad", |file| match load_file(file) {
        Ok(_) => panic!("{} is good", file.display()),
        Err(problems) => format!("{problems}\n"),
    });
}

#[test]
fn a_good_file_becomes_what_it_says() {
    check_folder("tests/good", |file| match load_file(file) {
        Ok(config) => describe(&config),
        Err(problems) => panic!("{problems}"),
    });
}

#[test]
fn upstreams_rule_files_are_good() {
    let corpus = std::env::var("FIREBELL_CORPUS").unwrap_or("../../../shared/corpus".to_owned());
    let folder = PathBuf::from(corpus).join("promtool");
    if !folder.is_dir() {
        eprintln!("skipped: no corpus at {}", folder.display());
        return;
    }
    let root = Root(format!("rule_files: ['{}/rules.yml']", folder.display()));
    let url = ExternalUrl::default();
    let config = load(Some(Path::new("firebell.yml")), &url, &root).unwrap_or_else(|problems| {
        panic!("{problems}");
    });
    let names: Vec<_> = config
        .rules
        .groups()
        .iter()
        .map(|group| group.rules.len())
        .collect();
    assert_eq!(names, [2, 3]);
}

#[test]
fn deltas_are_added_up_unless_the_file_says_not_to() {
    for (text, expected) in [
        ("{}", true),
        ("otlp: {}", true),
        ("otlp: {delta_to_cumulative: true}", true),
        ("otlp: {delta_to_cumulative: false}", false),
    ] {
        let url = ExternalUrl::default();
        let root = Root(text.to_owned());
        let config = load(Some(Path::new("firebell.yml")), &url, &root)
            .unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(config.otlp.adds_deltas, expected, "{text}");
    }
}

#[test]
fn experimental_promql_of_rules_is_turned_on_by_the_file() {
    let try_with = |query: &str| {
        let file = format!("{query}\nrule_files: [tests/good/parts/limitk.yaml]");
        let path = Path::new("firebell.yml");
        load_with(
            Some(path),
            &ExternalUrl::default(),
            &Root(file),
            Features::default(),
        )
    };
    let problems = try_with("global: {}").unwrap_err().to_string();
    assert!(
        problems.contains("--enable-feature=promql-experimental-functions"),
        "{problems}"
    );
    let config = try_with("query: {enable_features: [promql-experimental-functions]}").unwrap();
    assert_eq!(config.query.features, ["promql-experimental-functions"]);
}

/// The disk, with one file put over it.
struct Root(String);

impl firebell_config::Files for Root {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        if path == Path::new("firebell.yml") {
            return Ok(self.0.clone());
        }
        OsFiles.read(path)
    }

    fn glob(&self, pattern: &Path) -> std::io::Result<Vec<PathBuf>> {
        OsFiles.glob(pattern)
    }
}

fn describe(config: &Config) -> String {
    let mut text = String::new();
    config
        .scrape
        .iter()
        .for_each(|job| describe_job(job, &mut text));
    for group in config.rules.groups() {
        let (interval, offset) = (group.interval, group.query_offset);
        writeln!(text, "group {} every {interval} {offset} ago", group.name).unwrap();
        for rule in &group.rules {
            let (labels, annotations) = (&rule.label_texts, &rule.annotation_texts);
            let (line, column) = (rule.place.line, rule.place.column);
            writeln!(text, "  {line}:{column} {rule:?} {labels} {annotations}").unwrap();
            if rule.cadence != Cadence::default() {
                writeln!(text, "    {:?}", rule.cadence).unwrap();
            }
            let policy = rule.as_alerting().map(|rule| &rule.policy);
            if let Some(policy) = policy.filter(|it| format!("{it:?}") != default_policy()) {
                writeln!(text, "    {policy:?}").unwrap();
            }
        }
    }
    let external_url = config.external_url.clone();
    let default = DeliveryAlert {
        external_url,
        ..DeliveryAlert::default()
    };
    if config.delivery_alert.as_ref() != Some(&default) {
        writeln!(text, "delivery alert {:?}", config.delivery_alert).unwrap();
    }
    let failing = &config.rules.context().failing_alert;
    if *failing != Some(FailingAlert::default()) {
        writeln!(text, "failing rules {failing:?}").unwrap();
    }
    describe_oncall(&config.oncall.oncall, &mut text);
    for policy in config.escalation.policies.iter() {
        describe_policy(policy, &mut text);
    }
    if !config.escalation.policies.is_empty() {
        for (contact, integration) in config.paging.iter() {
            writeln!(text, "pages by {} via {integration}", contact.name()).unwrap();
        }
    }
    for (name, rules) in &config.escalation.rules {
        writeln!(text, "paging {name} {rules:?}").unwrap();
    }
    describe_routing(config, &mut text);
    for job in &config.alertmanagers {
        let found = job.targets(&job.discovery.static_groups);
        writeln!(text, "sends to {found:?} within {}", job.timeout).unwrap();
    }
    let (url, labels) = (&config.external_url, &config.external_labels);
    writeln!(text, "at {url} {labels} {:?}", config.listen).unwrap();
    describe_storage(&config.storage, &mut text);
    if config.history != KeptLimits::HISTORY {
        writeln!(text, "history {:?}", config.history).unwrap();
    }
    if config.telemetry != KeptLimits::TELEMETRY {
        writeln!(text, "telemetry {:?}", config.telemetry).unwrap();
    }
    describe_incidents(config, &mut text);
    if let Some(source) = &config.source {
        writeln!(text, "source {source:?}").unwrap();
    }
    for note in &config.notes {
        writeln!(text, "note: {note}").unwrap();
    }
    text + &config.alertmanager_text
}

fn describe_incidents(config: &Config, text: &mut String) {
    let unsaid = firebell_incident::Policy {
        has_objectives: config.incidents.has_objectives,
        ..Default::default()
    };
    if config.incidents != unsaid {
        writeln!(text, "{:?}", config.incidents).unwrap();
    }
    for it in &config.heartbeats.declared {
        let (key, of) = (&it.key, &it.expectation);
        let (every, grace) = (of.every(), of.grace());
        let (labels, annotations) = (&of.labels, &of.annotations);
        writeln!(
            text,
            "heartbeat {key} every {every} {grace} {labels} {annotations}"
        )
        .unwrap();
    }
    for figure in config.figures.iter() {
        writeln!(text, "figure {}: {}", figure.name, figure.expr).unwrap();
    }
}

fn describe_policy(policy: &firebell_escalation::Policy, text: &mut String) {
    let (name, repeat, every) = (&policy.name, policy.repeat, policy.repeat_after);
    let (lasts, remind) = (policy.acknowledged_for, policy.remind_after);
    write!(text, "escalation {name} repeat {repeat} after {every}").unwrap();
    writeln!(text, " acknowledged for {lasts}, asked at {remind}").unwrap();
    for step in &policy.steps {
        writeln!(text, "  {} {:?}", step.after, step.act).unwrap();
        for (word, condition) in [("when", &step.when), ("unless", &step.unless)] {
            if let Some(condition) = condition {
                writeln!(text, "    {word} {condition:?}").unwrap();
            }
        }
    }
}

fn default_policy() -> String {
    format!("{:?}", Policy::default())
}

fn describe_job(job: &ScrapeJob, text: &mut String) {
    let (name, interval, timeout) = (&job.name, job.interval, job.timeout);
    writeln!(text, "job {name} every {interval} within {timeout}").unwrap();
    let mut groups = job.discovery.static_groups.clone();
    for pattern in job.discovery.files.iter().flat_map(|it| &it.patterns) {
        for path in OsFiles.glob(pattern).unwrap() {
            let read = OsFiles.read(&path).unwrap();
            groups.extend(parse_target_file(&path, &read).unwrap());
        }
    }
    let found = targets(job, &groups);
    for target in found.active {
        writeln!(text, "  {} {}", target.url, target.labels).unwrap();
    }
    for target in found.dropped {
        let why = target.error.unwrap_or("relabelling".to_owned());
        writeln!(text, "  dropped by {why}: {}", target.discovered).unwrap();
    }
}

fn describe_oncall(oncall: &Oncall, text: &mut String) {
    let directory = &oncall.directory;
    let names = |people: &[PersonId]| {
        let names = people.iter().map(|id| &*directory.person(*id).name);
        names.collect::<Vec<_>>().join("+")
    };
    for person in &directory.people {
        let zone = person.zone.iana_name().unwrap_or_default();
        let contacts = person.contacts.iter();
        let contacts = contacts.map(|it| format!("{} {}", it.kind.name(), it.address));
        let contacts = contacts.collect::<Vec<_>>().join(", ");
        let (name, full_name) = (&person.name, &person.full_name);
        writeln!(text, "person {name} ({full_name}) in {zone}: {contacts}").unwrap();
    }
    for team in &directory.teams {
        let schedule = team.schedule.map(|id| &*oncall.schedule(id).name);
        writeln!(
            text,
            "team {}: {} by {schedule:?}",
            team.name,
            names(&team.members)
        )
        .unwrap();
    }
    for service in &directory.services {
        let team = &directory.team(service.team).name;
        writeln!(text, "service {} of {team}", service.name).unwrap();
    }
    for rule in &oncall.ownership.rules {
        let team = &directory.team(rule.team).name;
        writeln!(text, "{} owned by {team}", matchers_text(&rule.matchers)).unwrap();
    }
    if let Some(team) = oncall.ownership.rest {
        writeln!(text, "the rest owned by {}", directory.team(team).name).unwrap();
    }
    let fortnight = ["2026-01-05T00:00:00Z", "2026-01-19T00:00:00Z"];
    let [from, until] = fortnight.map(|it| it.parse().unwrap());
    for schedule in &oncall.schedules {
        writeln!(text, "schedule {}", schedule.name).unwrap();
        for shift in schedule.shifts(firebell_oncall::Span::new(from, until)) {
            let shown = |at: firebell_model::Timestamp| {
                let at = at.to_jiff().to_zoned(schedule.zone.clone());
                at.strftime("%a %m-%d %H:%M").to_string()
            };
            let (from, until) = (shown(shift.span.from), shown(shift.span.until));
            let shadows = names(&shift.shadows);
            let people = names(&shift.people);
            writeln!(
                text,
                "  {from} .. {until} {people} {shadows} {:?}",
                shift.cause
            )
            .unwrap();
        }
    }
}

fn describe_storage(storage: &firebell_tsdb::Options, text: &mut String) {
    let (retention, bytes) = (storage.retention, storage.retention_bytes);
    writeln!(text, "kept {retention} {bytes:?}").unwrap();
    let (window, exemplars) = (storage.out_of_order_window, storage.exemplars_max);
    if (window, exemplars) != (Duration::ZERO, 100_000) {
        writeln!(text, "late {window}, exemplars {exemplars}").unwrap();
    }
}

fn describe_routing(config: &Config, text: &mut String) {
    for route in config.routing.routes() {
        let (wait, interval, repeat) = (
            route.group_wait,
            route.group_interval,
            route.repeat_interval,
        );
        let (id, by) = (&route.id, &route.group_by);
        writeln!(text, "route {id} by {by:?} {wait} {interval} {repeat}").unwrap();
        if route.own != OwnKeys::default() {
            writeln!(text, "  {:?}", route.own).unwrap();
        }
        let intervals = [
            ("mute", &route.mute_time_intervals),
            ("active", &route.active_time_intervals),
        ];
        for (what, intervals) in intervals {
            for interval in intervals {
                writeln!(text, "  {what} {}: {:?}", interval.name, interval.parts).unwrap();
            }
        }
    }
    for receiver in config.routing.receivers().iter() {
        write!(text, "receiver {}", receiver.name()).unwrap();
        for slot in receiver.slots() {
            let resolved = [" firing", ""][usize::from(slot.send_resolved)];
            write!(text, ", {}{resolved}", slot.integration).unwrap();
        }
        if let Some(limit) = receiver.rate_limit() {
            write!(text, " {limit:?}").unwrap();
        }
        text.push('\n');
    }
    if let Some(before) = config.routing.silence_warning() {
        writeln!(text, "warns {before} before a silence ends").unwrap();
    }
    for ((receiver, kind, idx), integration) in &config.integrations {
        let what = describe_integration(integration);
        writeln!(text, "{receiver} {kind}[{idx}]: {what}").unwrap();
    }
    for InhibitRule {
        source,
        target,
        equal,
    } in config.routing.inhibit_rules()
    {
        let (source, target) = (matchers_text(source), matchers_text(target));
        writeln!(text, "{source} mutes {target} of equal {equal:?}").unwrap();
    }
}

/// What is configured, without what nobody asked for.
fn describe_integration(integration: &Integration) -> String {
    let text = format!("{integration:?}").replace(", timeout: None", "");
    let http = format!("http: {:?}", HttpConfig::default());
    text.replace(&http, "..")
}

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic(
        root in prop_oneof![
            Just(include_str!("good/prometheus.yml")),
            Just(include_str!("good/alertmanager.yml")),
            Just(include_str!("good/receivers.yml")),
            Just(include_str!("bad/scrape.yml")),
            Just(include_str!("bad/routes.yml")),
        ],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..4),
        rules_changes in prop::collection::vec((any::<prop::sample::Index>(), "[-{}\\[\\]:\"'|> \n&*é]"), 1..4),
    ) {
        let mut chars: Vec<String> = root.chars().map(String::from).collect();
        for (at, c) in changes {
            *at.get_mut(&mut chars) = c.to_string();
        }
        let rules = include_str!("bad/parts/a.rules");
        let mut rules: Vec<String> = rules.chars().map(String::from).collect();
        for (at, text) in rules_changes {
            *at.get_mut(&mut rules) = text;
        }
        let files = Everything { root: chars.concat(), rules: rules.concat() };
        let _ = load(Some(Path::new("firebell.yml")), &ExternalUrl::default(), &files);
    }
}

/// Every file exists: the root, and the same text for all others.
struct Everything {
    root: String,
    rules: String,
}

impl firebell_config::Files for Everything {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        let is_root = path == Path::new("firebell.yml");
        Ok(if is_root {
            self.root.clone()
        } else {
            self.rules.clone()
        })
    }

    fn glob(&self, pattern: &Path) -> std::io::Result<Vec<PathBuf>> {
        Ok(vec![pattern.to_owned()])
    }
}
