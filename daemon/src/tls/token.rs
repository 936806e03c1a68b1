//! The join token: what an operator hands to a new host.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Fingerprint;

/// A secret that lets one host join, and the fingerprint of the authority, so
/// that the host knows its controller at first contact.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    secret: [u8; 32],
    ca: Fingerprint,
}

/// Why a text is not a join token. Never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a join token; it looks like oml1.SECRET.FINGERPRINT, copy it whole")]
pub struct InvalidToken;

const FORM: &str = "oml1";

impl JoinToken {
    /// A token of a fresh random secret.
    #[must_use]
    pub fn new(secret: [u8; 32], ca: Fingerprint) -> Self {
        Self { secret, ca }
    }

    /// The authority's fingerprint.
    #[must_use]
    pub fn ca(&self) -> Fingerprint {
        self.ca
    }

    /// What the controller keeps instead of the secret.
    #[must_use]
    pub fn hash(&self) -> Fingerprint {
        Fingerprint::of(&self.secret)
    }

    /// The whole token as text; the only way to see the secret.
    #[must_use]
    pub fn reveal(&self) -> String {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        format!("{FORM}.{}.{}", part(&self.secret), part(&self.ca.0))
    }
}

impl FromStr for JoinToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let mut parts = text.trim().split('.');
        let mut part = || parts.next().ok_or(InvalidToken);
        if part()? != FORM {
            return Err(InvalidToken);
        }
        let secret = decode(part()?)?;
        let ca = Fingerprint(decode(part()?)?);
        if parts.next().is_some() {
            return Err(InvalidToken);
        }
        Ok(Self { secret, ca })
    }
}

fn decode(text: &str) -> Result<[u8; 32], InvalidToken> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_secret| InvalidToken)?;
    bytes.try_into().map_err(|_secret| InvalidToken)
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken(hash {})", self.hash())
    }
}
