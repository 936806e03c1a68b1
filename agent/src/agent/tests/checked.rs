//! Checks of a new version, which run in its image before anything is stopped.

use oml_common::document::instance::InstanceDocument;
use oml_common::document::operation::{OperationCommand, OperationStep};

use super::*;
use crate::fixtures;

fn checked(version: &str) -> InstanceDocument {
    let run = OperationCommand {
        command: vec!["check".to_owned()],
        entrypoint: Vec::new(),
        env: [].into(),
        deadline_ms: 30_000,
    };
    let step = OperationStep { operation: "config".parse().unwrap(), run, irreversible: false };
    fixtures::document("asterisk", version).edited(|instance| instance.checks = vec![step])
}

fn exits(code: i64) -> Behaviour {
    Behaviour::ExitsAtOnce { code, log: vec!["error in line 3".to_owned()] }
}

/// Version 1 runs, and version 2 is desired, whose check behaves like that.
async fn upgrading(check: Behaviour) -> Bench {
    let mut bench = Bench::settled().await;
    bench.host.runs_behave(check);
    bench.offer("2", Behaviour::Good);
    bench.desire_document(checked("2"));
    bench
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_check_fails_is_not_started_and_the_old_one_runs_on() {
    for (check, code, why) in [
        (exits(4), Some(4), "ended with status 4"),
        (Behaviour::Hangs, None, "did not end within 30s"),
    ] {
        let bench = upgrading(check).await;
        let before = restarts(&bench);
        let report = bench.until(|report| report.phase == Phase::RolledBack).await;
        let failure = report.failure.unwrap();
        let message = format!("the check config of the new version {why}; nothing was stopped");
        assert_eq!((failure.message, failure.exit_code), (message, code));
        assert_eq!(report.version, Some("1".parse().unwrap()));
        bench.pass_time(600).await;
        assert_eq!(
            restarts(&bench),
            before,
            "nothing was started or stopped, and nothing is tried again"
        );
        let left = bench.host.host.containers();
        assert!(left.iter().all(|it| !it.labels.contains_key("io.oml.run")), "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_words_of_a_check_that_fails_are_reported() {
    let bench = upgrading(exits(4)).await;
    let report = bench.until(|report| report.phase == Phase::RolledBack).await;
    assert_eq!(report.failure.unwrap().log_tail, ["error in line 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_check_succeeds_takes_the_place_of_the_old_one() {
    let bench = upgrading(exits(0)).await;
    bench.until_ready("2").await;
    assert_eq!(restarts(&bench), 2);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_was_interrupted_is_run_again() {
    let mut bench = upgrading(exits(0)).await;
    bench.stop();
    bench.start();
    bench.until_ready("2").await;
    bench.pass_time(60).await;
    let left = bench.host.host.containers();
    assert!(left.iter().all(|it| !it.labels.contains_key("io.oml.run")), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_host_works_by_already_is_not_checked_again() {
    let bench = upgrading(exits(0)).await;
    bench.until_ready("2").await;
    bench.host.runs_behave(exits(4));
    let running = bench.host.running(&"asterisk".parse().unwrap()).unwrap();
    bench.host.host.remove_by_hand(&running.id);
    bench.until_ready("2").await;
}
