//! Example files, good and bad, each with what is made or said of it beside it.
//!
//! `UPDATE_EXPECT=1` rewrites what is expected.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use firebell_config::{Config, ExternalUrl, Files as _, OsFiles, load};
use firebell_notify::Integration;
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
    for job in &config.scrape {
        writeln!(
            text,
            "job {} every {} within {}",
            job.name, job.interval, job.timeout
        )
        .unwrap();
        let found = job.discover(&OsFiles, &mut firebell_config::LastGood::default());
        for target in found.targets {
            writeln!(text, "  {} {}", target.url, target.labels).unwrap();
        }
        for target in found.dropped {
            let why = target.error.unwrap_or("relabelling".to_owned());
            writeln!(text, "  dropped by {why}: {}", target.discovered).unwrap();
        }
        for problem in found.problems {
            writeln!(text, "  {problem}").unwrap();
        }
    }
    for group in config.rules.groups() {
        let (interval, offset) = (group.interval, group.query_offset);
        writeln!(text, "group {} every {interval} {offset} ago", group.name).unwrap();
        for rule in &group.rules {
            let (labels, annotations) = (&rule.label_texts, &rule.annotation_texts);
            let (line, column) = (rule.place.line, rule.place.column);
            writeln!(text, "  {line}:{column} {rule:?} {labels} {annotations}").unwrap();
        }
    }
    for route in config.routing.routes() {
        let (wait, interval) = (route.group_wait, route.group_interval);
        let by = &route.group_by;
        writeln!(
            text,
            "route {} by {by:?} {wait} {interval} {}",
            route.id, route.repeat_interval
        )
        .unwrap();
    }
    for receiver in config.routing.receivers().iter() {
        write!(text, "receiver {}", receiver.name()).unwrap();
        for slot in receiver.slots() {
            let resolved = if slot.send_resolved {
                " and resolved"
            } else {
                ""
            };
            write!(text, ", {}{resolved}", slot.integration).unwrap();
        }
        text.push('\n');
    }
    for ((receiver, kind, idx), integration) in &config.integrations {
        writeln!(
            text,
            "{receiver} {kind}[{idx}]: {}",
            describe_integration(integration)
        )
        .unwrap();
    }
    for rule in config.routing.inhibit_rules() {
        writeln!(text, "{rule:?}").unwrap();
    }
    let Config {
        external_url,
        external_labels,
        listen,
        storage,
        ..
    } = config;
    writeln!(text, "at {external_url} {external_labels} {listen:?}").unwrap();
    writeln!(
        text,
        "kept {} {:?}",
        storage.retention, storage.retention_bytes
    )
    .unwrap();
    for note in &config.notes {
        writeln!(text, "note: {note}").unwrap();
    }
    text + &config.alertmanager_text
}

fn describe_integration(integration: &Integration) -> String {
    let Integration::Slack(slack) = integration else {
        return format!("{integration:?}");
    };
    let texts = [&slack.channel, &slack.title, &slack.footer].map(|text| text.text().to_owned());
    let address = slack.api_url.reveal();
    let authorization = slack
        .http
        .authorization
        .as_ref()
        .map(|secret| secret.reveal());
    format!(
        "{texts:?} to {address} with {authorization:?}, {:?}",
        slack.actions[..].first()
    )
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
