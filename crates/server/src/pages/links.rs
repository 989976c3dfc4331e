//! Links that answer a page: made for one person, signed, used once.
//!
//! A link is `PAGE.RUN.ACT.ENDS.PERSON.SIGNATURE`: numbers, the person with everything but letters
//! and digits as `~` and two hexadecimal digits, and the first half of HMAC-SHA256 over all of it with
//! the key of the data folder, which only the owner of the folder may read. What was used is kept in
//! the folder `links`.
//!
//! *Invariants*: a link says who acts, what, and on which run of which page: on the next run, or
//! after [`VALID_FOR`], it does nothing. Keys and links never reach logs, API or journal.

mod contacts;
mod replies;
mod used;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firebell_disk::{Disk, DiskError, LogError, LogOptions};
use firebell_escalation::PageKey;
use firebell_model::{Duration, Secret, Timestamp, hex};
use firebell_notify::hmac;
use subtle::ConstantTimeEq as _;

pub(crate) use self::contacts::{ASKED_MAX, LookedContact, Proof};
pub(crate) use self::replies::Heard;

use self::used::Used;

/// What a link does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum LinkAct {
    /// Its person looks into it.
    Acknowledge,
    /// It is over.
    Resolve,
    /// Quiet for a while, which is chosen on the page.
    Snooze,
    /// Another policy goes on with it, which is chosen on the page.
    HandOver,
}

impl LinkAct {
    /// All, with the letter that stands for each in links, and its name.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Acknowledge, "a", "acknowledge"),
        (Self::Resolve, "r", "resolve"),
        (Self::Snooze, "s", "snooze"),
        (Self::HandOver, "h", "hand-over"),
    ];

    /// That of a letter.
    pub(crate) fn of_letter(letter: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(_, it, _)| *it == letter);
        found.map(|(act, ..)| act)
    }

    fn letter(self) -> &'static str {
        let found = Self::ALL.iter().find(|(act, ..)| *act == self);
        found.map_or("", |(_, letter, _)| letter)
    }

    /// Its name, as paths and metrics have it.
    pub(crate) fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(act, ..)| *act == self);
        found.map_or("", |(.., name)| name)
    }
}

/// What a link says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    /// The page.
    pub page: PageKey,
    /// Its run.
    pub run: u32,
    /// What is done.
    pub act: LinkAct,
    /// Who does it.
    pub person: Arc<str>,
    /// When it ends; whole seconds.
    pub ends_at: Timestamp,
}

/// What is to be said of a text that may be a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Looked {
    /// It may be used.
    Good(Link),
    /// It was used, then.
    Used(Link, Timestamp),
    /// It was good once.
    Ended(Link),
    /// It is none of ours.
    Forged,
}

/// Makes links and checks them.
pub(crate) struct Links {
    key: [u8; KEY_BYTES],
    /// Links, by their signature.
    used: Mutex<Used>,
    /// Requests of those who carry answers.
    heard: Mutex<Used>,
    /// Held while a page is answered: of two people at once one is second.
    pub using: tokio::sync::Mutex<()>,
}

impl Links {
    /// Reads the key, which is made when there is none, and what was used; says what could not be
    /// read of it.
    ///
    /// # Errors
    /// When the disk fails, another version wrote the folder, or the system has no chance for a key.
    pub(crate) fn open(disk: Arc<dyn Disk>) -> Result<(Self, Vec<String>), LogError> {
        let mut damage = Vec::new();
        let key = match disk.read(KEY_FILE) {
            Ok(bytes) => {
                let n_bytes = bytes.len();
                let key = <[u8; KEY_BYTES]>::try_from(bytes).ok();
                if key.is_none() {
                    damage.push(format!(
                        "{KEY_FILE} has {n_bytes} bytes instead of {KEY_BYTES}: a new key is made, \
                         and no link that was sent before does anything"
                    ));
                }
                key
            }
            Err(error) if error.is_not_found => None,
            Err(error) => return Err(error.into()),
        };
        let key = match key {
            Some(key) => key,
            None => new_key(&*disk)?,
        };
        let (used, damaged) = Used::open(Arc::clone(&disk), OPTIONS, USED_MAX)?;
        damage.extend(damaged);
        let (heard, damaged) = Used::open(disk, replies::HEARD, replies::HEARD_MAX)?;
        damage.extend(damaged);
        let links = Self {
            key,
            used: Mutex::new(used),
            heard: Mutex::new(heard),
            using: tokio::sync::Mutex::default(),
        };
        Ok((links, damage))
    }

    /// The text of a link, which ends [`VALID_FOR`] after now.
    pub(crate) fn make(
        &self,
        now: Timestamp,
        (page, run): (PageKey, u32),
        person: &str,
        act: LinkAct,
    ) -> Secret {
        let (page, letter) = (page.0, act.letter());
        let ends_at = (now + VALID_FOR).0 / 1_000;
        let mut text = format!("{page}.{run}.{letter}.{ends_at}.");
        for byte in person.bytes() {
            // Writing to a text cannot fail.
            let _ = match byte {
                b if b.is_ascii_alphanumeric() => write!(text, "{}", char::from(b)),
                other => write!(text, "~{other:02x}"),
            };
        }
        let signature = self.half_mac(PAGE_LINK, &text);
        Secret::new(format!("{text}.{signature}"))
    }

    /// Checks a text.
    pub(crate) fn look(&self, now: Timestamp, text: &str) -> Looked {
        let Some((link, signature)) = self.checked(text) else {
            return Looked::Forged;
        };
        let known = (link.ends_at, signature.to_owned());
        match locked(&self.used).at(&known) {
            Some(used_at) => Looked::Used(link, used_at),
            None if link.ends_at <= now => Looked::Ended(link),
            None => Looked::Good(link),
        }
    }

    /// Notes that a link was used. What it did is durable before; if this fails, it may be used once
    /// more, which changes nothing.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn note_used(&self, now: Timestamp, text: &str) -> Result<(), LogError> {
        match self.checked(text) {
            Some((link, signature)) => {
                locked(&self.used).keep(now, (link.ends_at, signature.to_owned()))
            }
            None => Ok(()),
        }
    }

    fn checked<'t>(&self, text: &'t str) -> Option<(Link, &'t str)> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (said, signature) = text.rsplit_once('.')?;
        if !self.is_mac(PAGE_LINK, said, signature) {
            return None;
        }
        Some((parse(said)?, signature))
    }

    fn is_mac(&self, purpose: &str, said: &str, signature: &str) -> bool {
        // As long for a signature that is right at first as for one that is wrong.
        let expected = self.half_mac(purpose, said);
        expected.as_bytes().ct_eq(signature.as_bytes()).into()
    }

    fn half_mac(&self, purpose: &str, said: &str) -> String {
        let text = format!("{purpose}\n{said}");
        let signature = hmac(&self.key, text.as_bytes());
        hex(&signature[..SIGNATURE_BYTES])
    }
}

fn locked(used: &Mutex<Used>) -> MutexGuard<'_, Used> {
    used.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parse(said: &str) -> Option<Link> {
    let mut parts = said.split('.');
    let page = PageKey(parts.next()?.parse().ok()?);
    let run = parts.next()?.parse().ok()?;
    let letter = parts.next()?;
    let act = LinkAct::of_letter(letter)?;
    let ends_at = Timestamp(parts.next()?.parse::<i64>().ok()?.checked_mul(1_000)?);
    let person = unescaped(parts.next()?)?.into();
    parts.next().is_none().then_some(Link {
        page,
        run,
        act,
        person,
        ends_at,
    })
}

fn unescaped(text: &str) -> Option<String> {
    let mut pieces = text.split('~');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        bytes.extend(piece.get(2..)?.bytes());
    }
    String::from_utf8(bytes).ok()
}

fn new_key(disk: &dyn Disk) -> Result<[u8; KEY_BYTES], DiskError> {
    let mut key = [0; KEY_BYTES];
    let provider = rustls::crypto::ring::default_provider();
    let filled = provider.secure_random.fill(&mut key);
    filled.map_err(|_| DiskError {
        action: "make",
        path: KEY_FILE.to_owned(),
        why: "the system gives no random numbers".to_owned(),
        is_not_found: false,
        is_full: false,
    })?;
    disk.replace_private(KEY_FILE, &key)?;
    Ok(key)
}

/// What is signed: a link for one thing is none for another.
const PAGE_LINK: &str = "firebell page link 1";
/// Only the owner of the data folder may read it.
const KEY_FILE: &str = "links.key";
const KEY_BYTES: usize = 32;
/// Half of SHA-256: 128 bits.
const SIGNATURE_BYTES: usize = 16;
/// How long a link may be used; its page begins anew long before, if nobody answers it.
pub(crate) const VALID_FOR: Duration = Duration::from_hours(24);
const TEXT_BYTES_MAX: usize = 1_000;
/// Used links that are known; more than can be sent within a day.
const USED_MAX: usize = 100_000;
const OPTIONS: LogOptions = LogOptions {
    folder: "links",
    magic: *b"FBLINKS1",
    magics_read: &[],
    segment_bytes_max: 64 << 20,
};

#[cfg(test)]
mod tests {
    use firebell_disk::MemoryDisk;

    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn links() -> Links {
        Links::open(Arc::new(MemoryDisk::default())).unwrap().0
    }

    fn link(links: &Links, person: &str, act: LinkAct) -> String {
        let made = links.make(NOW, (PageKey(4), 2), person, act);
        made.reveal().to_owned()
    }

    #[test]
    fn a_link_says_who_does_what_on_which_run_until_when() {
        let links = links();
        for person in ["ana", "ana.ruiz@example.org", "añа ~/?#", ""] {
            for (act, ..) in LinkAct::ALL {
                let text = link(&links, person, act);
                let is_plain = |c: char| c.is_ascii_alphanumeric() || ".~".contains(c);
                assert!(text.chars().all(is_plain), "{text}");
                let expected = Link {
                    page: PageKey(4),
                    run: 2,
                    act,
                    person: person.into(),
                    ends_at: NOW + VALID_FOR,
                };
                assert_eq!(links.look(NOW, &text), Looked::Good(expected));
            }
        }
    }

    #[test]
    fn whatever_is_changed_in_a_link_makes_it_none() {
        let links = links();
        let good = link(&links, "ana", LinkAct::Acknowledge);
        for at in 0..good.len() {
            for new in ["0", "a", ".", "~", ""] {
                let mut changed = good.clone();
                changed.replace_range(at..=at, new);
                if changed != good {
                    assert_eq!(links.look(NOW, &changed), Looked::Forged, "{changed}");
                }
            }
        }
        for text in [
            "",
            ".",
            "4.2.a",
            &good[..good.len() - 2],
            &"9".repeat(5_000),
        ] {
            assert_eq!(links.look(NOW, text), Looked::Forged, "{text}");
        }
        // Another server's key makes other links.
        assert_eq!(super::tests::links().look(NOW, &good), Looked::Forged);
    }

    #[test]
    fn a_link_ends_and_is_used_once_also_over_a_restart() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let (links, _) = Links::open(Arc::clone(&disk)).unwrap();
        let (used, other) = (
            link(&links, "ana", LinkAct::Acknowledge),
            link(&links, "ben", LinkAct::Acknowledge),
        );
        links.note_used(NOW + Duration(5), &used).unwrap();
        let (again, damage) = Links::open(disk).unwrap();
        assert_eq!(damage, Vec::<String>::new());
        let found = again.look(NOW, &used);
        assert!(
            matches!(&found, Looked::Used(_, at) if *at == NOW + Duration(5)),
            "{found:?}"
        );
        assert!(matches!(again.look(NOW, &other), Looked::Good(_)));
        let late = NOW + VALID_FOR;
        assert!(matches!(again.look(late, &other), Looked::Ended(_)));
    }

    #[test]
    fn a_key_of_a_wrong_length_is_told_of_and_replaced() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        disk.replace_private(KEY_FILE, b"short").unwrap();
        let (links, damage) = Links::open(Arc::clone(&disk)).unwrap();
        let expected = "links.key has 5 bytes instead of 32: a new key is made, and no link that was \
                        sent before does anything";
        assert_eq!(damage, [expected]);
        let made = link(&links, "ana", LinkAct::Resolve);
        let (again, damage) = Links::open(disk).unwrap();
        assert_eq!(damage, Vec::<String>::new());
        assert!(matches!(again.look(NOW, &made), Looked::Good(_)));
    }

    #[test]
    fn what_was_used_is_forgotten_when_it_has_ended() {
        let links = links();
        for idx in 0..3 * used::FRAMES_SPARE as i64 {
            let now = NOW + Duration(idx * VALID_FOR.0 / 10);
            let text = links.make(now, (PageKey(1), 1), "ana", LinkAct::Snooze);
            links.note_used(now, text.reveal()).unwrap();
        }
        let known = locked(&links.used);
        assert!(known.kept.len() <= 11, "{}", known.kept.len());
        assert!(
            known.n_frames <= used::FRAMES_SPARE + 50,
            "{}",
            known.n_frames
        );
    }
}
