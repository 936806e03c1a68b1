//! Runs of operations, from the operator's request over the host's session to the history.

use std::collections::BTreeMap;
use std::sync::Arc;

use oml_proto::problem::from_status;
use oml_proto::v1;
use omlcontroller::store::{Expect, Write};
use tonic::Status;

use crate::fleet::Fleet;
use crate::hooked::HookedStore;
use crate::world::{SPEC, StoreKind, apply, now, set_version, until, until_rollout};

fn request(operation: &str, node: &str, values: &[(&str, &str)]) -> v1::RunOperationRequest {
    let values: BTreeMap<String, String> =
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    v1::RunOperationRequest {
        tenant: "acme".into(),
        component: "db".into(),
        operation: operation.into(),
        node: node.into(),
        values,
    }
}

/// Runs an operation and returns every message about it.
async fn run(
    fleet: &mut Fleet,
    request: v1::RunOperationRequest,
) -> Result<Vec<v1::RunEvent>, Status> {
    let mut stream = fleet.operator.run_operation(request).await?.into_inner();
    let mut events = Vec::new();
    while let Some(event) = stream.message().await? {
        events.push(event);
    }
    Ok(events)
}

async fn history(fleet: &mut Fleet) -> Vec<v1::Run> {
    let request = v1::ListRunsRequest { tenant: "acme".into(), component: String::new() };
    fleet.operator.list_runs(request).await.unwrap().into_inner().runs
}

#[tokio::test]
async fn the_output_and_the_result_of_a_run_reach_its_operator_and_the_history() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let events = run(&mut fleet, request("reset", "", &[("user", "ana")])).await.unwrap();
    let lines: Vec<&String> = events.iter().flat_map(|event| &event.lines).collect();
    assert_eq!(lines, ["one", "two\\u{1b}[2J", "reset ana"]);
    assert_eq!(events.iter().map(|event| event.left_out).sum::<u64>(), 4);
    let last = events.last().and_then(|event| event.run.clone()).unwrap();
    assert_eq!((last.state(), last.sentence.as_str()), (v1::RunState::Ended, "succeeded"));
    let failed = run(&mut fleet, request("reset", "acme-data", &[("user", "nobody")])).await;
    let failed = failed.unwrap().pop().and_then(|event| event.run).unwrap();
    assert_eq!(failed.result.unwrap().status, Some(3));
    fleet.restart().await;
    let runs = history(&mut fleet).await;
    let shown: Vec<(u64, &str, &str)> = runs
        .iter()
        .map(|run| (run.id.as_ref().unwrap().number, run.node.as_str(), run.sentence.as_str()))
        .collect();
    let sentence = "failed: its program ended with status 3";
    assert_eq!(shown, [(2, "acme-data", sentence), (1, "acme-data", "succeeded")]);
}

#[tokio::test]
async fn the_history_has_the_runs_of_updates_as_their_hosts_report_them() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    run(&mut fleet, request("reset", "", &[("user", "ana")])).await.unwrap();
    set_version(&mut fleet.operator, "voice", "migrated-2", "").await.unwrap();
    until_rollout(&mut fleet.operator, 2, v1::RolloutState::Completed).await;
    let runs = history(&mut fleet).await;
    let shown: Vec<(u64, &str, &str, &str)> = runs
        .iter()
        .map(|run| {
            let number = run.id.as_ref().unwrap().number;
            (number, run.component.as_str(), run.who.as_str(), run.sentence.as_str())
        })
        .collect();
    let (last, of_updates) = shown.split_last().unwrap();
    assert_eq!((last.0, last.1), (1, "db"));
    assert!(!of_updates.is_empty(), "{shown:?}");
    for of_update in of_updates {
        assert_eq!(*of_update, (5, "voice", "", "is running"));
    }
}

#[tokio::test]
async fn a_run_that_cannot_be_is_refused_with_every_reason_and_leaves_no_trace() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let refused = run(&mut fleet, request("reset", "acme-app", &[("usr", "ana")])).await;
    let problems = from_status(&refused.unwrap_err()).unwrap().to_string();
    for part in ["acme-app (role app) does not run db", "user= is missing", "usr: "] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    let listed = run(&mut fleet, request("", "", &[])).await.unwrap_err();
    let problems = from_status(&listed).unwrap().to_string();
    assert!(problems.contains("it has reset user=VALUE (Resets)"), "{problems}");
    assert_eq!(history(&mut fleet).await, []);
}

#[tokio::test]
async fn no_run_begins_beside_a_rollout_that_began_while_it_was_admitted() {
    let store = Arc::new(HookedStore::default());
    let mut fleet = Fleet::installed_over(Arc::clone(&store) as _).await;
    let mut other = fleet.operator.clone();
    store.before("runs/acme/000001-0000000001", async move {
        set_version(&mut other, "voice", "2", "").await.unwrap();
    });
    let refused = run(&mut fleet, request("reset", "", &[("user", "ana")])).await.unwrap_err();
    let problems = from_status(&refused).unwrap().to_string();
    assert!(problems.contains("a rollout is in progress"), "{problems}");
    assert_eq!(history(&mut fleet).await, []);
}

#[tokio::test]
async fn an_operation_of_another_catalog_than_the_plans_is_refused_until_the_tenant_is_applied() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let file = fleet.world.settings.catalog_dir.join("test.yaml");
    let catalog = std::fs::read_to_string(&file).unwrap().replace("Resets", "Sets back");
    std::fs::write(&file, catalog).unwrap();
    let restarted = now();
    fleet.restart().await;
    // Reports of before are in the store.
    let is_up = |node: &v1::NodeStatus| {
        node.report.as_ref().is_some_and(|report| report.at_ms > restarted.0)
    };
    until(&mut fleet.operator, "acme", |status| status.nodes.iter().all(is_up)).await;
    let reset = request("reset", "", &[("user", "ana")]);
    let refused = run(&mut fleet, reset.clone()).await.unwrap_err();
    let problems = from_status(&refused).unwrap().to_string();
    assert!(problems.contains("catalog test changed after revision 1"), "{problems}");
    let applied = apply(&mut fleet.operator, SPEC).await.unwrap();
    assert!(!applied.changed, "{applied:?}");
    let events = run(&mut fleet, reset).await.unwrap();
    let last = events.last().and_then(|event| event.run.clone()).unwrap();
    assert_eq!(last.state(), v1::RunState::Ended);
}

#[tokio::test]
async fn a_damaged_record_of_a_run_stops_no_other_run() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let damaged = Write::put("runs/acme/000001-0000000001", Expect::Absent, &b"{}"[..]);
    fleet.world.store.commit(vec![damaged]).await.unwrap();
    for number in [2, 3] {
        let events = run(&mut fleet, request("reset", "", &[("user", "ana")])).await.unwrap();
        let last = events.last().and_then(|event| event.run.clone()).unwrap();
        assert_eq!(last.id.as_ref().map(|id| id.number), Some(number));
        assert_eq!(last.state(), v1::RunState::Ended);
    }
}

#[tokio::test]
async fn a_host_that_is_not_connected_gets_no_order() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    fleet.agents.clear();
    let is_away = |node: &v1::NodeStatus| node.state() != v1::NodeState::Connected;
    until(&mut fleet.operator, "acme", |status| status.nodes.iter().all(is_away)).await;
    let refused = run(&mut fleet, request("reset", "", &[("user", "ana")])).await.unwrap_err();
    assert!(refused.message().contains("acme-data is not connected"), "{refused:?}");
    assert_eq!(history(&mut fleet).await, []);
}
