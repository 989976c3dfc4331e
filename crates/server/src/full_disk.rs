//! A server whose disk is full or broken for a while: pages go out, people are told, and it heals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use firebell_disk::{Disk, DiskError, MemoryDisk};
use firebell_model::{Labels, Sample, Timestamp};
use firebell_wire::source::write_request;

use crate::serve::{Options, Server};

/// Memory that can be full, or fail to make durable what it has taken.
#[derive(Clone, Default)]
struct SmallDisk {
    memory: MemoryDisk,
    is_full: Arc<AtomicBool>,
    is_broken: Arc<AtomicBool>,
}

impl SmallDisk {
    fn check(&self, path: &str) -> Result<(), DiskError> {
        if !self.is_full.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(DiskError {
            action: "append to",
            path: path.to_owned(),
            why: "no space left on device".to_owned(),
            is_not_found: false,
            is_full: true,
        })
    }
}

impl Disk for SmallDisk {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.check(path)?;
        self.memory.append(path, bytes)
    }

    fn sync(&self, path: &str) -> Result<(), DiskError> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(DiskError {
                action: "sync",
                path: path.to_owned(),
                why: "input/output error".to_owned(),
                is_not_found: false,
                is_full: false,
            });
        }
        self.memory.sync(path)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        self.memory.read(path)
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let checked = self.check(path);
        if checked.is_err() && path.starts_with("pictures/") {
            // What had room of it stays, as if the process had been killed there.
            let half = &bytes[..bytes.len() / 2];
            self.memory.append(&format!("{path}.new"), half)?;
        }
        checked?;
        self.memory.replace(path, bytes)
    }

    fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError> {
        self.memory.truncate(path, len)
    }

    fn remove(&self, path: &str) -> Result<(), DiskError> {
        self.memory.remove(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.memory.list(folder)
    }
}

/// A webhook that counts its messages.
async fn webhook() -> (String, Arc<AtomicUsize>) {
    let n_messages = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&n_messages);
    let count = async move || {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(count));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, n_messages)
}

async fn start(config: &std::path::Path, disk: &SmallDisk) -> Server {
    let options = Options {
        config_file: Some(config.to_owned()),
        listen: Some(([127, 0, 0, 1], 0).into()),
        data_dir: "unused".into(),
        external_url: None,
        flags: crate::flags::Flags::default(),
    };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Server::start_on(&options, || Ok(disk)).await.unwrap()
}

/// Posts JSON; gives the status.
async fn send(server: &Server, path: &str, body: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}{path}", server.address);
    let response = client.post(url).body(body.to_owned()).send().await;
    response.unwrap().status().as_u16()
}

const INCIDENTS: &str = "/api/firebell/v1/incidents";
const PICTURES: &str = "/api/firebell/v1/incidents/1/pictures?by=ada";
/// A whole one of a pixel.
const GIF: &str = "GIF89a\u{1}\0\u{1}\0\0\0\0,\0\0\0\0\u{1}\0\u{1}\0\0\u{2}\u{1}a\0;";

async fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..200 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited for {what} in vain");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_no_page_and_refuses_changes_until_it_has_room() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (url, n_messages) = webhook().await;
    let n_messages = || n_messages.load(Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("firebell.yml");
    let text = format!(
        "alertmanager: {{route: {{receiver: night, group_wait: 0s, group_interval: 1s}}, \
         receivers: [{{name: night, webhook_configs: [{{url: '{url}'}}]}}]}}"
    );
    std::fs::write(&config, text).unwrap();
    let disk = SmallDisk::default();
    let server = start(&config, &disk).await;
    let opened = r#"{"by":"ada","title":"it burns"}"#;
    assert_eq!(send(&server, INCIDENTS, opened).await, 201);

    disk.is_full.store(true, Ordering::Relaxed);
    let alert = r#"[{"labels":{"alertname":"Burning"}}]"#;
    let silence = r#"{"matchers":[{"name":"a","value":"b","isRegex":false}],"createdBy":"me",
        "comment":"why","startsAt":"2026-01-01T00:00:00Z","endsAt":"2999-01-01T00:00:00Z"}"#;
    // The sender is told to come again, and the page goes out all the same.
    assert_eq!(send(&server, "/api/v2/alerts", alert).await, 503);
    wait_for("the page", || n_messages() == 1).await;
    assert_eq!(send(&server, "/api/v2/silences", silence).await, 503);
    assert_eq!(send(&server, PICTURES, GIF).await, 503);
    // The journal may wait for the room that the part takes, and so it goes without the journal.
    let pictures = || disk.memory.list("pictures").unwrap();
    assert_eq!(pictures().len(), 1);
    let app = &server.app;
    assert!(app.pictures.sweep(&app.handle).await.is_err());
    assert!(pictures().is_empty(), "{:?}", pictures());
    assert!(server.app.metrics.journal_failures.get() > 0);

    disk.is_full.store(false, Ordering::Relaxed);
    assert_eq!(send(&server, "/api/v2/silences", silence).await, 200);
    assert_eq!(send(&server, PICTURES, GIF).await, 200);
    assert_eq!(pictures().len(), 1);
    server.stop().await.unwrap();

    // What was decided while the disk was full is there after a restart: nobody is told twice.
    let server = start(&config, &disk).await;
    let silences = server
        .app
        .handle
        .read(|engine, now| engine.dispatch().silences(now).len());
    assert_eq!(silences.await, Ok(2));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(n_messages(), 1);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_that_wait_for_room_are_answered_for_and_samples_that_may_be_lost_are_not() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("firebell.yml");
    std::fs::write(&config, "{}").unwrap();
    let disk = SmallDisk::default();
    let server = start(&config, &disk).await;
    let now = server.app.handle.read(|_, now| now).await.unwrap();
    let write = async |at: i64| {
        let labels = Labels::from_pairs([("__name__", "up")]);
        let (at, value) = (Timestamp(now.0 + at), 1.0);
        let body = write_request(&[(labels, Sample { at, value })]);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/api/v1/write", server.address);
        let request = client.post(url).header("content-encoding", "snappy");
        request.body(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(write(1).await, 204);
    disk.is_broken.store(true, Ordering::Relaxed);
    assert_eq!(write(2).await, 503);
    disk.is_broken.store(false, Ordering::Relaxed);
    // The sender comes again with what it was not answered for.
    assert_eq!(write(2).await, 204);
    disk.is_full.store(true, Ordering::Relaxed);
    assert_eq!(write(3).await, 204);
    disk.is_full.store(false, Ordering::Relaxed);
    assert_eq!(write(4).await, 204);
    server.stop().await.unwrap();
}
