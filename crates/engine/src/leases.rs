//! Leases: of several hosts one evaluates a check, for as long as it says so.
//!
//! *Invariants*: a lease has one holder at any moment, by the driver's clock alone, and none outlives
//! its time: a holder that is no more costs the others that time. Nothing rests on what is not written
//! down: after a restart whoever asks first has a lease, and its holder before learns that with its next
//! question.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use firebell_model::{Duration, Timestamp};

use crate::engine::Engine;

/// What is leased: checks of two services may have the same name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LeaseKey {
    service: Arc<str>,
    name: Arc<str>,
}

impl LeaseKey {
    /// A check of a service; the service may be empty.
    ///
    /// # Errors
    /// When the name is empty, or one of them is too long or has control characters.
    pub fn new(service: &str, name: &str) -> Result<Self, LeaseRefusal> {
        if !service.is_empty() {
            check_text("service", service)?;
        }
        check_text("name", name)?;
        Ok(Self {
            service: service.into(),
            name: name.into(),
        })
    }

    /// The service; may be empty.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The name of the check.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// `queue-depth`, or `queue-depth of shop`.
impl fmt::Display for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.service {
            "" => f.write_str(&self.name),
            service => write!(f, "{} of {service}", self.name),
        }
    }
}

/// Who wants to have what, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaseRequest {
    key: LeaseKey,
    holder: Arc<str>,
    lasts: Duration,
}

impl LeaseRequest {
    /// Whoever has it asks again before the time is over.
    ///
    /// # Errors
    /// When the holder has no name or a bad one, or the time cannot be.
    pub fn new(key: LeaseKey, holder: &str, lasts: Duration) -> Result<Self, LeaseRefusal> {
        check_text("holder", holder)?;
        if lasts < LASTS_MIN || lasts > LASTS_MAX {
            return Err(LeaseRefusal::Bad(format!(
                "a lease lasts between {LASTS_MIN} and {LASTS_MAX}, not {lasts}"
            )));
        }
        Ok(Self {
            key,
            holder: holder.into(),
            lasts,
        })
    }

    /// What is wanted.
    #[must_use]
    pub fn key(&self) -> &LeaseKey {
        &self.key
    }
}

/// Who has something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// As it named itself.
    pub holder: Arc<str>,
    /// Until then nobody else has it.
    pub until: Timestamp,
}

/// Why there is no lease.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LeaseRefusal {
    /// The request cannot be; says why.
    #[error("{0}")]
    Bad(String),
    /// This holder does not have it.
    #[error("`{0}` is not held by `{1}`")]
    NotHeld(LeaseKey, Arc<str>),
    /// So many are held.
    #[error("there are {0} leases already: no further one is kept")]
    TooMany(usize),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Leases {
    all: BTreeMap<LeaseKey, Lease>,
}

impl Leases {
    /// Gives it to whoever asks, unless somebody else has it; returns who has it now.
    ///
    /// # Errors
    /// When too many are held.
    pub fn take(&mut self, now: Timestamp, asked: LeaseRequest) -> Result<Lease, LeaseRefusal> {
        let held = self.all.get(&asked.key).filter(|it| now < it.until);
        match held {
            Some(held) if held.holder != asked.holder => return Ok(held.clone()),
            Some(_) => {}
            None => self.make_room(now)?,
        }
        let lease = Lease {
            holder: asked.holder,
            until: now + asked.lasts,
        };
        self.all.insert(asked.key, lease.clone());
        Ok(lease)
    }

    /// Ends a lease before its time.
    ///
    /// # Errors
    /// When somebody else has it, or nobody.
    pub fn give_up(
        &mut self,
        now: Timestamp,
        key: &LeaseKey,
        holder: &str,
    ) -> Result<(), LeaseRefusal> {
        let held = self.all.get(key).filter(|it| now < it.until);
        if held.is_none_or(|it| &*it.holder != holder) {
            return Err(LeaseRefusal::NotHeld(key.clone(), holder.into()));
        }
        self.all.remove(key);
        Ok(())
    }

    /// Those that are held, by service and name.
    pub fn held(&self, now: Timestamp) -> impl Iterator<Item = (&LeaseKey, &Lease)> {
        self.all.iter().filter(move |(_, it)| now < it.until)
    }

    fn make_room(&mut self, now: Timestamp) -> Result<(), LeaseRefusal> {
        if self.all.len() >= LEASES_MAX {
            self.all.retain(|_, it| now < it.until);
        }
        match self.all.len() < LEASES_MAX {
            true => Ok(()),
            false => Err(LeaseRefusal::TooMany(LEASES_MAX)),
        }
    }
}

impl Engine {
    /// The leases, to look at.
    #[must_use]
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// The leases, to take and give up: nothing else in the engine rests on them.
    pub fn leases_mut(&mut self) -> &mut Leases {
        &mut self.leases
    }
}

fn check_text(what: &str, text: &str) -> Result<(), LeaseRefusal> {
    let n_chars = text.chars().count();
    if n_chars == 0 || n_chars > TEXT_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(LeaseRefusal::Bad(format!(
            "`{what}` of a lease is a text of 1 to {TEXT_CHARS_MAX} characters without line breaks"
        )));
    }
    Ok(())
}

/// A lease takes less than a kilobyte.
const LEASES_MAX: usize = 10_000;
const TEXT_CHARS_MAX: usize = 200;
const LASTS_MIN: Duration = Duration::from_secs(1);
/// Checks that run once a month are leased for longer than that.
const LASTS_MAX: Duration = Duration::from_hours(40 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, holder: &str, secs: i64) -> LeaseRequest {
        let key = LeaseKey::new("shop", name).unwrap();
        LeaseRequest::new(key, holder, Duration::from_secs(secs)).unwrap()
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp(secs * 1_000)
    }

    #[test]
    fn what_cannot_be_leased_is_refused_with_the_reason() {
        let asked = |service: &str, name: &str, holder: &str, secs: i64| {
            let key = LeaseKey::new(service, name)?;
            LeaseRequest::new(key, holder, Duration::from_secs(secs))
        };
        let long = "n".repeat(201);
        assert!(asked("", "disk", "a", 30).is_ok());
        for (service, name, holder, secs, why) in [
            (
                "",
                "",
                "a",
                30,
                "`name` of a lease is a text of 1 to 200 characters without line breaks",
            ),
            (
                "a\nb",
                "disk",
                "a",
                30,
                "`service` of a lease is a text of 1 to 200 characters without line breaks",
            ),
            (
                "",
                "disk",
                &*long,
                30,
                "`holder` of a lease is a text of 1 to 200 characters without line breaks",
            ),
            (
                "",
                "disk",
                "a",
                0,
                "a lease lasts between 1s and 40d, not 0s",
            ),
            (
                "",
                "disk",
                "a",
                41 * 86_400,
                "a lease lasts between 1s and 40d, not 41d",
            ),
        ] {
            let refused = asked(service, name, holder, secs).unwrap_err();
            assert_eq!(refused.to_string(), why);
        }
    }

    #[test]
    fn names_without_end_take_the_place_of_what_is_over_and_of_nothing_else() {
        let mut leases = Leases::default();
        for n in 0..LEASES_MAX {
            let lasts = if n == 7 { 10 } else { 60 };
            leases
                .take(at(0), request(&format!("n{n}"), "a", lasts))
                .unwrap();
        }
        let more = |name: &str| request(name, "a", 60);
        let refused = leases.take(at(9), more("more")).unwrap_err();
        assert_eq!(refused, LeaseRefusal::TooMany(LEASES_MAX));
        assert!(leases.take(at(9), more("n8")).is_ok(), "it is held already");
        assert!(leases.take(at(10), more("more")).is_ok());
        assert_eq!(leases.held(at(10)).count(), LEASES_MAX);
        assert_eq!(leases.held(at(69)).count(), 1);
    }
}
