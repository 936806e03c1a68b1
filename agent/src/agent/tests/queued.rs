//! A job of systemd that waits, because others go first: nothing is done over it, it is no stop by hand,
//! and no version is blamed for it.

use oml_common::document::report::{InstanceReport, Phase};
use oml_sim::{ActiveState, Behaviour, Daemon, Verb};

use super::bench::Bench;
use super::restarts;
use super::skipped::packaged;

const UNIT: &str = "asterisk.service";
const WAITS: &str = "a systemd job (start) of its unit waits for other jobs";

/// Returns true if the job is reported, and checks that nothing else is said of it.
fn waits(report: &InstanceReport) -> bool {
    let is_blamed = matches!(report.phase, Phase::Failed | Phase::RolledBack);
    assert!(!is_blamed && report.failure.is_none(), "{report:?}");
    assert!(!report.reason.contains("by hand"), "{}", report.reason);
    report.reason.contains(WAITS)
}

fn is_up(bench: &Bench) -> bool {
    let units = bench.host.host.units();
    units.iter().any(|(name, found)| name == UNIT && found.active == ActiveState::Active)
}

/// The unit of a package, or that of a container, runs.
async fn settled(is_packaged: bool) -> Bench {
    if !is_packaged {
        return Bench::settled().await;
    }
    let mut bench = Bench::new();
    bench.host.host.install_package(UNIT);
    bench.desire_document(packaged("1"));
    bench.until(|report| report.phase == Phase::Ready).await;
    bench
}

fn upgrade(bench: &mut Bench, is_packaged: bool) {
    match is_packaged {
        true => bench.desire_document(packaged("2")),
        false => bench.upgrade("2", Behaviour::Good),
    }
}

/// Somebody restarts the unit, whose start then waits.
async fn restart_queued(bench: &Bench) {
    bench.host.host.hold_starts(UNIT);
    bench.host.host.systemctl("restart", UNIT).unwrap();
    bench.until(waits).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_by_hand_whose_start_waits_is_waited_for_and_told_once_it_is_late() {
    for is_packaged in [false, true] {
        let mut bench = settled(is_packaged).await;
        let before = restarts(&bench);
        restart_queued(&bench).await;
        bench.pass_time(600).await;
        let report = bench.until(waits).await;
        assert_eq!(report.phase, Phase::Blocked);
        assert!(report.reason.contains("systemctl list-jobs"), "{}", report.reason);
        // The next agent finds the same.
        bench.stop();
        bench.start();
        bench.until(waits).await;
        bench.pass_time(600).await;
        assert_eq!(restarts(&bench), before, "something was started over the job");
        bench.host.host.let_starts_begin(UNIT);
        bench.until(|report| report.phase == Phase::Ready).await;
        assert_eq!(restarts(&bench), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_beside_a_job_counts_once_the_job_is_gone_and_the_unit_is_still_down() {
    for is_packaged in [false, true] {
        let bench = settled(is_packaged).await;
        let before = restarts(&bench);
        restart_queued(&bench).await;
        bench.host.host.cancel_job(UNIT);
        bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
        bench.pass_time(600).await;
        assert!(!is_up(&bench) && restarts(&bench) == before);
        bench.host.host.let_starts_begin(UNIT);
        bench.host.systemctl("start", UNIT).await;
        bench.until(|report| report.phase == Phase::Ready).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_by_hand_that_waits_takes_the_stop_before_it_back_only_when_it_has_started() {
    for is_packaged in [false, true] {
        let bench = settled(is_packaged).await;
        bench.host.systemctl("stop", UNIT).await;
        bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
        bench.host.host.hold_starts(UNIT);
        bench.host.host.systemctl("start", UNIT).unwrap();
        bench.until(|report| report.reason.contains(WAITS)).await;
        bench.host.host.cancel_job(UNIT);
        bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
        bench.host.host.systemctl("start", UNIT).unwrap();
        bench.until(|report| report.reason.contains(WAITS)).await;
        bench.host.host.let_starts_begin(UNIT);
        bench.until(|report| report.phase == Phase::Ready).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_switch_whose_start_waits_is_not_failed_rolled_back_or_begun_again() {
    for is_packaged in [false, true] {
        let mut bench = settled(is_packaged).await;
        let starts = |bench: &Bench| bench.host.count(Daemon::Systemd, Verb::Start);
        let before = starts(&bench);
        bench.host.host.hold_starts(UNIT);
        upgrade(&mut bench, is_packaged);
        bench.until(waits).await;
        bench.pass_time(600).await;
        bench.until(waits).await;
        assert_eq!(starts(&bench), before + 1, "the job was replaced");
        // Nor by the next agent, which resumes it.
        bench.stop();
        bench.start();
        bench.until(waits).await;
        bench.pass_time(600).await;
        bench.until(waits).await;
        assert_eq!(starts(&bench), before + 1, "the job was replaced");
        bench.host.host.let_starts_begin(UNIT);
        let report = bench.until(|report| report.phase == Phase::Ready).await;
        assert_eq!((starts(&bench), report.failure), (before + 1, None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_another_job_replaces_says_nothing_of_the_version() {
    for is_packaged in [false, true] {
        let mut bench = settled(is_packaged).await;
        bench.host.host.hold_starts(UNIT);
        upgrade(&mut bench, is_packaged);
        bench.until(waits).await;
        for verb in ["stop", "start"] {
            bench.host.host.systemctl(verb, UNIT).unwrap();
        }
        bench.until(waits).await;
        bench.pass_time(60).await;
        bench.until(waits).await;
        bench.host.host.let_starts_begin(UNIT);
        bench.until(|report| report.phase == Phase::Ready).await;
    }
}

/// Returns which life of the unit is its last one.
fn invocation(bench: &Bench) -> u64 {
    let units = bench.host.host.units();
    units.iter().find(|(name, _)| name == UNIT).map_or(0, |(_, found)| found.invocation)
}

#[tokio::test(start_paused = true)]
async fn a_switch_whose_restart_somebody_cancels_while_the_old_program_runs_is_done_again() {
    for is_packaged in [false, true] {
        let mut bench = settled(is_packaged).await;
        let before = invocation(&bench);
        bench.host.host.hold_stops(UNIT);
        upgrade(&mut bench, is_packaged);
        bench.until(|report| report.reason.contains("a systemd job (restart)")).await;
        bench.host.host.cancel_job(UNIT);
        bench.host.host.let_stops_begin(UNIT);
        let report = bench.until(|report| report.phase == Phase::Ready).await;
        assert_ne!(invocation(&bench), before, "the old program still runs");
        assert_eq!(report.failure, None);
    }
}
