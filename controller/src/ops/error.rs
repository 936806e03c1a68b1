//! Why something that was asked did not happen.

use oml_common::id::{NodeName, TenantId};
use oml_common::text::problem::Problems;
use oml_daemon::tls::TlsError;

use crate::pki::{InvalidRequest, PkiError, RecoveryRefused, StaleCertificate, TokenRefused};
use crate::records::values::MachineId;
use crate::registry::RegistryError;
use crate::store::StoreError;

/// A result of the operations.
pub type Result<T, E = OpsError> = std::result::Result<T, E>;

/// Why something that was asked did not happen.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The caller's mistakes, all of them.
    #[error(transparent)]
    Problems(Problems),
    /// An image could not be looked up; nothing was changed.
    #[error("cannot look up an image; nothing was changed")]
    Registry(#[source] RegistryError),
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others change the same all the time.
    #[error("others are changing the same; nothing was changed, try again")]
    Busy,
    /// A certificate could not be made.
    #[error("cannot issue a certificate")]
    Pki(#[from] PkiError),
    /// The controller's own certificate cannot be used.
    #[error("cannot use the controller's certificate")]
    Tls(#[source] TlsError),
    /// A join token is not accepted.
    #[error("the host may not join: {0}")]
    Token(#[source] TokenRefused),
    /// An ended certificate is not replaced.
    #[error("the host may not come back: {0}")]
    Recovery(#[source] RecoveryRefused),
    /// A certificate is valid, but not the node's newest.
    #[error(transparent)]
    Stale(#[from] StaleCertificate),
    /// A certificate request is not one.
    #[error(transparent)]
    Request(#[from] InvalidRequest),
    /// A node asks for another certificate right after it got one.
    #[error("this node's newest certificate was made a moment ago: ask again later")]
    RenewedTooSoon,
    /// A node says another address at every moment.
    #[error("this node's address changes too often: say hello again later")]
    AddressUnstable,
    /// Two machines claim to be one node.
    #[error(
        "duplicate identity: machine {known} and machine {claims} both claim {node}; if the host is another machine now, make a token that names it and enrol it again"
    )]
    Duplicate {
        node: NodeName,
        known: MachineId,
        /// The one that was refused.
        claims: MachineId,
    },
    /// The node was removed, or never was.
    #[error("node {node} is not enrolled; it needs a new token")]
    NotEnrolled { node: NodeName },
    /// A node of that name is there already.
    #[error(
        "{tenant} already has a node {node}; remove it, or make a token that names it: omlctl node token tenant={tenant} name={node} role=…"
    )]
    NameTaken { tenant: TenantId, node: NodeName },
}
