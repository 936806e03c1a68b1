//! Changes by hand to what no change to another version may undo: to the version in use while its
//! change waits or after it was rolled back, and to what somebody stopped. Each is put right and
//! reported, and stops and starts nothing.

use oml_common::document::assignment::OnDeadline;
use oml_common::document::report::{Phase, Report};
use oml_sim::{ActiveState, Behaviour};

use super::bench::{Bench, name};
use super::by_hand::{edit, unit_text};
use super::revived::settled_beside_a_blocked_change;
use super::{EXITS, restarts};
use crate::fixtures::digest;
use crate::paths::Slot;

mod document;
mod left;
mod names;

const UNIT: &str = "asterisk.service";
const OWN: &str = "oml-asterisk";

/// The text with `/bin/false` in the place of the supervisor.
fn with_false(text: &str) -> String {
    let line = |line: &str| match line.starts_with("ExecStart=") {
        true => "ExecStart=/bin/false\n".to_owned(),
        false => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn remove_unit(bench: &Bench) {
    std::fs::remove_file(bench.host.paths.units.join(UNIT)).unwrap();
}

async fn reload(bench: &Bench) {
    bench.host.host.reload_units().await.unwrap();
}

fn document_text(bench: &Bench) -> String {
    let path = bench.host.paths.document(&name("asterisk"), Slot::Current);
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Somebody edits the document of version 1 into that of a version of which there is no image.
fn edit_document(bench: &Bench) -> String {
    let text = document_text(bench);
    let (own, other) = (digest("1").to_string(), digest("9").to_string());
    assert!(text.contains(&own), "{text}");
    bench.garble(Slot::Current, text.replace(&own, &other).as_bytes());
    text
}

fn runs_version_1(bench: &Bench) -> bool {
    bench.host.running(&name("asterisk")).is_some() && is_up(bench)
}

fn is_up(bench: &Bench) -> bool {
    let units = bench.host.host.units();
    units.iter().any(|(unit, found)| unit == UNIT && found.active == ActiveState::Active)
}

/// Waits until the words are in the reported drift.
async fn until_drift(bench: &Bench, words: &str) {
    let is_reported = |drift: &oml_common::document::status::Drift| drift.found.contains(words);
    bench.until(|report| report.drift.as_ref().is_some_and(is_reported)).await;
}

/// Version 1 runs after its change to another version was rolled back.
async fn rolled_back() -> Bench {
    let bench = Bench::upgrading("bad", EXITS).await;
    bench.until_returned("1").await;
    bench
}

/// Version 1 runs beside a change that waits, and after one that was rolled back.
async fn in_use() -> [Bench; 2] {
    [settled_beside_a_blocked_change().await, rolled_back().await]
}

#[tokio::test(start_paused = true)]
async fn an_edited_unit_of_the_version_in_use_is_put_right_and_reported_without_a_restart() {
    for bench in in_use().await {
        let (before, text) = (restarts(&bench), unit_text(&bench));
        edit(&bench, &with_false(&text)).await;
        bench.until_report(|_| unit_text(&bench) == text).await;
        until_drift(&bench, "unit asterisk.service was edited: has \"ExecStart=/bin/false\"").await;
        bench.host.host.enable_unit(UNIT, false).await.unwrap();
        reload(&bench).await;
        until_drift(&bench, "unit asterisk.service was disabled").await;
        bench.pass_time(120).await;
        assert_eq!(bench.host.host.unit_file_state(UNIT).await, Ok("enabled"));
        assert_eq!(restarts(&bench), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_in_use_that_ended_for_good_is_started_by_its_own_unit_and_not_by_an_edited_one()
{
    let mut bench = settled_beside_a_blocked_change().await;
    let text = unit_text(&bench);
    bench.stop();
    edit(&bench, &with_false(&text)).await;
    bench.end_by_itself(1);
    for _minute in 0..5 {
        bench.pass_time(60).await;
    }
    assert!(!runs_version_1(&bench));
    bench.start();
    bench.until_report(|_| runs_version_1(&bench)).await;
    assert_eq!(unit_text(&bench), text);
    until_drift(&bench, "has \"ExecStart=/bin/false\"").await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_unit_of_the_version_in_use_is_written_again_and_reported() {
    for bench in in_use().await {
        let (before, text) = (restarts(&bench), unit_text(&bench));
        remove_unit(&bench);
        reload(&bench).await;
        until_drift(&bench, "its unit is missing").await;
        bench.until_report(|_| bench.host.paths.units.join(UNIT).exists()).await;
        assert_eq!(unit_text(&bench), text);
        assert_eq!(restarts(&bench), before);
        assert!(runs_version_1(&bench));
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_in_use_whose_unit_was_removed_before_it_ended_is_started_again() {
    let mut bench = settled_beside_a_blocked_change().await;
    bench.stop();
    remove_unit(&bench);
    reload(&bench).await;
    bench.end_by_itself(1);
    bench.pass_time(60).await;
    bench.start();
    bench.until_report(|_| runs_version_1(&bench)).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_or_removed_document_of_the_version_in_use_is_put_right_and_reported() {
    for bench in in_use().await {
        let before = restarts(&bench);
        let text = edit_document(&bench);
        reload(&bench).await;
        bench.until_report(|_| document_text(&bench) == text).await;
        until_drift(&bench, "its instance document was changed").await;
        bench.pass_time(60).await;
        std::fs::remove_file(bench.host.paths.document(&name("asterisk"), Slot::Current)).unwrap();
        reload(&bench).await;
        bench.until_report(|_| document_text(&bench) == text).await;
        until_drift(&bench, "its instance document was removed").await;
        assert_eq!(restarts(&bench), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_in_use_that_ended_with_a_changed_document_is_started_by_its_own_one() {
    let mut bench = settled_beside_a_blocked_change().await;
    bench.stop();
    edit_document(&bench);
    bench.end_by_itself(1);
    bench.pass_time(300).await;
    assert!(!runs_version_1(&bench));
    bench.start();
    bench.until_report(|_| runs_version_1(&bench)).await;
    assert_eq!(bench.document(Slot::Current).as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn a_renamed_container_of_the_version_in_use_gets_its_name_back_and_is_reported() {
    for bench in in_use().await {
        let before = restarts(&bench);
        let running = bench.host.running(&name("asterisk")).unwrap();
        bench.host.host.rename_by_hand(&running.id, "mine").unwrap();
        let is_back =
            |_: &Report| bench.host.running(&name("asterisk")).is_some_and(|it| it.name == OWN);
        bench.until_report(is_back).await;
        until_drift(&bench, "container oml-asterisk was renamed to mine").await;
        assert_eq!(bench.host.running(&name("asterisk")).unwrap().id, running.id);
        assert_eq!(restarts(&bench), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_edited_during_a_drain_is_put_right_and_reported_and_the_drain_goes_on() {
    let mut bench = Bench::with_calls(3).await;
    bench.desire_counted("2", OnDeadline::Wait);
    bench.until(|report| matches!(report.phase, Phase::Draining { .. })).await;
    let (before, text) = (restarts(&bench), unit_text(&bench));
    edit(&bench, &format!("{text}MemoryMax=1M\n")).await;
    bench.until_report(|_| unit_text(&bench) == text).await;
    until_drift(&bench, "unit asterisk.service was edited: has \"MemoryMax=1M\"").await;
    bench.until(|report| matches!(report.phase, Phase::Draining { .. })).await;
    assert_eq!(restarts(&bench), before, "calls were cut");
    bench.set_calls(0);
    let report = bench.until_ready("2").await;
    assert_eq!(report.calls_cut, Some(0));
}

#[tokio::test(start_paused = true)]
async fn an_edited_or_disabled_unit_of_a_stopped_component_is_put_right_and_stays_stopped() {
    let bench = Bench::settled().await;
    let text = unit_text(&bench);
    bench.host.systemctl("stop", UNIT).await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    let before = restarts(&bench);
    edit(&bench, &with_false(&text)).await;
    bench.until_report(|_| unit_text(&bench) == text).await;
    until_drift(&bench, "has \"ExecStart=/bin/false\"").await;
    bench.host.host.enable_unit(UNIT, false).await.unwrap();
    reload(&bench).await;
    until_drift(&bench, "unit asterisk.service was disabled").await;
    bench.pass_time(600).await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    assert!(bench.host.running(&name("asterisk")).is_none());
    assert_eq!(restarts(&bench), before);
    bench.host.systemctl("start", UNIT).await;
    bench.until_ready("1").await;
}

#[tokio::test(start_paused = true)]
async fn an_edited_unit_beside_a_foreign_container_is_put_right_and_reported() {
    let bench = Bench::settled().await;
    let running = bench.host.running(&name("asterisk")).unwrap();
    bench.host.host.rename_by_hand(&running.id, "mine").unwrap();
    bench.host.make_foreign_container(OWN);
    bench.until(|report| report.phase == Phase::Blocked).await;
    let (before, text) = (restarts(&bench), unit_text(&bench));
    edit(&bench, &format!("{text}MemoryMax=1M\n")).await;
    bench.until_report(|_| unit_text(&bench) == text).await;
    until_drift(&bench, "its own name is oml-asterisk").await;
    bench.until(|report| report.phase == Phase::Blocked).await;
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_beside_a_change_does_not_hold_it_up() {
    let bench = settled_beside_a_blocked_change().await;
    let text = unit_text(&bench);
    edit(&bench, &with_false(&text)).await;
    bench.until_report(|_| unit_text(&bench) == text).await;
    bench.offer("2", Behaviour::Good);
    bench.until_ready("2").await;
}
