//! E-mail: text and HTML in one message, handed to a mail server.
//!
//! *Invariants*: the same notification is the same mail, byte for byte, however often it is tried: its
//! `Message-Id` and `Date` are made of it, so that a mail that came twice is known as one.
//!
//! *Sources*: Alertmanager, `notify/email/email.go`.

mod address;
mod mime;

use std::collections::BTreeMap;

use firebell_model::{Secret, hex};
use firebell_template::NotificationText;
use sha2::{Digest as _, Sha256};

use self::address::parse_list;
use self::mime::{header_value, message};
use crate::aim::{Aim, page_text};
use crate::error::RenderError;
use crate::integration::Kind;
use crate::smtp::{SmtpMail, SmtpServer};
use crate::step::Step;
use crate::telling::Telling;
use crate::verdict::Verdict;

/// Options of one of `email_configs`, over those of `global` that begin with `smtp_`.
#[derive(Clone, Debug)]
pub struct EmailConfig {
    /// Who hands the mail on (`smarthost`, `hello`, `auth_*`, `require_tls`, `tls_config`).
    pub server: SmtpServer,
    /// Who sends (`from`): one address.
    pub from: NotificationText,
    /// Who is told (`to`): addresses, separated by commas.
    pub to: NotificationText,
    /// Further headers, or others than the usual `Subject`, `From` and `To`; names as
    /// `Content-Language`.
    pub headers: BTreeMap<String, NotificationText>,
    /// The body as HTML (`html`); none when empty.
    pub html: NotificationText,
    /// The body as text (`text`); none when empty.
    pub text: NotificationText,
    /// How mails of a group hang together (`threading`).
    pub threads: Option<EmailThreads>,
}

/// What one thread of mails is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EmailThreads {
    /// A group (`thread_by_date: none`).
    Group,
    /// A group on one day of UTC (`thread_by_date: daily`).
    Day,
}

impl EmailConfig {
    /// Mail with upstream's defaults.
    #[must_use]
    pub fn new(server: SmtpServer) -> Self {
        Self {
            server,
            from: NotificationText::default(),
            to: NotificationText::default(),
            headers: BTreeMap::new(),
            html: NotificationText::calling("email.default.html"),
            text: NotificationText::default(),
            threads: None,
        }
    }

    /// The headers as they are sent; what people wrote of them is added to `said`.
    fn headers(
        &self,
        telling: &Telling<'_>,
        to: &[String],
        said: &mut Headers,
    ) -> Result<Headers, RenderError> {
        let subject = NotificationText::calling("email.default.subject");
        let mut texts = BTreeMap::from([
            ("Subject", &subject),
            ("From", &self.from),
            ("To", &self.to),
        ]);
        texts.extend(self.headers.iter().map(|(name, text)| (&**name, text)));
        let mut headers = Vec::new();
        for (name, text) in texts {
            let value = telling.text("headers", text)?;
            said.push((name.to_owned(), value.clone()));
            headers.push((name.to_owned(), header_value(&value)));
        }
        let notification = telling.notification();
        let at = notification.at;
        let mut push = |name: &str, value: String| headers.push((name.to_owned(), value));
        if !self.headers.contains_key("Message-Id") {
            let (group, receiver) = (&notification.group_key, &notification.receiver);
            let mut identity = format!("{group}\n{receiver}\n{}", to.join(","));
            // Two alike send two mails, and a server that knows the first keeps both.
            if telling.idx() > 0 {
                identity.push_str(&format!("\n{}", telling.idx()));
            }
            let digest = &hex(&Sha256::digest(identity))[..ID_CHARS];
            let id = format!("<{}.{digest}@{}>", at.0, telling.host_name());
            push("Message-Id", id);
        }
        if let Some(threads) = self.threads {
            let day = match threads {
                EmailThreads::Group => String::new(),
                EmailThreads::Day => at.to_jiff().strftime("%Y-%m-%d").to_string(),
            };
            // No mail has this name: what refers to the same hangs together.
            let hash = &telling.key_hash()[..ID_CHARS];
            let root = format!("<alert-{hash}-{day}@alertmanager>");
            push("References", root.clone());
            push("In-Reply-To", root);
        }
        let date = at.to_jiff().strftime("%a, %d %b %Y %H:%M:%S +0000");
        push("Date", date.to_string());
        Ok(headers)
    }
}

type Headers = Vec<(String, String)>;

impl Kind for EmailConfig {
    fn name(&self) -> &'static str {
        "email"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let from = addresses(telling, "from", &self.from)?;
        let [from] = <[String; 1]>::try_from(from).map_err(|from| {
            let n = from.len();
            telling.refused(format!("must be exactly one 'from' address (got: {n})"))
        })?;
        let to = addresses(telling, "to", &self.to)?;
        let mut texts = Vec::new();
        let headers = self.headers(telling, &to, &mut texts)?;
        let mut parts = Vec::new();
        if !self.text.text().is_empty() {
            parts.push(("text/plain", telling.text("text", &self.text)?));
        }
        if !self.html.text().is_empty() {
            parts.push(("text/html", telling.html("html", &self.html)?));
        }
        let names = parts.iter().map(|(kind, content)| {
            let name = kind.trim_start_matches("text/").replace("plain", "text");
            (name, content.clone())
        });
        texts.extend(names);
        let mail = SmtpMail {
            server: self.server.clone(),
            from,
            to,
            message: message(&headers, &parts),
            texts,
        };
        Ok(Step::Smtp(
            mail,
            Box::new(|answer| {
                Step::Done(match answer {
                    Ok(()) => Verdict::Delivered,
                    // As upstream: even what a server calls final is tried again.
                    Err(why) => Verdict::Retry { why, after: None },
                })
            }),
        ))
    }

    fn secrets(&self) -> Vec<Secret> {
        self.server.secrets()
    }

    fn aimed(&self, aim: &Aim<'_>) -> Option<Box<dyn Kind>> {
        (aim.by == "email").then(|| -> Box<dyn Kind> {
            let mut headers = self.headers.clone();
            headers.remove("To");
            headers.insert("Subject".to_owned(), page_text("title"));
            Box::new(Self {
                to: aim.to(),
                headers,
                html: page_text("html"),
                text: page_text("text"),
                threads: None,
                ..self.clone()
            })
        })
    }
}

fn addresses(
    telling: &Telling<'_>,
    field: &'static str,
    text: &NotificationText,
) -> Result<Vec<String>, RenderError> {
    let listed = parse_list(&telling.text(field, text)?);
    listed.map_err(|why| telling.refused(format!("parse '{field}' addresses: {why}")))
}

/// Of a digest in names of mails.
const ID_CHARS: usize = 16;
