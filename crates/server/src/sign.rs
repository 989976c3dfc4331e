//! Signs what says who we are.

use firebell_model::{Secret, Timestamp};
use firebell_notify::{Assertion, SignatureAlgorithm};
use rustls::SignatureScheme;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SigningKey as _;

/// Signs an assertion at a moment.
///
/// # Errors
/// When the key is none, or no RSA key; no text shows it.
pub(crate) fn sign(assertion: &Assertion, now: Timestamp) -> Result<Secret, String> {
    let key = PrivateKeyDer::from_pem_slice(assertion.key.reveal().as_bytes());
    let key = key.map_err(|error| format!("`client_certificate_key` is no key: {error}"))?;
    let key = ring::sign::RsaSigningKey::new(&key);
    let key = key.map_err(|error| format!("`client_certificate_key` is no RSA key: {error}"))?;
    let scheme = match assertion.algorithm {
        SignatureAlgorithm::Rs256 => SignatureScheme::RSA_PKCS1_SHA256,
        SignatureAlgorithm::Rs384 => SignatureScheme::RSA_PKCS1_SHA384,
        SignatureAlgorithm::Rs512 => SignatureScheme::RSA_PKCS1_SHA512,
    };
    let signer = key.choose_scheme(&[scheme]);
    let signer = signer.ok_or("`client_certificate_key` cannot sign this way")?;
    let text = assertion.text(now, &once()?);
    let signature = signer.sign(text.as_bytes());
    let signature = signature.map_err(|error| format!("failed to sign: {error}"))?;
    Ok(Assertion::signed(&text, &signature))
}

/// A number that nobody has used before.
fn once() -> Result<String, String> {
    let mut bytes = [0; 16];
    let filled = ring::default_provider().secure_random.fill(&mut bytes);
    filled.map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use firebell_notify::{Tree, claim};

    use super::*;

    /// Made for this test, and used nowhere else.
    const KEY: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAz4k0zwPDt7TyYNJ+YPqc/FHOgkuCyecIUeQ+ukZTWZc9lGGG
kJSXIPEzrZp1VnBUo8NIV2Pi5S/FDMVAxMy/Bx9IeA9v+gi9DH+g5uqU6UcRp2Em
ogCeT+/YrIVFax/jRWkTdwFTUo4ClUFafN00pHwlkdM5P/O6ritglB4jY6uMVRjU
/zFv7ylLn+wuqfSSTbcG8SyRXUuMK8FdAmV3RYrtyVRx2d2aMvcpU4tCxLF21U9i
TNARmDdONK42LMiPrr9Yy9J6B5whmTj2Rydzaku1vWl7obqrr/9Ka9SnaA0vkzQW
hKGOvBP9o2dtVVatYoD1iIhq4ggDCe5p9zkBdwIDAQABAoIBAEdkQxrNiDe7Ur+U
2W2h+Hvh5mCy+iBbTeTh1+Q7SfPhT4kqDWDSBLUL1EOthRzBkpQtGscZMNW3W5k7
h77LUhFwpPzMDrCb7fCNPPwCiUxAKuYByQjknpEQCGC8jbc+pm9bqJsBBTk6adAP
RcH7VF8a58+ksiZ6QOcmO9hoD7N6kraLXuEmFF3GSdY2UtlZBFSTqdKkcGOv66CJ
qoGlxdeur5vGPS0tai6jYloSPK10bygFIO68i2qJktx2BWRHFUJvmj6CTO7WKxPu
BRKKGqO2OFe7mMVwsTB0CQfLSorgYiAJN92KEDoqoH1VEoksKISh1mdfv/QNsmUA
qOgoDf0CgYEA6kaWBTWnH9HZTDnOte5r708UsNIMewwL0zr0uzMSidngXRd7RDEv
KUwBCSHNfbJ9V92Fn00qVX2z9S395K/qwInhutXRDzijLf4eAk979ixad4qqtyRA
6tdd5fkhTtHkpCZRP/G9Kc/Q+5pDgGgPcJ9Nzxj9cgj031mzxZ1uggMCgYEA4sfZ
/6k8IC9za1exKfP8/Kkvd5aBqzOC8T2jMLlu8mCvc0vW7jkut83gdElgWjoK3xsr
Bre0vqnLa86z4rOtyX6Y1IQt5wAD00U/IYqWs4c1Xltl3d/hly6QoF3HyZfBMEEf
3N+B31kAf4G7rfKOaQuBpihvIXrBemx6GLdqgn0CgYBUyd0r34Iv8vwJKXbVw4eO
4fkkEbFwqyhwd4rxYYeZGqCoMIJtaLuf36EUVAaSMpJIxaTBxeTHcio6Vz3nkX+N
1Zk7zHzQXHg6ghkMTwYXT3Aiia5FgDp6hB24yNS0OSTd//wx/2SuCEejd+5sP70u
zokTpgC8T9+IImf84oCHTwKBgQCC7BO7mC0g+6PrhY2/BZ+5EcdYh+hGOQ/QS+BJ
gdQ+U3kW2+KyVwrUjCOXnsDkdfvOv7WARFAxfn70tzl8mHStDcwXbFO/t2996c0/
hO3pqRYzahqOE/D9waE3I8zyYgzi2cYWUmZ81boG4pPCIXT7yevITDGUJ3VJQxTd
7g2sVQKBgH4N9sX4IalzSwUJF6FNMZ5jpzlS2dp0PNspbR20BW0k+MjwTsiqSQrD
ZNpgAnLCoSFCN/Brec0ThwN0I15DHgY0m6M/RxPsmoDpqZAc9uGl5aHNYay/3p3l
fvk0AAthRSr90Fej0O2Mhp55oW7Q2B3Q8depYoKdQHiZjj9G+M8K
-----END RSA PRIVATE KEY-----
";

    fn assertion(key: &str, algorithm: SignatureAlgorithm) -> Assertion {
        let texts = [
            ("iss", "me"),
            ("sub", "me"),
            ("aud", "https://token.example/t"),
            ("jti", "1"),
        ];
        let times = [("iat", 1_790_000_000), ("exp", 1_790_000_600)];
        let texts =
            texts.map(|(name, text)| (name.to_owned(), claim(&Tree::Text(text.to_owned()))));
        let times = times.map(|(name, at)| (name.to_owned(), claim(&Tree::Int(at))));
        Assertion {
            key: Secret::new(key),
            key_id: "k1".to_owned(),
            algorithm,
            claims: texts.into_iter().chain(times).collect(),
        }
    }

    /// The signatures are those of `openssl dgst -sha256 -sign` and `-sha512`: they follow from key and
    /// text.
    #[test]
    fn a_signature_is_the_one_that_openssl_makes() {
        let of_header = |name: &str| {
            let of_rs256 = SignatureAlgorithm::ALL.into_iter().find(|it| it.0 == name);
            let signed = sign(&assertion(KEY, of_rs256.unwrap().1), Timestamp(0)).unwrap();
            signed.reveal().to_owned()
        };
        assert_eq!(of_header("RS256"), SIGNED);
        assert_ne!(of_header("RS512"), SIGNED);
    }

    #[test]
    fn no_two_are_the_same_and_each_ends() {
        let mut bare = assertion(KEY, SignatureAlgorithm::Rs256);
        bare.claims.clear();
        let now = Timestamp(1_790_000_000_000);
        let [one, other] = [(); 2].map(|()| sign(&bare, now).unwrap());
        assert_ne!(one.reveal(), other.reveal());
        let text = bare.text(now, "x");
        assert_eq!(text, TEXT);
    }

    #[test]
    fn what_is_no_key_is_said_without_showing_it() {
        for key in [
            "s3cret",
            "-----BEGIN PRIVATE KEY-----\nczNjcmV0\n-----END PRIVATE KEY-----\n",
        ] {
            let why = sign(&assertion(key, SignatureAlgorithm::Rs384), Timestamp(0)).unwrap_err();
            assert!(why.starts_with("`client_certificate_key` is no "), "{why}");
            assert!(!why.contains("s3cret") && !why.contains("czNj"), "{why}");
        }
    }

    const SIGNED: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.eyJhdWQiOiJodHRwczovL3Rva2VuLmV4YW1wbGUvdCIs\
                          ImV4cCI6MTc5MDAwMDYwMCwiaWF0IjoxNzkwMDAwMDAwLCJpc3MiOiJtZSIsImp0aSI6IjEiLCJzdWIiOiJtZSJ9.GDp-_yB\
                          fzsTaRVakERrQ8_9Rc1OvHoI_yVgwvv41sSghUiX3LlZXOMnu89yQy-Q59DOtWoM14uTq4VK2_z_4TuxdAZzouiJ2TaI9za7\
                          FgLSzD7buCEBy5gu9vV4Sk3bia3CXcCVxc0jGNHJAnlaMnwQjW-21sr6NInB3dXhdNWnw72Y7Rpt6eoKR7q4WEsy4zdYkiRs\
                          3CCRETv0_59cVeDwnRrpqMRZlcLkEIbfB3rA5fHCojURYzZ8jtOKiSbTXwjF2hAfFERNU4snV32hCkOxgxYAk8SR1sMI9cTP\
                          kPM4N5IWe6NeMpsqOlVcJKq4u_FLtQKain2BYjpHSiAU-sA";
    const TEXT: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.eyJleHAiOjE3OTAwMDA2MDAsImlhdCI6MTc5MDAwMDAw\
                        MCwianRpIjoieCJ9";
}
