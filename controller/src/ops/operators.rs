//! Who may operate the controller: made and removed on its own machine, while
//! it does not run.

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

/// How long an operator's certificate lives.
const LIFETIME_MS: u64 = 366 * 24 * 3_600_000;

/// The epoch of a store that was never restored.
const FIRST_EPOCH: u64 = 1;

/// The operators on record. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Operators {
    env: Env,
    records: Records,
    authority: Arc<Authority>,
}

impl Operators {
    /// Over the records; certificates are issued by `authority`.
    #[must_use]
    pub fn new(env: Env, records: Records, authority: Arc<Authority>) -> Self {
        Self { env, records, authority }
    }

    /// How the controller is reached; none before it was founded.
    pub async fn public_endpoint(&self) -> Result<Option<PublicEndpoint>> {
        Ok(self.records.get(&keys::public_endpoint()).await?.map(|entry| entry.value))
    }

    /// Founds a controller with its first operator. The epoch is in the same
    /// commit: without it no controller starts.
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

    /// Makes a further operator, or another certificate for a known one.
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

    /// Removes an operator: from the controller's next start on, none of the
    /// certificates made until now counts. The problem that comes back says
    /// that the name was not on record; it may have certificates all the same,
    /// made before operators were recorded or after the backup that was restored.
    pub async fn remove(&self, name: &OperatorName) -> Result<Option<Problem>> {
        let known = self.records.get(&keys::operator(name)).await?;
        let is_present = known.as_ref().is_some_and(|known| known.value.removed.is_none());
        let unrecorded = if is_present { None } else { Some(self.not_on_record(name).await?) };
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
        self.records.commit(batch).await?;
        Ok(unrecorded)
    }

    /// The certificates of operators that no longer count.
    pub(super) async fn revocations(&self) -> Result<Vec<(Identity, Serial)>> {
        let operators = self.records.list_lossy(&keys::operators()).await?;
        let mut lines = Vec::new();
        for (name, operator) in operators.entries {
            if let (Ok(name), Some(up_to)) = (name.parse(), operator.value.revoked) {
                lines.push((Identity::Operator(name), up_to));
            }
        }
        // Certificates alone let an operator in: one who may have been removed is not.
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
        let all = self.records.list(&keys::operators()).await?;
        let present = all.iter().filter(|(_, operator)| operator.value.removed.is_none());
        let problem = Problem::new("operator", format!("there was no operator {name} on record"));
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
