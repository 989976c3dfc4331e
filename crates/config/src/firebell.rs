//! firebell.yml, and the files that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firebell_dispatch::{DeliveryAlert, Routing};
use firebell_model::{Duration, Labels};
use firebell_notify::Integration;
use firebell_promql::Features;
use firebell_rules::{Context, RuleGroup, RuleSet};
use firebell_slo::Objectives;
use firebell_template::{Messages, NotificationTemplates};

use crate::alerting::{Alerting, AlertmanagerJob};
use crate::alertmanager::{self, IntegrationKey, Notifications};
use crate::check::CheckSection;
use crate::delivery_alert;
use crate::escalation::{self, EscalationSection};
use crate::fields::{Doc, Fields};
use crate::files::{Files, is_pattern};
use crate::heartbeats;
use crate::history::KeptLimits;
use crate::incidents;
use crate::load::Loader;
use crate::oncall::{self, OncallSection};
use crate::otlp::Otlp;
use crate::paging::PagingWays;
use crate::problem::{Problem, Problems};
use crate::quality::{self, BusinessFigure};
use crate::query::QueryLimits;
use crate::replies::Replies;
use crate::rule_files::{self, Defaults};
use crate::rule_policy::RuleDefaults;
use crate::scrape::{self, Global, ScrapeJob};
use crate::slo;
use crate::source::{ExternalSource, SourceSection};
use crate::storage;
use crate::yaml::{Node, Value};

/// A configuration that can be put in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is scraped.
    pub scrape: Vec<ScrapeJob>,
    /// Rules, with what they share; those of objectives are among them.
    pub rules: RuleSet,
    /// The objectives of `slo_files`, and the flows that they are about.
    pub objectives: Arc<Objectives>,
    /// Who owns what, and who is on call.
    pub oncall: OncallSection,
    /// Who is told of what.
    pub routing: Arc<Routing>,
    /// How they are told: by receiver, kind of integration, and index within the kind. The inbox,
    /// which every receiver has, is not among them.
    pub integrations: BTreeMap<IntegrationKey, Integration>,
    /// Alertmanagers elsewhere that hear of this Firebell's alerts as well.
    pub alertmanagers: Vec<AlertmanagerJob>,
    /// When people are told that others cannot be told; `None` is never.
    pub delivery_alert: Option<DeliveryAlert>,
    /// Who is told next while nobody answers.
    pub escalation: EscalationSection,
    /// What tells people of their pages.
    pub paging: PagingWays,
    /// Who may hand on answers to pages.
    pub replies: Replies,
    /// When incidents open, and what belongs to them.
    pub incidents: firebell_incident::Policy,
    /// The jobs that are awaited.
    pub heartbeats: firebell_heartbeat::Policy,
    /// What the business did, beside how good alerts were.
    pub figures: Arc<[BusinessFigure]>,
    /// What texts of notifications may call.
    pub templates: NotificationTemplates,
    /// How OpenTelemetry metrics become series.
    pub otlp: Otlp,
    /// How samples are kept.
    pub storage: firebell_tsdb::Options,
    /// What people's queries may take.
    pub query: QueryLimits,
    /// How much is kept of what happened.
    pub history: KeptLimits,
    /// How much is kept of spans, and of log records as much again.
    pub telemetry: KeptLimits,
    /// How `firebell check` judges rules.
    pub check: CheckSection,
    /// Time between two scrapes, when a job or `global` says it.
    pub scrape_interval: Option<Duration>,
    /// Time between two evaluations of a rule group that does not say otherwise; the step of
    /// subqueries that name none.
    pub evaluation_interval: Duration,
    /// The cluster that holds the series, if it is not the store here.
    pub source: Option<Arc<ExternalSource>>,
    /// Where to listen, if the file says so, such as `127.0.0.1:9494`.
    pub listen: Option<String>,
    /// Where people reach Firebell, without a slash at the end.
    pub external_url: String,
    /// Labels that this Firebell's alerts get when they lack them.
    pub external_labels: Labels,
    /// What was read and is not used, or may surprise; a sentence each.
    pub notes: Vec<String>,
    /// The file itself, or the prometheus.yml that it names, with secrets as `<secret>`.
    pub text: String,
    /// The Alertmanager configuration with secrets as `<secret>`; empty when there is none.
    pub alertmanager_text: String,
}

/// Where people reach Firebell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExternalUrl {
    /// What the command line says; wins over the file.
    pub given: Option<String>,
    /// What holds when neither says anything.
    pub fallback: String,
}

/// Reads a firebell.yml, prometheus.yml or alertmanager.yml with all files that it names. Without
/// a file nothing is scraped, there are no rules, and alerts that are sent go to the inbox.
///
/// # Errors
/// Everything that is wrong with any of the files; nothing may be put in force then.
pub fn load(
    file: Option<&Path>,
    external_url: &ExternalUrl,
    files: &dyn Files,
) -> Result<Config, Problems> {
    load_with(file, external_url, files, Features::ALL)
}

/// The same where rules may use the given experimental parts of PromQL only.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    file: Option<&Path>,
    external_url: &ExternalUrl,
    files: &dyn Files,
    features: Features,
) -> Result<Config, Problems> {
    let loader = Loader::new(files, features);
    let source = file.map(|file| loader.read(file).unwrap_or_default());
    let mut parts = match (file, &source) {
        (Some(file), Some(source)) => read_root(&loader, file, source),
        _ => Parts::default(),
    };
    let defaults = Defaults::of(&parts.global, &parts.rule_defaults);
    for (name, text) in files.managed_rules() {
        let groups = rule_files::groups(&loader, Path::new(&name), &text, defaults);
        parts.groups.extend(groups);
    }
    let config = parts.finish(&loader, external_url);
    match (config, Problems::new(loader.problems.into_inner())) {
        (Some(config), None) => Ok(config),
        (_, Some(problems)) => Err(problems),
        (None, None) => Err(Problems::internal("the configuration cannot be used")),
    }
}

/// What was read so far.
#[derive(Default)]
struct Parts {
    global: Global,
    scrape: Vec<ScrapeJob>,
    groups: Vec<RuleGroup>,
    objectives: Objectives,
    oncall: OncallSection,
    rule_defaults: RuleDefaults,
    alerting: Alerting,
    otlp: Otlp,
    notifications: Option<Notifications>,
    has_alertmanager: bool,
    delivery_alert: Option<DeliveryAlert>,
    escalation: EscalationSection,
    paging: PagingWays,
    replies: Replies,
    incidents: firebell_incident::Policy,
    heartbeats: firebell_heartbeat::Policy,
    figures: Arc<[BusinessFigure]>,
    text: String,
    alertmanager_text: String,
    storage: firebell_tsdb::Options,
    query: QueryLimits,
    history: Option<KeptLimits>,
    telemetry: Option<KeptLimits>,
    check: CheckSection,
    source: SourceSection,
    listen: Option<String>,
    external_url: Option<String>,
}

impl Parts {
    fn finish(mut self, loader: &Loader<'_>, external_url: &ExternalUrl) -> Option<Config> {
        if !self.has_alertmanager {
            self.notifications = alertmanager::inbox_only();
        }
        let external_url = external_url
            .given
            .clone()
            .or(self.external_url)
            .unwrap_or_else(|| external_url.fallback.clone());
        let external_url = external_url.trim_end_matches('/').to_owned();
        let context = Context {
            external_labels: self.global.external_labels.clone(),
            external_url: external_url.clone(),
            alert_relabel: self.alerting.relabel,
            sends_outside: !self.alerting.alertmanagers.is_empty(),
            subquery_step: self.global.evaluation_interval,
            lookback: self.query.lookback,
            failing_alert: self.rule_defaults.failing_alert,
        };
        let rules = RuleSet::new(self.groups, context);
        // The reader finds these with their places; this is only the last line of defence.
        let has_problems = !loader.problems.borrow().is_empty();
        if let (Err(errors), false) = (&rules, has_problems) {
            let problems = errors
                .iter()
                .map(|error| Problem::of_file("rules", error.to_string()));
            loader.problems.borrow_mut().extend(problems);
        }
        let Notifications {
            routing,
            integrations,
            templates,
        } = self.notifications?;
        let scrape_interval = said_interval(&self.global, &self.scrape);
        Some(Config {
            scrape: self.scrape,
            rules: rules.ok()?,
            incidents: firebell_incident::Policy {
                has_objectives: !self.objectives.all.is_empty(),
                ..self.incidents
            },
            objectives: Arc::new(self.objectives),
            oncall: self.oncall,
            routing,
            integrations,
            alertmanagers: self.alerting.alertmanagers,
            delivery_alert: self.delivery_alert.map(|alert| DeliveryAlert {
                external_url: external_url.clone(),
                ..alert
            }),
            escalation: self.escalation,
            paging: self.paging,
            replies: self.replies,
            heartbeats: self.heartbeats,
            figures: self.figures,
            templates,
            otlp: self.otlp,
            storage: self.storage,
            query: self.query,
            history: self.history.unwrap_or(KeptLimits::HISTORY),
            telemetry: self.telemetry.unwrap_or(KeptLimits::TELEMETRY),
            check: self.check,
            scrape_interval,
            evaluation_interval: self.global.evaluation_interval,
            source: self.source.external.map(Arc::new),
            listen: self.listen,
            external_url,
            external_labels: self.global.external_labels,
            notes: loader.notes.take(),
            text: self.text,
            alertmanager_text: self.alertmanager_text,
        })
    }
}

fn read_root(loader: &Loader<'_>, path: &Path, source: &str) -> Parts {
    let doc = loader.doc(path, source);
    let mut parts = Parts::default();
    let Some(root) = doc.parse() else {
        return parts;
    };
    match kind_of(&root) {
        Kind::Firebell => {}
        Kind::Alertmanager => {
            read_alertmanager(loader, &doc, &root, &mut parts);
            return parts;
        }
        Kind::Rules => {
            let defaults = Defaults::of(&parts.global, &parts.rule_defaults);
            parts.groups = rule_files::groups(loader, path, source, defaults);
            return parts;
        }
        Kind::Objectives => {
            read_objectives(loader, [path.to_owned()], &mut parts);
            return parts;
        }
        Kind::Oncall => {
            parts.oncall = oncall::read(loader, None, Some((&doc, &root)));
            return parts;
        }
    }
    parts.text = doc.text_without_secrets(&root);
    let fields = doc.fields(&root, "the configuration");
    parts.query = read_query(loader, &fields);
    parts.source = SourceSection::read(loader, &fields);
    parts.rule_defaults = RuleDefaults::read(&fields);
    match fields.scalar("prometheus") {
        Some((_, path)) => {
            read_prometheus_file(loader, &doc.path(&path.text), &mut parts);
            for name in [
                "global",
                "scrape_configs",
                "scrape_config_files",
                "rule_files",
                "alerting",
            ] {
                if fields.get(name).is_some() {
                    let message = format!("`{name}` stands in the file that `prometheus` names");
                    doc.problem(fields.at(name), message, None);
                }
            }
        }
        None => read_prometheus(loader, &fields, &mut parts),
    }
    read_objectives(
        loader,
        named_files(loader, &fields, "slo_files"),
        &mut parts,
    );
    parts.oncall = read_oncall(loader, &doc, &fields);
    read_notifications(loader, &doc, &fields, &mut parts);
    parts.storage = storage::read(loader, &fields);
    note_short_retention(loader, &parts);
    own_keys(loader, &fields, &mut parts);
    note_unused(loader, &fields);
    fields.finish();
    if parts.source.external.is_some() && !parts.scrape.is_empty() {
        let file = &doc.file;
        loader.note(format!(
            "{file}: what `scrape_configs` brings is stored here, but rules and queries go to \
             `source`"
        ));
    }
    parts
}

/// Which programs receivers may run, what they are told when they say nothing else, and the
/// receivers themselves. An alertmanager.yml keeps upstream's messages unless `messages` asks for
/// Firebell's; receivers that stand here never had any others.
fn read_notifications(
    loader: &Loader<'_>,
    doc: &Doc<'_>,
    fields: &Fields<'_, '_>,
    parts: &mut Parts,
) {
    *loader.exec_allowed.borrow_mut() = fields.texts("exec_allowed");
    parts.delivery_alert = delivery_alert::read(loader, fields);
    let messages = fields.parsed("messages", |text| match text {
        "firebell" => Ok(Messages::Firebell),
        "upstream" => Ok(Messages::Upstream),
        _ => Err(format!("`{text}` is neither `firebell` nor `upstream`")),
    });
    if let Some(node) = fields.get("alertmanager") {
        loader.messages.set(messages.unwrap_or(match &node.value {
            Value::Scalar(_) => Messages::Upstream,
            _ => Messages::Firebell,
        }));
        match &node.value {
            Value::Scalar(path) => {
                read_alertmanager_file(loader, &doc.path(&path.text), parts);
            }
            _ => read_alertmanager(loader, doc, node, parts),
        }
    }
}

/// How rules are checked, where to listen, and where people reach what listens.
fn own_keys(loader: &Loader<'_>, fields: &Fields<'_, '_>, parts: &mut Parts) {
    parts.history = Some(KeptLimits::read_history(fields));
    parts.telemetry = Some(KeptLimits::read_telemetry(fields));
    let (incidents, default) = incidents::read(loader, fields);
    if incidents.open_when_budget.is_some() && parts.objectives.all.is_empty() {
        loader.note(format!(
            "{}: `open_when_budget` opens nothing: there are no objectives, which `slo_files` name",
            fields.doc.file
        ));
    }
    parts.incidents = incidents;
    parts.replies = Replies::read(fields, loader);
    parts.heartbeats = heartbeats::read(fields);
    parts.figures = quality::read(fields);
    let inbox_only = (!parts.has_alertmanager).then(alertmanager::inbox_only);
    let notifications = parts.notifications.as_ref();
    let notifications = notifications.or(inbox_only.as_ref().and_then(Option::as_ref));
    let receivers = notifications.map(|it| it.routing.receivers());
    parts.escalation = escalation::read(fields, &parts.oncall.oncall, receivers);
    parts.paging = PagingWays::read(fields, parts.notifications.as_ref());
    let named = parts.oncall.places.escalations.iter().chain(&default);
    let unknown = escalation::unknown_names(&parts.escalation.policies, named);
    fields.doc.note_found(unknown);
    parts.escalation.default = default.map(|(name, _)| name);
    parts.check = CheckSection::read(fields);
    parts.listen = fields.parsed("listen", |text| {
        let parsed = text.parse::<std::net::SocketAddr>();
        let failed = |_| format!("`{text}` is not an address such as 127.0.0.1:9494");
        parsed.map(|_| text.to_owned()).map_err(failed)
    });
    parts.external_url = fields.parsed("external_url", |text| {
        let is_url = text.starts_with("http://") || text.starts_with("https://");
        let failed = || format!("`{text}` is not an address such as https://firebell.example");
        is_url.then(|| text.to_owned()).ok_or_else(failed)
    });
}

/// Reads what queries may take. Before any rule is read: it says what rules may use, too.
fn read_query(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> QueryLimits {
    let query = QueryLimits::read(fields);
    loader.enable(Features::named(query.features.iter().map(String::as_str)));
    query
}

/// What a file is that is given on its own.
enum Kind {
    /// A firebell.yml, or a prometheus.yml, which is one.
    Firebell,
    Alertmanager,
    Rules,
    Objectives,
    Oncall,
}

fn kind_of(root: &Node) -> Kind {
    let Value::Map(entries) = &root.value else {
        return Kind::Firebell;
    };
    let has = |name: &str| entries.iter().any(|entry| entry.key == name);
    if has("route") && !has("alertmanager") {
        Kind::Alertmanager
    } else if has("groups") && !has("rule_files") {
        Kind::Rules
    } else if slo::is_of_objectives(root) {
        Kind::Objectives
    } else if oncall::is_of_oncall(root) {
        Kind::Oncall
    } else {
        Kind::Firebell
    }
}

fn read_prometheus_file(loader: &Loader<'_>, path: &Path, parts: &mut Parts) {
    let Some(source) = loader.read(path) else {
        return;
    };
    let doc = loader.doc(path, &source);
    if let Some(root) = doc.parse() {
        parts.text = doc.text_without_secrets(&root);
        let fields = doc.fields(&root, "the Prometheus configuration");
        read_prometheus(loader, &fields, parts);
        note_unused(loader, &fields);
        if fields.get("storage").is_some() {
            loader.note(format!("{}: `storage` is not used", doc.file));
        }
        fields.finish();
    }
}

fn read_prometheus(loader: &Loader<'_>, fields: &Fields<'_, '_>, parts: &mut Parts) {
    parts.global = Global::read(fields);
    parts.otlp = Otlp::read(fields);
    if let Some(offset) = parts.source.query_offset {
        parts.global.rule_query_offset = offset;
    }
    parts.scrape = scrape::jobs(loader, fields, &parts.global);
    for path in named_files(loader, fields, "scrape_config_files") {
        let Some(source) = loader.read(&path) else {
            continue;
        };
        let doc = loader.doc(&path, &source);
        if let Some(root) = doc.parse() {
            let fields = doc.fields(&root, "a file of scrape jobs");
            parts
                .scrape
                .extend(scrape::jobs(loader, &fields, &parts.global));
            fields.finish();
        }
    }
    let defaults = Defaults::of(&parts.global, &parts.rule_defaults);
    for path in named_files(loader, fields, "rule_files") {
        if let Some(source) = loader.read(&path) {
            parts
                .groups
                .extend(rule_files::groups(loader, &path, &source, defaults));
        }
    }
    parts.alerting = Alerting::read(loader, fields);
}

fn read_objectives(
    loader: &Loader<'_>,
    paths: impl IntoIterator<Item = PathBuf>,
    parts: &mut Parts,
) {
    let (objectives, groups) = slo::read_files(loader, &parts.global, paths);
    parts.objectives = objectives;
    parts.groups.extend(groups);
}

/// Files that `oncall` lists, or what stands there.
fn read_oncall(loader: &Loader<'_>, doc: &Doc<'_>, fields: &Fields<'_, '_>) -> OncallSection {
    match fields.get("oncall") {
        None => oncall::read(loader, None, None),
        Some(node) if matches!(node.value, Value::Map(_)) => {
            oncall::read(loader, None, Some((doc, node)))
        }
        Some(_) => oncall::read(loader, named_files(loader, fields, "oncall"), None),
    }
}

/// A budget over more time than is kept would silently be one over less.
fn note_short_retention(loader: &Loader<'_>, parts: &Parts) {
    let kept = parts.storage.retention;
    let longest = parts
        .objectives
        .all
        .iter()
        .map(|it| it.window.period())
        .max();
    if let (Some(longest), None) = (longest.filter(|it| *it > kept), &parts.source.external) {
        loader.note(format!(
            "objectives look back {longest}, but samples are kept {kept}: set `retention` of \
             `storage` to {longest} or more"
        ));
    }
}

/// The shortest interval of a job, or `global`'s where it says another than the default.
fn said_interval(global: &Global, jobs: &[ScrapeJob]) -> Option<Duration> {
    let shortest = jobs.iter().map(|job| job.interval).min();
    let is_said = global.scrape_interval != Global::default().scrape_interval;
    shortest.or(is_said.then_some(global.scrape_interval))
}

/// The files that a list of patterns names, each once; a note when there are none.
fn named_files(
    loader: &Loader<'_>,
    fields: &Fields<'_, '_>,
    name: &'static str,
) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for pattern in fields.texts(name) {
        let pattern = fields.doc.path(&pattern);
        let found = loader.glob(&pattern);
        if found.is_empty() {
            let what = if is_pattern(&pattern.to_string_lossy()) {
                "no file matches"
            } else {
                "there is no file"
            };
            let file = &fields.doc.file;
            loader.note(format!("{file}: `{name}`: {what} `{}`", pattern.display()));
        }
        files.extend(found);
    }
    files
}

/// Sections of upstream that change nothing here.
fn note_unused(loader: &Loader<'_>, fields: &Fields<'_, '_>) {
    for name in ["remote_write", "remote_read", "tracing", "runtime"] {
        if fields.get(name).is_some() {
            loader.note(format!("{}: `{name}` is not used", fields.doc.file));
        }
    }
}

fn read_alertmanager_file(loader: &Loader<'_>, path: &Path, parts: &mut Parts) {
    parts.has_alertmanager = true;
    let Some(source) = loader.read(path) else {
        return;
    };
    let doc = loader.doc(path, &source);
    match doc.parse() {
        Some(root) => read_alertmanager(loader, &doc, &root, parts),
        None => loader
            .problems
            .borrow_mut()
            .push(Problem::of_file(&doc.file, "there is no route")),
    }
}

fn read_alertmanager(loader: &Loader<'_>, doc: &Doc<'_>, root: &Node, parts: &mut Parts) {
    parts.has_alertmanager = true;
    parts.notifications = alertmanager::read(loader, doc, root);
    parts.alertmanager_text = doc.text_without_secrets(root);
}
