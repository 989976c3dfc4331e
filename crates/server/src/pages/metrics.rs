//! Counts what became of pages and of answers to them.

use firebell_oncall::ContactKind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::links::LinkAct;

/// Counted for each kind of contact; `channel` are receivers.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByLabel {
    by: &'static str,
}

/// Counted for what was answered, and how: by a link, or over the API.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct AnswerLabels {
    act: &'static str,
    by: &'static str,
}

/// Counted for each kind of contact: `sent` or `failed`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct HandOffLabels {
    by: &'static str,
    outcome: &'static str,
}

/// The counters; shared.
#[derive(Default)]
pub(crate) struct PageMetrics {
    sent: Family<ByLabel, Counter>,
    failed: Family<ByLabel, Counter>,
    answered: Family<AnswerLabels, Counter>,
    hand_offs: Family<HandOffLabels, Counter>,
    refused: Counter,
    broken: Counter,
}

impl PageMetrics {
    /// A message arrived at whoever carries it.
    pub(crate) fn sent(&self, by: &'static str) {
        self.sent.get_or_create(&ByLabel { by }).inc();
    }

    /// A message was given up.
    pub(crate) fn failed(&self, by: &'static str) {
        self.failed.get_or_create(&ByLabel { by }).inc();
    }

    /// Somebody was told that a shift begins or ends, or could not be.
    pub(crate) fn hand_off(&self, by: &'static str, has_arrived: bool) {
        let outcome = if has_arrived { "sent" } else { "failed" };
        self.hand_offs
            .get_or_create(&HandOffLabels { by, outcome })
            .inc();
    }

    /// Somebody answered.
    pub(crate) fn answered(&self, act: LinkAct, by: &'static str) {
        let act = act.name();
        self.answered.get_or_create(&AnswerLabels { act, by }).inc();
    }

    /// A link did nothing: used before, ended, of an earlier run, or none of ours.
    pub(crate) fn refused(&self) {
        self.refused.inc();
    }

    /// A page was wrong, and was mended.
    pub(crate) fn broken(&self) {
        self.broken.inc();
    }

    #[rustfmt::skip]
    pub(crate) fn register(&self, registry: &mut Registry) {
        // A rate over a counter that begins with the first failure would miss that failure.
        let kinds = ContactKind::ALL.iter().map(|(name, _)| *name);
        for by in kinds.chain([super::CHANNEL]) {
            drop(self.sent.get_or_create(&ByLabel { by }));
            drop(self.failed.get_or_create(&ByLabel { by }));
        }
        registry.register("firebell_pages_sent", "Messages about pages that arrived at whoever carries them, by kind of contact", self.sent.clone());
        registry.register("firebell_pages_failed", "Messages about pages that were given up, by kind of contact", self.failed.clone());
        registry.register("firebell_hand_off_notices", "Notices to people whose shift begins or ends, by kind of contact, and whether they arrived at whoever carries them", self.hand_offs.clone());
        registry.register("firebell_pages_answered", "What people did with pages, by a link or over the API", self.answered.clone());
        registry.register("firebell_page_links_refused", "Links of pages that did nothing: used before, ended, of an earlier run, or forged", self.refused.clone());
        registry.register("firebell_pages_broken", "Pages that were in no state that a page may be in, and were mended: a mistake of Firebell", self.broken.clone());
    }
}
