//! `history` and `telemetry` of firebell.yml: how much is kept of what happened to alerts and
//! notifications, and of spans and log records.

use firebell_model::Duration;

use crate::fields::Fields;
use crate::parse_bytes;

/// How much is kept of something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeptLimits {
    /// What is older goes; longer than zero.
    pub retention: Duration,
    /// The oldest goes when all of it takes more on disk.
    pub bytes_max: u64,
}

impl KeptLimits {
    /// Of what happened to alerts and notifications.
    pub const HISTORY: Self = Self {
        retention: Duration::from_hours(365 * 24),
        bytes_max: 1 << 30,
    };

    /// Of spans, and of log records as much again.
    pub const TELEMETRY: Self = Self {
        retention: Duration::from_hours(7 * 24),
        bytes_max: 256 << 20,
    };

    /// Reads `history`; defaults when it is absent.
    pub(crate) fn read_history(parent: &Fields<'_, '_>) -> Self {
        Self::HISTORY.read(parent, "history", "`history`")
    }

    /// Reads `telemetry`; defaults when it is absent.
    pub(crate) fn read_telemetry(parent: &Fields<'_, '_>) -> Self {
        Self::TELEMETRY.read(parent, "telemetry", "`telemetry`")
    }

    /// Reads a section of which these are the defaults.
    fn read(self, parent: &Fields<'_, '_>, name: &'static str, what: &'static str) -> Self {
        let Some(node) = parent.get(name) else {
            return self;
        };
        let fields = parent.doc.fields(node, what);
        let retention = fields.duration("retention");
        let bytes_max = fields.parsed("max_bytes", parse_bytes);
        let kept = Self {
            retention: retention
                .filter(|it| *it > Duration::ZERO)
                .unwrap_or(self.retention),
            bytes_max: bytes_max.filter(|it| *it > 0).unwrap_or(self.bytes_max),
        };
        fields.finish();
        kept
    }
}
