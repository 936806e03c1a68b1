//! What a later release of the agent left on the host. It goes on.

use oml_common::document::assignment::OnDeadline;
use oml_common::document::instance::HeldInstance;
use oml_common::document::report::{InstanceReport, Phase};
use oml_common::document::status::Health;
use oml_sim::{ActiveState, Behaviour, NewContainer};

use super::bench::{Bench, name};
use crate::documents;
use crate::paths::Slot;

const HASH: &str = "io.oml.hash";
const INSTANCE: &str = "io.oml.instance";

/// The text of a document whose workload has a field that this release does not know.
fn later(text: &str) -> String {
    text.replace("\"kind\":\"container\"", "\"kind\":\"container\",\"colour\":\"blue\"")
}

/// The text of a document whose calls are counted in a way that this release does not know.
fn counted_later(text: &str) -> String {
    let active = "\"active\":{\"command\":[\"count\"],\"before\":\"active calls\",\
                  \"noun\":\"calls\",\"total\":\"min\"}";
    text.replacen("\"timing\":", &format!("{active},\"timing\":"), 1)
}

impl Bench {
    /// Version 1 runs, desired and created by a release that knows more.
    async fn of_later_release() -> Self {
        Self::with_later(later).await
    }

    /// The same, with this edit of its document by that release.
    async fn with_later(later: fn(&str) -> String) -> Self {
        let mut bench = Self::settled().await;
        bench.stop();
        let component = name("asterisk");
        let written = documents::read(&bench.host.paths, &component, Slot::Current);
        let held = HeldInstance::read(&later(written.unwrap().unwrap().text())).unwrap();
        documents::write_held(&bench.host.paths, &held).unwrap();
        let container = bench.host.running(&component).unwrap();
        let mut labels = container.labels.clone();
        labels.insert(HASH.to_owned(), held.workload.hash.to_string());
        labels.insert(INSTANCE.to_owned(), held.text().to_owned());
        bench.host.host.remove_by_hand(&container.id);
        let (name, image) = (container.name, container.image);
        let new = NewContainer { name, image, labels, ..NewContainer::default() };
        bench.host.host.run_by_hand(new);
        bench.desire_unreadable("1");
        bench
    }

    fn unit_is(&self, active: ActiveState) -> bool {
        self.host.host.units().iter().all(|(_, unit)| unit.active == active)
    }
}

fn runs_and_is_held(report: &InstanceReport) -> bool {
    report.phase == Phase::Blocked && report.started_at.is_some()
}

/// Reboots the host, with or without the document on disk, and returns the report of what came up.
async fn after_a_reboot(mut bench: Bench, lose_document: bool) -> InstanceReport {
    let begun = bench.host.running(&name("asterisk")).unwrap().id;
    if lose_document {
        std::fs::remove_file(bench.host.paths.document(&name("asterisk"), Slot::Current)).unwrap();
    }
    bench.host.host.reboot();
    bench.boot();
    bench.pass_time(60).await;
    let running = bench.host.running(&name("asterisk")).map(|container| container.id);
    assert_eq!(running, Some(begun), "its document was lost: {lose_document}");
    assert!(bench.unit_is(ActiveState::Active));
    bench.start();
    bench.until(runs_and_is_held).await
}

#[tokio::test(start_paused = true)]
async fn what_a_later_release_created_comes_up_after_a_reboot() {
    for lose_document in [false, true] {
        after_a_reboot(Bench::of_later_release().await, lose_document).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_a_later_release_can_probe_comes_up_after_a_reboot_with_unknown_health() {
    let later = |text: &str| text.replace("\"tcp\",\"port\":5060}", "\"ng-ping\",\"port\":5060}");
    for lose_document in [false, true] {
        let bench = Bench::with_later(later).await;
        let path = bench.host.paths.document(&name("asterisk"), Slot::Current);
        assert!(std::fs::read_to_string(&path).unwrap().contains("ng-ping"));
        let report = after_a_reboot(bench, lose_document).await;
        assert_eq!(report.health, Health::Unknown, "{}", report.reason);
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_a_later_release_can_count_comes_up_after_a_reboot() {
    for lose_document in [false, true] {
        let bench = Bench::with_later(counted_later).await;
        assert!(bench.text(Slot::Current).contains("\"total\":\"min\""));
        bench.set_calls(0);
        let report = after_a_reboot(bench, lose_document).await;
        assert_eq!(report.active, None, "{}", report.reason);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_only_a_later_release_can_count_are_waited_for() {
    let mut bench = Bench::with_later(counted_later).await;
    bench.set_calls(0);
    bench.offer("2", Behaviour::Good);
    bench.pass_time(60).await;
    let running = bench.host.running(&name("asterisk")).unwrap().id;
    bench.desire_counted("2", OnDeadline::Wait);
    bench.start();
    let words = "needs a newer agent, which understands how its calls are counted";
    bench.until(|report| report.reason.contains(words)).await;
    bench.pass_time(300).await;
    bench.until(|report| matches!(report.phase, Phase::Draining { .. })).await;
    assert_eq!(bench.host.running(&name("asterisk")).map(|it| it.id), Some(running));
}

#[tokio::test(start_paused = true)]
async fn what_a_later_release_created_is_not_created_again_from_what_is_not_understood() {
    let bench = Bench::of_later_release().await;
    let running = bench.host.running(&name("asterisk")).unwrap().id;
    bench.host.host.remove_by_hand(&running);
    bench.pass_time(60).await;
    assert!(bench.host.running(&name("asterisk")).is_none());
    let lines: Vec<String> =
        bench.host.host.units().into_iter().map(|(_, unit)| unit.status_text).collect();
    assert!(lines.iter().any(|line| line.starts_with("needs a newer agent: ")), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_later_release_created_is_started_again_when_its_unit_has_given_up() {
    let mut bench = Bench::of_later_release().await;
    bench.start();
    bench.until(runs_and_is_held).await;
    bench.fail_for_good().await;
    bench.pass_time(120).await;
    bench.until(runs_and_is_held).await;
    assert!(bench.unit_is(ActiveState::Active));
}

#[tokio::test(start_paused = true)]
async fn what_a_later_release_noted_of_the_last_good_version_stays_until_there_is_another() {
    let mut bench = Bench::settled().await;
    bench.offer("2", Behaviour::Good);
    bench.stop();
    let note = bench.host.paths.last_good(&name("asterisk"));
    let later = "{\"version\":2,\"workloads\":[]}";
    std::fs::write(&note, later).unwrap();
    bench.start();
    bench.until_ready("1").await;
    bench.pass_time(60).await;
    assert_eq!(std::fs::read_to_string(&note).unwrap(), later);
    bench.desire(&["2"]);
    bench.until_ready("2").await;
    let (paths, component) = (&bench.host.paths, name("asterisk"));
    let runs = documents::read(paths, &component, Slot::Current).unwrap().unwrap();
    let noted = documents::read_last_good(paths, &component).unwrap();
    assert_eq!(noted, Some(runs.workload_hash()));
}
