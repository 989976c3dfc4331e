//! What would be sent, for people to look at: without secrets, and without sending it.

use firebell_model::Secret;
use serde::Serialize;

use crate::http::HttpRequest;
use crate::step::Step;
use crate::verdict::{Verdict, scrub};

/// The first thing that a delivery would do. What follows depends on answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Preview {
    /// Whom it would go to, such as `POST https://hooks.slack.com/…`.
    pub to: String,
    /// Headers of a request, with values that are no secret.
    pub headers: Vec<(String, String)>,
    /// The text of the request, of the mail, or what a program reads.
    pub body: String,
}

impl Preview {
    pub(crate) fn new(step: &Step, hidden: &[Secret]) -> Self {
        let (to, headers, body) = match step {
            Step::Http(request, _) => (whither(request), headers(request), &request.body),
            Step::Smtp(mail, _) => {
                let (to, server) = (mail.to.join(", "), &mail.server);
                let to = format!("mail to {to} by {}:{}", server.host, server.port);
                (to, Vec::new(), &mail.message)
            }
            Step::Exec(command, _) => {
                let args = command.args.iter().map(|arg| format!(" {arg:?}"));
                let to = format!("run {}{}", command.command, args.collect::<String>());
                (to, Vec::new(), &command.input)
            }
            Step::Sign(..) => (String::new(), Vec::new(), &String::new()),
            Step::Done(verdict) => (nothing(verdict), Vec::new(), &String::new()),
        };
        let mut preview = Self {
            to,
            headers,
            body: body.clone(),
        };
        for secret in hidden {
            scrub(&mut preview.to, secret);
            scrub(&mut preview.body, secret);
        }
        preview
    }
}

/// The host is no secret; the rest of an address often is.
fn whither(request: &HttpRequest) -> String {
    let url = request.url.reveal();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let method = format!("{:?}", request.method).to_uppercase();
    format!("{method} {scheme}://{host}/…")
}

fn headers(request: &HttpRequest) -> Vec<(String, String)> {
    let shown = request.headers.iter().map(|(name, value)| {
        let is_shown = SHOWN.iter().any(|it| it.eq_ignore_ascii_case(name));
        let value = if is_shown { value.reveal() } else { "<secret>" };
        (name.clone(), value.to_owned())
    });
    shown.collect()
}

fn nothing(verdict: &Verdict) -> String {
    format!("nothing: {verdict:?}")
}

/// Headers that hold no secret.
const SHOWN: [&str; 3] = ["Content-Type", "User-Agent", "Accept"];
