//! `global` of prometheus.yml.

use firebell_model::{Duration, Labels};

use super::{
    ScrapeHistograms, ScrapeLimits, ScrapeNames, ScrapeProtocol, histograms, limits, names,
    own_protocols, positive,
};
use crate::fields::Fields;

/// What holds for every job and rule group unless they say otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Global {
    pub(crate) scrape_interval: Duration,
    pub(crate) scrape_timeout: Duration,
    pub(crate) evaluation_interval: Duration,
    pub(crate) rule_query_offset: Duration,
    pub(crate) external_labels: Labels,
    pub(crate) limits: ScrapeLimits,
    pub(crate) histograms: ScrapeHistograms,
    pub(crate) protocols: Option<Vec<ScrapeProtocol>>,
    pub(crate) names: ScrapeNames,
    pub(crate) extra_metrics: Option<bool>,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            scrape_interval: Duration::from_mins(1),
            scrape_timeout: Duration::from_secs(10),
            evaluation_interval: Duration::from_mins(1),
            rule_query_offset: Duration::ZERO,
            external_labels: Labels::empty(),
            limits: ScrapeLimits::default(),
            histograms: ScrapeHistograms::default(),
            protocols: None,
            names: ScrapeNames::default(),
            extra_metrics: None,
        }
    }
}

impl Global {
    /// Reads the section; defaults when it is absent.
    pub(crate) fn read(parent: &Fields<'_, '_>) -> Self {
        let default = Self::default();
        let Some(node) = parent.get("global") else {
            return default;
        };
        let fields = parent.doc.fields(node, "`global`");
        let scrape_interval =
            positive(&fields, "scrape_interval").unwrap_or(default.scrape_interval);
        let scrape_timeout = positive(&fields, "scrape_timeout");
        if let Some(timeout) = scrape_timeout.filter(|timeout| *timeout > scrape_interval) {
            let message = format!(
                "`scrape_timeout` ({timeout}) is longer than `scrape_interval` ({scrape_interval})"
            );
            fields
                .doc
                .problem(fields.at("scrape_timeout"), message, None);
        }
        let global = Self {
            scrape_interval,
            scrape_timeout: scrape_timeout
                .unwrap_or_else(|| default.scrape_timeout.min(scrape_interval)),
            evaluation_interval: positive(&fields, "evaluation_interval")
                .unwrap_or(default.evaluation_interval),
            rule_query_offset: fields.duration("rule_query_offset").unwrap_or_default(),
            external_labels: fields.labels("external_labels"),
            limits: limits(&fields, &default.limits),
            histograms: histograms(&fields, default.histograms),
            protocols: own_protocols(&fields),
            names: names::of_global(&fields),
            extra_metrics: fields.bool("extra_scrape_metrics"),
        };
        fields.ignore(&super::IGNORED);
        fields.ignore(&["query_log_file", "runtime"]);
        fields.finish();
        global
    }
}
