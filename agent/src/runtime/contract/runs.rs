//! What an engine and a unit manager keep about runs of operations: a container of its own, which is none
//! of its component, and a unit that runs it once and goes.

use std::sync::Mutex;

use oml_common::document::Verbatim;
use oml_common::document::instance::InstanceDocument;
use oml_common::document::operation::{OperationCommand, RunOrder, RunOutcome};
use oml_common::id::RunId;
use oml_common::time::Timestamp;

use super::ContractHost;
use crate::runs;
use crate::runtime::Waited;

pub(super) async fn all(host: &ContractHost) {
    in_order!(
        host,
        a_run_has_a_container_that_is_none_of_its_component,
        the_output_of_a_run_is_followed_to_its_end_and_from_any_line,
        the_unit_of_a_run_runs_it_once_and_writes_its_result,
    );
}

fn order(instance: &InstanceDocument, number: u64) -> RunOrder {
    let run = OperationCommand {
        command: Vec::new(),
        entrypoint: Vec::new(),
        env: [].into(),
        deadline_ms: 30_000,
    };
    let id = RunId { epoch: 9, number };
    RunOrder { id, operation: "check".parse().unwrap(), instance: instance.clone(), run }
}

async fn a_run_has_a_container_that_is_none_of_its_component(host: &ContractHost) {
    let instance = host.instance("contract-run", "v1", &host.images.first, 8321);
    host.pull(&instance).await.unwrap();
    let order = order(&instance, 1);
    assert_eq!(host.docker.run_container(order.id).await.unwrap(), None);
    host.docker.create_run(&order).await.unwrap();
    let made = host.docker.run_container(order.id).await.unwrap();
    host.docker.create_run(&order).await.unwrap();
    assert_eq!(host.docker.run_container(order.id).await.unwrap(), made);
    let (docker, _) = host.listing(&instance).await;
    let is_own = |name: &oml_common::id::ComponentName| name == &instance.component;
    assert!(docker.containers.iter().all(|(name, _)| !is_own(name)), "{docker:?}");
    assert!(docker.foreign.is_empty() && docker.differs.is_empty(), "{docker:?}");
    host.docker.calls().start(&made.unwrap()).await.unwrap();
    host.docker.remove_run(order.id).await.unwrap();
    assert_eq!(host.docker.run_container(order.id).await.unwrap(), None);
    host.docker.remove_run(order.id).await.unwrap();
}

async fn the_output_of_a_run_is_followed_to_its_end_and_from_any_line(host: &ContractHost) {
    let instance = host.instance("contract-run", "v2", &host.images.exits, 8321);
    host.pull(&instance).await.unwrap();
    let order = order(&instance, 2);
    host.docker.create_run(&order).await.unwrap();
    let container = host.docker.run_container(order.id).await.unwrap().unwrap();
    host.docker.calls().start(&container).await.unwrap();
    let follow = async |skip: u64| {
        let lines = Mutex::new(Vec::new());
        let keep = |line: String| lines.lock().unwrap().push(line);
        host.docker.calls().follow(&container, skip, &keep).await.unwrap();
        lines.into_inner().unwrap()
    };
    let all = follow(0).await;
    assert!(all.iter().any(|line| line.contains("configuration error")), "{all:?}");
    assert_eq!(host.docker.calls().wait(&container).await.unwrap(), Waited::Ended(1));
    assert_eq!(follow(1).await, all[1..]);
    let last = host.docker.calls().last_lines(&container, Timestamp(0)).await.unwrap();
    assert_eq!(last.last(), all.last());
    host.docker.remove_run(order.id).await.unwrap();
}

async fn the_unit_of_a_run_runs_it_once_and_writes_its_result(host: &ContractHost) {
    let instance = host.instance("contract-run", "v2", &host.images.exits, 8321);
    host.pull(&instance).await.unwrap();
    let order = order(&instance, 3);
    assert!(!host.systemd.run_is_up(order.id).await.unwrap());
    runs::write_order(&host.paths, &Verbatim::seal(order.clone())).unwrap();
    host.docker.create_run(&order).await.unwrap();
    let changes = host.systemd.run_changes();
    host.systemd.start_run(&order).await.unwrap();
    until_ended(host, &order).await;
    let is_announced = async || changes.has_changed().unwrap();
    host.until("a change of the unit of the run is announced", is_announced).await;
    let result = runs::read_result(&host.paths, order.id).unwrap().unwrap();
    assert_eq!(result.outcome, RunOutcome::Exited { status: 1 });
    assert!(
        result.last_lines.iter().any(|line| line.contains("configuration error")),
        "{result:?}"
    );
    // Another start finds the result, and runs nothing.
    host.systemd.start_run(&order).await.unwrap();
    until_ended(host, &order).await;
    assert_eq!(runs::read_result(&host.paths, order.id).unwrap(), Some(result));
    host.docker.remove_run(order.id).await.unwrap();
}

async fn until_ended(host: &ContractHost, order: &RunOrder) {
    let has_ended = async || !host.systemd.run_is_up(order.id).await.unwrap();
    host.until("the unit of the run has ended", has_ended).await;
}
