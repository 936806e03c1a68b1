//! The server's side of TLS 1.3: which clients are admitted, and the accept loop in front
//! of the gRPC server.
//!
//! The loop is our own because the configuration changes while it runs (after a renewal),
//! and because a silent peer must not block others.

use std::sync::Arc;

use oml_daemon::env::Clock;
use oml_daemon::tls::{ALPN, TlsError, certificate, private_key, provider, time_provider};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use crate::pki::{Authority, OwnCertificate, Revoked};

mod accept;
mod connection_limits;
mod connection_rate;
mod handshakes;
mod refusals;
mod verify;

pub use accept::{Acceptor, Connection, ConnectionInfo, Limits};

use self::verify::ClientVerifier;

/// Returns the configuration of the main port. It admits only clients with a certificate
/// of this authority that is valid now and not revoked.
pub fn main_config(
    authority: &Authority,
    own: &OwnCertificate,
    revoked: Arc<Revoked>,
    clock: &Clock,
) -> Result<ServerConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone()).map_err(TlsError::Unusable)?;
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let chain =
        chain.map_err(|error| TlsError::Unusable(rustls::Error::General(error.to_string())))?;
    config(authority, own, Some(Arc::new(ClientVerifier::new(chain, revoked))), clock)
}

/// Returns the configuration of the enrolment port, which admits clients without a
/// certificate.
pub fn enrollment_config(
    authority: &Authority,
    own: &OwnCertificate,
    clock: &Clock,
) -> Result<ServerConfig, TlsError> {
    config(authority, own, None, clock)
}

fn config(
    authority: &Authority,
    own: &OwnCertificate,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    clock: &Clock,
) -> Result<ServerConfig, TlsError> {
    let leaf = certificate(&own.issued.certificate_pem, "controller's certificate")?;
    // The authority's certificate is included, because a new host knows it by its
    // fingerprint.
    let chain = vec![leaf, authority.certificate().clone()];
    let builder = ServerConfig::builder_with_details(provider(), time_provider(clock))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Unusable)?;
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config =
        builder.with_single_cert(chain, private_key(&own.key_pem)?).map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would skip the verification of the client.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

#[cfg(test)]
mod tests;
