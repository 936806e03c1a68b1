//! The names of secrets that are reserved for the certificate of a tenant.

use crate::id::SecretName;

/// A secret whose name is reserved for the certificate of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsSecret {
    /// The certificate with those of the authorities between it and a trusted one, in PEM.
    Certificate,
    /// Its private key, in PEM.
    Key,
    /// The certificate of the tenant's own authority, in PEM.
    Authority,
    /// The private key of that authority, which no host ever gets.
    AuthorityKey,
}

impl TlsSecret {
    /// The secrets of a certificate and of its authority.
    pub const ALL: [Self; 4] = [Self::Certificate, Self::Key, Self::Authority, Self::AuthorityKey];

    /// Returns its reserved name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "tls_certificate",
            Self::Key => "tls_key",
            Self::Authority => "tls_ca",
            Self::AuthorityKey => "tls_ca_key",
        }
    }

    /// Returns its reserved name as that of a secret.
    #[must_use]
    pub fn name(self) -> SecretName {
        self.as_str().parse().expect("the reserved names are names of secrets")
    }

    /// Returns the secret with this name, if it is reserved.
    #[must_use]
    pub fn of(name: &SecretName) -> Option<Self> {
        Self::ALL.into_iter().find(|secret| secret.as_str() == name.as_str())
    }
}
