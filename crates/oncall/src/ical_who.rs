//! Whom an event of a calendar means: people by their names and e-mail addresses.

use std::collections::BTreeMap;

use crate::ical_text::Property;
use crate::people::{ContactKind, Directory, PersonId};

/// Everybody, by all that a calendar may call them.
pub(crate) struct Known<'d> {
    directory: &'d Directory,
    /// Without regard to case; of a name that several have, all of them.
    by_name: BTreeMap<String, Vec<PersonId>>,
}

/// Somebody who is invited to an event.
pub(crate) struct Attendee {
    line: usize,
    name: String,
    address: String,
    has_declined: bool,
}

/// Why a text does not say who is on call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unclear {
    /// Nobody has this name.
    Unknown(String),
    /// Several people do.
    Several(String, Vec<PersonId>),
    /// Whoever it names has said no.
    Declined(String),
}

impl<'d> Known<'d> {
    pub(crate) fn new(directory: &'d Directory) -> Self {
        let mut by_name: BTreeMap<String, Vec<PersonId>> = BTreeMap::new();
        let ids = (0..).map(PersonId).zip(&directory.people);
        for (id, person) in ids {
            let emails = person.contacts.iter().filter_map(|it| {
                let is_email = it.kind == ContactKind::Email;
                is_email.then_some(&*it.address)
            });
            for name in [&*person.name, &*person.full_name]
                .into_iter()
                .chain(emails)
            {
                let named = by_name.entry(folded(name)).or_default();
                if !named.contains(&id) {
                    named.push(id);
                }
            }
        }
        Self { directory, by_name }
    }

    /// Whoever is called so; their own name before what others are called.
    pub(crate) fn find(&self, name: &str) -> Result<PersonId, Unclear> {
        if let Some(id) = self.directory.find_person(name.trim()) {
            return Ok(id);
        }
        let name = name.trim();
        match self.by_name.get(&folded(name)).map_or(&[][..], |it| it) {
            [id] => Ok(*id),
            [] => Err(Unclear::Unknown(name.to_owned())),
            several => Err(Unclear::Several(name.to_owned(), several.to_vec())),
        }
    }

    /// Those who are invited and have not declined, by address or name; else those whom the title
    /// names, unless they have. The errors have their lines.
    pub(crate) fn invited(
        &self,
        title: Option<&(usize, String)>,
        attendees: &[Attendee],
    ) -> Result<Vec<PersonId>, Vec<(usize, Unclear)>> {
        let (mut people, mut declined, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
        for attendee in attendees {
            let into = match attendee.has_declined {
                true => &mut declined,
                false => &mut people,
            };
            match self.attendee(attendee) {
                Ok(id) if into.contains(&id) => {}
                Ok(id) => into.push(id),
                // Whoever that is, they are not on call.
                Err(_) if attendee.has_declined => {}
                Err(why) => wrong.push((attendee.line, why)),
            }
        }
        if wrong.is_empty() && !people.is_empty() {
            return Ok(people);
        }
        let Some((line, title)) = title else {
            return Err(wrong);
        };
        match self.in_title(title) {
            // Of those who are invited, nobody is taken off.
            Ok(named) if people.iter().any(|it| !named.contains(it)) => Err(wrong),
            Ok(mut named) => {
                named.retain(|it| people.contains(it) || !declined.contains(it));
                match named.is_empty() {
                    true => Err(vec![(*line, Unclear::Declined(title.clone()))]),
                    false => Ok(named),
                }
            }
            Err(why) if wrong.is_empty() => Err(vec![(*line, why)]),
            Err(_) => Err(wrong),
        }
    }

    fn attendee(&self, attendee: &Attendee) -> Result<PersonId, Unclear> {
        self.find(&attendee.address).or_else(|why| {
            let by_name = (!attendee.name.is_empty()).then(|| self.find(&attendee.name).ok());
            by_name.flatten().ok_or(why)
        })
    }

    /// All of some names, each person once.
    pub(crate) fn listed<'n>(
        &self,
        names: impl Iterator<Item = &'n String>,
    ) -> Result<Vec<PersonId>, Unclear> {
        let mut people = Vec::new();
        for name in names.filter(|it| !it.trim().is_empty()) {
            let id = self.find(name)?;
            if !people.contains(&id) {
                people.push(id);
            }
        }
        Ok(people)
    }

    /// The people whom a title names: alone (`Ana Ruiz`), several (`ana, ben`), behind what the
    /// calendar is called (`payments: ana`, `On call - Ana Ruiz - payments`), before a remark in
    /// brackets. The error is about the part that is most likely meant.
    pub(crate) fn in_title(&self, title: &str) -> Result<Vec<PersonId>, Unclear> {
        let plain = without_brackets(title);
        let behind = plain.split_once(": ").map_or(plain, |(_, rest)| rest);
        let mut ways = vec![title.trim(), plain, behind];
        ways.extend(plain.split(" - ").filter(|part| *part != plain));
        let found = ways.iter().find_map(|it| self.all_in(it).ok());
        found.map_or_else(|| self.all_in(behind), Ok)
    }

    /// Names one after the other.
    fn all_in(&self, text: &str) -> Result<Vec<PersonId>, Unclear> {
        if let Ok(one) = self.find(text) {
            return Ok(vec![one]);
        }
        let mut people = Vec::new();
        let parts = text
            .split([',', ';', '&', '/', '+'])
            .flat_map(|it| it.split(" and "));
        for part in parts.filter(|part| !part.trim().is_empty()) {
            let id = self.find(part)?;
            if !people.contains(&id) {
                people.push(id);
            }
        }
        match people.is_empty() {
            true => Err(Unclear::Unknown(text.trim().to_owned())),
            false => Ok(people),
        }
    }

    /// What is wrong, and what helps.
    pub(crate) fn told(&self, why: &Unclear) -> (String, String) {
        match why {
            Unclear::Unknown(name) if name.is_empty() => {
                let hint = "its `SUMMARY` or an `ATTENDEE` names a person";
                ("an event names nobody".to_owned(), hint.to_owned())
            }
            Unclear::Unknown(name) => {
                let message = format!("nobody is called `{}`", shortened(name));
                let known = self.directory.people.iter().map(|it| &*it.name);
                let known: Vec<&str> = known.take(KNOWN_SHOWN_MAX).collect();
                let more = match self.directory.people.len().saturating_sub(known.len()) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let hint = format!(
                    "`people` has {}{more}, each known by name, full name and e-mail address",
                    known.join(", ")
                );
                (message, hint)
            }
            Unclear::Declined(title) => {
                let message = format!("whom `{}` names has declined", shortened(title));
                (message, "name who is on call instead".to_owned())
            }
            Unclear::Several(name, people) => {
                let names = people.iter().map(|id| &*self.directory.person(*id).name);
                let names = names.collect::<Vec<_>>().join(", ");
                let message = format!("`{}` may be any of {names}", shortened(name));
                (
                    message,
                    "name them as `people` does, or by e-mail".to_owned(),
                )
            }
        }
    }
}

/// Somebody who is invited; rooms are nobody.
pub(crate) fn attendee(property: &Property<'_>, line: usize) -> Option<Attendee> {
    let is = |name: &str, values: &[&str]| {
        let said = property.param(name).unwrap_or_default();
        values.iter().any(|it| it.eq_ignore_ascii_case(said))
    };
    if is("CUTYPE", &["ROOM", "RESOURCE"]) {
        return None;
    }
    let value = property.value;
    let is_mail = value
        .get(..7)
        .is_some_and(|it| it.eq_ignore_ascii_case("mailto:"));
    let address = if is_mail { value.get(7..)? } else { value };
    Some(Attendee {
        line,
        name: property.param("CN").unwrap_or_default().to_owned(),
        address: address.trim().to_owned(),
        has_declined: is("PARTSTAT", &["DECLINED"]),
    })
}

fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

/// `[L1] ana (remark)` without the remarks.
fn without_brackets(title: &str) -> &str {
    let title = title.trim();
    let inner = title.strip_prefix('[').and_then(|it| it.split_once(']'));
    let title = inner.map_or(title, |(_, rest)| rest).trim();
    match title.strip_suffix(')').and_then(|it| it.rsplit_once('(')) {
        Some((before, _)) if !before.trim().is_empty() => before.trim(),
        _ => title,
    }
}

fn shortened(text: &str) -> String {
    text.chars()
        .filter(|it| !it.is_control())
        .take(NAME_SHOWN_MAX)
        .collect()
}

const KNOWN_SHOWN_MAX: usize = 5;
const NAME_SHOWN_MAX: usize = 60;
