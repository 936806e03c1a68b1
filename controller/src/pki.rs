//! The cluster's certificate authority: it decides who gets a certificate for
//! which identity, and for how long.
//!
//! Decisions about tokens, renewal and recovery are pure: the caller reads the
//! records and commits the result. This module uses neither the store nor the
//! network, and takes the time as a value.

mod acme;
mod authority;
mod history;
mod pem_pair;
mod record;
mod request;
mod revoked;
mod serial;
mod tenant;
mod token;

pub use acme::{certificate_request, new_key, thumbprint};
pub use authority::{Authority, Issued, OwnCertificate, PkiError, Terms};
pub use history::{RecoveryClaim, RecoveryRefused, recover};
pub use oml_common::decide::certificates::StaleCertificate;
pub use oml_common::document::node::{CertificateRecord, NodeCertificates};
pub use oml_common::document::token::{TokenGrant, TokenRecord, TokenUse};
pub use pem_pair::{PemPair, read_pair};
pub use record::record_of;
pub use request::{CertificateRequest, InvalidRequest};
pub use revoked::Revoked;
pub use serial::highest_before;
pub use tenant::{MadeCertificate, issue, new_authority};
pub use token::{
    InvalidTokenValidity, Redeemed, TokenRefused, TokenValidity, create_token, redeem,
};

/// The default lifetime of a node's certificate, in milliseconds: one day.
pub const NODE_LIFETIME_MS_DEFAULT: u64 = 24 * 3_600_000;
/// The time after its expiry in which a node's certificate can be replaced without a
/// token, in milliseconds: 30 days.
pub const RECOVERY_WINDOW_MS_DEFAULT: u64 = 30 * 24 * 3_600_000;

#[cfg(test)]
mod tests;
