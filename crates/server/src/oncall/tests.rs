//! What is told of who is on call, as values of JSON and as calendars.

use expect_test::expect;
use firebell_config::{Config, ExternalUrl, OsFiles};

use super::*;

const OWNERS: &str = "\
oncall:
  people:
    ana: {name: Ana Ruiz, zone: Europe/Madrid, phone: '+34600000001', email: ana@example.org}
    ben: {slack: U0S3CRET}
    zoe: {email: zoe@example.org}
  teams: {shop: {members: [ana, ben], schedule: days}, ops: [zoe]}
  services: {cart: shop}
  schedules:
    days:
      zone: Europe/Madrid
      layers:
        - {every: 1d, start: 2026-01-05, hand_over: 09:00, people: [ana, ben], name: turns}
        - {every: 1w, start: 2026-01-05, hours: sat, people: [nobody], name: free}
      overrides: [{from: 2026-01-06 12:00, until: 2026-01-06 18:00, take: zoe, reason: dentist}]
      shadows: [{from: 2026-01-07, until: 2026-01-08, who: zoe, of: ana}]
    nights: {every: 1d, start: 2026-01-05, hours: '22:00-06:00', people: zoe, gaps: allowed}
";

fn config() -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("firebell.yml");
    std::fs::write(&file, OWNERS).unwrap();
    firebell_config::load(Some(&file), &ExternalUrl::default(), &OsFiles).unwrap()
}

fn now() -> Timestamp {
    "2026-01-06T14:00:00Z".parse().unwrap()
}

#[test]
fn who_is_on_call_is_told_with_hand_overs_and_without_addresses() {
    let config = config();
    let said = oncall_at(&config.oncall.oncall, None, now(), None).unwrap();
    let text = serde_json::to_string_pretty(&said).unwrap();
    for secret in ["600", "example.org", "S3CRET"] {
        assert!(!text.contains(secret), "{text}");
    }
    expect![[r#"
        [{"before":{"cause":{"kind":"layer","layer":"turns","reason":""},
        "from":"2026-01-06T08:00:00Z","people":["ben"],"shadows":[],"until":"2026-01-06T11:00:00Z"},
        "gapsAllowed":false,"handOverAt":"2026-01-06T17:00:00Z","name":"days","next":{"cause":{"kind":"layer","layer":"turns","reason":""},
        "from":"2026-01-06T17:00:00Z","people":["ben"],"shadows":[],"until":"2026-01-07T08:00:00Z"},
        "onCall":{"cause":{"kind":"override","layer":null,"reason":"dentist"},
        "from":"2026-01-06T11:00:00Z","people":["zoe"],"shadows":[],"until":"2026-01-06T17:00:00Z"},
        "zone":"Europe/Madrid"},
        {"before":{"cause":{"kind":"layer","layer":"nights","reason":""},
        "from":"2026-01-05T22:00:00Z","people":["zoe"],"shadows":[],"until":"2026-01-06T06:00:00Z"},
        "gapsAllowed":true,"handOverAt":"2026-01-06T22:00:00Z","name":"nights","next":{"cause":{"kind":"layer","layer":"nights","reason":""},
        "from":"2026-01-06T22:00:00Z","people":["zoe"],"shadows":[],"until":"2026-01-07T06:00:00Z"},
        "onCall":null,"zone":"UTC"}]"#]].assert_eq(&said["schedules"].to_string().replace("},", "},\n"));
    expect![[r#"
        [{"members":["ana","ben"],"name":"shop","onCall":["zoe"],"schedule":"days","services":["cart"]},
        {"members":["zoe"],"name":"ops","onCall":["zoe"],"schedule":null,"services":[]}]"#]].assert_eq(&said["teams"].to_string().replace("},", "},\n"));
    expect![[r#"{"contacts":[{"kind":"phone","verified":null},{"kind":"email","verified":null}],"fullName":"Ana Ruiz","name":"ana","zone":"Europe/Madrid"}"#]].assert_eq(&said["people"][0].to_string());
    let early = oncall_at(&config.oncall.oncall, Some("2025-01-01"), now(), None).unwrap();
    let days = &early["schedules"][0];
    assert_eq!(
        (&days["onCall"], &days["handOverAt"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(early["teams"][0]["onCall"], json!([]));
}

#[test]
fn shifts_come_with_layers_changes_gaps_and_loads() {
    let config = config();
    let asked = ShiftsAsked {
        schedule: Some("days"),
        from: Some("2026-01-05"),
        to: Some("2026-01-07 12:00"),
        days: None,
    };
    let said = oncall_shifts(&config.oncall.oncall, asked, now()).unwrap();
    expect![[r#"
        {"changes":[{"from":"2026-01-06T11:00:00Z","kind":"take","of":null,"people":["zoe"],"reason":"dentist","until":"2026-01-06T17:00:00Z"},
        {"from":"2026-01-06T23:00:00Z","kind":"shadow","of":"ana","people":["zoe"],"reason":"","until":"2026-01-07T23:00:00Z"}],"fairness":{"balance":0.4074074074074074,"people":[{"fullName":"Ana Ruiz","hours":27.0,"name":"ana","nightHours":8.0,"nights":1,"shifts":2,"weekendHours":0.0,"weekends":0,"zone":"Europe/Madrid"},
        {"fullName":"ben","hours":18.0,"name":"ben","nightHours":8.0,"nights":1,"shifts":2,"weekendHours":0.0,"weekends":0,"zone":"UTC"},
        {"fullName":"zoe","hours":6.0,"name":"zoe","nightHours":0.0,"nights":0,"shifts":1,"weekendHours":0.0,"weekends":0,"zone":"UTC"}]},
        "from":"2026-01-04T23:00:00Z","gaps":[{"from":"2026-01-04T23:00:00Z","until":"2026-01-05T08:00:00Z"}],"gapsAllowed":false,"layers":[{"name":"turns","shifts":[{"cause":{"kind":"layer","layer":"turns","reason":""},
        "from":"2026-01-05T08:00:00Z","people":["ana"],"shadows":[],"until":"2026-01-06T08:00:00Z"},
        {"cause":{"kind":"layer","layer":"turns","reason":""},
        "from":"2026-01-06T08:00:00Z","people":["ben"],"shadows":[],"until":"2026-01-07T08:00:00Z"},
        {"cause":{"kind":"layer","layer":"turns","reason":""},
        "from":"2026-01-07T08:00:00Z","people":["ana"],"shadows":[],"until":"2026-01-07T11:00:00Z"}]},
        {"name":"free","shifts":[]}],"schedule":"days","shifts":[{"cause":{"kind":"layer","layer":"turns","reason":""},
        "from":"2026-01-05T08:00:00Z","people":["ana"],"shadows":[],"until":"2026-01-06T08:00:00Z"},
        {"cause":{"kind":"layer","layer":"turns","reason":""},
        "from":"2026-01-06T08:00:00Z","people":["ben"],"shadows":[],"until":"2026-01-06T11:00:00Z"},
        {"cause":{"kind":"override","layer":null,"reason":"dentist"},
        "from":"2026-01-06T11:00:00Z","people":["zoe"],"shadows":[],"until":"2026-01-06T17:00:00Z"},
        {"cause":{"kind":"layer","layer":"turns","reason":""},
        "from":"2026-01-06T17:00:00Z","people":["ben"],"shadows":[],"until":"2026-01-07T08:00:00Z"},
        {"cause":{"kind":"layer","layer":"turns","reason":""},
        "from":"2026-01-07T08:00:00Z","people":["ana"],"shadows":["zoe"],"until":"2026-01-07T11:00:00Z"}],"to":"2026-01-07T11:00:00Z","zone":"Europe/Madrid"}"#]].assert_eq(&said.to_string().replace("},", "},\n"));
}

#[test]
fn what_is_no_question_is_told_apart_from_what_is_not_there() {
    let config = config();
    let oncall = &*config.oncall.oncall;
    let check = |asked: ShiftsAsked<'_>, expected: Result<i64, &str>| {
        let said = oncall_shifts(oncall, asked, now());
        let said = said.map_err(|error| format!("{error:?}"));
        match (said, expected) {
            (Ok(said), Ok(days)) => {
                let at = |name: &str| said[name].as_str().unwrap().parse::<Timestamp>().unwrap();
                assert_eq!(at("to").0 - at("from").0, days * DAY_MS, "{asked:?}");
            }
            (Err(why), Err(part)) => assert!(why.contains(part), "{asked:?}: {why}"),
            (said, _) => panic!("{asked:?}: {said:?}"),
        }
    };
    let of = |schedule, from, to, days| ShiftsAsked {
        schedule,
        from,
        to,
        days,
    };
    let days = Some("days");
    check(of(days, None, None, None), Ok(14));
    check(of(days, None, None, Some("366")), Ok(366));
    check(of(days, Some(""), Some(""), Some("1")), Ok(1));
    check(
        of(days, None, None, Some("367")),
        Err("Bad(\"a span has 1 to 366 days"),
    );
    check(of(days, None, None, Some("0")), Err("is not after"));
    check(of(days, None, None, Some("-1")), Err("a span has"));
    check(
        of(days, Some("2026-01-06"), Some("2026-01-05"), None),
        Err("is not after"),
    );
    check(
        of(days, Some("x"), None, None),
        Err("`from` is no time: `x` is not a time"),
    );
    check(of(days, Some("2035-01-01"), None, Some("366")), Ok(366));
    let (far, too_far) = (Some("9000-01-01"), "more than 10 years");
    check(of(days, far, None, None), Err(too_far));
    check(of(days, None, far, None), Err(too_far));
    check(
        of(None, None, None, None),
        Err("Bad(\"`schedule` is missing"),
    );
    check(
        of(Some("no"), None, None, None),
        Err("Unknown(\"there is no schedule `no`"),
    );
    assert!(oncall_at(oncall, Some("x"), now(), None).is_err());
    let far = oncall_at(oncall, far, now(), None).unwrap_err();
    assert!(far.to_string().contains(too_far), "{far}");
}

#[test]
fn an_event_of_a_calendar_keeps_its_name_as_days_pass() {
    let config = config();
    let oncall = &*config.oncall.oncall;
    let uids = |schedule, person, now: Timestamp| {
        let text = oncall_calendar(oncall, schedule, person, (now, now)).unwrap();
        let uids = text.lines().filter(|line| line.starts_with("UID:"));
        uids.map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let (day, later) = (now(), Timestamp(now().0 + 40 * DAY_MS + 1234));
    let (first, second) = (
        uids(Some("days"), None, day),
        uids(Some("days"), None, later),
    );
    let both = first.intersection(&second).count();
    // What lies in both years, less the month of the past that the second one has left.
    assert!(
        both > 300 && second.len() - both <= 41,
        "{both} of {}",
        second.len()
    );
    let zoe = uids(None, Some("zoe"), day);
    assert!(
        zoe.iter().any(|it| it.starts_with("UID:20260106T110000Z-")),
        "{zoe:?}"
    );
    assert!(zoe.len() > 300, "her nights, too: {}", zoe.len());
    let failed = |schedule, person| {
        let said = oncall_calendar(oncall, schedule, person, (day, day));
        said.map_err(|error| error.to_string()).unwrap_err()
    };
    assert!(failed(None, None).contains("`schedule` is missing"));
    assert!(failed(Some("days"), Some("zoe")).contains("not both"));
    assert!(failed(None, Some("no")).contains("nobody called `no`"));
}
