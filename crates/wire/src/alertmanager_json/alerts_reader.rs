//! Reads posted alerts one after the other, into one place for all of them: senders repeat themselves
//! every minute, so that reading is most of what an alert costs.
//!
//! As Go reads them: what is `null` is absent, unknown fields are passed over, of repeated ones the
//! last counts.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::bodies::{AlertInBody, Pairs, RawMoment, Text};

pub(super) struct AlertsReader<'a, F> {
    each: F,
    alert: AlertInBody<'a>,
    n_read: usize,
    /// The first alert that has none.
    pub(super) without_labels: Option<usize>,
}

impl<'a, F: FnMut(&AlertInBody<'a>)> AlertsReader<'a, F> {
    pub(super) fn new(each: F) -> Self {
        Self {
            each,
            alert: AlertInBody::default(),
            n_read: 0,
            without_labels: None,
        }
    }

    /// Reads a list of alerts, up to the end of the text.
    pub(super) fn read<R: serde_json::de::Read<'a>>(
        &mut self,
        text: &mut serde_json::Deserializer<R>,
    ) -> serde_json::Result<()> {
        text.deserialize_option(List(self))?;
        text.end()
    }
}

struct List<'r, 'a, F>(&'r mut AlertsReader<'a, F>);

impl<'a, F: FnMut(&AlertInBody<'a>)> Visitor<'a> for List<'_, 'a, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of alerts")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(One(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

struct One<'r, 'a, F>(&'r mut AlertsReader<'a, F>);

impl<'a, F: FnMut(&AlertInBody<'a>)> DeserializeSeed<'a> for One<'_, 'a, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

/// What an alert says.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Field {
    Labels,
    Annotations,
    StartsAt,
    EndsAt,
    #[serde(rename = "generatorURL")]
    GeneratorUrl,
    #[serde(other)]
    Other,
}

impl<'a, F: FnMut(&AlertInBody<'a>)> Visitor<'a> for One<'_, 'a, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an alert")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        let alert = &mut reader.alert;
        alert.clear();
        let mut has_labels = false;
        while let Some(field) = map.next_key()? {
            match field {
                Field::Labels => has_labels = map.next_value_seed(Into(&mut alert.labels))?,
                Field::Annotations => {
                    map.next_value_seed(Into(&mut alert.annotations))?;
                }
                Field::StartsAt => alert.starts_at = map.next_value::<RawMoment>()?.0,
                Field::EndsAt => alert.ends_at = map.next_value::<RawMoment>()?.0,
                Field::GeneratorUrl => {
                    let url: Option<Text<'a>> = map.next_value()?;
                    alert.generator_url = url.unwrap_or_default().0;
                }
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !has_labels {
            reader.without_labels.get_or_insert(reader.n_read);
        }
        reader.n_read += 1;
        (reader.each)(&reader.alert);
        Ok(())
    }
}

/// Reads pairs into those that are there, which go; false when there are none, not even an empty map.
pub(super) struct Into<'r, 'a>(pub(super) &'r mut Pairs<'a>);

impl<'a> DeserializeSeed<'a> for Into<'_, 'a> {
    type Value = bool;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'a> Visitor<'a> for Into<'_, 'a> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        self.0.clear();
        Ok(false)
    }

    fn visit_some<D: Deserializer<'a>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<bool, A::Error> {
        self.0.clear();
        while let Some(pair) = map.next_entry()? {
            self.0.push(pair);
        }
        self.0.tidy();
        Ok(true)
    }
}
