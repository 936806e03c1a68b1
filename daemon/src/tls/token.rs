//! The join token, which an operator gives to a new host.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Fingerprint;

/// A secret with which one host can join, and the fingerprint of the authority, by which
/// the host knows its controller.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    secret: [u8; 32],
    ca: Fingerprint,
}

/// The error of a text that is not a join token. It never contains the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a join token; it looks like oml1.SECRET.FINGERPRINT, copy it whole")]
pub struct InvalidToken;

const FORM: &str = "oml1";

impl JoinToken {
    /// Makes a token with a new random secret.
    #[must_use]
    pub fn new(secret: [u8; 32], ca: Fingerprint) -> Self {
        Self { secret, ca }
    }

    /// Returns the fingerprint of the authority.
    #[must_use]
    pub fn ca(&self) -> Fingerprint {
        self.ca
    }

    /// Returns the hash that the controller stores instead of the secret.
    #[must_use]
    pub fn hash(&self) -> Fingerprint {
        Fingerprint::of(&self.secret)
    }

    /// Returns the whole token as text. No other function shows the secret.
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
