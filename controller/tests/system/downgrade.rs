//! Tests of a controller that runs over records of a later release.

use oml_proto::v1;
use oml_proto::v1::{ChangeOutcome, RevisionKind, RolloutState, WatchChangeRequest};
use omlcontroller::store::{Expect, RawKey, Versioned, Write};
use tonic::Code;

use crate::agent::{Agent, enroll, token};
use crate::fleet::Fleet;
use crate::world::{SPEC, StoreKind, apply, set_version, until, until_rollout};

const NEWER_CONTROLLER: &str = "install a newer release of the controller";

/// Gives the voice server of every plan a probe that only a later release knows.
async fn make_plans_later(fleet: &Fleet) {
    let store = &fleet.world.store;
    for (key, found) in store.list("plans/acme/").await.unwrap() {
        let text = String::from_utf8(found.value.to_vec()).unwrap();
        let later = text.replace("sip-options", "carrier-pigeon");
        assert_ne!(text, later);
        store.commit(vec![Write::put(key, Expect::Any, later.into_bytes())]).await.unwrap();
    }
}

async fn assignments(fleet: &Fleet) -> Vec<(RawKey, Versioned)> {
    fleet.world.store.list("assignments/acme/").await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_whose_plan_cannot_be_read_stays_as_it_is_and_the_others_go_on() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let host = enroll(&fleet.world, "zephyr", "data", "zephyr-data").await;
    let log = std::sync::Arc::clone(&fleet.log);
    fleet.agents.push(Agent::start(&fleet.world, host, log).await);
    // A second revision waits for its only node.
    fleet.agents.remove(1);
    set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    until(&mut fleet.operator, "acme", |status| {
        status.rollout.as_ref().is_some_and(|r| r.reason.contains("acme-voice is unreachable"))
    })
    .await;
    make_plans_later(&fleet).await;
    let before = assignments(&fleet).await;
    assert_eq!(before.len(), 3);
    fleet.restart().await;

    let only_db =
        "tenant: zephyr\ncatalog: test\ncomponents:\n  db: \"1\"\nrollout: {min_healthy_for: 1s}\n";
    for version in ["1", "2"] {
        let spec = only_db.replace("db: \"1\"", &format!("db: \"{version}\""));
        let made = apply(&mut fleet.operator, &spec).await.unwrap().revision;
        until(&mut fleet.operator, "zephyr", |status| {
            let rollout = status.rollout.as_ref();
            rollout.is_some_and(|r| r.to == made && r.state() == RolloutState::Completed)
        })
        .await;
    }
    let status = until(&mut fleet.operator, "acme", |status| {
        status.nodes[0].state() == v1::NodeState::Connected && status.nodes[0].report.is_some()
    })
    .await;
    let rollout = status.rollout.unwrap();
    assert_eq!((rollout.to, rollout.state()), (2, RolloutState::Progressing));
    let expected = [
        "acme needs a newer controller",
        "plan of revision 2",
        "voice on acme-voice",
        "carrier-pigeon",
        NEWER_CONTROLLER,
    ];
    assert!(expected.iter().all(|part| rollout.reason.contains(part)), "{}", rollout.reason);
    assert_eq!(assignments(&fleet).await, before, "its nodes must be sent nothing");
    let refused = apply(&mut fleet.operator, SPEC).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains(NEWER_CONTROLLER), "{refused}");
    let request = WatchChangeRequest { tenant: "acme".into(), revision: 2 };
    let mut watch = fleet.operator.watch_change(request).await.unwrap().into_inner();
    let progress = watch.message().await.unwrap().unwrap();
    assert_eq!(progress.verdict.unwrap().outcome(), ChangeOutcome::Waiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_cannot_be_read_hide_no_others() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let store = &fleet.world.store;
    set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let (key, found) = store.list("outcomes/acme/").await.unwrap().remove(0);
    let text = String::from_utf8(found.value.to_vec()).unwrap();
    let later = text.replace("completed", "parked");
    assert_ne!(text, later);
    store.commit(vec![Write::put(key, Expect::Any, later.into_bytes())]).await.unwrap();
    let (key, found) = store.list("revisions/acme/").await.unwrap().remove(0);
    let text = String::from_utf8(found.value.to_vec()).unwrap();
    let later = text.replace("\"version\":1", "\"version\":2");
    assert_ne!(text, later);
    store.commit(vec![Write::put(key, Expect::Any, later.into_bytes())]).await.unwrap();
    let request = v1::ListRevisionsRequest { tenant: "acme".into() };
    let listed = fleet.operator.list_revisions(request).await.unwrap().into_inner().revisions;
    let outcomes: Vec<RolloutState> = listed.iter().map(v1::Revision::outcome).collect();
    assert_eq!(outcomes, [RolloutState::Unknown, RolloutState::Completed]);
    let kinds: Vec<RevisionKind> = listed.iter().map(v1::Revision::kind).collect();
    assert_eq!(kinds, [RevisionKind::Unknown, RevisionKind::SetVersion]);
    assert_eq!(listed.iter().map(|revision| revision.number).collect::<Vec<_>>(), [1, 2]);

    let (key, _) = store.list("tokens/").await.unwrap().remove(0);
    let later = b"{\"version\":99}".to_vec();
    store.commit(vec![Write::put(key, Expect::Any, later)]).await.unwrap();
    token(&fleet.world, "acme", "data", "acme-data2").await;
}

/// Replaces a word in every record with this prefix.
async fn make_later(fleet: &Fleet, prefix: &str, from: &str, to: &str) {
    let store = &fleet.world.store;
    for (key, found) in store.list(prefix).await.unwrap() {
        let text = String::from_utf8(found.value.to_vec()).unwrap();
        let later = text.replace(from, to);
        assert_ne!(text, later);
        store.commit(vec![Write::put(key, Expect::Any, later.into_bytes())]).await.unwrap();
    }
}

/// Applies a specification of zephyr and waits until its rollout is completed.
async fn assert_zephyr_goes_on(fleet: &mut Fleet) {
    let host = enroll(&fleet.world, "zephyr", "data", "zephyr-data").await;
    let log = std::sync::Arc::clone(&fleet.log);
    fleet.agents.push(Agent::start(&fleet.world, host, log).await);
    let spec =
        "tenant: zephyr\ncatalog: test\ncomponents:\n  db: \"1\"\nrollout: {min_healthy_for: 1s}\n";
    let made = apply(&mut fleet.operator, spec).await.unwrap().revision;
    until(&mut fleet.operator, "zephyr", |status| {
        let rollout = status.rollout.as_ref();
        rollout.is_some_and(|r| r.to == made && r.state() == RolloutState::Completed)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_a_later_version_needs_a_newer_controller() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let before = assignments(&fleet).await;
    make_later(&fleet, "plans/acme/", "\"revision\":", "\"rev\":").await;
    fleet.restart().await;
    assert_zephyr_goes_on(&mut fleet).await;
    let refused = apply(&mut fleet.operator, SPEC).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let expected = ["acme needs a newer controller", "plan of revision 1", NEWER_CONTROLLER];
    assert!(expected.iter().all(|part| refused.message().contains(part)), "{refused}");
    let after = assignments(&fleet).await;
    assert_eq!(after[..before.len()], before, "its nodes must be sent nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_in_a_state_of_a_later_release_needs_a_newer_controller() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let before = assignments(&fleet).await;
    make_later(&fleet, "rollouts/acme", "\"name\":\"completed\"", "\"name\":\"parked\"").await;
    fleet.restart().await;
    assert_zephyr_goes_on(&mut fleet).await;
    let refused = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let expected = ["rollouts/acme", "needs a newer controller", "parked", NEWER_CONTROLLER];
    assert!(expected.iter().all(|part| refused.message().contains(part)), "{refused}");
    let after = assignments(&fleet).await;
    assert_eq!(after[..before.len()], before, "its nodes must be sent nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_of_a_later_version_holds_up_no_other_tenant() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let before = assignments(&fleet).await;
    // No revision has given anything to this node, so it follows the policy of the head.
    enroll(&fleet.world, "acme", "data", "acme-data2").await;
    make_later(&fleet, "heads/acme", "\"version\":1", "\"version\":99").await;
    fleet.restart().await;
    assert_zephyr_goes_on(&mut fleet).await;
    let refused = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains(NEWER_CONTROLLER), "{refused}");
    let after = assignments(&fleet).await;
    assert!(before.iter().all(|assignment| after.contains(assignment)), "they must be as before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_of_a_later_version_is_reported_in_the_status_of_its_tenant() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    make_later(&fleet, "revisions/acme/", "\"version\":1", "\"version\":99").await;
    fleet.restart().await;
    let expected = ["acme needs a newer controller", "plan of revision 1"];
    let reported = |status: &v1::TenantStatus| {
        let reason = status.rollout.as_ref().map_or("", |rollout| &rollout.reason);
        expected.iter().all(|part| reason.contains(part))
    };
    until(&mut fleet.operator, "acme", reported).await;
    assert_zephyr_goes_on(&mut fleet).await;
}
