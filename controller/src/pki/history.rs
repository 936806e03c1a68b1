//! A node's certificates: which of them may be renewed, and the way back after
//! the last one has ended.

use oml_common::time::Timestamp;
use oml_daemon::tls::{Fingerprint, Identity, Peer, Serial};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::{Authority, CertificateRequest};

/// What is remembered of one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRecord {
    pub serial: Serial,
    /// The hash of its public key.
    pub public_key: Fingerprint,
    #[serde(default)]
    pub issued: Timestamp,
    pub expires: Timestamp,
}

impl CertificateRecord {
    /// Of a verified certificate.
    #[must_use]
    pub fn of(peer: &Peer) -> Self {
        let Peer { serial, public_key, issued, expires, .. } = *peer;
        Self { serial, public_key, issued, expires }
    }
}

/// A node's newest certificate, and the one before as long as the node has not
/// shown the newest: it may have been lost on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCertificates {
    pub current: CertificateRecord,
    /// The one that `current` was made for, until the node shows `current`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<CertificateRecord>,
}

/// A certificate that is valid by itself, but not the node's newest: a copy of
/// the machine or of its key is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("certificate {shown} is not this node's newest; is a copy of the host running?")]
pub struct StaleCertificate {
    pub shown: Serial,
}

impl NodeCertificates {
    /// Of a node that just joined.
    #[must_use]
    pub fn first(current: CertificateRecord) -> Self {
        Self { current, previous: None }
    }

    /// What is known once the node shows `shown`, a verified certificate of its.
    ///
    /// A number above the newest is taken as the newest: it was recorded before
    /// it was handed out, so the store was restored since. Copies of a host
    /// have lower ones.
    pub fn shown(self, shown: CertificateRecord) -> Result<Self, StaleCertificate> {
        if shown.serial >= self.current.serial {
            let current = if shown.serial > self.current.serial { shown } else { self.current };
            return Ok(Self { current, previous: None });
        }
        let is_previous = self.previous.is_some_and(|previous| previous.serial == shown.serial);
        if is_previous { Ok(self) } else { Err(StaleCertificate { shown: shown.serial }) }
    }

    /// After `new` was issued to a node that showed `shown`.
    #[must_use]
    pub fn renewed(shown: CertificateRecord, new: CertificateRecord) -> Self {
        Self { current: new, previous: Some(shown) }
    }

    /// The line below which everything is revoked when the node is removed.
    #[must_use]
    pub fn newest(&self) -> Serial {
        self.current.serial
    }
}

/// Why an ended certificate is not replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryRefused {
    /// It is not of this authority, or not a node's.
    #[error("the certificate was not issued to a node of this cluster")]
    Foreign,
    /// It is not one of the node's newest.
    #[error("the certificate is not the node's newest")]
    Stale,
    /// The request is for another key.
    #[error("the request is not for the key of the ended certificate")]
    OtherKey,
    /// It ended too long ago.
    #[error("the certificate ended too long ago; the host needs a new token")]
    TooLate,
}

/// Whose certificate a host shows that asks for a new one after the end of the
/// last. The caller finds the node's record by the answer and then asks
/// [`RecoveryClaim::check`].
pub fn recover(
    authority: &Authority,
    ended: &CertificateDer<'_>,
) -> Result<RecoveryClaim, RecoveryRefused> {
    let peer = authority.recognize(ended).ok_or(RecoveryRefused::Foreign)?;
    match peer.identity {
        Identity::Node { .. } => Ok(RecoveryClaim { peer }),
        Identity::Operator(_) | Identity::Controller => Err(RecoveryRefused::Foreign),
    }
}

/// An ended certificate of ours, not yet accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryClaim {
    peer: Peer,
}

impl RecoveryClaim {
    /// Whose certificate it is.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What the node's record becomes if it allows a new certificate for the
    /// request.
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
