//! Join tokens, which operators make and each of which one host can use once.

use std::sync::Arc;

use oml_common::decide::assign;
use oml_common::id::{Address, NodeName, RoleName, TenantId};
use oml_common::text::problem::{Problem, nearest};
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use oml_daemon::failpoint;
use oml_daemon::tls::{Fingerprint, JoinToken, OperatorName};

use super::catalogs::Catalogs;
use super::error::complete;
use super::node_id::NodeId;
use super::nodes::{IssuedCertificate, Nodes, node_audit};
use super::retries::retry_conflicts;
use super::{OpsError, Result};
use crate::pki::{
    Authority, CertificateRequest, NodeCertificates, Redeemed, TokenGrant, TokenRecord,
    TokenRefused, TokenValidity, create_token, redeem,
};
use crate::records::values::{Assigned, AuditRecord, NodeRecord, PublicEndpoint};
use crate::records::{Batch, Entry, Records, if_unchanged, keys};
use crate::store::Expect;

/// The time after its expiry for which a token is kept, so that "used" and "expired" can
/// be distinguished.
const ENDED_TOKEN_KEPT_MS: u64 = 7 * 24 * 3_600_000;
/// The number of expired tokens that one commit removes.
const ENDED_TOKENS_MAX: usize = 32;

/// A request for a token.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    pub tenant: TenantId,
    /// The roles of the host.
    pub roles: Vec<RoleName>,
    /// The only name that the host may take; `None` for any.
    pub node: Option<NodeName>,
    /// The validity; `None` for the default.
    pub valid_ms: Option<u64>,
}

/// A new token.
#[derive(Debug)]
pub struct CreatedToken {
    /// The token, which is shown once and not stored.
    pub token: JoinToken,
    pub expires: Timestamp,
    /// The address of the enrolment service, as `host:port`.
    pub enrollment_endpoint: String,
}

/// A tenant that has neither revisions, nodes nor valid tokens. Its name may be a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant {
    /// The known tenant with the most similar name, if any is similar.
    pub nearest: Option<TenantId>,
    /// Whether no other tenant is known.
    pub is_first: bool,
}

/// A host's request to join.
#[derive(Debug)]
pub struct JoinRequest {
    pub token: JoinToken,
    /// The wanted name.
    pub node: NodeName,
    /// The certificate request for the key that the host made, in DER. Its signature is
    /// verified only for a token that is good, because that is costly and anybody may ask.
    pub csr: Vec<u8>,
    /// The address at which other hosts reach it.
    pub address: Address,
}

/// Makes join tokens and enrols the hosts that use them. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub(super) env: Env,
    pub(super) records: Records,
    pub(super) nodes: Nodes,
    pub(super) catalogs: Arc<Catalogs>,
    pub(super) authority: Arc<Authority>,
    pub(super) enrollment_port: u16,
    pub(super) epoch: u64,
}

impl Tokens {
    /// Checks a request for a token, and returns whether its tenant is a new one.
    pub async fn check(&self, wanted: &TokenRequest) -> Result<Option<NewTenant>> {
        self.validity(wanted)?;
        let known = self.nodes.tenants.all().await?;
        if known.contains(&wanted.tenant) {
            return Ok(None);
        }
        let tokens = self.records.list_lossy(&keys::tokens()).await?.entries;
        let now = self.env.now();
        let mut valid = tokens.iter().filter(|(_, token)| token.value.expires > now);
        if valid.any(|(_, token)| token.value.grant.tenant == wanted.tenant) {
            return Ok(None);
        }
        let names: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
        let nearest = nearest(wanted.tenant.as_str(), &names);
        let nearest = nearest.and_then(|near| known.iter().find(|name| name.as_str() == near));
        Ok(Some(NewTenant { nearest: nearest.cloned(), is_first: known.is_empty() }))
    }

    /// Checks the roles of a request, and returns how long its token is valid.
    fn validity(&self, wanted: &TokenRequest) -> Result<TokenValidity> {
        let mut problems = self.catalogs.check_roles(&wanted.roles);
        if wanted.roles.is_empty() {
            let problem = Problem::new("role", "a node needs at least one role");
            problems.push(problem.hint("add role=app, role=voice or role=data"));
        }
        let validity = match wanted.valid_ms {
            Some(valid_ms) => TokenValidity::from_ms(valid_ms)
                .map_err(|error| problems.push(Problem::new("valid", error.to_string())))
                .ok(),
            None => Some(TokenValidity::default()),
        };
        complete(validity, problems)
    }

    /// Makes a token for a new host.
    pub async fn create(&self, who: &OperatorName, wanted: TokenRequest) -> Result<CreatedToken> {
        let validity = self.validity(&wanted)?;
        let now = self.env.now();
        let audit = AuditRecord {
            at: now,
            who: who.to_string(),
            what: format!("made a token for roles {}", comma_separated(&wanted.roles)),
            tenant: Some(wanted.tenant.clone()),
            node: wanted.node.clone(),
        };
        let TokenRequest { tenant, roles, node, .. } = wanted;
        let grant = TokenGrant { tenant, roles, node };
        let (token, record) = create_token(&self.authority, grant, now, validity)?;
        let mut batch = Batch::default().put(&keys::token(record.hash), Expect::Absent, &record);
        batch = batch.audit(&audit);
        for ended in self.long_ended_tokens(now).await? {
            batch = batch.delete(&keys::token(ended), Expect::Any);
        }
        self.records.commit(batch).await?;
        let endpoint = self.records.get(&keys::public_endpoint()).await?;
        let host =
            endpoint.map_or_else(|| "localhost".to_owned(), |endpoint| host_of(&endpoint.value));
        let enrollment_endpoint = format!("{host}:{}", self.enrollment_port);
        Ok(CreatedToken { token, expires: record.expires, enrollment_endpoint })
    }

    /// Returns some of the tokens that expired so long ago that they can be removed.
    async fn long_ended_tokens(&self, now: Timestamp) -> Result<Vec<Fingerprint>> {
        // A token that only a later release can read is kept.
        let tokens = self.records.list_lossy(&keys::tokens()).await?.entries;
        let is_long_ended =
            |record: &TokenRecord| now.since_ms(record.expires) > ENDED_TOKEN_KEPT_MS;
        let ended = tokens.into_iter().filter(|(_, token)| is_long_ended(&token.value));
        Ok(ended.take(ENDED_TOKENS_MAX).map(|(_, token)| token.value.hash).collect())
    }

    /// Enrols a host. Of many hosts that use one token, one succeeds.
    pub async fn enroll(&self, joining: &JoinRequest) -> Result<IssuedCertificate> {
        retry_conflicts(|| self.try_enroll(joining)).await
    }

    async fn try_enroll(&self, joining: &JoinRequest) -> Result<IssuedCertificate> {
        let token_key = keys::token(joining.token.hash());
        let record = self.records.get(&token_key).await?;
        let record = record.ok_or(OpsError::Token(TokenRefused::Unknown))?;
        let now = self.env.now();
        let redeemed = redeem(&record.value, &joining.token, &joining.node, now);
        let redeemed = redeemed.map_err(OpsError::Token)?;
        let request = CertificateRequest::from_der(&joining.csr).map_err(OpsError::Request)?;
        let tenant = redeemed.grant().tenant.clone();
        let node_key = keys::node(&tenant, &joining.node);
        let present = self.records.get(&node_key).await?;
        check_name_is_free(&tenant, &joining.node, present.as_ref(), &redeemed)?;
        // The serial numbers of a name that was used before continue.
        let after = present
            .as_ref()
            .map(|node| Some(node.value.certificates.newest()).max(node.value.revoked))
            .unwrap_or_default();
        let id = NodeId { tenant: tenant.clone(), name: joining.node.clone() };
        let issued = self.nodes.issuer.issue(&id, &request, after, now)?;
        let node = NodeRecord {
            agent: None,
            roles: redeemed.grant().roles.iter().cloned().collect(),
            address: joining.address.to_string(),
            metrics_port: 0,
            machine: None,
            enrolled: now,
            certificates: NodeCertificates::first(issued.record),
            revoked: after,
            removed: None,
        };
        let what = format!("joined with certificate {}", issued.record.serial);
        let audit = node_audit(id.identity().to_string(), what, &id, now);
        let used = redeemed.used_by(issued.record.serial);
        let batch = self.forget_assignment(Batch::default(), &id).await?;
        let batch = batch
            .put(&token_key, Expect::Version(record.version), &used)
            .put(&node_key, if_unchanged(present.as_ref()), &node)
            .audit(&audit);
        self.records.commit(batch).await?;
        failpoint::reach("C12");
        if let Some(up_to) = after {
            // This ends the sessions of older certificates.
            self.nodes.revoked.revoke(id.identity(), up_to);
        }
        self.nodes.presence.joined(&id);
        tracing::info!(%tenant, node = %joining.node, "a node joined");
        Ok(self.nodes.issuer.reply(issued, id))
    }

    /// Makes the old assignment of a node without a pointer undecided. It says nothing
    /// about the host that joins now, whose agent must not take it as an order to stop
    /// everything.
    async fn forget_assignment(&self, batch: Batch, id: &NodeId) -> Result<Batch> {
        let NodeId { tenant, name } = id;
        let records = &self.records;
        let target = records.get(&keys::target(tenant, name)).await?;
        let key = keys::assignment(tenant, name);
        let held = records.get_cached(&key).await?;
        let (None, Some(held)) = (target, held) else { return Ok(batch) };
        let undecided = assign::undecided(&held.value.assignment, self.epoch);
        Ok(batch.put(&key, if_unchanged(Some(&held)), &Assigned::from(undecided)))
    }
}

/// Checks that a name in use is given again only by a token that was made for it.
fn check_name_is_free(
    tenant: &TenantId,
    node: &NodeName,
    present: Option<&Entry<NodeRecord>>,
    redeemed: &Redeemed,
) -> Result<()> {
    let is_in_use = present.is_some_and(|node| node.value.is_enrolled());
    if is_in_use && redeemed.grant().node.as_ref() != Some(node) {
        return Err(OpsError::NameTaken { tenant: tenant.clone(), node: node.clone() });
    }
    Ok(())
}

fn host_of(endpoint: &PublicEndpoint) -> String {
    if endpoint.host.contains(':') { format!("[{}]", endpoint.host) } else { endpoint.host.clone() }
}

fn comma_separated(roles: &[RoleName]) -> String {
    let names: Vec<&str> = roles.iter().map(AsRef::as_ref).collect();
    names.join(", ")
}
