//! People, the teams they are in, and the services that teams own.

use std::sync::Arc;

use jiff::tz::TimeZone;

/// A person, by position in [`Directory::people`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PersonId(pub u32);

/// A team, by position in [`Directory::teams`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TeamId(pub u32);

/// A schedule, by position in [`crate::Oncall::schedules`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ScheduleId(pub u32);

/// Somebody who can be on call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// As configuration calls them, such as `ana`; unique.
    pub name: Arc<str>,
    /// As others call them; the name when it is not said.
    pub full_name: Arc<str>,
    /// Whose nights and weekends count as theirs.
    pub zone: TimeZone,
    /// How they are reached, in the order in which they want to be.
    pub contacts: Vec<Contact>,
}

/// One way to reach somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contact {
    /// What kind of way.
    pub kind: ContactKind,
    /// Where: an address, a number, a name, as the kind has them.
    pub address: Arc<str>,
}

/// The kinds of ways to reach somebody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ContactKind {
    /// An e-mail address.
    Email,
    /// A telephone number that takes texts.
    Sms,
    /// A telephone number that rings.
    Phone,
    /// A member of a Slack workspace.
    Slack,
    /// A chat of Telegram.
    Telegram,
    /// A topic of ntfy.
    Ntfy,
    /// A key of Pushover.
    Pushover,
    /// An address that takes requests.
    Webhook,
}

impl ContactKind {
    /// All kinds, with what configuration calls them.
    pub const ALL: [(&'static str, Self); 8] = [
        ("email", Self::Email),
        ("sms", Self::Sms),
        ("phone", Self::Phone),
        ("slack", Self::Slack),
        ("telegram", Self::Telegram),
        ("ntfy", Self::Ntfy),
        ("pushover", Self::Pushover),
        ("webhook", Self::Webhook),
    ];

    /// What configuration calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, kind)| *kind == self);
        found.map_or("", |(name, _)| name)
    }

    /// What is wrong with an address of this kind; `None` is nothing.
    #[must_use]
    pub fn fault(self, address: &str) -> Option<&'static str> {
        let address = address.trim();
        let has_control = address.contains(char::is_control);
        let is_right = match self {
            Self::Email => address.split_once('@').is_some_and(|(name, host)| {
                !name.is_empty() && !host.is_empty() && !address.contains(char::is_whitespace)
            }),
            Self::Sms | Self::Phone => address.strip_prefix('+').is_some_and(|number| {
                let is_of_numbers = |c: char| c.is_ascii_digit() || " -()".contains(c);
                let n_digits = number.chars().filter(char::is_ascii_digit).count();
                (7..=15).contains(&n_digits) && number.chars().all(is_of_numbers)
            }),
            Self::Webhook => address.starts_with("https://") || address.starts_with("http://"),
            Self::Slack | Self::Telegram | Self::Ntfy | Self::Pushover => !address.is_empty(),
        };
        (has_control || !is_right).then_some(match self {
            Self::Email => "is no address such as `ana@example.org`",
            Self::Sms | Self::Phone => "is no number such as `+34600000001`",
            Self::Webhook => "is no address such as `https://example.org/hook`",
            Self::Slack | Self::Telegram | Self::Ntfy | Self::Pushover => "is nowhere",
        })
    }
}

/// People who own something together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Team {
    /// As configuration calls it; unique.
    pub name: Arc<str>,
    /// Who is in it.
    pub members: Vec<PersonId>,
    /// Who of them is on call; everybody when it has none.
    pub schedule: Option<ScheduleId>,
    /// The policy by which it is paged; the one for all when it names none.
    pub escalation: Option<Arc<str>>,
}

/// Something that runs and that a team owns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    /// As configuration calls it, and alerts in their label `service`; unique.
    pub name: Arc<str>,
    /// Who owns it.
    pub team: TeamId,
}

/// All people, teams and services.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Directory {
    /// In the order of configuration.
    pub people: Vec<Person>,
    /// In the order of configuration.
    pub teams: Vec<Team>,
    /// In the order of configuration.
    pub services: Vec<Service>,
    /// What users do, such as to pay, and whose it is to see that they can.
    pub flows: Vec<Service>,
}

impl Directory {
    /// A person; ids come from this directory only.
    #[must_use]
    pub fn person(&self, id: PersonId) -> &Person {
        &self.people[id.0 as usize]
    }

    /// A team; ids come from this directory only.
    #[must_use]
    pub fn team(&self, id: TeamId) -> &Team {
        &self.teams[id.0 as usize]
    }

    /// The person of a name.
    #[must_use]
    pub fn find_person(&self, name: &str) -> Option<PersonId> {
        let found = self.people.iter().position(|it| *it.name == *name)?;
        u32::try_from(found).ok().map(PersonId)
    }

    /// The team of a name.
    #[must_use]
    pub fn find_team(&self, name: &str) -> Option<TeamId> {
        let found = self.teams.iter().position(|it| *it.name == *name)?;
        u32::try_from(found).ok().map(TeamId)
    }
}
