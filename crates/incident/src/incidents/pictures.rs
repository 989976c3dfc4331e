//! Which pictures the timelines name, and how much room they take.
//!
//! *Limits*: an incident has at most [`PICTURES_MAX`] pictures with at most [`PICTURES_BYTES_MAX`], all
//! that are kept at most [`PICTURES_BYTES_ALL_MAX`]; what would be more is refused. The same picture
//! twice takes its room once.

use std::collections::BTreeMap;

use firebell_model::Timestamp;

use super::{Incidents, people};
use crate::act::{Act, Outcome, Refusal};
use crate::incident::{Incident, IncidentId, Person, What, Who};
use crate::picture::{
    PICTURES_BYTES_ALL_MAX, PICTURES_BYTES_MAX, PICTURES_MAX, Picture, PictureId,
};

/// The pictures that timelines name.
#[derive(Default)]
pub(super) struct Named {
    /// In how many entries, and how many bytes it has.
    all: BTreeMap<PictureId, (usize, usize)>,
    n_bytes: usize,
}

impl Named {
    pub(super) fn add(&mut self, picture: &Picture) {
        let known = self.all.entry(picture.id).or_insert_with(|| {
            self.n_bytes += picture.n_bytes;
            (0, picture.n_bytes)
        });
        known.0 += 1;
    }

    pub(super) fn remove(&mut self, picture: &Picture) {
        let Some((n_entries, n_bytes)) = self.all.get_mut(&picture.id) else {
            return;
        };
        *n_entries -= 1;
        if *n_entries == 0 {
            self.n_bytes -= *n_bytes;
            self.all.remove(&picture.id);
        }
    }
}

impl Incidents {
    /// The pictures that a timeline names: the others need not be kept.
    pub fn pictures(&self) -> impl Iterator<Item = PictureId> {
        self.pictures.all.keys().copied()
    }

    /// Whether a timeline names it.
    #[must_use]
    pub fn has_picture(&self, id: PictureId) -> bool {
        self.pictures.all.contains_key(&id)
    }

    /// The bytes of all of them; the same one twice counts once.
    #[must_use]
    pub fn picture_bytes(&self) -> usize {
        self.pictures.n_bytes
    }

    /// Whether [`Incidents::act`] would take a picture, so that the bytes of others need not be kept.
    ///
    /// # Errors
    /// As [`Incidents::act`] would say it.
    pub fn check_picture(&self, id: IncidentId, act: &Act) -> Result<(), Refusal> {
        let incident = self.all.get(&id).ok_or(Refusal::Unknown(id))?;
        people::check_fits(incident, act)?;
        match act {
            Act::Picture { picture, text, .. } => {
                self.checked_caption(incident, picture, text).map(drop)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn show_picture(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        act: Act,
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get(&id).ok_or(Refusal::Unknown(id))?;
        if people::is_repeated(now, incident, &by, &act) {
            return Ok(Outcome::Already);
        }
        // The others show none.
        let Act::Picture {
            picture,
            text,
            audience,
        } = act
        else {
            return Ok(Outcome::Already);
        };
        let text = self.checked_caption(incident, &picture, &text)?;
        let what = What::Pictured(Box::new(picture), text, audience);
        self.note(now, id, Who::Person(by), what);
        Ok(Outcome::Changed)
    }

    /// Shows a picture no longer, wherever it stands in this timeline. It may be a secret: neither the
    /// lack of room for an entry nor that the incident goes on as another one is in the way.
    pub(super) fn take_back(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        picture: PictureId,
    ) -> Result<Outcome, Refusal> {
        let incident = self.all.get_mut(&id).ok_or(Refusal::Unknown(id))?;
        let mut is_shown = false;
        for (n, entry) in incident.timeline.iter_mut().enumerate() {
            let What::Pictured(shown, text, audience) = &mut entry.what else {
                continue;
            };
            if shown.id != picture {
                continue;
            }
            is_shown = true;
            self.pictures.remove(shown);
            entry.what = What::PictureGone(std::mem::take(text), *audience);
            self.changes.entry(id, n);
        }
        if is_shown {
            self.note(now, id, Who::Person(by), What::TookBack(picture));
            return Ok(Outcome::Changed);
        }
        let taken = What::TookBack(picture);
        match incident.timeline.iter().any(|it| it.what == taken) {
            true => Ok(Outcome::Already),
            false => Err(Refusal::NoPicture(id, picture)),
        }
    }

    /// What it shows, if there is room for it.
    fn checked_caption(
        &self,
        incident: &Incident,
        picture: &Picture,
        text: &str,
    ) -> Result<String, Refusal> {
        let text = people::checked_caption(text)?;
        let own: BTreeMap<PictureId, usize> =
            incident.pictures().map(|it| (it.id, it.n_bytes)).collect();
        if own.contains_key(&picture.id) {
            return Ok(text);
        }
        let id = incident.id;
        let of_incident = own.values().sum::<usize>() + picture.n_bytes;
        let of_all = match self.has_picture(picture.id) {
            true => self.pictures.n_bytes,
            false => self.pictures.n_bytes + picture.n_bytes,
        };
        Err(Refusal::Full(if own.len() >= PICTURES_MAX {
            format!("{id} has {PICTURES_MAX} pictures, and takes no more: link to it instead")
        } else if of_incident > PICTURES_BYTES_MAX {
            format!(
                "the pictures of {id} would take more than {} MiB: make it smaller, or link to it",
                PICTURES_BYTES_MAX >> 20
            )
        } else if of_all > PICTURES_BYTES_ALL_MAX {
            format!(
                "the pictures of all incidents would take more than {} MiB: link to it instead; \
                 there is room when the oldest incidents are forgotten",
                PICTURES_BYTES_ALL_MAX >> 20
            )
        } else {
            return Ok(text);
        }))
    }
}
