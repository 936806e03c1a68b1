//! Certificate requests from hosts. A request contains the host's public key and
//! the proof that the host has the private key; everything else in it is ignored.

use oml_daemon::tls::Fingerprint;
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SubjectPublicKeyInfo};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

const REQUEST_SIZE_BYTES_MAX: usize = 8 * 1024;

/// A certificate request whose signature was verified.
#[derive(Debug)]
pub struct CertificateRequest {
    key: SubjectPublicKeyInfo,
    fingerprint: Fingerprint,
}

/// The reason for which a certificate request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// The request is longer than any request of our agent.
    #[error("the certificate request is longer than {REQUEST_SIZE_BYTES_MAX} bytes")]
    TooLong,
    /// The bytes are not a PKCS#10 request in DER.
    #[error("the certificate request cannot be read")]
    Unreadable,
    /// The request is not signed by the key that it contains.
    #[error("the certificate request is not signed by its own key")]
    Unproven,
    /// The key is not an ECDSA P-256 key.
    #[error("the certificate request's key is not an ECDSA P-256 key")]
    KeyKind,
}

impl CertificateRequest {
    /// Reads and verifies a PKCS#10 request in DER.
    ///
    /// # Errors
    /// Returns [`InvalidRequest`] with the reason.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidRequest> {
        if der.len() > REQUEST_SIZE_BYTES_MAX {
            return Err(InvalidRequest::TooLong);
        }
        let (rest, request) = X509CertificationRequest::from_der(der)
            .map_err(|_unreadable| InvalidRequest::Unreadable)?;
        if !rest.is_empty() {
            return Err(InvalidRequest::Unreadable);
        }
        let spki = request.certification_request_info.subject_pki.raw;
        let key = SubjectPublicKeyInfo::from_der(spki).map_err(|_other| InvalidRequest::KeyKind)?;
        if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(InvalidRequest::KeyKind);
        }
        request.verify_signature().map_err(|_unproven| InvalidRequest::Unproven)?;
        Ok(Self { key, fingerprint: Fingerprint::of(spki) })
    }

    /// Returns the SHA-256 hash of the public key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(super) fn public_key(&self) -> &impl PublicKeyData {
        &self.key
    }
}
