//! Orders certificates from ACME directories for the tenants that want them, and renews them in time.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use oml_common::id::TenantId;
use oml_common::text::error::chain;
use tokio::time::Instant;

use super::{Nudges, Passed, Task, Trigger};
use crate::ops::Result;
use crate::ops::orders::Orders;

/// The number of tenants whose directories are asked at the same time: one that does not answer keeps few
/// others waiting.
const TENANTS_AT_ONCE: usize = 8;

/// Orders and renews the certificates of all tenants.
#[derive(Debug)]
pub struct OrdersTask {
    orders: Orders,
}

impl OrdersTask {
    /// Makes the task that orders certificates.
    #[must_use]
    pub fn new(orders: Orders) -> Self {
        Self { orders }
    }
}

/// Looks at one tenant, and returns what that says of the pass. What failed or panicked is tried again at the next
/// resync.
async fn looked(tenant: &TenantId, look: impl Future<Output = Result<Option<u64>>>) -> Passed {
    match AssertUnwindSafe(look).catch_unwind().await {
        Ok(Ok(wait_ms)) => {
            let retry_at = wait_ms.map(|wait_ms| Instant::now() + Duration::from_millis(wait_ms));
            Passed { retry_at, ..Passed::default() }
        }
        Ok(Err(error)) => {
            let error = chain(&error);
            tracing::warn!(%tenant, %error, "the certificate of a tenant could not be looked at");
            Passed { failures: 1, ..Passed::default() }
        }
        Err(_panic) => {
            tracing::error!(%tenant, "a look at the certificate of a tenant ended with a panic");
            Passed { panics: 1, ..Passed::default() }
        }
    }
}

/// Looks at several tenants at the same time, each by itself.
async fn all_of<L: Future<Output = Passed>>(looks: impl IntoIterator<Item = L>) -> Passed {
    let all: Vec<Passed> = stream::iter(looks).buffer_unordered(TENANTS_AT_ONCE).collect().await;
    Passed {
        failures: all.iter().map(|passed| passed.failures).sum(),
        panics: all.iter().map(|passed| passed.panics).sum(),
        retry_at: all.iter().filter_map(|passed| passed.retry_at).min(),
    }
}

#[async_trait]
impl Task for OrdersTask {
    fn name(&self) -> &'static str {
        "orders"
    }

    fn nudges(&self) -> Nudges {
        Nudges { stored: self.orders.changed(), presence: None }
    }

    async fn pass(&self, _trigger: Trigger) -> Result<Passed> {
        let tenants = self.orders.tenants().await?;
        let looks: Vec<_> = tenants.iter().map(|it| looked(it, self.orders.look(it))).collect();
        Ok(all_of(looks).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::OpsError;

    #[tokio::test(start_paused = true)]
    async fn a_tenant_whose_look_panics_or_fails_stops_no_other() {
        let start = Instant::now();
        let look = async |name: &'static str| {
            let look = async move {
                match name {
                    "panics" => panic!("a planted panic"),
                    "fails" => Err(OpsError::Busy),
                    "later" => Ok(Some(3_000)),
                    _ => Ok(None),
                }
            };
            looked(&name.parse().unwrap(), look).await
        };
        let passed = all_of(["panics", "fails", "later", "good"].map(look)).await;
        let retry_at = Some(start + Duration::from_secs(3));
        assert_eq!(passed, Passed { failures: 1, panics: 1, retry_at });
    }
}
