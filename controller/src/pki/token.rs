//! Join tokens. A token lets one host join once, within a short time. Its secret
//! is shown once, when the token is made; the record stores only its hash.

use oml_common::document::token::{TokenGrant, TokenRecord, TokenUse};
use oml_common::id::NodeName;
use oml_common::time::Timestamp;
use oml_daemon::tls::{Identity, JoinToken, Serial};
use subtle::ConstantTimeEq as _;

use super::{Authority, PkiError};

/// The validity of a token: 1 second to 24 hours, by default 15 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenValidity(u64);

/// The error of a validity outside of the allowed range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the validity of a token must be between 1 second and 24 hours")]
pub struct InvalidTokenValidity;

impl TokenValidity {
    /// Makes a validity of so many milliseconds.
    ///
    /// # Errors
    /// Returns [`InvalidTokenValidity`] outside of 1 second to 24 hours.
    pub fn from_ms(valid_ms: u64) -> Result<Self, InvalidTokenValidity> {
        let allowed = (1000..=24 * 3_600_000).contains(&valid_ms);
        if allowed { Ok(Self(valid_ms)) } else { Err(InvalidTokenValidity) }
    }
}

impl Default for TokenValidity {
    fn default() -> Self {
        Self(15 * 60_000)
    }
}

/// The reason for which a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// The cluster has no record of this token.
    #[error("this token is not known to this controller")]
    Unknown,
    /// A host has used the token already.
    #[error("this token was already used; make a new one with `omlctl node token`")]
    Used,
    /// The validity of the token is over.
    #[error("this token has expired; make a new one with `omlctl node token`")]
    Expired,
    /// The token is for another node name.
    #[error("this token is for a host with another name")]
    OtherNode,
}

/// An accepted token. The acceptance holds once the commit that marks the token as used
/// succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeemed {
    record: TokenRecord,
    node: NodeName,
    at: Timestamp,
}

/// Makes a token and its record. The token is shown once and not stored.
///
/// # Errors
/// Returns [`PkiError`] if there are no random numbers.
pub fn create_token(
    authority: &Authority,
    grant: TokenGrant,
    now: Timestamp,
    validity: TokenValidity,
) -> Result<(JoinToken, TokenRecord), PkiError> {
    let secret = authority.random().bytes()?;
    let token = JoinToken::new(secret, authority.fingerprint());
    let expires = now.plus_ms(validity.0);
    let record = TokenRecord { hash: token.hash(), grant, expires, used: None };
    Ok((token, record))
}

/// Decides whether `token` lets a host join as `node`.
///
/// The caller issues the certificate and then writes [`Redeemed::used_by`] and the
/// node's record in one commit, on condition of the record's version. Of several
/// hosts that redeem one token at the same time, exactly one succeeds.
///
/// # Errors
/// Returns [`TokenRefused`] with the reason.
pub fn redeem(
    record: &TokenRecord,
    token: &JoinToken,
    node: &NodeName,
    now: Timestamp,
) -> Result<Redeemed, TokenRefused> {
    if !bool::from(record.hash.0.ct_eq(&token.hash().0)) {
        return Err(TokenRefused::Unknown);
    }
    if record.used.is_some() {
        return Err(TokenRefused::Used);
    }
    if now >= record.expires {
        return Err(TokenRefused::Expired);
    }
    if record.grant.node.as_ref().is_some_and(|only| only != node) {
        return Err(TokenRefused::OtherNode);
    }
    Ok(Redeemed { record: record.clone(), node: node.clone(), at: now })
}

impl Redeemed {
    /// Returns the identity that the host gets: the requested node name in the token's
    /// tenant.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::Node { tenant: self.record.grant.tenant.clone(), node: self.node.clone() }
    }

    /// Returns the rights that the token gave.
    #[must_use]
    pub fn grant(&self) -> &TokenGrant {
        &self.record.grant
    }

    /// Returns the token's record after its use by the holder of this certificate.
    #[must_use]
    pub fn used_by(self, serial: Serial) -> TokenRecord {
        let used = TokenUse { node: self.node, serial, at: self.at };
        TokenRecord { used: Some(used), ..self.record }
    }
}
