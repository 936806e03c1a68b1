//! An instance whose document takes a newer agent, in the middle of a change.

use oml_common::document::report::{InstanceReport, Phase};

use super::EXITS;
use super::bench::Bench;
use crate::paths::Slot;
use oml_sim::{Behaviour, Daemon, Verb};

fn is_held(report: &InstanceReport) -> bool {
    report.phase == Phase::Blocked && report.reason.starts_with("needs a newer agent: ")
}

/// Waits until the held instance runs that version, and checks that it goes on to.
async fn until_held_at(bench: &Bench, version: &str) {
    let version = Some(version.parse().unwrap());
    bench.until(|report| is_held(report) && report.version == version).await;
    bench.pass_time(300).await;
    bench
        .until(|report| is_held(report) && report.version == version && report.started_at.is_some())
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_held_before_the_stop_keeps_its_version_and_its_document() {
    let mut bench = Bench::settled().await;
    bench.upgrade_held("2", Behaviour::Good, Daemon::Systemd, Verb::Start).await;
    bench.stop();
    bench.host.host.release(Daemon::Systemd, Verb::Start);
    assert_eq!(bench.document(Slot::Current).as_deref(), Some("2"));
    bench.desire_unreadable("3");
    bench.start();
    until_held_at(&bench, "1").await;
    assert_eq!(bench.document(Slot::Current).as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn an_instance_held_while_it_soaks_goes_back_when_it_ends() {
    let mut bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_soaking().await;
    bench.desire_unreadable("3");
    until_held_at(&bench, "2").await;
    bench.offer("2", EXITS);
    bench.end_by_itself(139);
    until_held_at(&bench, "1").await;
    let starts = bench.host.count(Daemon::Systemd, Verb::Start);
    bench.pass_time(600).await;
    assert_eq!(bench.host.count(Daemon::Systemd, Verb::Start), starts);
    bench.upgrade("4", Behaviour::Good);
    bench.until_ready("4").await;
}

#[tokio::test(start_paused = true)]
async fn a_held_instance_of_which_nothing_starts_is_tried_ever_more_rarely() {
    let mut bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_soaking().await;
    bench.desire_unreadable("3");
    until_held_at(&bench, "2").await;
    bench.offer("2", EXITS);
    bench.offer("1", EXITS);
    bench.end_by_itself(139);
    let before = bench.host.count(Daemon::Systemd, Verb::Start);
    bench.pass_time(600).await;
    let starts = bench.host.count(Daemon::Systemd, Verb::Start) - before;
    assert!((1..=15).contains(&starts), "{starts} starts in ten minutes");
    bench.offer("1", Behaviour::Good);
    until_held_at(&bench, "1").await;
}
