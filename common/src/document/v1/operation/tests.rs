//! The container of a run.

use std::collections::BTreeMap;

use super::*;
use crate::document;
use crate::testing::{SPEC, plan_of};

fn order(run: OperationCommand) -> RunOrder {
    let plan = plan_of(SPEC, 1).unwrap();
    let share = &plan.nodes[&"n1".parse().unwrap()];
    let instance = share.instances[&"db".parse().unwrap()].instance.clone();
    let id = RunId { epoch: 1, number: 7 };
    RunOrder { id, operation: "vacuum".parse().unwrap(), instance, run }
}

fn command() -> OperationCommand {
    OperationCommand {
        command: vec!["vacuum".to_owned()],
        entrypoint: Vec::new(),
        env: [("WHO".parse().unwrap(), "operation".to_owned())].into(),
        deadline_ms: 1_000,
    }
}

#[test]
fn a_run_has_everything_of_its_component_but_the_command_and_the_name() {
    let order = order(command());
    let own = order.instance.container().unwrap().clone();
    let container = order.container().unwrap();
    assert_eq!(container.name.as_str(), "db-server-run-1-7");
    assert_eq!(container.command, ["vacuum"]);
    assert_eq!(container.env[&"WHO".parse().unwrap()], "operation");
    let name = own.name.clone();
    let same = Container { name, command: own.command.clone(), env: own.env.clone(), ..container };
    assert_eq!(same, own);
}

#[test]
fn an_operation_without_a_command_keeps_that_of_its_component() {
    let order = order(OperationCommand { command: Vec::new(), env: BTreeMap::new(), ..command() });
    let own = order.instance.container().unwrap().command.clone();
    assert_eq!(order.container().unwrap().command, own);
}

#[test]
fn no_port_leads_to_a_run_because_its_component_has_them() {
    let mut order = order(command());
    let workload = order.instance.workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            let port = crate::document::instance::PortRange {
                first: 80,
                last: 80,
                protocol: crate::document::instance::Protocol::Tcp,
            };
            let published = vec![crate::document::instance::Published {
                host: port,
                container: 80,
                address: None,
            }];
            container.options.network = Network::Bridge { published };
        }
    });
    order.instance = order.instance.edited(|instance| instance.workload = workload);
    let network = order.container().unwrap().options.network;
    assert_eq!(network, Network::Bridge { published: Vec::new() });
}

#[test]
fn an_outcome_of_a_later_release_is_read_as_unknown_and_is_no_success() {
    let text = r#"{"version":1,"outcome":{"name":"evaporated","heat":3},"ended":9,"reason":"hot"}"#;
    let result: RunResult = document::read(text).unwrap();
    assert_eq!((result.outcome, result.reason.as_str()), (RunOutcome::Unknown, "hot"));
    assert!(!result.is_success());
    assert_eq!(document::read::<RunResult>(&document::write(&result)).unwrap(), result);
}
