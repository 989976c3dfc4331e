//! Shifts out of calendars.

use std::sync::LazyLock;

use firebell_model::Timestamp;
use serde_json::{Value, json};

use super::super::Bell;
use super::{PATH, ask, who};
use crate::clock::Clock;
use crate::managed::{SHIFTS, SHIFTS_MAX};

/// A day that calendars may say something of, so many days from the tenth after today.
fn day(n: i64) -> String {
    // The same at all calls: a midnight may come between two.
    static TODAY: LazyLock<Timestamp> = LazyLock::new(|| Clock::default().now());
    let at = Timestamp(TODAY.0 + (10 + n) * 86_400_000).to_string();
    at[..10].to_owned()
}

/// Events of whole days: what each is called, whose day it is, and which.
fn calendar(events: &[(&str, &str, i64)]) -> String {
    let events = events.iter().map(|(uid, who, n)| {
        let day = day(*n).replace('-', "");
        format!("BEGIN:VEVENT\nUID:{uid}\nDTSTART;VALUE=DATE:{day}\nSUMMARY:{who}\nEND:VEVENT\n")
    });
    let events: String = events.collect();
    format!("BEGIN:VCALENDAR\n{events}END:VCALENDAR\n")
}

async fn import(bell: &Bell, events: &[(&str, &str, i64)], more: Value) -> (u16, Value) {
    let mut said = json!({"by": "zoe", "schedule": "night", "calendar": calendar(events)});
    for (name, value) in more.as_object().into_iter().flatten() {
        said[name] = value.clone();
    }
    ask(bell, "POST", "/calendar", &said).await
}

/// The number of the change, and how many shifts are new, others, and gone.
fn counts(done: &(u16, Value)) -> [Option<u64>; 4] {
    assert_eq!(done.0, 200, "{}", done.1);
    ["change", "added", "changed", "removed"].map(|name| done.1[name].as_u64())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shifts_of_a_calendar_are_in_force_once_however_often_it_is_read() {
    let bell = Bell::start().await;
    let both = [("1", "ana", 0), ("2", "Ben", 1), ("3", "ana, ben", 2)];
    let none = || json!({});
    let done = import(&bell, &both, json!({"preview": true})).await;
    assert_eq!(counts(&done), [None, Some(3), Some(0), Some(0)]);
    let done = import(&bell, &both, none()).await;
    assert_eq!(counts(&done), [Some(1), Some(3), Some(0), Some(0)]);
    assert_eq!(done.1["shifts"][1]["people"], json!(["ben"]));
    for (n, people) in [
        (0, json!(["ana"])),
        (1, json!(["ben"])),
        (2, json!(["ana", "ben"])),
    ] {
        assert_eq!(who(&bell, "night", &day(n)).await, people, "{n}");
    }
    let done = import(&bell, &both, none()).await;
    assert_eq!(counts(&done), [None, Some(0), Some(0), Some(0)]);

    // What people change by hand holds over what calendars say, also when they say it again.
    let said = json!({"by": "zoe", "override":
        {"schedule": "night", "from": day(0), "until": day(1), "take": "ben"}});
    assert_eq!(ask(&bell, "POST", "/overrides", &said).await.0, 200);
    assert_eq!(who(&bell, "night", &day(0)).await, json!(["ben"]));

    // So does a temporary schedule.
    let said = json!({"by": "zoe", "temporary": {"schedule": "night", "from": day(2),
        "until": day(3), "every": "1d", "people": ["ben"]}});
    assert_eq!(ask(&bell, "POST", "/temporary", &said).await.0, 200);
    assert_eq!(who(&bell, "night", &day(2)).await, json!(["ben"]));

    // The second is somebody else's, the third was moved onto it; the first is not in the file.
    let moved = [("2", "ana", 1), ("3", "ben", 1)];
    let done = import(&bell, &moved, json!({"by": "eva"})).await;
    assert_eq!(counts(&done), [Some(4), Some(1), Some(1), Some(1)]);
    assert_eq!(who(&bell, "night", &day(0)).await, json!(["ben"]));
    assert_eq!(who(&bell, "night", &day(1)).await, json!(["ana", "ben"]));
    let done = import(&bell, &moved, json!({"replace": true})).await;
    assert_eq!(counts(&done), [Some(5), Some(0), Some(0), Some(1)]);

    let (_, set) = ask(&bell, "GET", "/overrides", &Value::Null).await;
    let ids: Vec<&Value> = set["shifts"].as_array().unwrap().iter().collect();
    assert_eq!(ids.len(), 2, "{set}");
    let told_by = ids.iter().map(|it| &it["by"]);
    assert!(told_by.eq([&json!("eva"), &json!("eva")]), "{set}");
    let path = format!("/shifts/{}?by=zoe", ids[0]["id"].as_str().unwrap());
    assert_eq!(ask(&bell, "DELETE", &path, &Value::Null).await.0, 200);
    let back = ask(&bell, "POST", "/changes/6/revert", &json!({"by": "ben"})).await;
    assert_eq!(back.0, 200, "{}", back.1);
    let reload = bell.client.post(bell.url("/-/reload"));
    assert_eq!(bell.send(reload).await.0, 200);
    assert_eq!(who(&bell, "night", &day(1)).await, json!(["ana", "ben"]));
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calendar_that_is_not_understood_is_refused_with_all_that_is_wrong() {
    let bell = Bell::start().await;
    let mixed = [("1", "ana", 0), ("2", "bob", 1), ("3", "cleo", 2)];
    let (status, why) = import(&bell, &mixed, json!({})).await;
    let why = why["error"].as_str().unwrap_or_default();
    assert_eq!(status, 400, "{why}");
    for part in [
        "line 10: nobody is called `bob`",
        "line 15: nobody is called `cleo`",
        "ana, ben",
    ] {
        assert!(why.contains(part), "{why}");
    }
    let (_, listed) = ask(&bell, "GET", "/changes", &Value::Null).await;
    assert_eq!(listed, json!({"changes": []}));
    let done = import(&bell, &mixed, json!({"partial": true})).await;
    assert_eq!(counts(&done), [Some(1), Some(1), Some(0), Some(0)]);
    assert_eq!(done.1["problems"][1]["line"], json!(15));
    let old = import(&bell, &[("9", "bob", -60)], json!({})).await;
    assert_eq!((counts(&old)[0], &old.1["leftOut"]), (None, &json!(1)));
    let elsewhere = import(&bell, &mixed, json!({"schedule": "day"})).await;
    assert_eq!(elsewhere.0, 404, "{}", elsewhere.1);
    let (status, why) = ask(&bell, "POST", "/calendar", &json!({"schedule": "night"})).await;
    assert_eq!(status, 400, "{why}");
    bell.server.stop().await.unwrap();
}

/// Events that are called off, or put off beyond what is read, are no longer in force; what is over
/// stays, whatever a calendar says of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_calendar_calls_off_or_puts_off_is_gone_and_what_is_over_stays() {
    let bell = Bell::start().await;
    let none = || json!({});
    let before = [
        who(&bell, "night", &day(0)).await,
        who(&bell, "night", &day(1)).await,
    ];
    let both = json!(["ana", "ben"]);
    let all = [
        ("1", "ana, ben", 0),
        ("2", "ana, ben", 1),
        ("3", "ana, ben", 2),
    ];
    assert_eq!(import(&bell, &all, none()).await.0, 200);
    assert_eq!(who(&bell, "night", &day(0)).await, both);
    // The third is not understood: what is known of it stays.
    let called_off = [
        ("1", "ben\nSTATUS:CANCELLED", 0),
        ("2", "ben", 400),
        ("3", "cleo", 2),
    ];
    let done = import(&bell, &called_off, json!({"partial": true})).await;
    assert_eq!(counts(&done), [Some(2), Some(0), Some(0), Some(2)]);
    assert_eq!(done.1["leftOut"], json!(1));
    for (n, people) in (0..).zip(before.iter().chain([&both])) {
        assert_eq!(who(&bell, "night", &day(n)).await, *people, "{n}");
    }

    // As if it had been read last year: its own event, now elsewhere, does not reach back.
    let (from, until) = (day(-100), day(-99));
    let old = json!({"schedule": "night", "uid": "3", "people": ["ben"],
        "from": format!("{from}T00:00:00Z"), "until": format!("{until}T00:00:00Z")});
    let oncall = &bell.server.app.oncall;
    let edits = vec![("0000000000000001".to_owned(), Some(old.to_string()))];
    let (change, _) = oncall.plan(Timestamp(1), "eva", SHIFTS, edits).unwrap();
    oncall.commit(change).unwrap();
    let done = import(&bell, &[("3", "ana", 3)], json!({"replace": true})).await;
    assert_eq!(counts(&done), [Some(4), Some(1), Some(0), Some(1)]);
    bell.server.stop().await.unwrap();
}

/// However much calendars say, there is room for what people set by hand; what is long over makes room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calendars_do_not_take_the_room_of_overrides() {
    let bell = Bell::start().await;
    let kept = |n: usize, day: &str| {
        let object = json!({"schedule": "night", "uid": "x", "people": ["ben"],
            "from": format!("{day}T00:00:00Z"), "until": format!("{day}T01:00:00Z")});
        (format!("{n:016x}"), Some(object.to_string()))
    };
    let old = [kept(0, &day(-101)), kept(1, &day(-100))];
    let new = (2..SHIFTS_MAX).map(|n| kept(n, &day(5)));
    let edits = old.into_iter().chain(new).collect();
    let oncall = &bell.server.app.oncall;
    let (change, _) = oncall.plan(Timestamp(1), "eva", SHIFTS, edits).unwrap();
    oncall.commit(change).unwrap();

    let done = import(&bell, &[("1", "ana", 0)], json!({})).await;
    assert_eq!(counts(&done), [Some(2), Some(1), Some(0), Some(1)]);
    let known = oncall.namespaces().remove(SHIFTS).unwrap();
    assert!(!known.contains_key("0000000000000000") && known.contains_key("0000000000000001"));
    let many = [("2", "ana", 1), ("3", "ana", 2)];
    let (status, why) = import(&bell, &many, json!({})).await;
    let why = why["error"].as_str().unwrap_or_default();
    assert_eq!(status, 400, "{why}");
    assert!(
        why.contains("no more than 5000 shifts of calendars"),
        "{why}"
    );
    assert_eq!(oncall.namespaces()[SHIFTS], known);
    // What is there may become another one, or fewer.
    let done = import(&bell, &[("1", "ben", 0)], json!({})).await;
    assert_eq!(counts(&done), [Some(3), Some(0), Some(1), Some(0)]);
    let said = json!({"by": "zoe", "override":
        {"schedule": "night", "from": day(5), "until": day(6), "take": "ana"}});
    assert_eq!(ask(&bell, "POST", "/overrides", &said).await.0, 200);
    assert_eq!(who(&bell, "night", &day(5)).await, json!(["ana"]));
    bell.server.stop().await.unwrap();
}

/// What is no calendar, or the beginning of one, takes nothing away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shifts_are_replaced_only_by_what_is_understood_as_a_whole() {
    let bell = Bell::start().await;
    let before = who(&bell, "night", &day(1)).await;
    let both = [("1", "ana, ben", 0)];
    assert_eq!(import(&bell, &both, json!({})).await.0, 200);
    let whole = calendar(&[("2", "ana, ben", 1), ("3", "ben", 2)]);
    let cut = whole.split_once("BEGIN:VEVENT\nUID:3").unwrap().0;
    let mixed = calendar(&[("2", "ana, ben", 1), ("3", "cleo", 2)]);
    for (text, wish, expected) in [
        ("<html>Sign in</html>", "partial", "this is no calendar"),
        (cut, "partial", "the calendar has no end"),
        (&mixed, "replace", "nobody is called `cleo`"),
    ] {
        let mut said = json!({"by": "zoe", "schedule": "night", "calendar": text,
            "partial": true});
        said[wish] = json!(true);
        let (status, why) = ask(&bell, "POST", "/calendar", &said).await;
        let why = why["error"].as_str().unwrap_or_default();
        assert_eq!(status, 400, "{why}");
        assert!(why.contains(expected), "{why}");
        said["preview"] = json!(true);
        let (status, done) = ask(&bell, "POST", "/calendar", &said).await;
        assert_eq!((status, &done["removed"]), (200, &json!(0)), "{done}");
    }
    assert_eq!(who(&bell, "night", &day(0)).await, json!(["ana", "ben"]));
    assert_eq!(who(&bell, "night", &day(1)).await, before);
    bell.server.stop().await.unwrap();
}

/// What one schedule exports is what another one has when it reads that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_calendar_makes_another_schedule_the_same() {
    let bell = Bell::start().await;
    let own = json!({"every": "1d", "start": "2026-01-05", "people": ["ben"]});
    let said = json!({"by": "zoe", "schedule": own});
    assert_eq!(ask(&bell, "PUT", "/schedules/day", &said).await.0, 200);
    let said = json!({"by": "zoe", "override": {"schedule": "night", "from": day(3),
        "until": day(4), "add": "ben", "reason": "both, today"}});
    assert_eq!(ask(&bell, "POST", "/overrides", &said).await.0, 200);
    let path = format!("{PATH}/calendar.ics?schedule=night");
    let (status, _, text) = bell.get(&path).await;
    assert_eq!(status, 200);
    let said = json!({"by": "zoe", "schedule": "day", "calendar": text});
    let (status, done) = ask(&bell, "POST", "/calendar", &said).await;
    assert_eq!((status, &done["problems"]), (200, &json!([])), "{done}");
    let mut shifts = Vec::new();
    for schedule in ["night", "day"] {
        let path = format!(
            "/shifts?schedule={schedule}&from={}&to={}",
            day(0),
            day(300)
        );
        let (_, said) = ask(&bell, "GET", &path, &Value::Null).await;
        let of = said["shifts"].as_array().unwrap().iter();
        let of = of.map(|it| ["from", "until", "people"].map(|name| it[name].clone()));
        shifts.push(of.collect::<Vec<_>>());
    }
    assert!(shifts[0].len() > 40, "{}", shifts[0].len());
    assert_eq!(shifts[0], shifts[1]);
    bell.server.stop().await.unwrap();
}
