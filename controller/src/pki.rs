//! The cluster's authority: who may be whom, and for how long.
//!
//! Pure where it decides (tokens, renewal, recovery): the caller reads the
//! records and commits what comes back. Knows neither store nor network, and
//! takes the time as a value.

mod authority;
mod history;
mod request;
mod revoked;
mod token;

pub use authority::{Authority, Issued, OwnCertificate, PkiError, Terms, highest_serial};
pub use history::{
    CertificateRecord, NodeCertificates, RecoveryClaim, RecoveryRefused, StaleCertificate, recover,
};
pub use request::{CertificateRequest, InvalidRequest};
pub use revoked::Revoked;
pub use token::{
    InvalidTokenValidity, Redeemed, TokenGrant, TokenRecord, TokenRefused, TokenUse, TokenValidity,
    redeem,
};

/// How long a node's certificate lives unless configured otherwise.
pub const NODE_LIFETIME_MS_DEFAULT: u64 = 24 * 3_600_000;
/// How long after its end a node's certificate can be replaced without a token.
pub const RECOVERY_WINDOW_MS_DEFAULT: u64 = 30 * 24 * 3_600_000;

#[cfg(test)]
mod tests;
