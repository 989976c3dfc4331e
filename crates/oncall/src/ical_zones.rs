//! What the zones are that a calendar names by `TZID`.
//!
//! A name means, in this order: a zone of IANA, also behind what some programs put before it; the place
//! that the calendar's own `VTIMEZONE` of the name says (`X-LIC-LOCATION`); a zone of Windows; what that
//! `VTIMEZONE` says of clocks. So where it says of clocks what its name does not, the name wins: the
//! database knows all years, and programs write into calendars what they need. But `EST` and the like,
//! whose clocks never change there, are also what people call a place where they do: with a `VTIMEZONE`
//! that has summer time they are what that says.
//!
//! *Invariants*: a name that cannot be understood is no zone, never another one. Each calendar of a text
//! has zones of its own.
//!
//! *Sources*: RFC 5545, 3.6.5 and 3.8.3.1.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ical_text::{Line, Property, VALUE_SHOWN_MAX, unescaped};
use crate::ical_windows::windows_zone;
use crate::ical_zone::{Declared, ZONE_STEPS_MAX};

/// The zones of a text of calendars.
pub(crate) struct Zones {
    /// Those that are declared, by calendar and name; the first are of no calendar.
    declared: Vec<BTreeMap<String, Declared>>,
    /// Which calendar is read.
    n_calendar: usize,
    /// What was looked for in it.
    known: BTreeMap<String, Found>,
    /// What may yet be done to follow rules.
    budget: usize,
}

/// A zone; else what is wrong, and what helps.
type Found = Result<TimeZone, (String, String)>;

impl Zones {
    /// Reads what a text says of zones, wherever in it.
    pub(crate) fn read(lines: &[Line]) -> Self {
        let mut zones = Self {
            declared: vec![BTreeMap::new()],
            n_calendar: 0,
            known: BTreeMap::new(),
            budget: ZONE_STEPS_MAX,
        };
        let mut open: Option<Declared> = None;
        for line in lines {
            let Some(property) = Property::read(&line.text) else {
                continue;
            };
            match (&*property.name, &*property.value.to_ascii_uppercase()) {
                ("BEGIN", "VCALENDAR") => {
                    zones.cut(open.take());
                    zones.declared.push(BTreeMap::new());
                }
                ("BEGIN", "VTIMEZONE") => zones.cut(open.replace(Declared::new(line.number))),
                ("BEGIN", "VEVENT") | ("END", "VCALENDAR") => zones.cut(open.take()),
                ("END", "VTIMEZONE") => zones.declare(open.take()),
                (name, value) => {
                    if let Some(zone) = &mut open {
                        zone.part(name, value, &property, line.number);
                    }
                }
            }
        }
        zones.cut(open);
        zones
    }

    /// From here on names are those of the next calendar.
    pub(crate) fn begin_calendar(&mut self) {
        self.n_calendar += 1;
        self.known.clear();
    }

    /// The zone of a name; else what is wrong, and what helps.
    pub(crate) fn get(&mut self, name: &str) -> Found {
        let name = plain(name);
        if let Some(found) = self.known.get(&name) {
            return found.clone();
        }
        let found = self.find(&name);
        self.known.insert(name, found.clone());
        found
    }

    fn find(&mut self, name: &str) -> Found {
        let declared = self.declared.get(self.n_calendar);
        let declared = declared.and_then(|it| it.get(name));
        let by_place = || zone_named(declared?.place.as_ref()?);
        let changes = declared.is_some_and(Declared::changes);
        let by_name = zone_named(name).filter(|it| !(changes && is_abbreviation(name, it)));
        let by_name = by_name.or_else(by_place);
        let by_name = by_name.or_else(|| zone_named(windows_zone(name)?));
        if let Some(zone) = by_name {
            return Ok(zone);
        }
        let shown: String = name.chars().take(VALUE_SHOWN_MAX).collect();
        let Some(declared) = declared else {
            let hint = "zones are called as in `Europe/Berlin`, or as Windows calls them; of any \
                        other one the calendar has a `VTIMEZONE`";
            return Err((format!("there is no zone `{shown}`"), hint.to_owned()));
        };
        declared.zone(&mut self.budget).map_err(|why| {
            let hint = "mend its `VTIMEZONE`, or call it as in `Europe/Berlin`";
            let message = format!("the zone `{shown}` is not understood: {why}");
            (message, hint.to_owned())
        })
    }

    fn declare(&mut self, zone: Option<Declared>) {
        let (Some(mut zone), Some(of_calendar)) = (zone, self.declared.last_mut()) else {
            return;
        };
        match of_calendar.entry(plain(&std::mem::take(&mut zone.name))) {
            Entry::Vacant(place) => drop(place.insert(zone)),
            Entry::Occupied(there) => there.into_mut().join(zone),
        }
    }

    /// Takes one in that has no end.
    fn cut(&mut self, zone: Option<Declared>) {
        self.declare(zone.map(|mut zone| {
            zone.is_cut();
            zone
        }));
    }
}

/// A name as all that use it write it.
fn plain(name: &str) -> String {
    unescaped(name.trim().trim_matches('"')).trim().to_owned()
}

/// A zone by its name, also behind what some programs put before it, as in
/// `/freeassociation.sourceforge.net/Europe/Berlin`.
fn zone_named(name: &str) -> Option<TimeZone> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    // No zone has more parts: what stands before them is not looked for.
    let begins = name.rmatch_indices('/').map(|(at, _)| at + 1);
    let mut begins: Vec<usize> = begins.take(PARTS_MAX).collect();
    // Where nothing says that the first part is no part of the name, one word does not stand for it:
    // `Office/EST` may be any zone.
    let is_prefixed = name.starts_with('/') || name.contains("://");
    if !is_prefixed && !begins.is_empty() {
        begins.remove(0);
    }
    if begins.len() < PARTS_MAX {
        begins.push(0);
    }
    let mut names = begins.iter().rev().filter_map(|at| name.get(*at..));
    names.find_map(|name| TimeZone::get(name).ok().filter(|it| !it.is_unknown()))
}

/// Whether a name of IANA is one word for clocks that never change, as far as calendars reach back.
fn is_abbreviation(name: &str, zone: &TimeZone) -> bool {
    let since = Timestamp::UNIX_EPOCH;
    !name.contains('/') && zone.following(since).next().is_none()
}

const NAME_BYTES_MAX: usize = 255;
/// As in `America/Argentina/Ushuaia`.
const PARTS_MAX: usize = 3;
