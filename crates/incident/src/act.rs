//! What people can do with an incident, how they write it, and why it may be refused.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::incident::{Audience, DataState, IncidentId, Role, Severity};
use crate::life::Phase;
use crate::picture::{Picture, PictureId, PictureKind};
use crate::postmortem::Part;
use crate::verdict::Verdict;

/// A wish of a person about an incident. As JSON, `do` says which.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// I look into it.
    Ack,
    /// It moves.
    State {
        /// There.
        to: Phase,
        /// Only if it is here now: so that two who look at the same page do not overrule each other.
        #[serde(default)]
        from: Option<Phase>,
        /// What it was; closing asks for it.
        #[serde(default)]
        verdict: Option<Verdict>,
    },
    /// It is that bad.
    Severity {
        /// From now on.
        to: Severity,
    },
    /// It is called otherwise.
    Title {
        /// From now on.
        to: String,
    },
    /// Somebody gets a role; nobody has it without a person.
    Role {
        /// Which.
        role: Role,
        /// Who.
        #[serde(default)]
        person: Option<String>,
    },
    /// Something to know.
    Note {
        /// What.
        text: String,
        /// For whom.
        #[serde(default)]
        audience: Audience,
    },
    /// Something to look at.
    Link {
        /// An address of HTTP.
        url: String,
        /// What it is.
        #[serde(default)]
        title: String,
    },
    /// A picture, whose bytes are kept already: nobody can say this in JSON.
    #[serde(skip_deserializing)]
    Picture {
        /// What is known of it.
        picture: Picture,
        /// What it shows; may be empty.
        text: String,
        /// For whom.
        audience: Audience,
    },
    /// A picture is shown no longer. The server removes its bytes: nobody can say this in JSON.
    #[serde(skip_deserializing)]
    TakeBack {
        /// Which.
        picture: PictureId,
    },
    /// Something to do.
    Task {
        /// What.
        text: String,
        /// Who.
        #[serde(default)]
        owner: Option<String>,
    },
    /// It is done.
    TaskDone {
        /// Its number.
        task: usize,
    },
    /// A step of a runbook is done.
    Step {
        /// The runbook's name.
        runbook: String,
        /// The step's number, from 1.
        step: usize,
    },
    /// What users notice.
    Impact {
        /// In words.
        text: String,
        /// How many.
        #[serde(default)]
        users: Option<u64>,
    },
    /// What is hit.
    Components {
        /// All of it.
        names: Vec<String>,
    },
    /// What is known of data.
    Data {
        /// In a word.
        state: DataState,
        /// How that is known.
        #[serde(default)]
        text: String,
    },
    /// What it was; may be said again.
    Verdict {
        /// That.
        verdict: Verdict,
    },
    /// It is the same as another one, which goes on.
    Merge {
        /// That one; as text, such as `INC-2`.
        #[serde(deserialize_with = "id_of_text")]
        into: IncidentId,
    },
    /// A part of the postmortem.
    Part {
        /// Which.
        part: Part,
        /// All of it, as Markdown.
        text: String,
    },
    /// Something to be done so that it does not come back.
    FollowUp {
        /// What.
        text: String,
        /// Who.
        owner: String,
        /// Until the end of this day, such as `2026-12-01`.
        due: String,
    },
    /// It is done.
    Proven {
        /// Its number.
        follow_up: usize,
        /// What proves it.
        proof: String,
    },
    /// An alert belongs elsewhere.
    Detach {
        /// Its fingerprint, 16 hexadecimal digits.
        alert: String,
    },
}

/// What became of a wish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is so from now on.
    Changed,
    /// It was so before.
    Already,
}

/// Why a wish was not fulfilled; in words for who wished it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such incident.
    #[error("there is no incident {0}")]
    Unknown(IncidentId),
    /// The wish itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// It does not fit to where the incident stands.
    #[error("{0}")]
    Conflict(String),
    /// There is no room for more.
    #[error("{0}")]
    Full(String),
    /// Its timeline has no such picture.
    #[error("{0} has no picture {1}")]
    NoPicture(IncidentId, PictureId),
}

/// A wish that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ActTextError(String);

impl Act {
    /// Whether it may still be done when the incident is closed or declined: learning goes on.
    #[must_use]
    pub(crate) fn is_for_later(&self) -> bool {
        matches!(
            self,
            Self::State { .. }
                | Self::Note { .. }
                | Self::Link { .. }
                | Self::Picture { .. }
                | Self::TakeBack { .. }
                | Self::Task { .. }
                | Self::TaskDone { .. }
                | Self::Impact { .. }
                | Self::Components { .. }
                | Self::Data { .. }
                | Self::Title { .. }
                | Self::Verdict { .. }
                | Self::Part { .. }
                | Self::FollowUp { .. }
                | Self::Proven { .. }
        )
    }

    /// The bytes of what somebody typed.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Title { to: text }
            | Self::Note { text, .. }
            | Self::Picture { text, .. }
            | Self::Task { text, .. }
            | Self::Impact { text, .. }
            | Self::Data { text, .. }
            | Self::Part { text, .. }
            | Self::FollowUp { text, .. }
            | Self::Proven { proof: text, .. } => text.len(),
            Self::Link { url, title } => url.len() + title.len(),
            Self::Components { names } => names.iter().map(String::len).sum(),
            _ => 0,
        }
    }

    /// Whether somebody works on it, and does not only write.
    pub(crate) fn is_work(&self) -> bool {
        !matches!(
            self,
            Self::Note { .. }
                | Self::Link { .. }
                | Self::Picture { .. }
                | Self::TakeBack { .. }
                | Self::Verdict { .. }
                | Self::Title { .. }
                | Self::Part { .. }
                | Self::FollowUp { .. }
                | Self::Proven { .. }
        )
    }
}

/// Reads what scenarios write: `ack`, `state mitigated`, `state closed verdict acted`,
/// `severity sev1`, `title …`, `role commander ben`, `role scribe`, `note …`, `tell …` (stakeholders),
/// `link URL …`,
/// `picture 1 …` (a picture of 1 KiB, known by its number), `take_back 1`, `task …`, `done 1`, `step RUNBOOK 1`, `impact …`, `components a, b`, `data at_risk …`,
/// `verdict false`, `merge INC-2`, `detach FINGERPRINT`, `part cause …`,
/// `follow_up 2026-12-01 ben …`, `proven 1 …`.
impl FromStr for Act {
    type Err = ActTextError;

    fn from_str(text: &str) -> Result<Self, ActTextError> {
        let (name, rest) = split(text);
        let (first, more) = split(rest);
        let note = |audience| Self::Note {
            text: rest.to_owned(),
            audience,
        };
        Ok(match name {
            "ack" => Self::Ack,
            "state" => Self::State {
                to: parse(first)?,
                from: None,
                verdict: match more.strip_prefix("verdict ") {
                    Some(verdict) => Some(parse(verdict)?),
                    None => None,
                },
            },
            "severity" => Self::Severity { to: parse(first)? },
            "title" => Self::Title {
                to: rest.to_owned(),
            },
            "role" => Self::Role {
                role: parse(first)?,
                person: (!more.is_empty()).then(|| more.to_owned()),
            },
            "note" => note(Audience::Team),
            "tell" => note(Audience::Stakeholders),
            "link" => Self::Link {
                url: first.to_owned(),
                title: more.to_owned(),
            },
            "picture" | "take_back" => of_picture(name, first, more)?,
            "task" => Self::Task {
                text: rest.to_owned(),
                owner: None,
            },
            "done" => Self::TaskDone {
                task: parse_number(first)?,
            },
            "step" => Self::Step {
                runbook: first.to_owned(),
                step: parse_number(more)?,
            },
            "impact" => Self::Impact {
                text: rest.to_owned(),
                users: None,
            },
            "components" => Self::Components {
                names: rest.split(',').map(|it| it.trim().to_owned()).collect(),
            },
            "data" => Self::Data {
                state: parse(first)?,
                text: more.to_owned(),
            },
            "verdict" => Self::Verdict {
                verdict: parse(first)?,
            },
            "merge" => Self::Merge {
                into: parse(first)?,
            },
            "detach" => Self::Detach {
                alert: first.to_owned(),
            },
            _ => return of_postmortem(name, first, more),
        })
    }
}

/// What people write for a postmortem.
fn of_postmortem(name: &str, first: &str, more: &str) -> Result<Act, ActTextError> {
    Ok(match name {
        "part" => Act::Part {
            part: parse(first)?,
            text: more.to_owned(),
        },
        "follow_up" => {
            let (owner, text) = split(more);
            Act::FollowUp {
                text: text.to_owned(),
                owner: owner.to_owned(),
                due: first.to_owned(),
            }
        }
        "proven" => Act::Proven {
            follow_up: parse_number(first)?,
            proof: more.to_owned(),
        },
        other => {
            return Err(ActTextError(format!(
                "`{other}` is nothing that people do with an incident, only {ACTS}"
            )));
        }
    })
}

/// A picture that is shown, or taken back.
fn of_picture(name: &str, number: &str, text: &str) -> Result<Act, ActTextError> {
    let picture = numbered(parse_number(number)?);
    Ok(match name {
        "take_back" => Act::TakeBack {
            picture: picture.id,
        },
        _ => Act::Picture {
            picture,
            text: text.to_owned(),
            audience: Audience::Team,
        },
    })
}

/// What a scenario takes for a picture: there the number is all that tells one from another.
fn numbered(number: usize) -> Picture {
    let mut id = [0; 32];
    id[24..].copy_from_slice(&(number as u64).to_be_bytes());
    Picture {
        id: PictureId(id),
        kind: PictureKind::Png,
        n_bytes: 1024,
        width: 640,
        height: 480,
    }
}

fn id_of_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IncidentId, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    (first, rest.trim())
}

fn parse<T: FromStr<Err = String>>(text: &str) -> Result<T, ActTextError> {
    text.parse().map_err(ActTextError)
}

fn parse_number(text: &str) -> Result<usize, ActTextError> {
    let wrong = |_| ActTextError(format!("`{text}` is no number"));
    text.parse().map_err(wrong)
}

const ACTS: &str = "ack, state, severity, title, role, note, tell, link, picture, take_back, task, \
                    done, step, impact, components, data, verdict, merge, detach, part, follow_up or proven";
