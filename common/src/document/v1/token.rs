//! Join tokens, of which the secret is not stored.

use serde::{Deserialize, Serialize};

use crate::document::{Document, is_default};
use crate::id::{Fingerprint, NodeName, RoleName, Serial, TenantId};
use crate::time::Timestamp;

/// The stored facts of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The SHA-256 hash of its secret.
    pub hash: Fingerprint,
    pub grant: TokenGrant,
    pub expires: Timestamp,
    #[serde(default, skip_serializing_if = "is_default")]
    pub used: Option<TokenUse>,
}

/// The rights that a token gives to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGrant {
    /// The tenant that the host joins.
    pub tenant: TenantId,
    /// The roles that the node gets.
    #[serde(default, skip_serializing_if = "is_default")]
    pub roles: Vec<RoleName>,
    /// The node name that the host must use; if absent, the host may choose one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub node: Option<NodeName>,
}

/// The use of a token, of which there is at most one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUse {
    /// The node that joined.
    pub node: NodeName,
    /// The serial number of the certificate that the node got.
    pub serial: Serial,
    pub at: Timestamp,
}

impl Document for TokenRecord {
    const KIND: &'static str = "a join token";
    const VERSION: Option<u32> = Some(1);
}
