//! A stop by hand is respected in every state of the unit.

use oml_common::document::report::Phase;
use oml_sim::{ActiveState, Behaviour};

use super::bench::{Bench, name};
use super::{EXITS, restarts};

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
    let mut bench = Bench::settled().await;
    let before = restarts(&bench);
    while !is(&bench, ActiveState::Failed) {
        kill_supervisor(&bench);
        bench.pass_time(2).await;
    }
    bench.until(|report| report.reason.contains("in a row")).await;
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
    let bench = Bench::settled().await;
    while !is(&bench, ActiveState::Failed) {
        kill_supervisor(&bench);
        bench.pass_time(2).await;
    }
    bench.until(|report| report.reason.contains("in a row")).await;
    bench.until_ready("1").await;
    assert!(runs(&bench));
}
