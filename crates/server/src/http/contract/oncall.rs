//! Schedules that people change over HTTP.

mod calendar;
mod replies;
mod set;

use serde_json::{Value, json};

use super::Bell;

const PATH: &str = "/api/firebell/v1/oncall";

/// Status and body of a request with a body, or without one where it is null.
async fn ask(bell: &Bell, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let url = bell.url(&format!("{PATH}{path}"));
    let mut request = bell.client.request(method.parse().unwrap(), url);
    if !body.is_null() {
        request = request.body(body.to_string());
    }
    let (status, _, body) = bell.send(request).await;
    (status, serde_json::from_str(&body).unwrap())
}

/// Who is on call on a schedule at noon of a day.
async fn who(bell: &Bell, schedule: &str, day: &str) -> Value {
    let path = format!("/shifts?schedule={schedule}&from={day}T12:00&to={day}T12:01");
    let (status, shifts) = ask(bell, "GET", &path, &Value::Null).await;
    assert_eq!(status, 200, "{shifts}");
    shifts["shifts"][0]["people"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overrides_swaps_and_schedules_are_in_force_at_once_and_taken_back() {
    let bell = Bell::start().await;
    assert_eq!(who(&bell, "night", "2026-01-06").await, json!(["ana"]));
    let said = json!({"by": "zoe", "override":
        {"schedule": "night", "from": "2026-01-06", "until": "2026-01-07", "take": "ben"}});
    let answer = ask(&bell, "POST", "/overrides", &said).await;
    assert_eq!(answer, (200, json!({"change": 1, "id": "1"})));
    assert_eq!(who(&bell, "night", "2026-01-06").await, json!(["ben"]));

    let said = json!({"by": "ana", "swap": {"schedule": "night",
        "ana": {"from": "2026-01-10", "until": "2026-01-11"},
        "ben": {"from": "2026-01-13", "until": "2026-01-14"}}});
    assert_eq!(ask(&bell, "POST", "/swaps", &said).await.0, 200);
    assert_eq!(who(&bell, "night", "2026-01-10").await, json!(["ben"]));
    assert_eq!(who(&bell, "night", "2026-01-13").await, json!(["ana"]));

    let day = json!({"every": "1d", "start": "2026-01-05", "people": ["ben"]});
    let said = json!({"by": "zoe", "schedule": day});
    assert_eq!(ask(&bell, "PUT", "/schedules/day", &said).await.0, 200);
    assert_eq!(who(&bell, "day", "2026-01-06").await, json!(["ben"]));

    // They hold over a reload, and are listed with who set them.
    let reload = bell.client.post(bell.url("/-/reload"));
    assert_eq!(bell.send(reload).await.0, 200);
    assert_eq!(who(&bell, "night", "2026-01-06").await, json!(["ben"]));
    let (_, set) = ask(&bell, "GET", "/overrides", &Value::Null).await;
    let told = [
        &set["overrides"][0]["by"],
        &set["swaps"][0]["id"],
        &set["schedules"][0]["id"],
    ];
    assert_eq!(told, [&json!("zoe"), &json!("2"), &json!("day")]);

    // Removed, and that taken back.
    let gone = ask(&bell, "DELETE", "/overrides/1?by=ana", &Value::Null).await;
    assert_eq!(gone, (200, json!({"change": 4, "id": "1"})));
    assert_eq!(who(&bell, "night", "2026-01-06").await, json!(["ana"]));
    assert_eq!(
        ask(&bell, "DELETE", "/overrides/1", &Value::Null).await.0,
        404
    );
    let back = ask(&bell, "POST", "/changes/4/revert", &json!({"by": "ben"})).await;
    assert_eq!(back.0, 200, "{}", back.1);
    assert_eq!(who(&bell, "night", "2026-01-06").await, json!(["ben"]));
    let again = ask(&bell, "POST", "/changes/4/revert", &Value::Null).await;
    assert_eq!(again.0, 409, "{}", again.1);
    let (_, listed) = ask(&bell, "GET", "/changes", &Value::Null).await;
    assert_eq!(listed["changes"][0]["who"], json!("ben"));
    assert_eq!(listed["changes"][0]["reverts"], json!(4));
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_temporary_schedule_of_a_file_is_in_force_at_once_and_taken_back() {
    let bell = Bell::start().await;
    let said = json!({"by": "zoe", "temporary": {"schedule": "night", "from": "2026-01-06",
        "until": "2026-01-08", "every": "1d", "people": ["ben", "ana"]}});
    let answer = ask(&bell, "POST", "/temporary", &said).await;
    assert_eq!(answer, (200, json!({"change": 1, "id": "1"})));
    assert_eq!(who(&bell, "night", "2026-01-06").await, json!(["ben"]));
    assert_eq!(who(&bell, "night", "2026-01-07").await, json!(["ana"]));
    let (_, set) = ask(&bell, "GET", "/overrides", &Value::Null).await;
    assert_eq!(set["temporary"][0]["by"], json!("zoe"));
    let wrong = json!({"temporary": {"schedule": "night", "from": "2026-01-06"}});
    let (status, why) = ask(&bell, "POST", "/temporary", &wrong).await;
    assert_eq!(status, 400, "{why}");
    let gone = ask(&bell, "DELETE", "/temporary/1?by=ana", &Value::Null).await;
    assert_eq!(gone, (200, json!({"change": 2, "id": "1"})));
    assert_eq!(who(&bell, "night", "2026-01-06").await, json!(["ana"]));
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_change_is_said_and_changes_nothing() {
    let bell = Bell::start().await;
    let times = |schedule: &str, take: &str| {
        json!({"override": {"schedule": schedule, "from": "2026-01-06", "until": "2026-01-07",
            "take": take}})
    };
    let of = |people: &str| json!({"schedule": {"every": "1d", "start": "2026-01-05", "people": people}});
    for (method, path, said, status, part) in [
        (
            "POST",
            "/overrides",
            times("nihgt", "ben"),
            400,
            "did you mean `night`?",
        ),
        (
            "POST",
            "/overrides",
            times("night", "bob"),
            400,
            "there is nobody called `bob`",
        ),
        (
            "POST",
            "/overrides",
            json!({"override": 1}),
            400,
            "`override` is an object",
        ),
        (
            "POST",
            "/overrides",
            json!({"swap": {}}),
            400,
            "`override` is an object",
        ),
        ("POST", "/overrides", json!("x"), 400, "an object"),
        ("PUT", "/schedules/night", of("ben"), 400, "stands twice"),
        (
            "PUT",
            "/schedules/day",
            of("bob"),
            400,
            "there is nobody called `bob`",
        ),
        (
            "DELETE",
            "/schedules/night",
            Value::Null,
            404,
            "changed there",
        ),
        (
            "POST",
            "/changes/9/revert",
            Value::Null,
            404,
            "there is no change 9",
        ),
    ] {
        let (found, body) = ask(&bell, method, path, &said).await;
        let why = body["error"].as_str().unwrap_or_default();
        assert!(
            found == status && why.contains(part),
            "{method} {path}: {found} {why}"
        );
    }
    let (_, listed) = ask(&bell, "GET", "/changes", &Value::Null).await;
    assert_eq!(listed, json!({"changes": []}));
    bell.server.stop().await.unwrap();
}
