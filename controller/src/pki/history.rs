//! A node's certificates: which of them may be renewed, and the way back after
//! the last one has ended.

use oml_common::time::Timestamp;
use oml_proto::tls::{Fingerprint, Identity, Peer, Serial};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::{Authority, CertificateRequest};

/// What is remembered of one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRecord {
    /// Its number.
    pub serial: Serial,
    /// The hash of its public key.
    pub public_key: Fingerprint,
    /// When it ends.
    pub expires: Timestamp,
}

impl CertificateRecord {
    pub(super) fn of(peer: &Peer) -> Self {
        Self { serial: peer.serial, public_key: peer.public_key, expires: peer.expires }
    }
}

/// A node's newest certificate, and the one before as long as the node has not
/// shown the newest: it may have been lost on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCertificates {
    /// The newest.
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
    /// The certificate that was shown.
    pub shown: Serial,
}

impl NodeCertificates {
    /// Of a node that just joined.
    #[must_use]
    pub fn first(current: CertificateRecord) -> Self {
        Self { current, previous: None }
    }

    /// Checks that the node may work and renew with this certificate.
    pub fn check(&self, shown: Serial) -> Result<(), StaleCertificate> {
        self.find(shown).map(|_record| ()).ok_or(StaleCertificate { shown })
    }

    /// After `new` was issued to a node that showed `shown`.
    pub fn renewed(self, shown: Serial, new: CertificateRecord) -> Result<Self, StaleCertificate> {
        let shown = self.find(shown).ok_or(StaleCertificate { shown })?;
        Ok(Self { current: new, previous: Some(shown) })
    }

    /// After the node showed `shown`; `None` if that changes nothing.
    #[must_use]
    pub fn shown(self, shown: Serial) -> Option<Self> {
        let settles = shown == self.current.serial && self.previous.is_some();
        settles.then_some(Self { previous: None, ..self })
    }

    /// The line below which everything is revoked when the node is removed.
    #[must_use]
    pub fn newest(&self) -> Serial {
        self.current.serial
    }

    fn find(&self, serial: Serial) -> Option<CertificateRecord> {
        let mut known = std::iter::once(self.current).chain(self.previous);
        known.find(|record| record.serial == serial)
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

    /// Whether the node's record allows a new certificate for the request.
    pub fn check(
        &self,
        known: &NodeCertificates,
        request: &CertificateRequest,
        now: Timestamp,
        window_ms: u64,
    ) -> Result<(), RecoveryRefused> {
        let record = known.find(self.peer.serial).ok_or(RecoveryRefused::Stale)?;
        if request.fingerprint() != record.public_key {
            return Err(RecoveryRefused::OtherKey);
        }
        if now > record.expires.plus_ms(window_ms) {
            return Err(RecoveryRefused::TooLate);
        }
        Ok(())
    }
}
