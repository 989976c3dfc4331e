//! Tokens by OAuth 2.0, for a password or for what a key signs, asked for when a delivery begins.
//!
//! *Sources*: RFC 6749, section 4.4; RFC 7523; `prometheus/common`, `config/http_config.go`, whose library tries
//! the header first and the body when that is refused.

use std::collections::BTreeMap;

use firebell_model::Secret;
use serde::Deserialize;

use crate::http::{HttpRequest, HttpResponse, basic, escape_query};
use crate::jwt::Assertion;
use crate::step::Step;
use crate::verdict::{TOO_MANY_REQUESTS, Verdict};

/// Who we are to whom, to get a token (`oauth2`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OAuth2 {
    /// Our name.
    pub client_id: String,
    /// What shows that we are it.
    pub proof: ClientProof,
    /// What we want to do.
    pub scopes: Vec<String>,
    /// Whom to ask.
    pub token_url: Secret,
    /// Further parameters (`endpoint_params`); not used with what a key signs, as upstream.
    pub params: BTreeMap<String, String>,
}

/// What shows who we are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientProof {
    /// Our password (`client_credentials`).
    Password(Secret),
    /// What our key signs (`urn:ietf:params:oauth:grant-type:jwt-bearer`).
    Signed(Assertion),
}

impl ClientProof {
    /// What nobody may see of it.
    pub(crate) fn secret(&self) -> &Secret {
        match self {
            Self::Password(secret) => secret,
            Self::Signed(assertion) => &assertion.key,
        }
    }
}

impl OAuth2 {
    /// Gets a token, and goes on with the value of the header `Authorization`.
    pub(crate) fn then(self, go_on: impl FnOnce(Secret) -> Step + Send + 'static) -> Step {
        let secret = match &self.proof {
            ClientProof::Password(secret) => secret.clone(),
            ClientProof::Signed(assertion) => {
                let assertion = assertion.clone();
                return Step::Sign(
                    assertion,
                    Box::new(move |signed| match signed {
                        Ok(signed) => {
                            Step::ask_then(self.grant(&signed), |answer| with_token(&answer, go_on))
                        }
                        Err(why) => {
                            let why = format!("no token: {why}");
                            Step::Done(Verdict::Rejected { why })
                        }
                    }),
                );
            }
        };
        let by_header = self.request(&secret, true);
        Step::ask_then(by_header, move |answer| {
            if !(400..500).contains(&answer.status) || answer.status == TOO_MANY_REQUESTS {
                return with_token(&answer, go_on);
            }
            let in_body = self.request(&secret, false);
            Step::ask_then(in_body, |answer| with_token(&answer, go_on))
        })
    }

    fn grant(&self, signed: &Secret) -> HttpRequest {
        let (signed, grant) = (escape_query(signed.reveal()), escape_query(JWT_BEARER));
        let body = format!("assertion={signed}&grant_type={grant}");
        HttpRequest::post(self.token_url.clone(), FORM, body)
    }

    fn request(&self, secret: &Secret, by_header: bool) -> HttpRequest {
        let id = escape_query(&self.client_id);
        let secret = escape_query(secret.reveal());
        let mut pairs = vec!["grant_type=client_credentials".to_owned()];
        if !self.scopes.is_empty() {
            pairs.push(format!("scope={}", escape_query(&self.scopes.join(" "))));
        }
        for (name, value) in &self.params {
            pairs.push(format!("{}={}", escape_query(name), escape_query(value)));
        }
        if !by_header {
            pairs.extend([format!("client_id={id}"), format!("client_secret={secret}")]);
        }
        pairs.sort();
        let request = HttpRequest::post(self.token_url.clone(), FORM, pairs.join("&"));
        if !by_header {
            return request;
        }
        request.with_header("Authorization", basic(&id, &secret))
    }
}

fn with_token(answer: &HttpResponse, go_on: impl FnOnce(Secret) -> Step) -> Step {
    // What the answer says besides may echo our password in any disguise.
    let verdict = Verdict::of_status_with(answer, &[TOO_MANY_REQUESTS], |_| String::new());
    let after = match verdict {
        Verdict::Delivered | Verdict::DeliveredAs(_) => return with_body(&answer.body, go_on),
        Verdict::Retry { after, .. } => after,
        // A token that is refused today may be given tomorrow: nobody has refused the message.
        Verdict::Rejected { .. } => None,
    };
    let why = format!("no token: unexpected status code {}", answer.status);
    Step::Done(Verdict::Retry { why, after })
}

fn with_body(body: &[u8], go_on: impl FnOnce(Secret) -> Step) -> Step {
    match serde_json::from_slice::<Token>(body) {
        Ok(token) if !token.access_token.is_empty() => {
            let Token {
                access_token,
                token_type,
            } = token;
            let scheme = match token_type.to_ascii_lowercase().as_str() {
                "" | "bearer" => "Bearer",
                _ => &token_type,
            };
            go_on(Secret::new(format!("{scheme} {access_token}")))
        }
        _ => {
            let why = "no token: the answer holds none".to_owned();
            Step::Done(Verdict::Retry { why, after: None })
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Token {
    access_token: String,
    token_type: String,
}

const FORM: &str = "application/x-www-form-urlencoded";
/// The grant for what a key signs.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
