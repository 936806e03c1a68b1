//! When the controller makes itself another certificate.

use oml_daemon::env::Simulated;

use super::*;
use crate::pki::Authority;

fn task(dir: &std::path::Path, host: &Simulated) -> (CertificateTask, Ports) {
    let env = host.env();
    let authority = Authority::create(dir, "test", env.now(), env.random()).unwrap();
    CertificateTask::new(OwnCertificates::new(env, Arc::new(authority), Arc::default(), 1)).unwrap()
}

#[tokio::test]
async fn a_certificate_made_by_a_clock_that_was_ahead_gives_way_to_one_that_counts_now() {
    const DAY_MS: i64 = 24 * 3_600_000;
    let dir = tempfile::tempdir().unwrap();
    let host = Simulated::new(1);
    host.set_clock(3 * DAY_MS);
    let (task, ports) = task(dir.path(), &host);
    let shown = || (ports.main.load_full(), ports.enrollment.load_full());
    let first = shown();
    task.pass(Trigger::Resync).await.unwrap();
    let same = |a: &(Arc<ServerConfig>, Arc<ServerConfig>), b: &(_, _)| {
        (Arc::ptr_eq(&a.0, &b.0), Arc::ptr_eq(&a.1, &b.1))
    };
    assert_eq!(same(&first, &shown()), (true, true), "it is good for days");
    host.set_clock(-3 * DAY_MS);
    task.pass(Trigger::Resync).await.unwrap();
    assert_eq!(same(&first, &shown()), (false, false), "the clock was set back");
    let second = shown();
    task.pass(Trigger::Resync).await.unwrap();
    assert_eq!(same(&second, &shown()), (true, true));
}
