//! A controller made from a backup that is older than what the hosts run.

use std::sync::Arc;

use crate::agent::{Agent, enroll};
use crate::fleet::Fleet;
use crate::world::{Kept, SPEC, apply, set_version, until, until_rollout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_controller_changes_nothing_until_it_is_told_and_then_in_waves() {
    let mut fleet = Fleet::installed(Kept::InMemory).await;
    let backup = fleet.world.backup().await;
    set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    until_rollout(&mut fleet.operator, 2, "completed").await;
    fleet.done();
    fleet.world.restore(&backup).await;
    let epoch = |node: &oml_proto::v1::NodeStatus| {
        node.report.as_ref().and_then(|report| report.applied.as_ref()).map_or(0, |a| a.epoch)
    };
    let status = until(&mut fleet.operator, "acme", |status| {
        status.nodes.iter().all(|node| node.state == "connected" && epoch(node) > 1)
    })
    .await;
    assert!(status.nodes.iter().all(|node| node.target == 0), "{:?}", status.nodes);
    assert_eq!(fleet.done(), [], "whatever runs is left alone");
    let rollout = status.rollout.unwrap();
    let told = (rollout.state.as_str(), rollout.reason.as_str());
    assert_eq!((status.revision, told), (1, ("paused", "restored from a backup; apply again")));

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
    until_rollout(&mut fleet.operator, 2, "completed").await;
    assert!(fleet.done().contains(&("acme-voice".into(), "voice".into(), "1".into())));
}
