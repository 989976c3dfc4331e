//! A running server as lints ask it: each question once, a few at the same time, within limits.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use clap::Args;
use firebell_config::OnlineRequest;
use firebell_lint::{Question, Refused, Reply, Server, ServerRule, Silence, Track, Vector};
use firebell_model::{Duration, Timestamp};
use firebell_server::{Remote, RemoteAnswer, RemoteError};
use firebell_wire::answers::{self, Failure};

/// The server that is asked, and how.
#[derive(Args)]
pub(super) struct Options {
    /// A running Firebell, Prometheus or alike, whose series the rules are judged by.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A header of each request, such as 'Authorization: Bearer TOKEN'; may be given again.
    #[arg(long, value_name = "NAME: VALUE", requires = "server")]
    server_header: Vec<String>,
    /// How long one question may take.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        requires = "server"
    )]
    server_timeout: Duration,
    /// How many questions are asked at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, requires = "server",
          value_parser = clap::value_parser!(u16).range(1..=64))]
    server_concurrency: u16,
    /// Over which time alerts are tried.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "3d",
        requires = "server"
    )]
    window: Duration,
}

/// A server that is asked.
pub(super) struct Asked {
    remote: Remote,
    timeout: std::time::Duration,
    now: Timestamp,
    known: Mutex<BTreeMap<Question, Arc<OnceLock<Answer>>>>,
    /// Times in a row that it could not be reached, or answered too late.
    n_down: AtomicUsize,
    down: OnceLock<String>,
    n_asked: AtomicU64,
}

type Answer = Result<Arc<Reply>, Refused>;

impl Options {
    /// The server, if one is to be asked.
    ///
    /// # Errors
    /// What is wrong with the options.
    pub(super) fn server(&self, now: Timestamp) -> Result<Option<Asked>, String> {
        let Some(url) = &self.server else {
            return Ok(None);
        };
        for (name, duration) in [
            ("--window", self.window),
            ("--server-timeout", self.server_timeout),
        ] {
            if duration <= Duration::ZERO || duration > WINDOW_MAX {
                return Err(format!(
                    "{name} has to be longer than 0 and at most {WINDOW_MAX}"
                ));
            }
        }
        let timeout = self.server_timeout.to_std();
        Ok(Some(Asked {
            remote: Remote::new(url, &self.server_header, timeout)?,
            timeout,
            now,
            known: Mutex::default(),
            n_down: AtomicUsize::new(0),
            down: OnceLock::new(),
            n_asked: AtomicU64::new(0),
        }))
    }

    /// What is asked of it.
    pub(super) fn request<'r>(
        &self,
        server: &'r Asked,
        progress: &'r (dyn Fn(usize) + Sync),
    ) -> OnlineRequest<'r> {
        OnlineRequest {
            name: server.remote.name(),
            server,
            window: self.window,
            n_at_once: usize::from(self.server_concurrency),
            progress,
        }
    }
}

/// Says on a terminal how far it is.
pub(super) fn show_progress(n_done: usize) {
    if std::io::stderr().is_terminal() {
        let mut out = std::io::stderr().lock();
        // Nobody misses it.
        let _ = write!(out, "\r{n_done} rules asked about\x1b[K");
        let _ = out.flush();
    }
}

/// Takes away what [`show_progress`] has written.
pub(super) fn end_progress() {
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}

impl Asked {
    /// How many questions it was asked.
    pub(super) fn n_asked(&self) -> u64 {
        self.n_asked.load(Ordering::Relaxed)
    }

    fn answer(&self, question: &Question) -> Answer {
        if let Some(why) = self.down.get() {
            return Err(Refused::Down(why.clone()));
        }
        self.n_asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.put(question).map(Arc::new);
        match &answer {
            Err(Unanswered {
                why: Refused::Down(why) | Refused::Costly(why),
                is_of_server: true,
            }) => {
                if self.n_down.fetch_add(1, Ordering::Relaxed) + 1 >= DOWN_MAX {
                    self.down.get_or_init(|| why.clone());
                }
            }
            _ => self.n_down.store(0, Ordering::Relaxed),
        }
        answer.map_err(|it| it.why)
    }

    fn put(&self, question: &Question) -> Result<Reply, Unanswered> {
        match question {
            Question::Instant(expr) => self.instant(expr),
            Question::Range {
                expr,
                start,
                end,
                step,
            } => {
                let (start, end) = (seconds(*start), seconds(*end));
                let step = step.as_secs_f64().to_string();
                let params = [
                    ("query", &**expr),
                    ("start", &start),
                    ("end", &end),
                    ("step", &step),
                ];
                let body = self.ask("/api/v1/query_range", &params, true)?;
                let tracks = answers::read_range_result(&body)?.into_iter();
                let tracks = tracks.map(|(labels, samples)| Track { labels, samples });
                Ok(Reply::Matrix(tracks.collect()))
            }
            Question::Values { label, of, since } => self.words(
                &format!("/api/v1/label/{label}/values"),
                of.as_deref(),
                *since,
            ),
            Question::Names { of, since } => self.words("/api/v1/labels", Some(of), *since),
            Question::Config => {
                let yaml = self.ask("/api/v1/status/config", &[], false)?;
                let yaml = answers::read_text(&yaml, "yaml")?;
                let info = self.ask("/api/v1/status/runtimeinfo", &[], false);
                let retention = info
                    .ok()
                    .and_then(|it| answers::read_text(&it, "storageRetention").ok());
                Ok(Reply::Words(vec![yaml, retention.unwrap_or_default()]))
            }
            Question::Rules => {
                let body = self.ask("/api/v1/rules", &[], false)?;
                let rules = answers::read_rules(&body)?
                    .into_iter()
                    .map(|it| ServerRule {
                        group: it.group,
                        name: it.name,
                        is_alerting: it.is_alerting,
                        query: it.query,
                        labels: it.labels,
                    });
                Ok(Reply::Rules(rules.collect()))
            }
            Question::Silences => self.silences(),
            Question::Unconfirmed => {
                let body = self.ask("/api/firebell/v1/oncall", &[], false)?;
                Ok(Reply::Contacts(answers::read_unconfirmed(&body)?))
            }
        }
    }

    fn instant(&self, expr: &str) -> Result<Reply, Unanswered> {
        let now = seconds(self.now);
        let params = [("query", expr), ("time", &now), ("stats", "all")];
        let watch = Watch::start();
        let body = self.ask("/api/v1/query", &params, true)?;
        let waited = watch.seconds();
        let result = answers::read_instant_result(&body)?;
        Ok(Reply::Vector(Vector {
            series: result.series,
            samples: result.samples,
            seconds: result.seconds.unwrap_or(waited),
        }))
    }

    /// Its own silences, and those of the Alertmanagers that it sends its alerts to.
    fn silences(&self) -> Result<Reply, Unanswered> {
        let own = self.ask(SILENCES, &[], false);
        let own = own.and_then(|body| Ok(answers::read_active_silences(&body)?));
        let known = self.ask("/api/v1/alertmanagers", &[], false);
        let known = known.and_then(|body| Ok(answers::read_alertmanagers(&body)?));
        let elsewhere = known.unwrap_or_default().into_iter();
        let elsewhere = elsewhere.take(ALERTMANAGERS_MAX).map(|url| {
            let base = url.strip_suffix("/api/v2/alerts").unwrap_or(&url);
            // Without the headers, which are a secret between us and the server.
            let remote = Remote::new(base, &[], self.timeout).ok()?;
            let answer = remote.ask(SILENCES, &[], false).ok()?;
            answers::read_active_silences(&answer.body).ok()
        });
        let elsewhere: Vec<_> = elsewhere.flatten().collect();
        let all = match own {
            Err(why) if elsewhere.is_empty() => return Err(why),
            own => own.into_iter().chain(elsewhere).flatten(),
        };
        // Members of a cluster have the same.
        let silences: BTreeMap<String, Silence> = all
            .map(|it| Silence {
                id: it.id,
                created_by: it.created_by,
                matchers: it.matchers,
            })
            .map(|it| (it.id.clone(), it))
            .collect();
        Ok(Reply::Silences(silences.into_values().collect()))
    }

    fn words(&self, path: &str, of: Option<&str>, since: Timestamp) -> Result<Reply, Unanswered> {
        let (start, end) = (seconds(since), seconds(self.now));
        let mut params = vec![("start", &*start), ("end", &*end)];
        params.extend(of.map(|it| ("match[]", it)));
        let body = self.ask(path, &params, false)?;
        Ok(Reply::Words(answers::read_words(&body)?))
    }

    /// The body of an answer that may be one of the API.
    fn ask(
        &self,
        path: &str,
        params: &[(&str, &str)],
        is_post: bool,
    ) -> Result<Vec<u8>, Unanswered> {
        let RemoteAnswer { status, body } = self.remote.ask(path, params, is_post)?;
        // Errors of the API are JSON, and say more than the status.
        if status == 200 || body.first() == Some(&b'{') {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES_MAX)]);
        Err(Unanswered {
            why: Refused::Down(format!("status {status}: {}", text.trim())),
            // What is not there may be missing in this server only.
            is_of_server: !matches!(status, 404 | 405 | 501),
        })
    }
}

impl Server for Asked {
    fn ask(&self, question: &Question) -> Answer {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(question.clone()).or_default())
        };
        let answer = cell.get_or_init(|| self.answer(question)).clone();
        // What is large is not kept: it is seldom asked for again.
        if answer.as_deref().is_ok_and(is_large) {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.remove(question);
        }
        answer
    }
}

fn is_large(reply: &Reply) -> bool {
    match reply {
        Reply::Vector(vector) => vector.series.len() > KEPT_SERIES_MAX,
        Reply::Matrix(tracks) => tracks.len() > 1,
        _ => false,
    }
}

/// Why there is no reply, and whether that is so of every question.
struct Unanswered {
    why: Refused,
    is_of_server: bool,
}

impl From<RemoteError> for Unanswered {
    fn from(error: RemoteError) -> Self {
        let text = error.to_string();
        // What takes too long may be the question's fault, but not again and again.
        let (why, is_of_server) = match error {
            RemoteError::Unreachable(why) => (Refused::Down(why), true),
            RemoteError::Late(_) => (Refused::Costly(text), true),
            RemoteError::TooLong(_) => (Refused::Costly(text), false),
        };
        Self { why, is_of_server }
    }
}

impl From<Failure> for Unanswered {
    fn from(Failure { kind, message }: Failure) -> Self {
        let is_costly = COSTLY.iter().any(|word| message.contains(word));
        let why = match &*kind {
            "timeout" | "canceled" => Refused::Costly(message),
            "execution" if is_costly => Refused::Costly(message),
            "bad_data" | "execution" | "422" => Refused::Fails(message),
            _ => Refused::Down(message),
        };
        Self {
            why,
            is_of_server: false,
        }
    }
}

fn seconds(at: Timestamp) -> String {
    format!("{}.{:03}", at.0.div_euclid(1000), at.0.rem_euclid(1000))
}

struct Watch(Instant);

impl Watch {
    #[expect(clippy::disallowed_methods, reason = "says how long a server takes")]
    fn start() -> Self {
        Self(Instant::now())
    }

    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// What a server says of an expression that it gives up.
const COSTLY: &[&str] = &["too many samples", "timed out", "limit", "exceed"];
/// A server that does not answer so often in a row is asked no more.
const DOWN_MAX: usize = 3;
const SILENCES: &str = "/api/v2/silences";
/// So many Alertmanagers of a server are asked for their silences.
const ALERTMANAGERS_MAX: usize = 8;
const SHOWN_BYTES_MAX: usize = 200;
/// Results of more series are not kept for who asks again.
const KEPT_SERIES_MAX: usize = 100;
const WINDOW_MAX: Duration = Duration::from_hours(24 * 365);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_late_again_and_again_is_down() {
        let is_of_server = |error: RemoteError| Unanswered::from(error).is_of_server;
        assert!(is_of_server(RemoteError::Unreachable("refused".to_owned())));
        assert!(is_of_server(RemoteError::Late(
            std::time::Duration::from_secs(1)
        )));
        assert!(!is_of_server(RemoteError::TooLong(9)));
    }

    #[test]
    fn what_a_server_refuses_says_whose_fault_it_is() {
        let told = |kind: &str, message: &str| {
            let failure = Failure {
                kind: kind.to_owned(),
                message: message.to_owned(),
            };
            match Unanswered::from(failure).why {
                Refused::Down(_) => "server",
                Refused::Costly(_) => "cost",
                Refused::Fails(_) => "rule",
            }
        };
        for (kind, message, expected) in [
            ("bad_data", "parse error", "rule"),
            (
                "execution",
                "found duplicate series for the match group",
                "rule",
            ),
            (
                "execution",
                "query processing would load too many samples",
                "cost",
            ),
            (
                "timeout",
                "query timed out in expression evaluation",
                "cost",
            ),
            ("internal", "no such block", "server"),
            ("", "the answer is none of a Prometheus API", "server"),
        ] {
            assert_eq!(told(kind, message), expected, "{kind} {message}");
        }
    }
}
