//! The operators of the controller. They are added and removed on the controller's
//! machine while it is stopped.

use std::sync::Arc;

use oml_common::text::problem::Problem;
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use oml_daemon::tls::{Identity, OperatorName, Serial};

use super::Result;
use crate::pki::{Authority, OwnCertificate, Terms, highest_before};
use crate::records::values::Epoch;
use crate::records::values::{AuditRecord, OperatorRecord, PublicEndpoint};
use crate::records::{Batch, Records, if_unchanged, keys};
use crate::store::Expect;

/// The lifetime of an operator's certificate.
const LIFETIME_MS: u64 = 366 * 24 * 3_600_000;

/// The epoch of a store that was never restored.
const FIRST_EPOCH: u64 = 1;

/// What to do with the name of an operator that is not on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrecorded {
    /// It is a mistake.
    Refuse,
    /// It may have certificates that were made after the backup that was restored, so they
    /// are revoked.
    Revoke,
}

/// The recorded operators. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Operators {
    env: Env,
    records: Records,
    authority: Arc<Authority>,
}

impl Operators {
    /// Makes the operators of these records, whose certificates `authority` issues.
    #[must_use]
    pub fn new(env: Env, records: Records, authority: Arc<Authority>) -> Self {
        Self { env, records, authority }
    }

    /// Returns the address at which the controller is reached; `None` before
    /// `omlcontroller init`.
    pub async fn public_endpoint(&self) -> Result<Option<PublicEndpoint>> {
        Ok(self.records.get(&keys::public_endpoint()).await?.map(|entry| entry.value))
    }

    /// Makes the first records of a controller, with its first operator. The epoch is in
    /// the same commit, because no controller starts without it.
    pub async fn found(
        &self,
        first: &OperatorName,
        endpoint: &PublicEndpoint,
    ) -> Result<OwnCertificate> {
        let now = self.env.now();
        let own = self.issue(first, FIRST_EPOCH, None, now)?;
        let newest = own.issued.record.serial;
        let batch = Batch::default()
            .put(
                &keys::operator(first),
                Expect::Absent,
                &OperatorRecord { newest, revoked: None, removed: None },
            )
            .put(&keys::epoch(), Expect::Absent, &Epoch { epoch: FIRST_EPOCH })
            .put(&keys::public_endpoint(), Expect::Absent, endpoint)
            .audit(&audit(format!("made the controller and operator {first}"), now));
        self.records.commit(batch).await?;
        Ok(own)
    }

    /// Makes another operator, or another certificate for a known one.
    pub async fn add(&self, name: &OperatorName) -> Result<OwnCertificate> {
        let known = self.records.get(&keys::operator(name)).await?;
        let after = known.as_ref().map(|known| Some(known.value.newest).max(known.value.revoked));
        let now = self.env.now();
        let own = self.issue(name, self.epoch().await?, after.flatten(), now)?;
        let revoked = known.as_ref().and_then(|known| known.value.revoked);
        let made = OperatorRecord { newest: own.issued.record.serial, revoked, removed: None };
        let batch = Batch::default()
            .put(&keys::operator(name), if_unchanged(known.as_ref()), &made)
            .audit(&audit(format!("made operator {name}"), now));
        self.records.commit(batch).await?;
        Ok(own)
    }

    /// Removes an operator: from the controller's next start on, all certificates made
    /// until now are refused.
    ///
    /// # Errors
    /// Returns a problem if the name is not on record and `unrecorded` refuses that.
    pub async fn remove(&self, name: &OperatorName, unrecorded: Unrecorded) -> Result<()> {
        let known = self.records.get(&keys::operator(name)).await?;
        let is_present = known.as_ref().is_some_and(|known| known.value.removed.is_none());
        if !is_present && unrecorded == Unrecorded::Refuse {
            return Err(self.not_on_record(name).await?.into());
        }
        let now = self.env.now();
        // This also covers certificates without a record.
        let highest = highest_before(self.epoch().await?.saturating_add(1));
        let newest = known.as_ref().map_or(highest, |known| known.value.newest);
        let revoked = known.as_ref().and_then(|known| known.value.revoked);
        let line = newest.max(highest).max(revoked.unwrap_or(highest));
        let removed = OperatorRecord { revoked: Some(line), removed: Some(now), newest };
        let batch = Batch::default()
            .put(&keys::operator(name), if_unchanged(known.as_ref()), &removed)
            .audit(&audit(format!("removed operator {name}"), now));
        Ok(self.records.commit(batch).await?)
    }

    /// Reads the revoked certificates of all operators.
    pub(super) async fn revocations(&self) -> Result<Vec<(Identity, Serial)>> {
        let operators = self.records.list_lossy(&keys::operators()).await?;
        let mut lines = Vec::new();
        for (name, operator) in operators.entries {
            if let (Ok(name), Some(up_to)) = (name.parse(), operator.value.revoked) {
                lines.push((Identity::Operator(name), up_to));
            }
        }
        // A certificate alone admits an operator, and this operator may have been
        // removed, so all of its certificates are refused.
        for name in operators.damaged.iter().filter_map(|name| name.parse().ok()) {
            tracing::error!(%name, "the operator's record is damaged: none of its certificates counts; make an operator of another name");
            lines.push((Identity::Operator(name), Serial(u128::MAX)));
        }
        Ok(lines)
    }

    async fn epoch(&self) -> Result<u64> {
        let epoch = self.records.get(&keys::epoch()).await?;
        Ok(epoch.map_or(FIRST_EPOCH, |epoch| epoch.value.epoch))
    }

    async fn not_on_record(&self, name: &OperatorName) -> Result<Problem> {
        let all = self.records.list_lossy(&keys::operators()).await?.entries;
        let present = all.iter().filter(|(_, operator)| operator.value.removed.is_none());
        let message = format!(
            "there is no operator {name} on record, and nothing was changed; if its bundle was made after the backup that was restored, add --unrecorded"
        );
        let problem = Problem::new("operator", message);
        Ok(problem.suggest(&name.to_string(), present.map(|(name, _)| name.as_str())))
    }

    fn issue(
        &self,
        name: &OperatorName,
        epoch: u64,
        after: Option<Serial>,
        now: Timestamp,
    ) -> Result<OwnCertificate> {
        let terms = Terms { now, lifetime_ms: LIFETIME_MS, epoch, after };
        Ok(self.authority.issue_with_key(&Identity::Operator(name.clone()), terms)?)
    }
}

fn audit(what: String, at: Timestamp) -> AuditRecord {
    let who = "the machine's administrator".into();
    AuditRecord { at, who, what, tenant: None, node: None }
}
