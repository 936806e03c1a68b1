//! The version in use is kept alive during every outcome of its change.

use oml_common::document::report::{InstanceReport, Phase};
use oml_common::id::Version;
use oml_sim::{Behaviour, Daemon, Verb};

use super::EXITS;
use super::bench::{Bench, name};

fn version(text: &str) -> Option<Version> {
    Some(text.parse().unwrap())
}

/// Version 1 ends for good and would answer after that; it must come back while the change waits.
async fn ends_and_comes_back(bench: &Bench) -> InstanceReport {
    bench.fail_for_good().await;
    let reported = bench.until(|report| report.reason.contains("times in a row")).await;
    bench.pass_time(90).await;
    let report = bench.until(|report| report.version == version("1")).await;
    assert!(bench.host.running(&name("asterisk")).is_some(), "{report:?}");
    reported
}

/// Version 1 runs, and a change to version 2 waits for its image.
pub(super) async fn settled_beside_a_blocked_change() -> Bench {
    let mut bench = Bench::settled().await;
    bench.refuse("2", "toomanyrequests");
    bench.desire(&["2"]);
    bench.until(|report| report.phase == Phase::Blocked).await;
    bench
}

/// The program of version 1 ends every 17 s, until that is reported beside the change.
async fn until_it_ends_again_and_again(bench: &Bench) -> InstanceReport {
    bench.offer("1", Behaviour::DiesAfter { after_ms: 17_000 });
    bench.end_by_itself(1);
    let words = "the version in use, 1, ends again and again: 3 times within";
    bench.until(|report| report.reason.contains(words)).await
}

#[tokio::test(start_paused = true)]
async fn the_version_in_use_is_started_again_while_the_next_one_cannot_be_pulled() {
    let bench = settled_beside_a_blocked_change().await;
    let reported = ends_and_comes_back(&bench).await;
    for word in ["toomanyrequests", "the version in use, 1,", "ended 31 times in a row"] {
        assert!(reported.reason.contains(word), "{}", reported.reason);
    }
    bench.offer("2", Behaviour::Good);
    bench.until_ready("2").await;
}

#[tokio::test(start_paused = true)]
async fn the_version_in_use_is_started_again_beside_a_pull_that_takes_long() {
    let mut bench = Bench::settled().await;
    bench.upgrade_held("2", Behaviour::Good, Daemon::Engine, Verb::Pull).await;
    let reported = ends_and_comes_back(&bench).await;
    assert!(reported.reason.starts_with("pulling the image; meanwhile"), "{}", reported.reason);
    bench.host.host.release(Daemon::Engine, Verb::Pull);
    let report = bench.until_ready("2").await;
    assert_eq!(report.failure, None);
}

#[tokio::test(start_paused = true)]
async fn the_version_in_use_is_started_again_while_the_next_one_cannot_be_created() {
    let mut bench = Bench::settled().await;
    for _try in 0..200 {
        bench.host.refuse_once(Daemon::Engine, Verb::Create, true);
    }
    bench.upgrade("2", Behaviour::Good);
    bench.until(|report| report.phase == Phase::Blocked).await;
    ends_and_comes_back(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn the_version_in_use_is_started_again_at_most_once_a_minute_while_it_keeps_ending() {
    let bench = settled_beside_a_blocked_change().await;
    bench.fail_for_good().await;
    bench.offer("1", EXITS);
    let before = bench.host.count(Daemon::Systemd, Verb::Start);
    bench.pass_time(1_800).await;
    let starts = bench.host.count(Daemon::Systemd, Verb::Start) - before;
    assert!((10..=30).contains(&starts), "{starts} starts in half an hour");
}

#[tokio::test(start_paused = true)]
async fn the_version_in_use_is_started_again_after_a_rollback() {
    let bench = Bench::upgrading("bad", EXITS).await;
    bench.until_returned("1").await;
    bench.fail_for_good().await;
    bench.until(|report| report.version == version("1") && report.started_at.is_some()).await;
    let report = bench.until(|report| report.phase == Phase::RolledBack).await;
    assert!(report.reason.contains("ended with exit code 3"), "{}", report.reason);
}

#[tokio::test(start_paused = true)]
async fn the_version_in_use_stays_stopped_by_hand_while_the_next_one_cannot_be_pulled() {
    let bench = settled_beside_a_blocked_change().await;
    bench.host.systemctl("stop", "asterisk.service").await;
    bench.pass_time(600).await;
    assert!(bench.host.running(&name("asterisk")).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_version_in_use_that_ends_again_and_again_beside_a_blocked_change_is_reported() {
    let bench = settled_beside_a_blocked_change().await;
    let reported = until_it_ends_again_and_again(&bench).await;
    assert!(reported.reason.contains("toomanyrequests"), "{}", reported.reason);
}

#[tokio::test(start_paused = true)]
async fn the_version_that_was_rolled_back_to_and_ends_again_and_again_is_reported() {
    let bench = Bench::upgrading("bad", EXITS).await;
    bench.until_returned("1").await;
    let reported = until_it_ends_again_and_again(&bench).await;
    assert!(reported.reason.contains("exit code 3"), "{}", reported.reason);
}

#[tokio::test(start_paused = true)]
async fn the_version_in_use_that_recovers_beside_a_blocked_change_is_not_reported_as_not_running() {
    let bench = settled_beside_a_blocked_change().await;
    bench.offer("1", Behaviour::AnswersAfter { after_ms: 900_000 });
    bench.end_by_itself(1);
    let words = "the version in use, 1, runs: ";
    let reported = bench.until(|report| report.reason.contains(words)).await;
    assert!(!reported.reason.contains("does not run"), "{}", reported.reason);
    bench.until(|report| report.reason.contains("connection refused")).await;
}
