//! Pictures of timelines over HTTP: sent, looked at, refused, kept over a restart, and gone.

use std::path::PathBuf;
use std::pin::Pin;

use axum::body::{HttpBody as _, to_bytes};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use expect_test::expect;
use firebell_incident::{Act, PICTURE_BYTES_MAX, Person};
use firebell_model::Timestamp;
use serde_json::Value;

use super::Bell;
use crate::pictures::{Pictures, Swept};

/// A whole PNG of 5 x 3 pixels; another one for each text.
fn png(text: &str) -> Vec<u8> {
    let chunk = |name: &[u8], data: &[u8]| {
        let n_bytes = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&n_bytes[..], name, data, b"crc."].concat()
    };
    let header = [0, 0, 0, 5, 0, 0, 0, 3, 8, 6, 0, 0, 0];
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"tEXt", text.as_bytes()),
        chunk(b"IDAT", b"data"),
        chunk(b"IEND", b""),
    ]
    .concat()
}

/// The path of a picture of an incident.
fn path(incident: &str, bytes: &[u8]) -> String {
    let id = Pictures::id_of(bytes);
    format!("/api/firebell/v1/incidents/{incident}/pictures/{id}")
}

impl Bell {
    async fn with_incidents(titles: &[&str]) -> Self {
        let bell = Self::start().await;
        for title in titles {
            let opened = bell.client.post(bell.url("/api/firebell/v1/incidents"));
            let body = format!(r#"{{"by":"ada","title":"{title}"}}"#);
            assert_eq!(bell.send(opened.body(body)).await.0, 201);
        }
        bell
    }

    /// Sends one; `asked` is the incident and what else the address says.
    async fn send_picture(&self, asked: &str, bytes: Vec<u8>) -> (u16, Value) {
        let (incident, query) = asked.split_once('?').unwrap_or((asked, ""));
        let url = self.url(&format!(
            "/api/firebell/v1/incidents/{incident}/pictures?{query}"
        ));
        // What it is said to be is not believed.
        let request = self.client.post(url).header("content-type", "text/html");
        let (status, _, body) = self.send(request.body(bytes)).await;
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        (status, body)
    }

    /// Stops it, changes its data, and starts it again. Tasks of this process still hold the folder:
    /// the other server gets a copy of it.
    async fn again(self, change: impl FnOnce(&std::path::Path)) -> Self {
        self.server.stop().await.unwrap();
        let copy = tempfile::tempdir().unwrap();
        let data = copy.path().join("data");
        copy_folder(&self.folder.path().join("data"), &data);
        change(&data);
        Self::start_in(copy).await
    }

    async fn sweep(&self) -> Swept {
        let app = &self.server.app;
        app.pictures.sweep(&app.handle).await.unwrap()
    }

    fn files(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.folder.path().join("data/pictures"));
        let names = folder.into_iter().flatten();
        let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let name = Pictures::id_of(bytes).to_string();
        self.folder.path().join("data/pictures").join(name)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_sent_shown_in_the_timeline_and_looked_at() {
    let bell = Bell::with_incidents(&["nobody can pay", "another"]).await;
    let sent = png("graph");
    let asked = "INC-1?by=ada&text=latency%20doubled";
    let (status, body) = bell.send_picture(asked, sent.clone()).await;
    assert_eq!((status, &body["outcome"]), (200, &"changed".into()));
    let entry = last(&body);
    assert_eq!(entry["text"], "showed a picture: latency doubled");
    expect![[r#"{"at":"TIME","by":"ada","kind":"picture","n":"N","picture":{"bytes":"N","height":"N","id":"0ef922aae99cb717fdb85edbf0899cbd8de152e119e6235290fcd45f3b83d6c0","text":"latency doubled","type":"image/png","width":"N"},"text":"showed a picture: latency doubled","url":null}"#]].assert_eq(&super::steady(entry).to_string());
    // The answer was lost, and it is sent again.
    let (status, body) = bell.send_picture(asked, sent.clone()).await;
    assert_eq!((status, &body["outcome"]), (200, &"already".into()));

    let answer = bell.client.get(bell.url(&path("1", &sent)));
    let answer = answer
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let headers: Vec<String> = SAFE_HEADERS
        .iter()
        .map(|name| {
            let value = answer.headers().get(*name).map(|it| it.to_str().unwrap());
            format!("{name}: {}\n", value.unwrap_or("none"))
        })
        .collect();
    expect![[r#"
        content-type: image/png
        content-encoding: none
        content-disposition: inline; filename="INC-1-0ef922aa.png"
        x-content-type-options: nosniff
        content-security-policy: default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'
        cross-origin-resource-policy: same-origin
        cache-control: private, no-cache
    "#]].assert_eq(&headers.concat());
    assert_eq!(answer.bytes().await.unwrap(), sent);

    let (_, _, drafted) = bell.get("/api/firebell/v1/incidents/1/postmortem").await;
    let drafted: Value = serde_json::from_str(&drafted).unwrap();
    let link = format!(
        "showed a picture: [latency doubled]({})",
        bell.url(&path("INC-1", &sent))
    );
    let markdown = drafted["markdown"].as_str().unwrap();
    assert!(markdown.contains(&link), "{link} is not in\n{markdown}");

    // Another incident does not have it before somebody shows it there; then it is the same file.
    assert_eq!(bell.get(&path("2", &sent)).await.0, 404);
    let (status, body) = bell
        .send_picture("2?by=ben&audience=stakeholders", sent.clone())
        .await;
    let entry = &last(&body)["text"];
    assert_eq!(
        (status, entry),
        (200, &"showed stakeholders a picture".into())
    );
    assert_eq!(bell.get(&path("2", &sent)).await.0, 200);
    assert_eq!(bell.files(), [Pictures::id_of(&sent).to_string()]);
    bell.server.stop().await.unwrap();
}

/// The last entry of the timeline that an answer has.
fn last(body: &Value) -> &Value {
    let timeline = body["incident"]["timeline"].as_array().unwrap();
    timeline.last().unwrap()
}

/// What a browser is told so that it shows a picture and runs nothing of it.
const SAFE_HEADERS: [&str; 7] = [
    "content-type",
    "content-encoding",
    "content-disposition",
    "x-content-type-options",
    "content-security-policy",
    "cross-origin-resource-policy",
    "cache-control",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_picture_or_too_much_is_refused_in_words_and_leaves_no_file() {
    let bell = Bell::with_incidents(&["nobody can pay", "the same"]).await;
    let merged = bell
        .client
        .post(bell.url("/api/firebell/v1/incidents/2/acts"));
    let merged = merged.body(r#"{"do":"merge","by":"ada","into":"INC-1"}"#);
    assert_eq!(bell.send(merged).await.0, 200);
    let mut large = png("large");
    large.resize(PICTURE_BYTES_MAX + 1, 0);
    let long = format!("1?by=ada&text={}", "x".repeat(1_001));
    let whole = png("a");
    let cut = whole[..whole.len() - 20].to_vec();
    let mut told = String::new();
    for (asked, bytes) in [
        (
            "1?by=ada",
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec(),
        ),
        ("1?by=ada", b"<script>alert(1)</script>".to_vec()),
        ("1?by=ada", Vec::new()),
        ("1?by=ada", cut),
        ("1?by=ada", large),
        ("1", whole.clone()),
        ("1?by=ada&audience=all", whole.clone()),
        (&*long, whole.clone()),
        ("2?by=ada", whole.clone()),
        ("9?by=ada", whole.clone()),
        ("x?by=ada", whole.clone()),
    ] {
        let (status, body) = bell.send_picture(asked, bytes).await;
        let why = body["error"].as_str().unwrap_or_default();
        // When it was merged differs from run to run.
        let why = why.split(" at 2").next().unwrap();
        told += &format!("{status} {why}\n");
    }
    expect![[r#"
        400 an SVG can carry scripts, and is not taken: send it as a PNG
        400 the body is no picture: its first bytes are not those of a PNG, JPEG, GIF or WebP
        400 the body is empty: send the picture itself
        400 the PNG is damaged or was cut off: send it again
        413 the picture is larger than 5 MiB: make it smaller, or link to it
        400 `by` is missing: say who you are
        400 `audience` is team or stakeholders, not `all`
        400 the text of the picture has 1001 characters, and may have 1000
        409 INC-2 was merged into INC-1
        404 there is no incident INC-9: `GET /api/firebell/v1/incidents` lists those that are kept, the last 2000
        400 `x` is no incident: write it as INC-12 or 12
    "#]].assert_eq(&told);
    assert!(bell.files().is_empty(), "{:?}", bell.files());

    let said = r#"{"do":"picture","by":"ada","text":"","audience":"team","picture":{}}"#;
    let acts = "/api/firebell/v1/incidents/1/acts";
    check_status(&bell, acts, Some(said), 400).await;
    let id = Pictures::id_of(&whole).to_string();
    let of = "/api/firebell/v1/incidents/1/pictures";
    for (asked, status) in [
        (format!("{of}/{id}"), 404),
        (format!("{of}/{}", id.to_uppercase()), 400),
        (format!("{of}/..%2F..%2FLOCK"), 400),
        (format!("{of}/..%2F..%2F{}", &id[6..]), 400),
        (format!("{of}/../../../../../etc/passwd"), 404),
        (format!("{of}/"), 404),
        (format!("/api/firebell/v1/incidents/9/pictures/{id}"), 404),
        (of.to_owned(), 405),
    ] {
        check_status(&bell, &asked, None, status).await;
    }
    bell.server.stop().await.unwrap();
}

async fn check_status(bell: &Bell, path: &str, body: Option<&str>, expected: u16) {
    // As it stands: a client would tidy `..` away.
    let method = if body.is_some() { "POST" } else { "GET" };
    let body = body.unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let address = bell.server.address;
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read as _, Write as _};
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    let status = answer.split(' ').nth(1).unwrap();
    assert_eq!(status, expected.to_string(), "{path}: {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_from_elsewhere_sends_no_picture() {
    let bell = Bell::with_incidents(&["nobody can pay"]).await;
    let url = bell.url("/api/firebell/v1/incidents/1/pictures?by=ada");
    let request = bell
        .client
        .post(url)
        .header("origin", "https://evil.example");
    assert_eq!(bell.send(request.body(png("a"))).await.0, 403);
    assert!(bell.files().is_empty());
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_there_after_a_restart_and_what_nobody_names_is_not() {
    let bell = Bell::with_incidents(&["nobody can pay"]).await;
    let (kept, lost, broken) = (png("kept"), png("lost"), png("broken"));
    for bytes in [&kept, &lost, &broken] {
        assert_eq!(bell.send_picture("1?by=ada", bytes.clone()).await.0, 200);
    }
    std::fs::remove_file(bell.file(&lost)).unwrap();
    std::fs::write(bell.file(&broken), b"<script>").unwrap();
    // Killed between the picture and its entry, or while it was written.
    std::fs::write(bell.file(b"orphan"), b"orphan").unwrap();
    std::fs::write(bell.file(b"half").with_extension("new"), b"ha").unwrap();
    assert_eq!(bell.files().len(), 4);
    let bell = bell.again(|_| ()).await;
    bell.sweep().await;
    // Nobody can know that the orphan never had an entry.
    let mut expected = [&kept[..], &broken, b"orphan"].map(|it| Pictures::id_of(it).to_string());
    expected.sort();
    assert_eq!(bell.files()[..3], expected);
    assert_eq!(bell.files()[3..], ["unnamed"]);

    let looked = bell
        .client
        .get(bell.url(&path("1", &kept)))
        .send()
        .await
        .unwrap();
    assert_eq!(looked.bytes().await.unwrap(), kept);
    for (bytes, what) in [(&lost, "missing in the data folder"), (&broken, "damaged")] {
        let (status, _, why) = bell.get(&path("1", bytes)).await;
        let name = format!("pictures/{}", Pictures::id_of(bytes));
        let is_named = why.contains(&name) && why.contains(what);
        assert!(status == 500 && is_named, "{status} {why}");
        // Who still has it mends it.
        assert_eq!(bell.send_picture("1?by=ada", bytes.clone()).await.0, 200);
        assert_eq!(bell.get(&path("1", bytes)).await.0, 200);
    }
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_whose_entry_is_lost_to_damage_is_there_when_the_journal_comes_back() {
    let bell = Bell::with_incidents(&["nobody can pay"]).await;
    let sent = png("graph");
    assert_eq!(bell.send_picture("1?by=ada", sent.clone()).await.0, 200);
    let id = Pictures::id_of(&sent).to_string();
    let backup = tempfile::tempdir().unwrap();
    let bell = bell
        .again(|data| {
            copy_folder(&data.join("journal"), &backup.path().join("journal"));
            flip(&data.join("journal"), id.as_bytes());
        })
        .await;
    assert_eq!(bell.sweep().await.n_removed, 0);
    assert_eq!(bell.get(&path("1", &sent)).await.0, 404);
    assert_eq!(bell.files(), [&id, "unnamed"]);
    let bell = bell
        .again(|data| {
            std::fs::remove_dir_all(data.join("journal")).unwrap();
            copy_folder(&backup.path().join("journal"), &data.join("journal"));
        })
        .await;
    bell.sweep().await;
    let looked = bell.client.get(bell.url(&path("1", &sent))).send().await;
    assert_eq!(looked.unwrap().bytes().await.unwrap(), sent);
    assert_eq!(bell.files(), [id]);
    bell.server.stop().await.unwrap();
}

/// Damages a file of a folder at some bytes that it has.
fn flip(folder: &std::path::Path, bytes: &[u8]) {
    let mut n_flipped = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let mut content = std::fs::read(&file).unwrap();
        let found = content.windows(bytes.len()).position(|it| it == bytes);
        if let Some(at) = found {
            content[at] ^= 1;
            std::fs::write(&file, content).unwrap();
            n_flipped += 1;
        }
    }
    assert!(n_flipped > 0, "nothing there is to be damaged");
}

/// What keeps many that do not read what they asked for from taking all memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_is_read_slowly_is_in_memory_by_the_piece() {
    let bell = Bell::with_incidents(&["nobody can pay"]).await;
    let sent = png(&"x".repeat(1 << 20));
    assert_eq!(bell.send_picture("1?by=ada", sent.clone()).await.0, 200);
    let id = Pictures::id_of(&sent).to_string();
    let ask = async || {
        let asked = Path(("1".to_owned(), id.clone()));
        let answer = crate::http::incidents::pictures::show(
            State(bell.server.app.clone()),
            asked,
            HeaderMap::new(),
        );
        answer.await.into_body()
    };
    let mut bodies = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut body = ask().await;
        assert_eq!(body.size_hint().exact(), Some(sent.len() as u64));
        let next = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let piece = next.await.unwrap().unwrap().into_data().unwrap();
        assert!(piece.len() <= 64 << 10, "{} bytes at once", piece.len());
        assert_eq!(
            body.size_hint().exact(),
            Some((sent.len() - piece.len()) as u64)
        );
        bodies.push(body);
    }
    let rest = to_bytes(bodies.pop().unwrap(), usize::MAX).await.unwrap();
    assert!(sent.ends_with(&rest) && rest.len() >= sent.len() - (64 << 10));
    // Nobody takes for whole what was cut meanwhile.
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(bell.file(&sent));
    file.unwrap().set_len(200_000).unwrap();
    let cut = to_bytes(bodies.pop().unwrap(), usize::MAX).await;
    assert!(cut.is_err());
    bell.server.stop().await.unwrap();
}

const CONNECTIONS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_is_taken_back_is_gone_where_it_was_and_stays_elsewhere() {
    let bell = Bell::with_incidents(&["nobody can pay", "another"]).await;
    let [both, one] = [png("both"), png("one")];
    for (asked, bytes) in [
        ("1?by=ada&text=latency", &both),
        ("1?by=ada", &one),
        ("2?by=ada", &both),
    ] {
        assert_eq!(bell.send_picture(asked, bytes.clone()).await.0, 200);
    }
    let all = both.len() + one.len();
    bell.wait_for(
        "/metrics",
        &format!("firebell_incident_pictures_bytes {all}\n"),
    )
    .await;
    let tag = format!("\"{}\"", Pictures::id_of(&one));
    let again = async || {
        let asked = bell.client.get(bell.url(&path("1", &one)));
        bell.send(asked.header("if-none-match", &tag)).await.0
    };
    assert_eq!(again().await, 304);
    let take_back = async |incident: &str, bytes: &[u8], by: &str| {
        let url = bell.url(&format!("{}{by}", path(incident, bytes)));
        let (status, _, body) = bell.send(bell.client.delete(url)).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        (status, body)
    };
    for (incident, bytes, by, expected) in [
        ("1", &both, "", 400),
        ("2", &one, "?by=ben", 404),
        ("9", &one, "?by=ben", 404),
    ] {
        assert_eq!(take_back(incident, bytes, by).await.0, expected);
    }
    assert_eq!(bell.files().len(), 2);

    let (status, body) = take_back("1", &both, "?by=ben").await;
    assert_eq!((status, &body["outcome"]), (200, &"changed".into()));
    let entries = body["incident"]["timeline"].as_array().unwrap();
    let gone = entries.iter().find(|it| it["kind"] == "picture_gone");
    expect![[r#"{"at":"TIME","by":"ada","kind":"picture_gone","n":"N","picture":null,"text":"showed a picture, which was taken back: latency","url":null}"#]].assert_eq(&super::steady(gone.unwrap()).to_string());
    expect![[r#"{"at":"TIME","by":"ben","kind":"took_back","n":"N","picture":null,"text":"took a picture back","url":null}"#]].assert_eq(&super::steady(last(&body)).to_string());
    assert_eq!(bell.get(&path("1", &both)).await.0, 404);
    assert_eq!(bell.get(&path("2", &both)).await.0, 200);
    assert_eq!(bell.files().len(), 2);
    assert_eq!(take_back("INC-1", &one, "?by=ben").await.0, 200);
    assert_eq!(again().await, 404);
    assert_eq!(bell.files(), [Pictures::id_of(&both).to_string()]);
    let (status, body) = take_back("1", &one, "?by=ada").await;
    assert_eq!((status, &body["outcome"]), (200, &"already".into()));

    let bell = bell.again(|_| ()).await;
    assert_eq!(bell.get(&path("1", &both)).await.0, 404);
    assert_eq!(bell.get(&path("2", &both)).await.0, 200);
    assert_eq!(bell.send_picture("1?by=ada", one.clone()).await.0, 200);
    assert_eq!(bell.get(&path("1", &one)).await.0, 200);
    bell.server.stop().await.unwrap();
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let (file, name) = {
            let file = file.unwrap();
            (file.path(), file.file_name())
        };
        match file.is_dir() {
            true => copy_folder(&file, &to.join(name)),
            false => drop(std::fs::copy(&file, to.join(name)).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_go_with_their_incident() {
    let bell = Bell::with_incidents(&["first"]).await;
    let sent = png("graph");
    assert_eq!(bell.send_picture("1?by=ada", sent.clone()).await.0, 200);
    let act = |wish: &'static str| wish.parse::<Act>().unwrap();
    let app = bell.server.app.clone();
    assert_eq!(bell.sweep().await.n_removed, 0);
    let forgotten = app.handle.command(move |engine, now, step| {
        let by = Person::new("ada").unwrap();
        for nth in 0..firebell_incident::INCIDENTS_KEPT_MAX {
            let newest = engine.incidents().iter().next_back().unwrap().id;
            let at = Timestamp(now.0 + nth as i64);
            let declined = act("state declined");
            engine
                .act_on_incident(at, newest, by.clone(), declined, step)
                .unwrap();
            let opening = firebell_incident::Opening {
                title: format!("number {nth}"),
                severity: firebell_incident::Severity::Sev4,
                service: None,
                alerts: Vec::new(),
            };
            engine
                .open_incident(at, by.clone(), opening, &[], step)
                .unwrap();
        }
        engine.incidents().iter().next().unwrap().id.0
    });
    assert_eq!(forgotten.await, Ok(2));
    assert_eq!(bell.get(&path("1", &sent)).await.0, 404);
    assert_eq!(bell.files().len(), 1);
    assert_eq!(bell.sweep().await.n_removed, 1);
    assert!(bell.files().is_empty());
    bell.server.stop().await.unwrap();
}
