//! Decides which clients are admitted.

use std::sync::Arc;

use oml_daemon::tls::{Identity, Peer};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};

use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::pki::Revoked;

/// Verifies the chain as usual, and then the identity and that the certificate is not
/// revoked.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    revoked: Arc<Revoked>,
}

impl ClientVerifier {
    pub(super) fn new(chain: Arc<dyn ClientCertVerifier>, revoked: Arc<Revoked>) -> Self {
        Self { chain, revoked }
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        let peer = Peer::from_certificate(end_entity)
            .map_err(|_unnamed| CertificateError::ApplicationVerificationFailure)?;
        match peer.identity {
            Identity::Controller => Err(CertificateError::InvalidPurpose.into()),
            Identity::Operator(_) | Identity::Node { .. } if self.revoked.covers(&peer) => {
                Err(CertificateError::Revoked.into())
            }
            Identity::Operator(_) | Identity::Node { .. } => Ok(verified),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
