//! Queries that want too much, askers who do not wait, and paths: over real sockets.

use std::future::pending;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{MethodRouter, post};
use firebell_model::{Labels, Sample, Timestamp};
use firebell_tsdb::Batch;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::{ASIDE_BYTES, ASIDE_MAX, LARGE_BODIES_MAX, Listening, SMALL_BODY_BYTES};
use crate::clock::Stopwatch;
use crate::flags::{Flags, Overrides};
use crate::serve::{Options, Server};

/// A server with 200 series of 500 samples, a second apart, and narrow limits.
async fn start(overrides: Overrides) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        config_file: None,
        listen: Some(([127, 0, 0, 1], 0).into()),
        data_dir: folder.path().join("data"),
        external_url: None,
        flags: Flags {
            overrides,
            ..Flags::default()
        },
    };
    let server = Server::start(&options).await.unwrap();
    let now = server.app.clock.now();
    let mut batch = Batch::default();
    for idx in 0..200 {
        let labels = Labels::from_pairs([("__name__", "x".to_owned()), ("id", idx.to_string())]);
        let samples = (0..500).map(|secs| Sample {
            at: Timestamp(now.0 - (500 - secs) * 1000),
            value: secs as f64,
        });
        batch.add(labels, &samples.collect::<Vec<_>>());
    }
    server.app.store.append(&batch).unwrap();
    (server, folder)
}

fn client() -> reqwest::Client {
    // A second installation fails, and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|it| it.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_that_want_too_much_are_refused_before_they_take_the_memory() {
    let (server, _folder) = start(Overrides {
        query_timeout: Some(firebell_model::Duration::from_secs(2)),
        query_samples_max: Some(150_000),
        query_series_max: Some(150),
        ..Overrides::default()
    })
    .await;
    let client = client();
    let before = resident();
    let too_many = "query processing would load too many samples into memory in query execution";
    let series =
        "the query selects too many series: 200 match {__name__=\"x\"}, and 150 are allowed";
    let timeout = "query timed out in expression evaluation";
    let narrow = "x{id=~\"1..\"}";
    let chain = vec!["1"; 200_000].join("+");
    for (query, expected) in [
        ("x".to_owned(), series),
        (format!("{narrow}[1h]"), ""),
        (format!("sum_over_time({narrow}[1h:1ms])"), too_many),
        (format!("rate({narrow}[1h])[1000d:1s]"), too_many),
        ("sum_over_time(vector(1)[1000d:1s])".to_owned(), too_many),
        (
            "sum_over_time(sum_over_time(vector(1)[1d:1s])[1d:1s])".to_owned(),
            "",
        ),
        (format!("{narrow} * on() group_left {narrow}"), ""),
        (chain, ""),
    ] {
        let form = format!("query={}", query.replace('+', "%2B"));
        let url = format!("http://{}/api/v1/query", server.address);
        let watch = Stopwatch::start();
        let request = client.post(url).body(form);
        let kind = "application/x-www-form-urlencoded";
        let answer = request.header("content-type", kind).send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        let shown: String = query.chars().take(80).collect();
        assert!(watch.elapsed() < Duration::from_secs(10), "{shown}");
        assert!([200, 400, 422, 503].contains(&status), "{shown}: {status}");
        assert_eq!(
            status == 503,
            body.contains(timeout),
            "{shown}: {body:.300}"
        );
        let body = body.replace('\\', "");
        assert!(body.contains(expected), "{shown}: {body:.300}");
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 256 << 20, "{} MiB", grown >> 20);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asker_who_goes_away_ends_the_evaluation() {
    let (server, _folder) = start(Overrides {
        query_concurrency_max: Some(1),
        query_samples_max: Some(usize::MAX),
        ..Overrides::default()
    })
    .await;
    // Long enough that it would not end in the time of this test.
    let query = "sum_over_time(quantile_over_time(0.5,vector(1)[3d:1s])[1h:1s])";
    let free = || server.app.slots.queries.available_permits();
    let mut socket = TcpStream::connect(server.address).unwrap();
    let request = format!("GET /api/v1/query?query={query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    wait_until("the query runs", || free() == 0).await;
    // Who comes meanwhile waits for as long as its own time allows.
    let client = client();
    let url = format!(
        "http://{}/api/v1/query?query=1&timeout=100ms",
        server.address
    );
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    let body = answer.text().await.unwrap();
    assert!(body.contains("query timed out in query queue"), "{body}");
    assert_eq!(free(), 0, "the query still runs");
    drop(socket);
    wait_until("the query has ended", || free() == 1).await;
    let url = format!("http://{}/api/v1/query?query=1", server.address);
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    server.stop().await.unwrap();
}

/// Serves a path as all others are served, by `handler`, on a thread of its own called `http`.
async fn serve(server: &Server, handler: MethodRouter) -> (Listening, String) {
    let limit = middleware::from_fn_with_state(server.app.clone(), super::limit);
    let router = Router::new().route("/", handler).layer(limit);
    let router = router.layer(DefaultBodyLimit::disable());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (ready, runtime) = (
        Arc::new(OnceLock::from(router)),
        Builder::new_current_thread(),
    );
    let listening = Listening::start(vec![listener], &ready, runtime).unwrap();
    let url = format!("http://{}", listening.addresses[0]);
    (listening, url)
}

#[tokio::test]
async fn a_body_that_takes_time_is_read_on_another_thread_than_the_one_that_serves() {
    let (server, _folder) = start(Overrides::default()).await;
    let thread = async |body: Bytes| {
        let thread = std::thread::current();
        format!("{} {}", body.len(), thread.name().unwrap_or_default())
    };
    let (listening, url) = serve(&server, post(thread)).await;
    let client = client();
    for (n_bytes, is_aside) in [
        (0, false),
        // A hundred alerts.
        (33 << 10, false),
        (ASIDE_BYTES, false),
        (ASIDE_BYTES + 1, true),
        (SMALL_BODY_BYTES + 1, true),
        (22 << 20, true),
    ] {
        let request = client.post(&url).body(vec![b'x'; n_bytes]);
        let answer = request.send().await.unwrap().text().await.unwrap();
        let (read, thread) = answer.split_once(' ').unwrap();
        assert_eq!(read, n_bytes.to_string());
        assert_eq!(thread != "http", is_aside, "{n_bytes} bytes: `{thread}`");
    }
    // Of a body in parts nobody knows before its end how long it is.
    let address = listening.addresses[0];
    let mut socket = TcpStream::connect(address).unwrap();
    let head =
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    write!(socket, "{head}1\r\nx\r\n0\r\n\r\n").unwrap();
    let mut lines = BufReader::new(socket).lines().map(Result::unwrap);
    let answer = lines.find(|it| it.starts_with("1 ")).unwrap();
    assert_ne!(answer, "1 http");
    let slots = &server.app.slots;
    wait_until("what was held is given back", || {
        let free = (
            slots.aside.available_permits(),
            slots.large_bodies.available_permits(),
        );
        free == (ASIDE_MAX, LARGE_BODIES_MAX)
    })
    .await;
    drop(listening);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_panic_ends_its_connection_and_nothing_else_wherever_it_is_served() {
    let (server, _folder) = start(Overrides::default()).await;
    let handler = async |body: Bytes| match body.first() {
        Some(b'!') => panic!("as the test wants it"),
        _ => "well",
    };
    let (listening, url) = serve(&server, post(handler)).await;
    for n_bytes in [1, ASIDE_BYTES + 1] {
        let send = |byte: u8| client().post(&url).body(vec![byte; n_bytes]).send();
        assert!(send(b'!').await.is_err(), "{n_bytes} bytes");
        let answer = send(b'x').await.unwrap().text().await.unwrap();
        assert_eq!(answer, "well", "{n_bytes} bytes");
    }
    drop(listening);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_served_aside_ends_when_nobody_waits_for_it() {
    let (server, _folder) = start(Overrides::default()).await;
    let awaited = Arc::new(());
    let held = Arc::clone(&awaited);
    let never = move |_: Bytes| {
        let held = Arc::clone(&held);
        async move {
            let _held = held;
            pending::<&'static str>().await
        }
    };
    let (listening, url) = serve(&server, post(never)).await;
    let request = client().post(&url).body(vec![b'x'; SMALL_BODY_BYTES + 1]);
    let asking = tokio::spawn(request.send());
    // One in this test, one in the handler, and one in what runs.
    wait_until("it runs", || Arc::strong_count(&awaited) > 2).await;
    let slots = &server.app.slots;
    assert_eq!(slots.large_bodies.available_permits(), LARGE_BODIES_MAX - 1);
    asking.abort();
    wait_until("it has ended", || {
        let is_free = slots.aside.available_permits() == ASIDE_MAX;
        is_free && Arc::strong_count(&awaited) == 2
    })
    .await;
    assert_eq!(slots.large_bodies.available_permits(), LARGE_BODIES_MAX);
    drop(listening);
    server.stop().await.unwrap();
}

async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: not within ten seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_prefix_stands_before_every_path() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        config_file: None,
        listen: Some(([127, 0, 0, 1], 0).into()),
        data_dir: folder.path().join("data"),
        external_url: None,
        flags: Flags {
            route_prefix: "/bell".to_owned(),
            ..Flags::default()
        },
    };
    let server = Server::start(&options).await.unwrap();
    let client = client();
    for (path, expected) in [
        ("/", "Firebell"),
        ("/bell/", "Firebell"),
        ("/graph", "Firebell"),
        ("/bell/-/ready", "Firebell is Ready."),
        ("/bell/api/v1/query?query=1", "scalar"),
    ] {
        let url = format!("http://{}{path}", server.address);
        let answer = client.get(url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        let body = answer.text().await.unwrap();
        assert!(body.contains(expected), "{path}: {body:.200}");
    }
    let url = format!("http://{}/bell?a=b", server.address);
    let answer = client.get(url).send().await.unwrap();
    let (path, query) = (answer.url().path(), answer.url().query());
    assert_eq!(
        (path, query),
        ("/bell/", Some("a=b")),
        "files lie beside it"
    );
    server.stop().await.unwrap();
}
