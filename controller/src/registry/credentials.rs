//! Logins to registries.

use std::collections::HashMap;
use std::fmt;

use zeroize::Zeroizing;

/// The user name and password for a registry.
#[derive(Clone)]
pub struct RegistryCredentials {
    pub user: String,
    /// The password or access token.
    pub password: Zeroizing<String>,
}

/// The logins of one tenant, by the registry's key ([`oml_common::id::registry_key`]).
pub type TenantLogins = HashMap<String, RegistryCredentials>;

impl fmt::Debug for RegistryCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryCredentials({})", self.user)
    }
}
