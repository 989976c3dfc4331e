//! Rotations: when it is whose turn.
//!
//! Turns are counted on the calendar, so a hand-over at nine is at nine by the clock on the wall,
//! on both sides of a change of clocks; only the turn in which clocks change is longer or shorter.

use jiff::civil::{Date, DateTime};

use crate::civil::{DAY, HOUR, WEEK, civil_of, minute_of, week_of};
use crate::hours::Hours;

/// Whose turn it is when: turns of even length from a beginning on, without end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotation {
    // The minute of the calendar at which turn 0 begins.
    start: i64,
    every: i64,
    unit: Unit,
    counting: Counting,
}

/// What turns are measured in.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Unit {
    /// Minutes of the calendar: hours and days.
    Minutes(i64),
    /// Hand-overs of a week, in minutes from Monday, in order; turn 0 begins with the one that
    /// has this number, counted from the week of the start.
    Week {
        hand_overs: Box<[i64]>,
        first: i64,
    },
    Months,
}

/// How long a turn is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Every {
    /// So many hours.
    Hours(u32),
    /// So many days.
    Days(u32),
    /// So many weeks; they begin when the first one does.
    Weeks(u32),
    /// So many months; a month that has no such day hands over on its last.
    Months(u32),
    /// So many hand-overs, which are at the same minutes of every week, counted from Monday 00:00.
    HandOvers(u32, Vec<i64>),
}

/// Which turns move the rotation on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Counting {
    /// All that pass.
    #[default]
    Time,
    /// Only covered hours: a turn of hours is over when it has covered so many, and one of days,
    /// weeks or months that has no covered minute is nobody's. So who has Friday does not have
    /// Monday as well where nobody is on call in between.
    Covered,
}

/// Why there is no such rotation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RotationError {
    /// Turns without length, or too long.
    #[error("a turn lasts 1 to {EVERY_MAX} of its unit")]
    Every,
    /// A beginning that is no year of people's.
    #[error("a rotation starts in the years {YEAR_MIN} to {YEAR_MAX}")]
    Start,
    /// No or too many hand-overs, or minutes that no week has.
    #[error("a week has 1 to {HAND_OVERS_MAX} hand-overs")]
    HandOvers,
}

const EVERY_MAX: u32 = 1000;
const HAND_OVERS_MAX: usize = 100;
/// Rotations that count covered hours are counted from their start.
const YEAR_MIN: i16 = 1800;
const YEAR_MAX: i16 = 2500;

/// A stretch of covered minutes within one turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stretch {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Whose turn it is: the position in the list of slots is this, modulo its length.
    pub(crate) turn: i64,
}

impl Rotation {
    /// A rotation whose turn 0 begins at `start`, by the clock of the layer.
    ///
    /// # Errors
    /// When turns or start are beyond their limits.
    pub fn new(start: DateTime, every: &Every, counting: Counting) -> Result<Self, RotationError> {
        if !(YEAR_MIN..=YEAR_MAX).contains(&start.year()) {
            return Err(RotationError::Start);
        }
        let start = minute_of(start);
        let (every, unit) = match every {
            Every::Hours(every) => (*every, Unit::Minutes(HOUR)),
            Every::Days(every) => (*every, Unit::Minutes(DAY)),
            Every::Weeks(every) => (*every, Unit::Minutes(WEEK)),
            Every::Months(every) => (*every, Unit::Months),
            Every::HandOvers(every, hand_overs) => (*every, Unit::week(start, hand_overs)?),
        };
        if !(1..=EVERY_MAX).contains(&every) {
            return Err(RotationError::Every);
        }
        let every = i64::from(every);
        Ok(Self {
            start,
            every,
            unit,
            counting,
        })
    }

    /// The minute of the calendar at which it begins.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The minute at which a turn begins; turns are counted from 0, over time.
    fn start_of(&self, turn: i64) -> i64 {
        match &self.unit {
            Unit::Minutes(unit) => self.start + turn * self.every * unit,
            Unit::Week { hand_overs, first } => {
                let number = first + turn * self.every;
                let n_hand_overs = hand_overs.len() as i64;
                let idx = number.rem_euclid(n_hand_overs) as usize;
                week_of(self.start) + number.div_euclid(n_hand_overs) * WEEK + hand_overs[idx]
            }
            Unit::Months => months_after(self.start, turn * self.every),
        }
    }

    /// The turn of a minute.
    fn turn_at(&self, minute: i64) -> i64 {
        let guess = match &self.unit {
            Unit::Minutes(unit) => return (minute - self.start).div_euclid(self.every * unit),
            Unit::Week { hand_overs, first } => {
                let n_weeks = (minute - week_of(self.start)).div_euclid(WEEK);
                let in_week = minute - week_of(minute);
                let n_passed = hand_overs.partition_point(|it| *it <= in_week) as i64;
                let number = n_weeks * hand_overs.len() as i64 + n_passed - 1;
                return (number - first).div_euclid(self.every);
            }
            Unit::Months => months_between(self.start, minute).div_euclid(self.every),
        };
        // A month is over on a day that depends on its length.
        match () {
            () if minute < self.start_of(guess) => guess - 1,
            () if minute >= self.start_of(guess + 1) => guess + 1,
            () => guess,
        }
    }

    /// What of the covered minutes between two belongs to which turn.
    pub(crate) fn stretches(&self, hours: &Hours, from: i64, until: i64) -> Vec<Stretch> {
        let from = from.max(self.start);
        match (self.counting, &self.unit) {
            (Counting::Covered, _) if hours.is_always() => self.by_time(hours, from, until),
            (Counting::Time, _) => self.by_time(hours, from, until),
            (Counting::Covered, Unit::Minutes(HOUR)) => self.by_covered_hours(hours, from, until),
            (Counting::Covered, _) => self.by_covered_turns(hours, from, until),
        }
    }

    fn by_time(&self, hours: &Hours, from: i64, until: i64) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        for (start, end) in hours.within(from, until) {
            self.split(start, end, &mut stretches);
        }
        stretches
    }

    fn by_covered_turns(&self, hours: &Hours, from: i64, until: i64) -> Vec<Stretch> {
        let mut stretches = self.by_time(hours, self.start, until);
        let mut last = None;
        let mut n_turns = -1;
        for stretch in &mut stretches {
            if last.replace(stretch.turn) != Some(stretch.turn) {
                n_turns += 1;
            }
            stretch.turn = n_turns;
        }
        stretches.retain(|it| it.end > from);
        stretches
    }

    fn by_covered_hours(&self, hours: &Hours, from: i64, until: i64) -> Vec<Stretch> {
        let length = self.every * HOUR;
        let mut stretches = Vec::new();
        let mut n_covered = 0;
        for (mut start, end) in hours.within(self.start, until) {
            while start < end {
                let turn = n_covered / length;
                let stop = end.min(start + (turn + 1) * length - n_covered);
                if stop > from {
                    stretches.push(Stretch {
                        start,
                        end: stop,
                        turn,
                    });
                }
                n_covered += stop - start;
                start = stop;
            }
        }
        stretches
    }

    fn split(&self, mut start: i64, end: i64, out: &mut Vec<Stretch>) {
        let mut turn = self.turn_at(start);
        while start < end {
            let stop = self.start_of(turn + 1).min(end);
            // The calendar has an end.
            if stop <= start {
                return;
            }
            out.push(Stretch {
                start,
                end: stop,
                turn,
            });
            (start, turn) = (stop, turn + 1);
        }
    }
}

impl Unit {
    fn week(start: i64, hand_overs: &[i64]) -> Result<Self, RotationError> {
        let mut hand_overs = hand_overs.to_vec();
        hand_overs.sort_unstable();
        hand_overs.dedup();
        let are_of_week = hand_overs.iter().all(|it| (0..WEEK).contains(it));
        if !are_of_week || !(1..=HAND_OVERS_MAX).contains(&hand_overs.len()) {
            return Err(RotationError::HandOvers);
        }
        let in_week = start - week_of(start);
        let first = hand_overs.partition_point(|it| *it <= in_week) as i64 - 1;
        Ok(Self::Week {
            hand_overs: hand_overs.into(),
            first,
        })
    }
}

/// The same day and time so many months later, or the last day of a month that has no such day.
fn months_after(minute: i64, n_months: i64) -> i64 {
    let civil = civil_of(minute);
    let month = i64::from(civil.year()) * 12 + i64::from(civil.month()) - 1 + n_months;
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    let year = i16::try_from(year).unwrap_or(i16::MAX).clamp(-9999, 9999);
    let Ok(first) = Date::new(year, month as i8, 1) else {
        return minute;
    };
    let day = civil.day().min(first.days_in_month());
    minute_of(first.to_datetime(civil.time())) + i64::from(day - 1) * DAY
}

/// The months between the months of two minutes.
fn months_between(from: i64, until: i64) -> i64 {
    let month = |minute| {
        let civil = civil_of(minute);
        i64::from(civil.year()) * 12 + i64::from(civil.month())
    };
    month(until) - month(from)
}
