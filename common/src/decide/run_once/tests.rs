//! What is said of a run that did not succeed.

use super::*;
use crate::id::NodeName;
use crate::testing::{plan_of, spec_with};
use crate::time::Timestamp;

fn digest(version: u64) -> Digest {
    format!("sha256:{version:064x}").parse().unwrap()
}

/// A run of an operation with the image of a version, which ended then with that status.
fn run(number: u64, operation: &str, version: u64, status: i64) -> ObservedRun {
    let (outcome, ended) = (RunOutcome::Exited { status }, Timestamp(number));
    let (reason, last_lines) = (String::new(), Vec::new());
    ObservedRun {
        id: RunId { epoch: RunId::OF_HOST, number },
        operation: operation.parse().unwrap(),
        digest: digest(version),
        version: Some(version.to_string().parse().unwrap()),
        irreversible: true,
        result: Some(RunResult { outcome, started: None, ended, reason, last_lines }),
    }
}

#[test]
fn only_a_version_that_was_started_after_a_migration_disproves_it() {
    let (first, second) = (run(1, "schema", 1, 0), run(2, "schema", 2, 0));
    let of = |runs: &[ObservedRun], version, started| {
        let found = disproved(runs, &digest(version), Timestamp(started));
        found.into_iter().map(|id| id.number).collect::<Vec<_>>()
    };
    let both = [first, second.clone()];
    assert_eq!(of(&both, 1, 3), [2]);
    assert!(of(&both, 1, 2).is_empty(), "it only ran on beside the migration");
    assert!(of(&both, 2, 3).is_empty());
    assert!(of(&[second.clone(), run(3, "schema", 3, 0)], 3, 4).is_empty());
    assert!(of(&[second.clone(), run(3, "schema", 3, 1)], 2, 4).is_empty());
    assert!(of(&[ObservedRun { irreversible: false, ..second }], 1, 3).is_empty());
}

#[test]
fn every_migration_after_the_version_that_is_in_use_again_is_disproved() {
    let of = |runs: &[ObservedRun], version| -> Vec<u64> {
        let found = disproved(runs, &digest(version), Timestamp(4));
        found.into_iter().map(|id| id.number).collect()
    };
    let three = [run(1, "schema", 1, 0), run(2, "schema", 2, 0), run(3, "schema", 3, 0)];
    assert_eq!(of(&three, 1), [2, 3]);
    assert_eq!(of(&three, 2), [3]);
    assert!(of(&three, 3).is_empty());
    // Of an image with one that cannot be undone, the others are disproved with it.
    let expand = ObservedRun { irreversible: false, ..run(2, "expand", 2, 0) };
    assert_eq!(of(&[expand, run(3, "contract", 2, 0)], 1), [2, 3]);
    let expand = ObservedRun { irreversible: false, ..run(3, "expand", 2, 0) };
    assert_eq!(of(&[run(2, "contract", 2, 0), expand], 1), [2, 3]);
}

#[test]
fn the_newest_runs_are_reported_without_what_they_wrote() {
    let mut runs: Vec<ObservedRun> = (1..=6).map(|number| run(number, "schema", 1, 0)).collect();
    runs[5].result.as_mut().unwrap().last_lines = vec!["done".to_owned()];
    runs[0].result = None;
    let reported = reported(&runs);
    let numbers: Vec<u64> = reported.iter().map(|run| run.id.number).collect();
    assert_eq!(numbers, [1, 6, 5, 4, 3]);
    let result = reported[1].result.clone().unwrap();
    assert!(result.is_success() && result.last_lines.is_empty(), "{result:?}");
    assert_eq!(reported[0].version, Some("1".parse().unwrap()));
}

#[test]
fn the_oldest_runs_are_forgotten_but_for_the_last_success_of_each_operation() {
    let of = |runs: &[ObservedRun], kept_max| -> Vec<u64> {
        surplus(runs, kept_max).into_iter().map(|id| id.number).collect()
    };
    let runs = [
        run(1, "create", 1, 0),
        run(2, "schema", 1, 0),
        run(3, "schema", 2, 0),
        run(4, "schema", 3, 1),
        run(5, "schema", 3, 1),
        ObservedRun { result: None, ..run(6, "schema", 3, 0) },
    ];
    assert_eq!(of(&runs, 5), [0; 0]);
    assert_eq!(of(&runs, 3), [2]);
    assert_eq!(of(&runs, 1), [2, 4], "one that is not over is kept, and what succeeded last");
}

/// Returns the database of the tenant in that version.
fn database(version: &str) -> Instance {
    let plan = plan_of(&spec_with("db", version), 1).unwrap();
    let (node, component): (NodeName, ComponentName) =
        ("n1".parse().unwrap(), "db".parse().unwrap());
    (*plan.nodes[&node].instances[&component].instance).clone()
}

#[test]
fn a_run_that_failed_stops_the_version_that_it_ran_for_and_no_other() {
    let (first, second) = (database("1"), database("2"));
    let result = |outcome| RunResult { outcome, ..run(1, "schema", 2, 0).result.unwrap() };
    let after = |outcome| after_run(&second, &second, &result(outcome));
    let failed = |exit_code| AfterRun::Fail { exit_code };
    assert_eq!(after(RunOutcome::Exited { status: 0 }), AfterRun::GoOn);
    assert_eq!(after(RunOutcome::Exited { status: 3 }), failed(Some(3)));
    assert_eq!(after(RunOutcome::DeadlineExceeded), failed(None));
    assert_eq!(after(RunOutcome::Interrupted), failed(None));
    assert_eq!(after(RunOutcome::NotStarted), AfterRun::Forget);
    for outcome in [
        RunOutcome::Exited { status: 3 },
        RunOutcome::DeadlineExceeded,
        RunOutcome::Interrupted,
        RunOutcome::NotStarted,
    ] {
        assert_eq!(after_run(&first, &second, &result(outcome)), AfterRun::GoOn);
    }
}

fn said(kind: RunOnce, outcome: RunOutcome, reason: &str, has_old: bool) -> String {
    let (ended, reason) = (Timestamp(9), reason.to_owned());
    let result = RunResult { outcome, started: None, ended, reason, last_lines: Vec::new() };
    let operation = &"upgrade-schema".parse().unwrap();
    RunOnceFailed { kind, operation, result: &result, deadline_ms: 90_000, has_old }.to_string()
}

#[test]
fn it_is_said_what_happened_what_goes_on_and_what_the_database_may_hold() {
    let again = "; it runs again only if a change asks for this version again";
    for (kind, outcome, reason, has_old, words) in [
        (
            RunOnce::Migration,
            RunOutcome::Exited { status: 4 },
            "",
            true,
            "the migration upgrade-schema of the new version failed: its program ended with status \
             4; the old version was not stopped, and the database may hold a part of its changes",
        ),
        (
            RunOnce::Migration,
            RunOutcome::DeadlineExceeded,
            "",
            true,
            "the migration upgrade-schema of the new version was interrupted: it did not end within \
             90s and was stopped; the old version was not stopped, and what the database holds is \
             not known",
        ),
        (
            RunOnce::Preparation,
            RunOutcome::Interrupted,
            "the host was restarted",
            false,
            "the preparation upgrade-schema of the new version was interrupted: the host was \
             restarted; nothing was started, and what the database holds is not known",
        ),
        (
            RunOnce::Migration,
            RunOutcome::NotStarted,
            "no such file",
            true,
            "the migration upgrade-schema of the new version was not started: no such file; the old \
             version was not stopped, and it changed nothing",
        ),
        (
            RunOnce::Migration,
            RunOutcome::Unknown,
            "",
            true,
            "the migration upgrade-schema of the new version ended in a way that only a later \
             release of the agent knows; the old version was not stopped, and what the database \
             holds is not known",
        ),
    ] {
        assert_eq!(said(kind, outcome, reason, has_old), format!("{words}{again}"));
    }
}
