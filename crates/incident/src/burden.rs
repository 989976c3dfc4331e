//! What a month was like for those who were paged: how often, when, how soon they looked, and what
//! it cost them of their nights.
//!
//! *Invariants*: figures follow from the timelines of incidents that are kept, and nothing else.
//! Only people are paged, woken and tired: what a channel was told is told of nowhere here.
//!
//! *Sources*: the bands of 2, 7 and 19 off-hour interruptions a month are those that operators
//! publish: what is usual, what is bad, and the worst tenth. At most two incidents in a shift of 12
//! hours is the Site Reliability Engineering book's.

use std::collections::BTreeMap;

use firebell_escalation::{End, Target, What as OfPage};
use firebell_model::{Duration, Timestamp};

use crate::incident::{Incident, What, Who};
use crate::life::Phase;
use crate::quality::Spread;

/// What a month was like for a person.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Burden {
    /// How often they were paged.
    pub n_pages: u64,
    /// How often outside of working hours; what comes within [`ONE_INTERRUPTION`] is one.
    pub n_off_hours: u64,
    /// How many of those were at night.
    pub n_at_night: u64,
    /// How many incidents they were paged of.
    pub n_incidents: u64,
    /// How many of those they acknowledged themselves.
    pub n_acknowledged: u64,
    /// From the first page to their acknowledgement.
    pub acknowledge: Option<Spread>,
    /// Of their nights: from a page to the last thing that they did in its incident, and
    /// [`TO_SLEEP_AGAIN`].
    pub sleep_lost: Duration,
}

/// Which part of somebody's day a moment is in, by their own clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartOfDay {
    /// Working hours.
    Work,
    /// Neither: an evening, an early morning, a day at the weekend.
    Off,
    /// Time to sleep.
    Night,
}

/// How a figure stands to its target.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Light {
    /// It meets it.
    Green,
    /// It does not, and is felt.
    Amber,
    /// People burn out, or stop looking.
    Red,
}

impl Burden {
    /// How much of free time it took.
    #[must_use]
    pub fn light(&self) -> Light {
        Light::of_interruptions(self.n_off_hours)
    }
}

impl Light {
    /// Off-hour interruptions in a month: green up to 2, amber below 19; 7 are bad already.
    #[must_use]
    pub fn of_interruptions(n: u64) -> Self {
        match n {
            0..=OFF_HOURS_GOOD => Self::Green,
            n if n < OFF_HOURS_BURNOUT => Self::Amber,
            _ => Self::Red,
        }
    }

    /// The share of what fired that was actionable: green from 80 %, amber from 50 %.
    #[must_use]
    pub fn of_actionable(share: f64) -> Self {
        match share {
            share if share >= crate::quality::TARGET => Self::Green,
            share if share >= crate::quality::DELETE_UNDER => Self::Amber,
            _ => Self::Red,
        }
    }

    /// Pages in a shift of 12 hours: green up to 2, amber up to 4.
    #[must_use]
    pub fn of_pages_in_shift(n: f64) -> Self {
        match n {
            n if n <= PAGES_IN_SHIFT => Self::Green,
            n if n <= 2.0 * PAGES_IN_SHIFT => Self::Amber,
            _ => Self::Red,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

/// Who was paged in a span, and what they did: incidents are looked at one by one, and the clocks of
/// people at the end.
#[derive(Default, Debug)]
pub struct Paged {
    people: BTreeMap<String, Told>,
    n_escalated: u64,
}

/// What the pages of some incidents took of those who were paged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Toll {
    /// How often somebody was paged.
    pub n_pages: u64,
    /// How many incidents went on to others, or to the same ones again, as nobody answered.
    pub n_escalated: u64,
    /// How often somebody was woken.
    pub n_at_night: u64,
    /// Of all their nights.
    pub sleep_lost: Duration,
}

impl Paged {
    /// What of an incident was in a span.
    pub fn add(&mut self, incident: &Incident, (from, to): (Timestamp, Timestamp)) {
        let mut first: BTreeMap<&str, Timestamp> = BTreeMap::new();
        let (mut run, mut is_escalated) = (Run::default(), false);
        for entry in &incident.timeline {
            let has_climbed = run.has_climbed(entry.at, &entry.what);
            let What::Page(OfPage::Told(whom)) = &entry.what else {
                continue;
            };
            if entry.at < from || to <= entry.at {
                continue;
            }
            is_escalated |= has_climbed;
            let people = whom.iter().filter(|it| Target::receiver_in(it).is_none());
            for name in people {
                let until = last_act(incident, name, entry.at);
                self.of(name).pages.push((entry.at, until));
                first.entry(name).or_insert(entry.at);
            }
        }
        for (name, at) in first {
            let of = self.of(name);
            of.n_incidents += 1;
            of.looked.extend(acknowledged(incident, name, at));
        }
        self.n_escalated += u64::from(is_escalated);
    }

    /// What all of it took; `part_of` as in [`Paged::burdens`].
    pub fn toll(self, part_of: impl Fn(&str, Timestamp) -> Option<PartOfDay>) -> Toll {
        let toll = Toll {
            n_escalated: self.n_escalated,
            ..Toll::default()
        };
        let burdens = self.burdens(part_of).into_values();
        burdens.fold(toll, |toll, it| Toll {
            n_pages: toll.n_pages + it.n_pages,
            n_at_night: toll.n_at_night + it.n_at_night,
            sleep_lost: toll.sleep_lost + it.sleep_lost,
            ..toll
        })
    }

    /// What the span was like, by name of person; `part_of` knows their clocks, and has none for
    /// what is no person: older versions recorded channels by their names alone.
    pub fn burdens(
        self,
        part_of: impl Fn(&str, Timestamp) -> Option<PartOfDay>,
    ) -> BTreeMap<String, Burden> {
        let told = self.people.into_iter();
        told.filter_map(|(name, it)| {
            let burden = it.burden(|at| part_of(&name, at))?;
            Some((name, burden))
        })
        .collect()
    }

    fn of(&mut self, name: &str) -> &mut Told {
        self.people.entry(name.to_owned()).or_default()
    }
}

/// What somebody was told.
#[derive(Default, Debug)]
struct Told {
    /// When they were paged, and when they last did something about it.
    pages: Vec<(Timestamp, Timestamp)>,
    n_incidents: u64,
    /// How soon they acknowledged.
    looked: Vec<Duration>,
}

impl Told {
    fn burden(mut self, part_of: impl Fn(Timestamp) -> Option<PartOfDay>) -> Option<Burden> {
        self.pages.sort_unstable();
        let mut burden = Burden {
            n_pages: self.pages.len() as u64,
            n_incidents: self.n_incidents,
            n_acknowledged: self.looked.len() as u64,
            acknowledge: Spread::of(self.looked),
            ..Burden::default()
        };
        let (mut last, mut awake_until) = (None, Timestamp::MIN);
        for (at, until) in self.pages {
            let part = part_of(at)?;
            let is_new = last.is_none_or(|last| at - last > ONE_INTERRUPTION);
            if part != PartOfDay::Work && is_new {
                burden.n_off_hours += 1;
                burden.n_at_night += u64::from(part == PartOfDay::Night);
            }
            last = Some(at);
            if part == PartOfDay::Night {
                let until = until + TO_SLEEP_AGAIN;
                let began = at.max(awake_until);
                burden.sleep_lost = burden.sleep_lost + (until - began).max(Duration::ZERO);
                awake_until = awake_until.max(until);
            }
        }
        Some(burden)
    }
}

/// How far a page has come since anybody answered. What begins anew after an answer, because it came
/// back, was snoozed or handed over, or its acknowledgement ended, climbs from the bottom; what does
/// so because it got worse goes on: nobody answered.
#[derive(Default)]
struct Run {
    told_at: Option<Timestamp>,
    /// When a shift ended: whoever comes next is told in the place of others.
    changed_at: Option<Timestamp>,
    /// Since somebody was last told, it was answered or was over.
    is_answered: bool,
}

impl Run {
    /// Takes what happened next; whether somebody is told because those before did not answer. Those
    /// of the same moment had no time to.
    fn has_climbed(&mut self, at: Timestamp, what: &What) -> bool {
        match what {
            What::Page(OfPage::Began(_)) if self.is_answered => *self = Self::default(),
            What::Page(OfPage::NoLongerMeant(_)) => self.changed_at = Some(at),
            What::Page(OfPage::Told(_)) => {
                self.is_answered = false;
                let is_instead = self.changed_at.take() == Some(at);
                let first = *self.told_at.get_or_insert(at);
                return first < at && !is_instead;
            }
            _ => self.is_answered |= is_answer(what),
        }
        false
    }
}

/// Whether a page has done what it was for: somebody answered, or there is nothing to answer.
fn is_answer(what: &What) -> bool {
    match what {
        What::Acknowledged | What::AcknowledgementEnded => true,
        What::Moved { to, .. } => !matches!(to, Phase::Triage | Phase::Active),
        What::Page(OfPage::AcknowledgementEnded) => true,
        // These ends say that nobody answered.
        What::Page(OfPage::Ended(end)) => {
            !matches!(end, End::Exhausted | End::Failed | End::HandedOff)
        }
        What::Page(what) => what.by().is_some(),
        _ => false,
    }
}

/// When somebody last did something in an incident in the hours after a page.
fn last_act(incident: &Incident, name: &str, paged_at: Timestamp) -> Timestamp {
    let acts = incident.timeline.iter().rev();
    let mut acts = acts.skip_while(|it| it.at > paged_at + ONE_NIGHT);
    let last = acts.find(|it| it.at < paged_at || is_by(&it.by, name));
    last.map_or(paged_at, |it| it.at.max(paged_at))
}

/// How soon somebody said that they look into it.
fn acknowledged(incident: &Incident, name: &str, paged_at: Timestamp) -> Option<Duration> {
    let said = incident.timeline.iter().find(|it| {
        let is_answer = matches!(
            it.what,
            What::Acknowledged | What::Page(OfPage::Answered(_))
        );
        is_answer && it.at >= paged_at && is_by(&it.by, name)
    });
    said.map(|it| it.at - paged_at)
}

fn is_by(by: &Who, name: &str) -> bool {
    matches!(by, Who::Person(person) if person.name() == name)
}

/// What comes within this time of a page does not interrupt anew.
pub const ONE_INTERRUPTION: Duration = Duration::from_mins(30);
/// How long it takes to fall asleep again.
pub const TO_SLEEP_AGAIN: Duration = Duration::from_mins(30);
/// What is done later was not done in that night.
const ONE_NIGHT: Duration = Duration::from_hours(8);
/// So many off-hour interruptions a month are good.
pub const OFF_HOURS_GOOD: u64 = 2;
/// So many burn people out.
pub const OFF_HOURS_BURNOUT: u64 = 19;
/// So many pages in a shift of 12 hours are the target.
pub const PAGES_IN_SHIFT: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::{IncidentId, Person};
    use crate::{Incidents, Opening, Policy, Severity};

    fn at(mins: i64) -> Timestamp {
        Timestamp(mins * 60_000)
    }

    /// An incident of minute 0 in which people are told, and do things: `told ana`, `began`, `changed`
    /// when a shift is over, `snoozed`, `exhausted` when nobody is left to tell, else an act.
    fn played(story: &[(i64, &str, &str)]) -> Incidents {
        let mut incidents = Incidents::new(Policy::default());
        let opening = Opening {
            title: "it burns".to_owned(),
            severity: Severity::Sev1,
            service: None,
            alerts: Vec::new(),
        };
        let eva = Person::new("eva").unwrap();
        let (id, _) = incidents.open(at(0), eva, &opening).unwrap();
        for (mins, who, what) in story {
            play(&mut incidents, id, at(*mins), who, what);
        }
        incidents
    }

    fn play(incidents: &mut Incidents, id: IncidentId, now: Timestamp, who: &str, what: &str) {
        let told = what.strip_prefix("told ");
        let of_page = match (what, told) {
            (_, Some(whom)) => Some(OfPage::Told(whom.split(' ').map(Into::into).collect())),
            ("began", None) => Some(OfPage::Began("all".into())),
            ("changed", None) => Some(OfPage::NoLongerMeant("ana".into())),
            ("snoozed", None) => Some(OfPage::Snoozed(who.into(), now)),
            ("exhausted", None) => Some(OfPage::Ended(End::Exhausted)),
            (_, None) => None,
        };
        match of_page {
            Some(what) => incidents.handle_paged(now, id, what),
            None => {
                let act = what.parse().unwrap();
                let by = Person::new(who).unwrap();
                incidents.act(now, id, by, act).unwrap();
            }
        }
    }

    #[test]
    fn a_night_is_counted_once_and_what_it_took_from_sleep() {
        let incidents = played(&[
            (1, "", "told ana"),
            (11, "", "told ana ben"),
            (15, "ana", "ack"),
            (60, "ana", "note it was the cable"),
            (100, "", "told ben"),
            (2_000, "ana", "note a day later"),
            (3_000, "", "told ana"),
        ]);
        let part_of = |name: &str, now: Timestamp| {
            Some(match name {
                "ana" if now < at(480) => PartOfDay::Night,
                "ben" => PartOfDay::Off,
                _ => PartOfDay::Work,
            })
        };
        let burdens = |span| {
            let mut paged = Paged::default();
            incidents.iter().for_each(|it| paged.add(it, span));
            paged.burdens(part_of)
        };
        let found = burdens((at(0), at(2_900)));
        let ana = &found["ana"];
        assert_eq!((ana.n_pages, ana.n_off_hours, ana.n_at_night), (2, 1, 1));
        assert_eq!((ana.n_incidents, ana.n_acknowledged), (1, 1));
        let within = Duration::from_mins(14);
        assert_eq!(ana.acknowledge.map(|it| it.median), Some(within));
        // From the first page to the note, and half an hour; the second page is within that.
        assert_eq!(ana.sleep_lost, Duration::from_mins(59 + 30));
        let ben = &found["ben"];
        assert_eq!((ben.n_pages, ben.n_off_hours, ben.n_at_night), (2, 2, 0));
        assert_eq!((ben.sleep_lost, ben.n_acknowledged), (Duration::ZERO, 0));
        assert_eq!(found.len(), 2);
        let mut paged = Paged::default();
        let of = |it: &Incident, paged: &mut Paged| paged.add(it, (at(0), at(2_900)));
        incidents.iter().for_each(|it| of(it, &mut paged));
        let expected = Toll {
            n_pages: 4,
            n_escalated: 1,
            n_at_night: 1,
            sleep_lost: Duration::from_mins(59 + 30),
        };
        assert_eq!(paged.toll(part_of), expected);
        let later = burdens((at(2_900), at(9_000)));
        assert_eq!(later["ana"].n_off_hours, 0);
    }

    /// What a story took of people who sleep all day; nobody knows `old-channel`.
    fn toll(story: &[(i64, &str, &str)]) -> Toll {
        let mut paged = Paged::default();
        let span = (at(0), at(10_000));
        played(story).iter().for_each(|it| paged.add(it, span));
        paged.toll(|name, _| (name != "old-channel").then_some(PartOfDay::Night))
    }

    #[test]
    fn channels_do_not_sleep() {
        let taken = |whom| {
            let found = toll(&[(1, "", whom)]);
            (found.n_pages, found.n_at_night, found.sleep_lost)
        };
        let one = (1, 1, TO_SLEEP_AGAIN);
        assert_eq!(taken("told ana"), one);
        assert_eq!(taken("told ana receiver:ops"), one);
        assert_eq!(taken("told ana old-channel"), one);
        assert_eq!(taken("told receiver:ops"), (0, 0, Duration::ZERO));
        assert_eq!(
            taken("told receiver:ana old-channel"),
            (0, 0, Duration::ZERO)
        );
    }

    #[test]
    fn what_climbs_because_nobody_answered_is_escalated_and_what_begins_anew_is_not() {
        let check = |story: &[(i64, &str, &str)], expected| {
            let mut begun = vec![(0, "", "began")];
            begun.extend(story);
            assert_eq!(toll(&begun).n_escalated, expected, "{story:?}");
        };
        check(&[(1, "", "told ana")], 0);
        check(&[(1, "", "told ana"), (16, "", "told ben")], 1);
        // The same people once more, as in a further round.
        check(&[(1, "", "told ana"), (16, "", "told ana")], 1);
        check(&[(1, "", "told receiver:ops"), (16, "", "told ana")], 1);
        // Two steps of one moment: nobody could have answered the first.
        check(&[(1, "", "told receiver:ops"), (1, "", "told ana")], 0);
        // It was snoozed, came back, or its acknowledgement ended.
        for answer in ["ack", "snoozed", "state resolved"] {
            let anew = [
                (1, "", "told ana"),
                (9, "ana", answer),
                (60, "", "began"),
                (60, "", "told ana"),
            ];
            check(&anew, 0);
            let anew = [&anew[..], &[(75, "", "told ben")]].concat();
            check(&anew, 1);
        }
        // It got worse before anybody answered, also when nobody was left to ask; or at once.
        let worse = [(10, "", "began"), (10, "", "told ana ben")];
        let told = (0, "", "told ana");
        check(&[&[told], &worse[..]].concat(), 1);
        check(&[&[told, (5, "", "exhausted")], &worse[..]].concat(), 1);
        check(&[told, (0, "", "began"), (0, "", "told ana ben")], 0);
        // A shift ended: who comes after is told instead.
        let changed = [(1, "", "told ana"), (9, "", "changed"), (9, "", "told ben")];
        check(&changed, 0);
        check(&[&changed[..], &[(20, "", "told eva")]].concat(), 1);
    }

    /// Who was told before a month and again within it, was told again in it.
    #[test]
    fn a_page_that_climbs_over_the_end_of_a_month_is_escalated_in_the_later_one() {
        let incidents = played(&[(1, "", "told ana"), (16, "", "told ben")]);
        let escalated = |span| {
            let mut paged = Paged::default();
            incidents.iter().for_each(|it| paged.add(it, span));
            paged.n_escalated
        };
        assert_eq!(escalated((at(0), at(10))), 0);
        assert_eq!(escalated((at(10), at(20))), 1);
    }

    #[test]
    fn lights_change_where_targets_say() {
        let of = |n| Light::of_interruptions(n).name();
        assert_eq!(
            [of(0), of(2), of(3), of(7)],
            ["green", "green", "amber", "amber"]
        );
        assert_eq!([of(18), of(19), of(99)], ["amber", "red", "red"]);
        let of = |share| Light::of_actionable(share).name();
        assert_eq!([of(1.0), of(0.8), of(0.79)], ["green", "green", "amber"]);
        assert_eq!([of(0.5), of(0.49), of(0.0)], ["amber", "red", "red"]);
        let of = |n| Light::of_pages_in_shift(n).name();
        assert_eq!(
            [of(2.0), of(2.1), of(4.0), of(4.1)],
            ["green", "amber", "amber", "red"]
        );
    }
}
