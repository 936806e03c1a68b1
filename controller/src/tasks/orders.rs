//! Orders certificates from ACME directories for the tenants that want them, and renews them in time.

use std::time::Duration;

use async_trait::async_trait;
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

    /// Looks at one tenant, and returns what that says of the pass. What failed is tried again at the next
    /// resync.
    async fn look(&self, tenant: TenantId) -> Passed {
        match self.orders.look(&tenant).await {
            Ok(wait_ms) => {
                let retry_at =
                    wait_ms.map(|wait_ms| Instant::now() + Duration::from_millis(wait_ms));
                Passed { retry_at, ..Passed::default() }
            }
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(%tenant, %error, "the certificate of a tenant could not be looked at");
                Passed { failures: 1, ..Passed::default() }
            }
        }
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
        let looks: Vec<_> = tenants.into_iter().map(|tenant| self.look(tenant)).collect();
        let all: Vec<Passed> =
            stream::iter(looks).buffer_unordered(TENANTS_AT_ONCE).collect().await;
        Ok(Passed {
            failures: all.iter().map(|passed| passed.failures).sum(),
            panics: 0,
            retry_at: all.iter().filter_map(|passed| passed.retry_at).min(),
        })
    }
}
