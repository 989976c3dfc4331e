//! Mail on the wire: the sockets, TLS and deadlines of the dialogue that `firebell-notify` leads.
//!
//! *Limits*: [`ANSWER_TIMEOUT`] for each thing that is asked, [`TAKING_TIMEOUT`] for the message;
//! a line of a reply has at most [`LINE_BYTES_MAX`] bytes.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use firebell_notify::{
    SmtpAct, SmtpDialogue, SmtpEncryption, SmtpMail, SmtpReply, SmtpServer, Tls,
};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::BufReader;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::recent::Recent;
use crate::tls;

/// The settings of TLS of mail servers, so that certificates are not read anew for each mail.
#[derive(Default)]
pub(crate) struct MailTls(Recent<Tls, Arc<ClientConfig>>);

/// Hands a mail to its server once.
///
/// # Errors
/// Why it was not taken, in one line. It may have been taken all the same when the connection broke
/// at the very end.
pub(crate) async fn send(mail: &SmtpMail, known: &MailTls) -> Result<(), String> {
    let server = &mail.server;
    let address = (server.host.as_str(), server.port);
    let stream = within(ANSWER_TIMEOUT, TcpStream::connect(address)).await;
    let stream = stream.map_err(|why| format!("establish connection to server: {why}"))?;
    let mut stream: Box<dyn Stream> = Box::new(stream);
    if server.encryption == SmtpEncryption::Implicit {
        let encrypted = encrypt(stream, server, known).await;
        stream = encrypted.map_err(|why| format!("establish TLS connection to server: {why}"))?;
    }
    let mut line = Line(BufReader::new(stream));
    let mut dialogue = SmtpDialogue::new(mail);
    let mut reply = line.hear(ANSWER_TIMEOUT).await?;
    loop {
        let mut act = dialogue.handle_reply(&reply);
        if act == Ok(SmtpAct::Encrypt) {
            // What came in the clear behind the reply is thrown away with the buffer.
            let encrypted = encrypt(line.0.into_inner(), server, known).await;
            let stream = encrypted.map_err(|why| format!("send STARTTLS command: {why}"))?;
            line = Line(BufReader::new(stream));
            act = Ok(dialogue.encrypted());
        }
        reply = match act {
            Ok(SmtpAct::Say(text)) => line.ask(&format!("{}\r\n", text.reveal())).await?,
            Ok(SmtpAct::SendMessage) => {
                line.say(&mail.data(), TAKING_TIMEOUT).await?;
                line.hear(TAKING_TIMEOUT).await?
            }
            Ok(SmtpAct::Encrypt | SmtpAct::Done) => {
                // It is decided: nobody waits for a goodbye.
                tokio::spawn(line.leave());
                return Ok(());
            }
            Err(why) => {
                tokio::spawn(line.leave());
                return Err(why);
            }
        };
    }
}

async fn encrypt(
    stream: Box<dyn Stream>,
    server: &SmtpServer,
    known: &MailTls,
) -> Result<Box<dyn Stream>, String> {
    let made = |tls: &Tls| tls::client_config(tls).map(Arc::new);
    let config = known.0.get(&server.tls, made)?;
    let name = server.tls.server_name.as_ref().unwrap_or(&server.host);
    let name = ServerName::try_from(name.clone());
    let name = name.map_err(|_| "the server's name cannot be in a certificate".to_owned())?;
    let connector = TlsConnector::from(config);
    let encrypted = within(ANSWER_TIMEOUT, connector.connect(name, stream)).await?;
    Ok(Box::new(encrypted))
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection over which lines are said and heard.
struct Line(BufReader<Box<dyn Stream>>);

impl Line {
    async fn ask(&mut self, text: &str) -> Result<SmtpReply, String> {
        self.say(text, ANSWER_TIMEOUT).await?;
        self.hear(ANSWER_TIMEOUT).await
    }

    async fn say(&mut self, text: &str, limit: Duration) -> Result<(), String> {
        within(limit, self.0.write_all(text.as_bytes())).await?;
        within(limit, self.0.flush()).await
    }

    /// All lines of an answer, within the time for one.
    async fn hear(&mut self, limit: Duration) -> Result<SmtpReply, String> {
        let late = |_| Err("no answer in time".to_owned());
        timeout(limit, self.reply()).await.unwrap_or_else(late)
    }

    async fn reply(&mut self) -> Result<SmtpReply, String> {
        let mut reply = SmtpReply::default();
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut self.0).take(LINE_BYTES_MAX);
            let read = bounded.read_until(b'\n', &mut line).await;
            if read.map_err(|error| error.to_string())? == 0 {
                return Err("the server hung up".to_owned());
            }
            let line = String::from_utf8_lossy(&line);
            if reply.take(line.trim_end_matches(['\r', '\n']))? {
                return Ok(reply);
            }
        }
    }

    /// Says goodbye; nobody minds when that is not heard.
    async fn leave(mut self) {
        if self.say("QUIT\r\n", GOODBYE_TIMEOUT).await.is_ok() {
            _ = self.hear(GOODBYE_TIMEOUT).await;
        }
        _ = timeout(GOODBYE_TIMEOUT, self.0.shutdown()).await;
    }
}

async fn within<T>(
    limit: Duration,
    what: impl Future<Output = std::io::Result<T>>,
) -> Result<T, String> {
    match timeout(limit, what).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// For a connection, and for each answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// For the message: who takes it often looks through it first.
const TAKING_TIMEOUT: Duration = Duration::from_secs(60);
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
const LINE_BYTES_MAX: u64 = 4096;
