//! The identity of a node across all tenants.

use std::fmt;

use oml_common::id::{NodeName, TenantId};
use oml_daemon::tls::Identity;

use crate::records::keys;

/// A node's tenant and its name within the tenant, which together identify one node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    pub tenant: TenantId,
    /// The name, which is unique within the tenant.
    pub name: NodeName,
}

impl NodeId {
    /// Reads a node from the rest of a record's key.
    #[must_use]
    pub fn of_key(rest: &str) -> Option<Self> {
        let (tenant, name) = keys::tenant_and_node(rest)?;
        Some(Self { tenant, name })
    }

    /// Returns the identity in the node's certificate.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::Node { tenant: self.tenant.clone(), node: self.name.clone() }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.name)
    }
}
