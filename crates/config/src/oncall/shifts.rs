//! `shifts`: who is on call from when to when, as a calendar says it.
//!
//! Several of one time are one shift of several people, whatever their order: calendars have an event
//! for each of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::Timestamp;
use firebell_oncall::{Change, Override, PersonId, Shadow, Span};
use jiff::tz::TimeZone;

use super::Reader;
use super::parts::{people, span};
use crate::fields::Fields;

/// A shift as it stands there.
pub(super) struct Entered {
    span: Span,
    people: Arc<[PersonId]>,
    shadows: Arc<[PersonId]>,
    reason: Arc<str>,
}

/// One shift; what else stands there is for others to read.
pub(super) fn read(reader: &Reader, fields: &Fields<'_, '_>, zone: &TimeZone) -> Option<Entered> {
    let span = span(fields, zone);
    // By which event of a calendar it is; for those who import it again.
    let _ = fields.text("uid");
    let named = |name: &'static str| {
        let node = fields.get(name)?;
        Some(people(reader, fields.doc, node, name))
    };
    let (on_call, shadows) = (named("people"), named("shadows"));
    let reason = fields.text("reason").unwrap_or_default().into();
    match &on_call {
        None => fields.missing("people"),
        Some(people) if people.is_empty() => {
            let message = "a shift needs somebody";
            fields.doc.problem(fields.at("people"), message, None);
            return None;
        }
        Some(_) => {}
    }
    Some(Entered {
        span: span?,
        people: on_call?,
        shadows: shadows.unwrap_or_default(),
        reason,
    })
}

/// What shifts come to: pieces of time with all who are on call in them, and who learns.
pub(super) fn joined(mut entered: Vec<Entered>) -> (Vec<Override>, Vec<Shadow>) {
    entered.sort_by(|a, b| (a.span, &a.people).cmp(&(b.span, &b.people)));
    let edges: BTreeSet<Timestamp> = entered
        .iter()
        .flat_map(|it| [it.span.from, it.span.until])
        .collect();
    let edges: Vec<Timestamp> = edges.into_iter().collect();
    let (mut overrides, mut open, mut next) = (Vec::new(), Vec::<&Entered>::new(), 0);
    for pair in edges.windows(2) {
        let &[from, until] = pair else { continue };
        while let Some(it) = entered.get(next).filter(|it| it.span.from <= from) {
            open.push(it);
            next += 1;
        }
        open.retain(|it| it.span.until > from);
        let Some(first) = open.first() else {
            continue;
        };
        let mut people: Vec<PersonId> = Vec::new();
        for id in open.iter().flat_map(|it| &*it.people) {
            if !people.contains(id) {
                people.push(*id);
            }
        }
        overrides.push(Override {
            span: Span::new(from, until),
            change: Change::Take(people.into()),
            reason: Arc::clone(&first.reason),
        });
    }
    let shadows = entered.iter().flat_map(|it| {
        let of_shift = it.shadows.iter();
        of_shift.map(|who| Shadow {
            span: it.span,
            who: *who,
            of: None,
        })
    });
    let shadows = shadows.collect();
    (overrides, shadows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(from: i64, until: i64, people: &[u32], shadows: &[u32]) -> Entered {
        let ids = |ids: &[u32]| ids.iter().copied().map(PersonId).collect();
        Entered {
            span: Span::new(Timestamp(from), Timestamp(until)),
            people: ids(people),
            shadows: ids(shadows),
            reason: format!("{from}").into(),
        }
    }

    /// Each piece as `from-until people`.
    fn check(entered: Vec<Entered>, expected: &str) {
        let (overrides, _) = joined(entered);
        let shown = overrides.iter().map(|it| {
            let Change::Take(people) = &it.change else {
                panic!("{it:?}");
            };
            let people: Vec<String> = people.iter().map(|it| it.0.to_string()).collect();
            let (from, until) = (it.span.from.0, it.span.until.0);
            format!("{from}-{until} {}", people.join("+"))
        });
        assert_eq!(shown.collect::<Vec<_>>().join(", "), expected);
    }

    #[test]
    fn events_of_one_time_are_one_shift_of_several_whatever_their_order() {
        let all = || {
            vec![
                entered(0, 10, &[1], &[]),
                entered(10, 20, &[2], &[]),
                entered(5, 15, &[3], &[]),
                entered(30, 40, &[1, 2], &[]),
                entered(30, 40, &[2, 3], &[]),
            ]
        };
        let expected = "0-5 1, 5-10 1+3, 10-15 3+2, 15-20 2, 30-40 1+2+3";
        check(all(), expected);
        let mut turned = all();
        turned.reverse();
        check(turned, expected);
        check(
            vec![entered(0, 10, &[1], &[]), entered(2, 4, &[1], &[])],
            "0-2 1, 2-4 1, 4-10 1",
        );
        check(Vec::new(), "");
    }

    #[test]
    fn those_who_learn_do_so_for_the_time_of_their_event() {
        let (_, shadows) = joined(vec![entered(0, 10, &[1], &[7]), entered(10, 20, &[2], &[])]);
        let found: Vec<_> = shadows
            .iter()
            .map(|it| (it.span.until.0, it.who.0, it.of))
            .collect();
        assert_eq!(found, [(10, 7, None)]);
    }
}
