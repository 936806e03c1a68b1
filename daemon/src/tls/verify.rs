//! Verifies the certificate of a controller.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerIncompatible, RootCertStore,
    SignatureScheme,
};

use super::{Fingerprint, Identity, Peer};

/// Accepts a controller whose certificate one authority issued, at any address.
#[derive(Debug)]
pub(super) struct ControllerVerifier {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Trust {
    /// The authority is known.
    Authority(RootCertStore),
    /// Only the hash of the authority's certificate is known. The peer shows the
    /// certificate.
    Pinned(Fingerprint),
}

impl ControllerVerifier {
    /// Makes a verifier that trusts only `ca`.
    pub(super) fn trusting(
        ca: CertificateDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Self, Error> {
        let trust = Trust::Authority(only(ca)?);
        Ok(Self { trust, algorithms: provider.signature_verification_algorithms })
    }

    /// Makes a verifier that trusts only the authority whose certificate has this SHA-256
    /// hash.
    pub(super) fn pinning(ca: Fingerprint, provider: &CryptoProvider) -> Self {
        let trust = Trust::Pinned(ca);
        Self { trust, algorithms: provider.signature_verification_algorithms }
    }
}

fn only(ca: CertificateDer<'static>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(ca)?;
    Ok(roots)
}

impl ServerCertVerifier for ControllerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pinned;
        let roots = match &self.trust {
            Trust::Authority(roots) => roots,
            Trust::Pinned(ca) => {
                let shown = intermediates.iter().find(|shown| Fingerprint::of(shown) == *ca);
                pinned = only(shown.ok_or(CertificateError::UnknownIssuer)?.clone().into_owned())?;
                &pinned
            }
        };
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let supported = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, supported)?;
        match Peer::from_certificate(end_entity).map(|peer| peer.identity) {
            Ok(Identity::Controller) => Ok(ServerCertVerified::assertion()),
            Ok(Identity::Operator(_) | Identity::Node { .. }) | Err(_) => {
                Err(CertificateError::NotValidForName.into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
