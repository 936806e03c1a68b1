//! Migrations of a new version, which run once before the old version is stopped.

use oml_common::document::instance::InstanceDocument;
use oml_common::document::operation::{OperationCommand, OperationStep};
use oml_common::document::report::Report;
use oml_sim::Container;

use super::bench::name;
use super::*;
use crate::fixtures;
use crate::runs;

fn migrating(version: &str) -> InstanceDocument {
    let run = OperationCommand {
        command: vec!["migrate".to_owned()],
        entrypoint: Vec::new(),
        env: [].into(),
        deadline_ms: 30_000,
    };
    let step = OperationStep { operation: "schema".parse().unwrap(), run, irreversible: false };
    fixtures::document("asterisk", version).edited(|instance| instance.migrations = vec![step])
}

fn exits(code: i64) -> Behaviour {
    Behaviour::ExitsAtOnce { code, log: vec!["table calls is locked".to_owned()] }
}

/// Version 1 runs, and version 2 is desired, whose migration behaves like that.
async fn upgrading(migration: Behaviour) -> Bench {
    let mut bench = Bench::settled().await;
    bench.host.runs_behave(migration);
    bench.offer("2", Behaviour::Good);
    bench.desire_document(migrating("2"));
    bench
}

/// Version 1 is to be installed, whose migration behaves like that.
fn installing(migration: Behaviour) -> Bench {
    let mut bench = Bench::new();
    bench.host.runs_behave(migration);
    bench.offer("1", Behaviour::Good);
    bench.desire_document(migrating("1"));
    bench
}

/// The containers of runs.
fn containers(bench: &Bench) -> Vec<Container> {
    let mut all = bench.host.host.containers();
    all.retain(|container| container.labels.contains_key("io.oml.run"));
    all
}

async fn until_migrating(bench: &Bench) -> Container {
    let is_running = |_: &Report| containers(bench).iter().any(Container::is_running);
    bench.until_report(is_running).await;
    containers(bench).remove(0)
}

/// How many runs the host knows, and how many programs of runs were started.
fn runs_of(bench: &Bench) -> usize {
    runs::of_updates(&bench.host.paths, None).unwrap().len()
}

/// The version before runs on, untouched since then, and nothing is tried again.
async fn assert_left_alone(bench: &Bench, before: &Container) {
    bench.pass_time(600).await;
    let after = bench.host.running(&name("asterisk")).unwrap();
    assert_eq!((&after.id, after.starts), (&before.id, before.starts));
    assert_eq!(containers(bench), []);
    assert_eq!(runs_of(bench), 1);
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_fails_leaves_the_old_version_running_and_says_what_happened() {
    for (migration, code, why) in [
        (
            exits(4),
            Some(4),
            "failed: its program ended with status 4; the old version was not stopped, and the \
             database may hold a part of its changes",
        ),
        (
            Behaviour::Hangs,
            None,
            "was interrupted: it did not end within 30s and was stopped; the old version was not \
             stopped, and what the database holds is not known",
        ),
    ] {
        let is_timely = code.is_some();
        let bench = upgrading(migration).await;
        let before = bench.host.running(&name("asterisk")).unwrap();
        let report = bench.until_returned("1").await;
        let failure = report.failure.unwrap();
        let message = format!("the migration schema of the new version {why}");
        assert!(failure.message.starts_with(&message), "{}", failure.message);
        assert_eq!(failure.exit_code, code);
        if is_timely {
            assert_eq!(failure.log_tail, ["table calls is locked"]);
        }
        assert_left_alone(&bench, &before).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_version_whose_migration_failed_is_not_started() {
    let mut bench = installing(exits(4));
    let report = bench.until(|report| report.phase == Phase::Failed).await;
    let message = report.failure.unwrap().message;
    assert!(message.contains("; nothing was started, and the database may hold"), "{message}");
    bench.pass_time(600).await;
    assert!(bench.host.running(&name("asterisk")).is_none());
    bench.host.runs_behave(exits(0));
    bench.desire_document(migrating("1"));
    bench.until_ready("1").await;
    assert_eq!(runs_of(&bench), 2);
}

#[tokio::test(start_paused = true)]
async fn a_boot_does_not_start_a_first_version_before_its_migration() {
    let mut bench = installing(Behaviour::Hangs);
    until_migrating(&bench).await;
    bench.stop();
    bench.host.host.reboot();
    bench.boot();
    bench.pass_time(60).await;
    assert!(bench.host.running(&name("asterisk")).is_none());
    bench.start();
    let report = bench.until(|report| report.phase == Phase::Failed).await;
    let message = report.failure.unwrap().message;
    assert!(message.contains("was interrupted: the host was restarted"), "{message}");
    bench.pass_time(600).await;
    assert!(bench.host.running(&name("asterisk")).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_version_starts_after_its_migration_which_runs_once() {
    let mut bench = upgrading(exits(0)).await;
    bench.until_ready("2").await;
    assert_eq!((runs_of(&bench), containers(&bench)), (1, Vec::new()));
    bench.stop();
    bench.start();
    bench.until_ready("2").await;
    bench.offer("3", Behaviour::ExitsAtOnce { code: 1, log: Vec::new() });
    for _try in 0..2 {
        bench.desire_document(migrating("3"));
        bench.until_returned("2").await;
        assert_eq!(runs_of(&bench), 2, "neither another try nor the way back migrates");
    }
}

#[tokio::test(start_paused = true)]
async fn a_migration_goes_on_while_the_agent_is_restarted_and_is_not_begun_again() {
    let mut bench = upgrading(Behaviour::Hangs).await;
    let migrating = until_migrating(&bench).await;
    bench.stop();
    bench.start();
    bench.pass_time(5).await;
    assert_eq!(containers(&bench).len(), 1);
    bench.host.host.end_by_itself(&migrating.id, 0);
    bench.until_ready("2").await;
    assert_eq!(runs_of(&bench), 1);
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_ended_while_the_agent_was_away_is_not_repeated() {
    let mut bench = upgrading(Behaviour::Hangs).await;
    let before = bench.host.running(&name("asterisk")).unwrap();
    let migrating = until_migrating(&bench).await;
    bench.stop();
    bench.host.host.end_by_itself(&migrating.id, 7);
    bench.pass_time(5).await;
    bench.start();
    let failure = bench.until_returned("1").await.failure.unwrap();
    assert_eq!(failure.exit_code, Some(7));
    assert_left_alone(&bench, &before).await;
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_a_reboot_interrupted_is_reported_and_never_repeated() {
    for loses_record in [false, true] {
        let mut bench = upgrading(Behaviour::Hangs).await;
        until_migrating(&bench).await;
        bench.stop();
        bench.host.host.reboot();
        bench.boot();
        if loses_record {
            bench.remove_record();
        }
        bench.start();
        let failure = bench.until_returned("1").await.failure.unwrap();
        let words =
            "the migration schema of the new version was interrupted: the host was restarted";
        assert!(failure.message.starts_with(words), "{}", failure.message);
        assert!(failure.message.contains("what the database holds is not known"));
        let before = bench.host.running(&name("asterisk")).unwrap();
        assert_left_alone(&bench, &before).await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_the_version_again_runs_its_migration_again() {
    let mut bench = upgrading(exits(4)).await;
    bench.until_returned("1").await;
    bench.host.runs_behave(exits(0));
    bench.desire_document(migrating("2"));
    bench.until_ready("2").await;
    assert_eq!(runs_of(&bench), 2);
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_cannot_be_started_is_tried_again_before_the_change_fails() {
    let bench = upgrading(exits(0)).await;
    bench.host.refuse_once(Daemon::Engine, Verb::Start, false);
    bench.until_ready("2").await;
    assert_eq!(runs_of(&bench), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_removed_from_a_host_leaves_no_run_there() {
    let mut bench = upgrading(exits(0)).await;
    bench.until_ready("2").await;
    bench.desire(&[]);
    bench.until_report(|report| report.instances.is_empty()).await;
    assert_eq!(runs_of(&bench), 0);
}
