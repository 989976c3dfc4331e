//! A watched series as records have it, of this version and of the one before.

use firebell_model::{Labels, Timestamp, parse_float};
use serde::{Deserialize, Serialize};

use crate::anomaly::digits::Reader;

/// A series as records have it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WatchedSeries {
    /// Of the state's form; another is not taken.
    pub(crate) version: u32,
    pub(crate) number: usize,
    pub(crate) series: Labels,
    pub(crate) at: Timestamp,
    pub(crate) n_odd: usize,
    /// In `digits`, the first one whole; in version 1 as numbers with blanks between them.
    pub(crate) past: String,
    /// How many of these the next record of the series repeats.
    #[serde(default)]
    pub(crate) n_unsaved: usize,
    /// What its first step is counted from.
    #[serde(default = "nothing_saved", with = "crate::record::float_text")]
    pub(crate) saved_value: f64,
}

impl WatchedSeries {
    /// What was learned, oldest first; `None` in a form that is not known.
    pub(crate) fn values(&self) -> Option<Vec<f64>> {
        match self.version {
            VERSION => {
                let (mut past, mut before) = (Reader::new(&self.past), f64::NAN);
                Some(std::iter::from_fn(|| past.value(&mut before)).collect())
            }
            1 => {
                let values = self.past.split_whitespace().map_while(parse_float);
                Some(values.filter(|value| value.is_finite()).collect())
            }
            _ => None,
        }
    }
}

/// A reader has nothing of the series yet: the next value is written whole.
fn nothing_saved() -> f64 {
    f64::NAN
}

/// The form of [`WatchedSeries`].
pub(crate) const VERSION: u32 = 2;
