//! A stop by hand is respected in every state of the unit.

use oml_common::document::report::Phase;
use oml_sim::{ActiveState, Behaviour, Daemon};

use super::bench::{Bench, name};
use super::{EXITS, restarts};
use crate::paths::Slot;

const UNIT: &str = "asterisk.service";

/// The supervisor is killed, and its container runs on.
fn kill_supervisor(bench: &Bench) {
    bench.host.host.kill_main_process(UNIT);
}

fn runs(bench: &Bench) -> bool {
    bench.host.running(&name("asterisk")).is_some()
}

fn is(bench: &Bench, state: ActiveState) -> bool {
    bench.host.host.units().iter().any(|(unit, found)| unit == UNIT && found.active == state)
}

async fn reset_failed(bench: &Bench) {
    bench.host.host.reset_failed(UNIT).await.unwrap();
}

/// The supervisor is killed until systemd no longer starts it.
async fn settled_and_given_up() -> Bench {
    let bench = Bench::settled().await;
    while !is(&bench, ActiveState::Failed) {
        kill_supervisor(&bench);
        bench.pass_time(2).await;
    }
    bench.until(|report| report.reason.contains("in a row")).await;
    bench
}

async fn stays_stopped(bench: &Bench, before: usize) {
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    bench.until_report(|_| !runs(bench)).await;
    bench.pass_time(600).await;
    assert!(!runs(bench), "the container of a stopped unit runs");
    assert!(!is(bench, ActiveState::Active), "it was started against the operator");
    let report = bench.until(|_| true).await;
    assert!(!report.reason.contains("in a row"), "{}", report.reason);
    assert_eq!(restarts(bench), before);
    bench.host.systemctl("start", UNIT).await;
    bench.until_ready("1").await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_a_killed_supervisor_waits_for_its_restart_stops_the_container_too() {
    for kills in [1, 5] {
        let bench = Bench::settled().await;
        let before = restarts(&bench);
        for _kill in 0..kills {
            bench.pass_time(2).await;
            kill_supervisor(&bench);
        }
        bench.until_report(|_| is(&bench, ActiveState::Activating)).await;
        bench.host.systemctl("stop", UNIT).await;
        stays_stopped(&bench, before).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_systemd_gave_up_on_a_killed_supervisor_is_respected() {
    let bench = Bench::settled().await;
    let before = restarts(&bench);
    while !is(&bench, ActiveState::Failed) {
        kill_supervisor(&bench);
        bench.pass_time(2).await;
    }
    assert!(runs(&bench));
    let report = bench.until(|report| report.reason.contains("in a row")).await;
    assert!(report.reason.contains("its supervisor ended"), "{}", report.reason);
    assert!(report.reason.contains("the container runs on"), "{}", report.reason);
    bench.host.systemctl("stop", UNIT).await;
    stays_stopped(&bench, before).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_systemd_gave_up_is_respected_by_the_next_agent_too() {
    let mut bench = settled_and_given_up().await;
    let before = restarts(&bench);
    bench.host.systemctl("stop", UNIT).await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    bench.stop();
    bench.start();
    stays_stopped(&bench, before).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_systemd_gave_up_on_the_program_is_respected() {
    let bench = Bench::settled().await;
    bench.offer("1", EXITS);
    bench.end_by_itself(1);
    bench.until(|report| report.reason.contains("in a row")).await;
    bench.offer("1", Behaviour::Good);
    let before = restarts(&bench);
    bench.host.systemctl("stop", UNIT).await;
    stays_stopped(&bench, before).await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_supervisor_alone_is_no_stop_by_hand() {
    let bench = settled_and_given_up().await;
    bench.until_ready("1").await;
    assert!(runs(&bench));
}

#[tokio::test(start_paused = true)]
async fn a_try_restart_of_a_unit_that_systemd_gave_up_on_is_no_stop_by_hand() {
    let bench = settled_and_given_up().await;
    let before = bench.host.running(&name("asterisk"));
    bench.host.systemctl("try-restart", UNIT).await;
    bench.until_ready("1").await;
    let (before, now) = (before.unwrap(), bench.host.running(&name("asterisk")).unwrap());
    assert_eq!(before.id, now.id, "the container was stopped");
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_remembered_after_the_failure_was_reset() {
    for pause in [0, 30] {
        let bench = settled_and_given_up().await;
        let before = restarts(&bench);
        bench.host.systemctl("stop", UNIT).await;
        bench.pass_time(pause).await;
        reset_failed(&bench).await;
        stays_stopped(&bench, before).await;
    }
}

/// A unit that systemd gave up is stopped and its failure reset, and the agent knows; with the number of
/// restarts before.
async fn stopped_and_reset() -> (Bench, usize) {
    let bench = settled_and_given_up().await;
    let before = restarts(&bench);
    bench.host.systemctl("stop", UNIT).await;
    reset_failed(&bench).await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    (bench, before)
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_remembered_by_the_next_agent_after_the_failure_was_reset() {
    let (mut bench, before) = stopped_and_reset().await;
    bench.stop();
    bench.start();
    stays_stopped(&bench, before).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_a_later_release_noted_is_respected() {
    let (mut bench, before) = stopped_and_reset().await;
    bench.stop();
    let note = bench.host.paths.stop_note(UNIT);
    assert!(note.exists());
    std::fs::write(note, "{\"version\":2,\"stopped\":{\"by\":\"systemctl\"}}").unwrap();
    bench.start();
    stays_stopped(&bench, before).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_the_failure_was_reset_is_respected() {
    let bench = settled_and_given_up().await;
    let before = restarts(&bench);
    reset_failed(&bench).await;
    bench.host.systemctl("stop", UNIT).await;
    stays_stopped(&bench, before).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_a_killed_supervisor_waits_is_remembered_after_every_failure_was_reset() {
    let bench = Bench::settled().await;
    let before = restarts(&bench);
    kill_supervisor(&bench);
    bench.until_report(|_| is(&bench, ActiveState::Activating)).await;
    bench.host.systemctl("stop", UNIT).await;
    bench.pass_time(30).await;
    reset_failed(&bench).await;
    stays_stopped(&bench, before).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_was_only_reset_is_no_stop_by_hand() {
    let bench = settled_and_given_up().await;
    reset_failed(&bench).await;
    bench.host.systemctl("try-restart", UNIT).await;
    bench.until_ready("1").await;
    assert!(runs(&bench));
}

fn remove_documents(bench: &Bench) {
    std::fs::remove_dir_all(bench.host.paths.instances().join("asterisk")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_respected_though_the_documents_are_removed_before_or_after_it() {
    for is_before in [true, false] {
        let mut bench = Bench::settled().await;
        let before = restarts(&bench);
        bench.stop();
        if is_before {
            remove_documents(&bench);
        }
        bench.host.systemctl("stop", UNIT).await;
        if !is_before {
            remove_documents(&bench);
        }
        bench.start();
        stays_stopped(&bench, before).await;
        assert!(bench.document(Slot::Current).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_stopped_is_started_by_a_change_though_its_documents_are_removed() {
    let mut bench = Bench::settled().await;
    bench.host.systemctl("stop", UNIT).await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    bench.stop();
    remove_documents(&bench);
    bench.upgrade("2", Behaviour::Good);
    bench.start();
    bench.until_ready("2").await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_starts_what_ran_before_though_the_documents_of_what_was_stopped_are_removed() {
    let mut bench = Bench::settled().await;
    bench.upgrade("2", Behaviour::Good);
    bench.until_ready("2").await;
    bench.host.systemctl("stop", UNIT).await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    bench.stop();
    remove_documents(&bench);
    bench.desire(&["1"]);
    bench.start();
    bench.until_ready("1").await;
    assert!(runs(&bench));
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_the_engine_does_not_do_in_time_is_respected() {
    let bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.host.host.take_away(Daemon::Engine);
    bench.host.systemctl("stop", UNIT).await;
    assert!(is(&bench, ActiveState::Inactive), "{:?}", bench.host.host.units());
    bench.host.host.bring_back(Daemon::Engine);
    stays_stopped(&bench, before).await;
}
