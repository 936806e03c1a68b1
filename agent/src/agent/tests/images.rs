//! Images that are gone when they are needed again.

use std::time::Duration;

use oml_common::document::report::Phase;
use oml_sim::{Behaviour, Daemon, Verb};
use tokio::time::Instant;

use super::EXITS;
use super::bench::{Bench, name};
use crate::fixtures::digest;

/// Version 2 soaks, and nothing of version 1 is left on the host.
async fn pruned_in_soak() -> Bench {
    let bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_soaking().await;
    bench.host.host.prune_by_hand();
    bench
}

#[tokio::test(start_paused = true)]
async fn a_rollback_whose_image_the_registry_refuses_ends_and_is_still_tried() {
    let bench = pruned_in_soak().await;
    bench.host.refuse(&digest("1"), "manifest unknown", false);
    bench.offer("2", EXITS);
    bench.end_by_itself(139);
    let report = bench.until(|report| report.phase == Phase::Failed).await;
    assert!(report.reason.contains("manifest unknown"), "{}", report.reason);
    let message = |report: &str| report.contains("the rollback failed too: could not pull");
    let report = bench.until(|it| it.failure.as_ref().is_some_and(|it| message(&it.message))).await;
    assert_eq!(report.phase, Phase::Failed);
    bench.pass_time(3_600).await;
    let report = bench.until(|report| report.phase == Phase::Failed).await;
    let failure = report.failure.unwrap().message;
    assert_eq!(failure.matches("manifest unknown").count(), 1, "{failure}");
    bench.offer("1", Behaviour::Good);
    bench.until_returned("1").await;
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_rollback_waits_for_a_registry_is_reported_as_failed() {
    let bench = pruned_in_soak().await;
    bench.refuse("1", "toomanyrequests");
    bench.end_by_itself(139);
    let report = bench.until(|report| report.reason.contains("toomanyrequests")).await;
    assert_eq!(report.phase, Phase::Failed);
    bench.offer("1", Behaviour::Good);
    bench.until_returned("1").await;
}

#[tokio::test(start_paused = true)]
async fn the_pull_of_a_rollback_is_reported_in_bytes() {
    let bench = pruned_in_soak().await;
    bench.host.host.hold(Daemon::Engine, Verb::Pull);
    bench.end_by_itself(139);
    let is_sized = |phase| matches!(phase, Phase::Pulling { bytes_total, .. } if bytes_total > 0);
    bench.until(|report| is_sized(report.phase)).await;
    bench.host.host.release(Daemon::Engine, Verb::Pull);
    bench.until_returned("1").await;
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_image_is_refused_in_its_switch_gives_way() {
    let mut bench = Bench::settled().await;
    bench.upgrade_held("2", Behaviour::Good, Daemon::Systemd, Verb::Start).await;
    bench.stop();
    bench.host.host.prune_by_hand();
    bench.offer("1", Behaviour::Good);
    bench.host.refuse(&digest("2"), "manifest unknown", false);
    bench.host.host.release(Daemon::Systemd, Verb::Start);
    bench.start();
    let report = bench.until_returned("1").await;
    assert!(report.failure.unwrap().message.ends_with("manifest unknown"));
    assert!(bench.host.running(&name("asterisk")).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_the_pull_of_its_image_for_minutes() {
    let bench = Bench::settled().await;
    bench.host.host.hold(Daemon::Engine, Verb::Pull);
    bench.end_by_itself(139);
    bench.host.host.prune_by_hand();
    bench.pass_time(300).await;
    bench.host.host.release(Daemon::Engine, Verb::Pull);
    let report = bench.until_ready("1").await;
    assert!(report.restarts <= 2, "{}", report.restarts);
}

#[tokio::test(start_paused = true)]
async fn what_was_rolled_back_to_is_pulled_at_once_when_it_is_started_by_hand() {
    let bench = Bench::upgrading("bad", EXITS).await;
    bench.until_returned("1").await;
    bench.host.systemctl("stop", "asterisk.service").await;
    bench.until(|report| report.started_at.is_none()).await;
    bench.host.host.prune_by_hand();
    let began = Instant::now();
    bench.host.systemctl("start", "asterisk.service").await;
    bench.until(|report| report.started_at.is_some()).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
}
