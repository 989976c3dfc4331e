//! What a check was defined with.

use firebell_model::Duration;
use serde::{Deserialize, Serialize};

/// How a check makes alerts of answers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CheckOptions {
    /// How long something has to be wrong before it fires.
    pub hold_for: Duration,
    /// After people were told of an alert, they do not hear of it anew for so long.
    pub cooldown: Duration,
    /// How often they are told again while it fires; never when `None`.
    pub repeat_after: Option<Duration>,
    /// What numbers are held against; a number without a bound is no answer.
    pub bound: Option<Bound>,
    /// What it means that the check does not know.
    pub on_no_data: OnNoData,
    /// How bad it is.
    pub severity: Rank,
    /// How bad it is at least that the check is broken.
    pub error_severity: Rank,
}

/// How bad something is: the higher, the worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rank(pub u8);

/// What it means that a check does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnNoData {
    /// Nothing is wrong.
    Ok,
    /// That is an alert of its own; others stay as they are.
    Alert,
    /// Alerts stay as they are.
    Keep,
}

/// Where a number begins to be wrong, and where it is well again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bound {
    edge: Edge,
    clear: f64,
}

/// Which numbers are wrong.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Edge {
    /// Higher ones.
    Above(f64),
    /// Lower ones.
    Below(f64),
    /// Those that are higher than the first or lower than the second.
    Outside(f64, f64),
}

/// A bound that makes no sense.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CheckOptionsError {
    /// One of its numbers is none.
    #[error("{0} is NaN, which no number is above or below")]
    Nan(&'static str),
    /// It is clear where it is wrong.
    #[error("{clear} is no `clear` for `{edge}`: nothing would ever resolve")]
    Clear {
        /// Where it would be clear.
        clear: String,
        /// Where it is wrong.
        edge: String,
    },
    /// `clear` with both edges.
    #[error("`clear` goes with `above` or with `below`, not with both")]
    ClearOfBoth,
    /// Every number would be wrong.
    #[error("every number is above {0} or below {1}")]
    Everything(String, String),
}

impl Bound {
    /// A bound; without `clear`, what is no longer wrong is well.
    ///
    /// # Errors
    /// When it would never, or always, be past.
    pub fn new(
        above: Option<f64>,
        below: Option<f64>,
        clear: Option<f64>,
    ) -> Result<Option<Self>, CheckOptionsError> {
        let named = [("`above`", above), ("`below`", below), ("`clear`", clear)];
        let nan = named
            .iter()
            .find(|(_, it)| it.is_some_and(|it| it.is_nan()));
        if let Some((name, _)) = nan {
            return Err(CheckOptionsError::Nan(name));
        }
        let (edge, standard, text, is_clear) = match (above, below) {
            (None, None) => return Ok(None),
            (Some(above), None) => {
                let is_clear = clear.is_none_or(|it| it <= above);
                (
                    Edge::Above(above),
                    above,
                    format!("above={above}"),
                    is_clear,
                )
            }
            (None, Some(below)) => {
                let is_clear = clear.is_none_or(|it| it >= below);
                (
                    Edge::Below(below),
                    below,
                    format!("below={below}"),
                    is_clear,
                )
            }
            (Some(above), Some(below)) if below > above => {
                let (above, below) = (above.to_string(), below.to_string());
                return Err(CheckOptionsError::Everything(above, below));
            }
            (Some(above), Some(below)) => {
                if clear.is_some() {
                    return Err(CheckOptionsError::ClearOfBoth);
                }
                (Edge::Outside(above, below), above, String::new(), true)
            }
        };
        let clear = clear.unwrap_or(standard);
        if !is_clear {
            let clear = clear.to_string();
            return Err(CheckOptionsError::Clear { clear, edge: text });
        }
        Ok(Some(Self { edge, clear }))
    }

    pub(super) fn is_past(self, value: f64) -> bool {
        match self.edge {
            Edge::Above(bound) => value > bound,
            Edge::Below(bound) => value < bound,
            Edge::Outside(above, below) => value > above || value < below,
        }
    }

    /// Whether a number that is not past is well.
    pub(super) fn is_clear(self, value: f64) -> bool {
        match self.edge {
            Edge::Above(_) => value <= self.clear,
            Edge::Below(_) => value >= self.clear,
            Edge::Outside(..) => true,
        }
    }
}
