//! A full disk makes the engine's list lie: it shows a program as running that has ended.

use oml_common::document::report::{InstanceReport, Phase};
use oml_sim::{Daemon, Fault, Verb};

use super::bench::{Bench, name};

/// The disk is full, and the engine starts nothing until there is room.
fn fill(bench: &Bench) {
    for _try in 0..20 {
        bench.host.refuse_once(Daemon::Engine, Verb::Start, true);
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_that_ends_while_the_disk_is_full_is_back_within_a_minute_of_having_room() {
    let bench = Bench::settled().await;
    let before = bench.host.running(&name("asterisk")).unwrap();
    fill(&bench);
    bench.host.host.end_on_full_disk(&before.id, 1);
    bench.pass_time(20).await;
    assert!(bench.host.running(&name("asterisk")).is_none());
    bench.pass_time(60).await;
    let report = bench.until(|report| report.phase == Phase::Ready).await;
    assert!(bench.host.running(&name("asterisk")).is_some());
    let found = report.drift.map(|drift| drift.found).unwrap_or_default();
    assert!(!found.contains("docker was away"), "{found}");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_docker_refuses_is_reported_with_its_cause_and_not_by_an_earlier_exit_code() {
    let bench = Bench::settled().await;
    for _try in 0..1_000 {
        let detail = "no space left on device".to_owned();
        let fault = Fault::Refused { detail, transient: true };
        bench.host.host.fail_once(Daemon::Engine, Verb::Start, fault);
    }
    bench.end_by_itself(137);
    let cause = "the last start failed: could not start";
    let is_reported = |report: &InstanceReport| {
        report.reason.contains(cause) && report.reason.contains("no space left on device")
    };
    let reported = bench.until(is_reported).await;
    assert!(!reported.reason.contains("137"), "{}", reported.reason);
    let reported = bench.until(|report| report.phase == Phase::CrashLooping).await;
    assert!(is_reported(&reported) && !reported.reason.contains("137"), "{}", reported.reason);
    let reported = bench.until(|report| report.reason.contains("times in a row")).await;
    let words = "its last start failed: could not start";
    assert!(
        reported.reason.contains(words) && !reported.reason.contains("137"),
        "{}",
        reported.reason
    );
}

#[tokio::test(start_paused = true)]
async fn what_starts_again_once_docker_no_longer_refuses_is_in_no_crash_loop() {
    let bench = Bench::settled().await;
    fill(&bench);
    bench.end_by_itself(137);
    bench.until(|report| report.phase == Phase::CrashLooping).await;
    bench.until(|report| report.phase != Phase::CrashLooping).await;
    bench.pass_time(10).await;
    let report = bench.until(|_| true).await;
    assert_eq!(report.phase, Phase::Ready, "{}", report.reason);
}

#[tokio::test(start_paused = true)]
async fn what_the_list_shows_as_running_and_has_ended_is_not_adopted() {
    let bench = Bench::settled().await;
    let before = bench.host.running(&name("asterisk")).unwrap();
    // Nobody watches it when it ends.
    bench.host.host.kill_main_process("asterisk.service");
    bench.host.host.end_on_full_disk(&before.id, 1);
    bench.pass_time(30).await;
    bench.until_ready("1").await;
    assert!(bench.host.running(&name("asterisk")).is_some());
}
