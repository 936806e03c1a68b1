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
    /// The private key of the tenant's account at an ACME directory, which no host ever gets.
    AccountKey,
    /// The private key of the certificate that is on order there, which no host gets before it has come.
    OrderKey,
}

impl TlsSecret {
    /// Those of a certificate, of its authority and of its order.
    pub const ALL: [Self; 6] = [
        Self::Certificate,
        Self::Key,
        Self::Authority,
        Self::AuthorityKey,
        Self::AccountKey,
        Self::OrderKey,
    ];

    /// Those that are made together, as versions with one number.
    pub const PARTS: [Self; 4] =
        [Self::Certificate, Self::Key, Self::Authority, Self::AuthorityKey];

    /// Returns its reserved name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "tls_certificate",
            Self::Key => "tls_key",
            Self::Authority => "tls_ca",
            Self::AuthorityKey => "tls_ca_key",
            Self::AccountKey => "tls_acme_account_key",
            Self::OrderKey => "tls_acme_order_key",
        }
    }

    /// Whether a host may get it.
    #[must_use]
    pub fn is_for_hosts(self) -> bool {
        match self {
            Self::Certificate | Self::Key | Self::Authority => true,
            Self::AuthorityKey | Self::AccountKey | Self::OrderKey => false,
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
