//! `systemctl disable --now`: systemd unloads the unit with all that it knew of it, and its stop is
//! respected all the same.

use oml_common::document::Verbatim;
use oml_common::document::instance::{Check, InstanceDocument, PackagedUnit, Probe, Workload};
use oml_common::document::report::Phase;
use oml_sim::{ActiveState, Behaviour, Daemon, Verb};

use super::bench::{Bench, name};
use super::{EXITS, restarts};
use crate::fixtures;

const UNIT: &str = "asterisk.service";

/// `systemctl disable --now`, and the agent enables the unit again only after the stop.
async fn disable_now(bench: &Bench) {
    bench.host.host.enable_unit(UNIT, false).await.unwrap();
    bench.host.host.hold(Daemon::Systemd, Verb::Enable);
    bench.host.systemctl("stop", UNIT).await;
    assert!(is_unloaded(bench).await);
    bench.host.host.release(Daemon::Systemd, Verb::Enable);
}

async fn is_unloaded(bench: &Bench) -> bool {
    bench.host.host.load_unit(UNIT).await.unwrap().inactive_enter_ms == 0
}

fn is_up(bench: &Bench) -> bool {
    let units = bench.host.host.units();
    units.iter().any(|(unit, found)| unit == UNIT && found.active == ActiveState::Active)
}

fn runs(bench: &Bench) -> bool {
    bench.host.running(&name("asterisk")).is_some()
}

/// Checks that nothing starts it, also after the unit was enabled again and under further agents,
/// until somebody does.
async fn stays_stopped(bench: &mut Bench, before: usize) {
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    for _agent in 0..2 {
        bench.pass_time(600).await;
        assert!(!runs(bench) && !is_up(bench), "it was started against the operator");
        bench.stop();
        bench.start();
    }
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    assert_eq!(restarts(bench), before);
    bench.host.systemctl("start", UNIT).await;
    bench.until(|report| report.phase == Phase::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_disabled_and_stopped_stays_stopped() {
    let mut bench = Bench::settled().await;
    let before = restarts(&bench);
    disable_now(&bench).await;
    stays_stopped(&mut bench, before).await;
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_disabled_and_stopped_while_no_agent_runs_stays_stopped() {
    let mut bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.stop();
    disable_now(&bench).await;
    bench.start();
    stays_stopped(&mut bench, before).await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_unit_that_is_disabled_afterwards_stays_stopped() {
    for is_away in [false, true] {
        let mut bench = Bench::settled().await;
        let before = restarts(&bench);
        bench.host.systemctl("stop", UNIT).await;
        let report =
            bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
        if is_away {
            bench.stop();
        }
        bench.host.host.enable_unit(UNIT, false).await.unwrap();
        assert!(is_unloaded(&bench).await);
        bench.start();
        bench.pass_time(60).await;
        assert_eq!(bench.until(|_| true).await.phase, report.phase, "the time is kept");
        stays_stopped(&mut bench, before).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_starts_what_was_disabled_and_stopped() {
    let mut bench = Bench::settled().await;
    disable_now(&bench).await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    bench.upgrade("2", Behaviour::Good);
    bench.until_ready("2").await;
    assert_eq!(bench.host.host.unit_file_state(UNIT).await, Ok("enabled"));
}

#[tokio::test(start_paused = true)]
async fn a_disabled_unit_that_did_not_run_since_the_boot_is_started() {
    let mut bench = Bench::settled().await;
    bench.stop();
    bench.host.host.enable_unit(UNIT, false).await.unwrap();
    bench.host.host.reboot();
    std::fs::remove_dir_all(&bench.host.paths.run).unwrap();
    bench.boot();
    bench.start();
    bench.until_report(|_| runs(&bench) && is_up(&bench)).await;
    assert_eq!(bench.host.host.unit_file_state(UNIT).await, Ok("enabled"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_unit_that_is_reset_and_unloaded_was_not_stopped() {
    let bench = Bench::settled().await;
    bench.offer("1", EXITS);
    bench.end_by_itself(1);
    bench.until(|report| report.reason.contains("in a row")).await;
    bench.offer("1", Behaviour::Good);
    bench.host.host.enable_unit(UNIT, false).await.unwrap();
    bench.host.host.reset_failed(UNIT).await.unwrap();
    assert!(is_unloaded(&bench).await);
    bench.until_ready("1").await;
}

#[tokio::test(start_paused = true)]
async fn a_component_that_is_removed_after_a_stop_and_desired_again_is_started() {
    for is_disabled in [true, false] {
        let mut bench = Bench::settled().await;
        bench.host.host.enable_unit(UNIT, !is_disabled).await.unwrap();
        bench.host.systemctl("stop", UNIT).await;
        bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
        bench.desire(&[]);
        bench.until_report(|report| report.instances.is_empty()).await;
        bench.desire(&["1"]);
        bench.until_ready("1").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_of_another_name_that_never_ran_is_no_stop() {
    let mut bench = Bench::settled().await;
    bench.host.host.enable_unit(UNIT, false).await.unwrap();
    bench.desire_in_unit("1", "asterisk-2.service");
    bench.until(|report| report.phase == Phase::Ready).await;
    let units = bench.host.host.units();
    let is_new = |(unit, found): &(String, oml_sim::UnitState)| {
        unit == "asterisk-2.service" && found.active == ActiveState::Active
    };
    assert!(units.iter().any(is_new), "{units:?}");
}

fn packaged() -> InstanceDocument {
    let workload = PackagedUnit { drop_in: "Environment=OML=yes".to_owned() };
    let (interval_ms, timeout_ms, failures_max) = (500, 500, 2);
    fixtures::document("asterisk", "1").edited(|instance| {
        instance.workload = Verbatim::seal(Workload::Unit(workload));
        let check = Check::UnitActive;
        instance.probe = Probe { check, address: None, interval_ms, timeout_ms, failures_max };
    })
}

/// The unit of a package runs and was kept.
async fn packaged_and_settled() -> Bench {
    let mut bench = Bench::new();
    bench.host.host.install_package(UNIT);
    bench.desire_document(packaged());
    bench.until(|report| report.phase == Phase::Ready).await;
    bench
}

#[tokio::test(start_paused = true)]
async fn a_packaged_unit_that_is_disabled_and_stopped_stays_stopped() {
    for is_away in [false, true] {
        let mut bench = packaged_and_settled().await;
        let before = restarts(&bench);
        if is_away {
            bench.stop();
        }
        disable_now(&bench).await;
        if is_away {
            bench.start();
        }
        stays_stopped(&mut bench, before).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_packaged_unit_that_is_disabled_and_has_failed_is_started_again() {
    let bench = packaged_and_settled().await;
    bench.host.host.enable_unit(UNIT, false).await.unwrap();
    bench.host.host.kill_packaged(UNIT);
    bench.until_report(|_| is_up(&bench)).await;
    bench.until(|report| report.phase == Phase::Ready).await;
}
#[tokio::test(start_paused = true)]
async fn a_journal_that_does_not_answer_does_not_hold_up_the_listing() {
    let bench = packaged_and_settled().await;
    bench.host.host.hold(Daemon::Systemd, Verb::Logs);
    bench.host.host.kill_packaged(UNIT);
    bench.pass_time(3).await;
    assert!(is_up(&bench), "the listing waits for the journal");
    bench.until(|report| report.phase == Phase::Ready).await;
    let noted = || std::fs::read_to_string(bench.host.paths.ends_note(UNIT)).unwrap();
    assert!(!noted().contains("the last line"));
    bench.host.host.release(Daemon::Systemd, Verb::Logs);
    bench.pass_time(3).await;
    assert!(noted().contains("the last line of asterisk.service"), "{}", noted());
}
