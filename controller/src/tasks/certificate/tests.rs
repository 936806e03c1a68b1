//! When the controller makes itself another certificate.

use std::collections::HashMap;

use super::*;
use crate::ops::Parts;
use crate::ops::catalogs::Catalogs;
use crate::ops::live::Live;
use crate::pki::{Authority, NODE_LIFETIME_MS_DEFAULT};
use crate::records::Records;
use crate::registry::Registries;
use crate::store::Memory;

fn task(dir: &std::path::Path) -> (CertificateTask, Ports) {
    let parts = Parts {
        records: Records::new(Arc::new(Memory::new())),
        live: Live::default(),
        catalogs: Catalogs::load(dir).unwrap(),
        registries: Registries::new(HashMap::new()),
        authority: Authority::create(dir, "test", clock::now()).unwrap(),
        revoked: Arc::default(),
        node_lifetime_ms: NODE_LIFETIME_MS_DEFAULT,
        enrollment_port: 0,
        epoch: 1,
    };
    CertificateTask::new(Ops::new(parts)).unwrap()
}

#[tokio::test]
async fn a_certificate_made_by_a_clock_that_was_ahead_gives_way_to_one_that_counts_now() {
    const DAY_MS: u64 = 24 * 3_600_000;
    let dir = tempfile::tempdir().unwrap();
    let (task, ports) = task(dir.path());
    let shown = || (ports.main.load_full(), ports.enrollment.load_full());
    let first = shown();
    task.pass(Why::Period).await.unwrap();
    let same = |a: &(Arc<ServerConfig>, Arc<ServerConfig>), b: &(_, _)| {
        (Arc::ptr_eq(&a.0, &b.0), Arc::ptr_eq(&a.1, &b.1))
    };
    assert_eq!(same(&first, &shown()), (true, true), "it is good for days");
    {
        let mut made = task.made.lock().unwrap();
        made.issued = clock::now().plus_ms(3 * DAY_MS);
        made.renew_at = made.issued.plus_ms(15 * DAY_MS);
    }
    task.pass(Why::Period).await.unwrap();
    assert_eq!(same(&first, &shown()), (false, false), "the clock was set back");
    let second = shown();
    task.pass(Why::Period).await.unwrap();
    assert_eq!(same(&second, &shown()), (true, true));
}
