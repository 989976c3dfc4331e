//! Requests to AWS, signed.
//!
//! *Sources*: AWS, "Signature Version 4 signing process".

use std::fmt::Write as _;

use firebell_model::{Secret, Timestamp, hex};
use sha2::{Digest as _, Sha256};

use crate::hmac::hmac;
use crate::http::HttpRequest;

/// Who signs (`sigv4`).
#[derive(Clone, Debug)]
pub struct AwsSigner {
    /// Such as `eu-central-1`.
    pub region: String,
    /// Names the key.
    pub access_key: Secret,
    /// The key.
    pub secret_key: Secret,
    /// Of credentials that end.
    pub session_token: Option<Secret>,
}

impl AwsSigner {
    /// The request with its signature. `url` is that of the request: `https://HOST/PATH`, no query.
    pub(crate) fn sign(
        &self,
        request: HttpRequest,
        service: &str,
        content_type: &str,
        now: Timestamp,
    ) -> HttpRequest {
        let time = now.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{service}/aws4_request", self.region);
        let (host, path) = host_and_path(request.url.reveal());
        let mut headers = vec![
            ("content-type", content_type),
            ("host", host),
            ("x-amz-date", &time),
        ];
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token", token.reveal()));
        }
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let mut canonical = format!("POST\n{path}\n\n");
        for (name, value) in &headers {
            // Writing to a string cannot fail.
            _ = writeln!(canonical, "{name}:{value}");
        }
        _ = write!(
            canonical,
            "\n{names}\n{}",
            hex(&Sha256::digest(&request.body))
        );
        let digest = hex(&Sha256::digest(&canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
        let mut key = format!("AWS4{}", self.secret_key.reveal()).into_bytes();
        for part in [day, &self.region, service, "aws4_request"] {
            key = hmac(&key, part.as_bytes()).to_vec();
        }
        let signature = hex(&hmac(&key, to_sign.as_bytes()));
        let access_key = self.access_key.reveal();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, \
             Signature={signature}"
        );
        let mut request = request.with_header("X-Amz-Date", Secret::new(&*time));
        if let Some(token) = &self.session_token {
            request = request.with_header("X-Amz-Security-Token", token.clone());
        }
        request.with_header("Authorization", Secret::new(authorization))
    }
}

/// The header `Host`, as clients make it, and the path of an address.
fn host_and_path(url: &str) -> (&str, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (host, path) = match rest.find('/') {
        Some(idx) => rest.split_at(idx),
        None => (rest, "/"),
    };
    let usual = if scheme == "http" { ":80" } else { ":443" };
    (host.strip_suffix(usual).unwrap_or(host), path)
}
