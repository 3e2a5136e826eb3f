//! Whose certificates are believed.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::TransportError;

/// Which certificates an [`HttpTransport`](super::HttpTransport) believes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// Those of the system's roots; `SSL_CERT_FILE` names others.
    #[default]
    System,
    /// Those in this PEM file and what they signed, and no others. A server's own certificate may stand there, be it
    /// self-signed and marked as an authority; its name must fit, its dates are not looked at.
    File(PathBuf),
    /// Any. Only on this machine itself (`localhost`, 127.0.0.0/8, `::1`).
    Anything,
}

/// The configuration for certificates other than the system's.
pub(super) fn config(trust: &Trust) -> Result<Option<ClientConfig>, TransportError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = match trust {
        Trust::System => return Ok(None),
        Trust::Anything => Named {
            certificates: None,
            roots: None,
            provider: Arc::clone(&provider),
        },
        Trust::File(file) => {
            let at = |error: &dyn std::fmt::Display| {
                TransportError::new(format_args!("{}: {error}", file.display()))
            };
            let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file)
                .map_err(|error| at(&error))?
                .collect();
            let certificates = certificates.map_err(|error| at(&error))?;
            let mut roots = RootCertStore::empty();
            let (taken, _) = roots.add_parsable_certificates(certificates.iter().cloned());
            if taken == 0 {
                return Err(at(&"there is no certificate in it"));
            }
            let roots =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            Named {
                certificates: Some(certificates),
                roots: Some(roots.build().map_err(|error| at(&error))?),
                provider: Arc::clone(&provider),
            }
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TransportError::new)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Some(config))
}

/// Believes certificates that were named themselves, then what they signed; anything where none was named.
#[derive(Debug)]
struct Named {
    certificates: Option<Vec<CertificateDer<'static>>>,
    roots: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (Some(named), Some(roots)) = (&self.certificates, &self.roots) else {
            return Ok(ServerCertVerified::assertion());
        };
        if named.iter().any(|certificate| certificate == end_entity) {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            rustls::client::verify_server_name(&parsed, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
