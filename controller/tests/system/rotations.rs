//! Tests of what the rotation of a secret keeps, repeats and rolls out.

use oml_proto::v1;
use oml_proto::v1::RolloutState;
use omlcontroller::seal::KEY_FILE;
use tonic::Status;

use crate::fleet::Fleet;
use crate::secrets::{FIRST, ROTATED, SECOND, generated, given, notes, spec};
use crate::world::{SPEC, StoreKind, apply, until, until_rollout};

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

/// Rotates a secret that no component uses, and checks that nothing was rolled out.
async fn rotate_spare(fleet: &mut Fleet, version: u64) {
    let before = status(fleet).await;
    let plan = fleet.rotate("spare", SECOND, true).await.unwrap();
    let reply = fleet.rotate("spare", SECOND, false).await.unwrap();
    for reply in [plan, reply] {
        assert_eq!((reply.changed, reply.secret_version), (false, version), "{reply:?}");
        assert_eq!(reply.revision, before.revision);
    }
    let after = status(fleet).await;
    let state = |status: &v1::TenantStatus| {
        let rollout = status.rollout.clone().unwrap();
        (status.revision, rollout.to, rollout.state, rollout.reason)
    };
    assert_eq!(state(&after), state(&before));
    let spare = fleet.secrets().await.secrets.into_iter().find(|it| it.name == "spare").unwrap();
    assert_eq!(spare.version, version);
}

async fn status(fleet: &mut Fleet) -> v1::TenantStatus {
    until(&mut fleet.operator, "acme", |status| status.rollout.is_some()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotating_an_unused_secret_does_not_retry_a_paused_rollout() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    fleet.give("spare", generated(32)).await.unwrap();
    // The first revision fails, and there is none to return to.
    let spec = SPEC.replace("voice: \"1\"", "voice: \"bad1\"");
    apply(&mut fleet.operator, &spec).await.unwrap();
    until_rollout(&mut fleet.operator, 1, RolloutState::Paused).await;
    fleet.done();
    rotate_spare(&mut fleet, 2).await;
    assert_eq!(fleet.done(), [], "what failed must not be tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotating_an_unused_secret_after_a_restore_rolls_nothing_out() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    fleet.give("spare", generated(32)).await.unwrap();
    let backup = fleet.world.backup().await;
    let key = std::fs::read(fleet.world.settings.data_dir.join(KEY_FILE)).unwrap();
    fleet.world.restore(&backup).await;
    std::fs::write(fleet.world.settings.data_dir.join(KEY_FILE), key).unwrap();
    fleet.restart().await;
    until_rollout(&mut fleet.operator, 1, RolloutState::Paused).await;
    fleet.done();
    rotate_spare(&mut fleet, 2).await;
    assert_eq!(fleet.done(), [], "a restored controller changes nothing until the next apply");
}

/// Rotates a secret under an operation id.
async fn rotate_once(
    fleet: &mut Fleet,
    name: &str,
    value: Option<v1::NewSecretValue>,
    op_id: &str,
) -> Result<v1::ChangeReply, Status> {
    let options = Some(v1::ChangeOptions { op_id: op_id.to_owned(), ..Default::default() });
    let (tenant, name) = ("acme".to_owned(), name.to_owned());
    let request = v1::RotateSecretRequest { tenant, name, value, options };
    Ok(fleet.operator.rotate_secret(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_value_under_the_same_id_is_refused() {
    let mut fleet = Fleet::with_secrets().await;
    let made = rotate_once(&mut fleet, "token", given(SECOND), "one").await.unwrap();
    let again = rotate_once(&mut fleet, "token", given(SECOND), "one").await.unwrap();
    for reply in [made, again] {
        assert_eq!((reply.revision, reply.changed, reply.secret_version), (2, true, 2));
    }
    rotate_once(&mut fleet, "key", generated(40), "two").await.unwrap();
    for (name, value, op_id) in [
        ("token", given(FIRST), "one"),
        ("token", generated(40), "one"),
        ("key", generated(41), "two"),
    ] {
        let refused = rotate_once(&mut fleet, name, value, op_id).await.unwrap_err();
        assert!(refused.message().contains("was another change"), "{refused}");
    }
    let versions: Vec<u64> = fleet.secrets().await.secrets.iter().map(|it| it.version).collect();
    assert_eq!(versions, [2, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unused_rotation_that_is_repeated_with_its_id_makes_one_version() {
    let mut fleet = Fleet::with_secrets().await;
    fleet.give("spare", generated(32)).await.unwrap();
    for _ in 0..2 {
        let reply = rotate_once(&mut fleet, "spare", given(SECOND), "one").await.unwrap();
        let kinds = (reply.changed, reply.text_changed, reply.new_tenant);
        assert_eq!((kinds, reply.secret_version), ((false, false, false), 2), "{reply:?}");
        assert_eq!((reply.revision, reply.changes.len()), (1, 0));
    }
    let spare = fleet.secrets().await.secrets.into_iter().find(|it| it.name == "spare").unwrap();
    assert_eq!(spare.version, 2);
    let refused = rotate_once(&mut fleet, "spare", given(FIRST), "one").await.unwrap_err();
    assert!(refused.message().contains("was another change"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_can_be_corrected_before_the_first_apply() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    fleet.give("token", given(FIRST)).await.unwrap();
    fleet.give("key", generated(40)).await.unwrap();
    let error = fleet.give("token", given(SECOND)).await.unwrap_err();
    assert!(error.message().contains("omlctl secret rotate tenant=acme token"), "{error}");
    let plan = fleet.rotate("token", SECOND, true).await.unwrap();
    assert_eq!((plan.revision, plan.changed, plan.secret_version), (0, false, 2));
    for _ in 0..2 {
        let reply = rotate_once(&mut fleet, "token", given(SECOND), "one").await.unwrap();
        assert_eq!((reply.revision, reply.changed, reply.secret_version), (0, false, 2));
    }
    apply(&mut fleet.operator, &spec()).await.unwrap();
    until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
    let token = fleet.secrets().await.secrets.remove(1);
    assert_eq!(token.used_by, [("voice".into(), 2)].into());
}
