//! Contacts that prove themselves: a link in a test message, which its reader follows.
//!
//! A link is `c.ENDS.CONTACT.SIGNATURE`, where a contact is a keyed hash of its person, its kind and
//! its address: the address stands nowhere, and another address is another contact. That a contact
//! was confirmed is kept in the log of used links, as one that never ends.
//!
//! *Invariants*: a telephone number is one contact, whether it rings or takes texts.

use firebell_disk::LogError;
use firebell_model::{Secret, Timestamp};
use firebell_oncall::{Contact, ContactKind, Directory, Person};

use super::{Links, TEXT_BYTES_MAX, VALID_FOR, locked};

/// What is to be said of a text that may be a link of a contact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum LookedContact {
    /// It proves that this person is reached by this kind of contact.
    Good(Proof),
    /// It was good once.
    Ended,
    /// Nobody has this contact any more.
    Gone,
    /// It is none of ours.
    Forged,
}

/// Whose contact a link proves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Proof {
    /// The person's name.
    pub person: String,
    /// The kind of contact.
    pub kind: ContactKind,
    contact: String,
}

impl Links {
    /// The text of a link for a test message to a contact, which ends [`VALID_FOR`] after now.
    pub(crate) fn make_contact(
        &self,
        now: Timestamp,
        person: &Person,
        contact: &Contact,
    ) -> Secret {
        let ends_at = (now + VALID_FOR).0 / 1_000;
        let said = format!("c.{ends_at}.{}", self.contact(person, contact));
        let signature = self.half_mac(LINK, &said);
        Secret::new(format!("{said}.{signature}"))
    }

    /// Checks a text against the people that there are.
    pub(crate) fn look_contact(
        &self,
        now: Timestamp,
        text: &str,
        directory: &Directory,
    ) -> LookedContact {
        let Some((ends_at, wanted)) = self.checked_contact(text) else {
            return LookedContact::Forged;
        };
        if ends_at <= now {
            return LookedContact::Ended;
        }
        let people = directory.people.iter();
        let mut all = people.flat_map(|it| it.contacts.iter().map(move |contact| (it, contact)));
        let found = all.find(|(person, contact)| self.contact(person, contact) == wanted);
        found.map_or(LookedContact::Gone, |(person, contact)| {
            LookedContact::Good(Proof {
                person: person.name.to_string(),
                kind: contact.kind,
                contact: wanted.to_owned(),
            })
        })
    }

    /// Whether somebody has confirmed to be reached there.
    pub(crate) fn is_verified(&self, person: &Person, contact: &Contact) -> bool {
        let known = (NEVER, self.contact(person, contact));
        locked(&self.used).at(&known).is_some()
    }

    /// Notes that a contact was confirmed; whether that is new.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn note_verified(&self, now: Timestamp, proof: &Proof) -> Result<bool, LogError> {
        let known = (NEVER, proof.contact.clone());
        let mut used = locked(&self.used);
        if used.at(&known).is_some() {
            return Ok(false);
        }
        used.keep(now, known)?;
        Ok(true)
    }

    /// From when on a test message may be sent to a contact, whoever's it is, when [`ASKED_MAX`] of
    /// them have links that work still.
    pub(crate) fn asked_often(&self, now: Timestamp, contact: &Contact) -> Option<Timestamp> {
        let name = self.asked(contact);
        let used = locked(&self.used);
        let mut ends = used.beginning(&name, now).map(|(it, _)| it);
        let first = ends.next()?;
        (ends.count() + 1 >= ASKED_MAX).then_some(first)
    }

    /// Notes that a test message was sent to a contact.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn note_asked(&self, now: Timestamp, contact: &Contact) -> Result<(), LogError> {
        let name = self.asked(contact);
        let mut used = locked(&self.used);
        // The number tells those of the same moment apart.
        let n_before = used.beginning(&name, now).count();
        used.keep(now, (now + VALID_FOR, format!("{name}.{n_before}")))
    }

    fn asked(&self, contact: &Contact) -> String {
        let said = format!("{}\n{}", contact.kind.name(), contact.address);
        self.half_mac(ASKED, &said)
    }

    fn contact(&self, person: &Person, contact: &Contact) -> String {
        let kind = match contact.kind {
            ContactKind::Phone => ContactKind::Sms,
            other => other,
        };
        let said = format!("{}\n{}\n{}", person.name, kind.name(), contact.address);
        self.half_mac(CONTACT, &said)
    }

    fn checked_contact<'t>(&self, text: &'t str) -> Option<(Timestamp, &'t str)> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (said, signature) = text.rsplit_once('.')?;
        if !self.is_mac(LINK, said, signature) {
            return None;
        }
        let (ends_at, contact) = said.strip_prefix("c.")?.split_once('.')?;
        let ends_at = ends_at.parse::<i64>().ok()?.checked_mul(1_000)?;
        Some((Timestamp(ends_at), contact))
    }
}

/// What is signed: a link for one thing is none for another.
const LINK: &str = "firebell contact link 1";
const CONTACT: &str = "firebell contact 1";
const ASKED: &str = "firebell contact asked 1";
/// Test messages to a contact within the time that their links work: nobody is written to a thousand
/// times, whoever asks for it.
pub(crate) const ASKED_MAX: usize = 5;
/// 9999-12-31T23:59:59Z: no link ends so late, so that none of them is taken for a contact.
const NEVER: Timestamp = Timestamp(253_402_300_799_000);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firebell_disk::{Disk, MemoryDisk};
    use firebell_model::Duration;
    use jiff::tz::TimeZone;

    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn person(name: &str, contacts: &[(ContactKind, &str)]) -> Person {
        let contacts = contacts.iter().map(|(kind, address)| Contact {
            kind: *kind,
            address: (*address).into(),
        });
        Person {
            name: name.into(),
            full_name: name.into(),
            zone: TimeZone::UTC,
            contacts: contacts.collect(),
        }
    }

    fn directory(address: &str) -> Directory {
        let ana = [
            (ContactKind::Email, address),
            (ContactKind::Sms, "+34600000001"),
            (ContactKind::Phone, "+34600000001"),
        ];
        let ben = [(ContactKind::Email, "ana@example.org")];
        Directory {
            people: vec![person("ana", &ana), person("ben", &ben)],
            ..Directory::default()
        }
    }

    fn verified(links: &Links, directory: &Directory) -> Vec<String> {
        let people = directory.people.iter();
        let all = people.flat_map(|it| it.contacts.iter().map(move |contact| (it, contact)));
        let verified = all.filter(|(person, contact)| links.is_verified(person, contact));
        let names = verified.map(|(person, it)| format!("{} {}", person.name, it.kind.name()));
        names.collect()
    }

    #[test]
    fn a_contact_is_verified_by_its_link_alone_and_over_a_restart() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let (links, _) = Links::open(Arc::clone(&disk)).unwrap();
        let people = directory("ana@example.org");
        let ana = &people.people[0];
        for (idx, all) in [
            (0, vec!["ana email"]),
            (2, vec!["ana email", "ana sms", "ana phone"]),
        ] {
            let link = links.make_contact(NOW, ana, &ana.contacts[idx]);
            let LookedContact::Good(proof) = links.look_contact(NOW, link.reveal(), &people) else {
                panic!("a link that was made just now is good");
            };
            assert_eq!(proof.person, "ana");
            assert!(links.note_verified(NOW, &proof).unwrap());
            assert!(!links.note_verified(NOW, &proof).unwrap(), "it was known");
            assert_eq!(verified(&links, &people), all);
        }
        // Many links that are used and end push none of it out.
        for idx in 0..50 {
            let later = NOW + Duration(idx * VALID_FOR.0);
            let page = (firebell_escalation::PageKey(1), 1);
            let text = links.make(later, page, "ana", crate::pages::links::LinkAct::Resolve);
            links.note_used(later, text.reveal()).unwrap();
        }
        let (again, damage) = Links::open(disk).unwrap();
        assert_eq!(damage, Vec::<String>::new());
        assert_eq!(
            verified(&again, &people),
            ["ana email", "ana sms", "ana phone"]
        );
        // Another address is another contact, and has to prove itself.
        let moved = directory("ana@example.com");
        assert_eq!(verified(&again, &moved), ["ana sms", "ana phone"]);
    }

    fn ask(links: &Links, now: Timestamp, contact: &Contact) -> Option<Timestamp> {
        let refused = links.asked_often(now, contact);
        if refused.is_none() {
            links.note_asked(now, contact).unwrap();
        }
        refused
    }

    #[test]
    fn a_contact_is_asked_so_often_within_a_day_also_over_restarts() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let people = directory("ana@example.org");
        let [mail, sms] = [0, 1].map(|idx| &people.people[0].contacts[idx]);
        // Two in the same moment are two.
        for idx in 0..ASKED_MAX as i64 {
            let (links, _) = Links::open(Arc::clone(&disk)).unwrap();
            let now = NOW + Duration::from_hours(idx / 2);
            assert_eq!(ask(&links, now, mail), None, "{idx}");
        }
        let (links, _) = Links::open(disk).unwrap();
        let now = NOW + Duration::from_hours(2);
        for _ in 0..2 {
            let again_at = ask(&links, now, mail);
            assert_eq!(again_at, Some(NOW + VALID_FOR));
        }
        // The same address of somebody else is the same contact, another one is not.
        let of_ben = &people.people[1].contacts[0];
        assert_eq!(ask(&links, now, of_ben), Some(NOW + VALID_FOR));
        assert_eq!(ask(&links, now, sms), None);
        let later = NOW + VALID_FOR;
        let asked = [0; 3].map(|_| ask(&links, later, mail));
        let again_at = NOW + Duration::from_hours(1) + VALID_FOR;
        assert_eq!(asked, [None, None, Some(again_at)]);
    }

    #[test]
    fn what_is_changed_late_or_of_somebody_gone_proves_nothing() {
        let (links, _) = Links::open(Arc::new(MemoryDisk::default())).unwrap();
        let people = directory("ana@example.org");
        let ana = &people.people[0];
        let link = links.make_contact(NOW, ana, &ana.contacts[0]);
        let good = link.reveal();
        let look = |text: &str, people: &Directory| links.look_contact(NOW, text, people);
        for at in 0..good.len() {
            let mut changed = good.to_owned();
            changed.replace_range(at..=at, "x");
            assert_eq!(look(&changed, &people), LookedContact::Forged, "{changed}");
        }
        let of_page = links.make(
            NOW,
            (firebell_escalation::PageKey(1), 1),
            "ana",
            crate::pages::links::LinkAct::Resolve,
        );
        for text in ["", ".", "c.1.2", of_page.reveal(), &"9".repeat(5_000)] {
            assert_eq!(look(text, &people), LookedContact::Forged, "{text}");
        }
        let moved = directory("ana@example.com");
        assert_eq!(look(good, &moved), LookedContact::Gone);
        let late = links.look_contact(NOW + VALID_FOR, good, &people);
        assert_eq!(late, LookedContact::Ended);
        assert_eq!(verified(&links, &people), Vec::<String>::new());
    }
}
