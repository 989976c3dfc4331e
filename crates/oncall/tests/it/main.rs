//! Schedules as tables: what is written, and who is on call.

mod clocks;
mod fairness;
mod ical;
mod ical_days;
mod ical_shifts;
mod ical_zones;
mod ownership;
mod schedules;
mod text;
