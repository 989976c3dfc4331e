//! On-call: who owns an alert, and who is on call for it at any moment.
//!
//! A core: a moment goes in, people come out. Schedules are computed from what people wrote, never
//! stored: the next year costs milliseconds.
//!
//! *Invariants*: a schedule says at most one thing of each moment; what people wrote as adjacent
//! stays adjacent over every change of clocks.
//!
//! *Not here*: reading configuration (`firebell-config`), telling people (`firebell-notify`).

mod people;

mod ownership;

mod schedule;

mod layer;
mod rotation;

mod hours;

mod changes;
mod fairness;
mod shifts;

mod ical;
mod ical_days;
mod ical_shifts;

mod ical_rule;
mod ical_text;
mod ical_who;
mod ical_windows;
mod ical_zone;
mod ical_zones;

mod civil;
mod text;

pub use self::changes::{Change, Override, Shadow, Temporary};
pub use self::civil::moment_of;
pub use self::fairness::{Fairness, Load};
pub use self::hours::{
    Holidays, Hours, OnHolidays, ParseHoursError, WeekHours, parse_time_of_day, parse_time_of_week,
    parse_weekday,
};
pub use self::ical::calendar;
pub use self::ical_days::{CalendarDays, CalendarWarning, calendar_days};
pub use self::ical_shifts::{
    CalendarProblem, CalendarShift, CalendarShifts, SHIFTS_MAX, calendar_shifts,
};
pub use self::layer::Layer;
pub use self::ownership::{FLOW_LABEL, OwnedBy, OwnerRule, Ownership, SERVICE_LABEL, TEAM_LABEL};
pub use self::people::{
    Contact, ContactKind, Directory, Person, PersonId, ScheduleId, Service, Team, TeamId,
};
pub use self::rotation::{Counting, Every, Rotation, RotationError};
pub use self::schedule::{Oncall, Schedule, Watch};
pub use self::shifts::{Cause, Shift, Span};
pub use self::text::{
    HandOver, ParseTextError, by_clock_of, parse_civil, parse_date, parse_moment,
};
