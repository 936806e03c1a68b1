//! Containers that bear our labels and are not ours: copies, which inherit the labels with
//! their image, and what somebody has renamed.

use oml_common::document::report::{Phase, Report};
use oml_sim::{Behaviour, Container, Daemon, Verb};

use super::bench::{Bench, name};
use crate::cache::NotOwn;

const OWN: &str = "oml-asterisk";

fn named(bench: &Bench, name: &str) -> Option<Container> {
    bench.host.host.containers().into_iter().find(|container| container.name == name)
}

fn runs(bench: &Bench, id: &str) -> bool {
    bench.host.host.containers().iter().any(|c| c.id == id && c.is_running())
}

/// Version 1 runs, and a copy of its container beside it under that name.
async fn copied(copy: &str) -> (Bench, String, String) {
    let bench = Bench::settled().await;
    let original = named(&bench, OWN).unwrap().id;
    let copy = bench.host.host.copy_by_hand(&original, copy).unwrap();
    (bench, original, copy)
}

/// The reported drift of the component.
fn drift(report: &Report) -> String {
    let drift = report.instances.get(&name("asterisk")).and_then(|report| report.drift.clone());
    drift.map(|drift| drift.found).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_container_is_reported_and_the_right_one_goes_on_untouched() {
    let (bench, original, copy) = copied("zen_curie").await;
    let report = bench.until_report(|report| drift(report).contains("zen_curie")).await;
    assert!(drift(&report).contains("runs another image"), "{}", drift(&report));
    bench.pass_time(600).await;
    let report = bench.until_ready("1").await;
    assert_eq!(report.restarts, 0);
    assert_eq!(named(&bench, OWN).unwrap().id, original);
    assert!(runs(&bench, &original) && runs(&bench, &copy));
    assert_eq!(named(&bench, "zen_curie").unwrap().id, copy, "it keeps its name");
    assert_eq!(bench.host.count(Daemon::Engine, Verb::Rename), 1, "that of the install");
    bench.host.host.remove_by_hand(&copy);
    bench.until_report(|report| drift(report).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_survives_a_restart_a_change_and_a_removal_of_its_component() {
    let (mut bench, _, copy) = copied("zen_curie").await;
    bench.host.systemctl("restart", "asterisk.service").await;
    bench.until_ready("1").await;
    bench.upgrade("2", Behaviour::Good);
    bench.until_ready("2").await;
    bench.upgrade("3", Behaviour::Good);
    bench.until_ready("3").await;
    bench.desire(&[]);
    let report = bench.until_report(|report| report.instances.is_empty()).await;
    assert!(report.errors.iter().any(|reported| reported.contains("zen_curie")), "{report:?}");
    bench.pass_time(600).await;
    assert!(runs(&bench, &copy));
    assert_eq!(bench.host.host.containers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_component_that_is_not_wanted_here_is_left_alone() {
    let (mut bench, _, copy) = copied("zen_curie").await;
    bench.desire(&[]);
    bench.until_report(|report| report.instances.is_empty()).await;
    bench.host.host.kill_by_hand(&copy);
    bench.pass_time(600).await;
    assert!(named(&bench, "zen_curie").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_the_unit_does_not_stop_a_copy() {
    let (bench, original, copy) = copied("zen_curie").await;
    bench.host.systemctl("stop", "asterisk.service").await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    assert!(!runs(&bench, &original) && runs(&bench, &copy));
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_holds_the_name_of_the_previous_container_blocks_nothing() {
    for spare in ["oml-asterisk-prev", "oml-asterisk-next-taken"] {
        let (mut bench, _, copy) = copied(spare).await;
        bench.upgrade("2", Behaviour::Good);
        bench.until_ready("2").await;
        bench.upgrade("3", Behaviour::Good);
        bench.until_ready("3").await;
        assert_eq!(named(&bench, spare).unwrap().id, copy);
        assert!(runs(&bench, &copy));
        assert_eq!(named(&bench, OWN).unwrap().labels["io.oml.version"], "3");
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_container_of_an_earlier_release_is_left_alone_under_our_names() {
    let bench = Bench::settled().await;
    let mut labels = named(&bench, OWN).unwrap().labels;
    labels.remove("io.oml.image").unwrap();
    bench.host.host.run_by_hand(oml_sim::NewContainer {
        name: "oml-asterisk-prev".to_owned(),
        image: "dbg:1".to_owned(),
        labels,
        ..oml_sim::NewContainer::default()
    });
    let report = bench.until_report(|report| drift(report).contains("oml-asterisk-prev")).await;
    assert!(drift(&report).contains("runs another image"), "{}", drift(&report));
    bench.pass_time(600).await;
    assert!(named(&bench, "oml-asterisk-prev").unwrap().is_running());
    bench.until_ready("1").await;
}

#[tokio::test(start_paused = true)]
async fn two_containers_whose_names_were_exchanged_by_hand_get_them_back_and_that_is_reported() {
    let bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_ready("2").await;
    let ids = [OWN, "oml-asterisk-prev"].map(|name| named(&bench, name).unwrap().id);
    bench.pass_time(60).await;
    bench.host.host.rename_by_hand(&ids[0], "tmp").unwrap();
    bench.host.host.rename_by_hand(&ids[1], OWN).unwrap();
    bench.host.host.rename_by_hand(&ids[0], "oml-asterisk-prev").unwrap();
    bench.until_report(|report| drift(report).contains("was renamed to oml-asterisk-prev")).await;
    bench.until_report(|_| named(&bench, OWN).is_some_and(|found| found.id == ids[0])).await;
    assert_eq!(named(&bench, "oml-asterisk-prev").unwrap().id, ids[1]);
    assert!(runs(&bench, &ids[0]));
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_holds_the_name_of_the_next_container_blocks_nothing() {
    let mut bench = Bench::settled().await;
    let original = named(&bench, OWN).unwrap().id;
    let next = crate::fixtures::document("asterisk", "2").workload_hash();
    let next = format!("{OWN}-next-{}", next.short());
    let copy = bench.host.host.copy_by_hand(&original, &next).unwrap();
    bench.upgrade("2", Behaviour::Good);
    bench.until_ready("2").await;
    assert_eq!(named(&bench, &next).unwrap().id, copy);
}

#[tokio::test(start_paused = true)]
async fn a_copy_in_the_place_of_the_removed_container_is_named_and_not_adopted() {
    let (bench, original, copy) = copied("zen_curie").await;
    bench.host.host.remove_by_hand(&original);
    bench.host.host.rename_by_hand(&copy, OWN).unwrap();
    let report = bench.until(|report| report.phase == Phase::Blocked).await;
    assert!(report.reason.contains("container oml-asterisk exists"), "{}", report.reason);
    bench.pass_time(60).await;
    let ours = bench.host.host.containers().into_iter().find(|c| c.id != copy).unwrap();
    assert!(ours.is_running() && runs(&bench, &copy));
    bench.host.host.remove_by_hand(&copy);
    bench.until_ready("1").await;
    assert_eq!(named(&bench, OWN).unwrap().id, ours.id);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_was_renamed_by_hand_gets_its_name_back_and_that_is_reported() {
    let bench = Bench::settled().await;
    let original = named(&bench, OWN).unwrap().id;
    bench.host.host.rename_by_hand(&original, "mine").unwrap();
    let report = bench.until_report(|report| drift(report).contains("mine")).await;
    assert!(drift(&report).contains("was renamed"), "{}", drift(&report));
    bench.until_report(|_| named(&bench, OWN).is_some()).await;
    assert_eq!(named(&bench, OWN).unwrap().id, original);
    assert!(runs(&bench, &original));
}

#[tokio::test(start_paused = true)]
async fn a_kept_container_that_was_renamed_by_hand_is_not_ours_any_more() {
    let bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_ready("2").await;
    let previous = named(&bench, "oml-asterisk-prev").unwrap().id;
    bench.host.host.rename_by_hand(&previous, "backup").unwrap();
    let report = bench.until_report(|report| drift(report).contains("backup")).await;
    assert!(drift(&report).contains("has another name"), "{}", drift(&report));
    bench.pass_time(600).await;
    assert_eq!(named(&bench, "backup").unwrap().id, previous);
}

#[tokio::test(start_paused = true)]
async fn a_container_of_another_tenant_under_our_names_is_left_alone() {
    let bench = Bench::settled().await;
    let mut labels = named(&bench, OWN).unwrap().labels;
    labels.insert("io.oml.tenant".to_owned(), "other".to_owned());
    bench.host.host.run_by_hand(oml_sim::NewContainer {
        name: "oml-asterisk-prev".to_owned(),
        image: named(&bench, OWN).unwrap().image,
        labels,
        ..oml_sim::NewContainer::default()
    });
    let report = bench.until_report(|report| drift(report).contains("oml-asterisk-prev")).await;
    assert!(drift(&report).contains("is another tenant's"), "{}", drift(&report));
    bench.pass_time(600).await;
    assert!(named(&bench, "oml-asterisk-prev").unwrap().is_running());
    bench.until_ready("1").await;
}

#[tokio::test(start_paused = true)]
async fn units_and_containers_of_another_tenant_are_left_alone_and_reported() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    let other = crate::fixtures::document("redis", "1").edited(|instance| {
        instance.tenant = "other".parse().unwrap();
    });
    // What an enrolment with another tenant has left behind.
    let before = bench.host.of_tenant("other");
    before.install(&other).await;
    bench.desire(&["1"]);
    for words in ["container oml-redis has its labels but is another", "unit redis.service is"] {
        let is_reported =
            |report: &Report| report.errors.iter().any(|reported| reported.contains(words));
        bench.until_report(is_reported).await;
    }
    bench.until_ready("1").await;
    bench.pass_time(600).await;
    assert!(named(&bench, "oml-redis").unwrap().is_running());
    assert!(bench.host.paths.units.join("redis.service").exists());
}

#[tokio::test(start_paused = true)]
async fn an_assignment_that_is_not_acted_on_is_reported_until_another_one_arrives() {
    let mut bench = Bench::settled().await;
    let before = bench.host.host.containers().len();
    bench.stop();
    let [found, own] = ["acme/other", "acme/n1"].map(str::to_owned);
    bench.start_without_assignment(NotOwn::Node { found, own });
    bench.until_report(|report| report.errors.len() == 1 && report.applied.is_none()).await;
    bench.pass_time(600).await;
    assert_eq!(bench.host.host.containers().len(), before);
    bench.desire(&["1"]);
    let report = bench.until_report(|report| report.applied.is_some()).await;
    assert!(report.errors.is_empty(), "{report:?}");
}
