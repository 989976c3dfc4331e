//! Spans and log records: sent, found, kept over a restart.

use std::io::Write as _;

use serde_json::{Value, json};

use super::{Bell, options_in};
use crate::serve::{Options, Server};

/// The trace that [`send`] sends.
pub(super) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Sends a trace of two spans, one of which failed, and a log record within it.
pub(super) async fn send(bell: &Bell) {
    let span = |id: &str, parent: &str, name: &str, times: [&str; 2], code: u8| {
        json!({"traceId": TRACE, "spanId": id, "parentSpanId": parent, "name": name, "kind": 2,
            "startTimeUnixNano": times[0], "endTimeUnixNano": times[1],
            "attributes": [{"key": "http.route", "value": {"stringValue": "/pay/{id}"}}],
            "events": [{"timeUnixNano": times[0], "name": "retry"}],
            "links": [{"traceId": TRACE, "spanId": id}],
            "status": {"code": code, "message": "no luck"}})
    };
    let spans = [
        span(
            "b7ad6b7169203331",
            "",
            "POST /pay",
            ["1790000000000000000", "1790000000250000000"],
            0,
        ),
        span(
            "00f067aa0ba902b7",
            "b7ad6b7169203331",
            "bank",
            ["1790000000100000000", "1790000000200000000"],
            2,
        ),
        span("0000000000000000", "", "nothing", ["1", "2"], 0),
    ];
    let resource =
        json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let traces =
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]});
    let (status, answer) = post(bell, "/v1/traces", &traces).await;
    let why = "a span needs a trace id of 16 bytes and an id of 8, not all zero";
    let partial = json!({"partialSuccess": {"rejectedSpans": "1", "errorMessage": why}});
    assert_eq!((status, answer), (200, partial));
    let record = json!({"timeUnixNano": "1790000000150000000", "severityNumber": 17,
        "body": {"stringValue": "The bank is away"}, "traceId": TRACE, "spanId": "00f067aa0ba902b7"});
    let logs = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record, {}]}]}]});
    assert_eq!(post(bell, "/v1/logs", &logs).await, (200, json!({})));
}

/// Posts JSON, compressed.
async fn post(bell: &Bell, path: &str, body: &Value) -> (u16, Value) {
    let fast = flate2::Compression::fast();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), fast);
    encoder.write_all(body.to_string().as_bytes()).unwrap();
    let request = bell
        .client
        .post(bell.url(path))
        .body(encoder.finish().unwrap());
    let request = request.header("content-type", "application/json");
    let (status, _, text) = bell.send(request.header("content-encoding", "gzip")).await;
    (status, serde_json::from_str(&text).unwrap())
}

async fn get(bell: &Bell, path: &str) -> (u16, Value) {
    let (status, _, text) = bell.get(&format!("/api/firebell/v1{path}")).await;
    (status, serde_json::from_str(&text).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_and_log_records_are_taken_found_and_kept_over_a_restart() {
    let bell = Bell::start().await;
    send(&bell).await;
    let (status, before) = get(&bell, &format!("/traces/{TRACE}")).await;
    assert_eq!(status, 200, "{before}");
    assert_eq!(before["durationMs"], 250.0);
    let told = |span: &Value| {
        json!([
            span["name"],
            span["service"],
            span["offsetMs"],
            span["failure"]
        ])
    };
    let spans: Vec<Value> = before["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(told)
        .collect();
    assert_eq!(
        spans,
        [
            json!(["POST /pay", "shop", 0.0, null]),
            json!(["bank", "shop", 100.0, "no luck"])
        ]
    );
    assert_eq!(before["logs"][0]["body"], "The bank is away");
    assert_eq!(before["logs"][0]["severity"], "error");

    let options = Options {
        data_dir: bell.folder.path().join("again"),
        ..options_in(bell.folder.path())
    };
    for name in ["spans", "logs"] {
        let from = bell.folder.path().join("data").join(name);
        std::fs::create_dir_all(options.data_dir.join(name)).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            let to = options.data_dir.join(name).join(file.file_name());
            std::fs::copy(file.path(), to).unwrap();
        }
    }
    bell.server.stop().await.unwrap();
    let server = Server::start(&options).await.unwrap();
    let bell = Bell { server, ..bell };
    assert_eq!(get(&bell, &format!("/traces/{TRACE}")).await, (200, before));
    check_questions(&bell).await;
    bell.server.stop().await.unwrap();
}

async fn check_questions(bell: &Bell) {
    for (path, expected) in [
        ("/traces", 1),
        ("/traces?service=shop&failed=true&min_duration=250ms", 1),
        ("/traces?min_duration=251ms", 0),
        ("/traces?service=cart", 0),
        ("/traces?text=BANK", 1),
        ("/traces?text=mail", 0),
        ("/traces?to=2026-01-01T00:00:00Z", 0),
        ("/logs", 2),
        ("/logs?severity=error&text=BANK", 1),
        ("/logs?severity=fatal", 0),
        (&*format!("/logs?trace_id={TRACE}"), 1),
    ] {
        let (status, found) = get(bell, path).await;
        assert_eq!((status, &found["isWhole"]), (200, &json!(true)), "{path}");
        let name = path[1..].split('?').next().unwrap();
        assert_eq!(
            found[name].as_array().unwrap().len(),
            expected,
            "{path}: {found}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_taken_or_asked_says_why() {
    let bell = Bell::start().await;
    for (path, status, expected) in [
        ("/traces/1", 400, "32 hexadecimal digits"),
        (
            "/traces/0af7651916cd43dd8448eb211c80319d",
            404,
            "nothing is kept",
        ),
        ("/traces?failed=maybe", 400, "`failed` is true or false"),
        (
            "/traces?min_duration=long",
            400,
            "`min_duration` is no duration",
        ),
        (
            "/logs?severity=loud",
            400,
            "trace, debug, info, warn, error, fatal",
        ),
        ("/logs?trace_id=x", 400, "32 hexadecimal digits"),
        ("/logs?limit=0", 400, "`limit` is a number"),
    ] {
        let (found, body) = get(&bell, path).await;
        assert_eq!(found, status, "{path}");
        assert!(
            body["error"].as_str().unwrap().contains(expected),
            "{path}: {body}"
        );
    }
    for path in ["/v1/traces", "/v1/logs"] {
        let (status, answer) = post(&bell, path, &json!([])).await;
        assert_eq!((status, &answer["code"]), (400, &json!(3)), "{answer}");
    }
    // A body in protobuf that ends in the middle, and over gRPC.
    let request = bell
        .client
        .post(bell.url("/v1/traces"))
        .body(vec![10, 5, 1]);
    let request = request.header("content-type", "application/x-protobuf");
    assert_eq!(bell.send(request).await.0, 400);
    let service = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let request = bell
        .client
        .post(bell.url(service))
        .body(vec![0, 0, 0, 0, 0]);
    let answer = request
        .header("content-type", "application/grpc")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers().get("grpc-status")
        ),
        (200, None)
    );
    // Nothing takes what is sent elsewhere; whoever follows a link comes to the page.
    let elsewhere = bell.url("/v1/profiles");
    assert_eq!(bell.send(bell.client.post(&elsewhere)).await.0, 404);
    bell.server.stop().await.unwrap();
}
