//! Lists of what was set over HTTP.

use firebell_model::Timestamp;
use serde_json::{Value, json};

use super::{Bell, ask};
use crate::managed::SHIFTS;

/// What a list has, as `KIND ID`, and where it goes on.
async fn listed(bell: &Bell, query: &str) -> (Vec<String>, Option<String>) {
    let (status, set) = ask(bell, "GET", &format!("/overrides?{query}"), &Value::Null).await;
    assert_eq!(status, 200, "{set}");
    let mut all = Vec::new();
    for kind in ["overrides", "swaps", "temporary", "shifts", "schedules"] {
        let list = set[kind].as_array().unwrap().iter();
        all.extend(list.map(|it| format!("{kind} {}", it["id"].as_str().unwrap())));
    }
    (all, set["next"].as_str().map(str::to_owned))
}

/// Sets one of each kind, besides shifts.
async fn set_some(bell: &Bell) {
    let day = json!({"every": "1d", "start": "2026-01-05", "people": ["ben"]});
    for (method, path, said) in [
        (
            "POST",
            "/overrides",
            json!({"override": {"schedule": "night", "from": "2026-01-06",
                "until": "2026-01-07", "take": "ben"}}),
        ),
        (
            "POST",
            "/swaps",
            json!({"swap": {"schedule": "night",
                "ana": {"from": "2026-01-10", "until": "2026-01-11"},
                "ben": {"from": "2026-01-13", "until": "2026-01-14"}}}),
        ),
        ("PUT", "/schedules/day", json!({"schedule": day})),
        (
            "POST",
            "/temporary",
            json!({"temporary": {"schedule": "day", "from": "2026-01-20", "until": "2026-01-22",
                "every": "1d", "people": ["ana"]}}),
        ),
    ] {
        let (status, why) = ask(bell, method, path, &said).await;
        assert_eq!(status, 200, "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_set_is_listed_by_kind_schedule_and_time() {
    let bell = Bell::start().await;
    set_some(&bell).await;
    let all = ["overrides 1", "swaps 2", "temporary 4", "schedules day"];
    let [override_1, swap_2, temporary_4, day] = all;
    for (query, expected) in [
        ("", &all[..]),
        ("kind=swaps&kind=overrides", &[override_1, swap_2]),
        ("kind=shifts", &[]),
        ("schedule=night", &[override_1, swap_2]),
        ("schedule=day", &[temporary_4, day]),
        ("schedule=evening", &[]),
        // A schedule always holds; of a swap both times count.
        ("to=2026-01-06", &[day]),
        ("to=2026-01-06T00:01", &[override_1, day]),
        ("from=2026-01-07&to=2026-01-10T12:00:00Z", &[swap_2, day]),
        ("from=2026-01-11&to=2026-01-13", &[day]),
        ("from=2026-01-13&to=2026-01-21", &[swap_2, temporary_4, day]),
        ("from=2026-01-22&schedule=night", &[]),
    ] {
        let (found, next) = listed(&bell, query).await;
        assert_eq!(found, expected, "{query}");
        assert_eq!(next, None, "{query}");
    }
    for (query, why) in [
        (
            "kind=shift",
            "there is no kind `shift`, only overrides, swaps,",
        ),
        ("from=tomorrow", "`from` is no time"),
        ("to=2026-13-01", "`to` is no time"),
        ("limit=0", "`limit` is a number from 1 to 1000"),
        ("limit=1001", "`limit` is a number from 1 to 1000"),
        ("page=x", "`x` is no `next` of an earlier page"),
        (
            "page=shift:0:x",
            "`shift:0:x` is no `next` of an earlier page",
        ),
    ] {
        let path = format!("/overrides?{query}");
        let (status, said) = ask(&bell, "GET", &path, &Value::Null).await;
        let said = said["error"].as_str().unwrap_or_default();
        assert_eq!(status, 400, "{query}: {said}");
        assert!(said.contains(why), "{query}: {said}");
    }
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_shifts_follow_each_other_in_their_order() {
    let bell = Bell::start().await;
    set_some(&bell).await;
    // By their names, which say nothing, they are in another order.
    let shift = |n: u64| {
        let at = |hours: u64| {
            let at = Timestamp(1_767_225_600_000 + i64::try_from(hours).unwrap() * 3_600_000);
            at.to_string()
        };
        let object = json!({"schedule": "night", "uid": "x", "people": ["ben"],
            "from": at(n), "until": at(n + 1)});
        let name = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (format!("{name:016x}"), Some(object.to_string()))
    };
    let oncall = &bell.server.app.oncall;
    let edits = (0..250).map(shift).collect();
    let (change, _) = oncall.plan(Timestamp(1), "eva", SHIFTS, edits).unwrap();
    oncall.commit(change).unwrap();
    let in_order = (0..250).map(|n| format!("shifts {}", shift(n).0));
    let mut expected: Vec<String> = ["overrides 1", "swaps 2", "temporary 4"]
        .map(Into::into)
        .into();
    expected.extend(in_order);
    expected.push("schedules day".to_owned());

    let (first, next) = listed(&bell, "").await;
    assert_eq!((&first[..], next.is_some()), (&expected[..100], true));
    assert_eq!(listed(&bell, "limit=1000").await, (expected.clone(), None));
    let (mut found, mut page) = (Vec::new(), String::new());
    loop {
        let (part, next) = listed(&bell, &format!("limit=40&page={page}")).await;
        found.extend(part);
        let Some(next) = next else { break };
        page = next;
        // What goes meanwhile, and comes before, moves nothing.
        if found.len() == 80 {
            let gone = vec![(shift(3).0, None)];
            let (change, _) = oncall.plan(Timestamp(2), "eva", SHIFTS, gone).unwrap();
            oncall.commit(change).unwrap();
        }
    }
    assert_eq!(found, expected);
    // Two hours of them, by the clock of the schedule, as anybody would ask.
    let query = "kind=shifts&from=2026-01-02T00:00:00Z&to=2026-01-02T02:00:00Z";
    assert_eq!(
        listed(&bell, query).await,
        (expected[27..29].to_vec(), None)
    );
    let path = "/overrides?kind=shifts&limit=1";
    let (_, set) = ask(&bell, "GET", path, &Value::Null).await;
    assert_eq!(set["shifts"][0]["by"], json!("eva"));
    bell.server.stop().await.unwrap();
}
