//! How an alert comes in: posted alerts are completed and checked, and a new state of a known
//! alert is merged with the old one.
//!
//! *Invariants*: a state that says what is known already changes times only; nothing is copied.
//!
//! *Sources*: Alertmanager, `api/v2/api.go` (`postAlertsHandler`), `types.Alert.Merge`,
//! `provider/mem`.

use std::hash::Hasher as _;

use firebell_model::{Alert, Duration, Fingerprint, Label, LabelHasher, Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::pairs::Pairs;

/// An alert as `POST /api/v2/alerts` gives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostedAlert {
    /// Identity; labels with an empty value were dropped by the type.
    pub labels: Labels,
    /// Text for people.
    pub annotations: Labels,
    /// When it began, if the sender says.
    pub starts_at: Option<Timestamp>,
    /// When it ended or will, if the sender says.
    pub ends_at: Option<Timestamp>,
    /// Where the alert can be looked at; may be empty.
    pub generator_url: String,
}

/// The alerts of one post. All text stands in one piece: most of it is known already, and is only
/// compared.
#[derive(Clone, Debug, Default)]
pub struct PostedAlerts {
    body: String,
    parts: Parts,
}

#[derive(Clone, Debug, Default)]
struct Parts {
    // What is not in the body as it is; it is thought of as standing behind it.
    others: String,
    spans: Vec<Span>,
    heads: Vec<Head>,
}

impl Parts {
    // A little more room than a body of so many bytes usually takes.
    fn for_bytes(n_bytes: usize) -> Self {
        Self {
            others: String::new(),
            spans: Vec::with_capacity(n_bytes / BYTES_PER_STRING),
            heads: Vec::with_capacity(n_bytes / BYTES_PER_ALERT),
        }
    }
}

/// As Prometheus writes alerts: those of few labels and short texts, so that more take less room.
const BYTES_PER_STRING: usize = 20;
const BYTES_PER_ALERT: usize = 300;

/// Where a string stands.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

#[derive(Clone, Debug)]
struct Head {
    fingerprint: Fingerprint,
    // Strings: a name and a value for each label, then for each annotation, then the URL.
    first: usize,
    n_labels: usize,
    n_annotations: usize,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    said: Said,
}

/// What an alert says besides its labels and times, as a hash: what a sender repeats need not be
/// compared text by text. It has no secret: who makes two texts collide is told the former of his own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Said(u64);

/// Collects the alerts of a body. Strings that are a part of it are not copied.
#[derive(Debug)]
pub struct PostedBody<'b> {
    body: &'b str,
    parts: Parts,
}

impl PostedBody<'_> {
    /// Adds an alert; labels and annotations stand in order of name, each name once, no value empty.
    pub fn push<'a>(
        &mut self,
        labels: impl Iterator<Item = (&'a str, &'a str)> + Clone,
        annotations: impl Iterator<Item = (&'a str, &'a str)>,
        (starts_at, ends_at): (Option<Timestamp>, Option<Timestamp>),
        generator_url: &str,
    ) {
        let first = self.parts.spans.len();
        let fingerprint = Fingerprint::of(labels.clone());
        let mut said = LabelHasher::default();
        let n_labels = self.push_pairs(labels, |_| ());
        let n_annotations = self.push_pairs(annotations, |text| said.write(text.as_bytes()));
        self.push_text(generator_url);
        said.write(generator_url.as_bytes());
        said.write_usize(n_annotations);
        self.parts.heads.push(Head {
            fingerprint,
            first,
            n_labels,
            n_annotations,
            starts_at,
            ends_at,
            said: Said(said.finish()),
        });
    }

    fn push_pairs<'a>(
        &mut self,
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
        mut note: impl FnMut(&str),
    ) -> usize {
        let mut n_pairs = 0;
        for (name, value) in pairs {
            self.push_text(name);
            self.push_text(value);
            note(name);
            note(value);
            n_pairs += 1;
        }
        n_pairs
    }

    fn push_text(&mut self, text: &str) {
        // What lies within the body, which is there as long as this, is a part of it.
        let offset = text.as_ptr().addr().wrapping_sub(self.body.as_ptr().addr());
        let is_inside = offset <= self.body.len() && text.len() <= self.body.len() - offset;
        let start = if is_inside {
            offset
        } else {
            let others = &mut self.parts.others;
            others.push_str(text);
            self.body.len() + others.len() - text.len()
        };
        let end = start + text.len();
        self.parts.spans.push(Span { start, end });
    }
}

impl PostedAlerts {
    /// The alerts that `read` finds in a body, and what it says besides.
    ///
    /// # Errors
    /// What `read` says.
    pub fn of_body<T, E>(
        body: String,
        read: impl FnOnce(&str, &mut PostedBody<'_>) -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        let mut posted = PostedBody {
            body: &body,
            parts: Parts::for_bytes(body.len()),
        };
        let said = read(&body, &mut posted)?;
        let parts = posted.parts;
        Ok((Self { body, parts }, said))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.heads.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.heads.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Posted<'_>> {
        let heads = self.parts.heads.iter();
        heads.map(|head| Posted { all: self, head })
    }

    fn text(&self, idx: usize) -> &str {
        let (text, Span { start, end }) = self.place(idx);
        &text[start..end]
    }

    // To be compared: whether characters are whole need not be looked at.
    fn bytes(&self, idx: usize) -> &[u8] {
        let (text, Span { start, end }) = self.place(idx);
        &text.as_bytes()[start..end]
    }

    fn place(&self, idx: usize) -> (&str, Span) {
        let Span { start, end } = self.parts.spans[idx];
        // An empty one stands in both where they meet.
        match end.checked_sub(self.body.len()).filter(|it| *it > 0) {
            None => (&self.body, Span { start, end }),
            Some(end) => {
                let start = start - self.body.len();
                (&self.parts.others, Span { start, end })
            }
        }
    }

    fn pairs(&self, first: usize, n_pairs: usize) -> impl Iterator<Item = (&str, &str)> + Clone {
        let idxs = (first..).step_by(2).take(n_pairs);
        idxs.map(|idx| (self.text(idx), self.text(idx + 1)))
    }
}

impl FromIterator<PostedAlert> for PostedAlerts {
    fn from_iter<I: IntoIterator<Item = PostedAlert>>(alerts: I) -> Self {
        let mut posted = PostedBody {
            body: "",
            parts: Parts::default(),
        };
        for alert in alerts {
            let times = (alert.starts_at, alert.ends_at);
            let (labels, annotations) = (texts(&alert.labels), texts(&alert.annotations));
            posted.push(labels, annotations, times, &alert.generator_url);
        }
        let (body, parts) = (String::new(), posted.parts);
        Self { body, parts }
    }
}

fn texts(labels: &Labels) -> impl Iterator<Item = (&str, &str)> + Clone {
    labels.iter().map(|label| (&*label.name, &*label.value))
}

/// One alert of a post.
#[derive(Clone, Copy)]
pub(crate) struct Posted<'a> {
    all: &'a PostedAlerts,
    head: &'a Head,
}

impl<'a> Posted<'a> {
    fn labels(self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        self.all.pairs(self.head.first, self.head.n_labels)
    }

    fn annotations(self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        self.all
            .pairs(self.first_annotation(), self.head.n_annotations)
    }

    fn generator_url(self) -> &'a str {
        self.all.text(self.url_idx())
    }

    // Whether an alert says the same besides its times; their labels are the same.
    fn is_said_by(self, known: &Alert) -> bool {
        let first = self.first_annotation();
        let is_same = |(nth, label): (usize, &Label)| {
            let idx = first + 2 * nth;
            self.all.bytes(idx) == label.name.as_bytes()
                && self.all.bytes(idx + 1) == label.value.as_bytes()
        };
        known.annotations.len() == self.head.n_annotations
            && self.all.bytes(self.url_idx()) == known.generator_url.as_bytes()
            && known.annotations.iter().enumerate().all(is_same)
    }

    fn first_annotation(self) -> usize {
        self.head.first + 2 * self.head.n_labels
    }

    fn url_idx(self) -> usize {
        self.first_annotation() + 2 * self.head.n_annotations
    }

    /// Fills in the times that are missing, and checks.
    ///
    /// # Errors
    /// In upstream's words, when it has no label, an empty label name, or ends before it starts.
    pub(crate) fn complete(
        self,
        now: Timestamp,
        resolve_timeout: Duration,
    ) -> Result<State<'a>, String> {
        let (starts_at, ends_at) = (self.head.starts_at, self.head.ends_at);
        let times = Times {
            starts_at: starts_at.or(ends_at).unwrap_or(now),
            ends_at: ends_at.or(Some(now + resolve_timeout)),
            is_timeout: ends_at.is_none(),
            updated_at: now,
        };
        // Sorted: an empty name comes first.
        let is_unnamed =
            |first: usize, n_pairs: usize| n_pairs > 0 && self.all.bytes(first).is_empty();
        if times.ends_at.is_some_and(|it| it < times.starts_at) {
            Err("start time must be before end time".to_owned())
        } else if self.head.n_labels == 0 {
            Err("at least one label pair required".to_owned())
        } else if is_unnamed(self.head.first, self.head.n_labels) {
            Err("invalid label set: invalid name \"\"".to_owned())
        } else if is_unnamed(self.first_annotation(), self.head.n_annotations) {
            Err("invalid annotations: invalid name \"\"".to_owned())
        } else {
            Ok(State {
                fingerprint: self.head.fingerprint,
                times,
                said: Some(self.head.said),
                text: Text::Posted(self),
            })
        }
    }
}

/// A new state of an alert.
#[derive(Clone, Copy)]
pub(crate) struct State<'a> {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) times: Times,
    /// Of posted alerts.
    pub(crate) said: Option<Said>,
    text: Text<'a>,
}

/// What it says besides.
#[derive(Clone, Copy)]
enum Text<'a> {
    Posted(Posted<'a>),
    Own(&'a Alert),
}

impl<'a> State<'a> {
    /// The state that an alert of an own rule is in.
    pub(crate) fn own(alert: &'a Alert) -> Self {
        Self {
            fingerprint: alert.labels.fingerprint(),
            times: Times::of(alert),
            said: None,
            text: Text::Own(alert),
        }
    }

    /// The value of a label, or the empty string.
    pub(crate) fn label(&self, name: &str) -> &'a str {
        match self.text {
            Text::Own(alert) => alert.labels.value(name),
            Text::Posted(posted) => {
                let found = posted.labels().find(|(known, _)| *known == name);
                found.map_or("", |(_, value)| value)
            }
        }
    }

    /// Whether a known alert of the same identity says the same, whatever its times are.
    pub(crate) fn is_said_by(&self, known: &Alert) -> bool {
        match self.text {
            Text::Own(alert) => {
                known.annotations == alert.annotations && known.generator_url == alert.generator_url
            }
            Text::Posted(posted) => posted.is_said_by(known),
        }
    }

    /// As an alert, whose pairs are shared with those that are known.
    pub(crate) fn to_alert(self, pairs: &mut Pairs) -> Alert {
        let (labels, annotations, generator_url) = match self.text {
            Text::Own(alert) => (
                alert.labels.clone(),
                alert.annotations.clone(),
                alert.generator_url.clone(),
            ),
            Text::Posted(posted) => (
                pairs.share(posted.labels()),
                pairs.share(posted.annotations()),
                posted.generator_url().to_owned(),
            ),
        };
        let Times {
            starts_at,
            ends_at,
            updated_at,
            is_timeout,
        } = self.times;
        Alert {
            labels,
            annotations,
            starts_at,
            ends_at,
            generator_url,
            updated_at,
            is_timeout,
        }
    }
}

/// The times of an alert, as [`Alert`] has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) starts_at: Timestamp,
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) updated_at: Timestamp,
    pub(crate) is_timeout: bool,
}

impl Times {
    pub(crate) fn of(alert: &Alert) -> Self {
        Self {
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
            updated_at: alert.updated_at,
            is_timeout: alert.is_timeout,
        }
    }

    pub(crate) fn put_into(self, alert: &mut Alert) {
        alert.starts_at = self.starts_at;
        alert.ends_at = self.ends_at;
        alert.updated_at = self.updated_at;
        alert.is_timeout = self.is_timeout;
    }

    /// When it ends; without an end it lasts for ever.
    fn end(self) -> Timestamp {
        self.ends_at.unwrap_or(Timestamp::MAX)
    }

    fn is_resolved(self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|ends_at| ends_at <= now)
    }
}

/// The times of an alert after a new state came in, and whether what that says besides counts.
///
/// States whose times overlap are one occurrence; otherwise the new one replaces the old.
pub(crate) fn merge(old: Times, new: Times, now: Timestamp) -> (Times, bool) {
    let ends_inside = new.end() > old.starts_at && new.end() < old.end();
    let starts_inside = new.starts_at > old.starts_at && new.starts_at < old.end();
    if !ends_inside && !starts_inside {
        return (new, true);
    }
    let is_newer = new.updated_at >= old.updated_at;
    let (older, newer) = if is_newer { (old, new) } else { (new, old) };
    let takes_older_end = older.end() > newer.end()
        && if newer.is_resolved(now) {
            older.is_resolved(now)
        } else {
            !older.is_timeout
        };
    let mut merged = newer;
    merged.starts_at = older.starts_at.min(newer.starts_at);
    if takes_older_end {
        merged.ends_at = older.ends_at;
    }
    (merged, is_newer)
}

/// Whether an alert fires, or is over, as it was: what its sender says again, and again should it not be
/// heard. That it ends sooner, or much later than time has passed, or by its sender's word and not by
/// ours, may be said once.
pub(crate) fn goes_on(old: Times, new: Times, now: Timestamp) -> bool {
    let passed = new.updated_at - old.updated_at;
    old.is_resolved(now) == new.is_resolved(now)
        && old.end() <= new.end()
        && new.end() - old.end() <= passed + SENDS_AGAIN_WITHIN
        && old.is_timeout == new.is_timeout
}

/// Ends that senders count from when they send: what waited on its way moves them by so much.
const SENDS_AGAIN_WITHIN: Duration = Duration::from_mins(1);

/// When an alert ends; one without an end lasts for ever.
pub(crate) fn end(alert: &Alert) -> Timestamp {
    alert.ends_at.unwrap_or(Timestamp::MAX)
}
