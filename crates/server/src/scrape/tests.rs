//! Targets over HTTP: what they are asked, and what is stored of their answers.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use firebell_disk::MemoryDisk;
use firebell_model::{Source as _, TimeRange, Timestamp, is_stale};

use super::lock;
use crate::flags::Flags;
use crate::serve::{Options, Server};

/// A target that answers everybody the same, and knows what it was asked last.
#[derive(Clone)]
struct Answers {
    port: u16,
    status: StatusCode,
    body: &'static str,
    /// After which time it answers.
    delay: Duration,
    asked: Arc<Mutex<HeaderMap>>,
}

impl Answers {
    async fn serve(status: u16, body: &'static str) -> Self {
        Self::serve_after(Duration::ZERO, status, body).await
    }

    async fn serve_after(delay: Duration, status: u16, body: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answers = Self {
            port: listener.local_addr().unwrap().port(),
            status: StatusCode::from_u16(status).unwrap(),
            body,
            delay,
            asked: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(answers.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        answers
    }
}

async fn answer(State(answers): State<Answers>, headers: HeaderMap) -> impl IntoResponse {
    *lock(&answers.asked) = headers;
    tokio::time::sleep(answers.delay).await;
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (answers.status, kind, answers.body)
}

/// A server that scrapes.
struct Scraping {
    server: Server,
    folder: tempfile::TempDir,
}

impl Scraping {
    async fn start(config: &str, flags: Flags) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("firebell.yml");
        std::fs::write(&file, config).unwrap();
        let options = Options {
            config_file: Some(file),
            listen: Some(([127, 0, 0, 1], 0).into()),
            data_dir: "unused".into(),
            external_url: None,
            flags,
        };
        let disk = Arc::new(MemoryDisk::default());
        let server = Server::start_on(&options, || Ok(disk)).await.unwrap();
        Self { server, folder }
    }

    async fn reload(&self, config: &str) {
        std::fs::write(self.folder.path().join("firebell.yml"), config).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/-/reload", self.server.address);
        let answer = client.post(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// The values of each series in order of time, `-` for a stale marker; a value that stays is
    /// said once.
    fn stored(&self) -> String {
        let all = TimeRange {
            after: Timestamp(0),
            until: Timestamp::MAX,
        };
        let mut text = String::new();
        for series in self.server.app.store.view().select(&[], all).unwrap() {
            let mut samples = Vec::new();
            series.samples(all, &mut samples).unwrap();
            let mut values: Vec<String> = Vec::new();
            for sample in samples {
                values.push(match is_stale(sample.value) {
                    true => "-".to_owned(),
                    false => sample.value.to_string(),
                });
            }
            values.dedup();
            let name = series.labels().metric_name();
            writeln!(text, "{name} {}", values.join(" ")).unwrap();
        }
        text
    }

    /// Waits until a series ends with these values.
    async fn wait_for(&self, series: &str, end: &str) {
        for _ in 0..400 {
            let text = self.stored();
            let mut own = text.lines().filter_map(|it| it.split_once(' '));
            if own.any(|(name, values)| name == series && values.ends_with(end)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("waited for `{series} {end}` in vain:\n{}", self.stored());
    }

    /// Why targets are down.
    fn errors(&self) -> Vec<String> {
        let running = lock(&self.server.app.scraper.0.running);
        let states = running
            .values()
            .map(|it| lock(&it.state).last_error.clone());
        states.collect()
    }
}

fn config(port: u16, options: &str) -> String {
    format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         storage: {{out_of_order_window: 1h}}\n\
         scrape_configs: [{{job_name: shop, {options}, static_configs: \
         [{{targets: ['127.0.0.1:{port}'], labels: {{instance: a}}}}]}}]"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reload_moves_goes_on_and_what_it_takes_away_ends_later() {
    let old = Answers::serve(200, "both 1\nold 1\n").await;
    let slow = Duration::from_millis(150);
    let new = Answers::serve_after(slow, 200, "both 1\nnew 1\n").await;
    let bell = Scraping::start(&config(old.port, "params: {a: [b]}"), Flags::default()).await;
    bell.wait_for("both", "1").await;
    bell.reload(&config(new.port, "params: {a: [c]}")).await;
    bell.wait_for("old", "1 -").await;
    let text = bell.stored();
    let is_there = |line| text.lines().any(|it| it == line);
    assert!(is_there("both 1") && is_there("up 1"), "{text}");
    assert!(is_there("new 1"), "it had the time to come: {text}");
    bell.reload("{}").await;
    bell.wait_for("up", "1 -").await;
    bell.wait_for("both", "1 -").await;
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_is_up_when_it_answers_with_status_200_and_less_than_the_limit() {
    for (status, limit, expected) in [
        (200, "5B", ""),
        (200, "4B", "body size limit exceeded"),
        (206, "5B", "server returned HTTP status 206 Partial Content"),
    ] {
        let target = Answers::serve(status, "a 1\n").await;
        let options = format!("body_size_limit: {limit}");
        let bell = Scraping::start(&config(target.port, &options), Flags::default()).await;
        bell.wait_for("up", if expected.is_empty() { "1" } else { "0" })
            .await;
        assert_eq!(bell.errors(), [expected]);
        bell.server.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_is_asked_for_names_and_encodings_that_the_job_takes() {
    for (options, spelled, encoding) in [
        ("scheme: http", "allow-utf-8", "gzip"),
        (
            "metric_name_escaping_scheme: values, enable_compression: false",
            "values",
            "identity",
        ),
    ] {
        let target = Answers::serve(200, "a 1\n").await;
        let bell = Scraping::start(&config(target.port, options), Flags::default()).await;
        bell.wait_for("a", "1").await;
        let asked = lock(&target.asked).clone();
        assert_eq!(asked["accept-encoding"], encoding);
        let accept = asked["accept"].to_str().unwrap();
        let spelled = format!("text/plain;version=1.0.0;escaping={spelled};q=0.4");
        assert!(accept.contains(&spelled), "{accept}");
        bell.server.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_sizes_are_series_where_they_are_asked_for() {
    let target = Answers::serve(200, "a 1\n").await;
    let flags = Flags {
        features: ["extra-scrape-metrics".to_owned()].into(),
        ..Flags::default()
    };
    for (flags, options, expected) in [
        (flags.clone(), "sample_limit: 7", Some((7, 4))),
        (flags, "body_size_limit: 3B", Some((0, -1))),
        (Flags::default(), "extra_scrape_metrics: true", Some((0, 4))),
        (Flags::default(), "scheme: http", None),
    ] {
        let bell = Scraping::start(&config(target.port, options), flags).await;
        let is_up = expected.is_none_or(|(_, bytes)| bytes > 0);
        bell.wait_for("up", if is_up { "1" } else { "0" }).await;
        let lines = expected.map(|(samples, bytes)| {
            format!("scrape_body_size_bytes {bytes}\nscrape_sample_limit {samples}\n")
        });
        let stored = bell.stored();
        let wanted = ["scrape_body", "scrape_sample_limit"];
        let extra = stored
            .lines()
            .filter(|it| wanted.iter().any(|name| it.starts_with(name)));
        let extra: String = extra.map(|it| format!("{it}\n")).collect();
        assert_eq!(extra, lines.unwrap_or_default());
        let has_timeout = stored.contains("scrape_timeout_seconds 1\n");
        assert_eq!(has_timeout, expected.is_some());
        bell.server.stop().await.unwrap();
    }
}
