//! A test's rules and series with the rest of a configuration, played by the live engine on simulated
//! time, as scenarios are.
//!
//! *Invariants*: every group is evaluated at the start of the test and at every interval from there
//! on. Who is told takes it at once, unless a timeline says otherwise.

use std::path::Path;
use std::sync::Arc;

use firebell_config::{Config, ExternalUrl, Files, UnitTest, UnitTests, load};
use firebell_engine::Configuration;
use firebell_model::{Duration, Timestamp};
use firebell_promql::description::{self, Described};
use firebell_rules::{Context, RuleGroup, RuleSet};

use super::{input, start_of};
use crate::scenario::{self, Document, InForce, Line, What, play};
use crate::simulator::Watch;

/// What a test is played with.
pub(super) struct Stage<'a> {
    pub(super) test: &'a UnitTest,
    pub(super) tests: &'a UnitTests,
    pub(super) groups: &'a [RuleGroup],
    /// Of the test file.
    pub(super) folder: &'a Path,
    pub(super) files: &'a dyn Files,
}

/// How a test is played.
pub(super) struct Run<'a> {
    /// For so long.
    pub(super) until: Duration,
    /// What happens besides the input series.
    pub(super) timeline: Vec<Line>,
    /// Whether incidents open and people are paged.
    pub(super) has_pages: bool,
    /// What is expected: named in errors.
    pub(super) key: &'a str,
}

impl Stage<'_> {
    /// How failures of this test begin: `what` is expected until then.
    pub(super) fn head(&self, what: &str, until: Duration) -> String {
        let name = match &*self.test.name {
            "" => String::new(),
            name => format!("    name: {name},\n"),
        };
        format!("{name}    {what} until: {until},")
    }

    /// Reads a configuration that a test names.
    pub(super) fn config(&self, path: &str) -> Result<Config, String> {
        let external_url = ExternalUrl {
            given: Some(self.test.external_url.clone()),
            fallback: String::new(),
        };
        let path = self.folder.join(path);
        load(Some(&path), &external_url, self.files).map_err(|problems| problems.to_string())
    }

    /// Plays the test before a watch, which is made of the moment that counts as 0s.
    pub(super) fn play<W: Watch>(
        &self,
        config: &Config,
        run: Run<'_>,
        watch: impl FnOnce(Timestamp) -> W,
    ) -> Result<W, String> {
        let mut timeline = self.series(run.key)?;
        timeline.extend(run.timeline);
        timeline.push(Line {
            at: run.until,
            line: 0,
            what: What::End,
        });
        let mut configuration = self.configuration(config)?;
        let mut objectives = Arc::default();
        if run.has_pages {
            configuration.incidents = config.incidents.clone();
            configuration.paging = scenario::paging(config);
            objectives = Arc::clone(&config.objectives);
        }
        let document = Document {
            configurations: vec![InForce {
                configuration,
                objectives,
            }],
            timeline,
            transcript: None,
        };
        let options = scenario::Options {
            beginning: start_of(self.test),
            ..scenario::Options::default()
        };
        Ok(play(&document, options, watch).watch)
    }

    /// The test's rules with the routes of a configuration.
    fn configuration(&self, config: &Config) -> Result<Configuration, String> {
        // Tests have one interval and one beginning, whatever groups say.
        let groups = self.groups.iter().cloned().map(|group| RuleGroup {
            interval: self.tests.evaluation_interval,
            slot_at: Some(start_of(self.test)),
            ..group
        });
        let context = Context {
            external_labels: self.test.external_labels.clone(),
            external_url: self.test.external_url.clone(),
            subquery_step: self.tests.evaluation_interval,
            ..Context::default()
        };
        let rules = RuleSet::new(groups.collect(), context).map_err(|errors| {
            let errors = errors.iter().map(ToString::to_string);
            errors.collect::<Vec<_>>().join("; ")
        })?;
        Ok(Configuration {
            rules,
            rule_options: firebell_rules::Options::default(),
            routing: config.routing.clone(),
            dispatch_options: firebell_dispatch::Options::default(),
            delivery_alert: None,
            incidents: Default::default(),
            paging: Default::default(),
            heartbeats: Default::default(),
        })
    }

    fn series(&self, key: &str) -> Result<Vec<Line>, String> {
        let mut timeline = Vec::new();
        for (idx, line) in input::lines(self.test).iter().enumerate() {
            let (labels, values) = description::series_description(line)?;
            let is_histogram = |value: &Described| matches!(value, Described::Histogram { .. });
            if values.iter().any(is_histogram) {
                return Err(format!(
                    "the series {labels} has native histograms, which {key} cannot play yet"
                ));
            }
            timeline.push(Line {
                at: Duration::ZERO,
                line: idx as u32 + 1,
                what: What::Series {
                    labels,
                    values,
                    every: self.test.interval,
                },
            });
        }
        Ok(timeline)
    }
}
