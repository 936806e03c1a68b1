//! Checks of a new version, which run in its image before anything is stopped.

use std::time::Duration;

use oml_common::document::instance::InstanceDocument;
use oml_common::document::operation::{OperationCommand, OperationStep};
use oml_common::document::report::{InstanceReport, Report};
use oml_sim::Container;
use tokio::time::Instant;

use super::*;
use crate::fixtures;

fn checked(version: &str) -> InstanceDocument {
    checked_within(30_000, version)
}

fn checked_within(deadline_ms: u64, version: &str) -> InstanceDocument {
    let step = check_within(deadline_ms);
    fixtures::document("asterisk", version).edited(|instance| instance.checks = vec![step])
}

pub(super) fn check_within(deadline_ms: u64) -> OperationStep {
    let run = OperationCommand {
        command: vec!["check".to_owned()],
        entrypoint: Vec::new(),
        env: [].into(),
        deadline_ms,
    };
    OperationStep { operation: "config".parse().unwrap(), run, irreversible: false }
}

/// Returns the containers of checks.
pub(super) fn checks(bench: &Bench) -> Vec<Container> {
    let mut containers = bench.host.host.containers();
    containers.retain(|it| it.labels.contains_key("io.oml.run"));
    containers
}

pub(super) async fn until_checking(bench: &Bench) {
    bench.until_report(|_| checks(bench).iter().any(Container::is_running)).await;
}

pub(super) fn exits(code: i64) -> Behaviour {
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
async fn a_check_that_was_interrupted_and_is_not_wanted_any_more_is_removed() {
    for desired in [&["1"][..], &[]] {
        let mut bench = upgrading(Behaviour::Hangs).await;
        until_checking(&bench).await;
        bench.stop();
        bench.desire(desired);
        bench.start();
        bench.until_report(|report| report.instances.len() == desired.len()).await;
        bench.pass_time(60).await;
        let left = checks(&bench);
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_of_a_version_that_was_superseded_holds_up_nothing() {
    for desired in [&["1"][..], &[]] {
        let mut bench = Bench::settled().await;
        bench.host.runs_behave(Behaviour::Hangs);
        bench.offer("2", Behaviour::Good);
        bench.desire_document(checked_within(1_800_000, "2"));
        until_checking(&bench).await;
        let asked = Instant::now();
        bench.desire(desired);
        let is_well = |it: &InstanceReport| it.phase == Phase::Ready && it.failure.is_none();
        let are_as_desired = |report: &Report| {
            report.instances.len() == desired.len() && report.instances.values().all(is_well)
        };
        bench.until_report(are_as_desired).await;
        assert!(asked.elapsed() < Duration::from_secs(120), "{:?}", asked.elapsed());
        let left = checks(&bench);
        assert!(left.is_empty(), "{left:?}");
    }
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
