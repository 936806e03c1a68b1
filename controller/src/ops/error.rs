//! The errors of the operations.

use oml_common::decide::verdict::InstancePlace;
use oml_common::id::{NodeName, RevisionNumber, SecretName, TenantId};
use oml_common::text::problem::{Problem, Problems};
use oml_daemon::env::RandomError;
use oml_daemon::tls::TlsError;

use crate::pki::{InvalidRequest, PkiError, RecoveryRefused, StaleCertificate, TokenRefused};
use crate::records::values::MachineId;
use crate::registry::RegistryError;
use crate::seal::{NoKey, OtherKey, UnsealError};
use crate::store::StoreError;

/// The result of an operation.
pub type Result<T, E = OpsError> = std::result::Result<T, E>;

/// Returns what a check found to be right. Its mistakes are added to the others, so that all of them
/// are reported together.
///
/// # Errors
/// Returns every error that is no mistake of an operator.
pub(super) fn collect<T>(checked: Result<T>, problems: &mut Problems) -> Result<Option<T>> {
    match checked {
        Ok(value) => Ok(Some(value)),
        Err(OpsError::Problems(found)) => {
            problems.0.extend(found.0);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Returns a value for which nothing lacks.
///
/// # Errors
/// Returns the mistakes that were collected, of which there is one if there is no value.
pub(super) fn complete<T>(value: Option<T>, problems: Problems) -> Result<T> {
    match value {
        Some(value) if problems.0.is_empty() => Ok(value),
        Some(_) | None => Err(OpsError::Problems(problems.sorted())),
    }
}

/// A plan that only a later release of the controller can read. Its tenant stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{tenant} needs a newer controller: the plan of revision {revision} cannot be read{}: {why}; install a newer release of the controller",
    instance.as_ref().map(|place| format!(", because of {} on {}", place.component, place.node)).unwrap_or_default()
)]
pub struct UnreadablePlan {
    pub tenant: TenantId,
    pub revision: RevisionNumber,
    /// The first instance that cannot be read; `None` if the plan as a whole cannot.
    pub instance: Option<InstancePlace>,
    /// Why it cannot be read.
    pub why: String,
}

/// The error of an operation.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The request contains mistakes; all of them are listed.
    #[error(transparent)]
    Problems(Problems),
    /// The tenant was changed since the operator looked at the plan. Nothing was changed.
    #[error("{0}")]
    ChangedMeanwhile(Problem),
    /// The change would remove an instance, which the operator has not seen. Nothing was changed.
    #[error("{0}")]
    Removes(Problem),
    /// The change would lead over a step without a way back, which the operator has not seen.
    /// Nothing was changed.
    #[error("{0}")]
    OneWay(Problem),
    /// An image could not be looked up in its registry. Nothing was changed.
    #[error("cannot look up an image; nothing was changed")]
    Registry(#[source] RegistryError),
    /// The store failed or refused a commit.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Every attempt conflicted with another change of the same records.
    #[error("other changes of the same records came first; nothing was changed; retry")]
    Busy,
    /// A certificate could not be made.
    #[error("cannot issue a certificate")]
    Pki(#[from] PkiError),
    /// The controller's own certificate cannot be used.
    #[error("cannot use the controller's certificate")]
    Tls(#[source] TlsError),
    /// The join token was refused.
    #[error("the host may not join: {0}")]
    Token(#[source] TokenRefused),
    /// An expired certificate is not replaced.
    #[error("certificate recovery refused: {0}")]
    Recovery(#[source] RecoveryRefused),
    /// The plan cannot be used. Nothing was changed.
    #[error(transparent)]
    UnreadablePlan(#[from] UnreadablePlan),
    /// The certificate is valid, but it is not the node's newest.
    #[error(transparent)]
    Stale(#[from] StaleCertificate),
    /// The certificate request cannot be used.
    #[error(transparent)]
    Request(#[from] InvalidRequest),
    /// The node asked for another certificate right after it got one.
    #[error("this node's newest certificate was made a moment ago; ask again later")]
    RenewedTooSoon,
    /// The node reports a different address too often.
    #[error("the node's address changes too often; retrying later")]
    AddressUnstable,
    /// Two machines claim to be the same node.
    #[error(
        "duplicate identity: machine {known} and machine {claims} both claim {node}; if the host is another machine now, make a token that names it and enrol it again"
    )]
    Duplicate {
        node: NodeName,
        known: MachineId,
        /// The machine that was refused.
        claims: MachineId,
    },
    /// Two hosts claim to be the same node and the same machine.
    #[error(
        "duplicate identity: two hosts with the same machine id claim {node}, at {first} and at {second}; shut the copy down, or remove its /etc/machine-id and enrol it with a token of its own"
    )]
    Twins {
        node: NodeName,
        /// The address of the host that came first.
        first: String,
        second: String,
    },
    /// The node was removed or never existed.
    #[error("node {node} is not enrolled; it needs a new token")]
    NotEnrolled { node: NodeName },
    /// Secrets cannot be sealed or opened.
    #[error(transparent)]
    NoKey(#[from] NoKey),
    /// The key at hand is probably the wrong one.
    #[error("no other secret is given with this key: {0}")]
    OtherKey(OtherKey),
    #[error("cannot open secret {name} version {version} of {tenant}")]
    Sealed { tenant: TenantId, name: SecretName, version: u64, source: UnsealError },
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A node of that name is already enrolled.
    #[error(
        "{tenant} already has a node {node}; remove it, or make a token that names it: omlctl node token tenant={tenant} name={node} role=…"
    )]
    NameTaken { tenant: TenantId, node: NodeName },
}

impl OpsError {
    /// Returns the key of the record that cannot be read, because it is damaged or of a later release,
    /// if that is the error. The store itself can be read then.
    #[must_use]
    pub fn unreadable_record(&self) -> Option<&str> {
        let Self::Store(StoreError::Damaged { key, .. } | StoreError::NeedsNewer { key, .. }) =
            self
        else {
            return None;
        };
        Some(key.as_str())
    }

    /// Returns true if only a newer controller can go on, which lasts until the operator acts.
    #[must_use]
    pub fn needs_newer_controller(&self) -> bool {
        matches!(self, Self::UnreadablePlan(_) | Self::Store(StoreError::NeedsNewer { .. }))
    }
}
