//! People's queries over a cluster that runs in this process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use expect_test::expect;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::serve::{Options, Server};

/// A server whose series are in a cluster that answers as it is told.
struct Bell {
    server: Server,
    client: reqwest::Client,
    /// The requests that the cluster got.
    asked: Arc<Mutex<Vec<String>>>,
    source: String,
    _folder: tempfile::TempDir,
}

impl Bell {
    /// `answer` gets the query of a request, as it is in the address.
    async fn start(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&asked);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = listener.local_addr().unwrap();
        let router = Router::new().fallback(async move |request: Request| {
            let asked = format!("{} {}", request.method(), request.uri().path());
            known.lock().unwrap().push(asked);
            answer(request.uri().query().unwrap_or_default())
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("firebell.yml");
        let text = format!("source: {{prometheus: {{url: 'http://me:s3cret@{source}/prom'}}}}");
        std::fs::write(&config, text).unwrap();
        let options = Options {
            config_file: Some(config),
            listen: Some(([127, 0, 0, 1], 0).into()),
            data_dir: folder.path().join("data"),
            external_url: None,
            flags: crate::flags::Flags::default(),
        };
        Self {
            server: Server::start(&options).await.unwrap(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            asked,
            source: source.to_string(),
            _folder: folder,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1/{path}", self.server.address)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let response = self.client.get(self.url(path)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

fn json_of(body: impl Into<Vec<u8>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, body.into()).into_response()
}

#[test]
fn only_what_is_about_series_goes_to_the_cluster() {
    for (path, expected) in [
        ("/api/v1/query", true),
        ("/api/v1/query_range", true),
        ("/api/v1/label/job/values", true),
        ("/api/v1/label/a/b/values", false),
        ("/api/v1/format_query", false),
        ("/api/v1/parse_query", false),
        ("/api/v1/rules", false),
        ("/api/v1/write", false),
        ("/api/v1/admin/tsdb/snapshot", false),
        ("/api/v1/query/../rules", false),
        ("/api/v2/alerts", false),
    ] {
        assert_eq!(is_forwarded(path), expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_asks_the_cluster_as_get_does_and_expressions_are_formatted_here() {
    let bell = Bell::start(|_| json_of(r#"{"status":"success","data":[]}"#)).await;
    let formatted = bell.get("format_query?query=a%2Bb").await;
    let expected = r#"{"status":"success","data":"a + b"}"#;
    assert_eq!(formatted, (200, expected.to_owned()));
    assert!(bell.asked.lock().unwrap().is_empty());

    let head = bell.client.head(bell.url("query?query=up")).send().await;
    let head = head.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-length"], "30");
    assert_eq!(head.text().await.unwrap(), "");
    assert_eq!(*bell.asked.lock().unwrap(), ["GET /prom/api/v1/query"]);
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_answers_that_nobody_reads_leave_room_for_small_ones_and_take_no_more() {
    let bell = Bell::start(|query| {
        let n_bytes = if query.contains("large") { LARGE } else { 10 };
        json_of(format!(r#"{{"data":"{}"}}"#, "a".repeat(n_bytes)))
    })
    .await;
    // Room for one of them.
    let all = Arc::clone(&bell.server.app.slots.answers);
    let others = u32::try_from(ANSWERS_BYTES_MAX - LARGE - LARGE / 2).unwrap();
    let _others = Arc::clone(&all).try_acquire_many_owned(others).unwrap();
    let n_free = all.available_permits();
    let mut stuck = TcpStream::connect(bell.server.address).await.unwrap();
    let request = "GET /api/v1/query?query=large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    stuck.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    stuck.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");

    let (status, body) = bell.get("query?query=large").await;
    assert_eq!(status, 503, "{}", body.len());
    assert!(body.contains("too large together"), "{body}");
    assert_eq!(bell.get("query?query=small").await.0, 200);
    drop(stuck);
    for _ in 0..200 {
        if all.available_permits() == n_free {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (status, body) = bell.get("query?query=large").await;
    assert_eq!((status, body.len()), (200, LARGE + 11));
    assert_eq!(all.available_permits(), n_free);
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_whole_answer_is_an_error_that_says_where_it_came_from() {
    let long = format!(r#"{{"data":"{}"#, "a".repeat(2 * ASIDE_BYTES));
    let bodies = move |query: &str| match query {
        "query=cut" => json_of(r#"{"status":"success","data":{"resultTy"#),
        "query=cut_late" => json_of(long.clone()),
        "query=empty" => json_of(""),
        "query=html" => json_of("<html>busy</html>"),
        "query=list" => json_of("[]"),
        "query=text" => "busy".into_response(),
        _ => {
            let refused = r#"{"status":"error","errorType":"execution","error":"too many"}"#;
            (StatusCode::UNPROCESSABLE_ENTITY, json_of(refused)).into_response()
        }
    };
    let bell = Bell::start(bodies).await;
    let mut shown = String::new();
    for query in ["cut", "empty", "html", "list", "text", "refused"] {
        let (status, body) = bell.get(&format!("query?query={query}")).await;
        shown += &format!(
            "{query}: {status} {}\n",
            body.replace(&bell.source, "SOURCE")
        );
    }
    expect![[r#"
        cut: 503 {"status":"error","errorType":"unavailable","error":"failed to query the source: http://SOURCE: the answer is none of a Prometheus API: EOF while parsing a string at line 1 column 37: 200 OK: {\"status\":\"success\",\"data\":{\"resultTy"}
        empty: 503 {"status":"error","errorType":"unavailable","error":"failed to query the source: http://SOURCE: the answer is none of a Prometheus API: EOF while parsing a value at line 1 column 0: 200 OK: "}
        html: 503 {"status":"error","errorType":"unavailable","error":"failed to query the source: http://SOURCE: the answer is none of a Prometheus API: expected value at line 1 column 1: 200 OK: <html>busy</html>"}
        list: 503 {"status":"error","errorType":"unavailable","error":"failed to query the source: http://SOURCE: the answer is none of a Prometheus API: it is no JSON object: 200 OK: []"}
        text: 503 {"status":"error","errorType":"unavailable","error":"failed to query the source: http://SOURCE: 200 OK: busy"}
        refused: 422 {"status":"error","errorType":"execution","error":"too many"}
    "#]]
    .assert_eq(&shown);
    let (status, body) = bell.get("query?query=cut_late").await;
    assert_eq!((status, body.len() < 1000), (503, true), "{body}");
    bell.server.stop().await.unwrap();
}

/// More than the system and the server keep for a connection.
const LARGE: usize = 16 << 20;
