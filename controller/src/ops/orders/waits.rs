//! Until when a directory is asked nothing about an order. This is in memory only: after a restart it is asked once
//! more.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oml_common::id::TenantId;
use tokio::time::Instant;

/// The orders at which their directories work.
#[derive(Debug, Default)]
pub(super) struct Waits(Mutex<BTreeMap<TenantId, Wait>>);

/// One of these orders.
#[derive(Debug)]
struct Wait {
    /// The address of the order.
    order: String,
    until: Instant,
}

impl Waits {
    /// Notes that nothing is asked about an order for so many milliseconds.
    pub(super) fn set(&self, tenant: &TenantId, order: &str, wait_ms: u64) {
        let until = Instant::now() + Duration::from_millis(wait_ms);
        self.all().insert(tenant.clone(), Wait { order: order.to_owned(), until });
    }

    /// Returns how long nothing is asked about this order, in milliseconds; none if it can be asked now.
    pub(super) fn rest_ms(&self, tenant: &TenantId, order: &str) -> Option<u64> {
        let all = self.all();
        let wait = all.get(tenant).filter(|wait| wait.order == order)?;
        let rest = wait.until.saturating_duration_since(Instant::now());
        // It is asked at the end of the last millisecond, not before.
        let rest_ms = u64::try_from(rest.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        (rest_ms > 0).then_some(rest_ms)
    }

    /// Forgets the order of a tenant.
    pub(super) fn end(&self, tenant: &TenantId) {
        self.all().remove(tenant);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<TenantId, Wait>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_order_is_asked_about_again_when_its_wait_is_over_and_another_one_at_once() {
        let (waits, tenant) = (Waits::default(), "acme".parse().unwrap());
        assert_eq!(waits.rest_ms(&tenant, "order/1"), None);
        waits.set(&tenant, "order/1", 3_000);
        assert_eq!(waits.rest_ms(&tenant, "order/1"), Some(3_000));
        assert_eq!(waits.rest_ms(&tenant, "order/2"), None);
        assert_eq!(waits.rest_ms(&"zephyr".parse().unwrap(), "order/1"), None);
        tokio::time::advance(Duration::from_millis(2_999)).await;
        assert_eq!(waits.rest_ms(&tenant, "order/1"), Some(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(waits.rest_ms(&tenant, "order/1"), None);
        waits.set(&tenant, "order/1", 3_000);
        waits.end(&tenant);
        assert_eq!(waits.rest_ms(&tenant, "order/1"), None);
    }
}
