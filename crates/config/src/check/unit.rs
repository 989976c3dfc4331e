//! Puts files together that belong together, and asks the lints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use firebell_lint::{Global, Project, RuleFile, Settings, judge as judge_rules, judge_routes};
use firebell_model::Duration;
use firebell_promql::Features;

use super::kind::FileKind;
use super::online::{Asking, RuleFigures};
use super::read::{Content, ReadFile, read_named};
use super::source::Source;
use super::{CheckReport, CheckRequest, CheckedFile, Found, in_parallel, oncall, routes};
use crate::firebell::Config;
use crate::yaml::parse;

/// Files that are judged together, by their position among all.
#[derive(Default)]
struct Unit {
    root: Option<usize>,
    rules: Vec<usize>,
    alertmanager: Option<usize>,
}

/// Reads what the given files name, and judges all of them.
pub(super) fn judge(given: Vec<ReadFile>, request: &CheckRequest<'_>) -> CheckReport {
    let mut files = given;
    let named = named_only(&files);
    files.extend(
        in_parallel(&named, |path| read_named(path, request))
            .into_iter()
            .flatten(),
    );
    let tested = tested(&files);
    let mut report = CheckReport::default();
    let asking = request.online.as_ref();
    let asking = asking.map(|it| Asking::begin(it, request.now));
    let mut last = (Project::default(), Settings::default());
    for unit in units(&files) {
        let settings = unit
            .root
            .and_then(|idx| files[idx].content.settings())
            .cloned();
        let settings = Settings {
            now: request.now,
            ..settings.unwrap_or_default()
        };
        let judged = judge_unit(
            &files,
            &unit,
            &tested,
            (&settings, asking.as_ref()),
            request,
        );
        report.findings.extend(judged.found);
        report.figures.extend(judged.figures);
        if !unit.rules.is_empty() {
            last = (judged.project, settings);
        }
    }
    if let Some(asking) = &asking {
        report.findings.extend(asking.end(&last.0, &last.1));
        files.push(asked(asking, request));
    }
    for file in &mut files {
        report.findings.append(&mut file.found);
        if let Content::Root {
            config: Some(config),
            ..
        } = &file.content
        {
            report.fail_on = report.fail_on.or(config.check.fail_on);
        }
    }
    report
        .findings
        .sort_by(|a, b| (&a.problem, a.lint.id).cmp(&(&b.problem, b.lint.id)));
    // Two configurations may name the same file.
    report
        .findings
        .dedup_by(|a, b| a.problem == b.problem && a.lint.id == b.lint.id);
    report.files = files
        .into_iter()
        .map(|it| it.checked)
        .collect::<Vec<CheckedFile>>();
    report
}

/// The server, in the list of what was checked.
fn asked(asking: &Asking<'_>, request: &CheckRequest<'_>) -> ReadFile {
    let name = request.online.as_ref().map_or("", |it| &it.name);
    ReadFile {
        checked: CheckedFile {
            name: name.to_owned(),
            kind: FileKind::Other("server"),
            is_given: true,
            names: Vec::new(),
            n_rules: 0,
            unreadable: asking.down.clone(),
            notes: Vec::new(),
        },
        found: Vec::new(),
        source: Source::new(Path::new(name), String::new(), None),
        content: Content::Plain,
    }
}

/// Rule files that a configuration names and nobody gave.
fn named_only(files: &[ReadFile]) -> Vec<PathBuf> {
    let given: BTreeSet<&PathBuf> = files.iter().map(|it| &it.source.path).collect();
    let mut named = BTreeSet::new();
    for file in files {
        if let Content::Root { rule_files, .. } = &file.content {
            named.extend(rule_files.iter().filter(|it| !given.contains(it)).cloned());
        }
    }
    named.into_iter().collect()
}

/// The alerts that tests ask for, by the rule file that they name.
fn tested(files: &[ReadFile]) -> BTreeMap<String, BTreeSet<String>> {
    let mut tested: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let Content::Tests { rule_files, alerts } = &file.content else {
            continue;
        };
        let named: BTreeSet<PathBuf> = rule_files.iter().map(|it| plain(it)).collect();
        for rules in files
            .iter()
            .filter(|it| named.contains(&plain(&it.source.path)))
        {
            let known = tested.entry(rules.checked.name.clone()).or_default();
            known.extend(alerts.iter().cloned());
        }
    }
    tested
}

/// A path without `.` and `..`, as far as its names tell.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

fn units(files: &[ReadFile]) -> Vec<Unit> {
    let position = |path: &PathBuf| files.iter().position(|it| it.source.path == *path);
    let mut units: Vec<Unit> = Vec::new();
    let mut taken: BTreeSet<usize> = BTreeSet::new();
    for (idx, file) in files.iter().enumerate() {
        if let Content::Root {
            rule_files,
            alertmanager,
            ..
        } = &file.content
        {
            let rules: Vec<usize> = rule_files.iter().filter_map(position).collect();
            taken.extend(&rules);
            let alertmanager = alertmanager.as_ref().and_then(position);
            taken.extend(alertmanager);
            units.push(Unit {
                root: Some(idx),
                rules,
                alertmanager,
            });
        }
    }
    let is_rules = |file: &ReadFile| matches!(file.content, Content::Rules(_));
    let is_loose = |(idx, _): &(usize, &ReadFile)| !taken.contains(idx);
    let loose = || files.iter().enumerate().filter(is_loose);
    let rules = loose().filter(|(_, it)| is_rules(it)).map(|(idx, _)| idx);
    let mut routes = loose()
        .filter(|(_, it)| it.checked.kind == FileKind::Alertmanager)
        .map(|(idx, _)| idx);
    let rest = Unit {
        root: None,
        rules: rules.collect(),
        alertmanager: routes.next(),
    };
    let further: Vec<usize> = routes.collect();
    if let [only] = &mut units[..] {
        only.rules.extend(rest.rules);
        only.alertmanager = only.alertmanager.or(rest.alertmanager);
    } else {
        units.push(rest);
    }
    units.extend(further.into_iter().map(|idx| Unit {
        alertmanager: Some(idx),
        ..Unit::default()
    }));
    units
}

/// What was found of a unit, and what is known of its rules.
struct Judged {
    found: Vec<Found>,
    figures: Vec<RuleFigures>,
    project: Project,
}

fn judge_unit(
    files: &[ReadFile],
    unit: &Unit,
    tested: &BTreeMap<String, BTreeSet<String>>,
    (settings, asking): (&Settings, Option<&Asking<'_>>),
    request: &CheckRequest<'_>,
) -> Judged {
    let rules: Vec<(&Source, &RuleFile)> = unit
        .rules
        .iter()
        .filter_map(|idx| match &files[*idx].content {
            Content::Rules(rules) => Some((&files[*idx].source, rules)),
            _ => None,
        })
        .collect();
    let mut project = Project::default();
    project.global = unit.root.and_then(|idx| global(&files[idx].content));
    if let Some(asking) = asking {
        project.global = asking.complete(project.global.take());
    }
    project.tested = tested.clone();
    let routing = routing(files, unit, request);
    project.routes = routing
        .as_ref()
        .and_then(|it| it.node().and_then(routes::routes));
    let config = unit.root.and_then(|idx| config_of(&files[idx].content));
    project.owners = config.and_then(|it| it.oncall.owners());
    project.learn(&rules.iter().map(|(_, it)| *it).collect::<Vec<_>>());
    let found = in_parallel(&rules, |(source, file)| {
        let is_ignored = |line| file.suppressions.ignores_line(line);
        source.located(judge_rules(file, &project, settings), is_ignored)
    });
    let mut found: Vec<Found> = found.into_iter().flatten().collect();
    if let (Some(routing), Some(routes)) = (&routing, &project.routes) {
        let mut findings = judge_routes(routes, &project, settings);
        if routing.is_inline {
            for finding in &mut findings {
                finding
                    .place
                    .path
                    .insert(0, firebell_lint::Step::Key("alertmanager".into()));
            }
        }
        found.extend(routing.source().located(findings, |_| false));
    }
    found.extend(config.map_or_else(Vec::new, |it| oncall::judge(it, settings)));
    let mut figures = Vec::new();
    if let Some(asking) = asking {
        let (online, all) = asking.judge(&rules, &project, settings);
        figures = all;
        // What is known without the server is said once.
        let is_known = |new: &Found| {
            found.iter().any(|known| {
                let (a, b) = (&known.problem, &new.problem);
                known.lint.id == new.lint.id && a.file == b.file && a.at == b.at
            })
        };
        let new: Vec<Found> = online.into_iter().filter(|it| !is_known(it)).collect();
        found.extend(new);
        found.extend(config.map_or_else(Vec::new, |it| asking.contacts(it, settings)));
    }
    Judged {
        found,
        figures,
        project,
    }
}

/// The file in which routes stand: as a whole, or below `alertmanager`.
struct Routing<'f> {
    source: Held<'f>,
    is_inline: bool,
}

enum Held<'f> {
    Given(&'f Source),
    Read(Box<Source>),
}

impl Routing<'_> {
    fn source(&self) -> &Source {
        match &self.source {
            Held::Given(source) => source,
            Held::Read(source) => source,
        }
    }

    fn node(&self) -> Option<&crate::yaml::Node> {
        let root = self.source().root.as_ref()?;
        if self.is_inline {
            root.get("alertmanager")
        } else {
            Some(root)
        }
    }
}

fn routing<'f>(
    files: &'f [ReadFile],
    unit: &Unit,
    request: &CheckRequest<'_>,
) -> Option<Routing<'f>> {
    if let Some(idx) = unit.alertmanager {
        return Some(Routing {
            source: Held::Given(&files[idx].source),
            is_inline: false,
        });
    }
    let root = &files[unit.root?];
    let Content::Root { alertmanager, .. } = &root.content else {
        return None;
    };
    match alertmanager {
        Some(path) => {
            let text = request.source.read(path).ok()?;
            let tree = parse(&text).0;
            Some(Routing {
                source: Held::Read(Box::new(Source::new(path, text, tree))),
                is_inline: false,
            })
        }
        None => {
            root.source.root.as_ref()?.get("alertmanager")?;
            Some(Routing {
                source: Held::Given(&root.source),
                is_inline: true,
            })
        }
    }
}

fn config_of(content: &Content) -> Option<&Config> {
    match content {
        Content::Root { config, .. } => config.as_deref(),
        _ => None,
    }
}

fn global(content: &Content) -> Option<Global> {
    let Content::Root {
        config: Some(config),
        ..
    } = content
    else {
        return None;
    };
    let config: &Config = config;
    let jobs = config
        .scrape
        .iter()
        .map(|job| (job.name.clone(), job.interval));
    let job_intervals: BTreeMap<String, Duration> = jobs.collect();
    Some(Global {
        scrape_interval: config.scrape_interval,
        evaluation_interval: config.evaluation_interval,
        external_labels: config.external_labels.clone(),
        job_intervals,
        features: Features::named(config.query.features.iter().map(String::as_str)),
        retention: config.source.is_none().then_some(config.storage.retention),
        relabels_alerts: !config.rules.context().alert_relabel.is_empty(),
    })
}
