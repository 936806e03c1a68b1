//! Tests of what the rotation of a secret keeps, repeats and rolls out.

use oml_proto::v1;

use crate::fleet::Fleet;
use crate::secrets::{ROTATED, SECOND, notes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_failed_rotations_leave_the_good_version() {
    let mut fleet = Fleet::with_secrets().await;
    // The host of the voice server takes none of them, so that revision 1 stays the good one.
    fleet.agents.remove(1);
    for version in 2..=18 {
        let reply = fleet.rotate("token", SECOND, false).await.unwrap();
        assert_eq!((reply.revision, reply.secret_version), (version, version));
    }
    let token = fleet.secrets().await.secrets.remove(1);
    assert_eq!((token.name.as_str(), token.version, token.kept.len()), ("token", 18, 16));
    assert!(token.kept.contains(&1), "{:?}", token.kept);
    let options = Some(v1::ChangeOptions { dry_run: true, ..Default::default() });
    let request = v1::RollbackRequest { tenant: "acme".into(), to: 1, options };
    let back = fleet.operator.rollback(request).await.unwrap().into_inner();
    assert_eq!(notes(&back), [ROTATED.replace('2', "1")]);
}
