//! Signatures by a shared secret.
//!
//! *Sources*: RFC 2104 (HMAC), 2195 (with MD5), 4231 (test cases).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// HMAC with SHA-256.
#[must_use]
pub fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    hmac_by(key, text, |bytes| Sha256::digest(bytes).into())
}

/// HMAC with MD5: only where a protocol knows no other.
pub(crate) fn hmac_md5(key: &[u8], text: &[u8]) -> [u8; 16] {
    hmac_by(key, text, |bytes| md5::compute(bytes).0)
}

/// HMAC with SHA-1: only where a protocol knows no other.
#[must_use]
pub fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    hmac_by(key, text, |bytes| Sha1::digest(bytes).into())
}

/// Some bytes as base64.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn hmac_by<const N: usize>(key: &[u8], text: &[u8], hash: impl Fn(&[u8]) -> [u8; N]) -> [u8; N] {
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..N].copy_from_slice(&hash(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = hash(&[&block.map(|byte| byte ^ 0x36), text].concat());
    hash(&[&block.map(|byte| byte ^ 0x5c)[..], &inner].concat())
}

/// Of SHA-256, SHA-1 and MD5.
const BLOCK_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use firebell_model::hex;

    use super::*;

    /// Source: RFC 4231, test cases 2 and 6; RFC 2202, test cases 2.
    #[test]
    fn signatures_are_those_of_the_rfcs() {
        for (key, text, expected) in [
            (
                &b"Jefe"[..],
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac(key, text.as_bytes())), expected);
        }
        let signed = hmac_md5(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&signed), "750c783e6ab0b503eaa86e310a5db738");
        let signed = hmac_sha1(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&signed), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }
}
