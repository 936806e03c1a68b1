//! Mutual TLS 1.3: identities in certificates, the client's side, and join tokens.
//!
//! Only one authority is trusted, and none of the system's. Host names are not verified:
//! a controller is known by the identity in its certificate, so its address may change.
//! The controller contains the server's side.

use std::sync::Arc;

use oml_common::time::Timestamp;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

mod connect;
mod identity;
mod time;
mod token;
mod verify;

pub use connect::{ConnectError, SERVER_NAME, connect, connect_admitted, find, open, uri};
pub use identity::{
    Identity, InvalidIdentity, InvalidOperatorName, InvalidPeer, OperatorName, Peer,
};
pub use oml_common::id::{Fingerprint, InvalidHex, Serial};
pub use time::time_provider;
pub use token::{InvalidToken, JoinToken};

use self::verify::ControllerVerifier;
use crate::env::Clock;

/// The time before its issue at which a certificate becomes valid, so that a host whose
/// clock is behind can use it at once.
pub const BACKDATED_MS: u64 = 3_600_000;

/// The application protocol of every connection.
pub const ALPN: &[u8] = b"h2";

/// The credentials of a client, as PEM.
#[derive(Clone)]
pub struct Credentials {
    /// The certificate of the authority that must have issued the peer's certificate.
    pub ca_pem: String,
    pub certificate_pem: String,
    pub key_pem: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// The error of certificates and keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM text does not contain the expected content.
    #[error("the {what} is not valid PEM")]
    Pem { what: &'static str, source: rustls::pki_types::pem::Error },
    /// The certificates and the key do not fit together.
    #[error("the certificate and key cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// Returns the TLS provider that all programs use.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Reads one certificate from PEM.
///
/// # Errors
/// Returns [`TlsError::Pem`] if there is none.
pub fn certificate(pem: &str, what: &'static str) -> Result<CertificateDer<'static>, TlsError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|source| TlsError::Pem { what, source })
}

/// Reads a private key from PEM.
///
/// # Errors
/// Returns [`TlsError::Pem`] if there is none.
pub fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes());
    key.map_err(|source| TlsError::Pem { what: "private key", source })
}

impl Credentials {
    /// Checks that the texts can be read and that the key is the certificate's.
    ///
    /// # Errors
    /// Returns [`TlsError`] with the first text that cannot be used.
    pub fn check(&self) -> Result<(), TlsError> {
        // Nothing is verified with this clock: the configuration is not used.
        let clock = Clock::of("", Timestamp::default, || 0);
        client_config(self, &clock).map(|_config| ())
    }
}

/// Returns the configuration of a client that shows its own certificate and accepts
/// only a controller certified by the same authority, whose certificate is valid by
/// this clock.
///
/// # Errors
/// Returns [`TlsError`] if the PEM texts cannot be read or do not fit together.
pub fn client_config(credentials: &Credentials, clock: &Clock) -> Result<ClientConfig, TlsError> {
    let ca = certificate(&credentials.ca_pem, "authority's certificate")?;
    let chain = vec![certificate(&credentials.certificate_pem, "certificate")?];
    let key = private_key(&credentials.key_pem)?;
    let verifier = ControllerVerifier::trusting(ca, &provider()).map_err(TlsError::Unusable)?;
    let config = builder(clock)
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(chain, key)
        .map_err(TlsError::Unusable)?;
    Ok(hardened(config))
}

/// Returns the configuration of a host that has no certificate yet and knows its
/// controller only by the authority's fingerprint in the join token.
#[must_use]
pub fn enrollment_config(ca: Fingerprint, clock: &Clock) -> ClientConfig {
    let verifier = ControllerVerifier::pinning(ca, &provider());
    let config = builder(clock)
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    hardened(config)
}

fn builder(clock: &Clock) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_details(provider(), time_provider(clock))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider supports TLS 1.3")
}

/// Disables resumption, because a resumed session would skip the verification of
/// certificates.
fn hardened(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config
}

#[cfg(test)]
mod tests;
