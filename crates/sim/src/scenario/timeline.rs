//! The timeline: what happens, one event a line, each with its time.

use firebell_config::Problem;
use firebell_dispatch::{SilenceTerms, Weekly};
use firebell_engine::{LeaseKey, LeaseRefusal, LeaseRequest, PageAct};
use firebell_heartbeat::{Expectation, GRACE, HeartbeatKey, Outcome};
use firebell_incident::{Act, IncidentId, Opening, Person};
use firebell_model::{Duration, Labels, Matcher, matchers_text, parse_matchers};
use firebell_promql::description::{self, Described};

use super::document::{Block, problem};
use crate::disk::Fault;
use crate::simulator::{Cut, CutPoint, Stop};
use crate::world::{Behaviour, contact_key};

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Duration,
    /// Of the file, from 1.
    pub(crate) line: u32,
    pub(crate) what: What,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Series {
        labels: Labels,
        values: Vec<Described>,
        every: Duration,
    },
    Receiver {
        name: String,
        behaviour: Behaviour,
    },
    Alert {
        labels: Labels,
        lasts: Option<Duration>,
        is_resolved: bool,
    },
    Silence {
        matchers: Vec<Matcher>,
        lasts: Duration,
        terms: SilenceTerms,
    },
    /// All silences, or those with these matchers.
    Unsilence {
        matchers: Option<String>,
    },
    Stop {
        stop: Stop,
        restarts: bool,
    },
    /// The process ends in the middle of the next step that tells somebody.
    Cut(Cut),
    /// Power fails in the middle of a write, after some more that succeed.
    CutDisk {
        n_writes: u64,
        restarts: bool,
    },
    Restart,
    /// Says why the alerts that match are told of, or not.
    Why {
        matchers: Vec<Matcher>,
    },
    /// Says what has happened since this was last said.
    History,
    /// Says on which incidents error budgets were spent.
    Budgets,
    /// A version of a service went live.
    Deploys {
        service: String,
        version: String,
        environment: String,
    },
    /// A job says how its run ended.
    Beats {
        key: HeartbeatKey,
        outcome: Outcome,
        expectation: Option<Expectation>,
    },
    /// A job is no longer awaited.
    Forgets(HeartbeatKey),
    /// Says how jobs fare.
    Heartbeats,
    /// A host asks whether it is the one that evaluates a check.
    Leases(LeaseRequest),
    /// A host no longer wants to.
    Releases(LeaseKey, String),
    /// Somebody opens an incident.
    Opens {
        by: Person,
        opening: Opening,
    },
    /// Somebody does something with one.
    Wishes {
        incident: IncidentId,
        by: Person,
        act: Act,
    },
    /// Somebody notes what was decided at the review of a month.
    Decides {
        month: String,
        by: Person,
        about: String,
        decision: String,
    },
    /// Somebody answers the page of an incident.
    Answers {
        incident: IncidentId,
        by: Person,
        act: PageAct,
    },
    ReloadRules,
    ReloadRoutes,
    ReloadFirebell,
    Disk(Fault),
    End,
}

/// Reads a block; what is wrong in it is noted.
pub(crate) fn read(file: &str, block: &Block, problems: &mut Vec<Problem>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (idx, text) in block.text.lines().enumerate() {
        let number = block.line + idx as u32;
        if text.trim().is_empty() || text.trim_start().starts_with('#') {
            continue;
        }
        let mut words = Words { text, at: 0 };
        match line(&mut words) {
            Ok((at, what)) => lines.push(Line {
                at,
                line: number,
                what,
            }),
            Err((column, message, hint)) => {
                let column = text[..column].chars().count() as u32 + 1;
                problems.push(problem(file, number, column, &message, hint, Some(text)));
            }
        }
    }
    if !lines.iter().any(|line| matches!(line.what, What::End)) {
        let message = "the timeline has no end";
        let hint = "say when it ends, as in `end 1h`";
        problems.push(problem(file, block.line - 1, 1, message, Some(hint), None));
    }
    lines
}

/// Reads one line, which may not be the end.
///
/// # Errors
/// What is wrong, and a hint.
pub(crate) fn read_line(text: &str) -> Result<(Duration, What), (String, Option<&'static str>)> {
    let read = line(&mut Words { text, at: 0 });
    read.map_err(|(_, message, hint)| (message, hint))
}

/// The byte of the line, what is wrong there, and a hint.
type Wrong = (usize, String, Option<&'static str>);

fn line(words: &mut Words<'_>) -> Result<(Duration, What), Wrong> {
    if words.accept("end") {
        let at = words.duration()?;
        words.done()?;
        return Ok((at, What::End));
    }
    let at = words.duration()?;
    let column = words.column();
    let what = match words.next() {
        "series" => words.series()?,
        "receiver" => words.receiver()?,
        "contact" => words.contact()?,
        "alert" => words.alert()?,
        "silence" => {
            let matchers = words.matchers()?;
            words.expect("for")?;
            What::Silence {
                matchers,
                lasts: words.duration()?,
                terms: words.terms()?,
            }
        }
        "unsilence" if words.is_done() => What::Unsilence { matchers: None },
        "unsilence" => {
            let matchers = Some(matchers_text(&words.matchers()?));
            What::Unsilence { matchers }
        }
        "kill" => words.stop(Stop::Kill)?,
        "crash" => words.stop(Stop::PowerLoss)?,
        "why" => What::Why {
            matchers: words.matchers()?,
        },
        "history" => What::History,
        "budgets" => What::Budgets,
        "deploy" => words.deploy()?,
        "beat" => words.beat()?,
        "forget" => What::Forgets(words.heartbeat()?),
        "heartbeats" => What::Heartbeats,
        "lease" => words.lease()?,
        "release" => words.release()?,
        "incident" => words.incident()?,
        "review" => words.review()?,
        "page" => words.page()?,
        "restart" => What::Restart,
        "reload" => {
            let kinds = [
                ("rules", What::ReloadRules),
                ("alertmanager", What::ReloadRoutes),
                ("firebell", What::ReloadFirebell),
            ];
            let hint = "`reload rules`, `reload alertmanager` or `reload firebell`";
            words.one_of(kinds, hint)?
        }
        "disk" => {
            let faults = [
                ("full", Fault::Full),
                ("broken", Fault::Broken),
                ("works", Fault::None),
            ];
            What::Disk(words.one_of(faults, "`disk full`, `disk broken` or `disk works`")?)
        }
        other => {
            return Err((
                column,
                format!("`{other}` is nothing that can happen"),
                Some(EVENTS),
            ));
        }
    };
    words.done()?;
    Ok((at, what))
}

/// A line and how much of it has been read.
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn rest(&self) -> &'a str {
        self.text[self.at..].trim_start()
    }

    /// The byte at which the next word begins.
    fn column(&self) -> usize {
        self.text.len() - self.rest().len()
    }

    fn peek(&self) -> &'a str {
        self.rest().split_whitespace().next().unwrap_or("")
    }

    fn next(&mut self) -> &'a str {
        let word = self.peek();
        self.at = self.column() + word.len();
        word
    }

    fn accept(&mut self, word: &str) -> bool {
        let is_next = self.peek() == word;
        if is_next {
            self.next();
        }
        is_next
    }

    fn expect(&mut self, word: &str) -> Result<(), Wrong> {
        let (column, found) = (self.column(), self.peek());
        if self.accept(word) {
            return Ok(());
        }
        Err((
            column,
            format!("expected `{word}` instead of `{found}`"),
            None,
        ))
    }

    fn is_done(&self) -> bool {
        self.rest().is_empty()
    }

    fn done(&self) -> Result<(), Wrong> {
        if self.is_done() {
            return Ok(());
        }
        Err((
            self.column(),
            format!("`{}` is too much", self.rest().trim_end()),
            None,
        ))
    }

    fn duration(&mut self) -> Result<Duration, Wrong> {
        let column = self.column();
        let word = self.next();
        word.parse().map_err(|_| {
            let message = format!("`{word}` is not a duration");
            (column, message, Some("write it as 30s, 5m or 1h30m"))
        })
    }

    fn one_of<T>(
        &mut self,
        kinds: impl IntoIterator<Item = (&'static str, T)>,
        hint: &'static str,
    ) -> Result<T, Wrong> {
        let column = self.column();
        let word = self.next();
        let found = kinds.into_iter().find(|(kind, _)| *kind == word);
        let wrong = || (column, format!("`{word}` is not known here"), Some(hint));
        found.map(|(_, value)| value).ok_or_else(wrong)
    }

    /// Everything up to the last ` WORD `, or to the end.
    fn until_last(&mut self, word: &str) -> &'a str {
        let rest = self.rest();
        let end = rest.rfind(&format!(" {word} ")).unwrap_or(rest.len());
        self.at = self.column() + end;
        rest[..end].trim_end()
    }

    /// `{…}`, quotes respected.
    fn braces(&mut self) -> Result<&'a str, Wrong> {
        let (column, rest) = (self.column(), self.rest());
        let (mut is_quoted, mut is_escaped) = (false, false);
        let is_end = |c: char| {
            let is_end = c == '}' && !is_quoted;
            is_quoted ^= c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        };
        match rest.find(is_end).filter(|_| rest.starts_with('{')) {
            Some(end) => {
                self.at = column + end + 1;
                Ok(&rest[..=end])
            }
            None => Err((
                column,
                "expected labels in braces".to_owned(),
                Some("{alertname=\"X\"}"),
            )),
        }
    }

    fn matchers(&mut self) -> Result<Vec<Matcher>, Wrong> {
        let column = self.column();
        let text = self.braces()?;
        parse_matchers(text).map_err(|error| (column, error.to_string(), None))
    }

    /// `until resolved 5m`, `weekly sunday 02:00 04:00 Europe/Berlin`, or nothing.
    fn terms(&mut self) -> Result<SilenceTerms, Wrong> {
        if self.accept("until") {
            self.expect("resolved")?;
            return Ok(SilenceTerms::until_resolved(self.duration()?));
        }
        if !self.accept("weekly") {
            return Ok(SilenceTerms::default());
        }
        let column = self.column();
        let (day, start, end, zone) = (self.next(), self.next(), self.next(), self.next());
        let hint = Some("weekly sunday 02:00 04:00 Europe/Berlin");
        let weekly = Weekly::new(&[day], start, end, zone).map_err(|why| (column, why, hint))?;
        Ok(SilenceTerms::weekly(weekly))
    }

    fn series(&mut self) -> Result<What, Wrong> {
        let column = self.column();
        let described = self.until_last("every");
        let hint = Some("series errors{job=\"a\"} 0+1x20 every 15s");
        let (labels, values) = description::series_description(described)
            .map_err(|error| (column, format!("bad series: {error}"), hint))?;
        if values
            .iter()
            .any(|value| matches!(value, Described::Histogram { .. }))
        {
            let message = "native histograms cannot be kept yet".to_owned();
            return Err((column, message, None));
        }
        self.expect("every")
            .map_err(|(column, message, _)| (column, message, hint))?;
        let (column, every) = (self.column(), self.duration()?);
        if every <= Duration::ZERO {
            return Err((
                column,
                "samples need some time between them".to_owned(),
                None,
            ));
        }
        Ok(What::Series {
            labels,
            values,
            every,
        })
    }

    fn receiver(&mut self) -> Result<What, Wrong> {
        let name = self.next().to_owned();
        let behaviour = self.behaviour()?;
        Ok(What::Receiver { name, behaviour })
    }

    /// `ana delivers`, `phone fails 500` or `ana phone hangs`.
    fn contact(&mut self) -> Result<What, Wrong> {
        let first = self.next();
        let mut name = contact_key(&[first]);
        if !["delivers", "fails", "hangs"].contains(&self.peek()) {
            name = contact_key(&[first, self.next()]);
        }
        let behaviour = self.behaviour()?;
        Ok(What::Receiver { name, behaviour })
    }

    fn behaviour(&mut self) -> Result<Behaviour, Wrong> {
        let hint = "`delivers`, `delivers after 3s`, `fails 500` or `hangs`";
        let kinds = [("delivers", 0), ("fails", 1), ("hangs", 2)];
        Ok(match self.one_of(kinds, hint)? {
            0 if self.accept("after") => Behaviour::Delivers {
                after: self.duration()?,
            },
            0 => Behaviour::PROMPT,
            1 => {
                let column = self.column();
                let status = self
                    .next()
                    .parse()
                    .ok()
                    .filter(|it| (400..600).contains(it));
                let wrong = || {
                    (
                        column,
                        "expected an HTTP status from 400 on".to_owned(),
                        None,
                    )
                };
                Behaviour::Fails {
                    status: status.ok_or_else(wrong)?,
                }
            }
            _ => Behaviour::Hangs,
        })
    }

    /// `open by ana sev2 cart: it is slow`, or `INC-1 by ana: ack`.
    fn incident(&mut self) -> Result<What, Wrong> {
        const HINT: &str =
            "`incident INC-1 by ana: ack` or `incident open by ana sev2 cart: it is slow`";
        let column = self.column();
        let wrong = |why: String| (column, why, Some(HINT));
        let first = self.next();
        let (head, rest) = self.said_by(HINT)?;
        let mut words = head.split_whitespace();
        let by = Person::new(words.next().unwrap_or_default()).map_err(wrong)?;
        if first != "open" {
            return Ok(What::Wishes {
                incident: first.parse().map_err(wrong)?,
                by,
                act: rest.parse().map_err(|why| wrong(format!("{why}")))?,
            });
        }
        let severity = words.next().unwrap_or_default().parse().map_err(wrong)?;
        let opening = Opening {
            title: rest.trim().to_owned(),
            severity,
            service: words.next().map(str::to_owned),
            alerts: Vec::new(),
        };
        Ok(What::Opens { by, opening })
    }

    /// `2026-11 by ana Down: delete it`.
    fn review(&mut self) -> Result<What, Wrong> {
        const HINT: &str = "`review 2026-11 by ana Down: delete it`";
        let column = self.column();
        let month = self.next().to_owned();
        let (head, decision) = self.said_by(HINT)?;
        let (by, about) = head.trim().split_once(' ').unwrap_or((head.trim(), ""));
        Ok(What::Decides {
            month,
            by: Person::new(by).map_err(|why| (column, why, Some(HINT)))?,
            about: about.trim().to_owned(),
            decision: decision.trim().to_owned(),
        })
    }

    /// The rest, from `by` on: what stands before the first `:` and what behind it.
    fn said_by(&mut self, hint: &'static str) -> Result<(&'a str, &'a str), Wrong> {
        let column = self.column();
        self.expect("by")?;
        let rest = self.rest();
        self.at = self.text.len();
        let why = "expected `:` and what is done behind the name";
        rest.split_once(':')
            .ok_or_else(|| (column, why.to_owned(), Some(hint)))
    }

    /// `INC-1 by ana: ack`, `resolve`, `snooze 1h` or `hand_over NAME`.
    fn page(&mut self) -> Result<What, Wrong> {
        const HINT: &str = "`page INC-1 by ana: ack`, `resolve`, `snooze 1h` or `hand_over NAME`";
        let column = self.column();
        let wrong = |why: String| (column, why, Some(HINT));
        let incident = self.next().parse().map_err(wrong)?;
        self.expect("by")?;
        let name = self.next();
        let name = name.strip_suffix(':');
        let by = name.ok_or_else(|| wrong("expected `:` behind the name".to_owned()))?;
        let by = Person::new(by).map_err(wrong)?;
        let act = match self.next() {
            "ack" => PageAct::Acknowledge,
            "resolve" => PageAct::Resolve,
            "snooze" => PageAct::Snooze(self.duration()?),
            "hand_over" => PageAct::HandOver(self.next().into()),
            other => {
                return Err(wrong(format!(
                    "`{other}` is nothing that people do with a page"
                )));
            }
        };
        Ok(What::Answers { incident, by, act })
    }

    /// `shop v42` or `shop v42 in production`.
    fn deploy(&mut self) -> Result<What, Wrong> {
        let column = self.column();
        let (service, version) = (self.next().to_owned(), self.next().to_owned());
        let environment = if self.accept("in") { self.next() } else { "" };
        if version.is_empty() {
            let why = "expected a service and its version".to_owned();
            return Err((column, why, Some(DEPLOY)));
        }
        Ok(What::Deploys {
            service,
            version,
            environment: environment.to_owned(),
        })
    }

    /// `nightly` or `nightly of backup`.
    fn heartbeat(&mut self) -> Result<HeartbeatKey, Wrong> {
        let (column, name) = (self.column(), self.next());
        let service = if self.accept("of") { self.next() } else { "" };
        HeartbeatKey::new(service, name).map_err(|why| (column, why.to_string(), Some(BEAT)))
    }

    /// `nightly of backup every 1d grace 30m severity critical failed no space left`.
    fn beat(&mut self) -> Result<What, Wrong> {
        let key = self.heartbeat()?;
        let column = self.column();
        let every = self.accept("every").then(|| self.duration());
        let grace = self.accept("grace").then(|| self.duration());
        let severity = self.accept("severity").then(|| self.next());
        let expectation = every.transpose()?.map(|every| {
            let grace = grace.unwrap_or(Ok(GRACE))?;
            let labels = Labels::from_pairs(severity.map(|it| ("severity", it)));
            let expected = Expectation::new(every, grace);
            let expected = expected.and_then(|it| it.with(labels, Labels::empty()));
            expected.map_err(|why| (column, why.to_string(), Some(BEAT)))
        });
        let outcome = if self.accept("failed") {
            let why = self.rest().to_owned();
            self.at = self.text.len();
            Outcome::Failed(why)
        } else {
            Outcome::Done
        };
        Ok(What::Beats {
            key,
            outcome,
            expectation: expectation.transpose()?,
        })
    }

    /// `queue-depth of shop by a for 45s`.
    fn lease(&mut self) -> Result<What, Wrong> {
        let column = self.column();
        let (key, holder) = self.leased()?;
        self.expect("for")?;
        let asked = LeaseRequest::new(key, holder, self.duration()?);
        asked.map(What::Leases).map_err(bad_lease(column))
    }

    /// `queue-depth of shop by a`.
    fn release(&mut self) -> Result<What, Wrong> {
        let (key, holder) = self.leased()?;
        Ok(What::Releases(key, holder.to_owned()))
    }

    fn leased(&mut self) -> Result<(LeaseKey, &'a str), Wrong> {
        let (column, name) = (self.column(), self.next());
        let service = if self.accept("of") { self.next() } else { "" };
        self.expect("by")?;
        let key = LeaseKey::new(service, name).map_err(bad_lease(column))?;
        Ok((key, self.next()))
    }

    fn alert(&mut self) -> Result<What, Wrong> {
        let column = self.column();
        let text = self.braces()?;
        let labels = description::labels(text).map_err(|error| (column, error, None))?;
        let is_resolved = self.accept("resolved");
        let lasts = if self.accept("for") {
            Some(self.duration()?)
        } else {
            None
        };
        Ok(What::Alert {
            labels,
            lasts,
            is_resolved,
        })
    }

    fn stop(&mut self, stop: Stop) -> Result<What, Wrong> {
        if !self.accept("after") {
            return Ok(What::Stop {
                stop,
                restarts: self.restarts()?,
            });
        }
        if let (Stop::PowerLoss, Ok(n_writes)) = (stop, self.peek().parse()) {
            self.next();
            self.expect("writes")?;
            return Ok(What::CutDisk {
                n_writes,
                restarts: self.restarts()?,
            });
        }
        let points = [
            ("deciding", CutPoint::BeforeRecording),
            ("recording", CutPoint::BeforeActing),
            ("sending", CutPoint::AfterActing),
        ];
        let point = self.one_of(points, STOPS)?;
        Ok(What::Cut(Cut {
            point,
            stop,
            restarts: self.restarts()?,
        }))
    }

    /// `then restart`
    fn restarts(&mut self) -> Result<bool, Wrong> {
        if self.is_done() {
            return Ok(false);
        }
        self.expect("then")
            .map_err(|(column, message, _)| (column, message, Some(STOPS)))?;
        self.expect("restart")?;
        Ok(true)
    }
}

fn bad_lease(column: usize) -> impl Fn(LeaseRefusal) -> Wrong {
    move |why| (column, why.to_string(), Some(LEASE))
}

const EVENTS: &str = "`series`, `receiver`, `alert`, `silence`, `unsilence`, `kill`, `crash`, \
                      `restart`, `reload`, `disk`, `why`, `history`, `budgets`, `deploy`, `beat`, `forget`, `heartbeats`, `lease`, `release`, `incident`, `page`, `review`, `contact`, or `end` before a time";
const LEASE: &str = "`lease queue-depth of shop by a for 45s`, `release queue-depth of shop by a`";
const DEPLOY: &str = "`deploy shop v42`, or `deploy shop v42 in production`";
const BEAT: &str = "`beat nightly of backup every 1d grace 30m severity critical`, or behind that `failed` and why";
const STOPS: &str = "`kill` or `crash`, alone or with `after deciding`, `after recording` or `after \
                     sending` (in the next step that tells somebody) or, for `crash`, `after 3 \
                     writes`; and `then restart` if it starts again at once";
