//! The bytes of the operations that run in an update. The fixture is in `v1/fixtures/operations`.

use super::*;
use crate::document::operation::{OperationCommand, OperationStep};

/// The pinned hash of the fixture.
const HASH: &str = "4516726458cc9663d78406b9d84c556ab4960fcf8be42e4269e8b1cedbbb2dbc";

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
