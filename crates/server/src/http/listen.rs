//! Accepts connections: so many at a time, each given up when it keeps us waiting.
//!
//! All of them are served on one thread: what takes time is done on others, and threads that share
//! connections wake each other for every request, which costs more than most of them. It is no worker of
//! deliveries and scrapes: no template keeps a request waiting.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};

/// The thread that serves; it ends with this.
pub(crate) struct Listening {
    /// Where.
    pub addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    /// Serves; what comes before `ready` is set is told to wait. `runtime` is what requests run on.
    ///
    /// # Errors
    /// When the system gives no thread, or does not take the listeners.
    pub(crate) fn start(
        listeners: Vec<TcpListener>,
        ready: &Arc<OnceLock<Router>>,
        runtime: tokio::runtime::Builder,
    ) -> io::Result<Self> {
        let addresses = listeners.iter().map(TcpListener::local_addr);
        let addresses: Vec<SocketAddr> = addresses.collect::<io::Result<_>>()?;
        let listeners = listeners.into_iter().map(TcpListener::into_std);
        let listeners: Vec<std::net::TcpListener> = listeners.collect::<io::Result<_>>()?;
        let (stop, stopped) = oneshot::channel();
        let (started, is_started) = mpsc::channel();
        let ready = Arc::clone(ready);
        let thread = std::thread::Builder::new().name("http".to_owned());
        // The runtime begins and ends there: it may not where others run.
        let thread = thread.spawn(move || {
            let runtime = match begin(runtime, listeners, &ready) {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            drop(started.send(Ok(())));
            // Stopped or given up: it ends. Work in the background sees that nobody waits for it.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        is_started.recv().map_err(io::Error::other)??;
        Ok(Self {
            addresses,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

fn begin(
    mut runtime: tokio::runtime::Builder,
    listeners: Vec<std::net::TcpListener>,
    ready: &Arc<OnceLock<Router>>,
) -> io::Result<Runtime> {
    let runtime = runtime.enable_all().build()?;
    let inside = runtime.enter();
    for listener in listeners {
        let listener = TcpListener::from_std(listener)?;
        runtime.spawn(listen(listener, Arc::clone(ready)));
    }
    drop(inside);
    Ok(runtime)
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(listener: TcpListener, ready: Arc<OnceLock<Router>>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Most often there are no file descriptors left; they come back.
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            }
        };
        let router = ready.get().cloned().unwrap_or_else(starting);
        tokio::spawn(async move {
            serve(stream, router).await;
            drop(slot);
        });
    }
}

async fn serve(stream: TcpStream, router: Router) {
    // Answers are written whole: waiting for more to send only costs time.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    if speaks_http2(&stream).await {
        let served = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .keep_alive_interval(Some(HEADERS_TIMEOUT))
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "an HTTP/2 connection ended early");
        }
        return;
    }
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Whether a connection begins as HTTP/2 does without TLS: senders of gRPC know that we speak it.
async fn speaks_http2(stream: &TcpStream) -> bool {
    let mut head = [0; 3];
    let peeked = tokio::time::timeout(HEADERS_TIMEOUT, stream.peek(&mut head)).await;
    matches!(peeked, Ok(Ok(3))) && head == *b"PRI"
}

/// What is answered while the data is read.
fn starting() -> Router {
    // A connection keeps its router, so it must not be used again.
    let close = || [(header::CONNECTION, "close")];
    let wait = "firebell is starting: it reads its data\n";
    Router::new()
        .route(
            "/-/healthy",
            get(move || async move { (close(), "Firebell is Healthy.\n") }),
        )
        .fallback(move || async move { (StatusCode::SERVICE_UNAVAILABLE, close(), wait) })
}

/// Connections at the same time, the page's event streams among them; more wait to be accepted.
pub(super) const CONNECTIONS_MAX: usize = 512;
/// A connection that sends no whole request header for so long is closed, also between requests.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(60);
/// Requests of one HTTP/2 connection at the same time.
const STREAMS_MAX: u32 = 64;
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpStream};

    use tokio::runtime::Builder;

    use super::*;

    fn ask(address: SocketAddr, path: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")?;
        Ok(stream)
    }

    fn first_line(stream: &mut TcpStream) -> String {
        let mut head = [0; 15];
        stream.read_exact(&mut head).unwrap();
        String::from_utf8_lossy(&head).into_owned()
    }

    #[tokio::test]
    async fn it_ends_whoever_still_waits_for_an_answer() {
        let local = (Ipv4Addr::LOCALHOST, 0);
        let listeners = vec![
            TcpListener::bind(local).await.unwrap(),
            TcpListener::bind(local).await.unwrap(),
        ];
        let ready = Arc::new(OnceLock::new());
        let runtime = Builder::new_current_thread();
        let listening = Listening::start(listeners, &ready, runtime).unwrap();
        for address in &listening.addresses {
            let mut early = ask(*address, "/").unwrap();
            assert_eq!(first_line(&mut early), "HTTP/1.1 503 Se");
        }
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/never", get(pending::<&'static str>));
        let _ = ready.set(router);
        let address = listening.addresses[1];
        let mut waits = ask(address, "/never").unwrap();
        assert_eq!(
            first_line(&mut ask(address, "/").unwrap()),
            "HTTP/1.1 200 OK"
        );
        drop(listening);
        assert_eq!(waits.read(&mut [0]).unwrap_or(0), 0, "it was answered");
        assert!(ask(address, "/").is_err(), "it still listens");
    }
}
