//! The dialogue with a mail server, as a machine without IO: what it says goes in, what is to be said
//! comes out.
//!
//! *Invariants*: nobody's password goes over a wire that is not encrypted, but to this machine (and by
//! `LOGIN`, as upstream). Every line is bounded, and so is how many a reply has.
//!
//! *Sources*: RFC 5321 (SMTP), 3207 (STARTTLS), 4954 (AUTH), 2195 (CRAM-MD5), 6531 (SMTPUTF8); Go,
//! `net/smtp`; Alertmanager, `notify/email/email.go`.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use firebell_model::{Secret, hex};

use crate::hmac::hmac_md5;
use crate::http::Tls;
use crate::verdict::one_line;

/// A mail server, and who we are to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmtpServer {
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// When the connection is encrypted.
    pub encryption: SmtpEncryption,
    /// Whom to trust, and as whom.
    pub tls: Tls,
    /// What we call ourselves.
    pub hello: String,
    /// As whom we log in; empty for not at all.
    pub username: String,
    /// On whose behalf (`PLAIN` only).
    pub identity: String,
    /// For `PLAIN` and `LOGIN`.
    pub password: Secret,
    /// For `CRAM-MD5`.
    pub secret: Secret,
}

/// When a connection to a mail server is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SmtpEncryption {
    /// From its first byte.
    Implicit,
    /// After `STARTTLS`, without which nothing is sent.
    StartTls,
    /// Never.
    Never,
}

impl SmtpServer {
    /// What an answer could echo.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let (password, secret) = (self.password.reveal(), self.secret.reveal());
        let plain = format!("{}\0{}\0{password}", self.identity, self.username);
        let coded = [plain.as_str(), password].map(|text| BASE64_STANDARD.encode(text));
        let coded = coded.iter().map(String::as_str);
        let all = coded.chain([password, secret]);
        all.filter(|_| !self.username.is_empty())
            .map(Secret::new)
            .collect()
    }
}

/// A mail and who hands it on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmtpMail {
    /// Who hands it on.
    pub server: SmtpServer,
    /// The address that sends, bare.
    pub from: String,
    /// The addresses that are told, bare.
    pub to: Vec<String>,
    /// Headers and body; lines end with CR LF.
    pub message: String,
    /// What people read of it, before it was encoded: headers by their names, then `text` and `html`.
    pub texts: Vec<(String, String)>,
}

/// What a server says at once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SmtpReply {
    /// Such as 250.
    pub code: u16,
    /// Its lines, without the code.
    pub lines: Vec<String>,
}

impl SmtpReply {
    /// Takes a line without its end; whether that was the last one.
    ///
    /// # Errors
    /// When it is no line of a reply, or there are too many.
    pub fn take(&mut self, line: &str) -> Result<bool, String> {
        let is_reply = line.len() >= 3 && line.bytes().take(3).all(|byte| byte.is_ascii_digit());
        let code = line
            .get(..3)
            .filter(|_| is_reply)
            .and_then(|code| code.parse().ok());
        let rest = line.get(3..).unwrap_or_default();
        let is_last = !rest.starts_with('-');
        let (Some(code), true) = (code, rest.is_empty() || rest.starts_with(['-', ' '])) else {
            let line = one_line(line.as_bytes());
            return Err(format!("this is no reply of SMTP: `{line}`"));
        };
        if self.lines.len() >= REPLY_LINES_MAX {
            return Err(format!("a reply has more than {REPLY_LINES_MAX} lines"));
        }
        self.code = code;
        self.lines
            .push(rest.get(1..).unwrap_or_default().to_owned());
        Ok(is_last)
    }

    fn shown(&self) -> String {
        let text = one_line(self.lines.join(" ").as_bytes());
        format!("{} {text}", self.code)
    }
}

/// What is to be done next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SmtpAct {
    /// Send this line, then hear the reply.
    Say(Secret),
    /// Encrypt the connection, then call [`SmtpDialogue::encrypted`].
    Encrypt,
    /// Send [`SmtpMail::data`], then hear the reply.
    SendMessage,
    /// Nothing: the mail was taken.
    Done,
}

impl SmtpMail {
    /// The message as it goes over the wire, with the dot that ends it.
    #[must_use]
    pub fn data(&self) -> String {
        let mut data = String::with_capacity(self.message.len() + 8);
        for line in self.message.split_inclusive("\r\n") {
            data.push_str(if line.starts_with('.') { "." } else { "" });
            data.push_str(line);
        }
        if !data.ends_with("\r\n") {
            data.push_str("\r\n");
        }
        data + ".\r\n"
    }
}

/// Where the dialogue is: what the next reply answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Connect,
    Ehlo,
    Helo,
    StartTls,
    EhloAgain,
    Auth(Mechanism, usize),
    From,
    To(usize),
    Data,
    Message,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mechanism {
    CramMd5,
    Plain,
    Login,
}

/// One dialogue; begins when there is a connection.
#[derive(Debug)]
pub struct SmtpDialogue<'m> {
    mail: &'m SmtpMail,
    stage: Stage,
    is_encrypted: bool,
    extensions: BTreeMap<String, String>,
}

impl<'m> SmtpDialogue<'m> {
    /// A dialogue whose first reply is the server's greeting.
    #[must_use]
    pub fn new(mail: &'m SmtpMail) -> Self {
        Self {
            mail,
            stage: Stage::Connect,
            is_encrypted: mail.server.encryption == SmtpEncryption::Implicit,
            extensions: BTreeMap::new(),
        }
    }

    /// Hears a reply.
    ///
    /// # Errors
    /// Why the mail was not taken.
    pub fn handle_reply(&mut self, reply: &SmtpReply) -> Result<SmtpAct, String> {
        match self.stage {
            Stage::Connect => self.expect(reply, &[220], "create SMTP client")?,
            // Who does not know EHLO may know HELO.
            Stage::Ehlo if reply.code != 250 => return Ok(self.hello("HELO", Stage::Helo)),
            Stage::Ehlo => {
                self.learn(reply);
                return self.after_hello();
            }
            Stage::Helo => {
                self.expect(reply, &[250], "send EHLO command")?;
                self.extensions.clear();
                return self.after_hello();
            }
            Stage::StartTls => {
                self.expect(reply, &[220], "send STARTTLS command")?;
                return Ok(SmtpAct::Encrypt);
            }
            Stage::EhloAgain => {
                self.expect(reply, &[250], "send STARTTLS command")?;
                self.learn(reply);
                return self.log_in();
            }
            Stage::Auth(mechanism, n_answers) => {
                return self.challenged(reply, mechanism, n_answers);
            }
            Stage::From => {
                self.expect(reply, &[250], "send MAIL command")?;
                return Ok(self.recipient(0));
            }
            Stage::To(idx) => {
                self.expect(reply, &TAKES_RECIPIENT, "send RCPT command")?;
                return Ok(self.recipient(idx + 1));
            }
            Stage::Data => {
                self.expect(reply, &[354], "send DATA command")?;
                self.stage = Stage::Message;
                return Ok(SmtpAct::SendMessage);
            }
            Stage::Message => {
                self.expect(reply, &[250], "delivery failure")?;
                return Ok(SmtpAct::Done);
            }
        }
        Ok(self.hello("EHLO", Stage::Ehlo))
    }

    /// Goes on over the connection that is encrypted now.
    pub fn encrypted(&mut self) -> SmtpAct {
        self.is_encrypted = true;
        // What was said before in the clear, somebody else may have said.
        self.extensions.clear();
        self.hello("EHLO", Stage::EhloAgain)
    }

    fn expect(&self, reply: &SmtpReply, wanted: &[u16], what: &str) -> Result<(), String> {
        match wanted.contains(&reply.code) {
            true => Ok(()),
            false => Err(format!("{what}: {}", reply.shown())),
        }
    }

    fn say(&mut self, stage: Stage, line: impl Into<String>) -> SmtpAct {
        self.stage = stage;
        SmtpAct::Say(Secret::new(line.into()))
    }

    fn hello(&mut self, verb: &str, stage: Stage) -> SmtpAct {
        let line = format!("{verb} {}", self.mail.server.hello);
        self.say(stage, line)
    }

    fn learn(&mut self, reply: &SmtpReply) {
        let named = reply.lines.iter().skip(1);
        let named = named.map(|line| line.split_once(' ').unwrap_or((line, "")));
        let named = named.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.extensions = named.collect();
    }

    fn after_hello(&mut self) -> Result<SmtpAct, String> {
        let server = &self.mail.server;
        if server.encryption != SmtpEncryption::StartTls {
            return self.log_in();
        }
        if !self.extensions.contains_key("STARTTLS") {
            let address = format!("{}:{}", server.host, server.port);
            return Err(format!(
                "'require_tls' is true (default) but {address:?} does not advertise the STARTTLS \
                 extension"
            ));
        }
        Ok(self.say(Stage::StartTls, "STARTTLS"))
    }

    /// By the first way that the server offers and that we can go. Without a user, or where the
    /// server has no way at all, not at all.
    fn log_in(&mut self) -> Result<SmtpAct, String> {
        let server = &self.mail.server;
        let offered = self.extensions.get("AUTH");
        let Some(offered) = offered.filter(|_| !server.username.is_empty()) else {
            return Ok(self.sender());
        };
        let mut missing = Vec::new();
        for name in offered.split(' ') {
            let (mechanism, needed, what) = match name {
                "CRAM-MD5" => (Mechanism::CramMd5, &server.secret, "secret"),
                "PLAIN" => (Mechanism::Plain, &server.password, "password"),
                "LOGIN" => (Mechanism::Login, &server.password, "password"),
                _ => {
                    missing.push(format!(
                        "unknown auth mechanism: {}",
                        one_line(name.as_bytes())
                    ));
                    continue;
                }
            };
            if needed.is_empty() {
                missing.push(format!("missing {what} for {name} auth mechanism"));
                continue;
            }
            return self.begin_auth(mechanism);
        }
        Err(format!("find auth mechanism: {}", missing.join("; ")))
    }

    fn begin_auth(&mut self, mechanism: Mechanism) -> Result<SmtpAct, String> {
        let server = &self.mail.server;
        let line = match mechanism {
            Mechanism::CramMd5 => "AUTH CRAM-MD5".to_owned(),
            Mechanism::Login => "AUTH LOGIN".to_owned(),
            Mechanism::Plain => {
                let is_here = ["localhost", "127.0.0.1", "::1"].contains(&&*server.host);
                if !self.is_encrypted && !is_here {
                    return Err("PLAIN auth: unencrypted connection".to_owned());
                }
                let (identity, user) = (&server.identity, &server.username);
                let plain = format!("{identity}\0{user}\0{}", server.password.reveal());
                format!("AUTH PLAIN {}", BASE64_STANDARD.encode(plain))
            }
        };
        Ok(self.say(Stage::Auth(mechanism, 0), line))
    }

    fn challenged(
        &mut self,
        reply: &SmtpReply,
        mechanism: Mechanism,
        n_answers: usize,
    ) -> Result<SmtpAct, String> {
        let server = &self.mail.server;
        if reply.code == 235 {
            return Ok(self.sender());
        }
        if reply.code != 334 {
            return Err(format!("{mechanism:?} auth: {}", reply.shown()));
        }
        let challenge = reply
            .lines
            .first()
            .and_then(|line| BASE64_STANDARD.decode(line).ok());
        let asked = challenge.as_ref().map(|it| it.to_ascii_lowercase());
        let answer = match (mechanism, asked.as_deref()) {
            (Mechanism::CramMd5, Some(_)) if n_answers == 0 => {
                let digest = hmac_md5(
                    server.secret.reveal().as_bytes(),
                    &challenge.unwrap_or_default(),
                );
                format!("{} {}", server.username, hex(&digest))
            }
            (Mechanism::Login, Some(b"username:")) => server.username.clone(),
            (Mechanism::Login, Some(b"password:")) => server.password.reveal().to_owned(),
            _ => return Err(format!("{mechanism:?} auth: unexpected server challenge")),
        };
        if n_answers >= ANSWERS_MAX {
            return Err(format!("{mechanism:?} auth: the server asks without end"));
        }
        let stage = Stage::Auth(mechanism, n_answers + 1);
        Ok(self.say(stage, BASE64_STANDARD.encode(answer)))
    }

    fn sender(&mut self) -> SmtpAct {
        let mut line = format!("MAIL FROM:<{}>", self.mail.from);
        for (extension, parameter) in [("8BITMIME", " BODY=8BITMIME"), ("SMTPUTF8", " SMTPUTF8")] {
            if self.extensions.contains_key(extension) {
                line.push_str(parameter);
            }
        }
        self.say(Stage::From, line)
    }

    fn recipient(&mut self, idx: usize) -> SmtpAct {
        match self.mail.to.get(idx) {
            Some(to) => self.say(Stage::To(idx), format!("RCPT TO:<{to}>")),
            None => self.say(Stage::Data, "DATA"),
        }
    }
}

const TAKES_RECIPIENT: [u16; 10] = [250, 251, 252, 253, 254, 255, 256, 257, 258, 259];
/// Of a reply; what a server can do is a line each.
const REPLY_LINES_MAX: usize = 128;
/// Of one login: a user and a password.
const ANSWERS_MAX: usize = 4;
