//! A controller made from a backup that is older than what the hosts run.

use std::sync::Arc;

use oml_proto::v1;
use oml_proto::v1::RolloutState;
use omlcontroller::records::{Records, keys};
use tonic::Code;

use crate::agent::{Agent, Session, enroll, hello, join, token};
use crate::fleet::Fleet;
use crate::world::{SPEC, StoreKind, World, apply, set_version, until, until_rollout};

const ONLY_DB: &str = "\
tenant: acme
catalog: test
components:
  db: \"1\"
rollout: {min_healthy_for: 1s}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_controller_changes_nothing_until_it_is_told_and_then_in_waves() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let backup = fleet.world.backup().await;
    set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    fleet.done();
    fleet.world.restore(&backup).await;
    let epoch = |node: &v1::NodeStatus| {
        node.report.as_ref().and_then(|report| report.applied.as_ref()).map_or(0, |a| a.epoch)
    };
    let status = until(&mut fleet.operator, "acme", |status| {
        status.nodes.iter().all(|node| node.state() == v1::NodeState::Connected && epoch(node) > 1)
    })
    .await;
    assert!(status.nodes.iter().all(|node| node.target == 0), "{:?}", status.nodes);
    assert_eq!(fleet.done(), [], "whatever runs is left alone");
    let rollout = status.rollout.unwrap();
    let told = (rollout.state(), rollout.reason.as_str());
    assert_eq!(
        (status.revision, told),
        (1, (RolloutState::Paused, "restored from a backup; apply again"))
    );

    // The database comes first, and it is away: nobody else is changed.
    fleet.agents.remove(0);
    let reply = apply(&mut fleet.operator, SPEC).await.unwrap();
    assert_eq!((reply.revision, reply.changed), (2, true));
    let status = until(&mut fleet.operator, "acme", |status| {
        status.rollout.as_ref().is_some_and(|r| r.reason == "acme-data is unreachable")
    })
    .await;
    let targets: Vec<u64> = status.nodes.iter().map(|node| node.target).collect();
    assert_eq!((targets, status.rollout.unwrap().waves), (vec![0, 2, 0], 3));
    let host = enroll(&fleet.world, "acme", "data", "acme-data").await;
    fleet.agents.push(Agent::start(&fleet.world, host, Arc::clone(&fleet.log)).await);
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    assert!(fleet.done().contains(&("acme-voice".into(), "voice".into(), "1".into())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_elsewhere_after_a_restore_leaves_the_node_it_was_on() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    let host = enroll(&fleet.world, "acme", "app", "acme-app2").await;
    let log = Arc::clone(&fleet.log);
    fleet.agents.push(Agent::start(&fleet.world, host, log).await);
    let only_on = |node: &str| {
        SPEC.replace("web: \"1\"", &format!("web: {{version: \"1\", nodes: [{node}]}}"))
            .replace("exporter: {}", "exporter: {nodes: [acme-data]}")
    };
    apply(&mut fleet.operator, &only_on("acme-app")).await.unwrap();
    until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
    let backup = fleet.world.backup().await;
    fleet.world.restore(&backup).await;
    apply(&mut fleet.operator, &only_on("acme-app2")).await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let tenant = "acme".parse().unwrap();
    let records = Records::new(Arc::clone(&fleet.world.store));
    let given = records.get(&keys::assignment(&tenant, &"acme-app".parse().unwrap())).await;
    let content = given.unwrap().unwrap().value.assignment.content.clone();
    assert!(content.share.instances.is_empty() && content.revision.0 == 2, "{content:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_joined_after_the_backup_is_the_node() {
    let mut world = World::start(StoreKind::InMemory).await;
    let as_machine = |digit: &str| v1::Hello { machine_id: digit.repeat(32), ..hello(None) };
    let before = enroll(&world, "acme", "data", "acme-data").await;
    apply(&mut world.operator().await, ONLY_DB).await.unwrap();
    let channel = world.channel(&before.credentials).await;
    let mut first = Session::greeting(channel, as_machine("a")).await.unwrap();
    first.assignment().await.unwrap().unwrap();
    let backup = world.backup().await;
    let after = enroll(&world, "acme", "data", "acme-data").await;
    world.restore(&backup).await;
    let channel = world.channel(&after.credentials).await;
    let mut other = Session::greeting(channel, as_machine("b")).await.unwrap();
    other.assignment().await.unwrap().unwrap();
    let channel = world.channel(&after.credentials).await;
    let mut copy = Session::greeting(channel, as_machine("c")).await.unwrap();
    assert_eq!(copy.assignment().await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_from_before_a_restore_lets_nobody_in() {
    let mut world = World::start(StoreKind::InMemory).await;
    let before = token(&world, "acme", "voice", "voice1").await;
    let backup = world.backup().await;
    // Used after the backup, of which it knows nothing.
    join(&world, &before, "voice1").await.unwrap();
    world.restore(&backup).await;
    let refused = join(&world, &before, "voice1").await.err().unwrap();
    assert!(refused.message().contains("expired"), "{refused}");
    let after = token(&world, "acme", "voice", "voice1").await;
    join(&world, &after, "voice1").await.unwrap();
}
