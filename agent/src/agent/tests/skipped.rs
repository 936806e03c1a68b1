//! systemd skips a start where a condition or an assertion of the unit does not hold or a unit that it
//! requires does not start. That is no stop by hand, and it is tried again until it holds.

use std::path::{Path, PathBuf};

use oml_common::document::Verbatim;
use oml_common::document::instance::{Check, InstanceDocument, PackagedUnit, Probe, Workload};
use oml_common::document::report::{InstanceReport, Phase};
use oml_sim::{ActiveState, Behaviour, Daemon, Verb};

use super::bench::{Bench, name};
use crate::fixtures;

const UNIT: &str = "asterisk.service";
/// A unit that another one requires.
const REQUIRED: &str = "disk.service";
const CONDITION: &str = "a condition of its unit does not hold (ConditionPathExists=";
const ASSERTION: &str = "an assertion of its unit does not hold (AssertPathExists=";
const DEPENDENCY: &str = "a unit that its unit requires did not start";

pub(super) fn packaged(setting: &str) -> InstanceDocument {
    let workload = PackagedUnit { drop_in: format!("Environment=OML={setting}") };
    let (interval_ms, timeout_ms, failures_max) = (500, 500, 2);
    fixtures::document("asterisk", "1").edited(|instance| {
        instance.workload = Verbatim::seal(Workload::Unit(workload));
        let check = Check::UnitActive;
        instance.probe = Probe { check, address: None, interval_ms, timeout_ms, failures_max };
    })
}

/// Somebody adds a drop-in to a unit.
async fn add_drop_in(bench: &Bench, unit: &str, text: &str) {
    let folder = bench.host.paths.units.join(format!("{unit}.d"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("override.conf"), text).unwrap();
    bench.host.host.reload_units().await.unwrap();
}

/// Makes the unit ask for a path, in the way that those words name, and returns the path, which
/// exists.
async fn ask_for_path(bench: &Bench, words: &str, kind: &str) -> PathBuf {
    let path = bench.host.paths.state.join("disk");
    std::fs::create_dir_all(&path).unwrap();
    let asserts = format!("[Unit]\nAssertPathExists={}\n", path.display());
    let asks = match words {
        CONDITION => format!("[Unit]\nConditionPathExists={}\n", path.display()),
        ASSERTION => asserts,
        _ => {
            bench.host.host.install_package(REQUIRED);
            bench.host.systemctl("stop", REQUIRED).await;
            add_drop_in(bench, REQUIRED, &asserts).await;
            format!("[Unit]\nRequires={REQUIRED}\nAfter={REQUIRED}\n")
        }
    };
    add_drop_in(bench, UNIT, &format!("{asks}{kind}")).await;
    path
}

/// The unit of a package runs with the first setting, and then its path is lost.
async fn packaged_without_path(words: &str, kind: &str) -> (Bench, PathBuf) {
    let mut bench = Bench::new();
    bench.host.host.install_package(UNIT);
    let path = ask_for_path(&bench, words, kind).await;
    bench.desire_document(packaged("1"));
    bench.until(|report| report.phase == Phase::Ready).await;
    lose_path(&bench, &path).await;
    (bench, path)
}

async fn lose_path(bench: &Bench, path: &Path) {
    std::fs::remove_dir(path).unwrap();
    // What is required does not run without it either.
    if is_up(bench, REQUIRED) {
        bench.host.systemctl("stop", REQUIRED).await;
    }
}

fn is_up(bench: &Bench, unit: &str) -> bool {
    let units = bench.host.host.units();
    units.iter().any(|(name, found)| name == unit && found.active == ActiveState::Active)
}

/// Returns true if the reason has these words, and checks that nobody is said to have stopped it.
fn says(report: &InstanceReport, words: &str) -> bool {
    assert!(!report.reason.contains("by hand"), "{}", report.reason);
    report.reason.contains(words)
}

/// Waits until neither the new version nor the one before could be started.
async fn until_rollback_failed(bench: &Bench) -> InstanceReport {
    let failed_too = |report: &InstanceReport| {
        let failure = report.failure.as_ref();
        says(report, "") && failure.is_some_and(|it| it.message.contains("the rollback failed too"))
    };
    bench.until(failed_too).await
}

/// Checks that the start is tried again now and then, and goes on being reported with its reason.
async fn is_tried_now_and_then(bench: &Bench, words: &str) {
    let starts = || bench.host.count(Daemon::Systemd, Verb::Start);
    let before = starts();
    bench.pass_time(600).await;
    let tries = starts() - before;
    assert!((2..=20).contains(&tries), "{tries} starts in ten minutes");
    bench.until(|report| says(report, words)).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_packaged_unit_whose_start_is_skipped_fails_and_blames_no_hand() {
    for words in [CONDITION, ASSERTION, DEPENDENCY] {
        for kind in ["", "[Service]\nType=notify\n"] {
            let (mut bench, path) = packaged_without_path(words, kind).await;
            bench.desire_document(packaged("2"));
            let report = until_rollback_failed(&bench).await;
            let failure = report.failure.unwrap();
            assert_eq!(failure.message.matches(words).count(), 2, "{}", failure.message);
            assert!(failure.message.contains("systemctl status asterisk.service"), "{failure:?}");
            let of_earlier_life = (failure.exit_code, failure.log_tail);
            assert_eq!(of_earlier_life, (None, Vec::new()), "{words}{kind}");
            is_tried_now_and_then(&bench, words).await;
            // The next agent knows of it too.
            bench.stop();
            bench.start();
            is_tried_now_and_then(&bench, words).await;
            std::fs::create_dir(&path).unwrap();
            bench.until_report(|_| is_up(&bench, UNIT)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_container_whose_start_is_skipped_is_rolled_back_once_its_unit_can_start() {
    for words in [CONDITION, ASSERTION, DEPENDENCY] {
        let mut bench = Bench::settled().await;
        let path = ask_for_path(&bench, words, "").await;
        lose_path(&bench, &path).await;
        bench.upgrade("2", Behaviour::Good);
        let report = bench.until(|it| says(it, words) && it.phase == Phase::Failed).await;
        let failure = report.failure.unwrap();
        let begin = format!("did not start: could not start asterisk.service: {words}");
        assert!(failure.message.starts_with(&begin), "{}", failure.message);
        assert_eq!((failure.exit_code, failure.log_tail), (None, Vec::new()));
        is_tried_now_and_then(&bench, words).await;
        std::fs::create_dir(&path).unwrap();
        bench.until_returned("1").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_by_systemd_that_is_skipped_leaves_the_container_and_is_no_stop() {
    for words in [CONDITION, ASSERTION] {
        let mut bench = Bench::settled().await;
        let path = ask_for_path(&bench, words, "").await;
        lose_path(&bench, &path).await;
        let before = bench.host.running(&name("asterisk")).unwrap();
        bench.host.host.kill_main_process(UNIT);
        bench.until(|report| says(report, words)).await;
        is_tried_now_and_then(&bench, words).await;
        // The next agent sees it too.
        bench.stop();
        bench.start();
        is_tried_now_and_then(&bench, words).await;
        std::fs::create_dir(&path).unwrap();
        bench.until_ready("1").await;
        let now = bench.host.running(&name("asterisk")).unwrap();
        assert_eq!(before.id, now.id, "the container was stopped");
    }
}

#[tokio::test(start_paused = true)]
async fn the_version_in_use_whose_start_is_skipped_is_started_beside_a_change_once_it_can_be() {
    let mut bench = Bench::settled().await;
    let path = ask_for_path(&bench, CONDITION, "").await;
    lose_path(&bench, &path).await;
    bench.refuse("2", "no such image");
    bench.desire(&["2"]);
    bench.until(|report| report.reason.contains("no such image")).await;
    bench.host.host.kill_main_process(UNIT);
    bench.until(|report| says(report, CONDITION)).await;
    is_tried_now_and_then(&bench, CONDITION).await;
    std::fs::create_dir(&path).unwrap();
    bench.until_report(|_| is_up(&bench, UNIT)).await;
}

#[tokio::test(start_paused = true)]
async fn a_packaged_unit_that_ended_is_started_once_its_condition_holds_and_a_stop_is_respected() {
    let (bench, path) = packaged_without_path(CONDITION, "").await;
    bench.host.host.kill_packaged(UNIT);
    bench.until(|report| says(report, CONDITION)).await;
    is_tried_now_and_then(&bench, CONDITION).await;
    std::fs::create_dir(&path).unwrap();
    bench.until(|report| report.phase == Phase::Ready).await;
    bench.host.systemctl("stop", UNIT).await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    bench.pass_time(600).await;
    assert!(!is_up(&bench, UNIT), "it was started against the operator");
}

/// The unit of a package that has nothing to enable: systemd forgets all of it as soon as it rests.
async fn static_without_path() -> (Bench, PathBuf) {
    let mut bench = Bench::new();
    bench.host.host.install_static_package(UNIT);
    let path = ask_for_path(&bench, CONDITION, "").await;
    bench.desire_document(packaged("1"));
    bench.until(|report| report.phase == Phase::Ready).await;
    lose_path(&bench, &path).await;
    (bench, path)
}

const UNMET: &str = "a condition of its unit does not hold";

#[tokio::test(start_paused = true)]
async fn a_static_unit_whose_start_is_skipped_was_not_stopped_and_a_stop_of_it_is_respected() {
    let (mut bench, path) = static_without_path().await;
    bench.host.systemctl("restart", UNIT).await;
    bench.until(|report| says(report, UNMET)).await;
    is_tried_now_and_then(&bench, UNMET).await;
    // The next agent knows of it too.
    bench.stop();
    bench.start();
    is_tried_now_and_then(&bench, UNMET).await;
    std::fs::create_dir(&path).unwrap();
    bench.until(|report| report.phase == Phase::Ready).await;
    bench.host.systemctl("stop", UNIT).await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    bench.pass_time(600).await;
    assert!(!is_up(&bench, UNIT), "it was started against the operator");
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_static_unit_whose_start_is_skipped_says_why_and_goes_back_once_it_can() {
    let (mut bench, path) = static_without_path().await;
    bench.desire_document(packaged("2"));
    let report = until_rollback_failed(&bench).await;
    let message = report.failure.unwrap().message;
    assert_eq!(message.matches(UNMET).count(), 2, "{message}");
    is_tried_now_and_then(&bench, UNMET).await;
    std::fs::create_dir(&path).unwrap();
    bench.until(|report| report.phase == Phase::RolledBack).await;
    assert!(is_up(&bench, UNIT));
}

#[tokio::test(start_paused = true)]
async fn a_packaged_version_whose_rollback_failed_too_is_rolled_back_once_its_unit_has_started() {
    for words in [CONDITION, ASSERTION, DEPENDENCY] {
        let (mut bench, path) = packaged_without_path(words, "").await;
        bench.desire_document(packaged("2"));
        bench
            .until(|report| {
                let failure = report.failure.as_ref();
                failure.is_some_and(|it| it.message.contains("the rollback failed too"))
            })
            .await;
        std::fs::create_dir(&path).unwrap();
        bench.until(|report| report.phase == Phase::RolledBack).await;
        assert!(is_up(&bench, UNIT));
    }
}
