//! Pictures that are sent while others go away, or look after the folder.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use firebell_disk::{Disk, DiskError, MemoryDisk};

use super::Pictures;
use crate::serve::{Options, Server};

/// Memory that takes a picture and does not say so before the gate is open.
#[derive(Clone, Default)]
struct GatedDisk {
    memory: MemoryDisk,
    is_shut: Arc<(Mutex<bool>, Condvar)>,
    n_waiting: Arc<AtomicUsize>,
}

impl GatedDisk {
    fn shut(&self, is_shut: bool) {
        *self.is_shut.0.lock().unwrap() = is_shut;
        self.is_shut.1.notify_all();
    }

    async fn wait_for_one(&self) {
        wait_for("a picture on the disk", async || {
            self.n_waiting.load(Ordering::SeqCst) == 1
        })
        .await;
    }
}

impl Disk for GatedDisk {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.memory.append(path, bytes)
    }

    fn sync(&self, path: &str) -> Result<(), DiskError> {
        self.memory.sync(path)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        self.memory.read(path)
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.memory.replace(path, bytes)?;
        if path.starts_with("pictures/") {
            self.n_waiting.fetch_add(1, Ordering::SeqCst);
            let shut = self.is_shut.0.lock().unwrap();
            let opened = self.is_shut.1.wait_while(shut, |is_shut| *is_shut);
            drop(opened);
            self.n_waiting.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(())
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

async fn wait_for(what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..200 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited for {what} in vain");
}

/// One that has an incident.
async fn start(disk: &GatedDisk) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options {
        config_file: None,
        listen: Some(([127, 0, 0, 1], 0).into()),
        data_dir: "unused".into(),
        external_url: None,
        flags: crate::flags::Flags::default(),
    };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let server = Server::start_on(&options, || Ok(disk)).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/api/firebell/v1/incidents", server.address);
    let opened = client.post(url).body(r#"{"by":"ada","title":"it burns"}"#);
    assert_eq!(opened.send().await.unwrap().status(), 201);
    server
}

/// Sends one; whoever drops what this gives goes away.
fn send(server: &Server, gif: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(server.address).unwrap();
    let path = "/api/firebell/v1/incidents/1/pictures?by=ada";
    let n_bytes = gif.len();
    write!(
        socket,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {n_bytes}\r\n\r\n"
    )
    .unwrap();
    socket.write_all(gif).unwrap();
    socket
}

async fn is_named(server: &Server, gif: &[u8]) -> bool {
    let id = Pictures::id_of(gif);
    let named = server
        .app
        .handle
        .read(move |engine, _| engine.incidents().has_picture(id));
    named.await.unwrap()
}

/// A whole one of a pixel, and another one behind it for each number.
fn gif(n: u8) -> Vec<u8> {
    let head = b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x01a\0;";
    [&head[..], &[n]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_away_while_the_picture_is_kept_has_shown_it() {
    let disk = GatedDisk::default();
    let server = start(&disk).await;
    disk.shut(true);
    let sender = send(&server, &gif(1));
    disk.wait_for_one().await;
    drop(sender);
    // Others wait for their turn; they go away before it comes, and have sent nothing.
    let others: Vec<TcpStream> = (2..10).map(|n| send(&server, &gif(n))).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(others);
    tokio::time::sleep(Duration::from_millis(300)).await;
    disk.shut(false);
    wait_for("its entry", async || is_named(&server, &gif(1)).await).await;
    let app = &server.app;
    let swept = app.pictures.sweep(&app.handle).await.unwrap();
    assert_eq!((swept.n_removed, swept.unnamed.len()), (0, 0));
    let expected = [Pictures::id_of(&gif(1)).to_string()];
    assert_eq!(disk.memory.list("pictures").unwrap(), expected);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_is_being_sent_is_not_swept_away() {
    let disk = GatedDisk::default();
    let server = start(&disk).await;
    disk.shut(true);
    let _sender = send(&server, &gif(1));
    disk.wait_for_one().await;
    // It is there, and nobody names it.
    assert_eq!(disk.memory.list("pictures").unwrap().len(), 1);
    assert!(!is_named(&server, &gif(1)).await);
    let app = server.app.clone();
    let sweep = tokio::spawn(async move { app.pictures.sweep(&app.handle).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!sweep.is_finished(), "it did not wait");
    disk.shut(false);
    let swept = sweep.await.unwrap();
    assert_eq!((swept.n_removed, swept.unnamed.len()), (0, 0));
    assert!(is_named(&server, &gif(1)).await);
    assert_eq!(disk.memory.list("pictures").unwrap().len(), 1);
    server.stop().await.unwrap();
}
