//! Records of the controller as a whole: its address, epoch, operators and audit trail.

use serde::{Deserialize, Serialize};

use crate::document::{Document, is_default};
use crate::id::{NodeName, Serial, TenantId};
use crate::time::Timestamp;

/// The address at which operators and nodes reach the controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicEndpoint {
    pub name: String,
    /// The host name or IP address, without a port.
    pub host: String,
    /// Further host names or IP addresses of the controller.
    #[serde(default, skip_serializing_if = "is_default")]
    pub addresses: Vec<String>,
}

/// The epoch of the store. Every restore from a backup raises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    pub epoch: u64,
}

/// An operator for whom a bundle was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRecord {
    pub newest: Serial,
    /// The newest revoked certificate; all older ones are revoked too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub revoked: Option<Serial>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub removed: Option<Timestamp>,
}

/// A line of the audit trail. It is written in the same commit as the change it
/// describes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    pub at: Timestamp,
    pub who: String,
    pub what: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub tenant: Option<TenantId>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub node: Option<NodeName>,
}

impl Document for PublicEndpoint {
    const KIND: &'static str = "a public endpoint";
    const VERSION: Option<u32> = Some(1);
}

impl Document for Epoch {
    const KIND: &'static str = "an epoch";
    const VERSION: Option<u32> = Some(1);
}

impl Document for OperatorRecord {
    const KIND: &'static str = "an operator";
    const VERSION: Option<u32> = Some(1);
}

impl Document for AuditRecord {
    const KIND: &'static str = "a line of the audit log";
    const VERSION: Option<u32> = Some(1);
}
