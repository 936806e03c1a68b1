//! Changes by hand on the host: each is reported, and either undone or left alone.

use oml_common::document::report::{Phase, Report};
use oml_common::id::ContentHash;
use oml_sim::{Behaviour, ContainerState};

use super::bench::{Bench, name};
use super::restarts;
use crate::paths::Slot;

const UNIT: &str = "asterisk.service";
const OWN: &str = "oml-asterisk";

/// The text of the unit file.
pub(super) fn unit_text(bench: &Bench) -> String {
    std::fs::read_to_string(bench.host.paths.units.join(UNIT)).unwrap()
}

/// Returns the text as a release wrote it that did not name the unit.
pub(super) fn of_earlier_release(text: &str) -> String {
    let without = |key: &str, text: &str| -> String {
        text.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect()
    };
    let text = without("X-Oml-Hash=", &without("X-Oml-Unit=", text));
    let hash = ContentHash::of(text.as_bytes());
    text.replacen("X-Oml-Instance=", &format!("X-Oml-Hash={hash}\nX-Oml-Instance="), 1)
}

/// Somebody edits the unit file and reloads systemd.
pub(super) async fn edit(bench: &Bench, text: &str) {
    std::fs::write(bench.host.paths.units.join(UNIT), text).unwrap();
    bench.host.host.reload_units().await.unwrap();
}

/// Waits until that is reported as drift of a component that is ready.
pub(super) async fn until_reported(bench: &Bench, found: &str) {
    let is_reported = |drift: &Option<oml_common::document::status::Drift>| {
        drift.as_ref().is_some_and(|drift| drift.found == found)
    };
    bench.until(|report| report.phase == Phase::Ready && is_reported(&report.drift)).await;
}

pub(super) async fn until_nothing_is_reported(bench: &Bench) {
    bench.until(|report| report.phase == Phase::Ready && report.drift.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn an_edited_unit_file_is_put_right_and_reported_with_what_was_found() {
    let bench = Bench::settled().await;
    let (before, text) = (restarts(&bench), unit_text(&bench));
    edit(&bench, &text.replace("Restart=always", "Restart=no")).await;
    let found = r#"unit asterisk.service was edited: has "Restart=no", lacks "Restart=always""#;
    until_reported(&bench, found).await;
    assert_eq!(unit_text(&bench), text);
    edit(&bench, &format!("{text}MemoryMax=1M\n")).await;
    until_reported(&bench, r#"unit asterisk.service was edited: has "MemoryMax=1M""#).await;
    edit(&bench, &text.replace("WatchdogSec=60s\n", "")).await;
    until_reported(&bench, r#"unit asterisk.service was edited: lacks "WatchdogSec=60s""#).await;
    assert_eq!(unit_text(&bench), text);
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn a_unit_file_that_was_edited_while_no_agent_ran_is_reported_too() {
    let mut bench = Bench::settled().await;
    bench.stop();
    edit(&bench, &format!("{}MemoryMax=1M\n", unit_text(&bench))).await;
    bench.start();
    until_reported(&bench, r#"unit asterisk.service was edited: has "MemoryMax=1M""#).await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_unit_file_is_written_again_and_reported() {
    let bench = Bench::settled().await;
    let before = restarts(&bench);
    std::fs::remove_file(bench.host.paths.units.join(UNIT)).unwrap();
    bench.host.host.reload_units().await.unwrap();
    until_reported(&bench, "its unit is missing").await;
    assert!(unit_text(&bench).contains("supervise asterisk"));
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn a_drop_in_of_somebody_else_is_reported_as_long_as_it_is_there() {
    let bench = Bench::settled().await;
    let folder = bench.host.paths.units.join("asterisk.service.d");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("override.conf");
    std::fs::write(&path, "[Service]\nMemoryMax=1M\n").unwrap();
    bench.host.host.reload_units().await.unwrap();
    let path = path.display();
    let found = format!("{path} changes unit asterisk.service: not ours, left alone");
    until_reported(&bench, &found).await;
    bench.pass_time(600).await;
    until_reported(&bench, &found).await;
    std::fs::remove_dir_all(&folder).unwrap();
    bench.host.host.reload_units().await.unwrap();
    until_nothing_is_reported(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn unit_files_of_an_earlier_release_are_written_again_without_a_restart_and_not_reported() {
    let mut bench = Bench::settled().await;
    let (before, text) = (restarts(&bench), unit_text(&bench));
    bench.stop();
    edit(&bench, &of_earlier_release(&text)).await;
    bench.start();
    bench.until(|_| unit_text(&bench) == text).await;
    until_nothing_is_reported(&bench).await;
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn a_disabled_unit_is_enabled_again_and_reported() {
    let bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.host.host.enable_unit(UNIT, false).await.unwrap();
    bench.host.host.reload_units().await.unwrap();
    until_reported(&bench, "unit asterisk.service was disabled").await;
    assert_eq!(bench.host.host.unit_file_state(UNIT).await, Ok("enabled"));
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn a_changed_document_is_put_right_and_reported_without_a_restart() {
    let bench = Bench::settled().await;
    let (before, path) =
        (restarts(&bench), bench.host.paths.document(&name("asterisk"), Slot::Current));
    let text = std::fs::read_to_string(&path).unwrap();
    let is_right = || std::fs::read_to_string(&path).is_ok_and(|found| found == text);
    // The second one is another workload than the one that runs.
    for (from, to) in [("10000", "10001"), ("oml-asterisk", "oml-other")] {
        std::fs::write(&path, text.replace(from, to)).unwrap();
        bench.host.host.reload_units().await.unwrap();
        bench.until(|_| is_right()).await;
        until_reported(&bench, "its instance document was changed").await;
    }
    std::fs::remove_file(&path).unwrap();
    bench.host.host.reload_units().await.unwrap();
    until_reported(&bench, "its instance document was removed").await;
    std::fs::write(&path, "rubbish").unwrap();
    bench.host.host.reload_units().await.unwrap();
    bench.until(|_| is_right()).await;
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_was_changed_while_the_agent_was_stopped_is_put_right_and_reported() {
    let mut bench = Bench::settled().await;
    let path = bench.host.paths.document(&name("asterisk"), Slot::Current);
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [("10000", "10001"), ("oml-asterisk", "oml-other")] {
        bench.stop();
        std::fs::write(&path, text.replace(from, to)).unwrap();
        bench.start();
        bench.until(|_| std::fs::read_to_string(&path).is_ok_and(|found| found == text)).await;
        until_reported(&bench, "its instance document was changed").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_container_is_reported_as_long_as_it_is_paused() {
    let bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.host.host.pause_by_hand(OWN, true);
    let found = "container oml-asterisk is paused";
    let is_reported = |drift: &oml_common::document::status::Drift| drift.found == found;
    bench.until(|report| report.drift.as_ref().is_some_and(is_reported)).await;
    bench.until(|report| report.phase == Phase::Unhealthy).await;
    bench.host.host.pause_by_hand(OWN, false);
    until_nothing_is_reported(&bench).await;
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn settings_that_were_changed_by_docker_update_are_reported_until_the_container_is_replaced()
{
    let mut bench = Bench::settled().await;
    bench.host.host.update_by_hand(OWN, "always", 64 << 20);
    let found = "container oml-asterisk has the restart policy always, not no; container \
                 oml-asterisk has the memory limit 64 MiB, not none; container oml-asterisk has \
                 pids_limit 20, not 4096";
    until_reported(&bench, found).await;
    let running = bench.host.running(&name("asterisk")).unwrap();
    assert!(matches!(running.state, ContainerState::Running { .. }));
    bench.upgrade("2", oml_sim::Behaviour::Good);
    bench.until_ready("2").await;
    bench.upgrade("3", oml_sim::Behaviour::Good);
    bench.until_ready("3").await;
    until_nothing_is_reported(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn a_folder_in_the_place_of_a_unit_file_holds_up_its_own_component_alone() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    let path = bench.host.paths.units.join(UNIT);
    std::fs::create_dir(&path).unwrap();
    bench.desire_with("1", "redis");
    let is_ready = |report: &Report| {
        report.instances.get(&name("redis")).is_some_and(|redis| redis.phase == Phase::Ready)
    };
    let report = bench.until_report(is_ready).await;
    assert_eq!(report.errors, [""; 0]);
    let blocked = bench.until(|report| report.phase == Phase::Blocked).await;
    let expected = format!("could not read {}: Is a directory", path.display());
    assert!(blocked.reason.contains(&expected), "{}", blocked.reason);
    std::fs::remove_dir(&path).unwrap();
    bench.until_ready("1").await;
}
