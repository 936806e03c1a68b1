//! Join tokens: one host, once, for a short time. The secret is seen once, when
//! the token is made; the record keeps its hash.

use oml_common::id::{NodeName, RoleName, TenantId};
use oml_common::time::Timestamp;
use oml_daemon::tls::{Fingerprint, Identity, JoinToken, Serial};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{Authority, PkiError};

/// How long a token is valid; 15 minutes unless the operator says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenValidity(u64);

/// Why a time is not a token's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is valid for 1 second to 24 hours")]
pub struct InvalidTokenValidity;

impl TokenValidity {
    /// Accepts a validity given in milliseconds.
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

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGrant {
    /// The tenant the host will belong to.
    pub tenant: TenantId,
    /// What the host will be for.
    pub roles: Vec<RoleName>,
    /// The only name it may take, if any.
    pub node: Option<NodeName>,
}

/// What is remembered of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The hash of its secret.
    pub hash: Fingerprint,
    pub grant: TokenGrant,
    pub expires: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<TokenUse>,
}

/// The one use of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUse {
    /// The node that joined.
    pub node: NodeName,
    /// The certificate it got.
    pub serial: Serial,
    pub at: Timestamp,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// The record is of another token, or the token of another cluster.
    #[error("this token is not known here")]
    Unknown,
    /// Somebody used it before.
    #[error("this token was already used")]
    Used,
    /// Its time is over.
    #[error("this token has expired")]
    Expired,
    /// It is for another host.
    #[error("this token is for a host of another name")]
    OtherNode,
}

/// A token that is accepted, if the commit that marks it used succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeemed {
    record: TokenRecord,
    node: NodeName,
    at: Timestamp,
}

impl TokenRecord {
    /// Makes a token and its record. The token is shown once and not kept.
    pub fn create(
        authority: &Authority,
        grant: TokenGrant,
        now: Timestamp,
        validity: TokenValidity,
    ) -> Result<(JoinToken, Self), PkiError> {
        let secret = authority.random().bytes()?;
        let token = JoinToken::new(secret, authority.fingerprint());
        let expires = now.plus_ms(validity.0);
        let record = Self { hash: token.hash(), grant, expires, used: None };
        Ok((token, record))
    }
}

/// Decides whether `token` lets a host join as `node`.
///
/// The caller issues the certificate and commits, in one commit and on the
/// record's version, [`Redeemed::used_by`] and the node's record; so of many
/// who redeem at once one succeeds.
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
    /// Who the host becomes; the tenant is the token's.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::Node { tenant: self.record.grant.tenant.clone(), node: self.node.clone() }
    }

    /// What the token was good for.
    #[must_use]
    pub fn grant(&self) -> &TokenGrant {
        &self.record.grant
    }

    /// The token's record after its one use.
    #[must_use]
    pub fn used_by(self, serial: Serial) -> TokenRecord {
        let used = TokenUse { node: self.node, serial, at: self.at };
        TokenRecord { used: Some(used), ..self.record }
    }
}
