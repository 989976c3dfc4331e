//! A delivery as a machine without IO: what is to be done next, until there is a verdict.
//!
//! Most kinds ask once; some ask several times, and what they ask depends on what came back. Whoever
//! runs a step does what it says and hands over the answer, or why there was none. A way to deliver
//! that is not HTTP is one more variant of [`Step`].

use std::fmt;

use firebell_model::Secret;

use crate::exec::{ExecCommand, ExecExit};
use crate::http::{HttpRequest, HttpResponse};
use crate::jwt::Assertion;
use crate::smtp::SmtpMail;
use crate::verdict::Verdict;

/// What a delivery needs next.
pub enum Step {
    /// This request, made once.
    Http(HttpRequest, Then<HttpResponse>),
    /// This mail, handed to its server once.
    Smtp(SmtpMail, Then<()>),
    /// This program, run once.
    Exec(ExecCommand, Then<ExecExit>),
    /// This, signed now.
    Sign(Assertion, Then<Secret>),
    /// Nothing: it is over.
    Done(Verdict),
}

/// Goes on with an answer, or with why there was none, in one line that should name no address.
pub type Then<A> = Box<dyn FnOnce(Result<A, String>) -> Step + Send>;

impl Step {
    /// One request, whose answer decides. No answer means another attempt.
    pub fn ask(
        request: HttpRequest,
        judge: impl FnOnce(&HttpResponse) -> Verdict + Send + 'static,
    ) -> Self {
        Self::ask_then(request, |answer| Self::Done(judge(&answer)))
    }

    /// One request, and what follows from its answer. No answer means another attempt.
    pub fn ask_then(
        request: HttpRequest,
        then: impl FnOnce(HttpResponse) -> Self + Send + 'static,
    ) -> Self {
        Self::Http(
            request,
            Box::new(|answer| match answer {
                Ok(answer) => then(answer),
                Err(why) => Self::Done(Verdict::Retry { why, after: None }),
            }),
        )
    }

    /// Requests one after the other, until one of them does not arrive. None at all is a delivery.
    pub fn ask_all(
        requests: Vec<HttpRequest>,
        judge: impl Fn(&HttpResponse) -> Verdict + Send + 'static,
    ) -> Self {
        let mut rest = requests.into_iter();
        let Some(first) = rest.next() else {
            return Self::Done(Verdict::Delivered);
        };
        Self::ask_then(first, move |answer| match judge(&answer) {
            Verdict::Delivered if rest.len() > 0 => Self::ask_all(rest.collect(), judge),
            verdict => Self::Done(verdict),
        })
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(request, _) => f.debug_tuple("Http").field(request).finish(),
            Self::Smtp(mail, _) => f.debug_tuple("Smtp").field(mail).finish(),
            Self::Exec(command, _) => f.debug_tuple("Exec").field(command).finish(),
            Self::Sign(assertion, _) => f.debug_tuple("Sign").field(assertion).finish(),
            Self::Done(verdict) => f.debug_tuple("Done").field(verdict).finish(),
        }
    }
}
