//! What everybody may know of a certificate of a tenant, as it is kept beside its sealed text.

use serde::{Deserialize, Serialize};

use crate::document::is_default;
use crate::id::Fingerprint;
use crate::time::Timestamp;

/// The facts of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFacts {
    /// The host names and IP addresses for which it is valid, in the order of the certificate; that of
    /// an authority has none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub names: Vec<String>,
    /// The holder, as a distinguished name in the form of RFC 4514.
    pub subject: String,
    /// The authority that signed it, in the same form.
    pub issuer: String,
    pub valid_from: Timestamp,
    pub expires: Timestamp,
    /// The hash of its DER.
    pub fingerprint: Fingerprint,
    /// The fingerprint of the tenant's own authority that signed it; none if somebody else did.
    #[serde(default, skip_serializing_if = "is_default")]
    pub authority: Option<Fingerprint>,
    /// The ACME directory (RFC 8555) that gave it; none if somebody else did.
    #[serde(default, skip_serializing_if = "is_default")]
    pub directory: Option<String>,
}
