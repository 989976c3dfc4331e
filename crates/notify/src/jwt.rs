//! Signed words that say who we are, exchanged for a token.
//!
//! *Invariants*: who signs brings the time and a number that is used once; what is signed follows from
//! them and from the configuration.
//!
//! *Not here*: signing (`firebell-server`), since RSA needs chance.
//!
//! *Sources*: RFC 7515 (compact form), RFC 7519 (claims), RFC 7523 (as a grant); `prometheus/common`,
//! `config/oauth_assertion.go`.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use firebell_model::{Duration, Secret, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::tree::Tree;

/// By which hash an RSA key signs (PKCS #1 v1.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SignatureAlgorithm {
    /// SHA-256.
    #[default]
    Rs256,
    /// SHA-384.
    Rs384,
    /// SHA-512.
    Rs512,
}

impl SignatureAlgorithm {
    /// All, with their names.
    pub const ALL: [(&'static str, Self); 3] = [
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
    ];

    fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, it)| *it == self);
        found.map_or("", |(name, _)| name)
    }
}

/// What says who we are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assertion {
    /// The RSA key that signs it, as PEM.
    pub key: Secret,
    /// Which key that is, for whom checks it (`kid`); may be empty.
    pub key_id: String,
    /// How it signs.
    pub algorithm: SignatureAlgorithm,
    /// What is said, without when; each as JSON ([`claim`]).
    pub claims: BTreeMap<String, String>,
}

impl Assertion {
    /// What is to be signed at a moment. `id` tells this one from all others.
    #[must_use]
    pub fn text(&self, now: Timestamp, id: &str) -> String {
        let mut header = BTreeMap::from([("alg", self.algorithm.name()), ("typ", "JWT")]);
        if !self.key_id.is_empty() {
            header.insert("kid", &self.key_id);
        }
        let seconds = |at: Timestamp| claim(&Tree::Int(at.0.div_euclid(1_000)));
        let of_now = [
            ("jti", claim(&Tree::Text(id.to_owned()))),
            ("iat", seconds(now)),
            ("exp", seconds(now + VALID_FOR)),
        ];
        let mut claims = self.claims.clone();
        for (name, value) in of_now {
            // As upstream: whoever configures one of these has their way.
            claims.entry(name.to_owned()).or_insert(value);
        }
        let claims = claims.iter().map(|(name, value)| {
            // A claim is JSON; what is none says nothing.
            let value = serde_json::from_str(value).unwrap_or(Value::Null);
            (name, value)
        });
        format!(
            "{}.{}",
            part(&header),
            part(&claims.collect::<BTreeMap<_, _>>())
        )
    }

    /// The text with its signature.
    #[must_use]
    pub fn signed(text: &str, signature: &[u8]) -> Secret {
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        Secret::new(format!("{text}.{signature}"))
    }
}

/// The value of a claim, as JSON.
#[must_use]
pub fn claim(value: &Tree<String>) -> String {
    // Nothing of it could not be JSON.
    serde_json::to_string(value).unwrap_or_default()
}

fn part(value: &impl Serialize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

/// As upstream.
const VALID_FOR: Duration = Duration::from_mins(10);
