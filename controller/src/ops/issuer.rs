//! Issues the certificates of nodes, all with the same lifetime.

use std::sync::Arc;

use oml_common::id::{NodeName, TenantId};
use oml_common::time::Timestamp;
use oml_daemon::tls::Serial;

use super::Result;
use super::node_id::NodeId;
use crate::pki::{Authority, CertificateRecord, CertificateRequest, Issued, Terms, highest_before};

/// A node's new certificate, with what the node needs to use it.
#[derive(Debug, Clone)]
pub struct IssuedCertificate {
    /// The node's certificate as PEM.
    pub certificate_pem: String,
    pub ca_pem: String,
    /// The node's tenant.
    pub tenant: TenantId,
    pub node: NodeName,
}

/// Issues certificates for nodes.
#[derive(Debug, Clone)]
pub(super) struct NodeIssuer {
    authority: Arc<Authority>,
    lifetime_ms: u64,
    epoch: u64,
}

impl NodeIssuer {
    /// Makes an issuer of certificates that live `lifetime_ms`, for a store of this epoch.
    pub(super) fn new(authority: Arc<Authority>, lifetime_ms: u64, epoch: u64) -> Self {
        Self { authority, lifetime_ms, epoch }
    }

    /// Returns the highest serial number of a certificate that the store may not know,
    /// because it was restored from a backup since.
    pub(super) fn highest_unrecorded(&self) -> Serial {
        highest_before(self.epoch)
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(super) fn lifetime_ms(&self) -> u64 {
        self.lifetime_ms
    }

    /// Issues a certificate with a serial number higher than `after`.
    pub(super) fn issue(
        &self,
        node: &NodeId,
        request: &CertificateRequest,
        after: Option<Serial>,
        now: Timestamp,
    ) -> Result<Issued> {
        let terms = Terms { now, lifetime_ms: self.lifetime_ms, epoch: self.epoch, after };
        Ok(self.authority.issue(&node.identity(), request, terms)?)
    }

    /// Makes the certificate that was issued before for the same key again.
    pub(super) fn issue_again(
        &self,
        node: &NodeId,
        request: &CertificateRequest,
        record: CertificateRecord,
    ) -> Result<Issued> {
        Ok(self.authority.issue_again(&node.identity(), request, record)?)
    }

    /// Returns the reply to the node.
    pub(super) fn reply(&self, issued: Issued, node: NodeId) -> IssuedCertificate {
        let NodeId { tenant, name } = node;
        IssuedCertificate {
            certificate_pem: issued.certificate_pem,
            ca_pem: self.authority.pem().to_owned(),
            tenant,
            node: name,
        }
    }
}
