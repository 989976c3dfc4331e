//! The slots at which a group is evaluated: a grid from the epoch on, shifted by a hash of the
//! group, so that groups do not all run at once and an evaluation can be repeated. The shift is of
//! whole seconds: groups of one second share a wake, which costs more than to begin most of them.

use firebell_model::{Duration, Labels, Timestamp};

use crate::definition::RuleGroup;

/// The slots of a group: its grid, and those of rules with an interval of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Slots {
    group: Grid,
    /// By index of the rule, in order.
    own: Vec<(usize, Grid)>,
}

impl Slots {
    pub(crate) fn new(group: &RuleGroup) -> Self {
        let origin = origin(group);
        let own = group.rules.iter().enumerate().filter_map(|(idx, rule)| {
            let interval = rule.cadence.interval?;
            Some((idx, Grid::new(origin, interval)))
        });
        Self {
            group: Grid::new(origin, group.interval),
            own: own.collect(),
        }
    }

    fn grids(&self) -> impl Iterator<Item = Grid> {
        let own = self.own.iter().map(|(_, grid)| *grid);
        std::iter::once(self.group).chain(own)
    }

    /// The last slot that is not later than a moment.
    pub(crate) fn at_or_before(&self, moment: Timestamp) -> Timestamp {
        let slots = self.grids().map(|grid| grid.at_or_before(moment));
        slots.max().unwrap_or(moment)
    }

    /// The first slot later than a moment.
    pub(crate) fn after(&self, moment: Timestamp) -> Timestamp {
        let slots = self.grids().map(|grid| grid.after(moment));
        slots.min().unwrap_or(moment)
    }

    /// See [`Grid::resume`].
    pub(crate) fn resume(&self, last_slot: Timestamp, now: Timestamp) -> Timestamp {
        self.group.resume(last_slot, now)
    }

    /// How many slots of the group were not evaluated, when instead of the earlier slot the later
    /// one is.
    pub(crate) fn missed(&self, earlier: Timestamp, later: Timestamp) -> u64 {
        self.group.steps(earlier, later)
    }

    /// Which of so many rules are to be evaluated at a slot: those that had one of their own since
    /// the last.
    pub(crate) fn due(&self, last: Option<Timestamp>, slot: Timestamp, n: usize) -> Vec<usize> {
        let is_due = |grid: Grid| {
            let own = grid.at_or_before(slot);
            last.map_or(own == slot, |last| own > last)
        };
        if self.own.is_empty() {
            return (0..n).collect();
        }
        let is_group_due = is_due(self.group);
        let mut own = self.own.iter().peekable();
        let rules = (0..n).filter(|rule| match own.next_if(|(idx, _)| idx == rule) {
            Some((_, grid)) => is_due(*grid),
            None => is_group_due,
        });
        rules.collect()
    }
}

/// A moment at which a group has a slot, and so has each of its rules: the slots of a rule whose
/// interval is a multiple of the group's are among the group's.
fn origin(group: &RuleGroup) -> i128 {
    if let Some(at) = group.slot_at {
        return at.0.into();
    }
    let identity = [("file", &*group.file), ("name", &*group.name)];
    let identity = Labels::from_pairs(identity).fingerprint();
    let origin = i128::from(identity.0);
    // What is evaluated every second or more often has no seconds to share.
    match group.interval > SECOND {
        true => origin - origin % i128::from(SECOND.0),
        false => origin,
    }
}

/// A grid of slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Grid {
    interval: i64,
    phase: i64,
}

impl Grid {
    /// The grid that has a slot at `origin`.
    fn new(origin: i128, interval: Duration) -> Self {
        // `RuleSet` refuses intervals that are not positive.
        let interval = interval.0.max(1);
        let phase = origin.rem_euclid(interval.into()) as i64;
        Self { interval, phase }
    }

    /// The last slot that is not later than a moment.
    pub(crate) fn at_or_before(self, moment: Timestamp) -> Timestamp {
        let shifted = moment.0.saturating_sub(self.phase);
        Timestamp(moment.0.saturating_sub(shifted.rem_euclid(self.interval)))
    }

    /// The first slot later than a moment.
    pub(crate) fn after(self, moment: Timestamp) -> Timestamp {
        self.at_or_before(moment) + Duration(self.interval)
    }

    /// The first slot that is not earlier than a moment.
    pub(crate) fn at_or_after(self, moment: Timestamp) -> Timestamp {
        self.after(moment - Duration(1))
    }

    /// How many intervals lie between two slots.
    pub(crate) fn steps(self, earlier: Timestamp, later: Timestamp) -> u64 {
        ((later - earlier).0 / self.interval).unsigned_abs()
    }

    /// The first slot of a group that was evaluated before the program started.
    ///
    /// A slot that falls on the start itself is still to come. After a downtime in which slots were
    /// missed, the series have a hole: an evaluation right away would find nothing and resolve what
    /// still burns, so the group waits for [`SETTLE`] until new samples have come.
    pub(crate) fn resume(self, last_slot: Timestamp, now: Timestamp) -> Timestamp {
        let downtime = now - last_slot;
        // The recorded slot may be that much older than the last one; see `SLOT_RECORD_EVERY`.
        let has_hole = downtime > Duration(self.interval) + SLOT_RECORD_EVERY;
        let settle = if has_hole { SETTLE } else { Duration::ZERO };
        self.at_or_after((now + settle).max(last_slot + Duration(1)))
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A group's last slot is recorded when the recorded one is this old: each slot would cost a durable
/// write without need.
pub(crate) const SLOT_RECORD_EVERY: Duration = Duration::from_mins(1);

/// The wait after a downtime: a few scrapes.
const SETTLE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: String, interval: Duration, slot_at: Option<Timestamp>) -> RuleGroup {
        RuleGroup {
            file: "r.yml".to_owned(),
            name,
            interval,
            slot_at,
            query_offset: Duration::ZERO,
            limit: None,
            rules: Vec::new(),
        }
    }

    #[test]
    fn groups_begin_at_whole_seconds_all_over_their_interval() {
        for (interval, n_phases) in [(15_000, 15), (2_000, 2)] {
            let phases = (0..200).map(|idx| {
                let group = group(idx.to_string(), Duration(interval), None);
                Slots::new(&group).after(at(0)).0 % interval
            });
            let phases: std::collections::BTreeSet<i64> = phases.collect();
            assert!(phases.iter().all(|it| it % 1000 == 0), "{phases:?}");
            assert_eq!(phases.len(), n_phases, "{interval}: {phases:?}");
        }
        // Those that are evaluated as often have no seconds to share.
        let group = group("g".to_owned(), Duration(1000), None);
        assert_ne!(Slots::new(&group).after(at(0)).0 % 1000, 0);
    }

    #[test]
    fn a_rule_of_a_multiple_of_its_groups_interval_is_evaluated_with_the_group() {
        for (interval, own) in [
            (1000, 5000),
            (1500, 3000),
            (700, 2100),
            (15_000, 60_000),
            (5000, 500),
            (2500, 500),
        ] {
            for idx in 0..20 {
                let group = group(idx.to_string(), Duration(interval), None);
                let of = |interval| Grid::new(origin(&group), Duration(interval));
                let (often, seldom) = (interval.min(own), interval.max(own));
                let slot = of(seldom).after(at(0));
                assert_eq!(of(often).at_or_before(slot), slot, "{interval} {own}");
            }
        }
    }

    #[test]
    fn a_group_has_a_slot_at_the_moment_that_is_asked_for() {
        let group = group("g".to_owned(), Duration::from_mins(1), Some(at(61)));
        let slots = Slots::new(&group);
        assert_eq!(slots.after(at(0)), at(1));
        assert_eq!(slots.after(at(61)), at(121));
    }

    // Slots at 7 s, 17 s, 27 s and so on.
    const GRID: Grid = Grid {
        interval: 10_000,
        phase: 7000,
    };

    fn at(secs: i64) -> Timestamp {
        Timestamp(secs * 1000)
    }

    #[test]
    fn item_20_slots_are_on_an_absolute_grid() {
        for (now, before, after) in [
            (0, -3, 7),
            (6, -3, 7),
            (7, 7, 17),
            (16, 7, 17),
            (17, 17, 27),
        ] {
            assert_eq!(GRID.at_or_before(at(now)), at(before), "{now}");
            assert_eq!(GRID.after(at(now)), at(after), "{now}");
        }
        assert_eq!(GRID.at_or_after(at(17)), at(17));
        assert_eq!(GRID.at_or_after(Timestamp(17_001)), at(27));
        assert_eq!(GRID.steps(at(7), at(37)), 3);
        // The ends of time are far, but no reason to panic.
        let _ = (
            GRID.at_or_before(Timestamp::MIN),
            GRID.after(Timestamp::MAX),
        );
    }

    #[test]
    fn a_short_downtime_costs_no_slot_and_a_long_one_waits_for_samples() {
        for (last_slot, now, expected) in [
            (7, 12, 17),
            (7, 17, 17),
            (7, 18, 27),
            // Evaluated already.
            (17, 17, 27),
            // The clock went back.
            (57, 12, 67),
            // The recorded slot may be a minute older than the last one.
            (7, 77, 77),
            (7, 78, 147),
            (7, 10_000, 10_067),
        ] {
            let first = GRID.resume(at(last_slot), at(now));
            assert_eq!(first, at(expected), "{last_slot} to {now}");
        }
    }
}
