//! Which of a node's certificates count, once the node has shown one of them.

use crate::document::node::{CertificateRecord, NodeCertificates};
use crate::id::Serial;

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
