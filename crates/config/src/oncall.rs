//! `oncall`: people, teams, services, who owns what, and schedules; inline or in files.
//!
//! ```yaml
//! people:
//!   ana: {name: Ana Ruiz, zone: Europe/Madrid, email: ana@example.org, phone: "+34600000001"}
//!   ben: {email: ben@example.org}
//! teams:
//!   payments: {members: [ana, ben], schedule: payments, escalation: payments}
//! services:
//!   cart: payments
//! flows:
//!   pay: payments
//! owners:
//!   - {matchers: ['job=~"node.*"'], team: payments}
//! schedules:
//!   payments:
//!     zone: Europe/Berlin
//!     layers:
//!       - {every: 1w, start: 2026-01-05, hand_over: 09:00, people: [ana, ben]}
//! ```
//!
//! All files are one world: a schedule may name people of another file. So names are taken first,
//! from all files, and then what they mean.

mod changes;
mod layer;
mod parts;
mod schedule;
mod shifts;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firebell_model::Matcher;
use firebell_oncall::{
    Contact, ContactKind, Holidays, Oncall, OwnerRule, Person, PersonId, ScheduleId, Service, Team,
    TeamId, calendar_days,
};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use self::parts::{date, items, people, zone};
use crate::alertmanager::matcher_list;
use crate::fields::{Doc, Fields};
use crate::load::Loader;
use crate::problem::{Problem, did_you_mean};
use crate::yaml::{Entry, Node, Value};

/// What `oncall` says.
#[derive(Clone, Debug, Default)]
pub struct OncallSection {
    /// People, ownership, schedules.
    pub oncall: Arc<Oncall>,
    /// Where everything stands.
    pub places: OncallPlaces,
}

impl OncallSection {
    /// The conditions on labels that give alerts an owner; `None` where there are no teams, and
    /// nobody asks for owners.
    pub(crate) fn owners(&self) -> Option<Vec<Vec<Matcher>>> {
        let (ownership, directory) = (&self.oncall.ownership, &self.oncall.directory);
        (!directory.teams.is_empty()).then(|| ownership.conditions(directory))
    }
}

/// Where parts of `oncall` stand: problems that say nothing yet.
#[derive(Clone, Debug, Default)]
pub struct OncallPlaces {
    /// By person.
    pub people: Vec<Problem>,
    /// By team.
    pub teams: Vec<Problem>,
    /// By schedule.
    pub schedules: Vec<Problem>,
    /// The policies that teams and owners name.
    pub escalations: Vec<(Arc<str>, Problem)>,
}

/// More of a kind are refused.
const NAMES_MAX: usize = 10_000;

/// Whether a file that is given on its own is about on-call.
pub(crate) fn is_of_oncall(root: &Node) -> bool {
    let Value::Map(entries) = &root.value else {
        return false;
    };
    const OWN: [&str; 11] = [
        "people",
        "teams",
        "services",
        "flows",
        "owners",
        "holidays",
        "schedules",
        "overrides",
        "swaps",
        "temporary",
        "shifts",
    ];
    !entries.is_empty() && entries.iter().all(|entry| OWN.contains(&&*entry.key))
}

/// Reads files, what stands inline, and what was changed elsewhere.
pub(crate) fn read(
    loader: &Loader<'_>,
    paths: impl IntoIterator<Item = PathBuf>,
    inline: Option<(&Doc<'_>, &Node)>,
) -> OncallSection {
    let texts = paths
        .into_iter()
        .filter_map(|path| Some((loader.read(&path)?, path)));
    let texts: Vec<(String, PathBuf)> = texts.collect();
    let docs: Vec<Doc<'_>> = texts
        .iter()
        .map(|(text, path)| loader.doc(path, text))
        .collect();
    let roots: Vec<Vec<Node>> = docs
        .iter()
        .map(|doc| doc.parse().into_iter().collect())
        .collect();
    let in_files = docs.iter().zip(&roots).flat_map(|(doc, roots)| {
        roots
            .iter()
            .map(move |root| doc.fields(root, "a file of `oncall`"))
    });
    let inline = inline.map(|(doc, node)| doc.fields(node, "`oncall`"));
    let managed = loader.files.managed_oncall();
    let problems: Vec<RefCell<Vec<Problem>>> = managed.iter().map(|_| RefCell::default()).collect();
    let managed_docs = managed.iter().zip(&problems);
    let managed_docs =
        managed_docs.map(|(it, found)| Doc::new(Path::new(&it.name), &it.text, found));
    let managed_docs: Vec<Doc<'_>> = managed_docs.collect();
    let managed_roots: Vec<Option<Node>> = managed_docs.iter().map(Doc::parse).collect();
    let in_managed = managed_docs.iter().zip(&managed_roots);
    let in_managed = in_managed.filter_map(|(doc, root)| {
        let root = root.as_ref()?;
        Some(doc.fields(root, "`oncall`"))
    });
    let sections: Vec<Fields<'_, '_>> = in_files.chain(inline).chain(in_managed).collect();
    let mut reader = Reader::default();
    for fields in &sections {
        reader.take_names(loader, fields);
    }
    for fields in &sections {
        reader.take_meaning(fields);
    }
    for fields in sections {
        reader.take_shifts(&fields);
        reader.take_changes(&fields);
        fields.finish();
    }
    reader.put_shifts();
    for (it, found) in managed.iter().zip(problems) {
        let found = found.into_inner();
        match it.is_new {
            true => loader.problems.borrow_mut().extend(found),
            false => found
                .iter()
                .for_each(|problem| loader.note(format!("not in force: {problem}"))),
        }
    }
    OncallSection {
        oncall: Arc::new(reader.oncall),
        places: reader.places,
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    oncall: Oncall,
    places: OncallPlaces,
    holidays: BTreeMap<String, Arc<Holidays>>,
    // What a calendar says, by schedule.
    shifts: BTreeMap<ScheduleId, Vec<shifts::Entered>>,
    // Where each name was taken: an entry of a second one is not read.
    taken: BTreeMap<(&'static str, String), Problem>,
}

impl Reader {
    /// People, holidays, and the names of teams and schedules.
    fn take_names(&mut self, loader: &Loader<'_>, fields: &Fields<'_, '_>) {
        for entry in self.named(fields, "people", "people") {
            let person = person(fields.doc, entry);
            self.oncall.directory.people.push(person);
            self.places.people.push(fields.doc.place(entry.at));
        }
        for entry in self.named(fields, "holidays", "holidays") {
            let holidays = holidays(loader, fields.doc, entry);
            self.holidays.insert(entry.key.clone(), Arc::new(holidays));
        }
        for entry in self.named(fields, "teams", "teams") {
            let (name, members) = (entry.key.as_str().into(), Vec::new());
            self.oncall.directory.teams.push(Team {
                name,
                members,
                schedule: None,
                escalation: None,
            });
            self.places.teams.push(fields.doc.place(entry.at));
        }
        for entry in self.named(fields, "schedules", "schedules") {
            let schedule = schedule::empty(&entry.key);
            self.oncall.schedules.push(schedule);
            self.places.schedules.push(fields.doc.place(entry.at));
        }
    }

    /// What needs names.
    fn take_meaning(&mut self, fields: &Fields<'_, '_>) {
        for entry in entries(fields, "teams") {
            if let Some(id) = self
                .first_of("teams", fields.doc, entry)
                .and_then(|()| self.oncall.directory.find_team(&entry.key))
            {
                let team = self.team(fields.doc, entry);
                self.oncall.directory.teams[id.0 as usize] = team;
            }
        }
        let services = self.owned(fields, "services");
        self.oncall.directory.services.extend(services);
        let flows = self.owned(fields, "flows");
        self.oncall.directory.flows.extend(flows);
        for node in fields.list("owners") {
            self.owner(fields.doc, node);
        }
        for entry in entries(fields, "schedules") {
            if let Some(id) = self
                .first_of("schedules", fields.doc, entry)
                .and_then(|()| self.oncall.find_schedule(&entry.key))
            {
                let schedule = schedule::read(self, fields.doc, entry);
                self.oncall.schedules[id.0 as usize] = schedule;
            }
        }
    }

    /// Services or flows, with whose they are.
    fn owned(&mut self, fields: &Fields<'_, '_>, name: &'static str) -> Vec<Service> {
        let mut owned = Vec::new();
        for entry in self.named(fields, name, name) {
            if let Some(text) = fields.doc.text(&entry.value, name)
                && let Some(team) = self.find_team(fields.doc, &entry.value, &text)
            {
                let name = entry.key.as_str().into();
                owned.push(Service { name, team });
            }
        }
        owned
    }

    /// What calendars say, in whatever order.
    fn take_shifts(&mut self, fields: &Fields<'_, '_>) {
        for node in fields.list("shifts") {
            let said = fields.doc.fields(node, "a shift");
            let name = said.get("schedule");
            if let Some((id, zone)) = self.changed(fields.doc, node, name) {
                let entered = shifts::read(self, &said, &zone);
                self.shifts.entry(id).or_default().extend(entered);
                said.finish();
            }
        }
    }

    /// Puts what calendars say under all that people changed by hand.
    fn put_shifts(&mut self) {
        for (id, entered) in std::mem::take(&mut self.shifts) {
            let schedule = &mut self.oncall.schedules[id.0 as usize];
            let (overrides, shadows) = shifts::joined(entered);
            schedule.n_under_temporary += overrides.len();
            schedule.overrides.splice(0..0, overrides);
            schedule.shadows.extend(shadows);
        }
    }

    /// What is put over schedules and stands beside them, in its order.
    fn take_changes(&mut self, fields: &Fields<'_, '_>) {
        for node in fields.list("temporary") {
            let said = fields.doc.fields(node, "a temporary schedule");
            let name = said.get("schedule");
            if let Some((id, zone)) = self.changed(fields.doc, node, name) {
                let temporary = changes::temporary_of(self, &said, &zone);
                let schedule = &mut self.oncall.schedules[id.0 as usize];
                schedule.temporary.extend(temporary);
                said.finish();
            }
        }
        for node in fields.list("overrides") {
            let said = fields.doc.fields(node, "an override");
            let name = said.get("schedule");
            if let Some((id, zone)) = self.changed(fields.doc, node, name) {
                let change = changes::override_of(self, &said, &zone);
                self.oncall.schedules[id.0 as usize]
                    .overrides
                    .extend(change);
                said.finish();
            }
        }
        for node in fields.list("swaps") {
            let entries = fields.doc.entries(node, "swaps");
            let (named, sides): (Vec<_>, Vec<_>) =
                entries.into_iter().partition(|(key, _)| *key == "schedule");
            let name = named.first().map(|(_, node)| *node);
            if let Some((id, zone)) = self.changed(fields.doc, node, name) {
                let swap = changes::swap(self, fields.doc, (node, &sides), &zone);
                let schedule = &mut self.oncall.schedules[id.0 as usize];
                schedule.overrides.extend(swap.into_iter().flatten());
            }
        }
    }

    /// The schedule that a change names, and its clock.
    fn changed(
        &self,
        doc: &Doc<'_>,
        node: &Node,
        name: Option<&Node>,
    ) -> Option<(ScheduleId, TimeZone)> {
        let Some(name) = name else {
            let message = "`schedule` is missing: it says which one is changed";
            doc.problem(node.at, message, None);
            return None;
        };
        let text = doc.text(name, "schedule")?;
        let found = self.oncall.find_schedule(&text);
        if found.is_none() {
            let names = self.oncall.schedules.iter().map(|it| &*it.name);
            let hint = did_you_mean(&text, names);
            doc.problem(name.at, format!("there is no schedule `{text}`"), hint);
        }
        let id = found?;
        Some((id, self.oncall.schedule(id).zone.clone()))
    }

    /// The entries of a map of names, each name once over all files.
    fn named<'n>(
        &mut self,
        fields: &Fields<'_, 'n>,
        name: &'static str,
        what: &'static str,
    ) -> Vec<&'n Entry> {
        let mut named = Vec::new();
        for entry in entries(fields, name) {
            let key = (what, entry.key.clone());
            if entry.key.is_empty() || entry.key.contains(char::is_control) {
                fields
                    .doc
                    .problem(entry.at, format!("a name of `{name}` is empty"), None);
            } else if let Some(first) = self.taken.get(&key) {
                let (first, line) = (&first.file, first.at.map_or(0, |at| at.line));
                let message = format!("`{}` stands twice in `{name}`", entry.key);
                let hint = format!("the first is in {first}, line {line}");
                fields.doc.problem(entry.at, message, Some(hint));
            } else if self.taken.len() >= NAMES_MAX {
                let message = format!("`oncall` has more than {NAMES_MAX} names");
                fields.doc.problem(entry.at, message, None);
                break;
            } else {
                self.taken.insert(key, fields.doc.place(entry.at));
                named.push(entry);
            }
        }
        named
    }

    /// Whether an entry is the one whose name was taken.
    fn first_of(&self, what: &'static str, doc: &Doc<'_>, entry: &Entry) -> Option<()> {
        let first = self.taken.get(&(what, entry.key.clone()))?;
        (first.file == doc.file && first.at == Some(entry.at)).then_some(())
    }

    fn team(&mut self, doc: &Doc<'_>, entry: &Entry) -> Team {
        let name = entry.key.as_str().into();
        if let Value::List(_) = &entry.value.value {
            let members = people(self, doc, &entry.value, "members").to_vec();
            return Team {
                name,
                members,
                schedule: None,
                escalation: None,
            };
        }
        let fields = doc.fields(&entry.value, "a team");
        let members = fields.get("members");
        let members = members.map(|node| people(self, doc, node, "members").to_vec());
        let schedule = fields.scalar("schedule");
        let schedule = schedule.and_then(|(at, text)| {
            let found = self.oncall.find_schedule(&text.text);
            if found.is_none() {
                let names = self.oncall.schedules.iter().map(|it| &*it.name);
                let hint = did_you_mean(&text.text, names);
                doc.problem(at, format!("there is no schedule `{}`", text.text), hint);
            }
            found
        });
        let escalation = self.escalation(&fields);
        fields.finish();
        Team {
            name,
            members: members.unwrap_or_default(),
            schedule,
            escalation,
        }
    }

    fn owner(&mut self, doc: &Doc<'_>, node: &Node) {
        let fields = doc.fields(node, "an entry of `owners`");
        let has_matchers = fields.get("matchers").is_some();
        let matchers = matcher_list(&fields, "matchers");
        let team = match fields.get("team") {
            Some(node) => doc
                .text(node, "team")
                .and_then(|text| self.find_team(doc, node, &text)),
            None => {
                fields.missing("team");
                None
            }
        };
        let escalation = self.escalation(&fields);
        if let (Some(_), false) = (&escalation, has_matchers) {
            let hint = "say `escalation` at the team that owns the rest".to_owned();
            let message = "`escalation` belongs to an entry with `matchers`";
            doc.problem(fields.at("escalation"), message, Some(hint));
        }
        fields.finish();
        let Some(team) = team else {
            return;
        };
        let ownership = &mut self.oncall.ownership;
        if !has_matchers {
            if ownership.rest.replace(team).is_some() {
                let message = "two entries of `owners` own the rest: they have no `matchers`";
                doc.problem(
                    node.at,
                    message,
                    Some("give one of them `matchers`".to_owned()),
                );
            }
        } else if !matchers.is_empty() {
            ownership.rules.push(OwnerRule {
                matchers,
                team,
                escalation,
            });
        }
    }

    /// The policy that a field names: whether there is one is seen when all were read.
    fn escalation(&mut self, fields: &Fields<'_, '_>) -> Option<Arc<str>> {
        let name: Arc<str> = fields.text("escalation")?.into();
        let place = fields.doc.place(fields.at("escalation"));
        self.places.escalations.push((Arc::clone(&name), place));
        Some(name)
    }

    fn find_team(&self, doc: &Doc<'_>, node: &Node, name: &str) -> Option<TeamId> {
        let found = self.oncall.directory.find_team(name);
        if found.is_none() {
            let names = self.oncall.directory.teams.iter().map(|it| &*it.name);
            let hint = did_you_mean(name, names);
            let hint = hint.or_else(|| Some("teams stand in `teams`".to_owned()));
            doc.problem(node.at, format!("there is no team `{name}`"), hint);
        }
        found
    }

    fn find_person(&self, doc: &Doc<'_>, node: &Node, name: &str) -> Option<PersonId> {
        let found = self.oncall.directory.find_person(name);
        if found.is_none() {
            let names = self.oncall.directory.people.iter().map(|it| &*it.name);
            let hint = did_you_mean(name, names).unwrap_or_else(|| {
                "add them to `people`, or take them off; who has left leaves a gap".to_owned()
            });
            doc.problem(
                node.at,
                format!("there is nobody called `{name}`"),
                Some(hint),
            );
        }
        found
    }
}

/// The entries of a map, in the order of the file.
fn entries<'n>(fields: &Fields<'_, 'n>, name: &'static str) -> &'n [Entry] {
    match fields.get(name).map(|node| (node, &node.value)) {
        Some((_, Value::Map(entries))) => entries,
        Some((_, Value::Null)) | None => &[],
        Some((node, _)) => {
            fields.doc.wrong_kind(node, name, "a map of names");
            &[]
        }
    }
}

fn person(doc: &Doc<'_>, entry: &Entry) -> Person {
    let fields = doc.fields(&entry.value, "a person");
    let mut contacts = Vec::new();
    for (name, kind) in ContactKind::ALL {
        let Some(node) = fields.get(name) else {
            continue;
        };
        for item in items(node) {
            let Some(text) = doc.text(item, name) else {
                continue;
            };
            match kind.fault(&text) {
                None => {
                    let address = text.trim().into();
                    contacts.push((item.at, Contact { kind, address }));
                }
                Some(why) => {
                    doc.problem(item.at, format!("`{name}`: `{text}` {why}"), None);
                }
            }
        }
    }
    // They are told in the order in which they say it.
    contacts.sort_by_key(|(at, _)| *at);
    let zone = zone(&fields).unwrap_or(TimeZone::UTC);
    let person = Person {
        name: entry.key.as_str().into(),
        full_name: fields
            .text("name")
            .unwrap_or_else(|| entry.key.clone())
            .into(),
        zone,
        contacts: contacts.into_iter().map(|(_, it)| it).collect(),
    };
    fields.finish();
    person
}

/// Days, and files of iCalendar that have days.
fn holidays(loader: &Loader<'_>, doc: &Doc<'_>, entry: &Entry) -> Holidays {
    let mut days = Vec::new();
    for item in items(&entry.value) {
        match doc.text(item, "holidays") {
            Some(text) if text.ends_with(".ics") => {
                days.extend(days_of_calendar(loader, doc, item, &text));
            }
            Some(_) => days.extend(date(doc, item, "holidays")),
            None => {}
        }
    }
    Holidays::new(&entry.key, days)
}

/// What of the file is not understood is noted, with its line: others wrote it.
fn days_of_calendar(loader: &Loader<'_>, doc: &Doc<'_>, node: &Node, file: &str) -> Vec<Date> {
    let path = doc.path(file);
    let Some(text) = loader.read(&path) else {
        return Vec::new();
    };
    if text.len() > CALENDAR_BYTES_MAX {
        let message = format!(
            "`{file}` has {} bytes, and {CALENDAR_BYTES_MAX} are read at most",
            text.len()
        );
        let hint = "take out what is over, or events that are no holidays".to_owned();
        doc.problem(node.at, message, Some(hint));
        return Vec::new();
    }
    let said = calendar_days(&text);
    for warning in &said.warnings {
        let (path, line) = (path.display(), warning.line);
        loader.note(format!("{path}:{line}: {}", warning.message));
    }
    if said.days.is_empty() {
        let message = format!("`{file}` has no day");
        let hint = "holidays are its events (`BEGIN:VEVENT`), each with a `DTSTART`".to_owned();
        doc.problem(node.at, message, Some(hint));
    }
    said.days
}

/// A longer calendar is refused: ten thousand events have a place in it.
const CALENDAR_BYTES_MAX: usize = 4 << 20;
