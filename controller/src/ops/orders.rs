//! The certificates that tenants order from ACME directories (RFC 8555). Here is only what reads, asks and writes:
//! what is done next is decided in [`oml_common::decide::acme`].
//!
//! The account of a tenant, its order and what failed last are in one record, and the keys are sealed like other
//! secrets, so that an order goes on after a restart of the controller. A certificate that has come is a change of
//! its tenant like one that an operator gives.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use oml_common::decide::acme::{
    AcmeInput, AcmeNext, AcmeRefusal, after_failure, after_giving, at_rest, next,
};
use oml_common::decide::tls;
use oml_common::document::spec::{AcmeSpec, TlsSpec};
use oml_common::document::tls_secret::TlsSecret;
use oml_common::id::TenantId;
use oml_common::text::problem::Problems;
use oml_daemon::env::Env;
use oml_daemon::tls::OperatorName;
use tokio::time::timeout;

use super::change::{ChangeRequest, Changes, RequestContext};
use super::retries::retry_conflicts;
use super::secrets::{OrderedPem, Secrets, records};
use super::{OpsError, Result};
use crate::acme::Directories;
use crate::records::values::AcmeRecord;
use crate::records::{Batch, Records, if_unchanged, keys};
use crate::store::ChangeSignal;

mod turn;
mod waits;

use self::turn::{Ended, Stopped, Turn};
use self::waits::Waits;

/// The name under which the controller makes changes by itself.
const CONTROLLER: &str = "omlcontroller";
/// The time limit of what is asked of a directory in a row.
const TURN_LIMIT: Duration = Duration::from_secs(120);

/// The orders of all tenants. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Orders {
    env: Env,
    records: Records,
    secrets: Secrets,
    changes: Changes,
    directories: Arc<Directories>,
    waits: Arc<Waits>,
    who: OperatorName,
}

/// A tenant that orders its certificate.
#[derive(Clone, Copy)]
struct Ordering<'a> {
    tenant: &'a TenantId,
    tls: &'a TlsSpec,
    acme: &'a AcmeSpec,
}

impl Orders {
    /// Makes the access to the orders of these tenants.
    #[must_use]
    pub fn new(changes: &Changes, directories: Directories) -> Self {
        Self {
            env: changes.env.clone(),
            records: changes.records.clone(),
            secrets: changes.secrets.clone(),
            changes: changes.clone(),
            directories: Arc::new(directories),
            waits: Arc::default(),
            who: CONTROLLER.parse().expect("it is the name of an operator"),
        }
    }

    /// Returns the tenants that have an account.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn tenants(&self) -> Result<Vec<TenantId>> {
        let all = keys::all_acme();
        let found = self.records.list_lossy(&all).await?.entries;
        Ok(found.iter().filter_map(|(rest, _)| all.name(rest)).collect())
    }

    /// Returns signals that something may be due.
    #[must_use]
    pub fn changed(&self) -> Vec<ChangeSignal> {
        vec![self.records.changed(&keys::all_acme()), self.records.changed(&keys::rollouts())]
    }

    /// Does what is due for the certificate of a tenant, and returns when to look again, in milliseconds; none
    /// if something else has to change first.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read or written. What a directory refuses is recorded.
    pub async fn look(&self, tenant: &TenantId) -> Result<Option<u64>> {
        let Some(account) = self.secrets.account(tenant).await? else { return Ok(None) };
        let tls = self.secrets.present_spec(tenant).await?.and_then(|spec| spec.tls);
        let Some((tls, acme)) = tls.as_ref().and_then(|tls| Some((tls, tls.acme.as_ref()?))) else {
            self.update(tenant, None, at_rest).await?;
            return Ok(None);
        };
        let Some(rollout) = self.records.get(&keys::rollout(tenant)).await? else {
            return Ok(None);
        };
        let secrets = records(&self.secrets.of_tenant(tenant).await?);
        let plan = self.secrets.present_plan(tenant).await?;
        let certificate = secrets.get(&TlsSecret::Certificate.name());
        let in_use = plan.as_deref().and_then(|plan| tls::in_use(plan, certificate));
        let now = self.env.now();
        let decided = next(AcmeInput {
            tls,
            secrets: &secrets,
            record: &account.value,
            in_use: in_use.map(|it| it.version),
            rollout: &rollout.value.state,
            now,
        });
        match decided {
            AcmeNext::Wait { until, .. } => Ok(until.map(|until| until.since_ms(now))),
            AcmeNext::Give { version } => {
                self.give(tenant, None, Some(version)).await?;
                Ok(None)
            }
            AcmeNext::Order => self.order(Ordering { tenant, tls, acme }, account.value).await,
            AcmeNext::Note { version } => {
                self.update(tenant, None, |record| after_giving(record, version, now)).await?;
                Ok(None)
            }
        }
    }

    /// Goes on with the order of a tenant, or begins it.
    async fn order(&self, ordering: Ordering<'_>, record: AcmeRecord) -> Result<Option<u64>> {
        let turn = Turn { orders: self, ordering, record };
        // Every pass comes here, also one for another tenant.
        let rest_ms = turn.under_way().and_then(|it| self.waits.rest_ms(ordering.tenant, &it.url));
        if rest_ms.is_some() {
            return Ok(rest_ms);
        }
        self.waits.end(ordering.tenant);
        match bounded(turn.run()).await {
            Ok(Ended::Waits { order, wait_ms }) => {
                self.waits.set(ordering.tenant, &order, wait_ms);
                return Ok(Some(wait_ms));
            }
            Ok(Ended::Came(pem)) => self.give(ordering.tenant, Some(pem), None).await?,
            Err(Stopped::Refused(refusal)) => self.refused(ordering.tenant, refusal).await?,
            Err(Stopped::Ops(error)) => return Err(error),
        }
        Ok(None)
    }

    /// Gives the hosts a certificate that has come, or one that is kept.
    async fn give(
        &self,
        tenant: &TenantId,
        pem: Option<OrderedPem>,
        kept: Option<u64>,
    ) -> Result<()> {
        let request = ChangeRequest::TakeOrdered { tenant: tenant.clone(), pem };
        let context = RequestContext {
            who: self.who.clone(),
            op_id: None,
            dry_run: false,
            why: "the certificate was ordered".to_owned(),
            if_revision: None,
            no_removals: true,
            no_one_way: true,
            force: String::new(),
        };
        match self.changes.make(&request, &context).await {
            Ok(made) => {
                let version = made.certificate.map(|it| it.version).or(kept).unwrap_or_default();
                let now = self.env.now();
                self.update(tenant, None, |record| after_giving(record, version, now)).await?;
                tracing::info!(%tenant, version, "a certificate was ordered");
                Ok(())
            }
            Err(OpsError::Problems(problems)) => self.refused(tenant, not_given(&problems)).await,
            Err(error) => Err(error),
        }
    }

    /// Records that no certificate could be ordered, and why.
    async fn refused(&self, tenant: &TenantId, refusal: AcmeRefusal) -> Result<()> {
        let (now, spread) = (self.env.now(), self.env.random().spread());
        tracing::warn!(%tenant, reason = %refusal.reason, "no certificate could be ordered");
        let what = format!("could not order a certificate: {}", refusal.reason);
        let after = |record| after_failure(record, refusal.clone(), now, spread);
        self.update(tenant, Some(&what), after).await
    }

    /// Changes the record of a tenant's account, with a line in the audit trail.
    async fn update(
        &self,
        tenant: &TenantId,
        audit: Option<&str>,
        change: impl Fn(AcmeRecord) -> AcmeRecord,
    ) -> Result<()> {
        retry_conflicts(|| self.try_update(tenant, audit, &change)).await
    }

    async fn try_update(
        &self,
        tenant: &TenantId,
        audit: Option<&str>,
        change: &impl Fn(AcmeRecord) -> AcmeRecord,
    ) -> Result<()> {
        let key = keys::acme(tenant);
        let Some(entry) = self.records.get(&key).await? else { return Ok(()) };
        let record = change(entry.value.clone());
        if record == entry.value {
            return Ok(());
        }
        let mut batch = Batch::default().put(&key, if_unchanged(Some(&entry)), &record);
        if let Some(what) = audit {
            batch = batch.audit(&self.secrets.audit(&self.who, tenant, what.to_owned()));
        }
        Ok(self.records.commit(batch).await?)
    }
}

/// Takes a turn, which ends in time and without a panic. The library panics at an address in an answer that is
/// none; the order then begins again, because its own address may be the one.
async fn bounded(turn: impl Future<Output = Result<Ended, Stopped>>) -> Result<Ended, Stopped> {
    let (reason, keeps_order) =
        match timeout(TURN_LIMIT, AssertUnwindSafe(turn).catch_unwind()).await {
            Ok(Ok(ended)) => return ended,
            Ok(Err(_panic)) => {
                ("the directory cannot be used: it names an address that is none", false)
            }
            Err(_elapsed) => ("the directory answers too slowly", true),
        };
    let refusal = AcmeRefusal::of_order(reason.to_owned());
    Err(Stopped::Refused(AcmeRefusal { keeps_order, ..refusal }))
}

/// Returns the failure of a certificate that was issued and could not be given to the hosts. Its order is kept, so
/// that the same certificate is fetched again: another one would have the same problem, and directories limit how
/// many they issue.
fn not_given(problems: &Problems) -> AcmeRefusal {
    AcmeRefusal { keeps_order: true, ..AcmeRefusal::of_order(problems.first_line()) }
}

#[cfg(test)]
mod tests;
