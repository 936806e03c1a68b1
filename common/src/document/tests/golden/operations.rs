//! The bytes of the operations that run in an update, and of what is reported of them. The fixtures
//! are in `v1/fixtures/operations`.

use super::*;
use crate::document::operation::{OperationCommand, OperationStep, RunResult};
use crate::document::report::{InstanceReport, Phase, Report, UpdateRun};
use crate::id::RunId;

/// The pinned hash of the fixture of an instance.
const HASH: &str = "4516726458cc9663d78406b9d84c556ab4960fcf8be42e4269e8b1cedbbb2dbc";
/// The pinned hash of the fixture of a report.
const HASH_OF_REPORT: &str = "e051db144370fd7ea687843224afbf9f851e868bbce0cb6372fcac903959edf4";

fn with_operations() -> Instance {
    let step = |operation: &str| {
        let run = OperationCommand {
            command: vec!["manage".to_owned(), operation.to_owned()],
            entrypoint: vec!["/bin/sh".to_owned()],
            env: [("COLOUR".parse().unwrap(), "blue".to_owned())].into(),
            deadline_ms: 600_000,
        };
        let irreversible = operation == "migrate";
        vec![OperationStep { operation: operation.parse().unwrap(), run, irreversible }]
    };
    let (checks, preparations, migrations) = (step("check"), step("prepare"), step("migrate"));
    Instance { checks, preparations, migrations, ..full() }
}

#[test]
fn operations_of_updates_are_written_in_the_bytes_that_are_pinned() {
    let golden = golden("instance", &with_operations(), &minimal());
    let written = &golden.full;
    assert_eq!(*written, fixture("operations/instance.json"), "it is written differently");
    assert_eq!(ContentHash::of(written.as_bytes()).as_str(), HASH, "it has another hash");
    assert_eq!((golden.reread)(written).unwrap(), *written, "it is read as it was written");
}

fn with_update_runs() -> Report {
    let run = |number| UpdateRun {
        id: RunId { epoch: RunId::OF_HOST, number },
        operation: "migrate".parse().unwrap(),
        version: None,
        result: None,
    };
    let ended = UpdateRun {
        version: Some("230204.01".parse().unwrap()),
        result: Some(RunResult { last_lines: Vec::new(), ..v::run_result() }),
        ..run(4)
    };
    let update_runs = vec![run(5), ended];
    let instance = InstanceReport { update_runs, ..InstanceReport::new(Phase::Ready) };
    Report { instances: [("omnileads".parse().unwrap(), instance)].into(), ..v::report_minimal() }
}

#[test]
fn what_is_reported_of_runs_of_updates_is_written_in_the_bytes_that_are_pinned() {
    let golden = golden("report", &with_update_runs(), &v::report_minimal());
    let written = &golden.full;
    assert_eq!(*written, fixture("operations/report.json"), "it is written differently");
    assert_eq!(ContentHash::of(written.as_bytes()).as_str(), HASH_OF_REPORT, "it has another hash");
    assert_eq!((golden.reread)(written).unwrap(), *written, "it is read as it was written");
}
