//! The choice between the two certificates of the controller.
//!
//! Both are for the same key. One names the controller only: our programs of earlier releases
//! accept no other names. The other one names its hosts as well, because stock gRPC clients
//! verify those.

use std::sync::Arc;

use oml_daemon::tls::{SERVER_NAME, TlsError, certificate, private_key, provider};
use rustls::CipherSuite;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::pki::{Authority, OwnCertificate};

/// The certificates, which are chosen by the client.
#[derive(Debug)]
pub(super) struct ByClient {
    /// The certificate for our own programs.
    own: Arc<CertifiedKey>,
    /// The certificate for all others.
    named: Arc<CertifiedKey>,
}

impl ByClient {
    /// Reads the certificates and their key.
    pub(super) fn new(authority: &Authority, own: &OwnCertificate) -> Result<Self, TlsError> {
        // The authority's certificate is included, because a new host knows it by its
        // fingerprint.
        let chain = |pem: &str| -> Result<Vec<CertificateDer<'static>>, TlsError> {
            let leaf = certificate(pem, "controller's certificate")?;
            Ok(vec![leaf, authority.certificate().clone()])
        };
        let certified = |pem: &str| -> Result<Arc<CertifiedKey>, TlsError> {
            let key = private_key(&own.key_pem)?;
            let certified = CertifiedKey::from_der(chain(pem)?, key, &provider());
            Ok(Arc::new(certified.map_err(TlsError::Unusable)?))
        };
        let alone = certified(&own.issued.certificate_pem)?;
        let named = own.named_pem.as_deref().map(certified).transpose()?;
        Ok(Self { named: named.unwrap_or_else(|| Arc::clone(&alone)), own: alone })
    }
}

impl ResolvesServerCert for ByClient {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_ours = is_ours(client.server_name(), client.cipher_suites());
        Some(Arc::clone(if is_ours { &self.own } else { &self.named }))
    }
}

/// What the TLS library of our programs offers, in its order, since the first release. Those of
/// stock gRPC clients (BoringSSL and Go) offer more, and another one first. If a later library
/// offers something else, its programs are shown the other certificate, which they accept.
const OUR_SUITES: [CipherSuite; 9] = [
    CipherSuite::TLS13_AES_256_GCM_SHA384,
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Returns true for our programs of the releases that accept a single name only. They ask for a
/// fixed name, which a host may bear too, so what they offer counts as well.
fn is_ours(server_name: Option<&str>, suites: &[CipherSuite]) -> bool {
    server_name == Some(SERVER_NAME) && suites == OUR_SUITES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_name_with_our_library_means_our_programs() {
        assert!(is_ours(Some("controller"), &OUR_SUITES));
        assert!(!is_ours(Some("controller"), &OUR_SUITES[1..]));
        assert!(!is_ours(Some("controller.example.org"), &OUR_SUITES));
        assert!(!is_ours(None, &OUR_SUITES), "an IP address is not sent as a name");
    }
}
