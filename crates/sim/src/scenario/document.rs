//! The Markdown file: its blocks, and the configurations that they make.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firebell_config::{Config, ExternalUrl, Files, Pos, Problem, Problems, load};
use firebell_engine::{Configuration, Paging};
use firebell_slo::Objectives;

use super::timeline::{self, Line, What};

/// A scenario that can be run.
pub(crate) struct Document {
    /// What is in force at first, and after each reload of the timeline, in order.
    pub(crate) configurations: Vec<InForce>,
    pub(crate) timeline: Vec<Line>,
    pub(crate) transcript: Option<Block>,
}

/// What is in force at a time.
#[derive(Clone)]
pub(crate) struct InForce {
    pub(crate) configuration: Configuration,
    pub(crate) objectives: Arc<Objectives>,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) kind: String,
    /// The line of the file that the text begins at, from 1.
    pub(crate) line: u32,
    pub(crate) text: String,
}

impl Document {
    pub(crate) fn read(file: &str, text: &str) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let blocks = blocks(file, text, &mut problems);
        let of_kind = |kind: &str| -> Vec<Block> {
            blocks
                .iter()
                .filter(|block| block.kind == kind)
                .cloned()
                .collect()
        };
        let mut timeline = Vec::new();
        for block in of_kind("timeline") {
            timeline.extend(timeline::read(file, &block, &mut problems));
        }
        if of_kind("timeline").is_empty() {
            let message = "there is no block ```timeline, so nothing happens";
            let hint = "begin one with a line such as `0s series up 1x20 every 15s`";
            problems.push(problem(file, 1, 1, message, Some(hint), None));
        }
        let alternatives = Alternatives {
            prometheus: of_kind("prometheus").into_iter().next(),
            incidents: of_kind("incidents").into_iter().next(),
            slo: of_kind("slo").into_iter().next(),
            firebell: of_kind("firebell"),
            rules: of_kind("rules"),
            routes: of_kind("alertmanager"),
        };
        let configurations = alternatives.load(file, &timeline, &mut problems);
        match Problems::new(problems) {
            Some(problems) => Err(problems),
            None => {
                let transcript = of_kind("transcript").into_iter().next();
                Ok(Self {
                    configurations,
                    timeline,
                    transcript,
                })
            }
        }
    }

    /// What is in force at first.
    pub(crate) fn first(&self) -> &InForce {
        // `read` refuses a document whose first configuration cannot be loaded.
        &self.configurations[0]
    }

    /// The text of the file with another transcript.
    pub(crate) fn rewritten(&self, text: &str, transcript: &str) -> String {
        let Some(block) = &self.transcript else {
            let gap = if text.ends_with('\n') { "" } else { "\n" };
            return format!("{text}{gap}\n```transcript\n{transcript}```\n");
        };
        let n_before = block.line as usize - 1;
        let n_old = block.text.lines().count();
        let mut lines = text.split_inclusive('\n');
        let before: String = lines.by_ref().take(n_before).collect();
        let after: String = lines.skip(n_old).collect();
        format!("{before}{transcript}{after}")
    }
}

/// The blocks of configuration; of rules and routes, one at a time is in force.
struct Alternatives {
    prometheus: Option<Block>,
    incidents: Option<Block>,
    slo: Option<Block>,
    firebell: Vec<Block>,
    rules: Vec<Block>,
    routes: Vec<Block>,
}

/// Which block of each kind is in force, by position.
#[derive(Clone, Copy, Default)]
struct Chosen {
    firebell: usize,
    rules: usize,
    routes: usize,
}

impl Alternatives {
    /// Loads what is in force at first and after each reload.
    fn load(&self, file: &str, timeline: &[Line], problems: &mut Vec<Problem>) -> Vec<InForce> {
        let mut chosen = Chosen::default();
        let mut loaded = vec![self.configuration(file, chosen, problems)];
        let mut by_time: Vec<&Line> = timeline.iter().collect();
        by_time.sort_by_key(|line| line.at);
        for line in by_time {
            let (idx, blocks, kind) = match line.what {
                What::ReloadRules => (&mut chosen.rules, &self.rules, "rules"),
                What::ReloadRoutes => (&mut chosen.routes, &self.routes, "alertmanager"),
                What::ReloadFirebell => (&mut chosen.firebell, &self.firebell, "firebell"),
                _ => continue,
            };
            *idx += 1;
            if *idx >= blocks.len() {
                let message = format!("there is no further block ```{kind} to load");
                problems.push(problem(file, line.line, 1, &message, None, None));
                continue;
            }
            loaded.push(self.configuration(file, chosen, problems));
        }
        loaded.into_iter().flatten().collect()
    }

    fn configuration(
        &self,
        file: &str,
        chosen: Chosen,
        problems: &mut Vec<Problem>,
    ) -> Option<InForce> {
        let files = Blocks {
            prometheus: self.prometheus.as_ref(),
            incidents: self.incidents.as_ref(),
            slo: self.slo.as_ref(),
            firebell: self.firebell.get(chosen.firebell),
            rules: self.rules.get(chosen.rules),
            routes: self.routes.get(chosen.routes),
        };
        let external_url = ExternalUrl {
            given: Some("http://firebell.example".to_owned()),
            fallback: String::new(),
        };
        match load(Some(Path::new(ROOT)), &external_url, &files) {
            Ok(config) => Some(InForce {
                objectives: Arc::clone(&config.objectives),
                configuration: configuration(config),
            }),
            Err(found) => {
                // Blocks keep their lines, so only the name has to be set right.
                let named = |problem: &Problem| Problem {
                    file: file.into(),
                    ..problem.clone()
                };
                problems.extend(found.iter().map(named));
                None
            }
        }
    }
}

/// What the engine is told of a configuration.
fn configuration(config: Config) -> Configuration {
    Configuration {
        paging: paging(&config),
        rules: config.rules,
        rule_options: firebell_rules::Options::default(),
        routing: config.routing,
        dispatch_options: firebell_dispatch::Options::default(),
        delivery_alert: config.delivery_alert,
        incidents: config.incidents,
        heartbeats: config.heartbeats,
    }
}

/// What a configuration says of who is paged.
pub(crate) fn paging(config: &Config) -> Paging {
    Paging {
        policies: Arc::clone(&config.escalation.policies),
        rules: config.escalation.rules.clone(),
        oncall: Arc::clone(&config.oncall.oncall),
        default: config.escalation.default.clone(),
    }
}

/// The blocks as files of a configuration.
struct Blocks<'a> {
    prometheus: Option<&'a Block>,
    incidents: Option<&'a Block>,
    slo: Option<&'a Block>,
    firebell: Option<&'a Block>,
    rules: Option<&'a Block>,
    routes: Option<&'a Block>,
}

impl Files for Blocks<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        let pad = |block: &Block| "\n".repeat(block.line as usize - 1) + &block.text;
        let padded = |block: Option<&Block>| Ok(pad(block.ok_or(io::ErrorKind::NotFound)?));
        match path.to_str() {
            Some(ROOT) => {
                let rules = self.rules.map_or("", |_| "rule_files: [rules.yml]\n");
                let slo = self.slo.map_or("", |_| "slo_files: [slo.yml]\n");
                let routes = self
                    .routes
                    .map_or("", |_| "alertmanager: alertmanager.yml\n");
                // Each at its line, so that problems in it have the right one.
                let mut blocks: Vec<(u32, String)> = [self.prometheus, self.firebell]
                    .into_iter()
                    .flatten()
                    .map(|block| (block.line, block.text.clone()))
                    .chain(self.incidents.map(section))
                    .collect();
                blocks.sort();
                let mut text = String::new();
                for (line, block) in blocks {
                    let n_before = text.lines().count();
                    text += &"\n".repeat((line as usize - 1).saturating_sub(n_before));
                    text += &block;
                }
                Ok(format!("{text}{slo}{rules}{routes}"))
            }
            Some("slo.yml") => padded(self.slo),
            Some("rules.yml") => padded(self.rules),
            Some("alertmanager.yml") => padded(self.routes),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(if self.read(pattern).is_ok() {
            vec![pattern.to_owned()]
        } else {
            Vec::new()
        })
    }
}

/// The block as the section `incidents`, whose name stands where the block begins. Indented: columns
/// of problems are off by that.
fn section(block: &Block) -> (u32, String) {
    let lines = block.text.lines().map(|line| format!("  {line}\n"));
    let section = format!("incidents:\n{}", lines.collect::<String>());
    (block.line - 1, section)
}

fn blocks(file: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    for (idx, line) in text.lines().enumerate() {
        let number = idx as u32 + 1;
        match (&mut open, line.trim_end().strip_prefix("```")) {
            (None, Some(kind)) => {
                open = Some(Block {
                    kind: kind.trim().to_owned(),
                    line: number + 1,
                    text: String::new(),
                });
            }
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    if let Some(block) = open {
        let message = format!("the block ```{} has no end", block.kind);
        problems.push(problem(
            file,
            block.line - 1,
            1,
            &message,
            Some("end it with ```"),
            None,
        ));
    }
    blocks
}

pub(crate) fn problem(
    file: &str,
    line: u32,
    column: u32,
    message: &str,
    hint: Option<&str>,
    excerpt: Option<&str>,
) -> Problem {
    Problem {
        file: Arc::from(file),
        at: Some(Pos { line, column }),
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
        excerpt: excerpt.map(str::to_owned),
    }
}

const ROOT: &str = "scenario";
