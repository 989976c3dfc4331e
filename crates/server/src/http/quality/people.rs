//! What a month was like for people, as JSON: `PersonMonth` of `docs/openapi.json`.

use std::collections::BTreeMap;

use firebell_dispatch::Receivers;
use firebell_incident::{Burden, Light, PartOfDay};
use firebell_model::Timestamp;
use firebell_oncall::{Fairness, Oncall, Span};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::spread_json;

/// The clocks of people: which part of their day a moment is in. Who is not known has left, and is
/// looked at by UTC, unless a receiver has that name.
pub(super) fn clocks<'c>(
    oncall: &'c Oncall,
    receivers: &'c Receivers,
) -> impl Fn(&str, Timestamp) -> Option<PartOfDay> + 'c {
    let is_receiver = |name: &str| receivers.resolve(name).is_some();
    move |name, at| match oncall.directory.find_person(name) {
        Some(id) => Some(part_of_day(&oncall.directory.person(id).zone, at)),
        None if is_receiver(name) => None,
        None => Some(part_of_day(&TimeZone::UTC, at)),
    }
}

/// Working hours are 8 to 18 from Monday to Friday, nights 22 to 6: as fairness counts them.
fn part_of_day(zone: &TimeZone, at: Timestamp) -> PartOfDay {
    let local = zone.to_datetime(at.to_jiff());
    let is_weekend = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
    match local.hour() {
        22.. | ..6 => PartOfDay::Night,
        8..18 if !is_weekend => PartOfDay::Work,
        _ => PartOfDay::Off,
    }
}

/// Everybody who was paged or on call, those who were interrupted most first.
pub(super) fn people_json(
    mut burdens: BTreeMap<String, Burden>,
    oncall: &Oncall,
    (from, to): (Timestamp, Timestamp),
) -> Vec<Value> {
    let mut on_call_ms: BTreeMap<String, i64> = BTreeMap::new();
    for schedule in &oncall.schedules {
        let shifts = schedule.shifts(Span::new(from, to));
        for (id, load) in Fairness::of(&shifts, &oncall.directory).loads {
            let name = oncall.directory.person(id).name.to_string();
            burdens.entry(name.clone()).or_default();
            *on_call_ms.entry(name).or_default() += load.on_call_ms;
        }
    }
    let mut people: Vec<_> = burdens.into_iter().collect();
    people.sort_by_key(|(_, it)| std::cmp::Reverse((it.n_off_hours, it.n_pages)));
    let people = people.into_iter().take(PEOPLE_MAX).map(|(name, it)| {
        let hours = on_call_ms.get(&name).map(|ms| *ms as f64 / 3_600_000.0);
        let in_shift = hours.filter(|it| *it > 0.0);
        let in_shift = in_shift.map(|hours| it.n_pages as f64 / (hours / SHIFT_HOURS).max(1.0));
        json!({
            "name": name,
            "pages": it.n_pages,
            "incidents": it.n_incidents,
            "acknowledged": it.n_acknowledged,
            "acknowledgeSeconds": spread_json(it.acknowledge),
            "offHours": it.n_off_hours,
            "atNight": it.n_at_night,
            "sleepLostMinutes": it.sleep_lost.as_secs_f64() / 60.0,
            "light": it.light().name(),
            "onCallHours": hours,
            "pagesInShift": in_shift,
            "pagesInShiftLight": in_shift.map(|it| Light::of_pages_in_shift(it).name()),
        })
    });
    people.collect()
}

/// The most people that are told.
const PEOPLE_MAX: usize = 1_000;
/// Pages are counted for a shift of so many hours.
const SHIFT_HOURS: f64 = 12.0;

#[cfg(test)]
mod tests {
    use firebell_config::{ExternalUrl, OsFiles};

    use super::*;

    #[test]
    fn people_have_clocks_and_channels_have_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("firebell.yml");
        let text = "oncall: {people: {ana: {zone: Europe/Berlin}, ops: {}}}\nalertmanager:\n  \
                    route: {receiver: ops}\n  receivers: [{name: ops}, {name: chat}]\n";
        std::fs::write(&file, text).unwrap();
        let none = ExternalUrl::default();
        let config = firebell_config::load(Some(&file), &none, &OsFiles).unwrap();
        let part_of = clocks(&config.oncall.oncall, config.routing.receivers());
        let at: Timestamp = "2026-11-20T21:00:00Z".parse().unwrap();
        assert_eq!(part_of("ana", at), Some(PartOfDay::Night));
        assert_eq!(part_of("chat", at), None);
        // A person is one, whatever channels are called; and so is whoever has left.
        assert_eq!(part_of("ops", at), Some(PartOfDay::Off));
        assert_eq!(part_of("zoe", at), Some(PartOfDay::Off));
    }

    #[test]
    fn a_day_has_its_parts_by_the_clock_of_whom_it_is() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (at, utc, there) in [
            // A Friday, then the Saturday after it; Berlin is an hour ahead.
            ("2026-11-20T08:00:00Z", PartOfDay::Work, PartOfDay::Work),
            ("2026-11-20T17:30:00Z", PartOfDay::Work, PartOfDay::Off),
            ("2026-11-20T21:00:00Z", PartOfDay::Off, PartOfDay::Night),
            ("2026-11-21T05:00:00Z", PartOfDay::Night, PartOfDay::Off),
            ("2026-11-21T12:00:00Z", PartOfDay::Off, PartOfDay::Off),
        ] {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!(part_of_day(&TimeZone::UTC, at), utc, "{at}");
            assert_eq!(part_of_day(&berlin, at), there, "{at}");
        }
    }
}
