//! A node's certificates: which of them may be renewed, and how an expired one is
//! replaced.

use oml_common::time::Timestamp;
use oml_daemon::tls::{Fingerprint, Identity, Peer, Serial};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::{Authority, CertificateRequest};

/// The stored facts of one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRecord {
    pub serial: Serial,
    /// The SHA-256 hash of its public key.
    pub public_key: Fingerprint,
    #[serde(default)]
    pub issued: Timestamp,
    pub expires: Timestamp,
}

impl CertificateRecord {
    /// Takes the facts of a verified certificate.
    #[must_use]
    pub fn of(peer: &Peer) -> Self {
        let Peer { serial, public_key, issued, expires, .. } = *peer;
        Self { serial, public_key, issued, expires }
    }
}

/// A node's newest certificate, and the previous one until the node has shown the
/// newest, because the reply with the newest may have been lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCertificates {
    pub current: CertificateRecord,
    /// The certificate with which the node asked for `current`, until the node shows
    /// `current`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<CertificateRecord>,
}

/// The refusal of a valid certificate that is not the node's newest, which means
/// that a copy of the machine or of its key exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("certificate {shown} is not this node's newest; is a copy of the host running?")]
pub struct StaleCertificate {
    pub shown: Serial,
}

impl NodeCertificates {
    /// Makes the record of a node that just joined.
    #[must_use]
    pub fn first(current: CertificateRecord) -> Self {
        Self { current, previous: None }
    }

    /// Returns the record after the node has shown `shown`, a verified certificate.
    ///
    /// A serial number above the newest becomes the newest: every number is
    /// recorded before the certificate is handed out, so the store must have been
    /// restored from a backup since. Copies of a host have lower numbers.
    ///
    /// # Errors
    /// Returns [`StaleCertificate`] if `shown` is neither the newest certificate nor
    /// the previous one.
    pub fn shown(self, shown: CertificateRecord) -> Result<Self, StaleCertificate> {
        if shown.serial >= self.current.serial {
            let current = if shown.serial > self.current.serial { shown } else { self.current };
            return Ok(Self { current, previous: None });
        }
        let is_previous = self.previous.is_some_and(|previous| previous.serial == shown.serial);
        if is_previous { Ok(self) } else { Err(StaleCertificate { shown: shown.serial }) }
    }

    /// Returns the record after `new` was issued to a node that showed `shown`.
    #[must_use]
    pub fn renewed(shown: CertificateRecord, new: CertificateRecord) -> Self {
        Self { current: new, previous: Some(shown) }
    }

    /// Returns the serial number up to which everything is revoked when the node is
    /// removed.
    #[must_use]
    pub fn newest(&self) -> Serial {
        self.current.serial
    }
}

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
        let shown = CertificateRecord::of(&self.peer);
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
