//! `history` of firebell.yml: how much is kept of what happened to alerts and notifications.

use firebell_model::Duration;

use crate::fields::Fields;
use crate::parse_bytes;

/// How much history is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HistoryKept {
    /// What is older goes; longer than zero.
    pub retention: Duration,
    /// The oldest goes when all of it takes more on disk.
    pub bytes_max: u64,
}

impl Default for HistoryKept {
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(365 * 24),
            bytes_max: 1 << 30,
        }
    }
}

impl HistoryKept {
    /// Reads the section; defaults when it is absent.
    pub(crate) fn read(parent: &Fields<'_, '_>) -> Self {
        let default = Self::default();
        let Some(node) = parent.get("history") else {
            return default;
        };
        let fields = parent.doc.fields(node, "`history`");
        let retention = fields.duration("retention");
        let bytes_max = fields.parsed("max_bytes", parse_bytes);
        let kept = Self {
            retention: retention
                .filter(|it| *it > Duration::ZERO)
                .unwrap_or(default.retention),
            bytes_max: bytes_max.filter(|it| *it > 0).unwrap_or(default.bytes_max),
        };
        fields.finish();
        kept
    }
}
