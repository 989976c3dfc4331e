//! What a server is asked, and what it says.

use std::sync::Arc;

use firebell_model::{Duration, Labels, Matcher, Timestamp};

/// Something that knows series: a running Firebell, Prometheus or alike. Asked from many threads;
/// whoever implements it bounds how much is asked at once, and need not ask the same twice.
pub trait Server: Sync {
    /// Asks.
    ///
    /// # Errors
    /// See [`Refused`].
    fn ask(&self, question: &Question) -> Result<Arc<Reply>, Refused>;
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Question {
    /// An expression now, with what it costs; answered by [`Reply::Vector`].
    Instant(String),
    /// An expression over a time; answered by [`Reply::Matrix`].
    Range {
        /// The expression.
        expr: String,
        /// The first evaluation.
        start: Timestamp,
        /// None is later.
        end: Timestamp,
        /// Between two.
        step: Duration,
    },
    /// The values of a label since a moment, perhaps of some series only; answered by
    /// [`Reply::Words`].
    Values {
        /// The label.
        label: String,
        /// A selector.
        of: Option<String>,
        /// Since when.
        since: Timestamp,
    },
    /// The names of labels of some series since a moment; answered by [`Reply::Words`].
    Names {
        /// A selector.
        of: String,
        /// Since when.
        since: Timestamp,
    },
    /// The configuration in force as YAML, and how long samples are kept, or ""; answered by
    /// [`Reply::Words`].
    Config,
    /// The rules in force; answered by [`Reply::Rules`].
    Rules,
    /// Silences; answered by [`Reply::Silences`].
    Silences,
    /// By what people are reached that nobody has confirmed; answered by [`Reply::Contacts`].
    Unconfirmed,
}

/// What is answered.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "see `Question`")]
pub enum Reply {
    Vector(Vector),
    Matrix(Vec<Track>),
    Words(Vec<String>),
    Rules(Vec<ServerRule>),
    Silences(Vec<Silence>),
    /// A person and a kind of contact each.
    Contacts(Vec<(String, String)>),
}

/// The result of an expression at one moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Vector {
    /// Labels and values; a scalar has no labels.
    pub series: Vec<(Labels, f64)>,
    /// Samples that were looked at, when the server says.
    pub samples: Option<u64>,
    /// Seconds that it took: as the server says, or until the answer was there.
    pub seconds: f64,
}

/// One series over time.
#[derive(Clone, PartialEq, Debug)]
pub struct Track {
    /// Its labels.
    pub labels: Labels,
    /// Its values, in order of time.
    pub samples: Vec<(Timestamp, f64)>,
}

/// A rule that is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerRule {
    /// The name of its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Whether it makes alerts.
    pub is_alerting: bool,
    /// Its expression.
    pub query: String,
    /// Its labels, as they are written.
    pub labels: Vec<(String, String)>,
}

/// A silence in force.
#[derive(Clone, PartialEq, Debug)]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// Who made it.
    pub created_by: String,
    /// All have to match.
    pub matchers: Vec<Matcher>,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The server cannot be asked, or not that.
    Down(String),
    /// The answer did not come in time, or was too long, or would have held too much.
    Costly(String),
    /// The expression fails.
    Fails(String),
}
