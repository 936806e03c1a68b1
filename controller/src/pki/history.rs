//! A node's certificates: which of them may be renewed, and how an expired one is
//! replaced.

use oml_common::document::node::NodeCertificates;
use oml_common::time::Timestamp;
use oml_daemon::tls::{Identity, Peer};
use rustls::pki_types::CertificateDer;

use super::record::record_of;
use super::{Authority, CertificateRequest};

/// The reason for which an expired certificate is not replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryRefused {
    /// The certificate was not issued by this authority, or not to a node.
    #[error("the certificate was not issued to a node of this cluster")]
    Foreign,
    /// The certificate is neither the node's newest nor its previous one.
    #[error("the certificate is not the node's newest")]
    Stale,
    /// The request is for another key than the certificate's.
    #[error("the request is not for the key of the expired certificate")]
    OtherKey,
    /// The recovery window after the certificate's expiry is over.
    #[error("the certificate expired too long ago; join the host again with a new token")]
    TooLate,
}

/// Identifies the node whose expired certificate a host shows to get a new one.
/// The caller reads that node's record and then calls [`RecoveryClaim::check`].
///
/// # Errors
/// Returns [`RecoveryRefused::Foreign`] for a certificate that this authority did
/// not issue to a node.
pub fn recover(
    authority: &Authority,
    expired: &CertificateDer<'_>,
) -> Result<RecoveryClaim, RecoveryRefused> {
    let peer = authority.recognize(expired).ok_or(RecoveryRefused::Foreign)?;
    match peer.identity {
        Identity::Node { .. } => Ok(RecoveryClaim { peer }),
        Identity::Operator(_) | Identity::Controller => Err(RecoveryRefused::Foreign),
    }
}

/// An expired node certificate of this authority, which is not accepted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryClaim {
    peer: Peer,
}

impl RecoveryClaim {
    /// Returns the facts of the certificate.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Decides whether the node gets a new certificate for the request, and returns
    /// its new record.
    ///
    /// # Errors
    /// Returns [`RecoveryRefused`] with the reason.
    pub fn check(
        &self,
        known: NodeCertificates,
        request: &CertificateRequest,
        now: Timestamp,
        window_ms: u64,
    ) -> Result<NodeCertificates, RecoveryRefused> {
        let shown = record_of(&self.peer);
        let known = known.shown(shown).map_err(|_stale| RecoveryRefused::Stale)?;
        if request.fingerprint() != shown.public_key {
            return Err(RecoveryRefused::OtherKey);
        }
        if now > shown.expires.plus_ms(window_ms) {
            return Err(RecoveryRefused::TooLate);
        }
        Ok(known)
    }
}
