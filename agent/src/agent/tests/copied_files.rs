//! Copies of our unit files: they are reported, left alone, and hold nothing when they are started.

use std::path::PathBuf;

use oml_common::document::report::Report;
use oml_sim::{ActiveState, Behaviour, Container, UnitState};

use super::bench::{Bench, name};
use super::by_hand::{of_earlier_release, unit_text, until_nothing_is_reported, until_reported};
use crate::paths::Slot;

const COPY: &str = "dbg.service";
const UNIT: &str = "asterisk.service";

/// Somebody writes a unit file of another name and reloads systemd. Returns its path.
async fn add(bench: &Bench, text: &str) -> PathBuf {
    let path = bench.host.paths.units.join(COPY);
    std::fs::write(&path, text).unwrap();
    bench.host.host.reload_units().await.unwrap();
    path
}

fn running(bench: &Bench) -> Container {
    bench.host.running(&name("asterisk")).unwrap()
}

fn unit(bench: &Bench, name: &str) -> Option<UnitState> {
    let units = bench.host.host.units();
    units.into_iter().find(|(unit, _)| unit == name).map(|(_, state)| state)
}

fn is_reported(report: &Report, found: &str) -> bool {
    report.errors.iter().any(|reported| reported.contains(found))
}

/// Checks that a component is removed from the host while a reported file stays.
async fn check_stays_after_removal(mut bench: Bench, path: &std::path::Path, found: &str) {
    bench.desire(&[]);
    let gone = |report: &Report| report.instances.is_empty() && is_reported(report, found);
    bench.until_report(gone).await;
    bench.pass_time(600).await;
    assert!(path.exists());
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_unit_file_is_reported_and_neither_stopped_nor_removed() {
    let mut bench = Bench::settled().await;
    let path = add(&bench, &unit_text(&bench)).await;
    let found = "unit dbg.service is a copy of asterisk.service: not ours, left alone";
    until_reported(&bench, found).await;
    bench.upgrade("2", Behaviour::Good);
    bench.until_ready("2").await;
    until_reported(&bench, found).await;
    check_stays_after_removal(bench, &path, found).await;
}

#[tokio::test(start_paused = true)]
async fn an_edited_copy_of_a_unit_file_is_reported_and_neither_stopped_nor_removed() {
    let text = unit_text(&Bench::settled().await);
    for copy in [
        text.replace("asterisk.service", COPY),
        text.replace("X-Oml-Unit=asterisk.service", "X-Oml-Unit=a/b"),
        text.replace("X-Oml-Unit=asterisk.service\n", ""),
        of_earlier_release(&text),
    ] {
        let bench = Bench::settled().await;
        let before = super::restarts(&bench);
        // Another program runs in it, as for a look inside.
        let copy = copy.replace("ExecStart=", "X-ExecStart=").replace("Type=notify", "Type=exec");
        let path = add(&bench, &copy).await;
        bench.host.host.systemctl("start", COPY).unwrap();
        let found =
            "unit dbg.service was copied or edited by hand, and it runs: not ours, left alone";
        until_reported(&bench, found).await;
        bench.pass_time(60).await;
        assert_eq!(unit(&bench, COPY).unwrap().active, ActiveState::Active);
        assert_eq!(super::restarts(&bench), before);
        check_stays_after_removal(bench, &path, found).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_as_a_template_is_reported_and_keeps_no_change_from_the_host() {
    let mut bench = Bench::settled().await;
    let path = bench.host.paths.units.join("asterisk@.service");
    std::fs::write(&path, unit_text(&bench)).unwrap();
    bench.host.host.reload_units().await.unwrap();
    bench.upgrade("2", Behaviour::Good);
    bench.until_ready("2").await;
    let found = "unit asterisk@.service is a copy of asterisk.service: not ours, left alone";
    until_reported(&bench, found).await;
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_gets_another_name_is_retired_though_its_file_was_edited() {
    let text = unit_text(&Bench::settled().await);
    for edited in [format!("{text}MemoryMax=1M\n"), of_earlier_release(&text)] {
        let mut bench = Bench::settled().await;
        let before = running(&bench);
        bench.stop();
        std::fs::write(bench.host.paths.units.join(UNIT), edited).unwrap();
        bench.host.host.reload_units().await.unwrap();
        bench.desire_in_unit("1", "oml-asterisk.service");
        bench.start();
        bench.until_report(|_| !bench.host.paths.units.join(UNIT).exists()).await;
        bench.until_ready("1").await;
        let is_up = |name: &str| unit(&bench, name).map(|found| found.active);
        assert_eq!(is_up("oml-asterisk.service"), Some(ActiveState::Active));
        assert_ne!(is_up(UNIT), Some(ActiveState::Active));
        assert_eq!(running(&bench), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_unit_file_for_another_component_is_reported_and_stays() {
    let bench = Bench::settled().await;
    let path = add(&bench, &unit_text(&bench).replace("asterisk", "dbg")).await;
    let found = "unit dbg.service was copied or edited by hand: not ours, left alone";
    bench.until_report(|report| is_reported(report, found)).await;
    bench.pass_time(600).await;
    assert!(path.exists());
}

#[tokio::test(start_paused = true)]
async fn an_edited_unit_file_of_a_removed_component_is_ours_and_removed() {
    let mut bench = Bench::settled().await;
    bench.stop();
    let path = bench.host.paths.units.join(UNIT);
    std::fs::write(&path, format!("{}MemoryMax=1M\n", unit_text(&bench))).unwrap();
    bench.host.host.reload_units().await.unwrap();
    bench.desire(&[]);
    bench.start();
    bench.until_report(|report| report.instances.is_empty() && !path.exists()).await;
    assert!(bench.host.running(&name("asterisk")).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_copied_unit_that_is_started_holds_nothing_and_is_not_started_again() {
    for edit in [None, Some((UNIT, COPY))] {
        let mut bench = Bench::settled().await;
        let before = running(&bench);
        let text = unit_text(&bench);
        add(&bench, &edit.map_or(text.clone(), |(from, to)| text.replace(from, to))).await;
        bench.host.host.systemctl("start", COPY).unwrap();
        bench.pass_time(600).await;
        let copy = unit(&bench, COPY).unwrap();
        assert_eq!((copy.active, copy.restarts), (ActiveState::Failed, 0));
        let expected = "dbg.service is not the unit of asterisk, which is asterisk.service";
        assert!(copy.status_text.contains(expected), "{}", copy.status_text);
        bench.host.host.systemctl("stop", COPY).unwrap();
        bench.pass_time(600).await;
        assert_eq!(running(&bench), before);
        bench.upgrade("2", Behaviour::Good);
        bench.host.host.systemctl("start", COPY).unwrap();
        bench.until_ready("2").await;
        assert_eq!(unit(&bench, COPY).unwrap().active, ActiveState::Failed);
        assert_eq!(bench.document(Slot::Current).as_deref(), Some("2"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_copied_unit_that_is_stopped_at_once_after_its_start_stops_nothing() {
    let bench = Bench::settled().await;
    let before = running(&bench);
    add(&bench, &unit_text(&bench)).await;
    bench.host.host.systemctl("start", COPY).unwrap();
    bench.host.host.systemctl("stop", COPY).unwrap();
    bench.pass_time(600).await;
    assert_eq!(running(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn a_copied_unit_of_an_earlier_release_is_started_no_more_often_than_its_limit() {
    let bench = Bench::settled().await;
    let before = running(&bench);
    let text = of_earlier_release(&unit_text(&bench));
    let is_new = |line: &&str| !line.starts_with("RestartPreventExitStatus=");
    let text: String = text.lines().filter(is_new).map(|line| format!("{line}\n")).collect();
    add(&bench, &text).await;
    bench.host.host.systemctl("start", COPY).unwrap();
    until_reported(&bench, "unit dbg.service was copied or edited by hand: not ours, left alone")
        .await;
    bench.pass_time(600).await;
    let copy = unit(&bench, COPY).unwrap();
    assert_eq!((copy.active, copy.result.as_str()), (ActiveState::Failed, "start-limit-hit"));
    assert_eq!(running(&bench), before);
    std::fs::remove_file(bench.host.paths.units.join(COPY)).unwrap();
    bench.host.host.reload_units().await.unwrap();
    until_nothing_is_reported(&bench).await;
}
