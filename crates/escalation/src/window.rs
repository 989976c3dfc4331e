//! Hours of the week by some clock: business hours, and the hours in which somebody sleeps.

use std::fmt;
use std::sync::Arc;

use firebell_model::Timestamp;
use firebell_oncall::{
    Counting, Every, Hours, Layer, PersonId, Rotation, Schedule, Span, WeekHours,
};
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Hours of the week by some clock, as people wrote them; right over every change of clocks,
/// because they are the hours of a schedule.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Window {
    written: Written,
    // What says when they are: somebody is on call in these hours only.
    schedule: Arc<Schedule>,
}

/// Hours as they are written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
struct Written {
    hours: String,
    zone: String,
}

/// Hours or a clock that there are not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct WindowError(String);

impl Window {
    /// The hours that a text such as `mon-fri 09:00-17:00` means by the clock of a zone such as
    /// `Europe/Berlin`.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn new(hours: &str, zone: &str) -> Result<Self, WindowError> {
        let failed = |why: &dyn fmt::Display| WindowError(why.to_string());
        let week: WeekHours = hours.parse().map_err(|why| failed(&why))?;
        let no_zone = |_| WindowError(format!("`{zone}` is no time zone such as `Europe/Berlin`"));
        let clock = match zone {
            "UTC" => TimeZone::UTC,
            zone => TimeZone::get(zone).map_err(no_zone)?,
        };
        let start = date(1900, 1, 1).at(0, 0, 0, 0);
        let rotation =
            Rotation::new(start, &Every::Days(1), Counting::Time).map_err(|why| failed(&why))?;
        let layer = Layer {
            name: "hours".into(),
            zone: clock.clone(),
            rotation,
            slots: vec![Arc::new([PersonId(0)])],
            hours: Hours {
                week: Some(week),
                holidays: None,
            },
            until: None,
        };
        let schedule = Schedule {
            name: "hours".into(),
            zone: clock,
            layers: vec![layer],
            temporary: Vec::new(),
            overrides: Vec::new(),
            n_under_temporary: 0,
            shadows: Vec::new(),
            may_have_gaps: true,
        };
        let written = Written {
            hours: hours.trim().to_owned(),
            zone: zone.to_owned(),
        };
        let schedule = Arc::new(schedule);
        Ok(Self { written, schedule })
    }

    /// Whether a moment is in these hours.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        self.schedule.on_call_at(at).is_some()
    }

    /// The first moment from this one on that is in these hours; `None` when there is none within
    /// [`Window::AHEAD_DAYS`].
    #[must_use]
    pub fn next_in(&self, at: Timestamp) -> Option<Timestamp> {
        let shifts = self.schedule.shifts(ahead(at));
        shifts.first().map(|it| it.span.from)
    }

    /// The first moment from this one on that is outside of these hours; `None` when there is none
    /// within [`Window::AHEAD_DAYS`].
    #[must_use]
    pub fn next_out(&self, at: Timestamp) -> Option<Timestamp> {
        let gaps = self.schedule.gaps(ahead(at));
        gaps.first().map(|it| it.from)
    }

    /// When it is, within a span.
    pub(crate) fn spans(&self, span: Span) -> Vec<Span> {
        let shifts = self.schedule.shifts(span);
        shifts.into_iter().map(|it| it.span).collect()
    }

    /// The zone whose clock counts, and its name.
    pub(crate) fn zone(&self) -> (&str, &TimeZone) {
        (&self.written.zone, &self.schedule.zone)
    }

    /// How many days are looked ahead: each of a week's comes, even where clocks change.
    pub const AHEAD_DAYS: i64 = 9;
}

fn ahead(at: Timestamp) -> Span {
    let until = at.0.saturating_add(Window::AHEAD_DAYS * 86_400_000);
    Span::new(at, Timestamp(until))
}

impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Window {}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.written.hours, self.written.zone)
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window({self})")
    }
}

impl TryFrom<Written> for Window {
    type Error = WindowError;

    fn try_from(written: Written) -> Result<Self, WindowError> {
        Self::new(&written.hours, &written.zone)
    }
}

impl From<Window> for Written {
    fn from(window: Window) -> Self {
        window.written
    }
}
