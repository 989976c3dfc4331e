//! TLS of every connection that we make: whom we trust, and who we are.
//!
//! *Sources*: `prometheus/common`, `config/http_config.go`, `NewTLSConfig`.

use std::sync::Arc;

use firebell_notify::{Tls, TlsVersion};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};

/// The settings of a client.
///
/// # Errors
/// When certificates, keys or names cannot be used.
pub(crate) fn client_config(tls: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(tls, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(tls))
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some(pem) = &tls.client_pem else {
        return Ok(builder.with_no_client_auth());
    };
    let pem = pem.reveal().as_bytes();
    let certificates = certificates(pem)?;
    let key = PrivateKeyDer::from_pem_slice(pem);
    let key = key.map_err(|error| format!("the client's key is none: {error}"))?;
    let config = builder.with_client_auth_cert(certificates, key);
    config.map_err(|error| format!("the client's certificate cannot be used: {error}"))
}

fn versions(tls: &Tls) -> Vec<&'static SupportedProtocolVersion> {
    let known = [(TlsVersion::V12, &TLS12), (TlsVersion::V13, &TLS13)];
    let spoken = known.into_iter().filter(|(version, _)| {
        tls.version_min.is_none_or(|min| min <= *version)
            && tls.version_max.is_none_or(|max| *version <= max)
    });
    spoken.map(|(_, version)| version).collect()
}

fn verifier(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let trusted: Arc<dyn ServerCertVerifier> = match &tls.ca_pem {
        _ if tls.insecure_skip_verify => return Ok(Arc::new(Anybody(Arc::clone(provider)))),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(pem.as_bytes())? {
                let added = roots.add(certificate);
                added.map_err(|error| format!("a certificate of `ca` cannot be used: {error}"))?;
            }
            let provider = Arc::clone(provider);
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.build().map_err(|error| error.to_string())?
        }
        None => {
            let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(provider));
            Arc::new(verifier.map_err(|error| error.to_string())?)
        }
    };
    let Some(name) = &tls.server_name else {
        return Ok(trusted);
    };
    let name = ServerName::try_from(name.clone());
    let name = name.map_err(|_| "`server_name` is no name of a server".to_owned())?;
    Ok(Arc::new(Named { name, trusted }))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| format!("a certificate is none: {error}"))?;
    match found.is_empty() {
        true => Err("there is no certificate".to_owned()),
        false => Ok(found),
    }
}

/// Takes any certificate (`insecure_skip_verify`); whoever shows it has to hold its key all the same.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Wants the certificate of another name than the one that was called (`server_name`).
#[derive(Debug)]
struct Named {
    name: ServerName<'static>,
    trusted: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (trusted, name) = (&self.trusted, &self.name);
        trusted.verify_server_cert(certificate, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trusted.supported_verify_schemes()
    }
}
